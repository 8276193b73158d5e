"""Looks after waivers that wait for an answer: who can give it now, whom to remind, and when it is told further.

Whoever could grant a waiver when it was asked for was told then; whoever can since is told now. Nothing here decides
anything: the gate says who can, and whether what was asked is what is found still.
"""

from collections.abc import Sequence
from datetime import datetime

from deployments.actions import waiver_asking
from deployments.judging import Judged
from deployments.models import Ask, DeploymentRequest
from deployments.reminders import due
from deployments.waiving import pending
from portal.models import Person


def look(
    by: Person, request: DeploymentRequest, judged: Judged, every: Sequence[Ask], now: datetime
) -> list[datetime]:
    """Bring the asks of a request's waivers (`every` of them that stands) up to date; when more is due."""
    waiting = pending([(request, judged)]).get(request.pk, [])
    able = {(one.waiver.pk, person) for one in waiting for person in one.able}
    over = [one.pk for one in every if (one.waiver_id, str(one.person_id)) not in able]
    if over:
        Ask.objects.filter(pk__in=over).update(ended_at=now)
    standing = [one for one in every if one.pk not in over]
    known = {(one.waiver_id, str(one.person_id)) for one in standing}
    people = {
        str(one.pk): one for one in Person.objects.filter(pk__in=[person for _pk, person in able - known])
    }
    soon: list[datetime] = []
    for waiver in (one.waiver for one in waiting if one.able):
        new = [people[one] for pk, one in sorted(able - known) if pk == waiver.pk and one in people]
        if new:
            standing += waiver_asking.ask(by=by, request=request, waiver=waiver, people=new, now=now)
        found = due([one for one in standing if one.waiver_id == waiver.pk], now)
        if found.remind:
            waiver_asking.remind(by=by, request=request, waiver=waiver, asks=found.remind, now=now)
        if found.escalate:
            asks = [one for one in standing if one.waiver_id == waiver.pk]
            waiver_asking.escalate(by=by, request=request, waiver=waiver, asks=asks, now=now)
        soon += found.soon
    return soon
