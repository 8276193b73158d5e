"""Lists in pages, by cursor: a page costs the same however long the list is, and nothing is counted."""

import re
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from rest_framework.exceptions import NotFound
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request

from portal.errors import Invalid


class Pages(CursorPagination):
    """`next` and `previous` are addresses, `results` the rows. The view's `ordering` must be unique."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200

    def decode_cursor(self, request: Request) -> Any:
        """Where the page begins; raises Invalid for what no list gave out."""
        try:
            return super().decode_cursor(request)
        except NotFound as error:
            raise Invalid(
                _(
                    "This cursor is none that this list gave out. Start from its first page, without a cursor."
                ),
                code="cursor_invalid",
                field="cursor",
            ) from error

    def get_page_size(self, request: Request) -> int | None:
        """As asked, up to 200; raises Invalid for what is no number of rows."""
        text = request.query_params.get(self.page_size_query_param)
        if text is not None and not re.fullmatch(r"[1-9][0-9]{0,5}", text):
            raise Invalid(
                _("“%(name)s” has to be a whole number from 1 to %(most)s.")
                % {"name": self.page_size_query_param, "most": self.max_page_size},
                code="page_size_invalid",
                field=self.page_size_query_param,
            )
        return super().get_page_size(request)

    def get_ordering(self, request: Request, queryset: QuerySet[Any], view: Any) -> tuple[str, ...]:
        """The view's own."""
        return tuple(view.ordering)
