"""A promotion under way that is to be stopped, or one that is over and still holds its lane."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from deployments.actions import promotions as promotion_actions
from deployments.forms import ReasonForm, StopForm
from deployments.models import Promotion
from deployments.queries import promotion_for
from deployments.words import story
from portal import rights, typed
from portal.models import Person, Right
from portal.pages import person_of, status_of, told_by


def _found(person: Person, key: str, number: int) -> Promotion:
    """The promotion, for whoever may stop it or let go of its lane."""
    promotion = promotion_for(person, number)
    if promotion.lane.project.key != key:
        raise rights.absent()
    rights.check(person, Right.PROMOTE, promotion.lane)
    return promotion


@require_http_methods(["GET", "POST"])
def stop(request: HttpRequest, key: str, number: int) -> HttpResponse:
    """Say what stopping will do, ask why (and, once something live changed, what then), and stop."""
    person = person_of(request)
    promotion = _found(person, key, number)
    if request.method == "GET" and promotion.is_over:
        messages.info(request, _("This promotion is over, so there is nothing to stop."))
        return redirect("request", key, promotion.request_id)
    form = StopForm(request.POST or None, live=promotion.live_at is not None)
    if request.method == "POST" and form.is_valid():
        with told_by(form):
            rollback = promotion_actions.stop(
                by=person,
                promotion=promotion,
                why=form.cleaned_data["why"],
                keep=form.cleaned_data.get("then") == "keep",
            )
            messages.success(request, _("Stopped, and rolling back.") if rollback else _("Stopped."))
            return redirect("request", key, promotion.request_id)
    typed.give_back(request, form)
    return render(
        request,
        "deployments/stop.html",
        {"project": promotion.lane.project, "promotion": promotion, "form": form},
        status=status_of(form),
    )


@require_http_methods(["GET", "POST"])
def release(request: HttpRequest, key: str, number: int) -> HttpResponse:
    """Say what letting go of the lane means, ask why, and do it."""
    person = person_of(request)
    promotion = _found(person, key, number)
    if request.method == "GET" and not (promotion.is_over and promotion.holds_lane):
        messages.info(
            request, _("This promotion does not hold %(stage)s.") % {"stage": promotion.lane.stage.name}
        )
        return redirect("request", key, promotion.request_id)
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with told_by(form):
            promotion_actions.release_lane(by=person, promotion=promotion, why=form.cleaned_data["why"])
            messages.success(request, _("%(stage)s is free again.") % {"stage": promotion.lane.stage.name})
            return redirect("request", key, promotion.request_id)
    typed.give_back(request, form)
    return render(
        request,
        "deployments/release.html",
        {
            "project": promotion.lane.project,
            "promotion": promotion,
            "form": form,
            "story": story(promotion),
        },
        status=status_of(form),
    )
