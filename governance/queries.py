"""Reads of governance: the rules of a lane, and the Case that a judgement needs, in a constant number of queries.

Not in charge of judging: `governance.gate.judge` is. What runs where is told by the caller (deployments).
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol, TypeVar

from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from governance.gate import (
    CAN_PROMOTE,
    CAN_REQUEST,
    Barred,
    Case,
    Clause,
    DocumentFact,
    EvidenceFact,
    Holder,
    PolicyRef,
    RunningFact,
    SignOffFact,
    Verdict,
    instant,
    judge,
)
from governance.models import Document, Evidence, PolicyVersion, Report, SignOff
from governance.policy import PolicyDocument, StageRules, parse
from portal import rights
from portal.errors import Refused
from portal.holders import holders_on
from portal.models import Bundle, Content, Lane, Person, Project, Right
from portal.queries import looks_over_estate


@dataclass(frozen=True, slots=True)
class Rules:
    """What applies in a lane: the policy version and the rules of the project's tier at the stage."""

    version: PolicyVersion
    document: PolicyDocument
    stage: StageRules

    @property
    def ref(self) -> PolicyRef:
        return PolicyRef(self.version.name, self.version.version, self.version.digest)

    def clause(self, key: str) -> Clause:
        """The requirement of this key; raises Refused when the policy asks no such thing here."""
        for clause in self.stage.requirements:
            if clause.key == key:
                return clause
        raise Refused(
            _("The policy in force does not ask for this any more. Reload the page."),
            code="requirement_unknown",
        )


@lru_cache(maxsize=32)
def _parsed(source: str) -> PolicyDocument:
    return parse(source)


def policy_of(project: Project) -> PolicyVersion:
    """The newest version of the project's policy; raises Refused when none was published."""
    return _newest(project, _versions([project.policy]))


def rules_for(lane: Lane) -> Rules:
    """The rules of a lane; raises Refused when the policy lacks the project's tier or the stage."""
    return _rules(lane, _versions([lane.project.policy]))


def _versions(names: Iterable[str]) -> dict[str, PolicyVersion]:
    newer = PolicyVersion.objects.filter(name=OuterRef("name"), version__gt=OuterRef("version"))
    return {row.name: row for row in PolicyVersion.objects.filter(~Exists(newer), name__in=set(names))}


def _newest(project: Project, versions: Mapping[str, PolicyVersion]) -> PolicyVersion:
    version = versions.get(project.policy)
    if version is None:
        raise Refused(
            _("No policy “%(name)s” is published, so nothing can be judged. An administrator can publish it.")
            % {"name": project.policy},
            code="policy_missing",
        )
    return version


def _rules(lane: Lane, versions: Mapping[str, PolicyVersion]) -> Rules:
    version = _newest(lane.project, versions)
    document = _parsed(version.source)
    tier = document.tiers.get(lane.project.tier)
    stage = tier.stages.get(lane.stage.slug) if tier else None
    if stage is None:
        raise Refused(
            _(
                "Policy “%(name)s” says nothing about tier “%(tier)s” at stage “%(stage)s”. "
                "An administrator can add it."
            )
            % {"name": version.name, "tier": lane.project.tier, "stage": lane.stage.slug},
            code="policy_silent",
        )
    return Rules(version, document, stage)


def rules_of_tier(project: Project) -> dict[str, StageRules]:
    """The rules of every stage for the project's tier, by stage; raises Refused like `rules_for`."""
    version = policy_of(project)
    tier = _parsed(version.source).tiers.get(project.tier)
    if tier is None:
        raise Refused(
            _("Policy “%(name)s” has no tier “%(tier)s”. An administrator can add it.")
            % {"name": version.name, "tier": project.tier},
            code="policy_silent",
        )
    return dict(tier.stages)


@dataclass(frozen=True, slots=True)
class Asked:
    """A judgement that is wanted: this bundle in this lane. `running` says what ran where and since when."""

    bundle: Bundle
    lane: Lane
    requested_by: Person | None
    running: Sequence[RunningFact]
    # For whom `requested_by` asked, where they stood in for somebody.
    on_behalf_of: Person | None = None


def case_for(
    *,
    bundle: Bundle,
    lane: Lane,
    requested_by: Person | None,
    running: Sequence[RunningFact],
    rules: Rules | None = None,
    on_behalf_of: Person | None = None,
) -> Case:
    """Everything a judgement of this bundle in this lane needs, as it is now.

    `requested_by` (and for whom they asked) and the bundle's author are barred from signing; `running` says what ran
    where and since when.
    """
    asked = Asked(bundle, lane, requested_by, running, on_behalf_of)
    rules = rules or rules_for(lane)
    return _case(asked, rules, _facts([(asked, rules)]))


