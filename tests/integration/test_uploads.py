"""Documents that are uploaded: what is taken, what is refused and why, where it is kept and how it is sent."""

import hashlib
import io
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pypdf
import pytest
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.test import Client
from pypdf.generic import DictionaryObject, NameObject, TextStringObject

from governance import uploads
from governance.actions import documents
from governance.docx import DocumentError
from governance.look_inside import look
from governance.models import Document
from portal import content, verification
from portal.errors import Forbidden, Invalid, Refused
from portal.models import Bundle, Content
from tests.api import session
from tests.cast import Cast
from tests.factories import bundle_registered
from tests.unit.test_docx import W, body, paragraph, word

TYPES = (
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Override PartName="/word/document.xml"'
    ' ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>'
)
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
BUNDLE = "projects/CHURN/bundles/v1"


def pdf(
    *, outline: str = "", action: dict[str, str] | None = None, attached: bool = False, locked: bool = False
) -> bytes:
    made = pypdf.PdfWriter()
    made.add_blank_page(200, 200)
    if outline:
        made.add_outline_item(title=outline, page_number=0)
    if action:
        held = DictionaryObject(
            {
                NameObject(key): NameObject(value) if value.startswith("/") else TextStringObject(value)
                for key, value in action.items()
            }
        )
        made._root_object[NameObject("/OpenAction")] = made._add_object(held)
    if attached:
        made.add_attachment("a.txt", b"x")
    if locked:
        made.encrypt("secret")
    held_bytes = io.BytesIO()
    made.write(held_bytes)
    return held_bytes.getvalue()


def docx(document: str = "", /, **more: Any) -> bytes:
    return word(document or body(paragraph("Purpose", "Heading1")), **{"[Content_Types].xml": TYPES, **more})


def relation(kind: str, target: str, external: bool = False) -> str:
    mode = ' TargetMode="External"' if external else ""
    return (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        f'<Relationship Id="r" Type="http://x.example/{kind}" Target="{target}"{mode}/></Relationships>'
    )


def field(instruction: str) -> str:
    half = len(instruction) // 2
    return (
        '<w:p><w:r><w:fldChar w:fldCharType="begin"/></w:r>'
        f"<w:r><w:instrText>{instruction[:half]}</w:instrText></w:r><w:r><w:instrText>{instruction[half:]}</w:instrText></w:r>"
        '<w:r><w:fldChar w:fldCharType="end"/></w:r></w:p>'
    )


def zipped(**members: str) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as made:
        for name, text in (members or {"index.html": "<html></html>"}).items():
            made.writestr(name, text)
    return held.getvalue()


def send(cast: Cast, bundle: Bundle, data: bytes, name: str = "file.bin", **more: Any) -> Document:
    told = {"by": cast.dev, "bundle": bundle, "kind": "intended-use", "title": "Use", **more}
    return documents.upload(**told, file=io.BytesIO(data), name=name)


@pytest.mark.parametrize(
    "data, media_type, ending, sections",
    [
        (pdf(outline="Purpose and limits"), "application/pdf", "pdf", ["Purpose and limits"]),
        (pdf(), "application/pdf", "pdf", None),
        (pdf(action={"/S": "/URI", "/URI": "https://example.com"}), "application/pdf", "pdf", None),
        (docx(), DOCX, "docx", ["Purpose"]),
        (
            docx(**{"_rels/.rels": relation("officeDocument", "/word/document.xml")}),
            DOCX,
            "docx",
            ["Purpose"],
        ),
        (docx(body(field(" TOC \\o "), field(' HYPERLINK \\l "x" '))), DOCX, "docx", []),
        ("\ufeff# Purpose\n\nOffers.".encode(), "text/markdown; charset=utf-8", "md", ["Purpose"]),
        (b"plain words", "text/markdown; charset=utf-8", "md", []),
    ],
)
def test_what_it_is_its_content_says(
    cast: Cast, data: bytes, media_type: str, ending: str, sections: list[str] | None
) -> None:
    made = send(cast, bundle_registered(cast), data, "holiday.exe")
    assert (made.content.media_type, made.ending, made.origin) == (media_type, ending, "uploaded")
    assert (made.sections, made.sections_told) == (sections or [], sections is not None)
    assert made.digest == hashlib.sha256(data).hexdigest()
    assert content.get(made.content_id) == data


