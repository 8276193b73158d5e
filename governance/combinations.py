"""Toxic combinations: who could take a project through a stage alone, or with one colleague, by the rights they hold.

Everything has to be done by them: make and register the bundle, bring it to the stages that the policy wants it to have
been in, ask, have evidence collected, sign what the policy asks, start. Whether signatures suffice is asked of the gate
itself, over a Case in which everybody signs whatever they may; so its rules (who asked or made the bundle does not
count, one person fills one place, who stands in is one with whom they stand in for) are not written twice. Pure: no
clock, no database. What a stage wants to have run before may also be waived, by one who neither asked, made the bundle
nor starts it: so never by somebody alone. People are names; rights in hand come from `portal.holders`, as the gate's.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import combinations, product
from math import comb

from governance import testing
from governance.facts import (
    APPROVE,
    PARTS,
    Barred,
    Case,
    Clause,
    Holder,
    PolicyRef,
    SignOffFact,
)
from governance.gate import judge
from governance.waivers import may_be

REQUEST, PROMOTE, SIGN, WAIVE = "request", "promote", "sign_", "waive"
_AT = "2000-01-01T00:00:00.000000Z"

# --- what is asked, and what people have in hand ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ask:
    """What one stage asks of people. `runs_at`: the bundle has to have run there; `runs_somewhere`: anywhere before.

    Evidence is counted from where the bundle runs, so it takes a stage before. `by_itself`: nobody has to start it.
    """

    stage: str
    sign_offs: tuple[Clause, ...] = ()
    runs_at: frozenset[str] = frozenset()
    runs_somewhere: bool = False
    by_itself: bool = False
    # Of where it has to have run, what the policy lets somebody waive.
    waivable_at: frozenset[str] = frozenset()
    waivable_somewhere: bool = False

    @property
    def places(self) -> int:
        """How many signatures of different people it takes."""
        return sum(int(clause.params.get("people", 1)) for clause in self.sign_offs)


def ask_of(stage: str, requirements: Iterable[Clause], *, by_itself: bool = False) -> Ask:
    """What a stage's requirements come to."""
    clauses = tuple(requirements)
    never = {
        str(one.params.get("at", "")) for one in clauses if one.kind in ("tests", "soak") and not may_be(one)
    }
    runs_at = frozenset(
        str(one.params["at"])
        for one in clauses
        if one.kind == "soak" or (one.kind == "tests" and testing.kind_of(one) == "tests")
    )
    return Ask(
        stage=stage,
        sign_offs=tuple(one for one in clauses if one.kind == "sign_off"),
        runs_at=runs_at,
        runs_somewhere=any(one.kind in ("evidence", "project_standards") for one in clauses),
        by_itself=by_itself,
        waivable_at=runs_at - never,
        waivable_somewhere=all(may_be(one) for one in clauses if one.kind == "evidence"),
    )


@dataclass(frozen=True, slots=True, order=True)
class Hand:
    """A right in somebody's hand at a stage; with `instead_of` it is that person's, for whom they stand in."""

    stage: str
    name: str
    instead_of: str = ""


Profile = frozenset[Hand]


@dataclass(frozen=True, slots=True)
class Step:
    """Something one of them does: "register", "request", "waive" and "promote", or "sign" with the codename."""

    act: str
    person: str
    stage: str
    name: str


Plan = tuple[Step, ...]


# --- one set of people ------------------------------------------------------------------------------------------------


