"""Looks into one file that somebody uploaded: what it is by its content, whether it holds nothing but a document, and
which sections it names.

A program of its own (`python -m governance.look_inside <file`): whoever wrote the file may have meant it to take all
memory or time, so it is read in a process that may use only so much and knows no secret. Answers one JSON object:
{"media_type", "ending", "sections": [..] or null where they cannot be told} or {"code", "sentence"}. Not in charge of
size, nor of where the file goes.
"""

import json
import re
import resource
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from typing import IO, Any
from xml.sax import SAXException
from xml.sax.handler import ContentHandler, feature_namespaces

import pypdf
from defusedxml import DefusedXmlException
from defusedxml.expatreader import create_parser
from pypdf.generic import ArrayObject, DictionaryObject, IndirectObject

from governance import docx
from governance.docx import TEXT_LIMIT, DocumentError, markdown_headings
from portal.dss.archive import Entry, ManifestError, entries, quote, unpack

PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
MARKDOWN = "text/markdown; charset=utf-8"

MEMORY = 1024 * 1024 * 1024
SECONDS = 20
# Word's own documents pack five- to twentyfold.
MAX_UNPACKED = 256 * 1024 * 1024
MAX_OBJECTS = 500_000
HEAD = 1024  # as far as browsers look to guess what a file is

_MARKUP = re.compile(rb"<\s*(!doctype|html|head|body|script|iframe|svg|\?xml|\?php|%@)", re.IGNORECASE)
_BEFORE_XML = b"\xef\xbb\xbf\xff\xfe\0 \t\r\n"  # marks of the encoding, halves of characters, white space
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")

_BODY = "word/document.xml"
_MAIN = b"application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
# What a Word file may hold besides text and pictures, by a piece of the name of a member or of a type.
_ACTIVE = ("vbaproject", "vbadata", "activex", "customui", "macros")
_EMBEDDED = ("/embeddings/", "oleobject", "afchunk", "altchunk", ".htm", ".html", ".mht", ".xhtml", ".exe")
_LINKING = frozenset(
    {"dde", "ddeauto", "includetext", "includepicture", "link", "import", "rd", "hyperlink", "database"}
)
# Keys and values of a PDF's dictionaries that make it more than pages.
_PDF_KEYS = {
    "/JS": "script",
    "/JavaScript": "script",
    "/AA": "action",
    "/EmbeddedFiles": "file",
    "/EF": "file",
    "/XFA": "form",
    "/RichMediaContent": "media",
}
_PDF_ACTIONS = {
    "/JavaScript": "script",
    "/Launch": "action",
    "/ImportData": "action",
    "/SubmitForm": "action",
    "/GoToR": "action",
    "/GoToE": "action",
    "/Rendition": "media",
    "/RichMediaExecute": "media",
    "/Movie": "media",
    "/Sound": "media",
}
_PDF_SUBTYPES = {
    "/FileAttachment": "file",
    "/RichMedia": "media",
    "/Screen": "media",
    "/Movie": "media",
    "/3D": "media",
}
_PDF_TYPES = {"/EmbeddedFile": "file"}
_PDF_SAYS = {
    "script": "The PDF contains JavaScript, which a document never needs.",
    "action": "The PDF starts something by itself, or leads to another file (a launch, submit or additional action).",
    "file": "The PDF has other files embedded in it, so what is reviewed would not be all there is.",
    "form": "The PDF is an XFA form, whose pages are made by a program in it.",
    "media": "The PDF contains sound, video or three-dimensional media.",
}


def look(file: IO[bytes]) -> dict[str, Any]:
    """What a seekable file is; raises DocumentError with the reason why it is not taken."""
    head = file.read(HEAD)
    file.seek(0)
    if not head.strip():
        raise DocumentError("The file is empty. Choose the document itself.", code="document_empty")
    if head.startswith(b"%PDF-"):
        return _pdf(file, head)
    if head.startswith(b"PK\x03\x04"):
        if b"%PDF-" in head:
            raise _polyglot_of("The archive", "a PDF")
        return _word(file)
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        raise DocumentError(
            "The file is in Word's old format, or protected by a password. Save it as .docx without a password.",
            code="document_old",
        )
    if b"%PDF-" in head or b"PK\x03\x04" in head:
        raise DocumentError(
            "The file has bytes before its document, so other programs may take it for something else. Export the "
            "document again and upload that file as it is.",
            code="document_polyglot",
        )
    return _text(file, head)


