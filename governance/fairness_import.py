"""Reads fairness figures that were counted elsewhere into the result that the portal's own counting gives. Pure.

Our own JSON, Fairlearn, AIF360 and DSS's sub-population analyses, by `fairness.schema.json`. A rate without its number
of people has no interval, so every format has to lead to whole counts. Not in charge of who may bring what, nor of what
the figures come to (`governance.parity`).
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NoReturn

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from governance.explainability import modality_name
from governance.fairness import MISSING, Tally, compose, spelling
from portal.errors import Invalid
from portal.texts import unseen

LIMIT = 1024 * 1024
DEEPEST = 12
MOST_FAULTS = 100
LONGEST = 20_000  # entries of a list or an object; what DSS answers holds curves of some thousand points
SCHEMA: dict[str, Any] = json.loads(Path(__file__).with_name("fairness.schema.json").read_text("utf-8"))
FORMATS = {
    "counts": "counts",
    "fairlearn": "Fairlearn",
    "aif360": "AIF360",
    "dss": "DSS sub-populations",
}

# How far from a whole number a rate times its people may lie: figures are rounded when they are written.
_ROUNDED = 0.01
_UNIT = 10**12
_VALIDATOR = Draft202012Validator(SCHEMA)

# One thing under the names it has in our JSON, in Fairlearn, in AIF360 and in scikit-learn.
_COUNTS = {
    "n": ("n", "count", "num_instances"),
    "selected": ("selected", "num_pred_positives"),
    "positives": ("positives", "num_positives"),
    "negatives": ("negatives", "num_negatives"),
    "true_positives": ("true_positives", "num_true_positives", "TP"),
    "false_positives": ("false_positives", "num_false_positives", "FP"),
    "true_negatives": ("true_negatives", "num_true_negatives", "TN"),
    "false_negatives": ("false_negatives", "num_false_negatives", "FN"),
}
_RATES = {
    "selected": (("selection_rate",), "n"),
    "positives": (("base_rate",), "n"),
    "true_positives": (("true_positive_rate", "recall", "recall_score", "tpr"), "positives"),
    "false_positives": (("false_positive_rate", "fpr"), "negatives"),
}


class FairnessImportError(Invalid):
    """The figures cannot be taken in; `field` is where, and the sentence says the remedy."""


@dataclass(frozen=True, slots=True)
class _Said:
    """One group as it was given: where, its values, and its figures by name."""

    at: str
    group: tuple[str, ...]
    row: Mapping[str, Any]


def loads(body: bytes) -> Any:
    """The value of a JSON text; raises FairnessImportError for one too large or deep, or that says a name twice."""
    check_size(len(body))
    try:
        return json.loads(body.decode("utf-8-sig"), object_pairs_hook=_once, parse_constant=_not_finite)
    except UnicodeDecodeError:
        _no("content", "The file is no text in UTF-8. Save it as JSON and send it again.", "import_not_json")
    except RecursionError:
        _too_deep()
    except json.JSONDecodeError as error:
        _no(
            "content",
            f"The file is no JSON: line {error.lineno}, column {error.colno} cannot be read. Save it as JSON and send "
            "it again.",
            "import_not_json",
        )
    except ValueError:  # a number of thousands of digits
        _no(
            "content",
            "The file is no JSON: it holds a number that is too long. Correct it.",
            "import_not_json",
        )


def read(content: Any, *, min_group: int) -> dict[str, Any]:
    """The result of figures given in one of `FORMATS`; raises FairnessImportError naming the field and the remedy.

    `min_group` is the smallest group that may be the reference.
    """
    check_values(content)
    if error := first_fault(_VALIDATOR, content):
        refuse(error)
    reader = {"counts": _ours, "fairlearn": _fairlearn, "aif360": _aif360, "dss": _dss}[content["format"]]
    tables: dict[tuple[str, ...], list[_Said]] = {}
    for at, by, groups in reader(content):
        if any(set(by) == set(other) for other in tables):
            _no(at, f"The groups by {' × '.join(by)} are given twice. Give them once.", "import_twice")
        seen: set[tuple[str, ...]] = set()
        for said in groups:
            if said.group in seen:
                name = " × ".join(said.group)
                _no(said.at, f"The group {name} is given twice. Give it once.", "import_twice")
            seen.add(said.group)
        tables[by] = groups
    known = {by: [_read(said, by) for said in groups] for by, groups in tables.items()}
    labelled = _alike([one for held in known.values() for one in held], "positives")
    scored = _alike([one for held in known.values() for one in held], "mean_score")
    counted = {by: {one.said.group: one.tally for one in held} for by, held in known.items()}
    _with_margins(counted)
    if content["format"] != "dss":  # there some groups may be left out
        _same_people(counted)
    rows = max(sum(tally.n for tally in held.values()) for held in counted.values())
    selected = max(sum(tally.selected for tally in held.values()) for held in counted.values())
    if not rows:
        _no("content", "Nobody is in any group. Send figures of at least one person.", "import_empty")
    favourable = str(content.get("favourable", "1"))
    return compose(
        dict(sorted(counted.items(), key=lambda item: (len(item[0]) > 1, item[0]))),
        outcome=str(content.get("outcome", "prediction")),
        favourable=favourable,
        label=str(content.get("label", "label")) if labelled else None,
        score=str(content.get("score", "score")) if scored else None,
        rows=rows,
        unscored=0,
        outcomes={favourable: selected, f"not {favourable}": rows - selected},
        min_group=min_group,
    )


# --- the formats ---

_Tables = Iterable[tuple[str, tuple[str, ...], list[_Said]]]


def _ours(content: Mapping[str, Any]) -> _Tables:
    for number, table in enumerate(content["tables"]):
        at, by = f"tables[{number}]", tuple(table["by"])
        groups = []
        for place, row in enumerate(table["groups"]):
            here = f"{at}.groups[{place}]"
            if len(row["group"]) != len(by):
                _no(
                    f"{here}.group",
                    f"The group has {len(row['group'])} values, and the table is by {len(by)} columns. Give one value "
                    "for each column.",
                    "import_group",
                )
            groups.append(_Said(here, tuple(spelling(value) for value in row["group"]), row))
        yield f"{at}.by", by, groups


def _fairlearn(content: Mapping[str, Any]) -> _Tables:
    held = content["by_group"]
    if isinstance(held, Mapping):
        by, rows, at = tuple(held["schema"]["primaryKey"]), held["data"], "by_group.data"
    else:
        by, rows, at = tuple(content.get("sensitive_features", ())), held, "by_group"
    if not by:
        _no(
            "sensitive_features",
            "by_group is a list of records, which does not say which columns make the groups. Name them in "
            "sensitive_features, or send by_group.to_json(orient='table').",
            "import_no_columns",
        )
    groups = []
    for place, row in enumerate(rows):
        here = f"{at}[{place}]"
        for column in by:
            if column not in row:
                _no(here, f"The record has no {column}, by which it is grouped. Add it.", "import_group")
        groups.append(_Said(here, tuple(spelling(row[column]) for column in by), row))
    yield at, by, groups


def _aif360(content: Mapping[str, Any]) -> _Tables:
    (privileged,), (unprivileged,) = content["privileged_groups"], content["unprivileged_groups"]
    by = tuple(privileged)
    if set(by) != set(unprivileged):
        _no(
            "unprivileged_groups",
            "The two groups are of different attributes. Send them in the format counts instead.",
            "import_group",
        )
    yield (
        "privileged_groups",
        by,
        [
            _Said(name, tuple(spelling(group[column]) for column in by), content[name])
            for name, group in (("privileged", privileged), ("unprivileged", unprivileged))
        ],
    )


def _dss(content: Mapping[str, Any]) -> _Tables:
    yield from subpopulations(content["analyses"], "analyses.")


def subpopulations(raw: Mapping[str, Any], where: str = "") -> _Tables:
    """The tables of DSS's sub-population analyses; a modality without figures is a group of nobody."""
    for number, analysis in enumerate(raw["subpopulationAnalyses"]):
        at = f"{where}subpopulationAnalyses[{number}]"
        if not isinstance(analysis, Mapping) or not analysis.get("feature"):
            _no(at, "The analysis names no feature. Send what DSS answered, unchanged.", "import_shape")
        groups = []
        modalities = analysis.get("modalities")
        for place, modality in enumerate(modalities if isinstance(modalities, list) else ()):
            if isinstance(modality, Mapping):
                here = f"{at}.modalities[{place}]"
                groups.append(_Said(here, (spelling(modality_name(modality)),), _figures(modality)))
        if not groups:
            _no(at, "The analysis has no modalities. Compute it again in DSS.", "import_shape")
        yield at, (str(analysis["feature"])[:200],), groups


