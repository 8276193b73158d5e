"""The inbox: what waits, what was asked for, what went wrong; and that it takes no more queries when it is long."""

import pytest
from django.utils import timezone

from deployments import inbox
from deployments.judging import judge_many, judge_now
from deployments.models import DeploymentRequest
from portal.actions import grants
from portal.models import Bundle, Lane, Project, Right, Team
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
)
from tests.pages import queries_of, signed_in, words


def to_production(cast: Cast) -> DeploymentRequest:
    """A request of v1 to production in which all but the three signatures is met."""
    bundle = bundle_registered(cast)
    all_but_signed(cast, bundle)
    return request_at(cast, "open", bundle, cast.prod)


def test_who_can_sign_finds_the_request_and_a_number_in_the_navigation(cast: Cast) -> None:
    wish = to_production(cast)
    page = signed_in(cast.fay).get("/inbox/")
    assert "One request waits for you" in words(page)
    assert "Inbox 1" in words(page)
    assert f'href="/projects/CHURN/requests/{wish.pk}/sign/sign_off:fairness/"' in page.content.decode()
    signed(cast.fay, wish, "fairness")
    assert "Nothing waits for you" in words(signed_in(cast.fay).get("/"))


def test_who_has_to_set_up_a_second_factor_first_is_not_led_away_by_the_number(cast: Cast) -> None:
    """Every other address leads to where that is done, and so would this one, again and again."""
    Team.objects.filter(pk=cast.team.pk).update(requires_second_factor=True)
    client = signed_in(cast.dev)
    page = client.get("/account/factors/app/")
    assert page.status_code == 200
    assert "Inbox" in words(page)
    assert "hx-get" not in page.content.decode()
    answer = client.get("/inbox/count/", headers={"HX-Request": "true"})
    assert answer["HX-Redirect"] == "/account/factors/"


def test_other_pages_ask_for_the_number_when_they_are_there(cast: Cast) -> None:
    wish = to_production(cast)
    client = signed_in(cast.fay)
    asks = 'hx-get="/inbox/count/" hx-trigger="load"'
    assert asks in client.get("/projects/").content.decode()
    assert asks not in client.get("/inbox/").content.decode(), "it knows"
    assert client.get("/inbox/count/").content.decode() == '<span class="count">1</span>'
    signed(cast.fay, wish, "fairness")
    assert client.get("/inbox/count/").content.decode() == ""


def test_who_can_promote_finds_it_once_everything_is_met(cast: Cast) -> None:
    wish = to_production(cast)
    assert "Nothing waits for you" in words(signed_in(cast.mona).get("/inbox/"))
    all_signed(cast, wish)
    assert "Everything is met; it can start." in words(signed_in(cast.mona).get("/inbox/"))


def test_mine_says_how_much_is_missing(cast: Cast) -> None:
    to_production(cast)
    page = words(signed_in(cast.dev).get("/inbox/"))
    assert "Customer churn: v1 to Production 3 things are missing." in page


def test_a_held_request_stands_under_what_went_wrong_once(cast: Cast) -> None:
    request_at(cast, "held")
    page = words(signed_in(cast.mona).get("/inbox/"))
    assert page.count("The smoke test failed.") == 1
    assert "Only a person can start it again, with a reason." in page


def test_a_rollback_is_told_with_what_it_undid(cast: Cast) -> None:
    good = bundle_registered(cast)
    runs_in(cast, good, cast.qa)
    wish = request_at(cast, "promoting", bundle_registered(cast, "v2"))
    now_runs(promotion_of(wish))
    failed(promotion_of(wish), "The smoke test failed.")
    wrong = inbox.went_wrong(cast.mona)
    assert [(one.kind, one.undoes and one.undoes.bundle.bundle_id) for one in wrong.promotions] == [
        ("rollback", "v2")
    ]
    page = words(signed_in(cast.mona).get("/inbox/"))
    assert (
        "v2 did not make it to QA. The smoke test failed. Rolling back: v1 is on its way back to QA." in page
    )


def test_a_bundle_that_could_not_be_registered_is_told(cast: Cast) -> None:
    Bundle.objects.create(
        project=cast.churn,
        bundle_id="v9",
        origin="picked",
        asked_by=cast.dev,
        status="failed",
        problem="The design node has no bundle “v9”.",
    )
    assert "bundle v9 could not be registered The design node has no bundle “v9”." in words(
        signed_in(cast.dev).get("/inbox/")
    )