# --- texts ---


def _text(file: IO[bytes], head: bytes) -> dict[str, Any]:
    if _MARKUP.match(head.removeprefix(b"\xef\xbb\xbf").lstrip()) or head.startswith(b"{\\rtf"):
        raise DocumentError(
            "The file is HTML, XML or RTF, which is not taken. Upload it as PDF or .docx, or as plain text.",
            code="document_markup",
        )
    raw = file.read(4 * TEXT_LIMIT + 4)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\x00"
    if _CONTROL.search(text):
        raise DocumentError(
            "The file is neither PDF, nor a Word document (.docx), nor text in UTF-8. Save it as one of these.",
            code="document_unknown",
        )
    if len(text) > TEXT_LIMIT:
        raise DocumentError(
            f"The text is longer than {TEXT_LIMIT:,} characters. Shorten it, or upload it as PDF.",
            code="document_long",
        )
    return _found(MARKDOWN, "md", markdown_headings(text))


# --- Word ---


def _word(file: IO[bytes]) -> dict[str, Any]:
    found = _members(file)
    by_name = {entry.path: entry for entry in found}
    types = (
        b"".join(unpack(file, by_name["[Content_Types].xml"])) if "[Content_Types].xml" in by_name else b""
    )
    if _BODY not in by_name or (_MAIN not in types and b"macroEnabled" not in types):
        raise DocumentError(
            "The file is an archive, but not a Word document. Choose the .docx file, not a packed folder.",
            code="document_other",
        )
    if b"macroenabled" in types.lower() or _any(found, _ACTIVE):
        raise DocumentError(
            "The document contains macros or controls. Save it as .docx without macros and upload it again.",
            code="document_macros",
        )
    if named := _any(found, _EMBEDDED):
        raise DocumentError(
            f"The document has another file embedded in it ({quote(named)}), so what is reviewed would not be all "
            "there is. Put it in as a picture or as text, and upload the document again.",
            code="document_embedded",
        )
    for entry in found:
        _scan(file, entry)
    file.seek(0)
    return _found(DOCX, "docx", docx.headings(file.read()))


def _members(file: IO[bytes]) -> list[Entry]:
    """The members of a Word file: back to back, nothing before, between or after them."""
    try:
        found = entries(file)
        file.seek(-22, 2)
        ends = file.read(22)
    except ManifestError as error:
        raise DocumentError(_packed_wrong(error.code), code=f"document_{error.code}") from None
    if not ends.startswith(b"PK\x05\x06") or ends[20:] != b"\0\0":
        raise DocumentError(_packed_wrong("hidden_data"), code="document_hidden_data")
    if len({entry.path.casefold() for entry in found}) != len(found):
        raise DocumentError(_packed_wrong("duplicate_member"), code="document_duplicate_member")
    unpacked = sum(entry.size for entry in found)
    if len(found) > docx.MAX_MEMBERS:
        raise DocumentError(_packed_wrong("too_many_members"), code="document_too_many_members")
    if unpacked > MAX_UNPACKED or any(
        entry.size > 1_000_000 and entry.size > 500 * entry.packed for entry in found
    ):
        raise DocumentError(_packed_wrong("zip_bomb"), code="document_zip_bomb")
    return found


def _packed_wrong(code: str) -> str:
    return {
        "zip_bomb": "The document would unpack to far more than its own size, which a word processor never makes.",
        "bad_path": "The document holds a file whose name leads outside of it.",
        "duplicate_member": "The document holds two files of one name, so two programs would show two documents.",
        "special_member": "The document holds a link or a device instead of a file.",
        "encrypted": "The document is protected by a password.",
        "hidden_data": "The file holds bytes before, between or after the document's own.",
        "too_many_members": f"The document holds more than {docx.MAX_MEMBERS} files.",
    }.get(code, "The file is not a whole .docx document.") + (
        " Open it in the word processor, save it as .docx without a password, and upload that."
    )


def _any(found: list[Entry], words: tuple[str, ...]) -> str:
    return next(
        (entry.path for entry in found if any(word in f"/{entry.path.lower()}" for word in words)), ""
    )


