"""The ledger and reports over the API."""

from datetime import datetime

import pytest
from django.utils import timezone

from governance.models import Report
from portal import content, ledger
from portal.event_kinds import EventKind
from portal.models import Event
from tests.api import same_at_any_size, session, told
from tests.cast import Cast
from tests.factories import request_at


def test_auditors_read_every_event_in_words(cast: Cast) -> None:
    wish = request_at(cast)
    found = session(cast.nora).get("events/?page_size=200")["results"]
    assert [one["seq"] for one in found] == list(range(Event.objects.count()))
    last = found[-1]
    assert (last["kind"], last["project"], last["subject"]) == (
        "request.submitted",
        "CHURN",
        f"request:{wish.pk}",
    )
    assert last["sentence"] == "Dev Rao asked for v1 to go to qa"
    assert last["facts"]["why"] == "It is better."
    assert datetime.fromisoformat(last["at"]) <= timezone.now()
    assert last["erased"] == []


def test_an_erased_value_is_named(cast: Cast) -> None:
    request_at(cast)
    seq = Event.objects.latest("seq").pk
    assert ledger.erase(seq, "facts.why")
    (last,) = session(cast.nora).rows(f"events/?after={seq - 1}")
    assert (last["erased"], last["facts"]["why"]) == (["why"], None)


def test_events_are_found_by_project_subject_kind_and_place(cast: Cast) -> None:
    wish = request_at(cast)
    nora = session(cast.nora)
    assert {one["project"] for one in nora.rows("events/?project=CHURN")} == {"CHURN"}
    assert [one["kind"] for one in nora.rows(f"events/?subject=request:{wish.pk}")] == ["request.submitted"]
    assert {one["kind"] for one in nora.rows("events/?kind=grant.given")} == {"grant.given"}
    assert nora.rows(f"events/?after={Event.objects.count() - 1}") == []
    for text in ("soon", "--5", "²", "٣", "1e3", "9" * 19, ""):
        told = nora.refused(400, "get", f"events/?after={text}")
        assert (told["code"], told["field"]) == ("not_a_number", "after"), text
    assert nora.rows("events/?after=-5")[0]["seq"] == 0
    assert nora.refused(400, "get", "events/?kind=luck.had")["field"] == "kind"
    nora.absent("get", "events/?project=NOTHING")


def test_events_need_the_right_to_audit(cast: Cast) -> None:
    for path in ("events/", "events/?kind=grant.given"):
        for person in (cast.otto, cast.olga, cast.ada):
            assert session(person).refused(403, "get", path)["code"] == "right_missing"
    session(cast.otto).absent("get", "events/?project=CHURN")
    assert session(cast.olga).refused(403, "get", "events/?project=CHURN")["code"] == "right_missing"


def test_an_audit_of_one_lane_opens_its_project(cast: Cast) -> None:
    session(cast.ada).post(
        "grants/", person="olga", right="audit", project="CHURN", stage="qa", why="Her own."
    )
    olga = session(cast.olga)
    assert olga.rows("events/?project=CHURN")
    assert olga.refused(403, "get", "events/")["code"] == "right_missing"
    olga.absent("get", "events/?project=MAINT")


def test_the_list_of_events_costs_the_same_at_any_size(cast: Cast) -> None:
    def grow(count: int) -> None:
        with ledger.business():
            for _ in range(count):
                ledger.record(
                    EventKind.SIGNED_IN,
                    by=cast.dev,
                    project="",
                    subject="person:test",
                    method="password",
                    factor=None,
                    address="192.0.2.1",
                )

    same_at_any_size(session(cast.nora), "events/?subject=person:test", grow, most=7)


# --- reports ---


def test_a_report_is_asked_for_and_waited_for(cast: Cast) -> None:
    wish = request_at(cast)
    nora = session(cast.nora)
    made = nora.post(f"requests/{wish.pk}/reports/")
    assert told("report.asked").subject == f"report:{made['id']}"
    assert (made["status"], made["about"], made["project"]) == ("asked", f"request:{wish.pk}", "CHURN")
    assert nora.post(f"requests/{wish.pk}/reports/")["id"] == made["id"]
    assert nora.get(f"reports/{made['id']}/") == made
    assert [one["id"] for one in nora.rows(f"reports/?project=CHURN&about=request:{wish.pk}")] == [made["id"]]
    assert [one["id"] for one in nora.get(f"requests/{wish.pk}/")["reports"]] == [made["id"]]
    found = nora.refused(409, "get", f"reports/{made['id']}/pdf/")
    assert found["code"] == "report_not_made"


@pytest.fixture
def report(cast: Cast) -> Report:
    """A report that was made."""
    kept = content.put(b"%PDF-1.7 made up", "application/pdf")
    wish = request_at(cast)
    return Report.objects.create(
        project=cast.churn,
        about=wish.subject,
        status="made",
        asked_by=cast.nora,
        made_at=timezone.now(),
        first=0,
        last=9,
        content=kept,
    )


def test_the_file_of_a_report(cast: Cast, report: Report) -> None:
    nora = session(cast.nora)
    nora.headers = {"Accept": "application/pdf"}
    file = nora.send("get", f"reports/{report.pk}/pdf/")
    assert file.status_code == 200
    assert file["Content-Type"] == "application/pdf"
    assert file["Content-Disposition"].startswith("attachment; filename=")
    assert file.content == b"%PDF-1.7 made up"


def test_reports_are_read_by_who_may_audit(cast: Cast, report: Report) -> None:
    for path in (f"reports/{report.pk}/", f"reports/{report.pk}/pdf/"):
        session(cast.otto).absent("get", path)
        assert session(cast.olga).refused(403, "get", path)["code"] == "right_missing"
    assert session(cast.olga).rows("reports/") == []
    assert session(cast.olga).get(f"requests/{report.about.partition(':')[2]}/")["reports"] == []
    session(cast.otto).absent("post", f"requests/{report.about.partition(':')[2]}/reports/")


def test_the_list_of_reports_costs_the_same_at_any_size(cast: Cast) -> None:
    def grow(count: int) -> None:
        Report.objects.bulk_create(
            Report(project=cast.churn, about="request:1", asked_by=cast.nora) for _ in range(count)
        )

    same_at_any_size(session(cast.nora), "reports/", grow, most=6)
