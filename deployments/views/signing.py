"""Signing: the evidence, the difference, the documents and the exact words on one page."""

from contextlib import nullcontext

from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from deployments.actions import signing
from deployments.judging import findings_in_words, judge_now
from deployments.lanes import standings
from deployments.models import DeploymentRequest
from deployments.views.bundles import against, live_of
from deployments.views.requests import found, talk
from governance import openings
from governance.actions.signoffs import Draft, why_barred
from governance.exhibits import documents, exhibits
from governance.forms import DECISIONS, SignForm
from governance.models import Document, Opening, SignOff
from governance.sentences import meaning
from governance.written import Block, blocks
from portal import content, typed
from portal.errors import Stale
from portal.pages import is_shown, person_of, proof_of, status_of, told_by, way_of
from portal.refusals import audited

EARLIER = 8


@sensitive_post_parameters("password", "code")
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
    barred = why_barred(person, signing.barred(wish), draft)
    form = SignForm(request.POST or None, initial={"bound": draft.bound}, way=way_of(request))
    stale = ""
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        try:
            with told_by(form), audited(person, wish.lane.project, wish.subject, "sign"):
                signoff = signing.sign(
                    by=person,
                    proof=proof_of(request, said),
                    request=wish,
                    requirement=requirement,
                    decision=said["decision"],
                    bound=said["bound"],
                    comment=said["comment"],
                    conditions=said["conditions"],
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
    typed.give_back(request, form)
    status = 409 if stale else status_of(form)
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
    said = {
        decision: meaning(
            decision,
            draft.role,
            project=wish.lane.project.name,
            bundle=wish.bundle.bundle_id,
            stage=wish.lane.stage.name,
            covers=tuple(draft.covered),
        )
        for decision, _word in DECISIONS
    }
    compared = against(wish.bundle, here)
    shown, texts = (
        exhibits(wish.bundle, draft.case.requirements, live_of(compared)),
        documents(wish.bundle),
    )
    openings.opened(
        person_of(request),
        wish.bundle,
        [
            *((Opening.What.EVIDENCE, one.evidence.digest) for one in shown),
            *((Opening.What.DOCUMENT, one.digest) for one in texts),
            *([(Opening.What.DIFFERENCE, str(compared.bundle.manifest_id))] if compared else []),
        ],
    )
    reviewed, full_stop, _verdict = next(iter(said.values())).rpartition(". ")
    return render(
        request,
        "deployments/sign.html",
        {
            "project": wish.lane.project,
            "wish": wish,
            "draft": draft,
            "role": draft.role.replace("-", " "),
            "finding": words.get(draft.clause.key),
            # The whole statement stands beside them once; each says how it would end.
            "meanings": [
                (decision, word, said[decision].rpartition(". ")[2]) for decision, word in DECISIONS
            ],
            # What each decision says is this sentence and then one of those, to the letter.
            "reviewed": reviewed + full_stop.rstrip(),
            "verdicts": [(decision, text.rpartition(". ")[2]) for decision, text in said.items()],
            "covered": sorted(draft.covered.items()),
            "form": form,
            "shown": is_shown(request),
            "barred": barred,
            "stale": stale,
            "exhibits": [(one, findings.get(one.evidence.digest, "")) for one in shown],
            "documents": [(one, findings.get(one.digest, ""), _text(one)) for one in texts],
            "against": compared,
            "earlier": _earlier(wish, draft.role),
            **talk(wish),
        },
        status=status,
    )


def _earlier(wish: DeploymentRequest, role: str) -> list[SignOff]:
    """What was said lately in this lane: on this bundle by anybody, on others in this role; newest first."""
    said = SignOff.objects.filter(lane=wish.lane).filter(Q(bundle=wish.bundle) | Q(role=role))
    return list(
        said.select_related("person", "on_behalf_of", "withdrawal", "bundle").order_by("-signed_at")[:EARLIER]
    )


def _text(document: Document) -> list[Block]:
    """What people wrote, as the page shows it; of a file only its sections are known."""
    if not document.is_text:
        return []
    return blocks(content.get(document.content_id).decode(errors="replace"), under=3)
