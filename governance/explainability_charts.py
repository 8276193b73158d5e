"""What explainability evidence shows, the same on a page and in a report: charts and rows. Judges nothing itself."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from governance.explained import MOST_RANKED, Share, changes, drift, proxies
from governance.facts import LiveFact
from governance.sentences import column_name, drift_row, proxies_row
from governance.suppression import DEFAULT_LEAST
from portal.charts import Bar, Chart, Interval, Point, interval_chart, line_chart

SHOWN_CHANGES = 10
SHOWN_PAIRS = 20
Z = 1.96


@dataclass(frozen=True, slots=True)
class Part:
    """What was asked beside forbidden columns: the state ("" where nothing was), a sentence, a chart, rows."""

    state: str
    said: str
    chart: Chart | None
    rows: Sequence[Mapping[str, Any]]


def bars(result: Mapping[str, Any], shown: int) -> list[Bar]:
    """The first features with their share in per cent, and how far off it may be where that is known."""
    return [
        Bar(
            str(one["feature"]),
            100 * float(one["share"]),
            _("± %(off)s") % {"off": f"{100 * Z * one['share_se']:.1f}"} if one.get("share_se") else "",
        )
        for one in result["features"][:shown]
    ]


def curves(result: Mapping[str, Any]) -> list[Chart]:
    """How the mean prediction moves with a feature while all else stays: one chart a feature."""
    return [
        line_chart(
            [Point(point["at"], float(point["value"])) for point in one["points"]], title=str(one["feature"])
        )
        for one in result.get("dependence", ())
    ]


def least_people(result: Mapping[str, Any], metrics: Sequence[Mapping[str, Any]] = ()) -> int:
    """Below how many rows no figures of a group are published."""
    return max(
        [int(result.get("suppress_below", DEFAULT_LEAST)), *(int(one.get("min_group", 1)) for one in metrics)]
    )


def published(result: Mapping[str, Any]) -> dict[str, Any]:
    """The result with what it says of small groups left out, each marked `suppressed`."""
    least = least_people(result)
    return dict(result) | {
        "subpopulations": [
            dict(one)
            | {
                "modalities": [
                    {"modality": row["modality"], "suppressed": True} if away else dict(row)
                    for row, away in _left_out(one.get("modalities", ()), least)
                ]
            }
            for one in result.get("subpopulations", ())
        ]
    }


def _left_out(rows: Sequence[Mapping[str, Any]], least: int) -> Iterator[tuple[Mapping[str, Any], bool]]:
    """Each group with whether it is left out: the small, and the next larger where one alone would be what is missing
    of the whole, which every other column adds up to."""
    ordered = sorted(
        (place for place, row in enumerate(rows) if row.get("n") is not None), key=lambda at: rows[at]["n"]
    )
    away: set[int] = set()
    people = 0
    for at in ordered:
        if rows[at]["n"] >= least and (not away or (len(away) > 1 and people >= least)):
            break
        away.add(at)
        people += rows[at]["n"]
    yield from ((row, place in away) for place, row in enumerate(rows))


def subpopulations(result: Mapping[str, Any], least: int) -> list[dict[str, Any]]:
    """How well the model does in each group of a column; those left out have `left_out`, small ones `least` as well."""
    return [
        {
            "feature": one["feature"],
            "name": column_name(one["feature"]),
            "modalities": [
                dict(row)
                | ({"left_out": True} if away else {})
                | ({"least": least} if away and row["n"] < least else {})
                for row, away in _left_out(
                    [row for row in one["modalities"] if not row.get("excluded")], least
                )
            ],
        }
        for one in result.get("subpopulations", ())
    ]


def proxies_part(result: Mapping[str, Any], asked: Mapping[str, Any]) -> Part | None:
    """How closely the features that matter most go with the sensitive columns; None where nobody asks."""
    if "proxies" not in asked:
        return None
    found = proxies(result, result["features"][: int(asked["top"])], asked["proxies"])
    rows = [row for row in found["rows"] if row["measure"] != "same"][:SHOWN_PAIRS]
    chart = None
    if rows:
        chart = interval_chart(
            [
                Interval(
                    _("%(feature)s with %(column)s")
                    % {"feature": row["feature"], "column": column_name(row["of"])},
                    row["value"],
                    row["interval"][0],
                    row["interval"][1],
                    state=row["state"],
                )
                for row in rows
            ],
            title=_("How closely features go with sensitive columns"),
            threshold=found["max"],
            threshold_label=_("at most"),
            domain=(0.0, 1.0),
        )
    return Part(found["state"], proxies_row(found), chart, rows)


def drift_part(result: Mapping[str, Any], asked: Mapping[str, Any], live: LiveFact | None) -> Part | None:
    """The features that matter most beside those of what runs; None where neither is asked for nor known."""
    if "drift" in asked and live is not None:
        found = drift(result, asked["drift"], live)
        return Part(found["state"], drift_row(found), None, found.get("rows", ())[:SHOWN_CHANGES])
    if live is None or not live.evidence or live.method != result.get("method", ""):
        return None
    here = [Share(one["feature"], float(one["share"])) for one in result["features"][:MOST_RANKED]]
    rows = changes(here, [Share(*one) for one in live.features], SHOWN_CHANGES)
    rows.sort(key=lambda row: (-abs(row["change"]), row["feature"]))
    return Part("", _("%(bundle)s runs there now.") % {"bundle": live.bundle}, None, rows[:SHOWN_CHANGES])
