"""Reports of the story's three requests: what they say, what proves it, and what happens when making one goes wrong."""

import base64
import hashlib
import io
import json
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pypdf
import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoDbBlocker

from governance import tasks
from governance.actions import reports
from governance.models import Report
from governance.report import collect as collecting
from governance.report import printing
from governance.report.compose import compose
from governance.report.values import AuditReport
from governance.statement import verified
from portal import checkpoints, content, ledger, merkle, signing
from portal.dss.sandbox.launch import Sandbox
from portal.errors import Absent, Forbidden, Refused
from portal.event_kinds import EventKind
from portal.ledger import commitment
from portal.models import Person
from tests import databases
from tests.integration import report_story
from tests.integration.report_story import Story
from tests.settings import TEST_DATABASE

K = EventKind


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker) -> Iterator[Story]:
    """The story, played once into a database of this module's own."""
    place = tmp_path_factory.mktemp("story")
    with (
        django_db_blocker.unblock(),
        databases.copied(TEST_DATABASE) as copy,
        databases.pointed_at(copy),
        override_settings(DSS_KEY_DIR=str(place / "keys"), EVENT_TASKS={}, PROJECT_TASKS={}),
        Sandbox(place / "sandbox", pace=0.02) as sandbox,
    ):
        report_story.write_keys(sandbox, place / "keys")
        yield report_story.play(sandbox)
        connections.close_all()


def about(story: Story, bundle: str) -> str:
    return story.requests[bundle].subject


def made(story: Story, bundle: str) -> Report:
    report = reports.ask_report(by=story.people["nora"], project=story.project, about=about(story, bundle))
    reports.make(by=Person.objects.system(), report_pk=report.pk)
    report.refresh_from_db()
    assert report.status == Report.Status.MADE, report.problem
    return report


@pytest.fixture(scope="module")
def of_v3(story: Story) -> Report:
    """The report on v3, printed once."""
    return made(story, "v3")


