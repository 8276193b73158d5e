"""What all lists of the API have in common."""

from typing import Any

from rest_framework.generics import ListAPIView

from portal.api.auth import acting
from portal.models import Person


class Listing(ListAPIView[Any]):
    """A list: `get_queryset` gives the rows `self.person` may see, `ordering` their order, `shown` what of a page."""

    ordering: tuple[str, ...] = ("-id",)

    @property
    def person(self) -> Person:
        """Who asks."""
        return acting(self.request)

    def shown(self, rows: list[Any]) -> list[Any]:
        """What the serializer gets for the rows of one page."""
        return rows

    def paginate_queryset(self, queryset: Any) -> Any:
        """One page, as it is shown."""
        rows = super().paginate_queryset(queryset)
        return None if rows is None else self.shown(list(rows))
