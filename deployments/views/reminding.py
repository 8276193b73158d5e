"""Reminding who was asked to sign, and telling who manages the project."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from deployments.actions import asking
from deployments.forms import ReasonForm
from deployments.views.requests import found
from portal import rights, typed
from portal.models import Person, Right
from portal.pages import person_of, status_of, told_by


def _names(people: list[Person]) -> str:
    return ", ".join(sorted(one.name for one in people))


@require_http_methods(["GET", "POST"])
def remind(request: HttpRequest, key: str, number: int, requirement: str) -> HttpResponse:
    """Remind whoever is asked to sign this; the button stands on the request's page."""
    person = person_of(request)
    if request.method != "POST":
        return redirect(found(person, key, number).address)
    wish = found(person, key, number)
    reminded = asking.remind(by=person, request=wish, requirement=requirement)
    messages.success(request, _("Reminded: %(names)s.") % {"names": _names(reminded)})
    return redirect(wish.address)


@require_http_methods(["GET", "POST"])
def escalate(request: HttpRequest, key: str, number: int, requirement: str) -> HttpResponse:
    """Tell who manages the project, with the reason it cannot wait."""
    person = person_of(request)
    wish = found(person, key, number)
    rights.check(person, Right.REQUEST, wish.lane)
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with told_by(form):
            told = asking.escalate(
                by=person, request=wish, requirement=requirement, why=form.cleaned_data["why"]
            )
            if told:
                messages.success(request, _("Told: %(names)s.") % {"names": _names(told)})
            else:
                messages.warning(request, _("It is in the record, but nobody manages this project."))
            return redirect(wish.address)
    typed.give_back(request, form)
    return render(
        request,
        "deployments/escalate.html",
        {"project": wish.lane.project, "wish": wish, "requirement": requirement, "form": form},
        status=status_of(form),
    )
