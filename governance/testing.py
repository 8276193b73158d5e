"""What a `tests` requirement asks and how it is judged: scenarios the portal ran, a report a pipeline sent, or what a
bundle itself holds before it is packaged for anything.

Pure: results and clause parameters in, a state with a code and parameters out. Codes are those of
`governance.checks.Code`, by their values. Not in charge of which evidence is the current one.
"""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from fractions import Fraction
from typing import Any

from governance.facts import CANNOT_TELL, MET, NOT_MET, Clause, State

DESIGN = "design"
"""The word for the design node where a policy names a stage: before a bundle runs anywhere."""

# Where results come from (`from`) -> the kind of evidence that holds them. What the portal ran itself needs no word.
KINDS = {"report": "test-report", "bundle": "project"}
# Of these the stage belongs to what they say; other evidence holds wherever the parts run.
STAGED = frozenset({"tests", *KINDS.values()})
MAX_NAMED = 20

Assessment = tuple[State, str, dict[str, Any]]


def kind_of(clause: Clause) -> str:
    """The kind of evidence that a `tests` clause is judged by. A report never stands in for what the portal ran."""
    return KINDS.get(clause.params.get("from", ""), "tests")


def tests_of(result: Mapping[str, Any], asked: Mapping[str, Any]) -> Assessment:
    """As many passed as are asked; the last run of each counts; the lane's smoke scenario is not a test.

    All that are listed and fit the pattern have to pass, or with `pass_rate` that share of them; what is `required` by
    name has to be there and pass in any case. What a report says was skipped is not listed.
    """
    pattern, smoke = asked.get("pattern", "*"), asked.get("smoke", "")
    listed = sorted({name for name in result["listed"] if fnmatchcase(name, pattern) and name != smoke})
    last = {run["scenario"]: run.get("outcome") for run in result["runs"]}
    params: dict[str, Any] = {"pattern": pattern, "listed": len(listed)}
    good = {"SUCCESS", "WARNING"} if asked.get("warning") == "passes" else {"SUCCESS"}
    absent = [name for name in asked.get("required", ()) if last.get(name) not in good]
    failed = [name for name in listed if last.get(name) and last[name] not in good]
    not_run = [name for name in listed if not last.get(name)]
    passed = len(listed) - len(failed) - len(not_run)
    outcomes = [{"scenario": name, "outcome": str(last[name])} for name in failed[:MAX_NAMED]]
    # What else did not pass: whoever repairs, or waives, what is named first has to know of it.
    rest: dict[str, Any] = {"passed": passed} | ({"not_run": not_run[:MAX_NAMED]} if not_run else {})
    if absent:
        told = [{"scenario": name, "outcome": str(last.get(name) or "")} for name in absent[:MAX_NAMED]]
        return NOT_MET, "tests_required", params | {"required": told, "failed": outcomes} | rest
    if not listed:
        return NOT_MET, "tests_none", params
    params |= {"passed": passed}
    warned = [name for name in listed if last.get(name) == "WARNING" and name not in failed]
    if "pass_rate" in asked:
        rate = Fraction(str(asked["pass_rate"]))
        params |= {"pass_rate": asked["pass_rate"], "failed": outcomes}
        if passed < rate * len(listed):
            return NOT_MET, "tests_rate", params
        return MET, "tests_passed", params | {"warned": warned[:MAX_NAMED]}
    if failed:
        return NOT_MET, "tests_failed", params | {"failed": outcomes} | rest
    if not_run:
        return NOT_MET, "tests_not_run", params | {"not_run": not_run[:MAX_NAMED]}
    return MET, "tests_passed", params | {"warned": warned[:MAX_NAMED]}


def project_of(result: Mapping[str, Any], asked: Mapping[str, Any]) -> Assessment:
    """Every scenario asked for is in the bundle, and no recipe is longer or more branched than the limits.

    A recipe that could not be measured where a limit asks for its measure leaves it open.
    """
    there = set(result["scenarios"])
    wanted: Sequence[str] = asked.get("scenarios", ())
    limits: Mapping[str, int] = asked.get("recipes", {})
    recipes: Sequence[Mapping[str, Any]] = result["recipes"]
    absent = [name for name in wanted if name not in there]
    over = [
        {"recipe": held["recipe"], "measure": measure, "value": held[measure], "limit": limit}
        for measure, limit in limits.items()
        for held in recipes
        if held[measure] is not None and held[measure] > limit
    ]
    untold = [
        {"recipe": held["recipe"], "why": held["why"]}
        for held in recipes
        if "complexity" in limits and held["complexity"] is None and held["why"]
    ]
    params: dict[str, Any] = {
        "scenarios": list(wanted),
        "limits": dict(limits),
        "recipes": len(recipes),
        "absent": absent[:MAX_NAMED],
        "over": sorted(over, key=lambda row: (row["measure"], -row["value"], row["recipe"]))[:MAX_NAMED],
        "untold": untold[:MAX_NAMED],
        "more": int(result.get("more", 0)),
    }
    if absent or over:
        return NOT_MET, "project_unsound", params
    if limits and (untold or params["more"]):
        return CANNOT_TELL, "project_untold", params
    return MET, "project_sound", params
