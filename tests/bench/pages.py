"""What a page costs that lists what its reader may see, when the estate grows a hundredfold."""

import hashlib
import statistics
import time
from datetime import timedelta
from functools import cache

from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from deployments.models import Deployment, DeploymentRequest, Promotion, Step
from deployments.steps import names_of
from governance.models import Evidence
from portal import content
from portal.models import (
    Bundle,
    Grant,
    Lane,
    LaneGroupObjectPermission,
    LaneUserObjectPermission,
    Person,
    Place,
    Project,
    Stage,
    Team,
)
from tests.bench.registry import Measured, benchmark
from tests.cast import Cast, make_cast
from tests.databases import copied, pointed_at

FEW, MANY = 50, 5000
TURNS = 25
PAGES = {"inbox": "/inbox/", "projects": "/projects/"}
# A page lists no more than so many of each; the first projects fill every list, so that more of them change nothing
# but how much there is to search.
FULL = 40
TEAMS, STAGES, MATRIX_QUERIES = 50, 5, 12


@benchmark("page-inbox", unit="ms", goal=2.0)
def inbox() -> Measured:
    """The inbox of a reviewer who may see 5,000 projects, against the same at 50."""
    return _measured()["inbox"]


@benchmark("page-projects", unit="ms", goal=2.0)
def projects() -> Measured:
    """The first page of 5,000 visible projects and what runs where, against the same at 50."""
    return _measured()["projects"]


@benchmark("page-matrix", unit="ms", goal=40.0)
def matrix() -> Measured:
    """The matrix of rights of 50 teams and 5 stages, against a page of the portal that shows nothing."""
    with copied("postgres") as database, pointed_at(database):
        cast = make_cast()
        for number in range(STAGES - 2):
            Stage.objects.create(
                pipeline=cast.pipeline, slug=f"s{number}", name=f"S {number}", position=10 + number
            )
        groups = Group.objects.bulk_create(Group(name=f"Team {number:03}") for number in range(TEAMS))
        teams = Team.objects.bulk_create(
            Team(group=group, slug=f"t{number}", name=group.name) for number, group in enumerate(groups)
        )
        Grant.objects.bulk_create(
            Grant(team=team, right=right, project=cast.churn, why="Benchmark.", given_by=cast.ada)
            for team in teams
            for right in ("view", "request", "promote")
        )
        measured, queries = _render(cast.ada, "/projects/CHURN/rights/")
        floor, _queries = _render(cast.ada, "/changes/")
    if queries > MATRIX_QUERIES:
        raise AssertionError(f"page-matrix: {queries} queries, at most {MATRIX_QUERIES} are wanted")
    return Measured(measured, floor)


@cache
def _measured() -> dict[str, Measured]:
    """Each page's time at MANY over that at FEW, on one PostgreSQL; raises where the number of queries grew."""
    with copied("postgres") as database, pointed_at(database):
        cast = make_cast()
        _grow(cast, 0, FEW)
        few = {name: _render(cast.fay, path) for name, path in PAGES.items()}
        _grow(cast, FEW, MANY)
        many = {name: _render(cast.fay, path) for name, path in PAGES.items()}
    found = {}
    for name, (floor, queries) in few.items():
        measured, more = many[name]
        if more != queries:
            raise AssertionError(f"{name}: {queries} queries at {FEW} projects, {more} at {MANY}")
        found[name] = Measured(measured, floor)
    return found


def _render(reader: Person, path: str) -> tuple[float, int]:
    """Median milliseconds of a request through the whole portal, and how many queries it takes."""
    client = Client(SERVER_NAME="localhost")
    client.force_login(reader)
    for _ in range(3):
        answer = client.get(path)
        if answer.status_code != 200:
            raise AssertionError(f"{path} answers {answer.status_code}")
    times = []
    for _ in range(TURNS):
        began = time.perf_counter()
        client.get(path)
        times.append(1000 * (time.perf_counter() - began))
    with CaptureQueriesContext(connection) as captured:
        client.get(path)
    return statistics.median(times), len(captured)


