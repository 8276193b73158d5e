"""Pages of documents: one, and the versions of a kind with what differs between two. No rules."""

from contextlib import suppress

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from governance import openings
from governance.document_versions import compared, document_for, fresh_until, versions
from governance.facts import Clause
from governance.models import Document, Opening
from governance.queries import rules_of_tier
from governance.written import blocks
from portal import content, rights
from portal.api.downloads import sent
from portal.errors import Invalid, Refused
from portal.lookups import project_for
from portal.models import Project
from portal.pages import page_of, person_of


@require_GET
def one(request: HttpRequest, pk: int) -> HttpResponse:
    """A document: a text on a page; a file, and anything to be saved, as an attachment that no browser shows."""
    found = document_for(person_of(request), pk)
    openings.opened(person_of(request), found.bundle, [(Opening.What.DOCUMENT, found.digest)])
    if "download" in request.GET or not (found.is_text or found.origin == Document.Origin.UPLOADED):
        name = f"{found.project.key}-{found.bundle.bundle_id}-{found.kind}.{found.ending}"
        return sent(content.get(found.content_id), found.content.media_type, name)
    text = content.get(found.content_id).decode(errors="replace") if found.is_text else ""
    until = fresh_until(found, clauses_of_project(found.project))
    return render(
        request,
        "governance/document.html",
        {
            "document": found,
            "blocks": blocks(text),
            "until": until,
            "over": until is not None and until <= timezone.now(),
            "versions": versions(found.project, found.kind).count(),
        },
    )


@require_GET
def of_kind(request: HttpRequest, key: str, kind: str) -> HttpResponse:
    """Every version of a document of a project, and what differs between two of them."""
    project = project_for(person_of(request), key)
    page = page_of(request, versions(project, kind))
    if not page.object_list:
        raise rights.absent()
    rows = list(page.object_list)
    old, new = (
        _chosen(request, name, project, kind, otherwise)
        for name, otherwise in (("old", rows[1] if len(rows) > 1 else None), ("new", rows[0]))
    )
    return render(
        request,
        "governance/document_versions.html",
        {
            "project": project,
            "kind": kind,
            "page": page,
            "old": old,
            "new": new,
            "compared": compared(old, new) if old is not None and new is not None else None,
        },
    )


def clauses_of_project(project: Project) -> list[Clause]:
    """All that the policy asks of a project at any stage; nothing where no policy applies."""
    with suppress(Refused):
        return [clause for rules in rules_of_tier(project).values() for clause in rules.requirements]
    return []


def _chosen(
    request: HttpRequest, name: str, project: Project, kind: str, otherwise: Document | None
) -> Document | None:
    number = request.GET.get(name, "")
    if not number:
        return otherwise
    return version_of(project, kind, number, name)


def version_of(project: Project, kind: str, number: str, field: str) -> Document:
    """The version of this number; raises Invalid naming the field where it is none of this project's."""
    found = None
    if number.isascii() and number.isdecimal() and len(number) < 18:
        found = versions(project, kind).filter(pk=int(number)).first()
    if found is None:
        raise Invalid(
            "There is no such version of this document. Choose one of the list.",
            code="version_unknown",
            field=field,
        )
    return found
