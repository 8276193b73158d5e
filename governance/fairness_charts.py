"""Fairness figures as charts and words, alike on a page and in the report. Judges nothing itself."""

from collections.abc import Mapping, Set
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from governance.fairness import Table, base_of, key_of, name_of
from governance.parity import COMPARED
from governance.sentences import group_name
from portal.charts import Chart, GroupRate, Interval, interval_chart, rate_chart

RATIO_AXIS = 1.2
MOST_GROUPS = 40

RATES = {
    "selection": gettext_lazy("selection rate"),
    "tpr": gettext_lazy("true positive rate"),
    "fpr": gettext_lazy("false positive rate"),
    "precision": gettext_lazy("precision"),
}
"""Each rate by its name."""


def kinds_of(metric: str) -> tuple[str, ...]:
    """The rates a metric compares; none for what each group is held against alone."""
    return COMPARED.get(metric, ())


def compared_chart(row: Mapping[str, Any], title: str) -> Chart | None:
    """One assessed metric by one column: each judged group with its interval, against the threshold."""
    several = len(kinds_of(row["metric"])) > 1
    marks = [
        Interval(
            label=_label(held),
            value=held["value"],
            low=held["interval"][0] if held["interval"][1] is not None else None,
            high=held["interval"][1],
            state=held["state"],
            note=str(RATES[held["of"]]) if several else "",
        )
        for held in row["groups"][:MOST_GROUPS]
    ]
    if not marks:
        return None
    threshold = row["threshold"].get("min", row["threshold"].get("max"))
    # A ratio is read against 1: the axis reaches beyond it unless an interval needs more room.
    around_one = "min" in row["threshold"] and all((one.high or 0.0) <= RATIO_AXIS for one in marks)
    return interval_chart(
        marks,
        title=title,
        threshold=threshold,
        threshold_label=_("at least") if "min" in row["threshold"] else _("at most"),
        domain=(0.0, RATIO_AXIS) if around_one else None,
    )


def _label(held: Mapping[str, Any]) -> str:
    if held["reference"] is None:
        return group_name(held)
    return _("%(group)s against %(reference)s") % {"group": held["group"], "reference": held["reference"]}


def rates_chart(
    table: Table, kind: str, away: Set[tuple[str, ...]], title: str, *, reference: str | None = None
) -> Chart | None:
    """The rate of each group that may be published, as a bar with its interval; None where there is none."""
    name = {"selection": "interval"}.get(kind, f"{kind}_interval")
    bars = []
    for group in table.groups or ():
        hits, n = base_of(group, kind)
        if key_of(group) in away or not n:
            continue
        low, high = group.get(name) or (None, None)
        label = name_of(key_of(group))
        bars.append(GroupRate(label, hits, n, low=low, high=high, reference=label == reference))
    return rate_chart(bars[:MOST_GROUPS], title=title) if bars else None
