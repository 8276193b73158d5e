"""Sections of Word files and Markdown texts, and what a file from outside may not do."""

import io
import time
import zipfile
from collections.abc import Callable

import pytest

from governance.docx import MAX_XML, DocumentError, atx_of, headings, markdown_headings
from governance.written import blocks

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
STYLES = f"""<w:styles {W}>
<w:style w:styleId="Heading1"><w:name w:val="heading 1"/></w:style>
<w:style w:styleId="berschrift2"><w:name w:val="Heading 2"/></w:style>
<w:style w:styleId="Mine"><w:name w:val="Chapter"/><w:basedOn w:val="Heading1"/></w:style>
<w:style w:styleId="Flat"><w:name w:val="Flat"/><w:basedOn w:val="Heading1"/>
<w:pPr><w:outlineLvl w:val="9"/></w:pPr></w:style>
<w:style w:styleId="Out"><w:name w:val="Outlined"/><w:pPr><w:outlineLvl w:val="0"/></w:pPr></w:style>
<w:style w:styleId="TOC1"><w:name w:val="toc 1"/><w:basedOn w:val="Normal"/></w:style>
<w:style w:styleId="Normal"><w:name w:val="Normal"/></w:style>
<w:style w:styleId="RingA"><w:name w:val="a"/><w:basedOn w:val="RingB"/></w:style>
<w:style w:styleId="RingB"><w:name w:val="b"/><w:basedOn w:val="RingA"/></w:style>
</w:styles>"""


def paragraph(text: str, style: str = "", outline: str = "") -> str:
    marks = f'<w:pStyle w:val="{style}"/>' * bool(style) + f'<w:outlineLvl w:val="{outline}"/>' * bool(
        outline
    )
    return f"<w:p><w:pPr>{marks}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>"


def body(*paragraphs: str) -> str:
    return f"<w:document {W}><w:body>{''.join(paragraphs)}</w:body></w:document>"


def archive(**members: str | bytes) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as made:
        for name, text in members.items():
            made.writestr(name, text)
    return held.getvalue()


def word(document: str, **more: str | bytes) -> bytes:
    return archive(**{"word/document.xml": document, "word/styles.xml": STYLES, **more})


@pytest.mark.parametrize(
    "style, outline, is_heading",
    [
        ("Heading1", "", True),
        ("berschrift2", "", True),
        ("Mine", "", True),
        ("Flat", "", False),
        ("Out", "", True),
        ("TOC1", "", False),
        ("Normal", "", False),
        ("RingA", "", False),
        ("", "", False),
        ("Unknown", "", False),
        ("Heading3", "", True),  # not among the styles: Word's own id
        ("Normal", "1", True),
        ("Heading1", "9", False),
    ],
)
def test_headings_by_style_and_outline(style: str, outline: str, is_heading: bool) -> None:
    found = headings(word(body(paragraph("Purpose", style, outline), paragraph("text"))))
    assert found == (("Purpose",) if is_heading else ())


def test_headings_keep_order_and_lose_odd_space() -> None:
    runs = "<w:r><w:t>1.</w:t><w:tab/><w:t>Training </w:t></w:r><w:r><w:t> data</w:t></w:r>"
    text = f"<w:p><w:pPr><w:pStyle w:val='Heading1'/></w:pPr>{runs}</w:p>"
    assert headings(word(body(text, paragraph("", "Heading1"), paragraph("Limits", "Heading1")))) == (
        "1. Training data",
        "Limits",
    )


def test_headings_without_a_style_sheet() -> None:
    assert headings(
        archive(**{"word/document.xml": body(paragraph("A", "Heading1"), paragraph("B", "Body"))})
    ) == ("A",)


def test_headings_are_bounded() -> None:
    found = headings(word(body(*(paragraph("x" * 300, "Heading1") for _ in range(1500)))))
    assert len(found) == 1000
    assert set(map(len, found)) == {200}


@pytest.mark.parametrize(
    "data, code",
    [
        (b"", "document_broken"),
        (b"not a zip", "document_broken"),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600,
            "document_broken",
        ),  # an encrypted or old Word file
        (word(body())[:-30], "document_broken"),
        (archive(readme="x"), "document_other"),
        (word("<broken"), "document_malformed"),
        (word("<!DOCTYPE a [<!ENTITY b 'c'>]>" + body()), "document_entities"),
        (word(body(), **{"word/vbaProject.bin": b"x"}), "document_macros"),
        (
            word(body(), **{"[Content_Types].xml": "application/vnd.ms-word.document.macroEnabled.main+xml"}),
            "document_macros",
        ),
        (lambda: archive(**{f"m{n}": "" for n in range(5001)}), "document_too_many_members"),
        (lambda: word(" " * (MAX_XML + 1)), "document_text_too_large"),
    ],
)
def test_refuses(data: bytes | Callable[[], bytes], code: str) -> None:
    made = data if isinstance(data, bytes) else data()
    with pytest.raises(DocumentError) as refused:
        headings(made)
    assert refused.value.code == code
    assert (
        refused.value.sentence.count(". ") + refused.value.sentence.endswith(".") >= 2
    )  # why, and the next step


def test_refuses_what_is_too_large_and_what_is_damaged() -> None:
    with pytest.raises(DocumentError, match="larger than 0 MiB"):
        headings(word(body()), max_bytes=10)
    whole = bytearray(word(body(*(paragraph(str(n), "Heading1") for n in range(200)))))
    whole[60] ^= 0xFF
    with pytest.raises(DocumentError, match="not a whole"):
        headings(bytes(whole))


MARKDOWN = """
# Intended use #

Purpose
=======
text
Who it is for
---
- a list
---
```python
# not a heading
```
~~~
## nor this
```
~~~
####### seven
#tag
## `code` and more
   ### Limits   ###

---
    # code
> quote
---
#
"""


def test_markdown_headings() -> None:
    found = ("Intended use", "Purpose", "Who it is for", "`code` and more", "Limits")
    assert [name for name in markdown_headings(MARKDOWN) if name != "text Who it is for"] == list(found)


def test_markdown_without_headings() -> None:
    assert markdown_headings("") == ()
    assert markdown_headings("plain\n\ntext") == ()


@pytest.mark.parametrize(
    "line, found",
    [
        ("# Purpose ##  ", (1, "Purpose")),
        ("   ###### C# ", (6, "C#")),
        ("#", (1, "")),
        ("### ###", (3, "")),
        ("#\tA # B", (1, "A # B")),
        ("#hash", None),
        ("    # code", None),
        ("####### seven", None),
    ],
)
def test_a_heading_of_a_line(line: str, found: tuple[int, str] | None) -> None:
    assert atx_of(line) == found


@pytest.mark.parametrize(
    "line",
    ["# x" + " " * 199_000 + "y", "# " + " #" * 99_000 + "y", "- " * 99_000 + "x", "-" + " " * 199_000 + "x"],
)
def test_no_line_takes_long(line: str) -> None:
    began = time.process_time()
    markdown_headings(line)
    blocks(line)
    assert time.process_time() - began < 1