# What takes long to make is made when it is asked for.
BAD: dict[str, tuple[bytes | Callable[[], bytes], str]] = {
    "nothing": (b" \n", "document_empty"),
    "binary": (bytes(range(256)), "document_unknown"),
    "latin": ("é".encode("latin-1"), "document_unknown"),
    "html": (b"\n<!DOCTYPE html><script>alert(1)</script>", "document_markup"),
    "svg": (b"<svg onload='x'/>", "document_markup"),
    "rtf": (b"{\\rtf1 x}", "document_markup"),
    "old word": (b"\xd0\xcf\x11\xe0" + b"\0" * 600, "document_old"),
    "long text": (b"x" * 200_001, "document_long"),
    "pdf after others": (b"GIF89a" + pdf(), "document_polyglot"),
    "pdf and html": (b"%PDF-1.7\n<html><script>x</script></html>" + pdf()[9:], "document_polyglot"),
    "pdf and zip": (pdf() + zipped(), "document_polyglot"),
    "pdf and zip, ending as a pdf": (pdf() + zipped() + b"%%EOF", "document_polyglot"),
    "pdf and what follows": (pdf() + b"<script>x</script>", "document_polyglot"),
    "pdf cut short": (pdf()[:300], "document_broken"),
    "pdf of nothing": (b"%PDF-1.7\n%%EOF", "document_broken"),
    "pdf with a script": (pdf(action={"/S": "/JavaScript", "/JS": "app.alert(1)"}), "document_pdf_script"),
    "pdf with a hidden name": (
        pdf().replace(b"/Type /Catalog", b"/Type /Catalog /OpenAction << /S /J#61vaScript /J#53 (x) >>"),
        "document_pdf_script",
    ),
    "pdf that launches": (pdf(action={"/S": "/Launch", "/F": "calc"}), "document_pdf_action"),
    "pdf that leads away": (pdf(action={"/S": "/GoToR", "/F": "x.pdf"}), "document_pdf_action"),
    "pdf with a file": (pdf(attached=True), "document_pdf_file"),
    "pdf with a password": (pdf(locked=True), "document_encrypted"),
    "zip": (zipped(), "document_other"),
    "docx after others": (b"#!/bin/sh\n" + docx(), "document_polyglot"),
    "docx and what follows": (docx() + b"<html>", "document_truncated"),
    "docx with macros": (docx(**{"word/vbaProject.bin": b"x"}), "document_macros"),
    "docx that says macros": (
        docx(**{"[Content_Types].xml": TYPES.replace("wordprocessingml.document.main", "x.macroEnabled")}),
        "document_macros",
    ),
    "docx with a sheet": (docx(**{"word/embeddings/sheet.xlsx": b"PK"}), "document_embedded"),
    "docx with html": (docx(**{"word/afchunk.html": b"<html>"}), "document_embedded"),
    "docx with an object": (
        docx(**{"word/_rels/document.xml.rels": relation("oleObject", "x.bin")}),
        "document_embedded",
    ),
    "docx with a link": (
        docx(**{"word/_rels/document.xml.rels": relation("hyperlink", "https://x.example", external=True)}),
        "document_external",
    ),
    "docx with a template elsewhere": (
        docx(**{"word/_rels/settings.xml.rels": relation("attachedTemplate", "file:///t.dotm")}),
        "document_external",
    ),
    "docx with DDE": (docx(body(field(" DDEAUTO c:\\\\x "))), "document_external"),
    "docx with a simple field": (
        docx(body('<w:p><w:fldSimple w:instr=" INCLUDEPICTURE x "/></w:p>')),
        "document_external",
    ),
    "docx with a field in a field": (
        docx(
            body(
                '<w:p><w:fldChar w:fldCharType="begin"/><w:instrText> INCLUDEPICTURE "https://x.example/</w:instrText>'
                + field(" PAGE ")
                + '<w:instrText>.png" </w:instrText><w:fldChar w:fldCharType="end"/></w:p>'
            )
        ),
        "document_external",
    ),
    "docx with relations in another case": (
        docx(**{"word/_rels/document.xml.RELS": relation("hyperlink", "https://x.example", external=True)}),
        "document_external",
    ),
    "docx with a part of another name": (
        docx(**{"word/header.bin": f"<w:hdr {W}>{field(' INCLUDETEXT c:/x ')}</w:hdr>".encode("utf-16")}),
        "document_external",
    ),
    "docx with a picture from elsewhere": (
        docx(body('<w:p><v:imagedata xmlns:v="urn:v" src="https://x.example/a.png"/></w:p>')),
        "document_external",
    ),
    "docx with a source of letters": (
        docx(**{"word/settings.xml": f"<w:settings {W}><w:mailMerge/></w:settings>"}),
        "document_external",
    ),
    "docx whose text is another": (
        docx(**{"word/other.xml": body(), "_rels/.rels": relation("officeDocument", "word/other.xml")}),
        "document_other",
    ),
    "docx with two texts": (docx(**{"WORD/document.xml": body()}), "document_duplicate_member"),
    "docx and pdf": (
        zipped(**{"a": "%PDF-1.4 1 0 obj", "word/document.xml": body(), "[Content_Types].xml": TYPES}),
        "document_polyglot",
    ),
    "docx with entities": (
        docx(**{"word/footnotes.xml": '<!DOCTYPE a [<!ENTITY b "c"><!ENTITY d "&b;&b;">]><a>&d;</a>'}),
        "document_entities",
    ),
    "docx damaged": (docx(**{"word/styles.xml": "<w:styles"}), "document_malformed"),
    "docx that leads outside": (docx(**{"../../etc/passwd": b"x"}), "document_bad_path"),
    "zip bomb": (lambda: docx(**{"word/media/a.bin": b"0" * 20_000_000}), "document_zip_bomb"),
    "zip bomb of many": (
        lambda: docx(**{f"word/media/{n}.bin": b"0" * 990_000 for n in range(280)}),
        "document_zip_bomb",
    ),
}


