"""A bundle: what it is made of, what changed, evidence, documents, signatures; and how to bring them about."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from deployments.differences import Difference, difference
from deployments.forms import AskForm
from deployments.lanes import Standing, standings
from deployments.missing import missing
from deployments.models import DeploymentRequest
from governance.actions import documents as document_actions
from governance.actions import evidence as evidence_actions
from governance.actions import imports, test_reports
from governance.actions.test_reports import stages_of
from governance.document_versions import fresh_until
from governance.exhibits import Live, documents, exhibits
from governance.fairness_import import loads
from governance.forms import DocumentForm, EvidenceForm, ReportForm, UploadForm
from governance.gate import Clause
from governance.models import Collection, Document, Evidence, SignOff, Waiver
from governance.queries import rules_of_tier
from portal import rights, typed
from portal.dss.manifest import PARTS
from portal.errors import Refused
from portal.lookups import bundle_for, lanes_of
from portal.models import Bundle, Lane, Right
from portal.pages import is_fragment, person_of, posted_on, renewed, told_by
from portal.uploads import too_large, was_cut

OFFERED = 50  # bundles offered to compare with
TYPICAL = ("intended-use", "model-documentation")


@dataclass(frozen=True, slots=True)
class Against:
    """What a bundle changes against another; `stage` names where that runs, empty where it was chosen by itself."""

    stage: str
    slug: str
    bundle: Bundle
    same: bool
    found: Difference

    @property
    def changed(self) -> frozenset[str]:
        """The parts that differ."""
        return frozenset(one.part for one in self.found.parts)


def against(bundle: Bundle, standing: Standing) -> Against | None:
    """What this bundle changes against what runs in a lane; None where nothing runs there."""
    if standing.runs is None:
        return None
    return against_bundle(bundle, standing.runs.bundle, standing.lane.stage.name, standing.lane.stage.slug)


def live_of(found: Against | None) -> Live | None:
    """What runs there now, where it is another bundle: evidence is shown beside its figures."""
    return Live(found.bundle, found.stage) if found is not None and found.stage and not found.same else None


def against_bundle(bundle: Bundle, other: Bundle, stage: str = "", slug: str = "") -> Against | None:
    """What this bundle changes against another of its project; None before both are registered."""
    if not (bundle.is_registered and other.is_registered):
        return None
    same = other.pk == bundle.pk
    return Against(stage, slug, other, same, Difference() if same else difference(other, bundle))


def clauses_of(bundle: Bundle) -> list[Clause]:
    """All that the policy asks of this project at any stage; nothing where no policy applies."""
    try:
        return [clause for rules in rules_of_tier(bundle.project).values() for clause in rules.requirements]
    except Refused:
        return []


@require_GET
def page(request: HttpRequest, key: str, bundle_id: str) -> HttpResponse:
    """One bundle. While it is being registered, the part that waits looks again by itself."""
    bundle = bundle_for(person_of(request), key, bundle_id)
    if is_fragment(request):
        return _fragment(request, bundle)
    return _page(request, bundle)


def _fragment(request: HttpRequest, bundle: Bundle) -> HttpResponse:
    if request.GET.get("part") == "collections":
        collections = _collections(bundle)
        if not any(one.status == Collection.Status.ASKED for one in collections):
            return renewed()
        return render(
            request,
            "deployments/_collections.html",
            {"bundle": bundle, "collections": collections, "collecting": True},
        )
    if bundle.status != Bundle.Status.ASKED:
        return renewed()
    return render(request, "deployments/_registering.html", {"bundle": bundle})


def _collections(bundle: Bundle) -> list[Collection]:
    """The latest collection of each kind in each lane."""
    newest: dict[tuple[int, str], Collection] = {}
    for row in (
        Collection.objects.filter(bundle=bundle)
        .select_related("lane__stage", "asked_by")
        .order_by("-pk")[:50]
    ):
        newest.setdefault((row.lane_id, row.what), row)
    return [row for row in newest.values() if row.status != Collection.Status.DONE]


def _page(
    request: HttpRequest,
    bundle: Bundle,
    *,
    document_form: DocumentForm | None = None,
    evidence_form: EvidenceForm | None = None,
    upload_form: UploadForm | None = None,
    report_form: ReportForm | None = None,
    status: int = 200,
) -> HttpResponse:
    person = person_of(request)
    lanes = lanes_of(bundle.project)
    held = rights.held_on(person, lanes)
    askable = [lane for lane in lanes if Right.REQUEST.value in held[lane.pk]]
    stands = standings([bundle.project])[bundle.project_id]
    compared = _compared(request, bundle, stands)
    clauses = clauses_of(bundle)
    shown = exhibits(bundle, clauses, live_of(compared)) if bundle.is_registered else []
    collections = _collections(bundle)
    document_form = document_form or DocumentForm(kinds=kinds(clauses))
    brought = _to_bring(clauses)
    evidence_form = evidence_form or EvidenceForm(stages=_named(askable), kinds=brought)
    ask_form = None
    if askable and bundle.is_registered:
        ask_form = AskForm(
            bundles=Bundle.objects.filter(pk=bundle.pk), lanes=askable, initial={"bundle": bundle.bundle_id}
        )
    typed.give_back(request, document_form, evidence_form, ask_form)
    wishes = list(
        DeploymentRequest.objects.filter(bundle=bundle).select_related(
            "lane__project",
            "lane__stage",
            "bundle__project",
            "bundle__author",
            "requested_by",
            "on_behalf_of",
        )
    )
    anchors = {one.anchor for one in shown}
    running_in = [one.lane for one in stands if one.runs is not None and one.runs.bundle_id == bundle.pk]
    return render(
        request,
        "deployments/bundle.html",
        {
            "project": bundle.project,
            "bundle": bundle,
            "runs_in": running_in,
            "parts": [
                (part, bundle.parts.get(part, ""), compared is not None and part in compared.changed)
                for part in PARTS
            ],
            "against": compared,
            "stages": [one for one in stands if one.runs is not None],
            "others": _others(bundle) if bundle.is_registered else [],
            "exhibits": shown,
            "documents": _documents(bundle, clauses),
            "document_form": document_form,
            "evidence_form": evidence_form if brought else None,
            "upload_form": upload_form or UploadForm(kinds=kinds(clauses), auto_id="id_upload_%s"),
            "report_form": report_form
            or ReportForm(stages=stages_of(person, bundle), auto_id="id_report_%s"),
            "may_ask": bool(askable) and bundle.is_registered,
            "ask_form": ask_form,
            "collect": _to_collect(askable, running_in, clauses),
            "collections": collections,
            "collecting": any(one.status == Collection.Status.ASKED for one in collections),
            "signoffs": SignOff.objects.filter(bundle=bundle).select_related(
                "person", "lane__stage", "withdrawal"
            ),
            "waivers": Waiver.objects.filter(bundle=bundle).select_related(
                "lane__stage", "answer", "withdrawal"
            ),
            "requests": wishes,
            "missing": missing(bundle, wishes, stands, anchors, may_add=bool(askable))
            if bundle.is_registered
            else [],
        },
        status=status,
    )


def _compared(request: HttpRequest, bundle: Bundle, stands: list[Standing]) -> Against | None:
    """Against the bundle or the stage asked for, otherwise against the last stage where another bundle runs."""
    other, stage = request.GET.get("bundle", ""), request.GET.get("against", "")
    if other:
        return against_bundle(bundle, bundle_for(person_of(request), bundle.project.key, other))
    able = [one for one in stands if one.runs is not None]
    wanted = [one for one in able if one.lane.stage.slug == stage]
    others = [one for one in able if one.runs is not None and one.runs.bundle_id != bundle.pk]
    chosen = wanted or others[::-1] or able[::-1]
    return against(bundle, chosen[0]) if chosen else None


def _others(bundle: Bundle) -> list[str]:
    """The ids of the bundles it can be compared with, the newest first."""
    rows = Bundle.objects.filter(project=bundle.project, status=Bundle.Status.REGISTERED)
    return list(rows.exclude(pk=bundle.pk).order_by("-pk").values_list("bundle_id", flat=True)[:OFFERED])


def _to_collect(askable: list[Lane], running_in: list[Lane], clauses: list[Clause]) -> list[dict[str, Any]]:
    """What can be collected, and where: in each lane that runs the bundle and where the reader may ask."""
    wanted = {
        str(clause.params.get("kind", clause.kind))
        for clause in clauses
        if clause.kind in ("evidence", "document", "govern", "project_standards")
    }
    running = {lane.pk for lane in running_in}
    found = [
        # Govern knows a bundle wherever it runs, or nowhere yet: it is asked once.
        {
            "lane": lane,
            "what": [
                what
                for what in Collection.What
                if what.value in wanted
                and (lane.pk in running if what != Collection.What.GOVERN else lane == askable[0])
            ],
        }
        for lane in askable
    ]
    return [one for one in found if one["what"]]


def _documents(bundle: Bundle, clauses: list[Clause]) -> list[tuple[Document, datetime | None, bool]]:
    """What holds for the bundle, each with the time until when it is young enough, and whether that is over."""
    now = timezone.now()
    found = documents(bundle) if bundle.is_registered else []
    ends = [fresh_until(one, clauses) for one in found]
    return [(one, end, end is not None and end <= now) for one, end in zip(found, ends, strict=True)]


def kinds(clauses: list[Clause]) -> list[tuple[str, str]]:
    """The kinds of document that can be written, those the policy asks for first."""
    asked = [str(clause.params["kind"]) for clause in clauses if clause.kind == "document"]
    written = list(dict.fromkeys([*asked, *TYPICAL]))
    written.sort(key=lambda kind: kind == "model-documentation")
    return [(kind, kind.replace("-", " ").capitalize()) for kind in written]


@posted_on("bundle", bundle_for)
def write_document(request: HttpRequest, key: str, bundle_id: str) -> HttpResponse:
    """Write a document about the bundle."""
    person = person_of(request)
    bundle = bundle_for(person, key, bundle_id)
    form = DocumentForm(request.POST, kinds=kinds(clauses_of(bundle)))
    if form.is_valid():
        with told_by(form):
            document = document_actions.write(by=person, bundle=bundle, **form.cleaned_data)
            messages.success(
                request, _("“%(title)s” is recorded and pinned by its digest.") % {"title": document.title}
            )
            return redirect("bundle", key, bundle_id)
    return _page(request, bundle, document_form=form, status=400)


@posted_on("bundle", bundle_for)
def import_evidence(request: HttpRequest, key: str, bundle_id: str) -> HttpResponse:
    """Bring figures that were counted elsewhere."""
    person = person_of(request)
    bundle = bundle_for(person, key, bundle_id)
    lanes = lanes_of(bundle.project)
    form = EvidenceForm(
        request.POST, request.FILES, stages=_named(lanes), kinds=_to_bring(clauses_of(bundle))
    )
    if form.is_valid():
        with told_by(form):
            lane = next(one for one in lanes if one.stage.slug == form.cleaned_data["stage"])
            kind = form.cleaned_data["kind"]
            imports.take_in(by=person, bundle=bundle, lane=lane, kind=kind, content=loads(form.body))
            messages.success(
                request, _("The figures are recorded as yours, so you cannot sign for them yourself.")
            )
            return redirect("bundle", key, bundle_id)
    return _page(request, bundle, evidence_form=form, status=400)


def _named(lanes: list[Lane]) -> list[tuple[str, str]]:
    return [(one.stage.slug, one.stage.name) for one in lanes]


def _to_bring(clauses: list[Clause]) -> list[tuple[str, str]]:
    """The kinds of evidence the policy asks for and people may bring, in its order."""
    asked = dict.fromkeys(str(clause.params["kind"]) for clause in clauses if clause.kind == "evidence")
    return [(kind, Evidence.Kind(kind).label.capitalize()) for kind in asked if kind in imports.READERS]


@posted_on("bundle", bundle_for)
def upload_document(request: HttpRequest, key: str, bundle_id: str) -> HttpResponse:
    """Upload a document about the bundle."""
    person = person_of(request)
    bundle = bundle_for(person, key, bundle_id)
    form = UploadForm(request.POST, request.FILES, kinds=kinds(clauses_of(bundle)), auto_id="id_upload_%s")
    if was_cut(request):
        form.errors.pop("file", None)
        form.add_error("file", too_large().sentence)
    elif form.is_valid():
        said = form.cleaned_data
        with told_by(form):
            document = document_actions.upload(by=person, bundle=bundle, **said, name=said["file"].name)
            messages.success(
                request, _("“%(title)s” is recorded and pinned by its digest.") % {"title": document.title}
            )
            return redirect("bundle", key, bundle_id)
    return _page(request, bundle, upload_form=form, status=400)


@posted_on("bundle", bundle_for)
def send_report(request: HttpRequest, key: str, bundle_id: str) -> HttpResponse:
    """Send a JUnit report of tests that ran elsewhere."""
    person = person_of(request)
    bundle = bundle_for(person, key, bundle_id)
    stages = stages_of(person, bundle)
    if not stages:  # nothing to choose from, and the action says why
        stages = [(request.POST.get("stage", ""), "")]
    form = ReportForm(request.POST, request.FILES, stages=stages, auto_id="id_report_%s")
    if was_cut(request):
        form.errors.pop("file", None)
        form.add_error("file", too_large().sentence)
    elif form.is_valid():
        with told_by(form):
            test_reports.record_report(by=person, bundle=bundle, **form.cleaned_data)
            messages.success(request, _("The report is recorded, about this bundle's parts."))
            return redirect("bundle", key, bundle_id)
    return _page(request, bundle, report_form=form, status=400)


@posted_on("bundle", bundle_for)
def collect(request: HttpRequest, key: str, bundle_id: str) -> HttpResponse:
    """Ask for one kind of evidence to be collected where the bundle runs."""
    person = person_of(request)
    bundle = bundle_for(person, key, bundle_id)
    lane = next(
        (one for one in lanes_of(bundle.project) if one.stage.slug == request.POST.get("stage")), None
    )
    if lane is None:
        raise rights.absent()
    evidence_actions.ask_collection(by=person, bundle=bundle, lane=lane, what=request.POST.get("what", ""))
    return redirect("bundle", key, bundle_id)
