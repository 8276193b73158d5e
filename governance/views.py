"""Pages of governance: a signature with its statement, a document, a report. One action or query each.

What somebody may not see is not even found: asking for it costs as many queries as asking for nothing.
"""

import json

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods

from governance import junit, queries
from governance.actions import signoffs, tiers
from governance.exhibits import junit_run
from governance.forms import FulfilForm, TierForm, WithdrawForm
from governance.models import Evidence, Report, SignOff
from governance.queries import check_report
from governance.sentences import title
from governance.standing import standing_of
from portal import content, rights, typed
from portal.change_pages import asked_for, cooling_off
from portal.errors import Refused
from portal.lookups import project_for
from portal.models import Event, Person, Right
from portal.pages import is_fragment, is_shown, person_of, proof_of, renewed, status_of, told_by, way_of


def _signoff(person: Person, pk: int) -> SignOff:
    """The signature, for whoever may see its project."""
    found = (
        SignOff.objects.select_related(
            "bundle__project", "lane__stage", "lane__project", "person", "withdrawal__withdrawn_by"
        )
        .filter(pk=pk, lane__project__in=rights.visible_projects(person))
        .first()
    )
    if found is None:
        raise rights.absent()
    return found


@require_http_methods(["GET", "POST"])
def tier(request: HttpRequest, key: str) -> HttpResponse:
    """Which rules apply to a project, stage by stage; an administrator who does not own it proposes others here."""
    by = person_of(request)
    project = project_for(by, key)
    stays = tiers.why_not(by, project)
    stands = standing_of(project)
    form = None
    if request.method == "POST" or not stays:
        rights.check_estate(by, Right.MANAGE)  # before anything of other policies is told
        there = (project.policy, project.tier)
        choices = [
            (f"{policy}/{one}", f"{policy}: {one}")
            for policy, one in queries.tiers_published()
            if (policy, one) != there
        ]
        wanted = f"{project.policy}/{stands.leads_to}"
        form = TierForm(request.POST or None, choices=choices, initial={"rules": wanted})
    if request.method == "POST" and form is not None and form.is_valid():
        with told_by(form):
            change = tiers.propose(by=by, project=project, why=form.cleaned_data["why"], **form.chosen)
            return asked_for(request, change, request.path)
    try:
        asked = queries.rules_of_tier(project)
        silent = ""
    except Refused as refusal:
        asked, silent = {}, refusal.sentence
    stages = [
        (stage, [title(clause) for clause in asked[stage.slug].requirements] if stage.slug in asked else [])
        for stage in project.pipeline.stages.order_by("position")
    ]
    return render(
        request,
        "governance/tier.html",
        {
            "project": project,
            "stages": stages,
            "silent": silent,
            "stands": stands,
            "form": form,
            "stays": stays,
            "cooling_off": cooling_off(),
        },
        status=status_of(form),
    )


@require_GET
def statement(request: HttpRequest, pk: int) -> HttpResponse:
    """The bytes that were signed, as they are kept: their digest is the one the signature's page shows."""
    found = _signoff(person_of(request), pk)
    return sent(content.get(found.statement_id), signoffs.STATEMENT_TYPE, f"countersign-statement-{pk}.json")


@require_http_methods(["GET", "POST"])
def signoff(request: HttpRequest, pk: int) -> HttpResponse:
    """One signature: who said what of which parts, what was signed; its signer can take it back here."""
    person = person_of(request)
    found = _signoff(person, pk)
    form = WithdrawForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with told_by(form):
            signoffs.withdraw(by=person, signoff=found, why=form.cleaned_data["why"])
            messages.success(
                request, _("Your signature is withdrawn and counts no more. Both stay in the record.")
            )
            return redirect("signoff", pk)
    typed.give_back(request, form)
    statement = json.loads(content.get(found.statement_id))
    return render(
        request,
        "governance/signoff.html",
        {
            "signoff": found,
            "conditions": found.conditions.select_related("fulfilment__confirmed_by").order_by("number"),
            "states": person.pk in (found.person_id, found.on_behalf_of_id)
            and not hasattr(found, "withdrawal"),
            "now": timezone.now(),
            "form": form,
            "mine": found.person_id == person.pk and not hasattr(found, "withdrawal"),
            "withdrawal": getattr(found, "withdrawal", None),
            "statement": json.dumps(statement, indent=2, ensure_ascii=False),
            "bound": statement["predicate"],
            "covered": sorted(found.covered.items()),
            "seq": Event.objects.filter(subject=found.subject).values_list("seq", flat=True).first(),
        },
        status=status_of(form),
    )