def bad(name: str) -> tuple[bytes, str]:
    made, code = BAD[name]
    return (made if isinstance(made, bytes) else made()), code


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_taken_says_why_and_what_to_do(name: str) -> None:
    data, code = bad(name)
    with pytest.raises(DocumentError) as refused:
        look(io.BytesIO(data))
    assert refused.value.code == code
    assert refused.value.sentence.count(". ") >= 1, "the remedy is missing"


@pytest.mark.parametrize("name", ["html", "pdf with a script", "docx with a field in a field", "zip bomb"])
def test_of_what_is_not_taken_nothing_is_kept(cast: Cast, name: str) -> None:
    data, code = bad(name)
    with pytest.raises(Invalid) as refused:
        send(cast, bundle_registered(cast), data)
    assert (refused.value.field, refused.value.code) == ("file", code)
    assert not Document.objects.exists()


@pytest.mark.parametrize(
    "name", ["../use.pdf", "a\\b.pdf", "..", "", "x\0.pdf", "a\nb", "x" * 201, "/etc/passwd"]
)
def test_a_name_that_leads_elsewhere(cast: Cast, name: str) -> None:
    with pytest.raises(Invalid) as refused:
        send(cast, bundle_registered(cast), pdf(), name)
    assert (refused.value.field, refused.value.code) == ("file", "document_name")


def test_without_a_title_it_has_the_name_of_its_file(cast: Cast) -> None:
    assert (
        send(cast, bundle_registered(cast), pdf(), "Intended use.v2.pdf", title=" ").title
        == "Intended use.v2"
    )


