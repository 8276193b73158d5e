"""Waivers: asked by one, granted by another, counted by the gate, taken back, told, and always on the report."""

import base64
import hashlib
import json
import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from deployments import asking, inbox, starting
from deployments.actions import asking as reminding
from deployments.actions import promotions, requests, waiving
from deployments.judging import judge_many, judge_now
from deployments.models import Ask, CountedWaiver, DeploymentRequest, Promotion
from deployments.reminders import MOST_REMINDERS
from governance.actions import policies, reports
from governance.actions import waivers as action
from governance.facts import Finding, instant
from governance.models import Report, Waiver, WaiverAnswer
from governance.report import collect as collecting
from governance.report.compose import compose
from governance.statement import verified
from portal import checkpoints, content, ledger, signing, telling
from portal.actions import accounts, delegations, grants, people
from portal.demo.cast import PASSWORD
from portal.errors import Absent, Forbidden, Invalid, Refused, Stale
from portal.event_kinds import EventKind
from portal.models import Event, Grant, Notification, Person, Project, Right
from portal.reauthentication import Password
from tests.api import same_at_any_size, session, token
from tests.cast import POLICY, Cast
from tests.factories import all_but_signed, all_signed, bundle_registered, fairness_of, request_at
from tests.pages import outsider_sees_nothing, queries_of, refused, signed_in, words
from tests.remembered import Remembered

FAIRNESS = "evidence:fairness"


_WIM: Remembered[Person] = Remembered()
_WISH: Remembered[DeploymentRequest] = Remembered()


@pytest.fixture
def wim(cast: Cast) -> Person:
    """Who may waive on churn, and nothing else."""
    return _WIM.again(lambda: waiver_of_churn(cast, "wim", "Wim Vogel"))


def waiver_of_churn(cast: Cast, login: str, name: str) -> Person:
    person = people.add_person(by=cast.ada, login=login, name=name, password=PASSWORD)
    grants.grant(
        by=cast.ada, person=person, right=Right.WAIVE, project=cast.churn, why="Decides on exceptions."
    )
    return person


@pytest.fixture
def wish(cast: Cast, wim: Person) -> DeploymentRequest:
    """A request of v1 to production in which its fairness is all that is not met."""

    def made() -> DeploymentRequest:
        bundle = bundle_registered(cast)
        all_but_signed(cast, bundle)
        fairness_of(cast, bundle, women=0.2)
        request = request_at(cast, "open", bundle, cast.prod)
        all_signed(cast, request)
        return request

    return _WISH.again(made)


def later(days: float = 10) -> Any:
    return timezone.now() + timedelta(days=days)


def asked(cast: Cast, wish: DeploymentRequest, **change: Any) -> Waiver:
    said = {
        "by": cast.dev,
        "requirement": FAIRNESS,
        "why": "Few women apply in June.",
        "until": later(),
        **change,
    }
    made = waiving.ask(request=wish, **said)
    return Waiver.objects.select_related(
        "lane__project", "lane__stage", "bundle", "asked_by", "on_behalf_of"
    ).get(pk=made.pk)


def granted(by: Person, wish: DeploymentRequest, waiver: Waiver, comment: str = "") -> WaiverAnswer:
    bound = waiving.draft(by=by, request=wish, waiver=waiver).bound
    return waiving.grant(
        by=by, proof=Password(PASSWORD), request=wish, waiver=waiver, bound=bound, comment=comment
    )


def fresh(waiver: Waiver) -> Waiver:
    return Waiver.objects.select_related("lane__project", "lane__stage", "bundle", "asked_by").get(
        pk=waiver.pk
    )


def finding(wish: DeploymentRequest, key: str = FAIRNESS) -> Finding:
    return next(one for one in judge_now(wish).verdict.findings if one.key == key)


def kinds(prefix: str = "waiver.") -> list[str]:
    return [one.kind for one in Event.objects.filter(kind__startswith=prefix).order_by("seq")]


def told(person: Person) -> list[str]:
    return [one.line for one in Notification.objects.filter(person=person).order_by("pk")]


# --- the way it goes --------------------------------------------------------------------------------------------------


def test_asked_by_one_and_granted_by_another_it_passes_until_its_end(
    cast: Cast, wish: DeploymentRequest, wim: Person
) -> None:
    assert not judge_now(wish).verdict.met
    waiver = asked(cast, wish)
    assert not judge_now(wish).verdict.met
    answer = granted(wim, wish, waiver, "Until the recount.")
    verdict = judge_now(wish).verdict
    assert verdict.met
    assert finding(wish).state == "waived"
    assert str(finding(wish).holds_until) <= instant(waiver.until)
    statement = verified(content.get(str(answer.envelope_id)), {signing.key_id(): signing.public_key()})
    said = statement["predicate"]
    assert statement["predicateType"] == "urn:countersign:waiver:v1"
    assert {one["name"]: one["digest"]["sha256"] for one in statement["subject"]} == {
        f"CHURN/{part}": value for part, value in wish.bundle.parts.items()
    }
    assert (said["person"], said["asked"]["by"]) == (str(wim.pk), str(cast.dev.pk))
    assert said["until"] == instant(waiver.until)
    assert said["finding"] == waiver.finding
    assert said["asked"]["reason"] == ledger.commitment(waiver.why_salt, waiver.why)
    assert said["comment"] == ledger.commitment(answer.comment_salt, "Until the recount.")
    assert "June" not in json.dumps(statement)
    assert kinds() == ["waiver.asked", "waiver.granted"]
    bodies = b"".join(bytes(one.body) for one in Event.objects.filter(kind__startswith="waiver."))
    assert b"June" not in bodies
    assert b"recount" not in bodies
    promotions.promote(by=cast.mona, request=wish)
    assert Promotion.objects.filter(request=wish).exists()


