"""Open requests of somebody who leaves: another takes them over, or they are withdrawn."""

from collections.abc import Mapping

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from deployments.models import REQUEST_MOVES, DeploymentRequest
from portal import ledger, rights
from portal.actions.leaving import Duties, Duty
from portal.errors import Invalid
from portal.event_kinds import EventKind
from portal.models import Person, Right
from portal.moving import make


class _Requests:
    """Requests nobody started yet. What is promoting goes on by itself."""

    def of(self, person: Person) -> list[Duty]:
        """Those they asked for, themselves or for somebody."""
        return [
            Duty(
                f"request:{request.pk}",
                _("request %(number)s: %(bundle)s of %(project)s to %(stage)s")
                % {
                    "number": request.pk,
                    "bundle": request.bundle.bundle_id,
                    "project": request.lane.project.name,
                    "stage": request.lane.stage.name,
                },
                _("it is withdrawn"),
            )
            for request in _open(person)
        ]

    def settle(self, *, by: Person, person: Person, heirs: Mapping[str, Person | None], why: str) -> None:
        """Hand each over to somebody who may ask there, or withdraw it."""
        for request in _open(person).select_for_update(of=("self",)):
            if f"request:{request.pk}" not in heirs:
                continue
            heir = heirs[f"request:{request.pk}"]
            if heir is None:
                make(
                    request,
                    REQUEST_MOVES,
                    "give_up",
                    by=by,
                    facts={"request": request.pk, "why": why, "on_behalf_of": None},
                )
            else:
                _hand_over(by, person, request, heir, why)


def _open(person: Person) -> QuerySet[DeploymentRequest]:
    found = DeploymentRequest.objects.filter(requested_by=person, status=DeploymentRequest.Status.OPEN)
    return found.select_related("lane__project", "lane__stage", "bundle").order_by("pk")


def _hand_over(by: Person, person: Person, request: DeploymentRequest, heir: Person, why: str) -> None:
    """The heir asks from now on, for whom it was asked; both stay barred from signing, and so does who leaves."""
    if not rights.can(heir, Right.REQUEST, request.lane):
        raise Invalid(
            _(
                "%(name)s has no right to ask for a promotion on %(project)s in %(stage)s. Name somebody who has."
            )
            % {
                "name": heir.name,
                "project": request.lane.project.name,
                "stage": request.lane.stage.name,
            },
            code="heir_lacks_right",
            field="heirs",
        )
    asked_for = request.on_behalf_of_id or person.pk
    request.requested_by = heir
    request.on_behalf_of_id = None if asked_for == heir.pk else asked_for
    request.save(update_fields=["requested_by", "on_behalf_of"])
    ledger.record(
        EventKind.REQUEST_HANDED_OVER,
        by=by,
        project=request.project_key,
        subject=request.subject,
        request=request.pk,
        person=str(person.pk),
        name=person.name,
        heir=str(heir.pk),
        heir_name=heir.name,
        why=why,
    )


REQUESTS: Duties = _Requests()
