"""Requests over the API: to ask, the gate in words, to take back, to promote; and promotions."""

from typing import Any

import pytest
from django.utils import timezone

from deployments import inbox
from deployments.models import DeploymentRequest, Promotion, Step
from governance.models import PolicyVersion
from portal import ledger
from portal.event_kinds import EventKind
from portal.models import Bundle, Event, Lane, Project
from tests.api import same_at_any_size, session, token, told
from tests.cast import Cast, lane
from tests.factories import (
    all_but_signed,
    all_signed,
    bundle_asked,
    bundle_registered,
    fairness_of,
    now_runs,
    promotion_of,
    request_at,
    runs_in,
    signed,
    succeeded,
    to_read,
    went_live,
)

WISH: dict[str, Any] = {"project": "CHURN", "bundle_id": "v1", "stage": "qa", "why": "It is better."}


# --- asking ---


def test_a_member_asks_for_a_promotion(cast: Cast) -> None:
    bundle_registered(cast)
    made = session(cast.dev).post("requests/", **WISH)
    assert told("request.submitted").subject == f"request:{made['number']}"
    assert (made["status"], made["requested_by"]["login"], made["why"]) == ("open", "dev", "It is better.")
    assert made["can"] == ["withdraw", "set_ticket"]
    assert made["gate"]["met"] is True
    assert made["promotions"] == []


def test_a_token_may_ask(cast: Cast) -> None:
    bundle_registered(cast)
    assert token(cast.dev).post("requests/", **WISH)["status"] == "open"


def test_an_outsider_asks_for_nothing(cast: Cast) -> None:
    bundle_registered(cast)
    session(cast.otto).absent("post", "requests/", WISH)
    session(cast.otto).absent("post", "requests/", {**WISH, "project": "NOTHING"})
    session(cast.olga).absent("post", "requests/", {**WISH, "bundle_id": "v9"})


def test_asking_needs_the_right(cast: Cast) -> None:
    bundle_registered(cast)
    assert session(cast.fay).refused(403, "post", "requests/", WISH)["code"] == "right_missing"


@pytest.mark.parametrize(
    "change, field", [({"stage": "moon"}, "stage"), ({"why": " "}, "why"), ({"when": "now"}, "when")]
)
def test_a_wish_that_cannot_be_taken(cast: Cast, change: dict[str, str], field: str) -> None:
    bundle_registered(cast)
    assert session(cast.dev).refused(400, "post", "requests/", {**WISH, **change})["field"] == field


def test_a_bundle_not_registered_cannot_be_asked_for(cast: Cast) -> None:
    bundle_asked(cast)
    found = session(cast.dev).refused(409, "post", "requests/", WISH)
    assert found["detail"] == "Bundle v1 is being registered, so nothing can be asked for it yet."


def test_a_bundle_that_runs_there_already_cannot_be_asked_for(cast: Cast) -> None:
    runs_in(cast, bundle_registered(cast), cast.qa)
    found = session(cast.dev).refused(409, "post", "requests/", WISH)
    assert found["code"] == "bundle_runs_already"
    assert found["detail"].startswith("Bundle v1 runs in QA already and completed its watch there")
    assert told("access.refused").subject == Bundle.objects.get().subject


def test_a_double_click_asks_once(cast: Cast) -> None:
    bundle_registered(cast)
    made = session(cast.dev).post("requests/", **WISH)
    found = session(cast.dev).refused(409, "post", "requests/", WISH)
    assert found["code"] == "request_duplicate"
    assert found["params"] == {"request": made["number"]}
    assert DeploymentRequest.objects.count() == 1


# --- looking ---


def test_requests_are_listed_by_project_and_status(cast: Cast) -> None:
    open_one = request_at(cast)
    done = request_at(cast, "done", bundle_registered(cast, "v2"))
    assert DeploymentRequest.objects.get(pk=open_one.pk).status == "superseded"
    olga = session(cast.olga)
    assert [one["number"] for one in olga.rows("requests/?project=CHURN")] == [done.pk, open_one.pk]
    assert [one["number"] for one in olga.rows("requests/?status=done")] == [done.pk]
    assert olga.refused(400, "get", "requests/?status=lost")["field"] == "status"
    assert session(cast.otto).rows("requests/") == []
    session(cast.otto).absent("get", "requests/?project=CHURN")
    for path in ("", "gate/", "signing/?requirement=sign_off:fairness"):
        session(cast.otto).absent("get", f"requests/{done.pk}/{path}")


