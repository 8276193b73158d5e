"""Explainability evidence: brought over the API and the page, shown with its curves, judged against what runs."""

import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from deployments.judging import judge_bundle, judge_many, judge_now, record_verdict
from deployments.models import Deployment
from governance.actions import evidence as collecting
from governance.actions import policies
from governance.models import Collection, Evidence
from governance.report.collect import collect
from governance.report.compose import compose
from portal import checkpoints
from portal.models import Bundle
from tests.api import session
from tests.cast import POLICY, Cast
from tests.factories import bundle_registered, collected, request_at, runs_in
from tests.pages import signed_in, words
from tests.unit.test_explainability_import import SHAP, changed

PLAIN = "top: 10, forbid: [gender]}"
ASKED = "top: 10, forbid: [gender], proxies: {of: [gender], max: 0.3}, drift: {max_share_change: 0.1}}"
EVIDENCE = "projects/CHURN/bundles/v1/evidence/"
PAGE = "/projects/CHURN/bundles/v1/"
RETRAINED = {"project_config/saved_models/churn_model.json": {"algorithm": "FOREST"}}


@pytest.fixture
def asking(cast: Cast) -> Cast:
    """The policy asks for proxies and drift, too."""
    assert PLAIN in POLICY
    policies.publish(by=cast.ada, source=POLICY.replace(PLAIN, ASKED))
    return cast


def brought(cast: Cast, figures: Any = SHAP, bundle: str = "v1") -> Evidence:
    path = f"projects/CHURN/bundles/{bundle}/evidence/"
    made = session(cast.dev).post(path, kind="explainability", stage="qa", content=figures)
    return Evidence.objects.get(pk=made["id"])


def finding(cast: Cast, bundle: Bundle) -> Any:
    judged = judge_bundle(bundle, cast.prod, cast.dev)
    return next(one for one in judged.verdict.findings if one.key == "evidence:explainability")


def test_shap_values_are_brought_over_the_api(asking: Cast) -> None:
    bundle = bundle_registered(asking)
    evidence = brought(asking)
    assert (evidence.author, evidence.kind, evidence.source["format"]) == (
        asking.dev,
        "explainability",
        "shap",
    )
    assert evidence.parts == collecting.about("fairness", bundle)  # the associations are of data
    held = session(asking.fay).get(f"evidence/{evidence.pk}/")["result"]
    assert held["features"][0]["feature"] == "tenure"
    groups = {row["modality"]: row for row in held["subpopulations"][0]["modalities"]}
    assert groups["M"] == {"modality": "M", "suppressed": True}  # twelve people
    assert groups["F"] == {
        "modality": "F",
        "suppressed": True,
    }  # or the twelve are what is missing of the whole
    assert held["suppress_below"] == 50


def test_without_associations_it_is_about_the_model_alone(asking: Cast) -> None:
    bundle = bundle_registered(asking)
    evidence = brought(asking, {name: held for name, held in SHAP.items() if name != "associations"})
    assert evidence.parts == collecting.about("explainability", bundle)


@pytest.mark.parametrize(
    "content, field",
    [
        ({"format": "shap"}, "features"),
        (changed("associations", 0, "value", to=2), "associations[0].value"),
        ([], "content"),
    ],
)
def test_what_cannot_be_read_is_refused_by_field(asking: Cast, content: Any, field: str) -> None:
    bundle_registered(asking)
    body = {"kind": "explainability", "stage": "qa", "content": content}
    problem = session(asking.dev).refused(400, "post", EVIDENCE, body)
    assert field in json.dumps(problem)
    assert not Evidence.objects.filter(kind="explainability").exists()


def test_it_is_brought_on_the_page_and_says_whose_it_is(asking: Cast) -> None:
    bundle_registered(asking)
    client = signed_in(asking.dev)
    form = {"stage": "qa", "kind": "explainability"}
    file = SimpleUploadedFile("shap.json", json.dumps(SHAP).encode())
    said = words(client.post(PAGE + "evidence/", {**form, "upload": file}, follow=True))
    assert "recorded as yours, so you cannot sign for them" in said
    assert "share of all importance, by SHAP · 5,000 rows" in said
    assert "Brought of v1 in QA (SHAP)" in said
    assert "Mean prediction as one feature moves" in said
    assert "fewer than 50 people" in said
    said = words(client.post(PAGE + "evidence/", {**form, "text": "{}"}))
    assert "format: format is missing." in said
    said = words(client.post(PAGE + "evidence/", {**form, "kind": "tests", "text": "{}"}))
    assert "tests is not one of the available choices" in said


