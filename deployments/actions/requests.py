"""Asks for promotions and takes the wish back."""

from contextlib import suppress

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from deployments.judging import principal_of
from deployments.models import REQUEST_MOVES, Deployment, DeploymentRequest
from governance.ticket import TICKET, TICKET_LIMIT
from portal import ledger, rights
from portal.errors import Invalid, Refused, Stale
from portal.event_kinds import EventKind
from portal.models import Bundle, Lane, Person, Right
from portal.moving import make

WHY_LIMIT = 5_000


def submit(*, by: Person, bundle: Bundle, lane: Lane, why: str, ticket: str = "") -> DeploymentRequest:
    """Ask for a bundle to go to a lane. An older open request for this lane is superseded.

    `ticket` is the number of a change ticket; whether it does is the gate's to say, and it can be given later.

    Raises Absent/Forbidden for the right, Invalid naming the field, Refused for a bundle not registered or asked twice,
    and for one that runs there already: to bring it again could only put at risk what runs well.
    """
    rights.check(by, Right.REQUEST, lane)
    if bundle.project_id != lane.project_id:
        raise rights.absent()
    if not why.strip():
        raise Invalid(_("Say why; reviewers and auditors read it."), code="why_missing", field="why")
    if len(why.strip()) > WHY_LIMIT:
        raise Invalid(
            _("Say why in at most %(limit)s characters; documents hold longer texts.") % {"limit": WHY_LIMIT},
            code="why_long",
            field="why",
        )
    ticket = _ticket(ticket)
    if not bundle.is_registered:
        raise Refused(
            _("Bundle %(bundle)s is %(status)s, so nothing can be asked for it yet.")
            % {"bundle": bundle.bundle_id, "status": bundle.get_status_display()},
            code="bundle_not_registered",
        )
    _check_not_running(by, bundle, lane)
    principal = principal_of(by, Right.REQUEST, lane)
    with ledger.business():
        # Two who ask for the same lane at once wait for each other here, so that the later supersedes the earlier.
        Lane.objects.select_for_update(no_key=True).get(pk=lane.pk)
        same = DeploymentRequest.objects.filter(
            lane=lane, bundle=bundle, status__in=("open", "promoting")
        ).first()
        if same is not None:
            raise _asked_already(same)
        older = list(
            DeploymentRequest.objects.filter(lane=lane, status="open").select_related(
                "lane__project", "lane__stage"
            )
        )
        try:
            with transaction.atomic():
                request = DeploymentRequest.objects.create(
                    lane=lane,
                    bundle=bundle,
                    why=why.strip(),
                    ticket=ticket,
                    requested_by=by,
                    on_behalf_of=principal,
                )
        except IntegrityError as error:
            raise _asked_already(None) from error
        ledger.record(
            EventKind.REQUEST_SUBMITTED,
            by=by,
            project=lane.project.key,
            subject=request.subject,
            request=request.pk,
            bundle=bundle.bundle_id,
            bundle_subject=bundle.subject,
            stage=lane.stage.slug,
            why=request.why,
            name=by.name,
            on_behalf_of=principal and str(principal.pk),
            for_name=principal.name if principal else "",
            project_name=lane.project.name,
            stage_name=lane.stage.name,
        )
        if ticket:
            _record_ticket(by, request, "", principal)
        for one in older:
            with suppress(Stale):  # withdrawn or started meanwhile: it goes its own way
                make(
                    one,
                    REQUEST_MOVES,
                    "supersede",
                    by=Person.objects.system(),
                    facts={"request": one.pk, "by_request": request.pk},
                )
        return request


def set_ticket(*, by: Person, request: DeploymentRequest, ticket: str) -> None:
    """Give an open request another change ticket, or take it away with an empty one. The same again changes nothing.

    Raises Absent/Forbidden for the right, Invalid for what is no ticket, Stale for a request that is not open.
    """
    rights.check(by, Right.REQUEST, request.lane)
    ticket = _ticket(ticket)
    principal = principal_of(by, Right.REQUEST, request.lane)
    with ledger.business():
        now = DeploymentRequest.objects.select_for_update(of=("self",)).get(pk=request.pk)
        if now.status != DeploymentRequest.Status.OPEN:
            raise Stale(
                _("This request is %(status)s, so its change ticket stays as it is.")
                % {"status": now.get_status_display()},
                code="request_not_open",
            )
        if now.ticket == ticket:
            return
        DeploymentRequest.objects.filter(pk=now.pk).update(ticket=ticket)
        request.ticket = ticket
        _record_ticket(by, request, now.ticket, principal)


def _ticket(typed: str) -> str:
    ticket = typed.strip()
    if ticket and TICKET.fullmatch(ticket) is None:
        raise Invalid(
            _(
                "A change ticket is a number such as CHG0042: at most %(limit)s letters, digits and . _ : / # -,"
                " without spaces."
            )
            % {"limit": TICKET_LIMIT},
            code="ticket_unusable",
            field="ticket",
        )
    return ticket


def _record_ticket(by: Person, request: DeploymentRequest, was: str, principal: Person | None) -> None:
    ledger.record(
        EventKind.REQUEST_TICKETED,
        by=by,
        project=request.lane.project.key,
        subject=request.subject,
        request=request.pk,
        ticket=request.ticket,
        was=was,
        bundle=request.bundle.bundle_id,
        stage=request.lane.stage.slug,
        on_behalf_of=principal and str(principal.pk),
    )


def withdraw(*, by: Person, request: DeploymentRequest, why: str) -> None:
    """Take an open request back."""
    rights.check(by, Right.REQUEST, request.lane)
    if not why.strip():
        raise Invalid(_("Say why the request is withdrawn."), code="why_missing", field="why")
    principal = principal_of(by, Right.REQUEST, request.lane)
    with ledger.business():
        make(
            request,
            REQUEST_MOVES,
            "withdraw",
            by=by,
            facts={
                "request": request.pk,
                "why": why.strip(),
                "on_behalf_of": principal and str(principal.pk),
            },
        )


def _check_not_running(by: Person, bundle: Bundle, lane: Lane) -> None:
    """Raises Refused, and writes it down, where the bundle runs in the lane and completed its watch."""
    runs = Deployment.objects.filter(
        lane=lane, bundle=bundle, ended_at__isnull=True, watched_at__isnull=False
    )
    if not runs.exists():
        return
    refusal = Refused(
        _(
            "Bundle %(bundle)s runs in %(stage)s already and completed its watch there, so there is nothing to bring. "
            "Ask for another bundle, or for this one in another stage."
        )
        % {"bundle": bundle.bundle_id, "stage": lane.stage.name},
        code="bundle_runs_already",
    )
    with ledger.business():
        ledger.record(
            EventKind.ACCESS_REFUSED,
            by=by,
            project=lane.project.key,
            subject=bundle.subject,
            action="request",
            code=refusal.code,
            reason=refusal.sentence,
        )
    raise refusal


def _asked_already(request: DeploymentRequest | None) -> Refused:
    number = f" ({request.pk})" if request else ""
    return Refused(
        _("There is a request for this bundle to this stage already%(number)s. Open that one.")
        % {"number": number},
        code="request_duplicate",
        request=request.pk if request else None,
    )
