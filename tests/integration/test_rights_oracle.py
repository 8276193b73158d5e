"""Every answer about rights, over random worlds, against tests/oracle.py.

Worlds are written as rows and projected as actions do, then changed a few times each, so that the projection starts
from every kind of rows there may be. A failure names its seed, which `compare` takes alone.
"""

import random
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from unittest.mock import patch
from uuid import UUID

import pytest
from django.contrib.auth.models import Group
from django.db import transaction
from django.utils import timezone

from portal import rights
from portal.errors import Absent, Forbidden
from portal.holders import holders_on
from portal.models import (
    Delegation,
    Grant,
    Lane,
    LaneGroupObjectPermission,
    LaneUserObjectPermission,
    Node,
    Person,
    Pipeline,
    Portfolio,
    Project,
    Right,
    Stage,
    Team,
)
from portal.models.person import Scope
from portal.projecting import project_grants
from portal.reach import managers
from portal.simulator import simulated
from tests import oracle
from tests.conftest import Database
from tests.oracle import Given, Loan, Somebody, Spot, World

HOUR = timedelta(hours=1)
PEOPLE = (
    *(Somebody(name) for name in ("ann", "bob", "cyd", "dee")),
    Somebody("off", active=False),
    Somebody("bot", kind="service"),
    Somebody("system", kind="system"),
)
TEAMS = ("team-one", "team-two", "team-three")
PORTFOLIOS = ("credit", "risk")
# The last project has no lanes.
PROJECTS = {"ALPHA": "long", "BETA": "long", "GAMMA": "short", "OMEGA": "none"}
PIPELINES = {"long": ("qa", "prod"), "short": ("live", "prod"), "none": ()}
STAGES = ("qa", "prod", "live")
LANES = tuple(Spot(project, stage) for project, line in PROJECTS.items() for stage in PIPELINES[line])
WHAT = {
    rights.codename(right, role): (right, role)
    for right, role in (
        *((right, "") for right in (Right.VIEW, Right.REQUEST, Right.PROMOTE, Right.MANAGE, Right.AUDIT)),
        (Right.SIGN, "fairness"),
        (Right.SIGN, "model-risk"),
    )
}
GIVEN = {**WHAT, "provision": (Right.PROVISION, "")}


# Whoever else answers "what may this person do on this lane": a function of both that returns codenames. Each is asked
# about everybody at a lane by chance.
def by_simulator(person: Person, lane: Lane) -> set[str]:
    """What the simulator says somebody holds; seeing by another right is no right to see."""
    return {one.column.name for one in simulated(person, lane) if one.holds and not one.sees_by}


ALSO: tuple[Callable[[Person, Lane], Collection[str]], ...] = (by_simulator,)


@contextmanager
def at(moment: datetime) -> Iterator[None]:
    """Let the clock stand at a moment."""
    with patch("django.utils.timezone.now", return_value=moment):
        yield


# --- random worlds ---------------------------------------------------------------------------------------------------


def any_grant(chance: random.Random, began: datetime) -> Given:
    return Given(
        holder=chance.choice(
            [*(one.name for one in PEOPLE), "ann", "bob", "cyd", "dee", "bot", *TEAMS, *TEAMS]
        ),
        what=chance.choice(tuple(WHAT)),
        place=chance.choice([*PROJECTS, *PORTFOLIOS, *PORTFOLIOS, ""]),
        stage=chance.choice(["", "", *STAGES]),
        until=chance.choice([None, None, began - HOUR, began + HOUR, began + 3 * HOUR]),
        revoked=chance.random() < 0.2,
    )


def any_loan(chance: random.Random, began: datetime) -> Loan:
    # Mostly between the four who can, so that somebody has several principals.
    away, stand_in = chance.sample([one.name for one in PEOPLE[: chance.choice([4, 4, 4, len(PEOPLE)])]], 2)
    starts = began + chance.choice([-5, -5, -5, 2]) * HOUR
    return Loan(
        away, stand_in, starts, starts + chance.choice([1, 7, 9]) * HOUR, ended=chance.random() < 0.15
    )