def test_what_was_not_counted_is_told_on_the_page(asking: Cast) -> None:
    bundle = bundle_registered(asking)
    collected(asking, bundle, Collection.What.EXPLAINABILITY)
    said = words(signed_in(asking.fay).get(PAGE))
    assert "by DSS Shapley" in said
    assert "Proxies of sensitive columns Cannot tell" in said
    assert "the scored dataset has no such column" in said
    assert finding(asking, bundle).code == "explainability_proxy_unclear"


# --- drift ---


def two_bundles(cast: Cast) -> tuple[Bundle, Bundle]:
    first = bundle_registered(cast)
    return first, bundle_registered(cast, "v2", RETRAINED)


def with_all_pairs(**shares: float) -> dict[str, Any]:
    pair = SHAP["associations"][0]
    return {
        "format": "shap",
        "features": [{"feature": name, "mean_abs": share} for name, share in shares.items()],
        "associations": [{**pair, "feature": name} for name in shares],
    }


def runs_in_production(cast: Cast, bundle: Bundle) -> None:
    """As if it had got there: the gate is asked in other tests."""
    Deployment.objects.filter(bundle=bundle).delete()
    runs_in(cast, bundle, cast.qa)
    Deployment.objects.filter(bundle=bundle).update(lane=cast.prod, place=cast.prod.stage.places.get())


def test_the_first_bundle_has_nothing_to_drift_from(asking: Cast) -> None:
    first, _second = two_bundles(asking)
    brought(asking, with_all_pairs(tenure=0.6, calls=0.4))
    found = finding(asking, first)
    assert (found.state, found.params["drift"]["reason"]) == ("met", "first")


def test_drift_is_against_what_runs_in_the_stage(asking: Cast) -> None:
    first, second = two_bundles(asking)
    brought(asking, with_all_pairs(tenure=0.6, calls=0.4))
    brought(asking, with_all_pairs(tenure=0.1, calls=0.9), "v2")
    runs_in(asking, first, asking.qa)  # not in production
    assert finding(asking, second).params["drift"]["reason"] == "first"
    runs_in_production(asking, first)
    found = finding(asking, second)
    assert (found.state, found.code) == ("not_met", "explainability_drifted")
    assert found.params["drift"]["bundle"] == "v1"
    assert finding(asking, first).state == "met"  # it is what runs
    wish = request_at(asking, bundle=second, lane=asking.prod)
    (many,) = judge_many([wish]).values()
    codes = {one.code for one in many.verdict.findings}  # type: ignore[union-attr]
    assert "explainability_drifted" in codes
    for path in ("", "sign/sign_off:explainability/"):
        said = words(signed_in(asking.eli).get(f"/projects/CHURN/requests/{wish.pk}/{path}"))
        assert "Against v1, which runs there, calls moved most" in said
        assert "+50.0 points" in said


def test_the_report_says_of_proxies_and_drift_what_was_found(asking: Cast) -> None:
    first, second = two_bundles(asking)
    brought(asking, with_all_pairs(tenure=0.6, calls=0.4))
    brought(asking, with_all_pairs(tenure=0.1, calls=0.9), "v2")
    runs_in_production(asking, first)
    wish = request_at(asking, bundle=second, lane=asking.prod)
    record_verdict(wish, judge_now(wish), moment="submit")
    report = compose(collect(project="CHURN", about=wish.subject, checkpoint=checkpoints.cut()))
    found = {
        drawing.heading: line
        for piece in report.evidence
        for drawing in piece.drawings
        for line in drawing.found
    }
    drift = found["Against what ran there"]
    assert (drift.title, drift.state, drift.word) == ("", "not_met", "Not met")
    assert drift.because.startswith("Against v1, which runs there, calls moved most")
    assert (found["Proxies of sensitive columns"].state, found["Proxies of sensitive columns"].word) == (
        "met",
        "Met",
    )


def test_without_evidence_of_what_runs_it_cannot_be_told(asking: Cast) -> None:
    first, second = two_bundles(asking)
    brought(asking, with_all_pairs(tenure=0.6, calls=0.4), "v2")
    runs_in_production(asking, first)
    found = finding(asking, second)
    assert (found.state, found.params["drift"]["reason"]) == ("cannot_tell", "no_evidence")


def test_a_policy_that_does_not_ask_reads_nothing_of_what_runs(cast: Cast) -> None:
    first, second = two_bundles(cast)
    runs_in_production(cast, first)
    assert judge_bundle(second, cast.prod, cast.dev).case.live is None
