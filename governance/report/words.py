"""How a report writes times, spans, numbers and states: in print nothing is relative and nothing can be hovered over.

All times are UTC and say so once per page head or table, except those of signatures, which carry the signer's zone.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

NOT_SAID = "\u2013"

_STEPS = {
    "pass_gate": "Gate judged",
    "check_target": "Target checked",
    "publish_bundle": "Bundle published, its parts compared",
    "prepare_deployment": "Deployment prepared",
    "pass_gate_again": "Gate judged again",
    "pass_rollback_gate": "Earlier run confirmed",
    "go_live": "Live change begun",
    "start_update": "Update started",
    "await_update": "Update followed to its end",
    "confirm_live": "Active bundle confirmed",
    "check_health": "Health checked",
    "run_tests": "Tests run",
    "smoke_test": "Smoke test run",
    "watch": "Watched",
    "disable_deployment": "Deployment switched off",
    "confirm_disabled": "Switching off confirmed",
}


def moment(text: str) -> datetime:
    """The aware time of an RFC 3339 text."""
    return datetime.fromisoformat(text)


def day(at: datetime) -> str:
    """`21 November 2026`."""
    at = at.astimezone(UTC)
    return f"{at.day} {_month(at.month)} {at.year}"


def instant(at: datetime) -> str:
    """`21 November 2026, 14:03:07 UTC`."""
    return f"{day(at)}, {clock(at)} UTC"


def clock(at: datetime) -> str:
    """`14:03:07`, in UTC."""
    return f"{at.astimezone(UTC):%H:%M:%S}"


def date(at: datetime) -> str:
    """`2026-11-21`, in UTC, for tables with a line for each event."""
    return f"{at.astimezone(UTC):%Y-%m-%d}"


def local(at: datetime, zone: str) -> str:
    """`21 Nov 2026 09:52:18 +01:00` in a person's own zone; UTC where this machine does not know the zone."""
    try:
        there = at.astimezone(ZoneInfo(zone))
    except (KeyError, ValueError, OSError):
        there = at.astimezone(UTC)
    offset = f"{there:%z}"
    return f"{there.day} {_month(there.month)[:3]} {there.year} {there:%H:%M:%S} {offset[:3]}:{offset[3:]}"


def span(seconds: float) -> str:
    """`0.42 s`, `12 s`, `1 min 12 s`, `2 h 3 min`."""
    seconds = max(0.0, seconds)
    if seconds < 10:
        return f"{seconds:.2f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def grouped(digest: str) -> str:
    """A digest in groups of four, so that it can be read aloud and compared."""
    return " ".join(digest[at : at + 4] for at in range(0, len(digest), 4))


def size(count: int) -> str:
    """`412 bytes`, `4.1 MB`."""
    if count < 1000:
        return ngettext("%(n)s byte", "%(n)s bytes", count) % {"n": count}
    for unit, width in (("kB", 10**3), ("MB", 10**6), ("GB", 10**9)):
        if count < 1000 * width or unit == "GB":
            return f"{count / width:.1f} {unit}"
    raise AssertionError


def share(value: float | None) -> str:
    """A fraction as a percentage with one decimal."""
    return NOT_SAID if value is None else f"{100 * value:.1f} %"


def ratio(value: float | None) -> str:
    """Two decimals."""
    return NOT_SAID if value is None else f"{value:.2f}"


def range_of(interval: Iterable[float | None] | None, show: Any) -> str:
    """`0.89 to 0.97`, each end written by `show`."""
    if interval is None:
        return NOT_SAID
    low, high = interval
    if low is None:
        return NOT_SAID
    if high is None:
        return _("from %(low)s upwards") % {"low": show(low)}
    return _("%(low)s to %(high)s") % {"low": show(low), "high": show(high)}


def spelled(count: int) -> str:
    """Numbers up to ten in words."""
    words = (
        _("no"), _("one"), _("two"), _("three"), _("four"), _("five"), _("six"), _("seven"), _("eight"), _("nine"),
        _("ten"),
    )  # fmt: skip
    return words[count] if count < len(words) else f"{count:,}"