def _grow(cast: Cast, first: int, last: int) -> None:
    """Projects of one pipeline: v1 runs in QA, v2 is asked for in production and failed there once in ten projects.

    Rows by the thousand, whose number alone matters, so nothing of them stands in the ledger. Fay's team may ask and
    promote everywhere, and she herself may sign for fairness.
    """
    now = timezone.now()
    stages = {stage.slug: stage for stage in Stage.objects.filter(pipeline=cast.pipeline)}
    places = {place.stage_id: place for place in Place.objects.filter(stage__pipeline=cast.pipeline)}
    manifest = content.put_json({"of": "benchmarks"})
    tested = content.put_json({"v": 1, "listed": ["TEST_ROWS"], "runs": []})
    made = Project.objects.bulk_create(
        Project(
            key=f"P{number:05}",
            name=f"Project {number:05}",
            node=cast.design,
            pipeline=cast.pipeline,
            policy=cast.churn.policy,
            tier="critical",
        )
        for number in range(first, last)
    )
    lanes = {
        (lane.project_id, lane.stage_id): lane
        for lane in Lane.objects.bulk_create(
            Lane(project=project, stage=stage) for project in made for stage in stages.values()
        )
    }
    qa = [lanes[project.pk, stages["qa"].pk] for project in made]
    prod = [lanes[project.pk, stages["prod"].pk] for project in made]
    bundles = {
        version: Bundle.objects.bulk_create(
            Bundle(
                project=project,
                bundle_id=version,
                origin=Bundle.Origin.EXPORTED,
                status=Bundle.Status.REGISTERED,
                asked_by=cast.dev,
                author=cast.dev,
                registered_at=now,
                archive=_digest(project.key, version),
                parts={part: _digest(project.key, version, part) for part in ("data", "flow", "models")},
                manifest=manifest,
            )
            for project in made
        )
        for version in ("v1", "v2")
    }
    Evidence.objects.bulk_create(
        Evidence(
            kind=Evidence.Kind.TESTS,
            project=project,
            bundle=bundle,
            stage="qa",
            parts=bundle.parts,
            digest=_digest(project.key, "tests"),
            result=tested,
            author=cast.dev,
        )
        for project, bundle in zip(made, bundles["v2"], strict=True)
    )
    ran = _requests(cast, qa, bundles["v1"], DeploymentRequest.Status.DONE, first)
    wanted = _requests(cast, prod, bundles["v2"], DeploymentRequest.Status.OPEN, first)
    failing = [one for number, one in enumerate(wanted, first) if number < FULL or number % 10 == 0]
    good = _promotions(cast, ran, places[stages["qa"].pk], Promotion.Status.SUCCEEDED)
    _promotions(cast, failing, places[stages["prod"].pk], Promotion.Status.FAILED)
    Deployment.objects.bulk_create(
        Deployment(
            lane=one.lane,
            place=one.place,
            deployable=one.lane.project.key,
            bundle=one.bundle,
            promotion=one,
            since=now - timedelta(days=2),
            watched_at=now - timedelta(days=1),
        )
        for one in good
    )
    permissions = {
        name: Permission.objects.get(codename=name) for name in ("request", "promote", "sign_fairness")
    }
    LaneGroupObjectPermission.objects.bulk_create(
        LaneGroupObjectPermission(
            group=cast.team.group,
            permission=permissions[name],
            content_object=lane,
            project=lane.project,
            project_key=lane.project.key,
        )
        for lane in lanes.values()
        for name in ("request", "promote")
    )
    LaneUserObjectPermission.objects.bulk_create(
        LaneUserObjectPermission(
            user=cast.fay,
            permission=permissions["sign_fairness"],
            content_object=lane,
            project=lane.project,
            project_key=lane.project.key,
        )
        for lane in prod
    )
    cast.fay.groups.add(cast.team.group)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")  # as autovacuum does, which the tests' server leaves out


def _requests(
    cast: Cast, lanes: list[Lane], bundles: list[Bundle], status: str, first: int
) -> list[DeploymentRequest]:
    """One for each lane; Fay asked for the first FULL of those that are done, Dev for the rest."""
    return DeploymentRequest.objects.bulk_create(
        DeploymentRequest(
            lane=lane,
            bundle=bundle,
            status=status,
            why="It is better.",
            requested_by=cast.fay if number < FULL and status == DeploymentRequest.Status.DONE else cast.dev,
        )
        for number, (lane, bundle) in enumerate(zip(lanes, bundles, strict=True), first)
    )


def _promotions(cast: Cast, requests: list[DeploymentRequest], place: Place, status: str) -> list[Promotion]:
    """One for each request, with all its steps; it is over and holds no lane."""
    now = timezone.now()
    made = Promotion.objects.bulk_create(
        Promotion(
            request=one,
            lane=one.lane,
            place=place,
            bundle=one.bundle,
            status=status,
            started_by=cast.mona,
            started_at=now - timedelta(days=2),
            ended_at=now - timedelta(days=2),
            reason="" if status == Promotion.Status.SUCCEEDED else "The smoke test failed.",
            holds_lane=False,
        )
        for one in requests
    )
    Step.objects.bulk_create(
        (
            Step(
                promotion=one,
                position=position,
                name=name,
                status=Step.Status.DONE,
                output={"passed": 3, "listed": ["A", "B", "C"]} if name == "run_tests" else {},
            )
            for one in made
            for position, name in enumerate(names_of(Promotion.Kind.PROMOTE), start=1)
        ),
        batch_size=5000,
    )
    return made


def _digest(*said: str) -> str:
    return hashlib.sha256("/".join(said).encode()).hexdigest()
