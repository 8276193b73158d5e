"""Approving under conditions: it counts until a condition is overdue, and again once its signer says it is met."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone

from deployments import asking
from deployments.actions import signing
from deployments.judging import judge_now
from deployments.models import DeploymentRequest
from governance.actions import signoffs
from governance.actions.signoffs import Wish
from governance.checks import Why
from governance.facts import Finding
from governance.gate import case_from_json, case_to_json
from governance.models import Condition, Fulfilment, SignOff
from governance.sentences import sentence
from portal import content, ledger
from portal.demo.cast import PASSWORD
from portal.errors import Forbidden, Invalid, Refused, Stale
from portal.models import Event, Notification, Person
from portal.names import names
from portal.reauthentication import Password
from tests.api import Api
from tests.cast import Cast
from tests.pages import signed_in, words

KEY = "sign_off:fairness"


@pytest.fixture
def wish(unsigned: DeploymentRequest) -> DeploymentRequest:
    return unsigned


def under(by: Person, wish: DeploymentRequest, *conditions: tuple[str, float], **more: Any) -> SignOff:
    """Sign for fairness under conditions, each due in so many days."""
    now = timezone.now()
    said = {"decision": "approve_with_conditions", **more}
    return signing.sign(
        by=by,
        proof=Password(PASSWORD),
        request=wish,
        requirement=KEY,
        bound=signing.draft(by=by, request=wish, requirement=KEY).bound,
        conditions=[Wish(text, now + timedelta(days=days)) for text, days in conditions],
        **said,
    )


def finding(wish: DeploymentRequest) -> Finding:
    return next(one for one in judge_now(wish).verdict.findings if one.key == KEY)


def said(wish: DeploymentRequest) -> str:
    found = finding(wish)
    return str(sentence(found.code, found.params, names()))


def confirm(by: Person, number: int = 1, **more: Any) -> Fulfilment:
    condition = Condition.objects.select_related("signoff__lane__project", "signoff__bundle").get(
        number=number
    )
    told = {"how": "Counted again on 3,000 rows.", "proof": Password(PASSWORD), **more}
    return signoffs.confirm(by=by, condition=condition, **told)


def test_it_counts_until_the_first_condition_is_due(cast: Cast, wish: DeploymentRequest) -> None:
    signoff = under(cast.fay, wish, ("Write the limits down.", 20), ("Count again.", 10))
    assert [one.text for one in signoff.conditions.all()] == ["Count again.", "Write the limits down."]
    met = finding(wish)
    assert met.state == "met"
    first = signoff.conditions.get(number=1)
    assert met.holds_until is not None
    assert met.holds_until.startswith(f"{first.due:%Y-%m-%dT%H:%M}")
    assert "Under a condition that is open and due on" in said(wish)
    case = judge_now(wish).case
    assert case_from_json(case_to_json(case)) == case


def test_an_overdue_condition_stops_it_and_who_signed_and_asked_is_told(
    cast: Cast, wish: DeploymentRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    under(cast.fay, wish, ("Count again.", 10))
    asking.look_after("CHURN")
    later = timezone.now() + timedelta(days=11)
    monkeypatch.setattr(timezone, "now", lambda: later)
    assert finding(wish).state == "not_met"
    (word,) = finding(wish).params["not_counted"]
    assert word["why"] == Why.CONDITION_OVERDUE
    assert "was due on" in said(wish)
    asking.look_after("CHURN")
    told = {one.person.login: one.text for one in Notification.objects.filter(kind="lapsed")}
    assert set(told) == {"fay", "dev"}
    assert "counts again once Fay Okafor says that it is" in told["dev"]
    confirm(cast.fay)
    assert finding(wish).state == "met"
    assert "The conditions stated are met." in said(wish)


def test_only_who_signed_says_that_it_is_met(cast: Cast, wish: DeploymentRequest) -> None:
    signoff = under(cast.fay, wish, ("Count again.", 10))
    for other in (cast.dev, cast.ravi, cast.ada):
        with pytest.raises(Forbidden, match="Only Fay Okafor"):
            confirm(other)
    with pytest.raises(Refused, match="password"):
        confirm(cast.fay, proof=Password("wrong"))
    with pytest.raises(Invalid, match="what shows"):
        confirm(cast.fay, how=" ")
    confirm(cast.fay)
    with pytest.raises(Stale, match="met already"):
        confirm(cast.fay)
    event = Event.objects.get(kind="condition.met")
    assert event.subject == signoff.subject


def test_of_a_withdrawn_signature_nothing_can_be_met(cast: Cast, wish: DeploymentRequest) -> None:
    signoff = under(cast.fay, wish, ("Count again.", 10))
    signoffs.withdraw(by=cast.fay, signoff=signoff, why="Misread.")
    with pytest.raises(Stale, match="withdrawn"):
        confirm(cast.fay)


@pytest.mark.parametrize(
    ("conditions", "more", "code"),
    [
        ((), {}, "conditions_missing"),
        ((("Count again.", 10),), {"decision": "approve"}, "conditions_unasked"),
        ((("Count again.", 10),), {"decision": "reject", "comment": "No."}, "conditions_unasked"),
        (((" ", 10),), {}, "condition_text"),
        ((("x" * 1001, 10),), {}, "condition_text"),
        ((("Count again.", -1),), {}, "condition_due"),
        ((("Count again.", 400),), {}, "condition_due"),
        ((("Count again.", 10),) * 11, {}, "conditions_many"),
    ],
)
def test_what_is_no_condition(
    cast: Cast, wish: DeploymentRequest, conditions: Any, more: dict[str, Any], code: str
) -> None:
    with pytest.raises(Invalid) as refusal:
        under(cast.fay, wish, *conditions, **more)
    assert (refusal.value.code, refusal.value.field) == (code, "conditions")
    assert not SignOff.objects.exists()


def test_the_statement_binds_the_condition_without_its_words(cast: Cast, wish: DeploymentRequest) -> None:
    signoff = under(cast.fay, wish, ("Count again.", 10))
    condition = signoff.conditions.get()
    signed = bytes(content.get(signoff.statement_id))
    assert b"Count again" not in signed
    assert ledger.commitment(condition.salt, "Count again.").encode() in signed
    for event in Event.objects.all():
        assert b"Count again" not in bytes(event.body)


def test_neither_is_ever_rewritten(cast: Cast, wish: DeploymentRequest) -> None:
    under(cast.fay, wish, ("Count again.", 10))
    confirm(cast.fay)
    for model, change in (
        (Condition, {"text": "x"}),
        (Fulfilment, {"how": "x"}),
        (SignOff, {"meaning": "x"}),
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            model._default_manager.update(**change)
        with pytest.raises(TypeError):
            model._default_manager.get().delete()


def test_signing_anew_stands_in_place_of_what_was_said_before(cast: Cast, wish: DeploymentRequest) -> None:
    first = under(cast.fay, wish, ("Count again.", 10))
    second = under(cast.fay, wish, decision="approve")
    assert second.supersedes == first
    assert said(wish).startswith("Signed by Fay Okafor")
    assert "condition" not in said(wish)


def test_on_the_pages(cast: Cast, wish: DeploymentRequest) -> None:
    client = signed_in(cast.fay)
    path = f"{wish.address}sign/{KEY}/"
    bound = signing.draft(by=cast.fay, request=wish, requirement=KEY).bound
    form = {"decision": "approve_with_conditions", "bound": bound, "password": PASSWORD}
    empty = client.post(path, form)
    assert empty.status_code == 400
    assert "Say what has to be done, and by which day." in words(empty)
    half = client.post(path, {**form, "condition_1": "Count again."})
    assert "Say by which day." in words(half)
    due = (timezone.localtime() + timedelta(days=9)).date()
    done = client.post(path, {**form, "condition_1": "Count again.", "due_1": due.isoformat()}, follow=True)
    assert done.status_code == 200
    signoff = SignOff.objects.get()
    page = client.get(f"/signoffs/{signoff.pk}/")
    assert "Count again." in words(page)
    assert "It is met…" in words(page)
    assert "It is met…" not in words(signed_in(cast.dev).get(f"/signoffs/{signoff.pk}/"))
    met = client.post(
        f"/signoffs/{signoff.pk}/conditions/1/met/",
        {"how": "Counted again.", "password": PASSWORD},
        follow=True,
    )
    assert "Met. Your signature goes on counting." in words(met)
    assert "Fay Okafor said so" in words(met)
    assert client.get(f"/signoffs/{signoff.pk}/conditions/2/met/").status_code == 404


def test_over_the_api(cast: Cast, wish: DeploymentRequest) -> None:
    api = Api(signed_in(cast.fay))
    bound = api.get(f"requests/{wish.pk}/signing/?requirement={KEY}")["bound"]
    due = (timezone.localtime() + timedelta(days=9)).date().isoformat()
    signed = api.post(
        f"requests/{wish.pk}/signoffs/",
        requirement=KEY,
        decision="approve_with_conditions",
        bound=bound,
        password=PASSWORD,
        conditions=[{"text": "Count again.", "due": due}],
    )
    (condition,) = signed["conditions"]
    assert (condition["text"], condition["fulfilment"]) == ("Count again.", None)
    met = api.post(f"signoffs/{signed['id']}/conditions/1/met/", how="Counted again.", password=PASSWORD)
    assert met["conditions"][0]["fulfilment"]["how"] == "Counted again."
