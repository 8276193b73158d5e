"""Evidence and documents as pages show them: tables, charts and the parts they are about. Judges nothing itself.

The states in a table are those the gate's own checks give; without a policy to ask them they are left out.
"""

import json
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from governance import explainability_charts as charts
from governance import fairness, junit
from governance.briefs import anchor, brief, forbidden_part
from governance.explainability_import import FORMATS as EXPLAINED_FORMATS
from governance.facts import LiveFact
from governance.fairness_charts import MOST_GROUPS, RATES, compared_chart, kinds_of
from governance.fairness_import import FORMATS
from governance.gate import Clause
from governance.intervals import wilson
from governance.live import live_facts
from governance.models import Document, Evidence
from governance.newest import newest
from governance.parity import BY_SCORE, NOT_COUNTED, assess
from governance.queries import documents_holding, evidence_holding
from governance.sentences import (
    column_name,
    fairness_row,
    group_name,
    method_name,
    metric_name,
    recipe_limits,
    stage_name,
    threshold_words,
    with_interval,
)
from governance.standards_words import standards_table
from governance.suppression import by_score, hidden, least_of
from governance.testing import DESIGN, STAGED, project_of
from portal.models import Bundle

SHOWN_FEATURES = 10
SHOWN_TESTS = 12


@dataclass(frozen=True, slots=True)
class Live:
    """What runs now where the bundle is to go: another bundle, and the stage as it is printed."""

    bundle: Bundle
    stage: str


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One piece of evidence ready to be shown. `tables` depends on `kind`; `about` are the parts it is about."""

    evidence: Evidence
    kind: str
    about: tuple[str, ...]
    stage: str
    tables: Sequence[Mapping[str, Any]]

    @property
    def brought(self) -> str:
        """Whose figures they are where somebody brought them, such as Fairlearn; else an empty text."""
        return (FORMATS | EXPLAINED_FORMATS).get(str(self.evidence.source.get("format")), "")

    @property
    def anchor(self) -> str:
        """Where it stands on a page: links lead there."""
        tested = self.kind in (Evidence.Kind.TESTS, Evidence.Kind.REPORT)
        return anchor(self.kind, self.evidence.name, self.evidence.stage if tested else "")


def exhibits(bundle: Bundle, clauses: Iterable[Clause], live: Live | None = None) -> list[Exhibit]:
    """The newest evidence of each kind and stage that holds for this bundle's parts, in one query.

    With `live`, fairness and importance stand beside those of what runs there now: a query more for each.
    """
    asked = list(clauses)
    order = [kind.value for kind in Evidence.Kind]
    about = evidence_holding(bundle).select_related("result").exclude(parts={})
    rows = sorted(
        newest(about, "recorded_at", "kind", "name", "stage"), key=lambda row: (row.recorded_at, row.pk)
    )
    # Tests are of a stage: what is counted holds wherever these parts run.
    latest = {(row.kind, row.name, row.stage if row.kind in STAGED else ""): row for row in rows}
    if not any(clause.params.get("from") == "bundle" for clause in asked):
        # Every bundle has it; it matters where it is asked for.
        latest.pop((Evidence.Kind.PROJECT.value, "", DESIGN), None)
    found = sorted(latest.values(), key=lambda row: (order.index(row.kind), row.name, row.stage))
    fairness_there = None
    if live is not None and any(row.kind == Evidence.Kind.FAIRNESS for row in found):
        of_live = evidence_holding(live.bundle).filter(kind=Evidence.Kind.FAIRNESS).exclude(parts={})
        fairness_there = of_live.select_related("result").order_by("recorded_at", "pk").last()
    explained_there = None
    if live is not None and any(row.kind == Evidence.Kind.EXPLAINABILITY for row in found):
        (explained_there,) = live_facts([live.bundle])
    return [
        Exhibit(
            row,
            row.kind,
            tuple(sorted(row.parts)),
            stage_name(row.stage),
            [
                {**table, "brief": brief(row.kind, table)}
                for table in _tables(
                    row, asked, live if fairness_there != row else None, fairness_there, explained_there
                )
            ],
        )
        for row in found
    ]


def documents(bundle: Bundle) -> list[Document]:
    """The newest document of each kind that holds for this bundle's parts, by kind."""
    return sorted(newest(documents_holding(bundle), "recorded_at", "kind"), key=lambda row: row.kind)


