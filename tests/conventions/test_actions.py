"""Every public action (what changes something) takes keyword arguments only, `by` among them, and leaves an event."""

import ast

import pytest

from tests.conventions.tree import APPS, texts

RECORDING = {"record", "make", "admit", "dismiss"}
WRITING = RECORDING | {
    "business", "bulk_create", "bulk_update", "create", "create_person", "delete", "get_or_create", "put", "put_json",
    "save", "update", "update_or_create",
}  # fmt: skip
# What is written without an event, and why that is right.
NOT_AN_EVENT = {
    "portal/actions/reviewing.py:begin": "its review records what it asks about, by digest",
    "portal/actions/reviewing.py:release": "its review records that it was called off",
    "portal/actions/people.py:person_of_token": "notes when a token was last used, nobody's decision",
    "portal/actions/estate.py:keep": "checks and saves a row for the actions, which record what they did",
}


def actions() -> dict[str, tuple[ast.FunctionDef, ast.Module]]:
    """`file:name` -> the function and its module, for every public function in the apps' actions."""
    found = {}
    for path, text in texts().items():
        folders = path.split("/")
        if folders[0] in APPS and path.endswith(".py") and folders[1] in ("actions", "actions.py"):
            tree = ast.parse(text)
            for node in tree.body:
                if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                    found[f"{path}:{node.name}"] = (node, tree)
    return found


FUNCTIONS = actions()


def reaches(
    wanted: set[str], node: ast.FunctionDef, tree: ast.Module, seen: frozenset[str] = frozenset()
) -> bool:
    """Whether a function calls one of these names, itself or through functions of its own module."""
    own = {child.name: child for child in tree.body if isinstance(child, ast.FunctionDef)}
    for call in ast.walk(node):
        if not isinstance(call, ast.Call):
            continue
        if isinstance(call.func, ast.Attribute) and call.func.attr in wanted:
            return True
        if isinstance(call.func, ast.Name):
            name = call.func.id
            inner = name in own and name not in seen and name != node.name
            if name in wanted or (inner and reaches(wanted, own[name], tree, seen | {node.name})):
                return True
    return False


# A question beside the actions may be asked by position and leaves nothing behind.
ACTIONS = {
    key: found for key, found in FUNCTIONS.items() if reaches(WRITING, *found) and key not in NOT_AN_EVENT
}


def test_there_are_actions_to_look_at() -> None:
    assert len(ACTIONS) > 15
    assert set(NOT_AN_EVENT) <= set(FUNCTIONS)


@pytest.mark.parametrize("name", ACTIONS)
def test_an_action_takes_by_and_keywords_only(name: str) -> None:
    arguments = ACTIONS[name][0].args
    assert not arguments.args, f"{name} takes positional arguments"
    assert not arguments.posonlyargs
    assert "by" in {argument.arg for argument in arguments.kwonlyargs}


@pytest.mark.parametrize("name", ACTIONS)
def test_an_action_leaves_an_event(name: str) -> None:
    other_actions = {key.rpartition(":")[2] for key in ACTIONS}
    assert reaches(RECORDING | other_actions, *ACTIONS[name]), (
        f"{name} changes something without recording it"
    )
