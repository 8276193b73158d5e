"""What judging costs: a request that has to meet thirty requirements, and a draft replayed on past judgements."""

import statistics
import time
from dataclasses import replace
from datetime import timedelta
from functools import cache

from django.db import connection
from django.test.utils import CaptureQueriesContext, override_settings

from deployments.judging import judge_now, record_verdict
from deployments.models import DeploymentRequest
from governance.actions import documents, policies
from governance.gate import instant, parse_instant
from governance.past import judged_under
from governance.policy import parse
from governance.replay import replay
from portal import ledger
from portal.actions import grants, people
from portal.demo.cast import PASSWORD
from portal.models import Bundle, Right
from tests.bench.registry import Measured, benchmark
from tests.cast import POLICY, Cast, make_cast
from tests.databases import copied, pointed_at
from tests.factories import all_but_signed, all_signed, bundle_registered, request_at, signed

TURNS = 100
REQUIREMENTS = 30
ROLES, DOCUMENTS, FAIRNESS, EXPLAINED, TESTS = 10, 8, 4, 3, 4
MORE_BUNDLES = 1_000
VERDICTS, AT_A_TIME = 10_000, 500


@benchmark("judge-request", unit="ms", goal=15.0)
def judge_request() -> Measured:
    """Judge a request with 30 requirements, ten of them signatures, on PostgreSQL."""
    return _measured()["judge"]


@benchmark("replay", unit="s", goal=10.0)
def replayed() -> Measured:
    """Replay a draft of the demo's policy, nine requirements, on 10,000 judgements read out of the ledger."""
    return _measured()["replay"]


@cache
def _measured() -> dict[str, Measured]:
    with copied("postgres") as database, pointed_at(database), override_settings(EVENT_TASKS={}):
        cast = make_cast()
        policies.publish(by=cast.ada, source=_policy())
        request = _complete(cast)
        fresh = [_whole(request) for _turn in range(TURNS + 10)]
        for one in fresh[:10]:
            judge_now(one)
        taken = []
        for one in fresh[10:]:
            began = time.perf_counter()
            judged = judge_now(one)
            taken.append((time.perf_counter() - began) * 1000)
        if not judged.verdict.met or len(judged.verdict.findings) != REQUIREMENTS:
            missing = [(finding.key, finding.code) for finding in judged.verdict.missing]
            raise AssertionError(
                f"judge-request: {len(judged.verdict.findings)} requirements, not met: {missing}"
            )
        few = _queries(request)
        _more_bundles(cast)
        if _queries(request) != few:
            raise AssertionError("judge-request: more bundles take more queries")
        return {"judge": Measured(statistics.median(taken)), "replay": Measured(_replay(cast))}


def _policy() -> str:
    """Thirty requirements for production, in the words of the policy language."""
    asked = [f"document: kind-{number}" for number in range(DOCUMENTS)]
    asked += [
        f"evidence: {{kind: fairness, name: n{number}, metrics:"
        f" [{{name: demographic_parity_ratio, by: [gender, age_band], min: 0.{number + 3}, min_group: 50}}]}}"
        for number in range(FAIRNESS)
    ]
    asked += [
        f"evidence: {{kind: explainability, name: n{number}, top: {number + 1}, forbid: [gender]}}"
        for number in range(EXPLAINED)
    ]
    asked += [f'tests: {{at: qa, name: n{number}, pattern: "TEST_*"}}' for number in range(TESTS)]
    asked += ["soak: {at: qa, for: 2s}"]
    asked += [f"sign_off: {{role: role-{number}, covers: all}}" for number in range(ROLES)]
    lines = "\n".join(f"          - {one}" for one in asked)
    return (
        "policy: demo-policy\ntiers:\n  critical:\n    stages:\n      qa: {requires: []}\n"
        f"      prod:\n        requires:\n{lines}\n"
        "  light: {stages: {qa: {requires: []}, prod: {requires: []}}}\n"
    )


def _complete(cast: Cast) -> DeploymentRequest:
    """Churn's v1 with everything the policy asks."""
    signers = []
    for number in range(ROLES):
        person = people.add_person(
            by=cast.ada, login=f"signer{number}", name=f"Signer {number}", password=PASSWORD
        )
        grants.grant(
            by=cast.ada,
            person=person,
            right=Right.SIGN,
            role=f"role-{number}",
            project=cast.churn,
            why="Signs.",
        )
        signers.append(person)
    bundle = bundle_registered(cast)
    for number in range(DOCUMENTS):
        documents.write(
            by=cast.dev, bundle=bundle, kind=f"kind-{number}", title="A text", text="# Purpose\nSo.\n"
        )
    all_but_signed(cast, bundle)
    request = request_at(cast, bundle=bundle, lane=cast.prod)
    for number, person in enumerate(signers):
        signed(person, request, f"role-{number}")
    return request


def _whole(request: DeploymentRequest) -> DeploymentRequest:
    return DeploymentRequest.objects.select_related(
        "lane__project", "lane__stage", "bundle__author", "requested_by", "on_behalf_of"
    ).get(pk=request.pk)


def _queries(request: DeploymentRequest) -> int:
    fresh = _whole(request)
    with CaptureQueriesContext(connection) as asked:
        judge_now(fresh)
    return len(asked)


def _more_bundles(cast: Cast) -> None:
    first = Bundle.objects.filter(project=cast.churn).earliest("pk")
    values = {
        field.attname: getattr(first, field.attname)
        for field in first._meta.concrete_fields
        if field.name != "id"
    }
    Bundle.objects.bulk_create(
        Bundle(**{**values, "bundle_id": f"more-{number}"}) for number in range(MORE_BUNDLES)
    )


def _replay(cast: Cast) -> float:
    """Seconds for all of them, told apart by their instants as real ones are."""
    policies.publish(by=cast.ada, source=POLICY)
    bundle = bundle_registered(cast, "v2")
    all_but_signed(cast, bundle)
    request = request_at(cast, bundle=bundle, lane=cast.prod)
    all_signed(cast, request)
    whole = _whole(request)
    judged = judge_now(whole)
    if not judged.verdict.met:
        raise AssertionError("replay: the request is not what it should be")
    began = parse_instant(judged.case.at)
    for start in range(0, VERDICTS, AT_A_TIME):
        with ledger.business():
            for number in range(start, start + AT_A_TIME):
                at = instant(began + timedelta(seconds=number))
                record_verdict(whole, replace(judged, case=replace(judged.case, at=at)), moment="start")
    # A tenth of them would have been too old.
    draft = parse(POLICY.replace("max_age: 7d", f"max_age: {VERDICTS * 9 // 10}s"))
    started = time.perf_counter()
    found = replay(draft, judged_under("demo-policy"))
    taken = time.perf_counter() - started
    if found.judged < VERDICTS or not VERDICTS // 20 < len(found.flips) < VERDICTS // 5:
        raise AssertionError("replay: not everything was replayed")
    return taken
