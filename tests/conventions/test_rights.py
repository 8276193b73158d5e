"""Rights, policies and the estate change through one door each, so that none steps around the second administrator."""

import ast

import pytest

from tests.conventions.tree import modules

# What gives or takes rights, or changes where things run and by which rules, by the module it is an attribute of.
DOORS = {
    ("grants", "grant"),
    ("grants", "revoke"),
    ("portfolios", "put_project"),
    ("portfolios", "take_project"),
    ("people", "join_team"),
    ("people", "leave_team"),
    ("estate", "add_node"),
    ("estate", "add_pipeline"),
    ("policies", "publish"),
}
# What ends and confirms rights for an access review, which asks whoever may answer and takes their signature.
REVIEWING = {("reviewing", verb) for verb in ("begin", "confirm", "revoke", "lapse", "release")}
ALLOWED = {"portal/actions/edits.py", "portal/actions/landscape.py", "portal/actions/reviewing.py"}


def used(tree: ast.Module) -> set[tuple[str, str]]:
    """The doors a module names, called or handed on, or imports by name."""
    found = {
        (node.value.id, node.attr)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("portal.actions."):
            found |= {(node.module.rpartition(".")[2], name.name) for name in node.names}
    return found & (DOORS | REVIEWING)


def test_changes_are_the_one_door() -> None:
    trees = modules(saying=DOORS)
    assert {path for path, tree in trees.items() if used(tree) & DOORS} == ALLOWED


def test_only_access_reviews_answer_for_rights() -> None:
    trees = modules(saying=REVIEWING)
    found = {path: used(tree) & REVIEWING for path, tree in trees.items()}
    assert {path: doors for path, doors in found.items() if doors} == {
        "governance/actions/access_reviews.py": REVIEWING
    }


@pytest.mark.parametrize(
    "source",
    [
        "grants.grant(by=by)",
        "from portal.actions.grants import revoke",
        "move = portfolios.put_project",
        "people.join_team(by=by)",
        "policies.publish(by=by)",
    ],
)
def test_another_door_would_be_noticed(source: str) -> None:
    assert used(ast.parse(source))
