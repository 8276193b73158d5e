"""Lists in pages, by cursor: a page costs the same however long the list is, and nothing is counted."""

from typing import Any

from django.db.models import QuerySet
from rest_framework.generics import ListAPIView
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request

from portal.api.auth import acting
from portal.models import Person


class Pages(CursorPagination):
    """`next` and `previous` are addresses, `results` the rows. The view's `ordering` must be unique."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200

    def get_ordering(self, request: Request, queryset: QuerySet[Any], view: Any) -> tuple[str, ...]:
        return tuple(view.ordering)


class Listing(ListAPIView[Any]):
    """A list: `get_queryset` says which rows `self.person` may see, `ordering` in which order, `shown` what of a page."""

    ordering: tuple[str, ...] = ("-id",)

    @property
    def person(self) -> Person:
        return acting(self.request)

    def shown(self, rows: list[Any]) -> list[Any]:
        """What the serializer gets for the rows of one page."""
        return rows

    def paginate_queryset(self, queryset: Any) -> Any:
        rows = super().paginate_queryset(queryset)
        return None if rows is None else self.shown(list(rows))
