"""The Case of a judgement: gathered in a constant number of queries, and replayed from its stored bytes."""

import json
from collections.abc import Callable
from datetime import timedelta

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from deployments.judging import judge_bundle, judge_many, judge_now, record_verdict
from deployments.models import DeploymentRequest
from governance import queries
from governance.gate import case_digest, case_from_json, case_to_json, instant, judge, verdict_from_json
from governance.models import Document, Evidence, SignOff
from portal import content, ledger
from portal.actions import grants
from portal.canonical import digest
from portal.event_kinds import EventKind
from portal.models import Bundle, Person, Right
from tests.cast import Cast
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


def test_a_case_takes_as_many_queries_for_300_rows_as_for_10(cast: Cast) -> None:
    request = complete(cast)
    many(cast, request.bundle, 10)
    few = queries_of(request)
    many(cast, request.bundle, 290)
    assert queries_of(request) == few
    assert few <= 20
    case = judge_now(request).case
    assert len(case.signoffs) == 303
    assert len(case.evidence) > 300


def test_many_requests_take_as_many_queries_as_one(cast: Cast) -> None:
    complete(cast)
    for number in range(3):
        request_at(cast, bundle=bundle_registered(cast, f"more-{number}"), lane=cast.qa)
    found = list(
        DeploymentRequest.objects.select_related(
            "lane__project", "lane__stage", "bundle__author", "bundle__project", "requested_by"
        )
    )
    assert len(found) >= 4
    counts = []
    for some in (found[:1], found):
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
