"""Another system says what a check came to: only with its key, each delivery once, and a stranger learns nothing."""

import json
import logging
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from deployments.judging import judge_now
from governance.actions import policies
from governance.external_checks import LIMIT, signature
from governance.models import Evidence, ExternalDelivery
from portal import ledger
from portal.event_kinds import EventKind
from portal.models import Bundle, Event
from tests.api import session
from tests.cast import POLICY, Cast, make_cast
from tests.conftest import Database
from tests.factories import bundle_registered, request_at
from tests.pages import signed_in, words

KEY = "0123456789abcdef" * 4
ASKS = POLICY.replace(
    "      qa:\n        requires: []",
    "      qa:\n        requires: [{external_check: {name: security-scan, max_age: 7d}}]",
)
SCAN = "security-scan"


@pytest.fixture(autouse=True)
def key(tmp_path: Path, settings: Any) -> Path:
    """The key of the check, where settings look for it."""
    file = tmp_path / SCAN
    file.write_text(KEY + "\n")
    file.chmod(0o600)
    settings.CHECK_KEY_DIR = str(tmp_path)
    return file


@pytest.fixture
def bundle(cast: Cast) -> Bundle:
    """A bundle of a project whose policy asks for the check."""
    policies.publish(by=cast.ada, source=ASKS)
    return bundle_registered(cast)


def message(bundle: Bundle, **changes: Any) -> dict[str, Any]:
    return {
        "name": SCAN,
        "delivery": "scan-1",
        "project": "CHURN",
        "bundle_id": bundle.bundle_id,
        "parts": dict(bundle.parts),
        "state": "passed",
        "link": "https://scanner.example/runs/1",
        "summary": "40 rules, none broken.",
    } | changes


def send(
    said: Any,
    *,
    key: str = KEY,
    at: int | None = None,
    name: str = SCAN,
    signed: str | None = None,
    **more: Any,
) -> Any:
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    time = str(int(timezone.now().timestamp()) if at is None else at)
    headers = {
        "Countersign-Timestamp": time,
        "Countersign-Signature": signature(key, time, body) if signed is None else signed,
    }
    return Client().post(
        f"/api/v1/external-checks/{name}/", body, content_type="application/json", headers=headers, **more
    )


def test_what_it_says_is_evidence_and_opens_the_gate(cast: Cast, bundle: Bundle) -> None:
    wish = request_at(cast, lane=cast.qa, bundle=bundle)
    assert judge_now(wish).verdict.findings[0].code == "evidence_missing"
    answer = send(message(bundle))
    assert answer.status_code == 201, answer.content
    evidence = Evidence.objects.get(kind="external_check")
    assert answer.json()["evidence"] == evidence.pk
    assert (evidence.name, evidence.stage, evidence.parts) == (SCAN, "", bundle.parts)
    assert evidence.author.is_system
    (finding,) = judge_now(wish).verdict.findings
    assert (finding.state, finding.code) == ("met", "external_passed")
    recorded = ledger.events(kinds=[EventKind.EVIDENCE_RECORDED])
    (event,) = [one for one in recorded if one.facts["evidence"] == "external_check"]
    assert (event.subject, event.facts["evidence"]) == (evidence.subject, "external_check")
    assert (event.facts["source"]["check"], event.facts["source"]["delivery"]) == (SCAN, "scan-1")
    assert (
        send(message(bundle, delivery="scan-2", state="failed", summary="2 rules broken.")).status_code == 201
    )
    assert judge_now(wish).verdict.findings[0].code == "external_failed"


def test_pages_and_api_show_it(cast: Cast, bundle: Bundle) -> None:
    send(message(bundle, summary="<b>None</b> broken."))
    wish = request_at(cast, lane=cast.qa, bundle=bundle)
    answer = signed_in(cast.dev).get(f"/projects/CHURN/requests/{wish.pk}/")
    assert "Security scan passed" in words(answer)
    assert b"&lt;b&gt;None&lt;/b&gt;" in answer.content
    assert b'href="https://scanner.example/runs/1"' in answer.content
    rows = session(cast.dev).rows("projects/CHURN/bundles/v1/evidence/")
    (row,) = [one for one in rows if one["kind"] == "external_check"]
    assert (row["kind"], row["name"], row["stage"]) == ("external_check", SCAN, "")
    assert session(cast.dev).get(f"evidence/{row['id']}/")["result"]["state"] == "passed"


def test_the_same_delivery_counts_once(bundle: Bundle) -> None:
    first, again = send(message(bundle)), send(message(bundle))
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert Evidence.objects.exclude(kind="project").count() == ExternalDelivery.objects.count() == 1
    other = send(message(bundle, state="failed"))
    assert (other.status_code, other.json()["code"]) == (409, "delivery_used")
    assert Evidence.objects.exclude(kind="project").count() == 1


def test_a_message_captured_long_ago_says_nothing(bundle: Bundle) -> None:
    now = int(timezone.now().timestamp())
    for at in (now - 301, now + 360, 0):  # time goes on while it is sent
        answer = send(message(bundle), at=at)
        assert (answer.status_code, answer.json()["code"]) == (401, "signed_long_ago")
    assert not Evidence.objects.exclude(kind="project").exists()


def test_an_older_result_that_comes_late_is_refused(bundle: Bundle) -> None:
    now = int(timezone.now().timestamp())
    assert send(message(bundle, state="failed"), at=now).status_code == 201
    late = send(message(bundle, delivery="scan-0"), at=now - 60)
    assert (late.status_code, late.json()["code"]) == (409, "result_older")