def _figures(modality: Mapping[str, Any]) -> dict[str, Any]:
    """What DSS tells of one modality, by our names. Its weight is its people; weighted rows give no whole number."""
    if modality.get("excluded"):
        return {"n": 0, "selected": 0}
    perf = modality.get("perf")
    overall = perf.get("globalMetrics") if isinstance(perf, Mapping) else None
    metrics = modality.get("performanceMetrics")
    overall = overall if isinstance(overall, Mapping) else {}
    metrics = metrics if isinstance(metrics, Mapping) else {}
    found = {
        "n": overall.get("testWeight"),
        "selection_rate": _first(overall.get("predictionAvg")),
        "base_rate": _first(overall.get("targetAvg")),
        "recall": metrics.get("recall"),
    }
    return {name: value for name, value in found.items() if value is not None}


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list) and value else value


# --- to counts ---


@dataclass(frozen=True, slots=True)
class _Known:
    """One group in counts; `has` says which of "positives" and "mean_score" are known of it."""

    said: _Said
    tally: Tally
    has: frozenset[str] = frozenset()


def _read(said: _Said, by: Sequence[str]) -> _Known:
    row = {name: value for name, value in said.row.items() if name not in by and value is not None}
    known = {
        name: value for name, names in _COUNTS.items() if (value := _count(said, row, names)) is not None
    }
    if {"true_positives", "false_positives", "true_negatives", "false_negatives"} <= known.keys():
        known.setdefault("selected", known["true_positives"] + known["false_positives"])
        known.setdefault("positives", known["true_positives"] + known["false_negatives"])
        known.setdefault("negatives", known["false_positives"] + known["true_negatives"])
        known.setdefault("n", known["positives"] + known["negatives"])
    if not row:
        return _Known(said, Tally())  # as Fairlearn has it of a combination that nobody is in
    if "n" not in known:
        _no(
            f"{said.at}.n",
            "The number of people is missing, and a rate without it has no interval. Add it: the metric count of "
            "Fairlearn, num_instances of AIF360, n in the format counts.",
            "import_no_count",
        )
    for name, (names, base) in _RATES.items():
        if name == "false_positives" and "positives" in known:
            known.setdefault("negatives", known["n"] - known["positives"])
        if name not in known and base in known:
            found = _by_rate(said, row, names, known[base])
            if found is not None:
                known[name] = found
    if "selected" not in known:
        _no(
            f"{said.at}.selected",
            "It is not said how many were selected. Add selection_rate or selected.",
            "import_no_count",
        )
    if "true_positives" in known and "positives" in known:
        known.setdefault("false_positives", known["selected"] - known["true_positives"])
    tally, has = Tally(known["n"], known["selected"]), set()
    if {"positives", "negatives", "true_positives", "false_positives"} <= known.keys():
        has.add("positives")
        tally.positives, tally.negatives = known["positives"], known["negatives"]
        tally.true_positives, tally.false_positives = known["true_positives"], known["false_positives"]
    if "mean_score" in row and "positives" in has:
        has.add("mean_score")
        mean = row["mean_score"]
        if isinstance(mean, bool) or not isinstance(mean, int | float) or not 0 <= mean <= 1:
            _no(
                f"{said.at}.mean_score",
                "The mean score is no probability between 0 and 1. Correct it.",
                "import_no_rate",
            )
        scored = _count(said, row, ("scored",))
        hits = _count(said, row, ("scored_positives",))
        tally.scored = tally.positives + tally.negatives if scored is None else scored
        tally.scored_positives = tally.positives if hits is None else hits
        tally.score_sum = round(float(mean) * _UNIT) * tally.scored
    _check(said, tally)
    return _Known(said, tally, frozenset(has))


