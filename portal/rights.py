"""May this person? The one place that answers, default deny, and the only writer of guardian's rows.

Grants are the truth. `project_grants` projects them to direct-FK rows on lanes, one per holder, permission and lane;
estate grants are read from the grants themselves, first. `is_superuser` is never looked at. Writing grants with their
events is portal/actions/grants.py's.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db.models import Exists, OuterRef, Q, QuerySet, prefetch_related_objects
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.errors import Absent, Forbidden
from portal.models import (
    Grant,
    Lane,
    LaneGroupObjectPermission,
    LaneUserObjectPermission,
    Person,
    Project,
    Right,
)
from portal.models.grant import codename

__all__ = [
    "Holding",
    "Right",
    "absent",
    "can",
    "check",
    "check_estate",
    "codename",
    "held_on",
    "holders",
    "holders_on",
    "lanes_with",
    "on_estate",
    "permission",
    "project_grants",
    "see",
    "sign_roles",
    "visible_projects",
]


def permission(name: str) -> Permission:
    """The permission row of a codename, made on first use (sign roles come with policies)."""
    kind = ContentType.objects.get_for_model(Lane)
    found, _made = Permission.objects.get_or_create(
        content_type=kind, codename=name, defaults={"name": name[:255]}
    )
    return found


def absent() -> Absent:
    """What an outsider gets: the same words for what is not there and for what they may not know of."""
    return Absent(
        _("There is nothing here, or you may not see it. Ask an administrator if you should."), code="absent"
    )


def _in_force(now: datetime) -> Q:
    return Q(until__isnull=True) | Q(until__gt=now)


def _groups(person: Person) -> QuerySet[Any, Any]:
    return Person.groups.through.objects.filter(person=person).values("group_id")


def estate_grants(now: datetime) -> QuerySet[Grant]:
    """Grants on the whole estate that are in force."""
    return Grant.objects.filter(_in_force(now), project__isnull=True, revoked_at__isnull=True)


def _held(person: Person, now: datetime) -> QuerySet[Grant]:
    """Estate grants that count for the person."""
    held = estate_grants(now).filter(Q(person=person) | Q(team__group__in=_groups(person)))
    return held if _signs(person) else held.exclude(right=Right.SIGN)


def _acts(person: Person) -> bool:
    return person.is_active and not person.is_system


def _signs(person: Person) -> bool:
    """A service account never signs, whatever its teams hold."""
    return person.kind == Person.Kind.PERSON


def on_estate(person: Person, *, stage: str | None = None) -> frozenset[str]:
    """Codenames held on the estate; grants for one stage count only for that stage."""
    if not _acts(person):
        return frozenset()
    rows = _held(person, timezone.now()).values_list("right", "role", "stage")
    return frozenset(codename(Right(right), role) for right, role, only in rows if not only or only == stage)


def held_on(person: Person, lanes: Iterable[Lane]) -> dict[int, frozenset[str]]:
    """Codenames held on each lane, by lane id, in three queries (four where the stages were not read yet)."""
    lanes = list(lanes)
    if not _acts(person):
        return {lane.pk: frozenset() for lane in lanes}
    now = timezone.now()
    found: dict[int, set[str]] = defaultdict(set)
    estate = list(_held(person, now).values_list("right", "role", "stage"))
    if any(only for _right, _role, only in estate):
        prefetch_related_objects(lanes, "stage")
    for lane in lanes:
        found[lane.pk] = {
            codename(Right(r), role) for r, role, only in estate if not only or only == lane.stage.slug
        }
    ids = [lane.pk for lane in lanes]
    for rows in (
        LaneUserObjectPermission.objects.filter(_in_force(now), user=person, content_object__in=ids),
        LaneGroupObjectPermission.objects.filter(
            _in_force(now), group__in=_groups(person), content_object__in=ids
        ),
    ):
        for lane_id, name in rows.values_list("content_object_id", "permission__codename"):
            if _signs(person) or not name.startswith("sign_"):
                found[lane_id].add(name)
    return {lane_id: frozenset(names) for lane_id, names in found.items()}


def can(person: Person, right: Right, lane: Lane, *, role: str = "") -> bool:
    """Whether `check` would let it pass; two or three queries."""
    return codename(right, role) in held_on(person, [lane])[lane.pk]


def check(person: Person, right: Right, lane: Lane, *, role: str = "") -> None:
    """Raise unless the person holds the right on the lane.

    Absent for an outsider (somebody without any right on the project), Forbidden with the reason and who can grant it
    for a member without this right.
    """
    if codename(right, role) in held_on(person, [lane])[lane.pk]:
        return
    see(person, lane.project)
    what = (
        _("sign for %(role)s") % {"role": role.replace("-", " ")} if right == Right.SIGN else str(right.label)
    )
    raise Forbidden(
        _("You need the right to %(right)s on %(project)s in %(stage)s. %(grantors)s can grant it.")
        % {
            "right": what,
            "project": lane.project.name,
            "stage": lane.stage.name,
            "grantors": grantors(lane.project),
        },
        code="right_missing",
        right=codename(right, role),
        project=lane.project.key,
        stage=lane.stage.slug,
    )


def check_estate(person: Person, right: Right) -> None:
    """Raise Forbidden unless the person holds the right on the whole estate."""
    if right.value not in on_estate(person):
        raise Forbidden(
            _("You need the right to %(right)s on the whole estate. %(grantors)s can grant it.")
            % {"right": str(right.label), "grantors": grantors()},
            code="right_missing",
            right=right.value,
        )


def grantors(project: Project | None = None) -> str:
    """Names of the people who can grant on a project, or on the whole estate, for refusals."""
    if project is None:
        rows = estate_grants(timezone.now()).filter(right=Right.MANAGE, stage="")
        groups = rows.filter(team__isnull=False).values("team__group_id")
        member = Person.groups.through.objects.filter(person=OuterRef("pk"), group__in=groups)
        able = Person.objects.filter(is_active=True, kind=Person.Kind.PERSON).filter(
            Q(pk__in=rows.filter(person__isnull=False).values("person_id")) | Q(Exists(member))
        )
        names = set(able.values_list("name", flat=True))
    else:
        lanes = list(Lane.objects.filter(project=project).values_list("pk", flat=True))
        held = holders_on({lane: [Right.MANAGE.value] for lane in lanes})
        each = [{holding.person.name for holding in found} for found in held.values()]
        names = set.intersection(*each) if each else set()
    return _(" or ").join(sorted(names)) if names else _("An administrator")


def see(person: Person, project: Project) -> None:
    """Raise Absent unless the person may see the project."""
    if not visible_projects(person).filter(pk=project.pk).exists():
        raise absent()


def visible_projects(person: Person) -> QuerySet[Project]:
    """Projects the person has any right on; an estate right is one on every project that has its stage."""
    if not _acts(person):
        return Project.objects.none()
    now = timezone.now()
    stages = set(_held(person, now).values_list("stage", flat=True))
    if "" in stages:
        return Project.objects.all()
    signing = Q() if _signs(person) else ~Q(permission__codename__startswith="sign_")
    own = LaneUserObjectPermission.objects.filter(_in_force(now), signing, user=person)
    teams = LaneGroupObjectPermission.objects.filter(_in_force(now), signing, group__in=_groups(person))
    found = own.values("project_id").union(teams.values("project_id"))
    if stages:
        found = found.union(Lane.objects.filter(stage__slug__in=stages).values("project_id"))
    return Project.objects.filter(pk__in=found)


def holders(lane: Lane, name: str) -> list[Person]:
    """Active people who hold a codename on a lane now, directly, through a team or on the estate, by name.

    Service accounts are not among them: these are the people who can be asked.
    """
    now = timezone.now()
    right, role = (Right.SIGN, name.removeprefix("sign_")) if name.startswith("sign_") else (Right(name), "")
    own = LaneUserObjectPermission.objects.filter(
        _in_force(now), content_object=lane, permission__codename=name
    )
    teams = LaneGroupObjectPermission.objects.filter(
        _in_force(now), content_object=lane, permission__codename=name
    )
    estate = estate_grants(now).filter(Q(stage="") | Q(stage=lane.stage.slug), right=right, role=role)
    member = Person.groups.through.objects.filter(person=OuterRef("pk"))
    return list(
        Person.objects.filter(is_active=True, kind=Person.Kind.PERSON)
        .filter(
            Q(pk__in=own.values("user_id"))
            | Q(Exists(member.filter(group__in=teams.values("group_id"))))
            | Q(pk__in=estate.filter(person__isnull=False).values("person_id"))
            | Q(Exists(member.filter(group__in=estate.filter(team__isnull=False).values("team__group_id"))))
        )
        .order_by("name")
    )


@dataclass(frozen=True, slots=True)
class Holding:
    """A person who holds something, and until when (None: for good)."""

    person: Person
    until: datetime | None


def holders_on(wanted: Mapping[int, Collection[str]]) -> dict[tuple[int, str], list[Holding]]:
    """As `holders`, for codenames by lane id: (lane id, codename) -> people by name, in six queries however many."""
    now = timezone.now()
    every = {name for names in wanted.values() for name in names}
    slugs = dict(Lane.objects.filter(pk__in=wanted).values_list("pk", "stage__slug"))
    people: dict[tuple[int, str], dict[UUID, datetime | None]] = {
        (lane, name): {} for lane, names in wanted.items() for name in names
    }
    teams: dict[tuple[int, str], dict[int, datetime | None]] = {key: {} for key in people}
    there = Q(content_object__in=list(wanted), permission__codename__in=every)
    for user, lane, name, until in LaneUserObjectPermission.objects.filter(_in_force(now), there).values_list(
        "user_id", "content_object_id", "permission__codename", "until"
    ):
        _latest(people.get((lane, name), {}), user, until)
    for group, lane, name, until in LaneGroupObjectPermission.objects.filter(
        _in_force(now), there
    ).values_list("group_id", "content_object_id", "permission__codename", "until"):
        _latest(teams.get((lane, name), {}), group, until)
    for grant in estate_grants(now).select_related("team"):
        for lane, name in people:
            if name == grant.codename and grant.stage in ("", slugs.get(lane)):
                if grant.person_id is not None:
                    _latest(people[lane, name], grant.person_id, grant.until)
                elif grant.team is not None:
                    _latest(teams[lane, name], grant.team.group_id, grant.until)
    members: dict[int, set[UUID]] = defaultdict(set)
    groups = {group for held in teams.values() for group in held}
    for person_id, group in Person.groups.through.objects.filter(group__in=groups).values_list(
        "person_id", "group_id"
    ):
        members[group].add(person_id)
    for key, held in teams.items():
        for group, until in held.items():
            for person_id in members[group]:
                _latest(people[key], person_id, until)
    ids = {person_id for held in people.values() for person_id in held}
    able = list(Person.objects.filter(pk__in=ids, is_active=True, kind=Person.Kind.PERSON).order_by("name"))
    return {
        key: [Holding(person, held[person.pk]) for person in able if person.pk in held]
        for key, held in people.items()
    }


def lanes_with(person: Person, wanted: Collection[Right]) -> QuerySet[Lane]:
    """The lanes on which the person holds one of these rights; signing in any role counts as the right to sign."""
    if not _acts(person):
        return Lane.objects.none()
    wanted = [right for right in wanted if right != Right.SIGN or _signs(person)]
    now = timezone.now()
    stages = set(_held(person, now).filter(right__in=wanted).values_list("stage", flat=True))
    if "" in stages:
        return Lane.objects.all()
    named = Q(permission__codename__in=[right.value for right in wanted])
    if Right.SIGN in wanted:
        named |= Q(permission__codename__startswith="sign_")
    own = LaneUserObjectPermission.objects.filter(_in_force(now), named, user=person)
    teams = LaneGroupObjectPermission.objects.filter(_in_force(now), named, group__in=_groups(person))
    return Lane.objects.filter(
        Q(pk__in=own.values("content_object_id"))
        | Q(pk__in=teams.values("content_object_id"))
        | Q(stage__slug__in=stages)
    )


def sign_roles() -> list[str]:
    """The roles that published policies ask signatures of."""
    names = Permission.objects.filter(content_type__app_label="portal", codename__startswith="sign_")
    return sorted(name.removeprefix("sign_") for name in names.values_list("codename", flat=True))


def project_grants(lanes: Iterable[Lane]) -> None:
    """Rewrite guardian's rows of these lanes from the grants in force: the latest `until` of each holder and right.

    The lanes are locked before the grants are read: of two who write at once, the second sees what the first did.
    """
    locked = Lane.objects.select_for_update(no_key=True, of=("self",)).select_related("project", "stage")
    held = list(locked.filter(pk__in=[lane.pk for lane in lanes]).order_by("pk"))
    now = timezone.now()
    known: dict[str, Permission] = {}
    for lane in held:
        own: dict[tuple[UUID, str], datetime | None] = {}
        teams: dict[tuple[int, str], datetime | None] = {}
        grants = Grant.objects.filter(
            _in_force(now),
            Q(stage="") | Q(stage=lane.stage.slug),
            project=lane.project,
            revoked_at__isnull=True,
        ).select_related("team")
        for grant in grants:
            if grant.person_id is not None:
                _latest(own, (grant.person_id, grant.codename), grant.until)
            elif grant.team is not None:
                _latest(teams, (grant.team.group_id, grant.codename), grant.until)
        for _holder, name in (*own, *teams):
            known[name] = known.get(name) or permission(name)
        LaneUserObjectPermission.objects.filter(content_object=lane).delete()
        LaneGroupObjectPermission.objects.filter(content_object=lane).delete()
        LaneUserObjectPermission.objects.bulk_create(
            LaneUserObjectPermission(
                user_id=holder,
                permission=known[name],
                content_object=lane,
                project=lane.project,
                until=until,
            )
            for (holder, name), until in own.items()
        )
        LaneGroupObjectPermission.objects.bulk_create(
            LaneGroupObjectPermission(
                group_id=group,
                permission=known[name],
                content_object=lane,
                project=lane.project,
                until=until,
            )
            for (group, name), until in teams.items()
        )


def _latest(rows: dict[Any, datetime | None], key: Any, until: datetime | None) -> None:
    if key in rows:
        there = rows[key]
        rows[key] = None if there is None or until is None else max(there, until)
    else:
        rows[key] = until
