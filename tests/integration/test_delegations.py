"""Out of office: who may leave what to whom, what the delegate can do with it, and whose name stands where."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from deployments import inbox
from deployments.actions import promotions, requests
from deployments.judging import judge_now
from governance.actions import reports, signoffs
from governance.models import SignOff
from governance.report.collect import collect
from governance.report.compose import compose
from governance.report.page import html
from portal import checkpoints, ledger, rights
from portal.actions import delegations, grants, people
from portal.errors import Absent, Forbidden, Invalid, Refused, Stale
from portal.event_kinds import EventKind
from portal.models import Delegation, Event, Person, Right
from tests.api import same_at_any_size, session, token, told
from tests.cast import Cast, make_cast
from tests.conftest import Database
from tests.factories import all_but_signed, bundle_registered, request_at, signed, succeeded
from tests.integration.test_grants import refusals_of
from tests.pages import outsider_sees_nothing, refused, signed_in, words


def soon(days: float) -> datetime:
    return timezone.now() + timedelta(days=days)


def away(cast: Cast, **wish: Any) -> Delegation:
    """Fay is away for a week, and Otto stands in."""
    wish = {"by": cast.fay, "delegate": cast.otto, "until": soon(7), "why": "Leave", **wish}
    if "person" not in wish:
        return delegations.delegate(**wish)
    return Delegation.objects.get(change=delegations.delegate_for(**wish))


def over(one: Delegation) -> None:
    Delegation.objects.filter(pk=one.pk).update(
        starts_at=timezone.now() - timedelta(days=2), until=timezone.now() - timedelta(days=1)
    )


def ready(cast: Cast) -> Any:
    """A request to production that lacks signatures only."""
    bundle = bundle_registered(cast)
    all_but_signed(cast, bundle)
    return request_at(cast, bundle=bundle, lane=cast.prod)


def state_of(wish: Any) -> str:
    found = {finding.key: finding for finding in judge_now(wish).verdict.findings}
    return found["sign_off:fairness"].state


# --- making one -------------------------------------------------------------------------------------------------------


def test_it_is_told_without_names_in_the_body(cast: Cast) -> None:
    made = away(cast)
    (event,) = ledger.events(kinds=[EventKind.DELEGATION_MADE])
    assert event.facts["person"] == str(cast.fay.pk)
    assert b"Otto" not in bytes(Event.objects.get(seq=event.seq).body)
    assert ledger.sentence(event, str).startswith("Otto Weiss stands in for Fay Okafor from ")
    delegations.end(by=cast.fay, delegation=made)
    assert ledger.events(kinds=[EventKind.DELEGATION_ENDED])[-1].facts["delegate"] == str(cast.otto.pk)
    with pytest.raises(Stale):
        delegations.end(by=cast.fay, delegation=made)


def test_delegations_that_cannot_be_are_refused_by_field(cast: Cast) -> None:
    robot = people.add_person(by=cast.ada, login="robot", name="Nightly export", kind="service")
    gone = people.add_person(by=cast.ada, login="ida", name="Ida Sand")
    Person.objects.filter(pk=gone.pk).update(is_active=False)
    gone.refresh_from_db()
    for wish, code, field in (
        ({"delegate": cast.fay}, "delegate_self", "delegate"),
        ({"delegate": gone}, "person_disabled", "delegate"),
        ({"delegate": robot}, "delegate_service", "delegate"),
        ({"delegate": cast.eli}, "two_roles", "delegate"),
        ({"until": timezone.now()}, "until_past", "until"),
        ({"starts_at": soon(3), "until": soon(2)}, "until_past", "until"),
        ({"starts_at": soon(-1)}, "from_past", "starts_at"),
        ({"until": soon(91)}, "delegation_long", "until"),
        ({"why": " "}, "why_missing", "why"),
        ({"why": "x" * 501}, "why_long", "why"),
        ({"by": cast.ada, "person": robot}, "person_unfit", "person"),
        ({"by": cast.ada, "person": gone}, "person_unfit", "person"),
    ):
        with pytest.raises(Invalid) as refusal:
            away(cast, **wish)
        assert (refusal.value.code, refusal.value.field) == (code, field), wish
    assert not Delegation.objects.exists()


def test_two_roles_in_one_hand_are_named_with_their_project(cast: Cast) -> None:
    with pytest.raises(Invalid) as refusal:
        away(cast, delegate=cast.ravi)
    assert refusal.value.sentence == (
        "On Customer churn in QA Ravi Menon would sign for fairness and model risk at once: two roles in one hand."
        " Name somebody else."
    )
    # Also through what somebody else left to the delegate in that time, and through a team.
    away(cast, by=cast.eli, starts_at=soon(1), until=soon(3))
    with pytest.raises(Invalid) as refusal:
        away(cast)
    assert refusal.value.code == "two_roles"
    away(cast, starts_at=soon(4), until=soon(6))  # at another time it is one role
    grants.grant(
        by=cast.ada, team=cast.team, right=Right.SIGN, role="model-risk", why="All of them, everywhere."
    )
    with pytest.raises(Invalid) as refusal:
        away(cast, by=cast.eli, delegate=cast.dev, starts_at=soon(10), until=soon(11))
    assert refusal.value.code == "two_roles"


def test_there_are_no_chains_and_no_two_delegates_at_once(cast: Cast) -> None:
    away(cast, starts_at=soon(1), until=soon(5))
    for wish, code in (
        ({"delegate": cast.nora, "starts_at": soon(2), "until": soon(3)}, "delegation_overlaps"),
        ({"by": cast.mona, "delegate": cast.fay, "starts_at": soon(4), "until": soon(9)}, "delegate_away"),
        ({"by": cast.otto, "delegate": cast.nora, "until": soon(2)}, "delegation_chain"),
    ):
        with pytest.raises(Invalid) as refusal:
            away(cast, **wish)
        assert refusal.value.code == code
    away(cast, delegate=cast.nora, starts_at=soon(5), until=soon(6))
    away(cast, by=cast.mona, delegate=cast.fay, starts_at=soon(8), until=soon(9))
    away(cast, by=cast.mona, starts_at=soon(1), until=soon(2))  # Otto may stand in for two


def test_of_two_that_would_make_a_chain_one_is_refused(database_copy: Database) -> None:
    cast = make_cast()
    refusals = refusals_of(
        lambda: away(cast, delegate=cast.nora),
        lambda: away(cast, by=cast.nora, delegate=cast.otto),
    )
    assert len(refusals) == 1
    assert refusals[0].code in ("delegate_away", "delegation_chain")


def test_only_an_administrator_says_it_of_somebody_else(cast: Cast) -> None:
    for nobody in (cast.olga, cast.nora, cast.otto):
        with pytest.raises(Forbidden):
            away(cast, by=nobody, person=cast.fay)
    made = away(cast, by=cast.ada, person=cast.fay, why="Ill")
    assert (made.person, made.made_by) == (cast.fay, cast.ada)
    for nobody in (cast.olga, cast.nora):
        with pytest.raises(Absent):
            delegations.end(by=nobody, delegation=made)
    delegations.end(by=cast.otto, delegation=made)  # who stands in may decline
    assert not rights.can(cast.otto, Right.SIGN, cast.prod, role="fairness")


def test_a_token_makes_and_ends_none(cast: Cast) -> None:
    fay = token(cast.fay)
    body = {"delegate": "otto", "until": soon(2).isoformat(), "why": "Leave"}
    assert fay.refused(403, "post", "delegations/", body)["code"] == "delegation_by_token"
    made = away(cast)
    fay.absent("post", f"delegations/{made.pk}/end/")
    assert fay.rows("delegations/") == []


# --- acting for somebody ----------------------------------------------------------------------------------------------


def test_the_delegate_signs_and_both_names_stand(cast: Cast) -> None:
    wish = ready(cast)
    made = away(cast)
    (waits,) = inbox.waits_for(cast.otto).found
    assert (waits.sign, waits.instead_of) == (("sign_off:fairness",), cast.fay)
    signoff = signed(cast.otto, wish, "fairness")
    assert (signoff.person, signoff.on_behalf_of) == (cast.otto, cast.fay)
    assert state_of(wish) == "met"
    event = ledger.events(kinds=[EventKind.SIGNOFF_GIVEN])[-1]
    assert (event.facts["on_behalf_of"], event.facts["for_name"]) == (str(cast.fay.pk), "Fay Okafor")
    names = {str(cast.otto.pk): "Otto Weiss", str(cast.fay.pk): "Fay Okafor"}
    assert ledger.sentence(event, names.__getitem__).startswith(
        "Otto Weiss for Fay Okafor signed for fairness"
    )
    shown = session(cast.olga).get(f"signoffs/{signoff.pk}/")
    assert (shown["person"]["login"], shown["on_behalf_of"]["login"]) == ("otto", "fay")
    assert shown["statement"]["predicate"]["on_behalf_of"] == str(cast.fay.pk)
    page = words(signed_in(cast.olga).get(f"/projects/CHURN/requests/{wish.pk}/"))
    assert "Signed by Otto Weiss for Fay Okafor on" in page
    assert inbox.waits_for(cast.otto).found == []
    over(made)
    assert state_of(wish) == "met"  # what was signed meanwhile stands
    with pytest.raises(Refused):
        signoffs.draft(by=cast.otto, bundle=wish.bundle, lane=wish.lane, requirement="sign_off:fairness")


@pytest.mark.parametrize("end", ["role", "principal", "delegate"])
def test_it_stops_counting_with_the_role_or_either_account(cast: Cast, end: str) -> None:
    wish = ready(cast)
    made = away(cast)
    signed(cast.otto, wish, "fairness")
    over(made)
    assert state_of(wish) == "met"
    if end == "role":
        grants.revoke(by=cast.ada, grant=cast.fay.grants.get(), why="She moved on.")
    else:
        gone = cast.fay if end == "principal" else cast.otto
        Person.objects.filter(pk=gone.pk).update(is_active=False)
    assert state_of(wish) == "not_met"


def test_who_may_not_sign_cannot_have_it_signed(cast: Cast) -> None:
    """Dev asked; he holds the role as well, is away, and Otto stands in for him."""
    wish = ready(cast)
    grants.grant(
        by=cast.ada,
        person=cast.dev,
        right=Right.SIGN,
        role="fairness",
        project=cast.churn,
        why="Reviews, too.",
    )
    away(cast, by=cast.dev)
    with pytest.raises(Forbidden) as refusal:
        signed(cast.otto, wish, "fairness")
    assert refusal.value.code == "barred"
    assert "You would sign for Dev Rao" in refusal.value.sentence
    assert not SignOff.objects.exists()
    assert not any(waits.sign for waits in inbox.waits_for(cast.otto).found)


def test_the_delegates_own_bars_hold_too(cast: Cast) -> None:
    wish = ready(cast)
    away(cast, delegate=cast.dev)  # who asked
    with pytest.raises(Forbidden) as refusal:
        signed(cast.dev, wish, "fairness")
    assert refusal.value.code == "barred"


def test_a_request_for_somebody_names_both_and_bars_both(cast: Cast) -> None:
    bundle = bundle_registered(cast)
    away(cast, by=cast.dev, delegate=cast.fay)  # who signs, and now asks in the name of Dev
    wish = requests.submit(by=cast.fay, bundle=bundle, lane=cast.prod, why="He asked me to.")
    assert (wish.requested_by, wish.on_behalf_of) == (cast.fay, cast.dev)
    barred = {one.person for one in judge_now(wish).case.barred}
    assert barred >= {str(cast.fay.pk), str(cast.dev.pk)}
    shown = session(cast.olga).get(f"requests/{wish.pk}/")
    assert (shown["requested_by"]["login"], shown["on_behalf_of"]["login"]) == ("fay", "dev")
    assert "asked by Fay Okafor for Dev Rao" in words(
        signed_in(cast.olga).get(f"/projects/CHURN/requests/{wish.pk}/")
    )
    requests.withdraw(by=cast.fay, request=wish, why="Too early.")
    event = ledger.events(kinds=[EventKind.REQUEST_WITHDRAWN])[-1]
    assert event.facts["on_behalf_of"] == str(cast.dev.pk)
    own = requests.submit(by=cast.dev, bundle=bundle, lane=cast.qa, why="I am back for a moment.")
    assert own.on_behalf_of is None


def test_a_promotion_for_somebody_names_both(cast: Cast) -> None:
    wish = request_at(cast)
    away(cast, by=cast.mona)
    promotion = promotions.promote(by=cast.otto, request=wish)
    assert (promotion.started_by, promotion.on_behalf_of) == (cast.otto, cast.mona)
    for kind in (EventKind.REQUEST_PROMOTED, EventKind.PROMOTION_STARTED):
        assert ledger.events(kinds=[kind])[-1].facts["on_behalf_of"] == str(cast.mona.pk)
    assert session(cast.olga).get(f"promotions/{promotion.pk}/")["on_behalf_of"]["login"] == "mona"
    page = words(signed_in(cast.olga).get(f"/projects/CHURN/requests/{wish.pk}/"))
    assert "started by Otto Weiss for Mona Castell" in page
    succeeded(promotion)


def test_whoever_signed_or_was_signed_for_does_not_start_it(cast: Cast) -> None:
    wish = ready(cast)
    for person in (cast.fay, cast.otto):
        grants.grant(by=cast.ada, person=person, right=Right.PROMOTE, project=cast.churn, why="Runs it, too.")
    away(cast)
    signed(cast.otto, wish, "fairness")
    signed(cast.eli, wish, "explainability")
    signed(cast.ravi, wish, "model-risk")
    for person in (cast.otto, cast.fay):
        with pytest.raises(Forbidden) as refusal:
            promotions.promote(by=person, request=wish)
        assert refusal.value.code == "promoter_signed"
    delegations.end(by=cast.fay, delegation=Delegation.objects.get())
    away(cast, by=cast.mona, delegate=cast.eli)  # who signed himself, and would start it for Mona
    with pytest.raises(Forbidden) as refusal:
        promotions.promote(by=cast.eli, request=wish)
    assert refusal.value.code == "promoter_signed"
    promotions.promote(by=cast.mona, request=wish)


def test_power_over_rights_is_not_handed_on(cast: Cast) -> None:
    away(cast, by=cast.ada)
    away(cast, by=cast.nora, until=soon(1))
    assert rights.on_estate(cast.otto) == frozenset()
    assert session(cast.otto).refused(403, "get", "people/")["code"] == "right_missing"


def test_the_report_prints_both_names_and_the_delegation(cast: Cast) -> None:
    wish = ready(cast)
    away(cast)
    signed(cast.otto, wish, "fairness")
    grants.grant(by=cast.ada, person=cast.nora, right=Right.AUDIT, project=cast.churn, why="Audits.")
    report = reports.ask_report(by=cast.nora, project=cast.churn, about=wish.subject)
    checkpoint = checkpoints.cut(by=Person.objects.system())
    page = html(
        compose(collect(project="CHURN", about=wish.subject, checkpoint=checkpoint, asked=report.subject))
    )
    assert "Otto Weiss for Fay Okafor" in page
    assert "stand in for Fay Okafor until" in page
    assert "Leave" in page


# --- pages and API ----------------------------------------------------------------------------------------------------


def test_over_the_api(cast: Cast) -> None:
    fay, until = session(cast.fay), soon(3).isoformat()
    made = fay.post("delegations/", delegate="Otto", until=until, why="Leave")
    assert (made["person"]["login"], made["delegate"]["login"], made["status"]) == ("fay", "otto", "running")
    told("delegation.made")
    for person in (cast.fay, cast.otto, cast.ada, cast.nora):
        assert [one["id"] for one in session(person).rows("delegations/")] == [made["id"]]
    assert session(cast.olga).rows("delegations/") == []
    session(cast.olga).absent("post", f"delegations/{made['id']}/end/")
    body = {"person": "mona", "delegate": "otto", "until": until, "why": "Ill"}
    assert session(cast.olga).refused(403, "post", "delegations/", body)["code"] == "right_missing"
    assert session(cast.ada).post("delegations/", **body)["made_by"]["login"] == "ada"
    found = fay.refused(400, "post", "delegations/", {"delegate": "nobody", "until": until, "why": "x"})
    assert found["field"] == "delegate"
    assert fay.post(f"delegations/{made['id']}/end/")["status"] == "ended"
    assert fay.refused(409, "post", f"delegations/{made['id']}/end/")["code"] == "delegation_over"


def test_the_list_costs_the_same_at_any_size(cast: Cast) -> None:
    def grow(count: int) -> None:
        start = Delegation.objects.count()
        Delegation.objects.bulk_create(
            Delegation(
                person=cast.fay,
                delegate=cast.otto,
                made_by=cast.fay,
                why="x",
                starts_at=soon(start + n),
                until=soon(start + n + 0.5),
            )
            for n in range(count)
        )

    same_at_any_size(session(cast.fay), "delegations/", grow, most=4)


def test_on_the_account_page(cast: Cast) -> None:
    fay = signed_in(cast.fay)
    assert "Nobody stands in" in words(fay.get("/account/"))
    until = timezone.localtime(soon(3)).strftime("%Y-%m-%dT%H:%M")
    wish = {"delegate": str(cast.eli.pk), "until": until, "why": "Leave"}
    answer = fay.post("/account/away/", wish)
    assert "two roles in one hand" in words(answer)
    page = words(fay.post("/account/away/", {**wish, "delegate": str(cast.otto.pk)}, follow=True))
    assert "Otto Weiss stands in for Fay Okafor" in page
    made = Delegation.objects.get()
    outsider_sees_nothing(signed_in(cast.olga), f"/account/away/{made.pk}/end/", post=True)
    page = words(signed_in(cast.otto).get("/account/"))
    assert "Otto Weiss stands in for Fay Okafor" in page
    fay.post(f"/account/away/{made.pk}/end/")
    assert Delegation.objects.get().status == "ended"


def test_an_administrator_says_it_on_the_page_of_a_person(cast: Cast) -> None:
    page = f"/people/{cast.fay.pk}/"
    wish = {
        "delegate": str(cast.otto.pk),
        "until": timezone.localtime(soon(3)).strftime("%Y-%m-%dT%H:%M"),
        "why": "Ill",
    }
    refused(signed_in(cast.olga).post(f"{page}away/", wish), 403, "whole estate")
    assert "Otto Weiss stands in" in words(signed_in(cast.ada).post(f"{page}away/", wish, follow=True))
    made = Delegation.objects.get()
    assert made.made_by == cast.ada
    outsider_sees_nothing(signed_in(cast.ada), f"/people/{cast.mona.pk}/away/{made.pk}/end/", post=True)
    signed_in(cast.ada).post(f"{page}away/{made.pk}/end/")
    assert Delegation.objects.get().ended_by == cast.ada


def test_the_inbox_names_who_is_away(cast: Cast) -> None:
    wish = ready(cast)
    away(cast)
    page = words(signed_in(cast.otto).get("/inbox/"))
    assert "for Fay Okafor, who is away" in page
    (waits,) = session(cast.otto).get("inbox/")["waits"]
    assert waits["instead_of"]["login"] == "fay"
    sign = f"/projects/CHURN/requests/{wish.pk}/sign/sign_off:fairness/"
    page = words(signed_in(cast.otto).get(sign))
    assert "You sign for Fay Okafor" in page
    assert "As Otto Weiss for Fay Okafor." in page
