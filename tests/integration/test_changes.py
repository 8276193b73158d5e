"""Changes of rights: edited together, proposed by one administrator, applied by another."""

from typing import Any

import pytest

from portal import ledger, rights
from portal.actions import changes, edits, grants, people, portfolios
from portal.errors import Absent, Forbidden, Invalid, Stale
from portal.event_kinds import EventKind
from portal.models import Change, Grant, Person, Right
from tests.cast import Cast, lane

WHY = "They need it."


@pytest.fixture
def two(settings: Any) -> None:
    """A second administrator is asked for, as in production."""
    settings.SECOND_ADMIN = True


def promote_for(cast: Cast, person: Person, **wish: Any) -> edits.Op:
    """The operation that gives the right to promote churn."""
    return edits.give(person=person, right=Right.PROMOTE, project=cast.churn, why=WHY, **wish)


def propose(cast: Cast, *ops: edits.Op, by: Person | None = None) -> Change:
    """Ada proposes these operations on churn."""
    return edits.edit(by=by or cast.ada, ops=list(ops), why=WHY, project=cast.churn)


def test_alone_it_is_applied_at_once_with_an_event_for_each(cast: Cast) -> None:
    taken = Grant.objects.get(person=cast.mona, right=Right.PROMOTE)
    before = ledger.rows().count()
    change = propose(cast, promote_for(cast, cast.dev, stage="qa"), edits.take(grant=taken, why="Moves on."))
    assert (change.status, change.alone) == (Change.Status.APPLIED, True)
    assert rights.can(cast.dev, Right.PROMOTE, cast.qa)
    assert not rights.can(cast.dev, Right.PROMOTE, cast.prod)
    assert not rights.can(cast.mona, Right.PROMOTE, cast.qa)
    said = [entry.kind for entry in ledger.read(ledger.rows(after=before - 1))]
    assert said == [
        EventKind.CHANGE_ASKED,
        EventKind.CHANGE_APPLIED,
        EventKind.GRANT_GIVEN,
        EventKind.GRANT_REVOKED,
    ]


def test_giving_again_replaces_what_is_held(cast: Cast) -> None:
    propose(cast, promote_for(cast, cast.mona))
    assert Grant.objects.filter(person=cast.mona, right=Right.PROMOTE, revoked_at=None).count() == 1
    assert Grant.objects.filter(person=cast.mona, right=Right.PROMOTE).count() == 2
    assert rights.can(cast.mona, Right.PROMOTE, cast.prod)


def test_it_waits_for_another_administrator(cast: Cast, two: None) -> None:
    change = propose(cast, promote_for(cast, cast.dev))
    assert change.status == Change.Status.WAITING
    assert not rights.can(cast.dev, Right.PROMOTE, cast.qa)
    with pytest.raises(Forbidden, match="somebody else has to apply it"):
        changes.apply(by=cast.ada, change=change)
    with pytest.raises(Forbidden):
        changes.apply(by=cast.dev, change=change)  # a member who manages nothing
    with pytest.raises(Absent):
        changes.apply(by=cast.otto, change=change)
    changes.apply(by=cast.abe, change=change)
    given = Grant.objects.get(person=cast.dev, right=Right.PROMOTE)
    assert given.given_by == cast.ada
    entry = ledger.events(kinds=[EventKind.GRANT_GIVEN], subject=f"grant:{given.pk}")[0]
    assert entry.actor_id == str(cast.abe.pk)
    assert entry.facts["change"] == change.pk
    with pytest.raises(Stale):
        changes.apply(by=cast.abe, change=change)


def test_what_only_takes_waits_for_nobody(cast: Cast, two: None) -> None:
    taken = Grant.objects.get(person=cast.mona, right=Right.PROMOTE)
    assert propose(cast, edits.take(grant=taken, why="Gone.")).status == Change.Status.APPLIED
    assert not rights.can(cast.mona, Right.PROMOTE, cast.qa)


def test_what_it_was_based_on_has_changed(cast: Cast, two: None) -> None:
    change = propose(cast, promote_for(cast, cast.mona, stage=""))
    grants.revoke(by=cast.abe, grant=Grant.objects.get(person=cast.mona, right=Right.PROMOTE), why="Moved.")
    with pytest.raises(Stale, match="not so any more"):
        changes.apply(by=cast.abe, change=change)
    assert change.status == Change.Status.OUTDATED
    assert not rights.can(cast.mona, Right.PROMOTE, cast.qa)


