"""Who lately changed what a lane depends on: rights that reach it, the rules of its project, where it runs. Reads only.

Who proposed a change and who applied it both made it, and it counts from when it was applied; of a service account also
who made its token. Rows tell most of this;
memberships, projects and the estate keep no author, so for those the ledger is read. What follows from it is
governance's to say.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils import timezone

from portal import ledger
from portal.event_kinds import EventKind
from portal.makers import lived, tokens_of
from portal.models import Change, Event, Grant, Lane, Place, Portfolio, Right
from portal.models.grant import in_force
from portal.prepared import prepared

K = EventKind
# By what they are about. Who imported a project chose its tier and its pipeline.
OF_PROJECT = (K.PROJECT_IMPORTED, K.PROJECT_RERULED)
OF_PIPELINE = (K.PIPELINE_ADDED, K.PIPELINE_CHANGED)
OF_TEAM = (K.TEAM_JOINED, K.TEAM_LEFT, K.GROUP_MAPPED, K.GROUP_UNMAPPED)
OF_NODE = (K.NODE_ADDED, K.NODE_CHANGED)
OF_PORTFOLIO = (K.PORTFOLIO_GAINED, K.PORTFOLIO_LOST)
# Wherever that person holds something.
OF_PERSON = (K.DELEGATION_MADE, K.DELEGATION_ENDED, K.PERSON_ENABLED)

# A person's id -> when they last changed it.
Changers = dict[UUID, datetime]


@dataclass(frozen=True, slots=True)
class Changed:
    """Who changed the rights on a lane or where it runs (`rights`), and who its project's tier or policy (`rules`).

    `lent`: who said, or ended, that somebody stands in for another, or enabled an account, by the id of that other; it
    reaches the lanes on which they hold something. What somebody leaves to another themselves is not among it.
    """

    rights: Changers = field(default_factory=dict)
    rules: Changers = field(default_factory=dict)
    lent: Mapping[UUID, Changers] = field(default_factory=dict)


def changed_since(lanes: Iterable[Lane], since: datetime) -> dict[int, Changed]:
    """By lane id, in three queries however many lanes, and one each where changes were made or nodes changed lately.

    The lanes carry their project and stage.
    """
    every = {lane.pk: lane for lane in lanes}
    keys = {lane.project_id: lane.project.key for lane in every.values()}
    inside: dict[int, set[int]] = defaultdict(set)
    for project, portfolio in _inside(projects=keys):
        inside[portfolio].add(project)
    lent: dict[UUID, Changers] = defaultdict(dict)
    found = {pk: Changed(lent=lent) for pk in every}
    teams: dict[int, set[int]] = defaultdict(set)
    for row in _grants(list(keys), list(inside), since):
        reached = [lane.pk for lane in every.values() if _reaches(row, lane, inside)]
        for person, at in row.authors(since):
            for pk in reached:
                _note(found[pk].rights, person, at)
        if row.team is not None:
            teams[row.team].update(reached)
    for act in _acts(every.values(), keys, teams, since):
        changed = [found[pk].rules if act.rules else found[pk].rights for pk in act.reached]
        if act.absent is not None:
            changed.append(lent[act.absent])
        for changers in changed:
            for person in act.people:
                _note(changers, person, act.at)
    return found


def note_makers(every: Collection[Changers]) -> None:
    """Let whoever made a token by which a service account could change these have changed them, too; one query at most.

    They have seen its secret, so what the service account did may be theirs.
    """
    # Who provisions brings people into the teams that groups were mapped to.
    for token in tokens_of(
        {person for changers in every for person in changers}, Right.MANAGE, Right.PROVISION
    ):
        for changers in every:
            at = changers.get(token.person_id)
            if at is not None and lived(token, at):
                _note(changers, token.made_by_id, at)


def some(people: Iterable[UUID | None]) -> list[UUID]:
    """Those of whom there is any: a change that nobody proposed as such has no proposer of its own."""
    return [person for person in people if person is not None]


def _note(changers: Changers, person: UUID, at: datetime) -> None:
    changers[person] = max(at, changers.get(person, at))


# --- grants -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Grant:
    """A grant that was given or revoked lately, or (`team`) that a team holds."""

    project: int | None
    portfolio: int | None
    stage: str
    team: int | None
    given_at: datetime
    revoked_at: datetime | None
    givers: tuple[UUID | None, ...]
    revokers: tuple[UUID | None, ...]

    def authors(self, since: datetime) -> Iterator[tuple[UUID, datetime]]:
        """Who gave and who revoked it since then."""
        for at, people in ((self.given_at, self.givers), (self.revoked_at, self.revokers)):
            if at is not None and at > since:
                yield from ((person, at) for person in some(people))


@prepared
def _inside(projects: Any) -> QuerySet[Any, tuple[int, int]]:
    return Portfolio.projects.through.objects.filter(project__in=projects).values_list("project", "portfolio")


@prepared
def _reaching(projects: Any, portfolios: Any, since: Any, now: Any) -> QuerySet[Any, tuple[Any, ...]]:
    reaching = Q(project__in=projects) | Q(portfolio__in=portfolios)
    reaching |= Q(project__isnull=True, portfolio__isnull=True)
    held = Q(team__isnull=False, revoked_at__isnull=True) & in_force(now)
    rows = Grant.objects.filter(reaching, Q(given_at__gt=since) | Q(revoked_at__gt=since) | held).order_by()
    place = ("project", "portfolio", "stage", "team", "until", "given_at", "revoked_at")
    givers = ("given_by", "change__asked_by", "change__decided_by")
    revokers = ("revoked_by", "revoked_in__asked_by", "revoked_in__decided_by")
    return rows.values_list(*place, *givers, *revokers)


def _grants(projects: Collection[int], portfolios: Collection[int], since: datetime) -> list[_Grant]:
    """Those that reach one of these projects."""
    now = timezone.now()
    rows = _reaching(projects=projects, portfolios=portfolios, since=since, now=now)
    return [
        _Grant(
            project,
            portfolio,
            stage,
            team if revoked is None and (until is None or until > now) else None,
            given,
            revoked,
            tuple(people[:3]),
            tuple(people[3:]),
        )
        for project, portfolio, stage, team, until, given, revoked, *people in rows
    ]


def _reaches(row: _Grant, lane: Lane, inside: Mapping[int, Collection[int]]) -> bool:
    if row.stage not in ("", lane.stage.slug):
        return False
    if row.project is not None:
        return row.project == lane.project_id
    return row.portfolio is None or lane.project_id in inside[row.portfolio]


# --- the ledger -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Act:
    """Something that was done: by whom, when, and which lanes it reaches; `rules`: it is about rules, not rights.

    `absent`: it is about who stands in for this person, or whether they are here.
    """

    people: frozenset[UUID]
    at: datetime
    reached: frozenset[int]
    rules: bool
    absent: UUID | None = None


@prepared
def _recorded(subjects: Any, projects: Any, since: Any) -> QuerySet[Event]:
    kinds = [kind.value for kind in (*OF_PROJECT, *OF_PIPELINE, *OF_TEAM)]
    return Event.objects.filter(
        Q(subject__in=subjects, kind__in=kinds)
        | Q(project__in=projects, kind__in=[kind.value for kind in OF_PORTFOLIO])
        | Q(kind__in=[kind.value for kind in (*OF_NODE, *OF_PERSON)]),
        at__gt=since,
    ).order_by()


@prepared
def _runs_on(pipelines: Any) -> QuerySet[Any, tuple[int, int, int]]:
    return Place.objects.filter(stage__pipeline__in=pipelines).values_list(
        "stage__pipeline", "deployer", "automation"
    )


def _acts(
    lanes: Collection[Lane], keys: Mapping[int, str], teams: Mapping[int, set[int]], since: datetime
) -> Iterator[_Act]:
    """What memberships, projects and the estate keep no author of."""
    about: dict[str, set[int]] = defaultdict(set)
    for lane in lanes:
        about[f"project:{lane.project_id}"].add(lane.pk)
        about[f"pipeline:{lane.project.pipeline_id}"].add(lane.pk)
    for team, reached in teams.items():
        about[f"team:{team}"] |= reached
    rows = _recorded(subjects=list(about), projects=list(keys.values()), since=since)
    if any(row.kind in OF_NODE for row in rows):
        _nodes(lanes, about)
    for lane in lanes:
        about[lane.project.key].add(lane.pk)
    facts = {row.seq: ledger.decoded(bytes(row.body))["facts"] for row in rows}
    made = _makers({facts[row.seq]["change"] for row in rows if facts[row.seq].get("change") is not None})
    for row in rows:
        said = facts[row.seq]
        if row.kind in OF_PERSON:
            # What somebody leaves to another themselves is their own, and so is to stand in no more.
            own = {said["person"]} | ({said["delegate"]} if row.kind == K.DELEGATION_ENDED else set())
            if said.get("change") is not None or str(row.actor) not in own:
                people = made.get(said.get("change"), frozenset()) | {row.actor}
                yield _Act(people, row.at, frozenset(), rules=False, absent=UUID(said["person"]))
            continue
        reached = about.get(row.project if row.kind in OF_PORTFOLIO else row.subject, set())
        people = made.get(said.get("change"), frozenset()) | {row.actor}
        yield _Act(people, row.at, frozenset(reached), row.kind in OF_PROJECT)


def _nodes(lanes: Collection[Lane], about: dict[str, set[int]]) -> None:
    """Which lanes depend on which node: those built there, and those whose pipeline runs there."""
    of_pipeline: dict[int, set[int]] = defaultdict(set)
    for pipeline, *nodes in _runs_on(pipelines={lane.project.pipeline_id for lane in lanes}):
        of_pipeline[pipeline].update(nodes)
    for lane in lanes:
        for node in {lane.project.node_id, *of_pipeline[lane.project.pipeline_id]}:
            about[f"node:{node}"].add(lane.pk)


def _makers(changes: Collection[int]) -> dict[int, frozenset[UUID]]:
    """Who proposed and who applied each of these changes."""
    if not changes:
        return {}
    found = Change.objects.filter(pk__in=changes).values_list("pk", "asked_by", "decided_by")
    return {pk: frozenset(some(people)) for pk, *people in found}
