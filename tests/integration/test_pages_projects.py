"""The table of projects and the page of one: what runs where, asking for bundles and promotions."""

import html
import re
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from deployments.models import DeploymentRequest
from portal.models import Bundle, Lane, Project
from tests.cast import Cast
from tests.factories import bundle_registered, request_at, runs_in
from tests.pages import outsider_sees_nothing, queries_of, refused, signed_in, words


def test_the_table_says_what_runs_where_and_what_comes(cast: Cast) -> None:
    runs_in(cast, bundle_registered(cast), cast.qa)
    wish = request_at(cast, "open", bundle_registered(cast, "v2"))
    page = signed_in(cast.dev).get("/projects/")
    assert "Customer churn CHURN · critical v1 healthy for" in words(page)
    assert "v2 asked for" in words(page)
    assert f"/projects/CHURN/requests/{wish.pk}/" in page.content.decode()
    assert "Predictive maintenance" not in words(page)


def test_the_table_is_found_in_by_name(cast: Cast) -> None:
    page = words(signed_in(cast.ada).get("/projects/?q=maint"))
    assert "Predictive maintenance" in page
    assert "Customer churn" not in page
    assert "No project of that name" in words(signed_in(cast.ada).get("/projects/?q=nothing"))


def test_an_outsider_sees_no_project(cast: Cast) -> None:
    assert "No projects yet" in words(signed_in(cast.otto).get("/projects/"))
    outsider_sees_nothing(signed_in(cast.otto), "/projects/CHURN/")
    outsider_sees_nothing(signed_in(cast.otto), "/projects/CHURN/requests/", post=True)
    outsider_sees_nothing(signed_in(cast.otto), "/projects/CHURN/bundles/", post=True)


def many_projects(cast: Cast, number: int) -> None:
    """Projects with their lanes, as rows."""
    made = Project.objects.bulk_create(
        Project(
            key=f"P{n:04}",
            name=f"Project {n}",
            node=cast.design,
            pipeline=cast.pipeline,
            policy="demo-policy",
            tier="light",
        )
        for n in range(number)
    )
    Lane.objects.bulk_create(
        Lane(project=project, stage=stage) for project in made for stage in cast.pipeline.stages.all()
    )


def test_the_tables_queries_do_not_depend_on_how_many_there_are(cast: Cast) -> None:
    many_projects(cast, 10)
    few = queries_of(signed_in(cast.ada), "/projects/")
    Project.objects.filter(key__startswith="P0").delete()
    many_projects(cast, 1000)
    client = signed_in(cast.ada)
    assert queries_of(client, "/projects/") == few


def test_the_table_goes_on_by_key_and_back_and_counts_nothing(cast: Cast) -> None:
    many_projects(cast, 120)
    client = signed_in(cast.ada)
    keys = sorted(Project.objects.values_list("key", flat=True))
    assert len(keys) == 122
    shown = []
    with CaptureQueriesContext(connection) as asked:
        page = client.get("/projects/")
    counted = [query["sql"] for query in asked if "COUNT(" in query["sql"].upper()]
    assert not [sql for sql in counted if "portal_project" in sql or "objectpermission" in sql]
    pages = [page]
    while follow := links(pages[-1], "next"):
        pages.append(client.get("/projects/" + follow))
    for page in pages:
        shown += [project.key for project, _cells in page.context["rows"]]
    assert shown == keys
    assert [len(page.context["rows"]) for page in pages] == [50, 50, 22]
    assert not links(pages[0], "prev")
    back = client.get("/projects/" + links(pages[2], "prev"))
    assert back.context["rows"] == pages[1].context["rows"]
    back = client.get("/projects/" + links(back, "prev"))
    assert back.context["rows"] == pages[0].context["rows"]
    assert not links(back, "prev")
    assert links(back, "next")


def test_the_table_goes_on_in_what_was_found(cast: Cast) -> None:
    many_projects(cast, 60)
    client = signed_in(cast.ada)
    page = client.get("/projects/?q=project")
    assert "q=project" in links(page, "next")
    rest = client.get("/projects/" + links(page, "next"))
    assert len(page.context["rows"]) + len(rest.context["rows"]) == 60


