"""Signing: the evidence, the difference, the documents and the exact words on one page."""

from contextlib import nullcontext

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from deployments.actions import signing
from deployments.judging import findings_in_words, judge_now
from deployments.lanes import standings
from deployments.models import DeploymentRequest
from deployments.views.bundles import against
from deployments.views.requests import found
from governance.actions.signoffs import Draft, why_barred
from governance.exhibits import documents, exhibits
from governance.forms import DECISIONS, SignForm
from governance.sentences import meaning, title
from portal.errors import Stale
from portal.pages import person_of, told_by
from portal.refusals import audited


@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def page(request: HttpRequest, key: str, number: int, requirement: str) -> HttpResponse:
    """What would be signed, and the signature itself. What changed since the page was opened is never signed."""
    person = person_of(request)
    wish = found(person, key, number)
    # Looking is not trying: what is kept is that somebody sent the form.
    with (
        audited(person, wish.lane.project, wish.subject, "sign")
        if request.method == "POST"
        else nullcontext()
    ):
        draft = signing.draft(by=person, request=wish, requirement=requirement)
    barred = why_barred(person, signing.barred(wish), draft.on_behalf_of)
    form = SignForm(request.POST or None, initial={"bound": draft.bound})
    stale = ""
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        try:
            with told_by(form), audited(person, wish.lane.project, wish.subject, "sign"):
                signoff = signing.sign(
                    by=person,
                    password=said["password"],
                    request=wish,
                    requirement=requirement,
                    decision=said["decision"],
                    bound=said["bound"],
                    comment=said["comment"],
                )
                messages.success(
                    request,
                    _("Signed: %(decision)s. Thank you.") % {"decision": signoff.get_decision_display()},
                )
                return redirect("request", key, number)
        except Stale as refusal:
            if refusal.code == "signed_already":  # a second click: what was wished for is so
                messages.info(request, refusal.sentence)
                return redirect("request", key, number)
            stale = refusal.sentence
    status = 409 if stale else 400 if form.errors else 200
    return _page(request, wish, draft, form, barred, stale, status)


def _page(
    request: HttpRequest,
    wish: DeploymentRequest,
    draft: Draft,
    form: SignForm,
    barred: str,
    stale: str,
    status: int,
) -> HttpResponse:
    judged = judge_now(wish)
    words = {row["key"]: row for row in findings_in_words(judged)}
    here = next(
        one for one in standings([wish.lane.project])[wish.lane.project_id] if one.lane.pk == wish.lane_id
    )
    findings = {shown.digest: shown.finding for shown in (*draft.evidence, *draft.documents)}
    return render(
        request,
        "deployments/sign.html",
        {
            "project": wish.lane.project,
            "wish": wish,
            "draft": draft,
            "title": title(draft.clause),
            "role": draft.role.replace("-", " "),
            "finding": words.get(draft.clause.key),
            "meanings": [
                (
                    decision,
                    word,
                    meaning(
                        decision,
                        draft.role,
                        project=wish.lane.project.name,
                        bundle=wish.bundle.bundle_id,
                        stage=wish.lane.stage.name,
                        covers=tuple(draft.covered),
                    ),
                )
                for decision, word in DECISIONS
            ],
            "covered": sorted(draft.covered.items()),
            "form": form,
            "barred": barred,
            "stale": stale,
            "exhibits": [
                (one, findings.get(one.evidence.digest, ""))
                for one in exhibits(wish.bundle, draft.case.requirements)
            ],
            "documents": [(one, findings.get(one.digest, "")) for one in documents(wish.bundle)],
            "against": against(wish.bundle, here),
        },
        status=status,
    )
