"""Makes what tests start from by walking the real actions, so that the ledger in a test is a true one.

Where an action would ask a DSS, the answers come from a few lines here. Rows by the thousand are made elsewhere, where
only their number matters.
"""

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Self
from unittest.mock import patch

from django.db.models import Q
from django.utils import timezone

from deployments import attempts
from deployments.actions import promotions, requests, signing
from deployments.models import Deployment, DeploymentRequest, Promotion, Step
from governance.actions import documents, evidence
from governance.models import Collection, Document, Evidence, SignOff
from portal import ledger
from portal.actions import bundles
from portal.demo.cast import PASSWORD
from portal.dss.sandbox import docx
from portal.dss.values import Build, BundleInfo, Column, FutureState, ModelDetails, ModelVersion
from portal.event_kinds import EventKind
from portal.models import Bundle, Lane, Node, Person
from portal.reauthentication import Password
from tests.cast import Cast

Members = Mapping[str, Any]
MEMBERS: Members = {
    "project_config/datasets/customers.json": {"type": "PostgreSQL"},
    "project_config/recipes/score.py": "score(customers)",
    "project_config/saved_models/churn_model.json": {"algorithm": "LOGISTIC_REGRESSION"},
    "project_config/scenarios/TEST_ROWS.json": {"active": True},
    "project_config/dashboards/overview.json": {"title": "Churn"},
    "project_config/params.json": {"variables": {}},
}
# What the demo's policy asks to be collected.
TO_READ = (
    Collection.What.FAIRNESS,
    Collection.What.EXPLAINABILITY,
    Collection.What.MODEL_DOCUMENTATION,
)
SECTIONS = ("Purpose", "Data", "Performance", "Limits")


# --- bundles ----------------------------------------------------------------------------------------------------------


def archive(project: str, bundle_id: str, members: Members, exported_by: str = "portal") -> bytes:
    """A bundle archive as a design node exports it."""
    head = {"projectKey": project, "bundleId": bundle_id, "exportedBy": exported_by}
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as file:
        for path, value in {"export-manifest.json": head, **members}.items():
            file.writestr(path, value if isinstance(value, str | bytes) else json.dumps(value))
    return body.getvalue()


class Dss:
    """Answers what the actions ask a node, from what a test says. `held`: archives by bundle id."""

    def __init__(
        self, bundle: Bundle, members: Members = MEMBERS, *, exported_by: str = "portal", women: float = 0.5
    ) -> None:
        self._bundle = bundle
        self._members = members
        self._exported_by = exported_by
        self._women = women
        self._there = {bundle.bundle_id} if bundle.origin == Bundle.Origin.PICKED else set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None: ...

    def list_bundles(self, _project: str) -> list[BundleInfo]:
        return [BundleInfo(bundle_id, self._exported_by, None) for bundle_id in self._there]

    def export_bundle(self, _project: str, bundle_id: str, _notes: str) -> None:
        self._there.add(bundle_id)

    @contextmanager
    def open_bundle(self, project: str, bundle_id: str) -> Iterator[Iterator[bytes]]:
        yield iter([archive(project, bundle_id, self._members, self._exported_by)])

    def active_bundle(self, _project: str) -> str:
        return self._bundle.bundle_id

    def dataset_columns(self, _project: str, _dataset: str) -> tuple[Column, ...]:
        return tuple(Column(name, "string") for name in ("gender", "age_band", "offer"))

    def dataset_build(self, _project: str, _dataset: str) -> Build:
        return Build(started_ms=None, succeeded=None)

    def iter_rows(self, _project: str, _dataset: str, _columns: list[str]) -> Iterator[list[str]]:
        """Two hundred people in each of four groups; of the men half get the offer, of the women as told."""
        for gender, rate in (("M", 0.5), ("F", self._women)):
            for band in ("young", "old"):
                for number in range(200):
                    yield [gender, band, "yes" if number < 200 * rate else "no"]

    def model_versions(self, _project: str, _model: str) -> list[ModelVersion]:
        return [ModelVersion(id="initial", active=True, name="initial")]

    def feature_importance(self, *_version: str) -> dict[str, float]:
        return {"tenure": 0.6, "calls": 0.3, "region": 0.1}

    def subpopulations(self, *_version: str) -> dict[str, Any]:
        return {"subpopulationAnalyses": []}

    def partial_dependences(self, *_version: str) -> list[dict[str, Any]]:
        return [{"feature": "tenure", "data": [{"value": 1, "average": 0.5}, {"value": 9, "average": 0.2}]}]

    def model_details(self, *_version: str) -> ModelDetails:
        raw = {"details": {"modeling": {"algorithm": "LOGISTIC_REGRESSION"}}}
        return ModelDetails("S-CHURN", "Churn", "BINARY_CLASSIFICATION", "churned", {"auc": 0.81}, raw)

    def start_model_documentation(self, *_version: str) -> str:
        return "job"

    def future(self, _job: str) -> FutureState:
        return FutureState(state="done", result="export")

    @contextmanager
    def open_documentation(self, _project: str, _export: str) -> Iterator["_Stream"]:
        yield _Stream(_documentation())