def any_world(chance: random.Random, began: datetime) -> World:
    people = [replace(one, active=one.active and chance.random() < 0.9) for one in PEOPLE]
    world = World(people={one.name: one for one in people}, lanes=LANES)
    world.members = {(one.name, team) for one in PEOPLE for team in TEAMS if chance.random() < 0.3}
    world.inside = {
        (project, portfolio) for project in PROJECTS for portfolio in PORTFOLIOS if chance.random() < 0.4
    }
    world.grants = once([any_grant(chance, began) for _ in range(chance.choice([2, 10, 20, 40, 60]))])
    if len(world.grants) % 2:  # of a service account, on the estate: it is given nowhere else
        world.grants.append(Given("bot", "provision", "", "", None))
    world.loans = [any_loan(chance, began) for _ in range(chance.choice([0, 3, 5, 8]))]
    return world


def once(grants: list[Given]) -> list[Given]:
    """As the database has it: of one holder, right, place and stage at most one that is not revoked."""
    live = {(one.holder, one.what, one.place, one.stage): one for one in grants if not one.revoked}
    return [*live.values(), *(one for one in grants if one.revoked)]


# What may change, by how often.
CHANGES = (
    "grant",
    "grant",
    "revoke",
    "revoke",
    "put or take",
    "put or take",
    "join or leave",
    "loan",
    "able",
)


def changed(world: World, chance: random.Random, began: datetime) -> tuple[World, set[str]]:
    """Another world one change on, and the projects whose rows that touches."""
    world = replace(world, members=set(world.members), inside=set(world.inside), loans=list(world.loans))
    what = chance.choice(CHANGES)
    if what == "grant":
        new = any_grant(chance, began)
        world.grants = once([*world.grants, new])
        return world, reached(world, new)
    if what == "revoke":
        gone = chance.choice(world.grants)
        world.grants = [replace(one, revoked=True) if one is gone else one for one in world.grants]
        return world, reached(world, gone)
    if what == "put or take":
        pair = (chance.choice(tuple(PROJECTS)), chance.choice(PORTFOLIOS))
        world.inside ^= {pair}
        return world, {pair[0]}
    if what == "join or leave":
        world.members ^= {(chance.choice(PEOPLE).name, chance.choice(TEAMS))}
    elif what == "loan":
        loan = any_loan(chance, began)
        world.loans = [*(replace(one, ended=one.ended or chance.random() < 0.5) for one in world.loans), loan]
    else:
        one = world.people[chance.choice(PEOPLE).name]
        world.people = {**world.people, one.name: replace(one, active=not one.active)}
    return world, set()


def reached(world: World, one: Given) -> set[str]:
    return {project for project in PROJECTS if one.place == project or (project, one.place) in world.inside}


# --- the same world as rows ------------------------------------------------------------------------------------------


@dataclass
class Ground:
    """The rows that every world stands on, by name."""

    people: dict[str, Person]
    teams: dict[str, Team]
    portfolios: dict[str, Portfolio]
    projects: dict[str, Project]
    lanes: dict[Spot, Lane]

    def __post_init__(self) -> None:
        self.names: dict[UUID | int, str] = {one.pk: name for name, one in self.people.items()}
        self.groups = {one.group_id: name for name, one in self.teams.items()}
        self.spots = {one.pk: spot for spot, one in self.lanes.items()}

    def person(self, who: Somebody) -> Person:
        """As the person of a request would be: read from the database, narrowed by the token."""
        person = self.people[who.name]
        person.is_active = who.active
        person.scope = None
        if who.rights is not None:
            only = who.projects
            person.scope = Scope(
                who.rights,
                None if only is None else frozenset(self.projects[key].pk for key in only),
            )
        return person


@pytest.fixture
def ground(db: None) -> Ground:
    return make_ground()


