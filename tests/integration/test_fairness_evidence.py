"""Fairness evidence: brought over the API and on the page, shown without small groups, beside what runs now."""

import copy
import json
import re
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from deployments.models import Deployment
from governance import queries
from governance.actions import evidence as collecting
from governance.actions import policies
from governance.models import Evidence
from portal import content, ledger
from portal.demo import cast as demo
from portal.models import Bundle, Person, Project
from tests.api import session, told
from tests.bodies import FIGURES
from tests.cast import POLICY, Cast
from tests.factories import bundle_registered, fairness_of, request_at, runs_in
from tests.integration.test_evidence_collecting import ask, collect
from tests.pages import outsider_sees_nothing, refused, signed_in, words
from tests.unit.test_calibration import STRAIGHT, TWISTED, counted
from tests.world import World

EVIDENCE = "projects/CHURN/bundles/v1/evidence/"
PAGE = "/projects/CHURN/bundles/v1/"


def brought(cast: Cast, figures: Any = FIGURES, by: Person | None = None) -> Evidence:
    made = session(by or cast.dev).post(EVIDENCE, kind="fairness", stage="qa", content=figures)
    return Evidence.objects.get(pk=made["id"])


def with_group(name: str, n: int, selected: int) -> dict[str, Any]:
    figures = copy.deepcopy(FIGURES)
    tables: Any = figures["tables"]
    tables[0]["groups"].append({"group": [name], "n": n, "selected": selected})
    return figures


def result_of(evidence: Evidence) -> dict[str, Any]:
    return dict(json.loads(content.get(evidence.result_id)))


# --- brought ---


def test_figures_are_brought_over_the_api(cast: Cast) -> None:
    bundle = bundle_registered(cast)
    evidence = brought(cast)
    assert told("evidence.recorded").subject == f"evidence:{evidence.pk}"
    (event,) = ledger.events(subject=evidence.subject)
    assert (event.actor_id, event.facts["source"]["format"]) == (str(cast.dev.pk), "counts")
    assert (evidence.author, evidence.stage, evidence.kind) == (cast.dev, "qa", "fairness")
    assert evidence.parts == collecting.about("fairness", bundle)
    held = result_of(evidence)
    assert (held["v"], held["rows"], held["suppress_below"]) == (2, 800, 50)
    (row,) = [one for one in session(cast.fay).rows(EVIDENCE) if one["kind"] == "fairness"]
    assert (row["id"], row["author"]["login"]) == (evidence.pk, "dev")


def test_the_same_figures_are_the_same_evidence(cast: Cast) -> None:
    bundle_registered(cast)
    first, second = brought(cast), brought(cast, by=cast.olga)
    assert (first.digest, first.result_id) == (second.digest, second.result_id)
    assert first.digest != brought(cast, with_group("X", 90, 30)).digest


def test_whoever_brought_evidence_does_not_sign_for_it(cast: Cast) -> None:
    bundle_registered(cast)
    brought(cast, by=cast.olga)
    case = queries.case_for(bundle=Bundle.objects.get(), lane=cast.prod, requested_by=cast.dev, running=())
    (fact,) = [held for held in case.evidence if held.kind == "fairness"]
    assert fact.author == str(cast.olga.pk)


@pytest.mark.parametrize(
    "body, field",
    [
        ({"kind": "fairness", "stage": "qa"}, "content"),
        ({"kind": "fairness", "stage": "moon", "content": FIGURES}, "stage"),
        ({"kind": "luck", "stage": "qa", "content": FIGURES}, "kind"),
        ({"kind": "fairness", "stage": "qa", "content": {"format": "counts"}}, "outcome"),
        ({"kind": "fairness", "stage": "qa", "content": with_group("F", 1, 1)}, "tables[0].groups[2]"),
        (
            {"kind": "fairness", "stage": "qa", "content": with_group("X", 1, 2)},
            "tables[0].groups[2].selected",
        ),
        ({"kind": "fairness", "stage": "qa", "content": "counts"}, "content"),
        ({"kind": "fairness", "stage": "qa", "content": {"format": "x" * 1_100_000}}, "content"),
    ],
)
def test_what_cannot_be_brought_names_its_field(cast: Cast, body: dict[str, Any], field: str) -> None:
    bundle_registered(cast)
    assert session(cast.dev).refused(400, "post", EVIDENCE, body)["field"] == field
    assert not Evidence.objects.exclude(kind="project").exists()


def test_figures_without_a_canonical_form_are_fine_or_refused(cast: Cast) -> None:
    bundle_registered(cast)
    rows = [
        {"gender": g, "count": 400, "selection_rate": 0.25, "weight": 2**70, "seen": 1e300, "note": "x"}
        for g in "FM"
    ]
    frame = {"format": "fairlearn", "sensitive_features": ["gender"], "by_group": rows}
    assert result_of(brought(cast, frame))["rows"] == 800


