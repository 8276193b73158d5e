"""Lists in pages, by cursor: a page costs the same however long the list is, and nothing is counted."""

from typing import Any

from django.db.models import QuerySet
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request

from portal.rights import Window


class Pages(CursorPagination):
    """`next` and `previous` are addresses, `results` the rows. The view's `ordering` must be unique."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200

    def get_ordering(self, request: Request, queryset: QuerySet[Any], view: Any) -> tuple[str, ...]:
        """The view's own."""
        return tuple(view.ordering)

    def window(self, request: Request) -> Window:
        """What the page asked for needs of a list by key, for a query whose cost is to be that of the page."""
        size = self.get_page_size(request) or self.page_size
        offset, backwards, key = self.decode_cursor(request) or (0, False, None)
        return Window(int(offset) + size + 1, str(key or ""), bool(backwards))