class _Links(ContentHandler):
    """Notes what leads out of the document: relationships, fields, addresses of pictures; and where its text is."""

    def __init__(self, member: str) -> None:
        super().__init__()
        self.relations = member.lower().endswith(".rels")
        self.custom = member.lower().startswith(
            "customxml/"
        )  # data of other programs, which Word does not draw
        self.roots = member.lower() == "_rels/.rels"
        self.instruction: list[str] = []
        self.reading = False

    def startElementNS(self, name: Any, qname: Any, attributes: Any) -> None:  # noqa: N802 (SAX's name)
        told = {key[1].lower(): value for key, value in attributes.items()}
        if self.relations and name[1] == "Relationship":
            kind = told.get("type", "").rpartition("/")[2].lower()
            if told.get("targetmode", "").lower() == "external" or "://" in told.get("target", ""):
                raise _external(f"a link to {quote(told.get('target', ''))}")
            if self.roots and kind == "officedocument" and told.get("target", "").lstrip("/") != _BODY:
                raise DocumentError(
                    "The document's text is not where Word documents have it, so its sections would be read from "
                    "elsewhere. Save it again from a word processor and upload that.",
                    code="document_other",
                )
            if kind in ("oleobject", "package", "control", "afchunk", "vbaproject", "subdocument", "frame"):
                raise DocumentError(
                    f"The document has another file embedded in it (a relationship “{kind}”). Put it in as a picture "
                    "or as text, and upload the document again.",
                    code="document_embedded",
                )
        elif name[1] == "fldSimple":
            _check_field(told.get("instr", ""))
        elif name[1] == "fldChar" and self.instruction:
            # A field may hold others: what was read of the outer one is looked at before the inner begins.
            _check_field("".join(self.instruction))
            self.instruction = []
        elif name[1] == "mailMerge":
            raise _external("a source of data for letters")
        for key in () if self.relations or self.custom else ("src", "href", "link"):
            if _leads_out(told.get(key, "")):
                raise _external(f"an address of something elsewhere, {quote(told[key])}")
        self.reading = name[1] == "instrText"

    def endElementNS(self, name: Any, qname: Any) -> None:  # noqa: N802
        self.reading = False

    def characters(self, content: str) -> None:
        if self.reading:
            self.instruction.append(content[:1000])


def _leads_out(address: str) -> bool:
    said = address.strip().lower()
    return "://" in said or said.startswith(("\\\\", "//", "file:", "mailto:", "javascript:"))


def _check_field(instruction: str) -> None:
    words = instruction.split()
    if (
        words
        and words[0].lower() in _LINKING
        and not (words[0].lower() == "hyperlink" and "\\l" in words[1:2])
    ):
        raise _external(f"a field {quote(words[0])}")


def _external(what: str) -> DocumentError:
    return DocumentError(
        f"The document has {what}: what is behind it may change after it was reviewed, or be fetched when it "
        "is opened. Write the address as plain text, save pictures in the document, and detach its template.",
        code="document_external",
    )


def _scan(file: IO[bytes], entry: Entry) -> None:
    """Read a member's XML once, in a stream: no document type, no entities, nothing that leads out.

    What a member is called says little: a part may have any name, so whatever begins as XML is read as such.
    """
    parser = create_parser(forbid_dtd=True, forbid_entities=True, forbid_external=True)
    parser.setFeature(feature_namespaces, True)
    parser.setContentHandler(_Links(entry.path))
    try:
        pieces = unpack(file, entry)
        first = next(pieces, b"")
        named = entry.path.lower().endswith((".xml", ".rels"))
        if not named and not first.lstrip(_BEFORE_XML).startswith(b"<"):
            return
        parser.feed(first)
        for piece in pieces:
            parser.feed(piece)
        parser.close()
    except DefusedXmlException:
        raise DocumentError(
            "The document declares XML entities, which a word processor never writes. Save it again from one.",
            code="document_entities",
        ) from None
    except (SAXException, ManifestError, ValueError, LookupError):
        raise DocumentError(
            f"The document is damaged: {quote(entry.path)} cannot be read. Save it again and upload it.",
            code="document_malformed",
        ) from None


# --- PDF ---


