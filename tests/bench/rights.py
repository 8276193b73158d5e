"""What rights cost on a large estate: one check, the first page of projects, and the API's page of them.

On PostgreSQL with 1,000 people, 100 teams, 100,000 projects and two million rows on lanes, made once for all of them.
Both sides of a ratio take turns, so that a busy machine is as busy for one as for the other.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext
from guardian.shortcuts import get_objects_for_user
from rest_framework.generics import ListAPIView
from rest_framework.pagination import PageNumberPagination
from rest_framework.test import APIRequestFactory, force_authenticate

from deployments.api.projects import Projects, ProjectSerializer
from deployments.queries import project_rows
from portal import rights
from portal.models import Lane, Node, Person, Pipeline, Project, Right, Stage
from portal.projecting import permission
from portal.seen import keys_in_window
from tests.bench.registry import Measured, benchmark
from tests.databases import copied, pointed_at

PEOPLE, TEAMS, PROJECTS = 1000, 100, 100_000
PAGE = 50


@benchmark("rights-check", unit="ms", goal=6.0)
def one_check() -> Measured:
    """One right of a person at a lane, own or through a team, against one indexed query."""
    return _measured()["check"]


@benchmark("rights-first-page-20", unit="ms", goal=3.0)
def first_page_of_few() -> Measured:
    """What is on the first page of somebody who sees 20 projects, against the first of each holder merged in SQL."""
    return _measured()["few"]


@benchmark("rights-first-page-5000", unit="ms", goal=3.0)
def first_page_of_many() -> Measured:
    """What is on the first page of somebody who sees 5,000, against the first of each holder merged in SQL."""
    return _measured()["many"]


@benchmark("rights-projects-api", unit="ms", goal=0.25)
def projects_api() -> Measured:
    """The API's page of 50 projects, against guardian's `get_objects_for_user` with numbered pages and a count."""
    return _measured()["api"]


@cache
def _measured() -> dict[str, Measured]:
    """All of them: what takes long is to make the estate."""
    with copied("postgres") as database, pointed_at(database):
        _fill()
        few, many = Person.objects.get(login="few"), Person.objects.get(login="many")
        return {
            "check": _check(),
            "few": _first_page(few, 20, 20),
            "many": _first_page(many, 4900, 5200),
            "api": _api(few, many),
        }


# --- guardian's way --------------------------------------------------------------------------------------------------


class NumberedPages(PageNumberPagination):
    page_size = PAGE


class GuardianProjects(ListAPIView[Any]):
    """The same list as guardian's documentation would have it: everything but finding the projects is the portal's."""

    pagination_class = NumberedPages
    serializer_class = ProjectSerializer

    def get_queryset(self) -> QuerySet[Any]:
        every = Permission.objects.filter(content_type=ContentType.objects.get_for_model(Lane))
        lanes = get_objects_for_user(
            self.request.user,
            list(every.values_list("codename", flat=True)),
            klass=Lane,
            any_perm=True,
            with_superuser=False,
            accept_global_perms=False,
        )
        found = Project.objects.filter(lanes__in=lanes).distinct().select_related("node", "pipeline")
        return found.prefetch_related("owners").order_by("key")

    def paginate_queryset(self, queryset: Any) -> Any:
        assert isinstance(self.request.user, Person)
        return project_rows(self.request.user, super().paginate_queryset(queryset) or [])


# --- measuring -------------------------------------------------------------------------------------------------------


def _check() -> Measured:
    sql = (
        "SELECT 1 FROM portal_laneuserobjectpermission"
        " WHERE user_id = %s AND permission_id = %s AND content_object_id = %s"
    )
    view = permission("view").pk
    asked = []
    lanes = Lane.objects.select_related("stage", "project")
    for number, person in enumerate(Person.objects.filter(login__startswith="p").order_by("login")[:100]):
        held = "lanegroupobjectpermission" if number % 2 else "laneuserobjectpermission"
        holder = "group__user" if number % 2 else "user"
        mine = {f"{held}__{holder}": person, f"{held}__permission": view}
        asked.append((person, lanes.filter(**mine)[number % 7]))

    def floor(person: Person, lane: Lane) -> None:
        _rows(sql, [person.pk, view, lane.pk])

    def check(person: Person, lane: Lane) -> None:
        rights.check(person, Right.VIEW, lane)

    with CaptureQueriesContext(connection) as found:
        check(*asked[0])
    if len(found) > 2:
        raise AssertionError(f"{len(found)} queries for one check")
    return _by_turns(check, floor, asked * 3)


def _first_page(person: Person, least: int, most: int) -> Measured:
    sees = rights.visible_projects(person).count()
    if not least <= sees <= most:
        raise AssertionError(f"{person.login} sees {sees} projects")
    first = "SELECT DISTINCT project_key FROM {} WHERE {} = {} ORDER BY project_key LIMIT %s"
    own = first.format("portal_laneuserobjectpermission", "user_id", "%s")
    of_group = first.format("portal_lanegroupobjectpermission", "group_id", "member.group_id")
    sql = (
        f"({own}) UNION SELECT firsts.project_key FROM portal_person_groups member CROSS JOIN LATERAL ({of_group})"
        " firsts WHERE member.person_id = %s ORDER BY project_key LIMIT %s"
    )
    values = [person.pk, PAGE, PAGE, person.pk, PAGE]

    def floor() -> list[str]:
        return [key for (key,) in _rows(sql, values)]

    def page() -> list[str] | None:
        return keys_in_window(person, rights.Window(PAGE))

    if sorted(page() or []) != floor():
        raise AssertionError("the two pages differ")
    return _by_turns(page, floor, [()] * 200)


def _api(few: Person, many: Person) -> Measured:
    ours, guardians = Projects.as_view(), GuardianProjects.as_view()
    asking = APIRequestFactory(SERVER_NAME="localhost")

    def get(view: Callable[..., Any], person: Person) -> list[str]:
        request = asking.get("/api/v1/projects/")
        force_authenticate(request, person)
        answer = view(request).render()
        if answer.status_code != 200:
            raise AssertionError(f"the page answers {answer.status_code}: {answer.content!r}")
        return [row["key"] for row in answer.data["results"]]

    for person in (few, many):
        if get(ours, person) != get(guardians, person):
            raise AssertionError("the two do not list the same projects")
    with CaptureQueriesContext(connection) as asked:
        get(ours, many)
    if counted := [query["sql"] for query in asked if "COUNT(" in query["sql"].upper()]:
        raise AssertionError(f"the page counts: {counted[0]}")
    return _by_turns(lambda person: get(ours, person), lambda person: get(guardians, person), [(many,)] * 20)


def _by_turns(ours: Callable[..., Any], floor: Callable[..., Any], turns: Any) -> Measured:
    """Median milliseconds of a call of each, called in turn with the same arguments; the first tenth warms up."""
    times: tuple[list[float], list[float]] = ([], [])
    for turn in turns:
        for found, work in zip(times, (ours, floor), strict=True):
            began = time.perf_counter()
            work(*turn)
            found.append(1000 * (time.perf_counter() - began))
    measured, least = (statistics.median(some[len(some) // 10 :]) for some in times)
    return Measured(measured, least)


def _rows(sql: str, values: Sequence[Any] = ()) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchall() if cursor.description else []


# --- a large estate --------------------------------------------------------------------------------------------------


def _fill() -> None:
    """Rows by the million, whose number alone matters: copied inside the database, its checks of keys left out."""
    _rows("SET session_replication_role = replica")
    person = Person.objects.create_person("pattern", name="Pattern")
    _copy(person, "login", "'p' || lpad(n::text, 4, '0')", PEOPLE - 2, id="gen_random_uuid()")
    few = Person.objects.create_person("few", name="Sees few")
    many = Person.objects.create_person("many", name="Sees many")
    Person.objects.filter(pk=person.pk).delete()
    _rows("INSERT INTO auth_group (name) SELECT 'team-' || n FROM generate_series(0, %s) n", [TEAMS - 1])
    _rows(
        "INSERT INTO portal_team (group_id, slug, name, requires_second_factor)"
        " SELECT id, name, name, false FROM auth_group"
    )

    node = Node.objects.create(
        slug="design", name="Design", kind="design", url="http://127.0.0.1:9", key_name="k"
    )
    line = Pipeline.objects.create(slug="standard", name="Standard")
    for position, slug in enumerate(("qa", "prod")):
        Stage.objects.create(pipeline=line, slug=slug, name=slug, position=position)
    pattern = Project.objects.create(key="PATTERN", name="Pattern", node=node, pipeline=line, tier="light")
    _copy(pattern, "key", "'P' || lpad(n::text, 6, '0')", PROJECTS)
    pattern.delete()
    _rows(
        "INSERT INTO portal_lane (project_id, stage_id) SELECT p.id, s.id FROM portal_project p, portal_stage s"
    )

    # Each project is one team's, whose members may view, request and promote; the last team has ten only. Seven people
    # have a right of their own at each lane. Everybody is in five teams and so sees some 5,000 projects.
    named = {name: permission(name).pk for name in ("view", "request", "promote", "sign_fairness")}
    _rows(
        "CREATE TEMPORARY TABLE people AS SELECT row_number() OVER (ORDER BY login) - 1 AS n, id FROM portal_person"
        " WHERE login ~ '^p[0-9]'"
    )
    _rows(
        "CREATE TEMPORARY TABLE lanes AS SELECT l.id, p.id AS project_id, p.key, substr(p.key, 2)::int AS n"
        " FROM portal_lane l JOIN portal_project p ON p.id = l.project_id"
    )
    first = Group.objects.get(name="team-0").pk
    _rows(
        "INSERT INTO portal_person_groups (person_id, group_id)"
        " SELECT id, %s + (n * 7 + i * 20) %% 99 FROM people, generate_series(0, 4) i",
        [first],
    )
    _rows(
        "INSERT INTO portal_lanegroupobjectpermission (group_id, permission_id, content_object_id, project_id,"
        " project_key) SELECT %s + CASE WHEN n <= 10000 AND n %% 1000 = 0 THEN 99 ELSE n %% 99 END,"
        " held, id, project_id, key FROM lanes, unnest(%s) held ORDER BY random()",
        [first, [named["view"], named["request"], named["promote"]]],
    )
    _rows(
        "INSERT INTO portal_laneuserobjectpermission (user_id, permission_id, content_object_id, project_id,"
        " project_key) SELECT people.id, (%s::int[])[1 + (lanes.n + i) %% 4], lanes.id, project_id, key"
        " FROM lanes, generate_series(0, 6) i JOIN people ON true WHERE people.n = (lanes.n * 13 + i * 137) %% 998",
        [list(named.values())],
    )
    few.groups.add(first + 99)
    many.groups.add(*(first + number * 11 for number in range(5)))
    for person, some in ((few, "n % 9973 = 17 AND n < 99000"), (many, "n % 1210 = 0")):
        _rows(
            "INSERT INTO portal_laneuserobjectpermission (user_id, permission_id, content_object_id, project_id,"
            f" project_key) SELECT %s, %s, id, project_id, key FROM lanes WHERE {some.replace('%', '%%')}",
            [person.pk, named["view"]],
        )
    _rows("SET session_replication_role = DEFAULT")
    _rows("VACUUM ANALYZE")


def _copy(pattern: Any, name: str, value: str, number: int, **other: str) -> None:
    """So many rows like this one, in which the column `name` is an expression of `n`, counted from 1."""
    said = {name: value, **other}
    columns = [
        field.column for field in pattern._meta.concrete_fields if field.column != "id" or "id" in other
    ]
    chosen = ", ".join(said.get(column, f'"{column}"') for column in columns)
    table = pattern._meta.db_table
    _rows(
        f"INSERT INTO {table} ({', '.join(columns)}) SELECT {chosen} FROM {table}, generate_series(1, %s) n"
        f" WHERE {table}.id = %s",
        [number, pattern.pk],
    )
