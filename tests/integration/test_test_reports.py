"""Test reports that pipelines send, and what a bundle holds as it is registered: recorded, judged, refused."""

from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.test import Client

from deployments.judging import judge_bundle
from governance import junit
from governance.actions import policies, test_reports
from governance.models import Evidence
from portal import content, ledger
from portal.errors import Absent, Forbidden, Invalid
from portal.event_kinds import EventKind
from portal.models import Bundle, Event
from tests import factories
from tests.api import session, token
from tests.cast import Cast
from tests.factories import bundle_asked, bundle_registered

PATH = "/api/v1/projects/CHURN/bundles/v1/tests/"
PAGE = "/projects/CHURN/bundles/v1/tests/"


def report(*failing: str, good: int = 19, skipped: int = 0) -> bytes:
    """A JUnit report of tests t0, t1, … that passed, those named that failed, and some that were skipped."""
    cases = [f'<testcase classname="unit" name="t{n}" time="0.1"/>' for n in range(good)]
    cases += [
        f'<testcase classname="unit" name="{name}"><failure message="no"/></testcase>' for name in failing
    ]
    cases += [f'<testcase classname="unit" name="s{n}"><skipped/></testcase>' for n in range(skipped)]
    return f'<testsuites><testsuite name="ci">{"".join(cases)}</testsuite></testsuites>'.encode()


def send(cast: Cast, text: bytes, stage: str = "design", **who: Any) -> Evidence:
    told = {"by": cast.dev, "bundle": Bundle.objects.get(bundle_id="v1"), **who}
    return test_reports.record_report(**told, stage=stage, file=ContentFile(text))


def policy(cast: Cast, *requirements: str) -> None:
    asked = "".join(f"\n          - {one}" for one in requirements)
    source = f"""policy: demo-policy
tiers:
  critical:
    stages:
      qa:
        requires: []
      prod:
        requires: {asked}
"""
    policies.publish(by=cast.ada, source=source)


def found(cast: Cast, bundle_id: str = "v1") -> list[tuple[str, str, str]]:
    bundle = Bundle.objects.select_related("project").get(bundle_id=bundle_id)
    judged = judge_bundle(bundle=bundle, lane=cast.prod, requested_by=cast.dev)
    return [(one.key, one.state, one.code) for one in judged.verdict.findings]


def test_a_report_is_its_senders_and_about_the_parts(cast: Cast) -> None:
    bundle = bundle_registered(cast)
    text = report("t19", skipped=2)
    made = send(cast, text, "qa")
    assert (made.kind, made.stage, made.author, made.bundle) == ("test-report", "qa", cast.dev, bundle)
    assert made.parts == bundle.parts
    assert content.get(made.source["report"]) == text
    event = ledger.events(kinds=[EventKind.EVIDENCE_RECORDED])[-1]
    assert (event.subject, event.actor_id) == (made.subject, str(cast.dev.pk))
    assert (event.facts["evidence"], event.facts["stage"]) == ("test-report", "qa")
    # Sent again it is newer, and the same by its digest: what it says is the same.
    again = send(cast, text, "qa")
    assert (again.digest, again.pk > made.pk) == (made.digest, True)


def test_a_report_is_judged_by_share_and_names(cast: Cast) -> None:
    bundle_registered(cast)
    policy(
        cast,
        "tests: {at: design, from: report, pass_rate: 0.95, max_age: 7d}",
        "tests: {at: design, from: report, name: named, required: [unit.t0, unit.gone], pass_rate: 0.5}",
        'tests: {at: design, from: report, name: some, pattern: "unit.t1*"}',
    )
    assert {code for _key, _state, code in found(cast)} == {"evidence_missing"}
    send(cast, report("t19"))
    assert found(cast) == [
        ("tests:design", "met", "tests_passed"),
        ("tests:design:named", "not_met", "tests_required"),
        ("tests:design:some", "not_met", "tests_failed"),
    ]
    send(cast, report("t19", "t20"))
    assert found(cast)[0] == ("tests:design", "not_met", "tests_rate")
    # Other parts: it is another bundle's.
    bundle_registered(cast, "v2", {"project_config/recipes/more.py": "x = 1\n"})
    assert {code for _key, _state, code in found(cast, "v2")} == {"evidence_other_parts"}


def test_a_report_never_stands_in_for_what_the_portal_ran(cast: Cast) -> None:
    """Whoever may ask for a promotion could send one that is green."""
    bundle = bundle_registered(cast)
    policy(cast, 'tests: {at: qa, pattern: "*"}', "tests: {at: qa, name: sent, from: report}")
    send(cast, report(), "qa")
    assert [state for _key, state, _code in found(cast)] == ["not_met", "met"]
    factories.tests_passed(cast, bundle)
    assert [state for _key, state, _code in found(cast)] == ["met", "met"]


def test_what_a_bundle_holds_is_measured_as_it_is_registered(cast: Cast) -> None:
    long = "x = 1\n" * 500
    many = "def f(a):\n" + "".join(f"    if a == {n}:\n        return {n}\n" for n in range(20))
    bundle = bundle_registered(
        cast,
        "v1",
        {
            "project_config/scenarios/TEST_ONE.json": {"id": "TEST_ONE"},
            "project_config/recipes/long.py": long,
            "project_config/recipes/many.py": many,
        },
    )
    held = Evidence.objects.get(kind="project", bundle=bundle)
    assert (held.stage, held.author.is_system, set(held.parts)) == (
        "design",
        True,
        {"automation", "flow", "other"} & set(bundle.parts),
    )
    policy(
        cast,
        "tests: {at: design, scenarios: [TEST_ONE]}",
        "tests: {at: design, name: all, scenarios: [TEST_ONE, TEST_TWO], max_age: 30d}",
        "tests: {at: design, name: lines, recipes: {lines: 499}}",
        "tests: {at: design, name: complexity, recipes: {complexity: 20}}",
        "tests: {at: design, name: loose, recipes: {lines: 500, complexity: 21}}",
    )
    assert [(state, code) for _key, state, code in found(cast)] == [
        ("met", "project_sound"),
        ("not_met", "project_unsound"),
        ("not_met", "project_unsound"),
        ("not_met", "project_unsound"),
        ("met", "project_sound"),
    ]


