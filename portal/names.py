"""Fills people's names in where records hold only their ids."""

from functools import lru_cache
from uuid import UUID

from django.utils.translation import gettext as _

from portal.models import Person


class Names:
    """Looks people up in one query the first time and answers from memory."""

    def __init__(self, ids: "list[str] | None" = None) -> None:
        self._known: dict[str, str] = {}
        if ids:
            self.load(ids)

    def load(self, ids: "list[str]") -> None:
        wanted = [one for one in set(ids) - set(self._known) if _is_uuid(one)]
        if wanted:
            self._known |= {
                str(pk): name for pk, name in Person.objects.filter(pk__in=wanted).values_list("pk", "name")
            }

    def __call__(self, person_id: str) -> str:
        if person_id not in self._known:
            self.load([person_id])
        return self._known.get(person_id) or (
            _("Countersign") if person_id == "system" else _("somebody unknown")
        )


def names(ids: "list[str] | None" = None) -> Names:
    """Names for these ids, loaded in one query."""
    return Names(ids)


@lru_cache(maxsize=4096)
def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
