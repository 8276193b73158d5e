"""The policy language: YAML text to frozen rules, or a list of problems with line, column and remedy.

The grammar is `policy.schema.json`, explained in docs/policy.md. Total by construction: no expressions, no aliases, no
tags, bounded size and depth. Not in charge of versions and their publication, nor of what a clause means
(`governance.checks`).
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from yaml.nodes import Node

from governance import materiality
from governance.durations import seconds
from governance.facts import PARTS, Clause
from governance.kinds import KINDS, Mistaken
from governance.materiality import Materiality
from governance.testing import DESIGN
from portal.canonical import digest
from portal.errors import Invalid
from portal.marked import Language, Path_, Problem, Unreadable, at, find, listed

DEFAULT_SMOKE = "TEST_SMOKE"
DEFAULT_MIN_GROUP = 30
DEFAULT_TOP = 10
DEFAULT_SHARE_CHANGE = 0.1
DEFAULT_PATTERN = "TEST_*"
SCHEMA: dict[str, Any] = json.loads(Path(__file__).with_name("policy.schema.json").read_text("utf-8"))

_PATTERNS = {
    SCHEMA["$defs"]["duration"]["pattern"]: "Write a whole number and a unit: 30s, 15m, 24h or 90d.",
    SCHEMA["$defs"]["word"][
        "pattern"
    ]: "Use lower-case letters, digits and hyphens, beginning with a letter.",
    SCHEMA["$defs"]["id"]["pattern"]: "Use letters, digits, dots, hyphens and underscores.",
}


class PolicyError(Unreadable):
    """A policy that cannot be read; `problems` holds every one found, in the order of the text."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("policy", problems)


LANGUAGE = Language(
    noun="policy",
    schema=SCHEMA,
    begin="Begin with `policy: a-name` and `tiers:`.",
    manual="docs/policy.md",
    error=PolicyError,
    patterns=_PATTERNS,
    other_pattern="Use the letters of scenario ids, with * and ? as wildcards.",
    hints={
        "requires": " with a list, `[]` if the stage asks for nothing",
        "stages": " with the stages and what each requires",
        "policy": " with a short name",
        "kind": " fairness or explainability, or the document's kind",
        "at": " with the stage below",
        "for": " with a duration like 24h",
        "role": " with the role that signs",
        "metrics": " with the metrics and their thresholds",
        "forbid": " with the features that must not matter",
        "recipes": " with lines, complexity or both",
        "of": " with the sensitive columns",
        "min": " with the lowest ratio that passes",
        "max": " with the largest difference that passes",
        "by": " with the sensitive columns",
        "pattern": ' with what the ticket has to match, like "CHG[0-9]+"',
        "days": " with the days, like mon-thu",
        "hours": ' with the hours, like "09:00-16:00"',
        "exposure": " with a question and its answers",
        "purpose": " with a question and its answers",
        "order": " with all tiers, from the least strict on",
        "zone": " with the time zone, like Europe/Paris",
        "at_most": " with a duration like 30d",
    },
    several="Begin each with its own `-`.",
)


@dataclass(frozen=True, slots=True)
class Smoke:
    """The smoke scenario of a lane and whether its WARNING passes."""

    scenario: str = DEFAULT_SMOKE
    warning: Literal["fails", "passes"] = "fails"


@dataclass(frozen=True, slots=True)
class After:
    """What follows the live change: `watch` seconds (0: complete at once) and what a failure leads to."""

    watch: int = 0
    on_failure: Literal["roll_back", "hold"] = "roll_back"


@dataclass(frozen=True, slots=True)
class StageRules:
    """What one stage asks in one tier."""

    requirements: tuple[Clause, ...]
    automation: Literal["full", "manual"]
    after: After
    smoke: Smoke

    @property
    def by_itself(self) -> bool:
        """Whether nobody has to start a promotion once everything is met."""
        return self.automation == "full"


@dataclass(frozen=True, slots=True)
class Tier:
    """One tier: its printed title and the rules of each stage it names."""

    name: str
    title: str
    stages: dict[str, StageRules]


@dataclass(frozen=True, slots=True)
class PolicyDocument:
    """A whole policy; `digest` is over the normalised rules, so spelling and comments do not change it."""

    name: str
    title: str
    smoke: Smoke
    tiers: dict[str, Tier]
    digest: str
    materiality: Materiality | None = None

    def rules(self, tier: str, stage: str) -> StageRules:
        """The rules of a stage in a tier; raises Invalid where the policy names none: silence is not consent."""
        if tier not in self.tiers:
            raise Invalid(
                f"The policy {self.name} has no tier {tier}. Give the project one of its tiers, "
                f"{listed(self.tiers)}, or publish a policy that names {tier}.",
                code="tier_unknown",
                tier=tier,
            )
        stages = self.tiers[tier].stages
        if stage not in stages:
            raise Invalid(
                f"The policy {self.name} says nothing about the stage {stage} in the tier {tier}. Publish a version "
                f"that names it; a stage that asks for nothing says so with `requires: []`.",
                code="stage_unknown",
                tier=tier,
                stage=stage,
            )
        return stages[stage]

    @property
    def roles(self) -> tuple[str, ...]:
        """Every sign role the policy names, sorted."""
        return tuple(
            sorted({clause.params["role"] for clause in self._clauses() if clause.kind == "sign_off"})
        )

    @property
    def document_kinds(self) -> tuple[str, ...]:
        """Every document kind the policy names, sorted."""
        return tuple(
            sorted({clause.params["kind"] for clause in self._clauses() if clause.kind == "document"})
        )

    def _clauses(self) -> Iterator[Clause]:
        for tier in self.tiers.values():
            for rules in tier.stages.values():
                yield from rules.requirements


