"""Signing: who is refused and why, the exact bytes that are kept, what they bind, and that nothing rewrites them."""

import json
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone
from pytest_django import Settings

from deployments.actions import promotions, requests
from deployments.actions import signing as request_signing
from deployments.judging import judge_now
from deployments.models import DeploymentRequest
from governance.actions import documents, policies, signoffs
from governance.actions.signoffs import why_barred
from governance.gate import Case, Finding, judge
from governance.models import SignOff, Withdrawal
from governance.sentences import sentence
from governance.statement import sign_off_fact, verified
from portal import content, ledger, signing
from portal.actions import grants, people
from portal.canonical import canonical, digest, loads_strict
from portal.demo.cast import PASSWORD
from portal.errors import Absent, Forbidden, Invalid, Refused, Stale
from portal.event_kinds import EventKind
from portal.models import Bundle, Content, Person, Right
from portal.reauthentication import Password
from tests import factories
from tests.cast import POLICY, Cast, make_cast
from tests.conftest import Database
from tests.factories import (
    all_but_signed,
    all_signed,
    bundle_registered,
    collected,
    fairness_of,
    intended_use,
    request_at,
    signed,
    to_read,
)
from tests.integration.test_grants import refusals_of

FAIRNESS = "sign_off:fairness"


def asked(cast: Cast, bundle: Bundle | None = None) -> DeploymentRequest:
    """An open request of churn for production, by Dev; of a bundle with everything to read, unless it is given one."""
    if bundle is None:
        bundle = bundle_registered(cast)
        to_read(cast, bundle)
    return request_at(cast, bundle=bundle, lane=cast.prod)


def sign(request: DeploymentRequest, by: Person, **wish: Any) -> SignOff:
    """Sign fairness, approving what is on the page, unless told otherwise."""
    told = {"proof": Password(PASSWORD), "requirement": FAIRNESS, "decision": "approve", **wish}
    if "bound" not in told:
        told["bound"] = request_signing.draft(by=by, request=request, requirement=told["requirement"]).bound
    return request_signing.sign(by=by, request=request, **told)


def finding(request: DeploymentRequest, key: str = FAIRNESS) -> Finding:
    return next(found for found in judge_now(request).verdict.findings if found.key == key)


# --- what is refused -------------------------------------------------------------------------------------------------


def test_who_lacks_the_role_is_refused(cast: Cast) -> None:
    request = asked(cast)
    with pytest.raises(Absent):
        sign(request, cast.otto, bound="x")
    for who in (cast.eli, cast.mona, cast.olga):
        with pytest.raises(Forbidden) as refused:
            sign(request, who, bound="x")
        assert "sign for fairness on Customer churn in Production" in refused.value.sentence
    assert not SignOff.objects.exists()


def test_an_outsider_learns_nothing_of_missing_rules_either(cast: Cast) -> None:
    request = asked(cast)
    request.lane.project.policy = "nothing"
    with pytest.raises(Absent):
        sign(request, cast.otto, bound="x")


def test_signing_needs_the_password_a_decision_and_where_it_is_no_a_reason(cast: Cast) -> None:
    request = asked(cast)
    for wish, error, field in (
        ({"proof": Password("wrong")}, Forbidden, "password"),
        ({"proof": Password("")}, Forbidden, "password"),
        ({"proof": Password(PASSWORD.upper())}, Forbidden, "password"),
        ({"decision": "maybe"}, Invalid, "decision"),
        ({"decision": "approve_with_conditions"}, Invalid, "conditions"),
        ({"decision": ""}, Invalid, "decision"),
        ({"decision": "reject"}, Invalid, "comment"),
        ({"decision": "request_changes", "comment": " "}, Invalid, "comment"),
        ({"bound": ""}, Stale, "bound"),
        ({"bound": "0" * 64}, Stale, "bound"),
    ):
        with pytest.raises(error) as refused:
            sign(request, cast.fay, **wish)
        assert refused.value.field == field, wish
        assert PASSWORD not in str(refused.value.__dict__)
    with pytest.raises(Refused) as refused_kind:
        sign(request, cast.fay, requirement="document:intended-use", bound="x")
    assert refused_kind.value.code == "not_a_sign_off"
    with pytest.raises(Refused) as refused_kind:
        sign(request, cast.fay, requirement="sign_off:nobody", bound="x")
    assert refused_kind.value.code == "requirement_unknown"
    assert not SignOff.objects.exists()


