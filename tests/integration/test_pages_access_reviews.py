"""Access reviews as people and programs meet them: list, review, answering at a place, the inbox, the report."""

import io
import json
import re
from datetime import timedelta

import pypdf
from django.test import Client
from django.utils import timezone

from governance import reviews
from governance.actions import access_reviews, reports
from governance.models import AccessReview, Report, ReviewPlace, ReviewSignature
from governance.report import review as on_review
from governance.report.page import html
from portal import checkpoints, content
from portal.actions import grants
from portal.demo.cast import PASSWORD
from portal.models import Grant, Person, Project, Right
from portal.reauthentication import Password
from tests import factories
from tests.api import session, token, told
from tests.cast import Cast, imported
from tests.integration.test_access_reviews import answered, at, closed, grant_of, shown, started
from tests.pages import outsider_sees_nothing, queries_of, refused, signed_in, words


def path_of(review: AccessReview) -> str:
    """The page at churn."""
    return f"/access-reviews/{review.pk}/places/{ReviewPlace.objects.get(review=review, project__key='CHURN').pk}/"


def form(client: Client, path: str, **answers: str) -> dict[str, str]:
    """What the page would send: the digests it shows, and these answers by login."""
    page = client.get(path).content.decode()
    found = dict(re.findall(r'name="(digest-\d+)" value="([0-9a-f]{64})"', page))
    assert found
    said = {f"answer-{Grant.objects.get(person__login=who).pk}": word for who, word in answers.items()}
    return {**found, **said, "password": PASSWORD, "why": "Not needed any more."}


def test_an_owner_answers_on_a_page(cast: Cast) -> None:
    factories.request_at(cast)
    review = started(cast, project=None)
    olga = signed_in(cast.olga)
    inbox = olga.get("/inbox/")
    assert "4 rights wait for an answer" in words(inbox)
    assert '<span class="count">1</span>' in inbox.content.decode()
    path = path_of(review)
    assert path in inbox.content.decode()
    page = words(olga.get(path))
    assert "directly, project Customer churn, every stage, no end; granted by Ada Novak" in page
    matrix = words(signed_in(cast.ada).get("/projects/CHURN/rights/"))
    assert f"unless access review {review.pk} confirms it; granted by Ada Novak" in matrix
    assert page.count("You hold it yourself, or could use it") == 2
    assert access_reviews.meaning(review) in page
    sent = form(olga, path, fay="confirm", mona="confirm", eli="revoke")
    wrong = olga.post(path, {**sent, "password": "no"})
    refused(wrong, 400, "This is not your password")
    told("access.refused")
    silent = olga.post(path, {**sent, "why": ""})
    assert silent.status_code == 400
    assert "Say why you revoke" in words(silent)
    assert 'value="revoke" checked' in silent.content.decode()
    done = olga.post(path, sent, follow=True)
    assert "Signed: 3 answered." in words(done)
    assert not Grant.objects.filter(person=cast.eli, revoked_at=None).exists()
    assert "1 of 6 waits" not in words(done)
    assert "3 of 6 wait for an answer." in words(done)
    again = olga.post(path, sent)
    refused(again, 409, "was answered for or ended meanwhile")
    assert ReviewSignature.objects.count() == 1
    grants.grant(by=cast.ada, person=cast.otto, right=Right.VIEW, project=cast.churn, why="Looks.")
    # Last used, as the ledger tells: Dev, of the team, asked.
    ada = words(signed_in(cast.ada).get(path))
    assert ada.count("not known") == 5
    # What reaches the project from further up is told to who may know of it.
    assert "Nora Feld Read the ledger and make reports directly, the whole estate" in ada
    assert "Nora Feld" not in words(olga.get(path))


def test_who_sees_what(cast: Cast) -> None:
    review = started(cast, project=None)
    path, whole = path_of(review), f"/access-reviews/{review.pk}/"
    other = ReviewPlace.objects.get(review=review, project=None, portfolio=None)
    outsider_sees_nothing(signed_in(cast.otto), whole)
    outsider_sees_nothing(signed_in(cast.otto), path)
    outsider_sees_nothing(signed_in(cast.olga), f"{whole}places/{other.pk}/")
    for page in (whole, path):
        refused(
            signed_in(cast.dev).get(page),
            403,
            "is for the owners of Customer churn, and for those who manage",
        )
    grants.grant(by=cast.ada, person=cast.otto, right=Right.AUDIT, project=cast.churn, why="Looks.")
    otto = signed_in(cast.otto)
    assert "Nothing here waits for you" in words(otto.get(path))
    refused(otto.post(path, {}), 403, "Only the owners of the project, and administrators")
    olga = words(signed_in(cast.olga).get(whole))
    assert "Customer churn" in olga
    assert "Who signed" not in olga
    assert signed_in(cast.olga).get("/access-reviews/start/").status_code == 403
    refused(signed_in(cast.olga).post(f"{whole}call-off/", {"why": "No."}), 403, "manage rights")
    assert signed_in(cast.olga).get(f"{whole}call-off/").status_code == 302
    assert "No access review yet" in words(signed_in(cast.fay).get("/access-reviews/"))