def _tables(
    row: Evidence,
    clauses: Sequence[Clause],
    live: Live | None,
    there: Evidence | None,
    beside_it: LiveFact | None,
) -> Sequence[Mapping[str, Any]]:
    result = json.loads(bytes(row.result.body))
    if row.kind == Evidence.Kind.FAIRNESS:
        asked = [
            clause
            for clause in clauses
            if clause.kind == "evidence" and clause.params.get("kind") == "fairness"
        ]
        metrics = [metric for clause in asked for metric in clause.params["metrics"]]
        tables = fairness_tables(result, metrics)
        if live is not None and there is not None:
            beside = fairness_tables(json.loads(bytes(there.result.body)), metrics)
            known = {(str(one["by"]), one["name"]): one for one in beside}
            for table in tables:
                table["live"] = _live(live, known.get((str(table["by"]), table["name"])))
        return tables
    if row.kind == Evidence.Kind.EXPLAINABILITY:
        # What is told twice of the same evidence is told once, unless the policy asks.
        same = beside_it is not None and beside_it.evidence == row.digest
        return [explainability_table(result, clauses, beside_it, same=same)]
    if row.kind == Evidence.Kind.PROJECT_STANDARDS:
        return [standards_table(result)]
    if row.kind == Evidence.Kind.GOVERN:
        return [{"title": _("Sign-off in Dataiku Govern"), **result}]
    if row.kind == Evidence.Kind.EXTERNAL_CHECK:
        return [{"title": _capital(_plain(row.name)), **result}]
    if row.kind == Evidence.Kind.PROJECT:
        return [project_table(result, clauses)]
    return [tests_table(result)]


