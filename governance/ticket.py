"""Change tickets: the small language of their patterns, and the check that a request's ticket matches. Pure.

A pattern is a row of characters and classes with counts, and alternatives of such rows: a small part of regular
expressions that is matched in one pass over the ticket for each element, whatever it says. The regular expressions of
the library are not used: a hostile pattern could keep them busy for hours.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from governance.facts import CANNOT_TELL, MET, NOT_MET, Case, Clause, State

TICKET_LIMIT = 100  # characters of a ticket, and of a pattern
MOST_ELEMENTS = 50
MOST_ALTERNATIVES = 10
# What a ticket may be: an identifier of another system, never a sentence.
TICKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/#-]{0,99}")

_PRINTABLE = frozenset(map(chr, range(0x21, 0x7F)))
_DIGITS = frozenset("0123456789")
_WORD = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_") | _DIGITS
_SPECIAL = frozenset("\\[](){}*+?|^$.")
_COUNT = re.compile(r"\{([0-9]{1,3})(,([0-9]{1,3})?)?\}")


class PatternError(ValueError):
    """A pattern that is not of this language; `remedy` says what to write instead."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Element:
    """Between `least` and `most` characters of a set."""

    chars: frozenset[str]
    least: int
    most: int


Row = tuple[Element, ...]


@lru_cache(maxsize=256)
def compiled(pattern: str) -> tuple[Row, ...]:
    """The alternatives of a pattern; raises PatternError naming the place of what is not understood."""
    if not pattern or len(pattern) > TICKET_LIMIT:
        raise PatternError(
            f"A pattern has between 1 and {TICKET_LIMIT} characters.", "Write one like CHG[0-9]+."
        )
    rows: list[Row] = []
    row: list[Element] = []
    at = 0
    while at < len(pattern):
        if pattern[at] == "|":
            rows.append(_row(row, at))
            row, at = [], at + 1
            continue
        chars, at = _chars(pattern, at)
        least, most, at = _count(pattern, at)
        row.append(Element(chars, least, most))
    rows.append(_row(row, at))
    if len(rows) > MOST_ALTERNATIVES or sum(map(len, rows)) > MOST_ELEMENTS:
        raise PatternError(
            f"A pattern has at most {MOST_ALTERNATIVES} alternatives and {MOST_ELEMENTS} elements.",
            "Shorten it.",
        )
    return tuple(rows)


def matches(pattern: str, ticket: str) -> bool:
    """Whether the whole ticket is of the pattern; in steps proportional to elements times characters."""
    return len(ticket) <= TICKET_LIMIT and any(_fits(row, ticket) for row in compiled(pattern))


def check(case: Case, clause: Clause) -> tuple[State, str, dict[str, Any]]:
    """State, code and parameters: whether the request's ticket is of the pattern asked for."""
    pattern, ticket = str(clause.params["pattern"]), case.ticket
    params: dict[str, Any] = {"pattern": pattern}
    if ticket is None:  # judged before a ticket was asked for
        return CANNOT_TELL, "not_recorded", {"what": "ticket"}
    if not ticket:
        return NOT_MET, "ticket_missing", params
    params |= {"ticket": ticket}
    try:
        fits = matches(pattern, ticket)
    except PatternError:
        return CANNOT_TELL, "ticket_unreadable", params
    return (MET, "ticket_given", params) if fits else (NOT_MET, "ticket_other", params)


def _fits(row: Row, ticket: str) -> bool:
    # Where the elements so far may end. Each element moves all of these ends at once: `opened` counts how many of
    # them reach a place, as differences.
    ends = [True] + [False] * len(ticket)
    for element in row:
        run, runs = 0, [0] * (len(ticket) + 1)
        for at in range(len(ticket) - 1, -1, -1):
            run = run + 1 if ticket[at] in element.chars else 0
            runs[at] = run
        opened = [0] * (len(ticket) + 2)
        for at, here in enumerate(ends):
            far = min(runs[at], element.most)
            if here and far >= element.least:
                opened[at + element.least] += 1
                opened[at + far + 1] -= 1
        reach, ends = 0, []
        for change in opened[:-1]:
            reach += change
            ends.append(reach > 0)
    return ends[-1]


def _row(row: list[Element], at: int) -> Row:
    if not row:
        raise PatternError(
            f"There is nothing before or after a | (character {at}).", "Write a pattern on both sides of it."
        )
    return tuple(row)


