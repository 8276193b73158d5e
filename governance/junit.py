"""JUnit XML: reads what DSS answers for tests, and writes one report of the scenarios the portal ran itself.

The XML comes from outside, so it is parsed with defusedxml, bounded in size, without document types or entities. Not
in charge of running scenarios or of judging them.
"""

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any, Literal
from xml.etree.ElementTree import Element, ParseError, SubElement, tostring

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import iterparse

from portal.errors import Invalid

MAX_BYTES = 5 * 1024 * 1024
MAX_CASES = 20_000
MAX_SUITES = 10_000
MAX_NODES = 300_000  # elements; a million of nothing takes many seconds to read
MAX_KEPT = 5_000  # tests of one report that are judged; every judgement reads them
MAX_NAME = 300
MAX_TOLD = 50  # of those that did not pass, how many messages are kept
MAX_MESSAGE = 4000
MAX_DEPTH = 20

CaseOutcome = Literal["passed", "failed", "error", "skipped"]

_SUITES = ("testsuites", "testsuite")

# What XML 1.0 cannot hold, not even escaped.
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class JUnitError(Invalid):
    """A file that is no usable JUnit report; the sentence says why and what to do."""


@dataclass(frozen=True, slots=True)
class TestCase:
    """One case of a report; `seconds` is 0 where the report does not say."""

    __test__ = False  # not a test of ours, whatever its name

    suite: str
    classname: str
    name: str
    outcome: CaseOutcome
    message: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Report:
    """All cases of a report, in its order."""

    cases: tuple[TestCase, ...]

    def count(self, outcome: CaseOutcome) -> int:
        """How many cases came to an outcome."""
        return sum(case.outcome == outcome for case in self.cases)

    @property
    def green(self) -> bool:
        """At least one case passed, and none failed or broke."""
        return bool(self.count("passed")) and not self.count("failed") and not self.count("error")


@dataclass(frozen=True, slots=True)
class ScenarioRun:
    """One scenario the portal ran: DSS's outcome (SUCCESS, WARNING, FAILED, ABORTED, or "" if it never ran)."""

    scenario: str
    name: str
    outcome: str
    seconds: float
    started: str
    message: str = ""


def parse(text: bytes, max_bytes: int = MAX_BYTES) -> Report:
    """The cases of a JUnit XML file; raises JUnitError for anything else, however it was made."""
    if len(text) > max_bytes:
        raise JUnitError(
            f"The test report is larger than {max_bytes // 1024} KiB. Split it into several reports.",
            code="junit_too_large",
        )
    try:
        return Report(tuple(_cases(io.BytesIO(text))))
    except DefusedXmlException:
        raise JUnitError(
            "The test report declares a document type or entities, which a test report never needs. "
            "Write it again without them.",
            code="junit_entities",
        ) from None
    except (ParseError, ValueError, LookupError) as error:
        raise JUnitError(
            f"The test report is not well-formed XML ({error}). Write it again and upload the whole file.",
            code="junit_malformed",
        ) from None


def as_result(report: Report) -> dict[str, Any]:
    """A report as it is kept with the evidence, in the shape of scenario runs: `{v, listed, runs, skipped}`.

    A test is called `classname.name`. Of one that is there several times the worst outcome counts; what was skipped is
    not listed. Raises JUnitError where it holds no test, or more than MAX_KEPT.
    """
    worst: dict[str, TestCase] = {}
    for case in report.cases:
        name = (
            ".".join(filter(None, (case.classname, case.name)))[:MAX_NAME]
            or case.suite[:MAX_NAME]
            or "unnamed"
        )
        held = worst.get(name)
        if held is None or _WORSE.index(case.outcome) > _WORSE.index(held.outcome):
            worst[name] = case
    if not worst:
        raise JUnitError(
            "The test report holds no test. Send the report of a run that tested something.",
            code="junit_empty",
        )
    if len(worst) > MAX_KEPT:
        raise JUnitError(
            f"The test report holds more than {MAX_KEPT} tests. Report those that concern this project.",
            code="junit_too_many",
        )
    runs: list[dict[str, Any]] = []
    told = 0
    for name, case in worst.items():
        if case.outcome == "skipped":
            continue
        run: dict[str, Any] = {"scenario": name, "outcome": _DSS[case.outcome], "seconds": case.seconds}
        if case.message and case.outcome != "passed" and told < MAX_TOLD:
            told += 1
            run["message"] = _clean(case.message)[:MAX_NAME]
        runs.append(run)
    return {
        "v": 1,
        "listed": [run["scenario"] for run in runs],
        "runs": runs,
        "skipped": [name for name, case in worst.items() if case.outcome == "skipped"],
    }


def compose(runs: Sequence[ScenarioRun], suite: str = "scenarios") -> bytes:
    """The JUnit XML of scenario runs, in their order. WARNING passes here and says so; the policy decides about it."""
    outcomes = [_outcome(run.outcome) for run in runs]
    counts = {
        "tests": str(len(runs)),
        "failures": str(outcomes.count("failed")),
        "errors": str(outcomes.count("error")),
        "skipped": str(outcomes.count("skipped")),
        "time": f"{sum(run.seconds for run in runs):.3f}",
    }
    root = Element("testsuites", {"name": _clean(suite), **counts})
    attributes = {"name": _clean(suite), **counts}
    if runs:
        attributes["timestamp"] = min(run.started for run in runs)
    body = SubElement(root, "testsuite", attributes)
    for run, outcome in zip(runs, outcomes, strict=True):
        case = SubElement(
            body,
            "testcase",
            {
                "classname": _clean(run.scenario),
                "name": _clean(run.name or run.scenario),
                "time": f"{run.seconds:.3f}",
            },
        )
        message = _clean(run.message)[:MAX_MESSAGE]
        if outcome == "failed":
            SubElement(case, "failure", {"type": run.outcome, "message": message}).text = message
        elif outcome == "error":
            SubElement(case, "error", {"type": _clean(run.outcome), "message": message}).text = message
        elif outcome == "skipped":
            SubElement(case, "skipped", {"message": message or "The scenario did not run."})
        elif run.outcome == "WARNING" or message:
            SubElement(case, "system-out").text = f"{run.outcome}: {message}".removesuffix(": ")
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + tostring(root, encoding="unicode").encode() + b"\n"


