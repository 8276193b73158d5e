"""Documents that people write in the portal (Markdown) or upload (PDF, Word, text), pinned by their digest."""

import re
from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext as _

from governance import docx, uploads
from governance.actions.evidence import record_document
from governance.docx import markdown_headings
from governance.models import Document
from portal import content, ledger, rights
from portal.errors import Invalid
from portal.models import Bundle, Content, Lane, Person, Right
from portal.texts import plain

LIMIT = docx.TEXT_LIMIT
TITLE_LIMIT = 200
KIND = re.compile(r"[a-z][a-z0-9-]{0,49}")
# What a written document is about unless it says otherwise: a purpose stands while models, data and flow do.
ABOUT = ("data", "flow", "models", "other")
# Nobody writes by hand what the policy takes for DSS's own word.
GENERATED = frozenset({"model-documentation"})
MARKDOWN = "text/markdown; charset=utf-8"


def write(*, by: Person, bundle: Bundle, kind: str, title: str, text: str) -> Document:
    """Write a document about a bundle. Whoever may ask for a promotion of the project may; Invalid names the field."""
    check_may_write(by=by, bundle=bundle, kind=kind)
    title = _checked_title(title)
    text = text.replace("\r\n", "\n")
    if not text.strip():
        raise Invalid(
            _("The document is empty; write what reviewers need to know."),
            code="document_empty",
            field="text",
        )
    if len(text) > LIMIT:
        raise Invalid(
            _("The document is longer than %(limit)s characters; shorten it.") % {"limit": LIMIT},
            code="document_long",
            field="text",
        )
    return _keep(
        by,
        bundle,
        kind,
        title,
        Document.Origin.WRITTEN,
        markdown_headings(text),
        lambda: content.put(text.encode(), MARKDOWN),
    )


def upload(*, by: Person, bundle: Bundle, kind: str, title: str, file: Any, name: str) -> Document:
    """Keep a file (anything with `read`) as a document about a bundle; what it is, its content says.

    Without a title it has its file's name. Raises Invalid naming the field, `file` for what the content is refused for.
    """
    check_may_write(by=by, bundle=bundle, kind=kind)
    uploads.check_name(name)
    title = _checked_title(title.strip() or plain(name.rpartition(".")[0] or name))
    with uploads.looked_into(file, name) as looked:
        staged = content.stage(looked.file, looked.media_type)
        sections = looked.sections
    return _keep(
        by,
        bundle,
        kind,
        title,
        Document.Origin.UPLOADED,
        sections,
        lambda: content.put_staged(staged),
    )


def check_may_write(*, by: Person, bundle: Bundle, kind: str) -> None:
    """Raise Absent, Forbidden or Invalid unless somebody may write a document of this kind about the bundle."""
    lanes = list(Lane.objects.filter(project=bundle.project).select_related("project", "stage"))
    held = rights.held_on(by, lanes)
    if not any(Right.REQUEST.value in held[lane.pk] for lane in lanes):
        rights.check(by, Right.REQUEST, lanes[0])
    if not bundle.is_registered:
        raise Invalid(
            _("Bundle %(bundle)s is not registered yet.") % {"bundle": bundle.bundle_id},
            code="bundle_not_registered",
            field="bundle",
        )
    if not KIND.fullmatch(kind):
        raise Invalid(
            _("Choose which document this is: the name the policy gives it, such as intended-use."),
            code="document_kind",
            field="kind",
        )
    if kind in GENERATED:
        raise Invalid(
            _("DSS generates this document. Collect it on the bundle's page instead of writing it."),
            code="document_generated",
            field="kind",
        )


def _checked_title(title: str) -> str:
    title = title.strip()
    if not title:
        raise Invalid(_("Give the document a title."), code="document_title", field="title")
    if len(title) > TITLE_LIMIT:
        raise Invalid(
            _("Give the document a title of at most %(limit)s characters.") % {"limit": TITLE_LIMIT},
            code="document_title_long",
            field="title",
        )
    return title


def _keep(
    by: Person,
    bundle: Bundle,
    kind: str,
    title: str,
    origin: str,
    sections: tuple[str, ...] | None,
    put: Callable[[], Content],
) -> Document:
    with ledger.business():
        kept = put()
        document = Document.objects.create(
            kind=kind,
            project=bundle.project,
            bundle=bundle,
            parts={part: bundle.parts[part] for part in ABOUT if part in bundle.parts},
            title=title,
            origin=origin,
            sections=list(sections or ()),
            sections_told=sections is not None,
            digest=kept.digest,
            content=kept,
            author=by,
        )
        record_document(by=by, document=document)
        return document
