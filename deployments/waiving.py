"""Reads of waivers around requests: those that wait for an answer, who can give it, and why they were asked for.

Not in charge of whether a waiver counts (`governance.waivers`) nor of asking and granting (`deployments.actions`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from deployments.judging import Judged
from deployments.models import DeploymentRequest
from governance import waivers
from governance.actions.waivers import open_asks
from governance.behind import bars_behind
from governance.models import Waiver
from portal.models import Person


@dataclass(frozen=True, slots=True)
class Pending:
    """A waiver that waits for an answer, and who can grant it now.

    `outdated`: it is about something else than what is found by now, so nobody can.
    """

    waiver: Waiver
    able: tuple[str, ...]
    outdated: bool = False


def waivers_of(request: DeploymentRequest) -> QuerySet[Waiver]:
    """Every waiver asked for of a request's bundle in its lane, also refused and ended ones, newest first."""
    found = Waiver.objects.filter(lane=request.lane_id, bundle=request.bundle_id).select_related(
        *("lane__project", "lane__stage", "bundle__project", "asked_by", "on_behalf_of"),
        *("answer__answered_by", "withdrawal__withdrawn_by"),
    )
    return found.order_by("-pk")


def pending(asked: Sequence[tuple[DeploymentRequest, Judged]]) -> dict[int, list[Pending]]:
    """The waivers that wait for an answer in these requests, by their numbers; one query where there are none."""
    if not asked:
        return {}
    rows = open_asks(timezone.now()).filter(
        bundle__in={request.bundle_id for request, _judged in asked},
        lane__in={request.lane_id for request, _judged in asked},
    )
    by_place: dict[tuple[int, int], list[Waiver]] = {}
    found = list(rows.select_related("asked_by", "on_behalf_of").order_by("pk"))
    for row in found:
        by_place.setdefault((row.bundle_id, row.lane_id), []).append(row)
    if not found:
        return {}
    bars = iter(
        bars_behind([(who, row.asked_at) for row in found for who in (row.asked_by, row.on_behalf_of)])
    )
    behind = {row.pk: next(bars) | next(bars) for row in found}

    def told(row: Waiver, judged: Judged) -> Pending:
        if not _still(row, judged):
            return Pending(row, (), outdated=True)
        asker = waivers.asker_bars(
            str(row.asked_by_id), str(row.on_behalf_of_id or ""), sorted(behind[row.pk], key=str)
        )
        return Pending(row, waivers.able(judged.case, asker))

    return {
        request.pk: [told(row, judged) for row in by_place.get((request.bundle_id, request.lane_id), ())]
        for request, judged in asked
    }


def asker_of(waiver: Waiver) -> str:
    """Who asked, and for whom where they stood in for somebody."""
    if waiver.on_behalf_of is None:
        return waiver.asked_by.name
    return _("%(name)s for %(other)s") % {"name": waiver.asked_by.name, "other": waiver.on_behalf_of.name}


def to_waive(person: Person, waiting: Sequence[Pending]) -> tuple[Waiver, ...]:
    """Of the waivers that wait, those this person can grant now; through a token never any."""
    if person.scope is not None:
        return ()
    return tuple(one.waiver for one in waiting if str(person.pk) in one.able)


def whys_of(judged: Judged) -> Mapping[str, str]:
    """The reason given for each waiver that a judgement names, by its number; one query at most."""
    named = {number_of(finding.params) for finding in judged.verdict.findings} - {""}
    if not named:
        return {}
    return {str(pk): why for pk, why in Waiver.objects.filter(pk__in=named).values_list("pk", "why")}


def number_of(params: Mapping[str, object]) -> str:
    """The waiver that a finding names, whether it counts or not."""
    named = params.get("waiver", "")
    return str(named["waiver"]) if isinstance(named, dict) else str(named)


def _still(row: Waiver, judged: Judged) -> bool:
    """Whether what was asked to be waived is what is found now."""
    for clause, finding in zip(judged.case.requirements, judged.verdict.findings, strict=True):
        if clause.key == row.requirement:
            return (
                finding.state not in ("met", "waived")
                and clause.digest == row.clause
                and row.parts == dict(judged.case.parts)
                and waivers.may_be(clause)
                and waivers.same(row.finding, waivers.mark(finding))
            )
    return False
