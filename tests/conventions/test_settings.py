"""Every variable the portal reads is in docs/settings.md, with its default, and nothing else is."""

import ast
import os
import re
import subprocess
import sys

import pytest

from tests.conventions.tree import ROOT, texts

PREFIX = "COUNTERSIGN_"


def documented() -> dict[str, str]:
    """Variable -> its default as the table states it."""
    rows = re.findall(
        r"^\| `(COUNTERSIGN_[A-Z_]+\*?)` \|.*\| (.*) \|$", texts()["docs/settings.md"], re.MULTILINE
    )
    return dict(rows)


def read_by_settings() -> dict[str, ast.expr | None]:
    """Variable -> the expression of its default, from every env.<type>("NAME", ...) in portal/settings.py."""
    found: dict[str, ast.expr | None] = {}
    for node in ast.walk(ast.parse(texts()["portal/settings.py"])):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="env")), args=[ast.Constant(value=str(name)), *_]
            ):
                default = next((keyword.value for keyword in node.keywords if keyword.arg == "default"), None)
                found[PREFIX + name] = default
    return found


def test_what_is_read_is_documented_and_the_other_way_round() -> None:
    assert set(documented()) == set(read_by_settings()) | {"COUNTERSIGN_DSS_KEY_*", "COUNTERSIGN_CHECK_KEY_*"}


def test_documented_defaults_are_the_defaults() -> None:
    table = documented()
    compared = 0
    for name, default in read_by_settings().items():
        if not isinstance(default, ast.Constant) or default.value == "":
            continue
        value = str(int(default.value) if isinstance(default.value, bool | float) else default.value)
        assert table[name] == f"`{value}`", name
        compared += 1
    assert compared > 10


def test_other_places_name_documented_variables_only() -> None:
    known = {name.removesuffix("*") for name in documented()}
    found: dict[str, str] = {}
    for path, text in texts().items():
        if path.startswith(("tests/", ".ci/")) or path.endswith((".lock", ".toml")):
            continue
        for name in re.findall(r"COUNTERSIGN_[A-Z_]+", text):
            if (
                name not in known
                and name.removesuffix("_FILE") not in known
                and not name.startswith(("COUNTERSIGN_DSS_KEY_", "COUNTERSIGN_CHECK_KEY_"))
            ):
                found.setdefault(name, path)
    assert not found


def start(**environment: str) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(PREFIX)}
    shown = "s.DEBUG, s.SESSION_COOKIE_SECURE, s.SECURE_SSL_REDIRECT, s.SECRET_KEY"
    program = f"import portal.settings as s; print({shown})"
    command = [sys.executable, "-c", program]
    return subprocess.run(command, env={**kept, **environment}, cwd=ROOT, capture_output=True, text=True)


def test_without_a_secret_key_nothing_starts() -> None:
    tried = start()
    assert tried.returncode != 0
    assert "COUNTERSIGN_SECRET_KEY" in tried.stderr


def test_with_a_secret_key_everything_is_strict() -> None:
    assert start(COUNTERSIGN_SECRET_KEY="long and random").stdout.split(" ", 3) == [
        "False", "True", "True", "long and random\n",
    ]  # fmt: skip


@pytest.mark.parametrize("ending", ["", "\n"])
def test_a_secret_may_be_a_file(tmp_path_factory: pytest.TempPathFactory, ending: str) -> None:
    secret = tmp_path_factory.mktemp("secrets") / "secret_key"
    secret.write_text("from a file" + ending)
    assert start(COUNTERSIGN_SECRET_KEY_FILE=str(secret)).stdout.strip().endswith("from a file")
