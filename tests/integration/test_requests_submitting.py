"""Asking for a promotion and taking it back: who may, what is refused, and two who ask at once."""

import pytest

from deployments.actions import promotions, requests
from deployments.models import Deployment, DeploymentRequest
from portal import ledger
from portal.actions import grants
from portal.errors import Absent, Forbidden, Invalid, Refused, Stale
from portal.event_kinds import EventKind
from portal.models import Bundle, Event, Right
from tests.cast import Cast, lane, make_cast
from tests.conftest import Database
from tests.factories import (
    bundle_asked,
    bundle_registered,
    failed,
    promotion_of,
    request_at,
    runs_in,
)
from tests.integration.test_grants import refusals_of


def test_a_request_is_told_with_who_what_where_and_why(cast: Cast) -> None:
    bundle = bundle_registered(cast)
    request = requests.submit(by=cast.dev, bundle=bundle, lane=cast.prod, why=" It is fairer. ")
    assert (request.status, request.why, request.requested_by) == ("open", "It is fairer.", cast.dev)
    (event,) = ledger.events(kinds=[EventKind.REQUEST_SUBMITTED])
    assert (event.subject, event.actor_id, event.project) == (request.subject, str(cast.dev.pk), "CHURN")
    assert event.facts == {
        "request": request.pk,
        "bundle": "v1",
        "bundle_subject": bundle.subject,
        "stage": "prod",
        "why": "It is fairer.",
        "name": "Dev Rao",
        "on_behalf_of": None,
        "for_name": "",
        "project_name": "Customer churn",
        "stage_name": "Production",
    }
    assert b"fairer" not in bytes(Event.objects.get(seq=event.seq).body)


def test_who_may_not_ask_is_told_what_is_missing(cast: Cast) -> None:
    bundle = bundle_registered(cast)
    with pytest.raises(Absent):
        requests.submit(by=cast.otto, bundle=bundle, lane=cast.prod, why="Please.")
    for who in (cast.fay, cast.ada, cast.nora):
        with pytest.raises(Forbidden) as refused:
            requests.submit(by=who, bundle=bundle, lane=cast.prod, why="Please.")
        assert "ask for a promotion on Customer churn in Production" in refused.value.sentence
    grants.grant(
        by=cast.ada, person=cast.fay, right=Right.REQUEST, project=cast.churn, stage="qa", why="In QA."
    )
    requests.submit(by=cast.fay, bundle=bundle, lane=cast.qa, why="Please.")
    with pytest.raises(Forbidden):
        requests.submit(by=cast.fay, bundle=bundle, lane=cast.prod, why="Please.")


def test_what_cannot_be_asked_is_refused_and_leaves_nothing(cast: Cast) -> None:
    bundle, unready = bundle_registered(cast), bundle_asked(cast, "v2")
    failed = bundle_asked(cast, "v3")
    Bundle.objects.filter(pk=failed.pk).update(status="failed")
    failed.refresh_from_db()
    grants.grant(by=cast.ada, person=cast.dev, right=Right.REQUEST, project=cast.maint, why="Both.")
    events = Event.objects.count()
    with pytest.raises(Invalid) as invalid:
        requests.submit(by=cast.dev, bundle=bundle, lane=cast.prod, why=" ")
    assert invalid.value.field == "why"
    for one, words in ((unready, "is being registered"), (failed, "could not be registered")):
        with pytest.raises(Refused) as refused:
            requests.submit(by=cast.dev, bundle=one, lane=cast.prod, why="Please.")
        assert refused.value.code == "bundle_not_registered"
        assert words in refused.value.sentence
    with pytest.raises(Absent):  # a bundle of another project is nothing here
        requests.submit(by=cast.dev, bundle=bundle, lane=lane(cast.maint, "prod"), why="Please.")
    assert Event.objects.count() == events
    assert not DeploymentRequest.objects.exists()


