"""What a signature binds: one thing is changed after signing, and the gate step of the promotion says which.

Drawn from a seeded generator: what each role covers, and what is changed. A bound thing that changed is refused by its
name for exactly the roles that bind it; what is only recorded, or covered by nobody, is refused for none.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from django.db import transaction

from deployments import runner
from deployments.actions import promotions
from deployments.models import DeploymentRequest, Promotion, Step
from governance import policy
from governance.actions import policies
from governance.facts import PARTS, Case, DocumentFact, EvidenceFact, Finding, SignOffFact
from governance.gate import judge
from governance.models import Document, Evidence
from governance.queries import newest_version
from governance.sentences import sentence
from governance.statement import covered
from portal import content, ledger
from portal.canonical import digest
from portal.event_kinds import EventKind
from portal.models import Bundle, Project, Stage
from tests import factories
from tests.cast import SIGNERS, Cast
from tests.factories import bundle_registered, promotion_of, request_at, to_read
from tests.unit.test_gate import ago, complete_case, counted

COVERABLE = tuple(part for part in PARTS if part != "other")
ROLES = tuple(SIGNERS.values())
PLAIN = "sign_off: {{role: {role}, people: {people}, covers: {covers}}}"
RULES = """
policy: demo-policy
tiers:
  critical:
    stages:
      qa: {{requires: []}}
      {stage}:
        requires:
          - document: {{kind: model-documentation, sections: [purpose]}}
          - document: intended-use
          - evidence:
              kind: fairness
              metrics: [{{name: demographic_parity_ratio, by: [gender, age_band], min: 0.8, min_group: 50}}]
          - evidence: {{kind: explainability, top: 3, forbid: [gender]}}
          - tests: {{at: qa}}
          - {fairness}
          - {explainability}
          - {risk}
  light:
    stages:
      qa: {{requires: []}}
      prod: {{requires: [tests: {{at: qa, max_age: {light}d}}]}}
