"""Access reviews: what starting one does, who answers for what, what a signature binds, and how they end."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from unittest.mock import patch

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from governance import reviews, tasks
from governance.actions import access_reviews
from governance.actions.access_reviews import Answer
from governance.models import AccessReview, ReviewedGrant, ReviewPlace, ReviewSignature
from governance.statement import verified
from portal import content, ledger, rights, signing
from portal.actions import delegations, edits, grants, people, portfolios
from portal.demo.cast import PASSWORD
from portal.errors import Absent, Forbidden, Invalid, Refused, Stale
from portal.event_kinds import EventKind
from portal.models import (
    Event,
    Grant,
    LaneGroupObjectPermission,
    LaneUserObjectPermission,
    Person,
    Portfolio,
    Project,
    Right,
)
from portal.places import Place
from portal.reauthentication import Password
from portal.rights_files import wanted, written
from tests.cast import Cast, imported, make_cast
from tests.conftest import Database
from tests.integration.test_grants import refusals_of

K = EventKind
DAYS = timedelta(days=1)
LATER = timedelta(days=30)


@contextmanager
def at(moment: datetime) -> Iterator[None]:
    """Let the clock stand at a moment."""
    with patch("django.utils.timezone.now", return_value=moment):
        yield


def started(cast: Cast, **where: object) -> AccessReview:
    """A review due in thirty days; of churn unless told otherwise."""
    wish = where or {"project": cast.churn}
    return access_reviews.start(by=cast.ada, due=timezone.now() + LATER, why="It is time.", **wish)  # type: ignore[arg-type]


def grant_of(right: str, *, person: Person | None = None, project: Project | None = None) -> Grant:
    return Grant.objects.get(right=right, person=person, project=project, revoked_at=None)


def shown(by: Person, review: AccessReview, *grants_: Grant, say: str = "confirm") -> list[Answer]:
    """Answers as a page would send them that shows these grants now."""
    found = list(
        Grant.objects.filter(pk__in=[one.pk for one in grants_]).select_related(
            "person", "team", "project", "portfolio"
        )
    )
    return [Answer(pk, say, facts.digest) for pk, facts in sorted(reviews.facts_of(found).items())]


def answered(
    by: Person, review: AccessReview, *grants_: Grant, say: str = "confirm", why: str = ""
) -> ReviewSignature:
    return access_reviews.answer(
        by=by, proof=Password(PASSWORD), review=review, answers=shown(by, review, *grants_, say=say),
        why=why or ("Not needed." if say == "revoke" else ""),
    )  # fmt: skip


def closed(review: AccessReview) -> AccessReview:
    """As beat closes it, a minute after the due date."""
    with at(review.due + timedelta(minutes=1)):
        tasks.close_access_reviews()
    review.refresh_from_db()
    return review


def became(review: AccessReview) -> dict[str, int]:
    found = reviews.progress_of([review])[review.pk]
    names = ("asked", "waiting", "confirmed", "revoked", "lapsed", "spared", "otherwise")
    return {name: getattr(found, name) for name in names if getattr(found, name)}


# --- starting ---------------------------------------------------------------------------------------------------------


def test_starting_ends_each_right_at_the_due_date_and_keeps_the_end_it_was_given(cast: Cast) -> None:
    promote = grant_of("promote", person=cast.mona, project=cast.churn)
    soon = timezone.now() + DAYS
    short = grants.grant(
        by=cast.ada, person=cast.otto, right=Right.VIEW, project=cast.churn, until=soon, why="A day."
    )
    place = Place(project=cast.churn)
    file = written(place)
    review = started(cast)
    promote.refresh_from_db()
    short.refresh_from_db()
    assert (promote.until, promote.end, promote.under_review) == (review.due, None, review.pk)
    assert (short.until, short.end) == (soon, soon)
    rows = LaneUserObjectPermission.objects.filter(user=cast.mona)
    assert rows.count() == 2
    assert {row.until for row in rows} == {review.due}
    assert {row.until for row in LaneGroupObjectPermission.objects.all()} == {review.due}
    told = ledger.events(kinds=[K.REVIEW_STARTED])[0]
    assert (told.facts["grants"], told.facts["scope"], told.facts["spared"]) == (7, "CHURN", None)
    listed = json.loads(content.get(told.facts["population"][0]))
    assert {one["grant"] for one in listed} == set(
        Grant.objects.filter(project=cast.churn).values_list("pk", flat=True)
    )
    assert "Dev Rao" not in json.dumps(listed)
    # A repository of rights sees no difference.
    assert written(place) == file
    assert wanted(file, "yaml")[0].ops == []


def test_what_nobody_confirms_is_gone_at_the_due_date_without_any_job(cast: Cast) -> None:
    review = started(cast)
    assert rights.can(cast.mona, Right.PROMOTE, cast.prod)
    with at(review.due - timedelta(seconds=1)):
        assert rights.can(cast.mona, Right.PROMOTE, cast.prod)
        assert rights.can(cast.dev, Right.REQUEST, cast.qa)
    with at(review.due):
        assert not rights.can(cast.mona, Right.PROMOTE, cast.prod)
        assert not rights.can(cast.dev, Right.REQUEST, cast.qa)
        assert not rights.visible_projects(cast.fay).exists()
        assert became(review) == {"asked": 6, "lapsed": 6}
        with pytest.raises(Stale) as refusal:
            answered(cast.ada, review, grant_of("promote", person=cast.mona, project=cast.churn))
        assert refusal.value.code == "review_over"
    assert review.status == AccessReview.Status.OPEN


def test_who_may_start_and_with_what(cast: Cast) -> None:
    for nobody in (cast.olga, cast.nora, cast.otto):
        with pytest.raises(Forbidden):
            access_reviews.start(by=nobody, due=timezone.now() + LATER, why="It is time.")
    for wrong, field in (
        ({"due": timezone.now() + timedelta(hours=3)}, "due"),
        ({"due": timezone.now() + 400 * DAYS}, "due"),
        ({"why": "  "}, "why"),
        ({"portfolio": Portfolio.objects.create(slug="p", name="P"), "project": cast.churn}, "portfolio"),
    ):
        with pytest.raises(Invalid) as refusal:
            access_reviews.start(**{"by": cast.ada, "due": timezone.now() + LATER, "why": "Yes.", **wrong})  # type: ignore[arg-type]
        assert refusal.value.field == field
    with pytest.raises(Refused) as empty:
        started(cast, project=cast.maint)
    assert empty.value.code == "review_empty"
    assert not AccessReview.objects.exists()
    first = started(cast)
    with pytest.raises(Refused):
        started(cast)
    second = started(cast, project=None)
    assert second.asked.count() == 3  # two administrators and an auditor; churn's are asked about already
    promote = grant_of("promote", person=cast.mona, project=cast.churn)
    assert promote.under_review == first.pk


def test_a_portfolio_is_asked_about_with_its_projects(cast: Cast) -> None:
    portfolio = portfolios.add_portfolio(by=cast.ada, name="Credit")
    portfolios.put_project(by=cast.ada, portfolio=portfolio, project=cast.maint)
    grants.grant(by=cast.ada, person=cast.otto, right=Right.VIEW, portfolio=portfolio, why="Looks.")
    grants.grant(by=cast.ada, person=cast.dev, right=Right.REQUEST, project=cast.maint, why="Builds.")
    grants.grant(
        by=cast.ada, person=cast.dev, right=Right.VIEW, portfolio=portfolio, stage="qa", why="Looks."
    )
    review = started(cast, portfolio=portfolio)
    assert review.asked.count() == 3
    assert {str(place) for place in review.places.all()} == {"Predictive maintenance", "Credit"}
    rows = LaneUserObjectPermission.objects.filter(project=cast.maint)
    assert {row.until for row in rows} == {review.due}
    looks = grant_of("view", person=cast.otto)
    answered(cast.ada, review, looks)
    assert {row.until for row in rows.filter(user=cast.otto)} == {None}
    assert {row.until for row in rows.filter(user=cast.dev)} == {review.due}
    assert grant_of("promote", person=cast.mona, project=cast.churn).under_review is None


def test_the_estate_is_asked_about_whole_but_rows_of_other_rights_keep_their_end(cast: Cast) -> None:
    other = started(cast)
    grants.grant(by=cast.ada, person=cast.dev, right=Right.REQUEST, project=cast.maint, why="Builds.")
    AccessReview.objects.filter(pk=other.pk).update(due=timezone.now() + 2 * LATER)
    Grant.objects.filter(project=cast.churn).update(until=timezone.now() + 2 * LATER)
    review = started(cast, project=None)
    mine = LaneUserObjectPermission.objects.filter(project=cast.maint)
    assert {row.until for row in mine} == {review.due}
    assert all(
        row.until and row.until > review.due
        for row in LaneUserObjectPermission.objects.filter(project=cast.churn)
    )


# --- who answers ------------------------------------------------------------------------------------------------------


def test_owners_answer_for_their_projects_and_administrators_for_everything(cast: Cast) -> None:
    review = started(cast, project=None)
    promote = grant_of("promote", person=cast.mona, project=cast.churn)
    audit = grant_of("audit", person=cast.nora)
    answered(cast.olga, review, promote)
    with pytest.raises(Absent):
        answered(cast.olga, review, audit)
    answered(cast.abe, review, audit)
    assert grant_of("audit", person=cast.nora).until is None
    fairness = Grant.objects.get(person=cast.fay)
    for member in (cast.dev, cast.mona):
        with pytest.raises(Forbidden) as refusal:
            answered(member, review, fairness)
        assert refusal.value.code == "right_missing"
    with pytest.raises(Absent):
        answered(cast.otto, review, fairness)
    with pytest.raises(Forbidden) as refusal:  # looks over the estate, and answers for nothing
        answered(cast.nora, review, fairness)
    assert refusal.value.code == "right_missing"
    # Nobody answers for a right of their own.
    asks = Grant.objects.get(team=cast.team, right="request")
    with pytest.raises(Forbidden) as refusal:  # Olga is in the team
        answered(cast.olga, review, asks)
    assert (refusal.value.code, refusal.value.params["grants"]) == ("review_own", [asks.pk])
    own = grant_of("manage", person=cast.ada)
    with pytest.raises(Forbidden):
        answered(cast.ada, review, own)
    answered(cast.abe, review, own)
    answered(cast.ada, review, asks)
    assert ReviewedGrant.objects.get(grant=asks).answered_by == cast.ada


def test_nobody_answers_for_what_is_lent_to_them(cast: Cast) -> None:
    """Nor for what will be: to confirm it would keep it for themselves."""
    review = started(cast, project=None)
    fairness = Grant.objects.get(person=cast.fay)
    audit = grant_of("audit", person=cast.nora)  # which is never lent
    soon, later = (timezone.now() + timedelta(days=days) for days in (1, 3))
    delegations.delegate(by=cast.nora, delegate=cast.abe, starts_at=soon, until=later, why="Leave.")
    answered(cast.abe, review, audit)
    for who in (cast.olga, cast.abe):
        lent = delegations.delegate(by=cast.fay, delegate=who, starts_at=soon, until=later, why="Leave.")
        with pytest.raises(Forbidden) as refusal:
            answered(who, review, fairness)
        assert (refusal.value.code, refusal.value.params["grants"]) == ("review_own", [fairness.pk])
        delegations.end(by=cast.fay, delegation=lent)
    answered(cast.olga, review, fairness)
    assert ReviewedGrant.objects.get(grant=fairness).answered_by == cast.olga


def test_nor_for_a_service_account_s_that_they_could_come_as(cast: Cast) -> None:
    robot = people.add_person(by=cast.ada, login="ci", name="The pipeline", kind="service")
    grants.grant(by=cast.ada, person=robot, right=Right.PROMOTE, project=cast.churn, why="Runs at night.")
    token, _secret = people.make_token(by=cast.ada, person=robot, name="night", carrying=["promote"])
    review = started(cast)
    promote = grant_of("promote", person=robot, project=cast.churn)
    with pytest.raises(Forbidden) as refusal:
        answered(cast.ada, review, promote)
    assert (refusal.value.code, refusal.value.params["grants"]) == ("review_own", [promote.pk])
    people.revoke_token(by=cast.ada, token=token)
    answered(cast.ada, review, promote)


def test_ownership_without_any_right_shows_nothing(cast: Cast) -> None:
    cast.maint.owners.set([cast.otto])
    grants.grant(by=cast.ada, person=cast.dev, right=Right.VIEW, project=cast.maint, why="Looks.")
    review = started(cast, project=cast.maint)
    assert not reviews.reviews_for(cast.otto).exists()
    with pytest.raises(Absent):
        answered(cast.otto, review, grant_of("view", person=cast.dev, project=cast.maint))


# --- answering --------------------------------------------------------------------------------------------------------


def test_one_signature_covers_a_list_and_binds_each_right(cast: Cast) -> None:
    review = started(cast)
    fay, eli = (Grant.objects.get(person=who) for who in (cast.fay, cast.eli))
    mona = grant_of("promote", person=cast.mona, project=cast.churn)
    signature = access_reviews.answer(
        by=cast.olga,
        proof=Password(PASSWORD),
        review=review,
        answers=[*shown(cast.olga, review, fay, mona), *shown(cast.olga, review, eli, say="revoke")],
        why="Eli works elsewhere now.",
    )
    # At once, in the same breath: what is revoked is gone, what is confirmed has its end back.
    assert not rights.can(cast.eli, Right.SIGN, cast.prod, role="explainability")
    assert {row.until for row in LaneUserObjectPermission.objects.filter(user__in=[cast.fay, cast.mona])} == {
        None
    }
    eli.refresh_from_db()
    assert (eli.revoked_by, eli.under_review) == (cast.olga, None)
    statement = verified(content.get(signature.envelope_id), {signing.key_id(): signing.public_key()})
    assert statement == json.loads(content.get(signature.statement_id))
    said = statement["predicate"]
    assert {(one["grant"], one["answer"]) for one in said["answers"]} == {
        (fay.pk, "confirm"), (mona.pk, "confirm"), (eli.pk, "revoke"),
    }  # fmt: skip
    assert {one["name"] for one in statement["subject"]} == {f"grant:{one.pk}" for one in (fay, eli, mona)}
    assert said["meaning"] == signature.meaning == access_reviews.meaning(review)
    assert said["why"] == ledger.commitment(signature.why_salt, "Eli works elsewhere now.")
    assert said["person"] == str(cast.olga.pk)
    assert "Eli" not in content.get(signature.statement_id).decode()
    kinds = [event.kind for event in Event.objects.order_by("seq")][-4:]
    assert kinds == ["grant.confirmed", "grant.confirmed", "grant.revoked", "review.answered"]
    told = ledger.events(kinds=[K.REVIEW_ANSWERED])[0]
    assert (set(told.facts["confirmed"]), told.facts["revoked"]) == ({fay.pk, mona.pk}, [eli.pk])
    assert (told.facts["statement"], told.facts["proved_by"]) == (signature.statement_id, "password")
    ended = ledger.events(kinds=[K.GRANT_REVOKED])[0]
    assert ended.facts["why"] == f"access review {review.pk}: Eli works elsewhere now."
    assert became(review) == {"asked": 6, "waiting": 3, "confirmed": 2, "revoked": 1}
    # What was signed is never rewritten.
    with pytest.raises(TypeError):
        signature.delete()
    with pytest.raises(Exception, match=r"only ever added to|restrict"):
        ReviewSignature.objects.filter(pk=signature.pk).update(meaning="Another.")


def test_what_changed_since_it_was_shown_is_not_signed(cast: Cast) -> None:
    review = started(cast)
    asks = Grant.objects.get(team=cast.team, right="request")
    fay = Grant.objects.get(person=cast.fay)
    old = shown(cast.abe, review, asks, fay)
    people.join_team(by=cast.ada, team=cast.team, person=cast.otto)
    with pytest.raises(Stale) as refusal:
        access_reviews.answer(by=cast.abe, proof=Password(PASSWORD), review=review, answers=old)
    assert (refusal.value.code, refusal.value.params["grants"]) == ("review_stale", [asks.pk])
    assert not ReviewSignature.objects.exists()
    fay.refresh_from_db()
    assert fay.under_review == review.pk  # all of them count, or none
    # Revoked meanwhile, by another door.
    grants.revoke(by=cast.ada, grant=fay, why="Gone.")
    with pytest.raises(Stale) as refusal:
        answered(cast.abe, review, fay)
    assert refusal.value.code == "review_answered"
    answered(cast.abe, review, asks)
    with pytest.raises(Stale):  # a double click
        answered(cast.abe, review, asks)
    assert ReviewSignature.objects.count() == 1


def test_two_who_answer_at_once_follow_one_another(cast: Cast) -> None:
    review = started(cast)
    mona = grant_of("promote", person=cast.mona, project=cast.churn)
    first, second = shown(cast.abe, review, mona), shown(cast.olga, review, mona, say="revoke")

    def meanwhile(*_args: object) -> str:
        with patch("portal.reauthentication.prove", return_value="password"):
            access_reviews.answer(by=cast.abe, proof=Password(PASSWORD), review=review, answers=first)
        return "password"

    with patch("portal.reauthentication.prove", meanwhile), pytest.raises(Stale):
        access_reviews.answer(
            by=cast.olga, proof=Password(PASSWORD), review=review, answers=second, why="Not needed."
        )
    assert rights.can(cast.mona, Right.PROMOTE, cast.prod)
    assert ReviewSignature.objects.get().signed_by == cast.abe


REFUSED: list[tuple[dict[str, object], str, type[Refused]]] = [
    ({"proof": Password("no")}, "password_wrong", Forbidden),
    ({"answers": []}, "answers_missing", Invalid),
    ({"say": "perhaps"}, "answer_unknown", Invalid),
    ({"say": "revoke", "why": " "}, "why_missing", Invalid),
    ({"times": 2}, "answer_twice", Invalid),
    ({"times": 201}, "answers_many", Invalid),
]


def test_what_is_refused(cast: Cast) -> None:
    review = started(cast)
    mona = grant_of("promote", person=cast.mona, project=cast.churn)
    for wrong, code, error in REFUSED:
        say, times = str(wrong.pop("say", "confirm")), int(str(wrong.pop("times", 1)))
        wish = {"by": cast.olga, "proof": Password(PASSWORD), "review": review, **wrong}
        wish.setdefault("answers", shown(cast.olga, review, mona, say=say) * times)
        with pytest.raises(error) as refusal:
            access_reviews.answer(**wish)  # type: ignore[arg-type]
        assert refusal.value.code == code
    assert not ReviewSignature.objects.exists()


# --- ending -----------------------------------------------------------------------------------------------------------


def test_closing_writes_down_what_ended(cast: Cast) -> None:
    soon, late = timezone.now() + DAYS, timezone.now() + 90 * DAYS
    short = grants.grant(
        by=cast.ada, person=cast.otto, right=Right.VIEW, project=cast.churn, until=soon, why="A day."
    )
    Grant.objects.filter(person=cast.mona, right="promote").update(until=late)
    review = started(cast)
    fay, eli = (Grant.objects.get(person=who) for who in (cast.fay, cast.eli))
    answered(cast.olga, review, fay)
    grants.revoke(by=cast.ada, grant=eli, why="Gone.")
    with at(
        review.due + timedelta(seconds=5)
    ):  # given anew before any job looked: that is another grant, and stays
        grants.grant(by=cast.ada, person=cast.mona, right=Right.PROMOTE, project=cast.churn, why="Again.")
    closed(review)
    assert review.status == AccessReview.Status.EXPIRED
    assert review.ended_by == Person.objects.system()
    assert became(review) == {"asked": 7, "confirmed": 1, "lapsed": 4, "otherwise": 2}
    mona = Grant.objects.filter(person=cast.mona, right="promote").earliest("pk")
    assert mona.revoked_by == Person.objects.system()
    short.refresh_from_db()
    assert short.revoked_at is None  # it ran out by itself, before
    (told,) = ledger.events(kinds=[K.REVIEW_LAPSED])
    assert (told.facts["count"], len(told.facts["lapsed"])) == (4, 4)
    assert mona.pk in told.facts["lapsed"]
    why = {entry.facts["why"] for entry in ledger.events(kinds=[K.GRANT_REVOKED])}
    assert f"not confirmed in access review {review.pk}" in why
    (end,) = ledger.events(kinds=[K.REVIEW_EXPIRED])
    assert end.facts["counts"]["lapsed"] == 4
    before = Event.objects.count()
    with at(review.due + DAYS):
        tasks.close_access_reviews()
    assert Event.objects.count() == before
    with at(review.due + DAYS):
        assert rights.can(cast.fay, Right.SIGN, cast.prod, role="fairness")
        assert rights.can(cast.mona, Right.PROMOTE, cast.prod)


def test_a_review_is_complete_when_everything_is_answered(cast: Cast) -> None:
    review = started(cast)
    team = list(Grant.objects.filter(team=cast.team))
    answered(cast.ada, review, *team)
    answered(cast.olga, review, *Grant.objects.filter(project=cast.churn, person__isnull=False))
    review.refresh_from_db()
    assert review.status == AccessReview.Status.COMPLETED
    (told,) = ledger.events(kinds=[K.REVIEW_COMPLETED])
    assert told.facts["counts"] == {
        "asked": 6, "confirmed": 6, "revoked": 0, "lapsed": 0, "spared": 0, "otherwise": 0,
    }  # fmt: skip
    assert not Grant.objects.filter(under_review__isnull=False).exists()


def test_calling_off_gives_back_the_ends(cast: Cast) -> None:
    review = started(cast)
    fay = Grant.objects.get(person=cast.fay)
    answered(cast.olga, review, fay, say="revoke")
    with pytest.raises(Forbidden):
        access_reviews.call_off(by=cast.olga, review=review, why="No.")
    with pytest.raises(Invalid):
        access_reviews.call_off(by=cast.ada, review=review, why=" ")
    access_reviews.call_off(by=cast.ada, review=review, why="Wrong project.")
    review.refresh_from_db()
    assert review.status == AccessReview.Status.CALLED_OFF
    assert {row.until for row in LaneUserObjectPermission.objects.all()} == {None}
    assert not Grant.objects.filter(under_review__isnull=False).exists()
    with at(review.due + DAYS):
        assert rights.can(cast.mona, Right.PROMOTE, cast.prod)
        assert not rights.can(cast.fay, Right.SIGN, cast.prod, role="fairness")
    with pytest.raises(Stale):
        access_reviews.call_off(by=cast.ada, review=review, why="Again.")
    assert started(cast).asked.count() == 5


# --- the last administrator -------------------------------------------------------------------------------------------


def test_a_review_nobody_answers_leaves_an_administrator(cast: Cast) -> None:
    review = started(cast, project=None)
    ada, abe = (grant_of("manage", person=who) for who in (cast.ada, cast.abe))
    assert (ada.until, abe.until) == (None, review.due)
    with at(review.due + timedelta(seconds=1)):  # before any job
        assert "manage" in rights.on_estate(cast.ada)
        assert "manage" not in rights.on_estate(cast.abe)
    closed(review)
    assert became(review)["spared"] == 1
    with at(review.due + DAYS):
        assert "manage" in rights.on_estate(cast.ada)
        assert "audit" not in rights.on_estate(cast.nora)
    assert ledger.events(kinds=[K.REVIEW_LAPSED])[0].facts["spared"] == [ada.pk]


def test_what_was_spared_ends_like_the_others_once_another_is_confirmed(cast: Cast) -> None:
    review = started(cast, project=None)
    ada, abe = (grant_of("manage", person=who) for who in (cast.ada, cast.abe))
    with pytest.raises(Refused) as refusal:  # Abe's ends at the due date, so Ada's is the last that lasts
        answered(cast.abe, review, ada, say="revoke")
    assert refusal.value.code == "last_admin"
    assert not ReviewSignature.objects.exists()
    answered(cast.ada, review, abe)
    ada.refresh_from_db()
    assert ada.until == review.due
    with pytest.raises(Refused) as refusal:  # now Abe's is the one that lasts
        grants.revoke(by=cast.ada, grant=abe, why="Enough.")
    assert refusal.value.code == "last_admin"
    with at(review.due):
        assert "manage" not in rights.on_estate(cast.ada)
        assert "manage" in rights.on_estate(cast.abe)
    answered(cast.abe, review, ada, say="revoke")
    assert "manage" not in rights.on_estate(cast.ada)


# --- by itself, by command --------------------------------------------------------------------------------------------


def test_a_review_starts_by_itself_every_so_many_days(cast: Cast, settings: Settings) -> None:
    tasks.start_access_review()
    assert not AccessReview.objects.exists()
    settings.ACCESS_REVIEW_DAYS = 90
    tasks.start_access_review()
    tasks.start_access_review()
    review = AccessReview.objects.get()
    assert (review.scope, review.started_by) == ("the estate", Person.objects.system())
    assert review.due - review.started_at >= 20 * DAYS
    closed(review)
    with at(review.started_at + 80 * DAYS):
        tasks.start_access_review()
    assert AccessReview.objects.count() == 1
    with at(review.started_at + 91 * DAYS):
        tasks.start_access_review()
    assert AccessReview.objects.count() == 2


def test_a_review_on_the_command_line(cast: Cast, capsys: pytest.CaptureFixture[str]) -> None:
    robot = people.add_person(by=cast.ada, login="robot", name="The rota", kind="service")
    grants.grant(by=cast.ada, person=robot, right=Right.MANAGE, why="Starts reviews.")
    day = (timezone.now() + LATER).date()
    call_command(
        "access_review",
        "start",
        "--project",
        "CHURN",
        "--due",
        str(day),
        "--why",
        "It is time.",
        "--as",
        "robot",
    )
    assert "6 rights, due" in capsys.readouterr().out
    review = AccessReview.objects.get()
    assert review.due.date() == day
    call_command("access_review", "list")
    assert "6 asked, 6 waiting" in capsys.readouterr().out
    with at(review.due + DAYS):
        call_command("access_review", "close")
    assert "is closed" in capsys.readouterr().out
    for wrong in (
        ["--as", "ada"],
        ["--as", "robot", "--due", "soon"],
        ["--as", "robot", "--project", "NONE"],
    ):
        with pytest.raises(CommandError):
            call_command("access_review", "start", "--why", "x", *wrong)


# --- what waits, how much it takes ------------------------------------------------------------------------------------


def test_it_stands_in_the_inbox_of_whoever_can_answer(cast: Cast) -> None:
    assert reviews.waits_for(cast.olga) == []
    review = started(cast, project=None)
    (mine,) = reviews.waits_for(cast.olga)
    assert (mine.place and mine.place.project, mine.count) == (cast.churn, 4)  # not those of her own team
    (all_of_it,) = reviews.waits_for(cast.ada)
    assert (all_of_it.place, all_of_it.count) == (None, 8)
    assert reviews.waits_for(cast.dev) == reviews.waits_for(cast.otto) == reviews.waits_for(cast.nora) == []
    with at(review.due):
        assert reviews.waits_for(cast.olga) == []


def test_starting_takes_as_many_queries_for_few_as_for_many(cast: Cast) -> None:
    def start() -> int:
        with CaptureQueriesContext(connection) as asked:
            review = started(cast, project=None)
        access_reviews.call_off(by=cast.ada, review=review, why="Counted.")
        return len(asked)

    few = start()
    for number in range(12):
        project = imported(
            by=cast.ada, node=cast.design, pipeline=cast.pipeline, key=f"P{number}", tier="light"
        )
        grants.grant(by=cast.ada, person=cast.dev, right=Right.REQUEST, project=project, why="Builds.")
    assert start() <= few + 2
    assert ReviewPlace.objects.count() > 12


def test_giving_a_right_again_does_not_step_around_a_review(cast: Cast) -> None:
    review = started(cast)
    mona = grant_of("promote", person=cast.mona, project=cast.churn)
    wish = {"person": cast.mona, "right": Right.PROMOTE, "project": cast.churn, "why": "Again."}
    for until in (None, review.due + DAYS):
        with pytest.raises(Invalid) as refusal:
            edits.give_right(by=cast.ada, until=until, **wish)  # type: ignore[arg-type]
        assert (refusal.value.code, refusal.value.field) == ("review_asks", "until")
    text = written(Place(project=cast.churn)).replace(mona.why, "Another reason.")
    with pytest.raises(Invalid):
        edits.edit(by=cast.ada, ops=wanted(text, "yaml")[0].ops, why="w", project=cast.churn)
    mona.refresh_from_db()
    assert mona.under_review == review.pk
    # Neither does revoking it first. Until the due date it may be given, and anew once the review is over.
    edits.take_right(by=cast.ada, grant=mona, why="Gone.")
    with pytest.raises(Invalid):
        edits.give_right(by=cast.ada, **wish)  # type: ignore[arg-type]
    edits.give_right(by=cast.ada, until=review.due, **wish)  # type: ignore[arg-type]
    access_reviews.call_off(by=cast.ada, review=review, why="Enough.")
    edits.give_right(by=cast.ada, **wish)  # type: ignore[arg-type]
    assert grant_of("promote", person=cast.mona, project=cast.churn).until is None


def test_what_was_revoked_in_a_review_or_otherwise_is_given_again_once_that_is_settled(cast: Cast) -> None:
    review = started(cast)
    eli, fay = (Grant.objects.get(person=who) for who in (cast.eli, cast.fay))
    answered(cast.olga, review, eli, say="revoke")
    again = {"by": cast.ada, "right": Right.SIGN, "project": cast.churn, "why": "Needed after all."}
    edits.give_right(person=cast.eli, role="explainability", **again)  # type: ignore[arg-type]
    edits.take_right(by=cast.ada, grant=fay, why="Gone.")
    answered(cast.ada, review, *Grant.objects.filter(under_review=review.pk, revoked_at=None))
    review.refresh_from_db()
    assert review.status == AccessReview.Status.COMPLETED
    edits.give_right(person=cast.fay, role="fairness", **again)  # type: ignore[arg-type]


def test_an_administrator_made_again_on_the_command_line_stays_under_review(cast: Cast) -> None:
    review = started(cast, project=None)
    abe = grant_of("manage", person=cast.abe)
    assert grants.first_grant(by=Person.objects.system(), person=cast.abe) == abe
    abe.refresh_from_db()
    assert (abe.under_review, abe.until) == (review.pk, review.due)


def test_of_two_reviews_started_at_once_one_finds_nothing_left_to_ask(database_copy: Database) -> None:
    cast = make_cast()
    due = timezone.now() + LATER
    refused = refusals_of(
        *(
            lambda by=by: access_reviews.start(by=by, due=due, why="It is time.", project=cast.churn)
            for by in (cast.ada, cast.abe)
        )
    )
    assert [refusal.code for refusal in refused] == ["review_empty"]
    assert AccessReview.objects.count() == 1
