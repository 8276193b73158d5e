"""Who may do what, rule by rule, and what a refusal says; test_rights_oracle.py compares over random worlds."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from unittest.mock import patch

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
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
    LaneUserObjectPermission,
    Node,
    Person,
    Project,
    Right,
)
from portal.models.person import Scope
from tests.cast import Cast, imported, lane

HOUR = timedelta(hours=1)


@contextmanager
def at(moment: datetime) -> Iterator[None]:
    """Let the clock stand at a moment."""
    with patch("django.utils.timezone.now", return_value=moment):
        yield


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


def test_an_estate_right_on_one_stage_reaches_projects_that_have_it(cast: Cast) -> None:
    deployer, automation = Node.objects.get(slug="deployer"), Node.objects.get(slug="auto-qa")
    live = [NewStage("live", "Live", [NewPlace("live", deployer, "LIVE", automation)])]
    short = estate.add_pipeline(by=cast.ada, slug="short", name="Short", stages=live)
    imported(by=cast.ada, node=cast.design, pipeline=short, key="FRAUD", tier="light")
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