def test_it_is_nobodys_who_may_not_ask(cast: Cast) -> None:
    with pytest.raises(Forbidden):
        send(cast, bundle_registered(cast), pdf(), by=cast.fay)
    with pytest.raises(Invalid) as refused:
        send(cast, bundle_registered(cast, "v2"), pdf(), kind="model-documentation")
    assert refused.value.code == "document_generated"


def test_a_file_meant_to_take_all_time_ends(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "WAIT", 0.01)
    with pytest.raises(Invalid) as refused:
        send(cast, bundle_registered(cast), pdf())
    assert refused.value.code == "document_unreadable"


def test_who_looks_into_it_knows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}

    def run(command: list[str], **how: Any) -> Any:
        seen.update(how)
        raise subprocess.TimeoutExpired(command, 1)

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(Invalid), uploads.looked_into(io.BytesIO(b"x"), "x"):
        pass
    assert set(seen["env"]) == {"PATH", "PYTHONDONTWRITEBYTECODE"}


# --- how much ---


def test_more_than_the_limit_is_refused_before_it_is_read(cast: Cast, client: Client) -> None:
    bundle_registered(cast)
    client.force_login(cast.dev)
    two_gb: dict[str, Any] = {"CONTENT_LENGTH": "2000000000", "wsgi.input": _Unread()}
    for path in ("/projects/CHURN/bundles/v1/documents/upload/", f"/api/v1/{BUNDLE}/documents/upload/"):
        answer = client.generic("POST", path, b"", "multipart/form-data; boundary=x", **two_gb)
        assert answer.status_code == 413, path
        assert "25 MB" in answer.content.decode()
        assert "Make its pictures smaller" in answer.content.decode()
    assert answer.json()["code"] == "upload_too_large"
    assert answer["Content-Type"] == "application/problem+json"


class _Unread(io.RawIOBase):
    """What fails the test as soon as it is read."""

    def read(self, size: int = -1) -> bytes:
        raise AssertionError("it was read")


def test_more_than_the_limit_is_cut_while_it_is_read(cast: Cast, client: Client, settings: Any) -> None:
    """Whatever was said about its length: what frames it is allowed for, and would let that much more in."""
    bundle_registered(cast)
    settings.UPLOAD_BYTES = 5000
    client.force_login(cast.dev)
    sent = {"kind": "intended-use", "title": "Use", "file": ContentFile(b"x" * 6000, "use.md")}
    answer = client.post("/projects/CHURN/bundles/v1/documents/upload/", sent)
    assert answer.status_code == 400
    assert "What was sent is larger than" in answer.content.decode()
    sent["file"].seek(0)  # type: ignore[attr-defined]
    found = client.post(f"/api/v1/{BUNDLE}/documents/upload/", sent)
    assert (found.status_code, found.json()["code"], found.json()["field"]) == (
        413,
        "upload_too_large",
        "file",
    )
    with pytest.raises(Invalid) as refused:
        send(cast, Bundle.objects.get(), b"x" * 6000)
    assert refused.value.code == "upload_too_large"
    assert not Document.objects.exists()


# --- pages and API ---