def test_what_changed_since_the_page_was_opened_is_not_signed(cast: Cast) -> None:
    request = asked(cast)
    for change in (
        lambda: intended_use_other(cast, request.bundle),
        lambda: fairness_of(cast, request.bundle, women=0.49),
        lambda: factories.tests_passed(cast, request.bundle),
        lambda: policies.publish(by=cast.ada, source=POLICY.replace("min: 0.8", "min: 0.99")),
        lambda: policies.publish(
            by=cast.ada, source=POLICY.replace("fairness, people: 1", "fairness, people: 2")
        ),
    ):
        seen = request_signing.draft(by=cast.fay, request=request, requirement=FAIRNESS).bound
        change()
        with pytest.raises(Stale) as refused:
            sign(request, cast.fay, bound=seen)
        assert refused.value.code == "statement_stale"
        assert "Read it again" in refused.value.sentence
    assert not SignOff.objects.exists()
    sign(request, cast.fay)


def intended_use_other(cast: Cast, bundle: Bundle) -> None:
    documents.write(by=cast.dev, bundle=bundle, kind="intended-use", title="Use", text="# Purpose\nPrices.")


def test_requester_and_author_are_kept_from_signing_and_the_ledger_keeps_that(cast: Cast) -> None:
    bundle = bundle_registered(cast)  # Dev is its author
    to_read(cast, bundle)
    for who in (cast.dev, cast.olga):
        grants.grant(
            by=cast.ada, person=who, right=Right.SIGN, role="fairness", project=cast.churn, why="Helps."
        )
    request = requests.submit(by=cast.olga, bundle=bundle, lane=cast.prod, why="Better.")
    request = DeploymentRequest.objects.select_related("lane__project", "lane__stage", "bundle").get(
        pk=request.pk
    )
    for who, words in ((cast.olga, "You asked for this promotion"), (cast.dev, "You made this bundle")):
        with pytest.raises(Forbidden) as refused:
            sign(request, who)
        assert refused.value.code == "barred"
        assert refused.value.sentence.startswith(words)
        assert "Somebody else with the role has to sign." in refused.value.sentence
        told = ledger.events(kinds=[EventKind.ACCESS_REFUSED])[-1]
        assert (told.actor_id, told.subject, told.project) == (str(who.pk), request.subject, "CHURN")
        assert (told.facts["action"], told.facts["code"]) == ("sign", "barred")
        assert told.facts["reason"] == refused.value.sentence
    assert not SignOff.objects.exists()
    # Signed from the bundle, where nobody knows who asked, it is kept; the gate does not count it.
    shown = signoffs.draft(by=cast.olga, bundle=bundle, lane=cast.prod, requirement=FAIRNESS)
    signoffs.sign(
        by=cast.olga, proof=Password(PASSWORD), bundle=bundle, lane=cast.prod, requirement=FAIRNESS, decision="approve",
        bound=shown.bound,
    )  # fmt: skip
    found = finding(request)
    assert found.state == "not_met"
    assert [(one["person"], one["why"]) for one in found.params["not_counted"]] == [
        (str(cast.olga.pk), "barred")
    ]


def with_robot(cast: Cast, *makers: Person) -> Person:
    """A service account that may ask and promote, and whoever of these made a token of it may sign fairness, too."""
    robot = people.add_person(by=cast.ada, login="ci", name="The pipeline", kind="service")
    for right in (Right.REQUEST, Right.PROMOTE):
        grants.grant(by=cast.ada, person=robot, right=right, project=cast.churn, why="Acts when green.")
    for who in makers:
        if who not in (cast.ada, cast.abe):
            grants.grant(by=cast.ada, person=who, right=Right.MANAGE, why="For a test.")
        if who != cast.fay:
            grants.grant(
                by=cast.ada,
                person=who,
                right=Right.SIGN,
                role="fairness",
                project=cast.churn,
                why="For a test.",
            )
    return robot