def make_ground() -> Ground:
    people = {
        one.name: Person.objects.create_person(one.name, name=one.name.title(), kind=one.kind)
        for one in PEOPLE
        if one.kind != "system"
    }
    people["system"] = Person.objects.system()
    teams = {
        slug: Team.objects.create(group=Group.objects.create(name=slug), slug=slug, name=slug)
        for slug in TEAMS
    }
    node = Node.objects.create(
        slug="design", name="Design", kind="design", url="http://127.0.0.1:9", key_name="k"
    )
    projects, lanes = {}, {}
    for slug, stages in PIPELINES.items():
        line = Pipeline.objects.create(slug=slug, name=slug)
        made = [
            Stage.objects.create(pipeline=line, slug=stage, name=stage, position=position)
            for position, stage in enumerate(stages)
        ]
        for key in (key for key, of in PROJECTS.items() if of == slug):
            projects[key] = Project.objects.create(key=key, name=key, node=node, pipeline=line, tier="light")
            for stage in made:
                lanes[Spot(key, stage.slug)] = Lane.objects.create(project=projects[key], stage=stage)
    portfolios = {slug: Portfolio.objects.create(slug=slug, name=slug) for slug in PORTFOLIOS}
    return Ground(people, teams, portfolios, projects, lanes)


def write(ground: Ground, world: World, began: datetime) -> None:
    """Make the rows those of the world, all but the projection."""
    system = ground.people["system"]
    for model in (Grant, Delegation, Person.groups.through, Portfolio.projects.through):
        model.objects.all().delete()
    for active in (True, False):
        logins = [one.name for one in world.people.values() if one.active is active]
        Person.objects.filter(login__in=logins).update(is_active=active)
    Person.groups.through.objects.bulk_create(
        Person.groups.through(person_id=ground.people[person].pk, group_id=ground.teams[team].group_id)
        for person, team in world.members
    )
    Portfolio.projects.through.objects.bulk_create(
        Portfolio.projects.through(
            project_id=ground.projects[project].pk, portfolio_id=ground.portfolios[portfolio].pk
        )
        for project, portfolio in world.inside
    )
    Grant.objects.bulk_create(
        Grant(
            person=ground.people.get(one.holder),
            team=ground.teams.get(one.holder),
            right=GIVEN[one.what][0],
            role=GIVEN[one.what][1],
            project=ground.projects.get(one.place),
            portfolio=ground.portfolios.get(one.place),
            stage=one.stage,
            until=one.until,
            why="By chance.",
            given_by=system,
            revoked_at=began if one.revoked else None,
            revoked_by=system if one.revoked else None,
        )
        for one in world.grants
    )
    Delegation.objects.bulk_create(
        Delegation(
            person=ground.people[one.away],
            delegate=ground.people[one.stand_in],
            starts_at=one.starts,
            until=one.until,
            why="By chance.",
            made_by=system,
            ended_at=began if one.ended else None,
            ended_by=system if one.ended else None,
        )
        for one in world.loans
    )


# --- the comparisons -------------------------------------------------------------------------------------------------


class Tally(Counter[str]):
    """How many answers were compared, by question; and how many of them were not empty, under `some <question>`."""

    def same(self, question: str, found: object, expected: object, *where: object) -> None:
        self[question] += 1
        self[f"some {question}"] += bool(expected)
        assert found == expected, (question, *where)

    @property
    def compared(self) -> int:
        return sum(number for question, number in self.items() if not question.startswith("some "))


