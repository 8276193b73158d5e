"""Seating people at sign-off places: against brute force, and the cases that made it necessary."""

import random
from collections.abc import Iterator, Mapping
from itertools import product

from hypothesis import example, given, settings
from hypothesis import strategies as st

from governance.matching import Move, People, seat

PLACES = ("a", "b", "c")
PERSONS = ("p", "q", "r", "s")
WANTED = st.fixed_dictionaries({place: st.integers(0, 2) for place in PLACES})
EDGES = st.fixed_dictionaries({place: st.sets(st.sampled_from(PERSONS)) for place in PLACES})
QUICK = settings(database=None, deadline=None, max_examples=200)


def _assignments(wanted: dict[str, int], signed: People, could: People) -> Iterator[tuple[int, int]]:
    """(signatures used, places filled) of every way to give each person at most one place."""
    people = sorted({person for edges in (signed, could) for held in edges.values() for person in held})
    choices = [[None, *(p for p in wanted if person in signed[p] or person in could[p])] for person in people]
    for chosen in product(*choices):
        if all(chosen.count(place) <= count for place, count in wanted.items()):
            used = sum(
                place is not None and who in signed[place] for who, place in zip(people, chosen, strict=True)
            )
            yield used, sum(place is not None for place in chosen)


NOBODY: dict[str, set[str]] = {place: set() for place in PLACES}


@QUICK
@given(WANTED, EDGES, EDGES)
def test_fills_as_many_places_as_any_assignment(
    wanted: dict[str, int], signed: dict[str, set[str]], could: dict[str, set[str]]
) -> None:
    seating = seat(wanted, signed, could)
    size = sum(map(len, seating.filled.values()))
    seated = [person for people in seating.filled.values() for person in people]
    assert size == max(used for used, _ in _assignments(wanted, signed, NOBODY))
    assert len(seated) == len(set(seated))
    for place, people in seating.filled.items():
        assert set(people) <= signed[place]
        assert len(people) + seating.missing[place] == wanted[place]


@QUICK
@given(WANTED, EDGES, EDGES)
def test_helpers_are_those_whose_signature_fills_one_more(
    wanted: dict[str, int], signed: dict[str, set[str]], could: dict[str, set[str]]
) -> None:
    seating = seat(wanted, signed, could)
    size = sum(map(len, seating.filled.values()))
    for place, missing in seating.missing.items():
        if not missing:
            assert place not in seating.helpers
            continue
        for person in PERSONS:
            more = {key: people | {person} if key == place else people for key, people in signed.items()}
            helps = max(used for used, _ in _assignments(wanted, more, NOBODY)) > size
            able = person in could[place] - signed[place]
            assert (person in seating.helpers[place]) == (helps and able)


@QUICK
@given(WANTED, EDGES, EDGES)
def test_leaves_the_rest_as_fillable_as_possible(
    wanted: dict[str, int], signed: dict[str, set[str]], could: dict[str, set[str]]
) -> None:
    seating = seat(wanted, signed, could)
    size = sum(map(len, seating.filled.values()))
    best = max(filled for used, filled in _assignments(wanted, signed, could) if used == size)
    seated = {person for people in seating.filled.values() for person in people}
    rest = {place: (could[place] | signed[place]) - seated for place in PLACES}
    # Somebody signed but not seated has no place left; whoever is free may take what is missing.
    reachable = max(filled for _, filled in _assignments(seating.missing, NOBODY, rest))
    assert size + reachable == best


@QUICK
@given(WANTED, EDGES, EDGES)
@example(
    {"a": 1, "b": 1, "c": 2},
    {"a": {"q"}, "b": {"s"}, "c": {"q", "r"}},
    {"a": set(), "b": {"p"}, "c": {"s"}},
)
def test_a_request_others_could_complete_always_shows_somebody(
    wanted: dict[str, int], signed: dict[str, set[str]], could: dict[str, set[str]]
) -> None:
    seating = seat(wanted, signed, could)
    size = sum(map(len, seating.filled.values()))
    most = max(filled for _, filled in _assignments(wanted, signed, could))
    shown = any(seating.helpers.values()) or any(seating.swaps.values())
    assert shown == (most > size)


# --- very many, against every way there is ---------------------------------------------------------------------------


def every_way(wanted: Mapping[str, int], signed: People, could: People) -> dict[tuple[int, ...], int]:
    """Every number of people that can sit at the places, and the most of them who have signed there, however it is
    done: person by person, each at any place that is left or at none."""
    places = list(wanted)
    people = sorted(
        {person for held in (signed, could) for place in places for person in held.get(place, ())}
    )
    ways = {(0,) * len(places): 0}
    for person in people:
        able = [
            (index, person in signed.get(place, ()))
            for index, place in enumerate(places)
            if person in signed.get(place, ()) or person in could.get(place, ())
        ]
        more = dict(ways)
        for there, used in ways.items():
            for index, is_signed in able:
                if there[index] < wanted[places[index]]:
                    now = (*there[:index], there[index] + 1, *there[index + 1 :])
                    if used + is_signed > more.get(now, -1):
                        more[now] = used + is_signed
        ways = more
    return ways


