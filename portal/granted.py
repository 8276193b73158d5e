"""Grants as people read them: who may do what on which stage, through what. Reads only; portal/rights.py decides."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from django.db.models import CharField, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.models import Grant, Person, Project, Right, Stage

ORDER = {right: position for position, right in enumerate(Right.values)}


@dataclass(frozen=True, slots=True)
class Line:
    """One right, with who holds it at each stage (in the stages' order)."""

    right: str
    cells: list[tuple[str, list[dict[str, Any]]]]


def in_force() -> QuerySet[Grant]:
    """Grants that count now, with their holders and the printed name of their stage as `stage_name`."""
    now = timezone.now()
    named = Stage.objects.filter(slug=OuterRef("stage")).order_by("pk").values("name")
    return (
        Grant.objects.filter(Q(until__isnull=True) | Q(until__gt=now), revoked_at__isnull=True)
        .select_related("person", "team", "project", "portfolio", "given_by")
        .annotate(
            stage_name=Coalesce(
                Subquery(named.filter(pipeline=OuterRef("project__pipeline"))[:1]),
                Subquery(named[:1]),
                F("stage"),
                output_field=CharField(),
            )
        )
    )


def granted_on(project: Project | None, *, among: QuerySet[Grant]) -> QuerySet[Grant]:
    """Of the grants that somebody may see: those that reach a project, or the estate's alone; newest first."""
    where = Q(project__isnull=True) if project is None else Q(project=project) | Q(project__isnull=True)
    return in_force().filter(where, pk__in=among.values("pk")).order_by("-given_at", "-pk")


def own(person: Person) -> list[Grant]:
    """What a person holds, directly or through a team."""
    groups = Person.groups.through.objects.filter(person=person).values("group_id")
    return list(
        in_force()
        .filter(Q(person=person) | Q(team__group__in=groups))
        .order_by("project__name", "right", "stage")
    )


def matrix(project: Project | None, held: QuerySet[Grant]) -> dict[str, Any]:
    """Right by stage: who holds it there, people and teams by name."""
    stages: list[tuple[str, str]] = [("", _("Everywhere"))]
    if project is not None:
        stages = list(
            Stage.objects.filter(pipeline=project.pipeline_id)
            .order_by("position")
            .values_list("slug", "name")
        )
    found: dict[tuple[int, str], dict[str, dict[str, dict[str, Any]]]] = defaultdict(
        lambda: defaultdict(dict)
    )
    for grant in held:
        label = right_label(grant)
        for slug, _name in stages:
            if project is None or grant.stage in ("", slug):
                holder = grant.person or grant.team
                found[ORDER[grant.right], label][slug].setdefault(
                    str(holder),
                    {
                        "name": str(holder),
                        "team": grant.team,
                        "estate": grant.project_id is None and project is not None,
                    },
                )
    lines = [
        Line(
            label,
            [(name, sorted(cells[slug].values(), key=lambda one: str(one["name"]))) for slug, name in stages],
        )
        for (_order, label), cells in sorted(found.items())
    ]
    return {"stages": [name for _slug, name in stages], "lines": lines}


def right_label(grant: Grant) -> str:
    """A right in plain words, with the role for the right to sign."""
    if grant.right == Right.SIGN:
        return _("sign for %(role)s") % {"role": grant.role.replace("-", " ")}
    return str(grant.get_right_display())
