"""Which groups are too few to publish, and a fairness result without them. Pure.

A group below the least number of people is left out; so is another wherever what is left out could be had by
subtraction: from the whole, or from the groups of a column that a cross of columns splits. Not in charge of what is
judged: the gate counts everybody.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from governance.fairness import Table, key_of, tables

DEFAULT_LEAST = 30

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
    away = {cell for cell, n in size.items() if n < bound}
    if not away:
        return {}
    sums = _sums(found)
    # Each sum with a known whole must leave at least two groups out, which together are enough people: then nobody can
    # take the rest away from the whole and be left with one small group. Hiding one more may break another sum.
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
    by_table: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
    for by, key in away:
        by_table.setdefault(by, set()).add(key)
    return {by: frozenset(keys) for by, keys in by_table.items()}


def _sums(found: Sequence[Table]) -> list[tuple[Cell | None, list[Cell]]]:
    """What adds up to what: each table to the whole (None), and each cross to the groups of what it crosses."""
    sums: list[tuple[Cell | None, list[Cell]]] = []
    for table in found:
        keys = [key_of(group) for group in table.groups or ()]
        sums.append((None, [(table.by, key) for key in keys]))
        for wider in found:
            if len(wider.by) >= len(table.by) or not set(wider.by) <= set(table.by):
                continue
            places = [table.by.index(column) for column in wider.by]
            lines: dict[tuple[str, ...], list[Cell]] = {}
            for key in keys:
                lines.setdefault(tuple(key[place] for place in places), []).append((table.by, key))
            there = {key_of(group) for group in wider.groups or ()}
            sums += [((wider.by, line), cells) for line, cells in lines.items() if line in there]
    return sums


def published(result: Mapping[str, Any], least: int | None = None) -> dict[str, Any]:
    """The result as anybody may read it: a group left out says `suppressed` and nothing but its name.

    Where a table has one, its figures over all groups are left out, and whatever is relative to a reference that is.
    """
    away = hidden(result, least)
    shown = {**result, "suppress_below": least_of(result) if least is None else least}
    if not away:
        return shown
    crossed = result.get("intersections") or []
    shown["attributes"] = [_shown(held, (str(held["attribute"]),), away) for held in result["attributes"]]
    if isinstance(crossed, Mapping):
        shown["intersections"] = _shown(crossed, tuple(crossed["attributes"]), away)
    else:
        shown["intersections"] = [_shown(held, tuple(held["attributes"]), away) for held in crossed]
    return shown


def _shown(
    held: Mapping[str, Any], by: tuple[str, ...], away: Mapping[tuple[str, ...], frozenset[tuple[str, ...]]]
) -> dict[str, Any]:
    out = away.get(by, frozenset())
    if not out:
        return dict(held)
    reference = held.get("reference")
    lost = reference is not None and key_of({"group": reference}) in out
    groups = [
        {"group": group["group"], "suppressed": True}
        if key_of(group) in out
        else {name: value for name, value in group.items() if not (lost and name in _RELATIVE)}
        for group in held["groups"]
    ]
    return {**held, "figures": {}, "groups": groups}
