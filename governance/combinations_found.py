"""Toxic combinations in the rights held now: read for many projects at once, explained, and in words. Changes nothing.

The rules are `governance/combinations.py`'s; who holds what is asked of `portal.holders`, as the gate asks, so service
accounts and disabled accounts are not among them.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import Any
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from governance.combination_words import RULES, act_in_words, asks_in_words, ending_in_words, named
from governance.combinations import (
    PROMOTE,
    REQUEST,
    SIGN,
    WAIVE,
    Hand,
    Line,
    Plan,
    Profile,
    Reach,
    Reckoner,
    Risk,
    Rule,
    ask_of,
    risks,
)
from governance.queries import Rules, rules_of_lanes
from portal.holders import holders_on
from portal.models import Grant, Lane, Person, Project, Right, Team
from portal.projecting import sign_roles
from portal.ways import Way, company, told, ways

# Named one by one, at each stage, on a page and in a report of the whole estate; of more it is said how many there are.
NAMED = 20
# The same in the report of one project.
NAMED_IN_REPORT = 200
# Projects read in one go.
AT_A_TIME = 50


# --- what there is ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Found:
    """What the rights on one project come to. `names` are printed names by person's id."""

    project: Project
    lanes: Sequence[Lane]
    line: Line
    people: Mapping[str, Profile]
    names: Mapping[str, str]
    reach: Sequence[Reach]
    risks: Sequence[Risk]
    rules: Mapping[str, Rules]

    @property
    def alone(self) -> int:
        """At how many stages somebody could act alone, counted for each person."""
        return sum(one.alone_count for one in self.reach)

    @property
    def pairs(self) -> int:
        return sum(one.pair_count for one in self.reach)

    @property
    def by_stage(self) -> list[str]:
        """For a list, a line for each stage at which somebody could."""
        return [
            _("%(stage)s: %(alone)s alone, %(pairs)s")
            % {
                "stage": self.stages[one.stage],
                "alone": one.alone_count,
                "pairs": ngettext("%(n)s pair", "%(n)s pairs", one.pair_count) % {"n": one.pair_count},
            }
            for one in self.reach
            if one.alone_count or one.pair_count
        ]

    @property
    def stages(self) -> dict[str, str]:
        """Printed names by slug."""
        return {lane.stage.slug: lane.stage.name for lane in self.lanes}


def found_in(projects: Sequence[Project], reckoner: Reckoner | None = None) -> list[Found]:
    """What the rights on these projects come to now, in their order; a constant number of queries, however many."""
    reckoner = reckoner or Reckoner()
    of_project: dict[int, list[Lane]] = defaultdict(list)
    lanes = list(
        Lane.objects.filter(project__in=[project.pk for project in projects])
        .select_related("project", "stage")
        .order_by("project", "stage__position")
    )
    for lane in lanes:
        of_project[lane.project_id].append(lane)
    rules = rules_of_lanes(lanes)
    names = [REQUEST, PROMOTE, WAIVE, Right.MANAGE.value, Right.AUDIT.value]
    # What is granted on the estate names roles too that no policy asks for yet.
    estate = Grant.objects.in_force(timezone.now()).on_estate().filter(right=Right.SIGN)
    roles = {*sign_roles(), *estate.order_by().values_list("role", flat=True).distinct()}
    names += [f"{SIGN}{role}" for role in sorted(roles)]
    held = holders_on({lane.pk: names for lane in lanes}, {lane.pk: lane.stage.slug for lane in lanes})
    return [_found(project, of_project[project.pk], rules, held, names, reckoner) for project in projects]


