"""Every dependency says why it is there and is used; the locks name no index."""

import importlib.util
import re
import tomllib
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.conventions.tree import ROOT, texts

PYPROJECT = (ROOT / "pyproject.toml").read_text()
# Not imported by us, but without it this module (of somebody else's) does not import.
IMPORTED_FOR_US = {
    "packaging": "kombu.transport.redis",
    "psycopg": "django.db.backends.postgresql.base",
    "six": "dataikuapi.dss.ml",
}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def declared() -> list[str]:
    """Names of the declared distributions, runtime and development."""
    table = tomllib.loads(PYPROJECT)
    lines = [*table["project"]["dependencies"], *table["dependency-groups"]["dev"]]
    return [normal(re.match(r"[A-Za-z0-9_.-]+", line)[0]) for line in lines]  # type: ignore[index]


@cache  # what is installed is read from as many files as there are packages
def modules() -> dict[str, set[str]]:
    """Distributions by the modules they bring."""
    return {module: {*map(normal, owners)} for module, owners in packages_distributions().items()}


def import_names(distribution: str) -> set[str]:
    return {module for module, owners in modules().items() if distribution in owners}


def test_every_dependency_says_why() -> None:
    lines = [line for line in PYPROJECT.splitlines() if re.match(r'  "[A-Za-z0-9_.\[\],-]+[^"]*",', line)]
    named = {normal(re.match(r'  "([A-Za-z0-9_.-]+)', line)[1]) for line in lines}  # type: ignore[index]
    silent = [line.strip() for line in lines if normal(line) and not re.search(r"#\s*\S{3,}", line)]
    assert set(declared()) <= named
    assert not [line for line in silent if normal(re.match(r'"([A-Za-z0-9_.-]+)', line)[1]) in declared()]  # type: ignore[index]


@pytest.mark.parametrize("distribution", declared())
def test_every_dependency_is_used(distribution: str) -> None:
    if distribution in IMPORTED_FOR_US:
        spec = importlib.util.find_spec(IMPORTED_FOR_US[distribution])
        assert spec is not None
        assert spec.origin is not None
        pattern = rf"^\s*(import|from)\s+{distribution}\b"
        assert re.search(pattern, Path(spec.origin).read_text(), re.MULTILINE)
        return
    if stubbed := re.match(r"types-(.+)|(.+)-stubs", distribution):
        # Types are for what we import ourselves or what the type checker's plugins need.
        plain = {"pyyaml": "yaml", "djangorestframework": "rest_framework"}.get(
            name := stubbed[1] or stubbed[2], name
        )
        names = {plain}
    else:
        names = import_names(distribution)
    assert names, f"{distribution} is not installed"
    # Most texts do not hold the letters at all, which is found out much faster than by an expression.
    ours = [
        text
        for name, text in texts().items()
        if not name.endswith((".lock", ".md", "pyproject.toml"))
        and name != "tests/conventions/test_dependencies.py"
        and any(letters in text for letters in (distribution, *names))
    ]
    imported = re.compile(rf"^\s*(import|from)\s+({'|'.join(sorted(names))})\b", re.MULTILINE)
    # Programs and Django apps are named by string: in settings, scripts, compose and the linters' tables.
    called = re.compile(rf"(?<![\w.-]){re.escape(distribution)}(?![\w-])|[\"'`]({'|'.join(sorted(names))})\b")
    assert any(imported.search(text) or called.search(text) for text in ours), (
        f"nothing uses {distribution}: take it out of pyproject.toml"
    )


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock", "requirements-s3.lock"])
def test_a_lock_has_hashes_and_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert "://" not in text
    assert not re.search(
        r"^\s*-", re.sub(r"^\s*--hash=sha256:[0-9a-f]{64}( \\)?$", "", text, flags=re.MULTILINE), re.M
    )
    blocks = re.split(r"\n(?=\S)", text.strip())
    assert all(
        re.match(r"[A-Za-z0-9_.\[\],-]+==\S+", block) and "--hash=sha256:" in block for block in blocks
    )


def test_the_locks_agree_and_hold_what_is_declared() -> None:
    pins = {
        lock: dict(
            re.findall(r"^([a-z0-9.-]+)==(\S+(?: ; [^\\]+)?)", (ROOT / lock).read_text(), re.MULTILINE)
        )
        for lock in ("requirements.lock", "requirements-dev.lock", "requirements-s3.lock")
    }
    runtime, dev = pins["requirements.lock"], pins["requirements-dev.lock"]
    assert runtime.items() <= pins["requirements-s3.lock"].items()
    assert {"boto3", "django-storages"} <= pins["requirements-s3.lock"].keys()
    assert set(declared()) <= set(dev)
    differing = {
        name: (pin, dev.get(name))
        for name, pin in runtime.items()
        if dev.get(name, "").split()[0] != pin.split()[0]
    }
    assert not differing
