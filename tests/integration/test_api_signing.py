"""Signing over the API: the draft, the signature, who may not, and taking it back."""

import base64
import json
from typing import Any

import pytest

from deployments.models import DeploymentRequest
from governance.models import SignOff
from governance.statement import verified
from portal import content, ledger, signing
from portal.demo.cast import PASSWORD
from portal.models import Event
from tests.api import Api, same_at_any_size, session, token, told
from tests.cast import Cast
from tests.factories import bundle_registered, fairness_of, request_at, signed, to_read

REQUIREMENT = "sign_off:fairness"


@pytest.fixture
def wish(cast: Cast) -> DeploymentRequest:
    """Dev's request for production, with everything to read."""
    bundle = bundle_registered(cast)
    to_read(cast, bundle)
    return request_at(cast, bundle=bundle, lane=cast.prod)


def draft(api: Api, wish: DeploymentRequest) -> Any:
    """What would be signed now."""
    return api.get(f"requests/{wish.pk}/signing/?requirement={REQUIREMENT}")


def word(api: Api, wish: DeploymentRequest, **change: str) -> dict[str, str]:
    """An approval of what the draft shows."""
    bound = draft(api, wish)["bound"]
    return {"requirement": REQUIREMENT, "decision": "approve", "password": PASSWORD, "bound": bound, **change}


def test_a_signer_reads_what_would_be_signed(cast: Cast, wish: DeploymentRequest) -> None:
    shown = draft(session(cast.fay), wish)
    assert shown["role"] == "fairness"
    assert shown["covered"] == wish.bundle.parts
    assert [one["kind"] for one in shown["documents"]] == ["intended-use", "model-documentation"]
    assert [one["kind"] for one in shown["evidence"]] == ["explainability", "fairness"]
    assert set(shown["meanings"]) == {"approve", "approve_with_conditions", "request_changes", "reject"}
    assert "I approve it for fairness." in shown["meanings"]["approve"]
    assert (shown["barred"], shown["incomplete"]) == ("", "")


def test_a_signature_is_kept_byte_for_byte(cast: Cast, wish: DeploymentRequest) -> None:
    fay = session(cast.fay)
    shown = draft(fay, wish)
    made = fay.post(f"requests/{wish.pk}/signoffs/", **word(fay, wish, comment="Read it all."))
    assert told("signoff.given").subject == f"signoff:{made['id']}"
    assert (made["person"]["login"], made["decision"], made["comment"]) == ("fay", "approve", "Read it all.")
    assert made["meaning"] == shown["meanings"]["approve"]
    statement = made["statement"]["predicate"]
    assert statement["covered"] == shown["covered"]
    assert statement["person"] == str(cast.fay.pk)
    assert "Read it all." not in json.dumps(made["statement"])
    opened = verified(made["envelope"], {signing.key_id(): signing.public_key()})
    assert opened == made["statement"]
    assert base64.b64decode(made["envelope"]["payload"]) == content.get(made["statement_digest"])
    assert session(cast.dev).get(f"signoffs/{made['id']}/") == made
    (row,) = session(cast.dev).rows("projects/CHURN/bundles/v1/signoffs/")
    assert row["id"] == made["id"]
    findings = {one["key"]: one["state"] for one in fay.get(f"requests/{wish.pk}/gate/")["findings"]}
    assert findings[REQUIREMENT] == "met"


def test_a_token_never_signs(cast: Cast, wish: DeploymentRequest) -> None:
    program = token(cast.fay)
    body = word(session(cast.fay), wish)
    found = program.refused(403, "post", f"requests/{wish.pk}/signoffs/", body)
    assert found["code"] == "token_never_signs"
    assert found["detail"] == "An API token never signs. Sign in with your password and sign there."
    assert not SignOff.objects.exists()


def test_a_wrong_password_signs_nothing(cast: Cast, wish: DeploymentRequest) -> None:
    fay = session(cast.fay)
    found = fay.refused(403, "post", f"requests/{wish.pk}/signoffs/", word(fay, wish, password="guessed"))
    assert (found["code"], found["field"]) == ("password_wrong", "password")
    kept = ledger.read([told("access.refused")])[0]
    assert (kept.actor_id, kept.subject) == (str(cast.fay.pk), wish.subject)
    assert kept.facts == {"action": "sign", "code": "password_wrong", "reason": found["detail"]}
    assert not SignOff.objects.exists()


def test_what_was_not_read_is_not_signed(cast: Cast, wish: DeploymentRequest) -> None:
    fay = session(cast.fay)
    body = word(fay, wish)
    fairness_of(cast, wish.bundle, women=0.49)
    found = fay.refused(409, "post", f"requests/{wish.pk}/signoffs/", body)
    assert (found["code"], found["field"]) == ("statement_stale", "bound")
    assert fay.post(f"requests/{wish.pk}/signoffs/", **word(fay, wish))["decision"] == "approve"


