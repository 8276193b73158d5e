"""Lists in pages, by cursor: a page costs the same however long the list is, and nothing is counted."""

import re
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from rest_framework.exceptions import NotFound
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request

from portal.errors import Invalid
from portal.models import Project
from portal.rights import Window


class Pages(CursorPagination):
    """`next` and `previous` are addresses, `results` the rows. The view's `ordering` must be unique."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200

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
        self._sorted_by = queryset.model._meta.get_field(view.ordering[0].removeprefix("-"))
        return tuple(view.ordering)

    def window(self, request: Request) -> Window:
        """What the page asked for needs of a list by key, for a query whose cost is to be that of the page."""
        self._sorted_by = Project._meta.get_field("key")
        size = self.get_page_size(request) or self.page_size
        offset, backwards, key = self.decode_cursor(request) or (0, False, None)
        return Window(int(offset) + size + 1, str(key or ""), bool(backwards))

    def decode_cursor(self, request: Request) -> Any:
        """Where the page begins. A place that was made up is refused here: the database would break over it."""
        try:
            cursor = super().decode_cursor(request)
            place = cursor.position if cursor is not None else None
            if place is not None:
                self._sorted_by.to_python(place)
        except (NotFound, ValidationError) as error:
            raise _unknown() from error
        if place is not None and "\0" in str(place):
            raise _unknown()
        return cursor


def _unknown() -> Invalid:
    return Invalid(
        _("This cursor is none of this list's. Begin without one and follow its “next” and “previous”."),
        code="cursor_unknown",
        field="cursor",
    )
