"""Evidence and documents as pages show them: tables, charts and the parts they are about. Judges nothing itself.

The states in a table are those the gate's own checks give; without a policy to ask them they are left out.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from governance import junit
from governance.checks import assess
from governance.gate import Clause
from governance.models import Document, Evidence
from governance.newest import newest
from governance.queries import documents_holding, evidence_holding
from governance.sentences import stage_name
from governance.standards_words import standards_table
from portal.charts import Bar, Interval
from portal.models import Bundle

SHOWN_FEATURES = 10


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One piece of evidence ready to be shown. `tables` depends on `kind`; `about` are the parts it is about."""

    evidence: Evidence
    kind: str
    about: tuple[str, ...]
    stage: str
    tables: Sequence[Mapping[str, Any]]


def exhibits(bundle: Bundle, clauses: Iterable[Clause]) -> list[Exhibit]:
    """The newest evidence of each kind and stage that holds for this bundle's parts, in one query."""
    asked = list(clauses)
    order = [kind.value for kind in Evidence.Kind]
    about = evidence_holding(bundle).select_related("result").exclude(parts={})
    rows = sorted(
        newest(about, "recorded_at", "kind", "name", "stage"), key=lambda row: (row.recorded_at, row.pk)
    )
    # Only tests are of a stage: what is counted holds wherever these parts run.
    latest = {(row.kind, row.name, row.stage if row.kind == Evidence.Kind.TESTS else ""): row for row in rows}
    found = sorted(latest.values(), key=lambda row: (order.index(row.kind), row.name, row.stage))
    return [
        Exhibit(row, row.kind, tuple(sorted(row.parts)), stage_name(row.stage), _tables(row, asked))
        for row in found
    ]


def documents(bundle: Bundle) -> list[Document]:
    """The newest document of each kind that holds for this bundle's parts, by kind."""
    return sorted(newest(documents_holding(bundle), "recorded_at", "kind"), key=lambda row: row.kind)


def _tables(row: Evidence, clauses: Sequence[Clause]) -> Sequence[Mapping[str, Any]]:
    result = json.loads(bytes(row.result.body))
    if row.kind == Evidence.Kind.FAIRNESS:
        asked = [
            clause
            for clause in clauses
            if clause.kind == "evidence" and clause.params.get("kind") == "fairness"
        ]
        return fairness_tables(result, [metric for clause in asked for metric in clause.params["metrics"]])
    if row.kind == Evidence.Kind.EXPLAINABILITY:
        return [explainability_table(result)]
    if row.kind == Evidence.Kind.PROJECT_STANDARDS:
        return [standards_table(result)]
    if row.kind == Evidence.Kind.GOVERN:
        return [{"title": _("Sign-off in Dataiku Govern"), **result}]
    if row.kind == Evidence.Kind.EXTERNAL_CHECK:
        return [{"title": _capital(_plain(row.name)), **result}]
    return [tests_table(result)]


def fairness_tables(result: Mapping[str, Any], metrics: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One table per metric and attribute asked for: each group's people, rate, figure with interval, and state."""
    metrics = metrics or [
        {
            "name": "demographic_parity_ratio",
            "by": [held["attribute"] for held in result["attributes"]],
            "min": 0.8,
        }
    ]
    counts = {held["attribute"]: held["groups"] for held in result["attributes"]}
    found = []
    for judged in assess(result, metrics):
        by_group = {group["group"]: group for group in judged["groups"]}
        found.append(
            {
                "title": _("Fairness by %(attribute)s") % {"attribute": _plain(judged["by"])},
                "metric": _METRICS.get(judged["metric"], _plain(judged["metric"])),
                "state": judged["state"],
                "rows": [
                    _group_row(held, by_group.get(held["group"]), judged["reference"])
                    for held in counts.get(judged["by"], [])
                ],
                "min_group": judged["min_group"],
                "people": result["rows"],
                "unscored": result.get("unscored", 0),
                "favourable": f"{result['outcome']} = {result['favourable']}",
                "threshold": next(iter(judged["threshold"].values())),
            }
        )
    return found


def _group_row(
    held: Mapping[str, Any], judged: Mapping[str, Any] | None, reference: str | None
) -> dict[str, Any]:
    """One group: its counts, its figure with interval and state; the reference and a group too small have none."""
    name = str(held["group"])
    row = {
        "group": name,
        **{key: held[key] for key in ("n", "selected", "rate")},
        "reference": name == reference,
    }
    if judged is not None:
        low, high = judged["interval"] or (None, None)
        mark = Interval(name, judged["value"], low, high, judged["state"])
        row |= {"state": judged["state"], "interval": mark}
    return row


_METRICS = {
    "demographic_parity_ratio": gettext_lazy("Share selected, against the group selected most"),
    "demographic_parity_difference": gettext_lazy("Share selected, less than the group selected most by"),
    "equal_opportunity_difference": gettext_lazy(
        "Found among those who qualify, less than the best group by"
    ),
    "equalized_odds_difference": gettext_lazy("Error rates apart from the best group by"),
    "predictive_parity_difference": gettext_lazy("Right among those selected, less than the best group by"),
}


def explainability_table(result: Mapping[str, Any]) -> dict[str, Any]:
    """What matters most to the model, as bars in per cent, and how well it does in each subpopulation."""
    features = result["features"]
    return {
        "title": _("What matters most to the model"),
        "bars": [Bar(str(one["feature"]), 100 * float(one["share"])) for one in features[:SHOWN_FEATURES]],
        "more": max(0, len(features) - SHOWN_FEATURES),
        "method": str(result.get("method", "")),
        "subpopulations": [
            {
                "feature": one["feature"],
                "name": _plain(one["feature"]),
                "modalities": [m for m in one["modalities"] if not m.get("excluded")],
            }
            for one in result.get("subpopulations", [])
        ],
    }


def junit_run(run: Mapping[str, Any]) -> junit.ScenarioRun:
    """A run as it is kept with the evidence, as JUnit's composer wants it."""
    started, ended = run.get("started_ms"), run.get("ended_ms")
    said = [step["message"] for step in run.get("steps", ()) if step.get("message")]
    return junit.ScenarioRun(
        scenario=run["scenario"],
        name=run["scenario"],
        outcome=run.get("outcome") or "",
        seconds=(ended - started) / 1000 if started and ended else 0.0,
        started=datetime.fromtimestamp(started / 1000, UTC).isoformat() if started else "",
        message="; ".join(said),
    )


def tests_table(result: Mapping[str, Any]) -> dict[str, Any]:
    """Each scenario that ran as a test with its outcome and how long it took, in seconds."""
    runs = [
        {
            "scenario": run["scenario"],
            "outcome": run["outcome"],
            "seconds": (run["ended_ms"] - run["started_ms"]) / 1000
            if run.get("ended_ms") is not None and run.get("started_ms") is not None
            else None,
            "said": "; ".join(
                step["message"]
                for step in run.get("steps", [])
                if step.get("message") and step.get("outcome") != "SUCCESS"
            ),
        }
        for run in result.get("runs", [])
    ]
    passed = sum(run["outcome"] == "SUCCESS" for run in runs)
    return {"title": _("Tests"), "runs": runs, "passed": passed, "all": len(result.get("listed", []))}


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _plain(name: str) -> str:
    return str(name).replace("_", " ").replace("-", " ")
