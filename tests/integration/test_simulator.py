"""What somebody can do, through what: it agrees with the rules themselves, whatever the state."""

import random
from datetime import timedelta

import pytest
from django.utils import timezone

from portal import rights
from portal.actions import grants, people, portfolios
from portal.errors import Invalid
from portal.models import Delegation, Grant, Person, Right
from portal.simulator import simulated
from tests.cast import Cast, lane
from tests.pages import outsider_sees_nothing, queries_of, refused, signed_in, words

WHO = "/projects/CHURN/rights/who/"


def test_the_page_answers_for_whoever_manages_or_audits(cast: Cast) -> None:
    path = f"{WHO}?person=dev&stage=prod"
    page = words(signed_in(cast.nora).get(path))
    assert f"{cast.dev.name} in Production" in page
    assert (
        "Ask for a promotion Yes through team Churn team, project Customer churn, every stage, no end" in page
    )
    assert f"Start a promotion No no grant gives it {cast.mona.name}" in page
    refused(signed_in(cast.dev).get(path), 403, "for those who manage or audit Customer churn")
    outsider_sees_nothing(signed_in(cast.otto), path)
    assert "Select a valid choice" in words(signed_in(cast.ada).get(f"{WHO}?person=x&stage=moon"))


def test_its_queries_do_not_grow(cast: Cast) -> None:
    ada, path = signed_in(cast.ada), f"{WHO}?person=dev&stage=prod"
    few = queries_of(ada, path)
    many = Person.objects.bulk_create(Person(login=f"p{n}", name=f"P {n}", password="!") for n in range(500))
    Grant.objects.bulk_create(
        Grant(person=one, right="view", project=cast.churn, why="w", given_by=cast.ada) for one in many
    )
    assert queries_of(ada, path) == few


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(n, marks=pytest.mark.long) for n in range(2, 12))])
def test_it_agrees_with_the_rules(cast: Cast, seed: int) -> None:
    chance = random.Random(seed)
    credit = portfolios.add_portfolio(by=cast.ada, name="Credit")
    portfolios.put_project(by=cast.ada, portfolio=credit, project=chance.choice([cast.churn, cast.maint]))
    robot = people.add_person(by=cast.ada, login="robot", name="Robot", kind="service")
    people.join_team(by=cast.ada, team=cast.team, person=robot)
    holders = [cast.dev, cast.olga, cast.otto, cast.fay, cast.mona, robot]
    now = timezone.now()
    for _turn in range(25):
        right = chance.choice(
            [Right.VIEW, Right.REQUEST, Right.PROMOTE, Right.SIGN, Right.MANAGE, Right.AUDIT]
        )
        where = chance.choice([{}, {"project": cast.churn}, {"project": cast.maint}, {"portfolio": credit}])
        who = {"team": cast.team} if chance.random() < 0.3 else {"person": chance.choice(holders)}
        try:
            grants.grant(
                by=cast.ada,
                right=right,
                role=chance.choice(["fairness", "model-risk"]) if right == Right.SIGN else "",
                stage=chance.choice(["", "qa", "prod"]),
                until=chance.choice([None, now + timedelta(days=1)]),
                why="By chance.",
                **where,  # type: ignore[arg-type]
                **who,
            )
        except Invalid:
            continue  # held there already, or a service account that would sign
    for away, delegate in zip(holders, chance.sample(holders, len(holders)), strict=True):
        if away != delegate:
            Delegation.objects.create(
                person=away,
                delegate=delegate,
                starts_at=now,
                until=now + timedelta(days=2),
                why="w",
                made_by=away,
            )
    Person.objects.filter(pk=chance.choice(holders).pk).update(is_active=False)
    compared = 0
    for person in Person.objects.exclude(kind=Person.Kind.SYSTEM):
        for there in (
            lane(project, stage) for project in (cast.churn, cast.maint) for stage in ("qa", "prod")
        ):
            sees = rights.visible_projects(person).filter(pk=there.project_id).exists()
            for answer in simulated(person, there):
                allowed = rights.can(person, answer.column.right, there, role=answer.column.role)
                if answer.column.right == Right.VIEW:
                    assert answer.holds == sees
                else:
                    assert answer.holds == allowed, (person.login, str(there), answer.column.name)
                assert bool(answer.ways) == allowed, (person.login, str(there), answer.column.name)
                compared += 1
    assert compared > 300