def series(words: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    printed = list(words)
    if len(printed) < 2:
        return "".join(printed)
    return _("%(first)s and %(last)s") % {"first": ", ".join(printed[:-1]), "last": printed[-1]}


def capital(text: str) -> str:
    """The first letter in upper case, the rest as it is."""
    return text[:1].upper() + text[1:]


def inside(name: str) -> str:
    """A stage's name inside a sentence: `Production` is production, `QA` stays."""
    first = name.split(" ")[0]
    return name if first.isupper() and len(first) > 1 else name[:1].lower() + name[1:]


def topic(name: str) -> str:
    """A role, kind or column as words: `model-risk` is model risk."""
    return name.replace("-", " ").replace("_", " ")


def step(name: str) -> str:
    """A step of a promotion as a reader calls it."""
    return _(_STEPS.get(name, "")) if name in _STEPS else capital(topic(name))


def source(facts: Mapping[str, Any]) -> str:
    """Where evidence was read, as a sentence where it is known what its facts are, else field by field."""
    for names, say in _SOURCES:
        if names <= facts.keys():
            return say(facts)
    return "; ".join(f"{topic(key)} {_value(value)}" for key, value in sorted(facts.items())) or NOT_SAID


def kind_of_file(media_type: str) -> str:
    """What kind of file a document is, in a word where it is one that can be uploaded."""
    kind = media_type.partition(";")[0]
    return {
        "application/pdf": "PDF",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document": _("Word document"),
        "text/markdown": "Markdown",
        "text/plain": _("plain text"),
    }.get(kind, kind)


def _dataset(facts: Mapping[str, Any]) -> str:
    said = _("Dataset %(dataset)s on the node %(node)s") % facts
    if facts.get("built_at"):
        said += ", " + _("built on %(when)s") % {"when": instant(moment(facts["built_at"]))}
    return said + ". " + _("Outcome %(outcome)s; favourable is %(favourable)s.") % facts


def _model(facts: Mapping[str, Any]) -> str:
    version = str(facts["version"])
    said = _("Model %(model)s, version %(version)s") % {"model": facts["model"], "version": version}
    if version.isdecimal() and len(version) == 13:  # DSS calls a version by when it was made
        said += ", " + _("made on %(when)s") % {
            "when": instant(datetime.fromtimestamp(int(version) / 1000, UTC))
        }
    if facts.get("dataset"):
        said += "; " + _("rows of dataset %(dataset)s") % {"dataset": facts["dataset"]}
        if facts.get("built_at"):
            said += ", " + _("built on %(when)s") % {"when": instant(moment(facts["built_at"]))}
    return f"{said}."


def _promoted(facts: Mapping[str, Any]) -> str:
    return _("Scenarios that promotion %(promotion)s ran on the node %(node)s.") % facts


def _reported(facts: Mapping[str, Any]) -> str:
    return _("The check %(check)s, by a signed message of %(when)s, delivery %(delivery)s.") % {
        "check": facts["check"],
        "when": instant(moment(facts["sent_at"])),
        "delivery": facts["delivery"],
    }


def _brought(facts: Mapping[str, Any]) -> str:
    return _("Figures counted elsewhere, brought in the format %(format)s (SHA-256 of them %(upload)s).") % {
        "format": facts["format"],
        "upload": grouped(str(facts["upload"])),
    }


_SOURCES = (
    (frozenset({"check", "delivery", "sent_at"}), _reported),
    (frozenset({"format", "upload"}), _brought),
    (frozenset({"dataset", "node", "outcome", "favourable"}), _dataset),
    (frozenset({"model", "version"}), _model),
    (frozenset({"promotion", "node"}), _promoted),
)


def answer(name: str, output: Mapping[str, Any]) -> str:
    """What the node answered in a step, in words where the step is known, else field by field."""
    say = _ANSWERS.get(name)
    if say is not None:
        try:
            return say(output)
        except (KeyError, TypeError):  # an output of another version of the step
            pass
    return "; ".join(
        f"{topic(key)}: {_value(value)}"
        for key, value in output.items()
        if not isinstance(value, dict | list)
    )


def _gate(output: Mapping[str, Any]) -> str:
    return _("Every requirement met.") if output["met"] else _("Not every requirement met.")


def _target(output: Mapping[str, Any]) -> str:
    ran = output["active"]
    said = _("%(infra)s takes deployments of the portal") % {"infra": output["infra"]}
    return f"{said}; " + (_("it ran %(active)s.") % {"active": ran} if ran else _("it ran nothing yet."))


def _published(output: Mapping[str, Any]) -> str:
    how = _("Uploaded to the Deployer") if output["uploaded"] else _("Was on the Deployer already")
    equal = (
        _("the archive read back is the registered one, byte for byte.")
        if output["same_archive"]
        else _("the archive read back is another file with equal parts.")
    )
    return f"{how}; {equal}"


def _prepared(output: Mapping[str, Any]) -> str:
    if output["created"]:
        return _("Deployment %(id)s was created.") % {"id": output["deployment"]}
    return _("Deployment %(id)s was found; it held %(previous)s.") % {
        "id": output["deployment"],
        "previous": output["previous"] or _("nothing"),
    }


def _live(output: Mapping[str, Any]) -> str:
    return _("Settings changed.") if output["changed"] else _("Settings said so already.")


def _started(output: Mapping[str, Any]) -> str:
    if output["job"] is not None:
        return _("DSS job %(job)s.") % {"job": output["job"]}
    return _("An update of ours was under way already.")


def _awaited(output: Mapping[str, Any]) -> str:
    said = str(output["answer"] or _("Ended without a message")).rstrip(".")
    if output.get("running_ms") is None:
        return f"{said}."
    return _("%(said)s; DSS worked for %(time)s.") % {
        "said": said,
        "time": span(output["running_ms"] / 1000),
    }


def _active(output: Mapping[str, Any]) -> str:
    return _("The node says that %(active)s is active.") % {"active": output["active"]}


def _health(output: Mapping[str, Any]) -> str:
    return " ".join([f"{output['health']}.", *map(str, output["messages"])])


def _tests(output: Mapping[str, Any]) -> str:
    return _("%(passed)s of %(all)s passed.") % {"passed": output["passed"], "all": len(output["listed"])}


def _smoke(output: Mapping[str, Any]) -> str:
    return _("%(scenario)s ended %(outcome)s.") % {
        "scenario": output["scenario"],
        "outcome": output["outcome"],
    }


def _watched(output: Mapping[str, Any]) -> str:
    said = _("%(time)s without a finding.") % {"time": span(output["watched_seconds"])}
    return said + (" " + _("A newer promotion ended the watch.") if output["ended_by_newer"] else "")


def _proven(output: Mapping[str, Any]) -> str:
    return _("It ran there from %(since)s (promotion %(promotion)s) and completed its watch.") % {
        "since": instant(moment(output["ran_since"])),
        "promotion": output["promotion"],
    }


_ANSWERS = {
    "pass_gate": _gate,
    "pass_gate_again": _gate,
    "check_target": _target,
    "publish_bundle": _published,
    "prepare_deployment": _prepared,
    "go_live": _live,
    "start_update": _started,
    "await_update": _awaited,
    "confirm_live": _active,
    "check_health": _health,
    "run_tests": _tests,
    "smoke_test": _smoke,
    "watch": _watched,
    "pass_rollback_gate": _proven,
}


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return NOT_SAID if value is None else str(value)


def _month(number: int) -> str:
    return (
        _("January"), _("February"), _("March"), _("April"), _("May"), _("June"), _("July"), _("August"),
        _("September"), _("October"), _("November"), _("December"),
    )[number - 1]  # fmt: skip