def _count(said: _Said, row: Mapping[str, Any], names: Sequence[str]) -> int | None:
    for name in names:
        value = row.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            _no(f"{said.at}.{name}", f"{name} is no number. Give a whole number.", "import_no_count")
        if value < 0 or value > _UNIT or value != int(value):
            _no(
                f"{said.at}.{name}",
                f"{name} is no whole number of people. Weighted figures have no interval: send counts of people.",
                "import_no_count",
            )
        return int(value)
    return None


def _by_rate(said: _Said, row: Mapping[str, Any], names: Sequence[str], base: int) -> int | None:
    for name in names:
        value = row.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            _no(f"{said.at}.{name}", f"{name} is no rate between 0 and 1. Correct it.", "import_no_rate")
        found = float(value) * base
        if abs(found - round(found)) > _ROUNDED:
            _no(
                f"{said.at}.{name}",
                f"{name} is not the share of a whole number of the {base:,} people it is about, so it was rounded, "
                "weighted, or averaged over scores. Send the counts in the format counts instead.",
                "import_no_count",
            )
        return round(found)
    return None


def _check(said: _Said, tally: Tally) -> None:
    """What cannot be more than what, by the names of our own format."""
    for name, value, most, whole in (
        ("selected", tally.selected, tally.n, "n"),
        ("positives", tally.positives + tally.negatives, tally.n, "n, together with negatives"),
        ("true_positives", tally.true_positives, tally.positives, "positives"),
        ("false_positives", tally.false_positives, tally.negatives, "negatives"),
        (
            "true_positives",
            tally.true_positives + tally.false_positives,
            tally.selected,
            "selected, with false_positives",
        ),
        ("scored", tally.scored, tally.positives + tally.negatives, "positives and negatives"),
        (
            "scored_positives",
            tally.scored_positives,
            min(tally.scored, tally.positives),
            "scored, or than positives",
        ),
    ):
        if value > most or value < 0:
            _no(
                f"{said.at}.{name}",
                f"{name} cannot be more than {whole}. Correct the counts.",
                "import_counts",
            )


