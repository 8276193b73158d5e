"""The rules of a project are changed by two administrators who do not own it."""

import pytest

from governance.actions import policies, tiers
from portal import ledger
from portal.actions import changes, projects
from portal.errors import Forbidden, Invalid, Stale
from portal.event_kinds import EventKind
from portal.models import Change
from tests.cast import POLICY, Cast

WHY = "No longer decides on people."


def test_two_administrators_change_a_tier(cast: Cast) -> None:
    change = tiers.propose(by=cast.ada, project=cast.churn, tier="light", why=WHY)
    assert (change.status, change.alone) == (
        Change.Status.WAITING,
        False,
    )  # also where settings ask for nobody
    with pytest.raises(Forbidden, match="somebody else"):
        changes.apply(by=cast.ada, change=change)
    changes.apply(by=cast.abe, change=change)
    cast.churn.refresh_from_db()
    assert cast.churn.tier == "light"
    said = ledger.events(kinds=[EventKind.PROJECT_RERULED])[0]
    assert (said.actor_id, said.facts["asked_by"]) == (str(cast.abe.pk), str(cast.ada.pk))
    assert (said.facts["before"]["tier"], said.facts["after"]["tier"]) == ("critical", "light")


def test_an_owner_neither_proposes_nor_applies(cast: Cast) -> None:
    with pytest.raises(Forbidden):
        tiers.propose(by=cast.olga, project=cast.churn, tier="light", why=WHY)
    change = tiers.propose(by=cast.ada, project=cast.churn, tier="light", why=WHY)
    cast.churn.owners.add(cast.abe)
    with pytest.raises(Forbidden, match="You own Customer churn"):
        changes.apply(by=cast.abe, change=change)
    with pytest.raises(Forbidden, match="You own"):
        tiers.propose(by=cast.abe, project=cast.churn, tier="light", why=WHY)


@pytest.mark.parametrize("how", ["gives up", "hands over"])
def test_who_was_an_owner_until_lately_does_not_either(
    cast: Cast, how: str, settings: pytest.FixtureRequest
) -> None:
    change = tiers.propose(by=cast.ada, project=cast.churn, tier="light", why=WHY)
    projects.add_owner(by=cast.ada, project=cast.churn, person=cast.abe, why=WHY)
    if how == "gives up":
        projects.remove_owner(by=cast.abe, project=cast.churn, person=cast.abe, why=WHY)
    else:
        projects.hand_over(by=cast.abe, project=cast.churn, person=cast.abe, heir=cast.dev, why=WHY)
    with pytest.raises(Forbidden, match="until lately"):
        changes.apply(by=cast.abe, change=change)
    settings.COOLING_OFF_SECONDS = 0  # type: ignore[attr-defined]
    changes.apply(by=cast.abe, change=change)


@pytest.mark.parametrize("tier, policy, code", [("critical", "", "tier_same"), ("none", "", "tier_unknown")])
def test_what_makes_no_sense_is_refused(cast: Cast, tier: str, policy: str, code: str) -> None:
    with pytest.raises(Invalid) as told:
        tiers.propose(by=cast.ada, project=cast.churn, tier=tier, policy=policy, why=WHY)
    assert (told.value.code, told.value.field) == (code, "tier")


def test_another_change_of_tier_outdates_it(cast: Cast) -> None:
    first = tiers.propose(by=cast.ada, project=cast.churn, tier="light", why=WHY)
    second = tiers.propose(by=cast.abe, project=cast.churn, tier="light", why=WHY)
    changes.apply(by=cast.abe, change=first)
    with pytest.raises(Stale):
        changes.apply(by=cast.ada, change=second)


def test_a_policy_waits_for_a_second_administrator(cast: Cast, settings: pytest.FixtureRequest) -> None:
    settings.SECOND_ADMIN = True  # type: ignore[attr-defined]
    source = POLICY.replace("people: 1", "people: 2")
    change = policies.propose(by=cast.ada, source=source, why=WHY)
    assert change.status == Change.Status.WAITING
    changes.apply(by=cast.abe, change=change)
    newest = type(cast.policy).objects.filter(name=cast.policy.name).order_by("-version")[0]
    assert (newest.version, newest.published_by, newest.change) == (2, cast.ada, change)
    assert ledger.events(kinds=[EventKind.POLICY_PUBLISHED])[-1].actor_id == str(cast.abe.pk)
