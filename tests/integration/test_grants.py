"""Giving and revoking rights: who may, what is refused naming the field, what the ledger keeps, and two at once."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal import ledger, rights
from portal.actions import grants, people, portfolios
from portal.errors import Absent, Forbidden, Invalid, Refused
from portal.event_kinds import EventKind
from portal.models import (
    Event,
    Grant,
    Lane,
    LaneGroupObjectPermission,
    LaneUserObjectPermission,
    Person,
    Right,
)
from tests.cast import Cast, make_cast
from tests.conftest import Database
from tests.integration.test_ledger_concurrency import in_threads

HOUR = timedelta(hours=1)


def give(cast: Cast, **wish: Any) -> Grant:
    """A grant by Ada, of viewing churn to Otto unless told otherwise."""
    return grants.grant(
        **{
            "by": cast.ada,
            "person": cast.otto,
            "right": Right.VIEW,
            "project": cast.churn,
            "why": "He visits.",
            **wish,
        }
    )


# --- what is refused -------------------------------------------------------------------------------------------------


UNUSABLE: list[tuple[dict[str, Any], str, str]] = [
    ({"person": None}, "grant_holder", "holder"),
    ({"team": "both"}, "grant_holder", "holder"),
    ({"right": Right.SIGN}, "role_missing", "role"),
    ({"right": Right.SIGN, "role": "Model risk!"}, "role_invalid", "role"),
    ({"right": Right.SIGN, "role": "r" * 51}, "role_invalid", "role"),
    ({"role": "fairness"}, "role_unexpected", "role"),
    ({"stage": "moon"}, "stage_unknown", "stage"),
    ({"stage": "moon", "project": None}, "stage_unknown", "stage"),
    ({"until": "past"}, "until_past", "until"),
    ({"why": ""}, "why_missing", "why"),
    ({"why": "  \n"}, "why_missing", "why"),
    ({"why": "w" * 501}, "why_long", "why"),
    ({"person": "disabled"}, "person_disabled", "holder"),
    ({"person": "system"}, "person_disabled", "holder"),
    ({"person": "service", "right": Right.SIGN, "role": "fairness"}, "service_never_signs", "holder"),
]


def test_what_cannot_be_used_is_refused_by_field(cast: Cast) -> None:
    Person.objects.filter(pk=cast.nora.pk).update(is_active=False)
    stand_ins = {
        "both": cast.team,
        "past": timezone.now(),
        "disabled": Person.objects.get(login="nora"),
        "system": Person.objects.system(),
        "service": people.add_person(by=cast.ada, login="robot", name="Robot", kind="service"),
    }
    events, rows = Event.objects.count(), Grant.objects.count()
    for wish, code, field in UNUSABLE:
        with pytest.raises(Invalid) as refused:
            give(cast, **{key: stand_ins.get(value, value) for key, value in wish.items()})
        assert (refused.value.code, refused.value.field) == (code, field), wish
        assert refused.value.sentence[-1] == "."
    assert (Event.objects.count(), Grant.objects.count()) == (events, rows)


def test_the_same_right_twice_is_refused(cast: Cast) -> None:
    give(cast)
    with pytest.raises(Invalid) as refused:
        give(cast, until=timezone.now() + HOUR)
    assert (refused.value.code, refused.value.field) == ("grant_duplicate", "holder")
    assert refused.value.sentence.startswith("Otto Weiss holds this right there already")
    give(cast, stage="prod")  # narrower is another place
    give(cast, project=None)
    with pytest.raises(Invalid):
        give(cast, project=None)
    with pytest.raises(Invalid):
        give(cast, person=None, team=cast.team)


def test_what_ran_out_or_was_revoked_can_be_given_again(cast: Cast) -> None:
    first = give(cast, until=timezone.now() + HOUR)
    Grant.objects.filter(pk=first.pk).update(until=timezone.now() - HOUR)
    second = give(cast)
    first.refresh_from_db()
    assert first.revoked_by is not None
    assert first.revoked_by.is_system
    grants.revoke(by=cast.ada, grant=second, why="Over.")
    give(cast)
    assert rights.can(cast.otto, Right.VIEW, cast.prod)


# --- who may grant ---------------------------------------------------------------------------------------------------


def test_only_who_manages_may_grant(cast: Cast) -> None:
    with pytest.raises(Absent):
        give(cast, by=cast.otto, person=cast.eli)
    with pytest.raises(Forbidden) as refused:
        give(cast, by=cast.dev)
    assert "manage rights and settings on Customer churn" in refused.value.sentence
    for person in (cast.dev, cast.nora, cast.otto):
        with pytest.raises(Forbidden):
            give(cast, by=person, project=None)
    assert not Grant.objects.filter(person=cast.otto).exists()


def test_who_manages_a_project_grants_there_and_nowhere_else(cast: Cast) -> None:
    give(cast, person=cast.olga, right=Right.MANAGE)
    given = give(cast, by=cast.olga)
    grants.revoke(by=cast.olga, grant=given, why="Left.")
    with pytest.raises(Absent):
        give(cast, by=cast.olga, project=cast.maint)
    with pytest.raises(Forbidden):
        give(cast, by=cast.olga, project=None)
    by_admin = Grant.objects.get(person=cast.nora)
    with pytest.raises(Forbidden):
        grants.revoke(by=cast.olga, grant=by_admin, why="Not hers.")


def test_a_refusal_on_a_portfolio_names_who_manages_it(cast: Cast) -> None:
    credit = portfolios.add_portfolio(by=cast.ada, name="Credit")
    portfolios.put_project(by=cast.ada, portfolio=credit, project=cast.churn)
    grants.grant(by=cast.ada, person=cast.mona, right=Right.MANAGE, portfolio=credit, why="Runs it.")
    with pytest.raises(Forbidden) as refused:
        grants.grant(by=cast.dev, person=cast.otto, right=Right.VIEW, portfolio=credit, why="Helps.")
    assert refused.value.sentence.endswith(
        "on portfolio Credit. Abe Tanner or Ada Novak or Mona Castell can grant it."
    )
    with pytest.raises(Absent):
        grants.grant(by=cast.otto, person=cast.otto, right=Right.VIEW, portfolio=credit, why="Helps.")


def test_managing_one_lane_is_not_enough_to_grant(cast: Cast) -> None:
    give(cast, person=cast.olga, right=Right.MANAGE, stage="qa")
    for stage in ("qa", "prod", ""):
        with pytest.raises(Forbidden):
            give(cast, by=cast.olga, stage=stage)
    give(cast, person=cast.eli, right=Right.MANAGE, stage="qa", project=None)
    with pytest.raises(Forbidden):
        give(cast, by=cast.eli)


def test_a_project_without_lanes_is_not_open_to_everybody(cast: Cast) -> None:
    Lane.objects.filter(project=cast.maint).delete()
    for person in (cast.otto, cast.dev):
        with pytest.raises(Forbidden):
            give(cast, by=person, person=cast.eli, project=cast.maint)


def test_the_first_grant_comes_from_the_command_line_alone(cast: Cast) -> None:
    with pytest.raises(Forbidden) as refused:
        grants.first_grant(by=cast.ada, person=cast.otto)
    assert refused.value.code == "command_line_only"
    system = Person.objects.system()
    held = grants.first_grant(by=system, person=cast.ada)
    events = Event.objects.count()
    assert grants.first_grant(by=system, person=cast.ada) == held
    assert Event.objects.count() == events


def test_an_administration_that_ends_gives_way_to_one_for_good(cast: Cast) -> None:
    ending = give(cast, right=Right.MANAGE, project=None, until=timezone.now() + HOUR)
    Grant.objects.filter(pk=ending.pk).update(until=timezone.now() - HOUR)
    assert "manage" not in rights.on_estate(cast.otto)
    grants.first_grant(by=Person.objects.system(), person=cast.otto)
    assert "manage" in rights.on_estate(cast.otto)


# --- revoking --------------------------------------------------------------------------------------------------------


def test_a_revoked_right_is_gone_at_once(cast: Cast) -> None:
    given = give(cast)
    assert rights.can(cast.otto, Right.VIEW, cast.prod)
    grants.revoke(by=cast.abe, grant=given, why="He left.")
    with pytest.raises(Absent):
        rights.check(cast.otto, Right.VIEW, cast.prod)
    given.refresh_from_db()
    assert given.revoked_by == cast.abe
    with pytest.raises(Invalid) as refused:
        grants.revoke(by=cast.ada, grant=given, why="Once more.")
    assert refused.value.code == "revoked_already"
    with pytest.raises(Invalid) as refused:
        grants.revoke(by=cast.ada, grant=give(cast), why=" ")
    assert refused.value.field == "why"


# --- the ledger ------------------------------------------------------------------------------------------------------


def test_the_ledger_keeps_who_gave_what_to_whom_where_until_when_and_why(cast: Cast) -> None:
    until = timezone.now() + HOUR
    given = give(cast, right=Right.SIGN, role="fairness", stage="prod", until=until, why="Stands in for Fay.")
    event = ledger.events(kinds=[EventKind.GRANT_GIVEN])[-1]
    assert (event.project, event.subject, event.actor_id) == ("CHURN", f"grant:{given.pk}", str(cast.ada.pk))
    assert dict(event.facts) == {
        "grant": str(given.pk),
        "change": None,
        "holder_kind": "person",
        "holder_id": str(cast.otto.pk),
        "holder": "Otto Weiss",
        "right": "sign",
        "role": "fairness",
        "where": "CHURN · prod",
        "stage": "prod",
        "until": until.isoformat(),
        "why": "Stands in for Fay.",
    }
    grants.revoke(by=cast.abe, grant=given, why="Fay is back.")
    event = ledger.events(kinds=[EventKind.GRANT_REVOKED])[-1]
    assert (event.subject, event.actor_id) == (f"grant:{given.pk}", str(cast.abe.pk))
    assert (event.facts["holder"], event.facts["why"]) == ("Otto Weiss", "Fay is back.")
    on_estate = give(cast, person=None, team=cast.team, project=None, right=Right.AUDIT)
    event = ledger.events(kinds=[EventKind.GRANT_GIVEN])[-1]
    assert (event.project, event.facts["where"]) == ("", "the estate")
    assert (event.facts["holder_kind"], event.facts["holder_id"]) == ("team", "churn-team")
    # Names and reasons are not in the hashed body.
    body = bytes(Event.objects.get(subject=f"grant:{on_estate.pk}").body)
    assert b"He visits." not in body
    assert b"Churn team" not in body


def ends_told(one: Grant) -> list[tuple[str, str, str]]:
    """Who ended a grant on which project and why, as the ledger says it."""
    return [
        (event.actor_kind, event.project, event.facts["why"])
        for event in ledger.events(kinds=[EventKind.GRANT_REVOKED], subject=f"grant:{one.pk}")
    ]


@pytest.mark.parametrize("on_project", [True, False])
def test_the_ledger_keeps_that_a_grant_which_ran_out_was_closed(cast: Cast, on_project: bool) -> None:
    where = cast.churn if on_project else None
    first = give(cast, project=where, until=timezone.now() + HOUR)
    Grant.objects.filter(pk=first.pk).update(until=timezone.now() - HOUR)
    give(cast, project=where)
    assert ends_told(first) == [("system", "CHURN" if on_project else "", "ran out")]
    last = list(Event.objects.order_by("-seq").values_list("kind", flat=True)[:2])
    assert last == ["grant.given", "grant.revoked"]


def test_nothing_is_closed_where_the_new_grant_is_refused(cast: Cast) -> None:
    held = give(cast, until=timezone.now() + HOUR)
    with pytest.raises(Invalid):
        give(cast)
    assert ends_told(held) == []


@pytest.mark.parametrize("ran_out", [True, False])
def test_the_ledger_keeps_that_the_first_grant_replaced_another(cast: Cast, ran_out: bool) -> None:
    ending = give(cast, right=Right.MANAGE, project=None, until=timezone.now() + HOUR)
    if ran_out:
        Grant.objects.filter(pk=ending.pk).update(until=timezone.now() - HOUR)
    for_good = grants.first_grant(by=Person.objects.system(), person=cast.otto)
    ending.refresh_from_db()
    assert ending.revoked_by is not None
    assert ending.revoked_by.is_system
    assert ends_told(ending) == [("system", "", "ran out" if ran_out else f"replaced by grant {for_good.pk}")]


# --- the projection --------------------------------------------------------------------------------------------------


def projection() -> set[tuple[Any, ...]]:
    """guardian's rows: lane, project, holder, permission, until."""
    rows: set[tuple[Any, ...]] = set()
    for model, holder in ((LaneUserObjectPermission, "user_id"), (LaneGroupObjectPermission, "group_id")):
        rows |= set(
            model._default_manager.values_list(
                "content_object_id", "project_id", holder, "permission__codename", "until"
            )
        )
    return rows


