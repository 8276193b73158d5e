"""Through what somebody holds something: the grants behind it, by team, portfolio, estate and whom they stand in for.

The arithmetic of portal/held.py told over grants instead of the rows projected from them, so that each answer can be
explained. Reads only, and decides nothing: portal/rights.py does.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from portal.held import acts
from portal.models import Delegation, Grant, Person, Right
from portal.models.delegation import running
from portal.models.grant import DELEGABLE, SIGN_PREFIX


@dataclass(frozen=True, slots=True)
class Way:
    """One grant through which a right is held; with a delegation where it is somebody else's."""

    grant: Grant
    delegation: Delegation | None = None

    @property
    def until(self) -> datetime | None:
        """The first instant at which it no longer counts; None: for good."""
        ends = [self.grant.until, None if self.delegation is None else self.delegation.until]
        return min((end for end in ends if end is not None), default=None)


# (person id, stage slug) -> codename -> ways
Ways = Mapping[tuple[UUID, str], Mapping[str, Sequence[Way]]]


@dataclass(frozen=True, slots=True)
class Company:
    """Who stands in for whom, and who is in which group, for the people asked about and those they stand in for."""

    lent: Mapping[UUID, Sequence[Delegation]]
    groups: Mapping[UUID, Collection[int]]

    @property
    def everybody(self) -> set[UUID]:
        """The people asked about who stand in for somebody, and whom they stand in for."""
        return {one.person_id for some in self.lent.values() for one in some}


def company(people: Collection[Person]) -> Company:
    """In two queries; none where there are no people."""
    if not people:
        return Company({}, {})
    able = [person.pk for person in people if person.kind == Person.Kind.PERSON]
    lent: dict[UUID, list[Delegation]] = defaultdict(list)
    for one in Delegation.objects.filter(
        running(timezone.now()), delegate__in=able, person__is_active=True, person__kind=Person.Kind.PERSON
    ).select_related("person"):
        lent[one.delegate_id].append(one)
    ids = {person.pk for person in people} | {one.person_id for some in lent.values() for one in some}
    groups: dict[UUID, set[int]] = defaultdict(set)
    for person, group in Person.groups.through.objects.filter(person__in=ids).values_list(
        "person_id", "group_id"
    ):
        groups[person].add(group)
    return Company(lent, groups)


def ways(people: Iterable[Person], stages: Iterable[str], grants: Iterable[Grant], with_: Company) -> Ways:
    """What each of these grants in force means for the people at each stage ("" asks for what holds at every stage)."""
    stages = list(stages)
    own: dict[UUID, list[Grant]] = defaultdict(list)
    of_group: dict[int, list[Grant]] = defaultdict(list)
    for grant in grants:
        if grant.person_id is not None:
            own[grant.person_id].append(grant)
        elif grant.team is not None:
            of_group[grant.team.group_id].append(grant)

    def reaching(holder: UUID) -> list[Grant]:
        through = [grant for group in with_.groups.get(holder, ()) for grant in of_group[group]]
        return [*own[holder], *through]

    found: dict[tuple[UUID, str], Mapping[str, Sequence[Way]]] = {}
    for person in people:
        every = [Way(grant) for grant in reaching(person.pk)]
        every += [
            Way(grant, one) for one in with_.lent.get(person.pk, ()) for grant in reaching(one.person_id)
        ]
        for stage in stages:
            there = [way for way in every if way.grant.stage in ("", stage)]
            found[person.pk, stage] = _weighed(person, there) if acts(person) else {}
    return found


def _weighed(person: Person, every: Iterable[Way]) -> dict[str, list[Way]]:
    """What counts of it, as `portal.held` weighs it: nobody who stands in holds two sign roles at once."""
    own: dict[str, list[Way]] = defaultdict(list)
    lent: dict[str, list[Way]] = defaultdict(list)
    for way in every:
        name = way.grant.codename
        signs = name.startswith(SIGN_PREFIX)
        if signs and person.kind != Person.Kind.PERSON:
            continue
        if way.delegation is None:
            own[name].append(way)
        elif signs or name in DELEGABLE:
            lent[name].append(way)
    taken = {name for name in lent if name not in own}
    roles = {name for name in (*own, *taken) if name.startswith(SIGN_PREFIX)}
    if len(roles) > 1:
        taken -= roles
    return {**own, **{name: lent[name] for name in sorted(taken)}}


# --- in words ---------------------------------------------------------------------------------------------------------


def last(held: Iterable[Way]) -> datetime | None:
    """Until when something held in these ways is held; None: for good."""
    ends = [way.until for way in held]
    return None if None in ends else max((end for end in ends if end is not None), default=None)


def told(way: Way, *, of_team: bool = False, as_given: bool = False) -> str:
    """A way in one line: through whom, where, until when, by whose word and why.

    `of_team`: it is told about the team itself, so the team is not named again. `as_given`: with the end it was given,
    whatever a review makes of it.
    """
    grant = way.grant
    parts = []
    if way.delegation is not None:
        parts.append(
            _("standing in for %(name)s until %(until)s")
            % {"name": way.delegation.person, "until": day(way.delegation.until)}
        )
    if grant.team is not None and not of_team:
        parts.append(_("through team %(team)s") % {"team": grant.team})
    elif way.delegation is None:
        parts.append(_("directly"))
    if grant.portfolio is not None:
        parts.append(_("portfolio %(portfolio)s") % {"portfolio": grant.portfolio})
    elif grant.project is not None:
        parts.append(_("project %(project)s") % {"project": grant.project})
    else:
        parts.append(_("the whole estate"))
    parts.append(_("stage %(stage)s only") % {"stage": grant.stage} if grant.stage else _("every stage"))
    until = grant.end if as_given else grant.until
    if until is not None and grant.under_review is not None and until != grant.end:
        asked = {"until": day(until), "number": grant.under_review}
        parts.append(_("until %(until)s unless access review %(number)s confirms it") % asked)
    else:
        parts.append(_("until %(until)s") % {"until": day(until)} if until else _("no end"))
    said = _("granted by %(name)s on %(day)s because “%(why)s”") % {
        "name": grant.given_by,
        "day": day(grant.given_at),
        "why": grant.why,
    }
    return f"{', '.join(parts)}; {said}"


def day(at: datetime) -> str:
    """A day in the reader's zone: "31 Mar", with its year where that is not this one."""
    local = timezone.localtime(at)
    return date_format(local, "j M" if local.year == timezone.localtime().year else "j M Y")


def right_word(right: str, role: str = "") -> str:
    """A right in a word or two, for narrow places: "promote", "sign for model risk"."""
    if right == Right.SIGN:
        return _("sign for %(role)s") % {"role": role.replace("-", " ")} if role else _("sign")
    return right.replace("_", " ")
