"""Gathers evidence from the node that runs a bundle, and records it. No row of a scored dataset is kept.

Asking is a person's act; `collect` does the work, may be killed anywhere and repeated: what DSS computes for us is
found again by the ids in `progress`, and nothing is kept until everything is known.
"""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from governance import explainability, fairness_import
from governance.association import MOST_FEATURES, AssociationCounter
from governance.docx import DocumentError, headings
from governance.facts import PARTS
from governance.fairness import GroupCounter
from governance.models import Collection, Document, Evidence
from governance.policy import DEFAULT_MIN_GROUP
from governance.queries import rules_of_tier
from governance.standards import BLUEPRINT
from portal import content, lease, ledger, rights
from portal.canonical import digest
from portal.dss.client import Dss
from portal.dss.connect import connect, is_passing
from portal.dss.errors import DssError
from portal.dss.polling import next_delay
from portal.errors import Invalid, Refused
from portal.event_kinds import EventKind
from portal.models import Bundle, Lane, Node, Person, Project, Right

log = logging.getLogger(__name__)

ATTEMPTS = 8  # times in a row that what may pass may happen: about a minute in all
BROKEN = 3  # times in a row that our own code may break, or DSS forget what it does
FIRST_PAUSE = 0.5  # seconds; doubled each time
AT_ONCE = 0.01
LOST_SECONDS = (
    20.0  # how long the result of a start whose answer was lost is waited for before it is started again
)
COMPUTE_SECONDS = 3600.0
BROKE = (
    "Countersign itself broke while collecting; its log says where. Collect again, or tell an administrator."
)
# How much older than the bundle's registration a build may look: our clock is not the node's.
CLOCKS_APART = timedelta(minutes=5)
RESULT_TYPE = "application/vnd.countersign.evidence+json"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"

# DSS's storage types of numbers.
_NUMBERS = frozenset({"tinyint", "smallint", "int", "bigint", "float", "double", "decimal"})

# Facts of a source that are recorded beside the evidence and say nothing about what was counted.
RECORDED_ONLY = frozenset({"built_at", "promotion", "delivery", "sent_at", "upload", "report"})

# Which parts a kind of evidence or document is about: what else changes leaves it standing.
ABOUT: dict[str, tuple[str, ...]] = {
    "fairness": ("data", "flow", "models", "other"),
    "explainability": ("models", "other"),
    "model-documentation": ("data", "flow", "models", "other"),
    "tests": PARTS,
    "test-report": PARTS,
    "project": ("automation", "flow", "other"),
    "project_standards": PARTS,
    "govern": PARTS,
}


def about(kind: str, bundle: Bundle, result: Mapping[str, Any] | None = None) -> dict[str, str]:
    """The digests of the parts a kind is about, for this bundle; of a result that depends on more, those too."""
    if kind == "explainability" and result is not None and "associations" in result:
        kind = "fairness"  # the scored rows say it, as they say how groups fare
    return {part: bundle.parts[part] for part in ABOUT[kind] if part in bundle.parts}


def ask_collection(*, by: Person, bundle: Bundle, lane: Lane, what: str) -> Collection:
    """Ask for one kind of evidence on a bundle that runs in this lane. Asking twice gives the one under way.

    Raises Absent/Forbidden for the right to request, Invalid for a kind unknown or a project without its source.
    """
    rights.check(by, Right.REQUEST, lane)
    if bundle.project_id != lane.project_id:
        raise rights.absent()
    if what not in Collection.What.values:
        raise Invalid(
            _("“%(what)s” cannot be collected; choose one of %(known)s.")
            % {"what": what, "known": ", ".join(Collection.What.values)},
            code="collection_unknown",
            field="what",
        )
    if not bundle.is_registered:
        raise Refused(
            _("Bundle %(bundle)s is not registered yet.") % {"bundle": bundle.bundle_id},
            code="bundle_not_registered",
        )
    with ledger.business():
        under_way = Collection.objects.filter(
            bundle=bundle, lane=lane, what=what, status=Collection.Status.ASKED
        ).first()
        if under_way is not None:
            return under_way
        try:
            with transaction.atomic():
                collection = Collection.objects.create(bundle=bundle, lane=lane, what=what, asked_by=by)
        except IntegrityError:
            return Collection.objects.get(bundle=bundle, lane=lane, what=what, status=Collection.Status.ASKED)
        ledger.record(
            EventKind.COLLECTION_ASKED,
            by=by,
            project=lane.project.key,
            subject=collection.subject,
            bundle=bundle.bundle_id,
            stage=lane.stage.slug,
            what=what,
        )
        return collection