class Line:
    """A project's stages in order, with what each asks. A stage the policy is silent about lets nothing through."""

    def __init__(self, asks: Sequence[Ask | None], stages: Sequence[str]) -> None:
        self._asks = dict(zip(stages, asks, strict=True))
        self._before = {stage: tuple(stages[:at]) for at, stage in enumerate(stages)}

    @property
    def key(self) -> tuple[object, ...]:
        """Equal for lines that ask the same."""
        return tuple(
            (
                stage,
                None
                if ask is None
                else (
                    tuple(c.digest for c in ask.sign_offs),
                    *(ask.runs_at, ask.runs_somewhere, ask.by_itself),
                    *(ask.waivable_at, ask.waivable_somewhere),
                ),
            )
            for stage, ask in self._asks.items()
        )

    @property
    def stages(self) -> list[str]:
        return list(self._asks)

    def places(self, stage: str) -> int:
        """How many people have to sign at a stage; one who asks or made the bundle is never among them."""
        ask = self._asks.get(stage)
        return 0 if ask is None else ask.places

    def plan(self, people: Mapping[str, Profile], stage: str) -> Plan | None:
        """How these people take a bundle through a stage with nobody else; None where they cannot."""
        # Everybody fills one place, and who made the bundle none: the gate would say so too, only later.
        if self.places(stage) and self.places(stage) >= len(people):
            return None
        for author, profile in people.items():
            if not any(hand.name == REQUEST for hand in profile):
                continue
            steps = self._bring(people, author, stage, frozenset())
            if steps is not None:
                first = next(hand.stage for hand in sorted(profile) if hand.name == REQUEST)
                return tuple(dict.fromkeys((Step("register", author, first, REQUEST), *steps)))
        return None

    def cuts(self, people: Mapping[str, Profile], stage: str) -> list[tuple[str, Hand]]:
        """The rights without any one of which they could not; where no single one, all to start promotions there.

        Where these start by themselves, all to ask for them.
        """
        ask = self._asks.get(stage)
        last = REQUEST if ask is not None and ask.by_itself else PROMOTE
        alone = [
            (person, hand)
            for person, profile in people.items()
            for hand in sorted(profile)
            if self.plan({**people, person: profile - {hand}}, stage) is None
        ]
        return alone or [
            (person, hand)
            for person, profile in people.items()
            for hand in sorted(profile)
            if (hand.stage, hand.name) == (stage, last)
        ]

    def _bring(
        self, people: Mapping[str, Profile], author: str, stage: str, under: frozenset[str]
    ) -> list[Step] | None:
        """The steps that bring the author's bundle into a stage, and before it into those it has to have run in."""
        ask = self._asks.get(stage)
        if ask is None or stage in under:
            return None
        under |= {stage}
        steps: list[Step] = []
        waived = False
        for needed in sorted(ask.runs_at):
            before = self._bring(people, author, needed, under)
            if before is None and needed not in ask.waivable_at:
                return None
            waived |= before is None
            steps += before or ()
        if ask.runs_somewhere and (not ask.runs_at or (waived and not steps)):
            somewhere = (self._bring(people, author, one, under) for one in self._before[stage])
            before = next((found for found in somewhere if found is not None), None)
            if before is None and not ask.waivable_somewhere:
                return None
            waived |= before is None
            steps += before or ()
        entering = self._enter(people, author, ask, waived=waived)
        return None if entering is None else [*steps, *entering]

    def _enter(
        self, people: Mapping[str, Profile], author: str, ask: Ask, *, waived: bool
    ) -> list[Step] | None:
        asking, starting = (_with(people, ask.stage, name) for name in (REQUEST, PROMOTE))
        if ask.by_itself:
            starting = [("", "")]
        for (requester, asks_for), (promoter, starts_for) in product(asking, starting):
            apart = {author, requester, asks_for, promoter, starts_for}
            waivers = [one for one, _whom in _with(people, ask.stage, WAIVE) if one not in apart]
            if waived and not waivers:
                continue
            signing = self._signed(people, author, ask, (requester, asks_for), (promoter, starts_for))
            if signing is not None:
                return [
                    Step("request", requester, ask.stage, REQUEST),
                    *([Step("waive", waivers[0], ask.stage, WAIVE)] if waived else []),
                    *signing,
                    *([] if ask.by_itself else [Step("promote", promoter, ask.stage, PROMOTE)]),
                ]
        return None

    def _signed(
        self,
        people: Mapping[str, Profile],
        author: str,
        ask: Ask,
        requester: tuple[str, str],
        promoter: tuple[str, str],
    ) -> list[Step] | None:
        """Who signs what, where the gate says that it is enough. Who starts does not sign, nor for whom they start."""
        if not ask.sign_offs:
            return []
        verdict = judge(_case(people, author, ask, requester, without={*promoter} - {""}))
        if not verdict.met:
            return None
        return [
            Step("sign", given["person"], ask.stage, f"{SIGN}{finding.params['role']}")
            for finding in verdict.findings
            for given in finding.params["given"]
        ]


def _with(people: Mapping[str, Profile], stage: str, name: str) -> list[tuple[str, str]]:
    """Who holds a right at a stage, and for whom."""
    return [
        (person, hand.instead_of)
        for person, profile in people.items()
        for hand in sorted(profile)
        if (hand.stage, hand.name) == (stage, name)
    ]


