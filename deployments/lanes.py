"""What runs in a lane, what is on its way there, and how that reads: for pages that show many lanes at once.

Reads a constant number of times, however many lanes. Not in charge of whether anything may happen.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from deployments.models import Deployment, DeploymentRequest, Promotion, Step
from portal.models import Bundle, Lane, Project


@dataclass(frozen=True, slots=True)
class Standing:
    """How one lane stands. `tests` is (passed, all) of the promotion that brought what runs, or None."""

    lane: Lane
    runs: Deployment | None
    tests: tuple[int, int] | None
    coming: Promotion | None
    held_by: Promotion | None
    asked: DeploymentRequest | None


def standings(projects: Collection[Project]) -> dict[int, list[Standing]]:
    """The lanes of each project by its id, in the pipeline's order, in five queries."""
    lanes = list(
        Lane.objects.filter(project__in=projects)
        .select_related("project", "stage")
        .order_by("stage__position")
    )
    runs = {
        row.lane_id: row
        for row in Deployment.objects.filter(lane__in=lanes, ended_at__isnull=True).select_related(
            "bundle", "promotion"
        )
    }
    tests = {
        step.promotion_id: (int(step.output.get("passed", 0)), len(step.output.get("listed", [])))
        for step in Step.objects.filter(
            promotion__in=[row.promotion_id for row in runs.values()],
            name="run_tests",
            status=Step.Status.DONE,
        )
    }
    coming: dict[int, Promotion] = {}
    held: dict[int, Promotion] = {}
    for promotion in Promotion.objects.filter(lane__in=lanes, holds_lane=True).select_related("bundle"):
        (held if promotion.is_over else coming)[promotion.lane_id] = promotion
    asked = {
        row.lane_id: row
        for row in DeploymentRequest.objects.filter(lane__in=lanes, status="open")
        .select_related("bundle")
        .order_by("pk")
    }
    found: dict[int, list[Standing]] = {project.pk: [] for project in projects}
    for lane in lanes:
        run = runs.get(lane.pk)
        found[lane.project_id].append(
            Standing(
                lane=lane,
                runs=run,
                tests=tests.get(run.promotion_id) if run else None,
                coming=coming.get(lane.pk),
                held_by=held.get(lane.pk),
                asked=asked.get(lane.pk),
            )
        )
    return found


def drawn(standing: Standing) -> dict[str, Any]:
    """One lane as `components/lanes.html` draws it."""
    key, run = standing.lane.project.key, standing.runs
    state, label = health(standing)
    lines = []
    if standing.tests and standing.tests[1]:
        lines.append(
            ngettext(
                "%(passed)s of %(all)s test passed", "%(passed)s of %(all)s tests passed", standing.tests[1]
            )
            % {"passed": standing.tests[0], "all": standing.tests[1]}
        )
    if standing.held_by is not None:
        lines.append(
            _("Held by promotion %(number)s: nothing can start here.") % {"number": standing.held_by.pk}
        )
    return {
        "name": standing.lane.stage.name,
        "bundle": run.bundle.bundle_id if run else "",
        "bundle_url": reverse("bundle", args=[key, run.bundle.bundle_id]) if run else "",
        "state": state,
        "state_label": label,
        "since": run.since if run else None,
        "lines": lines,
        "coming": on_its_way(standing),
        "request_url": reverse("request", args=[key, request_id])
        if (request_id := _request_of(standing))
        else "",
        "asked": standing.asked is not None and standing.coming is None,
    }


def drawn_design(project: Project, newest: Bundle | None) -> dict[str, Any]:
    """The design node as the first box of the pipeline: the newest bundle that was registered."""
    return {
        "name": _("Design"),
        "bundle": newest.bundle_id if newest else "",
        "bundle_url": reverse("bundle", args=[project.key, newest.bundle_id]) if newest else "",
        "lines": [_("built by %(name)s") % {"name": newest.author.name}] if newest and newest.author else [],
        "empty": _("No bundle registered yet"),
    }


def health(standing: Standing) -> tuple[str, str]:
    """The state and its word for what runs: what its promotion last found of it."""
    run = standing.runs
    if run is None:
        return "", ""
    if run.promotion.status in (Promotion.Status.FAILED, Promotion.Status.ERRORED):
        return "unhealthy", _("not healthy")
    if run.watched_at is not None:
        return "healthy", _("healthy")
    if run.promotion.status == Promotion.Status.RUNNING:
        return "running", _("being checked")
    return "unknown", _("not watched")


def on_its_way(standing: Standing) -> str:
    """The bundle that a promotion is bringing here, or that an open request asks for."""
    if standing.coming is not None and (
        standing.runs is None or standing.coming.bundle_id != standing.runs.bundle_id
    ):
        return standing.coming.bundle.bundle_id
    if standing.asked is not None and standing.coming is None:
        return standing.asked.bundle.bundle_id
    return ""


def _request_of(standing: Standing) -> int | None:
    if standing.coming is not None:
        return standing.coming.request_id
    return standing.asked.pk if standing.asked is not None else None


def latest_promotions(requests: Sequence[DeploymentRequest]) -> Mapping[int, Promotion]:
    """The last promotion of each request, by the request's id, in one query."""
    rows = (
        Promotion.objects.filter(request__in=requests).select_related("bundle", "lane__stage").order_by("pk")
    )
    return {row.request_id: row for row in rows}