def collect(*, by: Person, collection_pk: int) -> float | None:
    """Work on a collection. Returns seconds after which to come again, or None when it is over or somebody else's.

    What may pass is tried again after a pause, a few times; whatever else goes wrong ends it with its reason.
    """
    now = timezone.now()
    until = now + timedelta(seconds=settings.LEASE_SECONDS)
    asked = Collection.objects.filter(pk=collection_pk, status=Collection.Status.ASKED)
    if not asked.filter(lease_until__isnull=True).update(lease_until=until):
        # Whoever had it did not come back: that counts, or it would be taken up for ever.
        taken = asked.filter(lease_until__lt=now)
        if not taken.update(lease_until=until, attempts=F("attempts") + 1):
            return None
    collection = Collection.objects.select_related(
        "bundle__project__node", "lane__stage", "lane__project", "asked_by"
    ).get(pk=collection_pk)
    if collection.attempts >= ATTEMPTS:
        _fail(by, collection, "worker_lost", collection.problem or BROKE)
        return None
    try:
        with lease.renewed(asked, until) as held:
            again = _look(by, collection, held)
    except lease.Lost:  # somebody else does it
        return None
    except DssError as error:
        if is_passing(error) and collection.attempts + 1 < ATTEMPTS:
            return _later(held, collection, error.sentence)
        _fail(by, collection, error.code, error.sentence)
        return None
    except (Refused, DocumentError) as refusal:
        _fail(by, collection, refusal.code, refusal.sentence)
        return None
    except Exception:
        log.exception("collection %s broke", collection_pk)
        if collection.attempts + 1 < BROKEN:
            return _later(held, collection, BROKE)
        _fail(by, collection, "broken", BROKE)
        return None
    if again is not None:
        held.rows().update(lease_until=None, progress=collection.progress, attempts=0, problem="")
    return again


def _look(by: Person, collection: Collection, held: lease.Lease) -> float | None:
    place = collection.lane.stage.places.select_related("automation").order_by("slug").first()
    if place is None:
        raise Refused(
            _("%(stage)s has no place to run.") % {"stage": collection.lane.stage.name}, code="place_missing"
        )
    if collection.what == Collection.What.GOVERN:
        _govern(by, collection, held)
        return None
    with connect(place.automation, still=held.check) as dss:
        _runs_there(dss, collection)
        if collection.what == Collection.What.PROJECT_STANDARDS:
            with connect(place.deployer, still=held.check) as deployer:
                _project_standards(by, collection, deployer)
            return None
        found: float | None = _COLLECTORS[collection.what](by, collection, dss)
    return found


def _later(held: lease.Lease, collection: Collection, problem: str) -> float:
    held.rows().update(
        lease_until=None, attempts=F("attempts") + 1, problem=problem, progress=collection.progress
    )
    return float(FIRST_PAUSE * 2**collection.attempts)


def _runs_there(dss: Dss, collection: Collection) -> None:
    """What is counted must be what this bundle makes: it has to be the active one, before and after."""
    active = dss.active_bundle(collection.lane.project.key)
    if active != collection.bundle.bundle_id:
        raise Refused(
            _("%(stage)s runs %(active)s, not %(bundle)s. Bring %(bundle)s there first, then collect again.")
            % {
                "stage": collection.lane.stage.name,
                "active": active or _("nothing"),
                "bundle": collection.bundle.bundle_id,
            },
            code="bundle_not_active",
        )


