"""Asking people to sign, reminding them, telling who manages the project; and telling of what counts no more."""

from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings

from deployments import asking
from deployments.actions import asking as action
from deployments.judging import judge_now
from deployments.models import Ask, Counted, DeploymentRequest
from deployments.reminders import MOST_REMINDERS
from governance.actions import documents, signoffs
from governance.models import SignOff
from portal import ledger
from portal.actions import grants
from portal.errors import Absent, Forbidden, Invalid, Refused
from portal.models import Event, Grant, Notification, Person, Right
from tests.cast import Cast
from tests.factories import bundle_registered, request_at, signed, to_read
from tests.pages import signed_in, words


@pytest.fixture
def wish(unsigned: DeploymentRequest) -> DeploymentRequest:
    return unsigned


def look() -> None:
    """As a sweep does when everything is due."""
    asking.due_now()
    asking.look_after()


def told(person: Person, kind: str = "") -> list[str]:
    found = Notification.objects.filter(person=person).order_by("pk")
    return [one.line for one in (found.filter(kind=kind) if kind else found)]


def kinds() -> list[str]:
    return [one.kind for one in Event.objects.filter(kind__startswith="signoff.").order_by("seq")]


def waited(days: float) -> None:
    """As if everybody had been asked so many days earlier."""
    for ask in Ask.objects.all():
        begun = ask.begun_at - timedelta(days=days)
        reminded = ask.reminded_at and ask.reminded_at - timedelta(days=days)
        Ask.objects.filter(pk=ask.pk).update(begun_at=begun, reminded_at=reminded)


# --- asking -----------------------------------------------------------------------------------------------------------


def test_whoever_can_sign_is_asked_once_and_no_more_when_it_is_signed(
    cast: Cast, wish: DeploymentRequest
) -> None:
    look()
    look()
    assert {(ask.person.login, ask.requirement) for ask in Ask.objects.all()} == {
        ("fay", "sign_off:fairness"),
        ("eli", "sign_off:explainability"),
        ("ravi", "sign_off:model-risk"),
    }
    assert told(cast.fay) == ["Customer churn: sign fairness for v1 to Production"]
    assert Notification.objects.get(person=cast.fay).url == f"{wish.address}sign/sign_off:fairness/"
    assert kinds() == ["signoff.asked"] * 3
    signed(cast.fay, wish, "fairness")
    look()
    assert Ask.objects.get(person=cast.fay).ended_at is not None
    assert Ask.objects.filter(ended_at=None).count() == 2
    assert len(told(cast.fay)) == 1


def test_nobody_is_asked_before_there_is_everything_to_read(cast: Cast) -> None:
    request_at(cast, "open", bundle_registered(cast), cast.prod)
    look()
    assert not Ask.objects.exists()
    assert not Notification.objects.exists()


def test_nobody_is_asked_before_the_tests_ran(cast: Cast) -> None:
    bundle = bundle_registered(cast)
    to_read(cast, bundle)
    request_at(cast, "open", bundle, cast.prod)
    look()
    assert not Ask.objects.exists()


def test_what_is_needless_in_a_moment_is_not_asked(
    cast: Cast, wish: DeploymentRequest, settings: Settings
) -> None:
    settings.ASK_AFTER_SECONDS = 30
    DeploymentRequest.objects.update(look_at=timezone.now() + asking.AGAIN)
    asking.look_after("CHURN")
    assert Ask.objects.filter(told_at=None).count() == 3
    assert not Notification.objects.exists()
    assert "Asked Fay" not in words(signed_in(cast.dev).get(wish.address))
    wish.refresh_from_db()
    assert wish.look_at <= timezone.now() + timedelta(seconds=31), "it is looked at again when it is due"
    signed(cast.fay, wish, "fairness")
    look()
    assert {ask.person.login for ask in Ask.objects.all()} == {"eli", "ravi"}, (
        "as if Fay had never been asked"
    )
    waited(0.01)
    look()
    assert len(told(cast.eli, "asked")) == 1
    assert told(cast.fay) == []


