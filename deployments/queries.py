"""Reads of deployments for whoever asks: what they may see of projects, requests and promotions, and do with them.

A list takes the same number of queries however long it is. Not in charge of judging (`deployments.judging`) nor of
how a lane reads (`deployments.lanes`).
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Prefetch, Q, QuerySet

from deployments.inbox import to_sign
from deployments.judging import READ_WITH, Judged
from deployments.lanes import Standing, standings
from deployments.models import REQUEST_MOVES, Ask, Comment, Deployment, DeploymentRequest, Promotion, Step
from deployments.waiving import pending, to_waive
from portal import rights
from portal.models import Person, Project, Right
from portal.moves import open_to
from portal.prepared import prepared


@dataclass(frozen=True, slots=True)
class LaneRow:
    """A lane as it stands, and the codenames of what the reader may do there."""

    standing: Standing
    rights: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ProjectRow:
    """A project with its lanes in the pipeline's order."""

    project: Project
    lanes: tuple[LaneRow, ...]


def projects_of(person: Person, window: rights.Window, said: str = "") -> QuerySet[Project]:
    """The projects a person may see, by key in a window, ready for `project_rows`; those with `said` in name or key.

    Whoever reads it cuts it at the window's limit.
    """
    if said:
        named = rights.visible_projects(person).filter(Q(name__icontains=said) | Q(key__icontains=said))
        found = rights.cut(named, window)
    else:
        found = rights.projects_in(person, window)
    return found.select_related("node", "pipeline").prefetch_related("owners")


def project_rows(person: Person, projects: Iterable[Project]) -> list[ProjectRow]:
    """What runs where in these projects and what the person may do there."""
    projects = list(projects)
    found = standings(projects)
    held = rights.held_on(person, [standing.lane for own in found.values() for standing in own])
    return [
        ProjectRow(
            project, tuple(LaneRow(one, tuple(sorted(held[one.lane.pk]))) for one in found[project.pk])
        )
        for project in projects
    ]


def deployments_now(person: Person) -> QuerySet[Deployment]:
    """What runs now in the projects a person may see."""
    return Deployment.objects.filter(
        ended_at__isnull=True, lane__project__in=rights.visible_projects(person)
    ).select_related("bundle", "place", "lane__stage", "lane__project")


def requests_for(person: Person) -> QuerySet[DeploymentRequest]:
    """The requests of the projects a person may see."""
    seen = DeploymentRequest.objects.filter(lane__project__in=rights.visible_projects(person))
    return seen.select_related(*READ_WITH)


def request_for(person: Person, number: int, key: str | None = None) -> DeploymentRequest:
    """A request the person may know of, with a `key` only in that project; raises Absent."""
    # Asked apart, so that of what differs from person to person only a question without columns is put into SQL anew.
    seen = DeploymentRequest.objects.filter(pk=number, lane__project__in=rights.visible_projects(person))
    if key is not None:
        seen = seen.filter(lane__project__key=key)
    if seen.exists():
        for request in _requests(number=number):
            return request
    raise rights.absent()


@prepared
def _requests(number: Any) -> QuerySet[DeploymentRequest]:
    return DeploymentRequest.objects.filter(pk=number).select_related(*READ_WITH)


def promotions_for(person: Person) -> QuerySet[Promotion]:
    """The promotions of the projects a person may see, each with its steps."""
    return (
        Promotion.objects.filter(lane__project__in=rights.visible_projects(person))
        .select_related(
            "lane__project", "lane__stage", "place", "bundle", "started_by", "on_behalf_of", "request"
        )
        .prefetch_related(Prefetch("steps", Step.objects.order_by("position")))
    )


def promotion_for(person: Person, number: int) -> Promotion:
    """A promotion the person may know of; raises Absent."""
    promotion = promotions_for(person).filter(pk=number).first()
    if promotion is None:
        raise rights.absent()
    return promotion


def may_set_ticket(request: DeploymentRequest, held: Collection[str]) -> bool:
    """Whether a holder of these codenames can give the request another change ticket now."""
    return request.status == DeploymentRequest.Status.OPEN and Right.REQUEST.value in held


def request_verbs(
    person: Person, request: DeploymentRequest, held: Collection[str], judged: Judged | None
) -> Sequence[str]:
    """What the person can do with a request now: moves by name, `sign:<requirement>` where the gate waits for them,
    `waive:<number>` where a waiver does."""
    found = open_to(request.status, REQUEST_MOVES, held)
    if may_set_ticket(request, held):
        found.append("set_ticket")
    if judged is not None and not request.is_over:
        found += [f"sign:{key}" for key in to_sign(person, judged)]
        asked = pending([(request, judged)]).get(request.pk, ())
        found += [f"waive:{waiver.pk}" for waiver in to_waive(person, asked)]
    return found


def promotion_verbs(promotion: Promotion, held: Collection[str]) -> Sequence[str]:
    """What a holder of these codenames can do with a promotion: `stop` it, or `release` the lane it still holds."""
    if Right.PROMOTE.value not in held:
        return []
    if not promotion.is_over:
        return ["stop"] if promotion.kind == Promotion.Kind.PROMOTE else []
    return ["release"] if promotion.holds_lane else []


def comments_of(request: DeploymentRequest) -> QuerySet[Comment]:
    """What was said about a request, newest first, with who said it and who was mentioned."""
    found = Comment.objects.filter(request=request).select_related("written_by")
    return found.prefetch_related("mentioned").order_by("-pk")


def asks_of(request: DeploymentRequest) -> QuerySet[Ask]:
    """Who was asked to sign for a request, newest first."""
    return Ask.objects.filter(request=request).select_related("person").order_by("-pk")
