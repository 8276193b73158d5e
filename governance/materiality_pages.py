"""The page on which owners answer how much hangs on a project. No rules."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from governance.actions import materiality, tiers
from governance.forms import MaterialityForm
from governance.models import MaterialityAnswer
from governance.standing import Standing, check_asked, standing_of
from portal import typed
from portal.actions.projects import check_owner, may_own
from portal.lookups import project_for
from portal.pages import page_of, person_of, status_of, told_by


@require_http_methods(["GET", "POST"])
def page(request: HttpRequest, key: str) -> HttpResponse:
    """What is asked, what was answered and where that leads, and the form for who may answer."""
    person = person_of(request)
    project = project_for(person, key)
    stands = standing_of(project)
    if request.method == "POST":
        check_owner(person, project)
        check_asked(project)
    form = None
    if stands.table is not None and may_own(person, project):
        last = stands.answer if stands.leads_to else None
        initial = {"exposure": last.exposure, "purpose": last.purpose} if last else None
        form = MaterialityForm(request.POST or None, initial=initial, table=stands.table)
    if request.method == "POST" and form is not None and form.is_valid():
        with told_by(form):
            made = materiality.answer(by=person, project=project, **form.cleaned_data)
            messages.success(
                request, _("Kept. The answers lead to the tier %(tier)s.") % {"tier": made.leads_to}
            )
            return redirect("materiality", key)
    typed.give_back(request, form)
    answers = MaterialityAnswer.objects.filter(project=project).select_related("answered_by")
    shown = page_of(request, answers.order_by("-version"), 15)
    return render(
        request,
        "governance/materiality.html",
        {
            "project": project,
            "stands": stands,
            "form": form,
            "may_propose": not tiers.why_not(person, project),
            "page": shown,
            "answers": [(one, *_words(one, stands)) for one in shown],
        },
        status=status_of(form),
    )


def _words(answer: MaterialityAnswer, stands: Standing) -> tuple[str, str]:
    """What was answered, in the words of the policy in force; the answers' own names where it does not know them."""
    if stands.table is None:
        return answer.exposure, answer.purpose
    return (
        stands.table.exposure.answers.get(answer.exposure, answer.exposure),
        stands.table.purpose.answers.get(answer.purpose, answer.purpose),
    )