def test_an_administrator_starts_and_calls_off(cast: Cast) -> None:
    ada = signed_in(cast.ada)
    due = f"{timezone.now() + timedelta(days=20):%Y-%m-%dT%H:%M}"
    assert ada.get("/access-reviews/start/").status_code == 200
    wish = {"portfolio": "", "project": "NONE", "due": due, "why": "It is time."}
    refused(ada.post("/access-reviews/start/", wish), 400, "There is no project with the key")
    refused(
        ada.post("/access-reviews/start/", {**wish, "project": "CHURN", "due": "2020-01-01T00:00"}),
        400,
        "a day away",
    )
    page = ada.post("/access-reviews/start/", {**wish, "project": "CHURN"}, follow=True)
    review = AccessReview.objects.get()
    assert "it stands in the inboxes" in words(page)
    assert "0 of 6" in words(page)
    assert "Access review" in words(ada.get("/access-reviews/"))
    signature = answered(cast.olga, review, grant_of("promote", person=cast.mona, project=cast.churn))
    statement = ada.get(f"/access-reviews/{review.pk}/signatures/{signature.pk}/")
    assert json.loads(statement.content)["predicate"]["review"] == review.pk
    assert "What you can do" not in words(ada.get(f"/access-reviews/{review.pk}/"))
    called = ada.post(f"/access-reviews/{review.pk}/call-off/", {"why": "Wrong one."}, follow=True)
    assert "It was called off" in words(called)
    assert "Not asked any more" in words(ada.get(path_of(review)))


def test_the_number_of_queries_does_not_grow(cast: Cast) -> None:
    def counted() -> list[int]:
        review = started(cast, project=None)
        client = signed_in(cast.ada)
        paths = ["/access-reviews/", f"/access-reviews/{review.pk}/", path_of(review), "/inbox/"]
        found = [queries_of(client, path) for path in paths]
        access_reviews.call_off(by=cast.ada, review=review, why="Counted.")
        return found

    few = counted()
    for number in range(10):
        person = Person.objects.create_person(f"p{number}", name=f"Person {number}")
        Grant.objects.create(person=person, right="view", project=cast.churn, why="x", given_by=cast.ada)
        imported(by=cast.ada, node=cast.design, pipeline=cast.pipeline, key=f"P{number}", tier="light")
        Grant.objects.create(
            person=person,
            right="view",
            project=Project.objects.get(key=f"P{number}"),
            why="x",
            given_by=cast.ada,
        )
    assert counted() == few
    assert max(few) <= 26


