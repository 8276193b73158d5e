"""A written document as blocks: what is a heading, a list, code; nothing is lost, and nothing is markup."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.docx import markdown_headings
from governance.written import blocks


def shape(text: str) -> list[tuple[str, list[str]]]:
    """The kinds of a text's blocks with their lines."""
    return [(block.kind, block.lines) for block in blocks(text)]


@pytest.mark.parametrize(
    "text, found",
    [
        ("# One\ntwo\nthree", [("heading", ["One"]), ("text", ["two", "three"])]),
        ("Under\n---\n\n---", [("heading", ["Under"]), ("rule", [])]),
        ("- a\n- b\n\n- c\n\nd", [("list", ["a", "b", "c"]), ("text", ["d"])]),
        ("- a\n  more\n  - inner", [("list", ["a more\n- inner"])]),
        ("3. a\n4) b\n- c", [("steps", ["a", "b"]), ("list", ["c"])]),
        (
            "```\n# not a heading\n- nor a list\n```\nb",
            [("code", ["# not a heading", "- nor a list"]), ("text", ["b"])],
        ),
        ("> a\n> b", [("quote", ["a", "b"])]),
        ("| a | b |\n|---|---|", [("code", ["| a | b |", "|---|---|"])]),
        ("<script>x</script> **b**", [("text", ["<script>x</script> **b**"])]),
        ("", []),
    ],
)
def test_lines_become_blocks(text: str, found: list[tuple[str, list[str]]]) -> None:
    assert shape(text) == found


def test_headings_stand_under_the_pages_and_skip_no_level() -> None:
    assert [block.tag for block in blocks("### a\n# b\n#### c\n### d", under=3)] == [4, 4, 5, 6]
    assert [block.tag for block in blocks("# a\n## b\n### c\n#### d\n##### e", under=3)] == [4, 5, 6, 6, 6]
    assert blocks("7. a\n8. b")[0].start == 7


LINES = st.sampled_from(
    [
        "# head",
        "## two",
        "words",
        "  - in",
        "- item",
        "1. step",
        "> quote",
        "    set in",
        "```",
        "---",
        "===",
        "",
        "|r|",
    ]
)


@given(st.lists(LINES, max_size=12))
def test_no_word_is_lost_and_the_headings_are_those_the_policy_reads(lines: list[str]) -> None:
    text = "\n".join(f"{line}{n}" if line[-1:].isalpha() else line for n, line in enumerate(lines))
    found = blocks(text)
    shown = " ".join(block.text for block in found)
    assert re.findall(r"[a-z]+\d+", shown) == re.findall(r"[a-z]+\d+", text)
    assert tuple(block.text for block in found if block.kind == "heading") == markdown_headings(text)
