"""Pages of access reviews: the list, one review with its progress, and what is answered for at one place. No rules."""

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods

from governance import reviews
from governance.actions import access_reviews, reports
from governance.actions.access_reviews import Answer
from governance.actions.signoffs import STATEMENT_TYPE
from governance.forms import AnswersForm, CallOffForm, StartReviewForm
from governance.models import AccessReview, ReviewedGrant, ReviewPlace
from governance.queries import reports_about
from governance.review_statement import GrantFacts
from governance.views import sent
from portal import content, rights, typed
from portal.errors import Invalid, Stale
from portal.granted import in_force
from portal.models import Grant, Person, Portfolio, Project, Right
from portal.pages import (
    is_shown,
    oversight,
    page_of,
    person_of,
    posted_on,
    proof_of,
    status_of,
    told_by,
    way_of,
)
from portal.places import EVERYWHERE, Place
from portal.refusals import audited
from portal.ways import Way, told

# Rights from further up that are named beside those of a project.
HANDED_DOWN = 50


@require_GET
def listed(request: HttpRequest) -> HttpResponse:
    """The reviews the reader may see, newest first, each with how far it is."""
    person = person_of(request)
    page = page_of(request, reviews.reviews_for(person))
    progress = reviews.progress_seen(person, page)
    held, _somewhere = oversight(request)
    return render(
        request,
        "governance/access_reviews.html",
        {
            "page": page,
            "rows": [(one, progress[one.pk]) for one in page],
            "may_start": Right.MANAGE.value in held,
        },
    )


@require_http_methods(["GET", "POST"])
def start(request: HttpRequest) -> HttpResponse:
    """Start one: what it asks about, until when, why."""
    person = person_of(request)
    rights.check_estate(person, Right.MANAGE)
    form = StartReviewForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        with told_by(form):
            review = access_reviews.start(by=person, due=said["due"], why=said["why"], **_scope(said))
            messages.success(
                request,
                _("Access review %(number)s has started; it stands in the inboxes.") % {"number": review.pk},
            )
            return redirect("access-review", review.pk)
    typed.give_back(request, form)
    return render(request, "governance/access_review_start.html", {"form": form}, status=status_of(form))


def _scope(said: dict[str, Any]) -> dict[str, Any]:
    """The portfolio and the project that a form names."""
    found: dict[str, Any] = {}
    if said["portfolio"]:
        found["portfolio"] = Portfolio.objects.filter(slug=said["portfolio"]).first()
    if said["project"]:
        found["project"] = Project.objects.filter(key=said["project"]).first()
        if found["project"] is None:
            raise Invalid(
                _("There is no project with the key “%(key)s”.") % {"key": said["project"]},
                code="project_unknown",
                field="project",
            )
    return found


@require_GET
def one(request: HttpRequest, number: int) -> HttpResponse:
    """One review: its state, how far each place is, who signed, and what administrators can do."""
    person = person_of(request)
    review = reviews.review_for(person, number)
    page = page_of(request, reviews.places_for(person, review).prefetch_related("project__owners"))
    progress, mine = reviews.progress_at(page), reviews.answers_at(person, list(page))
    held, _somewhere = oversight(request)
    over = bool({Right.MANAGE.value, Right.AUDIT.value} & held)
    signatures = review.signatures.select_related("signed_by")[:20] if over else []
    return render(
        request,
        "governance/access_review.html",
        {
            "review": review,
            "progress": reviews.progress_of([review])[review.pk] if over else None,
            "page": page,
            "rows": [(place, progress[place.pk], place.pk in mine) for place in page],
            "signatures": signatures,
            "over": over,
            "may_end": Right.MANAGE.value in held and review.is_running,
            "form": CallOffForm(),
            "reports": reports_about(person, review.subject)[:5] if over else [],
        },
    )


@sensitive_post_parameters("password", "code")
@require_http_methods(["GET", "POST"])
def place(request: HttpRequest, number: int, at: int) -> HttpResponse:
    """The grants a review asks about at one place, each with how it came about; answers under a signature."""
    person = person_of(request)
    here = reviews.place_for(person, number, at)
    review = here.review
    may = here.pk in reviews.answers_at(person, [here]) and review.is_running
    sent_ = request.method == "POST"
    form = AnswersForm(request.POST if sent_ else None, way=way_of(request)) if may else None
    stale = ""
    if sent_ and form is None:
        access_reviews.check_may_answer(by=person, place=here)
    if sent_ and form is not None and form.is_valid():
        said = form.cleaned_data
        try:
            with told_by(form), audited(person, here.project, review.subject, "answer"):
                signature = access_reviews.answer(
                    by=person,
                    proof=proof_of(request, said),
                    review=review,
                    answers=_answers(request),
                    why=said["why"],
                )
                done = signature.answers.count()
                messages.success(request, _("Signed: %(count)s answered. Thank you.") % {"count": done})
                return redirect("access-review-place", number, at)
        except Stale as refusal:
            stale = refusal.sentence
    if form is not None:
        typed.give_back(request, form)
    status = 409 if stale else status_of(form)
    return render(
        request,
        "governance/access_review_place.html",
        _shown(request, person, here, form, stale),
        status=status,
    )