def _fairness(by: Person, collection: Collection, dss: Dss) -> float | None:
    project = collection.lane.project
    if project.model_id and not project.scored_dataset:
        return _fairness_of_model(by, collection, dss)
    if not (project.scored_dataset and project.outcome_column and project.favourable_value):
        raise Invalid(
            _(
                "This project names no scored dataset with its outcome column and favourable value, and no model. "
                "An administrator can add them."
            ),
            code="fairness_source_missing",
            field="scored_dataset",
        )
    asked = sensitive(project)
    names = [column.name for column in dss.dataset_columns(project.key, project.scored_dataset)]
    label = project.label_column or None
    score = (project.score_column or None) if label else None
    wanted = list(dict.fromkeys([*asked.columns, project.outcome_column, *filter(None, (label, score))]))
    for column in wanted:
        if column not in names:
            raise Invalid(
                _(
                    "Dataset %(dataset)s has no column “%(column)s”. "
                    "Add it to the dataset, or correct the policy or the project."
                )
                % {"dataset": project.scored_dataset, "column": column},
                code="fairness_column_missing",
                field=column,
            )
    built_ms = _built_since(collection, dss)
    counter = GroupCounter(
        asked.columns,
        project.outcome_column,
        project.favourable_value,
        label,
        score=score,
        crosses=asked.crosses,
        columns=wanted,
    )
    for row in dss.iter_rows(project.key, project.scored_dataset, wanted):
        counter.feed(row)
    result = counter.result(asked.least) | {"suppress_below": asked.most}
    _runs_there(dss, collection)
    source = {
        "node": collection.lane.stage.places.first().automation.slug,  # type: ignore[union-attr]
        "dataset": project.scored_dataset,
        "outcome": project.outcome_column,
        "favourable": project.favourable_value,
        "built_at": None if built_ms is None else ledger.instant(_moment(built_ms)),
    }
    _record(by, collection, Evidence.Kind.FAIRNESS, result, source)
    return None


def _fairness_of_model(by: Person, collection: Collection, dss: Dss) -> float | None:
    """What DSS computed of the model by each sensitive column, on the sample it took; crosses it does not know."""
    project = collection.lane.project
    asked = sensitive(project)
    version = _active_version(dss, collection)
    raw = dss.subpopulations(project.key, project.model_id, version)
    if raw is None:
        again = _compute(
            dss,
            collection,
            "subpopulations",
            lambda: dss.start_subpopulations(project.key, project.model_id, version, asked.columns),
        )
        if again > 0:
            return again
        raise Refused(
            _(
                "DSS has no sub-population analysis of model %(model)s. Compute it in DSS, or name a scored dataset, "
                "then collect again."
            )
            % {"model": project.model_id},
            code="fairness_no_analysis",
        )
    result = fairness_import.read({"format": "dss", "analyses": raw}, min_group=asked.least)
    _runs_there(dss, collection)
    source = {"model": project.model_id, "version": version}
    _record(by, collection, Evidence.Kind.FAIRNESS, result | {"suppress_below": asked.most}, source)
    return None