def test_the_same_again_is_refused_with_the_way_to_the_first(cast: Cast) -> None:
    first = request_at(cast, lane=cast.prod)
    with pytest.raises(Refused) as refused:
        requests.submit(by=cast.olga, bundle=first.bundle, lane=cast.prod, why="Again.")
    assert (refused.value.code, refused.value.params) == ("request_duplicate", {"request": first.pk})
    assert f"({first.pk}). Open that one." in refused.value.sentence
    requests.submit(by=cast.olga, bundle=first.bundle, lane=cast.qa, why="Another lane.")
    requests.withdraw(by=cast.dev, request=first, why="Not now.")
    again = requests.submit(by=cast.dev, bundle=first.bundle, lane=cast.prod, why="Now.")
    assert again.pk != first.pk
    promoting = request_at(cast, "promoting", bundle_registered(cast, "v2"), cast.qa)
    with pytest.raises(Refused) as refused:
        requests.submit(by=cast.dev, bundle=promoting.bundle, lane=cast.qa, why="Again.")
    assert refused.value.code == "request_duplicate"


def test_a_newer_wish_supersedes_the_open_one_and_no_running_one(cast: Cast) -> None:
    running = request_at(cast, "promoting", bundle_registered(cast, "v1"), cast.qa)
    older = request_at(cast, "open", bundle_registered(cast, "v2"), cast.qa)
    elsewhere = request_at(cast, "open", older.bundle, cast.prod)
    newer = requests.submit(by=cast.olga, bundle=bundle_registered(cast, "v3"), lane=cast.qa, why="Newer.")
    states = {request.pk: request.status for request in DeploymentRequest.objects.all()}
    assert states == {running.pk: "promoting", older.pk: "superseded", elsewhere.pk: "open", newer.pk: "open"}
    (event,) = ledger.events(kinds=[EventKind.REQUEST_SUPERSEDED])
    assert (event.subject, event.facts) == (older.subject, {"request": older.pk, "by_request": newer.pk})


def test_what_runs_there_already_is_refused_and_the_refusal_kept(cast: Cast) -> None:
    bundle = bundle_registered(cast)
    runs = runs_in(cast, bundle, cast.qa)
    with pytest.raises(Refused) as refused:
        requests.submit(by=cast.olga, bundle=bundle, lane=cast.qa, why="Again.")
    assert refused.value.code == "bundle_runs_already"
    assert "Ask for another bundle" in refused.value.sentence
    (event,) = ledger.events(kinds=[EventKind.ACCESS_REFUSED])
    assert (event.actor_id, event.subject, event.facts["action"]) == (
        str(cast.olga.pk),
        bundle.subject,
        "request",
    )
    assert event.facts["reason"] == refused.value.sentence
    requests.submit(by=cast.olga, bundle=bundle, lane=cast.prod, why="Another lane.")
    # As long as its watch is not complete it is nothing to rely on, and may be brought again.
    Deployment.objects.filter(pk=runs.pk).update(watched_at=None)
    assert requests.submit(by=cast.olga, bundle=bundle, lane=cast.qa, why="Again.").status == "open"


def test_what_ran_there_once_may_be_asked_for_again(cast: Cast) -> None:
    bundle = bundle_registered(cast)
    runs_in(cast, bundle, cast.qa)
    runs_in(cast, bundle_registered(cast, "v2"), cast.qa)
    assert requests.submit(by=cast.dev, bundle=bundle, lane=cast.qa, why="Back.").status == "open"


