"""The policy language: YAML text to frozen rules, or a list of problems with line, column and remedy.

The grammar is `policy.schema.json`, explained in docs/policy.md. Total by construction: no expressions, no aliases, no
tags, bounded size and depth. Not in charge of versions and their publication, nor of what a clause means
(`governance.checks`).
"""

import difflib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn, cast

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from yaml.composer import ComposerError
from yaml.error import Mark
from yaml.events import AliasEvent, Event, NodeEvent
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from governance.facts import PARTS, Clause
from portal.canonical import digest
from portal.errors import Invalid

MAX_BYTES = 128 * 1024
MAX_DEPTH = 20
MAX_PROBLEMS = 50
DEFAULT_SMOKE = "TEST_SMOKE"
DEFAULT_MIN_GROUP = 30
DEFAULT_TOP = 10
DEFAULT_PATTERN = "TEST_*"
SCHEMA: dict[str, Any] = json.loads(Path(__file__).with_name("policy.schema.json").read_text("utf-8"))

_VALIDATOR = Draft202012Validator(SCHEMA)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"([1-9][0-9]{0,5})([smhd])")
_TYPES = {
    "object": "a mapping",
    "array": "a list",
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
}
_PATTERNS = {
    SCHEMA["$defs"]["duration"]["pattern"]: "Write a whole number and a unit: 30s, 15m, 24h or 90d.",
    SCHEMA["$defs"]["word"][
        "pattern"
    ]: "Use lower-case letters, digits and hyphens, beginning with a letter.",
    SCHEMA["$defs"]["id"]["pattern"]: "Use letters, digits, dots, hyphens and underscores.",
}

