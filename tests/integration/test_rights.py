"""Who may do what: every answer of portal/rights.py against a slow and obvious oracle, and what a refusal says."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from unittest.mock import patch
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from portal import rights
from portal.actions import estate, grants, people
from portal.actions.estate import NewPlace, NewStage
from portal.errors import Absent, Forbidden
from portal.holders import holders, holders_on
from portal.models import (
    Delegation,
    Grant,
    Lane,
    LaneGroupObjectPermission,
    LaneUserObjectPermission,
    Node,
    Person,
    Project,
    Right,
    Team,
)
from portal.models.person import Scope
from portal.projecting import project_grants
from tests.cast import Cast, imported, lane

HOUR = timedelta(hours=1)
ROLES = ("fairness", "model-risk")
WHAT = [(right, "") for right in Right if right != Right.SIGN] + [(Right.SIGN, role) for role in ROLES]
NAMES = [rights.codename(right, role) for right, role in WHAT]


@contextmanager
def at(moment: datetime) -> Iterator[None]:
    """Let the clock stand at a moment."""
    with patch("django.utils.timezone.now", return_value=moment):
        yield


# --- the oracle ------------------------------------------------------------------------------------------------------


def truly_holds(person: Person, where: Lane, name: str, now: datetime) -> list[Grant]:
    """The grants by which a person holds something on a lane, read one by one from the truth."""
    if not person.is_active or person.kind == Person.Kind.SYSTEM:
        return []
    if name.startswith("sign_") and person.kind != Person.Kind.PERSON:
        return []
    found = []
    for one in Grant.objects.select_related("team"):
        ran_out = one.until is not None and one.until <= now
        there = one.project_id in (None, where.project_id) and one.stage in ("", where.stage.slug)
        own = one.person_id == person.pk
        through = one.team is not None and person.groups.filter(pk=one.team.group_id).exists()
        if one.revoked_at is None and not ran_out and there and one.codename == name and (own or through):
            found.append(one)
    return found


# --- random states ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ground:
    """People of every kind, two teams, three projects on two pipelines."""

    people: list[Person]
    teams: list[Team]
    lanes: list[Lane]


@pytest.fixture
def ground(cast: Cast) -> Ground:
    deployer, automation = Node.objects.get(slug="deployer"), Node.objects.get(slug="auto-qa")
    live = [NewStage("live", "Live", [NewPlace("live", deployer, "LIVE", automation)])]
    other = estate.add_pipeline(by=cast.ada, slug="short", name="Short", stages=live)
    fraud = imported(by=cast.ada, node=cast.design, pipeline=other, key="FRAUD", tier="light")
    robot = people.add_person(by=cast.ada, login="robot", name="Robot", kind="service")
    gone = people.add_person(by=cast.ada, login="gone", name="Gone Away")
    Person.objects.filter(pk=gone.pk).update(is_active=False)
    gone.refresh_from_db()
    team = people.add_team(by=cast.ada, name="Risk team")
    for person in (cast.ravi, robot, cast.dev):
        people.join_team(by=cast.ada, team=team, person=person)
    gone.groups.add(team.group)
    for person in (cast.olga, cast.mona):  # so that everybody who holds anything is among those asked about
        people.leave_team(by=cast.ada, team=cast.team, person=person)
    Grant.objects.all().delete()
    LaneUserObjectPermission.objects.all().delete()
    LaneGroupObjectPermission.objects.all().delete()
    lanes = list(Lane.objects.select_related("project", "stage").order_by("pk"))
    assert {one.project_id for one in lanes} == {cast.churn.pk, cast.maint.pk, fraud.pk}
    everybody = [cast.dev, cast.ravi, cast.otto, robot, gone, Person.objects.system()]
    return Ground(everybody, [cast.team, team], lanes)


# Holder (people first, then teams), what, project (last: the estate), stage, end in hours, revoked.
WISH = st.tuples(
    st.integers(0, 6),
    st.sampled_from(WHAT),
    st.integers(0, 3),
    st.sampled_from(["", "qa", "prod", "live"]),
    st.sampled_from([None, None, -1, 1, 3]),
    st.sampled_from([False, False, False, True]),
)


@pytest.mark.django_db
def test_every_answer_agrees_with_the_truth_over_random_grants(ground: Ground, full_size: bool) -> None:
    began = timezone.now()
    projects = sorted({one.project_id for one in ground.lanes})
    giver = ground.people[-1]
    held_some = 0
    member: set[tuple[UUID, int | None]] = {
        (person.pk, team.pk) for team in ground.teams for person in team.members
    }

    def make(wishes: list[tuple[int, tuple[Right, str], int, str, int | None, bool]]) -> None:
        rows = {}
        for holder, (right, role), where, stage, hours, revoked in wishes:
            person = ground.people[holder] if holder < 5 else None
            row = Grant(
                person=person,
                team=None if person else ground.teams[holder - 5],
                right=right,
                role=role,
                project_id=[*projects, None][where],
                stage=stage,
                until=None if hours is None else began + hours * HOUR,
                why="by chance",
                given_by=giver,
                revoked_at=began if revoked else None,
                revoked_by=giver if revoked else None,
            )
            rows[holder, right, role, where, stage, revoked] = row
        Grant.objects.bulk_create(rows.values())
        project_grants(Project.objects.all())

    @settings(
        max_examples=600 if full_size else 150,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(wishes=st.lists(WISH, min_size=2, max_size=12), later=st.sampled_from([0, 2, 4]))
    def agree(wishes: list, later: int) -> None:
        nonlocal held_some
        with transaction.atomic():
            make(wishes)
            now = began + later * HOUR
            with at(now):
                held_some += look(ground, member, now)
            transaction.set_rollback(True)

    agree()
    assert held_some > 300


def look(ground: Ground, member: set[tuple[UUID, int | None]], now: datetime) -> int:
    """Ask every question there is; returns how often somebody held something."""
    every = list(Grant.objects.select_related("team"))

    def how(person: Person, where: Lane, name: str) -> list[Grant]:
        # truly_holds() in memory; test_the_oracle_reads_as_the_rules_do compares the two
        if not person.is_active or person.is_system:
            return []
        if name.startswith("sign_") and person.kind != Person.Kind.PERSON:
            return []
        return [
            one
            for one in every
            if one.revoked_at is None
            and not (one.until and one.until <= now)
            and one.project_id in (None, where.project_id)
            and one.stage in ("", where.stage.slug)
            and one.codename == name
            and (one.person_id == person.pk or (person.pk, one.team_id) in member)
        ]

    true = {
        (person.pk, where.pk, name): by
        for person in ground.people
        for where in ground.lanes
        for name in NAMES
        if (by := how(person, where, name))
    }
    sees: dict[UUID, set[int]] = {}
    half = len(true) % 2  # every other person: as good over many states, and twice as fast
    for person in ground.people[half::2]:
        expected = {
            where.pk: frozenset(name for name in NAMES if (person.pk, where.pk, name) in true)
            for where in ground.lanes
        }
        assert rights.held_on(person, ground.lanes) == expected
        sees[person.pk] = {where.project_id for where in ground.lanes if expected[where.pk]}
        assert {project.pk for project in rights.visible_projects(person)} == sees[person.pk]
        signs = {key for key, names in expected.items() if any(name.startswith("sign_") for name in names)}
        assert {found.pk for found in rights.lanes_with(person, [Right.SIGN])} == signs
    told = holders_on({where.pk: NAMES for where in ground.lanes})
    for where in ground.lanes:
        for name in NAMES:
            expected_people = sorted(
                (
                    person
                    for person in ground.people
                    if person.kind == Person.Kind.PERSON and (person.pk, where.pk, name) in true
                ),
                key=lambda person: person.name,
            )
            found = told[where.pk, name]
            assert [one.person for one in found] == expected_people
            for one in found:
                ends = [held.until for held in true[one.person.pk, where.pk, name]]
                assert one.until == (None if None in ends else max(end for end in ends if end))
    # One question at a time is slower, so another one each time.
    turn = len(true)
    person, where = ground.people[half::2][turn % 3], ground.lanes[turn % len(ground.lanes)]
    name, (right, role) = NAMES[turn % len(NAMES)], WHAT[turn % len(WHAT)]
    holds = (person.pk, where.pk, name) in true
    assert rights.can(person, right, where, role=role) is holds
    assert (person in holders(where, name)) is (holds and person.kind == Person.Kind.PERSON)
    try:
        rights.check(person, right, where, role=role)
    except Absent:
        assert where.project_id not in sees[person.pk]
    except Forbidden:
        assert not holds
        assert where.project_id in sees[person.pk]
    else:
        assert holds
    return len(true)


def test_the_oracle_reads_as_the_rules_do(cast: Cast) -> None:
    now = timezone.now()
    for person in (cast.dev, cast.fay, cast.ada, cast.nora, cast.otto):
        for where in (cast.qa, cast.prod, lane(cast.maint, "prod")):
            found = {name for name in NAMES if truly_holds(person, where, name, now)}
            assert rights.held_on(person, [where])[where.pk] == found


# --- by name ---------------------------------------------------------------------------------------------------------


def test_nobody_may_anything_unless_granted(cast: Cast) -> None:
    lanes = list(Lane.objects.all())
    assert all(not names for names in rights.held_on(cast.otto, lanes).values())
    assert not rights.visible_projects(cast.otto).exists()
    assert rights.on_estate(cast.otto) == frozenset()
    # Owning a project gives nothing by itself either.
    people.leave_team(by=cast.ada, team=cast.team, person=cast.olga)
    assert cast.olga in cast.churn.owners.all()
    assert not rights.visible_projects(cast.olga).exists()


def test_is_superuser_decides_nothing(cast: Cast) -> None:
    Person.objects.filter(pk=cast.otto.pk).update(is_superuser=True)
    cast.otto.refresh_from_db()
    assert cast.otto.is_superuser
    assert not rights.can(cast.otto, Right.VIEW, cast.prod)
    with pytest.raises(Absent):
        rights.check(cast.otto, Right.PROMOTE, cast.prod)
    with pytest.raises(Forbidden):
        rights.check_estate(cast.otto, Right.MANAGE)
    Person.objects.filter(pk=cast.ada.pk).update(is_superuser=False)
    rights.check_estate(Person.objects.get(pk=cast.ada.pk), Right.MANAGE)


def test_an_outsider_learns_nothing_and_a_member_learns_what_is_missing(cast: Cast) -> None:
    with pytest.raises(Absent) as absent:
        rights.check(cast.otto, Right.PROMOTE, cast.prod)
    assert "churn" not in absent.value.sentence.lower()
    with pytest.raises(Forbidden) as refused:
        rights.check(cast.dev, Right.PROMOTE, cast.prod)
    assert refused.value.sentence == (
        "You need the right to start a promotion on Customer churn in Production. "
        "Abe Tanner or Ada Novak can grant it."
    )
    assert refused.value.params == {"right": "promote", "project": "CHURN", "stage": "prod"}
    with pytest.raises(Forbidden) as refused:
        rights.check(cast.dev, Right.SIGN, cast.prod, role="model-risk")
    assert "sign for model risk" in refused.value.sentence
    assert refused.value.params["right"] == "sign_model-risk"


def test_a_refusal_names_everybody_who_can_grant(cast: Cast) -> None:
    stewards = people.add_team(by=cast.ada, name="Stewards")
    people.join_team(by=cast.ada, team=stewards, person=cast.nora)
    grants.grant(by=cast.ada, team=stewards, right=Right.MANAGE, why="They look after rights.")
    grants.grant(by=cast.ada, person=cast.olga, right=Right.MANAGE, project=cast.churn, why="Her project.")
    # Manages one lane only, and so cannot grant on the project.
    grants.grant(by=cast.ada, person=cast.eli, right=Right.MANAGE, project=cast.churn, stage="qa", why="QA.")
    with pytest.raises(Forbidden) as refused:
        rights.check(cast.dev, Right.PROMOTE, cast.prod)
    assert "Abe Tanner or Ada Novak or Nora Feld or Olga Lindqvist can grant it" in refused.value.sentence
    with pytest.raises(Forbidden) as refused:
        rights.check_estate(cast.dev, Right.AUDIT)
    assert "Abe Tanner or Ada Novak or Nora Feld can grant it" in refused.value.sentence


def test_a_grant_ends_by_itself(cast: Cast) -> None:
    until = timezone.now() + HOUR
    grants.grant(
        by=cast.ada, person=cast.otto, right=Right.VIEW, project=cast.churn, until=until, why="Visits."
    )
    with at(until - timedelta(microseconds=1)):
        assert rights.can(cast.otto, Right.VIEW, cast.prod)
        assert cast.otto in holders(cast.prod, "view")
    with at(until):
        assert not rights.can(cast.otto, Right.VIEW, cast.prod)
        assert cast.otto not in holders(cast.prod, "view")
        with pytest.raises(Absent):
            rights.check(cast.otto, Right.VIEW, cast.prod)


def test_the_latest_end_of_several_grants_counts(cast: Cast) -> None:
    soon, late = timezone.now() + HOUR, timezone.now() + 5 * HOUR
    first = grants.grant(
        by=cast.ada, person=cast.otto, right=Right.VIEW, project=cast.churn, until=late, why="Long."
    )
    grants.grant(
        by=cast.ada,
        person=cast.otto,
        right=Right.VIEW,
        project=cast.churn,
        stage="prod",
        until=soon,
        why="S.",
    )
    row = LaneUserObjectPermission.objects.get(user=cast.otto, content_object=cast.prod)
    assert row.until == late
    assert row.project_id == cast.churn.pk
    grants.revoke(by=cast.ada, grant=first, why="Too long.")
    row = LaneUserObjectPermission.objects.get(user=cast.otto, content_object=cast.prod)
    assert row.until == soon
    assert not LaneUserObjectPermission.objects.filter(user=cast.otto, content_object=cast.qa).exists()


def test_a_team_s_right_is_its_members_while_they_are_members(cast: Cast) -> None:
    assert rights.can(cast.dev, Right.REQUEST, cast.prod)
    people.leave_team(by=cast.ada, team=cast.team, person=cast.dev)
    assert not rights.can(cast.dev, Right.REQUEST, cast.prod)
    assert cast.dev not in holders(cast.prod, "request")
    people.join_team(by=cast.ada, team=cast.team, person=cast.otto)
    assert rights.can(cast.otto, Right.REQUEST, cast.prod)


def test_a_disabled_person_holds_nothing(cast: Cast) -> None:
    Person.objects.filter(pk__in=[cast.mona.pk, cast.ada.pk]).update(is_active=False)
    mona, ada = Person.objects.get(login="mona"), Person.objects.get(login="ada")
    assert not rights.can(mona, Right.PROMOTE, cast.prod)
    assert mona not in holders(cast.prod, "promote")
    assert rights.on_estate(ada) == frozenset()
    with pytest.raises(Forbidden) as refused:
        rights.check_estate(ada, Right.MANAGE)
    assert refused.value.sentence.endswith("Abe Tanner can grant it.")


def test_a_service_account_never_signs_not_even_through_a_team(cast: Cast) -> None:
    robot = people.add_person(by=cast.ada, login="robot", name="Robot", kind="service")
    people.join_team(by=cast.ada, team=cast.team, person=robot)
    grants.grant(
        by=cast.ada, team=cast.team, right=Right.SIGN, role="fairness", project=cast.churn, why="All."
    )
    assert rights.can(robot, Right.REQUEST, cast.prod)
    assert not rights.can(robot, Right.SIGN, cast.prod, role="fairness")
    assert rights.can(cast.dev, Right.SIGN, cast.prod, role="fairness")
    assert rights.lanes_with(robot, [Right.SIGN]).count() == 0
    assert robot not in holders(cast.prod, "sign_fairness")


def test_an_estate_right_on_one_stage_reaches_projects_that_have_it(cast: Cast, ground: Ground) -> None:
    grants_of = Grant.objects.create(
        person=cast.otto, right=Right.AUDIT, stage="live", why="Looks at live.", given_by=cast.ada
    )
    assert {project.key for project in rights.visible_projects(cast.otto)} == {"FRAUD"}
    with pytest.raises(Absent):
        rights.see(cast.otto, cast.churn)
    grants_of.delete()
    assert not rights.visible_projects(cast.otto).exists()


def stands_in(cast: Cast, person: Person, delegate: Person) -> None:
    now = timezone.now()
    Delegation.objects.create(
        person=person, delegate=delegate, starts_at=now, until=now + HOUR, why="Away.", made_by=cast.ada
    )


def test_two_lent_roles_strike_each_other_out_and_still_let_see(cast: Cast) -> None:
    stands_in(cast, cast.fay, cast.otto)
    assert rights.can(cast.otto, Right.SIGN, cast.prod, role="fairness")
    assert cast.prod in rights.lanes_with(cast.otto, [Right.SIGN])
    stands_in(cast, cast.eli, cast.otto)
    assert rights.held_on(cast.otto, [cast.prod])[cast.prod.pk] == frozenset()
    assert not rights.lanes_with(cast.otto, [Right.SIGN]).exists()
    assert list(rights.visible_projects(cast.otto)) == [cast.churn]
    with pytest.raises(Forbidden):
        rights.check(cast.otto, Right.SIGN, cast.prod, role="fairness")
    # A role of one's own stays, and the lent ones do not count beside it.
    grants.grant(
        by=cast.ada, person=cast.otto, right=Right.SIGN, role="model-risk", project=cast.churn, why="Signs."
    )
    assert rights.held_on(cast.otto, [cast.prod])[cast.prod.pk] == {"sign_model-risk"}
    assert cast.prod in rights.lanes_with(cast.otto, [Right.SIGN])


def test_a_token_adds_nothing_and_never_signs(cast: Cast) -> None:
    grants.grant(
        by=cast.ada, person=cast.dev, right=Right.SIGN, role="fairness", project=cast.churn, why="Signs too."
    )
    grants.grant(by=cast.ada, person=cast.otto, right=Right.PROMOTE, project=cast.churn, why="Promotes only.")
    cast.otto.scope = Scope(frozenset({"promote", "manage"}))
    assert rights.held_on(cast.otto, [cast.prod])[cast.prod.pk] == {"promote"}
    assert list(rights.visible_projects(cast.otto)) == [cast.churn]
    assert not rights.lanes_with(cast.otto, [Right.VIEW]).exists()
    cast.dev.scope = Scope(frozenset({"sign", "sign_fairness", "request"}))
    assert rights.held_on(cast.dev, [cast.prod])[cast.prod.pk] == {"view", "request"}
    assert not rights.lanes_with(cast.dev, [Right.SIGN]).exists()
    cast.dev.scope = Scope(frozenset({"request"}), projects=frozenset({cast.maint.pk}))
    assert not rights.visible_projects(cast.dev).exists()
    assert not rights.projects_in(cast.dev, rights.Window(5)).exists()
    cast.ada.scope = Scope(frozenset(), projects=frozenset({cast.maint.pk}))
    assert list(rights.projects_in(cast.ada, rights.Window(5))) == [cast.maint]


# --- how many queries ------------------------------------------------------------------------------------------------


def test_fifty_lanes_take_as_many_queries_as_one(
    cast: Cast, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(24):
        project = Project.objects.create(
            key=f"P{number}", name=f"P{number}", node=cast.design, pipeline=cast.pipeline, tier="light"
        )
        Lane.objects.bulk_create(Lane(project=project, stage=stage) for stage in cast.pipeline.stages.all())
    Grant.objects.create(person=cast.mona, right=Right.AUDIT, stage="qa", why="QA.", given_by=cast.ada)
    known = list(Lane.objects.select_related("stage"))
    assert len(known) >= 50
    with django_assert_num_queries(1):
        held = rights.held_on(cast.mona, known)
    with django_assert_num_queries(1):
        rights.held_on(cast.mona, known[:1])
    fresh = list(Lane.objects.all())
    with django_assert_num_queries(2):  # the stages were not read yet
        assert rights.held_on(cast.mona, fresh) == held
    for wanted in (known[:1], known):
        with CaptureQueriesContext(connection) as asked:
            holders_on({one.pk: ["request", "promote", "sign_fairness"] for one in wanted})
        assert len(asked) == 7


def test_a_check_takes_one_query_and_a_page_of_projects_a_few(
    cast: Cast, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    lanes = {one: lane(cast.churn, one) for one in ("qa", "prod")}
    for person, right in ((cast.dev, Right.REQUEST), (cast.mona, Right.PROMOTE), (cast.nora, Right.AUDIT)):
        with django_assert_num_queries(1):
            rights.check(person, right, lanes["prod"])
    Grant.objects.create(person=cast.otto, right=Right.AUDIT, stage="qa", why="QA.", given_by=cast.ada)
    stands_in(cast, cast.fay, cast.eli)
    with django_assert_num_queries(1):
        rights.check(cast.otto, Right.AUDIT, lanes["qa"])
    for person, number in ((cast.dev, 2), (cast.ada, 2), (cast.otto, 4), (cast.eli, 4)):
        with CaptureQueriesContext(connection) as asked:
            list(rights.projects_in(person, rights.Window(5))[:5])
        # Without PostgreSQL's shorter way it is always one to reach and one to list, and the rows.
        assert len(asked) == (number if connection.vendor == "postgresql" else 3)
        assert not [query["sql"] for query in asked if "COUNT(" in query["sql"].upper()]
