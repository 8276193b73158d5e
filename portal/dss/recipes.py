"""What the code in a bundle is like: the scenarios it holds, and of each code recipe how long and how branched it is.

Pure: an archive in, values out; nothing of the code is run or kept. Where recipes and scenarios lie in an archive is
unconfirmed for real nodes and read as DSS lays out a project's configuration. Not in charge of limits.
"""

import ast
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from portal.dss.archive import Entry, entries, unpack

MOST_RECIPES = 2_000  # every judgement reads what is told of them
# A syntax tree takes some two hundred times the memory of its text.
MOST_PARSED = 128 * 1024
MOST_PARSED_IN_ALL = 8 * 1024 * 1024
NAME_LIMIT = 200

# Each is one more way through a function.
_BRANCHES = (
    ast.If,
    ast.IfExp,
    ast.For,
    ast.AsyncFor,
    ast.While,
    ast.ExceptHandler,
    ast.Assert,
    ast.comprehension,
    ast.match_case,
)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


@dataclass(frozen=True, slots=True)
class Recipe:
    """A code recipe. `complexity`: of its most complex function, None where it has none or it could not be read.

    `why` says why not: "syntax" or "too_large"; empty where it is no Python.
    """

    name: str
    language: str
    lines: int
    complexity: int | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Held:
    """The scenarios and code recipes of a bundle; `more`: how many recipes were left out."""

    scenarios: tuple[str, ...]
    recipes: tuple[Recipe, ...]
    more: int


def held_in(source: IO[bytes]) -> Held:
    """Read the scenarios and code recipes of a sound archive, one recipe at a time. Raises ManifestError."""
    scenarios: set[str] = set()
    recipes: list[Recipe] = []
    more = parsed = 0
    for entry in sorted(entries(source), key=lambda one: one.path):
        folder, _slash, rest = entry.path.removeprefix("project_config/").partition("/")
        name, dot, language = rest.rpartition(".")
        if not dot or "/" in rest:
            continue
        if folder == "scenarios" and language == "json":
            scenarios.add(name[:NAME_LIMIT])
        elif folder == "recipes" and language != "json":
            if len(recipes) >= MOST_RECIPES:
                more += 1
                continue
            able = (
                language == "py" and entry.size <= MOST_PARSED and parsed + entry.size <= MOST_PARSED_IN_ALL
            )
            parsed += entry.size if able else 0
            recipes.append(_measured(source, entry, name[:NAME_LIMIT], language.lower()[:20], able))
    return Held(tuple(sorted(scenarios)), tuple(recipes), more)


def complexity(text: bytes) -> int:
    """The cyclomatic complexity of the most complex function of a Python text, the text itself counting as one.

    One, and one more for each branch, loop, handler, assertion, case, condition of a comprehension and further operand
    of `and` and `or`. Raises SyntaxError for what is no Python.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an odd escape in somebody's recipe is no matter of ours
        try:
            tree = ast.parse(text)
        except (ValueError, RecursionError, MemoryError) as error:
            raise SyntaxError(type(error).__name__) from error
    return max(1 + sum(map(_weight, _own(function))) for function in _functions(tree))


def _functions(tree: ast.Module) -> Iterator[ast.AST]:
    yield tree
    waiting: list[ast.AST] = [tree]
    while waiting:
        for node in ast.iter_child_nodes(waiting.pop()):
            waiting.append(node)
            if isinstance(node, _FUNCTIONS):
                yield node


def _own(function: ast.AST) -> Iterator[ast.AST]:
    """What is in a function and not in one inside it."""
    waiting = [function]
    while waiting:
        for node in ast.iter_child_nodes(waiting.pop()):
            if not isinstance(node, _FUNCTIONS):
                waiting.append(node)
                yield node


def _weight(node: ast.AST) -> int:
    if isinstance(node, ast.BoolOp):
        return len(node.values) - 1
    if isinstance(node, ast.comprehension):
        return 1 + len(node.ifs)
    return int(isinstance(node, _BRANCHES))


def _measured(source: IO[bytes], entry: Entry, name: str, language: str, able: bool) -> Recipe:
    lines, last, kept = 0, b"\n", []
    for piece in unpack(source, entry):
        lines += piece.count(b"\n")
        last = piece[-1:]
        if able:
            kept.append(piece)
    lines += last != b"\n"
    if not able:
        return Recipe(name, language, lines, None, "too_large" if language == "py" else "")
    try:
        return Recipe(name, language, lines, complexity(b"".join(kept)))
    except SyntaxError:
        return Recipe(name, language, lines, None, "syntax")