@sensitive_post_parameters("password", "code")
@require_http_methods(["GET", "POST"])
def fulfil(request: HttpRequest, pk: int, number: int) -> HttpResponse:
    """Say that a condition one stated is met."""
    person = person_of(request)
    found = _signoff(person, pk)
    condition = found.conditions.filter(number=number).first()
    if condition is None:
        raise rights.absent()
    condition.signoff = found
    if request.method != "POST":  # where it is sent, the refusal is the action's to keep
        signoffs.check_confirms(by=person, signoff=found)
    form = FulfilForm(request.POST or None, way=way_of(request))
    if request.method == "POST" and form.is_valid():
        with told_by(form):
            said = form.cleaned_data
            signoffs.confirm(by=person, proof=proof_of(request, said), condition=condition, how=said["how"])
            messages.success(request, _("Met. Your signature goes on counting."))
            return redirect("signoff", pk)
    typed.give_back(request, form)
    return render(
        request,
        "governance/fulfil.html",
        {"signoff": found, "condition": condition, "form": form, "shown": is_shown(request)},
        status=status_of(form),
    )


@require_GET
def junit_report(request: HttpRequest, pk: int) -> HttpResponse:
    """The results of tests as JUnit XML, for other tools: what a pipeline sent, as it was sent."""
    found = (
        Evidence.objects.select_related("project", "bundle")
        .filter(
            pk=pk,
            kind__in=(Evidence.Kind.TESTS, Evidence.Kind.REPORT),
            project__in=rights.visible_projects(person_of(request)),
        )
        .first()
    )
    if found is None:
        raise rights.absent()
    name = f"{found.project.key}-{found.bundle.bundle_id}-{found.stage}"
    if found.kind == Evidence.Kind.REPORT:
        return sent(content.get(found.source["report"]), "application/xml", f"{name}.xml")
    runs = [junit_run(run) for run in json.loads(content.get(found.result_id))["runs"]]
    return sent(junit.compose(runs, suite=name), "application/xml", f"{name}.xml")


def _report(request: HttpRequest, pk: int) -> Report:
    """The report, for whoever may audit its project."""
    person = person_of(request)
    found = (
        Report.objects.select_related("project", "asked_by", "content")
        .defer("content__body")
        .filter(pk=pk, project__in=rights.visible_projects(person))
        .first()
    )
    if found is None:
        raise rights.absent()
    check_report(person, found)
    return found


@require_GET
def report(request: HttpRequest, pk: int) -> HttpResponse:
    """A report: being made, made with its file and digests, or why not. The part that waits looks again by itself."""
    found = _report(request, pk)
    if is_fragment(request):
        return (
            render(request, "governance/_report_status.html", {"report": found})
            if found.status == Report.Status.ASKED
            else renewed()
        )
    kind, _colon, number = found.about.partition(":")
    return render(request, "governance/report.html", {"report": found, "kind": kind, "number": number})


@require_GET
def report_pdf(request: HttpRequest, pk: int) -> HttpResponse:
    """The report's file, checked against its digest."""
    found = _report(request, pk)
    if found.content_id is None:
        raise rights.absent()
    return sent(
        content.get(found.content_id),
        "application/pdf",
        f"countersign-{found.project_key or 'estate'}-{found.about.replace(':', '-')}.pdf",
    )


def sent(body: bytes, media_type: str, name: str) -> HttpResponse:
    """A file to be saved."""
    return HttpResponse(
        body,
        content_type=media_type,
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "private, max-age=0",
        },
    )