def most_signed(wanted: Mapping[str, int], signed: People, *more: tuple[str, str]) -> int:
    """How many places the signatures fill at most; `more`: (place, person) of further ones."""
    added = {place: {*signed[place], *(who for at, who in more if at == place)} for place in wanted}
    return max(map(sum, every_way(wanted, added, {})))


def drawn(rng: random.Random) -> tuple[dict[str, int], dict[str, set[str]], dict[str, set[str]]]:
    places, people = PLACES[: rng.randint(1, 3)], PERSONS[: rng.randint(1, 4)]
    given, able = rng.random(), rng.random() * 0.8
    return (
        {place: rng.choice((0, 1, 1, 1, 2)) for place in places},
        {place: {one for one in people if rng.random() < given} for place in places},
        {place: {one for one in people if rng.random() < able} for place in places},
    )


def test_it_agrees_with_every_way_there_is_in_20_000_random_cases() -> None:
    rng = random.Random(20_000)
    shown = {"complete": 0, "helpers": 0, "swaps": 0, "nobody": 0}
    for _case in range(20_000):
        wanted, signed, could = drawn(rng)
        seating = seat(wanted, signed, could)
        size = sum(map(len, seating.filled.values()))
        told = (wanted, signed, could, seating)
        # As many as there can be, each once and where they signed.
        assert size == most_signed(wanted, signed), told
        assert len({one for there in seating.filled.values() for one in there}) == size, told
        for place, there in seating.filled.items():
            assert {*there} <= signed[place], told
            assert len(there) + seating.missing[place] == wanted[place], told
        # Helpers are all those whose signature fills one more, and a swap fills one more with all its moves.
        for place, lacking in seating.missing.items():
            able = could[place] - signed[place] if lacking else set[str]()
            help_ = {one for one in able if most_signed(wanted, signed, (place, one)) > size}
            assert set(seating.helpers.get(place, ())) == help_, told
            for person, moves in seating.swaps.get(place, {}).items():
                assert person in able, told
                assert all(move.person in could[move.place] - signed[move.place] for move in moves), told
                together = [(move.place, move.person) for move in moves]
                assert most_signed(wanted, signed, (place, person), *together) == size + 1, told
        # Somebody is shown wherever others could complete more; and as much as can be is left for them.
        ways = every_way(wanted, signed, could)
        helpers, swaps = any(seating.helpers.values()), any(seating.swaps.values())
        assert (helpers or swaps) == (max(map(sum, ways)) > size), told
        seated = {one for there in seating.filled.values() for one in there}
        rest = {place: (could[place] | signed[place]) - seated for place in wanted}
        reachable = max(map(sum, every_way(seating.missing, {}, rest)))
        assert size + reachable == max(sum(there) for there, used in ways.items() if used == size), told
        complete = not any(seating.missing.values())
        shown["complete" if complete else "helpers" if helpers else "swaps" if swaps else "nobody"] += 1
    assert min(shown.values()) > 50, shown


def test_one_person_with_every_role_fills_one_place() -> None:
    seating = seat({"fairness": 1, "risk": 1}, {"fairness": ["ravi"], "risk": ["ravi"]}, {})
    assert sorted(map(len, seating.filled.values())) == [0, 1]


def test_the_place_nobody_else_can_fill_goes_to_the_one_who_can() -> None:
    seating = seat(
        {"fairness": 1, "risk": 1},
        {"fairness": ["ravi"], "risk": ["ravi"]},
        {"fairness": ["gil"], "risk": []},
    )
    assert seating.filled == {"fairness": (), "risk": ("ravi",)}
    assert seating.helpers == {"fairness": ("gil",)}


def test_two_moves_that_only_help_together_are_told() -> None:
    seating = seat(
        {"fairness": 1, "risk": 1}, {"fairness": ["ravi"]}, {"fairness": ["gil"], "risk": ["ravi"]}
    )
    assert seating.helpers == {"risk": ()}
    assert seating.swaps == {"risk": {"ravi": (Move("fairness", "gil"),)}}


def test_two_people_of_one_role_are_two_people() -> None:
    seating = seat({"risk": 2}, {"risk": ["ravi"]}, {"risk": ["ravi", "mina"]})
    assert seating.missing == {"risk": 1}
    assert seating.helpers == {"risk": ("mina",)}


def test_hundreds_of_holders_cost_little() -> None:
    people = [f"person-{n}" for n in range(400)]
    seating = seat({"a": 3, "b": 3}, {"a": people[:1]}, {"a": people, "b": people})
    assert len(seating.helpers["a"]) == 399
    assert len(seating.helpers["b"]) == 400 - 1 + (people[0] in seating.helpers["b"])