def fresh(request: DeploymentRequest) -> DeploymentRequest:
    return DeploymentRequest.objects.select_related(
        "lane__project", "lane__stage", "bundle__author", "requested_by"
    ).get(pk=request.pk)


def not_counted(request: DeploymentRequest) -> list[tuple[str, str, str]]:
    return [(one["person"], one["why"], one["barred"]) for one in finding(request).params["not_counted"]]


def sign_apart(cast: Cast, by: Person, bundle: Bundle) -> None:
    """Signed from the bundle, where nobody knows who asked."""
    shown = signoffs.draft(by=by, bundle=bundle, lane=cast.prod, requirement=FAIRNESS)
    signoffs.sign(
        by=by, proof=Password(PASSWORD), bundle=bundle, lane=cast.prod, requirement=FAIRNESS, decision="approve",
        bound=shown.bound,
    )  # fmt: skip


def test_whoever_could_ask_as_a_service_account_does_not_sign_what_it_asked(
    cast: Cast, settings: Settings
) -> None:
    """They have seen the secret of its token. Who made one that had ended, or one that asks for nothing, may sign."""
    settings.COOLING_OFF_SECONDS = 0  # they gave rights here too
    robot = with_robot(cast, cast.ada, cast.abe, cast.nora, cast.fay)
    for maker, minutes in ((cast.nora, 11), (cast.abe, 9)):  # what came in by it may still be on its way
        ended, _secret = people.make_token(by=maker, person=robot, name="old")
        people.revoke_token(by=maker, token=ended)
        at = timezone.now() - timedelta(minutes=minutes)
        type(ended).objects.filter(pk=ended.pk).update(made_at=at, revoked_at=at)
    people.make_token(by=cast.fay, person=robot, name="looks", carrying=[])
    people.make_token(by=cast.ada, person=robot, name="new", carrying=["request"])
    bundle = bundle_registered(cast)
    to_read(cast, bundle)
    request = fresh(requests.submit(by=robot, bundle=bundle, lane=cast.prod, why="It is green."))
    people.make_token(by=cast.nora, person=robot, name="later", carrying=["request"])

    for who in (cast.ada, cast.abe):
        with pytest.raises(Forbidden) as refused:
            sign(request, who)
        assert refused.value.code == "barred"
        assert refused.value.sentence.startswith("You made a token of the service account that asked")
    for who in (cast.nora, cast.fay):
        draft = request_signing.draft(by=who, request=request, requirement=FAIRNESS)
        assert not why_barred(who, request_signing.barred(request), draft)
    sign_apart(cast, cast.ada, bundle)
    assert finding(request).state == "not_met"
    assert not_counted(request) == [(str(cast.ada.pk), "barred", "token_maker")]
    assert "made a token of the service account" in sentence("sign_off_missing", finding(request).params, str)
    sign(request, cast.fay)
    assert finding(request).state == "met"


def test_nor_what_it_made(cast: Cast, settings: Settings) -> None:
    settings.COOLING_OFF_SECONDS = 0
    robot = with_robot(cast, cast.ada)
    people.make_token(by=cast.ada, person=robot, name="new", carrying=["request"])
    bundle = bundle_registered(cast)
    Bundle.objects.filter(pk=bundle.pk).update(author=robot, asked_at=timezone.now())
    bundle.refresh_from_db()
    to_read(cast, bundle)
    request = fresh(request_at(cast, bundle=bundle, lane=cast.prod))
    with pytest.raises(Forbidden, match="or made this bundle"):
        sign(request, cast.ada)
    sign_apart(cast, cast.ada, bundle)
    assert not_counted(request) == [(str(cast.ada.pk), "barred", "token_maker")]


