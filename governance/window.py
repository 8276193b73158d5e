"""Windows: on which days and hours a bundle may go live, by the clocks on the wall of one time zone. Pure.

Open is every instant at which a clock there shows a time within: where clocks are put back, an hour is there twice, and
where they are put forward, one is missing. What is asked when the next change comes is answered exactly, across these.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from governance.facts import CANNOT_TELL, MET, NOT_MET, Case, Clause, State, instant, parse_instant

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-(?:([01][0-9]|2[0-3]):([0-5][0-9])|24:00)")
_DAYS = re.compile(r"(mon|tue|wed|thu|fri|sat|sun)(?:-(mon|tue|wed|thu|fri|sat|sun))?")
_DAY = timedelta(days=1)
# Days; nearly every window changes within the first. What stays the same for the second never changes.
_LOOK_AHEAD = (8, 60)
_WHOLE = 24 * 60


class WindowError(ValueError):
    """Days, hours or a zone that cannot be read; `field` says which, `remedy` what to write."""

    def __init__(self, field: str, message: str, remedy: str) -> None:
        super().__init__(message)
        self.field = field
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Window:
    """Days by number from Monday (0), minutes of the day from `start` up to `end`; past midnight where end <= start."""

    days: frozenset[int]
    start: int
    end: int
    zone: tzinfo

    def is_open(self, moment: datetime) -> bool:
        """Whether a clock there shows a time within at this aware instant."""
        local = moment.astimezone(self.zone)
        minute, today = local.hour * 60 + local.minute, local.weekday()
        if self.start < self.end:
            return today in self.days and self.start <= minute < self.end
        return (today in self.days and minute >= self.start) or (
            (today - 1) % 7 in self.days and minute < self.end
        )

    def next_change(self, moment: datetime) -> datetime | None:
        """The first instant after `moment` at which it opens or closes; None where it never does."""
        now = self.is_open(moment)
        for days in _LOOK_AHEAD:
            for at in sorted(self._edges(moment, days)):
                if at > moment and self.is_open(at) != now:
                    return at
        return None

    def _edges(self, moment: datetime, days: int) -> Iterator[datetime]:
        """Every instant of so many days at which it may open or close: its hours, midnight, and when clocks are set."""
        date = moment.astimezone(self.zone).date() - _DAY
        for number in range(days + 2):
            for minute in {0, self.start, self.end % _WHOLE}:
                for fold in (0, 1):
                    there = time(minute // 60, minute % 60, fold=fold)
                    yield datetime.combine(date + number * _DAY, there, tzinfo=self.zone).astimezone(UTC)
        yield from _set_between(self.zone, moment, moment + days * _DAY)


def _set_between(zone: tzinfo, low: datetime, high: datetime) -> Iterator[datetime]:
    """The instants at which the clocks of a zone are set, to the second; looked for in steps of six hours."""
    step = timedelta(hours=6)
    while low < high:
        near, far = low, low + step
        low = far
        if near.astimezone(zone).utcoffset() == far.astimezone(zone).utcoffset():
            continue
        while far - near > timedelta(seconds=1):
            middle = near + (far - near) / 2
            same = middle.astimezone(zone).utcoffset() == near.astimezone(zone).utcoffset()
            near, far = (middle, far) if same else (near, middle)
        yield far.replace(microsecond=0)


def read(said: Mapping[str, Any]) -> dict[str, Any]:
    """The window of a policy with days and hours in one spelling; raises WindowError naming the field."""
    zone = said["zone"]
    if zone not in _zones():
        raise WindowError("zone", f"{zone} is not a time zone.", "Use a name such as Europe/Paris.")
    return {"days": _days(said["days"]), "hours": _hours(said["hours"]), "zone": zone}


def window_of(params: Mapping[str, Any]) -> Window:
    """The window that `read` wrote; raises ValueError where this machine does not know the zone."""
    start, end = (60 * int(at[:2]) + int(at[3:]) for at in params["hours"].split("-"))
    return Window(frozenset(map(DAYS.index, params["days"])), start, end, _zone(params["zone"]))


def check(case: Case, clause: Clause) -> tuple[State, str, dict[str, Any], str | None]:
    """State, code, parameters and until when it holds: whether the window is open at the Case's instant."""
    params = {name: clause.params[name] for name in ("days", "hours", "zone")}
    try:
        window = window_of(params)
        now = parse_instant(case.at)
        change = window.next_change(now)
    except (ValueError, OverflowError):
        return CANNOT_TELL, "window_unreadable", params, None
    until = instant(change) if change else None
    if window.is_open(now):
        return MET, "window_open", params | {"until": until}, until
    return NOT_MET, "window_closed", params | {"opens": until}, until


def day_names(days: Sequence[str]) -> list[tuple[str, str]]:
    """Days in a row as pairs of first and last: mon tue wed sat is (mon, wed), (sat, sat)."""
    found: list[tuple[str, str]] = []
    for day in days:
        if found and DAYS.index(day) == DAYS.index(found[-1][1]) + 1:
            found[-1] = (found[-1][0], day)
        else:
            found.append((day, day))
    return found


def _days(said: str | Sequence[str]) -> list[str]:
    chosen: set[int] = set()
    for one in [said] if isinstance(said, str) else said:
        found = _DAYS.fullmatch(one)
        if found is None:
            raise WindowError(
                "days",
                f"“{one[:60]}” is not a day or a range of days.",
                "Write mon, mon-thu or [mon-wed, fri].",
            )
        first, last = DAYS.index(found[1]), DAYS.index(found[2] or found[1])
        chosen |= {(first + more) % 7 for more in range((last - first) % 7 + 1)}
    return [DAYS[day] for day in sorted(chosen)]


def _hours(said: str) -> str:
    if _HOURS.fullmatch(said) is None:
        raise WindowError("hours", f"“{said[:60]}” are no hours.", "Write them like 09:00-16:00, in quotes.")
    start, _dash, end = said.partition("-")
    if start == end:
        raise WindowError(
            "hours",
            "The window ends when it begins.",
            "Write 00:00-24:00 for the whole day, or end it later.",
        )
    return said


@cache
def _zones() -> frozenset[str]:
    """Looked for in hundreds of files, once."""
    return frozenset(available_timezones() - {"Factory", "localtime"})


@cache
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError) as error:
        raise ValueError(f"{name} is not a time zone.") from error
