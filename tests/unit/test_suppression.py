"""Which groups are not published: too small, or a help to reckon a small one."""

import random
from itertools import product
from typing import Any

import numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.suppression import hidden, published

QUICK = settings(database=None, deadline=None, max_examples=200)


def result(least: int = 10, **tables: dict[str, int]) -> dict[str, Any]:
    """`gender={"F": 3}`, and `gender_age={"F 18": 3}` for a cross."""
    attributes, crosses = [], []
    for name, sizes in tables.items():
        by = name.split("_")
        groups = [
            {
                "group": key.split() if len(by) > 1 else key,
                "n": n,
                "selected": n // 2,
                "rate": 0.5,
                "ratio": 1.0,
            }
            for key, n in sizes.items()
        ]
        if len(by) > 1:
            crosses.append({"attributes": by, "groups": groups, "reference": None, "figures": {"x": 1}})
        else:
            attributes.append({"attribute": name, "groups": groups, "reference": "M", "figures": {"x": 1}})
    rows = sum(next(iter(tables.values())).values())
    return {"v": 2, "rows": rows, "min_group": least, "attributes": attributes, "intersections": crosses}


def away(held: dict[str, Any]) -> dict[str, set[str]]:
    return {"_".join(by): {" ".join(key) for key in keys} for by, keys in hidden(held).items()}


def test_large_groups_are_all_published() -> None:
    assert hidden(result(gender={"F": 10, "M": 10})) == {}


def test_one_small_group_takes_the_next_along() -> None:
    assert away(result(gender={"F": 40, "M": 90, "X": 3})) == {"gender": {"X", "F"}}


def test_two_small_groups_hide_each_other_if_they_are_enough() -> None:
    assert away(result(gender={"F": 40, "M": 90, "X": 6, "Y": 5})) == {"gender": {"X", "Y"}}
    assert away(result(gender={"F": 40, "M": 90, "X": 1, "Y": 1})) == {"gender": {"X", "Y", "F"}}


def test_a_cross_is_not_completed_from_its_columns() -> None:
    held = result(
        gender={"F": 53, "M": 150},
        age={"18": 93, "60": 110},
        gender_age={"F 18": 3, "F 60": 50, "M 18": 90, "M 60": 60},
    )
    # One cell is small; its row and its column each need another one hidden, and so does their crossing.
    assert away(held) == {"gender_age": {"F 18", "F 60", "M 18", "M 60"}}


def test_a_column_is_not_completed_from_a_cross() -> None:
    held = result(
        gender={"F": 60, "M": 200, "X": 3},
        age={"18": 133, "60": 130},
        gender_age={"F 18": 30, "F 60": 30, "M 18": 100, "M 60": 100, "X 18": 3, "X 60": 0},
    )
    found = away(held)
    assert found["gender"] == {"X", "F"}
    assert found["gender_age"] >= {"X 18", "X 60"}
    assert found["gender_age"] & {"F 18", "F 60"}  # or the two would add up to F, and F to X


SIZES = st.integers(0, 60)


@QUICK
@given(st.lists(SIZES, min_size=6, max_size=6), st.integers(1, 40))
def test_no_sum_has_one_unknown(sizes: list[int], least: int) -> None:
    keys = list(product("FMX", ("18", "60")))
    cells = {f"{g} {a}": n for (g, a), n in zip(keys, sizes, strict=True)}
    gender = {g: sum(n for key, n in cells.items() if key.startswith(g)) for g in "FMX"}
    age = {a: sum(n for key, n in cells.items() if key.endswith(a)) for a in ("18", "60")}
    found = away(result(least, gender=gender, age=age, gender_age=cells))
    for name, sizes_of in (("gender", gender), ("age", age), ("gender_age", cells)):
        out = found.get(name, set())
        assert {key for key, n in sizes_of.items() if n < least} <= out
        left_out = [sizes_of[key] for key in out]
        assert not left_out or (len(left_out) > 1 and sum(left_out) >= least) or len(out) == len(sizes_of)
    crossed = found.get("gender_age", set())
    for one, out in ((gender, found.get("gender", set())), (age, found.get("age", set()))):
        for value in one:
            line = {key for key in cells if value in key.split()}
            unknown = len(line & crossed) + (value in out)
            assert unknown != 1


def crossed(lines: list[list[int]]) -> dict[str, Any]:
    cells = {f"{row} {column}": n for row, line in enumerate(lines) for column, n in enumerate(line)}
    columns = {str(column): sum(line[column] for line in lines) for column in range(len(lines[0]))}
    rows = {str(row): sum(line) for row, line in enumerate(lines)}
    return result(10, a=rows, b=columns, a_b=cells)


def reckoned(held: dict[str, Any]) -> list[str]:
    """The crossed groups that follow from what is published, by the rank of all sums together."""
    found = away(held)
    out = [(name, key) for name, keys in sorted(found.items()) for key in sorted(keys)]
    sizes = {
        "_".join(one["attributes"]) if "attributes" in one else one["attribute"]: [
            " ".join(group["group"]) if isinstance(group["group"], list) else group["group"]
            for group in one["groups"]
        ]
        for one in (*held["attributes"], *held["intersections"])
    }
    sums: list[list[int]] = [[int(name == table) for table, _key in out] for name in sizes]
    for place, name in enumerate(("a", "b")):
        for line in sizes[name]:
            inside = [int(table == "a_b" and key.split()[place] == line) for table, key in out]
            sums.append([one - (out[at] == (name, line)) for at, one in enumerate(inside)])
    rank = numpy.linalg.matrix_rank(numpy.array(sums))
    unit = numpy.eye(len(out))
    return [
        key
        for at, (table, key) in enumerate(out)
        if table == "a_b" and numpy.linalg.matrix_rank(numpy.vstack([sums, unit[at]])) == rank
    ]


def test_no_combination_of_sums_gives_a_small_group() -> None:
    # Each row and column lacks two, and yet the first two rows less the first two columns are the one between them.
    held = crossed([[8, 8, 90, 90], [8, 8, 8, 90], [90, 90, 8, 8], [90, 90, 8, 8]])
    assert len(away(held)["a_b"]) > 9
    assert reckoned(held) == []
    chance = random.Random(3)
    for _ in range(60):
        lines = [[chance.choice((3, 8, 20, 40, 200)) for _ in range(4)] for _ in range(4)]
        small = {f"{r} {c}" for r, line in enumerate(lines) for c, n in enumerate(line) if n < 10}
        assert not small & set(reckoned(crossed(lines))), lines


def test_what_is_published_keeps_nothing_of_a_hidden_group() -> None:
    held = result(gender={"F": 40, "M": 90, "X": 3}, age={"18": 70, "60": 63})
    shown = published(held)
    gender, age = shown["attributes"]
    assert gender["groups"][0] == {"group": "F", "suppressed": True}
    assert gender["groups"][2] == {"group": "X", "suppressed": True}
    assert (gender["groups"][1]["n"], gender["figures"]) == (90, {})
    assert age == held["attributes"][1]
    assert held["attributes"][0]["groups"][2]["n"] == 3  # the kept result is as it was


def test_nothing_is_relative_to_a_hidden_reference() -> None:
    held = result(gender={"F": 90, "M": 40, "X": 3})
    (gender,) = published(held)["attributes"]
    assert "ratio" not in gender["groups"][0]
    assert gender["groups"][0]["rate"] == 0.5


def test_the_bound_was_fixed_when_it_was_counted() -> None:
    held = result(10, gender={"F": 40, "M": 90}) | {"suppress_below": 50}
    assert away(held) == {"gender": {"F", "M"}}
