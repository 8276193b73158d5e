"""The Case of a judgement: gathered in a constant number of queries, and replayed from its stored bytes."""

import json
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from deployments.judging import judge_bundle, judge_many, judge_now, record_verdict
from deployments.models import DeploymentRequest
from governance import queries
from governance.actions import policies
from governance.actions.evidence import about
from governance.exhibits import documents, exhibits
from governance.gate import (
    Case,
    DocumentFact,
    EvidenceFact,
    SignOffFact,
    case_digest,
    case_from_json,
    case_to_json,
    instant,
    judge,
    verdict_from_json,
)
from governance.models import Document, Evidence, SignOff, Withdrawal
from governance.statement import covered
from portal import content, ledger
from portal.actions import grants
from portal.canonical import digest
from portal.event_kinds import EventKind
from portal.models import Bundle, Person, Right
from tests import factories
from tests.cast import POLICY, Cast, make_cast
from tests.conftest import Database
from tests.factories import (
    all_but_signed,
    all_signed,
    bundle_registered,
    fairness_of,
    intended_use,
    request_at,
    signed,
    to_read,
)
from tests.unit.test_gate import counted


def complete(cast: Cast) -> DeploymentRequest:
    """A request for production with everything there."""
    bundle = bundle_registered(cast)
    all_but_signed(cast, bundle)
    request = request_at(cast, bundle=bundle, lane=cast.prod)
    all_signed(cast, request)
    return request


def many(cast: Cast, bundle: Bundle, number: int) -> None:
    """So many more sign-offs, pieces of evidence and documents, by as many people."""
    given, piece, text = SignOff.objects.first(), Evidence.objects.first(), Document.objects.first()
    assert given is not None
    assert piece is not None
    assert text is not None
    there = Person.objects.filter(login__startswith="extra").count()
    people = Person.objects.bulk_create(
        Person(login=f"extra{there + one}", name=f"Extra {there + one}") for one in range(number)
    )

    def copies(row: SignOff | Evidence | Document, **changes: Callable[[Person], object]) -> list:
        values = {
            field.attname: getattr(row, field.attname)
            for field in row._meta.concrete_fields
            if field.name != "id"
        }
        return [
            type(row)(**{**values, **{key: held(one) for key, held in changes.items()}}) for one in people
        ]

    SignOff.objects.bulk_create(copies(given, person_id=lambda one: one.pk))
    Evidence.objects.bulk_create(
        copies(piece, digest=lambda one: digest(str(one.pk)), author_id=lambda one: one.pk)
    )
    Document.objects.bulk_create(
        copies(text, digest=lambda one: digest(str(one.pk)), author_id=lambda one: one.pk)
    )


def queries_of(request: DeploymentRequest) -> int:
    fresh = DeploymentRequest.objects.select_related(
        "lane__project", "lane__stage", "bundle__author", "bundle__project", "requested_by"
    ).get(pk=request.pk)
    with CaptureQueriesContext(connection) as asked:
        judge_now(fresh)
    return len(asked)


def test_a_case_takes_as_many_queries_for_300_people_as_for_10(cast: Cast) -> None:
    request = complete(cast)
    many(cast, request.bundle, 10)
    few = queries_of(request)
    many(cast, request.bundle, 290)
    assert queries_of(request) == few
    assert few <= 22  # six of them are about who changed rights, rules and places, or let somebody in, lately
    case = judge_now(request).case
    assert len(case.signoffs) == 303
    assert len(case.evidence) == 4 + 1  # the newest of each kind, and the piece that 301 signatures bind


# --- what a history leaves of itself ---------------------------------------------------------------------------------


@contextmanager
def rows_read() -> Iterator[list[int]]:
    """How many rows each query gave."""
    counts: list[int] = []

    def counting(
        execute: Callable[..., Any], sql: str, params: object, many: bool, context: dict[str, Any]
    ) -> Any:
        done = execute(sql, params, many, context)
        counts.append(context["cursor"].rowcount)
        return done

    with connection.execute_wrapper(counting):
        yield counts


