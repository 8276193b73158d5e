"""The page of a waiver: what was waived and why, by whom, until when, what was signed; and taking it back."""

import json

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from governance.actions import signoffs, waivers
from governance.forms import WithdrawForm
from governance.models import Waiver
from governance.queries import waivers_for
from governance.views import sent
from portal import content, rights, typed
from portal.models import Event, Person
from portal.pages import person_of, status_of, told_by


def _waiver(person: Person, pk: int) -> Waiver:
    """The waiver, for whoever may see its project."""
    found = waivers_for(person).filter(pk=pk).first()
    if found is None:
        raise rights.absent()
    return found


@require_GET
def statement(request: HttpRequest, pk: int) -> HttpResponse:
    """The bytes that were signed, as they are kept: their digest is the one the waiver's page shows."""
    answer = getattr(_waiver(person_of(request), pk), "answer", None)
    if answer is None or answer.statement_id is None:
        raise rights.absent()
    return sent(content.get(answer.statement_id), signoffs.STATEMENT_TYPE, f"countersign-waiver-{pk}.json")


@require_http_methods(["GET", "POST"])
def one(request: HttpRequest, pk: int) -> HttpResponse:
    """One waiver. Whoever granted it takes it back here, and whoever asked before it is answered."""
    person = person_of(request)
    found = _waiver(person, pk)
    form = WithdrawForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with told_by(form):
            waivers.withdraw(by=person, waiver=found, why=form.cleaned_data["why"])
            messages.success(request, _("Taken back. It counts no more, and stays in the record."))
            return redirect("waiver", pk)
    typed.give_back(request, form)
    answer, withdrawal = getattr(found, "answer", None), getattr(found, "withdrawal", None)
    granted = answer is not None and answer.granted
    return render(
        request,
        "governance/waiver.html",
        {
            "waiver": found,
            "answer": answer,
            "granted": granted,
            "withdrawal": withdrawal,
            "mine": withdrawal is None
            and (granted or answer is None)
            and person.pk == (found.asked_by_id if answer is None else answer.answered_by_id),
            "form": form,
            "statement": json.dumps(
                json.loads(content.get(answer.statement_id)), indent=2, ensure_ascii=False
            )
            if answer is not None and answer.statement_id
            else "",
            "parts": sorted(found.parts.items()),
            "seq": Event.objects.filter(subject=found.subject).values_list("seq", flat=True).first(),
        },
        status=status_of(form),
    )
