"""Projects: the table of what runs where, and the page of one."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from deployments.actions import requests as request_actions
from deployments.forms import AskForm, BundleForm
from deployments.lanes import drawn, drawn_design, latest_promotions, standings
from deployments.models import DeploymentRequest, Promotion
from deployments.queries import projects_of
from deployments.words import story
from governance.standing import standing_of
from portal import ledger, rights, typed
from portal.actions import bundles as bundle_actions
from portal.errors import Refused
from portal.holders import grantors
from portal.lookups import lanes_of, project_for
from portal.models import Bundle, Lane, Person, Project, Right
from portal.names import names
from portal.pages import page_of, person_of, posted_on, stretch_of, told_by

RECENT = 12


@require_GET
def table(request: HttpRequest) -> HttpResponse:
    """Project by stage: what runs where, how well, since when, and what is on its way."""
    person = person_of(request)
    said = request.GET.get("q", "").strip()[:100]
    stretch = stretch_of(request, lambda window: projects_of(person, window, said))
    projects = stretch.rows
    stands = standings(projects)
    stages = list(dict.fromkeys(one.lane.stage.name for project in projects for one in stands[project.pk]))
    rows = []
    for project in projects:
        by_stage = {one.lane.stage.name: drawn(one) for one in stands[project.pk]}
        rows.append((project, [(stage, by_stage.get(stage)) for stage in stages]))
    return render(
        request,
        "deployments/projects.html",
        {"stretch": stretch, "rows": rows, "stages": stages, "said": said},
    )


@require_GET
def page(request: HttpRequest, key: str) -> HttpResponse:
    """One project."""
    return _page(request, project_for(person_of(request), key))


def _page(
    request: HttpRequest,
    project: Project,
    *,
    bundle_form: BundleForm | None = None,
    ask_form: AskForm | None = None,
    status: int = 200,
) -> HttpResponse:
    person = person_of(request)
    lanes = lanes_of(project)
    held = rights.held_on(person, lanes)
    askable = [lane for lane in lanes if Right.REQUEST.value in held[lane.pk]]
    registered = Bundle.objects.filter(project=project, status=Bundle.Status.REGISTERED).order_by(
        "-registered_at"
    )
    bundles = page_of(
        request, Bundle.objects.filter(project=project).select_related("author", "asked_by"), 15
    )
    requests = list(
        DeploymentRequest.objects.filter(lane__project=project).select_related(
            "lane__stage", "bundle", "requested_by", "on_behalf_of"
        )[:RECENT]
    )
    promotions = latest_promotions(requests)
    newest = registered.select_related("author").first()
    audits = any(Right.AUDIT.value in names_ for names_ in held.values())
    bundle_form = bundle_form or BundleForm()
    if ask_form is None and askable and newest:
        ask_form = AskForm(bundles=registered, lanes=askable)
    typed.give_back(request, bundle_form, ask_form)
    return render(
        request,
        "deployments/project.html",
        {
            "project": project,
            "lanes": [
                drawn_design(project, newest),
                *(drawn(one) for one in standings([project])[project.pk]),
            ],
            "bundles": bundles,
            "requests": [(one, promotions.get(one.pk)) for one in requests],
            "may_ask": bool(askable),
            "bundle_form": bundle_form,
            "ask_form": ask_form,
            "owners": list(project.owners.all()),
            "stands": standing_of(project),
            "held": _held(lanes, held),
            "grantors": grantors() if not askable else "",
            "history": _history(project) if audits else _promotions(project),
            "audits": audits,
        },
        status=status,
    )


def _held(lanes: list[Lane], held: dict[int, frozenset[str]]) -> list[tuple[str, list[str]]]:
    """What the reader may do at each stage, in words."""
    words = {right.value: str(right.label) for right in Right}
    return [
        (
            lane.stage.name,
            [
                words.get(name)
                or _("sign for %(role)s") % {"role": name.removeprefix("sign_").replace("-", " ")}
                for name in sorted(held[lane.pk])
            ],
        )
        for lane in lanes
    ]


def _history(project: Project) -> list[dict[str, object]]:
    entries = ledger.read(ledger.rows(project=project.key).order_by("-seq")[:RECENT])
    known = names(ledger.people_in(entries))
    return [
        {
            "text": ledger.sentence(entry, known),
            "at": entry.at,
            "url": reverse("ledger-entry", args=[entry.seq]),
        }
        for entry in entries
    ]


def _promotions(project: Project) -> list[dict[str, object]]:
    found = Promotion.objects.filter(lane__project=project).select_related("lane__stage", "bundle")[:RECENT]
    return [
        {
            "text": story(one),
            "at": one.ended_at or one.started_at,
            "url": reverse("request", args=[project.key, one.request_id]),
        }
        for one in found
    ]


@posted_on("project", project_for)
def register_bundle(request: HttpRequest, key: str) -> HttpResponse:
    """Ask for a bundle to be exported or picked."""
    person = person_of(request)
    project = project_for(person, key)
    form = BundleForm(request.POST)
    if form.is_valid():
        asked = form.cleaned_data
        with told_by(form):
            bundle = bundle_actions.ask_bundle(
                by=person,
                project=project,
                bundle_id=asked["bundle_id"].strip(),
                pick=asked["how"] == "pick",
                notes=asked["notes"],
            )
            return redirect("bundle", project.key, bundle.bundle_id)
    return _page(request, project, bundle_form=form, status=400)


@posted_on("project", project_for)
def ask(request: HttpRequest, key: str) -> HttpResponse:
    """Ask for a bundle to go to a stage. Asking twice leads to the request that is there."""
    person = person_of(request)
    project = project_for(person, key)
    registered = Bundle.objects.filter(project=project).order_by("-asked_at")
    form = AskForm(request.POST, bundles=registered, lanes=lanes_of(project))
    if form.is_valid():
        asked = form.cleaned_data
        with told_by(form):
            return _submitted(
                request,
                person,
                project,
                asked["bundle"],
                form.lanes[asked["stage"]],
                why=asked["why"],
                ticket=asked["ticket"],
            )
    return _page(request, project, ask_form=form, status=400)


def _submitted(
    request: HttpRequest, person: Person, project: Project, bundle: Bundle, lane: Lane, **said: str
) -> HttpResponse:
    try:
        made = request_actions.submit(by=person, bundle=bundle, lane=lane, **said)
    except Refused as refusal:
        if refusal.code == "request_duplicate" and refusal.params.get("request"):
            messages.info(request, refusal.sentence)
            return redirect("request", project.key, refusal.params["request"])
        raise
    messages.success(request, _("Asked. Here is what %(stage)s still needs.") % {"stage": lane.stage.name})
    return redirect("request", project.key, made.pk)
