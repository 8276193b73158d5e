"""A request: what its stage asks, what is met, who can do what now; starting, following and taking it back."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from deployments.actions import promotions as promotion_actions
from deployments.actions import requests as request_actions
from deployments.cards import folded, gate_rows, step_rows, steps_ahead, verdict_bar
from deployments.forms import CommentForm, ReasonForm, TicketForm
from deployments.judging import Judged, judge_now
from deployments.lanes import Standing, drawn, drawn_design, standings
from deployments.models import REQUEST_MOVES, DeploymentRequest, Promotion
from deployments.queries import comments_of, may_set_ticket, promotion_verbs, request_for
from deployments.views.bundles import against, live_of
from deployments.waiving import waivers_of
from deployments.words import story
from governance.actions import reports
from governance.exhibits import exhibits
from governance.models import Report, SignOff
from portal import rights, typed
from portal.canonical import digest
from portal.dss.manifest import PARTS
from portal.errors import Invalid, Refused
from portal.models import Person, Right
from portal.moves import open_to
from portal.pages import is_fragment, person_of, posted_on, renewed, told_by
from portal.queries import check_audit
from portal.refusals import audited
from portal.texts import plain

# As much of the conversation as stands on a request's own page.
TALK = 10


def found(person: Person, key: str, number: int) -> DeploymentRequest:
    """The request of this number in this project; raises Absent where the person may not see it."""
    return request_for(person, number, key)


@require_GET
def page(request: HttpRequest, key: str, number: int) -> HttpResponse:
    """One request."""
    return _page(request, found(person_of(request), key, number))


def _page(
    request: HttpRequest,
    wish: DeploymentRequest,
    *,
    promote_form: ReasonForm | None = None,
    withdraw_form: ReasonForm | None = None,
    ticket_form: TicketForm | None = None,
    status: int = 200,
) -> HttpResponse:
    person = person_of(request)
    whole = rights.held_by(person, [wish.lane])[wish.lane_id]
    held = whole.names
    judged, unjudged = _judged(wish)
    promotions = list(
        Promotion.objects.filter(request=wish)
        .select_related("bundle", "lane__stage", "started_by", "on_behalf_of", "undoes__bundle")
        .order_by("-pk")
    )
    running = next((one for one in promotions if not one.is_over), None)
    if running is None and wish.status == DeploymentRequest.Status.PROMOTING:
        wish.refresh_from_db(fields=["status", "held"])  # it ended since the request was read
    stands, here = _stands(wish)
    beside = against(wish.bundle, here)
    verbs = open_to(wish.status, REQUEST_MOVES, held)
    clauses = list(judged.case.requirements) if judged else []
    shown = exhibits(wish.bundle, clauses, live_of(beside)) if clauses else []
    anchors = {one.anchor for one in shown}
    gate, gate_met = folded(gate_rows(wish, judged, person, held, anchors) if judged else [])
    promote_form = promote_form or ReasonForm(prefix="promote")
    withdraw_form = withdraw_form or ReasonForm(prefix="withdraw")
    if ticket_form is None and may_set_ticket(wish, held):
        ticket_form = TicketForm(initial={"ticket": wish.ticket})
    typed.give_back(request, promote_form, withdraw_form, ticket_form)
    return render(
        request,
        "deployments/request.html",
        {
            "project": wish.lane.project,
            "wish": wish,
            **_standing(wish, stands, here),
            "judged": judged,
            "unjudged": unjudged,
            "gate": gate,
            "gate_met": gate_met,
            "bar": verdict_bar(wish, judged, person, whole, here.coming or here.held_by)
            if judged and wish.status == "open"
            else None,
            "promotion": running or (promotions[0] if promotions else None),
            "running": running,
            "steps": step_rows(running or promotions[0])
            if promotions
            else []
            if wish.is_over
            else steps_ahead(wish.lane_id),
            "undone": _undone(promotions[0]) if promotions else None,
            "history": [(one, story(one), promotion_verbs(one, held)) for one in promotions],
            "against": beside,
            "exhibits": shown,
            **talk(wish),
            "signoffs": SignOff.objects.filter(lane=wish.lane, bundle=wish.bundle)
            .select_related("person", "on_behalf_of", "withdrawal")
            .order_by("signed_at"),
            "waivers": waivers_of(wish),
            "reports": Report.objects.filter(project=wish.lane.project, about=wish.subject).order_by(
                "-asked_at"
            ),
            "may_report": Right.AUDIT.value in held,
            "may_withdraw": "withdraw" in verbs,
            "promote_form": promote_form,
            "withdraw_form": withdraw_form,
            "ticket_form": ticket_form,
            "asks_ticket": any(clause.kind == "change_ticket" for clause in clauses),
        },
        status=status,
    )


def talk(wish: DeploymentRequest) -> dict[str, Any]:
    """The end of the conversation, and how long it is in all."""
    newest = list(comments_of(wish)[: TALK + 1])
    more = len(newest) > TALK
    return {
        "comments": newest[:TALK][::-1],
        "more_comments": more,
        "comments_in_all": comments_of(wish).count() if more else len(newest),
        "comment_form": CommentForm(),
    }


def _undone(promotion: Promotion) -> dict[str, Any] | None:
    """What a rollback undoes: its bundle and how far it came."""
    undone = promotion.undoes
    return None if undone is None else {"bundle": undone.bundle, "steps": step_rows(undone)}


def _judged(wish: DeploymentRequest) -> tuple[Judged | None, str]:
    """The gate as it is now; where it cannot be asked, the sentence that says why."""
    try:
        return judge_now(wish), ""
    except Refused as refusal:
        return None, refusal.sentence


def _lane(standing: Standing, wish: DeploymentRequest) -> dict[str, Any]:
    """One lane, with this request's bundle on its way to the request's own stage only."""
    box = drawn(standing)
    if standing.lane.pk == wish.lane_id:
        box["coming"] = (
            wish.bundle.bundle_id
            if not wish.is_over and box["bundle"] != wish.bundle.bundle_id
            else box["coming"]
        )
    else:
        box["coming"] = standing.coming.bundle.bundle_id if standing.coming else ""
    return box


def _stands(wish: DeploymentRequest) -> tuple[list[Standing], Standing]:
    """How the lanes of the request's project stand, and its own."""
    stands = standings([wish.lane.project])[wish.lane.project_id]
    return stands, next(one for one in stands if one.lane.pk == wish.lane_id)