def test_a_case_is_as_large_after_eight_rounds_as_after_four(cast: Cast) -> None:
    """Else every page is slower than the one before, and what is stored grows by the square."""
    sizes = []
    for number in range(8):
        changed = {
            "project_config/recipes/score.py": f"score({number:04})",
            "project_config/saved_models/churn_model.json": {"version": f"{number:04}"},
        }
        bundle = bundle_registered(cast, f"round-{number:02}", changed)
        request = request_at(cast, bundle=bundle, lane=cast.prod)
        all_but_signed(cast, bundle)
        all_signed(cast, request)
        if number in (3, 7):
            with rows_read() as counts:
                judged = judge_now(request)
            assert judged.verdict.met
            case = judged.case
            sizes.append(
                (
                    (len(case.signoffs), len(case.evidence), len(case.documents), len(case.running)),
                    sum(counts),
                    len(json.dumps(case_to_json(case))),
                )
            )
    (few, rows, size), (many, more_rows, larger) = sizes
    assert (
        few == many == (6, 7, 2, 1)
    )  # two words of each signer, and the evidence that these bind, or that is there
    assert rows == more_rows
    assert abs(larger - size) < 100  # ids have one digit more


def test_a_word_about_these_parts_is_known_whatever_was_asked_then(cast: Cast) -> None:
    """It counts no more, but whoever gave it does not start the promotion."""
    bundle, other = (
        bundle_registered(cast),
        bundle_registered(cast, "v2", {"project_config/params.json": {"x": 1}}),
    )
    requests = []
    for one in (bundle, other):
        to_read(cast, one)
        requests.append(request_at(cast, bundle=one, lane=cast.prod))
    first = signed(cast.fay, requests[0], "fairness")
    policies.publish(by=cast.ada, source=POLICY.replace("fairness, people: 1", "fairness, people: 2"))
    later = signed(cast.fay, requests[1], "fairness")
    case = judge_bundle(bundle, cast.prod, None).case
    assert [fact.id for fact in case.signoffs] == [str(first.pk), str(later.pk)]


def test_pages_read_the_newest_of_each_kind_alone(each_database: Database) -> None:
    cast = make_cast()
    bundle = bundle_registered(cast)
    other = bundle_registered(cast, "v2", {"project_config/recipes/score.py": "score(nobody)"})
    for women in (0.5, 0.49, 0.48):
        last = fairness_of(cast, bundle, women=women)
        text = intended_use(cast, bundle)
    tests = factories.tests_passed(cast, bundle)
    fairness_of(cast, other)
    intended_use(cast, other)
    with rows_read() as counts:
        assert [one.evidence.pk for one in exhibits(bundle, ())] == [last.pk, tests.pk]
        assert [one.pk for one in documents(bundle)] == [text.pk]
    assert counts == ([3, 1] if each_database.kind == "postgres" else [-1, -1])  # SQLite does not tell


class History:
    """Rows of sign-offs, evidence and documents about four bundles, two of equal parts, in any order."""

    def __init__(self, cast: Cast, rng: random.Random) -> None:
        self._cast, self._rng = cast, rng
        self.bundles = list(Bundle.objects.select_related("project", "author").order_by("pk"))
        self._people = [cast.fay, cast.eli, cast.ravi, cast.dev]
        rules = queries.rules_for(cast.prod)
        self._clauses = [clause for clause in rules.stage.requirements if clause.kind == "sign_off"]
        self._kept = content.put_json(
            {"predicate": {"project": "CHURN", "stage": "prod"}}, "application/json"
        )
        self._at = timezone.now() - timedelta(days=1)
        # Rows do not come in the order of their times.
        self._seconds = rng.sample(range(60_000), 60)

    def play(self) -> None:
        for _turn in range(self._rng.randint(0, 40)):
            self._rng.choice((self._sign, self._sign, self._evidence, self._document))()

    def _when(self) -> datetime:
        return self._at + timedelta(seconds=self._seconds.pop())

    def _sign(self) -> None:
        rng, bundle, clause = self._rng, self._rng.choice(self.bundles), self._rng.choice(self._clauses)
        pieces = sorted(set(Evidence.objects.values_list("digest", flat=True)))
        texts = sorted(set(Document.objects.values_list("digest", flat=True)))
        given = SignOff.objects.create(
            bundle=bundle,
            lane=self._cast.prod,
            person=rng.choice(self._people),
            role=clause.params["role"],
            decision=rng.choice(("approve", "approve", "approve", "reject", "request_changes")),
            requirement=clause.key,
            clause=rng.choice((clause.digest, clause.digest, digest("an older clause"))),
            covered=covered(bundle.parts, clause),
            evidence=rng.sample(pieces, rng.randint(0, len(pieces))),
            documents=rng.sample(texts, rng.randint(0, len(texts))),
            meaning="m",
            statement=self._kept,
            envelope=self._kept,
            key_id="k",
            signed_at=self._when(),
        )
        if rng.random() < 0.2:
            Withdrawal.objects.create(signoff=given, withdrawn_by=given.person, why="Read it too fast.")

    def _evidence(self) -> None:
        rng, bundle = self._rng, self._rng.choice(self.bundles)
        kind, stage = rng.choice(("fairness", "explainability", "tests")), rng.choice(("qa", "qa", "prod"))
        results: dict[str, list[dict[str, Any]]] = {
            "fairness": [counted(1180, 1200), counted(600, 1200), counted(1190, 1200)],
            "explainability": [{"features": []}, {"features": [{"feature": "tenure", "share": 1.0}]}],
            "tests": [{"listed": ["TEST_A"], "runs": [{"scenario": "TEST_A", "outcome": o}]} for o in ("SUCCESS", "")],
        }  # fmt: skip
        result = rng.choice(results[kind])
        parts = {} if rng.random() < 0.1 else about(kind, bundle)
        Evidence.objects.create(
            kind=kind,
            project=bundle.project,
            bundle=bundle,
            stage=stage,
            parts=parts,
            digest=digest([kind, stage, parts, result]),
            result=content.put_json(result, "application/json"),
            author=rng.choice((Person.objects.system(), Person.objects.system(), *self._people)),
            recorded_at=self._when(),
        )

    def _document(self) -> None:
        rng, bundle = self._rng, self._rng.choice(self.bundles)
        text = rng.choice((b"one", b"two"))
        kept = content.put(text, "text/plain")
        Document.objects.create(
            kind=rng.choice(("model-documentation", "intended-use")),
            project=bundle.project,
            bundle=bundle,
            parts=about("model-documentation", bundle),
            title="Title",
            origin=Document.Origin.WRITTEN,
            sections=["Purpose", "Data", "Performance", "Limits"] if text == b"one" else [],
            digest=kept.digest,
            content=kept,
            author=self._cast.dev,
            recorded_at=self._when(),
        )


