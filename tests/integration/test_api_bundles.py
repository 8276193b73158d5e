"""Bundles over the API: to register, to read, and what differs between two."""

import hashlib
from typing import Any

import pytest

from portal.models import Bundle
from tests.api import same_at_any_size, session, told
from tests.cast import Cast
from tests.factories import bundle_asked, bundle_registered, runs_in

NEW: dict[str, Any] = {"bundle_id": "v1", "notes": "First."}


def test_a_member_asks_for_a_bundle(cast: Cast) -> None:
    made = session(cast.dev).post("projects/CHURN/bundles/", **NEW)
    assert (made["status"], made["origin"], made["asked_by"]["login"]) == ("asked", "exported", "dev")
    assert told("bundle.asked").project == "CHURN"
    picked = session(cast.dev).post("projects/CHURN/bundles/", bundle_id="v0", pick=True)
    assert picked["origin"] == "picked"


def test_a_registered_bundle_shows_its_parts(cast: Cast) -> None:
    bundle_registered(cast)
    found = session(cast.fay).get("projects/CHURN/bundles/v1/")
    assert found["status"] == "registered"
    assert found["author"]["login"] == "dev"
    assert set(found["parts"]) == {
        "data",
        "flow",
        "models",
        "automation",
        "presentation",
        "settings",
        "other",
    }
    assert found["members"] == 7
    body = session(cast.fay).send("get", "projects/CHURN/bundles/v1/manifest/")
    assert hashlib.sha256(body.content).hexdigest() == found["manifest"]
    assert len(body.json()["members"]) == 7


def test_an_outsider_finds_nothing(cast: Cast) -> None:
    bundle_registered(cast)
    otto = session(cast.otto)
    for path in (
        "bundles/",
        "bundles/v1/",
        "bundles/v1/manifest/",
        "bundles/v1/diff/?stage=qa",
        "bundles/v9/",
    ):
        otto.absent("get", f"projects/CHURN/{path}")
    otto.absent("post", "projects/CHURN/bundles/", NEW)
    session(cast.olga).absent("get", "projects/CHURN/bundles/v9/")


def test_asking_needs_the_right_to_request(cast: Cast) -> None:
    found = session(cast.fay).refused(403, "post", "projects/CHURN/bundles/", NEW)
    assert found["detail"] == (
        "You need the right to ask for a promotion on Customer churn in QA. Abe Tanner or Ada Novak can grant it."
    )


@pytest.mark.parametrize("bundle_id", ["a b", "a/b", "é", ""])
def test_an_id_that_dss_would_not_take(cast: Cast, bundle_id: str) -> None:
    assert (
        session(cast.dev).refused(400, "post", "projects/CHURN/bundles/", {"bundle_id": bundle_id})["field"]
        == "bundle_id"
    )


def test_a_double_click_registers_once(cast: Cast) -> None:
    session(cast.dev).post("projects/CHURN/bundles/", **NEW)
    assert session(cast.dev).refused(400, "post", "projects/CHURN/bundles/", NEW)["code"] == "bundle_taken"
    assert Bundle.objects.count() == 1


def test_a_bundle_not_registered_has_no_manifest(cast: Cast) -> None:
    bundle_asked(cast)
    found = session(cast.dev).refused(409, "get", "projects/CHURN/bundles/v1/manifest/")
    assert found["code"] == "bundle_not_registered"


# --- what differs ---


def test_a_bundle_against_another(cast: Cast) -> None:
    bundle_registered(cast)
    bundle_registered(
        cast,
        "v2",
        {"project_config/recipes/score.py": "score(2)", "project_config/recipes/more.py": "more()"},
    )
    found = session(cast.fay).get("projects/CHURN/bundles/v2/diff/?bundle=v1")
    assert found["against"] == "v1"
    (flow,) = found["parts"]
    assert flow["part"] == "flow"
    assert [one["path"] for one in flow["added"]] == ["project_config/recipes/more.py"]
    assert [one["path"] for one in flow["changed"]] == ["project_config/recipes/score.py"]
    assert flow["changed"][0]["old"] != flow["changed"][0]["new"]
    assert flow["removed"] == []


def test_a_difference_holds_lines_and_models(cast: Cast) -> None:
    def trained(version: str, features: int) -> dict[str, Any]:
        return {
            "project_config/saved_models/churn_model.json": {"name": "churn-rf", "activeVersion": version},
            f"saved_models/churn_model/versions/{version}/core_params.json": {
                "inputs": [f"column_{n}" for n in range(features)]
            },
        }

    bundle_registered(cast, "v1", {"project_config/params.json": {"variables": {"a": 1}}, **trained("1", 39)})
    bundle_registered(cast, "v2", {"project_config/params.json": {"variables": {"a": 2}}, **trained("2", 41)})
    found = session(cast.fay).get("projects/CHURN/bundles/v2/diff/?bundle=v1")
    assert found["models"] == [
        {
            "model": "churn_model",
            "name": "churn-rf",
            "became": "retrained",
            "features": 41,
            "features_before": 39,
            "sentence": "Model “churn-rf” was retrained: 41 features, was 39.",
        }
    ]
    parts = {one["part"]: one for one in found["parts"]}
    (params,) = parts["settings"]["changed"]
    assert '-    "a": 1\n+    "a": 2' in params["unified"]
    assert (params["cut"], params["why"]) == (0, "")


def test_a_bundle_against_what_runs(cast: Cast) -> None:
    v1 = bundle_registered(cast)
    assert session(cast.fay).get("projects/CHURN/bundles/v1/diff/?stage=qa")["against"] is None
    runs_in(cast, v1, cast.qa)
    found = session(cast.fay).get("projects/CHURN/bundles/v1/diff/?stage=qa")
    assert found == {"bundle_id": "v1", "against": "v1", "parts": [], "models": []}


def test_a_comparison_names_one_thing(cast: Cast) -> None:
    bundle_registered(cast)
    fay = session(cast.fay)
    assert fay.refused(400, "get", "projects/CHURN/bundles/v1/diff/")["code"] == "diff_against"
    assert fay.refused(400, "get", "projects/CHURN/bundles/v1/diff/?stage=moon")["code"] == "stage_unknown"
    fay.absent("get", "projects/CHURN/bundles/v1/diff/?bundle=v9")


def test_the_list_of_bundles_costs_the_same_at_any_size(cast: Cast) -> None:
    def grow(count: int) -> None:
        start = Bundle.objects.count()
        Bundle.objects.bulk_create(
            Bundle(project=cast.churn, bundle_id=f"b{start + n}", origin="exported", asked_by=cast.dev)
            for n in range(count)
        )

    same_at_any_size(session(cast.olga), "projects/CHURN/bundles/", grow, most=6)
