"""Out of the whole history of a project, the rows that a judgement can still depend on, chosen by the database.

Who spoke last and what was added last decides, so what is read grows with people, roles and kinds, and not with the
rounds that were played. Not in charge of what the rows mean: `governance.checks` is.
"""

import json
from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import (
    BooleanField,
    Case,
    Exists,
    F,
    Func,
    IntegerField,
    JSONField,
    OuterRef,
    Q,
    QuerySet,
    TextField,
    Value,
    When,
    Window,
)
from django.db.models.functions import Cast, Coalesce, RowNumber
from django.utils import timezone

from governance.facts import (
    APPROVE,
    APPROVE_WITH_CONDITIONS,
    SYSTEM,
    DocumentFact,
    EvidenceFact,
    SignOffFact,
    WaiverFact,
    instant,
)
from governance.models import Condition, Document, Evidence, SignOff, Waiver, WaiverWithdrawal, Withdrawal
from portal.models import Bundle, Content, Lane, Person
from portal.prepared import Prepared, prepared

Row = dict[str, Any]

_WORD = (
    *("lane_id", "judged", "pk", "person_id", "role", "decision", "signed_at", "covered", "clause"),
    *("on_behalf_of_id", "person__is_active", "bundle_id", "bundle__bundle_id"),
    *("evidence", "documents", "withdrawn", "statement_id"),
)
_ADDED = ("pk", "project_id", "kind", "digest", "parts", "recorded_at", "author_id")
_PIECE = (*_ADDED, "author__kind", "stage", "name", "result_id")
_TEXT = (*_ADDED, "sections", "sections_told")


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a bundle in a lane; evidence and documents with all that one of these sign-offs binds."""

    signoffs: tuple[SignOffFact, ...]
    evidence: tuple[EvidenceFact, ...]
    documents: tuple[DocumentFact, ...]
    waivers: tuple["Waived", ...] = ()


@dataclass(frozen=True, slots=True)
class Waived:
    """A waiver, with who asked for it, for whom, and when."""

    fact: WaiverFact
    asked_by: Person
    asked_for: Person | None
    asked_at: datetime


def known(asked: Sequence[tuple[Bundle, Lane]]) -> list[Known]:
    """What may matter to a judgement of each bundle in its lane, in their order, in seven queries for all of them,
    one more where a word was given on another bundle, and one where one was given under conditions.

    - Of each person and role the newest word about these parts, under each clause and about each set of documents that
      was ever signed about them, on this bundle and on another, an approval and what ends one; and of approvals about
      other parts the one of which fewest differ. What was said for somebody is their word.
    - Of each kind (and name, and stage) the newest about equal parts; where there is none, the newest about others, so
      that the gate can say what changed since.
    - Of each requirement, finding and who waived it the newest waiver about equal parts that may count, and the newest
      other of theirs.
    - What those words bind, once for each author: who brought evidence does not judge it.
    """
    words = _words(asked)
    bound = [{digest for row in rows for digest in (*row["evidence"], *row["documents"])} for rows in words]
    pieces = _PIECES.to(asked, bound)
    texts = _TEXTS.to(asked, bound)
    later = _later(asked, words)
    due = _due(words)
    waivers = _waivers(asked)
    statements = {row["statement_id"] for rows in words for row in rows}
    statements |= {row.answer.statement_id for rows in waivers for row in rows}
    values = {
        key: json.loads(bytes(body))
        for key, body in _bodies(digests={row["result_id"] for rows in pieces for row in rows} | statements)
    }
    return [
        Known(
            tuple(_word(row, values[row["statement_id"]], later, due) for row in words[number]),
            tuple(_piece(row, values) for row in pieces[number]),
            tuple(map(_text, texts[number])),
            tuple(
                Waived(
                    _waiver(row, values[row.answer.statement_id]),
                    row.asked_by,
                    row.on_behalf_of,
                    row.asked_at,
                )
                for row in waivers[number]
            ),
        )
        for number in range(len(asked))
    ]


class Within(Func):
    """Whether everything that one JSON object names is the same in the other: `Within(F("parts"), …)`."""

    output_field = BooleanField()

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template="(%(expressions)s)", arg_joiner=" <@ ", **context)

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(
            compiler,
            connection,
            template="NOT EXISTS (SELECT 1 FROM json_each(%(expressions)s, '$.' || part.key))",
            arg_joiner=") AS part WHERE part.value IS NOT json_extract(",
            **context,
        )


class Apart(Func):
    """How many of what one JSON object names differ in the other: `Apart(F("covered"), F("parts"))`."""

    output_field = IntegerField()

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(
            compiler,
            connection,
            template="(SELECT count(*) FROM jsonb_each(%(expressions)s) -> part.key)",
            arg_joiner=") AS part WHERE part.value IS DISTINCT FROM (",
            **context,
        )

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(
            compiler,
            connection,
            template="(SELECT count(*) FROM json_each(%(expressions)s, '$.' || part.key))",
            arg_joiner=") AS part WHERE part.value IS NOT json_extract(",
            **context,
        )


def same_parts(parts: Mapping[str, str]) -> Q:
    """Rows whose `parts` name none that differs from these."""
    return Q(Within(F("parts"), Value(dict(parts), JSONField())))


def newest(rows: QuerySet[Any], at: str, *per: str, first: Sequence[str] = ()) -> QuerySet[Any]:
    """Of each group of rows only the one that is newest by the field `at`, among those least by the fields `first`."""
    order = [*(F(one).asc() for one in first), F(at).desc(), F("pk").desc()]
    place = Window(RowNumber(), partition_by=[F(one) for one in per], order_by=order)
    found: QuerySet[Any] = rows.order_by().annotate(place=place).filter(place=1)
    return found


# --- what is read ---


@prepared
def _last_words(lanes: Any, bundles: Any) -> QuerySet[Any, Row]:
    """Every sign-off is looked at beside each bundle that is asked about."""
    rows = SignOff.objects.filter(lane__in=lanes, lane__project__bundles__in=bundles).annotate(
        judged=F("lane__project__bundles"),
        held=Within(F("covered"), F("lane__project__bundles__parts")),
        under=Case(When(held=True, then=F("clause")), default=Value("")),
        seat=Coalesce("on_behalf_of", "person"),
        read=Case(
            When(held=True, then=Cast("documents", TextField())), default=Value(""), output_field=TextField()
        ),
        here=Case(
            When(held=True, bundle=F("lane__project__bundles"), then=Value(True)), default=Value(False)
        ),
        withdrawn=Exists(Withdrawal.objects.filter(signoff=OuterRef("pk"))),
    )
    ends = Q(withdrawn=True) | ~Q(decision__in=(APPROVE, APPROVE_WITH_CONDITIONS))
    rows = rows.annotate(
        ends=Case(When(Q(held=True) & ends, then=Value(True)), default=Value(False)),
        # Of those about other parts the one to be compared with: an approval, and of them the nearest.
        idle=Case(When(Q(held=False) & ends, then=Value(1)), default=Value(0)),
        far=Case(
            When(held=True, then=Value(0)), default=Apart(F("covered"), F("lane__project__bundles__parts"))
        ),
    )
    group = ("lane", "judged", "seat", "role", "held", "under", "read", "here", "ends")
    return newest(rows, "signed_at", *group, first=("idle", "far")).values(*_WORD)


def _words(asked: Sequence[tuple[Bundle, Lane]]) -> list[list[Row]]:
    """The words that may matter to each."""
    by_pair: dict[tuple[int, int], list[Row]] = {}
    for row in _last_words(
        lanes={lane.pk for _bundle, lane in asked}, bundles={bundle.pk for bundle, _lane in asked}
    ):
        by_pair.setdefault((row["judged"], row["lane_id"]), []).append(row)
    return [by_pair.get((bundle.pk, lane.pk), []) for bundle, lane in asked]


@prepared
def _registered(projects: Any, after: Any) -> QuerySet[Any, tuple[int, int]]:
    rows = Bundle.objects.filter(project__in=projects, pk__gt=after, status=Bundle.Status.REGISTERED)
    return rows.order_by("pk").values_list("project", "pk")


def _later(asked: Sequence[tuple[Bundle, Lane]], words: Sequence[list[Row]]) -> dict[tuple[int, int], int]:
    """(bundle signed, bundle judged) -> how many bundles later it came, -1: earlier; one query at most."""
    pairs = {
        (row["bundle_id"], row["judged"])
        for rows in words
        for row in rows
        if row["bundle_id"] != row["judged"]
    }
    if not pairs:
        return {}
    of_project: dict[int, list[int]] = {}
    since = min(signed for signed, _judged in pairs)
    for project, pk in _registered(projects={bundle.project_id for bundle, _lane in asked}, after=since):
        of_project.setdefault(project, []).append(pk)
    project_of = {bundle.pk: bundle.project_id for bundle, _lane in asked}
    return {
        (signed, judged): bisect_right(there, judged) - bisect_right(there, signed) if judged > signed else -1
        for signed, judged in pairs
        for there in [of_project.get(project_of[judged], [])]
    }


@prepared
def _open_conditions(signoffs: Any) -> QuerySet[Any, tuple[int, Any]]:
    rows = Condition.objects.filter(signoff__in=signoffs, fulfilment=None)
    return rows.order_by("-due").values_list("signoff", "due")


def _due(words: Sequence[list[Row]]) -> dict[int, str]:
    """When the first open condition of an approval is due; one query, where there are conditions at all."""
    stated = {row["pk"] for rows in words for row in rows if row["decision"] == APPROVE_WITH_CONDITIONS}
    # The latest first, so that of each signature the earliest stays.
    return {pk: instant(due) for pk, due in _open_conditions(signoffs=stated)} if stated else {}


@prepared
def _last_waivers(lanes: Any, bundles: Any, now: Any) -> QuerySet[Any]:
    """Granted waivers, each looked at beside each bundle that is asked about."""
    rows = Waiver.objects.filter(
        lane__in=lanes, answer__granted=True, lane__project__bundles__in=bundles
    ).annotate(
        judged=F("lane__project__bundles"),
        over=Exists(WaiverWithdrawal.objects.filter(waiver=OuterRef("pk"))),
        equal=Case(
            When(
                Q(Within(F("parts"), F("lane__project__bundles__parts")))
                & Q(Within(F("lane__project__bundles__parts"), F("parts"))),
                then=Value(True),
            ),
            default=Value(False),
        ),
    )
    live = Q(equal=True, over=False, until__gt=now)
    rows = rows.annotate(
        live=Case(When(live, then=Value(True)), default=Value(False)),
        about=Case(When(live, then=F("finding_digest")), default=Value("")),
        under=Case(When(live, then=F("clause")), default=Value("")),
    )
    group = ("lane", "judged", "requirement", "live", "about", "under", "answer__answered_by")
    return newest(rows, "answer__answered_at", *group).select_related("answer", "asked_by", "on_behalf_of")


def _waivers(asked: Sequence[tuple[Bundle, Lane]]) -> list[list[Any]]:
    """The waivers that may matter to each."""
    by_pair: dict[tuple[int, int], list[Any]] = {}
    for row in _last_waivers(
        lanes={lane.pk for _bundle, lane in asked},
        bundles={bundle.pk for bundle, _lane in asked},
        now=timezone.now(),
    ):
        by_pair.setdefault((row.judged, row.lane_id), []).append(row)
    return [by_pair.get((bundle.pk, lane.pk), []) for bundle, lane in asked]


@dataclass(frozen=True, slots=True)
class _Added:
    """How evidence, or documents, are read; `group`: of what the newest is wanted."""

    near: Prepared[Row]
    named: Prepared[Row]
    group: tuple[str, ...]

    def to(self, asked: Sequence[tuple[Bundle, Lane]], bound: Sequence[set[str]]) -> list[list[Row]]:
        """The rows that may matter to each."""
        by_bundle: dict[int, list[Row]] = {}
        for row in self.near(bundles={bundle.pk for bundle, _lane in asked}):
            by_bundle.setdefault(row["judged"], []).append(row)
        signed = self.named(
            projects={bundle.project_id for bundle, _lane in asked}, digests=set[str]().union(*bound)
        )
        return [
            _kept(
                by_bundle.get(bundle.pk, []),
                [row for row in signed if _is_bound(row, bundle, digests)],
                self.group,
            )
            for (bundle, _lane), digests in zip(asked, bound, strict=True)
        ]


def _added(
    model: type[Evidence] | type[Document],
    about: Q,
    fields: tuple[str, ...],
    group: tuple[str, ...],
    apart: str,
) -> _Added:
    """`about`: which rows are about anything at all; `apart`: what tells rows of one digest from each other."""

    @prepared
    def near(bundles: Any) -> QuerySet[Any, Row]:
        held = Case(When(about, then=Within(F("parts"), F("project__bundles__parts"))), default=Value(False))
        rows = model.objects.filter(project__bundles__in=bundles)
        rows = rows.annotate(judged=F("project__bundles"), held=held)
        return newest(rows, "recorded_at", "judged", "held", *group).values("judged", "held", *fields)

    @prepared
    def named(projects: Any, digests: Any) -> QuerySet[Any, Row]:
        rows = model.objects.filter(project__in=projects, digest__in=digests)
        return newest(rows, "recorded_at", "project", "digest", apart).values(*fields)

    return _Added(near, named, group)


_PIECES = _added(Evidence, ~Q(parts={}), _PIECE, ("kind", "name", "stage"), "author")
_TEXTS = _added(Document, Q(pk__isnull=False), _TEXT, ("kind",), "kind")


def _is_bound(row: Row, bundle: Bundle, digests: Collection[str]) -> bool:
    return row["project_id"] == bundle.project_id and row["digest"] in digests


def _kept(near: Iterable[Row], signed: Iterable[Row], group: tuple[str, ...]) -> list[Row]:
    """All about these parts; of groups without any, the newest about others; and all that is bound."""

    def of(row: Row) -> tuple[Any, ...]:
        return tuple(row[name] for name in group)

    held = {of(row) for row in near if row["held"]}
    kept = [row for row in near if row["held"] or of(row) not in held]
    return list({row["pk"]: row for row in (*kept, *signed)}.values())


@prepared
def _bodies(digests: Any) -> QuerySet[Any, Any]:
    return Content.objects.filter(pk__in=digests).values_list("pk", "body")


# --- as facts ---


def _word(
    row: Row, statement: Mapping[str, Any], later: Mapping[tuple[int, int], int], due: Mapping[int, str]
) -> SignOffFact:
    # Where it holds is what was signed, not where the row is filed now: a project or a stage may get another name.
    signed = statement["predicate"]
    elsewhere = row["bundle_id"] != row["judged"]
    return SignOffFact(
        id=str(row["pk"]),
        person=str(row["person_id"]),
        role=row["role"],
        decision=row["decision"],
        at=instant(row["signed_at"]),
        project=signed["project"],
        stage=signed["stage"],
        covered=row["covered"],
        clause=row["clause"],
        evidence=tuple(row["evidence"]),
        documents=tuple(row["documents"]),
        withdrawn=row["withdrawn"],
        on_behalf_of=str(row["on_behalf_of_id"] or ""),
        left=row["on_behalf_of_id"] is not None and not row["person__is_active"],
        bundle=row["bundle__bundle_id"] if elsewhere else "",
        carried=later[row["bundle_id"], row["judged"]] if elsewhere else 0,
        due=due.get(row["pk"], ""),
    )


def _waiver(row: Any, statement: Mapping[str, Any]) -> WaiverFact:
    # As of a signature: for the project and the stage that were signed.
    signed = statement["predicate"]
    return WaiverFact(
        id=str(row.pk),
        requirement=row.requirement,
        person=str(row.answer.answered_by_id),
        at=instant(row.answer.answered_at),
        until=instant(row.until),
        asked_by=str(row.asked_by_id),
        project=signed["project"],
        stage=signed["stage"],
        parts=row.parts,
        clause=row.clause,
        finding=row.finding,
        asked_for=str(row.on_behalf_of_id or ""),
        withdrawn=row.over,
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
        name=row["name"],
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
        sections_told=row["sections_told"],
    )
