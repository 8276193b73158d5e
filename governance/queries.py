"""Reads of governance: the rules of a lane, and the Case that a judgement needs, in a constant number of queries.

Not in charge of judging: `governance.gate.judge` is. What runs where is told by the caller (deployments).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from governance.behind import behind
from governance.cooling import Lately, lately
from governance.gate import (
    CAN_PROMOTE,
    CAN_REQUEST,
    CAN_WAIVE,
    Barred,
    Case,
    Clause,
    Holder,
    LiveFact,
    PolicyRef,
    RunningFact,
    Verdict,
    instant,
    judge,
)
from governance.live import live_facts
from governance.models import Document, Evidence, PolicyVersion, Report, SignOff, Waiver
from governance.newest import Known, known, same_parts
from governance.policy import PolicyDocument, StageRules, parse
from portal import rights
from portal.errors import Refused
from portal.holders import holders_on
from portal.models import Bundle, Lane, Person, Project, Right
from portal.prepared import prepared
from portal.queries import check_audit, check_looks_over_estate, looks_over_estate
from portal.simulator import check_may_simulate


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
def parsed(source: str) -> PolicyDocument:
    """What the text of a published version says: read once, for it never changes."""
    return parse(source)


def in_force(versions: QuerySet[PolicyVersion]) -> QuerySet[PolicyVersion]:
    """Of these versions the newest of each policy."""
    newer = PolicyVersion.objects.filter(name=OuterRef("name"), version__gt=OuterRef("version"))
    return versions.filter(~Exists(newer))


def newest_version(name: str) -> PolicyVersion | None:
    """The version of a policy that is in force, if any was published."""
    return PolicyVersion.objects.filter(name=name).order_by("-version").first()


def policy_of(project: Project) -> PolicyVersion:
    """The newest version of the project's policy; raises Refused when none was published."""
    return _newest(project, _versions([project.policy]))


def rules_for(lane: Lane) -> Rules:
    """The rules of a lane; raises Refused when the policy lacks the project's tier or the stage."""
    return _rules(lane, _versions([lane.project.policy]))


@prepared
def _last_versions(names: Any) -> QuerySet[PolicyVersion]:
    return in_force(PolicyVersion.objects.filter(name__in=names))


def _versions(names: Iterable[str]) -> dict[str, PolicyVersion]:
    return {row.name: row for row in _last_versions(names=set(names))}


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
    document = parsed(version.source)
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


def rules_of_lanes(lanes: Iterable[Lane]) -> dict[int, Rules]:
    """The rules of each of these lanes (with project and stage), by id; one query. None where the policy is silent."""
    lanes = list(lanes)
    versions = _versions(lane.project.policy for lane in lanes)
    found: dict[int, Rules] = {}
    for lane in lanes:
        with suppress(Refused):
            found[lane.pk] = _rules(lane, versions)
    return found


def rules_of_tier(project: Project) -> dict[str, StageRules]:
    """The rules of every stage for the project's tier, by stage; raises Refused like `rules_for`."""
    version = policy_of(project)
    tier = parsed(version.source).tiers.get(project.tier)
    if tier is None:
        raise Refused(
            _("Policy “%(name)s” has no tier “%(tier)s”. An administrator can add it.")
            % {"name": version.name, "tier": project.tier},
            code="policy_silent",
        )
    return dict(tier.stages)


def tiers_published() -> list[tuple[str, str]]:
    """Each tier of each policy in force, as (policy, tier)."""
    versions = in_force(PolicyVersion.objects.all()).order_by("name")
    return [(row.name, tier) for row in versions for tier in parsed(row.source).tiers]


# What runs in each of these lanes now, by id; None where nothing does. Asked only where a rule depends on it.
WhatRuns = Callable[[Sequence[Lane]], Mapping[int, Bundle | None]]


@dataclass(frozen=True, slots=True)
class Asked:
    """A judgement that is wanted: this bundle in this lane. `running` says what ran where and since when."""

    bundle: Bundle
    lane: Lane
    requested_by: Person | None
    running: Sequence[RunningFact]
    # For whom `requested_by` asked, where they stood in for somebody.
    on_behalf_of: Person | None = None
    # When they asked; None: they would now.
    asked_at: datetime | None = None
    # The change ticket of the request.
    ticket: str = ""


