"""Who changed lately what a judgement depends on, and so does not sign for a while: settings.COOLING_OFF_SECONDS.

Whoever changed the rights that reach the lane, or where it runs, is barred as "changed_rights"; whoever changed its
project's tier or published a policy that judges it, as "changed_policy". Not in charge of what a bar means:
`governance.checks` are.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from governance.gate import Barred, instant
from governance.models import PolicyVersion
from portal.cooling import Changed, Changers, changed_since, note_makers, some
from portal.models import Lane
from portal.prepared import prepared


@dataclass(frozen=True, slots=True)
class Lately:
    """Who changed lately what lanes depend on, by lane id, and who published a policy, by its name."""

    on_lanes: Mapping[int, Changed]
    of_policies: Mapping[str, Changers]

    def bars(
        self, lane: Lane, policy: str, signers: Collection[str], holders: Collection[str]
    ) -> tuple[Barred, ...]:
        """Of the people who could sign here or did (`signers`) those who do not, each until when.

        Nobody else is named: of them it would decide nothing. `holders` are all who can act here; who stands in for one
        of them is a change of rights here.
        """
        changed = self.on_lanes.get(lane.pk)
        if changed is None:
            return ()
        last: dict[tuple[str, str], datetime] = {}
        for why, changers in (
            ("changed_rights", changed.rights),
            *(("changed_rights", by) for person, by in changed.lent.items() if str(person) in holders),
            ("changed_policy", changed.rules),
            ("changed_policy", self.of_policies.get(policy, {})),
        ):
            for person, at in changers.items():
                last[str(person), why] = max(at, last.get((str(person), why), at))
        return tuple(
            Barred(person, why, instant(at + _period()))
            for (person, why), at in last.items()
            if person in signers
        )


def lately(asked: Iterable[tuple[Lane, str]]) -> Lately:
    """Of these lanes, each with the name of the policy that judges it; a constant number of queries."""
    asked = list(asked)
    if _period() <= timedelta() or not asked:
        return Lately({}, {})
    since = timezone.now() - _period()
    published: dict[str, dict[UUID, datetime]] = {}
    # Every version of that time, not the newest alone: one more, saying little else, would hide who made the last.
    for name, at, *people in _published(names={policy for _lane, policy in asked}, since=since):
        by = published.setdefault(name, {})
        by |= {person: max(at, by.get(person, at)) for person in some(people)}
    on_lanes = changed_since([lane for lane, _policy in asked], since)
    every = [changers for one in on_lanes.values() for changers in (one.rights, one.rules)]
    note_makers([*every, *published.values(), *next(iter(on_lanes.values())).lent.values()])
    return Lately(on_lanes, published)


@prepared
def _published(names: Any, since: Any) -> QuerySet[Any, tuple[Any, ...]]:
    return PolicyVersion.objects.filter(name__in=names, published_at__gt=since).values_list(
        "name", "published_at", "published_by", "change__asked_by", "change__decided_by"
    )


def _period() -> timedelta:
    return timedelta(seconds=settings.COOLING_OFF_SECONDS)
