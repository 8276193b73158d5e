"""Sets a text written in Markdown as blocks that a page can show: headings, paragraphs, lists, quotes, code.

Every character of the text stays text, also what would be markup inside a line or HTML. Which lines are headings agrees
with `governance.docx.markdown_headings`, which names the sections that the policy asks for.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from governance.docx import FENCE, RULE, UNDERLINE, atx_of

_LISTS = ("list", "steps")
_ITEM = re.compile(r"( {0,3})(?:[-*+]|(\d{1,9})[.)])(?:[ \t]+(.*))?")
_QUOTE = re.compile(r" {0,3}> ?(.*)")
_SET = re.compile(r" {4}|\t|\|")  # indented, or a row of a table: columns mean something
DEEPEST = 6


@dataclass(slots=True)
class Block:
    """`kind` is heading, text, list, steps, quote, code or rule; `tag` is a heading's level.

    `start` is the first number of steps, and `indent` how far a list stands in.
    """

    kind: str
    lines: list[str] = field(default_factory=list)
    tag: int = 0
    start: int = 1
    indent: int = 0

    @property
    def text(self) -> str:
        """Its lines as one text."""
        return "\n".join(self.lines)


def blocks(text: str, under: int = 1) -> list[Block]:
    """The blocks of a text. Its headings stand under one of level `under`, and none skips a level."""
    found = [block for block in _blocks(text) if block.lines or block.kind == "rule"]
    deep = 0
    for block in found:
        if block.kind == "heading":
            deep = min(block.tag, deep + 1)
            block.tag = min(DEEPEST, under + deep)
    return found


def _blocks(text: str) -> Iterator[Block]:
    now = Block("text")
    fence = ""
    for line in text.splitlines():
        mark = FENCE.fullmatch(line)
        if fence:
            if mark and mark[1].startswith(fence) and not mark[2].strip():
                yield now
                fence, now = "", Block("text")
            else:
                now.lines.append(line)
        elif mark and not ("`" in mark[2] and mark[1].startswith("`")):
            yield now
            fence, now = mark[1], Block("code")
        elif atx := atx_of(line):
            yield now
            yield Block("heading", [atx[1]] if atx[1] else [], tag=atx[0])
            now = Block("text")
        elif now.kind == "text" and now.lines and (under := UNDERLINE.fullmatch(line)):
            heading = now.lines.pop()
            yield now
            yield Block("heading", [heading], tag=1 if under[1][0] == "=" else 2)
            now = Block("text")
        elif RULE.fullmatch(line):
            yield now
            yield Block("rule")
            now = Block("text")
        elif not line.strip():
            if now.kind not in _LISTS:  # there the next item may stand after an empty line
                yield now
                now = Block("text")
        else:
            if not _continues(now, line):
                yield now
                now = Block("text")
            _add(now, line)
    yield now


def _kind(line: str) -> str:
    """What a line begins when it continues nothing."""
    if item := _ITEM.fullmatch(line):
        return "list" if item[2] is None else "steps"
    if _QUOTE.fullmatch(line):
        return "quote"
    return "code" if _SET.match(line) else "text"


def _continues(now: Block, line: str) -> bool:
    kind = _kind(line)
    if now.kind in _LISTS:
        return kind == now.kind or line[0] in " \t"
    return kind == now.kind


def _add(now: Block, line: str) -> None:
    if not now.lines:
        now.kind = _kind(line)
    item, quoted = _ITEM.fullmatch(line), _QUOTE.fullmatch(line)
    if now.kind in _LISTS:
        first = not now.lines
        if item and (first or (_kind(line) == now.kind and len(item[1]) < now.indent + 2)):
            if first:
                now.indent, now.start = len(item[1]), int(item[2] or 1)
            now.lines.append(item[3] or "")
        else:
            # More of the item; a list inside it keeps its marks and its lines.
            now.lines[-1] += ("\n" if item else " ") + line.strip()
    elif now.kind == "quote" and quoted:
        now.lines.append(quoted[1])
    elif now.kind == "code":
        now.lines.append(line.removeprefix("    "))
    else:
        now.lines.append(line.strip())