Path_ = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a policy; `line` and `column` count from 1, `path` reads like tiers.light.stages.qa."""

    line: int
    column: int
    path: str
    message: str
    remedy: str

    def __str__(self) -> str:
        return f"Line {self.line}, column {self.column}: {self.message} {self.remedy}"


class PolicyError(Invalid):
    """A policy that cannot be read; `problems` holds every one found, in the order of the text."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        more = f" And {len(problems) - 1} more." if len(problems) > 1 else ""
        super().__init__(
            f"The policy cannot be used. {problems[0]}{more}", code="policy_invalid", field="text"
        )
        self.problems = problems


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

    def rules(self, tier: str, stage: str) -> StageRules:
        """The rules of a stage in a tier; raises Invalid where the policy names none: silence is not consent."""
        if tier not in self.tiers:
            raise Invalid(
                f"The policy {self.name} has no tier {tier}. Give the project one of its tiers, "
                f"{_listed(self.tiers)}, or publish a policy that names {tier}.",
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
    root = _compose(text)
    problems = list(_structure(root))
    if problems:
        _refuse(problems)
    value = _value(root)
    problems = [problem for error in _VALIDATOR.iter_errors(value) for problem in _explain(error, root)]
    if problems:
        _refuse(problems)
    return _document(value, root)


def seconds(duration: str) -> int:
    """Seconds of `3s`, `15m`, `24h` or `90d`; raises ValueError for anything else."""
    found = _DURATION.fullmatch(duration)
    if not found:
        raise ValueError(f"{duration!r} is not a duration like 3s, 15m, 24h or 90d.")
    return int(found[1]) * _SECONDS[found[2]]


def clause(kind: str, params: dict[str, Any], name: str = "") -> Clause:
    """A Clause with its key and the digest of canonical {kind, params}; `params` are normalised already."""
    return Clause(f"{kind}:{name}" if name else kind, kind, params, digest({"kind": kind, "params": params}))


# --- reading YAML ---


class _Loader(yaml.SafeLoader):
    """A composer for a small YAML: no anchors, no aliases, no merge keys, no dates, no yes/no/on/off, bounded depth."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.depth = 0

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        event: Event = self.peek_event()  # type: ignore[no-untyped-call]
        mark = cast("Mark | None", event.start_mark)
        if isinstance(event, AliasEvent) or (isinstance(event, NodeEvent) and event.anchor is not None):
            raise ComposerError(None, None, "Anchors and aliases are not part of the policy language", mark)
        if self.depth >= MAX_DEPTH:
            raise ComposerError(None, None, f"This is nested deeper than {MAX_DEPTH} levels", mark)
        self.depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1


_Loader.yaml_implicit_resolvers = {}  # none of YAML 1.1's: only what is listed here is not a text
for _tag, _pattern, _first in (
    ("tag:yaml.org,2002:bool", r"true|false", "tf"),
    ("tag:yaml.org,2002:null", r"~|null|", ["~", "n", ""]),
    ("tag:yaml.org,2002:int", r"-?(0|[1-9][0-9]{0,14})", "-0123456789"),
    ("tag:yaml.org,2002:float", r"-?(0|[1-9][0-9]{0,14})\.[0-9]{1,15}", "-0123456789"),
):
    _Loader.add_implicit_resolver(_tag, re.compile(f"(?:{_pattern})$"), list(_first))

_PLAIN_TAGS = {"tag:yaml.org,2002:" + tag for tag in ("bool", "null", "int", "float", "str", "map", "seq")}


def _compose(text: str | bytes) -> Node:
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if len(raw) > MAX_BYTES:
        _refuse(
            [
                Problem(
                    1,
                    1,
                    "",
                    f"The text is larger than {MAX_BYTES // 1024} KiB.",
                    "Split it into several policies.",
                )
            ]
        )
    try:
        loader = _Loader(raw.decode("utf-8"))
        try:
            node = loader.get_single_node()
        finally:
            loader.dispose()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - (raw.rfind(b"\n", 0, error.start) + 1) + 1
        _refuse([Problem(line, column, "", "This byte is not UTF-8.", "Save the file as UTF-8.")])
    except yaml.reader.ReaderError as error:
        before = raw.decode("utf-8")[: int(error.position)]
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        _refuse([Problem(line, column, "", "This character is not allowed in YAML.", "Delete it.")])
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        said = (error.problem or error.context or "the YAML cannot be read").strip().rstrip(".")
        _refuse([Problem(line, column, "", said[:1].upper() + said[1:] + ".", _yaml_remedy(said))])
    if node is None:
        _refuse([Problem(1, 1, "", "The text is empty.", "Begin with `policy: a-name` and `tiers:`.")])
    return node


def _yaml_remedy(said: str) -> str:
    if "Anchors" in said:
        return "Write the rule out where it applies."
    if "nested" in said:
        return "No rule needs that; look for a stray bracket."
    if "\\t" in said or "tab" in said:
        return "Indent with spaces."
    if "another document" in said:
        return "Keep one policy a file and delete the `---` between."
    return "Check indentation, quotes and brackets on this line and the one above."


def _structure(node: Node, path: Path_ = ()) -> Iterator[Problem]:
    """What JSON Schema cannot see: duplicate keys, keys that are no text, tags."""
    if node.tag not in _PLAIN_TAGS:
        yield _at(node, path, f"The tag {_short(node.tag)} is not part of the policy language.", "Delete it.")
        return
    if isinstance(node, ScalarNode):
        try:
            _scalar(node)
        except ValueError:
            yield _at(node, path, f"{_short(node.value)} does not fit its tag.", "Delete the tag.")
    elif isinstance(node, SequenceNode):
        for index, item in enumerate(node.value):
            yield from _structure(item, (*path, index))
    elif isinstance(node, MappingNode):
        seen: dict[str, int] = {}
        for key, held in node.value:
            if not isinstance(key, ScalarNode) or key.tag not in _PLAIN_TAGS:
                yield _at(key, path, "A key must be a plain word.", "Write `word: value`.")
                continue
            name = key.value
            if name in seen:
                yield _at(
                    key,
                    (*path, name),
                    f"The key {_short(name)} is given twice; the first is on line {seen[name]}.",
                    "Keep one of them.",
                )
            seen.setdefault(name, key.start_mark.line + 1)
            yield from _structure(held, (*path, name))


def _scalar(node: ScalarNode) -> Any:
    kind = node.tag.rsplit(":", 1)[1]
    if kind == "int":
        return int(node.value)
    if kind == "float":
        number = float(node.value)
        if number != number or number in (float("inf"), float("-inf")):
            raise ValueError("not a finite number")
        return number
    if kind == "bool":
        if node.value not in ("true", "false"):
            raise ValueError("neither true nor false")
        return node.value == "true"
    if kind == "null":
        return None
    if kind != "str":
        raise ValueError("a scalar with the tag of a collection")
    return str(node.value)


def _value(node: Node) -> Any:
    if isinstance(node, MappingNode):
        return {key.value: _value(held) for key, held in node.value}
    if isinstance(node, SequenceNode):
        return [_value(item) for item in node.value]
    assert isinstance(node, ScalarNode)
    return _scalar(node)


# --- explaining ---


def _refuse(problems: list[Problem]) -> NoReturn:
    unique = sorted(set(problems), key=lambda p: (p.line, p.column, p.message))
    raise PolicyError(tuple(unique[:MAX_PROBLEMS]))


def _at(node: Node, path: Path_, message: str, remedy: str) -> Problem:
    mark = node.start_mark
    return Problem(mark.line + 1, mark.column + 1, _spelt(path), message, remedy)


def _find(root: Node, path: Path_, key: str | None = None) -> Node:
    """The node at a path; with `key`, the node of that key itself, else the mapping's own key where there is one."""
    node, label = root, root
    for step in path:
        if isinstance(node, MappingNode):
            label, node = next((k, v) for k, v in node.value if k.value == step)
        else:
            assert isinstance(node, SequenceNode)
            assert isinstance(step, int)
            label = node = node.value[step]
    if key is not None and isinstance(node, MappingNode):
        return next((k for k, _ in node.value if k.value == key), label)
    # A block collection starts on the line after its key; the key is where a reader looks.
    return node if isinstance(node, ScalarNode) else label


def _explain(error: ValidationError, root: Node) -> Iterator[Problem]:
    path: Path_ = tuple(error.absolute_path)
    # jsonschema's stubs allow for errors outside a schema; these all come from one.
    rule, expected, found = error.validator, cast(Any, error.validator_value), cast(Any, error.instance)
    schema = cast(dict[str, Any], error.schema)
    here = _find(root, path)
    what = _short(found) if not isinstance(found, dict | list) else "this"
    if rule == "additionalProperties":
        known = sorted(schema.get("properties", {}))
        for key in found:
            if key not in known:
                close = difflib.get_close_matches(key, known, 1)
                remedy = f"Did you mean {close[0]}?" if close else f"Known here: {_listed(known)}."
                spot = _find(root, path, key)
                yield _at(spot, (*path, key), f"The key {_short(key)} is not known here.", remedy)
    elif rule == "required":
        missing = [key for key in expected if key not in found]
        for key in missing:
            yield _at(here, path, f"The key {key} is missing.", f"Add `{key}:`{_hint(key)}.")
    elif rule == "type":
        kinds = [expected] if isinstance(expected, str) else expected
        wanted = " or ".join(_TYPES.get(kind, kind) for kind in kinds)
        yield _at(here, path, f"{_cap(what)} is not {wanted}.", f"Write {wanted}{_quote_hint(found, kinds)}.")
    elif rule in ("enum", "const"):
        known = [str(item) for item in (expected if rule == "enum" else [expected])]
        close = difflib.get_close_matches(str(found), known, 1)
        meant = f"Did you mean {close[0]}? " if close else ""
        yield _at(here, path, f"{_cap(what)} is not known here.", f"{meant}Use {_listed(known, 'or')}.")
    elif rule == "pattern":
        named = "propertyNames" in error.absolute_schema_path
        spot = _find(root, path, str(found)) if named else here
        remedy = _PATTERNS.get(expected, "Use the letters of scenario ids, with * and ? as wildcards.")
        yield _at(spot, path, f"{_cap(what)} does not have the right form.", remedy)
    elif rule in ("minimum", "exclusiveMinimum"):
        than = "less than" if rule == "minimum" else "not above"
        yield _at(here, path, f"{_cap(what)} is {than} {expected}.", _range(schema))
    elif rule in ("maximum", "exclusiveMaximum"):
        than = "more than" if rule == "maximum" else "not below"
        yield _at(here, path, f"{_cap(what)} is {than} {expected}.", _range(schema))
    elif rule == "minProperties":
        yield _at(here, path, "There is nothing in this mapping.", "Add at least one entry.")
    elif rule == "maxProperties" and expected == 1:
        yield _at(
            here,
            path,
            f"This requirement has several kinds: {_listed(found)}.",
            "Begin each with its own `-`.",
        )
    elif rule in ("minItems", "minLength"):
        yield _at(here, path, "This is empty.", "Give at least one, or delete the key.")
    elif rule in ("maxItems", "maxLength", "maxProperties"):
        yield _at(here, path, f"This is longer than {expected}.", "Shorten it.")
    elif rule == "uniqueItems":
        yield _at(here, path, "The same value is listed twice.", "Keep one of them.")
    elif rule == "not":  # the key is known, but not in this company
        key = str(path[-1])
        spot = _find(root, path[:-1], key)
        other = "min" if key == "max" else "max"
        yield _at(
            spot,
            path,
            f"{_cap(key)} does not go with this metric.",
            f"Use {other}: ratios have min, differences max.",
        )
    else:
        yield _at(here, path, f"This breaks the rule {rule} of the schema.", "Compare with docs/policy.md.")


def _hint(key: str) -> str:
    return {
        "requires": " with a list, `[]` if the stage asks for nothing",
        "stages": " with the stages and what each requires",
        "policy": " with a short name",
        "kind": " fairness or explainability, or the document's kind",
        "at": " with the stage below",
        "for": " with a duration like 24h",
        "role": " with the role that signs",
        "metrics": " with the metrics and their thresholds",
        "forbid": " with the features that must not matter",
        "min": " with the lowest ratio that passes",
        "max": " with the largest difference that passes",
        "by": " with the sensitive columns",
    }.get(key, "")


def _range(schema: dict[str, Any]) -> str:
    words = []
    for rule, word in (("minimum", "at least"), ("exclusiveMinimum", "above")):
        if rule in schema:
            words.append(f"{word} {schema[rule]}")
    for rule, word in (("maximum", "at most"), ("exclusiveMaximum", "below")):
        if rule in schema:
            words.append(f"{word} {schema[rule]}")
    return f"Give a number {' and '.join(words)}."


def _quote_hint(found: Any, kinds: list[str]) -> str:
    if "string" in kinds and isinstance(found, int | float | bool):
        return ", in quotes if it is meant as a text"
    return ""


def _short(value: Any) -> str:
    if value is None:
        return "an empty value"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"“{text[:57]}…”" if len(text) > 60 else f"“{text}”"


def _cap(text: str) -> str:
    return text[:1].upper() + text[1:]


def _listed(names: Any, last: str = "and") -> str:
    words = [str(name) for name in names]
    return (
        words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}" if words else "nothing"
    )