def test_what_can_be_done_is_found_behind_older_requests_that_wait_for_others(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    to_production(cast)  # Mona cannot start it before three have signed
    ready = request_at(cast, bundle=bundle_registered(cast, "v2"))
    for turns in ((1, 1), (2,)):
        monkeypatch.setattr(inbox, "TURNS", turns)
        monkeypatch.setattr(inbox, "LIMIT", 1)
        waits = inbox.waits_for(cast.mona)
        assert [one.request.pk for one in waits.found] == [ready.pk]
        assert (waits.next, waits.count, waits.sentence) == (None, "1", "")


def test_a_full_inbox_says_that_more_may_wait_and_leads_on(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "LIMIT", 1)
    first = to_production(cast)
    all_signed(cast, first)
    request_at(cast, bundle=bundle_registered(cast, "v2"))
    client = signed_in(cast.mona)
    page = client.get("/inbox/")
    assert "1+ requests wait for you" in words(page)
    assert "Inbox 1+" in words(page)
    assert "These are the oldest 1; more may wait. Look on after them." in words(page)
    assert f'href="/inbox/?after={first.pk}"' in page.content.decode()
    page = client.get("/inbox/", {"after": first.pk})
    assert f"One request waits for you Waits for me asked after request {first.pk}" in words(page)
    assert "Inbox 1+" not in words(page), "this page counts from further on"
    assert ">1+<" in client.get("/inbox/count/").content.decode(), "the navigation always from the oldest"
    assert "more may wait" not in words(page)
    assert inbox.count(cast.mona) == "1+"


def test_it_says_when_only_the_oldest_were_looked_at(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "TURNS", (1,))
    monkeypatch.setattr(inbox, "LOOKED_AT", 1)
    early = to_production(cast)
    request_at(cast, bundle=bundle_registered(cast, "v2"))
    page = signed_in(cast.mona).get("/inbox/")
    assert "Nothing of these waits for you" in words(page)
    assert "Inbox 0+" in words(page)
    assert "Only 1 open requests were looked at, the oldest first; younger ones may wait too." in words(page)
    assert f'href="/inbox/?after={early.pk}"' in page.content.decode()


def test_an_outsider_has_an_empty_inbox(cast: Cast) -> None:
    request_at(cast, "held")
    page = words(signed_in(cast.otto).get("/inbox/"))
    assert "Nothing waits for you" in page
    assert "Went wrong" not in page


def test_many_are_judged_as_each_is_alone(cast: Cast) -> None:
    wish = to_production(cast)
    signed(cast.fay, wish, "fairness")
    other = request_at(cast, "open", bundle_registered(cast, "v2"))
    together = judge_many([wish, other])
    for one in (wish, other):
        alone, judged = judge_now(one), together[one.pk]
        assert isinstance(judged, type(alone))
        assert judged.verdict == alone.verdict
        assert judged.case.holders == alone.case.holders


def many_requests(cast: Cast, bundle: Bundle, numbers: range) -> None:
    """Open requests of as many projects, every second one held, as rows."""
    projects = Project.objects.bulk_create(
        Project(
            key=f"P{n:04}",
            name=f"Project {n}",
            node=cast.design,
            pipeline=cast.pipeline,
            policy="demo-policy",
            tier="critical",
        )
        for n in numbers
    )
    stage = cast.prod.stage
    lanes = Lane.objects.bulk_create(Lane(project=project, stage=stage) for project in projects)
    bundles = Bundle.objects.bulk_create(
        Bundle(
            project=project,
            bundle_id="v1",
            origin="picked",
            asked_by=cast.dev,
            status="registered",
            archive=bundle.archive,
            manifest_id=bundle.manifest_id,
            registered_at=timezone.now(),
            parts=bundle.parts,
            author=cast.olga,
        )
        for project in projects
    )
    DeploymentRequest.objects.bulk_create(
        DeploymentRequest(
            lane=lane, bundle=one, why="w", requested_by=cast.ada, held="It failed." if n % 2 else ""
        )
        for n, (lane, one) in enumerate(zip(lanes, bundles, strict=True))
    )


def test_its_queries_do_not_depend_on_how_much_there_is(cast: Cast) -> None:
    bundle = bundle_registered(cast, "many")
    many_requests(cast, bundle, range(10))
    few = queries_of(signed_in(cast.ada), "/inbox/")
    many_requests(cast, bundle, range(10, 1000))
    assert queries_of(signed_in(cast.ada), "/inbox/") == few
    assert few <= 40


def may_start_everything(cast: Cast) -> None:
    """Mona promotes everywhere; she signs for nothing, so that nothing in production waits for her."""
    grants.grant(by=cast.ada, person=cast.mona, right=Right.PROMOTE, why="She runs all of it.")


def test_its_queries_are_bounded_where_nothing_waits_among_many(cast: Cast) -> None:
    """Turn after turn looks in vain: as many queries as there are turns, however many requests there are."""
    may_start_everything(cast)
    bundle = bundle_registered(cast, "many")
    many_requests(cast, bundle, range(10))
    few = queries_of(signed_in(cast.mona), "/inbox/")
    many_requests(cast, bundle, range(10, 1000))
    many = queries_of(signed_in(cast.mona), "/inbox/")
    many_requests(cast, bundle, range(1000, 1500))
    assert queries_of(signed_in(cast.mona), "/inbox/") == many
    assert many <= few + 20 * (len(inbox.TURNS) - 1)
    assert inbox.waits_for(cast.mona).count == "0+"


def test_its_queries_do_not_depend_on_how_much_waits(cast: Cast) -> None:
    grants.grant(by=cast.ada, person=cast.fay, right=Right.SIGN, role="fairness", why="Reviews everything.")
    bundle = bundle_registered(cast, "many")
    many_requests(cast, bundle, range(10))
    few = queries_of(signed_in(cast.fay), "/inbox/")
    many_requests(cast, bundle, range(10, 1000))
    assert queries_of(signed_in(cast.fay), "/inbox/") == few
    waits = inbox.waits_for(cast.fay)
    assert (len(waits.found), waits.count) == (inbox.LIMIT, "30+")
