"""What the repository holds, for the convention tests: its files and its modules' syntax trees."""

import ast
import shutil
import subprocess
from collections.abc import Collection
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
APPS = ("portal", "governance", "deployments")
LEFT_OUT = {
    ".git",
    ".venv",
    "var",
    "__pycache__",
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
    ".hypothesis",
}


@cache
def files() -> tuple[Path, ...]:
    """Every file that is, or would be, under version control; without git every file but caches."""
    if (ROOT / ".git").exists() and shutil.which("git"):
        listed = subprocess.run(
            ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-co", "--exclude-standard", "-z"],
            cwd=ROOT, capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        paths = [ROOT / name for name in listed.split("\0") if name]
    else:
        paths = [path for path in ROOT.rglob("*") if not LEFT_OUT & set(path.relative_to(ROOT).parts)]
    return tuple(sorted(path for path in paths if path.is_file()))


@cache  # a run does not change the tree
def texts() -> dict[str, str]:
    """Path from the root -> text, of every file that is text."""
    found = {}
    for path in files():
        body = path.read_bytes()
        if b"\0" not in body:
            found[str(path.relative_to(ROOT))] = body.decode()
    return found


def modules(*tops: str, saying: Collection[tuple[str, ...]] = ()) -> dict[str, ast.Module]:
    """Path from the root -> syntax tree, of the Python modules under these top folders.

    `saying`: only those whose text holds all words of one of these, since reading all of them takes seconds.
    """
    return {
        name: _tree(name)
        for name, text in texts().items()
        if name.endswith(".py")
        and name.split("/")[0] in (tops or APPS)
        and (not saying or any(all(word in text for word in words) for words in saying))
    }


@cache
def _tree(name: str) -> ast.Module:
    return ast.parse(texts()[name])