def _built_since(collection: Collection, dss: Dss) -> int | None:
    """When the last build of the scored dataset began, in DSS's milliseconds; None where DSS does not tell.

    Activating a bundle leaves the rows as they are, so rows built earlier are another model's. Raises Refused for
    those, and where the last build failed.
    """
    project, stage = collection.lane.project, collection.lane.stage
    build = dss.dataset_build(project.key, project.scored_dataset)
    if build.succeeded is False and build.started_ms is not None:
        raise Refused(
            _(
                "The last build of dataset %(dataset)s in %(stage)s failed. "
                "Run the scenario that builds it, then collect again."
            )
            % {"dataset": project.scored_dataset, "stage": stage.name},
            code="dataset_build_failed",
        )
    if build.started_ms is not None and build.started_ms < _live_since(collection):
        raise Refused(
            _(
                "Dataset %(dataset)s in %(stage)s was last built at %(built)s, before %(bundle)s was active there, so "
                "another model may have scored it. Run the scenario that builds it, then collect again."
            )
            % {
                "dataset": project.scored_dataset,
                "stage": stage.name,
                "built": f"{_moment(build.started_ms):%Y-%m-%d %H:%M:%S} UTC",
                "bundle": collection.bundle.bundle_id,
            },
            code="dataset_stale",
        )
    return build.started_ms


def _live_since(collection: Collection) -> int:
    """An instant in DSS's milliseconds since when only this bundle can have been active on the node, as far as we know.

    By the node's own clock where its tests ran there: the start of this bundle's, or the end of another's that came
    later (a rollback runs none). Else by ours, when the bundle was registered.
    """
    bundle, stage = collection.bundle, collection.lane.stage
    node = stage.places.order_by("slug").first().automation.slug  # type: ignore[union-attr]
    tests = Evidence.objects.filter(
        kind=Evidence.Kind.TESTS, project=bundle.project, stage=stage.slug, source__node=node
    )
    own, newest = tests.filter(bundle=bundle).first(), tests.first()
    since = min(_times(own, "started_ms"), default=None)
    if since is None:
        registered = bundle.registered_at or bundle.asked_at
        since = int((registered - CLOCKS_APART).timestamp() * 1000)
    others = _times(newest, "ended_ms") if newest != own else []
    return max([since, *others])


def _times(tests: Evidence | None, field: str) -> list[int]:
    """The times of the runs kept with test evidence, without those DSS did not tell."""
    if tests is None:
        return []
    runs = json.loads(content.get(tests.result_id))["runs"]
    return [run[field] for run in runs if run.get(field) is not None]


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


@dataclass(frozen=True, slots=True)
class Sensitive:
    """What the policy asks of a project's fairness at any stage.

    The sensitive columns, which of them are crossed, the smallest number of people that makes a group for any metric,
    and the largest: below that no group is published.
    """

    columns: list[str]
    crosses: list[tuple[str, ...]]
    least: int
    most: int


def sensitive(project: Project) -> Sensitive:
    """What any stage of the project's tier asks; raises Refused where none asks for fairness."""
    metrics = [
        metric
        for rules in rules_of_tier(project).values()
        for clause in rules.requirements
        if clause.kind == "evidence" and clause.params.get("kind") == "fairness"
        for metric in clause.params["metrics"]
    ]
    if not metrics:
        raise Refused(_("The policy asks no fairness evidence of this project."), code="fairness_not_asked")
    asked = [(by,) if isinstance(by, str) else tuple(by) for metric in metrics for by in metric["by"]]
    people = [int(metric.get("min_group", DEFAULT_MIN_GROUP)) for metric in metrics]
    return Sensitive(
        list(dict.fromkeys(column for by in asked for column in by)),
        list(dict.fromkeys(by for by in asked if len(by) > 1)),
        min(people),
        max(people),
    )


def sensitive_if_asked(project: Project) -> Sensitive | None:
    """The same; None where the policy asks no fairness of this project."""
    try:
        return sensitive(project)
    except Refused as refusal:
        if refusal.code != "fairness_not_asked":
            raise
        return None