def look(ground: Ground, world: World, chance: random.Random, now: datetime, tally: Tally) -> None:
    """Ask every question there is, half of everybody where it is about one, and compare."""
    lanes = list(ground.lanes.values())
    everybody = [*world.people.values(), narrowed(world, chance), narrowed(world, chance)]
    for who in chance.sample(everybody, 4):
        person = ground.person(who)
        true = {spot: oracle.counts(world, who, spot, now) for spot in LANES}
        for lane_id, held in rights.held_by(person, lanes).items():
            answer = true[ground.spots[lane_id]]
            tally.same("held_on", held.names, answer.until.keys(), who, ground.spots[lane_id])
            lent = {what: {ground.names[one] for one in whom} for what, whom in held.lent.items()}
            tally.same("lent", lent, answer.lent, who, ground.spots[lane_id])
        # The simulator takes twenty queries to say why, too: so few are asked about, mostly where they hold something.
        for ask in ALSO if chance.random() < 0.15 else ():
            some = [spot for spot, answer in true.items() if answer.until]
            spot = chance.choice(some if some and chance.random() < 0.8 else LANES)
            tally.same(ask.__name__, set(ask(person, ground.lanes[spot])), true[spot].until.keys(), who, spot)
        tally.same("on_estate", rights.on_estate(person), oracle.on_estate(world, who, now), who)
        # These take several queries each, so not for everybody each time.
        if chance.random() < 0.5:
            lists(ground, world, chance, now, tally, who, true)
        if chance.random() < 0.5:
            one_by_one(ground, world, chance, now, tally, who, true)
    asked_for(ground, world, now, tally)
    rows(ground, world, now, tally)


def narrowed(world: World, chance: random.Random) -> Somebody:
    """Somebody acting through a token."""
    who = chance.choice(tuple(world.people.values()))
    some = frozenset(chance.sample(tuple(WHAT), chance.randrange(4)))
    only = None if chance.random() < 0.5 else frozenset(chance.sample(tuple(PROJECTS), chance.randrange(4)))
    return replace(who, rights=some, projects=only)


def lists(
    ground: Ground,
    world: World,
    chance: random.Random,
    now: datetime,
    tally: Tally,
    who: Somebody,
    true: dict[Spot, oracle.Answer],
) -> None:
    """Projects whole and in windows of two, and lanes by right."""
    person = ground.person(who)
    seen = [
        key
        for key in sorted(PROJECTS)
        if (who.projects is None or key in who.projects) and oracle.sees(world, who, key, now)
    ]
    tally.same("visible_projects", sorted(one.key for one in rights.visible_projects(person)), seen, who)
    edge = chance.choice(tuple(PROJECTS))
    window, expected = chance.choice(
        [
            (rights.Window(2), seen),
            (rights.Window(2, edge), [key for key in seen if key > edge]),
            (rights.Window(2, edge, backwards=True), [key for key in reversed(seen) if key < edge]),
            (rights.Window(2, backwards=True), seen[::-1]),
        ]
    )
    found = [one.key for one in rights.projects_in(person, window)[:2]]
    tally.same("projects_in", found, expected[:2], who, window)
    asked = chance.choice(
        [{Right.SIGN}, {Right.SIGN}, {Right.PROMOTE, Right.SIGN}, {Right.AUDIT}, {Right.VIEW}]
    )
    expected_lanes = {
        ground.lanes[spot].pk
        for spot, answer in true.items()
        if any(WHAT[what][0] in asked for what in answer.until)
    }
    tally.same("lanes_with", {one.pk for one in rights.lanes_with(person, asked)}, expected_lanes, who, asked)


def one_by_one(
    ground: Ground,
    world: World,
    chance: random.Random,
    now: datetime,
    tally: Tally,
    who: Somebody,
    true: dict[Spot, oracle.Answer],
) -> None:
    """One right at one lane; what a refusal is refused as, which takes long, not every time."""
    person = ground.person(who)
    spot = chance.choice(LANES)
    lane, answer = ground.lanes[spot], true[spot]
    what = chance.choice([*WHAT, *([*answer.until] * 3), *([*answer.lent] * 9)])
    right, role = WHAT[what]
    tally.same("can", rights.can(person, right, lane, role=role), what in answer.until, who, spot, what)
    lent = {ground.people[one].pk for one in answer.lent.get(what, ())}
    found = rights.standing_in_for(person, right, lane, role=role)
    tally.same("standing_in_for", found, min(lent, default=None), who, spot, what)
    if chance.random() < 0.3:
        seen = (who.projects is None or spot.project in who.projects) and oracle.sees(
            world, who, spot.project, now
        )
        expected = None if what in answer.until else Forbidden if seen else Absent
        told: type[Exception] | None = None
        try:
            rights.check(person, right, lane, role=role)
        except (Absent, Forbidden) as refusal:
            told = type(refusal)
        tally.same("check", told, expected, who, spot, what)