def _found(
    project: Project,
    lanes: list[Lane],
    rules: Mapping[int, Rules],
    held: Mapping[tuple[int, str], Sequence[Any]],
    names: Sequence[str],
    reckoner: Reckoner,
) -> Found:
    hands: dict[str, set[Hand]] = defaultdict(set)
    known: dict[str, str] = {}
    for lane in lanes:
        for name in names:
            for one in held[lane.pk, name]:
                person = str(one.person.pk)
                known[person] = one.person.name
                hands[person].add(Hand(lane.stage.slug, name, str(one.instead_of or "")))
    people = {person: frozenset(some) for person, some in hands.items()}
    asks = [
        ask_of(
            lane.stage.slug,
            rules[lane.pk].stage.requirements,
            by_itself=rules[lane.pk].stage.by_itself,
        )
        if lane.pk in rules
        else None
        for lane in lanes
    ]
    line = Line(asks, [lane.stage.slug for lane in lanes])
    return Found(
        project,
        lanes,
        line,
        people,
        known,
        reckoner.reach(line, people),
        risks(people),
        {lane.stage.slug: rules[lane.pk] for lane in lanes if lane.pk in rules},
    )


def everywhere(projects: Iterable[Project]) -> Iterator[Found]:
    """As `found_in`, for any number of projects, some at a time."""
    reckoner = Reckoner()
    some = iter(projects)
    while lot := list(islice(some, AT_A_TIME)):
        yield from found_in(lot, reckoner)


# --- explained --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Who:
    """Somebody, by id and printed name."""

    id: str
    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Doing:
    """Something one of them would do, in words, with the ways by which they may."""

    person: Who
    what: str
    ways: tuple[Way, ...]

    @property
    def through(self) -> list[str]:
        return [told(way) for way in self.ways]


@dataclass(frozen=True, slots=True)
class Ending:
    """What to revoke so that it is over: all of these grants, which let one or both of them do that."""

    people: tuple[Who, ...]
    right: str
    stage: str
    ways: tuple[Way, ...]

    @property
    def sentence(self) -> str:
        """In one line."""
        numbers = sorted({way.grant.pk for way in self.ways})
        names = [who.name for who in self.people]
        return ending_in_words(
            names, self.right, self.stage, numbers, sorted(team.name for team in self.teams)
        )

    @property
    def person(self) -> Who:
        """The first of them."""
        return self.people[0]

    @property
    def teams(self) -> frozenset[Team]:
        """The teams to take somebody out of instead: of one person who holds it through teams and nothing else."""
        found = [way.grant.team for way in self.ways if way.delegation is None and way.grant.team is not None]
        return frozenset(found) if len(self.people) == 1 and len(found) == len(self.ways) else frozenset()


@dataclass(frozen=True, slots=True)
class Told:
    """One or two people who could take it through a stage, by their names; what they would do, and what ends it."""

    people: tuple[Who, ...]
    doing: tuple[Doing, ...]
    ending: Ending | None


@dataclass(frozen=True, slots=True)
class Stage:
    """What there is to say about one stage. `more_…`: so many beyond those that are named."""

    name: str
    asks: str
    alone: tuple[Told, ...] = ()
    pairs: tuple[Told, ...] = ()
    more_alone: int = 0
    more_pairs: int = 0


@dataclass(frozen=True, slots=True)
class Risky:
    """A risky combination in words, with the ways by which its rights are held."""

    rule: Rule
    title: str
    person: Who
    stage: str
    rights: str
    remedy: str
    ways: tuple[Way, ...]

    @property
    def through(self) -> list[str]:
        return [told(way) for way in self.ways]


@dataclass(frozen=True, slots=True)
class Explained:
    """Everything there is to say about a project."""

    project: Project
    at: datetime
    stages: tuple[Stage, ...]
    risky: tuple[Risky, ...]
    more_risky: int = 0
    found: Found | None = field(default=None, compare=False)


def explained(found: Found, named_at_most: int = NAMED) -> Explained:
    """In words and through what, for the first of each at each stage, which are named; four queries."""
    chosen = {
        one.stage: tuple(list(islice(some, named_at_most)) for some in (_alone(one), _pairs(one)))
        for one in found.reach
    }
    named = {person for alone, pairs in chosen.values() for who, _plan in (*alone, *pairs) for person in who}
    shown = found.risks[:named_at_most]
    named |= {one.person for one in shown}
    through = _Through(found, named)
    stages = []
    for reach in found.reach:
        alone, pairs = chosen[reach.stage]
        stages.append(
            Stage(
                name=found.stages[reach.stage],
                asks=_asks(found, reach.stage),
                alone=tuple(through.told(reach.stage, who, plan) for who, plan in alone),
                pairs=tuple(through.told(reach.stage, who, plan) for who, plan in pairs),
                more_alone=reach.alone_count - len(alone),
                more_pairs=reach.pair_count - len(pairs),
            )
        )
    return Explained(
        found.project,
        timezone.now(),
        tuple(stages),
        tuple(through.risky(one) for one in shown),
        len(found.risks) - len(shown),
        found,
    )