def since(signed: Bundle, case: Case) -> int:
    """How many bundles were registered after the one that was signed, up to the one that is judged."""
    judged = Bundle.objects.get(project__key=case.project, bundle_id=case.bundle)
    if judged.pk < signed.pk:
        return -1
    later = Bundle.objects.filter(project=judged.project, pk__gt=signed.pk, pk__lte=judged.pk)
    return later.filter(status=Bundle.Status.REGISTERED).count()


def word(row: SignOff, case: Case) -> SignOffFact:
    elsewhere = row.bundle.bundle_id != case.bundle
    return SignOffFact(
        str(row.pk), str(row.person_id), row.role, row.decision, instant(row.signed_at), "CHURN", "prod",
        row.covered, row.clause, tuple(row.evidence), tuple(row.documents), hasattr(row, "withdrawal"),
        bundle=row.bundle.bundle_id if elsewhere else "", carried=since(row.bundle, case) if elsewhere else 0,
    )  # fmt: skip


def everything(case: Case) -> Case:
    """The case with every sign-off, piece of evidence and document that there ever was."""
    return replace(
        case,
        signoffs=tuple(word(row, case) for row in SignOff.objects.select_related("withdrawal", "bundle")),
        evidence=tuple(
            EvidenceFact(
                str(row.pk), row.kind, row.digest, row.parts, instant(row.recorded_at),
                "system" if row.author.is_system else str(row.author_id), row.stage, json.loads(bytes(row.result.body)),
            )
            for row in Evidence.objects.select_related("author", "result")
        ),
        documents=tuple(
            DocumentFact(
                str(row.pk), row.kind, row.digest, row.parts, instant(row.recorded_at), str(row.author_id),
                tuple(row.sections),
            )
            for row in Document.objects.all()
        ),
    )  # fmt: skip


def test_what_is_left_out_of_a_case_changes_no_verdict(each_database: Database, full_size: bool) -> None:
    cast = make_cast()
    for number in range(3):
        code = {"project_config/recipes/score.py": f"score({number})"} if number < 2 else None
        bundle_registered(cast, f"v{number}", code)
    bundle_registered(cast, "v2-again")
    for seed in range(300 if full_size else 15):
        with transaction.atomic():
            history = History(cast, random.Random(seed))
            history.play()
            for bundle in history.bundles:
                case = queries.case_for(bundle=bundle, lane=cast.prod, requested_by=None, running=())
                assert judge(case) == judge(everything(case)), (seed, bundle)
            transaction.set_rollback(True)


