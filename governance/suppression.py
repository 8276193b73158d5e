"""Which groups are too few to publish, and a fairness result without them. Pure.

A group below the least number of people is left out; so is another wherever what is left out could be had by
subtraction: from the whole, from the groups of a column that a cross of columns splits, or from any combination of
such sums. Not in charge of what is judged: the gate counts everybody.
"""

from collections.abc import Mapping, Sequence, Set
from functools import lru_cache
from typing import Any

from governance.calibration import shown_by_score
from governance.fairness import key_of, tables

DEFAULT_LEAST = 30
MOST_RECKONED = (
    600  # groups left out of all tables: asking it of more takes seconds, and so many hide each other well
)
_PRIME = 2**61 - 1

Cell = tuple[tuple[str, ...], tuple[str, ...]]
"""The columns, and the value of each."""

_RELATIVE = ("ratio", "ratio_interval", "difference", "difference_interval")


def least_of(result: Mapping[str, Any]) -> int:
    """Below how many people a group of this result is not published; it was fixed when the result was made."""
    return int(result.get("suppress_below") or result.get("min_group") or DEFAULT_LEAST)


def hidden(
    result: Mapping[str, Any], least: int | None = None
) -> dict[tuple[str, ...], frozenset[tuple[str, ...]]]:
    """The groups not to publish, by the columns of their table; tables without any are left out."""
    bound = least_of(result) if least is None else least
    found = [table for table in tables(result) if table.groups is not None]
    size: dict[Cell, int] = {
        (table.by, key_of(group)): int(group["n"]) for table in found for group in table.groups or ()
    }
    away = _away(tuple(size.items()), bound)
    by_table: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
    for by, key in away:
        by_table.setdefault(by, set()).add(key)
    return {by: frozenset(keys) for by, keys in by_table.items()}


# The same result is shown, judged and judged again.
@lru_cache(maxsize=64)
def _away(sizes: tuple[tuple[Cell, int], ...], bound: int) -> frozenset[Cell]:
    size = dict(sizes)
    away = {cell for cell, n in sizes if n < bound}
    if not away:
        return frozenset()
    sums = _sums(size)
    _widen(away, sums, size, bound)
    if all(len(by) == 1 for by, _key in size):
        return frozenset(away)  # each is in one sum alone
    while (given := _reckoned(away, sums, size, bound)) is not None:
        beside = {one for _whole, parts in sums if given in parts for one in parts} - away
        if not beside:
            break
        away.add(min(beside, key=lambda one: (size[one], one)))
        _widen(away, sums, size, bound)
    return frozenset(away)


def _reckoned(
    away: Set[Cell], sums: Sequence[tuple[Cell | None, list[Cell]]], size: Mapping[Cell, int], bound: int
) -> Cell | None:
    """A small group whose number follows from all sums together, though each of them lacks two; None if there is none.

    What is left out are unknowns, each sum is an equation of them, and one that is a combination of equations is
    known. By elimination modulo a prime, which is as good as fractions here and stays small.
    """
    if len(away) > MOST_RECKONED:
        return None
    place = {cell: number for number, cell in enumerate(sorted(away, key=lambda cell: (-size[cell], cell)))}
    solved: dict[int, dict[int, int]] = {}
    for whole, parts in sums:
        row = {place[cell]: 1 for cell in parts if cell in away}
        if whole in away and whole is not None:
            row[place[whole]] = _PRIME - 1
        if lead := _reduced(row, solved):
            solved[min(lead)] = lead
    for cell in sorted(away):
        if size[cell] < bound and not _reduced({place[cell]: 1}, solved):
            return cell
    return None


def _reduced(row: dict[int, int], solved: Mapping[int, Mapping[int, int]]) -> dict[int, int]:
    """What is left of an equation once all that are solved are taken from it, its first unknown once; or nothing."""
    waiting = dict(row)
    while waiting:
        lead = min(waiting)
        if lead not in solved:
            by = pow(waiting[lead], -1, _PRIME)
            return {at: held * by % _PRIME for at, held in waiting.items()}
        times = waiting[lead]
        for at, held in solved[lead].items():
            left = (waiting.get(at, 0) - times * held) % _PRIME
            if left:
                waiting[at] = left
            else:
                waiting.pop(at, None)
    return {}


