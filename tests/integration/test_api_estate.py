"""Nodes and pipelines over the API."""

from typing import Any

import pytest

from portal.models import Node, Pipeline, Place, Stage
from tests.api import same_at_any_size, session, told
from tests.cast import Cast

NODE: dict[str, Any] = {
    "why": "The estate grows.",
    "slug": "design-2",
    "name": "Design two",
    "kind": "design",
    "url": "https://design.example.com/",
    "key_name": "design-2",
}
PIPELINE: dict[str, Any] = {
    "why": "The estate grows.",
    "slug": "short",
    "name": "Short",
    "stages": [
        {
            "slug": "prod",
            "name": "Production",
            "places": [
                {"slug": "a", "deployer": "deployer", "infra_id": "INFRA_A", "automation": "auto-prod"}
            ],
        }
    ],
}


def test_an_admin_adds_a_node(cast: Cast) -> None:
    made = session(cast.ada).post("nodes/", **NODE)
    told("node.added")
    assert made["url"] == "https://design.example.com"
    assert made in session(cast.nora).rows("nodes/")


def test_nodes_are_for_who_looks_over_the_estate(cast: Cast) -> None:
    for person in (cast.olga, cast.otto):
        assert session(person).refused(403, "get", "nodes/")["code"] == "right_missing"
        assert session(person).refused(403, "post", "nodes/", NODE)["code"] == "right_missing"
    assert session(cast.nora).refused(403, "post", "nodes/", NODE)["code"] == "right_missing"


@pytest.mark.parametrize(
    "change, field",
    [
        ({"slug": "design"}, "slug"),
        ({"kind": "moon"}, "kind"),
        ({"url": "design"}, "url"),
        ({"key_name": "../key"}, "key_name"),
        ({"key": "secret"}, "key"),
    ],
)
def test_a_node_that_cannot_be_added(cast: Cast, change: dict[str, str], field: str) -> None:
    assert session(cast.ada).refused(400, "post", "nodes/", {**NODE, **change})["field"] == field


def test_an_admin_adds_a_pipeline(cast: Cast) -> None:
    made = session(cast.ada).post("pipelines/", **PIPELINE)
    told("pipeline.added")
    assert made["stages"][0]["places"][0]["infra_id"] == "INFRA_A"


def test_a_pipeline_is_seen_with_its_projects(cast: Cast) -> None:
    session(cast.ada).post("pipelines/", **PIPELINE)
    assert [one["slug"] for one in session(cast.olga).rows("pipelines/")] == ["standard"]
    assert [one["slug"] for one in session(cast.nora).rows("pipelines/")] == ["short", "standard"]
    assert session(cast.otto).rows("pipelines/") == []
    assert session(cast.olga).refused(403, "post", "pipelines/", PIPELINE)["code"] == "right_missing"


@pytest.mark.parametrize(
    "change, field",
    [
        ({"slug": "standard"}, "slug"),
        ({"team": "no-team"}, "team"),
        ({"stages": []}, "stages"),
        ({"stages": [{"slug": "a", "name": "A", "places": []}]}, "places"),
        (
            {
                "stages": [
                    {
                        "slug": "a",
                        "name": "A",
                        "places": [
                            {"slug": "a", "deployer": "gone", "infra_id": "I", "automation": "auto-qa"}
                        ],
                    }
                ]
            },
            "deployer",
        ),
    ],
)
def test_a_pipeline_that_cannot_be_added(cast: Cast, change: dict[str, Any], field: str) -> None:
    found = session(cast.ada).refused(400, "post", "pipelines/", {**PIPELINE, **change})
    assert found["field"] == field
    assert Pipeline.objects.count() == 1


def test_the_lists_cost_the_same_at_any_size(cast: Cast) -> None:
    deployer = Node.objects.get(slug="deployer")

    def nodes(count: int) -> None:
        start = Node.objects.count()
        Node.objects.bulk_create(
            Node(slug=f"n{start + n}", name="N", kind="design", url="https://a.example.com", key_name="k")
            for n in range(count)
        )

    def pipelines(count: int) -> None:
        start = Pipeline.objects.count()
        made = Pipeline.objects.bulk_create(Pipeline(slug=f"p{start + n}", name="P") for n in range(count))
        stages = Stage.objects.bulk_create(
            Stage(pipeline=one, slug="a", name="A", position=0) for one in made
        )
        Place.objects.bulk_create(
            Place(stage=one, slug="a", deployer=deployer, infra_id="I", automation=deployer) for one in stages
        )

    same_at_any_size(session(cast.ada), "nodes/", nodes, already=4, most=4)
    same_at_any_size(session(cast.ada), "pipelines/", pipelines, already=1, most=8)
