"""Waivers of a request: asking for one, and answering with everything that matters on one page."""

from contextlib import nullcontext
from datetime import timedelta

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from deployments.actions import waiving
from deployments.judging import findings_in_words, judge_now
from deployments.models import DeploymentRequest
from deployments.views.requests import found
from deployments.waiving import waivers_of
from governance import openings
from governance.actions.waivers import Draft, able, end_of_day, is_open, longest, pieces, to_waive
from governance.exhibits import documents, exhibits
from governance.forms import AskWaiverForm, WaiveForm
from governance.models import Opening, Waiver
from portal import rights, typed
from portal.errors import Stale
from portal.models import Person, Right
from portal.names import names
from portal.pages import is_shown, person_of, proof_of, status_of, told_by, way_of
from portal.refusals import audited

# What is offered at first, where so long is allowed.
USUAL = timedelta(days=30)


@require_http_methods(["GET", "POST"])
def ask(request: HttpRequest, key: str, number: int, requirement: str) -> HttpResponse:
    """Ask to let what is found of a requirement pass."""
    person = person_of(request)
    wish = found(person, key, number)
    rights.check(person, Right.REQUEST, wish.lane)
    judged = judge_now(wish)
    clause, _finding = to_waive(judged.case, requirement)
    last, now = longest(clause), timezone.now()
    form = AskWaiverForm(
        request.POST or None,
        last=timezone.localtime(now + last).date(),
        initial={"until": timezone.localtime(now + min(last, USUAL)).date()},
    )
    if request.method == "POST" and form.is_valid():
        with told_by(form):
            waiver = waiving.ask(
                by=person,
                request=wish,
                requirement=requirement,
                why=form.cleaned_data["why"],
                until=end_of_day(clause, form.cleaned_data["until"]),
            )
            messages.success(request, _("Asked. Whoever can waive it is told."))
            return redirect("waiver", waiver.pk)
    typed.give_back(request, form)
    words = next(one for one in findings_in_words(judged) if one["key"] == requirement)
    people = able(judged.case, person, None, now)
    return render(
        request,
        "deployments/waive_ask.html",
        {
            "project": wish.lane.project,
            "wish": wish,
            "finding": words,
            "people": sorted(map(names(list(people)), people)),
            "form": form,
        },
        status=status_of(form),
    )


def _waiver(person: Person, key: str, number: int, pk: int) -> tuple[DeploymentRequest, Waiver]:
    """A request and a waiver of it; raises Absent where the person may not see it, or it is of another."""
    wish = found(person, key, number)
    waiver = waivers_of(wish).filter(pk=pk).first()
    if waiver is None:
        raise rights.absent()
    return wish, waiver


@sensitive_post_parameters("password", "code")
@require_http_methods(["GET", "POST"])
def answer(request: HttpRequest, key: str, number: int, pk: int) -> HttpResponse:
    """What would be waived, and the answer. What changed since the page was opened is never signed."""
    person = person_of(request)
    wish, waiver = _waiver(person, key, number, pk)
    sends = request.method == "POST"
    # Looking is not trying: what is kept is that somebody sent the form.
    with audited(person, wish.lane.project, wish.subject, "waive") if sends else nullcontext():
        draft = waiving.draft(by=person, request=wish, waiver=waiver)
    if not sends and not is_open(waiver):
        return redirect("waiver", pk)  # as from an older letter: what became of it stands there
    form = WaiveForm(request.POST or None, initial={"bound": draft.bound}, way=way_of(request))
    stale = ""
    if sends and form.is_valid():
        said = form.cleaned_data
        try:
            with told_by(form), audited(person, wish.lane.project, wish.subject, "waive"):
                if said["answer"] == "grant":
                    waiving.grant(
                        by=person,
                        proof=proof_of(request, said),
                        request=wish,
                        waiver=waiver,
                        bound=said["bound"],
                        comment=said["comment"],
                    )
                    messages.success(request, _("Waived. It stands in the record, with your name."))
                else:
                    waiving.refuse(by=person, request=wish, waiver=waiver, why=said["comment"])
                    messages.success(request, _("Not waived. Whoever asked is told."))
                return redirect("request", key, number)
        except Stale as refusal:
            stale = refusal.sentence
    typed.give_back(request, form)
    return _page(request, wish, draft, form, stale, 409 if stale else status_of(form))


def _page(
    request: HttpRequest,
    wish: DeploymentRequest,
    draft: Draft,
    form: WaiveForm,
    stale: str,
    status: int,
) -> HttpResponse:
    clauses = [draft.clause] if draft.clause is not None else []
    about = {digest for clause in clauses for digest in pieces(draft.case, clause)}
    shown = [one for one in exhibits(wish.bundle, clauses) if one.evidence.digest in about] if about else []
    kinds = {str(clause.params.get("kind")) for clause in clauses if clause.kind == "document"}
    texts = [one for one in documents(wish.bundle) if one.kind in kinds] if kinds else []
    openings.opened(
        person_of(request),
        wish.bundle,
        [
            *((Opening.What.EVIDENCE, one.evidence.digest) for one in shown),
            *((Opening.What.DOCUMENT, one.digest) for one in texts),
        ],
    )
    words = {one["key"]: one for one in findings_in_words(judge_now(wish))}
    return render(
        request,
        "deployments/waive.html",
        {
            "project": wish.lane.project,
            "wish": wish,
            "waiver": draft.waiver,
            "draft": draft,
            "found": words.get(draft.waiver.requirement),
            "exhibits": shown,
            "documents": texts,
            "parts": sorted(draft.waiver.parts.items()),
            "form": form,
            "shown": is_shown(request),
            "stale": stale,
        },
        status=status,
    )