def test_people_are_told(cast: Cast, wish: DeploymentRequest, wim: Person) -> None:
    waiver = asked(cast, wish)
    line = told(wim)[-1]
    assert line.startswith("Customer churn: waive “Groups treated alike by")
    assert Notification.objects.get(person=wim).url == f"{wish.address}waivers/{waiver.pk}/"
    granted(wim, wish, waiver)
    assert told(cast.dev)[-1].endswith("is waived for v1 to Production")
    action.withdraw(by=wim, waiver=fresh(waiver), why="The recount is worse.")
    assert told(cast.dev)[-1].endswith("for v1 to Production was taken back")


def test_refused_with_a_reason_and_asked_again(cast: Cast, wish: DeploymentRequest, wim: Person) -> None:
    waiver = asked(cast, wish)
    with pytest.raises(Invalid) as no:
        waiving.refuse(by=wim, request=wish, waiver=waiver, why=" ")
    assert no.value.field == "why"
    waiving.refuse(by=wim, request=wish, waiver=waiver, why="Count again.")
    assert told(cast.dev)[-1].endswith("is not waived for v1 to Production")
    with pytest.raises(Stale):
        granted(wim, wish, waiver)
    assert finding(wish).state == "not_met"
    assert granted(wim, wish, asked(cast, wish)).granted
    with pytest.raises(Stale):
        waiving.refuse(by=wim, request=wish, waiver=waiver, why="Again.")


def test_taken_back_it_counts_no_more_at_once(cast: Cast, wish: DeploymentRequest, wim: Person) -> None:
    waiver = asked(cast, wish)
    granted(wim, wish, waiver)
    with pytest.raises(Forbidden) as no:
        action.withdraw(by=cast.dev, waiver=fresh(waiver), why="Mine.")
    assert no.value.sentence == "Only Wim Vogel can take this waiver back."
    action.withdraw(by=wim, waiver=fresh(waiver), why="I misread.")
    assert (finding(wish).state, finding(wish).params["waiver"]["why"]) == ("not_met", "withdrawn")
    with pytest.raises(Stale):
        action.withdraw(by=wim, waiver=fresh(waiver), why="Again.")
    with pytest.raises(Refused):
        promotions.promote(by=cast.mona, request=wish)


def test_who_asked_takes_it_back_before_it_is_answered(
    cast: Cast, wish: DeploymentRequest, wim: Person
) -> None:
    waiver = asked(cast, wish)
    action.withdraw(by=cast.dev, waiver=waiver, why="We count again.")
    with pytest.raises(Stale):
        granted(wim, wish, waiver)
    with pytest.raises(Absent):
        action.withdraw(by=cast.otto, waiver=waiver, why="Mine.")


