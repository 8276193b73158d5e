"""The page that exports the rights of a place as a file and takes one in, previewed like any edit. No rules."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from portal import drafts, rights
from portal.actions import grants
from portal.errors import Invalid
from portal.forms import FileForm
from portal.pages import person_of, status_of, told_by
from portal.rights_files import FileError, Format, scope_of, wanted, written
from portal.rights_pages import About, about


@require_http_methods(["GET", "POST"])
def file(request: HttpRequest, **which: str) -> HttpResponse:
    """Download what is in force, or send a file and see what it would change."""
    here = about(request, **which)
    if here.team is not None:
        raise rights.absent()  # a file states a place; a team's rights stand in several
    if request.method == "GET" and request.GET.get("as") in ("yaml", "csv"):
        return _download(here, "csv" if request.GET["as"] == "csv" else "yaml")
    if request.method == "POST" and not here.may:
        grants.check_grantor(person_of(request), here.place.project, here.place.portfolio)
    form = FileForm(request.POST or None, request.FILES or None) if here.may else None
    problems: list[str] = []
    if request.method == "POST" and form is not None and form.is_valid():
        text, name = form.sent
        form_name: Format = (
            "csv" if name.lower().endswith(".csv") or text.lstrip("\ufeff").startswith("scope,") else "yaml"
        )
        with told_by(form):
            try:
                check_here(here, text, form_name)
            except FileError as wrong:
                problems = [str(one) for one in wrong.problems]
                raise
            draft = drafts.Draft(
                page=here.key, why=form.cleaned_data["why"].strip(), file=text, file_form=form_name
            )
            return redirect(here.url("rights-preview", drafts.keep(request.session, draft)))
    return render(
        request,
        "portal/rights_file.html",
        {"here": here, "form": form, "problems": problems[1:], "scope": scope_of(here.place)},
        status=status_of(form),
    )


def check_here(here: About, text: str, form: Format) -> None:
    """Raise Invalid where the file cannot be used, or states another place than the page's."""
    for one in wanted(text, form):
        if one.place.key != here.place.key:
            raise Invalid(
                _("This file states %(other)s; here it has to state %(scope)s.")
                % {"other": scope_of(one.place), "scope": scope_of(here.place)},
                code="scope_elsewhere",
                field="text",
            )


def _download(here: About, form: Format) -> HttpResponse:
    name = f"{here.place.key.replace(':', '-')}.{form}"
    media = "text/csv; charset=utf-8" if form == "csv" else "application/yaml; charset=utf-8"
    answer = HttpResponse(written(here.place, form, estate=here.estate), content_type=media)
    answer["Content-Disposition"] = str(content_disposition_header(True, name))
    answer["Cache-Control"] = "private, no-store"
    return answer