def _answers(request: HttpRequest) -> list[Answer]:
    """What is ticked beside each right; one that is not ticked waits on."""
    found = []
    for name, said in request.POST.items():
        kind, _dash, number = name.partition("-")
        if kind == "answer" and said and number.isascii() and number.isdecimal() and len(number) < 18:
            found.append(Answer(int(number), str(said), request.POST.get(f"digest-{number}", "")))
    return found


def _shown(
    request: HttpRequest, person: Person, here: ReviewPlace, form: AnswersForm | None, stale: str
) -> dict[str, Any]:
    page = page_of(request, reviews.asked_at(here))
    grants = [asked.grant for asked in page]
    facts, used = reviews.facts_of(grants), reviews.last_used(here, grants)
    own = set(
        Grant.objects.filter(reviews.own_grants(person), pk__in=[grant.pk for grant in grants]).values_list(
            "pk", flat=True
        )
    )
    progress = reviews.progress_at([here])[here.pk]
    rows = [_row(request, here, asked, facts[asked.grant_id], used, own) for asked in page]
    return {
        "review": here.review,
        "place": here,
        "page": page,
        "rows": rows,
        "progress": progress,
        "form": form if any(row["open"] for row in rows) else None,
        "stale": stale,
        "shown": is_shown(request),
        "meaning": access_reviews.meaning(here.review),
        "owners": list(here.project.owners.filter(is_active=True)) if here.project else [],
        "handed_down": _handed_down(request, here),
    }


def _handed_down(request: HttpRequest, here: ReviewPlace) -> list[tuple[Grant, str]]:
    """What reaches a project from further up, and is answered for there; of the estate's for who looks over it."""
    if here.project is None:
        return []
    held, _somewhere = oversight(request)
    above = Place(project=here.project).inherited
    if {Right.MANAGE.value, Right.AUDIT.value} & held:
        above |= EVERYWHERE
    found = in_force().filter(above).order_by("right", "role", "pk")[:HANDED_DOWN]
    return [(grant, told(Way(grant), of_team=True)) for grant in found]


def _row(
    request: HttpRequest,
    here: ReviewPlace,
    asked: ReviewedGrant,
    facts: GrantFacts,
    used: dict[int, datetime],
    own: set[int],
) -> dict[str, Any]:
    grant = asked.grant
    waits = not asked.answer and grant.revoked_at is None and asked.review_id == grant.under_review
    state = asked.answer or ("asked" if waits and here.review.is_running else "lapsed" if waits else "gone")
    return {
        "asked": asked,
        "grant": grant,
        "members": facts.members,
        "through": told(Way(grant), of_team=True, as_given=True),
        "used": used.get(grant.pk),
        "digest": facts.digest,
        "state": state,
        "own": grant.pk in own,
        "open": state == "asked" and grant.pk not in own,
        "said": request.POST.get(f"answer-{grant.pk}", ""),
    }


def _see(person: Person, number: int) -> AccessReview:
    return reviews.review_for(person, number)


@posted_on("access-review", _see)
def call_off(request: HttpRequest, number: int) -> HttpResponse:
    """End it before its due date: what nobody answered for stays as it was given."""
    person = person_of(request)
    access_reviews.call_off(by=person, review=_see(person, number), why=request.POST.get("why", ""))
    messages.success(request, _("Called off. What nobody answered for keeps the end it was given."))
    return redirect("access-review", number)


@posted_on("access-review", _see)
def report(request: HttpRequest, number: int) -> HttpResponse:
    """Ask for its report."""
    person = person_of(request)
    review = _see(person, number)
    made = reports.ask_report(by=person, project=review.project, about=review.subject)
    return redirect("report", made.pk)


@require_GET
def statement(request: HttpRequest, number: int, pk: int) -> HttpResponse:
    """The bytes that were signed, as they are kept."""
    person = person_of(request)
    review = reviews.review_for(person, number)
    found = reviews.signatures_for(person, review).filter(pk=pk).first()
    if found is None:
        raise rights.absent()
    return sent(content.get(found.statement_id), STATEMENT_TYPE, f"countersign-review-{number}-{pk}.json")


def url_of(waiting: reviews.Waiting) -> str:
    """Where what waits is answered for."""
    if waiting.place is None:
        return reverse("access-review", args=[waiting.review.pk])
    return reverse("access-review-place", args=[waiting.review.pk, waiting.place.pk])
