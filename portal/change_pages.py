"""Pages of changes: what was proposed, what it would do, and applying, refusing or taking it back. No rules."""

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from portal import rights
from portal.actions import changes
from portal.errors import Invalid, Refused, Stale
from portal.estate_words import told_of
from portal.forms import WhyForm
from portal.models import Change, Person
from portal.pages import page_of, person_of
from portal.proposed import lines, with_names
from portal.queries import changes_for, deciders_of, proposed


@require_GET
def listed(request: HttpRequest) -> HttpResponse:
    """The changes the reader may see: those that wait, or all."""
    every = request.GET.get("show") == "all"
    found = changes_for(person_of(request))
    if not every:
        found = found.filter(status=Change.Status.WAITING)
    return render(request, "portal/changes.html", {"page": page_of(request, found), "every": every})


@require_GET
def one(request: HttpRequest, pk: int) -> HttpResponse:
    """One change: what it does, in words, and what the reader can do about it."""
    person = person_of(request)
    change = _change(person, pk)
    waits = change.status == Change.Status.WAITING
    return render(
        request,
        "portal/change.html",
        {
            "change": change,
            "lines": lines(change.wish["ops"]) if change.kind == Change.Kind.RIGHTS else [],
            "differences": told_of(change.wish, change.basis) if change.kind == Change.Kind.ESTATE else [],
            "facts": [] if change.kind in (Change.Kind.RIGHTS, Change.Kind.ESTATE) else facts_of(change),
            "may": waits and changes.may_decide(person, change),
            "mine": waits and change.asked_by_id == person.pk,
            "deciders": deciders_of(change) if waits else "",
            "place_url": _place_url(change),
            "form": WhyForm(),
            "cooling_off": cooling_off(),
        },
    )


@require_POST
def apply(request: HttpRequest, pk: int) -> HttpResponse:
    """Apply what somebody else proposed."""
    person = person_of(request)
    change = _change(person, pk)
    try:
        changes.apply(by=person, change=change)
    except (Invalid, Stale) as refusal:
        messages.error(request, refusal.sentence)
    else:
        messages.success(request, _("Applied: it counts at once, and stands in the ledger."))
    return redirect("change", pk)


@require_POST
def refuse(request: HttpRequest, pk: int) -> HttpResponse:
    """Refuse what somebody else proposed, with a reason."""
    return _end(request, pk, "refuse", _("Refused. Whoever proposed it sees why."))


@require_POST
def withdraw(request: HttpRequest, pk: int) -> HttpResponse:
    """Take back what one proposed oneself."""
    return _end(request, pk, "withdraw", _("Taken back; nothing was changed."))


def asked_for(request: HttpRequest, change: Change, onward: str) -> HttpResponse:
    """After a change was asked for: on to where it shows when it was applied, else to the change that waits."""
    if change.status == Change.Status.APPLIED:
        messages.success(request, _("Done: it counts at once, and stands in the ledger."))
        return redirect(onward)
    messages.success(request, proposed(change))
    return redirect("change", change.pk)


def then(*, only_takes: bool = False) -> str:
    """What happens to a change that is sent."""
    said = (
        _("It waits then until a second administrator applies it.")
        if settings.SECOND_ADMIN and not only_takes
        else _("It counts at once, and stands in the ledger.")
    )
    return f"{said} {cooling_off()}".rstrip()


def cooling_off() -> str:
    """What a change costs whoever makes it, in words; nothing where settings.COOLING_OFF_SECONDS is none."""
    seconds = int(settings.COOLING_OFF_SECONDS)
    if seconds <= 0:
        return ""
    days, hours = round(seconds / 86400), max(1, round(seconds / 3600))
    time = (
        ngettext("%(n)s day", "%(n)s days", days) % {"n": days}
        if seconds >= 2 * 86400
        else ngettext("%(n)s hour", "%(n)s hours", hours) % {"n": hours}
    )
    return _("Whoever proposed or applied it does not sign for %(time)s for what it reaches.") % {
        "time": time
    }


def facts_of(change: Change) -> list[str]:
    """What a change of any kind does, a line each, with people's names; or why that cannot be told any more."""
    try:
        return with_names(changes.kind_of(change.kind).facts(change.wish))
    except Refused as refusal:
        return [refusal.sentence]


def _end(request: HttpRequest, pk: int, verb: str, done: str) -> HttpResponse:
    person = person_of(request)
    change = _change(person, pk)
    why = request.POST.get("why", "")
    try:
        if verb == "refuse":
            changes.refuse(by=person, change=change, why=why)
        else:
            changes.withdraw(by=person, change=change, why=why)
    except (Invalid, Stale) as refusal:
        messages.error(request, refusal.sentence)
    else:
        messages.success(request, done)
    return redirect("change", pk)


def _change(person: Person, pk: int) -> Change:
    found = changes_for(person).filter(pk=pk).first()
    if found is None:
        raise rights.absent()
    return found


def _place_url(change: Change) -> str:
    if change.project is not None:
        return reverse("rights", args=[change.project.key])
    if change.portfolio is not None:
        return reverse("portfolio-rights", args=[change.portfolio.slug])
    return reverse("estate" if change.kind == Change.Kind.ESTATE else "estate-rights")
