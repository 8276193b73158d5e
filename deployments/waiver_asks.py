"""That people are asked whether to waive something: the letter they get, and the row that says since when.

Part of asking for a waiver (`deployments.actions.waiving`) and of asking those who can answer only later
(`deployments.actions.waiver_asking`), which write it down. Called in their transaction.
"""

from collections.abc import Sequence
from datetime import datetime

from django.utils.translation import gettext as _

from deployments.models import Ask, DeploymentRequest
from governance.models import Waiver
from portal import telling
from portal.models import Notification, Person


def put(
    *, request: DeploymentRequest, waiver: Waiver, people: Sequence[Person], now: datetime
) -> tuple[list[Ask], list[Person]]:
    """Tell people that a waiver waits for their answer, and keep that they are asked; who was not told of it before."""
    told = telling.tell(
        people,
        telling.News(
            kind=Notification.Kind.WAIVER,
            once=f"waiver:{waiver.pk}",
            line=_("%(project)s: waive “%(title)s” for %(bundle)s to %(stage)s?") % words_of(request, waiver),
            url=address_of(request, waiver),
            text=_("%(name)s asks for it: %(why)s") % {"name": waiver.asked_by.name, "why": waiver.why[:500]},
            project=request.lane.project,
        ),
    )
    asks = Ask.objects.bulk_create(
        Ask(
            request=request,
            requirement=waiver.requirement,
            waiver=waiver,
            person=one,
            begun_at=now,
            told_at=now,
        )
        for one in people
    )
    return asks, told


def address_of(request: DeploymentRequest, waiver: Waiver) -> str:
    """The page on which a waiver is answered, from the root of the portal."""
    return f"{request.address}waivers/{waiver.pk}/"


def words_of(request: DeploymentRequest, waiver: Waiver) -> dict[str, str]:
    """What the lines that are told have in them."""
    return {
        "project": request.lane.project.name,
        "title": waiver.title,
        "bundle": request.bundle.bundle_id,
        "stage": request.lane.stage.name,
    }
