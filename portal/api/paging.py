"""Lists in pages, by cursor: a page costs the same however long the list is, and nothing is counted."""

from typing import Any

from django.core.exceptions import ValidationError
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

    def get_ordering(self, request: Request, queryset: QuerySet[Any], view: Any) -> tuple[str, ...]:
        """The view's own."""
        self._sorted_by = queryset.model._meta.get_field(view.ordering[0].removeprefix("-"))
        return tuple(view.ordering)

    def decode_cursor(self, request: Request) -> Any:
        """Where the page begins. A place that was made up is refused here: the database would break over it."""
        try:
            cursor = super().decode_cursor(request)
            place: Any = cursor.position if cursor is not None else None
            if place is not None:
                self._sorted_by.to_python(place)
        except (NotFound, ValidationError) as error:
            raise _unknown() from error
        if place is not None and "\0" in place:
            raise _unknown()
        return cursor


def _unknown() -> Invalid:
    return Invalid(
        _("This cursor is none of this list's. Begin without one and follow its “next” and “previous”."),
        code="cursor_unknown",
        field="cursor",
    )