def fairness_tables(result: Mapping[str, Any], metrics: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One table per metric and column, or cross of columns, asked for: each group's counts, rate, state, and a chart.

    Groups too small to publish, and those that would give one away, come without their counts.
    """
    found = fairness.tables(result)
    metrics = metrics or [
        {"name": "demographic_parity_ratio", "by": [one.by for one in found], "min": DEFAULT_RATIO}
    ]
    away = hidden(result)
    least = least_of(result)
    return [
        _fairness_table(result, judged, fairness.table_of(found, judged["by"]), away, least)
        for judged in assess(result, metrics, MOST_GROUPS)
    ]


def _fairness_table(
    result: Mapping[str, Any],
    judged: Mapping[str, Any],
    table: fairness.Table | None,
    away: Mapping[tuple[str, ...], frozenset[tuple[str, ...]]],
    least: int,
) -> dict[str, Any]:
    name = str(judged["metric"])
    title = _("Fairness by %(attribute)s: %(metric)s") % {
        "attribute": column_name(judged["by"]),
        "metric": metric_name(name),
    }
    kinds = kinds_of(name) or (CALIBRATED,)
    groups = (table.groups or ()) if table is not None and judged["reason"] not in NOT_COUNTED else ()
    secret = away.get(table.by, frozenset()) if table is not None else frozenset()
    if name == BY_SCORE:
        rows = _score_rows(groups, judged, secret, least)
    else:
        rows = [_group_row(group, judged, kind, secret, least) for kind in kinds for group in groups]
    if len(kinds) > 1:
        for row in rows:
            row["of"] = RATES[row["kind"]]
    return {
        "title": title,
        "name": name,
        "by": judged["by"],
        "state": judged["state"],
        "said": fairness_row(judged),
        "heads": _HEADS[kinds[0]] if len(kinds) == 1 else _HEADS[""],
        "rows": rows[:SHOWN_ROWS],
        "more": max(0, len(rows) - SHOWN_ROWS),
        "chart": compared_chart(judged, title),
        "min_group": judged["min_group"],
        "people": result["rows"],
        "unscored": result.get("unscored", 0),
        "favourable": f"{result['outcome']} = {result['favourable']}",
        "asked": threshold_words(judged),
        "figure": with_interval(judged["value"], judged["interval"]) if judged["interval"] else "",
        "short": _figure(judged["value"], judged["interval"]) if judged["interval"] else "",
        "live": None,
    }


def _group_row(
    held: Mapping[str, Any],
    judged: Mapping[str, Any],
    kind: str,
    secret: Set[tuple[str, ...]],
    least: int,
) -> dict[str, Any]:
    """One group by one rate: its counts, its figure with interval and state; the reference has none."""
    key = fairness.key_of(held)
    name = fairness.name_of(key)
    mine = [one for one in judged["groups"] if one["of"] == kind]
    row: dict[str, Any] = {
        "group": name,
        "kind": kind,
        "secret": key in secret,
        "least": max(least, judged["min_group"]) if held["n"] < judged["min_group"] else least,
        "small": held["n"] < max(least, judged["min_group"]),
        "reference": bool(mine) and name == mine[0]["reference"],
    }
    if not row["secret"]:
        row |= _counts(held, kind)
    one = next((one for one in mine if one["group"] == name), None)
    if one is not None:
        row |= {"state": one["state"], "figure": _figure(one["value"], one["interval"])}
    return row


def _score_rows(
    groups: Sequence[Mapping[str, Any]],
    judged: Mapping[str, Any],
    secret: Set[tuple[str, ...]],
    least: int,
) -> list[dict[str, Any]]:
    """Each group's people by score, so far as they may be told; else each group with its figures alone."""
    shown = by_score(groups, secret, least)  # cut as everywhere, or two cuts would be told apart
    if not shown:
        return [
            {
                "group": group_name(one),
                "kind": CALIBRATED,
                "secret": True,
                "small": False,
                "state": one["state"],
                "figure": _figure(one["value"], one["interval"]),
            }
            for one in judged["groups"]
        ]
    return [
        {
            "group": group_name(
                {"group": fairness.name_of(fairness.key_of(group)), "score": [part["from"], part["to"]]}
            ),
            "kind": CALIBRATED,
            "secret": False,
            "small": False,
            "of_part": True,
            **_parted(part),
        }
        for group, parts in zip(groups, shown, strict=True)
        for part in parts
    ]


def _parted(told: Mapping[str, Any]) -> dict[str, Any]:
    low, high = told["interval"]
    return _calibrated(told) | {"figure": _figure(told["gap"], [low, high])}


def _calibrated(told: Mapping[str, Any]) -> dict[str, Any]:
    """How often it happened beside how often it was predicted."""
    return {
        "n": told["n"],
        "hits": told["positives"],
        "rate": told["observed"],
        "predicted": told["mean_score"],
        "between": _between(told["positives"], told["n"]),
    }


def _figure(value: float | None, interval: Sequence[float | None]) -> str:
    """A figure with its interval, where it is said that these are 95 % intervals."""
    if value is None:
        return ""
    low, high = interval
    if low is None or high is None:
        return f"{value:z.2f}"
    return _("%(value)s (%(low)s to %(high)s)") % {
        "value": f"{value:z.2f}",
        "low": f"{low:z.2f}",
        "high": f"{high:z.2f}",
    }


def _counts(held: Mapping[str, Any], kind: str) -> dict[str, Any]:
    if kind == CALIBRATED:
        told = held["calibration"]
        if not told:
            return {"n": 0, "hits": 0, "rate": None}
        return _calibrated(told)
    hits, n = fairness.base_of(held, kind)
    return {"n": n, "hits": hits, "rate": hits / n if n else None, "between": _between(hits, n)}


def _between(hits: int, n: int) -> str:
    """The 95 % interval of a rate, in per cent."""
    if not n:
        return ""
    low, high = wilson(hits, n)
    return _("%(low)s to %(high)s") % {"low": f"{100 * low:.1f}", "high": f"{100 * high:.1f}"}


def _live(live: Live, beside: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The same metric of what runs now; None where nobody counted it there."""
    if beside is None or not beside["figure"]:
        return None
    return {
        "stage": live.stage,
        "bundle": live.bundle.bundle_id,
        "figure": beside["figure"],
        "short": beside["short"],
        "state": beside["state"],
    }


CALIBRATED = "calibration"
SHOWN_ROWS = 80
DEFAULT_RATIO = 0.8
_HEADS = {
    "": (gettext_lazy("Cases"), gettext_lazy("Selected")),
    "selection": (gettext_lazy("People"), gettext_lazy("Selected")),
    "tpr": (gettext_lazy("Who qualify"), gettext_lazy("Selected")),
    "fpr": (gettext_lazy("Who do not"), gettext_lazy("Selected")),
    "precision": (gettext_lazy("Selected"), gettext_lazy("Who qualify")),
    CALIBRATED: (gettext_lazy("Scored"), gettext_lazy("Who qualify")),
}


def explainability_table(
    result: Mapping[str, Any],
    clauses: Sequence[Clause] = (),
    live: LiveFact | None = None,
    *,
    same: bool = False,
) -> dict[str, Any]:
    """What matters most to the model, how it answers to it, and how well it does in each subpopulation."""
    features = result["features"]
    asked = _asked(clauses, "explainability")
    metrics = [metric for clause in clauses_for(clauses, "fairness") for metric in clause.params["metrics"]]
    return {
        "title": _("What matters most to the model"),
        "bars": charts.bars(result, SHOWN_FEATURES),
        "more": max(0, len(features) - SHOWN_FEATURES),
        "method": method_name(str(result.get("method", ""))),
        "n": result.get("n"),
        "forbidden": forbidden_part(result, asked),
        "proxies": charts.proxies_part(result, asked),
        "drift": charts.drift_part(result, asked, None if same and "drift" not in asked else live),
        "curves": charts.curves(result),
        "subpopulations": charts.subpopulations(result, charts.least_people(result, metrics)),
    }


def clauses_for(clauses: Sequence[Clause], kind: str) -> list[Clause]:
    """Those that ask for this kind of evidence."""
    return [one for one in clauses if one.kind == "evidence" and one.params.get("kind") == kind]


def _asked(clauses: Sequence[Clause], kind: str) -> dict[str, Any]:
    """All that is asked of a kind of evidence; of several that ask the same, the last."""
    return {name: held for clause in clauses_for(clauses, kind) for name, held in clause.params.items()}


def junit_run(run: Mapping[str, Any]) -> junit.ScenarioRun:
    """A run as it is kept with the evidence, as JUnit's composer wants it."""
    started, ended = run.get("started_ms"), run.get("ended_ms")
    said = [step["message"] for step in run.get("steps", ()) if step.get("message")]
    said += [run["message"]] if run.get("message") else []
    return junit.ScenarioRun(
        scenario=run["scenario"],
        name=run["scenario"],
        outcome=run.get("outcome") or "",
        seconds=(ended - started) / 1000 if started and ended else run.get("seconds", 0.0),
        started=datetime.fromtimestamp(started / 1000, UTC).isoformat() if started else "",
        message="; ".join(said),
    )


def tests_table(result: Mapping[str, Any]) -> dict[str, Any]:
    """Each test that ran with its outcome and how long it took, in seconds; of many those first that did not pass."""
    runs = [
        {
            "scenario": run["scenario"],
            "outcome": run["outcome"],
            "seconds": (run["ended_ms"] - run["started_ms"]) / 1000
            if run.get("ended_ms") is not None and run.get("started_ms") is not None
            else run.get("seconds"),
            "said": "; ".join(
                [
                    step["message"]
                    for step in run.get("steps", [])
                    if step.get("message") and step.get("outcome") != "SUCCESS"
                ]
                or [run.get("message", "")]
            ),
        }
        for run in result.get("runs", [])
    ]
    passed = sum(run["outcome"] == "SUCCESS" for run in runs)
    if len(runs) > SHOWN_TESTS:
        runs.sort(key=lambda run: run["outcome"] == "SUCCESS")
    return {
        "title": _("Tests"),
        "runs": runs[:SHOWN_TESTS],
        "more": max(0, len(runs) - SHOWN_TESTS),
        "passed": passed,
        "all": len(result.get("listed", [])),
        "skipped": len(result.get("skipped", [])),
    }


def project_table(result: Mapping[str, Any], clauses: Sequence[Clause]) -> dict[str, Any]:
    """The scenarios a bundle holds, and its longest and most branched recipes beside what the policy asks of them."""
    asked = [clause.params for clause in clauses if clause.params.get("from") == "bundle"]
    rows = [{**held, "over": set()} for held in result["recipes"]]
    for params in asked:
        for row in rows:
            alone = {"scenarios": [], "recipes": [row]}
            row["over"] |= {
                one["measure"] for one in project_of(alone, {"recipes": params.get("recipes", {})})[2]["over"]
            }
    rows.sort(key=lambda row: (not row["over"], -(row["complexity"] or 0), -row["lines"], row["recipe"]))
    wanted = {name for params in asked for name in params.get("scenarios", ())}
    return {
        "title": _("Project before packaging"),
        "scenarios": list(result["scenarios"])[:SHOWN_TESTS],
        "absent": sorted(wanted - set(result["scenarios"])),
        "recipes": rows[:SHOWN_FEATURES],
        "more": max(0, len(rows) - SHOWN_FEATURES) + int(result.get("more", 0)),
        "limits": [recipe_limits(params["recipes"]) for params in asked if params.get("recipes")],
    }


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _plain(name: str) -> str:
    return str(name).replace("_", " ").replace("-", " ")