def case_for(
    *,
    bundle: Bundle,
    lane: Lane,
    requested_by: Person | None,
    running: Sequence[RunningFact],
    rules: Rules | None = None,
    on_behalf_of: Person | None = None,
    asked_at: datetime | None = None,
    ticket: str = "",
    what_runs: WhatRuns | None = None,
) -> Case:
    """Everything a judgement of this bundle in this lane needs, as it is now.

    `requested_by` (for whom they asked), the bundle's author, and who could have acted as one of them at that time are
    barred from signing; `running` says what ran where and since when, `what_runs` answers what runs there now.
    """
    asked = Asked(bundle, lane, requested_by, running, on_behalf_of, asked_at, ticket)
    rules = rules or rules_for(lane)
    (facts,) = _facts([(asked, rules)], what_runs)
    return _case(asked, rules, facts)


def cases_for(asked: Sequence[Asked], what_runs: WhatRuns | None = None) -> list[Case | Refused]:
    """As `case_for`, for many in a constant number of queries; where the policy says nothing, its refusal."""
    versions = _versions(one.lane.project.policy for one in asked)
    ruled: list[tuple[Asked, Rules | Refused]] = []
    for one in asked:
        try:
            ruled.append((one, _rules(one.lane, versions)))
        except Refused as refusal:
            ruled.append((one, refusal))
    facts = iter(_facts([(one, rules) for one, rules in ruled if isinstance(rules, Rules)], what_runs))
    return [rules if isinstance(rules, Refused) else _case(one, rules, next(facts)) for one, rules in ruled]


@dataclass(frozen=True, slots=True)
class _Facts:
    """What was gathered for one case; the holders are everybody's who can act in its lane.

    `behind` are the bars of who could have asked for it, or for its bundle, as whoever did; `cooling_off` are those
    among who could sign, or did, who lately changed what it depends on.
    """

    known: Known
    holders: tuple[Holder, ...]
    behind: frozenset[Barred]
    cooling_off: tuple[Barred, ...]
    live: LiveFact | None


def _facts(asked: Sequence[tuple[Asked, Rules]], what_runs: WhatRuns | None) -> list[_Facts]:
    """What each case needs, in their order."""
    wanted = {one.lane.pk: _codenames(rules) for one, rules in asked}
    stages = {one.lane.pk: one.lane.stage.slug for one, _rules in asked}
    held = holders_on({lane: list(names) for lane, names in wanted.items()}, stages)
    holders = {
        lane: tuple(
            Holder(
                role,
                str(one.person.pk),
                instant(one.until) if one.until else None,
                str(one.instead_of or ""),
            )
            for name, role in names.items()
            for one in held[lane, name]
        )
        for lane, names in wanted.items()
    }
    now = timezone.now()
    acts = [(one.requested_by, one.asked_at or now) for one, _rules in asked]
    acts += [(one.on_behalf_of, one.asked_at or now) for one, _rules in asked]
    acts += [(one.bundle.author, one.bundle.asked_at) for one, _rules in asked]
    bars, holders, found = behind(
        acts, holders, known([(one.bundle, one.lane) for one, _rules in asked]), now
    )
    signed = [
        one
        for one, held in zip(asked, found, strict=True)
        if held.waivers
        or any(clause.kind == "sign_off" for clause in one[1].stage.requirements)
        or any(holder.role == CAN_WAIVE for holder in holders[one[0].lane.pk])
    ]
    changes = lately((one.lane, rules.version.name) for one, rules in signed)
    drifting = [one.lane for one, rules in asked if what_runs is not None and _asks_drift(rules)]
    runs = what_runs(drifting) if what_runs is not None and drifting else {}
    live = dict(zip(runs, live_facts(list(runs.values())), strict=True))
    return [
        _Facts(
            one,
            holders[asker.lane.pk],
            frozenset().union(*(bars[place + number] for place in range(0, len(bars), len(asked)))),
            _cooling_off(asker.lane, rules, holders[asker.lane.pk], one, changes),
            live.get(asker.lane.pk) if _asks_drift(rules) else None,
        )
        for number, (one, (asker, rules)) in enumerate(zip(found, asked, strict=True))
    ]


def _asks_drift(rules: Rules) -> bool:
    return any("drift" in clause.params for clause in rules.stage.requirements)


def _cooling_off(
    lane: Lane, rules: Rules, holders: Sequence[Holder], known: Known, changes: Lately
) -> tuple[Barred, ...]:
    signers = {
        person for one in holders if one.role not in (CAN_REQUEST, CAN_PROMOTE) for person in one.people
    }
    signers |= {person for fact in known.signoffs for person in fact.people}
    signers |= {waived.fact.person for waived in known.waivers}
    return changes.bars(
        lane, rules.version.name, signers, {person for one in holders for person in one.people}
    )