def test_an_older_result_of_a_bundle_with_equal_parts_comes_too_late_as_well(
    cast: Cast, bundle: Bundle
) -> None:
    now = int(timezone.now().timestamp())
    same = bundle_registered(cast, "v1-again")
    other = bundle_registered(cast, "v2", {"project_config/recipes/score.py": "score(2)"})
    assert send(message(same, state="failed"), at=now).status_code == 201
    late = send(message(bundle, delivery="scan-0"), at=now - 100)
    assert (late.status_code, late.json()["code"]) == (409, "result_older")
    assert send(message(other, delivery="scan-2"), at=now - 100).status_code == 201


def strangers(bundle: Bundle) -> list[Any]:
    """What somebody without the key may try."""
    said = message(bundle)
    return [
        send(said, key="another" * 8),
        send(said, key=""),
        send(said, signed=""),
        send(said, signed="v1="),
        send(said, signed="v1=" + "0" * 64),
        send(said, signed="sha256=" + "0" * 64),
        send(said, name="no-such-check"),
        send(said, name="no-such-check", key="another" * 8),
        send({**said, "project": "NOWHERE"}, key="another" * 8),
        send(b"not json", key="another" * 8),
        send(b"", key="another" * 8),
        send(said, at=0, key="another" * 8),
        Client().post(f"/api/v1/external-checks/{SCAN}/", said, content_type="application/json"),
        Client().post(
            f"/api/v1/external-checks/{SCAN}/",
            said,
            content_type="application/json",
            headers={"Countersign-Timestamp": "١٢", "Countersign-Signature": "v1=é"},
        ),
    ]


def test_a_stranger_gets_one_answer_whatever_they_try(
    bundle: Bundle, caplog: pytest.LogCaptureFixture
) -> None:
    before = Event.objects.count()
    with caplog.at_level(logging.INFO):
        answers = strangers(bundle)
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1
    assert answers[0]["Content-Type"] == "application/problem+json"
    assert KEY not in caplog.text
    assert Event.objects.count() == before
    assert not Evidence.objects.exclude(kind="project").exists()


def test_without_a_key_or_with_a_short_one_nobody_gets_in(bundle: Bundle, key: Path) -> None:
    key.write_text("short")
    assert send(message(bundle), key="short").status_code == 401
    key.unlink()
    for guess in ("", "0" * 64, KEY):
        assert send(message(bundle), key=guess).status_code == 401


def test_a_key_of_the_environment_does(
    bundle: Bundle, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CHECK_KEY_DIR = ""
    monkeypatch.setenv("COUNTERSIGN_CHECK_KEY_SECURITY_SCAN", KEY)
    assert send(message(bundle)).status_code == 201


def test_who_has_the_key_is_told_what_is_wrong(cast: Cast, bundle: Bundle) -> None:
    parts = dict(bundle.parts)
    part = next(iter(parts))
    light = {**message(bundle), "project": "MAINT"}
    cases: list[tuple[Any, int, str]] = [
        (message(bundle, project="NOWHERE"), 404, "bundle_unknown"),
        (message(bundle, bundle_id="v9"), 404, "bundle_unknown"),
        (light, 404, "bundle_unknown"),
        (message(bundle, parts={**parts, part: "0" * 64}), 409, "parts_differ"),
        (message(bundle, parts={part: parts[part]}), 409, "parts_differ"),
        (message(bundle, parts={**parts, "made-up": "0" * 64}), 409, "parts_differ"),
        (message(bundle, parts={}), 400, "input_invalid"),
        (message(bundle, parts={part: "x"}), 400, "input_invalid"),
        (message(bundle, parts=[1]), 400, "input_invalid"),
        (message(bundle, state="perhaps"), 400, "input_invalid"),
        (message(bundle, link="javascript:alert(1)"), 400, "input_invalid"),
        (message(bundle, link="https://["), 400, "input_invalid"),
        (message(bundle, summary="x" * 2001), 400, "input_invalid"),
        (message(bundle, delivery="a b"), 400, "input_invalid"),
        (message(bundle, more=1), 400, "input_invalid"),
        (message(bundle, name="other"), 400, "check_differs"),
        ([1], 400, "input_invalid"),
        (b"{", 400, "not_json"),
        (b"\xff", 400, "not_json"),
        (b'{"a":' * 5000, 400, "body_too_deep"),
    ]
    for said, status, code in cases:
        answer = send(said)
        assert (answer.status_code, answer.json()["code"]) == (status, code), answer.content
    policies.publish(by=cast.ada, source=POLICY)
    answer = send(message(bundle))
    assert (answer.status_code, answer.json()["code"]) == (409, "check_not_asked")
    assert not Evidence.objects.exclude(kind="project").exists()


def test_too_much_is_refused_before_it_is_read(bundle: Bundle) -> None:
    answer = send(b" " * (LIMIT + 1))
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    for length in ("-1", "many", str(10**12)):
        answer = send(message(bundle), CONTENT_LENGTH=length)
        assert answer.status_code == 413
    assert send(b" " * 100 + json.dumps(message(bundle)).encode()).status_code == 201


def test_one_delivery_sent_by_eight_at_once_is_recorded_once(database_copy: Database) -> None:
    cast = make_cast()
    policies.publish(by=cast.ada, source=ASKS)
    bundle = bundle_registered(cast)
    at = int(timezone.now().timestamp())
    barrier, found = Barrier(8), []

    def one() -> None:
        try:
            barrier.wait()
            found.append(send(message(bundle), at=at).status_code)
        finally:
            connection.close()

    threads = [Thread(target=one) for _one in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [200] * 7 + [201]
    assert Evidence.objects.filter(kind="external_check").count() == 1