def test_many_requests_take_as_many_queries_as_one(cast: Cast) -> None:
    signed_for = complete(cast).pk  # what nobody signed takes two less
    for number in range(3):
        request_at(cast, bundle=bundle_registered(cast, f"more-{number}"), lane=cast.qa)
    found = list(
        DeploymentRequest.objects.select_related(
            "lane__project", "lane__stage", "bundle__author", "bundle__project", "requested_by"
        )
    )
    assert len(found) >= 4
    counts = []
    for some in ([one for one in found if one.pk == signed_for], found):
        with CaptureQueriesContext(connection) as asked:
            judged = judge_many(some)
        counts.append(len(asked))
        assert {pk: one.case for pk, one in judged.items()}.keys() == {one.pk for one in some}  # type: ignore[union-attr]
    assert counts[0] == counts[1]


def test_one_and_many_judge_alike(cast: Cast) -> None:
    request = complete(cast)
    other = request_at(
        cast, bundle=bundle_registered(cast, "v2", {"project_config/params.json": {"x": 1}}), lane=cast.prod
    )
    together = judge_many([request, other])
    for one in (request, other):
        alone = judge_now(one)
        found = together[one.pk]
        assert found.verdict.findings == alone.verdict.findings  # type: ignore[union-attr]
    assert together[request.pk].verdict.met  # type: ignore[union-attr]
    assert not together[other.pk].verdict.met  # type: ignore[union-attr]


def test_a_stored_case_replays_to_the_same_verdict(cast: Cast) -> None:
    request = complete(cast)
    judged = judge_now(request)
    kept = record_verdict(request, judged, moment="start")
    told = ledger.events(kinds=[EventKind.VERDICT_JUDGED])[-1].facts
    assert (told["case"], told["verdict"]) == (kept["case"], kept["verdict"])
    # What happens afterwards is not in it.
    fairness_of(cast, request.bundle, women=0.1)
    for holding in cast.eli.grants.all():
        grants.revoke(by=cast.ada, grant=holding, why="Later.")
    assert not judge_now(request).verdict.met
    replayed = case_from_json(json.loads(content.get(kept["case"])))
    assert replayed == judged.case
    assert case_digest(replayed) == kept["case"] == digest(case_to_json(replayed))
    again = judge(replayed)
    assert again == judged.verdict == verdict_from_json(json.loads(content.get(kept["verdict"])))
    assert again.met


def test_a_case_knows_who_is_barred_and_who_can_act(cast: Cast) -> None:
    request = request_at(cast, lane=cast.prod)
    case = judge_now(request).case
    assert {(one.person, one.why) for one in case.barred} == {
        (str(cast.dev.pk), "requester"),
        (str(cast.dev.pk), "bundle_author"),
    }
    assert {one.why for one in judge_bundle(request.bundle, cast.prod, None).case.barred} == {"bundle_author"}
    held = {(one.role, one.person) for one in case.holders}
    assert held == {
        ("fairness", str(cast.fay.pk)),
        ("explainability", str(cast.eli.pk)),
        ("model-risk", str(cast.ravi.pk)),
        ("right:promote", str(cast.mona.pk)),
        *(("right:request", str(person.pk)) for person in (cast.olga, cast.dev, cast.mona)),
    }


def test_the_end_of_a_signer_s_right_is_when_the_verdict_may_change(cast: Cast) -> None:
    bundle = bundle_registered(cast)
    to_read(cast, bundle)
    request = request_at(cast, bundle=bundle, lane=cast.prod)
    until = timezone.now() + timedelta(hours=1)
    for holding in cast.fay.grants.all():
        grants.revoke(by=cast.ada, grant=holding, why="For an hour only.")
    grants.grant(
        by=cast.ada,
        person=cast.fay,
        right=Right.SIGN,
        role="fairness",
        project=cast.churn,
        until=until,
        why="Helps.",
    )
    signed(cast.fay, request, "fairness")
    judged = judge_now(request)
    found = next(one for one in judged.verdict.findings if one.key == "sign_off:fairness")
    assert (found.state, found.holds_until) == ("met", instant(until))
    assert judged.verdict.holds_until is not None


def test_only_the_newest_about_other_parts_comes_along(cast: Cast) -> None:
    """A case says what changed without carrying all there ever was."""
    for number in range(3):
        old = bundle_registered(
            cast, f"old-{number}", {"project_config/recipes/score.py": f"score({number})"}
        )
        intended_use(cast, old)
    bundle = bundle_registered(cast, "new")
    case = queries.case_for(bundle=bundle, lane=cast.prod, requested_by=None, running=())
    assert [one.id for one in case.documents] == [str(Document.objects.latest("pk").pk)]
    mine = intended_use(cast, bundle)
    case = queries.case_for(bundle=bundle, lane=cast.prod, requested_by=None, running=())
    assert [one.id for one in case.documents] == [str(mine.pk)]