def _spelt(path: Path_) -> str:
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


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
                made = _clause(kind, said, smokes, smoke)
                if made.key in clauses:
                    problems.append(
                        _at(
                            _find(root, spot),
                            spot,
                            f"The requirement {made.key} is given twice for this stage.",
                            "Merge the two"
                            + (", or give one a name." if kind in ("evidence", "tests") else "."),
                        )
                    )
                clauses[made.key] = made
                if made.params.get("at") == stage_name:
                    problems.append(
                        _at(
                            _find(root, (*spot, "at")),
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
    if problems:
        _refuse(problems)
    title = value.get("title", value["policy"])
    return PolicyDocument(
        value["policy"], title, smoke, tiers, digest(_normal(value["policy"], title, smoke, tiers))
    )


def _clause(kind: str, said: Any, smokes: dict[str, Smoke], smoke: Smoke) -> Clause:
    if kind == "sign_off":
        covers = said.get("covers", "all")
        # What no part recognises is in every scope: nobody may sign around it.
        scope = [part for part in PARTS if covers == "all" or part in covers or part == "other"]
        return clause(
            kind, {"role": said["role"], "people": int(said.get("people", 1)), "covers": scope}, said["role"]
        )
    if kind == "document":
        if isinstance(said, str):
            said = {"kind": said}
        params = {"kind": said["kind"], "sections": said.get("sections", []), **_max_age(said)}
        return clause(kind, params, said["kind"])
    if kind == "evidence":
        params = {"kind": said["kind"], **_max_age(said)}
        if said["kind"] == "fairness":
            params["metrics"] = [
                {**metric, "min_group": int(metric.get("min_group", DEFAULT_MIN_GROUP))}
                for metric in said["metrics"]
            ]
        else:
            params |= {"top": int(said.get("top", DEFAULT_TOP)), "forbid": said["forbid"]}
        return clause(kind, params, ":".join(filter(None, (said["kind"], said.get("name")))))
    if kind == "tests":
        params = {
            "at": said["at"],
            "pattern": said.get("pattern", DEFAULT_PATTERN),
            "warning": said.get("warning", "fails"),
            "smoke": smokes.get(said["at"], smoke).scenario,
            **_max_age(said),
        }
        return clause(kind, params, ":".join(filter(None, (said["at"], said.get("name")))))
    return clause(kind, {"at": said["at"], "for": seconds(said["for"])}, said["at"])


def _max_age(said: dict[str, Any]) -> dict[str, int]:
    return {"max_age": seconds(said["max_age"])} if "max_age" in said else {}


def _normal(name: str, title: str, smoke: Smoke, tiers: dict[str, Tier]) -> dict[str, Any]:
    return {
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