def _case(
    people: Mapping[str, Profile],
    author: str,
    ask: Ask,
    requester: tuple[str, str],
    without: Collection[str],
) -> Case:
    """A Case in which everybody but these has signed whatever they may; it asks for signatures alone."""
    clauses = {str(clause.params["role"]): clause for clause in ask.sign_offs}
    holders: list[Holder] = []
    words: list[SignOffFact] = []
    for person, profile in people.items():
        for hand in sorted(profile):
            role = hand.name.removeprefix(SIGN)
            if hand.stage != ask.stage or not hand.name.startswith(SIGN) or role not in clauses:
                continue
            holders.append(Holder(role, person, None, hand.instead_of))
            if hand.instead_of:  # the right is that person's, and lasts as long as they hold it
                holders.append(Holder(role, hand.instead_of))
            if {person, hand.instead_of} & {*without}:
                continue
            words.append(
                SignOffFact(
                    id=f"{len(words)}",
                    person=person,
                    role=role,
                    decision=APPROVE,
                    at=_AT,
                    project="",
                    stage=ask.stage,
                    covered={},
                    clause=clauses[role].digest,
                    on_behalf_of=hand.instead_of,
                )
            )
    barred = [Barred(author, "bundle_author"), *(Barred(one, "requester") for one in requester if one)]
    return Case(
        project="",
        stage=ask.stage,
        bundle="",
        archive="",
        parts=dict.fromkeys(PARTS, ""),
        tier="",
        policy=PolicyRef("", 0, ""),
        requirements=ask.sign_offs,
        automation="manual",
        evidence=(),
        documents=(),
        signoffs=tuple(words),
        running=(),
        barred=tuple(barred),
        holders=tuple(holders),
        at=_AT,
    )


# --- everybody --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Alone:
    """People each of whom could do it alone, all in the same way; the plan is the first one's."""

    people: tuple[str, ...]
    plan: Plan


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs that could do it together, neither of the two alone: anybody of `left` with anybody else of `right`."""

    left: tuple[str, ...]
    right: tuple[str, ...]
    plan: Plan

    @property
    def count(self) -> int:
        return comb(len(self.left), 2) if self.left == self.right else len(self.left) * len(self.right)

    def each(self) -> Iterator[tuple[str, str]]:
        """The pairs, by their names."""
        return combinations(self.left, 2) if self.left == self.right else product(self.left, self.right)


@dataclass(frozen=True, slots=True)
class Reach:
    """Who could take a project through one stage: alone, and with one colleague."""

    stage: str
    alone: tuple[Alone, ...] = ()
    pairs: tuple[Pairs, ...] = ()

    @property
    def alone_count(self) -> int:
        return sum(len(one.people) for one in self.alone)

    @property
    def pair_count(self) -> int:
        return sum(one.count for one in self.pairs)


# What a shape of rights comes to, told about places in it instead of people: (who alone, which two together).
_Shape = tuple[tuple[int, ...], tuple[tuple[int, int], ...]]


@dataclass(slots=True)
class Reckoner:
    """Works out whole projects. People with the same rights are weighed once, and so are projects that look alike."""

    _known: dict[object, _Shape] = field(default_factory=dict)

    def reach(self, line: Line, people: Mapping[str, Profile]) -> list[Reach]:
        """Who could take a bundle through each stage, with nobody else."""
        groups = _alike(people)
        shapes = [shape for shape, _names in groups]
        return [self._at(line, stage, groups, shapes) for stage in line.stages]

    def _at(
        self, line: Line, stage: str, groups: list[tuple[Profile, tuple[str, ...]]], shapes: list[Profile]
    ) -> Reach:
        order = sorted(range(len(groups)), key=lambda at: (_plain(shapes[at]), len(groups[at][1]) > 1))
        placed = [groups[at] for at in order]
        # Whom somebody stands in for is part of the shape, by name, so such projects are weighed each on its own.
        lent = any(hand.instead_of for shape in shapes for hand in shape)
        looks = tuple((_plain(shape), len(names) > 1) for shape, names in placed)
        key = (line.key, stage, looks)
        found = None if lent else self._known.get(key)
        if found is None:
            found = _weighed(line, stage, placed)
            if not lent:
                self._known[key] = found
        alone, pairs = found
        return Reach(
            stage,
            tuple(Alone(placed[at][1], _plan(line, stage, placed, (at,))) for at in alone),
            tuple(
                Pairs(placed[one][1], placed[other][1], _plan(line, stage, placed, (one, other)))
                for one, other in pairs
            ),
        )


def _weighed(line: Line, stage: str, groups: Sequence[tuple[Profile, tuple[str, ...]]]) -> _Shape:
    """Which groups can alone, and which two (or two of one) together where neither can."""
    alone = tuple(
        at for at, (shape, names) in enumerate(groups) if line.plan({names[0]: shape}, stage) is not None
    )
    rest = [at for at in range(len(groups)) if at not in alone]
    pairs = []
    for at, one in enumerate(rest):
        for other in rest[at:]:
            if one == other and len(groups[one][1]) < 2:
                continue
            if line.plan(_two(groups, one, other), stage) is not None:
                pairs.append((one, other))
    return alone, tuple(pairs)


def _plan(
    line: Line, stage: str, groups: Sequence[tuple[Profile, tuple[str, ...]]], which: tuple[int, ...]
) -> Plan:
    people = {groups[which[0]][1][0]: groups[which[0]][0]} if len(which) == 1 else _two(groups, *which)
    return line.plan(people, stage) or ()


def _two(groups: Sequence[tuple[Profile, tuple[str, ...]]], one: int, other: int) -> dict[str, Profile]:
    """The first of each group; of one group its first two."""
    return {groups[one][1][0]: groups[one][0], groups[other][1][int(one == other)]: groups[other][0]}


def _alike(people: Mapping[str, Profile]) -> list[tuple[Profile, tuple[str, ...]]]:
    """People by what they hold, each group's names sorted; somebody others stand in for is a group of their own."""
    principals = {hand.instead_of for profile in people.values() for hand in profile} - {""}
    found: dict[tuple[Profile, str], list[str]] = defaultdict(list)
    for person, profile in people.items():
        if any(hand.name in (REQUEST, PROMOTE, WAIVE) or hand.name.startswith(SIGN) for hand in profile):
            found[profile, person if person in principals else ""].append(person)
    return [(profile, tuple(sorted(names))) for (profile, _own), names in found.items()]


