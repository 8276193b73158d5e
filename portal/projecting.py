"""Keeps guardian's rows on lanes equal to the grants: one row per holder, permission and lane, the latest `until`.

Grants are the truth and these rows their projection. Grants on the estate are not projected: they are read directly.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db.models import Q
from django.utils import timezone

from portal.models import (
    Grant,
    Lane,
    LaneGroupObjectPermission,
    LaneUserObjectPermission,
    Portfolio,
    Project,
)
from portal.models.grant import SIGN_PREFIX, later

# Lanes in one go: their ids are named in queries, below every limit on the number of parameters.
AT_A_TIME = 2_000

Until = datetime | None
# (holder, permission) -> until, by lane id.
Wanted = dict[int, dict[tuple[Any, int], Until]]


def permission(name: str) -> Permission:
    """The permission row of a codename, made on first use (sign roles come with policies)."""
    kind = ContentType.objects.get_for_model(Lane)
    found, _made = Permission.objects.get_or_create(
        content_type=kind, codename=name, defaults={"name": name[:255]}
    )
    return found


def sign_roles() -> list[str]:
    """The roles that published policies ask signatures of."""
    names = Permission.objects.filter(content_type__app_label="portal", codename__startswith=SIGN_PREFIX)
    return sorted(name.removeprefix(SIGN_PREFIX) for name in names.values_list("codename", flat=True))


def project_grants(projects: Iterable[Project], *, stage: str = "") -> None:
    """Make the rows of these projects' lanes (of one stage, where it is named) equal to the grants in force.

    The lanes are locked before the grants are read: of two who write at once, the second sees what the first did.
    A constant number of queries for each two thousand lanes.
    """
    lanes = Lane.objects.filter(project__in=[project.pk for project in projects])
    if stage:
        lanes = lanes.filter(stage__slug=stage)
    ids = list(lanes.order_by("pk").values_list("pk", flat=True))
    for start in range(0, len(ids), AT_A_TIME):
        _project(ids[start : start + AT_A_TIME])


def end_rows(*, by: datetime, review: int) -> None:
    """Let every row end then at the latest, where an access review asks about every grant there is.

    One statement a table, whatever their number; lanes that other grants reach are made equal to them after. The lanes
    are locked first, as above.
    """
    list(
        Lane.objects.select_for_update(no_key=True, of=("self",)).order_by("pk").values_list("pk", flat=True)
    )
    for model in (LaneUserObjectPermission, LaneGroupObjectPermission):
        model.objects.filter(Q(until__isnull=True) | Q(until__gt=by)).update(until=by)
    others = Grant.objects.in_force(timezone.now()).exclude(under_review=review)
    projects = Project.objects.filter(
        Q(grants__in=others.filter(project__isnull=False))
        | Q(portfolios__grants__in=others.filter(portfolio__isnull=False))
    )
    project_grants(projects.distinct())


def _project(ids: list[int]) -> None:
    locked = Lane.objects.select_for_update(no_key=True, of=("self",)).select_related("stage", "project")
    lanes = list(locked.filter(pk__in=ids).order_by("pk"))
    people, teams = _wanted(lanes)
    _bring("user_id", LaneUserObjectPermission, lanes, people)
    _bring("group_id", LaneGroupObjectPermission, lanes, teams)


def _wanted(lanes: Collection[Lane]) -> tuple[Wanted, Wanted]:
    """What the grants in force say of these lanes: for people, and for groups of teams."""
    projects = {lane.project_id for lane in lanes}
    members: dict[int, set[int]] = defaultdict(set)
    for portfolio, project in Portfolio.projects.through.objects.filter(project__in=projects).values_list(
        "portfolio_id", "project_id"
    ):
        members[project].add(portfolio)
    portfolios = {portfolio for some in members.values() for portfolio in some}
    reaching: dict[tuple[str, int], list[Grant]] = defaultdict(list)
    for grant in (
        Grant.objects.in_force(timezone.now())
        .filter(Q(project__in=projects) | Q(portfolio__in=portfolios))
        .select_related("team")
    ):
        where = ("project", grant.project_id) if grant.project_id else ("portfolio", grant.portfolio_id)
        reaching[where].append(grant)  # type: ignore[index]
    names = {grant.codename for some in reaching.values() for grant in some}
    known = {name: permission(name).pk for name in sorted(names)}
    people: Wanted = {lane.pk: {} for lane in lanes}
    teams: Wanted = {lane.pk: {} for lane in lanes}
    for lane in lanes:
        there = [
            *reaching["project", lane.project_id],
            *(grant for one in members[lane.project_id] for grant in reaching["portfolio", one]),
        ]
        for grant in there:
            if grant.stage and grant.stage != lane.stage.slug:
                continue
            held = known[grant.codename]
            if grant.person_id is not None:
                later(people[lane.pk], (grant.person_id, held), grant.until)
            elif grant.team is not None:
                later(teams[lane.pk], (grant.team.group_id, held), grant.until)
    return people, teams


def _bring(holder: str, model: Any, lanes: Collection[Lane], wanted: Wanted) -> None:
    """Make the rows of these lanes what is wanted, touching only those that differ."""
    projects = {lane.pk: lane.project for lane in lanes}
    stale: list[int] = []
    moved: list[Any] = []
    missing = {lane: dict(held) for lane, held in wanted.items()}
    for row in model.objects.filter(content_object__in=list(projects)):
        key = (getattr(row, holder), row.permission_id)
        if key not in missing[row.content_object_id]:
            stale.append(row.pk)
            continue
        until = missing[row.content_object_id].pop(key)
        if row.until != until:
            row.until = until
            moved.append(row)
    for start in range(0, len(stale), AT_A_TIME):
        model.objects.filter(pk__in=stale[start : start + AT_A_TIME]).delete()
    model.objects.bulk_update(moved, ["until"], batch_size=500)
    model.objects.bulk_create(
        (
            model(
                **{holder: who},
                permission_id=held,
                content_object_id=lane,
                project=projects[lane],
                project_key=projects[lane].key,
                until=until,
            )
            for lane, some in missing.items()
            for (who, held), until in some.items()
        ),
        batch_size=AT_A_TIME,
    )