@pytest.mark.parametrize(
    "text, code",
    [
        (b"not xml", "junit_malformed"),
        (b"", "junit_malformed"),
        (report()[:-20], "junit_malformed"),
        (b"<html/>", "junit_other"),
        (b"<testsuites/>", "junit_empty"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]><testsuite name="&a;"/>', "junit_entities"),
        (b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><testsuite/>', "junit_entities"),
        (b"<testsuites>" + b"<testsuite/>" * (junit.MAX_SUITES + 1) + b"</testsuites>", "junit_too_many"),
        (b"<testsuite>" * 100 + b"</testsuite>" * 100, "junit_too_deep"),
        (report(good=junit.MAX_KEPT + 1), "junit_too_many"),
        (b"<testsuite>" + b" " * junit.MAX_BYTES + b"</testsuite>", "junit_too_large"),
    ],
)
def test_what_cannot_be_used_is_refused(cast: Cast, text: bytes, code: str) -> None:
    bundle_registered(cast)
    with pytest.raises(Invalid) as refused:
        send(cast, text)
    assert (refused.value.field, refused.value.code) == ("file", code)
    assert not Evidence.objects.filter(kind="test-report").exists()


def test_who_may_send_and_of_what(cast: Cast) -> None:
    bundle_registered(cast)
    with pytest.raises(Forbidden):
        send(cast, report(), by=cast.fay)
    with pytest.raises(Forbidden):
        send(cast, report(), "qa", by=cast.fay)
    with pytest.raises(Absent):
        send(cast, report(), by=cast.otto)
    with pytest.raises(Invalid) as refused:
        send(cast, report(), "moon")
    assert (refused.value.field, "design, qa, prod" in refused.value.sentence) == ("stage", True)
    with pytest.raises(Invalid) as refused:
        send(cast, report(), bundle=bundle_asked(cast, "v2"))
    assert refused.value.field == "bundle"


def test_a_pipeline_sends_it_with_a_token(cast: Cast) -> None:
    bundle_registered(cast)
    robot = token(cast.dev, carrying=["request"])
    made = robot.client.post(
        f"{PATH}?stage=qa", report(), content_type="application/xml", headers=robot.headers
    )
    assert made.status_code == 201, made.content
    assert (made.json()["kind"], made.json()["stage"], made.json()["author"]["login"]) == (
        "test-report",
        "qa",
        "dev",
    )
    form = {"stage": "design", "file": ContentFile(report("x"), "junit.xml")}
    made = robot.client.post(PATH, form, headers=robot.headers)
    assert made.status_code == 201, made.content
    shown = robot.get(f"evidence/{made.json()['id']}/")
    assert [run["outcome"] for run in shown["result"]["runs"]][-1] == "FAILED"


@pytest.mark.parametrize(
    "sent, field",
    [
        ({"data": report(), "content_type": "application/xml"}, "stage"),
        ({"data": {"stage": "design"}}, "file"),
        ({"data": {"stage": "design", "file": ContentFile(b"<x", "x")}}, "file"),
        ({"data": {"stage": "design", "file": ContentFile(report(), "x"), "more": "1"}}, "more"),
        ({"data": "{}", "content_type": "application/json"}, ""),
    ],
)
def test_the_api_names_what_is_wrong(cast: Cast, sent: dict[str, Any], field: str) -> None:
    bundle_registered(cast)
    answer = session(cast.dev).client.post(PATH, **sent)
    assert answer.status_code == (400 if field else 415), answer.content
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json().get("field", "") == field
    before = Event.objects.count()
    assert (
        session(cast.fay)
        .client.post(PATH, {"stage": "design", "file": ContentFile(report(), "x")})
        .status_code
        == 403
    )
    assert Event.objects.count() <= before + 1


def test_it_is_sent_and_shown_on_the_page_of_the_bundle(cast: Cast, client: Client) -> None:
    bundle_registered(cast)
    policy(
        cast,
        "tests: {at: design, from: report}",
        "tests: {at: design, name: x, scenarios: [GONE], recipes: {lines: 1}}",
    )
    client.force_login(cast.dev)
    text = report("bad", good=60, skipped=1)
    answer = client.post(PAGE, {"stage": "design", "file": ContentFile(text, "junit.xml")})
    assert answer.status_code == 302
    shown = client.get("/projects/CHURN/bundles/v1/").content.decode()
    for words in (
        "Test report of the design node",
        "60 of 61 passed",
        "unit.bad",
        "1 was skipped",
        "49 more tests are not shown",
    ):
        assert words in shown, words
    for words in ("Project before packaging", "GONE", "at most 1 line"):
        assert words in shown, words
    made = Evidence.objects.get(kind="test-report")
    saved = client.get(f"/evidence/{made.pk}/junit/")
    assert saved.content == text
    assert saved["Content-Disposition"].startswith("attachment")
    wrong = client.post(PAGE, {"stage": "design", "file": ContentFile(b"<html/>", "junit.xml")})
    assert wrong.status_code == 400
    assert "not a JUnit report" in wrong.content.decode()
