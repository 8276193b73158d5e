"""Windows: open by the clocks on the wall, exact across days on which clocks are set, and what a policy may say."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from governance import policy
from governance.gate import instant
from governance.window import DAYS, day_names, read, window_of
from tests.unit.test_checks import only
from tests.unit.test_gate import complete_case
from tests.unit.test_policy import clauses, problems, stage

MINUTE = timedelta(minutes=1)
# Clocks are set there on these days: an hour, half an hour, at midnight, a whole day left out, twice around Ramadan.
ZONES = {
    "Europe/Paris": ["2026-03-28", "2026-10-24"],
    "America/New_York": ["2026-03-07", "2026-10-31"],
    "Australia/Lord_Howe": ["2026-04-04", "2026-10-03"],
    "America/Santiago": ["2026-04-03", "2026-09-05"],
    "Pacific/Apia": ["2011-12-28", "2026-06-01"],
    "Africa/Casablanca": ["2026-02-14", "2026-03-21"],
    "Asia/Kathmandu": ["2026-06-01"],
    "UTC": ["2026-06-01"],
}
PLACES = [(zone, day) for zone, days in ZONES.items() for day in days]
HOURS = [
    "09:00-16:00", "22:00-06:00", "02:15-02:45", "02:30-05:00", "00:00-24:00", "23:59-00:01", "01:00-24:00",
    "00:00-00:30", "01:30-02:00",
]  # fmt: skip


def local(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def shown(days: set[int], hours: str, moment: datetime, zone: str) -> bool:
    """What a person with a clock and a calendar says."""
    there = moment.astimezone(ZoneInfo(zone))
    start, end = hours.split("-")
    clock, today = f"{there.hour:02}:{there.minute:02}", there.weekday()
    if start < end:
        return today in days and start <= clock < end
    return (today in days and clock >= start) or ((today + 6) % 7 in days and clock < end)


@settings(database=None, deadline=None, max_examples=150)
@given(
    st.sampled_from(PLACES),
    st.sets(st.integers(0, 6), min_size=1),
    st.sampled_from(HOURS)
    | st.tuples(st.integers(0, 1439), st.integers(0, 1439))
    .filter(lambda two: two[0] != two[1])
    .map(lambda two: f"{local(two[0])}-{local(two[1])}"),
    st.integers(0, 2 * 86400),
)
@example(("Europe/Paris", "2026-03-28"), {6}, "02:15-02:45", 0)
@example(("Pacific/Apia", "2011-12-28"), {4}, "09:00-16:00", 0)
def test_the_next_change_is_what_a_walk_finds(
    place: tuple[str, str], days: set[int], hours: str, seconds: int
) -> None:
    zone, day = place
    window = window_of(read({"days": [DAYS[one] for one in days], "hours": hours, "zone": zone}))
    now = datetime.fromisoformat(f"{day}T00:00:00+00:00") + timedelta(seconds=seconds)
    is_open = shown(days, hours, now, zone)
    assert window.is_open(now) == is_open
    found = window.next_change(now)
    # The walk goes from minute to minute, as far as the answer; without one, so far that none can come.
    end = found or now + timedelta(days=21)
    at = now.replace(second=0) + MINUTE
    while at < end:
        assert shown(days, hours, at, zone) == is_open, at
        at += MINUTE
    if found is not None:
        assert found > now
        assert shown(days, hours, found, zone) != is_open
        assert shown(days, hours, found - timedelta(microseconds=1), zone) == is_open


def test_a_window_that_never_changes_says_so() -> None:
    assert (
        window_of(read({"days": "mon-sun", "hours": "00:00-24:00", "zone": "UTC"})).next_change(
            datetime(2026, 1, 1, tzinfo=UTC)
        )
        is None
    )


@pytest.mark.parametrize(
    "said, days",
    [
        ("mon-thu", ["mon", "tue", "wed", "thu"]),
        ("fri-mon", ["mon", "fri", "sat", "sun"]),
        ("sat", ["sat"]),
        (["tue", "mon", "mon-tue"], ["mon", "tue"]),
        ("mon-mon", ["mon"]),
    ],
)
def test_days_have_one_spelling(said: object, days: list[str]) -> None:
    assert read({"days": said, "hours": "09:00-16:00", "zone": "UTC"})["days"] == days


def test_days_in_a_row_are_told_as_such() -> None:
    assert day_names(["mon", "tue", "thu"]) == [("mon", "tue"), ("thu", "thu")]


@pytest.mark.parametrize(
    "window, key, message",
    [
        ('{days: mon-fr, hours: "09:00-16:00", zone: UTC}', "days", "not a day or a range of days"),
        ('{days: Monday, hours: "09:00-16:00", zone: UTC}', "days", "not a day or a range of days"),
        ('{days: [mon, 5], hours: "09:00-16:00", zone: UTC}', "days[1]", "not a text"),
        ('{days: [], hours: "09:00-16:00", zone: UTC}', "days", "empty"),
        ('{days: mon, hours: "9:00-16:00", zone: UTC}', "hours", "are no hours"),
        ('{days: mon, hours: "09:00-25:00", zone: UTC}', "hours", "are no hours"),
        ('{days: mon, hours: "09:00-09:00", zone: UTC}', "hours", "ends when it begins"),
        ('{days: mon, hours: "24:00-09:00", zone: UTC}', "hours", "are no hours"),
        ('{days: mon, hours: "09:00-16:00", zone: Europe/Pariss}', "zone", "not a time zone"),
        ('{days: mon, hours: "09:00-16:00", zone: ../../etc/passwd}', "zone", "not a time zone"),
        ('{days: mon, hours: "09:00-16:00", zone: europe/paris}', "zone", "not a time zone"),
    ],
)
def test_the_policy_says_where_it_is_wrong(window: str, key: str, message: str) -> None:
    (problem,) = problems(stage(f"window: {window}"))
    assert problem.path.endswith(f".window.{key}")
    assert problem.line == 7
    assert message in problem.message
    assert problem.remedy


def test_what_it_comes_to_and_until_when() -> None:
    # Saturday 21 November 2026, 10:00 UTC.
    (asked,) = clauses('window: {days: [mon-thu, sat], hours: "09:00-16:00", zone: Europe/Paris}')
    assert (asked.key, asked.params["days"]) == ("window", ["mon", "tue", "wed", "thu", "sat"])
    now = complete_case(requirements=(asked,))
    found = only(now, "window")
    assert (found.state, found.code, found.unblock) == ("met", "window_open", ())
    assert found.holds_until == "2026-11-21T15:00:00.000000Z"
    late = complete_case(requirements=(asked,), at=instant(datetime(2026, 11, 21, 15, tzinfo=UTC)))
    found = only(late, "window")
    assert (found.state, found.code) == ("not_met", "window_closed")
    assert found.holds_until == "2026-11-23T08:00:00.000000Z"


def test_a_zone_that_is_not_known_here_cannot_be_told() -> None:
    asked = policy.clause("window", {"days": ["mon"], "hours": "09:00-16:00", "zone": "Mars/Olympus"})
    assert only(complete_case(requirements=(asked,)), "window").state == "cannot_tell"