def test_an_objection_stands_whoever_asks_next(cast: Cast, settings: Settings) -> None:
    """Else a service account that asks again would take its maker's no away."""
    settings.COOLING_OFF_SECONDS = 0
    robot = with_robot(cast, cast.ada)
    people.make_token(by=cast.ada, person=robot, name="new", carrying=["request"])
    request = asked(cast)
    sign(request, cast.ada, decision="reject", comment="Not this one.")
    sign(request, cast.fay)
    assert finding(request).state == "not_met"
    requests.withdraw(by=cast.dev, request=request, why="Not now.")
    again = requests.submit(by=robot, bundle=request.bundle, lane=cast.prod, why="It is green.")
    assert finding(fresh(again)).code == "sign_off_rejected"


def test_a_service_account_does_not_start_what_the_maker_of_its_token_signed(
    cast: Cast, settings: Settings
) -> None:
    settings.COOLING_OFF_SECONDS = 0
    robot = with_robot(cast, cast.ada)
    bundle = bundle_registered(cast)
    all_but_signed(cast, bundle)
    request = request_at(cast, bundle=bundle, lane=cast.prod)
    sign(request, cast.ada)
    for role, who in (("explainability", cast.eli), ("model-risk", cast.ravi)):
        signed(who, request, role)
    token, _secret = people.make_token(by=cast.ada, person=robot, name="starts", carrying=["promote"])
    with pytest.raises(Forbidden) as refused:
        promotions.promote(by=robot, request=fresh(request))
    assert refused.value.code == "promoter_signed"
    assert refused.value.sentence.startswith("Whoever made a token of this service account signed")
    people.revoke_token(by=cast.ada, token=token)
    at = timezone.now() - timedelta(hours=1)
    type(token).objects.filter(pk=token.pk).update(made_at=at, revoked_at=at)
    promotion = promotions.promote(by=robot, request=fresh(request))
    assert promotion.started_by == robot


def test_nobody_approves_what_is_not_there_to_read(cast: Cast) -> None:
    bundle = bundle_registered(cast)
    request = asked(cast, bundle)
    for kind, add in (
        ("the document “model documentation”", lambda: collected(cast, bundle, "model-documentation")),
        ("the document “intended use”", lambda: intended_use(cast, bundle)),
        ("the fairness evidence", lambda: fairness_of(cast, bundle)),
        ("the explainability evidence", lambda: collected(cast, bundle, "explainability")),
    ):
        with pytest.raises(Refused) as refused:
            sign(request, cast.fay, proof=Password("not even asked for"))
        assert (refused.value.code, refused.value.field) == ("page_incomplete", "decision")
        assert refused.value.sentence.startswith("You cannot approve yet: ")
        assert kind in refused.value.sentence
        assert kind in sentence("sign_off_missing", finding(request).params, str)
        assert "You can ask for changes or reject now." in refused.value.sentence
        add()
    assert not SignOff.objects.exists()
    sign(request, cast.fay)  # tests and soak are missing still: the gate reads those itself
    assert finding(request).state == "met"


@pytest.mark.parametrize(
    "decision, code", [("reject", "sign_off_rejected"), ("request_changes", "sign_off_changes_requested")]
)
def test_a_no_needs_nothing_to_read(cast: Cast, decision: str, code: str) -> None:
    request = asked(cast, bundle_registered(cast))
    sign(request, cast.fay, decision=decision, comment="There is nothing to read.")
    assert finding(request).code == code


def test_signatures_before_the_evidence_do_not_open_the_gate(cast: Cast) -> None:
    bundle = bundle_registered(cast)
    request = asked(cast, bundle)
    with pytest.raises(Refused):
        all_signed(cast, request)
    all_but_signed(cast, bundle)
    assert not judge_now(request).verdict.met
    all_signed(cast, request)
    assert judge_now(request).verdict.met


def test_a_document_the_policy_asks_for_since_is_asked_about_again(cast: Cast) -> None:
    """A policy may come to ask for more than the page of an older signature showed."""
    less = POLICY.replace("          - document: intended-use\n", "")
    policies.publish(by=cast.ada, source=less)
    request = asked(cast)
    sign(request, cast.fay)
    assert finding(request).state == "met"
    policies.publish(by=cast.ada, source=POLICY)
    found = finding(request)
    assert found.code == "sign_off_asked_again"
    (row,) = found.params["not_counted"][0]["differs"]
    assert (row["field"], row["kind"], row["change"]) == ("document", "intended-use", "not_seen")
    sign(request, cast.fay)
    assert finding(request).state == "met"