@pytest.mark.parametrize("address", ["?after=ZZZ", "?before=0", "?before=%F0%9F%98%80&after=x", "?page=2"])
def test_an_odd_address_gives_a_part_of_the_table(cast: Cast, address: str) -> None:
    page = signed_in(cast.ada).get("/projects/" + address)
    assert page.status_code == 200
    assert "Customer churn" in words(page)


def links(page: Any, rel: str) -> str:
    """The query string that a page leads on to; empty for none."""
    found = re.search(rf'rel="{rel}" href="([^"]*)"', page.content.decode())
    return html.unescape(found[1]) if found else ""


def test_a_project_shows_its_lanes_bundles_and_requests(cast: Cast) -> None:
    runs_in(cast, bundle_registered(cast), cast.qa)
    page = words(signed_in(cast.dev).get("/projects/CHURN/"))
    for said in (
        "Design v1 built by Dev Rao",
        "QA v1 healthy",
        "Production Nothing runs here yet",
        "v1 to QA",
        "Olga Lindqvist",
    ):
        assert said in page


def test_who_may_not_ask_is_told_who_can_grant_it(cast: Cast) -> None:
    page = words(signed_in(cast.fay).get("/projects/CHURN/"))
    assert "ask Abe Tanner or Ada Novak for the right" in page
    assert "Register it" not in page
    refused(
        signed_in(cast.fay).post("/projects/CHURN/bundles/", {"how": "export", "bundle_id": "v1"}),
        403,
        "You need the right to ask for a promotion",
    )


def test_a_bundle_is_asked_for_and_followed(cast: Cast) -> None:
    answer = signed_in(cast.dev).post(
        "/projects/CHURN/bundles/", {"how": "export", "bundle_id": "v1", "notes": "New."}
    )
    assert (answer.status_code, answer.headers["Location"]) == (302, "/projects/CHURN/bundles/v1/")
    assert Bundle.objects.get(bundle_id="v1").notes == "New."


def test_a_bundle_id_that_cannot_be_is_named_on_its_field(cast: Cast) -> None:
    answer = signed_in(cast.dev).post("/projects/CHURN/bundles/", {"how": "export", "bundle_id": "v 1"})
    assert answer.status_code == 400
    assert answer.context["bundle_form"].errors == {
        "bundle_id": ["A bundle id holds letters, digits, “_”, “.” and “-” only."]
    }
    assert 'value="v 1"' in answer.content.decode()


def test_a_promotion_is_asked_for(cast: Cast) -> None:
    bundle_registered(cast)
    answer = signed_in(cast.dev).post(
        "/projects/CHURN/requests/", {"bundle": "v1", "stage": "qa", "why": "Spring."}, follow=True
    )
    wish = DeploymentRequest.objects.get()
    assert answer.redirect_chain == [(f"/projects/CHURN/requests/{wish.pk}/", 302)]
    assert "Here is what QA still needs." in words(answer)


def test_asking_twice_leads_to_the_request_that_is_there(cast: Cast) -> None:
    wish = request_at(cast)
    answer = signed_in(cast.dev).post(
        "/projects/CHURN/requests/", {"bundle": "v1", "stage": "qa", "why": "Again."}, follow=True
    )
    assert answer.redirect_chain == [(f"/projects/CHURN/requests/{wish.pk}/", 302)]
    assert "There is a request for this bundle to this stage already" in words(answer)
    assert DeploymentRequest.objects.count() == 1


def test_asking_for_what_runs_there_already_is_refused_in_words(cast: Cast) -> None:
    runs_in(cast, bundle_registered(cast), cast.qa)
    answer = signed_in(cast.dev).post(
        "/projects/CHURN/requests/", {"bundle": "v1", "stage": "qa", "why": "Again."}, follow=True
    )
    assert "Bundle v1 runs in QA already and completed its watch there" in words(answer)
    assert DeploymentRequest.objects.count() == 1


def test_a_wish_without_a_reason_is_asked_for_one(cast: Cast) -> None:
    bundle_registered(cast)
    answer = signed_in(cast.dev).post(
        "/projects/CHURN/requests/", {"bundle": "v1", "stage": "qa", "why": "  "}
    )
    assert answer.status_code == 400
    assert "why" in answer.context["ask_form"].errors
