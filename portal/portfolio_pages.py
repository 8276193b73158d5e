"""Pages of portfolios: all of them, one with its projects, putting a project in and taking it out. No rules."""

from typing import Any

from django.contrib import messages
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from portal import rights
from portal.actions import edits, portfolios
from portal.change_pages import asked_for
from portal.forms import PortfolioForm, PutForm, WhyForm
from portal.lookups import portfolio_for
from portal.models import Change, Person, Portfolio, Right
from portal.pages import oversight, page_of, person_of, status_of, told_by


@require_http_methods(["GET", "POST"])
def listed(request: HttpRequest) -> HttpResponse:
    """The portfolios the reader may see; adding one for administrators."""
    person = person_of(request)
    may = _may(request)
    if request.method == "POST":
        rights.check_estate(person, Right.MANAGE)
    form = PortfolioForm(request.POST or None) if may else None
    if request.method == "POST" and form is not None and form.is_valid():
        with told_by(form):
            made = portfolios.add_portfolio(by=person, **form.cleaned_data)
            messages.success(request, _("Portfolio %(name)s is there now, and empty.") % {"name": made.name})
            return redirect("portfolio", made.slug)
    found = rights.visible_portfolios(person).annotate(count=Count("projects")).order_by("slug")
    return render(
        request,
        "portal/portfolios.html",
        {"page": page_of(request, found), "form": form, "may": may},
        status=status_of(form),
    )


@require_http_methods(["GET"])
def one(request: HttpRequest, slug: str) -> HttpResponse:
    """One portfolio with those of its projects that the reader may see."""
    person = person_of(request)
    portfolio = portfolio_for(person, slug)
    seen = portfolio.projects.filter(pk__in=rights.visible_projects(person).values("pk")).order_by("name")
    return _shown(request, portfolio, seen, PutForm(portfolio=portfolio) if _may(request) else None)


@require_http_methods(["POST"])
def put(request: HttpRequest, slug: str) -> HttpResponse:
    """Put a project into the portfolio: a change of rights where the portfolio carries any."""
    person = person_of(request)
    portfolio = portfolio_for(person, slug)
    rights.check_estate(person, Right.MANAGE)
    form = PutForm(request.POST, portfolio=portfolio)
    if form.is_valid():
        with told_by(form):
            op = edits.put(portfolio=portfolio, project=form.project, why=form.cleaned_data["why"])
            return _done(request, portfolio, _edit(person, portfolio, op))
    return _shown(request, portfolio, portfolio.projects.order_by("name"), form)


@require_http_methods(["GET", "POST"])
def take_out(request: HttpRequest, slug: str, key: str) -> HttpResponse:
    """Say what taking a project out does, ask why, and do it."""
    person = person_of(request)
    portfolio = portfolio_for(person, slug)
    rights.check_estate(person, Right.MANAGE)
    project = portfolio.projects.filter(key=key).first()
    if project is None:
        raise rights.absent()
    form = WhyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with told_by(form):
            op = edits.take_out(portfolio=portfolio, project=project, why=form.cleaned_data["why"])
            return _done(request, portfolio, _edit(person, portfolio, op))
    return render(
        request,
        "portal/portfolio_take_out.html",
        {"portfolio": portfolio, "project": project, "form": form},
        status=status_of(form),
    )


def _may(request: HttpRequest) -> bool:
    return Right.MANAGE.value in oversight(request)[0]


def _edit(by: Person, portfolio: Portfolio, op: edits.Op) -> Change:
    return edits.edit(by=by, ops=[op], why=op["why"], portfolio=portfolio)


def _done(request: HttpRequest, portfolio: Portfolio, change: Change) -> HttpResponse:
    return asked_for(request, change, reverse("portfolio", args=[portfolio.slug]))


def _shown(request: HttpRequest, portfolio: Portfolio, projects: Any, form: PutForm | None) -> HttpResponse:
    return render(
        request,
        "portal/portfolio.html",
        {"portfolio": portfolio, "page": page_of(request, projects), "form": form, "may": form is not None},
        status=status_of(form),
    )