def _alike(known: Iterable[_Known], name: str) -> bool:
    """Whether the groups that anybody is in have it; refuses some with and some without."""
    there = [one for one in known if one.tally.n]
    without = next((one for one in there if name not in one.has), None)
    if without is not None and any(name in one.has for one in there):
        _no(
            f"{without.said.at}.{name}",
            f"What it takes for {name} is given of some groups and not of this one. Give it of each, or of none.",
            "import_some",
        )
    return bool(there) and without is None


def _with_margins(counted: dict[tuple[str, ...], dict[tuple[str, ...], Tally]]) -> None:
    """Add the groups of each single column of a cross that came without them: the same people, added up."""
    for by, cells in list(counted.items()):
        for place, column in enumerate(by):
            if len(by) == 1 or (column,) in counted:
                continue
            margin: dict[tuple[str, ...], Tally] = {}
            for group, cell in cells.items():
                margin.setdefault((group[place],), Tally()).take(cell)
            counted[column,] = margin


def _same_people(counted: Mapping[tuple[str, ...], Mapping[tuple[str, ...], Tally]]) -> None:
    sums = {
        by: (sum(t.n for t in held.values()), sum(t.selected for t in held.values()))
        for by, held in counted.items()
    }
    first, whole = next(iter(sums.items()))
    for by, other in sums.items():
        if other != whole:
            _no(
                "tables",
                f"The groups by {' × '.join(first)} are {whole[0]:,} people, {whole[1]:,} selected, and those by "
                f"{' × '.join(by)} are {other[0]:,}, {other[1]:,} selected. Count all tables from the same people; "
                f"a missing value is the group {MISSING}.",
                "import_counts",
            )


# --- refusing ---


def check_size(size: int) -> None:
    """Refuse more bytes than figures of groups take."""
    if size > LIMIT:
        _no(
            "content",
            f"The file is larger than {LIMIT // 1024} KiB. Send figures, not rows.",
            "import_too_large",
        )


def check_values(content: Any) -> None:
    """Refuse what is nested too deep or too long, and texts with characters that nobody can see or keep.

    Before the schema is asked: it has a fault to find in every entry of a list, however long.
    """
    level = [content]
    for _depth in range(DEEPEST):
        for held in level:
            if isinstance(held, dict | list) and len(held) > LONGEST:
                _no(
                    _place_of(content, held),
                    f"This is longer than {LONGEST:,}. Send less, or use the format counts.",
                    "import_shape",
                )
        level = [
            inner
            for held in level
            if isinstance(held, dict | list)
            for inner in ((*held, *held.values()) if isinstance(held, dict) else held)
        ]
        if any(isinstance(one, str) and unseen(one) for one in level):
            _no(
                "content",
                "A text holds characters that cannot be seen. Take them out and send it again.",
                "import_unseen",
            )
        if not level:
            return
    _too_deep()