def test_programs_do_the_same(cast: Cast) -> None:
    ada, olga = session(cast.ada), session(cast.olga)
    due = (timezone.now() + timedelta(days=20)).isoformat()
    session(cast.olga).refused(403, "post", "access-reviews/", {"due": due, "why": "It is time."})
    ada.refused(400, "post", "access-reviews/", {"due": due, "why": "It is time.", "portfolio": "none"})
    made = ada.post("access-reviews/", project="CHURN", due=due, why="It is time.")
    base = f"access-reviews/{made['id']}/"
    assert (made["status"], made["progress"]["waiting"], made["meaning"][:16]) == (
        "open",
        6,
        "In access review",
    )
    (place,) = olga.rows(f"{base}places/")
    assert (place["project"], place["yours"], place["progress"]["asked"]) == ("CHURN", True, 6)
    rows = olga.rows(f"{base}grants/?place={place['id']}&waiting=true")
    mine = [row for row in rows if row["grant"]["person"]]
    assert len(mine) == 4
    assert {row["until_given"] for row in rows} == {None}
    answers = [{"grant": row["grant"]["id"], "answer": "confirm", "digest": row["digest"]} for row in mine]
    token(cast.olga).refused(403, "post", f"{base}signatures/", {"answers": answers, "password": PASSWORD})
    olga.refused(403, "post", f"{base}signatures/", {"answers": answers, "password": "no"})
    olga.refused(400, "post", f"{base}signatures/", {"answers": answers})
    stale = [{**answers[0], "digest": "0" * 64}]
    assert (
        olga.refused(409, "post", f"{base}signatures/", {"answers": stale, "password": PASSWORD})["code"]
        == "review_stale"
    )
    signed = olga.post(f"{base}signatures/", answers=answers, password=PASSWORD)
    assert signed["meaning"] == made["meaning"]
    body = olga.send("get", f"{base}signatures/{signed['id']}/statement/").content
    assert len(json.loads(body)["predicate"]["answers"]) == 4
    assert olga.get(base)["progress"]["confirmed"] == 4
    assert [row["id"] for row in olga.rows(f"{base}signatures/")] == [signed["id"]]
    assert ada.get("inbox/")["reviews"] == [
        {"review": made["id"], "place": None, "project": None, "due": made["due"], "count": 2}
    ]
    for path in (base, f"{base}places/", f"{base}grants/", f"{base}signatures/"):
        session(cast.otto).absent("get", path)
    session(cast.otto).absent("post", f"{base}signatures/", {"answers": answers, "password": PASSWORD})
    assert session(cast.otto).rows("access-reviews/") == []
    assert ada.post(f"{base}call-off/", why="Done with it.")["status"] == "called_off"
    assert ada.post(f"{base}reports/")["about"] == f"review:{made['id']}"
    session(cast.olga).refused(403, "post", f"{base}reports/")


def made(report: Report) -> str:
    assert reports.make(by=Person.objects.system(), report_pk=report.pk) is not None, Report.objects.get(
        pk=report.pk
    ).problem
    report.refresh_from_db()
    pdf = pypdf.PdfReader(io.BytesIO(content.get(str(report.content_id))))
    assert "countersign-pack.json" in pdf.attachments
    return " ".join(" ".join(page.extract_text().split()) for page in pdf.pages)


def test_the_report_says_who_confirmed_what_and_what_was_not(cast: Cast) -> None:
    review = started(cast)
    fay, eli, mona = (Grant.objects.get(person=who) for who in (cast.fay, cast.eli, cast.mona))
    access_reviews.answer(
        by=cast.olga, proof=Password(PASSWORD), review=review, why="Eli works elsewhere now.",
        answers=[*shown(cast.olga, review, fay), *shown(cast.olga, review, eli, say="revoke")],
    )  # fmt: skip
    signature = ReviewSignature.objects.get()
    early = html(
        on_review.compose(
            on_review.collect(
                review=review.pk, project="CHURN", checkpoint=checkpoints.cut(by=cast.ada), asked="report:0"
            )
        )
    )
    assert "2 of 6 rights are answered for" in early
    assert early.count("Waits for an answer") == 4
    closed(review)
    with at(review.due + timedelta(hours=1)):
        told_ = made(reports.ask_report(by=cast.ada, project=cast.churn, about=review.subject))
    assert "1 of 6 rights were confirmed, 5 were revoked" in told_
    assert "Signature 1: Olga Lindqvist" in told_
    assert "Eli works elsewhere now." in told_
    for digest in (signature.statement_id, signature.envelope_id, signature.key_id):
        assert digest in told_.replace(" ", "")
    assert "Confirmed by Olga Lindqvist (1)" in told_
    assert "Revoked by Olga Lindqvist (1)" in told_
    assert told_.count("Revoked at the due date: nobody confirmed it") == 4
    assert "Team Churn team" in told_ or "team Churn team (3)" in told_
    assert str(mona.pk) in told_
    assert reviews.reviews_for(cast.ada).get().status == "expired"


def test_an_owner_is_told_how_far_their_own_places_are_and_no_more(cast: Cast) -> None:
    started(cast, project=None)
    for person, told_ in ((cast.olga, "0 of 6"), (cast.ada, "0 of 9")):
        page = words(signed_in(person).get("/access-reviews/"))
        assert [told_] == re.findall(r"\d+ of \d+", page)


def test_a_number_too_large_for_any_grant_is_no_grant(cast: Cast) -> None:
    review = started(cast)
    wish = {"answers": [{"grant": 10**30, "answer": "confirm", "digest": "0" * 64}], "password": PASSWORD}
    ada = session(cast.ada)
    assert ada.send("post", f"access-reviews/{review.pk}/signatures/", wish).status_code in (400, 404)
    wish = {"ops": [{"op": "revoke", "grant": 10**30}], "why": "w"}
    assert ada.send("post", "changes/", wish).status_code in (400, 404)