def test_the_gate_says_what_is_missing_and_who_can_help(cast: Cast) -> None:
    bundle = bundle_registered(cast)
    fairness_of(cast, bundle, women=0.1)
    wish = request_at(cast, bundle=bundle, lane=cast.prod)
    gate = session(cast.mona).get(f"requests/{wish.pk}/gate/")
    assert gate["met"] is False
    assert gate["policy"]["name"] == "demo-policy"
    findings = {one["key"]: one for one in gate["findings"]}
    assert findings["evidence:fairness"]["state"] == "not_met"
    assert findings["evidence:fairness"]["code"] == "fairness_violated"
    assert "0.20" in findings["evidence:fairness"]["sentence"]
    sign = findings["sign_off:fairness"]
    assert sign["sentence"].startswith("One signature is needed.")
    assert sign["unblock"] == [{"id": str(cast.fay.pk), "name": "Fay Okafor"}]
    assert session(cast.mona).get(f"requests/{wish.pk}/")["gate"]["findings"] == gate["findings"]


def test_a_request_says_what_each_can_do(cast: Cast) -> None:
    wish = request_at(cast, lane=cast.prod)
    path = f"requests/{wish.pk}/"
    assert session(cast.dev).get(path)["can"] == ["withdraw", "set_ticket"]
    assert session(cast.mona).get(path)["can"] == ["withdraw", "promote", "set_ticket"]
    assert session(cast.fay).get(path)["can"] == ["sign:sign_off:fairness"]
    assert session(cast.nora).get(path)["can"] == []


def test_a_policy_that_says_nothing_does_not_hide_the_request(cast: Cast) -> None:
    wish = request_at(cast)
    Project.objects.filter(pk=cast.churn.pk).update(policy="unwritten")
    assert PolicyVersion.objects.filter(name="unwritten").count() == 0
    found = session(cast.dev).get(f"requests/{wish.pk}/")
    assert found["gate"]["met"] is False
    assert "No policy “unwritten” is published" in found["gate"]["problem"]


# --- taking back ---


def test_a_request_is_withdrawn_once(cast: Cast) -> None:
    wish = request_at(cast)
    olga = session(cast.olga)
    found = olga.post(f"requests/{wish.pk}/withdraw/", why="Not now.")
    told("request.withdrawn")
    assert (found["status"], found["gate"], found["can"]) == ("withdrawn", None, [])
    again = olga.refused(409, "post", f"requests/{wish.pk}/withdraw/", {"why": "Twice."})
    assert again["code"] == "moved_meanwhile"
    assert again["params"] == {"verb": "withdraw", "status": "withdrawn"}


def test_withdrawing_needs_right_and_reason(cast: Cast) -> None:
    wish = request_at(cast)
    path = f"requests/{wish.pk}/withdraw/"
    session(cast.otto).absent("post", path, {"why": "No."})
    assert session(cast.fay).refused(403, "post", path, {"why": "No."})["code"] == "right_missing"
    assert session(cast.dev).refused(400, "post", path, {})["field"] == "why"


# --- promoting ---


def test_a_promotion_starts_when_the_gate_is_open(cast: Cast) -> None:
    bundle = bundle_registered(cast)
    all_but_signed(cast, bundle)
    wish = request_at(cast, bundle=bundle, lane=cast.prod)
    mona = session(cast.mona)
    shut = mona.refused(409, "post", f"requests/{wish.pk}/promote/")
    assert shut["code"] == "gate_closed"
    assert shut["detail"].startswith("Not yet: ")
    assert told("verdict.judged").subject == f"request:{wish.pk}"
    all_signed(cast, wish)
    made = mona.post(f"requests/{wish.pk}/promote/")
    assert told("promotion.started").subject == f"promotion:{made['number']}"
    assert (made["status"], made["kind"], made["stage"], made["bundle_id"]) == (
        "running",
        "promote",
        "prod",
        "v1",
    )
    assert made["can"] == ["stop"]
    assert made["steps"][0]["name"] == "pass_gate"
    assert made["steps"][0]["title"] == "Judge the gate"
    assert {step["status"] for step in made["steps"]} == {"pending"}
    found = mona.get(f"requests/{wish.pk}/")
    assert found["status"] == "promoting"
    assert [one["number"] for one in found["promotions"]] == [made["number"]]


def test_a_double_click_promotes_once(cast: Cast) -> None:
    wish = request_at(cast)
    session(cast.mona).post(f"requests/{wish.pk}/promote/")
    assert (
        session(cast.mona).refused(409, "post", f"requests/{wish.pk}/promote/")["code"] == "request_not_open"
    )
    assert Promotion.objects.count() == 1