def test_who_is_barred_or_said_no_is_not_asked(cast: Cast, wish: DeploymentRequest) -> None:
    with ledger.business():
        grants.grant(
            by=cast.ada, person=cast.dev, right=Right.SIGN, role="fairness", project=cast.churn, why="Help."
        )
    signed(cast.eli, wish, "explainability", decision="reject", comment="No.")
    look()
    assert {ask.person.login for ask in Ask.objects.all()} == {"fay", "ravi"}, "Dev asked for it"


def test_somebody_who_gets_the_role_is_asked_and_who_loses_it_no_more(
    cast: Cast, wish: DeploymentRequest
) -> None:
    look()
    with ledger.business():
        grants.revoke(by=cast.ada, grant=Grant.objects.get(person=cast.fay, right="sign"), why="Moved on.")
        grants.grant(
            by=cast.ada, person=cast.otto, right=Right.SIGN, role="fairness", project=cast.churn, why="New."
        )
    look()
    standing = Ask.objects.filter(requirement="sign_off:fairness", ended_at=None)
    assert [ask.person.login for ask in standing] == ["otto"]
    assert len(told(cast.otto)) == 1


def test_what_is_asked_again_is_news_again(cast: Cast, wish: DeploymentRequest) -> None:
    look()
    signed(cast.fay, wish, "fairness")
    look()
    documents.write(
        by=cast.dev, bundle=wish.bundle, kind="intended-use", title="Use", text="# Purpose\nOther offers."
    )
    look()
    lines = told(cast.fay, "asked")
    assert len(lines) == 2
    latest = Notification.objects.filter(person=cast.fay, kind="asked").latest("pk")
    assert "Asked again because" in latest.text


def test_a_sweep_looks_at_what_is_due_alone(cast: Cast, wish: DeploymentRequest) -> None:
    assert asking.look_after() == 1
    assert asking.look_after() == 0
    wish.refresh_from_db()
    assert wish.look_at > timezone.now()
    assert asking.look_after("CHURN") == 1, "what happened in a project does not wait"
    assert asking.look_after("MAINT") == 0


# --- reminding and escalating -----------------------------------------------------------------------------------------


def test_who_does_not_sign_is_reminded_three_times_and_who_manages_is_told_once(
    cast: Cast, wish: DeploymentRequest, settings: Settings
) -> None:
    look()
    for _round in range(6):
        waited(2.01)
        look()
        look()
    assert len(told(cast.fay, "reminded")) == MOST_REMINDERS
    assert Ask.objects.get(person=cast.fay).reminders == MOST_REMINDERS
    assert len(told(cast.ada, "escalated")) == 3, "of each of the three signatures once"
    assert len(told(cast.dev, "escalated")) == 3
    assert not told(cast.olga, "escalated"), "who owns it does not manage it"
    assert kinds().count("signoff.escalated") == 3


def test_zero_means_never(cast: Cast, wish: DeploymentRequest, settings: Settings) -> None:
    settings.REMIND_SECONDS = settings.ESCALATE_SECONDS = 0
    look()
    waited(100)
    look()
    assert kinds() == ["signoff.asked"] * 3


def test_reminding_by_hand(cast: Cast, wish: DeploymentRequest) -> None:
    key = "sign_off:fairness"
    with pytest.raises(Refused, match="Nobody is asked") as none:
        action.remind(by=cast.dev, request=wish, requirement=key)
    assert none.value.code == "nobody_asked"
    look()
    with pytest.raises(Refused, match="less than an hour ago"):
        action.remind(by=cast.dev, request=wish, requirement=key)
    waited(0.05)
    assert action.remind(by=cast.dev, request=wish, requirement=key) == [cast.fay]
    with pytest.raises(Refused, match="less than an hour ago"):
        action.remind(by=cast.dev, request=wish, requirement=key)
    with pytest.raises(Forbidden):
        action.remind(by=cast.fay, request=wish, requirement=key)
    with pytest.raises(Absent):
        action.remind(by=cast.otto, request=wish, requirement=key)
    with pytest.raises(Refused, match="No signature is missing"):
        action.remind(by=cast.dev, request=wish, requirement="tests:qa")
    assert told(cast.fay, "reminded") == [
        "Customer churn: fairness of v1 to Production still waits for a signature"
    ]


