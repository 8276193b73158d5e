"""Documents that people write in the portal: Markdown, pinned by digest."""

import re

from django.utils.translation import gettext as _

from governance.actions.evidence import record_document
from governance.docx import markdown_headings
from governance.models import Document
from portal import content, ledger, rights
from portal.errors import Invalid
from portal.models import Bundle, Lane, Person, Right

LIMIT = 200_000
TITLE_LIMIT = 200
KIND = re.compile(r"[a-z][a-z0-9-]{0,49}")
# What a written document is about unless it says otherwise: a purpose stands while models, data and flow do.
ABOUT = ("data", "flow", "models", "other")
# Nobody writes by hand what the policy takes for DSS's own word.
GENERATED = frozenset({"model-documentation"})


def write(*, by: Person, bundle: Bundle, kind: str, title: str, text: str) -> Document:
    """Write a document about a bundle. Whoever may ask for a promotion of the project may; Invalid names the field."""
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
    if not title.strip():
        raise Invalid(_("Give the document a title."), code="document_title", field="title")
    if len(title.strip()) > TITLE_LIMIT:
        raise Invalid(
            _("Give the document a title of at most %(limit)s characters.") % {"limit": TITLE_LIMIT},
            code="document_title_long",
            field="title",
        )
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
    with ledger.business():
        kept = content.put(text.encode(), "text/markdown; charset=utf-8")
        document = Document.objects.create(
            kind=kind,
            project=bundle.project,
            bundle=bundle,
            parts={part: bundle.parts[part] for part in ABOUT if part in bundle.parts},
            title=title.strip(),
            origin=Document.Origin.WRITTEN,
            sections=list(markdown_headings(text)),
            digest=kept.digest,
            content=kept,
            author=by,
        )
        record_document(by=by, document=document)
        return document