def test_promoting_needs_the_right(cast: Cast) -> None:
    wish = request_at(cast)
    session(cast.otto).absent("post", f"requests/{wish.pk}/promote/")
    assert not Event.objects.filter(kind="access.refused").exists()
    assert session(cast.dev).refused(403, "post", f"requests/{wish.pk}/promote/")["code"] == "right_missing"
    kept = ledger.read([told("access.refused")])[0]
    assert (kept.actor_id, kept.subject, kept.project) == (str(cast.dev.pk), wish.subject, "CHURN")
    assert (kept.facts["action"], kept.facts["code"]) == ("promote", "right_missing")


def test_a_held_request_is_started_again_with_a_reason(cast: Cast) -> None:
    wish = request_at(cast, "held")
    mona = session(cast.mona)
    assert mona.get(f"requests/{wish.pk}/")["held"] == "The smoke test failed."
    assert mona.refused(400, "post", f"requests/{wish.pk}/promote/")["field"] == "why"
    assert mona.post(f"requests/{wish.pk}/promote/", why="The table is there now.")["status"] == "running"


def test_a_signer_does_not_start_the_promotion(cast: Cast) -> None:
    bundle = bundle_registered(cast)
    to_read(cast, bundle)
    session(cast.ada).post("grants/", person="fay", right="promote", project="CHURN", why="For the test.")
    wish = request_at(cast, bundle=bundle, lane=cast.prod)
    signed(cast.fay, wish, "fairness")
    found = session(cast.fay).refused(403, "post", f"requests/{wish.pk}/promote/")
    assert found["code"] == "promoter_signed"
    assert told("access.refused").subject == f"request:{wish.pk}"


def test_another_promotion_holds_the_lane(cast: Cast) -> None:
    first = request_at(cast, "promoting")
    second = request_at(cast, bundle=bundle_registered(cast, "v2"))
    found = session(cast.mona).refused(409, "post", f"requests/{second.pk}/promote/")
    assert found["code"] == "lane_busy"
    assert found["detail"].startswith(f"Promotion {promotion_of(first).pk} runs and holds ")
    assert DeploymentRequest.objects.get(pk=second.pk).status == "open"


# --- promotions ---


def test_a_promotion_is_stopped_with_a_reason(cast: Cast) -> None:
    promotion = promotion_of(request_at(cast, "promoting"))
    mona = session(cast.mona)
    path = f"promotions/{promotion.pk}/stop/"
    assert mona.refused(400, "post", path, {})["field"] == "why"
    found = mona.post(path, why="Wrong bundle.")
    assert (found["status"], found["rollback"], found["can"]) == ("stopped", None, [])
    assert Event.objects.filter(kind=EventKind.PROMOTION_STOPPED, subject=promotion.subject).count() == 1
    assert mona.refused(409, "post", path, {"why": "Twice."})["code"] == "promotion_over"


def test_stopping_after_the_live_change_rolls_back(cast: Cast) -> None:
    v1 = bundle_registered(cast)
    runs_in(cast, v1, cast.qa)
    promotion = promotion_of(request_at(cast, "promoting", bundle_registered(cast, "v2")))
    now_runs(promotion)
    found = session(cast.mona).post(f"promotions/{promotion.pk}/stop/", why="It looks wrong.")
    rollback = session(cast.mona).get(f"promotions/{found['rollback']}/")
    assert (rollback["kind"], rollback["undoes"], rollback["bundle_id"]) == ("rollback", promotion.pk, "v1")
    listed = session(cast.olga).rows(f"promotions/?project=CHURN&request={promotion.request_id}")
    assert [one["number"] for one in listed] == [rollback["number"], promotion.pk]


def test_what_is_kept_holds_the_lane_until_it_is_released(cast: Cast) -> None:
    promotion = promotion_of(request_at(cast, "promoting"))
    went_live(promotion)
    mona = session(cast.mona)
    assert mona.post(f"promotions/{promotion.pk}/stop/", why="Let us look.", keep=True)["can"] == ["release"]
    path = f"promotions/{promotion.pk}/release/"
    session(cast.otto).absent("post", path, {"why": "No."})
    assert session(cast.dev).refused(403, "post", path, {"why": "No."})["code"] == "right_missing"
    assert mona.post(path, why="It is fine.")["holds_lane"] is False
    told("lane.released")
    assert mona.refused(409, "post", path, {"why": "Twice."})["code"] == "lane_free"