def _standing(wish: DeploymentRequest, stands: list[Standing], here: Standing) -> dict[str, Any]:
    """What a promotion changes on the page beside its steps, and `seen`, by which a later look knows it again."""
    lanes = [drawn_design(wish.lane.project, wish.bundle), *(_lane(one, wish) for one in stands)]
    seen = digest([{name: str(value) for name, value in box.items()} for box in lanes])
    return {"lanes": lanes, "facts": _facts(wish, here), "seen": seen}


def _facts(wish: DeploymentRequest, here: Standing) -> list[dict[str, Any]]:
    key, now = wish.lane.project.key, here.runs.bundle if here.runs else None
    differs = (
        [] if now is None else [part for part in PARTS if wish.bundle.parts.get(part) != now.parts.get(part)]
    )
    return [
        {
            "label": _("Bundle"),
            "value": wish.bundle.bundle_id,
            "url": reverse("bundle", args=[key, wish.bundle.bundle_id]),
        },
        {"label": _("Archive"), "value": wish.bundle.archive, "kind": "digest"},
        {
            "label": _("Made by"),
            "value": wish.bundle.author.name if wish.bundle.author else wish.bundle.author_in_dss,
        },
        {"label": _("Registered"), "value": wish.bundle.registered_at, "kind": "when"},
        *([{"label": _("Change ticket"), "value": wish.ticket}] if wish.ticket else []),
        {"label": _("Runs there now"), "value": now.bundle_id if now else _("nothing")},
        *(
            [
                {
                    "label": _("Changed against %(bundle)s") % {"bundle": now.bundle_id},
                    "value": ", ".join(differs) or _("no part"),
                }
            ]
            if now is not None and now.pk != wish.bundle_id
            else []
        ),
    ]


@require_GET
def live(request: HttpRequest, key: str, number: int) -> HttpResponse:
    """What a running promotion changes, which looks again by itself; once it is over, the page is read anew."""
    wish = found(person_of(request), key, number)
    running = (
        Promotion.objects.filter(request=wish, status=Promotion.Status.RUNNING)
        .select_related("bundle", "lane__stage", "started_by", "on_behalf_of")
        .first()
    )
    if running is None or request.GET.get("promotion") not in (None, str(running.pk)):
        return renewed() if is_fragment(request) else redirect("request", key, number)
    standing = _standing(wish, *_stands(wish))
    return render(
        request,
        "deployments/_live.html",
        {
            **standing,
            "changed": request.GET.get("seen") != standing["seen"],
            "project": wish.lane.project,
            "wish": wish,
            "promotion": running,
            "running": running,
            "steps": step_rows(running),
        },
    )


@posted_on("request", found)
def promote(request: HttpRequest, key: str, number: int) -> HttpResponse:
    """Start the promotion, if the gate is open now."""
    person = person_of(request)
    wish = found(person, key, number)
    why = plain(request.POST.get("promote-why", ""))
    try:
        with audited(person, wish.lane.project, wish.subject, "promote"):
            promotion_actions.promote(by=person, request=wish, why=why)
    except Invalid as refusal:
        form = ReasonForm(request.POST, prefix="promote")
        if form.is_valid():
            form.add_error("why", refusal.sentence)
        return _page(request, wish, promote_form=form, status=400)
    messages.success(request, _("Started. The steps below show how far it is."))
    return redirect("request", key, number)


@posted_on("request", found)
def withdraw(request: HttpRequest, key: str, number: int) -> HttpResponse:
    """Take the request back."""
    person = person_of(request)
    wish = found(person, key, number)
    form = ReasonForm(request.POST, prefix="withdraw")
    if form.is_valid():
        with told_by(form):
            request_actions.withdraw(by=person, request=wish, why=form.cleaned_data["why"])
            messages.success(request, _("The request is withdrawn. Its signatures stay with the bundle."))
            return redirect("request", key, number)
    return _page(request, wish, withdraw_form=form, status=400)


@posted_on("request", found)
def ticket(request: HttpRequest, key: str, number: int) -> HttpResponse:
    """Give the request another change ticket."""
    person = person_of(request)
    wish = found(person, key, number)
    form = TicketForm(request.POST)
    if form.is_valid():
        with told_by(form):
            request_actions.set_ticket(by=person, request=wish, ticket=form.cleaned_data["ticket"])
            messages.success(request, _("The change ticket is kept; the checklist is judged with it."))
            return redirect("request", key, number)
    return _page(request, wish, ticket_form=form, status=400)


@posted_on("request", found)
def report(request: HttpRequest, key: str, number: int) -> HttpResponse:
    """Ask for the audit report of this request."""
    person = person_of(request)
    wish = found(person, key, number)
    check_audit(person, wish.lane.project)
    made = reports.ask_report(by=person, project=wish.lane.project, about=wish.subject)
    return redirect("report", made.pk)