def test_a_disabled_person_does_not_sign(cast: Cast) -> None:
    request = asked(cast)
    bound = request_signing.draft(by=cast.fay, request=request, requirement=FAIRNESS).bound
    Person.objects.filter(pk=cast.fay.pk).update(is_active=False)
    with pytest.raises(Refused):
        sign(request, Person.objects.get(pk=cast.fay.pk), bound=bound)
    with pytest.raises(Forbidden):  # still signed in when she was disabled
        signing.reauthenticate(Person.objects.get(pk=cast.fay.pk), PASSWORD)
    assert not SignOff.objects.exists()


# --- what is kept ----------------------------------------------------------------------------------------------------


def test_the_exact_bytes_are_kept_and_verify_with_the_public_key(cast: Cast) -> None:
    request = asked(cast)
    shown = request_signing.draft(by=cast.fay, request=request, requirement=FAIRNESS)
    given = sign(request, cast.fay, comment="Read with care.")
    payload = content.get(given.statement_id)
    statement = verified(content.get(given.envelope_id), {signing.key_id(): signing.public_key()})
    assert given.key_id == signing.key_id()
    assert canonical(statement) == payload
    assert loads_strict(payload) == statement
    with pytest.raises(Invalid):
        verified(
            content.get(given.envelope_id).replace(b'"sig":"', b'"sig":"AAAA'),
            {given.key_id: signing.public_key()},
        )
    said = statement["predicate"]
    bundle, case = request.bundle, shown.case
    # Bound: project, stage, covered parts, clause, evidence and documents.
    assert (said["project"], said["stage"]) == ("CHURN", "prod")
    assert said["covered"] == bundle.parts == given.covered
    assert statement["subject"] == [
        {"name": f"CHURN/{part}", "digest": {"sha256": bundle.parts[part]}} for part in sorted(bundle.parts)
    ]
    assert (
        said["clause"]["digest"]
        == shown.clause.digest
        == digest({"kind": "sign_off", "params": shown.clause.params})
    )
    assert [piece["kind"] for piece in said["evidence"]] == ["explainability", "fairness"]
    assert {piece["digest"] for piece in said["evidence"]} == {
        fact.digest for fact in case.evidence if fact.kind != "project"
    }
    assert [(piece["kind"], piece["digest"], piece["finding"]) for piece in said["documents"]] == [
        (text.kind, text.digest, "met") for text in sorted(case.documents, key=lambda text: text.kind)
    ]
    # Recorded: bundle, archive, policy version.
    assert said["recorded"] == {
        "bundle": "v1",
        "archive": bundle.archive,
        "policy": {"name": "demo-policy", "version": 1, "digest": cast.policy.digest},
    }
    assert (said["role"], said["decision"], said["person"]) == ("fairness", "approve", str(cast.fay.pk))
    assert said["meaning"] == given.meaning
    assert "Customer churn" in given.meaning
    # People and free text are not in it.
    assert b"Fay" not in payload
    assert b"care" not in payload
    assert said["comment"] == ledger.commitment(given.comment_salt, "Read with care.")
    fact = sign_off_fact(statement, id=str(given.pk))
    assert fact in judge_now(request).case.signoffs
    told = ledger.events(kinds=[EventKind.SIGNOFF_GIVEN])[-1]
    assert (told.facts["statement"], told.facts["envelope"]) == (given.statement_id, given.envelope_id)
    assert (told.facts["clause"], told.facts["covered"]) == (given.clause, given.covered)
    assert (told.facts["name"], told.facts["comment"]) == ("Fay Okafor", "Read with care.")
    assert finding(request).state == "met"


