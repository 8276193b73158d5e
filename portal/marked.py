"""Small YAML, read against a JSON Schema: what is wrong is told by line and column, with a remedy.

No anchors, no aliases, no tags, no YAML 1.1 surprises, bounded size and depth. What a document means is its language's:
governance/policy.py, portal/estate_file.py.
"""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn, cast

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from yaml.composer import ComposerError
from yaml.error import Mark
from yaml.events import AliasEvent, Event, NodeEvent
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from portal.errors import Invalid
from portal.texts import unseen, writable

MAX_BYTES = 128 * 1024
MAX_DEPTH = 20
MAX_PROBLEMS = 50
_TYPES = {
    "object": "a mapping",
    "array": "a list",
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
}

Path_ = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a document; `line` and `column` count from 1, `path` reads like tiers.light.stages.qa."""

    line: int
    column: int
    path: str
    message: str
    remedy: str

    def __post_init__(self) -> None:
        for name in ("path", "message", "remedy"):
            object.__setattr__(self, name, writable(getattr(self, name)))

    def __str__(self) -> str:
        return f"Line {self.line}, column {self.column}: {self.message} {self.remedy}"


class Unreadable(Invalid):
    """A document that cannot be used; `problems` holds every one found, in the order of the text."""

    def __init__(self, noun: str, problems: tuple[Problem, ...]) -> None:
        more = f" And {len(problems) - 1} more." if len(problems) > 1 else ""
        super().__init__(
            f"The {noun} cannot be used. {problems[0]}{more}", code=f"{noun}_invalid", field="text"
        )
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Language:
    """How documents of one kind read. `begin` is the remedy for an empty text, `manual` the page that explains it.

    `patterns` give a remedy for a pattern of the schema, `hints` what to write after a missing key. `error` makes the
    exception, an Unreadable or a child of it.
    """

    noun: str
    schema: Mapping[str, Any]
    begin: str
    manual: str
    error: Callable[[tuple[Problem, ...]], Unreadable]
    max_bytes: int = MAX_BYTES
    patterns: Mapping[str, str] = field(default_factory=dict)
    other_pattern: str = "Compare with the manual."
    hints: Mapping[str, str] = field(default_factory=dict)
    several: str = "Keep one of them."

    def read(self, text: str | bytes) -> tuple[Any, Node]:
        """The document's value and its root node, for `find`; raises the language's error with every problem found."""
        root = _compose(text, self)
        self.check(list(_structure(root, self)))
        value = _value(root)
        errors = Draft202012Validator(self.schema).iter_errors(value)
        self.check([problem for error in errors for problem in _explain(error, root, self)])
        return value, root

    def check(self, problems: list[Problem]) -> None:
        """Raise the language's error unless the list is empty."""
        if problems:
            self.refuse(problems)

    def refuse(self, problems: list[Problem]) -> NoReturn:
        """Raise the language's error with these, each once, in the order of the text."""
        unique = sorted(set(problems), key=lambda p: (p.line, p.column, p.message))
        raise self.error(tuple(unique[:MAX_PROBLEMS]))


