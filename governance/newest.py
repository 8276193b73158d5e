"""Out of the whole history of a project, the rows that a judgement can still depend on, chosen by the database.

Who spoke last and what was added last decides, so what is read grows with people, roles and kinds, and not with the
rounds that were played. Not in charge of what the rows mean: `governance.checks` is.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import (
    BooleanField,
    Case,
    Exists,
    F,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Value,
    When,
    Window,
)
from django.db.models.functions import RowNumber

from governance.facts import PARTS, SYSTEM, DocumentFact, EvidenceFact, SignOffFact, instant
from governance.models import Document, Evidence, SignOff, Withdrawal
from portal.models import Bundle, Content, Lane, Person

Row = dict[str, Any]

# What a sign-off is about, seen from one bundle and the clauses in force: another thing, these parts as an older
# clause asked, or exactly this.
_ANOTHER, _SAME_PARTS, _THIS = range(3)

_WORD = (
    *("number", "pk", "person_id", "role", "decision", "signed_at", "covered", "clause"),
    *("evidence", "documents", "withdrawn"),
)
_ADDED = ("number", "held", "pk", "project_id", "kind", "digest", "parts", "recorded_at", "author_id")
_PIECE = (*_ADDED, "author__kind", "stage", "result_id")
_TEXT = (*_ADDED, "sections")


@dataclass(frozen=True, slots=True)
class Subject:
    """What is judged: this bundle in this lane, under the sign-off clauses with these digests."""

    bundle: Bundle
    lane: Lane
    clauses: frozenset[str]


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one subject; evidence and documents with all that one of these sign-offs binds."""

    signoffs: tuple[SignOffFact, ...]
    evidence: tuple[EvidenceFact, ...]
    documents: tuple[DocumentFact, ...]


def known(subjects: Sequence[Subject]) -> list[Known]:
    """What may matter to a judgement of each subject, in their order, in four queries for all of them.

    - Of each person and role three words at most: the newest about exactly this, the newest about these parts under
      another clause, and the newest about something else.
    - Of each kind (and stage) the newest about equal parts; where there is none, the newest about others, so that the
      gate can say what changed since.
    - What those words bind, once for each author: who brought evidence does not judge it.
    """
    words = _grouped(len(subjects), _words(subjects))
    bound = [_bound(rows) for rows in words]
    pieces = _chosen(subjects, bound, _pieces(subjects, bound), ("kind", "stage"))
    texts = _chosen(subjects, bound, _texts(subjects, bound), ("kind",))
    results = _results({row["result_id"] for rows in pieces for row in rows})
    return [
        Known(
            tuple(_word(row, subject.lane) for row in words[number]),
            tuple(_piece(row, results) for row in pieces[number]),
            tuple(map(_text, texts[number])),
        )
        for number, subject in enumerate(subjects)
    ]


def same_parts(parts: Mapping[str, str], field: str = "parts") -> Q:
    """Rows whose `field` names no part that differs from these."""
    found = Q()
    for part in PARTS:
        unnamed = Q(**{f"{field}__{part}__isnull": True})
        found &= unnamed | Q(**{f"{field}__{part}": parts[part]}) if part in parts else unnamed
    return found


def newest(rows: QuerySet[Any], at: str, *per: str) -> QuerySet[Any]:
    """Of each group of rows only the one that is newest by the field `at`."""
    place = Window(RowNumber(), partition_by=[F(one) for one in per], order_by=[F(at).desc(), F("pk").desc()])
    found: QuerySet[Any] = rows.order_by().annotate(place=place).filter(place=1)
    return found


# --- what is read ---


def _words(subjects: Sequence[Subject]) -> list[Row]:
    found = []
    for number, subject in enumerate(subjects):
        same = same_parts(subject.bundle.parts, "covered")
        rows = SignOff.objects.filter(lane=subject.lane).annotate(
            number=Value(number, IntegerField()),
            withdrawn=Exists(Withdrawal.objects.filter(signoff=OuterRef("pk"))),
            about=Case(
                When(same & Q(clause__in=subject.clauses), then=Value(_THIS)),
                When(same, then=Value(_SAME_PARTS)),
                default=Value(_ANOTHER),
            ),
        )
        found.append(newest(rows, "signed_at", "person", "role", "about").values(*_WORD))
    return _together(found)


