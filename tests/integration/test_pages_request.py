"""A request's page: the gate as a checklist, promoting, following, stopping, releasing, withdrawing."""

from collections.abc import Sequence
from typing import Any

import pytest

from deployments.actions import promotions
from deployments.cards import folded
from deployments.models import DeploymentRequest, Promotion
from governance.models import Report
from portal import ledger
from portal.errors import Stale
from portal.event_kinds import EventKind
from tests.cast import Cast
from tests.factories import (
    all_but_signed,
    all_signed,
    bundle_registered,
    failed,
    now_runs,
    promotion_of,
    request_at,
    runs_in,
    signed,
    succeeded,
    went_live,
)
from tests.pages import outsider_sees_nothing, queries_of, refused, signed_in, words

HTMX = {"HX-Request": "true"}


def path_of(wish: DeploymentRequest, verb: str = "") -> str:
    """The address of a request's page, or of what is done there."""
    return f"/projects/CHURN/requests/{wish.pk}/{verb}"


def to_production(cast: Cast) -> DeploymentRequest:
    """A request of v1 to production in which all but the three signatures is met."""
    bundle = bundle_registered(cast)
    all_but_signed(cast, bundle)
    return request_at(cast, "open", bundle, cast.prod)


def test_the_gate_says_what_is_met_and_who_can_do_the_rest(cast: Cast) -> None:
    wish = to_production(cast)
    signed(cast.eli, wish, "explainability")
    answer = signed_in(cast.fay).get(path_of(wish))
    page = words(answer)
    assert "Bring v1 to Production" in page
    assert "Met Tests passed in QA" in page
    assert (
        "Not met Model risk signed by one person One signature is needed. Ravi Menon can unblock this."
        in page
    )
    assert "Two things are missing." in page
    assert answer.content.decode().count("Review and sign") == 1  # Fay's own, and nobody else's


def test_a_long_checklist_folds_what_is_met() -> None:
    def row(state: str, acts: Sequence[Any] = ()) -> dict[str, Any]:
        return {"state": state, "acts": acts}

    met, missing, waived, mine = row("met"), row("not_met"), row("waived"), row("met", ["sign"])
    assert folded([missing, *[met] * 9]) == ([missing, *[met] * 9], [])
    assert folded([missing, waived, mine, *[met] * 8]) == ([missing, waived, mine], [met] * 8)
    assert folded([met] * 11) == ([met] * 11, [])


def test_changed_parts_are_said_with_the_bundle_they_are_compared_with(cast: Cast) -> None:
    signed(cast.fay, to_production(cast), "fairness")
    more = {"project_config/recipes/more.py": "1"}
    runs_in(cast, bundle_registered(cast, "v2", more), cast.qa)
    bundle = bundle_registered(cast, "v3", {**more, "project_config/recipes/score.py": "score(customers, 3)"})
    page = words(signed_in(cast.fay).get(path_of(request_at(cast, "open", bundle, cast.prod))))
    assert "Asked again because the part flow changed." in page
    assert "Compared with v1, which was signed." in page
    page = words(signed_in(cast.fay).get(path_of(request_at(cast, "open", bundle, cast.qa))))
    assert "Runs there now v2 Changed against v2 flow" in page


def test_nobody_promotes_past_a_closed_gate(cast: Cast) -> None:
    wish = to_production(cast)
    page = signed_in(cast.mona).get(path_of(wish)).content.decode()
    assert 'aria-disabled="true" title="Not before everything above is met."' in page
    refused(signed_in(cast.mona).post(path_of(wish, "promote/")), 409, "Not yet: One signature is needed.")
    assert not Promotion.objects.filter(request=wish).exists()


def test_from_the_page_a_refusal_comes_back_to_the_page(cast: Cast) -> None:
    wish = to_production(cast)
    answer = signed_in(cast.mona).post(
        path_of(wish, "promote/"), headers={"Referer": f"http://testserver{path_of(wish)}"}, follow=True
    )
    assert answer.redirect_chain == [(path_of(wish), 302)]
    assert "Not yet: One signature is needed." in words(answer)
    away = signed_in(cast.mona).post(
        path_of(wish, "promote/"), headers={"Referer": "https://elsewhere.example/"}
    )
    assert away.status_code == 409


def test_an_open_gate_is_promoted_once_however_often_it_is_clicked(cast: Cast) -> None:
    wish = to_production(cast)
    all_signed(cast, wish)
    client = signed_in(cast.mona)
    assert "Promote to Production now" in words(client.get(path_of(wish)))
    first = client.post(path_of(wish, "promote/"), follow=True)
    assert "Started. The steps below show how far it is." in words(first)
    refused(
        client.post(path_of(wish, "promote/")),
        409,
        f"Request {wish.pk} is promoting; it cannot be started again.",
    )
    assert Promotion.objects.filter(request=wish).count() == 1


