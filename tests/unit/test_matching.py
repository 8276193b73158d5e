"""Seating people at sign-off places: against brute force, and the cases that made it necessary."""

from collections.abc import Iterator
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