def test_escalating_by_hand_takes_a_reason_and_happens_once_a_day(
    cast: Cast, wish: DeploymentRequest
) -> None:
    key = "sign_off:fairness"
    look()
    with pytest.raises(Invalid, match="Say why it cannot wait"):
        action.escalate(by=cast.dev, request=wish, requirement=key, why=" ")
    people = action.escalate(by=cast.dev, request=wish, requirement=key, why="Customers wait.")
    assert cast.ada in people
    assert "Customers wait." in Notification.objects.get(person=cast.ada).text
    with pytest.raises(Refused, match="today already"):
        action.escalate(by=cast.dev, request=wish, requirement=key, why="Customers wait.")


def test_the_page_says_who_was_asked_and_reminds_them(cast: Cast, wish: DeploymentRequest) -> None:
    look()
    waited(0.05)
    client = signed_in(cast.dev)
    page = client.get(wish.address)
    assert "Asked Fay Okafor on" in words(page)
    answer = client.post(f"{wish.address}remind/sign_off:fairness/", follow=True)
    assert "Reminded: Fay Okafor." in words(answer)
    assert "Reminded once." in words(answer)
    asked = client.get(f"{wish.address}escalate/sign_off:fairness/")
    assert "Tell who manages the project" in words(asked)
    done = client.post(f"{wish.address}escalate/sign_off:fairness/", {"why": "Customers wait."}, follow=True)
    assert "Told: " in words(done)
    assert "Told to who manages the project." in words(done)


# --- what counts no more ----------------------------------------------------------------------------------------------


def test_who_signed_and_who_asked_are_told_when_a_signature_counts_no_more(
    cast: Cast, wish: DeploymentRequest
) -> None:
    signed(cast.fay, wish, "fairness")
    look()
    assert Counted.objects.get().lapsed_at is None
    with ledger.business():
        grants.revoke(by=cast.ada, grant=Grant.objects.get(person=cast.fay, right="sign"), why="Moved on.")
    look()
    look()
    row = Counted.objects.get()
    assert row.why == "role_lost"
    assert told(cast.dev, "lapsed") == [
        "Customer churn: a fairness signature on v1 to Production counts no more"
    ]
    assert len(told(cast.fay, "lapsed")) == 1
    assert "may no longer sign this" in Notification.objects.get(person=cast.dev, kind="lapsed").text
    assert kinds().count("signoff.lapsed") == 1


def test_a_replaced_document_is_the_reason_told(cast: Cast, wish: DeploymentRequest) -> None:
    signed(cast.fay, wish, "fairness")
    look()
    documents.write(
        by=cast.dev, bundle=wish.bundle, kind="intended-use", title="Use", text="# Purpose\nOther offers."
    )
    look()
    assert "intended use" in Notification.objects.get(person=cast.fay, kind="lapsed").text


def test_who_withdraws_need_not_be_told_but_who_asked_is(cast: Cast, wish: DeploymentRequest) -> None:
    signed(cast.fay, wish, "fairness")
    look()
    signoffs.withdraw(by=cast.fay, signoff=SignOff.objects.get(), why="I misread it.")
    look()
    assert told(cast.fay, "lapsed") == []
    assert len(told(cast.dev, "lapsed")) == 1


def test_what_counts_again_and_lapses_again_is_told_again(cast: Cast, wish: DeploymentRequest) -> None:
    signed(cast.fay, wish, "fairness")
    look()
    for round_ in (1, 2):
        with ledger.business():
            grants.revoke(
                by=cast.ada,
                grant=Grant.objects.get(person=cast.fay, right="sign", revoked_at=None),
                why="Away.",
            )
        look()
        assert len(told(cast.fay, "lapsed")) == round_
        with ledger.business():
            grants.grant(
                by=cast.ada,
                person=cast.fay,
                right=Right.SIGN,
                role="fairness",
                project=cast.churn,
                why="Back.",
            )
        look()
        assert Counted.objects.get().lapsed_at is None
    assert judge_now(wish).verdict.findings


def test_signing_anew_is_no_lapse_to_tell_of(cast: Cast, wish: DeploymentRequest) -> None:
    signed(cast.fay, wish, "fairness")
    look()
    signed(cast.fay, wish, "fairness", comment="Read once more.")
    look()
    assert Counted.objects.get(signoff=SignOff.objects.earliest("pk")).why == action.SUPERSEDED
    assert told(cast.fay, "lapsed") == []
    assert told(cast.dev, "lapsed") == []
