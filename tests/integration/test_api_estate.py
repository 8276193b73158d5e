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


# --- one of them, and all of them as a file ---------------------------------------------------------------------------


def test_a_node_is_changed_and_removed(cast: Cast) -> None:
    ada = session(cast.ada)
    ada.post("nodes/", **NODE)
    found = ada.send("patch", "nodes/design-2/", {"name": "Design three", "why": "Renamed."}).json()
    assert (found["name"], found["url"]) == ("Design three", "https://design.example.com")
    assert told("node.changed").subject == f"node:{Node.objects.get(slug='design-2').pk}"
    assert ada.get("nodes/design-2/") == found == session(cast.nora).get("nodes/design-2/")
    assert ada.post("nodes/design-2/remove/", why="Gone.")["does"] == ["remove node design-2"]
    told("node.removed")
    for method, path, body in (
        ("get", "nodes/design-2/", None),
        ("patch", "nodes/design-2/", {"name": "N", "why": "x"}),
        ("post", "nodes/design-2/remove/", {"why": "x"}),
    ):
        ada.absent(method, path, body)
    assert ada.refused(400, "post", "nodes/design/remove/", {"why": "x"})["code"] == "estate_in_use"
    assert ada.refused(400, "patch", "nodes/design/", {"kind": "api", "why": "x"})["code"] == "node_in_use"
    assert ada.refused(400, "patch", "nodes/design/", {"name": "Design", "why": "x"})["code"] == "estate_same"


def test_a_pipeline_is_changed_and_removed(cast: Cast) -> None:
    ada = session(cast.ada)
    ada.post("pipelines/", **PIPELINE)
    stages = [*PIPELINE["stages"], {**PIPELINE["stages"][0], "slug": "late", "name": "Late"}]
    found = ada.send("patch", "pipelines/short/", {"stages": stages, "why": "One more."}).json()
    assert [one["slug"] for one in found["stages"]] == ["prod", "late"]
    assert found == ada.get("pipelines/short/")
    for wish, field in (
        ({"stages": []}, "stages"),
        ({"stages": [{**stages[0], "places": []}]}, "places"),
        ({"team": "none"}, "team"),
    ):
        assert ada.refused(400, "patch", "pipelines/short/", {**wish, "why": "x"})["field"] == field
    assert ada.post("pipelines/short/remove/", why="Unused.")["status"] == "applied"
    told("pipeline.removed")
    assert ada.refused(400, "post", "pipelines/standard/remove/", {"why": "x"})["code"] == "estate_in_use"
    assert session(cast.olga).get("pipelines/standard/")["slug"] == "standard"
    for method, path in (("patch", "pipelines/standard/"), ("post", "pipelines/standard/remove/")):
        assert session(cast.olga).refused(403, method, path, {"why": "x"})["code"] == "right_missing"
        session(cast.otto).absent(method, path, {"why": "x"})
    session(cast.otto).absent("get", "pipelines/standard/")


def test_one_node_is_for_who_looks_over_the_estate_whether_it_is_there_or_not(cast: Cast) -> None:
    for slug in ("design", "none"):
        for method, path in (
            ("get", f"nodes/{slug}/"),
            ("patch", f"nodes/{slug}/"),
            ("post", f"nodes/{slug}/remove/"),
        ):
            body = None if method == "get" else {"why": "x"}
            assert session(cast.olga).refused(403, method, path, body)["code"] == "right_missing"


def test_the_estate_goes_and_comes_as_a_file(cast: Cast) -> None:
    ada = session(cast.ada)
    text = ada.send("get", "estate/file/").content.decode()
    assert session(cast.nora).send("get", "estate/file/").content.decode() == text
    wish = {"text": text.replace("name: Design\n", "name: The design node\n"), "why": "Its real name."}
    line = 'change node design: name from "Design" to "The design node"'
    assert ada.post("estate/file/", **wish, preview=True) == {"does": [line]}
    assert Node.objects.get(slug="design").name == "Design"
    made = ada.send("post", "estate/file/", wish)
    assert (made.status_code, made.json()["does"]) == (201, [line])
    assert Node.objects.get(slug="design").name == "The design node"
    assert ada.post("estate/file/", **wish) == {"does": []}
    found = ada.refused(400, "post", "estate/file/", {"text": "nodes: {}\n", "why": "x"})
    assert (found["code"], found["field"]) == ("estate_invalid", "text")
    assert found["params"]["problems"][0]["line"] == 1
    gone = {"text": "nodes: {}\npipelines: {}\n", "why": "x", "preview": True}
    assert ada.refused(400, "post", "estate/file/", gone)["code"] == "estate_in_use"
    assert session(cast.nora).refused(403, "post", "estate/file/", wish)["code"] == "right_missing"
    assert session(cast.olga).refused(403, "get", "estate/file/")["code"] == "right_missing"


def test_parts_that_wait_outdate_only_what_is_about_the_same(cast: Cast, settings: Any) -> None:
    settings.SECOND_ADMIN = True
    ada = session(cast.ada)
    first, second, other = (
        ada.send("patch", f"nodes/{slug}/", {"name": name, "why": "x"}).json()["id"]
        for slug, name in (("design", "One"), ("design", "Two"), ("deployer", "Three"))
    )
    abe = session(cast.abe)
    abe.post(f"changes/{first}/apply/")
    abe.post(f"changes/{other}/apply/")
    assert abe.send("post", f"changes/{second}/apply/").status_code == 409
    assert Node.objects.get(slug="design").name == "One"
    assert Node.objects.get(slug="deployer").name == "Three"


# --- the rules of a project -------------------------------------------------------------------------------------------


def test_a_tier_is_proposed_and_applied_by_two(cast: Cast) -> None:
    answer = session(cast.ada).send(
        "post", "projects/CHURN/tier/", {"tier": "light", "why": "Decides nothing."}
    )
    assert (answer.status_code, answer.json()["kind"], answer.json()["project"]) == (202, "tier", "CHURN")
    number = answer.json()["id"]
    assert session(cast.ada).refused(403, "post", f"changes/{number}/apply/")["code"] == "change_own"
    assert session(cast.abe).post(f"changes/{number}/apply/")["status"] == "applied"
    cast.churn.refresh_from_db()
    assert cast.churn.tier == "light"


def test_a_tier_is_not_for_owners_and_not_what_it_is(cast: Cast) -> None:
    wish = {"tier": "light", "why": "x"}
    assert session(cast.olga).refused(403, "post", "projects/CHURN/tier/", wish)["code"] == "right_missing"
    cast.churn.owners.add(cast.ada)
    assert session(cast.ada).refused(403, "post", "projects/CHURN/tier/", wish)["code"] == "tier_own_project"
    session(cast.otto).absent("post", "projects/CHURN/tier/", wish)
    for tier, code in (("critical", "tier_same"), ("none", "tier_unknown")):
        found = session(cast.abe).refused(400, "post", "projects/CHURN/tier/", {"tier": tier, "why": "x"})
        assert (found["code"], found["field"]) == (code, "tier")
