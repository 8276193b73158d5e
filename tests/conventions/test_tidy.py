"""The tree holds nothing that belongs to one machine, and names things by what they are."""

import re

import pytest

from tests.conventions.tree import texts

# Written in pieces, so that this file does not hold what it looks for.
FORBIDDEN = {
    "a package index": r"py" + r"pi\.org|python" + r"hosted|npm" + r"js\.(org|com)|\bregistry" + r"\.",
    "an option naming an index": r"--(extra-)?index" + r"-url|--find" + r"-links|--trusted" + r"-host",
    "a path of one machine": r"(?<![\w.{}$)-])/(work" + r"|root" + r"|home/(?!app\b)\w+|Users/\w+)/",
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE" + r" KEY-----\n[A-Za-z0-9+/=\n]{40,}",
}
VAGUE = {"utils", "helpers", "common", "core", "services", "misc", "manager", "handler", "handlers", "lib"}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_names(what: str) -> None:
    found = {
        f"{name}:{text[: match.start()].count(chr(10)) + 1}": match[0]
        for name, text in texts().items()
        for match in re.finditer(FORBIDDEN[what], text)
        if not name.startswith(("portal/static/", "LICENSE"))
    }
    assert not found


def test_no_module_has_a_vague_name() -> None:
    assert not [name for name in texts() if VAGUE & set(re.split(r"[/.]", name))]


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        name
        for name, text in texts().items()
        if name.endswith(".py")
        and text.strip()
        and not re.match(r'(#.*\n)*r?"""\S', text)
        and "/migrations/" not in name
    ]
    assert not silent


def test_nothing_is_left_to_do() -> None:
    pattern = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")
    assert not [
        name
        for name, text in texts().items()
        if not name.startswith("portal/static/") and pattern.search(text)
    ]