@cache
def _documentation() -> bytes:
    """One text, byte for byte: a Word file carries the second it was made in."""
    return docx.document("Churn", [(section, ["As it is."]) for section in SECTIONS])


class _Stream:
    def __init__(self, body: bytes) -> None:
        self._body = body

    def read_all(self, _limit: int) -> bytes:
        return self._body


@contextmanager
def answering(module: Any, dss: Dss) -> Iterator[None]:
    """Let an action's module reach `dss` instead of a node."""

    def connect(_node: Node, **_options: Any) -> Dss:
        return dss

    with patch.object(module, "connect", connect):
        yield


def bundle_asked(cast: Cast, bundle_id: str = "v1", **wish: Any) -> Bundle:
    """A bundle of churn that Dev asked for and nobody fetched yet."""
    return bundles.ask_bundle(**{"by": cast.dev, "project": cast.churn, "bundle_id": bundle_id, **wish})


def bundle_registered(
    cast: Cast, bundle_id: str = "v1", members: Members | None = None, **wish: Any
) -> Bundle:
    """A registered bundle of churn; `members` replace or add members of MEMBERS, and so change the parts' digests."""
    bundle = bundle_asked(cast, bundle_id, **wish)
    with answering(bundles, Dss(bundle, {**MEMBERS, **(members or {})})):
        bundles.register(by=Person.objects.system(), bundle_pk=bundle.pk)
    bundle = Bundle.objects.select_related("project", "author", "asked_by").get(pk=bundle.pk)
    assert bundle.is_registered, bundle.problem
    return bundle


# --- evidence, documents, sign-offs -----------------------------------------------------------------------------------


def collected(
    cast: Cast, bundle: Bundle, what: str, *, women: float = 0.5, lane: Lane | None = None
) -> Collection:
    """Evidence or a generated document, collected from QA. `women`: share of women who get the offer (men: 0.5)."""
    collection = evidence.ask_collection(by=cast.dev, bundle=bundle, lane=lane or cast.qa, what=what)
    with answering(evidence, Dss(bundle, women=women)):
        while evidence.collect(by=Person.objects.system(), collection_pk=collection.pk) is not None:
            pass
    collection.refresh_from_db()
    assert collection.status == Collection.Status.DONE, collection.problem
    return collection


def fairness_of(cast: Cast, bundle: Bundle, *, women: float = 0.5) -> Evidence:
    """Fairness evidence on a bundle."""
    collected(cast, bundle, Collection.What.FAIRNESS, women=women)
    return Evidence.objects.filter(bundle=bundle, kind=Evidence.Kind.FAIRNESS).latest("pk")


def intended_use(cast: Cast, bundle: Bundle) -> Document:
    """The written document on the intended use."""
    return documents.write(
        by=cast.dev,
        bundle=bundle,
        kind="intended-use",
        title="Intended use",
        text="# Purpose\nOffers to customers who may leave.\n",
    )


def tests_passed(cast: Cast, bundle: Bundle) -> Evidence:
    """The results of its test scenarios in QA."""
    runs = [{"scenario": "TEST_ROWS", "outcome": "SUCCESS"}]
    return evidence.record_tests(
        by=None, bundle=bundle, lane=cast.qa, listed=["TEST_ROWS"], runs=runs, source={}
    )


def to_read(cast: Cast, bundle: Bundle) -> None:
    """What the policy wants signers to read before they approve: all evidence that is collected, and both documents."""
    for what in TO_READ:
        collected(cast, bundle, what)
    intended_use(cast, bundle)


def all_but_signed(cast: Cast, bundle: Bundle) -> None:
    """Everything that production asks of a bundle except the three signatures: it ran in QA for a minute, too."""
    runs_in(cast, bundle, cast.qa, since=timezone.now() - timedelta(minutes=1))
    tests_passed(cast, bundle)
    to_read(cast, bundle)


def signed(
    by: Person, request: DeploymentRequest, role: str, decision: str = "approve", comment: str = ""
) -> SignOff:
    """A signature on a request by the holder of a role."""
    requirement = f"sign_off:{role}"
    shown = signing.draft(by=by, request=request, requirement=requirement)
    return signing.sign(
        by=by,
        proof=Password(PASSWORD),
        request=request,
        requirement=requirement,
        decision=decision,
        bound=shown.bound,
        comment=comment,
    )


