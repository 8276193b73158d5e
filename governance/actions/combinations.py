"""Writes down who could act alone or in pairs, so that a report of it rests on the ledger like any other."""

from typing import Any

from django.utils import timezone, translation

from governance import reviews
from governance.combinations_found import (
    NAMED,
    NAMED_IN_REPORT,
    Explained,
    Found,
    Told,
    everywhere,
    explained,
)
from governance.facts import instant
from governance.models import Report
from portal import content, ledger
from portal.event_kinds import EventKind
from portal.models import Person, Project

TYPE = "application/vnd.countersign.combinations+json"
# Projects that are told in full; of more it is said how many there are.
TOLD = 500
ESTATE = "the estate"


def find(*, by: Person, report: Report) -> None:
    """Work out what a report is about and keep it by digest with its event; done once for a report.

    People stand in it by their ids, grants as an answer in an access review binds them.
    """
    if ledger.rows(subject=report.subject, kinds=[EventKind.COMBINATIONS_FOUND]).exists():
        return
    at = timezone.now()
    projects = Project.objects.order_by("key")
    if report.project is not None:
        projects = projects.filter(pk=report.project.pk)
    looked_at = alone = pairs = risky = 0
    listed: list[dict[str, Any]] = []
    more = 0
    with translation.override("en"):
        for found in everywhere(projects.iterator(chunk_size=500)):
            looked_at += 1
            alone, pairs, risky = alone + found.alone, pairs + found.pairs, risky + len(found.risks)
            if not (found.alone or found.pairs or found.risks) and report.project is None:
                continue
            if len(listed) < TOLD:
                listed.append(
                    _value(found, explained(found, NAMED if report.project is None else NAMED_IN_REPORT))
                )
            else:
                more += 1
    value = {"v": 2, "at": instant(at), "projects": looked_at, "found": listed, "more": more}
    with ledger.business():
        kept = content.put_json(value, TYPE)
        ledger.record(
            EventKind.COMBINATIONS_FOUND,
            by=by,
            project=report.project_key,
            subject=report.subject,
            scope=report.project_key or ESTATE,
            report=report.pk,
            projects=looked_at,
            alone=alone,
            pairs=pairs,
            risks=risky,
            content=kept.digest,
        )


def _value(found: Found, said: Explained) -> dict[str, Any]:
    """One project as JSON."""
    ways = [way for stage in said.stages for one in (*stage.alone, *stage.pairs) for way in _ways(one)]
    ways += [way for risk in said.risky for way in risk.ways]
    grants = {way.grant.pk: way.grant for way in ways}
    facts = reviews.facts_of(list(grants.values()))
    return {
        "project": found.project.key,
        "name": found.project.name,
        "tier": found.project.tier,
        "policies": {stage: f"{rules.ref.name} {rules.ref.version}" for stage, rules in found.rules.items()},
        "stages": [
            {
                "stage": stage.name,
                "asks": stage.asks,
                "alone": [_told(one) for one in stage.alone],
                "pairs": [_told(one) for one in stage.pairs],
                "more_alone": stage.more_alone,
                "more_pairs": stage.more_pairs,
            }
            for stage in said.stages
        ],
        "risks": [
            {
                "rule": risk.rule.value,
                "person": risk.person.id,
                "stage": risk.stage,
                "rights": risk.rights,
                "grants": sorted({way.grant.pk for way in risk.ways}),
            }
            for risk in said.risky
        ],
        "more_risks": said.more_risky,
        "grants": {str(pk): one.value() for pk, one in sorted(facts.items())},
    }


def _told(one: Told) -> dict[str, Any]:
    ending = one.ending
    return {
        "people": [who.id for who in one.people],
        "doing": [
            {
                "person": doing.person.id,
                "what": doing.what,
                "grants": sorted({way.grant.pk for way in doing.ways}),
                "instead_of": sorted({str(way.delegation.person_id) for way in doing.ways if way.delegation}),
            }
            for doing in one.doing
        ],
        "ending": None
        if ending is None
        else {
            "people": [who.id for who in ending.people],
            "teams": sorted(team.slug for team in ending.teams),
            "right": ending.right,
            "stage": ending.stage,
            "grants": sorted({way.grant.pk for way in ending.ways}),
        },
    }


def _ways(one: Told) -> list[Any]:
    return [*(way for doing in one.doing for way in doing.ways), *(one.ending.ways if one.ending else ())]