def _outcome(dss: str) -> CaseOutcome:
    if dss in ("SUCCESS", "WARNING"):
        return "passed"
    if dss == "FAILED":
        return "failed"
    return "error" if dss else "skipped"


@dataclass(slots=True)
class _Suite:
    """A suite that is being read: how many tests it says failed or broke, and how many did so far."""

    name: str
    announced: int
    bad: int = 0


def _cases(file: IO[bytes]) -> Iterator[TestCase]:
    """The cases in their order; what was read is let go, so that memory is that of the cases alone.

    What a suite itself failed at, such as its setting up, is a case of no name.
    """
    above: list[Element] = []
    suites: list[_Suite] = []
    count = begun = nodes = inside = 0
    for event, node in iterparse(
        file, events=("start", "end"), forbid_dtd=True, forbid_entities=True, forbid_external=True
    ):
        name = _name(node)
        if event == "start":
            if not above and name not in _SUITES:
                raise JUnitError(
                    f"The file is XML but not a JUnit report: it begins with {name[:50]}, not with testsuites or "
                    "testsuite. Choose the JUnit file.",
                    code="junit_other",
                )
            above.append(node)
            nodes += 1
            if name in _SUITES and not inside:
                begun += 1
                suites.append(
                    _Suite(node.get("name") or (suites[-1].name if suites else ""), _announced(node))
                )
            inside += name == "testcase"
            _check_bounds(len(suites), begun, nodes)
            if len(above) > 2 * MAX_DEPTH:
                raise _too_deep()
            continue
        above.pop()
        inside -= name == "testcase"
        if inside:
            continue
        found: TestCase | None = None
        if above and _name(above[-1]) in _SUITES:
            if name == "testcase":
                found = _case(node, suites[-1].name)
            elif name in ("failure", "error"):
                said = (node.get("message") or node.text or "").strip()[:MAX_MESSAGE]
                found = TestCase(
                    suites[-1].name, "", "", "failed" if name == "failure" else "error", said, 0.0
                )
        if found is not None:
            if count >= MAX_CASES:
                raise JUnitError(
                    f"The test report holds more than {MAX_CASES} cases. Split it into several reports.",
                    code="junit_too_many",
                )
            count += 1
            suites[-1].bad += found.outcome in ("failed", "error")
            yield found
        if name in _SUITES:
            _close(suites)
        if above:
            above[-1].remove(node)


def _close(suites: list[_Suite]) -> None:
    """The last suite is over: what failed in it failed in the one around it, and some did if it says so."""
    over = suites.pop()
    if suites:
        suites[-1].bad += over.bad
    if over.announced and not over.bad:
        raise JUnitError(
            f"The suite “{over.name[:MAX_NAME]}” says that {over.announced:,} of its tests failed, and holds none that "
            "did. Send the report as it was written, whole.",
            code="junit_counts",
        )


def _announced(node: Element) -> int:
    """How many failures and errors a suite says it has; what is no number says nothing."""
    said = [node.get(name, "") for name in ("failures", "errors")]
    return sum(int(one) for one in said if one.isascii() and one.isdecimal() and len(one) < 10)


def _check_bounds(deep: int, begun: int, nodes: int) -> None:
    if deep > MAX_DEPTH + 1:
        raise _too_deep()
    if nodes > MAX_NODES:
        raise JUnitError(
            f"The test report is made of more than {MAX_NODES:,} elements. Split it, or leave out properties.",
            code="junit_too_many",
        )
    if begun > MAX_SUITES:
        raise JUnitError(
            f"The test report holds more than {MAX_SUITES} suites. Split it into several reports.",
            code="junit_too_many",
        )


def _too_deep() -> JUnitError:
    return JUnitError(
        "The test report nests its suites too deeply. Write a flat report.", code="junit_too_deep"
    )


def _case(node: Element, suite: str) -> TestCase:
    outcome: CaseOutcome = "passed"
    message = ""
    for child in node:
        found: CaseOutcome | None = {"failure": "failed", "error": "error", "skipped": "skipped"}.get(  # type: ignore[assignment]
            _name(child)
        )
        # A case may carry several; the worst one is its outcome.
        if found and _WORSE.index(found) > _WORSE.index(outcome):
            outcome = found
            message = (child.get("message") or child.text or "").strip()[:MAX_MESSAGE]
    return TestCase(
        suite, node.get("classname", ""), node.get("name", ""), outcome, message, _seconds(node.get("time"))
    )


# JUnit tells an assertion that failed from a test that broke; to a gate both did not pass.
_DSS = {"passed": "SUCCESS", "failed": "FAILED", "error": "FAILED"}
_WORSE: tuple[CaseOutcome, ...] = ("passed", "skipped", "failed", "error")


def _seconds(text: str | None) -> float:
    """Some writers use a thousands comma; a time that cannot be read is no reason to lose the result."""
    try:
        value = float((text or "0").replace(",", ""))
    except ValueError:
        return 0.0
    return value if 0 <= value < 1e9 else 0.0


def _name(node: Element) -> str:
    """The tag without its namespace."""
    return str(node.tag).rpartition("}")[2]


def _clean(text: str) -> str:
    return _ILLEGAL.sub("\ufffd", text)