def asked_for(ground: Ground, world: World, now: datetime, tally: Tally) -> None:
    """Who holds what on each lane, and until when."""
    able: dict[str, set[str]] = {}
    told = holders_on({lane.pk: WHAT for lane in ground.lanes.values()})
    for spot, lane in ground.lanes.items():
        answers = {
            who.name: oracle.counts(world, who, spot, now).until
            for who in world.people.values()
            if who.kind == "person" and who.active
        }
        for what in WHAT:
            found = [(one.person.login, one.until) for one in told[lane.pk, what]]
            expected = [(name, until[what]) for name, until in sorted(answers.items()) if what in until]
            tally.same("holders_on", found, expected, spot, what)
        grants = {name for name, until in answers.items() if "manage" in until}
        able[spot.project] = able.get(spot.project, grants) & grants
    for key, names in able.items():
        named = {ground.names[pk] for pk, _name in managers(ground.projects[key].pk, None, now)}
        tally.same("managers", named, names, key)


def rows(ground: Ground, world: World, now: datetime, tally: Tally) -> None:
    """The projection: the rows in force are those of the grants, and name the project of their lane."""
    found = {}
    for model, holder, names in (
        (LaneUserObjectPermission, "user_id", ground.names),
        (LaneGroupObjectPermission, "group_id", ground.groups),
    ):
        for row in model.objects.select_related("permission"):
            spot = ground.spots[row.content_object_id]
            assert (row.project_id, row.project_key) == (ground.projects[spot.project].pk, spot.project)
            if row.until is None or row.until > now:
                found[names[getattr(row, holder)], row.permission.codename, spot] = row.until
    tally.same("rows", found, oracle.projected(world, now))


WORLDS, STEPS = 38, 4  # on each kind of database: worlds, and states of each
KINDS = 2


def test_every_answer_agrees_with_the_oracle(ground: Ground, full_size: bool) -> None:
    agree(ground, "postgres", full_size)


@pytest.mark.sqlite
def test_every_answer_agrees_with_the_oracle_on_sqlite(database_copy: Database, full_size: bool) -> None:
    agree(make_ground(), "sqlite", full_size)


def agree(ground: Ground, kind: str, full_size: bool) -> None:
    """Compare over a run's share of worlds, and hold how much was compared against what was promised."""
    much = 10 if full_size else 1
    tally = Tally()
    states = compare(ground, [f"{kind}/{number}" for number in range(WORLDS * much)], tally)
    print(f"{tally.compared} comparisons over {states} states: {dict(tally)}")
    assert KINDS * states >= 300 * much
    assert KINDS * tally.compared >= 20_000 * much
    # None of the questions was answered with nothing all the time.
    for question, least in (
        ("held_on", 500),
        ("lent", 35),
        ("by_simulator", 12),
        ("on_estate", 15),
        ("visible_projects", 60),
        ("projects_in", 35),
        ("lanes_with", 20),
        ("can", 20),
        ("standing_in_for", 2),
        ("check", 40),
        ("holders_on", 1000),
        ("managers", 20),
        ("rows", 100),
    ):
        assert tally[f"some {question}"] >= least, question


def compare(ground: Ground, seeds: list[str], tally: Tally) -> int:
    """Compare every answer in the states of these worlds; returns how many states there were."""
    began = timezone.now().replace(microsecond=0)
    for seed in seeds:
        chance = random.Random(seed)
        world, touched = any_world(chance, began), set(PROJECTS)
        with transaction.atomic():
            for step in range(STEPS):
                write(ground, world, began)
                with at(began):
                    project_grants(ground.projects[key] for key in sorted(touched))
                now = began + chance.choice([0, 0, 2, 4]) * HOUR
                try:
                    with at(now):
                        look(ground, world, chance, now, tally)
                except AssertionError as error:
                    error.add_note(f"seed {seed!r}, step {step}, at {now}:\n{world}")
                    raise
                world, touched = changed(world, chance, began)
            transaction.set_rollback(True)
    return len(seeds) * STEPS