def _pieces(subjects: Sequence[Subject], bound: Sequence[set[str]]) -> list[Row]:
    found = []
    for number, subject in enumerate(subjects):
        # Evidence about no part at all is about nothing, whatever it says.
        about = same_parts(subject.bundle.parts) & ~Q(parts={})
        rows = _marked(Evidence.objects.filter(project=subject.bundle.project_id), number, about)
        found.append(newest(rows, "recorded_at", "kind", "stage", "held").values(*_PIECE))
    for project, digests in _by_project(subjects, bound).items():
        rows = _marked(Evidence.objects.filter(project=project, digest__in=digests), len(subjects), None)
        found.append(newest(rows, "recorded_at", "digest", "author").values(*_PIECE))
    return _together(found)


def _texts(subjects: Sequence[Subject], bound: Sequence[set[str]]) -> list[Row]:
    found = []
    for number, subject in enumerate(subjects):
        rows = _marked(
            Document.objects.filter(project=subject.bundle.project_id),
            number,
            same_parts(subject.bundle.parts),
        )
        found.append(newest(rows, "recorded_at", "kind", "held").values(*_TEXT))
    for project, digests in _by_project(subjects, bound).items():
        rows = _marked(Document.objects.filter(project=project, digest__in=digests), len(subjects), None)
        found.append(newest(rows, "recorded_at", "digest", "kind").values(*_TEXT))
    return _together(found)


def _marked(rows: QuerySet[Any], number: int, held: Q | None) -> QuerySet[Any]:
    """With the number of the subject they are read for, and whether they hold for its parts."""
    when = [] if held is None else [When(held, then=Value(True))]
    found: QuerySet[Any] = rows.annotate(
        number=Value(number, IntegerField()),
        held=Case(*when, default=Value(False), output_field=BooleanField()),
    )
    return found


def _together(found: Sequence[QuerySet[Any, Row]]) -> list[Row]:
    """The rows of all of these, in one query."""
    return list(found[0].union(*found[1:], all=True)) if found else []


def _results(wanted: Collection[str]) -> dict[str, Any]:
    rows = Content.objects.filter(pk__in=wanted).values_list("pk", "body")
    return {key: json.loads(bytes(body)) for key, body in rows}


# --- what is kept of it ---


def _grouped(many: int, rows: Iterable[Row]) -> list[list[Row]]:
    found: list[list[Row]] = [[] for _ in range(many)]
    for row in rows:
        found[row["number"]].append(row)
    return found


def _bound(words: Iterable[Row]) -> set[str]:
    return {digest for word in words for digest in (*word["evidence"], *word["documents"])}


def _by_project(subjects: Sequence[Subject], bound: Sequence[set[str]]) -> dict[int, set[str]]:
    found: dict[int, set[str]] = {}
    for subject, digests in zip(subjects, bound, strict=True):
        found.setdefault(subject.bundle.project_id, set()).update(digests)
    return {project: digests for project, digests in found.items() if digests}


def _chosen(
    subjects: Sequence[Subject], bound: Sequence[set[str]], rows: Iterable[Row], group: tuple[str, ...]
) -> list[list[Row]]:
    """The rows of each subject: those about its parts, of groups without any the newest, and all that is bound."""
    *near, signed = _grouped(len(subjects) + 1, rows)
    found = []
    for subject, own, digests in zip(subjects, near, bound, strict=True):
        held = {_of(row, group) for row in own if row["held"]}
        kept = {row["pk"]: row for row in own if row["held"] or _of(row, group) not in held}
        kept |= {
            row["pk"]: row
            for row in signed
            if row["project_id"] == subject.bundle.project_id and row["digest"] in digests
        }
        found.append(list(kept.values()))
    return found


def _of(row: Row, group: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(row[name] for name in group)


def _word(row: Row, lane: Lane) -> SignOffFact:
    return SignOffFact(
        id=str(row["pk"]),
        person=str(row["person_id"]),
        role=row["role"],
        decision=row["decision"],
        at=instant(row["signed_at"]),
        project=lane.project.key,
        stage=lane.stage.slug,
        covered=row["covered"],
        clause=row["clause"],
        evidence=tuple(row["evidence"]),
        documents=tuple(row["documents"]),
        withdrawn=row["withdrawn"],
    )


def _piece(row: Row, results: Mapping[str, Any]) -> EvidenceFact:
    return EvidenceFact(
        id=str(row["pk"]),
        kind=row["kind"],
        digest=row["digest"],
        parts=row["parts"],
        at=instant(row["recorded_at"]),
        author=SYSTEM if row["author__kind"] == Person.Kind.SYSTEM else str(row["author_id"]),
        stage=row["stage"],
        result=results[row["result_id"]],
    )


def _text(row: Row) -> DocumentFact:
    return DocumentFact(
        id=str(row["pk"]),
        kind=row["kind"],
        digest=row["digest"],
        parts=row["parts"],
        at=instant(row["recorded_at"]),
        author=str(row["author_id"]),
        sections=tuple(row["sections"]),
    )