def test_it_takes_the_right_to_request(cast: Cast) -> None:
    bundle_registered(cast)
    body = {"kind": "fairness", "stage": "qa", "content": FIGURES}
    assert session(cast.fay).refused(403, "post", EVIDENCE, body)["code"] == "right_missing"
    session(cast.otto).absent("post", EVIDENCE, body)
    outsider_sees_nothing(signed_in(cast.otto), PAGE + "evidence/", post=True)
    refused(
        signed_in(cast.fay).post(
            PAGE + "evidence/", {"kind": "fairness", "stage": "qa", "text": json.dumps(FIGURES)}
        ),
        403,
        "right",
    )
    assert not Evidence.objects.exclude(kind="project").exists()


def sent(client: Client, **form: Any) -> Any:
    return client.post(PAGE + "evidence/", {"stage": "qa", "kind": "fairness", **form}, follow=True)


def test_figures_are_brought_on_the_page(cast: Cast) -> None:
    bundle_registered(cast)
    client = signed_in(cast.dev)
    assert "Bring figures counted elsewhere" in words(client.get(PAGE))
    assert "Bring figures" not in words(signed_in(cast.fay).get(PAGE))
    ids = re.findall(r' id="([^"]+)"', client.get(PAGE).content.decode())
    assert len(ids) == len(set(ids))  # several forms stand there, and a label has to lead to its own field
    answer = words(sent(client, upload=SimpleUploadedFile("figures.json", json.dumps(FIGURES).encode())))
    assert "recorded as yours, so you cannot sign for them" in answer
    assert "Fairness by gender" in answer
    assert "Brought of v1 in QA (counts)" in answer
    assert Evidence.objects.exclude(kind="project").get().author == cast.dev
    assert "Fairness by gender" in words(sent(client, text=json.dumps(FIGURES)))
    assert Evidence.objects.exclude(kind="project").count() == 2


@pytest.mark.parametrize(
    "form, says",
    [
        ({}, "Choose a file or paste its text, one of them."),
        ({"text": "{}"}, "format: format is missing."),
        ({"text": "{"}, "The file is no JSON: line 1"),
        ({"text": "[" * 100_000}, "nested more than 12 deep"),
        ({"text": '{"n": ' + "9" * 5000 + "}"}, "a number that is too long"),
        ({"text": "{}", "stage": "moon"}, "moon is not one of the available choices"),
    ],
)
def test_what_cannot_be_used_is_said_on_the_page(cast: Cast, form: dict[str, str], says: str) -> None:
    bundle_registered(cast)
    answer = sent(signed_in(cast.dev), **form)
    assert answer.status_code == 400
    assert says in words(answer)
    assert not Evidence.objects.exclude(kind="project").exists()


@pytest.mark.parametrize(
    "body, says",
    [
        (b" " * (1024 * 1024 + 1), "larger than 1024 KiB"),
        (b"\x89PNG\r\n\x1a\n", "no text in UTF-8"),
        (b"", "The submitted file is empty"),
    ],
)
def test_a_file_that_cannot_be_used(cast: Cast, body: bytes, says: str) -> None:
    bundle_registered(cast)
    answer = sent(signed_in(cast.dev), upload=SimpleUploadedFile("figures.json", body))
    assert answer.status_code == 400
    assert says in words(answer)


# --- small groups ---


def test_a_small_group_is_told_nowhere(cast: Cast) -> None:
    bundle = bundle_registered(cast)
    evidence = brought(cast, with_group("X", 17, 13))
    held = session(cast.fay).get(f"evidence/{evidence.pk}/")["result"]
    groups = {group["group"]: group for group in held["attributes"][0]["groups"]}
    assert groups["X"] == {"group": "X", "suppressed": True}
    assert [name for name in "FM" if "suppressed" in groups[name]] == ["F"]  # or X were what is left of all
    assert held["attributes"][0]["figures"] == {}
    wish = request_at(cast, bundle=bundle, lane=cast.prod)
    gate = json.dumps(session(cast.fay).get(f"requests/{wish.pk}/gate/"))
    page = words(signed_in(cast.fay).get(PAGE))
    asked = words(signed_in(cast.fay).get(f"/projects/CHURN/requests/{wish.pk}/"))
    assert "X fewer than 50 people" in page
    assert "F not shown, or a small group could be reckoned" in page
    for text in (json.dumps(held), gate, page, asked):
        for secret in ("17", "13", "0.7647", "76.5", "400"):
            if secret != "400":
                assert f" {secret} " not in text.replace(",", " ").replace("}", " ")
    assert result_of(evidence)["attributes"][0]["groups"][2]["n"] == 17  # what is judged is kept whole


def test_many_groups_are_cut(cast: Cast) -> None:
    bundle_registered(cast)
    figures = copy.deepcopy(FIGURES)
    tables: Any = figures["tables"]
    tables[0]["groups"] = [{"group": [f"g{n}"], "n": 100, "selected": 30} for n in range(1000)]
    brought(cast, figures)
    page = words(signed_in(cast.fay).get(PAGE))
    assert "920 more rows are not shown." in page