@pytest.fixture
def _printed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A renderer that prints an empty page, for tests that are about when it is printed."""
    empty = "import sys; sys.stdin.buffer.read(); sys.stdout.write('%PDF-1.7')"
    monkeypatch.setattr(printing, "COMMAND", (sys.executable, "-I", "-S", "-c", empty))


def gathered(story: Story, bundle: str) -> collecting.Gathered:
    return collecting.collect(
        project=story.project.key, about=about(story, bundle), checkpoint=checkpoints.cut()
    )


def composed(story: Story, bundle: str) -> AuditReport:
    return compose(gathered(story, bundle))


def pdf_of(report: Report) -> pypdf.PdfReader:
    return pypdf.PdfReader(io.BytesIO(content.get(str(report.content_id))))


def text_of(reader: pypdf.PdfReader) -> str:
    return " ".join(" ".join(page.extract_text() for page in reader.pages).split())


# --- what the reports say ---------------------------------------------------------------------------------------------


def test_v2_went_to_production(story: Story) -> None:
    report = composed(story, "v2")
    assert report.headline == "Customer churn v2 went to production with every requirement met"
    assert "Dev Rao asked for it" in report.lead
    assert "Three people approved it." in report.lead
    assert "passed three tests and its smoke test" in report.lead
    assert [figure.value for figure in report.figures] == ["9 of 9", "3", "0"]
    assert "and again at" in report.figures[0].words
    assert report.figures[1].words.endswith("none of whom asked, built or promoted")
    assert "differences between the parts signed and the parts that went live" in report.figures[2].words
    assert {line.state for line in report.requirements} == {"met"}
    assert [(one.name, one.role) for one in report.signatures] == [
        ("Fay Okafor", "fairness"),
        ("Eli Brandt", "explainability"),
        ("Ravi Menon", "model risk"),
    ]
    assert report.signatures[0].zone == "Europe/London"
    assert report.signatures[0].comment == "Read with the team; the numbers hold."
    assert {(part.signed, part.runs) for part in report.parts} == {("equal, 3 signatures", "equal")}
    assert [attempt.heading.partition(" ")[0] for attempt in report.attempts] == ["Promotion"]
    assert [step.state for step in report.attempts[0].steps] == ["done"] * 13
    assert [(one.name, one.did) for one in report.refusals] == [("Dev Rao", "sign")]
    assert "you asked for this promotion" in report.refusals[0].reason.lower()
    assert len(report.judgements) == 3
    assert not any(judgement.missing for judgement in report.judgements)


def test_v3_was_rolled_back_and_the_rollback_is_told_on_its_own(story: Story) -> None:
    report = composed(story, "v3")
    assert (
        report.headline == "Customer churn v3 was rolled back to v2 after its smoke test failed in production"
    )
    assert "Countersign by itself put v2 back" in report.lead
    assert report.figures[2].words == "from the live change of v3 until v2 ran again"
    promotion, rollback = report.attempts
    assert promotion.heading.endswith("of v3 to production failed")
    assert rollback.heading.startswith("Rollback")
    assert rollback.heading.endswith("of v2 to production succeeded")
    states = {step.code: step.state for step in promotion.steps}
    assert states["smoke_test"] == "failed"
    assert states["watch"] == "skipped"
    smoke = next(table for table in promotion.tables if table.caption == "Smoke test")
    assert "offer_budget" in smoke.rows[0][3]
    assert {step.state for step in rollback.steps} == {"done"}
    ran = next(fact for fact in promotion.facts if fact.label == "Ran there")
    assert ran.value.startswith("v3, from ")
    assert any(fact.label == "Runs there" and fact.value.startswith("v2, from ") for fact in rollback.facts)


def test_v1_was_refused_and_the_numbers_are_shown(story: Story) -> None:
    report = composed(story, "v1")
    assert (
        report.headline
        == "Customer churn v1 was refused for production because it treats groups of people differently"
    )
    assert report.figures[2].value == "0"
    assert report.figures[2].words == "changes made in production for this request"
    unmet = {line.title: line.because for line in report.requirements if line.state == "not_met"}
    assert "at least 0.80 is asked" in unmet["Groups treated alike by gender and age band"]
    assert not report.attempts
    assert not report.signatures
    fairness = next(piece for piece in report.evidence if piece.heading.startswith("Fairness"))
    gender = next(drawing for drawing in fairness.drawings if drawing.heading == "Gender")
    assert [found.state for found in gender.found] == ["not_met"]
    assert [chart.title for chart in gender.charts] == [
        "Selection rate by gender",
        "Demographic parity ratio",
    ]
    assert any(missing.startswith("Groups treated alike") for missing in report.judgements[-1].missing)


def test_each_act_names_the_grant_that_allowed_it(story: Story) -> None:
    lines = {(one.name, one.did): one for one in composed(story, "v2").authorities}
    assert lines["Dev Rao", "asked"].right == "request, CHURN through Churn team"
    assert lines["Mona Castell", "promoted"].why == "Release manager of churn"
    assert lines["Fay Okafor", "signed fairness"].given.startswith("Ada Novak on ")
    assert len(lines) == 5


def test_the_report_holds_its_own_request_and_not_its_neighbours(story: Story) -> None:
    entries = gathered(story, "v3").entries
    assert {
        e.facts["request"] for e in entries if e.kind in (K.REQUEST_SUBMITTED, K.VERDICT_JUDGED, K.STEP_DONE)
    } == {story.requests["v3"].pk}
    assert {
        e.facts["bundle"]
        for e in entries
        if e.kind in (K.EVIDENCE_RECORDED, K.DOCUMENT_RECORDED, K.SIGNOFF_GIVEN)
    } == {"v3"}
    assert {e.facts["bundle"] for e in entries if e.kind == K.BUNDLE_REGISTERED} == {"v2", "v3"}
    assert [e.seq for e in entries] == sorted({e.seq for e in entries})
    names = {e.facts["name"] for e in entries if e.kind == K.PERSON_ADDED}
    assert "Otto Weiss" not in names
    assert {"Fay Okafor", "Mona Castell", "Dev Rao"} <= names


def test_an_erased_name_is_printed_as_erased(story: Story) -> None:
    found = gathered(story, "v2")
    eli = str(story.people["eli"].pk)
    stripped = collecting.Gathered(
        about=found.about,
        project=found.project,
        query=found.query,
        proofs=found.proofs,
        contents=found.contents,
        seal=found.seal,
        names={person: name for person, name in found.names.items() if person != eli},
        entries=tuple(
            _without(entry, "name") if eli in (entry.actor_id, entry.facts.get("person")) else entry
            for entry in found.entries
        ),
    )
    report = compose(stripped)
    assert report.signatures[1].name == "(name erased)"
    assert "Eli Brandt" not in " ".join(line.because for line in report.requirements)


def test_titles_and_headings_come_from_their_disclosures(story: Story) -> None:
    found = gathered(story, "v2")
    papers = {paper.kind: paper for paper in compose(found).papers}
    assert papers["Intended use"].title == "Intended use of the churn model"
    assert papers["Model documentation"].sections.endswith("Purpose, Data, Performance, Limits")
    fields: dict[str, Any] = {name: getattr(found, name) for name in found.__slots__}
    erased = tuple(
        _without(entry, "title", "sections") if entry.kind == K.DOCUMENT_RECORDED else entry
        for entry in found.entries
    )
    for paper in compose(collecting.Gathered(**{**fields, "entries": erased})).papers:
        assert (paper.title, paper.sections) == ("(erased)", "(erased)")


def _without(entry: ledger.Entry, *erased: str) -> ledger.Entry:
    facts = {key: None if key in erased else value for key, value in entry.facts.items()}
    return ledger.Entry(
        **{name: getattr(entry, name) for name in entry.__slots__ if name not in ("facts", "erased")},
        facts=facts,
        erased=frozenset(erased),
    )


def test_small_groups_are_not_printed(story: Story) -> None:
    found = gathered(story, "v2")
    evidence = next(
        e for e in found.entries if e.kind == K.EVIDENCE_RECORDED and e.facts["evidence"] == "fairness"
    )
    result = found.json(evidence.facts["result"])
    group = result["attributes"][0]["groups"][0]
    group |= {"n": 17, "selected": 13, "rate": 13 / 17}
    held = found.contents[evidence.facts["result"]]
    contents = {
        **found.contents,
        held.digest: collecting.Held(held.digest, held.media_type, held.size, json.dumps(result).encode()),
    }
    fields: dict[str, Any] = {name: getattr(found, name) for name in found.__slots__}
    report = compose(collecting.Gathered(**{**fields, "contents": contents}))
    piece = next(piece for piece in report.evidence if piece.heading.startswith("Fairness"))
    drawing = piece.drawings[0]
    small = next(row for row in drawing.tables[0].rows if row[0] == group["group"])
    assert small == (group["group"], "below 50", "–", "–", "–", "–")
    assert drawing.tables[0].note == (
        "One small group is suppressed. One more is, so that nobody can reckon a small one."
    )
    assert "13" not in [word for chart in drawing.charts for word in chart.alternative.split()]
    assert all(group["group"] not in chart.alternative for chart in drawing.charts)


# --- what proves them -------------------------------------------------------------------------------------------------


def test_the_attached_pack_proves_every_event_with_nothing_but_a_key(of_v3: Report) -> None:
    reader = pdf_of(of_v3)
    pack = json.loads(reader.attachments["countersign-pack.json"][0])
    note = checkpoints.verify_note(
        pack["checkpoint"]["note"], signing.public_key(), origin=pack["checkpoint"]["origin"]
    )
    assert (note.size, note.root.hex()) == (pack["checkpoint"]["size"], pack["checkpoint"]["root"])
    assert pack["key"]["pem"] == signing.public_pem()
    kinds = []
    for event in pack["events"]:
        body = base64.b64decode(event["body"])
        leaf = merkle.leaf_hash(body)
        assert leaf.hex() == event["leaf"]
        path = [bytes.fromhex(node) for node in event["proof"]]
        assert merkle.verify_inclusion(leaf, event["seq"], note.size, path, note.root)
        said = json.loads(body)
        kinds.append(said["kind"])
        for one in event["disclosures"]:
            stated = said["facts"][one["path"].removeprefix("facts.")]
            assert stated == {"commitment": commitment(one["salt"], one["value"])}
            assert one["path"] != "facts.login"
    assert {
        "request.submitted",
        "signoff.given",
        "verdict.judged",
        "promotion.started",
        "step.failed",
        "report.asked",
    } <= set(kinds)
    listed = [[event["seq"], event["leaf"]] for event in pack["events"]]
    assert pack["population"]["events"] == len(listed)
    assert (
        pack["population"]["digest"]
        == hashlib.sha256(json.dumps(listed, separators=(",", ":")).encode()).hexdigest()
    )
    contents = {one["digest"]: base64.b64decode(one["body"]) for one in pack["contents"]}
    assert all(hashlib.sha256(body).hexdigest() == digest for digest, body in contents.items())
    envelopes = [
        one for one in pack["contents"] if one["media_type"] == "application/vnd.dsse.envelope.v1+json"
    ]
    assert len(envelopes) == 3
    for one in envelopes:
        assert (
            verified(contents[one["digest"]], {signing.key_id(): signing.public_key()})["predicate"][
                "decision"
            ]
            == "approve"
        )


def test_the_pdf_says_it_all_in_words(story: Story, of_v3: Report) -> None:
    report = of_v3
    reader = pdf_of(report)
    text = text_of(reader)
    assert 8 <= len(reader.pages) <= 30
    assert reader.metadata is not None
    number = story.requests["v3"].pk
    headline = "Customer churn v3 was rolled back to v2 after its smoke test failed in production"
    assert reader.metadata.title == f"Request {number}: {headline}"
    for said in (
        "What was required, and what was found",
        "Fay Okafor",
        "I approve it for fairness",
        "By what right they acted",
        "Selection rate by gender",
        "Documents reviewers had before them",
        "Rollback",
        "TEST_SMOKE ended FAILED",
        "How to check this report",
        "demographic_parity_ratio",
        "verify_ledger",
        "Nora Feld",
    ):
        assert said in text, said
    statement = next(e.facts["statement"] for e in gathered(story, "v3").of(K.SIGNOFF_GIVEN))
    assert statement in text.replace(" ", "")
    made_event = ledger.events(subject=report.subject, kinds=[K.REPORT_MADE])[0]
    assert made_event.facts["content"] == report.content_id
    assert made_event.facts["checkpoint_size"] > report.last >= report.first  # type: ignore[operator]


def test_the_number_of_queries_does_not_grow_with_the_request(story: Story) -> None:
    checkpoint = checkpoints.cut()
    counts = {}
    for bundle in ("v1", "v2", "v3"):
        with CaptureQueriesContext(connection) as queries:
            found = collecting.collect(
                project=story.project.key, about=about(story, bundle), checkpoint=checkpoint
            )
        counts[bundle] = (len(queries), len(found.entries))
    assert counts["v2"][0] == counts["v3"][0] <= 14, counts
    assert counts["v1"][0] == counts["v2"][0] - 1, "nothing was promoted, so nothing is asked of promotions"
    assert counts["v1"][1] < counts["v2"][1] < counts["v3"][1]


def test_a_tree_that_does_not_fit_the_checkpoint_is_no_ground_for_a_report(story: Story) -> None:
    checkpoint = checkpoints.cut()
    checkpoint.root = b"\0" * 32
    with pytest.raises(Refused) as refusal:
        collecting.collect(project=story.project.key, about=about(story, "v2"), checkpoint=checkpoint)
    assert refusal.value.code == "ledger_altered"


# --- asking and making ------------------------------------------------------------------------------------------------


def test_an_outsider_and_an_unknown_request_get_the_same_answer(story: Story) -> None:
    for person, subject in (("otto", about(story, "v2")), ("nora", "request:999999"), ("nora", "bundle:1")):
        with pytest.raises(Absent):
            reports.ask_report(by=story.people[person], project=story.project, about=subject)


@pytest.mark.usefixtures("_printed_at_once")
def test_asking_twice_gives_the_one_under_way_and_making_it_twice_makes_one(story: Story) -> None:
    with pytest.raises(Forbidden, match="read the ledger and make reports"):
        reports.ask_report(by=story.people["olga"], project=story.project, about=about(story, "v1"))
    first = reports.ask_report(by=story.people["nora"], project=story.project, about=about(story, "v1"))
    assert (
        reports.ask_report(by=story.people["nora"], project=story.project, about=about(story, "v1")) == first
    )
    assert reports.make(by=Person.objects.system(), report_pk=first.pk) is not None
    assert reports.make(by=Person.objects.system(), report_pk=first.pk) is None
    events = ledger.events(subject=first.subject)
    assert [event.kind for event in events] == [K.REPORT_ASKED, K.REPORT_MADE]


@pytest.mark.usefixtures("_printed_at_once")
def test_a_report_whose_worker_was_lost_is_made_by_the_next(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = reports.ask_report(by=story.people["nora"], project=story.project, about=about(story, "v1"))
    with monkeypatch.context() as patch:
        patch.setattr(reports, "compose", _killed)
        with pytest.raises(KeyboardInterrupt):  # the nearest to a kill: nothing that the program catches
            reports.make(by=Person.objects.system(), report_pk=report.pk)
    assert reports.make(by=Person.objects.system(), report_pk=report.pk) is None, "the lease is still good"
    Report.objects.filter(pk=report.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    sent: list[str] = []
    monkeypatch.setattr(tasks.make_report, "delay", sent.append)
    tasks.sweep_reports()
    assert sent == [str(report.pk)]
    tasks.make_report(sent[0])
    report.refresh_from_db()
    assert report.status == Report.Status.MADE
    assert report.attempts == 2


def _killed(*_args: object) -> AuditReport:
    raise KeyboardInterrupt


def test_what_breaks_each_time_fails_after_some_attempts(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: object) -> AuditReport:
        raise ZeroDivisionError

    monkeypatch.setattr(reports, "compose", broken)
    report = reports.ask_report(by=story.people["nora"], project=story.project, about=about(story, "v1"))
    for attempt in range(1, reports.ATTEMPTS + 1):
        reports.make(by=Person.objects.system(), report_pk=report.pk)
        report.refresh_from_db()
        assert report.status == (Report.Status.FAILED if attempt == reports.ATTEMPTS else Report.Status.ASKED)
    failed = ledger.events(subject=report.subject, kinds=[K.REPORT_FAILED])
    assert [event.facts["reason"] for event in failed] == [report.problem]
    assert "ZeroDivisionError" in report.problem


def test_a_worker_lost_each_time_ends_in_a_failure(story: Story) -> None:
    report = reports.ask_report(by=story.people["nora"], project=story.project, about=about(story, "v1"))
    Report.objects.filter(pk=report.pk).update(attempts=reports.ATTEMPTS)
    assert reports.make(by=Person.objects.system(), report_pk=report.pk) is None
    report.refresh_from_db()
    assert report.status == Report.Status.FAILED
    assert "the worker was lost" in report.problem


def test_without_pango_the_report_says_what_to_install(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    failing = "raise OSError(\"cannot load library 'libgobject-2.0-0'\")"
    monkeypatch.setattr(printing, "COMMAND", (sys.executable, "-c", failing))
    report = reports.ask_report(by=story.people["nora"], project=story.project, about=about(story, "v1"))
    reports.make(by=Person.objects.system(), report_pk=report.pk)
    report.refresh_from_db()
    assert report.status == Report.Status.FAILED
    assert "apt-get install libpangoft2-1.0-0" in report.problem


@pytest.mark.usefixtures("_printed_at_once")
def test_the_command_writes_the_pdf_and_says_plainly_when_it_cannot(story: Story, tmp_path: Path) -> None:
    number, out = story.requests["v2"].pk, tmp_path / "report.pdf"
    said = io.StringIO()
    call_command("make_report", number, by="nora", out=out, stdout=said)
    assert out.read_bytes().startswith(b"%PDF-1.7")
    assert hashlib.sha256(out.read_bytes()).hexdigest() in said.getvalue()
    for arguments, options, sentence in (
        ((999999,), {"by": "nora", "out": out}, "no request 999999"),
        ((number,), {"by": "nobody", "out": out}, "no person"),
        ((number,), {"by": "otto", "out": out}, "nothing here"),
        ((number,), {"by": "nora", "out": tmp_path / "no" / "such.pdf"}, "cannot be written"),
    ):
        with pytest.raises(CommandError, match=sentence):
            call_command("make_report", *arguments, **options)
