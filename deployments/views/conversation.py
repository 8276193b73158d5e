"""The conversation of a request: the whole of it, a page at a time, and saying something."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from deployments.actions import conversation
from deployments.forms import CommentForm
from deployments.queries import comments_of
from deployments.views.requests import found
from portal import typed
from portal.pages import page_of, person_of, status_of, told_by


@require_http_methods(["GET", "POST"])
def page(request: HttpRequest, key: str, number: int) -> HttpResponse:
    """Everything said, newest first; and what is said now."""
    person = person_of(request)
    wish = found(person, key, number)
    form = CommentForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with told_by(form):
            said = conversation.say(by=person, request=wish, text=form.cleaned_data["text"])
            if said.unknown:
                messages.warning(
                    request,
                    ngettext(
                        "It stands there, but %(names)s was not told: nobody who may see this project signs in so.",
                        "It stands there, but %(names)s were not told: nobody who may see this project signs in so.",
                        len(said.unknown),
                    )
                    % {"names": ", ".join(f"@{login}" for login in said.unknown)},
                )
            else:
                messages.success(request, _("Said."))
            return redirect(f"{wish.address}#conversation")
    typed.give_back(request, form)
    return render(
        request,
        "deployments/conversation.html",
        {
            "project": wish.lane.project,
            "wish": wish,
            "page": page_of(request, comments_of(wish)),
            "form": form,
        },
        status=status_of(form),
    )