def cases_for(asked: Sequence[Asked]) -> list[Case | Refused]:
    """As `case_for`, for many in a constant number of queries; where the policy says nothing, its refusal."""
    versions = _versions(one.lane.project.policy for one in asked)
    ruled: list[tuple[Asked, Rules | Refused]] = []
    for one in asked:
        try:
            ruled.append((one, _rules(one.lane, versions)))
        except Refused as refusal:
            ruled.append((one, refusal))
    facts = _facts([(one, rules) for one, rules in ruled if isinstance(rules, Rules)])
    return [rules if isinstance(rules, Refused) else _case(one, rules, facts) for one, rules in ruled]


@dataclass(frozen=True, slots=True)
class _Facts:
    """What was gathered for some cases: sign-offs and holders by lane id, documents and evidence by bundle id."""

    signoffs: dict[int, list[SignOff]]
    holders: dict[int, list[Holder]]
    evidence: dict[int, list[EvidenceFact]]
    documents: dict[int, list[DocumentFact]]


def _facts(asked: Sequence[tuple[Asked, Rules]]) -> _Facts:
    lanes = {one.lane.pk for one, _rules in asked}
    bundles = {one.bundle.pk: one.bundle for one, _rules in asked}
    projects = {one.lane.project_id for one, _rules in asked}
    signoffs: dict[int, list[SignOff]] = {lane: [] for lane in lanes}
    found = SignOff.objects.filter(lane__in=lanes).select_related(
        "withdrawal", "lane__stage", "lane__project", "person"
    )
    for row in found.order_by("signed_at", "id"):
        signoffs[row.lane_id].append(row)
    bound = {
        digest for rows in signoffs.values() for row in rows for digest in (*row.evidence, *row.documents)
    }
    wanted = {one.lane.pk: _codenames(rules) for one, rules in asked}
    held = holders_on({lane: list(names) for lane, names in wanted.items()})
    return _Facts(
        signoffs=signoffs,
        holders={
            lane: [
                Holder(
                    role,
                    str(one.person.pk),
                    instant(one.until) if one.until else None,
                    str(one.instead_of or ""),
                )
                for name, role in names.items()
                for one in held[lane, name]
            ]
            for lane, names in wanted.items()
        },
        evidence=_evidence(projects, bundles, bound),
        documents=_documents(projects, bundles, bound),
    )


def _case(asked: Asked, rules: Rules, facts: _Facts) -> Case:
    bundle, lane = asked.bundle, asked.lane
    barred = (
        (asked.requested_by, "requester"),
        (asked.on_behalf_of, "requester"),
        (bundle.author, "bundle_author"),
    )
    signoffs = facts.signoffs[lane.pk]
    bound = {digest for signoff in signoffs for digest in (*signoff.evidence, *signoff.documents)}
    return Case(
        project=lane.project.key,
        stage=lane.stage.slug,
        bundle=bundle.bundle_id,
        archive=bundle.archive,
        parts=dict(bundle.parts),
        tier=lane.project.tier,
        policy=rules.ref,
        requirements=rules.stage.requirements,
        automation=rules.stage.automation,
        evidence=tuple(_relevant(facts.evidence[bundle.pk], bundle.parts, bound)),
        documents=tuple(_relevant(facts.documents[bundle.pk], bundle.parts, bound)),
        signoffs=tuple(_signoff(row) for row in signoffs),
        running=tuple(asked.running),
        barred=tuple(Barred(str(person.pk), why) for person, why in barred if person),
        holders=tuple(facts.holders[lane.pk]),
        at=instant(timezone.now()),
    )


def verdict_for(
    *,
    bundle: Bundle,
    lane: Lane,
    requested_by: Person | None,
    running: Sequence[RunningFact],
    on_behalf_of: Person | None = None,
) -> tuple[Case, Verdict]:
    """The Case now, and what the gate says of it."""
    case = case_for(
        bundle=bundle, lane=lane, requested_by=requested_by, running=running, on_behalf_of=on_behalf_of
    )
    return case, judge(case)


def evidence_for(bundle: Bundle) -> QuerySet[Evidence]:
    """Evidence about this bundle's project, newest first."""
    return Evidence.objects.filter(project=bundle.project).select_related("result", "bundle", "author")


def evidence_holding(bundle: Bundle) -> QuerySet[Evidence]:
    """Evidence that holds for this bundle, also what was recorded of another with equal parts; without its bytes."""
    own = Evidence.objects.filter(project=bundle.project)
    ids = [pk for pk, parts in own.values_list("pk", "parts") if holds_for(bundle.parts, parts)]
    return Evidence.objects.filter(pk__in=ids).select_related("bundle", "author", "project")


def documents_holding(bundle: Bundle) -> QuerySet[Document]:
    """Documents that hold for this bundle, also those written for another with equal parts; without their bytes."""
    own = Document.objects.filter(project=bundle.project)
    ids = [pk for pk, parts in own.values_list("pk", "parts") if holds_for(bundle.parts, parts)]
    found = Document.objects.filter(pk__in=ids).select_related("bundle", "author", "project", "content")
    return found.defer("content__body")