def test_without_the_right_it_is_said_who_has_it(cast: Cast) -> None:
    wish = request_at(cast)
    assert "Mona Castell can bring v1 to QA now. You need the right to start a promotion." in words(
        signed_in(cast.dev).get(path_of(wish))
    )
    refused(
        signed_in(cast.dev).post(path_of(wish, "promote/")),
        403,
        "You need the right to start a promotion on Customer churn in QA.",
    )
    (kept,) = ledger.events(subject=wish.subject, kinds=[EventKind.ACCESS_REFUSED])
    assert (kept.actor_id, kept.facts["code"]) == (str(cast.dev.pk), "right_missing")


def test_an_outsider_gets_nothing(cast: Cast) -> None:
    wish = request_at(cast)
    for path in (
        path_of(wish),
        path_of(wish, "gate/"),
        path_of(wish, "sign/sign_off:fairness/"),
        "/projects/CHURN/requests/99999/",
    ):
        outsider_sees_nothing(signed_in(cast.otto), path)
    for verb in ("promote/", "withdraw/", "report/"):
        outsider_sees_nothing(signed_in(cast.otto), path_of(wish, verb), post=True)
    outsider_sees_nothing(signed_in(cast.dev), f"/projects/MAINT/requests/{wish.pk}/")


def test_a_held_request_asks_for_a_reason(cast: Cast) -> None:
    wish = request_at(cast, "held")
    client = signed_in(cast.mona)
    assert "Held: say why before it is started again The smoke test failed." in words(
        client.get(path_of(wish))
    )
    answer = client.post(path_of(wish, "promote/"), {"promote-why": " "})
    assert answer.status_code == 400
    assert "why" in answer.context["promote_form"].errors
    client.post(path_of(wish, "promote/"), {"promote-why": "The node was full; it is not now."})
    assert Promotion.objects.filter(request=wish).count() == 2


def test_the_steps_look_again_by_themselves_and_stop(cast: Cast) -> None:
    wish = request_at(cast, "promoting")
    promotion = promotion_of(wish)
    client = signed_in(cast.dev)
    page = client.get(path_of(wish)).content.decode()
    assert f'hx-get="{path_of(wish, "gate/")}?promotion={promotion.pk}" hx-trigger="every 2s"' in page
    part = client.get(path_of(wish, f"gate/?promotion={promotion.pk}"), headers=HTMX)
    assert "Going there now" in words(part)
    assert "<html" not in part.content.decode()
    assert 'id="lanes"' in part.content.decode()  # who does not say what they have seen gets all of it
    seen = part.context["seen"]
    same = client.get(path_of(wish, f"gate/?promotion={promotion.pk}&seen={seen}"), headers=HTMX)
    assert "hx-swap-oob" not in same.content.decode()
    now_runs(promotion)
    live = client.get(path_of(wish, f"gate/?promotion={promotion.pk}&seen={seen}"), headers=HTMX)
    assert live.content.decode().count('hx-swap-oob="true"') == 2
    assert "QA v1 Being checked" in words(live) or "QA v1 being checked" in words(live)
    assert "Runs there now v1" in words(live)
    succeeded(promotion)
    over = client.get(path_of(wish, f"gate/?promotion={promotion.pk}"), headers=HTMX)
    assert (over.headers["HX-Refresh"], over.content) == ("true", b"")
    assert 'hx-trigger="every' not in client.get(path_of(wish)).content.decode()
    plain = client.get(path_of(wish, "gate/"))  # somebody opened the address of the part
    assert plain.headers["Location"] == path_of(wish)


def test_a_rollback_is_told_in_words(cast: Cast) -> None:
    runs_in(cast, bundle_registered(cast), cast.qa)
    wish = request_at(cast, "promoting", bundle_registered(cast, "v2"))
    now_runs(promotion_of(wish))
    failed(promotion_of(wish), "The smoke test failed.")
    page = words(signed_in(cast.dev).get(path_of(wish)))
    assert "Rolling back: v1 is on its way back to QA." in page
    assert "v2 did not make it to QA. The smoke test failed." in page
    assert "undoes promotion" in page
    assert "Rolling back now" in page


def test_a_promotion_is_stopped_with_a_reason(cast: Cast) -> None:
    promotion = promotion_of(request_at(cast, "promoting"))
    path = f"/projects/CHURN/promotions/{promotion.pk}/stop/"
    client = signed_in(cast.mona)
    assert "Nothing in QA has changed yet, and nothing will." in words(client.get(path))
    blank = client.post(path, {"why": ""})
    assert list(blank.context["form"].errors) == ["why"]
    assert "Stopped." in words(client.post(path, {"why": "Wrong day."}, follow=True))
    promotion.refresh_from_db()
    assert (promotion.status, promotion.reason) == ("stopped", "Wrong day.")
    refused(client.post(path, {"why": "Again."}), 409, "so there is nothing to stop")