def all_signed(cast: Cast, request: DeploymentRequest) -> None:
    """The three signatures that production asks for; what they are about has to be there."""
    for person, role in ((cast.fay, "fairness"), (cast.eli, "explainability"), (cast.ravi, "model-risk")):
        signed(person, request, role)


# --- requests and promotions ------------------------------------------------------------------------------------------


def request_at(
    cast: Cast, status: str = "open", bundle: Bundle | None = None, lane: Lane | None = None
) -> DeploymentRequest:
    """A request that is open, held, promoting, done, withdrawn or superseded; by default of churn v1 to QA, by Dev."""
    bundle = (
        bundle or Bundle.objects.filter(project=cast.churn, bundle_id="v1").first() or bundle_registered(cast)
    )
    request = requests.submit(by=cast.dev, bundle=bundle, lane=lane or cast.qa, why="It is better.")
    if status == "withdrawn":
        requests.withdraw(by=cast.dev, request=request, why="Not now.")
    elif status == "superseded":
        newer = bundle_registered(cast, f"{bundle.bundle_id}.newer")
        requests.submit(by=cast.dev, bundle=newer, lane=request.lane, why="It is newer.")
    elif status in ("held", "promoting", "done"):
        promotion = promotions.promote(by=cast.mona, request=request, why="")
        if status == "held":
            failed(promotion)
        elif status == "done":
            succeeded(promotion)
    else:
        assert status == "open", status
    return DeploymentRequest.objects.select_related(
        "lane__project", "lane__stage", "bundle__author", "bundle__project", "requested_by", "on_behalf_of"
    ).get(pk=request.pk)


def promotion_of(request: DeploymentRequest) -> Promotion:
    """The latest promotion of a request."""
    return (
        Promotion.objects.select_related("lane__project", "lane__stage", "place", "bundle", "request")
        .filter(request=request)
        .latest("pk")
    )


def runs_in(cast: Cast, bundle: Bundle, lane: Lane, *, since: datetime | None = None) -> Deployment:
    """A bundle that runs in a lane after a promotion through all its steps."""
    promotion = promotion_of(request_at(cast, "promoting", bundle, lane))
    now_runs(promotion, since=since)
    succeeded(promotion)
    return Deployment.objects.get(promotion=promotion)


def went_live(promotion: Promotion) -> None:
    """Begin the live change, as its step does."""
    Promotion.objects.filter(pk=promotion.pk).update(live_at=timezone.now())
    promotion.refresh_from_db()


def now_runs(promotion: Promotion, *, since: datetime | None = None) -> None:
    """Write down that the promotion's bundle runs in its place now, as the step that confirms it does."""
    went_live(promotion)
    now = since or timezone.now()
    there = Deployment.objects.filter(
        place=promotion.place, deployable=promotion.lane.project.key, ended_at__isnull=True
    )
    previous = there.select_related("bundle").first()
    with ledger.business():
        there.update(ended_at=now)
        Deployment.objects.create(
            lane=promotion.lane,
            place=promotion.place,
            deployable=promotion.lane.project.key,
            bundle=promotion.bundle,
            promotion=promotion,
            since=now,
        )
        ledger.record(
            EventKind.DEPLOYMENT_CHANGED,
            by=None,
            project=promotion.lane.project.key,
            subject=promotion.subject,
            stage=promotion.lane.stage.slug,
            place=promotion.place.infra_id,
            bundle=promotion.bundle.bundle_id,
            previous=previous.bundle.bundle_id if previous else None,
            promotion=promotion.pk,
            parts=dict(promotion.bundle.parts),
        )


def succeeded(promotion: Promotion) -> None:
    """Bring a running promotion to its good end, all steps done and its watch complete."""
    now = timezone.now()
    with ledger.business():
        Step.objects.filter(promotion=promotion).update(status=Step.Status.DONE, started_at=now, ended_at=now)
        Deployment.objects.filter(promotion=promotion).update(watched_at=now)
        attempts.succeed(promotion)


def failed(promotion: Promotion, reason: str = "The smoke test failed.") -> Promotion | None:
    """End a running promotion as failed; returns its rollback, if it had gone live."""
    with ledger.business():
        first = (
            Step.objects.filter(~Q(status=Step.Status.DONE), promotion=promotion).order_by("position").first()
        )
        assert first is not None
        Step.objects.filter(pk=first.pk).update(status=Step.Status.FAILED, problem=reason)
        return attempts.fail(promotion, verb="fail", code="smoke_failed", reason=reason)
