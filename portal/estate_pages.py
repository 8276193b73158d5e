"""Pages of the estate: pipelines with their stages and places, nodes, and both as a file, previewed. No rules."""

from typing import Any

from django.contrib import messages
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from portal import drafts, estate_file, rights
from portal.actions import landscape
from portal.canonical import digest
from portal.change_pages import asked_for, then
from portal.errors import Invalid
from portal.estate_words import told
from portal.forms import EstateForm
from portal.models import Node, Pipeline, Right
from portal.pages import oversight, page_of, person_of, status_of, told_by
from portal.queries import check_looks_over_estate, pipelines_for

# Which drafts of the session belong to this page.
DRAFTS = "estate:file"


@require_GET
def pipelines(request: HttpRequest) -> HttpResponse:
    """The pipelines, each with its stages in their order and where they run."""
    person = person_of(request)
    check_looks_over_estate(person)
    found = pipelines_for(person).annotate(count=Count("projects")).order_by("name", "slug")
    page = page_of(request, found, 20)
    return render(
        request,
        "portal/estate.html",
        {"page": page, "rows": [(one, _stages(one)) for one in page], "may": _may(request)},
    )


@require_GET
def nodes(request: HttpRequest) -> HttpResponse:
    """The DSS nodes; of a key its name alone."""
    check_looks_over_estate(person_of(request))
    found = Node.objects.order_by("name", "slug")
    return render(
        request, "portal/estate_nodes.html", {"page": page_of(request, found), "may": _may(request)}
    )


@require_http_methods(["GET", "POST"])
def file(request: HttpRequest) -> HttpResponse:
    """Download the estate as a file, or send one and see what it would change."""
    person = person_of(request)
    check_looks_over_estate(person)
    if request.method == "GET" and "download" in request.GET:
        return _download()
    if request.method == "POST":
        rights.check_estate(person, Right.MANAGE)
    form = EstateForm(request.POST or None, request.FILES or None) if _may(request) else None
    problems: list[str] = []
    if request.method == "POST" and form is not None and form.is_valid():
        text, _name = form.sent
        with told_by(form):
            try:
                estate_file.read(text)
            except estate_file.EstateError as wrong:
                problems = [str(one) for one in wrong.problems]
                raise
            draft = drafts.Draft(page=DRAFTS, why=form.cleaned_data["why"].strip(), file=text)
            return redirect("estate-preview", drafts.keep(request.session, draft))
    return render(
        request,
        "portal/estate_file.html",
        {"form": form, "problems": problems[1:], "may": _may(request)},
        status=status_of(form),
    )


@require_http_methods(["GET", "POST"])
def preview(request: HttpRequest, draft: str) -> HttpResponse:
    """What a file would change, as things are now; sent again, it is done."""
    person = person_of(request)
    rights.check_estate(person, Right.MANAGE)
    found = drafts.kept(request.session, draft, DRAFTS)
    if found is None:
        messages.warning(request, _("This file was taken in already, or your session ended since."))
        return redirect("estate-file")
    document = estate_file.read(found.file)
    now = estate_file.current()
    refusal = ""
    try:
        landscape.rehearse(by=person, document=document)
    except Invalid as wrong:
        refusal = wrong.sentence
    basis = digest({"now": now, "document": document})
    if request.method == "POST" and not refusal:
        if request.POST.get("basis") == basis:
            change = landscape.bring(by=person, document=document, why=found.why)
            drafts.drop(request.session, draft)
            return asked_for(request, change, reverse("estate"))
        messages.warning(
            request,
            _("The estate changed while you looked. Nothing was applied; this is what it would do now."),
        )
        return redirect(request.path)
    return render(
        request,
        "portal/estate_preview.html",
        {
            "draft": found,
            "differences": told(now, document),
            "refusal": refusal,
            "then": then(),
            "basis": basis,
        },
    )


def _may(request: HttpRequest) -> bool:
    return Right.MANAGE.value in oversight(request)[0]


def _stages(pipeline: Pipeline) -> list[Any]:
    return sorted(pipeline.stages.all(), key=lambda stage: stage.position)


def _download() -> HttpResponse:
    text = estate_file.written(estate_file.current())
    answer = HttpResponse(text, content_type="application/yaml; charset=utf-8")
    answer["Content-Disposition"] = str(content_disposition_header(True, "estate.yaml"))
    answer["Cache-Control"] = "private, no-store"
    return answer