def test_the_same_word_twice_is_one_signature(cast: Cast) -> None:
    request = asked(cast)
    first = sign(request, cast.fay)
    with pytest.raises(Stale) as refused:
        sign(request, cast.fay)
    assert (refused.value.code, refused.value.params) == ("signed_already", {"signoff": first.pk})
    signoffs.withdraw(by=cast.fay, signoff=first, why="Read it too fast.")
    sign(request, cast.fay)
    sign(request, cast.fay, decision="reject", comment="Not fair.")
    assert finding(request).code == "sign_off_rejected"
    sign(request, cast.fay, decision="request_changes", comment="Count the women again.")
    assert finding(request).code == "sign_off_changes_requested"
    sign(request, cast.fay)
    assert finding(request).state == "met"
    assert SignOff.objects.count() == 5


def test_a_double_click_signs_once(each_database: Database) -> None:
    cast = make_cast()
    request = asked(cast)
    bound = request_signing.draft(by=cast.fay, request=request, requirement=FAIRNESS).bound
    refused = refusals_of(*[lambda: sign(request, cast.fay, bound=bound)] * 3)
    assert [refusal.code for refusal in refused] == ["signed_already"] * 2
    assert SignOff.objects.count() == 1
    assert len(ledger.events(kinds=[EventKind.SIGNOFF_GIVEN])) == 1


def test_only_the_signer_withdraws_and_only_once(cast: Cast) -> None:
    request = asked(cast)
    given = sign(request, cast.fay)
    for who, error in ((cast.otto, Absent), (cast.eli, Forbidden), (cast.ada, Forbidden)):
        with pytest.raises(error):
            signoffs.withdraw(by=who, signoff=given, why="Not theirs.")
    with pytest.raises(Invalid):
        signoffs.withdraw(by=cast.fay, signoff=given, why=" ")
    assert finding(request).state == "met"
    signoffs.withdraw(by=cast.fay, signoff=given, why="Something came up.")
    found = finding(request)
    assert found.state == "not_met"
    assert [one["why"] for one in found.params["not_counted"]] == ["withdrawn"]
    assert str(cast.fay.pk) in found.unblock
    with pytest.raises(Stale) as refused:
        signoffs.withdraw(by=cast.fay, signoff=given, why="Again.")
    assert refused.value.code == "withdrawn_already"
    told = ledger.events(kinds=[EventKind.SIGNOFF_WITHDRAWN])
    assert [(event.facts["signoff"], event.facts["why"]) for event in told] == [
        (given.pk, "Something came up.")
    ]


def test_who_lost_the_role_does_not_count_and_may_still_withdraw(cast: Cast) -> None:
    request = asked(cast)
    given = sign(request, cast.fay)
    held = cast.fay.grants.get()
    grants.revoke(by=cast.ada, grant=held, why="Moved on.")
    found = finding(request)
    assert [one["why"] for one in found.params["not_counted"]] == ["role_lost"]
    signoffs.withdraw(by=cast.fay, signoff=given, why="Moved on.")


def test_signatures_are_never_changed_or_removed(each_database: Database) -> None:
    cast = make_cast()
    request = asked(cast)
    given = sign(request, cast.fay)
    gone = signoffs.withdraw(by=cast.fay, signoff=given, why="Gone.")
    before = SignOff.objects.values().get()
    given.decision = "reject"
    with pytest.raises(DatabaseError), transaction.atomic():
        given.save()
    with pytest.raises(TypeError):
        given.delete()
    attempts: list[Callable[[], object]] = [
        lambda: SignOff.objects.update(decision="reject"),
        lambda: Withdrawal.objects.update(why="Other."),
        lambda: gone.delete(),
        lambda: Content.objects.filter(pk=given.statement_id).update(body=b"other"),
        lambda: Content.objects.filter(pk=given.envelope_id)._raw_delete("default"),
        lambda: sql("DELETE FROM governance_withdrawal"),
        lambda: sql("DELETE FROM governance_signoff"),
        lambda: sql("UPDATE governance_signoff SET covered = '{}'"),
    ]
    for attempt in attempts:
        with pytest.raises(DatabaseError), transaction.atomic():
            attempt()
    assert SignOff.objects.values().get() == before
    assert Withdrawal.objects.get().why == "Gone."
    assert json.loads(content.get(given.statement_id))["predicate"]["decision"] == "approve"


