"""Lists in pages, by cursor: a page costs the same however long the list is, and nothing is counted."""

from typing import Any

from django.db.models import QuerySet
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request


class Pages(CursorPagination):
    """`next` and `previous` are addresses, `results` the rows. The view's `ordering` must be unique."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200

    def get_ordering(self, request: Request, queryset: QuerySet[Any], view: Any) -> tuple[str, ...]:
        """The view's own."""
        return tuple(view.ordering)