def parse(text: str | bytes) -> PolicyDocument:
    """The policy that a YAML text states; raises PolicyError with every problem found."""
    value, root = LANGUAGE.read(text)
    return _document(value, root)


def clause(kind: str, params: dict[str, Any], name: str = "") -> Clause:
    """A Clause with its key and the digest of canonical {kind, params}; `params` are normalised already."""
    return Clause(f"{kind}:{name}" if name else kind, kind, params, digest({"kind": kind, "params": params}))


# --- normalising ---


def _document(value: dict[str, Any], root: Node) -> PolicyDocument:
    problems: list[Problem] = []
    smoke = Smoke(**value.get("smoke", {}))
    tiers: dict[str, Tier] = {}
    for tier_name, tier in value["tiers"].items():
        smokes = {
            name: Smoke(**{"scenario": smoke.scenario, "warning": smoke.warning, **stage.get("smoke", {})})
            for name, stage in tier["stages"].items()
        }
        stages: dict[str, StageRules] = {}
        for stage_name, stage in tier["stages"].items():
            path: Path_ = ("tiers", tier_name, "stages", stage_name)
            clauses: dict[str, Clause] = {}
            for index, requirement in enumerate(stage["requires"]):
                ((kind, said),) = requirement.items()
                spot: Path_ = (*path, "requires", index, kind)
                try:
                    made = _clause(kind, said, smokes, smoke)
                except Mistaken as wrong:
                    where: Path_ = (*spot, *wrong.path)
                    problems.append(at(find(root, where), where, str(wrong), wrong.remedy))
                    continue
                if made.key in clauses:
                    problems.append(
                        at(
                            find(root, spot),
                            spot,
                            f"The requirement {made.key} is given twice for this stage.",
                            "Merge the two"
                            + (", or give one a name." if kind in ("evidence", "tests") else "."),
                        )
                    )
                clauses[made.key] = made
                if kind == "tests":
                    problems += _misplaced(root, spot, said)
                if made.params.get("at") == stage_name:
                    problems.append(
                        at(
                            find(root, (*spot, "at")),
                            (*spot, "at"),
                            f"The stage {stage_name} cannot ask for what happens at {stage_name} after it was entered.",
                            "Name a stage before it.",
                        )
                    )
            after = stage.get("after", {})
            stages[stage_name] = StageRules(
                tuple(clauses.values()),
                stage.get("automation", "manual"),
                After(
                    seconds(after["watch"]) if "watch" in after else 0, after.get("on_failure", "roll_back")
                ),
                smokes[stage_name],
            )
        tiers[tier_name] = Tier(tier_name, tier.get("title", tier_name), stages)
    said = value.get("materiality")
    for within, message, remedy in materiality.mistakes(said, tiers) if said else ():
        whole: Path_ = ("materiality", *within)
        problems.append(at(find(root, whole), whole, message, remedy))
    if problems:
        LANGUAGE.refuse(problems)
    table = materiality.read(said) if said else None
    title = value.get("title", value["policy"])
    return PolicyDocument(
        value["policy"],
        title,
        smoke,
        tiers,
        digest(_normal(value["policy"], title, smoke, tiers, table)),
        table,
    )


