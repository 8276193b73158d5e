"""Names the sections of a document: the headings of a Word file or of Markdown.

Reads headings only and keeps nothing. A Word file is an archive from outside: bounded in size and members, parsed with
defusedxml, refused with macros. Not in charge of which sections a policy asks for (`governance.checks`).
"""

import io
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from portal.errors import Invalid

MAX_BYTES = 64 * 1024 * 1024
MAX_XML = 32 * 1024 * 1024
MAX_MEMBERS = 5000
MAX_HEADINGS = 1000
MAX_HEADING = 200
MAX_NODES = 2000  # of one heading; paragraphs nested in each other would be read again and again
MAX_STYLES = 20
TEXT_LIMIT = 200_000  # characters of a text, written or uploaded

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_BODY = "word/document.xml"
_STYLES = "word/styles.xml"
_TYPES = "[Content_Types].xml"
_ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*))?")
UNDERLINE = re.compile(r" {0,3}(=+|-+)[ \t]*")
RULE = re.compile(r" {0,3}([-*_])(?:[ \t]*\1){2,}[ \t]*")
FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")
_BLOCK = re.compile(r" {0,3}(?:[-*+>]|\d{1,9}[.)])(?:\s|$)|\s*$| {4}|\t|\|")


class DocumentError(Invalid):
    """A file whose sections cannot be read; the sentence says why and what to do."""


def headings(data: bytes, max_bytes: int = MAX_BYTES) -> tuple[str, ...]:
    """The headings of a .docx in order, styled or outlined, table of contents left out; raises DocumentError."""
    if len(data) > max_bytes:
        raise DocumentError(
            f"The document is larger than {max_bytes // (1024 * 1024)} MiB. Make its pictures smaller and try again.",
            code="document_too_large",
        )
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            if len(members) > MAX_MEMBERS:
                raise DocumentError(
                    f"The document holds more than {MAX_MEMBERS} members. Save it again from the word processor.",
                    code="document_too_many_members",
                )
            names = {member.filename for member in members}
            _refuse_macros(archive, names)
            if _BODY not in names:
                raise DocumentError(
                    "The file is an archive, but not a Word document. Choose the .docx file.",
                    code="document_other",
                )
            styles = _heading_styles(_xml(archive, _STYLES)) if _STYLES in names else {}
            return tuple(_paragraph_headings(_xml(archive, _BODY), styles))
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError):
        raise DocumentError(
            "The file is not a whole .docx document. Save it as .docx, without a password, and upload it again.",
            code="document_broken",
        ) from None


def markdown_headings(text: str) -> tuple[str, ...]:
    """The headings of a Markdown text in order: `# like this`, or underlined; what stands in code fences is text."""
    found: list[str] = []
    fence = before = ""
    for line in text.splitlines():
        mark = FENCE.fullmatch(line)
        if fence:
            if mark and mark[1].startswith(fence) and not mark[2].strip():
                fence = ""
            continue
        if mark and not ("`" in mark[2] and mark[1].startswith("`")):
            fence, before = mark[1], ""
            continue
        if heading := atx_of(line):
            found.append(heading[1])
            before = ""
        elif before and UNDERLINE.fullmatch(line):
            found.append(before)
            before = ""
        else:
            before = "" if _BLOCK.match(line) or RULE.fullmatch(line) else line.strip()
    return tuple(tidied(found))


def atx_of(line: str) -> tuple[int, str] | None:
    """Level and text of a heading `# like this #`; None for another line.

    What closes it is taken off by hand: a pattern for it takes time with the square of a long line.
    """
    found = _ATX.fullmatch(line)
    if found is None:
        return None
    text = (found[2] or "").strip(" \t")
    bare = text.rstrip("#")
    return len(found[1]), (bare.rstrip(" \t") if not bare or bare[-1] in " \t" else text)


def _refuse_macros(archive: zipfile.ZipFile, names: set[str]) -> None:
    types = _read(archive, _TYPES) if _TYPES in names else b""
    if b"macroEnabled" in types or any(name.lower().endswith("vbaproject.bin") for name in names):
        raise DocumentError(
            "The document contains macros. Save it as .docx without macros and upload it again.",
            code="document_macros",
        )


def _read(archive: zipfile.ZipFile, name: str) -> bytes:
    """A member, whatever size its header claims: reading stops at the bound."""
    with archive.open(name) as member:
        data = member.read(MAX_XML + 1)
    if len(data) > MAX_XML:
        raise DocumentError(
            f"The text of the document is larger than {MAX_XML // (1024 * 1024)} MiB. Shorten it and try again.",
            code="document_text_too_large",
        )
    return data


def _xml(archive: zipfile.ZipFile, name: str) -> Element:
    try:
        root: Element = fromstring(
            _read(archive, name), forbid_dtd=True, forbid_entities=True, forbid_external=True
        )
    except DefusedXmlException:
        raise DocumentError(
            "The document declares XML entities, which a word processor never writes. Save it again from one.",
            code="document_entities",
        ) from None
    except (ParseError, LookupError):
        raise DocumentError(
            "The document is damaged: its text is not well-formed. Save it again and upload it.",
            code="document_malformed",
        ) from None
    return root


def _heading_styles(root: Element) -> dict[str, bool]:
    """Style id -> whether its paragraphs are headings, by its name, its outline level, or the style it is based on."""
    named: dict[str, tuple[str, bool | None, str]] = {}
    for style in root.iter(f"{_W}style"):
        name = _value(style.find(f"{_W}name")).lower()
        outline = style.find(f"{_W}pPr/{_W}outlineLvl")
        level = None if outline is None else _value(outline) != "9"  # 9 is body text
        named[style.get(f"{_W}styleId", "")] = (name, level, _value(style.find(f"{_W}basedOn")))
    found = {}
    for style_id in named:
        step, answer = style_id, None
        for _ in range(MAX_STYLES):  # a chain of bases may be a ring in a broken file
            name, level, base = named.get(step, ("", None, ""))
            if level is not None or re.fullmatch(r"heading \d|title", name):
                answer = level is not False
                break
            if name.startswith("toc ") or not base:
                break
            step = base
        found[style_id] = bool(answer)
    return found


def _paragraph_headings(root: Element, styles: Mapping[str, bool]) -> Iterator[str]:
    yield from tidied(_texts(root, styles))


def _texts(root: Element, styles: Mapping[str, bool]) -> Iterator[str]:
    for paragraph in root.iter(f"{_W}p"):
        style = _value(paragraph.find(f"{_W}pPr/{_W}pStyle"))
        outline = paragraph.find(f"{_W}pPr/{_W}outlineLvl")
        if outline is not None:
            heading = _value(outline) != "9"
        else:
            # Small writers leave the styles out and rely on Word's own ids.
            heading = styles.get(
                style, bool(re.fullmatch(r"(?i)heading ?\d|title", style)) and style not in styles
            )
        if heading:
            yield "".join(_runs(paragraph))


def _runs(paragraph: Element) -> Iterator[str]:
    for node in islice(paragraph.iter(), MAX_NODES):
        if node.tag == f"{_W}t":
            yield node.text or ""
        elif node.tag in (f"{_W}tab", f"{_W}br"):
            yield " "


def _value(node: Element | None) -> str:
    return "" if node is None else node.get(f"{_W}val", "")


def tidied(found: Iterable[str]) -> Iterator[str]:
    """Without empty ones, white space as one space, bounded."""
    tidy = (" ".join(text.split())[:MAX_HEADING] for text in found)
    yield from islice((text for text in tidy if text), MAX_HEADINGS)