def _explainability(by: Person, collection: Collection, dss: Dss) -> float | None:
    project = collection.lane.project
    version = _active_version(dss, collection)
    importance = dss.feature_importance(project.key, project.model_id, version)
    if importance is None:
        again = _compute(
            dss,
            collection,
            "importance",
            lambda: dss.start_feature_importance(project.key, project.model_id, version),
        )
        if again > 0:
            return again
    asked = sensitive_if_asked(project)
    attributes = asked.columns if asked else []
    subpopulations = dss.subpopulations(project.key, project.model_id, version)
    if subpopulations is None and attributes and importance is not None:
        again = _compute(
            dss,
            collection,
            "subpopulations",
            lambda: dss.start_subpopulations(project.key, project.model_id, version, attributes),
        )
        if again > 0:
            return again
    names = [] if importance is None else explainability.ranked(importance)
    dependence, again = _dependence(dss, collection, version, names[: explainability.MOST_DRAWN])
    if again > 0:
        return again
    source: dict[str, Any] = {"model": project.model_id, "version": version}
    associations = _associations(collection, dss, names, source)
    result = (
        None
        if importance is None
        else explainability.result(
            importance,
            subpopulations,
            dependence=dependence,
            associations=associations,
            model=_told_of(dss, project, version),
        )
    )
    if result is None:
        raise Refused(
            _("DSS has no feature importance of model %(model)s. Compute it in DSS, then collect again.")
            % {"model": project.model_id},
            code="explainability_empty",
        )
    _runs_there(dss, collection)
    bound = {"suppress_below": asked.most} if asked else {}
    _record(by, collection, Evidence.Kind.EXPLAINABILITY, result | bound, source)
    return None


def _dependence(
    dss: Dss, collection: Collection, version: str, names: Sequence[str]
) -> tuple[Sequence[Mapping[str, Any]] | None, float]:
    """DSS's partial dependences, and after how many seconds to come again for them (0: not at all).

    Not every engine has them, and nothing depends on them: where DSS cannot compute them there are none.
    """
    project, given_up = collection.lane.project, "dependence_given_up"
    found = dss.partial_dependences(project.key, project.model_id, version)
    if found is not None or not names or given_up in collection.progress:
        return found, 0
    try:
        return None, _compute(
            dss,
            collection,
            "dependence",
            lambda: dss.start_partial_dependences(project.key, project.model_id, version, list(names)),
        )
    except (Refused, DssError) as error:
        if isinstance(error, DssError) and is_passing(error):
            raise
        collection.progress[given_up] = True
        return None, 0


def _told_of(dss: Dss, project: Project, version: str) -> dict[str, Any]:
    """What DSS tells of the version itself; nothing where it does not."""
    try:
        details = dss.model_details(project.key, project.model_id, version)
    except DssError as error:
        if is_passing(error):
            raise
        return {}
    return explainability.told_of(
        details.name, details.prediction_type, details.target, details.metrics, details.raw
    )


def _associations(
    collection: Collection, dss: Dss, names: Sequence[str], source: dict[str, Any]
) -> dict[str, Any] | None:
    """How closely the features that matter most go with sensitive columns; None where no stage of the tier asks.

    Counted from the scored dataset in one stream, its source noted in `source`. Where it cannot be, `reason` says why:
    the importance is evidence all the same.
    """
    project = collection.lane.project
    of, top = proxies_asked(project)
    if not of:
        return None
    if not project.scored_dataset:
        return {"reason": "no_dataset"}
    columns = dss.dataset_columns(project.key, project.scored_dataset)
    types = {column.name: column.type for column in columns}
    looked_at = {name: explainability.column_of(name, types) for name in names[:top]}
    counted = list(dict.fromkeys(column for column in looked_at.values() if column is not None))
    dropped = set(counted[MOST_FEATURES:])
    wanted = [column for column in counted if column not in dropped]
    sensitive_ones = [name for name in of if name in types]
    try:
        built_ms = _built_since(collection, dss)
    except Refused as refusal:
        return {"reason": refusal.code}
    told: dict[str, Any] = {"n": 0, "rows": [], "not_counted": []}
    if wanted and sensitive_ones:
        read = list(dict.fromkeys([*wanted, *sensitive_ones]))
        counter = AssociationCounter(
            wanted,
            sensitive_ones,
            numeric=[name for name in wanted if types[name].lower() in _NUMBERS],
            columns=read,
        )
        for row in dss.iter_rows(project.key, project.scored_dataset, read):
            counter.feed(row)
        told = counter.result()
    source |= {
        "dataset": project.scored_dataset,
        "built_at": None if built_ms is None else ledger.instant(_moment(built_ms)),
    }
    return explainability.of_features(told, looked_at, of, dropped)