def _asks(found: Found, stage: str) -> str:
    rules = found.rules.get(stage)
    return asks_in_words(None if rules is None else rules.stage.requirements, found.line.places(stage))


_Who = tuple[tuple[str, ...], Plan]


def _alone(reach: Reach) -> Iterator[_Who]:
    """Each person, with the plan as that person would follow it."""
    for one in reach.alone:
        for person in one.people:
            yield (person,), _renamed(one.plan, {one.people[0]: person})


def _pairs(reach: Reach) -> Iterator[_Who]:
    for one in reach.pairs:
        first = next(one.each())
        for pair in one.each():
            yield pair, _renamed(one.plan, dict(zip(first, pair, strict=True)))


def _renamed(plan: Plan, names: Mapping[str, str]) -> Plan:
    return tuple(replace(step, person=names.get(step.person, step.person)) for step in plan)


class _Through:
    """By which grants the people named hold what they hold: read once, for a project."""

    def __init__(self, found: Found, named: Iterable[str]) -> None:
        self._found = found
        people = list(Person.objects.filter(pk__in=[UUID(one) for one in named]))
        grants = (
            Grant.objects.in_force(timezone.now())
            .reaching(found.project)
            .select_related("person", "team", "project", "portfolio", "given_by")
            .order_by("pk")
        )
        self._ways = (
            ways(people, [lane.stage.slug for lane in found.lanes], grants, company(people)) if people else {}
        )

    def of(self, person: str, stage: str, name: str) -> tuple[Way, ...]:
        """The ways by which somebody holds something."""
        return tuple(self._ways.get((UUID(person), stage), {}).get(name, ()))

    def told(self, stage: str, who: tuple[str, ...], plan: Plan) -> Told:
        """One or two people, with what they would do, and what ends it."""
        found = self._found
        people = {person: found.people[person] for person in who}
        held = [
            (person, hand, some)
            for person, hand in found.line.cuts(people, stage)
            if (some := self.of(person, hand.stage, hand.name))
        ]
        # What takes least away: few grants, to one person rather than to a team, on a project rather than on more.
        held.sort(key=lambda one: _weight(one[2]))
        if held:
            person, hand, _some = held[0]
            if found.line.plan({**people, person: people[person] - {hand}}, stage) is None:
                del held[1:]  # else the two could change places, and only all of it together ends it
        return Told(
            tuple(self._who(person) for person in who),
            tuple(
                Doing(
                    self._who(step.person),
                    act_in_words(step.act, step.name, found.stages[step.stage]),
                    self.of(step.person, step.stage, step.name),
                )
                for step in plan
            ),
            Ending(
                tuple(self._who(person) for person in who if person in {one[0] for one in held}),
                named(held[0][1].name),
                found.stages[held[0][1].stage],
                tuple(way for one in held for way in one[2]),
            )
            if held
            else None,
        )

    def risky(self, risk: Risk) -> Risky:
        """A risk in words."""
        title, remedy = RULES[risk.rule]
        return Risky(
            rule=risk.rule,
            title=str(title),
            person=self._who(risk.person),
            stage=self._found.stages[risk.stage],
            rights=_(", ").join(named(name) for name in risk.names),
            remedy=str(remedy),
            ways=tuple(way for name in risk.names for way in self.of(risk.person, risk.stage, name)),
        )

    def _who(self, person: str) -> Who:
        return Who(person, self._found.names[person])


def _weight(held: Sequence[Way]) -> tuple[int, int, int]:
    wide = sum(0 if way.grant.project_id else 1 if way.grant.portfolio_id else 2 for way in held)
    return len(held), sum(way.grant.team_id is not None for way in held), wide
