"""Who fills which place: people matched to sign-off places so that one person never counts twice.

Maximum matching, so a person who could fill two places never keeps out a request that others could complete. Not in
charge of whose word counts (`governance.checks` decides and passes the names).
"""

from collections.abc import Collection, Mapping
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
    signed_at = {place: set(signed.get(place, ())) for place in wanted}
    # Who has signed there already cannot help there again; who may not sign is not in `could`.
    could_at = {place: set(could.get(place, ())) - signed_at[place] for place in wanted}
    seating = _seating(wanted, signed_at, could_at, _best(wanted, signed_at, could_at))
    if not any(seating.helpers.values()) and not any(seating.swaps.values()):
        # Which place stays empty is open where several fillings are as large: then the one from which others can go on.
        whole = _best(wanted, {}, {place: signed_at[place] | could_at[place] for place in wanted})
        if len(whole) > sum(map(len, seating.filled.values())):
            return _seating(wanted, signed_at, could_at, _best(wanted, signed_at, {}, liked=whole))
    return seating


def _seating(
    wanted: Mapping[str, int],
    signed_at: Mapping[str, set[str]],
    could_at: Mapping[str, set[str]],
    chosen: Mapping[str, str],
) -> Seating:
    """What follows from who fills which place."""
    filled = {
        place: tuple(
            sorted(person for person, at in chosen.items() if at == place and person in signed_at[place])
        )
        for place in wanted
    }
    missing = {place: count - len(filled[place]) for place, count in wanted.items()}
    size = sum(map(len, filled.values()))
    helpers: dict[str, tuple[str, ...]] = {}
    swaps: dict[str, dict[str, tuple[Move, ...]]] = {}
    for place in wanted:
        if not missing[place]:
            continue
        now = [person for person in sorted(could_at[place]) if _helps(person, place, wanted, signed_at, size)]
        helpers[place] = tuple(now)
        if not now:
            found = {
                person: moves
                for person in sorted(could_at[place])
                if (moves := _moves(person, place, wanted, signed_at, could_at, size)) is not None
            }
            if found:
                swaps[place] = found
    return Seating(filled, missing, helpers, swaps)


def _helps(person: str, place: str, wanted: Mapping[str, int], signed: People, size: int) -> bool:
    """Whether one more signature here makes one more place filled."""
    if not any(person in people for people in signed.values()):
        return True
    more = {key: {*people, person} if key == place else people for key, people in signed.items()}
    return len(_best(wanted, more, {})) > size


def _moves(
    person: str, place: str, wanted: Mapping[str, int], signed: People, could: People, size: int
) -> tuple[Move, ...] | None:
    """The signatures of others that free this person for this place, or None where nothing frees them."""
    rest = {key: count - (key == place) for key, count in wanted.items()}
    others = _best(
        rest,
        {key: set(people) - {person} for key, people in signed.items()},
        {key: set(people) - {person} for key, people in could.items()},
    )
    if 1 + len(others) <= size:
        return None
    left = {at for at, people in signed.items() if person in people}
    return tuple(Move(at, who) for who, at in sorted(others.items()) if at in left and who not in signed[at])


def _best(
    wanted: Mapping[str, int], signed: People, could: People, liked: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Person -> place: as many signatures as possible first, then as many possible signers as possible, or, with
    `liked` (person -> place), as many as possible where it has them.

    Successive best augmenting paths (Bellman-Ford on the residual graph). A signature weighs more than all possible
    signers together, so they never displace one.
    """
    heavy = sum(wanted.values()) + 1
    weight = _weights(wanted, signed, could, heavy)
    for person, place in (liked or {}).items():
        if person in weight[place]:
            weight[place][person] += 1
    slots = [(place, number) for place, count in wanted.items() for number in range(count)]
    slot_of: dict[str, tuple[str, int]] = {}
    person_at: dict[tuple[str, int], str] = {}
    while True:
        gain: dict[tuple[str, int], int] = {slot: 0 for slot in slots if slot not in person_at}
        came: dict[str, tuple[str, int]] = {}
        reach: dict[str, int] = {}
        changed = True
        while changed:
            changed = False
            for slot in [slot for slot in slots if slot in gain]:
                for person, worth in weight[slot[0]].items():
                    if slot_of.get(person) == slot:
                        continue
                    total = gain[slot] + worth
                    if person not in reach or total > reach[person]:
                        reach[person], came[person] = total, slot
                        changed = True
                        held = slot_of.get(person)
                        if held is not None:
                            gain[held] = total - weight[held[0]][person]
        free = [person for person, total in reach.items() if person not in slot_of and total > 0]
        if not free:
            return {person: slot[0] for person, slot in slot_of.items()}
        end: str | None = min(free, key=lambda person: (-reach[person], person))
        while end is not None:
            slot = came[end]
            evicted = person_at.get(slot)
            person_at[slot], slot_of[end] = end, slot
            end = evicted


def _weights(
    wanted: Mapping[str, int], signed: People, could: People, heavy: int
) -> dict[str, dict[str, int]]:
    weight: dict[str, dict[str, int]] = {
        place: dict.fromkeys(sorted(signed.get(place, ())), heavy) for place in wanted
    }
    signers = {person for people in signed.values() for person in people}
    # People who may sign at the same places are interchangeable: more of them than places never matter.
    alike: dict[tuple[str, ...], int] = {}
    for person in sorted({person for people in could.values() for person in people}):
        places = tuple(place for place in wanted if person in could.get(place, ()))
        if person not in signers:
            alike[places] = alike.get(places, 0) + 1
            if alike[places] >= heavy:
                continue
        for place in places:
            weight[place][person] = 1
    return weight
