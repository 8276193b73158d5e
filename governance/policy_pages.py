"""Pages of policies: those in force, one version, a draft and what it would do. No rules."""

import difflib
from collections import Counter

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from governance.actions import policies
from governance.forms import PolicyForm
from governance.models import PolicyVersion
from governance.policy import PolicyError, parse
from governance.policy_words import differences, of_stage
from governance.previews import AT_ONCE, preview
from governance.queries import in_force, newest_version, parsed, policies_for
from governance.replay_words import outcomes
from governance.sentences import stage_name
from portal import drafts, rights
from portal.canonical import digest
from portal.change_pages import asked_for, then
from portal.models import Change, Right
from portal.pages import oversight, page_of, person_of, status_of
from portal.queries import changes_for, check_looks_over_estate

# Which drafts of the session belong to these pages.
DRAFTS = "policies"


@require_GET
def listed(request: HttpRequest) -> HttpResponse:
    """Each policy in force, and how many projects the reader sees that it judges."""
    person = person_of(request)
    page = page_of(request, in_force(policies_for(person)).order_by("name"))
    judged = Counter(
        rights.visible_projects(person)
        .filter(policy__in=[row.name for row in page])
        .values_list("policy", flat=True)
    )
    return render(
        request,
        "governance/policies.html",
        {
            "page": page,
            "rows": [(row, parsed(row.source), judged[row.name]) for row in page],
            "may": _may(request),
        },
    )


@require_GET
def versions(request: HttpRequest, name: str) -> HttpResponse:
    """Every version of a policy, the newest first."""
    found = policies_for(person_of(request)).filter(name=name).defer("source").order_by("-version")
    page = page_of(request, found)
    if not page.object_list:
        raise rights.absent()
    return render(
        request, "governance/policy_versions.html", {"name": name, "page": page, "may": _may(request)}
    )


@require_GET
def version(request: HttpRequest, name: str, number: int) -> HttpResponse:
    """One version: what it asks tier by tier, what it changed, and its text."""
    found = policies_for(person_of(request)).filter(name=name, version=number).first()
    if found is None:
        raise rights.absent()
    others = {
        row.version: row
        for row in PolicyVersion.objects.filter(name=name, version__in=(number - 1, number + 1))
    }
    before, document = others.get(number - 1), parsed(found.source)
    return render(
        request,
        "governance/policy_version.html",
        {
            "found": found,
            "document": document,
            "tiers": [
                (
                    tier,
                    [(stage_name(name), list(of_stage(None, rules))) for name, rules in tier.stages.items()],
                )
                for tier in document.tiers.values()
            ],
            "before": before,
            "next": others.get(number + 1),
            "differences": differences(parsed(before.source), document) if before else [],
            "lines": _lines(before, found) if before else "",
            "may": _may(request),
        },
    )


@require_http_methods(["GET", "POST"])
def draft(request: HttpRequest) -> HttpResponse:
    """Write a version, from the one in force or a draft of one's own; what is wrong with it is told by line."""
    person = person_of(request)
    rights.check_estate(person, Right.MANAGE)
    form = PolicyForm(request.POST or None, request.FILES or None, initial=_begin(request))
    if request.method == "POST" and form.is_valid():
        text, _name = form.sent
        try:
            parse(text)
        except PolicyError as wrong:
            for problem in wrong.problems:
                form.add_error("text", str(problem))
        else:
            kept = drafts.Draft(page=DRAFTS, why=form.cleaned_data["why"].strip(), file=text)
            return redirect("policy-preview", drafts.keep(request.session, kept))
    return render(request, "governance/policy_draft.html", {"form": form}, status=status_of(form))


@require_http_methods(["GET", "POST"])
def previewed(request: HttpRequest, draft: str) -> HttpResponse:
    """What a draft changes in words, and which judgements would have ended otherwise; sent, it is proposed."""
    person = person_of(request)
    rights.check_estate(person, Right.MANAGE)
    kept = drafts.kept(request.session, draft, DRAFTS)
    if kept is None:
        messages.warning(request, _("This draft was proposed already, or your session ended since."))
        return redirect("policy-draft")
    name = parse(kept.file).name
    newest = newest_version(name)
    basis = digest({"text": kept.file, "version": newest.version if newest else 0})
    if request.method == "POST":
        if request.POST.get("basis") == basis:
            change = policies.propose(by=person, source=kept.file, why=kept.why)
            drafts.drop(request.session, draft)
            return asked_for(request, change, reverse("policy-versions", args=[name]))
        messages.warning(
            request,
            _(
                "Another version was published while you looked. Nothing was proposed; this is what it would do now."
            ),
        )
        return redirect(request.path)
    found = preview(kept.file)
    return render(
        request,
        "governance/policy_preview.html",
        {
            "preview": found,
            "outcomes": outcomes(found.lines),
            "at_once": AT_ONCE,
            "draft": draft,
            "why": kept.why,
            "basis": basis,
            "then": then(),
        },
    )


@require_GET
def replayed(request: HttpRequest, pk: int) -> HttpResponse:
    """What a policy that waits changes and would have done, for who looks over the estate."""
    person = person_of(request)
    change = changes_for(person).filter(pk=pk, kind=Change.Kind.POLICY).first()
    if change is None:
        raise rights.absent()
    check_looks_over_estate(person)  # it tells of every project
    if change.status != Change.Status.WAITING:  # what is in force is another by now
        return redirect("change", pk)
    found = preview(change.wish["source"])
    return render(
        request,
        "governance/policy_preview.html",
        {"preview": found, "outcomes": outcomes(found.lines), "at_once": AT_ONCE, "change": change},
    )


def _begin(request: HttpRequest) -> dict[str, str]:
    """What the form begins with: a draft of the session, or the version in force of a policy."""
    kept = drafts.kept(request.session, request.GET.get("draft", ""), DRAFTS)
    if kept is not None:
        return {"text": kept.file, "why": kept.why}
    newest = newest_version(request.GET.get("of", ""))
    return {"text": newest.source if newest else ""}


def _lines(before: PolicyVersion, after: PolicyVersion) -> str:
    """The difference of two texts, unified."""
    return "\n".join(
        difflib.unified_diff(before.source.splitlines(), after.source.splitlines(), "", "", lineterm="")
    )


def _may(request: HttpRequest) -> bool:
    held, _somewhere = oversight(request)
    return Right.MANAGE.value in held