def _plain(shape: Profile) -> tuple[tuple[str, str, str], ...]:
    return tuple((hand.stage, hand.name, hand.instead_of) for hand in sorted(shape))


# --- risky on their face ----------------------------------------------------------------------------------------------


class Rule(StrEnum):
    """Combinations of rights in one hand at one stage that are risky whatever the policy asks."""

    TWO_ROLES = "two_roles"
    MANAGES_AND_SIGNS = "manages_and_signs"
    MANAGES_AND_STARTS = "manages_and_starts"
    MANAGES_AND_WAIVES = "manages_and_waives"
    AUDITS_AND_ACTS = "audits_and_acts"


ACTING = ("request", "promote", "roll_back", "waive", "manage", "break_glass", "override_freeze")


@dataclass(frozen=True, slots=True)
class Risk:
    """A rule that somebody's rights at a stage break, with the codenames that do."""

    rule: Rule
    person: str
    stage: str
    names: tuple[str, ...]


def risks(people: Mapping[str, Profile]) -> list[Risk]:
    """Every rule somebody's rights break, by stage and person."""
    found: list[Risk] = []
    for person in sorted(people):
        held: dict[str, set[str]] = defaultdict(set)
        for hand in people[person]:
            held[hand.stage].add(hand.name)
        for stage in sorted(held):
            found += [Risk(rule, person, stage, names) for rule, names in _broken(held[stage])]
    return found


def _broken(names: Collection[str]) -> Iterator[tuple[Rule, tuple[str, ...]]]:
    roles = tuple(sorted(name for name in names if name.startswith(SIGN)))
    if len(roles) > 1:
        yield Rule.TWO_ROLES, roles
    if "manage" in names and roles:
        yield Rule.MANAGES_AND_SIGNS, ("manage", *roles)
    if "manage" in names and PROMOTE in names:
        yield Rule.MANAGES_AND_STARTS, ("manage", PROMOTE)
    if "manage" in names and WAIVE in names:
        yield Rule.MANAGES_AND_WAIVES, ("manage", WAIVE)
    acts = tuple(name for name in ACTING if name in names) + roles
    if "audit" in names and acts:
        yield Rule.AUDITS_AND_ACTS, ("audit", *acts)