def _pdf(file: IO[bytes], head: bytes) -> dict[str, Any]:
    if _MARKUP.search(head) or b"PK\x03\x04" in head:
        raise _polyglot_of("The PDF", "something else")
    _check_end(file)
    file.seek(0)
    try:
        reader = pypdf.PdfReader(file, strict=False)
        if reader.is_encrypted:
            raise DocumentError(
                "The PDF is encrypted, so it cannot be read by whoever comes later. Save it without a password and "
                "without restrictions.",
                code="document_encrypted",
            )
        for held in _dictionaries(reader):
            if what := _more_than_pages(held):
                raise DocumentError(
                    f"{_PDF_SAYS[what]} Print the document to PDF again and upload that.",
                    code=f"document_pdf_{what}",
                )
        if not len(reader.pages):
            raise ValueError("no pages")
        outline = list(islice(_titles(reader.outline), docx.MAX_HEADINGS))
    except DocumentError:
        raise
    except MemoryError:
        raise
    except Exception as error:  # whatever pypdf meets in a damaged file, it is one
        raise DocumentError(
            f"The PDF cannot be read whole ({type(error).__name__}). Print the document to PDF again and upload that.",
            code="document_broken",
        ) from None
    return _found(PDF, "pdf", tuple(docx.tidied(outline)) or None)


def _polyglot_of(file: str, other: str) -> DocumentError:
    return DocumentError(
        f"{file} is also {other}, which other programs would open instead. Print the document to PDF again and "
        "upload that.",
        code="document_polyglot",
    )


def _check_end(file: IO[bytes]) -> None:
    """After the last %%EOF comes nothing, and no archive's directory stands near the end."""
    size = file.seek(0, 2)
    file.seek(max(0, size - 22 - 0xFFFF))
    tail = file.read()
    at = tail.rfind(b"%%EOF")
    if at < 0:
        raise DocumentError(
            "The PDF is cut short: its end is missing. Upload the whole file.", code="document_broken"
        )
    if tail[at + 5 :].strip(b" \t\r\n\0"):
        raise _polyglot_of("The PDF", "something else")
    directory = tail.rfind(b"PK\x05\x06")
    if directory >= 0 and len(tail) - directory >= 22:
        raise _polyglot_of("The PDF", "something else")


def _dictionaries(reader: pypdf.PdfReader) -> Iterator[DictionaryObject]:
    """Every dictionary of the file, also those that no page leads to."""
    numbers = {(number, generation) for generation, held in reader.xref.items() for number in held}
    numbers |= {(number, 0) for number in reader.xref_objStm}
    if len(numbers) > MAX_OBJECTS:
        raise DocumentError(
            f"The PDF is made of more than {MAX_OBJECTS:,} pieces. Print the document to PDF again and upload that.",
            code="document_too_many_members",
        )
    waiting: list[Any] = [reader.trailer]
    waiting += [IndirectObject(number, generation, reader) for number, generation in sorted(numbers)]
    while waiting:
        held = waiting.pop()
        if isinstance(held, IndirectObject):
            held = reader.get_object(
                held
            )  # of the list above; references inside a piece are pieces of their own
        if isinstance(held, DictionaryObject):
            yield held
            waiting += [one for one in held.values() if not isinstance(one, IndirectObject)]
        elif isinstance(held, ArrayObject):
            waiting += [one for one in held if not isinstance(one, IndirectObject)]


def _more_than_pages(held: DictionaryObject) -> str:
    """What makes a dictionary more than a part of a page; empty for nothing."""
    for key, what in _PDF_KEYS.items():
        if key in held:
            return what
    if held.get("/Type") == "/StructElem":  # its /S is the name of a tag
        return ""
    for key, known in (("/S", _PDF_ACTIONS), ("/Subtype", _PDF_SUBTYPES), ("/Type", _PDF_TYPES)):
        value = held.get(key)
        if isinstance(value, str) and value in known:
            return known[value]
    return ""


def _titles(outline: Any) -> Iterator[str]:
    for one in outline:
        if isinstance(one, list):
            yield from _titles(one)
        else:
            yield str(one.title or "")


def _found(media_type: str, ending: str, sections: tuple[str, ...] | None) -> dict[str, Any]:
    return {
        "media_type": media_type,
        "ending": ending,
        "sections": None if sections is None else list(sections),
    }


def main(limit: Callable[[int, tuple[int, int]], None] = resource.setrlimit) -> int:
    """Look at standard input within the limits; the answer goes to standard output."""
    limit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    limit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    limit(resource.RLIMIT_CORE, (0, 0))
    limit(resource.RLIMIT_FSIZE, (0, 0))
    try:
        answer = look(sys.stdin.buffer)
    except DocumentError as error:
        answer = {"code": error.code, "sentence": error.sentence}
    sys.stdout.write(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