class _Loader(yaml.SafeLoader):
    """A composer for a small YAML: no anchors, no aliases, no merge keys, no dates, no yes/no/on/off, bounded depth."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.depth = 0

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        event: Event = self.peek_event()  # type: ignore[no-untyped-call]
        mark = cast("Mark | None", event.start_mark)
        if isinstance(event, AliasEvent) or (isinstance(event, NodeEvent) and event.anchor is not None):
            raise ComposerError(None, None, "Anchors and aliases have no place here", mark)
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


def _compose(text: str | bytes, language: Language) -> Node:
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if len(raw) > language.max_bytes:
        language.refuse(
            [
                Problem(
                    1,
                    1,
                    "",
                    f"The text is larger than {language.max_bytes // 1024} KiB.",
                    "Split it into several files.",
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
        language.refuse([Problem(line, column, "", "This byte is not UTF-8.", "Save the file as UTF-8.")])
    except yaml.reader.ReaderError as error:
        before = raw.decode("utf-8")[: int(error.position)]
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        language.refuse([Problem(line, column, "", "This character is not allowed in YAML.", "Delete it.")])
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        said = (error.problem or error.context or "the YAML cannot be read").strip().rstrip(".")
        language.refuse([Problem(line, column, "", said[:1].upper() + said[1:] + ".", _yaml_remedy(said))])
    except (ValueError, OverflowError):  # an escape that is beyond Unicode
        mark = loader.get_mark()
        language.refuse(
            [Problem(mark.line + 1, mark.column + 1, "", "There is no such character.", "Delete its escape.")]
        )
    if node is None:
        language.refuse([Problem(1, 1, "", "The text is empty.", language.begin)])
    return node


def _yaml_remedy(said: str) -> str:
    if "Anchors" in said:
        return "Write the rule out where it applies."
    if "nested" in said:
        return "No rule needs that; look for a stray bracket."
    if "\\t" in said or "tab" in said:
        return "Indent with spaces."
    if "another document" in said:
        return "Keep one document a file and delete the `---` between."
    return "Check indentation, quotes and brackets on this line and the one above."


def _structure(node: Node, language: Language, path: Path_ = ()) -> Iterator[Problem]:
    """What JSON Schema cannot see: duplicate keys, keys that are no text, tags."""
    if node.tag not in _PLAIN_TAGS:
        yield at(
            node,
            path,
            f"The tag {_short(node.tag)} is not part of the {language.noun} language.",
            "Delete it.",
        )
        return
    if isinstance(node, ScalarNode):
        if unseen(node.value):
            yield at(node, path, "This text holds a character that cannot be seen.", "Delete it.")
        try:
            _scalar(node)
        except ValueError:
            yield at(node, path, f"{_short(node.value)} does not fit its tag.", "Delete the tag.")
    elif isinstance(node, SequenceNode):
        for index, item in enumerate(node.value):
            yield from _structure(item, language, (*path, index))
    elif isinstance(node, MappingNode):
        seen: dict[str, int] = {}
        for key, held in node.value:
            if not isinstance(key, ScalarNode) or key.tag not in _PLAIN_TAGS:
                yield at(key, path, "A key must be a plain word.", "Write `word: value`.")
                continue
            name = key.value
            if name in seen:
                yield at(
                    key,
                    (*path, name),
                    f"The key {_short(name)} is given twice; the first is on line {seen[name]}.",
                    "Keep one of them.",
                )
            seen.setdefault(name, key.start_mark.line + 1)
            yield from _structure(held, language, (*path, name))


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


def at(node: Node, path: Path_, message: str, remedy: str) -> Problem:
    """A problem at a node."""
    mark = node.start_mark
    return Problem(mark.line + 1, mark.column + 1, _spelt(path), message, remedy)


def find(root: Node, path: Path_, key: str | None = None) -> Node:
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


def _explain(error: ValidationError, root: Node, language: Language) -> Iterator[Problem]:
    path: Path_ = tuple(error.absolute_path)
    # jsonschema's stubs allow for errors outside a schema; these all come from one.
    rule, expected, found = error.validator, cast(Any, error.validator_value), cast(Any, error.instance)
    schema = cast(dict[str, Any], error.schema)
    here = find(root, path)
    what = _short(found) if not isinstance(found, dict | list) else "this"
    if rule == "additionalProperties":
        known = sorted(schema.get("properties", {}))
        for key in found:
            if key not in known:
                close = difflib.get_close_matches(key, known, 1)
                remedy = f"Did you mean {close[0]}?" if close else f"Known here: {listed(known)}."
                spot = find(root, path, key)
                yield at(spot, (*path, key), f"The key {_short(key)} is not known here.", remedy)
    elif rule == "required":
        missing = [key for key in expected if key not in found]
        for key in missing:
            yield at(here, path, f"The key {key} is missing.", f"Add `{key}:`{language.hints.get(key, '')}.")
    elif rule == "type":
        kinds = [expected] if isinstance(expected, str) else expected
        wanted = " or ".join(_TYPES.get(kind, kind) for kind in kinds)
        yield at(here, path, f"{_cap(what)} is not {wanted}.", f"Write {wanted}{_quote_hint(found, kinds)}.")
    elif rule in ("enum", "const"):
        known = [str(item) for item in (expected if rule == "enum" else [expected])]
        close = difflib.get_close_matches(str(found), known, 1)
        meant = f"Did you mean {close[0]}? " if close else ""
        yield at(here, path, f"{_cap(what)} is not known here.", f"{meant}Use {listed(known, 'or')}.")
    elif rule == "pattern":
        named = "propertyNames" in error.absolute_schema_path
        spot = find(root, path, str(found)) if named else here
        remedy = language.patterns.get(expected, language.other_pattern)
        yield at(spot, path, f"{_cap(what)} does not have the right form.", remedy)
    elif rule in ("minimum", "exclusiveMinimum"):
        than = "less than" if rule == "minimum" else "not above"
        yield at(here, path, f"{_cap(what)} is {than} {expected}.", _range(schema))
    elif rule in ("maximum", "exclusiveMaximum"):
        than = "more than" if rule == "maximum" else "not below"
        yield at(here, path, f"{_cap(what)} is {than} {expected}.", _range(schema))
    elif rule == "minProperties":
        yield at(here, path, "There is nothing in this mapping.", "Add at least one entry.")
    elif rule == "maxProperties" and expected == 1:
        yield at(
            here,
            path,
            f"There are several kinds: {listed(found)}.",
            language.several,
        )
    elif rule == "minItems" and expected > 1:
        yield at(here, path, f"This has fewer than {expected}.", f"Give at least {expected}.")
    elif rule in ("minItems", "minLength"):
        yield at(here, path, "This is empty.", "Give at least one, or delete the key.")
    elif rule in ("maxItems", "maxLength", "maxProperties"):
        yield at(here, path, f"This is longer than {expected}.", "Shorten it.")
    elif rule == "uniqueItems":
        yield at(here, path, "The same value is listed twice.", "Keep one of them.")
    elif rule == "not":  # the key is known, but not in this company
        key = str(path[-1])
        spot = find(root, path[:-1], key)
        other = "min" if key == "max" else "max"
        yield at(
            spot,
            path,
            f"{_cap(key)} does not go with this metric.",
            f"Use {other}: ratios have min, differences max.",
        )
    else:
        yield at(
            here, path, f"This breaks the rule {rule} of the schema.", f"Compare with {language.manual}."
        )


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


def listed(names: Any, last: str = "and") -> str:
    """Words in a row: a, b and c."""
    words = [str(name) for name in names]
    return (
        words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}" if words else "nothing"
    )


def _spelt(path: Path_) -> str:
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text