def proxies_asked(project: Project) -> tuple[list[str], int]:
    """The sensitive columns of which any stage of the tier asks for proxies, and among how many features."""
    asked = [
        clause.params
        for rules in rules_of_tier(project).values()
        for clause in rules.requirements
        if clause.kind == "evidence" and "proxies" in clause.params
    ]
    of = list(dict.fromkeys(name for params in asked for name in params["proxies"]["of"]))
    return of, max((int(params["top"]) for params in asked), default=0)


def _compute(dss: Dss, collection: Collection, what: str, start: Callable[[], str]) -> float:
    """Start a computation or follow it; 0 when it has ended. That it is started is noted before it is.

    A start whose answer was lost is not repeated before its result had time to appear.
    """
    progress, now = collection.progress, timezone.now().timestamp()
    if what not in progress:
        progress[what] = {"since": now}
        return AT_ONCE
    noted = progress[what]
    if "job" not in noted:
        lost = noted.get("lost")
        if collection.attempts > 0 and lost is None:
            noted["lost"] = lost = now
        if lost is not None and now - lost < LOST_SECONDS:
            return next_delay(now - lost)
        noted.pop("lost", None)
        noted["job"] = start()
        return next_delay(0)
    state = dss.future(noted["job"])
    if state.state == "running":
        return next_delay(now - noted["since"])
    if state.state in ("failed", "aborted"):
        raise Refused(
            _("DSS could not compute the %(what)s: %(why)s")
            % {"what": what, "why": state.message or state.state},
            code="dss_computation_failed",
        )
    if f"{what}_done" in progress or now - noted["since"] > COMPUTE_SECONDS:
        return 0
    progress[f"{what}_done"] = True
    return AT_ONCE


def _active_version(dss: Dss, collection: Collection) -> str:
    project = collection.lane.project
    if not project.model_id:
        raise Invalid(
            _("This project names no saved model. An administrator can add it."),
            code="model_unnamed",
            field="model_id",
        )
    version = next((v.id for v in dss.model_versions(project.key, project.model_id) if v.active), None)
    if version is None:
        raise Refused(
            _("Model %(model)s has no active version. Activate one in DSS.") % {"model": project.model_id},
            code="model_inactive",
        )
    return version


def _model_documentation(by: Person, collection: Collection, dss: Dss) -> float | None:
    project = collection.lane.project
    progress = collection.progress
    started = progress.setdefault("documentation", {"starts": 0})
    if "job" not in started:
        if started["starts"] >= BROKEN:
            raise Refused(
                _("DSS forgets the model document while it is made. Try again later."),
                code="documentation_forgotten",
            )
        version = _active_version(dss, collection)
        job = dss.start_model_documentation(project.key, project.model_id, version)
        now = timezone.now().timestamp()
        progress["documentation"] = {
            "job": job,
            "since": now,
            "version": version,
            "starts": started["starts"] + 1,
        }
        return next_delay(0)
    state = dss.future(started["job"])
    if state.state == "running":
        return next_delay(timezone.now().timestamp() - started["since"])
    if state.state == "unknown":  # DSS was restarted: a document can be made again at no harm
        started.pop("job")
        return AT_ONCE
    if state.state != "done" or not state.result:
        raise Refused(
            _("DSS could not generate the model document: %(why)s") % {"why": state.message or state.state},
            code="documentation_failed",
        )
    with dss.open_documentation(project.key, str(state.result)) as stream:
        body = stream.read_all(content.LIMIT)
    _runs_there(dss, collection)
    sections = list(headings(body))
    staged = content.stage_bytes(body, DOCX)
    with ledger.business():
        if not _done(collection):
            return None
        kept = content.put_staged(staged)
        document = Document.objects.create(
            kind="model-documentation",
            project=project,
            bundle=collection.bundle,
            parts=about("model-documentation", collection.bundle),
            title=_("Model documentation of %(model)s") % {"model": project.model_id},
            origin=Document.Origin.GENERATED,
            sections=sections,
            digest=kept.digest,
            content=kept,
            author=by,
        )
        record_document(by=by, document=document)
    return None


