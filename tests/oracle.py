"""The rules of rights once more, slow and obvious: plain values, one loop after another, no database.

What portal/rights.py answers is compared with this (tests/integration/test_rights_oracle.py). Whoever changes a rule
changes it here too, in the plainest words there are for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

LENDABLE = ("request", "promote")  # and every right to sign
ESTATE_ONLY = ("provision",)  # counts on no project


@dataclass(frozen=True)
class Somebody:
    """An account by name. `rights` and `projects` are what a token leaves of it; None: no token, every project."""

    name: str
    kind: str = "person"
    active: bool = True
    rights: frozenset[str] | None = None
    projects: frozenset[str] | None = None


@dataclass(frozen=True)
class Spot:
    """A lane: the key of a project and the slug of a stage."""

    project: str
    stage: str


@dataclass(frozen=True)
class Given:
    """A grant. `holder` is a person's name or a team's, `place` a project's key, a portfolio's slug, or empty."""

    holder: str
    what: str
    place: str
    stage: str
    until: datetime | None
    revoked: bool = False


@dataclass(frozen=True)
class Loan:
    """A delegation: `away` leaves it to `stand_in` for a time."""

    away: str
    stand_in: str
    starts: datetime
    until: datetime
    ended: bool = False


@dataclass
class World:
    """Everything that is true."""

    people: dict[str, Somebody]
    lanes: tuple[Spot, ...]
    members: set[tuple[str, str]] = field(default_factory=set)  # (person, team)
    inside: set[tuple[str, str]] = field(default_factory=set)  # (project, portfolio)
    grants: list[Given] = field(default_factory=list)
    loans: list[Loan] = field(default_factory=list)


def in_force(one: Given, now: datetime) -> bool:
    return not one.revoked and (one.until is None or one.until > now)


def given(world: World, who: str, spot: Spot, now: datetime) -> dict[str, list[Given]]:
    """The grants in force that reach somebody at a lane, by what they give."""
    found: dict[str, list[Given]] = {}
    for one in world.grants:
        theirs = one.holder == who or (who, one.holder) in world.members
        there = one.place in ("", spot.project) or (spot.project, one.place) in world.inside
        if one.what in ESTATE_ONLY and spot.project:
            continue
        if theirs and there and one.stage in ("", spot.stage) and in_force(one, now):
            found.setdefault(one.what, []).append(one)
    return found


def lenders(world: World, who: Somebody, now: datetime) -> dict[str, list[Loan]]:
    """Whom somebody stands in for, with the delegations that say so."""
    found: dict[str, list[Loan]] = {}
    for loan in world.loans:
        away = world.people[loan.away]
        able = who.kind == "person" and away.kind == "person" and away.active
        if loan.stand_in == who.name and able and not loan.ended and loan.starts <= now < loan.until:
            found.setdefault(loan.away, []).append(loan)
    return found


@dataclass(frozen=True)
class Answer:
    """What counts for somebody at a lane: `until` by codename (None: for good), and who lends what they do not hold.

    `reaches` says whether anything there is theirs or lent to them, though it may not count: enough to see the project.
    """

    until: Mapping[str, datetime | None]
    lent: Mapping[str, frozenset[str]]
    reaches: bool


NOTHING = Answer({}, {}, False)


def counts(world: World, who: Somebody, spot: Spot, now: datetime) -> Answer:
    """The whole rule."""
    if not who.active or who.kind == "system":
        return NOTHING
    if who.projects is not None and spot.project not in who.projects:
        return NOTHING
    own = {
        what: latest(one.until for one in some) for what, some in given(world, who.name, spot, now).items()
    }
    if who.kind == "service":
        own = {what: until for what, until in own.items() if not signs(what)}
    lent: dict[str, dict[str, datetime]] = {}
    for away, loans in lenders(world, who, now).items():
        for what, some in given(world, away, spot, now).items():
            if signs(what) or what in LENDABLE:
                until = latest(one.until for one in some)
                back = max(loan.until for loan in loans)
                lent.setdefault(what, {})[away] = back if until is None else min(back, until)
    reaches = bool(own or lent)
    lent = {what: some for what, some in lent.items() if what not in own}
    if len([what for what in {*own, *lent} if signs(what)]) > 1:
        lent = {what: some for what, some in lent.items() if not signs(what)}
    if who.rights is not None:
        kept = {what for what in (*own, *lent) if (what in who.rights or what == "view") and not signs(what)}
        own = {what: until for what, until in own.items() if what in kept}
        lent = {what: some for what, some in lent.items() if what in kept}
    ends = {**own, **{what: max(some.values()) for what, some in lent.items()}}
    return Answer(ends, {what: frozenset(some) for what, some in lent.items()}, reaches)


def sees(world: World, who: Somebody, project: str, now: datetime) -> bool:
    """Whether somebody may know of a project: by any lane of it, or by a right on the whole estate at every stage."""
    if any(counts(world, who, spot, now).reaches for spot in world.lanes if spot.project == project):
        return True
    # A project may have no lanes; that of no stage at all is reached by nothing but the estate's.
    return counts(_only_estate(world), who, Spot(project, ""), now).reaches


def _only_estate(world: World) -> World:
    grants = [one for one in world.grants if one.place == "" and one.stage == ""]
    return World(world.people, world.lanes, world.members, set(), grants, world.loans)


def on_estate(world: World, who: Somebody, now: datetime) -> set[str]:
    """What somebody holds on the whole estate in their own right."""
    if who.projects is not None:
        return set()
    found = counts(_only_estate(world), who, Spot("", ""), now)
    return set(found.until) - set(found.lent)


def projected(world: World, now: datetime) -> dict[tuple[str, str, Spot], datetime | None]:
    """The rows there have to be in force: (holder, what, lane) -> until."""
    found: dict[tuple[str, str, Spot], list[datetime | None]] = {}
    for one in world.grants:
        for spot in world.lanes:
            there = one.place == spot.project or (spot.project, one.place) in world.inside
            if one.place and there and one.stage in ("", spot.stage) and in_force(one, now):
                found.setdefault((one.holder, one.what, spot), []).append(one.until)
    return {key: latest(ends) for key, ends in found.items()}


def signs(what: str) -> bool:
    return what.startswith("sign_")


def latest(ends: object) -> datetime | None:
    """The last of these ends; None is for good."""
    known = list(ends)  # type: ignore[call-overload]
    return None if None in known else max(known)
