"""JUnit XML in and out: what is read, what is refused, and that one reads the other."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance import junit
from governance.junit import MAX_DEPTH, JUnitError, ScenarioRun, compose, parse

START = "2026-11-21T10:00:00.000000Z"
SAMPLE = b"""<?xml version="1.0"?>
<testsuites><testsuite name="qa">
  <testcase classname="c" name="good" time="1,234.5"/>
  <testcase classname="c" name="bad" time="x"><failure message="rate 0.1">trace</failure></testcase>
  <testcase classname="c" name="broken"><system-out>text</system-out><error>no message</error></testcase>
  <testsuite name="inner"><testcase name="skip"><skipped/></testcase></testsuite>
</testsuite></testsuites>"""
BOMB = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><testsuite name="&b;"/>'


def test_reads_cases() -> None:
    report = parse(SAMPLE)
    assert [(case.suite, case.name, case.outcome, case.message) for case in report.cases] == [
        ("qa", "good", "passed", ""),
        ("qa", "bad", "failed", "rate 0.1"),
        ("qa", "broken", "error", "no message"),
        ("inner", "skip", "skipped", ""),
    ]
    assert report.cases[0].seconds == 1234.5
    assert report.cases[1].seconds == 0
    assert not report.green
    assert report.count("failed") == 1


def test_namespaces_and_single_suites() -> None:
    report = parse(b'<testsuite xmlns="urn:x" name="s"><testcase name="a"/></testsuite>')
    assert report.green
    assert report.cases[0].suite == "s"


@pytest.mark.parametrize(
    "text, code",
    [
        (b"", "junit_malformed"),
        (b"<testsuite>", "junit_malformed"),
        (b"\xff\xfe\x00", "junit_malformed"),
        (b'<?xml version="1.0" encoding="nonsense"?><testsuite/>', "junit_malformed"),
        (b"<html/>", "junit_other"),
        (BOMB, "junit_entities"),
        (b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><testsuite/>', "junit_entities"),
        (b"<testsuite>" * (MAX_DEPTH + 5) + b"</testsuite>" * (MAX_DEPTH + 5), "junit_too_deep"),
        (b"<testsuite/>" + b" " * 6 * 1024 * 1024, "junit_too_large"),
        (b"<testsuite>" + b"<testcase/>" * 20_001 + b"</testsuite>", "junit_too_many"),
        (b'<testsuite failures="2" errors="0"><testcase name="a"/></testsuite>', "junit_counts"),
        (
            b'<testsuites errors="1"><testsuite failures="x"><testcase/></testsuite></testsuites>',
            "junit_counts",
        ),
    ],
)
def test_refuses(text: bytes, code: str) -> None:
    with pytest.raises(JUnitError) as refused:
        parse(text)
    assert refused.value.code == code
    assert (
        refused.value.sentence.count(". ") + refused.value.sentence.endswith(".") >= 2
    )  # why, and the next step


@pytest.mark.parametrize("around", ["testsuite", "testcase"])
def test_refuses_more_elements_than_it_has_time_for(around: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert junit.MAX_NODES == 300_000
    monkeypatch.setattr(junit, "MAX_NODES", 3_000)
    for few, many in ((2_900, False), (3_001, True)):
        inside = f"<{around}>{'<a/>' * few}</{around}>"
        text = f"<testsuites><testsuite>{inside}<testcase/></testsuite></testsuites>".encode()
        if many:
            with pytest.raises(JUnitError) as refused:
                parse(text)
            assert refused.value.code == "junit_too_many"
        else:
            assert parse(text).cases


def test_what_a_suite_itself_failed_at_is_a_failure() -> None:
    report = parse(
        b'<testsuites failures="1" errors="1"><testsuite name="s" errors="1"><testcase name="a"/>'
        b'<error message="no database"/></testsuite><testsuite><testcase name="b"><failure/></testcase></testsuite>'
        b"</testsuites>"
    )
    told = [(case.name, case.outcome, case.message) for case in report.cases]
    assert told == [("a", "passed", ""), ("", "error", "no database"), ("b", "failed", "")]
    assert {run["scenario"]: run["outcome"] for run in junit.as_result(report)["runs"]}["s"] == "FAILED"


def test_an_empty_report_is_not_green() -> None:
    assert not parse(b"<testsuites/>").green


def run(**changes: Any) -> ScenarioRun:
    return replace(ScenarioRun("TEST_A", "A", "SUCCESS", 1.5, START), **changes)


def test_composes_what_it_reads() -> None:
    runs = [
        run(),
        run(outcome="WARNING", message="slow"),
        run(outcome="FAILED", message='<"&> rate'),
        run(outcome="ABORTED"),
        run(outcome=""),
    ]
    text = compose(runs, "CHURN qa")
    assert [case.outcome for case in parse(text).cases] == ["passed", "passed", "failed", "error", "skipped"]
    assert parse(text).cases[2].message == '<"&> rate'
    assert b'tests="5" failures="1" errors="1" skipped="1" time="7.500"' in text
    assert text.count(b'timestamp="' + START.encode()) == 1
    assert b"WARNING: slow" in text


def test_no_runs_make_an_empty_report() -> None:
    assert parse(compose([])).cases == ()


@settings(database=None, deadline=None, max_examples=100)
@given(
    st.text(st.characters(codec="utf-8"), max_size=20),
    st.text(max_size=20).filter(lambda s: "\ud800" not in s),
)
def test_any_text_survives_as_xml(name: str, message: str) -> None:
    (case,) = parse(compose([run(name=name, outcome="FAILED", message=message)])).cases
    assert case.outcome == "failed"


def test_suites_are_bounded_and_let_go() -> None:
    many = b"<testsuites>" + b"<testsuite name='s'><testcase name='t'/></testsuite>" * 3000 + b"</testsuites>"
    assert len(junit.parse(many).cases) == 3000
    with pytest.raises(junit.JUnitError) as refused:
        junit.parse(b"<testsuites>" + b"<testsuite/>" * (junit.MAX_SUITES + 1) + b"</testsuites>")
    assert refused.value.code == "junit_too_many"


def test_a_report_as_it_is_kept() -> None:
    text = b"""<testsuites><testsuite name="s">
        <testcase classname="a.b" name="one" time="0.5"><system-out>many words</system-out></testcase>
        <testcase classname="a.b" name="two"><failure message="1 is not 2">trace</failure></testcase>
        <testcase classname="a.b" name="two"/>
        <testcase name="three"><error message="broke"/></testcase>
        <testcase name="four"><skipped/></testcase>
    </testsuite></testsuites>"""
    assert junit.as_result(junit.parse(text)) == {
        "v": 1,
        "listed": ["a.b.one", "a.b.two", "three"],
        "runs": [
            {"scenario": "a.b.one", "outcome": "SUCCESS", "seconds": 0.5},
            {"scenario": "a.b.two", "outcome": "FAILED", "seconds": 0.0, "message": "1 is not 2"},
            {"scenario": "three", "outcome": "FAILED", "seconds": 0.0, "message": "broke"},
        ],
        "skipped": ["four"],
    }


@pytest.mark.parametrize(
    "text, code",
    [
        (b"<testsuites/>", "junit_empty"),
        (
            b"<testsuite>" + b"".join(b"<testcase name='t%d'/>" % n for n in range(5001)) + b"</testsuite>",
            "junit_too_many",
        ),
    ],
)
def test_a_report_that_is_not_kept(text: bytes, code: str) -> None:
    with pytest.raises(junit.JUnitError) as refused:
        junit.as_result(junit.parse(text))
    assert refused.value.code == code