def test_it_ends_by_itself(
    cast: Cast, wish: DeploymentRequest, wim: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiver = asked(cast, wish, until=later(1))
    granted(wim, wish, waiver)
    case = judge_now(wish).case
    assert [one.until for one in case.waivers] == [instant(waiver.until)]
    then = later(1) + timedelta(seconds=1)
    monkeypatch.setattr(timezone, "now", lambda: then)
    over = finding(wish)
    assert (over.state, over.params["waiver"]["why"]) == ("not_met", "expired")


def test_a_right_that_is_lost_ends_it(cast: Cast, wish: DeploymentRequest, wim: Person) -> None:
    granted(wim, wish, asked(cast, wish))
    grants.revoke(
        by=cast.ada, grant=Grant.objects.get(person=wim, right=Right.WAIVE), why="He left the board."
    )
    assert finding(wish).params["waiver"]["why"] == "right_lost"
    with pytest.raises(Refused) as nobody:
        asked(cast, wish)
    assert nobody.value.code == "nobody_waives"


def test_it_holds_for_a_bundle_of_equal_parts_and_for_no_other(
    cast: Cast, wish: DeploymentRequest, wim: Person
) -> None:
    granted(wim, wish, asked(cast, wish))
    same = request_at(cast, "open", bundle_registered(cast, "v1b"), cast.prod)
    assert finding(same).state == "waived"
    changed = bundle_registered(cast, "v2", {"project_config/recipes/score.py": "score(all)"})
    fairness_of(cast, changed, women=0.2)
    other = request_at(cast, "open", changed, cast.prod)
    assert (finding(other).state, finding(other).params["waiver"]["differs"]) == (
        "not_met",
        [{"field": "part", "part": "flow"}],
    )


def test_another_finding_is_not_waived_and_says_so(cast: Cast, wish: DeploymentRequest, wim: Person) -> None:
    granted(wim, wish, asked(cast, wish))
    fairness_of(cast, wish.bundle, women=0.05)
    now = finding(wish)
    assert (now.state, now.params["waiver"]["differs"]) == ("not_met", [{"field": "finding"}])
    fairness_of(cast, wish.bundle, women=0.5)
    assert finding(wish).state == "met"


def test_it_holds_for_the_project_that_was_signed_also_under_another_name(
    cast: Cast, wish: DeploymentRequest, wim: Person
) -> None:
    granted(wim, wish, asked(cast, wish))
    Project.objects.filter(pk=cast.churn.pk).update(key="ELSEWHERE")
    renamed = DeploymentRequest.objects.get(pk=wish.pk)
    now = finding(renamed)
    assert (now.state, now.params["waiver"]["differs"]) == ("not_met", [{"field": "lane"}])


@pytest.mark.parametrize("answer", ["grant", "refuse"])
def test_what_cannot_be_told_is_not_answered(
    cast: Cast, wish: DeploymentRequest, wim: Person, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    waiver = asked(cast, wish)
    answers: dict[str, Callable[[], object]] = {
        "grant": lambda: granted(wim, wish, waiver),
        "refuse": lambda: waiving.refuse(by=wim, request=wish, waiver=waiver, why="No."),
    }

    def broken(*_args: object) -> None:
        raise RuntimeError("the worker died")

    monkeypatch.setattr(telling, "tell", broken)
    with pytest.raises(RuntimeError):
        answers[answer]()
    assert not WaiverAnswer.objects.exists()
    assert kinds() == ["waiver.asked"]


def test_another_clause_is_not_waived(cast: Cast, wish: DeploymentRequest, wim: Person) -> None:
    granted(wim, wish, asked(cast, wish))
    policies.publish(by=cast.ada, source=POLICY.replace("min: 0.8", "min: 0.85"))
    assert {"field": "clause"} in finding(wish).params["waiver"]["differs"]


def test_a_missing_document_that_is_waived_keeps_nobody_from_signing(cast: Cast, wim: Person) -> None:
    bundle = bundle_registered(cast)
    wish = request_at(cast, "open", bundle, cast.prod)
    for number, one in enumerate(judge_now(wish).verdict.findings):
        if one.kind != "sign_off":
            granted(wim, wish, asked(cast, wish, requirement=one.key, why=f"Reason {number}."))
    all_signed(cast, wish)
    assert judge_now(wish).verdict.met


# --- who may not ------------------------------------------------------------------------------------------------------


def barred(by: Person, wish: DeploymentRequest, waiver: Waiver) -> str:
    before = WaiverAnswer.objects.count()
    with pytest.raises(Forbidden) as no:
        granted(by, wish, waiver)
    assert WaiverAnswer.objects.count() == before
    last = ledger.events(kinds=[EventKind.ACCESS_REFUSED])[-1]
    assert (last.actor_id, last.facts["action"], last.facts["code"]) == (str(by.pk), "waive", "barred")
    return no.value.sentence


def test_nobody_grants_what_they_asked_for(cast: Cast, wish: DeploymentRequest, wim: Person) -> None:
    grants.grant(by=cast.ada, person=wim, right=Right.REQUEST, project=cast.churn, why="Asks, too.")
    waiver_of_churn(cast, "ann", "Ann Second")
    waiver = asked(cast, wish, by=wim)
    assert "You asked for the waiver" in barred(wim, wish, waiver)
    with pytest.raises(Forbidden):
        waiving.refuse(by=wim, request=wish, waiver=waiver, why="Mine.")
    with pytest.raises(IntegrityError), transaction.atomic():
        WaiverAnswer.objects.create(waiver=waiver, asker=wim, answered_by=wim, granted=False, comment="x")


def test_nor_who_made_the_bundle_nor_who_asked_for_the_promotion(
    cast: Cast, wish: DeploymentRequest, wim: Person
) -> None:
    grants.grant(by=cast.ada, person=cast.dev, right=Right.WAIVE, project=cast.churn, why="For a test.")
    waiver = asked(cast, wish, by=cast.olga)
    assert "You made this bundle" in barred(cast.dev, wish, waiver)
    again = asked_for_by(wish, wim)
    assert "You asked for this deployment" in barred(wim, again, waiver)


def asked_for_by(wish: DeploymentRequest, person: Person) -> DeploymentRequest:
    """The request as if somebody else had asked for it."""
    DeploymentRequest.objects.filter(pk=wish.pk).update(requested_by=person)
    return DeploymentRequest.objects.select_related(
        "bundle__author", "lane__project", "lane__stage", "requested_by", "on_behalf_of"
    ).get(pk=wish.pk)


def test_nor_who_made_the_token_that_asked(cast: Cast, wish: DeploymentRequest, wim: Person) -> None:
    robot = people.add_person(by=cast.abe, login="ci", name="Pipeline", kind=Person.Kind.SERVICE)
    grants.grant(by=cast.ada, person=robot, right=Right.REQUEST, project=cast.churn, why="Asks by itself.")
    grants.grant(by=cast.ada, person=cast.abe, right=Right.WAIVE, project=cast.churn, why="For a test.")
    people.make_token(by=cast.abe, person=robot, name="ci", carrying=["request"])
    waiver = asked(cast, wish, by=robot)
    assert "made a token" in barred(cast.abe, wish, waiver)
    assert granted(wim, wish, waiver).granted


def test_nor_who_was_let_in_by_who_asked(
    cast: Cast, wish: DeploymentRequest, wim: Person, settings: Settings
) -> None:
    settings.COOLING_OFF_SECONDS = 0
    grants.grant(by=cast.abe, person=cast.ada, right=Right.REQUEST, project=cast.churn, why="Asks, too.")
    waiver = asked(cast, wish, by=cast.ada)
    row, _code = accounts.give_reset(by=cast.ada, person=wim)
    wim.refresh_from_db()
    accounts.use_reset(by=wim, reset=row, new="a-password-of-his-own-1")
    assert "a new way to sign in from Ada" in barred(wim, wish, waiver)


def test_what_was_granted_counts_no_more_when_it_was_let_in(
    cast: Cast, wish: DeploymentRequest, wim: Person, settings: Settings
) -> None:
    """Ada lets Wim in, who then waives; and only then does it show that Ada asked for the promotion herself."""
    settings.COOLING_OFF_SECONDS = 0
    waiver = asked(cast, wish)
    row, _code = accounts.give_reset(by=cast.ada, person=wim)
    wim.refresh_from_db()
    accounts.use_reset(by=wim, reset=row, new=PASSWORD + "-2")
    bound = waiving.draft(by=wim, request=wish, waiver=waiver).bound
    waiving.grant(by=wim, proof=Password(PASSWORD + "-2"), request=wish, waiver=waiver, bound=bound)
    assert finding(wish).state == "waived"
    assert finding(asked_for_by(wish, cast.ada)).params["waiver"]["barred"] == "requester"


def test_whoever_changed_the_rights_waits(cast: Cast, wish: DeploymentRequest, wim: Person) -> None:
    grants.grant(by=cast.abe, person=cast.ada, right=Right.WAIVE, project=cast.churn, why="For a test.")
    waiver = asked(cast, wish)
    assert "You lately changed the rights here" in barred(cast.ada, wish, waiver)


def test_who_waived_does_not_start_it(cast: Cast, wish: DeploymentRequest, wim: Person) -> None:
    grants.grant(by=cast.ada, person=wim, right=Right.PROMOTE, project=cast.churn, why="For a test.")
    granted(wim, wish, asked(cast, wish))
    with pytest.raises(Forbidden) as no:
        promotions.promote(by=wim, request=wish)
    assert no.value.sentence.startswith("You waived a requirement of this bundle")


def test_one_who_stands_in_asks_and_neither_of_the_two_grants(
    cast: Cast, wish: DeploymentRequest, wim: Person
) -> None:
    grants.grant(by=cast.ada, person=cast.olga, right=Right.WAIVE, project=cast.churn, why="For a test.")
    delegations.delegate(by=cast.olga, delegate=cast.abe, until=later(3), why="Leave.")
    waiver = asked(cast, wish, by=cast.abe)
    assert waiver.on_behalf_of == cast.olga
    assert "You asked for the waiver" in barred(cast.olga, wish, waiver)
    # The right to waive is not lent.
    with pytest.raises(Forbidden) as no:
        granted(cast.abe, wish, waiver)
    assert no.value.code == "right_missing"


def test_rights(cast: Cast, wish: DeploymentRequest, wim: Person) -> None:
    with pytest.raises(Forbidden):
        asked(cast, wish, by=cast.fay)
    with pytest.raises(Absent):
        asked(cast, wish, by=cast.otto)
    waiver = asked(cast, wish)
    for person, error in ((cast.dev, Forbidden), (cast.otto, Absent)):
        with pytest.raises(error):
            granted(person, wish, waiver)
        with pytest.raises(error):
            waiving.refuse(by=person, request=wish, waiver=waiver, why="No.")
    bound = waiving.draft(by=wim, request=wish, waiver=waiver).bound
    with pytest.raises(Forbidden) as no:
        waiving.grant(by=wim, proof=Password("guess"), request=wish, waiver=waiver, bound=bound)
    assert no.value.code == "password_wrong"
    with pytest.raises(Stale):
        waiving.grant(by=wim, proof=Password(PASSWORD), request=wish, waiver=waiver, bound="é" * 64)
    assert not WaiverAnswer.objects.exists()


# --- what cannot be asked ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"why": "  "}, "why_missing", "why"),
        ({"why": "x" * 2001}, "why_long", "why"),
        ({"until": later(-1)}, "until_wrong", "until"),
        ({"until": later(91)}, "until_wrong", "until"),
        ({"requirement": "sign_off:fairness"}, "never_waived", None),
        ({"requirement": "evidence:explainability"}, "nothing_to_waive", None),
        ({"requirement": "nonsense"}, "requirement_unknown", None),
        ({"requirement": ""}, "requirement_unknown", None),
    ],
)
def test_what_is_refused(
    cast: Cast, wish: DeploymentRequest, change: dict[str, Any], code: str, field: str | None
) -> None:
    with pytest.raises(Refused) as no:
        asked(cast, wish, **change)
    assert no.value.code == code
    assert no.value.field == (field or "")
    assert not Waiver.objects.exists()