def _project_standards(by: Person, collection: Collection, deployer: Dss) -> None:
    """Of the Deployer's copy of this very bundle: what DSS would say of the project now may be of another state."""
    key, bundle = collection.lane.project.key, collection.bundle.bundle_id
    report = deployer.standards_report(key, bundle)
    if report is None:
        raise Refused(
            _(
                "DSS has no project standards report of bundle %(bundle)s. Standards are checked when a bundle is"
                " exported, where the licence has them: register a new bundle."
            )
            % {"bundle": bundle},
            code="standards_missing",
        )
    result = {
        "v": 1,
        "scope": report.scope,
        "checks": [
            {
                "id": one.id,
                "name": one.name,
                "status": one.status,
                "severity": one.severity,
                "message": one.message,
            }
            for one in report.checks
        ],
    }
    _record(
        by, collection, Evidence.Kind.PROJECT_STANDARDS, result, {"node": deployer.node, "bundle": bundle}
    )


def _govern(by: Person, collection: Collection, held: lease.Lease) -> None:
    """The sign-offs of the bundle's artifact. That Govern cannot be asked is a result as well: nobody can tell."""
    node = _govern_node()
    blueprint = next(
        (
            str(clause.params["blueprint"])
            for rules in rules_of_tier(collection.lane.project).values()
            for clause in rules.requirements
            if clause.kind == "govern"
        ),
        BLUEPRINT,
    )
    key, bundle = collection.lane.project.key, collection.bundle.bundle_id
    result: dict[str, Any] = {"v": 1, "artifact": "", "name": "", "signoffs": [], "trouble": ""}
    try:
        with connect(node, still=held.check) as dss:
            found = dss.govern_bundle(key, bundle, blueprint)
    except DssError as error:
        if is_passing(error) and collection.attempts + 1 < ATTEMPTS:
            raise
        result["trouble"] = error.sentence
    else:
        if found is None:
            result["trouble"] = _("it holds no artifact of bundle %(bundle)s of %(project)s") % {
                "bundle": bundle,
                "project": key,
            }
        else:
            result |= {
                "artifact": found.id,
                "name": found.name,
                "signoffs": [{"step": one.step, "status": one.status} for one in found.signoffs],
            }
    _record(by, collection, Evidence.Kind.GOVERN, result, {"node": node.slug, "blueprint": blueprint})


def _govern_node() -> Node:
    nodes = list(Node.objects.filter(kind=Node.Kind.GOVERN)[:2])
    if len(nodes) != 1:
        raise Refused(
            _("The estate has no Govern node. An administrator can add one.")
            if not nodes
            else _(
                "The estate has several Govern nodes, and which of them counts cannot be told. Keep one of them."
            ),
            code="govern_node",
        )
    return nodes[0]


_COLLECTORS: dict[str, Any] = {
    Collection.What.FAIRNESS: _fairness,
    Collection.What.EXPLAINABILITY: _explainability,
    Collection.What.MODEL_DOCUMENTATION: _model_documentation,
}