def test_calibration_by_score_is_told_alike_on_the_page_and_in_the_api(cast: Cast) -> None:
    asked = re.sub(
        "name: demographic_parity_ratio, by: (.*), min: 0.8",
        "name: calibration_by_score_difference, by: [gender], max: 0.1",
        POLICY,
    )
    assert asked != POLICY
    policies.publish(by=cast.ada, source=asked)
    bundle = bundle_registered(cast)
    result = counted(TWISTED + STRAIGHT) | {"suppress_below": 50}
    with ledger.business():
        kept = collecting.keep(
            by=cast.dev,
            bundle=bundle,
            stage="qa",
            kind="fairness",
            result=result,
            parts=collecting.about("fairness", bundle),
            source={},
        )
    page = words(signed_in(cast.fay).get(PAGE))
    assert "of F at scores 0.0 to 0.3 is 0.20 (95 % interval 0.19 to 0.21); at most 0.10 is allowed" in page
    assert "F at scores 0.0 to 0.3 predicted 25.0 % 2,000 100" in page
    held = session(cast.fay).get(f"evidence/{kept.pk}/")["result"]["attributes"][0]["groups"]
    assert [one["n"] for group in held for one in group["calibration"]["bins"]] == [2000] * 4


# --- beside what runs ---


def test_figures_stand_beside_those_of_what_runs_now(cast: Cast) -> None:
    first = bundle_registered(cast)
    fairness_of(cast, first, women=0.5)
    runs_in(cast, first, cast.qa)
    second = bundle_registered(
        cast, "v2", {"project_config/saved_models/churn_model.json": {"algorithm": "FOREST"}}
    )
    fairness_of(cast, second, women=0.25)
    page = words(signed_in(cast.fay).get("/projects/CHURN/bundles/v2/"))
    assert "v1, which runs in QA: 1.00 (95 % interval 0.87 to 1.15)" in page
    # What runs itself stands beside nothing, and so does a bundle of which the same evidence holds.
    assert "which runs in QA" not in words(signed_in(cast.fay).get(PAGE))
    bundle_registered(cast, "v3", {"project_config/dashboards/overview.json": {"title": "Churn, better"}})
    assert "which runs in QA" not in words(signed_in(cast.fay).get("/projects/CHURN/bundles/v3/"))
    Deployment.objects.update(lane=cast.prod, place=cast.prod.stage.places.get())
    wish = request_at(cast, bundle=second, lane=cast.prod)
    for path in ("", "sign/sign_off:fairness/"):
        page = words(signed_in(cast.fay).get(f"/projects/CHURN/requests/{wish.pk}/{path}"))
        assert "v1, which runs in Production: 1.00 (95 % interval 0.87 to 1.15)" in page


# --- collected ---


def test_scores_and_crosses_are_counted_where_they_are_asked_for(world_with_evidence: World) -> None:
    done = collect(ask(world_with_evidence, "fairness"))
    assert done.status == "done", done.problem
    held = result_of(Evidence.objects.get(kind="fairness"))
    assert (held["label"], held["score"]) == ("churned", "probability")
    (cross,) = held["intersections"]
    assert cross["attributes"] == ["gender", "age_band"]
    assert sum(group["n"] for group in cross["groups"]) == held["rows"]
    assert all(group["calibration"]["n"] == group["n"] for group in cross["groups"])


def test_without_a_scored_data_set_the_model_is_asked(world_with_evidence: World) -> None:
    world = world_with_evidence
    Project.objects.filter(pk=world.project.pk).update(scored_dataset="")
    done = collect(ask(world, "fairness"))
    assert done.status == "done", done.problem
    evidence = Evidence.objects.get(kind="fairness")
    assert evidence.source["model"] == "churn-rf"
    held = result_of(evidence)
    assert [one["attribute"] for one in held["attributes"]] == ["age_band", "gender"]
    for one in held["attributes"]:
        assert sum(group["n"] for group in one["groups"]) == held["rows"]
        assert all(0 < group["true_positives"] <= group["positives"] for group in one["groups"])


def test_a_column_that_the_data_set_lacks_is_named(world_with_evidence: World) -> None:
    Project.objects.filter(pk=world_with_evidence.project.pk).update(score_column="odds")
    failed = collect(ask(world_with_evidence, "fairness"))
    assert (failed.status, "no column “odds”" in failed.problem) == ("failed", True)


@pytest.fixture
def world_with_evidence(world: World) -> World:
    """v2 runs in QA, under the demo's policy."""
    world.began("v2", "qa")
    world.publish(demo.POLICY.read_text())
    Project.objects.filter(pk=world.project.pk).update(
        policy="demo-policy", tier="critical", label_column="churned", score_column="probability"
    )
    return world
