"""An exhibit in one line, as it reads while it is folded: its state, its figures, and whether it opens by itself.

Judges nothing: the states are those of its tables. What is not met, or cannot be told, is open.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from governance.explained import forbidden
from governance.facts import CANNOT_TELL, MET, NOT_MET, Clause
from governance.models import Evidence

SHOWN_NAMES = 3


@dataclass(frozen=True, slots=True)
class Brief:
    """`state` is empty where nothing was asked; `line` says what there is in figures, not in sentences.

    Of tests and of other systems' checks it is how they ended, which the policy may see otherwise.
    """

    state: str
    line: str
    unfolded: bool


def brief(kind: str, table: Mapping[str, Any]) -> Brief:
    """The line of one table of an exhibit."""
    if kind == Evidence.Kind.FAIRNESS:
        live = table["live"]
        there = _("%(bundle)s in %(stage)s: %(short)s") % live if live else ""
        return _brief(table["state"], table["short"], table["asked"], there)
    if kind == Evidence.Kind.EXPLAINABILITY:
        first = [
            _("%(feature)s %(share).0f %%") % {"feature": bar.label, "share": bar.value}
            for bar in table["bars"][:SHOWN_NAMES]
        ]
        parts = [table[name] for name in ("proxies", "drift") if table[name]]
        states = [part.state for part in parts] + [table["forbidden"]["state"]]
        return _brief(_worst(states), ", ".join(first))
    if kind == Evidence.Kind.PROJECT:
        over = [row["recipe"] for row in table["recipes"] if row["over"]]
        unclear = [row["recipe"] for row in table["recipes"] if row["why"] and table["limits"]]
        missing = _("missing: %(names)s") % {"names": _named(table["absent"])} if table["absent"] else ""
        beyond = _("over the limits: %(names)s") % {"names": _named(over)} if over else ""
        state = NOT_MET if over or table["absent"] else CANNOT_TELL if unclear else MET
        return _brief(state, missing, beyond, _counted(table))
    if kind == Evidence.Kind.PROJECT_STANDARDS:
        return _brief("", *(f"{row['name']}: {row['found']}" for row in table["rows"][:1]))
    if kind == Evidence.Kind.GOVERN:
        said = [f"{one['step']}: {str(one['status']).replace('_', ' ').lower()}" for one in table["signoffs"]]
        return _brief(CANNOT_TELL if table.get("trouble") else "", _named(said))
    if kind == Evidence.Kind.EXTERNAL_CHECK:
        return _brief(
            str(table["state"]), str(table.get("summary") or ""), unfolded=table["state"] != "passed"
        )
    failed = [run["scenario"] for run in table["runs"] if run["outcome"] not in ("SUCCESS", "WARNING")]
    return _brief(
        "failed" if failed else "passed" if table["passed"] else "",
        _("%(passed)s of %(all)s passed") % table,
        _("not passed: %(names)s") % {"names": _named(failed)} if failed else "",
        unfolded=bool(failed),
    )


def anchor(kind: str, name: str = "", stage: str = "") -> str:
    """Where a piece of evidence stands on a page."""
    return "-".join(filter(None, ("on", kind, name, stage))).replace("_", "-")


def anchor_of(clause: Clause) -> str:
    """Where that stands which a requirement is about, if it is there; empty where none can be."""
    asked = clause.params
    if clause.kind == "evidence":
        return anchor(str(asked["kind"]))
    if clause.kind == "external_check":
        return anchor(clause.kind, str(asked["name"]))
    if clause.kind in ("govern", "project_standards"):
        return anchor(clause.kind)
    if clause.kind == "tests":
        if asked.get("from") == "bundle":
            return anchor(Evidence.Kind.PROJECT.value)
        kind = Evidence.Kind.REPORT if asked.get("from") == "report" else Evidence.Kind.TESTS
        return anchor(kind.value, stage=str(asked["at"]))
    return ""


def forbidden_part(result: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
    """Which features are columns that the policy forbids; `state` is empty where it forbids none."""
    if not asked.get("forbid"):
        return {"state": "", "names": []}
    top = min(int(asked["top"]), len(result["features"]))
    names = [one["feature"] for one in forbidden(result["features"][:top], asked["forbid"])]
    return {"state": NOT_MET if names else MET, "names": names, "top": top}


def _brief(state: str, *said: str, unfolded: bool | None = None) -> Brief:
    if unfolded is None:
        unfolded = state in (NOT_MET, CANNOT_TELL)
    return Brief(state, " · ".join(one for one in said if one), unfolded)


def _worst(states: Sequence[str]) -> str:
    return next((one for one in (NOT_MET, CANNOT_TELL, MET) if one in states), "")


def _named(names: Sequence[str]) -> str:
    more = len(names) - SHOWN_NAMES
    some = ", ".join(names[:SHOWN_NAMES])
    return _("%(some)s and %(n)s more") % {"some": some, "n": more} if more > 0 else some


def _counted(table: Mapping[str, Any]) -> str:
    n = len(table["recipes"]) + table["more"]
    return _("%(n)s code recipes") % {"n": n} if n != 1 else _("1 code recipe")