def test_a_mistake_is_told_when_it_is_proposed(cast: Cast, two: None) -> None:
    with pytest.raises(Invalid) as told:
        propose(cast, promote_for(cast, cast.dev), promote_for(cast, cast.dev, stage="moon"))
    assert (told.value.field, told.value.params["at"]) == ("stage", 1)
    assert not Change.objects.exists()
    assert not Grant.objects.filter(person=cast.dev, right=Right.PROMOTE).exists()


def test_rehearsing_leaves_nothing(cast: Cast, two: None) -> None:
    before = Grant.objects.count(), ledger.rows().count()
    propose(cast, promote_for(cast, cast.dev))
    assert (Grant.objects.count(), ledger.rows().count() - 1) == before


def test_refused_and_taken_back(cast: Cast, two: None) -> None:
    change = propose(cast, promote_for(cast, cast.dev))
    with pytest.raises(Forbidden):
        changes.withdraw(by=cast.abe, change=change, why="No.")
    changes.refuse(by=cast.abe, change=change, why="Dev builds it.")
    assert (change.status, change.answer) == (Change.Status.REFUSED, "Dev builds it.")
    other = propose(cast, promote_for(cast, cast.otto))
    changes.withdraw(by=cast.ada, change=other, why="A slip.")
    with pytest.raises(Stale):
        changes.apply(by=cast.abe, change=other)


def test_a_portfolio_hands_down_to_projects_added_later(cast: Cast) -> None:
    credit = portfolios.add_portfolio(by=cast.ada, name="Credit")
    edits.edit(
        by=cast.ada,
        ops=[edits.give(person=cast.otto, right=Right.VIEW, portfolio=credit, stage="qa", why=WHY)],
        why=WHY,
        portfolio=credit,
    )
    assert not rights.visible_projects(cast.otto).exists()
    portfolios.put_project(by=cast.ada, portfolio=credit, project=cast.maint)
    assert list(rights.visible_projects(cast.otto)) == [cast.maint]
    assert rights.can(cast.otto, Right.VIEW, lane(cast.maint, "qa"))
    assert not rights.can(cast.otto, Right.VIEW, lane(cast.maint, "prod"))
    with pytest.raises(Invalid, match="already"):
        portfolios.put_project(by=cast.ada, portfolio=credit, project=cast.maint)
    portfolios.take_project(by=cast.ada, portfolio=credit, project=cast.maint)
    assert not rights.visible_projects(cast.otto).exists()


def test_who_manages_a_portfolio_grants_there_and_nowhere_else(cast: Cast) -> None:
    credit = portfolios.add_portfolio(by=cast.ada, name="Credit")
    portfolios.put_project(by=cast.ada, portfolio=credit, project=cast.maint)
    grants.grant(by=cast.ada, person=cast.olga, right=Right.MANAGE, portfolio=credit, why=WHY)
    grants.grant(by=cast.olga, person=cast.otto, right=Right.VIEW, portfolio=credit, why=WHY)
    assert list(rights.visible_projects(cast.otto)) == [cast.maint]
    with pytest.raises(Forbidden):
        grants.grant(by=cast.olga, person=cast.otto, right=Right.VIEW, why=WHY)
    with pytest.raises(Forbidden):
        portfolios.put_project(by=cast.olga, portfolio=credit, project=cast.churn)
    with pytest.raises(Forbidden, match="portfolio Credit"):
        grants.grant(by=cast.otto, person=cast.otto, right=Right.PROMOTE, portfolio=credit, why=WHY)
    with pytest.raises(Absent):
        grants.grant(by=cast.fay, person=cast.fay, right=Right.PROMOTE, portfolio=credit, why=WHY)


def test_a_pipeline_of_a_team_takes_no_other_team(cast: Cast) -> None:
    cast.churn.pipeline.team = cast.team
    cast.churn.pipeline.save()
    others = people.add_team(by=cast.ada, name="Others")
    with pytest.raises(Invalid, match="pipeline of Churn team") as told:
        grants.grant(by=cast.ada, team=others, right=Right.PROMOTE, project=cast.churn, why=WHY)
    assert told.value.field == "holder"
    grants.grant(by=cast.ada, team=others, right=Right.VIEW, project=cast.churn, why=WHY)
    credit = portfolios.add_portfolio(by=cast.ada, name="Credit")
    grants.grant(by=cast.ada, team=others, right=Right.PROMOTE, portfolio=credit, why=WHY)
    with pytest.raises(Invalid, match="pipeline of Churn team"):
        portfolios.put_project(by=cast.ada, portfolio=credit, project=cast.churn)