def test_stopping_after_the_live_change_asks_what_then(cast: Cast) -> None:
    promotion = promotion_of(request_at(cast, "promoting"))
    went_live(promotion)
    path = f"/projects/CHURN/promotions/{promotion.pk}/stop/"
    client = signed_in(cast.mona)
    assert "Choose what is to run there afterwards." in words(client.get(path))
    assert list(client.post(path, {"why": "Bad."}).context["form"].errors) == ["then"]
    client.post(path, {"why": "Look first.", "then": "keep"})
    promotion.refresh_from_db()
    assert promotion.holds_lane
    release = f"/projects/CHURN/promotions/{promotion.pk}/release/"
    assert "Release the stage…" in words(client.get(path_of(promotion.request)))
    assert "QA is free again." in words(client.post(release, {"why": "It is fine."}, follow=True))
    refused(
        client.post(release, {"why": "It is fine."}), 409, "This promotion does not hold the lane any more."
    )


def test_what_is_over_is_neither_stopped_nor_let_go_of(cast: Cast) -> None:
    promotion = promotion_of(request_at(cast, "promoting"))
    went_live(promotion)
    succeeded(promotion)
    for verb, sentence in (("stop", "nothing to stop"), ("release", "does not hold")):
        path = f"/projects/CHURN/promotions/{promotion.pk}/{verb}/"
        answer = signed_in(cast.mona).get(path, follow=True)
        assert answer.redirect_chain == [(f"/projects/CHURN/requests/{promotion.request_id}/", 302)]
        assert sentence in words(answer)
    with pytest.raises(Stale, match="is over"):
        promotions.stop(by=cast.mona, promotion=promotion, why="Wrong day.")


def test_stopping_needs_the_right(cast: Cast) -> None:
    promotion = promotion_of(request_at(cast, "promoting"))
    for verb in ("stop", "release"):
        path = f"/projects/CHURN/promotions/{promotion.pk}/{verb}/"
        refused(signed_in(cast.dev).get(path), 403, "You need the right to start a promotion")
        outsider_sees_nothing(signed_in(cast.otto), path)


def test_it_is_withdrawn_with_a_reason(cast: Cast) -> None:
    wish = request_at(cast)
    client = signed_in(cast.dev)
    blank = client.post(path_of(wish, "withdraw/"), {"withdraw-why": ""})
    assert (blank.status_code, list(blank.context["withdraw_form"].errors)) == (400, ["why"])
    assert "Signatures" not in words(signed_in(cast.fay).get(path_of(wish)))
    assert "The request is withdrawn." in words(
        client.post(path_of(wish, "withdraw/"), {"withdraw-why": "No."}, follow=True)
    )
    refused(client.post(path_of(wish, "withdraw/"), {"withdraw-why": "No."}), 409, "This is withdrawn now")


def test_a_report_is_asked_for_by_who_may_audit(cast: Cast) -> None:
    wish = request_at(cast)
    answer = signed_in(cast.nora).post(path_of(wish, "report/"), follow=True)
    report = Report.objects.get()
    assert answer.redirect_chain == [(f"/reports/{report.pk}/", 302)]
    assert "The audit report is being made" in words(answer)
    assert 'hx-trigger="every 2s"' in answer.content.decode()
    refused(
        signed_in(cast.dev).post(path_of(wish, "report/")),
        403,
        "You need the right to read the ledger and make reports",
    )
    refused(
        signed_in(cast.dev).get(f"/reports/{report.pk}/"),
        403,
        "You need the right to read the ledger and make reports",
    )
    outsider_sees_nothing(signed_in(cast.otto), f"/reports/{report.pk}/")
    outsider_sees_nothing(signed_in(cast.nora), f"/reports/{report.pk}/pdf/")  # there is none yet


def test_its_queries_do_not_depend_on_its_history(cast: Cast) -> None:
    wish = to_production(cast)
    client = signed_in(cast.fay)
    few = queries_of(client, path_of(wish))
    signed(cast.ravi, wish, "model-risk", "reject", "Not like this.")
    once = queries_of(client, path_of(wish))
    for n in range(6):
        signed(cast.ravi, wish, "model-risk", "reject", f"Not like this either ({n}).")
        Report.objects.create(project=cast.churn, about=wish.subject, asked_by=cast.nora)
    assert queries_of(client, path_of(wish)) == once
    # What the first signature binds: evidence and documents.
    assert once <= few + 2
