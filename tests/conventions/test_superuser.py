"""Django's superuser decides nothing: nobody reads the flag, nor asks what Django would let a superuser through."""

import ast
import re

from tests.conventions.tree import modules, texts

# Who may read the flag, and what for: to open the look-only admin, and to set it once.
MAY_READ = {"portal/admin.py", "portal/models/person.py", "portal/actions/people.py:make_admin"}
FLAGS = {"is_superuser", "is_staff"}
# Methods of Django's users that answer yes to every superuser.
ASKING = {"has_perm", "has_perms", "has_module_perms", "get_all_permissions", "get_user_permissions"}


def readings(name: str, tree: ast.Module) -> set[str]:
    """Where a module reads the flag or asks Django, as `path:function`: attributes, lookups and names in texts."""
    found = set()
    owner: dict[ast.AST, str] = {}
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            owner |= dict.fromkeys(ast.walk(function), function.name)
    for node in ast.walk(tree):
        said = getattr(node, "attr", None) or getattr(node, "arg", None) or getattr(node, "value", None)
        if isinstance(said, str) and set(said.split("__")) & (FLAGS | ASKING):
            found.add(f"{name}:{owner[node]}" if node in owner else name)
    return found


def test_nobody_decides_by_the_superuser_flag() -> None:
    found = set()
    for name, tree in modules(saying=[(name,) for name in FLAGS | ASKING]).items():
        if "/migrations/" not in name and name not in MAY_READ:
            found |= readings(name, tree)
    assert found <= MAY_READ
    assert "portal/actions/people.py:make_admin" in found  # so the search finds what there is


def test_no_template_decides_by_it() -> None:
    pattern = re.compile(r"is_superuser|is_staff|\bperms\.")
    assert not [
        name for name, text in texts().items() if name.startswith("templates/") and pattern.search(text)
    ]


def test_what_would_decide_by_it_is_found() -> None:
    for line in (
        "if by.is_superuser: pass",
        "Person.objects.filter(is_superuser=True)",
        "Grant.objects.filter(person__is_superuser=True)",
        'getattr(by, "is_staff")',
        'by.has_perm("portal.view")',
    ):
        assert readings("a.py", ast.parse(f"def act(by):\n    {line}\n")) == {"a.py:act"}, line
