"""Projects with what runs where, importing one, and deployments, over the API."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.utils import timezone

from deployments.models import Deployment, DeploymentRequest, Promotion
from portal.actions import projects
from portal.dss.values import ProjectSummary
from portal.errors import Unavailable
from portal.models import Bundle, Lane, Place, Project
from tests.api import same_at_any_size, session, told
from tests.cast import Cast, lane
from tests.factories import bundle_registered, failed, now_runs, promotion_of, request_at, runs_in, succeeded

NEW: dict[str, Any] = {
    "key": "FRAUD",
    "node": "design",
    "pipeline": "standard",
    "policy": "demo-policy",
    "tier": "critical",
}


class Design:
    """A design node that lists one project."""

    def list_projects(self) -> list[ProjectSummary]:
        return [ProjectSummary(key="FRAUD", name="Card fraud", owner_login="olga", short_desc="", status="")]


@pytest.fixture
def design(monkeypatch: pytest.MonkeyPatch) -> None:
    """The design node answers."""

    @contextmanager
    def asking(_node: object) -> Iterator[Design]:
        yield Design()

    monkeypatch.setattr(projects, "asking", asking)


def test_a_project_says_what_runs_where(cast: Cast) -> None:
    v1 = bundle_registered(cast)
    runs_in(cast, v1, cast.qa)
    v2 = bundle_registered(cast, "v2", {"project_config/recipes/score.py": "score(customers, 2)"})
    wish = request_at(cast, "promoting", v2)
    found = session(cast.mona).get("projects/CHURN/")
    assert (found["name"], found["tier"], found["owners"][0]["login"]) == (
        "Customer churn",
        "critical",
        "olga",
    )
    qa, prod = found["lanes"]
    assert (qa["stage"], qa["running"]["bundle_id"], qa["health"]) == ("qa", "v1", "healthy")
    assert qa["running"]["watched_at"]
    assert (qa["promotion"]["bundle_id"], qa["promotion"]["request"]) == ("v2", wish.pk)
    assert qa["promotion"]["status"] == "running"
    assert qa["rights"] == ["promote", "request", "view"]
    assert (prod["stage"], prod["running"], prod["health"], prod["request"]) == ("prod", None, "", None)


def test_a_lane_shows_its_open_request_and_who_holds_it(cast: Cast) -> None:
    wish = request_at(cast, "promoting")
    now_runs(promotion_of(wish))
    undo = failed(promotion_of(wish))
    qa = session(cast.dev).get("projects/CHURN/")["lanes"][0]
    assert undo is not None
    assert (qa["promotion"]["number"], qa["promotion"]["kind"]) == (undo.pk, "disable")
    assert qa["request"] == {"number": wish.pk, "bundle_id": "v1", "held": "The smoke test failed."}
    assert qa["health"] == "unhealthy"


def test_projects_are_those_one_may_see(cast: Cast) -> None:
    assert [one["key"] for one in session(cast.olga).rows("projects/")] == ["CHURN"]
    assert [one["key"] for one in session(cast.nora).rows("projects/")] == ["CHURN", "MAINT"]
    assert session(cast.otto).rows("projects/") == []
    session(cast.otto).absent("get", "projects/CHURN/")
    session(cast.olga).absent("get", "projects/MAINT/")


def test_an_admin_imports_a_project(cast: Cast, design: None) -> None:
    made = session(cast.ada).post("projects/", **NEW, scored_dataset="scored")
    assert (made["name"], made["dss_owner"], made["scored_dataset"]) == ("Card fraud", "olga", "scored")
    assert [one["login"] for one in made["owners"]] == ["olga"]
    assert [one["stage"] for one in made["lanes"]] == ["qa", "prod"]
    told("project.owner_added")
    session(cast.olga).absent("get", "projects/FRAUD/")


def test_importing_is_for_admins(cast: Cast, design: None) -> None:
    for person in (cast.olga, cast.otto):
        assert session(person).refused(403, "post", "projects/", NEW)["code"] == "right_missing"


@pytest.mark.parametrize(
    "change, code, field",
    [
        ({"key": "NOTHING"}, "project_unknown", "key"),
        ({"node": "deployer"}, "node_unknown", "node"),
        ({"node": "gone"}, "node_unknown", "node"),
        ({"pipeline": "gone"}, "pipeline_unknown", "pipeline"),
        ({"tier": None}, "input_invalid", "tier"),
    ],
)
def test_a_project_that_cannot_be_imported(
    cast: Cast, design: None, change: dict[str, str], code: str, field: str
) -> None:
    found = session(cast.ada).refused(400, "post", "projects/", {**NEW, **change})
    assert (found["code"], found["field"]) == (code, field)


def test_a_project_is_imported_once(cast: Cast, design: None) -> None:
    session(cast.ada).post("projects/", **NEW)
    assert session(cast.ada).refused(400, "post", "projects/", NEW)["code"] == "project_imported"


def test_a_design_node_that_does_not_answer(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def asking(node: Any) -> Iterator[Design]:
        raise Unavailable("Design did not answer. Try again in a moment.", code="dss", node=node.slug)
        yield Design()

    monkeypatch.setattr(projects, "asking", asking)
    found = session(cast.ada).refused(503, "post", "projects/", NEW)
    assert found["params"] == {"node": "design"}
    assert not Project.objects.filter(key="FRAUD").exists()


# --- what runs ---


def test_deployments_say_what_runs(cast: Cast) -> None:
    runs_in(cast, bundle_registered(cast), cast.qa)
    (row,) = session(cast.olga).rows("deployments/?project=CHURN")
    assert (row["project"], row["stage"], row["place"], row["bundle_id"]) == ("CHURN", "qa", "INFRA_QA", "v1")
    assert session(cast.otto).rows("deployments/") == []
    session(cast.otto).absent("get", "deployments/?project=CHURN")


def fill(cast: Cast, count: int) -> None:
    """Projects whose every lane runs a bundle, has an open request, and a promotion that holds it."""
    start = Project.objects.count()
    now = timezone.now()
    made = Project.objects.bulk_create(
        Project(
            key=f"P{start + n:05}",
            name="P",
            node=cast.design,
            pipeline=cast.pipeline,
            tier="light",
            policy="demo-policy",
        )
        for n in range(count)
    )
    stages = list(cast.pipeline.stages.all())
    lanes = Lane.objects.bulk_create(
        Lane(project=project, stage=stage) for project in made for stage in stages
    )
    bundles = Bundle.objects.bulk_create(
        Bundle(project=project, bundle_id="v1", origin="exported", asked_by=cast.dev) for project in made
    )
    of = {bundle.project_id: bundle for bundle in bundles}
    places = {place.stage_id: place for place in Place.objects.filter(stage__in=stages)}
    wishes = DeploymentRequest.objects.bulk_create(
        DeploymentRequest(lane=one, bundle=of[one.project_id], why="w", requested_by=cast.dev)
        for one in lanes
    )
    tried = Promotion.objects.bulk_create(
        Promotion(
            request=wish,
            lane=wish.lane,
            place=places[wish.lane.stage_id],
            bundle=wish.bundle,
            started_by=cast.mona,
        )
        for wish in wishes
    )
    Deployment.objects.bulk_create(
        Deployment(
            lane=one.lane,
            place=one.place,
            deployable=one.lane.project.key,
            bundle=one.bundle,
            promotion=one,
            since=now,
        )
        for one in tried
    )


def test_the_projects_table_costs_the_same_at_any_size(cast: Cast) -> None:
    same_at_any_size(session(cast.ada), "projects/", lambda count: fill(cast, count), already=2, most=15)


def test_the_list_of_deployments_costs_the_same_at_any_size(cast: Cast) -> None:
    same_at_any_size(session(cast.ada), "deployments/", lambda count: fill(cast, count // 2), most=5)


def test_pages_follow_each_other_without_gaps(cast: Cast) -> None:
    fill(cast, 58)
    ada = session(cast.ada)
    page = ada.get("projects/?page_size=25")
    seen = [one["key"] for one in page["results"]]
    while page["next"]:
        page = ada.get(page["next"])
        seen += [one["key"] for one in page["results"]]
    assert seen == sorted(Project.objects.values_list("key", flat=True))
    assert len(ada.rows("projects/?page_size=100000")) == 60


def test_one_lane_knows_another_projects_place(cast: Cast) -> None:
    wish = request_at(cast, "promoting")
    now_runs(promotion_of(wish))
    succeeded(promotion_of(wish))
    assert lane(cast.maint, "qa").stage_id == cast.qa.stage_id
    found = {one["key"]: one["lanes"][0]["running"] for one in session(cast.ada).rows("projects/")}
    assert found["CHURN"]["bundle_id"] == "v1"
    assert found["MAINT"] is None