def wanted_projection() -> set[tuple[Any, ...]]:
    """What the grants in force come to, said another way."""
    now = timezone.now()
    ends: dict[tuple[Any, ...], list[Any]] = {}
    for lane in Lane.objects.select_related("stage"):
        for one in Grant.objects.select_related("team").filter(project=lane.project_id, revoked_at=None):
            if (one.until is None or one.until > now) and one.stage in ("", lane.stage.slug):
                holder = one.person_id if one.team is None else one.team.group_id
                ends.setdefault((lane.pk, lane.project_id, holder, one.codename), []).append(one.until)
    return {(*key, None if None in until else max(until)) for key, until in ends.items()}


ACT = st.tuples(
    st.booleans(),
    st.sampled_from(["otto", "eli", "team"]),
    st.sampled_from([(Right.VIEW, ""), (Right.SIGN, "fairness"), (Right.SIGN, "model-risk")]),
    st.sampled_from(["churn", "maint", "estate"]),
    st.sampled_from(["", "qa", "prod"]),
    st.sampled_from([None, 1, 2]),
)


class Undone(Exception):
    """Ends a business transaction as if it never was."""


def test_the_projection_equals_the_truth_after_every_action(cast: Cast, full_size: bool) -> None:
    acted = 0

    @settings(
        max_examples=60 if full_size else 12,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(acts=st.lists(ACT, min_size=3, max_size=8))
    def play(acts: list) -> None:
        nonlocal acted
        with suppress(Undone), ledger.business():
            for giving, holder, (right, role), where, stage, hours in acts:
                place = {"churn": cast.churn, "maint": cast.maint, "estate": None}[where]
                who: dict[str, Any] = (
                    {"person": None, "team": cast.team}
                    if holder == "team"
                    else {"person": getattr(cast, holder)}
                )
                what = {"right": right, "role": role, "project": place, "stage": stage}
                found = Grant.objects.filter(**what, **who, revoked_at=None).first()
                if giving and found is None:
                    give(cast, **what, **who, until=None if hours is None else timezone.now() + hours * HOUR)
                elif found is not None:
                    grants.revoke(by=cast.ada, grant=found, why="By chance.")
                else:
                    continue
                acted += 1
                assert projection() == wanted_projection()
            raise Undone

    play()
    assert acted > 20


def test_the_database_itself_refuses_half_a_grant(cast: Cast) -> None:
    base = {"right": "view", "why": "Straight.", "given_by": cast.ada, "project": cast.churn}
    for fields in (
        {},
        {"person": cast.otto, "team": cast.team},
        {"person": cast.otto, "right": "sign"},
        {"person": cast.otto, "role": "fairness"},
        {"person": cast.otto, "revoked_at": timezone.now()},
        {"person": cast.otto, "revoked_by": cast.ada},
        {"team": cast.team},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            Grant.objects.create(**{**base, **fields})


# --- two at once -----------------------------------------------------------------------------------------------------


def refusals_of(*calls: Callable[[], object]) -> list[Refused]:
    """Run at once; the refusals among what came of it. Anything else is raised."""
    refused: list[Refused] = []

    def guarded(call: Callable[[], object]) -> None:
        try:
            call()
        except Refused as refusal:
            refused.append(refusal)

    in_threads(*(lambda call=call: guarded(call) for call in calls))
    return refused


def test_of_two_admins_who_give_the_same_right_one_is_told_so(each_database: Database) -> None:
    cast = make_cast()
    for turn in range(4):
        right = [Right.VIEW, Right.AUDIT, Right.PROMOTE, Right.MANAGE][turn]
        refused = refusals_of(
            *(lambda by=by, right=right: give(cast, by=by, right=right) for by in (cast.ada, cast.abe))
        )
        assert [refusal.code for refusal in refused] == ["grant_duplicate"]
        assert Grant.objects.filter(person=cast.otto, right=right, revoked_at=None).count() == 1
        assert projection() == wanted_projection()


def test_of_two_who_close_what_ran_out_one_says_so(each_database: Database) -> None:
    cast = make_cast()
    ended = give(cast, until=timezone.now() + HOUR)
    Grant.objects.filter(pk=ended.pk).update(until=timezone.now() - HOUR)
    refused = refusals_of(*(lambda by=by: give(cast, by=by) for by in (cast.ada, cast.abe)))
    assert [refusal.code for refusal in refused] == ["grant_duplicate"]
    assert ends_told(ended) == [("system", "CHURN", "ran out")]


def test_grants_and_revocations_at_once_leave_the_truth(each_database: Database) -> None:
    """Without a lock on the lane, one who grants would write back what another revokes at that moment."""
    cast = make_cast()
    people_there = [cast.otto, cast.eli, cast.nora]
    for _turn in range(5):
        held = [give(cast, person=person, right=Right.VIEW) for person in people_there]
        refused = refusals_of(
            *(lambda one=one: grants.revoke(by=cast.ada, grant=one, why="Over.") for one in held),
            *(
                lambda person=person: give(cast, by=cast.abe, person=person, right=Right.AUDIT)
                for person in people_there
            ),
        )
        assert refused == []
        assert projection() == wanted_projection()
        for one in Grant.objects.filter(right=Right.AUDIT, revoked_at=None):
            grants.revoke(by=cast.ada, grant=one, why="Next turn.")


def test_a_right_is_revoked_once_however_many_click(each_database: Database) -> None:
    cast = make_cast()
    given = give(cast)
    refused = refusals_of(
        *(lambda by=by: grants.revoke(by=by, grant=given, why="Over.") for by in (cast.ada, cast.abe))
    )
    assert [refusal.code for refusal in refused] == ["revoked_already"]
    assert len(ledger.events(kinds=[EventKind.GRANT_REVOKED])) == 1


@pytest.mark.parametrize("right", [Right.ROLL_BACK, Right.BREAK_GLASS, Right.OVERRIDE_FREEZE])
def test_a_right_that_nothing_asks_for_is_not_given(cast: Cast, right: Right) -> None:
    with pytest.raises(Invalid) as refused:
        grants.grant(by=cast.ada, right=right, person=cast.dev, project=cast.qa.project, why="in case")
    assert (refused.value.code, refused.value.field) == ("right_unused", "right")