def first_fault(validator: Draft202012Validator, content: Any) -> ValidationError | None:
    """Of what a schema finds wrong, the fault nearest to the top; of very many, among the first."""
    faults = islice(validator.iter_errors(content), MOST_FAULTS)
    return min(faults, key=lambda one: (len(one.path), str(one.path)), default=None)


def _place_of(content: Any, wanted: Any, at: str = "") -> str:
    """Where in a value something stands, as `tables[0].groups`."""
    if content is wanted:
        return at.lstrip(".") or "content"
    steps: Iterable[tuple[str, Any]] = ()
    if isinstance(content, dict):
        steps = ((f"{at}.{name}"[:200], inner) for name, inner in content.items())
    elif isinstance(content, list):
        steps = ((f"{at}[{place}]", inner) for place, inner in enumerate(content))
    return next((found for here, inner in steps if (found := _place_of(inner, wanted, here))), "")


def _too_deep() -> NoReturn:
    _no(
        "content",
        f"The values are nested more than {DEEPEST} deep. No format needs that; look for a stray bracket.",
        "import_too_deep",
    )


def refuse(error: ValidationError) -> NoReturn:
    """Raise FairnessImportError for what a schema finds wrong, naming the field and the remedy."""
    instance: Any = error.instance
    # Where a key is missing or unknown the field is that key, in what should hold it.
    schema = error.schema if isinstance(error.schema, Mapping) else {}
    at = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.path).lstrip(".")
    expected: Any = error.validator_value
    where = at or "content"
    match error.validator:
        case "required" | "dependentRequired":
            needed = (
                expected
                if isinstance(expected, list)
                else [one for held in expected.values() for one in held]
            )
            absent = next((name for name in needed if name not in instance), "")
            if error.validator == "dependentRequired":
                absent = next(
                    one
                    for name, held in expected.items()
                    if name in instance
                    for one in held
                    if one not in instance
                )
            _no(
                f"{at}.{absent}".lstrip("."),
                f"{absent} is missing. Add it; docs/policy.md has the formats.",
                "import_shape",
            )
        case "additionalProperties" if isinstance(instance, Mapping):
            known = schema.get("properties", {})
            extra = next((str(name) for name in instance if name not in known), "")[:100]
            _no(
                f"{at}.{extra}".lstrip("."),
                f"There is no such field here; known are: {', '.join(known)}. Delete or rename it.",
                "import_shape",
            )
        case "enum":
            _no(where, f"This has to be one of: {', '.join(map(str, expected))}. Choose one.", "import_shape")
        case "type":
            kinds = expected if isinstance(expected, list) else [expected]
            _no(where, f"This has to be: {' or '.join(kinds)}. Correct it.", "import_shape")
        case "minItems" | "minLength" | "minProperties":
            _no(where, f"This has to have at least {expected}. Add what is missing.", "import_shape")
        case "maxItems" | "maxLength" | "maxProperties":
            _no(
                where, f"This is longer than {expected}. Send less, or use the format counts.", "import_shape"
            )
        case "minimum":
            _no(where, f"This is less than {expected}. Correct it.", "import_shape")
        case "maximum":
            _no(where, f"This is more than {expected}. Correct it.", "import_shape")
        case _:
            _no(where, "The same value stands here twice. Keep one of them.", "import_shape")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        times = Counter(name for name, _value in pairs)
        twice = next(name for name, n in times.items() if n > 1)[:100]
        _no(
            twice,
            "The name stands twice in one object, so which of them is meant is unknown. Keep one.",
            "import_twice",
        )
    return found


def _not_finite(word: str) -> NoReturn:
    _no("content", f"{word} is no number in JSON. Write null where there is no figure.", "import_not_json")


def _no(field: str, sentence: str, code: str) -> NoReturn:
    raise FairnessImportError(f"{field}: {sentence}", code=code, field=field)