def record_tests(
    *,
    by: Person | None,
    bundle: Bundle,
    lane: Lane,
    listed: Sequence[str],
    runs: Sequence[dict[str, Any]],
    source: dict[str, Any],
) -> Evidence:
    """Keep the results of test scenarios that the portal ran in a lane. Recording the same results twice is one row."""
    result = {"v": 1, "listed": list(listed), "runs": list(runs)}
    with ledger.business():
        return keep(
            by=by or Person.objects.system(),
            bundle=bundle,
            stage=lane.stage.slug,
            kind=Evidence.Kind.TESTS,
            parts=about("tests", bundle),
            result=result,
            source=source,
        )


def _record(
    by: Person, collection: Collection, kind: str, result: dict[str, Any], source: dict[str, Any]
) -> None:
    with ledger.business():
        if _done(collection):
            keep(
                by=by,
                bundle=collection.bundle,
                stage=collection.lane.stage.slug,
                kind=kind,
                parts=about(kind, collection.bundle, result),
                result=result,
                source=source,
            )


def keep(
    *,
    by: Person,
    bundle: Bundle,
    stage: str,
    kind: str,
    parts: dict[str, str],
    result: dict[str, Any],
    source: dict[str, Any],
    name: str = "",
) -> Evidence:
    """Keep a result about these parts of a bundle, within `ledger.business()`.

    `name` tells it from others of its kind; `stage` is where it was found out, empty where that says nothing.
    """
    kept = content.put_json(result, RESULT_TYPE)
    # Over results and inputs, not time or bundle: what says the same about the same parts is the same evidence.
    same = digest(
        {
            "kind": kind,
            "stage": stage,
            **({"name": name} if name else {}),
            "parts": parts,
            "result": kept.digest,
            "source": {name: source[name] for name in source if name not in RECORDED_ONLY},
        }
    )
    found = (
        Evidence.objects.filter(digest=same, bundle=bundle).first() if kind == Evidence.Kind.TESTS else None
    )
    if found is not None:
        return found
    evidence = Evidence.objects.create(
        kind=kind,
        name=name,
        project=bundle.project,
        bundle=bundle,
        stage=stage,
        parts=parts,
        digest=same,
        result=kept,
        source=source,
        author=by,
    )
    ledger.record(
        EventKind.EVIDENCE_RECORDED,
        by=by,
        project=bundle.project.key,
        subject=evidence.subject,
        evidence=kind,
        bundle=bundle.bundle_id,
        stage=stage,
        digest=same,
        result=kept.digest,
        parts=parts,
        source=source,
    )
    return evidence


def record_document(*, by: Person, document: Document) -> None:
    """The event of a document that was just recorded."""
    ledger.record(
        EventKind.DOCUMENT_RECORDED,
        by=by,
        project=document.project.key,
        subject=document.subject,
        document=document.kind,
        bundle=document.bundle.bundle_id,
        title=document.title,
        digest=document.digest,
        content=document.content_id,
        media_type=document.content.media_type,
        # Headings are people's words like the title. Whatever is asked of them is in the content, which is pinned.
        sections="\n".join(document.sections),
        parts=document.parts,
        origin=document.origin,
    )


def _done(collection: Collection) -> bool:
    return bool(
        Collection.objects.filter(pk=collection.pk, status=Collection.Status.ASKED).update(
            status=Collection.Status.DONE, ended_at=timezone.now(), lease_until=None, problem=""
        )
    )


def _fail(by: Person, collection: Collection, code: str, sentence: str) -> None:
    with ledger.business():
        if Collection.objects.filter(pk=collection.pk, status=Collection.Status.ASKED).update(
            status=Collection.Status.FAILED, problem=sentence, ended_at=timezone.now(), lease_until=None
        ):
            ledger.record(
                EventKind.COLLECTION_FAILED,
                by=by,
                project=collection.lane.project.key,
                subject=collection.subject,
                bundle=collection.bundle.bundle_id,
                stage=collection.lane.stage.slug,
                what=collection.what,
                code=code,
                reason=sentence,
            )