def _clause(kind: str, said: Any, smokes: dict[str, Smoke], smoke: Smoke) -> Clause:
    if kind == "sign_off":
        covers = said.get("covers", "all")
        # What no part recognises is in every scope: nobody may sign around it.
        scope = [part for part in PARTS if covers == "all" or part in covers or part == "other"]
        params = {
            "role": said["role"],
            "people": int(said.get("people", 1)),
            "covers": scope,
            **_max_age(said),
            **_carry(said),
        }
        return clause(kind, params, said["role"])
    if kind == "document":
        if isinstance(said, str):
            said = {"kind": said}
        params = {
            "kind": said["kind"],
            "sections": said.get("sections", []),
            **_max_age(said),
            **_waive(said),
        }
        return clause(kind, params, said["kind"])
    if kind == "evidence":
        params = {"kind": said["kind"], **_max_age(said), **_waive(said)}
        params |= {"from": said["from"]} if "from" in said else {}
        if said["kind"] == "fairness":
            params["metrics"] = [
                {**metric, "min_group": int(metric.get("min_group", DEFAULT_MIN_GROUP))}
                for metric in said["metrics"]
            ]
        else:
            params |= {"top": int(said.get("top", DEFAULT_TOP)), "forbid": said["forbid"]}
            params |= {"proxies": dict(said["proxies"])} if "proxies" in said else {}
            params |= {"drift": _drift(said["drift"])} if "drift" in said else {}
        return clause(kind, params, ":".join(filter(None, (said["kind"], said.get("name")))))
    if kind == "tests" and {"scenarios", "recipes"} & said.keys():
        about = {name: said[name] for name in ("scenarios", "recipes") if name in said}
        params = {"at": said["at"], "from": "bundle", **about, **_max_age(said), **_waive(said)}
        return clause(kind, params, ":".join(filter(None, (said["at"], said.get("name")))))
    if kind == "tests":
        share = {name: said[name] for name in ("pass_rate", "required") if name in said}
    if kind == "tests" and said.get("from") == "report":
        params = {
            "at": said["at"],
            "from": "report",
            "pattern": said.get("pattern", "*"),
            **share,
            **_max_age(said),
            **_waive(said),
        }
        return clause(kind, params, ":".join(filter(None, (said["at"], said.get("name")))))
    if kind == "tests":
        params = {
            "at": said["at"],
            "pattern": said.get("pattern", DEFAULT_PATTERN),
            "warning": said.get("warning", "fails"),
            "smoke": smokes.get(said["at"], smoke).scenario,
            **share,
            **_max_age(said),
            **_waive(said),
        }
        return clause(kind, params, ":".join(filter(None, (said["at"], said.get("name")))))
    if kind in KINDS:
        read = KINDS[kind](said)
        return clause(kind, {**read.params, **_waive(said)}, read.name)
    return clause(kind, {"at": said["at"], "for": seconds(said["for"]), **_waive(said)}, said["at"])


# What has no meaning beside what the bundle itself is asked for.
_OF_RUNS = ("from", "pattern", "warning", "pass_rate", "required")


def _misplaced(root: Node, spot: Path_, said: dict[str, Any]) -> Iterator[Problem]:
    """Keys of a `tests` requirement that do not go together, each where it stands."""
    of_bundle = [name for name in ("scenarios", "recipes") if name in said]
    for name in of_bundle:
        if said["at"] != DESIGN:
            yield at(
                find(root, (*spot, name)),
                (*spot, name),
                f"{name} is about what the bundle holds, which is known before it runs at {said['at']}.",
                f"Write `at: {DESIGN}`.",
            )
    for key in _OF_RUNS if of_bundle else ():
        if key in said:
            yield at(
                find(root, (*spot, key)),
                (*spot, key),
                f"{key} is about tests that ran, and {of_bundle[0]} about what the bundle holds.",
                "Ask for the two in requirements of their own, one of them with a name.",
            )
    if said.get("from") == "report" and "warning" in said:
        yield at(
            find(root, (*spot, "warning")),
            (*spot, "warning"),
            "A test report knows no WARNING.",
            "Leave it out.",
        )


def _carry(said: dict[str, Any]) -> dict[str, Any]:
    """How far an approval is carried to other bundles; as far as it will go where nothing is said."""
    carry = said.get("carry")
    if carry is None or carry == "never":
        return {} if carry is None else {"carry": carry}
    return {"carry": {**_max_age(carry), **({"hops": int(carry["hops"])} if "hops" in carry else {})}}


def _waive(said: dict[str, Any]) -> dict[str, Any]:
    """Whether, or for how long at most, it may be waived; as the portal allows where nothing is said."""
    waive = said.get("waive")
    if waive is None or waive == "never":
        return {} if waive is None else {"waive": waive}
    return {"waive": {"at_most": seconds(waive["at_most"])}}


def _drift(said: dict[str, Any]) -> dict[str, Any]:
    """Where no limit is given, that of the share."""
    limits: dict[str, Any] = {
        name: said[name] for name in ("max_share_change", "min_rank_correlation") if name in said
    }
    return {
        "top": int(said.get("top", DEFAULT_TOP)),
        **(limits or {"max_share_change": DEFAULT_SHARE_CHANGE}),
    }


def _max_age(said: dict[str, Any]) -> dict[str, int]:
    return {"max_age": seconds(said["max_age"])} if "max_age" in said else {}


def _normal(
    name: str, title: str, smoke: Smoke, tiers: dict[str, Tier], table: Materiality | None
) -> dict[str, Any]:
    return {
        **({"materiality": table.as_json()} if table else {}),
        "policy": name,
        "title": title,
        "smoke": {"scenario": smoke.scenario, "warning": smoke.warning},
        "tiers": {
            tier.name: {
                "title": tier.title,
                "stages": {
                    stage: {
                        "requires": [{"key": made.key, "digest": made.digest} for made in rules.requirements],
                        "automation": rules.automation,
                        "after": {"watch": rules.after.watch, "on_failure": rules.after.on_failure},
                        "smoke": {"scenario": rules.smoke.scenario, "warning": rules.smoke.warning},
                    }
                    for stage, rules in tier.stages.items()
                },
            }
            for tier in tiers.values()
        },
    }