@pytest.mark.parametrize("stopped", [False, True])
def test_a_wish_that_fails_beside_a_newer_one_is_superseded(cast: Cast, stopped: bool) -> None:
    older = request_at(cast, "promoting")
    newer = requests.submit(by=cast.dev, bundle=bundle_registered(cast, "v2"), lane=cast.qa, why="Newer.")
    if stopped:
        promotions.stop(by=cast.mona, promotion=promotion_of(older), why="The newer one.")
    else:
        failed(promotion_of(older))
    states = {request.pk: (request.status, request.held) for request in DeploymentRequest.objects.all()}
    assert states == {older.pk: ("superseded", ""), newer.pk: ("open", "")}
    (event,) = ledger.events(kinds=[EventKind.REQUEST_SUPERSEDED])
    assert (event.subject, event.facts) == (older.subject, {"request": older.pk, "by_request": newer.pk})
    assert ledger.events(kinds=[EventKind.REQUEST_HELD]) == []


@pytest.mark.parametrize("newest", ["withdrawn", "elsewhere", "older"])
def test_a_wish_that_fails_with_nothing_newer_in_its_lane_is_held(cast: Cast, newest: str) -> None:
    if newest == "older":
        request_at(cast, "done", bundle_registered(cast, "v0"))
    request = request_at(cast, "promoting")
    if newest == "withdrawn":
        request_at(cast, "withdrawn", bundle_registered(cast, "v2"))
    elif newest == "elsewhere":
        request_at(cast, "open", bundle_registered(cast, "v2"), cast.prod)
    failed(promotion_of(request))
    request.refresh_from_db()
    assert (request.status, request.held) == ("open", "The smoke test failed.")


def test_withdrawing_needs_the_right_a_reason_and_an_open_request(cast: Cast) -> None:
    request = request_at(cast, lane=cast.prod)
    with pytest.raises(Absent):
        requests.withdraw(by=cast.otto, request=request, why="Not mine.")
    with pytest.raises(Forbidden):
        requests.withdraw(by=cast.fay, request=request, why="Not mine.")
    with pytest.raises(Invalid) as refused:
        requests.withdraw(by=cast.dev, request=request, why="")
    assert refused.value.field == "why"
    requests.withdraw(by=cast.olga, request=request, why="Not now.")
    (event,) = ledger.events(kinds=[EventKind.REQUEST_WITHDRAWN])
    assert event.facts == {"request": request.pk, "why": "Not now.", "on_behalf_of": None}
    with pytest.raises(Stale) as stale:
        requests.withdraw(by=cast.dev, request=request, why="Again.")
    assert stale.value.params == {"verb": "withdraw", "status": "withdrawn"}


def test_of_two_who_ask_for_the_same_one_is_told_so(each_database: Database) -> None:
    cast = make_cast()
    bundle, lane_ = bundle_registered(cast), cast.prod
    refused = refusals_of(
        *(
            lambda by=by: requests.submit(by=by, bundle=bundle, lane=lane_, why="Now.")
            for by in (cast.dev, cast.olga, cast.dev)
        )
    )
    assert [refusal.code for refusal in refused] == ["request_duplicate"] * 2
    assert DeploymentRequest.objects.count() == 1


def test_of_two_wishes_at_once_the_later_supersedes_the_earlier(each_database: Database) -> None:
    cast = make_cast()
    wanted, lane_ = [bundle_registered(cast, f"v{number}") for number in range(4)], cast.prod
    refused = refusals_of(
        *(
            lambda bundle=bundle: requests.submit(by=cast.dev, bundle=bundle, lane=lane_, why="Now.")
            for bundle in wanted
        )
    )
    assert refused == []
    assert sorted(DeploymentRequest.objects.values_list("status", flat=True)) == ["open", *["superseded"] * 3]


def test_a_reason_has_its_limit_on_every_way_in(cast: Cast) -> None:
    bundle = bundle_registered(cast)
    with pytest.raises(Invalid) as told:
        requests.submit(by=cast.dev, bundle=bundle, lane=cast.qa, why="x" * 5001)
    assert (told.value.field, told.value.code) == ("why", "why_long")
    with pytest.raises(Invalid) as told:
        bundle_asked(cast, "v9", notes="x" * 5001)
    assert (told.value.field, told.value.code) == ("notes", "notes_long")