def _chars(pattern: str, at: int) -> tuple[frozenset[str], int]:
    """The set that begins here and where it ends."""
    one = pattern[at]
    if one == "[":
        return _class(pattern, at)
    if one == "\\":
        return _escaped(pattern, at)
    if one == ".":
        return _PRINTABLE, at + 1
    if one in "()":
        raise PatternError(
            f"Groups have no place here (character {at + 1}).", "Write alternatives out, with | between them."
        )
    if one in "^$":
        raise PatternError(
            f"The whole ticket is matched as it is (character {at + 1}).", f"Delete the {one}."
        )
    if one in _SPECIAL:
        raise PatternError(
            f"There is nothing that {one} could repeat or close (character {at + 1}).",
            f"Write \\{one} for the character itself.",
        )
    if one not in _PRINTABLE:
        raise PatternError(
            f"No ticket holds this character (character {at + 1}).",
            "Use letters, digits and signs, without spaces.",
        )
    return frozenset(one), at + 1


def _escaped(pattern: str, at: int) -> tuple[frozenset[str], int]:
    one = pattern[at + 1 : at + 2]
    if one == "d":
        return _DIGITS, at + 2
    if one == "w":
        return _WORD, at + 2
    if not one or one not in _PRINTABLE or one in _WORD:
        raise PatternError(
            f"\\{one} is not known here (character {at + 1}).",
            "Use \\d, \\w, or \\ before a sign such as \\. to mean the sign.",
        )
    return frozenset(one), at + 2


def _class(pattern: str, start: int) -> tuple[frozenset[str], int]:
    chars: set[str] = set()
    at = start + 1
    if pattern[at : at + 1] == "^":
        raise PatternError(
            f"A class says what may be there, not what may not (character {at + 1}).",
            "List the characters, such as [A-Z0-9].",
        )
    while at < len(pattern) and pattern[at] != "]":
        if pattern[at] == "[":
            raise PatternError(f"A class begins inside another (character {at + 1}).", "Write \\[ for it.")
        first, at = _escaped(pattern, at) if pattern[at] == "\\" else (_single(pattern, at), at + 1)
        if pattern[at : at + 1] == "-" and pattern[at + 1 : at + 2] not in ("]", ""):
            last, at = (
                _escaped(pattern, at + 1) if pattern[at + 1] == "\\" else (_single(pattern, at + 1), at + 2)
            )
            if len(first) != 1 or len(last) != 1 or min(first) > min(last):
                raise PatternError(
                    f"This range runs backwards (character {at}).", "Write it like A-Z or 0-9."
                )
            first = frozenset(map(chr, range(ord(min(first)), ord(min(last)) + 1)))
        chars |= first
    if at >= len(pattern) or not chars:
        raise PatternError(
            f"The class is empty or does not end (character {start + 1}).", "Close it, like [A-Z0-9]."
        )
    return frozenset(chars), at + 1


def _single(pattern: str, at: int) -> frozenset[str]:
    if pattern[at] not in _PRINTABLE:
        raise PatternError(
            f"No ticket holds this character (character {at + 1}).",
            "Use letters, digits and signs, without spaces.",
        )
    return frozenset(pattern[at])


def _count(pattern: str, at: int) -> tuple[int, int, int]:
    """How often what was just read may be there, and where that ends."""
    one = pattern[at : at + 1]
    least, most = 1, 1
    if one and one in "*+?":
        least, most, at = {"*": (0, TICKET_LIMIT), "+": (1, TICKET_LIMIT), "?": (0, 1)}[one] + (at + 1,)
    elif one == "{":
        found = _COUNT.match(pattern, at)
        if found is None:
            raise PatternError(
                f"This count is not understood (character {at + 1}).", "Write {4}, {4,8} or {4,}."
            )
        least = int(found[1])
        most = least if found[2] is None else int(found[3]) if found[3] is not None else TICKET_LIMIT
        at = found.end()
        if not 0 < most <= TICKET_LIMIT or least > most:
            raise PatternError(
                f"This count asks for nothing, or more than a ticket holds (before character {at + 1}).",
                f"Count from 0 to {TICKET_LIMIT}, the smaller number first.",
            )
    if pattern[at : at + 1] and pattern[at] in "*+?{":
        raise PatternError(f"A count is counted again (character {at + 1}).", "Keep one of them.")
    return least, most, at
