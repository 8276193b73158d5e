"""Who fills which place: people matched to sign-off places so that one person never counts twice.

Maximum matching, so a person who could fill two places never keeps out a request that others could complete. Not in
charge of whose word counts (`governance.checks` decides and passes the names).

Sets are bits of integers: of people in the order of their names, of places in the order they were asked for. All paths
run from place to place along the people who sit there, so their length is that of the places, not of the people.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

People = Mapping[str, Collection[str]]


@dataclass(frozen=True, slots=True)
class Move:
    """A signature that must come from somebody else, so that the person may fill another place instead."""

    place: str
    person: str


@dataclass(frozen=True, slots=True)
class Seating:
    """Places by key: who fills them, how many are missing, and who could help now.

    `helpers`: people whose signature at that place fills one more place at once. `swaps`, where nobody is such a
    helper: people who could fill it if the listed moves also happen.
    """

    filled: dict[str, tuple[str, ...]]
    missing: dict[str, int]
    helpers: dict[str, tuple[str, ...]]
    swaps: dict[str, dict[str, tuple[Move, ...]]]


def seat(wanted: Mapping[str, int], signed: People, could: People) -> Seating:
    """Fills as many places as the signatures allow and, among such fillings, leaves the rest as fillable as possible.

    `wanted` counts the places per key; `signed` says whose word counts there; `could` who else may sign there now.
    """
    plan = _Plan(wanted, signed, could)
    plan.fill()
    plan.only_signed()
    seating = plan.seating()
    if any(seating.helpers.values()) or any(seating.swaps.values()):
        return seating
    # Which place stays empty is open where several fillings are as large: then the one from which others can go on.
    return plan.seating() if plan.shift() else seating


_START = -1


@dataclass(slots=True)
class _Reach:
    """How places are reached by alternating paths that begin with somebody who has no seat.

    `worth` of a place: signatures used more than now (1: by signatures alone; 0 and less: by as many people who would
    have to sign, less one). `came`: the place before, or _START.
    """

    worth: dict[int, int]
    came: dict[int, int]


class _Plan:
    """Who sits where, while it is being worked out."""

    def __init__(self, wanted: Mapping[str, int], signed: People, could: People) -> None:
        self.places = list(wanted)
        self.size = [wanted[place] for place in self.places]
        self.people = sorted(
            {person for held in (signed, could) for place in self.places for person in held.get(place, ())}
        )
        number = {person: index for index, person in enumerate(self.people)}
        self.signed = [0] * len(self.people)  # of each person, the places
        self.could = [0] * len(self.people)
        for index, place in enumerate(self.places):
            bit = 1 << index
            for person in signed.get(place, ()):
                self.signed[number[person]] |= bit
        # Who has signed there already cannot help there again.
        self.able = [{*could.get(place, ())} - {*signed.get(place, ())} for place in self.places]
        for index, there in enumerate(self.able):
            bit = 1 << index
            for person in there:
                self.could[number[person]] |= bit
        self.at: list[int] = [_START] * len(self.people)
        self.seated: list[list[int]] = [[] for _place in self.places]

    # --- filling ---

    def fill(self) -> None:
        """As many signatures as possible first, then as many possible signers as possible.

        By paths that use most signatures, first those that are a single step; none is taken that costs a signature.
        """
        self._directly(self.signed)
        self._along(1, could=False)
        self._directly(self.could)
        self._along(0, could=True)

    def _directly(self, may: list[int]) -> None:
        free = self._free()
        # Who has fewest places to choose from chooses first.
        for person in sorted(range(len(may)), key=lambda one: may[one].bit_count()):
            if self.at[person] == _START and (able := may[person] & free):
                place = _lowest(able)
                self._sit(person, place)
                if len(self.seated[place]) == self.size[place]:
                    free &= ~(1 << place)

    def _along(self, least: int, *, could: bool) -> None:
        while free := self._free():
            reach = self._reach(could=could)
            ends = [place for place in _bits(free) if place in reach.worth]
            end = max(ends, key=lambda place: (reach.worth[place], -place), default=None)
            if end is None or reach.worth[end] < least:
                return
            for person, place in self._path(reach, end):
                self._sit(person, place)

    def _sit(self, person: int, place: int) -> None:
        """Seat somebody, who leaves where they sat."""
        if self.at[person] != _START:
            self.seated[self.at[person]].remove(person)
        self.at[person] = place
        self.seated[place].append(person)

    def _free(self) -> int:
        """The places that lack somebody."""
        return sum(1 << i for i, there in enumerate(self.seated) if len(there) < self.size[i])

    # --- paths ---

    def _reach(self, *, could: bool) -> _Reach:
        """The most that each place can be reached with; `could`: also by people who would have to sign."""
        worth: dict[int, int] = {}
        came: dict[int, int] = {}
        reached_with: dict[int, int] = {}  # the places by what they are worth
        signers = signers_to_be = 0
        for person, place in enumerate(self.at):
            if place == _START:
                signers |= self.signed[person]
                signers_to_be |= self.could[person]
        waiting: list[int] = []

        def reached(places: int, level: int, before: int) -> None:
            new = places
            for other, there in reached_with.items():
                if other >= level:
                    new &= ~there
            if not new:
                return
            for other in reached_with:
                reached_with[other] &= ~new
            reached_with[level] = reached_with.get(level, 0) | new
            for place in _bits(new):
                worth[place], came[place] = level, before
                waiting.append(place)

        reached(signers, 1, _START)
        if could:
            reached(signers_to_be, 0, _START)
        while waiting:
            place = waiting.pop()
            level = worth[place]
            up = same = down = 0
            for person in self.seated[place]:
                if self.signed[person] >> place & 1:
                    same |= self.signed[person]
                    down |= self.could[person]
                else:
                    up |= self.signed[person]
                    same |= self.could[person]
            reached(up, level + 1, place)
            reached(same, level, place)
            if could:
                reached(down, level - 1, place)
        return _Reach(worth, came)

    def _path(self, reach: _Reach, end: int) -> Iterator[tuple[int, int]]:
        """Who moves where, from the end to the beginning, so that each leaves a seat to the next."""
        place = end
        while place != _START:
            before = reach.came[place]
            step = reach.worth[place] - (reach.worth[before] if before != _START else 0)
            yield self._mover(before, place, step), place
            place = before

    def _mover(self, before: int, place: int, step: int) -> int:
        """Somebody who sits at `before` (or nowhere) and may sit at `place`, at a gain of `step` signatures."""
        if before == _START:
            may = self.signed if step else self.could
            return next(one for one, at in enumerate(self.at) if at == _START and may[one] >> place & 1)
        return min(
            one
            for one in self.seated[before]
            for gain in [(self.signed[one] >> place & 1) - (self.signed[one] >> before & 1)]
            if gain == step and (self.signed[one] | self.could[one]) >> place & 1
        )

    # --- what follows ---

    def only_signed(self) -> None:
        """Leave the places to those who have signed: the others only decided which."""
        for place, there in enumerate(self.seated):
            for person in [one for one in there if not self.signed[one] >> place & 1]:
                there.remove(person)
                self.at[person] = _START

    def seating(self) -> Seating:
        """What is filled by those who signed, what is missing, and what would help."""
        missing = [size - len(there) for size, there in zip(self.size, self.seated, strict=True)]
        helpers: dict[str, tuple[str, ...]] = {}
        swaps: dict[str, dict[str, tuple[Move, ...]]] = {}
        reach = self._reach(could=True) if any(missing) else _Reach({}, {})
        # Who is not needed where they sit: nobody sits there but could be replaced by signatures that are there.
        needed = {
            self.people[one]: at
            for one, at in enumerate(self.at)
            if at != _START and reach.worth.get(at) != 1
        }
        moves: dict[int, tuple[Move, ...]] = {}
        for place, key in enumerate(self.places):
            if not missing[place]:
                continue
            helpers[key] = tuple(sorted(self.able[place] - needed.keys()))
            if helpers[key]:
                continue
            found: dict[str, tuple[Move, ...]] = {}
            for person in sorted(self.able[place]):
                at = needed[person]
                if at in reach.worth:
                    if at not in moves:
                        moves[at] = self._moves(reach, at)
                    found[person] = moves[at]
            if found:
                swaps[key] = found
        return Seating(
            filled={
                key: tuple(sorted(self.people[one] for one in there))
                for key, there in zip(self.places, self.seated, strict=True)
            },
            missing=dict(zip(self.places, missing, strict=True)),
            helpers=helpers,
            swaps=swaps,
        )

    def _moves(self, reach: _Reach, place: int) -> tuple[Move, ...]:
        """The signatures that others have to give so that somebody may leave this place."""
        path = self._path(reach, place)
        given = [
            Move(self.places[to], self.people[one]) for one, to in path if not self.signed[one] >> to & 1
        ]
        return tuple(sorted(given, key=lambda move: (move.person, move.place)))

    def shift(self) -> bool:
        """Where people who sign could fill one place more, let those who have signed make room for the last of them."""
        free = self._free()
        reach = self._reach(could=True)
        end = max(
            (place for place in _bits(free) if place in reach.worth),
            key=lambda place: (reach.worth[place], -place),
            default=None,
        )
        if end is None:
            return False
        moved = []
        for person, place in self._path(reach, end):
            if not self.signed[person] >> place & 1:
                break
            moved.append((person, place))
        for person, place in moved:
            self._sit(person, place)
        return bool(moved)


def _bits(places: int) -> Iterator[int]:
    while places:
        place = _lowest(places)
        yield place
        places &= places - 1


def _lowest(places: int) -> int:
    return (places & -places).bit_length() - 1
