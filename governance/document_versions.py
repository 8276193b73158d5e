"""The versions of a document of a project, how two of them differ, and how long one stays fresh. Judges nothing."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from governance.facts import Clause
from governance.models import Document
from portal import content, rights
from portal.models import Person, Project

# Comparing takes time with the product of the lines; a text this long is not read line by line.
MOST_LINES = 4000


@dataclass(frozen=True, slots=True)
class Compared:
    """Two versions. `unified` is the difference of their texts line by line, or of their sections; `note` says which.

    `same`: they are equal to the byte.
    """

    old: Document
    new: Document
    same: bool
    unified: str
    note: str


def versions(project: Project, kind: str) -> QuerySet[Document]:
    """Every document of a kind in a project, the newest first, without their bytes."""
    found = Document.objects.filter(project=project, kind=kind).select_related(
        "project", "bundle", "author", "content"
    )
    return found.defer("content__body").order_by("-recorded_at", "-pk")


def document_for(person: Person, pk: int) -> Document:
    """The document of this number, without its bytes; raises Absent where the person may not see it."""
    found = (
        Document.objects.select_related("project", "bundle", "author", "content")
        .defer("content__body")
        .filter(pk=pk, project__in=rights.visible_projects(person))
        .first()
    )
    if found is None:
        raise rights.absent()
    return found


def compared(old: Document, new: Document) -> Compared:
    """How `new` differs from `old`: texts line by line; of files, which nobody reads line by line, the sections."""
    if old.digest == new.digest:
        return Compared(old, new, True, "", _("Both are the same to the byte."))
    note = ""
    if old.is_text and new.is_text:
        held = content.get_many([old.content_id, new.content_id])
        before, after = (held[one.content_id].decode(errors="replace").splitlines() for one in (old, new))
        if max(len(before), len(after)) <= MOST_LINES:
            return Compared(old, new, False, _unified(before, after), note)
        note = _(
            "The texts are too long to be compared here. Their sections are; save both to compare them whole."
        )
    else:
        note = _("Of files the sections are compared; save both to compare them whole.")
    return Compared(old, new, False, _unified(old.sections, new.sections), note)


def fresh_until(document: Document, clauses: Iterable[Clause]) -> datetime | None:
    """Until when it is young enough for everything that asks for its kind; None where nothing limits its age."""
    ages = [
        int(clause.params["max_age"])
        for clause in clauses
        if clause.kind == "document" and clause.params["kind"] == document.kind and "max_age" in clause.params
    ]
    return document.recorded_at + timedelta(seconds=min(ages)) if ages else None


def _unified(before: list[str], after: list[str]) -> str:
    return "\n".join(difflib.unified_diff(before, after, "", "", lineterm=""))