def test_nobody_approves_what_is_not_there_to_read(cast: Cast) -> None:
    bundle = bundle_registered(cast)
    fairness_of(cast, bundle)
    wish = request_at(cast, bundle=bundle, lane=cast.prod)
    fay = session(cast.fay)
    why = draft(fay, wish)["incomplete"]
    assert why.startswith(
        "You cannot approve yet: the document “model documentation”, the document “intended use” "
        "and the explainability evidence are missing"
    )
    found = fay.refused(409, "post", f"requests/{wish.pk}/signoffs/", word(fay, wish))
    assert (found["code"], found["field"], found["detail"]) == ("page_incomplete", "decision", why)
    assert not SignOff.objects.exists()
    no = word(fay, wish, decision="reject", comment="Write down what it is for.")
    assert fay.post(f"requests/{wish.pk}/signoffs/", **no)["decision"] == "reject"


def test_the_requester_never_signs(cast: Cast, wish: DeploymentRequest) -> None:
    session(cast.ada).post(
        "grants/", person="dev", right="sign", role="fairness", project="CHURN", why="For the test."
    )
    dev = session(cast.dev)
    assert draft(dev, wish)["barred"].startswith("You asked for this promotion")
    found = dev.refused(403, "post", f"requests/{wish.pk}/signoffs/", word(dev, wish))
    assert (found["code"], found["detail"]) == ("barred", draft(dev, wish)["barred"])
    assert told("access.refused").project == "CHURN"
    assert not SignOff.objects.exists()


def test_who_does_not_hold_the_role(cast: Cast, wish: DeploymentRequest) -> None:
    body = word(session(cast.fay), wish)
    session(cast.otto).absent("post", f"requests/{wish.pk}/signoffs/", body)
    assert not Event.objects.filter(kind="access.refused").exists()
    for person in (cast.eli, cast.mona, cast.ada):
        found = session(person).refused(403, "post", f"requests/{wish.pk}/signoffs/", body)
        assert found["detail"].startswith(
            "You need the right to sign for fairness on Customer churn in Production."
        )
        assert told("access.refused").actor == person.pk
        assert session(person).refused(403, "get", f"requests/{wish.pk}/signing/?requirement={REQUIREMENT}")
    assert Event.objects.filter(kind="access.refused").count() == 3


def test_requirements_that_are_not_signed(cast: Cast, wish: DeploymentRequest) -> None:
    fay = session(cast.fay)
    path = f"requests/{wish.pk}/signing/"
    assert fay.refused(400, "get", path)["field"] == "requirement"
    assert fay.refused(409, "get", f"{path}?requirement=sign_off:luck")["code"] == "requirement_unknown"
    assert fay.refused(409, "get", f"{path}?requirement=document:intended-use")["code"] == "not_a_sign_off"


@pytest.mark.parametrize(
    "change, field", [({"decision": "perhaps"}, "decision"), ({"decision": "reject"}, "comment")]
)
def test_a_word_that_says_too_little(
    cast: Cast, wish: DeploymentRequest, change: dict[str, str], field: str
) -> None:
    fay = session(cast.fay)
    assert (
        fay.refused(400, "post", f"requests/{wish.pk}/signoffs/", word(fay, wish, **change))["field"] == field
    )


def test_a_signature_is_withdrawn_by_its_signer(cast: Cast, wish: DeploymentRequest) -> None:
    signoff = signed(cast.fay, wish, "fairness")
    path = f"signoffs/{signoff.pk}/withdraw/"
    session(cast.otto).absent("get", f"signoffs/{signoff.pk}/")
    session(cast.otto).absent("post", path, {"why": "No."})
    assert session(cast.eli).refused(403, "post", path, {"why": "No."})["code"] == "not_your_signature"
    fay = session(cast.fay)
    assert fay.refused(400, "post", path, {})["field"] == "why"
    found = fay.post(path, why="I overlooked a group.")
    told("signoff.withdrawn")
    assert found["withdrawal"]["why"] == "I overlooked a group."
    assert fay.refused(409, "post", path, {"why": "Twice."})["code"] == "withdrawn_already"
    findings = {one["key"]: one["state"] for one in fay.get(f"requests/{wish.pk}/gate/")["findings"]}
    assert findings[REQUIREMENT] == "not_met"


def test_the_list_of_signatures_costs_the_same_at_any_size(cast: Cast, wish: DeploymentRequest) -> None:
    kept = content.put(b"x", "text/plain")

    def grow(count: int) -> None:
        SignOff.objects.bulk_create(
            SignOff(
                bundle=wish.bundle,
                lane=wish.lane,
                person=cast.fay,
                role="fairness",
                decision="approve",
                requirement=REQUIREMENT,
                clause="0" * 64,
                covered={},
                meaning="m",
                statement=kept,
                envelope=kept,
                key_id="k",
            )
            for _ in range(count)
        )

    same_at_any_size(session(cast.olga), "projects/CHURN/bundles/v1/signoffs/", grow, most=9)