def _case(asked: Asked, rules: Rules, facts: _Facts) -> Case:
    bundle, lane = asked.bundle, asked.lane
    ticketed = any(one.kind == "change_ticket" for one in rules.stage.requirements)
    barred = (
        (asked.requested_by, "requester"),
        (asked.on_behalf_of, "requester"),
        (bundle.author, "bundle_author"),
    )
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
        evidence=facts.known.evidence,
        documents=facts.known.documents,
        signoffs=facts.known.signoffs,
        running=tuple(asked.running),
        barred=(
            *(Barred(str(person.pk), why) for person, why in barred if person),
            *facts.behind,
            *facts.cooling_off,
        ),
        holders=facts.holders,
        at=instant(timezone.now()),
        ticket=asked.ticket if asked.ticket or ticketed else None,
        waivers=tuple(waived.fact for waived in facts.known.waivers),
        live=facts.live,
    )


def verdict_for(
    *,
    bundle: Bundle,
    lane: Lane,
    requested_by: Person | None,
    running: Sequence[RunningFact],
    on_behalf_of: Person | None = None,
    asked_at: datetime | None = None,
    ticket: str = "",
    what_runs: WhatRuns | None = None,
) -> tuple[Case, Verdict]:
    """The Case now, and what the gate says of it."""
    case = case_for(
        bundle=bundle,
        lane=lane,
        requested_by=requested_by,
        running=running,
        on_behalf_of=on_behalf_of,
        asked_at=asked_at,
        ticket=ticket,
        what_runs=what_runs,
    )
    return case, judge(case)


def evidence_holding(bundle: Bundle) -> QuerySet[Evidence]:
    """Evidence that holds for this bundle, also what was recorded of another with equal parts; without its bytes."""
    return Evidence.objects.filter(same_parts(bundle.parts), project=bundle.project_id).select_related(
        "bundle", "author", "project"
    )


def documents_holding(bundle: Bundle) -> QuerySet[Document]:
    """Documents that hold for this bundle, also those written for another with equal parts; without their bytes."""
    found = Document.objects.filter(same_parts(bundle.parts), project=bundle.project_id).select_related(
        "bundle", "author", "project", "content"
    )
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
    found = SignOff.objects.filter(lane__project__in=rights.visible_projects(person)).select_related(
        "lane__project", "lane__stage", "bundle", "person", "on_behalf_of", "withdrawal__withdrawn_by"
    )
    return found.prefetch_related("conditions__fulfilment__confirmed_by")


def waivers_for(person: Person) -> QuerySet[Waiver]:
    """The waivers asked for in the projects a person may see, with their answers, newest first."""
    found = Waiver.objects.filter(lane__project__in=rights.visible_projects(person)).select_related(
        *("lane__project", "lane__stage", "bundle__project", "asked_by", "on_behalf_of"),
        *("answer__answered_by", "withdrawal__withdrawn_by"),
    )
    return found.order_by("-pk")


def reports_for(person: Person) -> QuerySet[Report]:
    """The reports somebody may read (see `check_report`), without their bytes."""
    audited = rights.lanes_with(person, [Right.AUDIT]).values("project")
    over = rights.lanes_with(person, [Right.AUDIT, Right.MANAGE]).values("project")
    requests = Q(about__startswith="request:")
    shown = Q(project__in=audited) | (Q(project__in=over) & ~requests)
    if looks_over_estate(person):
        shown |= Q(project__isnull=True)
    return Report.objects.filter(shown).select_related("project", "asked_by")


def reports_about(person: Person, about: str) -> QuerySet[Report]:
    """The reports on one subject that somebody may read."""
    return reports_for(person).filter(about=about)


def check_report(person: Person, report: Report) -> None:
    """Raise Absent or Forbidden unless somebody may read a report, or ask for one like it.

    On a request: who audits the project. On rights, which those who manage can see anyway: who manages or audits the
    project, or else the estate.
    """
    if report.about.startswith("request:"):
        check_audit(person, report.project)
    elif report.project is None:
        check_looks_over_estate(person)
    else:
        check_may_simulate(person, report.project)


def _codenames(rules: Rules) -> dict[str, str]:
    """Codename -> role, as a Case lists holders: every sign-off asked for, and the rights that unblock the rest."""
    roles = [str(clause.params["role"]) for clause in rules.stage.requirements if clause.kind == "sign_off"]
    return {
        **{f"sign_{role}": role for role in roles},
        "request": CAN_REQUEST,
        "promote": CAN_PROMOTE,
        "waive": CAN_WAIVE,
    }