def _widen(
    away: set[Cell], sums: Sequence[tuple[Cell | None, list[Cell]]], size: Mapping[Cell, int], bound: int
) -> None:
    """Leave out more until each sum with a known whole lacks at least two groups, together enough people.

    Then nobody can take the rest away from the whole and be left with one small group. Hiding one more may break
    another sum.
    """
    changed = True
    while changed:
        changed = False
        for whole, parts in sums:
            out = [cell for cell in parts if cell in away]
            known = whole is None or whole not in away
            if not out and (known or not parts):
                continue
            if known and len(out) >= 2 and sum(size[cell] for cell in out) >= bound:
                continue
            if not known and out:
                continue
            left = [cell for cell in parts if cell not in away]
            if left:
                away.add(min(left, key=lambda cell: (size[cell], cell)))
                changed = True


def _sums(size: Mapping[Cell, int]) -> list[tuple[Cell | None, list[Cell]]]:
    """What adds up to what: each table to the whole (None), and each cross to the groups of what it crosses."""
    tables_: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
    for by, key in size:
        tables_.setdefault(by, []).append(key)
    sums: list[tuple[Cell | None, list[Cell]]] = []
    for by, keys in tables_.items():
        sums.append((None, [(by, key) for key in keys]))
        for wider in tables_:
            if len(wider) >= len(by) or not set(wider) <= set(by):
                continue
            places = [by.index(column) for column in wider]
            lines: dict[tuple[str, ...], list[Cell]] = {}
            for key in keys:
                lines.setdefault(tuple(key[place] for place in places), []).append((by, key))
            sums += [((wider, line), cells) for line, cells in lines.items() if (wider, line) in size]
    return sums


def published(result: Mapping[str, Any], least: int | None = None) -> dict[str, Any]:
    """The result as anybody may read it: a group left out says `suppressed` and nothing but its name.

    Where a table has one, its figures over all groups are left out, and whatever is relative to a reference that is.
    """
    away = hidden(result, least)
    bound = least_of(result) if least is None else least
    shown = {**result, "suppress_below": bound}
    crossed = result.get("intersections") or []
    shown["attributes"] = [
        _shown(held, (str(held["attribute"]),), away, bound) for held in result["attributes"]
    ]
    if isinstance(crossed, Mapping):
        shown["intersections"] = _shown(crossed, tuple(crossed["attributes"]), away, bound)
    elif crossed:
        shown["intersections"] = [_shown(held, tuple(held["attributes"]), away, bound) for held in crossed]
    return shown


def by_score(
    groups: Sequence[Mapping[str, Any]], out: Set[tuple[str, ...]], bound: int
) -> list[list[dict[str, Any]]]:
    """Calibration by score of each group of a table as anybody may read it; nothing where a group is left out.

    The parts of all groups add up to those of the whole, as the groups do.
    """
    return [] if out else shown_by_score(groups, bound)


def _with_scores(held: Mapping[str, Any], bound: int) -> dict[str, Any]:
    """A table without anything left out: the tenths of its scores are taken together."""
    groups = held["groups"] or ()
    if not any((group.get("calibration") or {}).get("bins") for group in groups):
        return dict(held)
    shown = by_score(groups, frozenset(), bound) or [[]] * len(groups)
    told = [
        {**group, "calibration": {**group["calibration"], "bins": bins}} if group["calibration"] else group
        for group, bins in zip(groups, shown, strict=True)
    ]
    return {**held, "groups": told}


def _shown(
    held: Mapping[str, Any],
    by: tuple[str, ...],
    away: Mapping[tuple[str, ...], frozenset[tuple[str, ...]]],
    bound: int,
) -> dict[str, Any]:
    out = away.get(by, frozenset())
    if not out:
        return _with_scores(held, bound)
    reference = held.get("reference")
    lost = reference is not None and key_of({"group": reference}) in out
    groups = [
        {"group": group["group"], "suppressed": True}
        if key_of(group) in out
        else {
            name: _whole(value) if name == "calibration" else value
            for name, value in group.items()
            if not (lost and name in _RELATIVE)
        }
        for group in held["groups"]
    ]
    return {**held, "figures": {}, "groups": groups}


def _whole(calibration: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Calibration of a group without its parts by score."""
    return (
        None if calibration is None else {name: held for name, held in calibration.items() if name != "bins"}
    )