def policies_for(person: Person) -> QuerySet[PolicyVersion]:
    """Versions of the policies of the projects the person may see; all of them for who looks over the estate."""
    found = PolicyVersion.objects.select_related("published_by")
    return (
        found
        if looks_over_estate(person)
        else found.filter(name__in=rights.visible_projects(person).values("policy"))
    )


def signoffs_for(person: Person) -> QuerySet[SignOff]:
    """The sign-offs in the projects a person may see, withdrawn ones among them."""
    return SignOff.objects.filter(lane__project__in=rights.visible_projects(person)).select_related(
        "lane__project", "lane__stage", "bundle", "person", "on_behalf_of", "withdrawal__withdrawn_by"
    )


def reports_for(person: Person) -> QuerySet[Report]:
    """The reports of the projects the person may audit, without their bytes."""
    audited = rights.lanes_with(person, [Right.AUDIT]).values("project")
    return Report.objects.filter(project__in=audited).select_related("project", "asked_by")


def holds_for(parts: dict[str, str], about: dict[str, str]) -> bool:
    """Whether something about `about` holds for a bundle with these parts."""
    return all(parts.get(part) == digest for part, digest in about.items())


class _About(Protocol):
    """Evidence or a document, as a row or as a fact."""

    @property
    def kind(self) -> str: ...
    @property
    def digest(self) -> str: ...
    @property
    def parts(self) -> dict[str, str]: ...


_Found = TypeVar("_Found", bound=_About)


def _relevant(found: Iterable[_Found], parts: dict[str, str], bound: set[str]) -> list[_Found]:
    """What a judgement needs of these, oldest first: all about equal parts, and all that a sign-off binds.

    Where there is none of a kind (and stage) about equal parts, also the newest about others: so the gate can say what
    changed since.
    """
    kept: list[_Found] = []
    held: set[tuple[str, str]] = set()
    others: dict[tuple[str, str], _Found] = {}
    for one in found:
        key = (one.kind, getattr(one, "stage", ""))
        if holds_for(parts, one.parts):
            held.add(key)
            kept.append(one)
        elif one.digest in bound:
            kept.append(one)
            others.pop(key, None)
        else:
            others[key] = one
    return [*(one for key, one in others.items() if key not in held), *kept]


def _evidence(
    projects: set[int], bundles: Mapping[int, Bundle], bound: set[str]
) -> dict[int, list[EvidenceFact]]:
    """Evidence that may matter, by bundle id. Only the results of what is used are read."""
    every = list(
        Evidence.objects.filter(project__in=projects).select_related("author").order_by("recorded_at", "id")
    )
    rows = {
        pk: _relevant((row for row in every if row.project_id == bundle.project_id), bundle.parts, bound)
        for pk, bundle in bundles.items()
    }
    wanted = {row.result_id for held in rows.values() for row in held}
    results = {kept.pk: json.loads(bytes(kept.body)) for kept in Content.objects.filter(pk__in=wanted)}
    return {
        pk: [
            EvidenceFact(
                id=str(row.pk),
                kind=row.kind,
                digest=row.digest,
                parts=row.parts,
                at=instant(row.recorded_at),
                author="system" if row.author.is_system else str(row.author_id),
                stage=row.stage,
                result=results[row.result_id],
            )
            for row in held
        ]
        for pk, held in rows.items()
    }


def _documents(
    projects: set[int], bundles: Mapping[int, Bundle], bound: set[str]
) -> dict[int, list[DocumentFact]]:
    """Documents that may matter, by bundle id."""
    every = list(Document.objects.filter(project__in=projects).order_by("recorded_at", "id"))
    return {
        pk: [
            DocumentFact(
                id=str(row.pk),
                kind=row.kind,
                digest=row.digest,
                parts=row.parts,
                at=instant(row.recorded_at),
                author=str(row.author_id),
                sections=tuple(row.sections),
            )
            for row in _relevant(
                (row for row in every if row.project_id == bundle.project_id), bundle.parts, bound
            )
        ]
        for pk, bundle in bundles.items()
    }


def _signoff(row: SignOff) -> SignOffFact:
    return SignOffFact(
        id=str(row.pk),
        person=str(row.person_id),
        role=row.role,
        decision=row.decision,
        at=instant(row.signed_at),
        project=row.lane.project.key,
        stage=row.lane.stage.slug,
        covered=row.covered,
        clause=row.clause,
        evidence=tuple(row.evidence),
        documents=tuple(row.documents),
        withdrawn=hasattr(row, "withdrawal"),
        on_behalf_of=str(row.on_behalf_of_id or ""),
        left=row.on_behalf_of_id is not None and not row.person.is_active,
    )


def _codenames(rules: Rules) -> dict[str, str]:
    """Codename -> role, as a Case lists holders: every sign-off asked for, and two rights that unblock the rest."""
    roles = [str(clause.params["role"]) for clause in rules.stage.requirements if clause.kind == "sign_off"]
    return {**{f"sign_{role}": role for role in roles}, "request": CAN_REQUEST, "promote": CAN_PROMOTE}
