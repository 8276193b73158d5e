"""Asking to waive what a request waits for, and answering: governance signs, deployments says what is found now."""

from datetime import datetime

from django.utils.translation import gettext as _

from deployments import waiver_asks
from deployments.judging import judge_now
from deployments.models import DeploymentRequest
from governance.actions import waivers
from governance.models import Waiver, WaiverAnswer
from portal import ledger
from portal.errors import Refused
from portal.models import Person
from portal.reauthentication import Proof


def ask(*, by: Person, request: DeploymentRequest, requirement: str, why: str, until: datetime) -> Waiver:
    """Ask to let what is found of a requirement pass; whoever can grant it is told. See governance.actions.waivers."""
    _check_not_over(request)
    with ledger.business():
        waiver, people = waivers.ask(
            by=by,
            bundle=request.bundle,
            lane=request.lane,
            case=judge_now(request).case,
            requirement=requirement,
            why=why,
            until=until,
            request=request.pk,
        )
        waiver_asks.put(request=request, waiver=waiver, people=people, now=waiver.asked_at)
        return waiver


def draft(*, by: Person, request: DeploymentRequest, waiver: Waiver) -> waivers.Draft:
    """What `by` would grant now."""
    return waivers.draft(by=by, waiver=waiver, case=judge_now(request).case)


def grant(
    *, by: Person, proof: Proof, request: DeploymentRequest, waiver: Waiver, bound: str, comment: str = ""
) -> WaiverAnswer:
    """Grant a waiver that was asked for, with a signature; whoever asked is told."""
    _check_not_over(request)
    return waivers.grant(
        by=by,
        proof=proof,
        waiver=waiver,
        case=judge_now(request).case,
        bound=bound,
        subject=request.subject,
        comment=comment,
        url=request.address,
    )


def refuse(*, by: Person, request: DeploymentRequest, waiver: Waiver, why: str) -> WaiverAnswer:
    """Say no to a waiver that was asked for; whoever asked is told."""
    return waivers.refuse(by=by, waiver=waiver, why=why, url=request.address)


def _check_not_over(request: DeploymentRequest) -> None:
    if request.is_over:
        raise Refused(
            _("This request is over, so there is nothing to waive. Ask for the bundle again."),
            code="request_over",
        )