def sql(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


# --- what is bound ---------------------------------------------------------------------------------------------------


def test_a_changed_part_asks_again_by_name(cast: Cast) -> None:
    request = asked(cast)
    sign(request, cast.fay)
    path = {
        "models": "saved_models/churn_model.json",
        "flow": "recipes/score.py",
        "data": "datasets/customers.json",
    }
    for number, (part, member) in enumerate(path.items()):
        other = bundle_registered(cast, f"other-{number}", {f"project_config/{member}": {"changed": number}})
        assert {name for name in other.parts if other.parts[name] != request.bundle.parts[name]} == {part}
        found = finding(asked(cast, other))
        assert found.code == "sign_off_asked_again"
        (one,) = found.params["not_counted"]
        assert [(row["field"], row["part"]) for row in one["differs"]] == [("part", part)]
    same = bundle_registered(cast, "same")
    assert same.parts == request.bundle.parts
    assert finding(asked(cast, same)).state == "met"


def test_of_bundles_that_were_signed_the_nearest_is_compared_with(cast: Cast) -> None:
    near = bundle_registered(cast, "near", {"project_config/recipes/score.py": "score(1)"})
    far = {"project_config/recipes/score.py": "score(2)", "project_config/datasets/customers.json": {"x": 1}}
    for bundle in (near, bundle_registered(cast, "far", far)):
        to_read(cast, bundle)
        sign(asked(cast, bundle), cast.fay)
    found = finding(asked(cast))
    (one,) = found.params["not_counted"]
    assert SignOff.objects.get(pk=one["signoff"]).bundle == near
    assert [row["part"] for row in one["differs"]] == ["flow"]


NARROW = POLICY.replace(
    "{role: fairness, people: 1, covers: all}", "{role: fairness, people: 1, covers: [models]}"
)


def test_a_part_that_is_not_covered_asks_nobody_again(cast: Cast) -> None:
    policies.publish(by=cast.ada, source=NARROW)
    request = asked(cast)
    given = sign(request, cast.fay)
    assert set(given.covered) == {"models", "other"} & set(request.bundle.parts)
    other = bundle_registered(cast, "other", {"project_config/dashboards/overview.json": {"title": "Other"}})
    assert other.parts["presentation"] != request.bundle.parts["presentation"]
    assert finding(asked(cast, other)).state == "met"
    strange = bundle_registered(cast, "strange", {"somewhere/else.bin": "?"})
    found = finding(asked(cast, strange))
    assert [row["part"] for row in found.params["not_counted"][0]["differs"]] == ["other"]


def test_newer_evidence_with_an_equal_finding_still_counts_and_another_finding_asks_again(cast: Cast) -> None:
    request = asked(cast)
    sign(request, cast.fay)
    newer = fairness_of(cast, request.bundle, women=0.495)
    assert newer.digest not in SignOff.objects.get().evidence
    assert finding(request).state == "met"
    fairness_of(cast, request.bundle, women=0.2)
    found = finding(request)
    assert found.code == "sign_off_asked_again"
    (row,) = found.params["not_counted"][0]["differs"]
    assert (row["field"], row["kind"], row["change"]) == ("evidence", "fairness", "finding")


def test_a_rewritten_document_asks_again_and_the_same_text_does_not(cast: Cast) -> None:
    request = asked(cast)
    sign(request, cast.fay)
    intended_use(cast, request.bundle)
    assert finding(request).state == "met"
    intended_use_other(cast, request.bundle)
    (row,) = finding(request).params["not_counted"][0]["differs"]
    assert (row["field"], row["kind"], row["change"]) == ("document", "intended-use", "text")


def test_a_document_about_parts_that_changed_since_is_named_as_gone(cast: Cast) -> None:
    policies.publish(by=cast.ada, source=NARROW)
    request = asked(cast)
    sign(request, cast.fay)
    between = bundle_registered(cast, "between", {"project_config/recipes/score.py": "score(some)"})
    intended_use_other(cast, between)
    other = bundle_registered(cast, "other", {"project_config/recipes/score.py": "score(all)"})
    newer = asked(cast, other)
    rows = finding(newer).params["not_counted"][0]["differs"]
    assert {(row["field"], row["kind"], row["change"]) for row in rows} >= {
        ("document", "intended-use", "gone"),
        ("evidence", "fairness", "gone"),
    }
    # And the document itself is missed with what changed, not as if there had never been one.
    missed = finding(newer, "document:intended-use")
    assert (missed.code, missed.params["changed"]) == ("document_other_parts", ["flow"])
    missed = finding(newer, "evidence:fairness")
    assert (missed.code, missed.params["changed"]) == ("evidence_other_parts", ["flow"])


def test_an_edit_of_the_clause_asks_again_and_one_elsewhere_does_not(cast: Cast) -> None:
    request = asked(cast)
    sign(request, cast.fay)
    policies.publish(by=cast.ada, source=POLICY.replace("max_age: 30d", "max_age: 20d"))  # of the light tier
    assert judge_now(request).case.policy.version == 2
    assert finding(request).state == "met"
    policies.publish(by=cast.ada, source=POLICY.replace("fairness, people: 1", "fairness, people: 2"))
    (row,) = finding(request).params["not_counted"][0]["differs"]
    assert row["field"] == "clause"


def changed_case(case: Case, rng: random.Random) -> tuple[Case, set[tuple[str, str]]]:
    """The case with one to three bound things changed, and how the gate has to name them: field, part or kind."""
    expected: set[tuple[str, str]] = set()
    clause = next(one for one in case.requirements if one.key == FAIRNESS)
    signed_off = next(one for one in case.signoffs if one.role == "fairness")
    for what in rng.sample(["project", "stage", "part", "clause", "evidence", "document"], rng.randint(1, 3)):
        if what in ("project", "stage"):
            other_place: dict[str, Any] = {what: f"{getattr(case, what)}x"}
            case = replace(case, **other_place)
            expected.add((what, ""))
        elif what == "part":
            part = rng.choice(sorted(signed_off.covered))
            parts = {**case.parts, part: digest(rng.random())}
            if rng.random() < 0.3:
                del parts[part]
            case = replace(case, parts=parts)
            expected.add(("part", part))
        elif what == "clause":
            other = replace(clause, digest=digest(rng.random()))
            case = replace(
                case, requirements=tuple(other if one.key == FAIRNESS else one for one in case.requirements)
            )
            expected.add(("clause", ""))
        elif what == "evidence":
            lost = rng.choice(signed_off.evidence)
            case = replace(case, evidence=tuple(one for one in case.evidence if one.digest != lost))
            expected.add(("evidence", lost))
        else:
            lost = rng.choice(signed_off.documents)
            case = replace(case, documents=tuple(one for one in case.documents if one.digest != lost))
            expected.add(("document", lost))
    about = {one for one in expected if one[0] not in ("evidence", "document")}
    return case, about or expected


def test_every_bound_field_changed_after_signing_is_named(cast: Cast, full_size: bool) -> None:
    bundle = bundle_registered(cast)
    all_but_signed(cast, bundle)
    request = asked(cast, bundle)
    signed(cast.fay, request, "fairness")
    case = judge_now(request).case
    assert next(found for found in judge(case).findings if found.key == FAIRNESS).state == "met"
    rng = random.Random(20261121)
    for _turn in range(3000 if full_size else 400):
        changed, expected = changed_case(case, rng)
        found = next(one for one in judge(changed).findings if one.key == FAIRNESS)
        assert found.state == "not_met", expected
        (one,) = found.params["not_counted"]
        assert one["why"] == "differs"
        named = {
            (row["field"], row.get("part", row["signed"] if row["field"] in ("evidence", "document") else ""))
            for row in one["differs"]
        }
        assert named == expected
    # What is only recorded changes nothing.
    for recorded in (
        replace(case, archive=digest("other")),
        replace(case, bundle="v99"),
        replace(case, policy=replace(case.policy, version=99, digest=digest("other"))),
        replace(case, tier="other"),
    ):
        assert next(one for one in judge(recorded).findings if one.key == FAIRNESS).state == "met"
