"""Tells people of waivers that wait for an answer: who can give it, again who did not, and who manages the project.

When that is due by itself is deployments/asking_waivers.py's to say.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

from django.utils.translation import gettext as _

from deployments import waiver_asks
from deployments.models import Ask, DeploymentRequest
from deployments.words import day
from governance.models import Waiver
from portal import ledger, telling
from portal.event_kinds import EventKind
from portal.holders import holders
from portal.models import Notification, Person, Right


def ask(
    *, by: Person, request: DeploymentRequest, waiver: Waiver, people: Sequence[Person], now: datetime
) -> list[Ask]:
    """Ask those who can answer only now; who was asked with the waiver stands in its own event."""
    with ledger.business():
        asks, told = waiver_asks.put(request=request, waiver=waiver, people=people, now=now)
        if told:
            _record(EventKind.WAIVER_REMINDED, request, waiver, told, by)
        return asks


def remind(
    *, by: Person, request: DeploymentRequest, waiver: Waiver, asks: Collection[Ask], now: datetime
) -> None:
    """Remind those who were asked, once more each."""
    with ledger.business():
        for one in asks:
            one.reminders, one.reminded_at = one.reminders + 1, now
        Ask.objects.bulk_update(asks, ["reminders", "reminded_at"])
        _record(EventKind.WAIVER_REMINDED, request, waiver, [one.person for one in asks], by)
        for one in asks:
            telling.tell(
                [one.person],
                telling.News(
                    kind=Notification.Kind.REMINDED,
                    once=f"remind:{one.pk}:{one.reminders}",
                    line=_(
                        "%(project)s: whether to waive “%(title)s” for %(bundle)s to %(stage)s still waits"
                    )
                    % waiver_asks.words_of(request, waiver),
                    url=waiver_asks.address_of(request, waiver),
                    text=_("You were asked on %(day)s.") % {"day": day(one.begun_at)},
                    project=request.lane.project,
                ),
            )


def escalate(
    *,
    by: Person,
    request: DeploymentRequest,
    waiver: Waiver,
    asks: Collection[Ask],
    now: datetime,
    why: str = "",
) -> list[Person]:
    """Tell who manages the project, who asked for it, and who asked for the request, that nobody answers; whom."""
    with ledger.business():
        Ask.objects.filter(pk__in=[one.pk for one in asks]).update(escalated_at=now)
        people = {
            one.pk: one
            for one in (
                *holders(request.lane, Right.MANAGE.value),
                request.requested_by,
                waiver.asked_by,
            )
        }
        names = ", ".join(sorted(one.person.name for one in asks))
        said = _("Asked since %(day)s: %(names)s.") % {
            "day": day(min(one.begun_at for one in asks)),
            "names": names,
        }
        told = telling.tell(
            people.values(),
            telling.News(
                kind=Notification.Kind.ESCALATED,
                once=f"escalate:waiver:{waiver.pk}:{now:%Y%m%d%H%M}",
                line=_("%(project)s: nobody answers whether to waive “%(title)s” for %(bundle)s to %(stage)s")
                % waiver_asks.words_of(request, waiver),
                url=request.address,
                text=" ".join(filter(None, (said, why))),
                project=request.lane.project,
            ),
        )
        _record(EventKind.WAIVER_ESCALATED, request, waiver, told, by, why=why)
        return told


def _record(
    kind: EventKind,
    request: DeploymentRequest,
    waiver: Waiver,
    people: Sequence[Person],
    by: Person,
    **more: str,
) -> None:
    ledger.record(
        kind,
        by=by,
        project=request.lane.project.key,
        subject=request.subject,
        request=request.pk,
        waiver=waiver.pk,
        requirement=waiver.requirement,
        title=waiver.title,
        bundle=request.bundle.bundle_id,
        stage=request.lane.stage.slug,
        people=sorted(str(one.pk) for one in people),
        count=len(people),
        **more,
    )