def test_stopping_is_for_who_may_promote(cast: Cast) -> None:
    promotion = promotion_of(request_at(cast, "promoting"))
    path = f"promotions/{promotion.pk}"
    session(cast.otto).absent("get", f"{path}/")
    session(cast.otto).absent("post", f"{path}/stop/", {"why": "No."})
    assert session(cast.dev).refused(403, "post", f"{path}/stop/", {"why": "No."})["code"] == "right_missing"
    assert session(cast.dev).get(f"{path}/")["can"] == []


def test_a_promotion_that_succeeded_tells_its_story(cast: Cast) -> None:
    promotion = promotion_of(request_at(cast, "promoting"))
    now_runs(promotion)
    succeeded(promotion)
    found = session(cast.olga).get(f"promotions/{promotion.pk}/")
    assert found["story"] == "v1 went to QA and passed every check."
    assert found["live_at"] <= found["ended_at"]


# --- the inbox ---


def test_the_inbox_says_what_waits_for_whom(cast: Cast) -> None:
    bundle = bundle_registered(cast)
    wish = request_at(cast, bundle=bundle, lane=cast.prod)
    test = request_at(cast, bundle=bundle)
    fay, mona, dev = (session(person).get("inbox/") for person in (cast.fay, cast.mona, cast.dev))
    assert [(one["request"]["number"], one["sign"], one["promote"]) for one in fay["waits"]] == [
        (wish.pk, ["sign_off:fairness"], False)
    ]
    assert [(one["request"]["number"], one["promote"]) for one in mona["waits"]] == [(test.pk, True)]
    assert [(one["request"]["number"], one["missing"]) for one in dev["mine"]] == [(test.pk, 0), (wish.pk, 9)]
    assert session(cast.otto).get("inbox/") == {
        "waits": [],
        "next": None,
        "more": "",
        "mine": [],
        "held": [],
        "promotions": [],
        "bundles": [],
        "reviews": [],
    }


def test_the_inbox_says_that_it_looked_at_some_only_and_looks_on(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = bundle_registered(cast)
    early = request_at(cast, bundle=bundle, lane=cast.prod)  # Mona cannot start it before three have signed
    ready = request_at(cast, bundle=bundle)
    mona = session(cast.mona)
    monkeypatch.setattr(inbox, "TURNS", (1,))
    monkeypatch.setattr(inbox, "LOOKED_AT", 1)
    found = mona.get("inbox/")
    assert (found["waits"], found["next"]) == ([], early.pk)
    assert found["more"] == (
        "Only 1 open requests were looked at, the oldest first; younger ones may wait too. Look on after them."
    )
    found = mona.get(f"inbox/?after={found['next']}")
    assert [one["request"]["number"] for one in found["waits"]] == [ready.pk]
    assert (found["next"], found["more"]) == (None, "")
    assert mona.refused(400, "get", "inbox/?after=--5")["field"] == "after"


def test_the_inbox_says_what_went_wrong(cast: Cast) -> None:
    wish = request_at(cast, "held")
    found = session(cast.dev).get("inbox/")
    assert [one["number"] for one in found["held"]] == [wish.pk]
    assert session(cast.otto).get("inbox/")["held"] == []


# --- lists ---


def test_the_lists_cost_the_same_at_any_size(cast: Cast) -> None:
    bundle = bundle_registered(cast)
    place = cast.qa.stage.places.get()
    where: Lane = lane(cast.churn, "qa")

    def requests(count: int) -> None:
        start = Bundle.objects.count()
        bundles = Bundle.objects.bulk_create(
            Bundle(
                project=cast.churn,
                bundle_id=f"b{start + n}",
                origin="exported",
                asked_by=cast.dev,
                author=cast.olga,
            )
            for n in range(count)
        )
        DeploymentRequest.objects.bulk_create(
            DeploymentRequest(lane=where, bundle=one, why="w", requested_by=cast.dev) for one in bundles
        )

    def promotions(count: int) -> None:
        wish = DeploymentRequest.objects.earliest("pk")
        now = timezone.now()
        made = Promotion.objects.bulk_create(
            Promotion(
                request=wish,
                lane=where,
                place=place,
                bundle=bundle,
                started_by=cast.mona,
                status="failed",
                holds_lane=False,
                ended_at=now,
            )
            for _ in range(count)
        )
        Step.objects.bulk_create(
            Step(promotion=one, position=n, name=f"s{n}") for one in made for n in range(3)
        )

    olga = session(cast.olga)
    same_at_any_size(olga, "requests/", requests, most=5)
    same_at_any_size(olga, "promotions/", promotions, most=6)