def test_it_is_uploaded_on_the_page_and_only_ever_saved(cast: Cast, client: Client) -> None:
    bundle_registered(cast)
    client.force_login(cast.dev)
    page = "/projects/CHURN/bundles/v1/documents/upload/"
    data = pdf(outline="Purpose")
    sent = {"kind": "intended-use", "title": "", "file": ContentFile(data, "../../Use of it.pdf")}
    assert client.post(page, sent).status_code == 302
    made = Document.objects.get()
    assert made.title == "Use of it"
    shown = client.get(f"/documents/{made.pk}/").content.decode()
    assert "Purpose" in shown
    assert "It is not shown here" in shown
    for path in (f"/documents/{made.pk}/?download", f"/api/v1/documents/{made.pk}/content/"):
        saved = client.get(path)
        assert saved.content == data
        assert saved["Content-Disposition"].startswith("attachment")
        assert saved["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in saved["Content-Security-Policy"]
        assert saved["Content-Type"] == "application/pdf"
    sent["file"] = ContentFile(
        b"<html>",
        "use.pdf",
    )
    answer = client.post(page, sent)
    assert answer.status_code == 400
    assert "The file is HTML" in answer.content.decode()


def test_it_is_uploaded_over_the_api(cast: Cast) -> None:
    bundle_registered(cast)
    olga = session(cast.olga)
    path = f"/api/v1/{BUNDLE}/documents/upload/"
    sent = {"kind": "intended-use", "file": ContentFile(docx(), "use.docx")}
    made = olga.client.post(path, sent)
    assert made.status_code == 201, made.json()
    assert made.json()["sections"] == ["Purpose"]
    assert (made.json()["origin"], made.json()["title"]) == ("uploaded", "use")
    unknown = olga.client.post(path, {**sent, "file": ContentFile(b"x", "x"), "size": "1"})
    assert (unknown.status_code, unknown.json()["field"]) == (400, "size")
    none = olga.client.post(path, {"kind": "intended-use"})
    assert (none.status_code, none.json()["field"]) == (400, "file")
    other = olga.client.post(path, "{}", content_type="application/json")
    assert other.status_code == 415
    assert "multipart/form-data" in other.json()["detail"]


# --- where it is kept ---


@pytest.fixture
def directory(tmp_path: Path, settings: Any) -> Path:
    settings.STORAGES = {
        **settings.STORAGES,
        "contents": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": str(tmp_path / "kept")},
        },
    }
    settings.CONTENTS_ABOVE_BYTES = 1000
    return tmp_path / "kept"


def test_what_is_large_is_kept_in_the_storage(cast: Cast, directory: Path) -> None:
    text = b"# Purpose\n" + b"Offers. " * 500
    bundle = bundle_registered(cast)
    made = send(cast, bundle, text)
    row = Content.objects.get(pk=made.digest)
    assert (row.kept_in, bytes(row.body), row.size) == ("contents", b"", len(text))
    kept = directory / made.digest[:2] / made.digest
    assert kept.read_bytes() == text
    assert content.get(made.digest) == text
    again = send(cast, bundle, text)
    assert (again.content_id, len(list(directory.rglob("*")))) == (made.content_id, 2)
    small = send(cast, bundle, b"# Purpose\n")
    assert Content.objects.get(pk=small.digest).kept_in == ""
    assert verification.verify().contents == Content.objects.count()


def test_what_was_altered_there_is_found_out(cast: Cast, directory: Path) -> None:
    made = send(cast, bundle_registered(cast), b"words " * 500)
    kept = directory / made.digest[:2] / made.digest
    kept.write_bytes(b"other " * 500)
    with pytest.raises(Refused) as refused:
        content.get(made.digest)
    assert refused.value.code == "content_altered"
    # The same, sent again, mends it.
    send(cast, made.bundle, b"words " * 500)
    assert content.get(made.digest) == b"words " * 500
    kept.unlink()
    with pytest.raises(Refused) as refused:
        content.get(made.digest)
    assert refused.value.code == "content_missing"


def test_a_storage_that_is_not_configured_any_more(cast: Cast, directory: Path, settings: Any) -> None:
    made = send(cast, bundle_registered(cast), b"words " * 500)
    settings.STORAGES = {name: held for name, held in settings.STORAGES.items() if name != "contents"}
    with pytest.raises(Refused) as refused:
        content.get(made.digest)
    assert refused.value.code == "content_elsewhere"


def test_a_storage_that_does_not_answer(cast: Cast, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_what: Any) -> None:
        raise OSError("secret-key refused")

    monkeypatch.setattr(storages["contents"].__class__, "save", away)
    with pytest.raises(Refused) as refused:
        send(cast, bundle_registered(cast), b"words " * 500)
    assert (refused.value.status, refused.value.code) == (503, "storage_away")
    assert "secret" not in refused.value.sentence
    assert not Document.objects.exists()


def test_without_one_everything_is_in_the_database() -> None:
    assert content.STORAGE not in settings.STORAGES
