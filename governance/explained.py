"""What explainability evidence comes to: forbidden features, proxies of sensitive columns, drift against what runs.

Pure, and total like the checks: what cannot be read cannot be told. Not in charge of counting
(`governance.association`) or of which evidence is looked at (`governance.checks`).
"""

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Any, NamedTuple

from governance.explainability import uses
from governance.facts import CANNOT_TELL, MET, NOT_MET, LiveFact, State

MOST_NAMED = 20
# How many features of what runs a Case keeps, and so how many are ranked.
MOST_RANKED = 200
SAME = "same"  # the feature is the sensitive column, or was made from it
# Why nothing is said of drift.
NO_EVIDENCE, OTHER_METHOD, NOT_RECORDED = "no_evidence", "other_method", "not_recorded"
# Why nothing is said of a proxy, beside what `governance.association` says.
NOT_COUNTED, NO_COLUMN = "not_counted", "no_column"


class Share(NamedTuple):
    """A feature with its share of all importance."""

    feature: str
    share: float


def assess(
    result: Mapping[str, Any], asked: Mapping[str, Any], live: LiveFact | None = None
) -> tuple[State, str, dict[str, Any]]:
    """State, code and parameters. What is violated goes before what cannot be told; all of it is in the parameters."""
    features = result["features"]
    top = int(asked.get("top", 10))
    params: dict[str, Any] = {"top": top, "forbid": list(asked.get("forbid", ())), "known": len(features)}
    if not features:
        return CANNOT_TELL, "explainability_empty", params
    used = forbidden(features[:top], params["forbid"])
    states: list[tuple[State, str]] = []
    if used:
        params["forbidden"] = used[:MOST_NAMED]
        states.append((NOT_MET, "explainability_forbidden"))
    if "proxies" in asked:
        params["proxies"] = found = proxies(result, features[:top], asked["proxies"])
        codes = {NOT_MET: "explainability_proxy", CANNOT_TELL: "explainability_proxy_unclear"}
        states += [(found["state"], codes[found["state"]])] if found["state"] != MET else []
    if "drift" in asked:
        params["drift"] = moved = drift(result, asked["drift"], live)
        if moved["state"] == NOT_MET:
            states.append((NOT_MET, "explainability_drifted"))
        elif moved["state"] == CANNOT_TELL:
            unknown = moved["reason"] == NOT_RECORDED
            states.append((CANNOT_TELL, "not_recorded" if unknown else "explainability_drift_unclear"))
            if unknown:
                params["what"] = "live"
    for wanted in (NOT_MET, CANNOT_TELL):
        for state, code in states:
            if state == wanted:
                return state, code, params
    return MET, "explainability_clear", params | {"first": features[0]["feature"]}


def forbidden(features: Sequence[Mapping[str, Any]], forbid: Sequence[str]) -> list[dict[str, Any]]:
    """The features that are forbidden columns or made from one, and matter at all, by rank."""
    return [
        {"feature": held["feature"], "forbidden": column, "rank": rank, "share": held["share"]}
        for rank, held in enumerate(features, start=1)
        for column in forbid
        if held["share"] > 0 and uses(held["feature"], column)
    ]


def proxies(
    result: Mapping[str, Any], features: Sequence[Mapping[str, Any]], asked: Mapping[str, Any]
) -> dict[str, Any]:
    """How closely each of these features goes with each sensitive column, against the highest that passes.

    A whole interval above it is a proxy, one across it a doubt. `rows` are the strongest first, `missing` what was not
    counted and why.
    """
    told = result.get("associations") or {}
    counted = {(row["feature"], row["of"]): row for row in told.get("rows", ())}
    absent = {(row["feature"], row["of"]): row["reason"] for row in told.get("not_counted", ())}
    rows, missing = [], []
    for rank, held in enumerate(features, start=1):
        if held["share"] <= 0:
            continue
        for of in asked["of"]:
            pair = (held["feature"], of)
            if uses(held["feature"], of):
                rows.append(_row(*pair, rank, SAME, 1.0, (1.0, 1.0), None, asked["max"]))
            elif pair in counted:
                row = counted[pair]
                value, n = float(row["value"]), row["n"]
                low, high = row.get("interval") or (value, value)
                rows.append(_row(*pair, rank, row["measure"], value, (low, high), n, asked["max"]))
            else:
                reason = absent.get(pair) or told.get("reason") or NOT_COUNTED
                missing.append({"feature": held["feature"], "of": of, "rank": rank, "reason": reason})
    rows.sort(key=lambda row: (-row["value"], row["rank"]))
    states = {row["state"] for row in rows}
    state: State = NOT_MET if NOT_MET in states else CANNOT_TELL if missing or CANNOT_TELL in states else MET
    return {
        "of": list(asked["of"]),
        "max": asked["max"],
        "state": state,
        "rows": rows[:MOST_NAMED],
        "counted": len(rows),
        "missing": missing[:MOST_NAMED],
        "not_counted": len(missing),
    }