def test_the_limits_of_settings_and_policy(cast: Cast, wish: DeploymentRequest, settings: Settings) -> None:
    settings.WAIVER_DAYS = 5
    with pytest.raises(Invalid) as no:
        asked(cast, wish, until=later(6))
    assert no.value.sentence == "Choose an end to come, at most 5 days from now."
    settings.WAIVER_DAYS = 0
    with pytest.raises(Refused) as never:
        asked(cast, wish, until=later(1))
    assert never.value.code == "never_waived"
    settings.WAIVER_DAYS = 90
    text = POLICY.replace("kind: fairness\n", "kind: fairness\n              waive: {at_most: 2h}\n")
    policies.publish(by=cast.ada, source=text)
    with pytest.raises(Invalid) as short:
        asked(cast, wish, until=later(1))
    assert "before" in short.value.sentence
    assert asked(cast, wish, until=later(1 / 24)).state == "asked"


def test_the_same_is_asked_once_at_a_time(cast: Cast, wish: DeploymentRequest, wim: Person) -> None:
    waiver = asked(cast, wish)
    with pytest.raises(Stale):
        asked(cast, wish, why="Other words.")
    granted(wim, wish, waiver)
    with pytest.raises(Stale):
        granted(wim, wish, waiver)
    with pytest.raises(Refused) as no:
        asked(cast, wish)
    assert no.value.code == "nothing_to_waive"


def test_what_changed_since_it_was_asked_is_not_granted(
    cast: Cast, wish: DeploymentRequest, wim: Person
) -> None:
    waiver = asked(cast, wish)
    fairness_of(cast, wish.bundle, women=0.05)
    assert waiving.draft(by=wim, request=wish, waiver=waiver).outdated
    with pytest.raises(Refused) as no:
        granted(wim, wish, waiver)
    assert no.value.code == "waiver_outdated"
    page = words(signed_in(cast.dev).get(wish.address))
    assert "Ask to waive it" in page, (
        "what was found since can be asked for, whatever became of the older one"
    )
    assert "asks to waive it" not in page
    assert asked(cast, wish).pk != waiver.pk
    assert "asks to waive it" in words(signed_in(cast.dev).get(wish.address))


def test_of_a_request_that_is_over_nothing_is_waived(
    cast: Cast, wish: DeploymentRequest, wim: Person
) -> None:
    waiver = asked(cast, wish)
    requests.withdraw(by=cast.dev, request=wish, why="Not now.")
    wish.refresh_from_db()
    with pytest.raises(Refused):
        granted(wim, wish, waiver)
    with pytest.raises(Refused):
        asked(cast, wish)