"""


@dataclass(frozen=True, slots=True)
class Rules:
    """The policy of one draw: what each role covers, how many people it takes, and what is beside the point."""

    covers: Mapping[str, Sequence[str] | str]
    people: Mapping[str, int]
    stage: str = "prod"
    light: int = 30

    @property
    def text(self) -> str:
        said = [
            PLAIN.format(
                role=role,
                people=self.people[role],
                covers=held if isinstance(held := self.covers[role], str) else f"[{', '.join(held)}]",
            )
            for role in ROLES
        ]
        fairness, explainability, risk = said
        return RULES.format(
            stage=self.stage,
            light=self.light,
            fairness=fairness,
            explainability=explainability,
            risk=risk,
        )

    def binds(self, role: str, part: str) -> bool:
        """What no part recognises is in every scope."""
        return self.covers[role] == "all" or part == "other" or part in self.covers[role]


@dataclass(frozen=True, slots=True)
class Expected:
    """Which roles have to be asked again, how their finding names why, and words of its sentence."""

    roles: frozenset[str] = frozenset()
    field: str = ""
    what: str = ""
    words: str = ""


def drawn_rules(rng: random.Random, most: int = len(COVERABLE)) -> Rules:
    """Each role covers one part to `most`, now and then all."""
    covers: dict[str, Sequence[str] | str] = {}
    for role in ROLES:
        some = rng.sample(COVERABLE, rng.randint(1, most))
        covers[role] = "all" if rng.random() < 0.1 else some
    return Rules(covers, dict.fromkeys(ROLES, 1))


def of_part(rules: Rules, part: str) -> Expected:
    roles = frozenset(role for role in ROLES if rules.binds(role, part))
    return Expected(roles, "part", part, f"the part {part} changed") if roles else Expected()


EVERY = frozenset(ROLES)
OF_PROJECT = Expected(EVERY, "project", "", "it was given for the project CHURN")
OF_STAGE = Expected(EVERY, "stage", "", "it was given for the stage prod")


def of_clause(role: str) -> Expected:
    return Expected(frozenset({role}), "clause", "", "the policy now asks something else here")


def of_evidence(kind: str) -> Expected:
    return Expected(EVERY, "evidence", kind, f"the {kind} evidence now says something else")


def of_document(kind: str) -> Expected:
    return Expected(EVERY, "document", kind, f"the document “{kind.replace('-', ' ')}” was rewritten")


def check(findings: Sequence[tuple[str, str, Mapping[str, Any], str]], expected: Expected, told: str) -> None:
    """Findings as (key, state, params, sentence): those expected name that field alone, every other is met."""
    assert {key for key, *_rest in findings} >= {f"sign_off:{role}" for role in ROLES}
    for key, state, params, said in findings:
        kind, _colon, role = key.partition(":")
        if kind != "sign_off":
            continue
        if role not in expected.roles:
            assert (state, params["not_counted"]) == ("met", []), (told, key, said)
            continue
        assert state == "not_met", (told, key)
        (word,) = params["not_counted"]
        assert word["why"] == "differs", (told, word)
        named = {(row["field"], row.get("part") or row.get("kind") or "") for row in word["differs"]}
        assert named == {(expected.field, expected.what)}, (told, named)
        assert expected.words in said, (told, said)


# --- the pure gate, very many ----------------------------------------------------------------------------------------


def drawn_case(rng: random.Random, rules: Rules) -> Case:
    """A complete case under these rules; now and then the bundle lacks a part."""
    parts = {part: digest(rng.random()) for part in PARTS if rng.random() < 0.9}
    if not parts.keys() & EXPLAINED:
        parts["other"] = digest(rng.random())
    document = policy.parse(rules.text)
    held = document.rules("critical", "prod").requirements
    whole = complete_case()
    evidence = tuple(
        replace(
            fact,
            parts=about(fact.kind, parts),
            result=rates(1180) if fact.kind == "fairness" else fact.result,
        )
        for fact in whole.evidence
    )
    documents = tuple(replace(fact, parts=about("model-documentation", parts)) for fact in whole.documents)
    signers = dict(zip(ROLES, SIGNERS, strict=True))
    signoffs = tuple(
        SignOffFact(
            f"s-{role}", signers[role], role, "approve", ago(hours=1), "CHURN", "prod", covered(parts, clause),
            clause.digest, tuple(fact.digest for fact in evidence), tuple(fact.digest for fact in documents),
        )
        for clause in held
        if clause.kind == "sign_off"
        for role in [clause.params["role"]]
    )  # fmt: skip
    return replace(
        whole, parts=parts, requirements=held, evidence=evidence, documents=documents, signoffs=signoffs
    )


EXPLAINED = {"models", "other"}  # what explainability is about; about nothing there is no evidence


def about(kind: str, parts: Mapping[str, str]) -> dict[str, str]:
    from_ = {"explainability": EXPLAINED, "tests": set(PARTS)}
    return {
        part: parts[part] for part in from_.get(kind, {"data", "flow", "models", "other"}) if part in parts
    }


def with_part(case: Case, part: str, value: str | None) -> Case:
    """The case of a bundle in which one part is another, or is gone; what is to be read was brought anew for it."""
    parts = (
        {**case.parts, part: value}
        if value is not None
        else {p: d for p, d in case.parts.items() if p != part}
    )
    fresh = tuple(
        replace(
            fact,
            id=f"{fact.id}-new",
            at=ago(minutes=5),
            parts=about(fact.kind, parts),
            digest=digest([fact.digest, part]),
        )
        for fact in case.evidence
        if about(fact.kind, parts) != fact.parts
    )
    texts = tuple(
        replace(fact, id=f"{fact.id}-new", at=ago(minutes=5), parts=about("model-documentation", parts))
        for fact in case.documents
        if about("model-documentation", parts) != fact.parts
    )
    return replace(case, parts=parts, evidence=(*case.evidence, *fresh), documents=(*case.documents, *texts))


def newer(case: Case, kind: str, rng: random.Random, *, equal: bool) -> Case:
    old = next(fact for fact in case.evidence if fact.kind == kind)
    result = RESULTS[kind][0 if equal else 1](rng)
    fact = EvidenceFact("e-new", kind, digest(result), old.parts, ago(minutes=3), "system", old.stage, result)
    return replace(case, evidence=(*case.evidence, fact))


def rewritten(case: Case, kind: str, *, equal: bool) -> Case:
    old = next(fact for fact in case.documents if fact.kind == kind)
    other = old.digest if equal else digest("another text")
    fact = DocumentFact("d-new", kind, other, old.parts, ago(minutes=3), "dev", old.sections)
    return replace(case, documents=(*case.documents, fact))


def rates(women: int) -> dict[str, Any]:
    """What was counted where so many women of 4000 get the offer, and 1200 of as many men."""
    by_gender = counted(women, 1200)
    bands = [{"group": band, "n": 4000, "selected": (women + 1200) // 2} for band in ("old", "young")]
    return {**by_gender, "attributes": [*by_gender["attributes"], {"attribute": "age_band", "groups": bands}]}


def ranked(feature: str, share: float) -> dict[str, Any]:
    return {"features": [{"feature": feature, "importance": 2.0, "share": share}]}


def ran(outcome: str, listed: str) -> dict[str, Any]:
    return {
        "listed": ["TEST_A", listed],
        "runs": [{"scenario": one, "outcome": outcome} for one in ("TEST_A", listed)],
    }


# Of each kind of evidence: a result with the same finding and other numbers, and one with another finding.
RESULTS: dict[str, tuple[Callable[[random.Random], dict[str, Any]], ...]] = {
    "fairness": (lambda rng: rates(rng.randint(1150, 1199)), lambda rng: rates(rng.randint(300, 700))),
    "explainability": (
        lambda rng: ranked("tenure", rng.uniform(0.5, 0.9)),
        lambda rng: ranked("gender", rng.uniform(0.5, 0.9)),
    ),
    "tests": (
        lambda rng: ran("SUCCESS", f"TEST_{rng.random()}"),
        lambda rng: ran("FAILED", f"TEST_{rng.random()}"),
    ),
}
KINDS = ("model-documentation", "intended-use")


def changed(case: Case, rules: Rules, rng: random.Random) -> tuple[str, Case, Expected]:
    """One thing changed after signing: what it was, the case since, and what has to be said."""
    what = rng.choice(
        ("project", "stage", "part", "part", "part", "clause", "evidence", "document", "equal evidence",
         "equal document", "archive", "policy", "bundle", "tier", "nothing")
    )  # fmt: skip
    if what == "part":
        part = rng.choice(PARTS)
        gone = part in case.parts and rng.random() < 0.2 and bool(case.parts.keys() & EXPLAINED - {part})
        other = None if gone else digest(rng.random())
        return f"part {part}", with_part(case, part, other), of_part(rules, part)
    if what == "clause":
        role = rng.choice(ROLES)
        held = tuple(
            replace(one, digest=digest(rng.random())) if one.key == f"sign_off:{role}" else one
            for one in case.requirements
        )
        return f"clause {role}", replace(case, requirements=held), of_clause(role)
    if "evidence" in what:
        kind, equal = rng.choice(tuple(RESULTS)), what.startswith("equal")
        found = newer(case, kind, rng, equal=equal)
        return f"{what} {kind}", found, Expected() if equal else of_evidence(kind)
    if "document" in what:
        kind, equal = rng.choice(KINDS), what.startswith("equal")
        return (
            f"{what} {kind}",
            rewritten(case, kind, equal=equal),
            Expected() if equal else of_document(kind),
        )
    changes: dict[str, tuple[dict[str, Any], Expected]] = {
        "project": ({"project": "OTHER"}, OF_PROJECT),
        "stage": ({"stage": "live"}, OF_STAGE),
        "archive": ({"archive": digest(rng.random())}, Expected()),
        "bundle": ({"bundle": "v99"}, Expected()),
        "tier": ({"tier": "other"}, Expected()),
        "policy": ({"policy": replace(case.policy, version=99, digest=digest(rng.random()))}, Expected()),
        "nothing": ({}, Expected()),
    }
    fields, expected = changes[what]
    return what, replace(case, **fields), expected


def test_each_bound_field_is_refused_by_its_name_and_nothing_else_is(full_size: bool) -> None:
    rng = random.Random(4_2026)
    refused = kept = 0
    for _rules in range(2000 if full_size else 35):
        rules = drawn_rules(rng)
        case = drawn_case(rng, rules)
        assert judge(case).met
        for _turn in range(30):
            told, since, expected = changed(case, rules, rng)
            check([_told(one) for one in judge(since).findings], expected, f"{told}, {rules.covers}")
            refused, kept = refused + bool(expected.roles), kept + (not expected.roles)
    assert min(refused, kept) > 0.25 * (refused + kept)


def _told(found: Finding) -> tuple[str, str, Mapping[str, Any], str]:
    return found.key, found.state, found.params, str(sentence(found.code, found.params, str.capitalize))


# --- the promotion's own steps, on rows ------------------------------------------------------------------------------


class Signed:
    """A request for production with everything there under drawn rules, its promotion under way."""

    def __init__(self, cast: Cast, rng: random.Random, bundle: Bundle) -> None:
        self.cast, self.rng, self.bundle = cast, rng, bundle
        self.rules = drawn_rules(rng, most=2)
        policies.publish(by=cast.ada, source=self.rules.text)
        self.request: DeploymentRequest = request_at(cast, bundle=bundle, lane=cast.prod)
        factories.all_signed(cast, self.request)
        promotions.promote(by=cast.mona, request=self.request)
        self.promotion: Promotion = promotion_of(self.request)

    # what is changed, each answering what has to be said

    def project(self) -> Expected:
        Project.objects.filter(pk=self.cast.churn.pk).update(key="OTHER")
        return OF_PROJECT

    def stage(self) -> Expected:
        Stage.objects.filter(pk=self.promotion.lane.stage_id).update(slug="live")
        self.publish(replace(self.rules, stage="live"))
        return OF_STAGE

    def part(self) -> Expected:
        part = self.rng.choice([one for one in PARTS if of_part(self.rules, one).roles])
        self._another({**self.bundle.parts, part: digest(self.rng.random())})
        return of_part(self.rules, part)

    def part_covered_by_none(self) -> Expected:
        none = [one for one in PARTS if not of_part(self.rules, one).roles]
        if not none:  # somebody covers all
            return self.part()
        self._another({**self.bundle.parts, self.rng.choice(none): digest(self.rng.random())})
        return Expected()

    def archive(self) -> Expected:
        self._another(dict(self.bundle.parts))
        return Expected()

    def clause(self) -> Expected:
        role = self.rng.choice(ROLES)
        self.publish(replace(self.rules, people={**self.rules.people, role: 2}))
        return of_clause(role)

    def covers(self) -> Expected:
        """A narrower scope is another clause, too."""
        role = self.rng.choice(ROLES)
        held = [part for part in COVERABLE if self.rules.binds(role, part)]
        if len(held) == 1:
            return self.clause()
        self.publish(replace(self.rules, covers={**self.rules.covers, role: held[1:]}))
        return of_clause(role)

    def other_tier(self) -> Expected:
        before = newest_version("demo-policy")
        self.publish(replace(self.rules, light=self.rng.randint(31, 300)))
        after = newest_version("demo-policy")
        assert before is not None
        assert after is not None
        assert (after.version, after.digest != before.digest) == (before.version + 1, True)
        return Expected()

    def evidence(self) -> Expected:
        kind = self.rng.choice(tuple(RESULTS))
        self._newer(kind, RESULTS[kind][1](self.rng))
        return of_evidence(kind)

    def equal_evidence(self) -> Expected:
        kind = self.rng.choice(tuple(RESULTS))
        self._newer(kind, RESULTS[kind][0](self.rng))
        return Expected()

    def document(self) -> Expected:
        kind = self.rng.choice(KINDS)
        self._rewritten(kind, content.put(b"Another text.", "text/plain").digest)
        return of_document(kind)

    def equal_document(self) -> Expected:
        self._rewritten(self.rng.choice(KINDS), "")
        return Expected()

    # how

    def publish(self, rules: Rules) -> None:
        policies.publish(by=self.cast.ada, source=rules.text)

    def _another(self, parts: dict[str, str]) -> None:
        """Promote another bundle than was signed, with another archive and these parts; what is about parts that
        changed was brought anew and says the same."""
        other = copy_of(
            self.bundle,
            bundle_id=f"{self.bundle.bundle_id}-other",
            archive=digest(self.rng.random()),
            parts=parts,
        )
        for row in (*self._latest(Evidence), *self._latest(Document)):
            now = {part: parts[part] for part in row.parts}
            if now != row.parts:
                anew: dict[str, Any] = {"bundle_id": other.pk, "parts": now, "recorded_at": None}
                if isinstance(row, Evidence):
                    anew["digest"] = digest([row.digest, now])
                copy_of(row, **anew)
        DeploymentRequest.objects.filter(pk=self.request.pk).update(bundle=other)
        Promotion.objects.filter(pk=self.promotion.pk).update(bundle=other)

    def _latest(self, model: type[Evidence] | type[Document]) -> list[Any]:
        return list({row.kind: row for row in model.objects.order_by("recorded_at", "pk")}.values())

    def _newer(self, kind: str, result: dict[str, Any]) -> None:
        old = next(row for row in self._latest(Evidence) if row.kind == kind)
        kept = content.put_json(result, "application/json")
        copy_of(old, digest=digest(result), result_id=kept.digest, recorded_at=None)

    def _rewritten(self, kind: str, other: str) -> None:
        old = next(row for row in self._latest(Document) if row.kind == kind)
        copy_of(old, recorded_at=None, **({"digest": other, "content_id": other} if other else {}))

    CHANGES: tuple[Callable[["Signed"], Expected], ...] = (
        project, stage, part, part, part, part_covered_by_none, part_covered_by_none, clause, covers, evidence,
        evidence, document, archive, other_tier, equal_evidence, equal_document,
    )  # fmt: skip

    def judged_at(self, step: str) -> list[tuple[str, str, Mapping[str, Any], str]]:
        """Let the promotion run this step; the findings that it wrote down, none where it wrote none."""
        Step.objects.filter(promotion=self.promotion, name__in=BEFORE[step]).update(
            status=Step.Status.DONE, output={"deployment": "CHURN-on-prod", "active": None}
        )
        asked = ledger.rows(kinds=[EventKind.VERDICT_JUDGED]).count()
        runner.advance(self.promotion.pk)
        told = ledger.events(kinds=[EventKind.VERDICT_JUDGED])[asked:]
        return [
            (one["key"], one["state"], one["params"], one["sentence"])
            for event in told
            for one in event.facts["findings"]
        ]


# The steps in which the gate is asked, each with those that are over by then.
ASKED = ("pass_gate", "pass_gate_again", "go_live")
ORDER = ("pass_gate", "check_target", "publish_bundle", "prepare_deployment", "pass_gate_again", "go_live")
BEFORE = {step: ORDER[: ORDER.index(step)] for step in ASKED}


def copy_of(row: Any, **changes: Any) -> Any:
    """The same row once more, with other values; a time of None is now."""
    values = {f.attname: getattr(row, f.attname) for f in row._meta.concrete_fields if not f.primary_key}
    for name, value in changes.items():
        if value is None:
            del values[name]
        else:
            values[name] = value
    return type(row).objects.create(**values)


@contextmanager
def undone() -> Iterator[None]:
    before = transaction.savepoint()
    try:
        yield
    finally:
        transaction.savepoint_rollback(before)


def test_the_gate_steps_of_a_promotion_refuse_what_changed_by_its_name(cast: Cast, full_size: bool) -> None:
    rng = random.Random(20261121)
    bundle = bundle_registered(cast)
    policies.publish(
        by=cast.ada, source=Rules(dict.fromkeys(ROLES, "all"), dict.fromkeys(ROLES, 1), light=29).text
    )
    factories.tests_passed(cast, bundle)
    to_read(cast, bundle)
    refused: set[tuple[str, str, str]] = set()
    passed: set[str] = set()
    for _draw in range(40 if full_size else 3):
        with undone():
            there = Signed(cast, rng, bundle)
            for change in (*Signed.CHANGES, *rng.sample(Signed.CHANGES, 5)):
                step = rng.choice(ASKED)
                with undone():
                    expected = change(there)
                    findings = there.judged_at(step)
                    told = f"{change.__name__} at {step}, {there.rules.covers}"
                    now = Step.objects.get(promotion=there.promotion, name=step)
                    went_live = Promotion.objects.get(pk=there.promotion.pk).live_at is not None
                    if expected.roles:
                        assert now.status == Step.Status.FAILED, told
                        assert now.problem.startswith("The gate is not open any more. Not met: "), told
                        assert not went_live, told
                        check(findings, expected, told)
                        refused |= {(step, expected.field, role) for role in expected.roles}
                    elif step == "go_live":  # which writes nothing down where the gate is open
                        assert (went_live, findings) == (True, []), told
                        passed.add(change.__name__)
                    else:
                        assert now.status == Step.Status.DONE, (told, now.problem)
                        check(findings, expected, told)
                        passed.add(change.__name__)
    fields = {"project", "stage", "part", "clause", "evidence", "document"}
    assert {field for _step, field, _role in refused} == fields
    assert {step for step, *_rest in refused} == set(ASKED)
    assert {role for *_rest, role in refused} == set(ROLES)
    assert passed >= {"archive", "other_tier", "equal_evidence", "equal_document", "part_covered_by_none"}
