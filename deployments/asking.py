"""Looks at open requests: whom to ask to sign, remind and escalate, and which signatures count no more.

The gate says who can sign what, and which signatures count; here it is remembered what was so when last looked, so that
people are told of the difference, once. Nothing here decides anything: every decision asks the gate afresh.
Woken by the events of a project; by a sweep for what time brings, and for what was lost on the way.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from deployments import asking_waivers
from deployments.actions.asking import (
    NOT_ASKED,
    SUPERSEDED,
    ask,
    escalate_now,
    lapse,
    remind_now,
    waiver_lapse,
)
from deployments.judging import READ_WITH, Judged, judge_now
from deployments.models import Ask, Counted, CountedWaiver, DeploymentRequest
from deployments.reminders import due
from deployments.waiving import number_of
from deployments.words import day
from governance import waivers
from governance.checks import Code, Why
from governance.facts import WAIVED, Finding, instant, parse_instant
from governance.models import SignOff, Waiver
from governance.waivers import not_there
from portal import ledger
from portal.errors import Refused
from portal.models import Person

log = logging.getLogger(__name__)

AT_A_TIME = 50
# Whatever nothing woke is looked at once in this time.
AGAIN = timedelta(minutes=10)
# Given elsewhere, or beside another: such a signature stands as it did, and may count again with the next.
_SEATED_OTHERWISE = (Why.ONE_PLACE, Why.COUNTS_ELSEWHERE)


def look_after(project: str | None = None) -> int:
    """Look at the requests of a project that are not over (None: at those that are due); how many were looked at."""
    found = DeploymentRequest.objects.filter(status__in=("open", "promoting")).order_by("look_at", "pk")
    if project is not None:
        numbers = list(found.filter(lane__project__key=project).values_list("pk", flat=True))
    else:
        numbers = list(found.filter(look_at__lte=timezone.now()).values_list("pk", flat=True)[:AT_A_TIME])
    for number in numbers:
        _look(number)
    return len(numbers)


def due_now() -> None:
    """Let the sweep look at every request that is not over: something changed that many may depend on."""
    DeploymentRequest.objects.filter(status__in=("open", "promoting")).update(look_at=timezone.now())


def _look(number: int) -> None:
    now = timezone.now()
    try:
        until = _one(number, now)
    except Exception as error:  # of one, and others wait behind it; the sweep comes again
        if not isinstance(error, Refused):  # as where the policy says nothing of the stage
            log.exception("request %s could not be looked after", number)
        until = None
    look_at = min(until or now + AGAIN, now + AGAIN)
    # Whoever let it be due meanwhile wants another look: that stays.
    stale = Q(look_at__lte=now) | Q(look_at__gt=look_at)
    DeploymentRequest.objects.filter(stale, pk=number).update(look_at=look_at)


def _one(number: int, now: datetime) -> datetime | None:
    """Look at one request; the first instant at which the clock alone may change something, None for none."""
    with ledger.business():
        # Two that look at the same request wait for each other here, and judge what is so then: what was judged before
        # would be told as news although the other has seen newer.
        whole = DeploymentRequest.objects.select_for_update(no_key=True, of=("self",)).select_related(
            *READ_WITH
        )
        request = whole.get(pk=number)
        if request.is_over:
            return None
        judged = judge_now(request)
        system = Person.objects.system()
        _lapses(system, request, judged, now)
        _waiver_lapses(system, request, judged, now)
        soon: list[datetime] = []
        if request.status == DeploymentRequest.Status.OPEN:
            every = list(Ask.objects.filter(request=request, ended_at=None).select_related("person"))
            asked = _asks(system, request, judged, [one for one in every if one.waiver_id is None], now)
            soon += _reminders(system, request, judged, asked, now)
            to_waive = [one for one in every if one.waiver_id is not None]
            soon += asking_waivers.look(system, request, judged, to_waive, now)
    ends = [parse_instant(judged.verdict.holds_until)] if judged.verdict.holds_until else []
    return min([*ends, *soon], default=None)


# --- asking -----------------------------------------------------------------------------------------------------------


def wanted(judged: Judged) -> dict[str, tuple[str, ...]]:
    """Of each signature that is missing, who can give it now; of none while there is something to read still to come.

    Whoever said no is not asked to change their mind: they were answered, or will be, in the conversation.
    """
    to_come = (Code.EVIDENCE_MISSING, Code.EVIDENCE_OTHER_PARTS)
    findings = judged.verdict.findings
    if not_there(judged.case) or any(one.kind == "tests" and one.code in to_come for one in findings):
        return {}
    return {
        finding.key: finding.unblock
        for finding in findings
        if finding.kind == "sign_off" and finding.state == "not_met" and "against" not in finding.params
    }


def _asks(
    by: Person, request: DeploymentRequest, judged: Judged, every: Sequence[Ask], now: datetime
) -> list[Ask]:
    """Ask whoever is not asked yet, and leave alone whoever need not or cannot any more; the asks that stand."""
    missing = wanted(judged)
    over = [one for one in every if str(one.person_id) not in missing.get(one.requirement, ())]
    Ask.objects.filter(pk__in=[one.pk for one in over if one.told_at is None]).delete()  # nobody knows of it
    Ask.objects.filter(pk__in=[one.pk for one in over if one.told_at is not None]).update(ended_at=now)
    standing = [one for one in every if one not in over]
    known = {(one.requirement, str(one.person_id)) for one in standing}
    people = Person.objects.in_bulk([one for able in missing.values() for one in able])
    by_id = {str(pk): person for pk, person in people.items()}
    standing += Ask.objects.bulk_create(
        Ask(request=request, requirement=key, person=by_id[one], begun_at=now)
        for key, able in missing.items()
        for one in able
        if one in by_id and (key, one) not in known
    )
    for finding in judged.verdict.findings:
        due = [
            one
            for one in standing
            if one.requirement == finding.key and one.told_at is None and one.begun_at + _settling() <= now
        ]
        if due:
            ask(by=by, request=request, finding=finding, asks=due, now=now)
    return standing


def _settling() -> timedelta:
    return timedelta(seconds=settings.ASK_AFTER_SECONDS)


# --- reminding --------------------------------------------------------------------------------------------------------


def _reminders(
    by: Person, request: DeploymentRequest, judged: Judged, asks: Sequence[Ask], now: datetime
) -> list[datetime]:
    """Remind and escalate what has waited long enough; when the next of it is due."""
    soon = [one.begun_at + _settling() for one in asks if one.told_at is None]
    asks = [one for one in asks if one.told_at is not None]
    findings = {finding.key: finding for finding in judged.verdict.findings}
    for key in dict.fromkeys(one.requirement for one in asks):
        some = [one for one in asks if one.requirement == key]
        found = due(some, now)
        if found.remind:
            remind_now(by=by, request=request, finding=findings[key], asks=found.remind, now=now)
        if found.escalate:
            escalate_now(by=by, request=request, finding=findings[key], asks=some, now=now)
        soon += found.soon
    return [at for at in soon if at > now]


# --- what counts no more ----------------------------------------------------------------------------------------------


def _lapses(by: Person, request: DeploymentRequest, judged: Judged, now: datetime) -> None:
    """Remember what counts, and tell whom it concerns what does not any more."""
    given = {
        int(word["signoff"])
        for finding in judged.verdict.findings
        if finding.kind == "sign_off"
        for word in finding.params["given"]
    }
    rows = {row.signoff_id: row for row in Counted.objects.filter(request=request)}
    Counted.objects.bulk_create(
        (Counted(request=request, signoff_id=pk, since=now) for pk in sorted(given - rows.keys())),
        ignore_conflicts=True,
    )
    back = [row.pk for pk, row in rows.items() if pk in given and row.lapsed_at is not None]
    Counted.objects.filter(pk__in=back).update(lapsed_at=None, why="", since=now)
    gone = {pk: row for pk, row in rows.items() if pk not in given and row.lapsed_at is None}
    if not gone:
        return
    words = {
        int(word["signoff"]): word
        for finding in judged.verdict.findings
        if finding.kind == "sign_off"
        for word in finding.params["not_counted"]
    }
    signed = SignOff.objects.select_related("person", "on_behalf_of").in_bulk(gone)
    for pk, row in gone.items():
        word = words.get(pk)
        if word is not None and word["why"] in _SEATED_OTHERWISE:
            continue
        why = word["why"] if word is not None else _gone(signed[pk], judged)
        Counted.objects.filter(pk=row.pk).update(lapsed_at=now, why=why)
        lapse(by=by, request=request, signoff=signed[pk], why=why, word=word)


def _gone(signoff: SignOff, judged: Judged) -> str:
    """Of a signature that the gate does not speak of any more: there is a newer word, or it is not asked for."""
    asked = {clause.key for clause in judged.case.requirements}
    return SUPERSEDED if signoff.requirement in asked else NOT_ASKED


def _waiver_lapses(by: Person, request: DeploymentRequest, judged: Judged, now: datetime) -> None:
    """The same of waivers: of one that is not needed any more nothing is told."""
    counting = {
        int(number_of(finding.params)) for finding in judged.verdict.findings if finding.state == WAIVED
    }
    rows = {row.waiver_id: row for row in CountedWaiver.objects.filter(request=request)}
    CountedWaiver.objects.bulk_create(
        (CountedWaiver(request=request, waiver_id=pk, since=now) for pk in sorted(counting - rows.keys())),
        ignore_conflicts=True,
    )
    back = [row.pk for pk, row in rows.items() if pk in counting and row.lapsed_at is not None]
    CountedWaiver.objects.filter(pk__in=back).update(lapsed_at=None, why="", since=now)
    gone = [pk for pk, row in rows.items() if pk not in counting and row.lapsed_at is None]
    if not gone:
        return
    missing = {finding.key: finding for finding in judged.verdict.missing}
    waived = Waiver.objects.select_related("asked_by", "answer__answered_by", "withdrawal").in_bulk(gone)
    for pk, waiver in waived.items():
        if waiver.requirement in missing:
            entry = _why_no_more(waiver, missing[waiver.requirement], judged)
            CountedWaiver.objects.filter(pk=rows[pk].pk).update(lapsed_at=now, why=entry["why"])
            waiver_lapse(by=by, request=request, waiver=waiver, entry=entry)


def _why_no_more(waiver: Waiver, finding: Finding, judged: Judged) -> Mapping[str, Any]:
    """Why a waiver that counted does not: the finding says it of one, which need not be this."""
    told: Mapping[str, Any] = finding.params.get("waiver", {})
    if number_of(finding.params) == str(waiver.pk):
        return told
    known = {fact.id: fact for fact in judged.case.waivers}
    if str(waiver.pk) in known:
        return waivers.why_not(judged.case, finding, known[str(waiver.pk)])
    # Of those that cannot count, a case keeps the newest alone.
    over = hasattr(waiver, "withdrawal")
    return {
        "waiver": str(waiver.pk),
        "person": str(waiver.answer.answered_by_id),
        "until": instant(waiver.until),
        "why": (waivers.Why.WITHDRAWN if over else waivers.Why.EXPIRED).value,
    }


# --- words ------------------------------------------------------------------------------------------------------------


def told_of(asks: Sequence[Ask]) -> str:
    """What was done so far to get a signature, in a sentence; empty where nobody is asked."""
    asks = [one for one in asks if one.told_at is not None]
    if not asks:
        return ""
    begun = min(one.begun_at for one in asks)
    people = ", ".join(sorted({one.person.name for one in asks}))
    said = _("Asked %(names)s on %(day)s.") % {"names": people, "day": day(begun)}
    reminders = max(one.reminders for one in asks)
    if reminders:
        said += " " + ngettext("Reminded once.", "Reminded %(n)s times.", reminders) % {"n": reminders}
    if any(one.escalated_at for one in asks):
        said += " " + _("Told to who manages the project.")
    return said