# --- what is kept -----------------------------------------------------------------------------------------------------


def test_nothing_of_it_is_rewritten_or_removed(cast: Cast, wish: DeploymentRequest, wim: Person) -> None:
    waiver = asked(cast, wish)
    answer = granted(wim, wish, waiver)
    taken = action.withdraw(by=wim, waiver=fresh(waiver), why="I misread.")
    for row, change in (
        (waiver, {"why": "Other."}),
        (answer, {"comment": "Other."}),
        (taken, {"why": "Other."}),
    ):
        with pytest.raises(TypeError):
            row.delete()
        rows = type(row)._default_manager.filter(pk=row.pk)
        with pytest.raises(DatabaseError), transaction.atomic():
            rows.update(**change)
        with pytest.raises(DatabaseError), transaction.atomic():
            rows._raw_delete(rows.db)
        with pytest.raises(IntegrityError), transaction.atomic():
            row.save()


def test_the_database_holds_what_is_always_true(cast: Cast, wish: DeploymentRequest, wim: Person) -> None:
    waiver = asked(cast, wish)
    wrong: list[dict[str, Any]] = [
        {"granted": True, "answered_by": wim},
        {"granted": False, "answered_by": wim},
        {"granted": False, "answered_by": cast.dev, "comment": "x"},
    ]
    for one in wrong:
        with pytest.raises(IntegrityError), transaction.atomic():
            WaiverAnswer.objects.create(waiver=waiver, asker=cast.dev, **one)
    fields = {
        name: getattr(waiver, name) for name in ("bundle", "lane", "clause", "parts", "finding", "asked_by")
    }
    for change in (
        {"requirement": "sign_off:x"},
        {"until": waiver.asked_at},
        {"on_behalf_of": waiver.asked_by},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            Waiver.objects.create(
                **{
                    **fields,
                    "requirement": "x",
                    "asked_at": waiver.asked_at,
                    "until": later(),
                    "why_salt": "0",
                    **change,
                }
            )


def test_a_case_takes_as_many_queries_with_many_waivers(
    cast: Cast, wish: DeploymentRequest, wim: Person
) -> None:
    from_here = [wish]
    waiver = asked(cast, wish)
    answer = granted(wim, wish, waiver)
    copies(waiver, answer, range(9))
    few = queries_in(lambda: judge_many(from_here))
    copies(waiver, answer, range(9, 300))
    assert queries_in(lambda: judge_many(from_here)) == few
    assert len(judge_now(wish).case.waivers) == 1
    assert judge_now(wish).verdict.met


def copies(waiver: Waiver, answer: WaiverAnswer | None, numbers: range) -> None:
    """As many waivers of the same, as rows."""
    rows = Waiver.objects.bulk_create(
        Waiver(
            **{
                field.attname: getattr(waiver, field.attname)
                for field in Waiver._meta.concrete_fields
                if field.name not in ("id", "why")
            },
            why=f"Reason {n}.",
        )
        for n in numbers
    )
    if answer is not None:
        WaiverAnswer.objects.bulk_create(
            WaiverAnswer(
                **{
                    field.attname: getattr(answer, field.attname)
                    for field in WaiverAnswer._meta.concrete_fields
                    if field.name not in ("id", "waiver", "answered_at")
                },
                waiver=row,
                answered_at=answer.answered_at - timedelta(minutes=1),
            )
            for row in rows
        )


def queries_in(act: Callable[[], object]) -> int:
    act()
    with CaptureQueriesContext(connection) as found:
        act()
    return len(found)


# --- what follows -----------------------------------------------------------------------------------------------------


def look() -> None:
    asking.due_now()
    asking.look_after()


def test_a_lapse_is_told_once(cast: Cast, wish: DeploymentRequest, wim: Person) -> None:
    granted(wim, wish, asked(cast, wish))
    look()
    assert CountedWaiver.objects.get().lapsed_at is None
    fairness_of(cast, wish.bundle, women=0.05)
    look()
    look()
    assert CountedWaiver.objects.get().why == "differs"
    assert kinds()[-1] == "waiver.lapsed"
    assert kinds().count("waiver.lapsed") == 1
    for person in (cast.dev, wim):
        assert told(person).count("Customer churn: a waiver for v1 to Production counts no more") == 1
    fairness_of(cast, wish.bundle, women=0.2)
    look()
    assert CountedWaiver.objects.get().lapsed_at is None


def waited(days: float) -> None:
    """As if everybody had been asked so many days earlier."""
    for ask in Ask.objects.exclude(waiver=None):
        reminded = ask.reminded_at and ask.reminded_at - timedelta(days=days)
        Ask.objects.filter(pk=ask.pk).update(
            begun_at=ask.begun_at - timedelta(days=days), reminded_at=reminded
        )


def test_who_does_not_answer_is_reminded_and_who_manages_is_told(
    cast: Cast, wish: DeploymentRequest, wim: Person
) -> None:
    waiver = asked(cast, wish)
    look()
    assert len(told(wim)) == 1, "told when it was asked"
    for _round in range(MOST_REMINDERS + 1):
        waited(2.01)
        look()
        look()
    reminder = "Customer churn: whether to waive “Groups treated alike by"
    assert [line.startswith(reminder) for line in told(wim)] == [False, *[True] * MOST_REMINDERS]
    for person in (cast.ada, cast.dev):
        (line,) = [line for line in told(person) if "nobody answers" in line]
        assert line.startswith("Customer churn: nobody answers whether to waive “Groups treated alike by")
    assert (kinds().count("waiver.reminded"), kinds().count("waiver.escalated")) == (MOST_REMINDERS, 1)
    granted(wim, wish, waiver)
    look()
    assert Ask.objects.get(waiver=waiver).ended_at is not None
    waited(9)
    look()
    assert kinds()[-1] == "waiver.granted"


def test_who_can_answer_only_now_is_asked_and_who_cannot_any_more_is_left_alone(
    cast: Cast, wish: DeploymentRequest, wim: Person
) -> None:
    asked(cast, wish)
    look()
    ann = waiver_of_churn(cast, "ann", "Ann Second")
    grants.revoke(by=cast.ada, grant=Grant.objects.get(person=wim, right=Right.WAIVE), why="He left.")
    look()
    look()
    assert len(told(ann)) == 1
    assert [one.person for one in Ask.objects.filter(ended_at=None).exclude(waiver=None)] == [ann]
    assert kinds() == ["waiver.asked", "waiver.reminded"]
    fairness_of(cast, wish.bundle, women=0.05)
    look()
    waited(9)
    look()
    assert not Ask.objects.filter(ended_at=None).exclude(waiver=None).exists(), "it is about something else"
    assert len(told(ann)) == 1


def test_reminding_and_escalating_a_waiver_by_hand(cast: Cast, wish: DeploymentRequest, wim: Person) -> None:
    with pytest.raises(Refused, match="no waiver waits"):
        reminding.remind(by=cast.dev, request=wish, requirement=FAIRNESS)
    asked(cast, wish)
    with pytest.raises(Refused, match="less than an hour ago"):
        reminding.remind(by=cast.dev, request=wish, requirement=FAIRNESS)
    waited(0.05)
    client = signed_in(cast.dev)
    assert "Asked Wim Vogel on" in words(client.get(wish.address))
    answer = client.post(f"{wish.address}remind/{FAIRNESS}/", follow=True)
    assert "Reminded: Wim Vogel." in words(answer)
    people_told = reminding.escalate(by=cast.dev, request=wish, requirement=FAIRNESS, why="Customers wait.")
    assert {cast.ada, cast.dev} <= {*people_told}
    assert "Customers wait." in Notification.objects.get(person=cast.ada, kind="escalated").text
    with pytest.raises(Refused, match="today already"):
        reminding.escalate(by=cast.dev, request=wish, requirement=FAIRNESS, why="Customers wait.")


@pytest.mark.parametrize("why", ["withdrawn", "right_lost"])
def test_the_lapse_of_a_waiver_is_told_also_where_the_finding_names_a_newer(
    cast: Cast, wish: DeploymentRequest, wim: Person, why: str
) -> None:
    ann = waiver_of_churn(cast, "ann", "Ann Second")
    first = asked(cast, wish)
    granted(wim, wish, first)
    fairness_of(cast, wish.bundle, women=0.05)
    second = asked(cast, wish, why="Fewer still.")
    granted(ann, wish, second)
    fairness_of(cast, wish.bundle, women=0.2)
    look()
    assert finding(wish).params["waiver"] == str(first.pk)
    if why == "withdrawn":
        action.withdraw(by=wim, waiver=fresh(first), why="I misread.")
    else:
        grants.revoke(by=cast.ada, grant=Grant.objects.get(person=wim, right=Right.WAIVE), why="He left.")
    assert finding(wish).params["waiver"]["waiver"] == str(second.pk)
    look()
    look()
    assert [(row.waiver, row.why) for row in CountedWaiver.objects.exclude(why="")] == [(first, why)]
    assert kinds().count("waiver.lapsed") == 1


def test_a_waiver_that_is_not_needed_any_more_is_no_lapse(
    cast: Cast, wish: DeploymentRequest, wim: Person
) -> None:
    granted(wim, wish, asked(cast, wish))
    look()
    fairness_of(cast, wish.bundle, women=0.5)
    look()
    assert "waiver.lapsed" not in kinds()


def test_what_starts_by_itself_starts_when_the_last_is_waived(cast: Cast, wim: Person) -> None:
    policies.publish(by=cast.ada, source=POLICY.replace("automation: manual", "automation: full"))
    bundle = bundle_registered(cast)
    all_but_signed(cast, bundle)
    fairness_of(cast, bundle, women=0.2)
    wish = request_at(cast, "open", bundle, cast.prod)
    all_signed(cast, wish)
    assert starting.start_ready("CHURN") == []
    granted(wim, wish, asked(cast, wish))
    (promotion,) = starting.start_ready("CHURN")
    assert promotion.request == wish


# --- pages ------------------------------------------------------------------------------------------------------------


def test_from_the_checklist_to_a_signed_answer(cast: Cast, wish: DeploymentRequest, wim: Person) -> None:
    dev, decides = signed_in(cast.dev), signed_in(wim)
    page = dev.get(wish.address)
    ask = f"{wish.address}waive/{FAIRNESS}/"
    assert f'href="{ask}"' in page.content.decode()
    shown = words(dev.get(ask))
    assert "Wim Vogel can waive this." in shown
    assert "the ratio of selection rates of F against M is 0.40" in shown
    until = f"{timezone.localtime(later()):%Y-%m-%d}"
    assert list(dev.post(ask, {"why": "", "until": "soon"}).context["form"].errors) == ["why", "until"]
    answer = dev.post(ask, {"why": "Few <b>women</b> apply.", "until": until}, follow=True)
    waiver = Waiver.objects.get()
    assert answer.redirect_chain == [(f"/waivers/{waiver.pk}/", 302)]
    assert "Few &lt;b&gt;women&lt;/b&gt; apply." in answer.content.decode()
    shown = words(dev.get(wish.address))
    assert "Dev Rao asks to waive it: “Few <b>women</b> apply.”" in shown
    assert "Wim Vogel can unblock this." in shown
    assert "Ask to waive it" not in shown
    shown = words(decides.get("/inbox/"))
    assert "To waive or not: Groups treated alike by" in shown
    assert "Review and waive" in shown
    review = f"{wish.address}waivers/{waiver.pk}/"
    assert f'href="{review}"' in decides.get(wish.address).content.decode()
    page = decides.get(review)
    for said in (
        "Few <b>women</b> apply.",
        "Fairness by gender",
        "I waive the requirement “Groups treated alike by",
    ):
        assert said in words(page)
    assert "Tests in QA" not in words(page)
    bound = page.context["draft"].bound
    wrong = decides.post(review, {"answer": "grant", "bound": bound, "password": "guess", "comment": ""})
    assert list(wrong.context["form"].errors) == ["password"]
    done = decides.post(
        review, {"answer": "grant", "bound": bound, "password": PASSWORD, "comment": ""}, follow=True
    )
    assert done.redirect_chain == [(wish.address, 302)]
    shown = words(dev.get(wish.address))
    assert "Everything that Production asks is met, or waived: one thing." in shown
    assert "Waived Groups treated alike by" in shown
    assert "The reason given: “Few <b>women</b> apply.”" in shown
    assert "Waivers" in words(dev.get("/projects/CHURN/bundles/v1/"))
    shown_waiver = words(dev.get(f"/waivers/{waiver.pk}/"))
    assert "Wim Vogel waived a requirement" in shown_waiver
    assert "Take the waiver back" not in shown_waiver
    statement = dev.get(f"/waivers/{waiver.pk}/statement/")
    assert digest_of(statement.content) == waiver.answer.statement_id
    assert decides.get(review).status_code == 302
    assert list(decides.post(f"/waivers/{waiver.pk}/", {"why": ""}).context["form"].errors) == ["why"]
    taken = decides.post(f"/waivers/{waiver.pk}/", {"why": "I misread."}, follow=True)
    assert "Taken back. It counts no more" in words(taken)
    assert "Wim Vogel had waived it, and took that back." in words(dev.get(wish.address))


def digest_of(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def test_refusing_on_the_page_needs_words_and_no_password(
    cast: Cast, wish: DeploymentRequest, wim: Person
) -> None:
    waiver = asked(cast, wish)
    review, client = f"{wish.address}waivers/{waiver.pk}/", signed_in(wim)
    sent = {"answer": "refuse", "bound": "x", "password": "", "comment": ""}
    assert list(client.post(review, sent).context["form"].errors) == ["comment"]
    done = client.post(review, {**sent, "comment": "Count again."}, follow=True)
    assert "Not waived. Whoever asked is told." in words(done)
    page = words(signed_in(cast.dev).get(f"/waivers/{waiver.pk}/"))
    assert "Wim Vogel refused to waive a requirement" in page
    assert "Count again." in page
    assert signed_in(cast.dev).get(f"/waivers/{waiver.pk}/statement/").status_code == 404


def test_what_changed_meanwhile_is_not_waived_on_the_page(
    cast: Cast, wish: DeploymentRequest, wim: Person
) -> None:
    waiver = asked(cast, wish)
    review, client = f"{wish.address}waivers/{waiver.pk}/", signed_in(wim)
    sent = {"answer": "grant", "bound": "0" * 64, "password": PASSWORD, "comment": ""}
    refused(client.post(review, sent), 409, "What you read has changed since you opened the page.")
    assert not WaiverAnswer.objects.exists()


def test_pages_are_for_who_may(cast: Cast, wish: DeploymentRequest, wim: Person) -> None:
    waiver = asked(cast, wish)
    review, ask = f"{wish.address}waivers/{waiver.pk}/", f"{wish.address}waive/{FAIRNESS}/"
    for path in (review, ask, f"/waivers/{waiver.pk}/", f"/waivers/{waiver.pk}/statement/"):
        outsider_sees_nothing(signed_in(cast.otto), path)
    refused(signed_in(cast.fay).get(review), 403, "You need the right to waive a requirement")
    refused(signed_in(cast.fay).get(ask), 403, "You need the right to ask for a promotion")
    refused(
        signed_in(cast.dev).get(f"{wish.address}waive/sign_off:fairness/"), 409, "Nobody’s word is waived"
    )
    other = request_at(cast, "open", bundle_registered(cast, "v2"), cast.qa)
    assert signed_in(wim).get(f"{other.address}waivers/{waiver.pk}/").status_code == 404


def test_who_is_barred_reads_why(cast: Cast, wish: DeploymentRequest, wim: Person) -> None:
    grants.grant(by=cast.ada, person=cast.dev, right=Right.WAIVE, project=cast.churn, why="For a test.")
    waiver = asked(cast, wish)
    page = signed_in(cast.dev).get(f"{wish.address}waivers/{waiver.pk}/")
    assert "You cannot waive this" in words(page)
    assert 'name="password"' not in page.content.decode()
    assert "Review and waive" not in words(signed_in(cast.dev).get(wish.address))
    assert inbox.waits_for(cast.dev).found == []


def test_the_page_and_the_inbox_take_as_many_queries_with_many(
    cast: Cast, wish: DeploymentRequest, wim: Person
) -> None:
    waiver = asked(cast, wish)
    client = signed_in(wim)
    copies(waiver, None, range(9))
    few = [queries_of(client, path) for path in (wish.address, "/inbox/")]
    copies(waiver, None, range(9, 40))
    assert [queries_of(client, path) for path in (wish.address, "/inbox/")] == few


# --- the API ----------------------------------------------------------------------------------------------------------


def test_over_the_api(cast: Cast, wish: DeploymentRequest, wim: Person) -> None:
    dev, decides = session(cast.dev), session(wim)
    until = f"{timezone.localtime(later()):%Y-%m-%d}"
    made = dev.post(f"requests/{wish.pk}/waivers/", requirement=FAIRNESS, why="Few women apply.", until=until)
    assert (made["state"], made["answer"], made["statement"]) == ("asked", None, None)
    path = f"requests/{wish.pk}/waivers/{made['id']}/"
    assert f"waive:{made['id']}" in decides.get(f"requests/{wish.pk}/")["can"]
    assert [one["waive"] for one in decides.get("inbox/")["waits"]] == [[made["id"]]]
    draft = decides.get(path)
    assert (draft["barred"], draft["outdated"]) == ("", "")
    by_token = token(wim)
    assert (
        by_token.refused(403, "post", f"{path}grant/", {"bound": draft["bound"]})["code"] == "right_missing"
    )
    assert by_token.refused(403, "post", f"{path}refuse/", {"why": "No."})["code"] == "right_missing"
    done = decides.post(f"{path}grant/", bound=draft["bound"], password=PASSWORD, comment="Fine.")
    assert (done["state"], done["answer"]["granted"], done["answer"]["comment"]) == ("waived", True, "Fine.")
    assert verified(done["envelope"], {signing.key_id(): signing.public_key()}) == done["statement"]
    assert base64.b64decode(done["envelope"]["payload"]) == content.get(done["answer"]["statement_digest"])
    gate = {one["key"]: one for one in dev.get(f"requests/{wish.pk}/gate/")["findings"]}
    assert gate[FAIRNESS]["state"] == "waived"
    assert [one["id"] for one in dev.rows(f"requests/{wish.pk}/waivers/")] == [made["id"]]
    assert (
        by_token.refused(403, "post", f"waivers/{made['id']}/withdraw/", {"why": "x"})["code"]
        == "token_never_signs"
    )
    assert decides.post(f"waivers/{made['id']}/withdraw/", why="I misread.")["state"] == "withdrawn"
    again = dev.post(f"requests/{wish.pk}/waivers/", requirement=FAIRNESS, why="Once more.", until=until)
    no = decides.post(f"requests/{wish.pk}/waivers/{again['id']}/refuse/", why="Count again.")
    assert (no["state"], no["answer"]["granted"]) == ("refused", False)
    session(cast.otto).absent("get", f"waivers/{made['id']}/")
    session(cast.otto).absent("get", f"requests/{wish.pk}/waivers/")


def test_a_token_asks_and_its_maker_does_not_grant(cast: Cast, wish: DeploymentRequest, wim: Person) -> None:
    until = f"{timezone.localtime(later()):%Y-%m-%d}"
    made = token(cast.dev).post(f"requests/{wish.pk}/waivers/", requirement=FAIRNESS, why="CI.", until=until)
    assert made["asked_by"]["login"] == "dev"


def test_the_list_costs_the_same_at_any_size(cast: Cast, wish: DeploymentRequest, wim: Person) -> None:
    waiver = asked(cast, wish)

    def grow(count: int) -> None:
        copies(waiver, None, range(count))

    same_at_any_size(session(cast.dev), f"requests/{wish.pk}/waivers/", grow, already=1)


def test_odd_input_is_refused_and_nothing_is_kept(cast: Cast, wish: DeploymentRequest, wim: Person) -> None:
    chance = random.Random(7)
    odd: list[Any] = [
        "",
        " ",
        "\x00",
        "é" * 3000,
        None,
        [],
        {},
        -1,
        "9999-99-99",
        "0001-01-01",
        "9999-12-31",
        1e400,
        "<script>",
        True,
    ]
    dev = session(cast.dev)
    for _turn in range(60):
        body = {
            name: chance.choice(odd)
            for name in ("requirement", "why", "until", "bound")
            if chance.random() < 0.9
        }
        answer = dev.send("post", f"requests/{wish.pk}/waivers/", body)
        assert 400 <= answer.status_code < 500, (body, answer.content)
    waiver = asked(cast, wish)
    decides = session(wim)
    for _turn in range(40):
        body = {
            name: chance.choice(odd)
            for name in ("bound", "comment", "password", "code")
            if chance.random() < 0.9
        }
        answer = decides.send("post", f"requests/{wish.pk}/waivers/{waiver.pk}/grant/", body)
        assert 400 <= answer.status_code < 500, (body, answer.content)
    assert not WaiverAnswer.objects.exists()
    assert Waiver.objects.count() == 1


# --- the report -------------------------------------------------------------------------------------------------------


def test_every_waiver_is_on_the_report(cast: Cast, wish: DeploymentRequest, wim: Person) -> None:
    first = asked(cast, wish)
    waiving.refuse(by=wim, request=wish, waiver=first, why="Say more.")
    second = asked(cast, wish, why="Few women apply in June.")
    granted(wim, wish, second)
    action.withdraw(by=wim, waiver=fresh(second), why="I misread.")
    third = asked(cast, wish, why="Counted again.")
    granted(wim, wish, third, "Fine until then.")
    promotions.promote(by=cast.mona, request=wish)
    gathered = collecting.collect(project="CHURN", about=wish.subject, checkpoint=checkpoints.cut())
    report = compose(gathered)
    assert [one.state for one in report.waivers] == ["refused", "withdrawn", "waived"]
    assert report.waivers[0].answered.endswith(": Say more.")
    assert "Taken back by Wim Vogel" in report.waivers[1].ended
    assert (report.waivers[2].why, report.waivers[2].answered.endswith(": Fine until then.")) == (
        "Counted again.",
        True,
    )
    assert report.waivers[2].asked.startswith("Dev Rao on ")
    assert "One requirement was waived." in report.lead
    assert "requirements met or waived (1 waived)" in report.figures[0].words
    assert {"asked for a waiver", "waived a requirement", "refused a waiver"} <= {
        one.did for one in report.authorities
    }
    answer = WaiverAnswer.objects.get(waiver=third)
    assert {answer.statement_id, answer.envelope_id} <= gathered.contents.keys()
    made = reports.ask_report(by=cast.nora, project=cast.churn, about=wish.subject)
    reports.make(by=Person.objects.system(), report_pk=made.pk)
    made.refresh_from_db()
    assert made.status == Report.Status.MADE, made.problem