def _row(
    feature: str,
    of: str,
    rank: int,
    measure: str,
    value: float,
    interval: tuple[float, float],
    n: int | None,
    most: float,
) -> dict[str, Any]:
    low, high = interval
    state: State = NOT_MET if low > most else MET if high <= most else CANNOT_TELL
    return {
        "feature": feature,
        "of": of,
        "rank": rank,
        "measure": measure,
        "value": value,
        "interval": [low, high],
        "n": n,
        "state": state,
    }


def drift(result: Mapping[str, Any], asked: Mapping[str, Any], live: LiveFact | None) -> dict[str, Any]:
    """How far the features that matter most moved from those of the bundle that runs in the stage.

    With nothing there it is the first and passes; with something there of which nothing is known it cannot be told.
    Compared are the first `top` of both: of each its share (none: 0) and its rank (none: after the last).
    """
    top = int(asked["top"])
    found: dict[str, Any] = {
        "top": top,
        **{name: asked[name] for name in ("max_share_change", "min_rank_correlation") if name in asked},
    }
    if live is None:
        return found | {"state": CANNOT_TELL, "reason": NOT_RECORDED}
    if not live.bundle:
        return found | {"state": MET, "reason": "first"}
    found["bundle"] = live.bundle
    if not live.evidence:
        return found | {"state": CANNOT_TELL, "reason": NO_EVIDENCE}
    if live.method != result.get("method", ""):
        methods = {"method": str(result.get("method", "")), "method_there": live.method}
        return found | methods | {"state": CANNOT_TELL, "reason": OTHER_METHOD}
    here = [Share(held["feature"], float(held["share"])) for held in result["features"][:MOST_RANKED]]
    there = [Share(str(feature), float(share)) for feature, share in live.features]
    rows = changes(here, there, top)
    correlation = rank_correlation(rows)
    most = max(abs(row["change"]) for row in rows)
    beyond = "max_share_change" in asked and most > asked["max_share_change"]
    apart = "min_rank_correlation" in asked and correlation < asked["min_rank_correlation"]
    rows.sort(key=lambda row: (-abs(row["change"]), row["feature"]))
    return found | {
        "state": NOT_MET if beyond or apart else MET,
        "reason": "",
        "share_change": most,
        "rank_correlation": correlation,
        "rows": rows[:MOST_NAMED],
    }


def changes(here: Sequence[Share], there: Sequence[Share], top: int) -> list[dict[str, Any]]:
    """Each feature that is among the first `top` of one side: its rank and share on both, and how its share moved."""
    now = {held.feature: (rank, held.share) for rank, held in enumerate(here, start=1)}
    then = {held.feature: (rank, held.share) for rank, held in enumerate(there, start=1)}
    names = dict.fromkeys(held.feature for held in (*here[:top], *there[:top]))
    rows = []
    for name in names:
        rank, share = now.get(name, (None, 0.0))
        rank_there, share_there = then.get(name, (None, 0.0))
        rows.append(
            {
                "feature": name,
                "rank": rank,
                "rank_there": rank_there,
                "share": share,
                "share_there": share_there,
                "change": share - share_there,
            }
        )
    return rows


def rank_correlation(rows: Sequence[Mapping[str, Any]]) -> float:
    """Spearman's, over these features; what one side lacks shares the last rank there. 1 for a single feature."""
    last = 1 + max((rank for row in rows for rank in (row["rank"], row["rank_there"]) if rank), default=0)
    here = _ranked([row["rank"] or last for row in rows])
    there = _ranked([row["rank_there"] or last for row in rows])
    middle = (len(rows) + 1) / 2
    both = sum((a - middle) * (b - middle) for a, b in zip(here, there, strict=True))
    spread = sqrt(sum((a - middle) ** 2 for a in here) * sum((b - middle) ** 2 for b in there))
    if spread:
        return both / spread
    return 1.0 if here == there else 0.0


def _ranked(values: Sequence[int]) -> list[float]:
    """Ranks from 1 on; equal values share the middle of theirs."""
    ordered = sorted(values)
    first = {value: ordered.index(value) + 1 for value in set(values)}
    return [first[value] + (ordered.count(value) - 1) / 2 for value in values]
