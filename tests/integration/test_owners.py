"""Owners: adding one, handing over, never losing the last; and who DSS says they are, mapped to who is here."""

from collections.abc import Callable
from typing import Any

import pytest
from pytest_django import Settings

from portal import ledger, rights
from portal.actions import estate, owners, people, projects
from portal.actions.owners import Choice
from portal.dss.sandbox.launch import Sandbox
from portal.errors import Absent, Forbidden, Invalid, Refused, Stale, Unavailable
from portal.event_kinds import EventKind
from portal.models import Change, Counterpart, Grant, Node, Person, Project, Right
from tests.api import Api, session, token, told
from tests.cast import Cast, imported, make_cast
from tests.conftest import Database
from tests.integration.test_grants import refusals_of
from tests.pages import outsider_sees_nothing, refused, signed_in, words

K = Counterpart.Kind


# --- owning -----------------------------------------------------------------------------------------------------------


def test_a_project_is_handed_over_with_who_to_whom_and_why(cast: Cast) -> None:
    projects.hand_over(
        by=cast.olga, project=cast.churn, person=cast.olga, heir=cast.otto, why="She moves on."
    )
    assert list(cast.churn.owners.all()) == [cast.otto]
    (event,) = ledger.events(kinds=[EventKind.PROJECT_HANDED_OVER])
    assert (event.facts["person"], event.facts["heir"], event.facts["why"]) == (
        str(cast.olga.pk),
        str(cast.otto.pk),
        "She moves on.",
    )
    assert ledger.sentence(event, {str(cast.olga.pk): "Olga Lindqvist"}.__getitem__) == (
        "Olga Lindqvist handed Customer churn over from Olga Lindqvist to Otto Weiss"
    )
    # Owning gives nothing by itself: he does not even see it.
    assert not rights.visible_projects(cast.otto).exists()


def test_the_last_owner_who_is_here_stays(cast: Cast) -> None:
    with pytest.raises(Refused) as refusal:
        projects.remove_owner(by=cast.olga, project=cast.churn, person=cast.olga, why="Enough.")
    assert refusal.value.code == "last_owner"
    assert "Hand it over" in refusal.value.sentence
    projects.add_owner(by=cast.olga, project=cast.churn, person=cast.dev, why="Two are better.")
    Person.objects.filter(pk=cast.dev.pk).update(is_active=False)
    with pytest.raises(Refused):  # the other one is not here
        projects.remove_owner(by=cast.olga, project=cast.churn, person=cast.olga, why="Enough.")
    projects.remove_owner(by=cast.ada, project=cast.churn, person=cast.dev, why="Left.")
    kinds = [event.kind for event in ledger.events(project="CHURN")][-2:]
    assert kinds == [EventKind.OWNER_ADDED, EventKind.OWNER_REMOVED]


def test_of_two_owners_who_give_up_at_once_one_stays(database_copy: Database) -> None:
    cast = make_cast()
    projects.add_owner(by=cast.olga, project=cast.churn, person=cast.dev, why="Two.")
    refusals = refusals_of(
        *(
            lambda one=one: projects.remove_owner(by=one, project=cast.churn, person=one, why="Enough.")
            for one in (cast.olga, cast.dev)
        )
    )
    assert [refusal.code for refusal in refusals] == ["last_owner"]
    assert cast.churn.owners.count() == 1


def test_who_may_and_what_cannot_be(cast: Cast) -> None:
    robot = people.add_person(by=cast.ada, login="robot", name="Robot", kind="service")
    for nobody, error in ((cast.dev, Forbidden), (cast.nora, Forbidden), (cast.otto, Absent)):
        for call in (
            lambda by=nobody: projects.add_owner(by=by, project=cast.churn, person=cast.dev, why="x"),
            lambda by=nobody: projects.remove_owner(by=by, project=cast.churn, person=cast.olga, why="x"),
            lambda by=nobody: projects.hand_over(
                by=by, project=cast.churn, person=cast.olga, heir=cast.dev, why="x"
            ),
        ):
            with pytest.raises(error):
                call()
    here: dict[str, Any] = {"by": cast.olga, "project": cast.churn, "why": "x"}
    wrong: tuple[tuple[Callable[[], Any], str], ...] = (
        (lambda: projects.add_owner(**here, person=robot), "owner_unfit"),
        (lambda: projects.hand_over(**here, person=cast.olga, heir=robot), "owner_unfit"),
        (lambda: projects.hand_over(**here, person=cast.olga, heir=cast.olga), "heir_self"),
        (lambda: projects.add_owner(**{**here, "why": " "}, person=cast.dev), "why_missing"),
        (lambda: projects.add_owner(**{**here, "why": "x" * 501}, person=cast.dev), "why_long"),
        (lambda: projects.add_owner(**here, person=cast.olga), "owner_already"),
        (lambda: projects.hand_over(**here, person=cast.dev, heir=cast.fay), "owner_gone"),
    )
    for act, code in wrong:
        with pytest.raises((Invalid, Stale)) as refusal:
            act()
        assert refusal.value.code == code
    assert list(cast.churn.owners.all()) == [cast.olga]


def test_over_the_api(cast: Cast) -> None:
    olga = session(cast.olga)
    assert [one["login"] for one in session(cast.dev).rows("projects/CHURN/owners/")] == ["olga"]
    session(cast.otto).absent("get", "projects/CHURN/owners/")
    assert olga.post("projects/CHURN/owners/", login="dev", why="Two.")["login"] == "dev"
    told("project.owner_added")
    body = {"login": "dev", "why": "x"}
    assert session(cast.mona).refused(403, "post", "projects/CHURN/owners/", body)["code"] == "not_an_owner"
    assert token(cast.olga).refused(403, "post", "projects/CHURN/owners/", body)["code"] == "not_an_owner"
    assert olga.send("delete", "projects/CHURN/owners/dev/?why=One+is+enough").status_code == 204
    assert olga.refused(409, "delete", "projects/CHURN/owners/olga/?why=x")["code"] == "last_owner"
    assert olga.refused(400, "delete", "projects/CHURN/owners/olga/")["field"] == "why"
    olga.absent("delete", "projects/CHURN/owners/mona/?why=x")
    assert olga.post("projects/CHURN/owners/olga/hand-over/", heir="mona", why="Moves on.")["login"] == "mona"
    told("project.handed_over")
    body = {"heir": "olga", "why": "x"}
    assert olga.refused(403, "post", "projects/CHURN/owners/mona/hand-over/", body)["code"] == "not_an_owner"


def test_on_the_pages(cast: Cast) -> None:
    olga, page = signed_in(cast.olga), "/projects/CHURN/owners/"
    outsider_sees_nothing(signed_in(cast.otto), page)
    assert "Add an owner" not in words(signed_in(cast.dev).get(page))
    refused(
        signed_in(cast.dev).post(page, {"owner": "dev", "why": "x"}), 403, "Only an owner of Customer churn"
    )
    assert "Dev Rao is an owner now." in words(olga.post(page, {"owner": "dev", "why": "Two."}, follow=True))
    mine = f"{page}{cast.olga.pk}/"
    assert "Nobody here has the login “nobody”." in words(olga.post(mine, {"heir": "nobody", "why": "x"}))
    answer = olga.post(mine, {"heir": "mona", "why": "Moves on."}, follow=True)
    assert "Mona Castell owns it now." in words(answer)
    answer = signed_in(cast.ada).post(f"{page}{cast.dev.pk}/", {"heir": "", "why": "One."}, follow=True)
    assert "Dev Rao is no owner any more." in words(answer)
    answer = signed_in(cast.ada).post(f"{page}{cast.mona.pk}/", {"heir": "", "why": "x"})
    refused(answer, 409, "Hand it over to somebody instead.")
    outsider_sees_nothing(signed_in(cast.ada), f"{page}{cast.dev.pk}/")


# --- from DSS ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def fraud(cast: Cast, fresh_sandbox: Sandbox) -> Project:
    """Card fraud of the sandbox's design node: Priya, nobody here, owns it there; group fraud-team works on it."""
    there = fresh_sandbox.nodes["design"]
    node = estate.add_node(
        by=cast.ada, slug="sandbox", name="Design node", kind="design", url=there.url, key_name=there.key_name
    )
    return projects.import_project(
        by=cast.ada,
        node=node,
        key="FRAUD",
        pipeline=cast.pipeline,
        policy="demo-policy",
        tier="critical",
        owner=cast.ada,
    )


def test_proposals_go_by_login_address_and_name(cast: Cast, fraud: Project) -> None:
    found = {one.key: one for one in owners.look(by=cast.ada, project=fraud)}
    assert list(found) == ["user:priya", "group:fraud-team", "group:readers"]
    priya, group, readers = found.values()
    assert (priya.shown, priya.owns, priya.works, priya.person) == ("Priya Nandan", True, True, None)
    assert (group.works, group.team, readers.works) == (True, None, False)
    team = people.add_team(by=cast.ada, name="Fraud team")
    here = people.add_person(by=cast.ada, login="p.nandan", name="Priya Nandan", email="priya@example.com")
    found = {one.key: one for one in owners.look(by=cast.ada, project=fraud)}
    assert found["group:fraud-team"].team == team
    assert found["user:priya"].person in (None, here)  # by address, where the portal's key may see it
    for nobody in (cast.olga, cast.nora):
        with pytest.raises(Forbidden):
            owners.look(by=nobody, project=fraud)


def test_what_is_confirmed_is_kept_owned_and_asked_for(
    cast: Cast, fraud: Project, settings: Settings
) -> None:
    settings.SECOND_ADMIN = True
    team = people.add_team(by=cast.ada, name="Risk EU")
    priya = people.add_person(by=cast.ada, login="p.nandan", name="Priya Nandan")
    choices = [
        Choice(K.USER, "priya", person=priya, owner=True, grant=True),
        Choice(K.GROUP, "fraud-team", team=team, grant=True),
        Choice(K.GROUP, "readers"),
    ]
    made = owners.confirm(by=cast.ada, project=fraud, choices=choices, why="As in DSS.")
    assert made.owners == 1
    assert set(fraud.owners.all()) == {cast.ada, priya}
    assert made.change is not None
    assert made.change.status == Change.Status.WAITING
    assert len(made.change.wish["ops"]) == 4
    assert not Grant.objects.filter(project=fraud).exists()
    assert len(ledger.events(kinds=[EventKind.COUNTERPART_SET])) == 2
    found = {one.key: one for one in owners.look(by=cast.ada, project=fraud)}
    assert (found["user:priya"].person, found["user:priya"].known) == (priya, True)
    assert (found["group:fraud-team"].team, found["group:readers"].known) == (team, False)
    # Next time the node's owner is known, and what was confirmed is not said again.
    settings.SECOND_ADMIN = False
    again = owners.confirm(by=cast.ada, project=fraud, choices=choices, why="Again.")
    assert again.change is not None
    assert again.change.status == Change.Status.APPLIED
    assert {(one.person or one.team, one.right) for one in Grant.objects.filter(project=fraud)} == {
        (who, right) for who in (priya, team) for right in ("view", "request")
    }
    assert len(ledger.events(kinds=[EventKind.COUNTERPART_SET])) == 2
    third = owners.confirm(by=cast.ada, project=fraud, choices=choices, why="Once more.")
    assert (third.owners, third.change) == (0, None)
    told_: dict[str, Any] = {"by": cast.ada, "node": fraud.node, "pipeline": cast.pipeline, "tier": "light"}
    assert list(imported(key="NEXT", owner="priya", owned_by=None, **told_).owners.all()) == [priya]


def test_choices_that_cannot_be_are_refused_whole(cast: Cast, fraud: Project) -> None:
    for choice, code in (
        (Choice(K.USER, "priya", team=cast.team), "counterpart_kind"),
        (Choice(K.GROUP, "fraud-team", person=cast.dev), "counterpart_kind"),
        (Choice(K.GROUP, "fraud-team", team=cast.team, owner=True), "counterpart_kind"),
        (Choice(K.USER, "priya", owner=True), "counterpart_missing"),
        (Choice(K.GROUP, "fraud-team", grant=True), "counterpart_missing"),
        (Choice(K.USER, ""), "counterpart_unknown"),
        (Choice(K.USER, "x" * 201), "counterpart_unknown"),
    ):
        with pytest.raises(Invalid) as refusal:
            owners.confirm(
                by=cast.ada, project=fraud, choices=[Choice(K.USER, "dev", person=cast.dev), choice], why="x"
            )
        assert (refusal.value.code, refusal.value.field) == (code, "choices")
    assert not Counterpart.objects.exists()
    with pytest.raises(Forbidden):
        owners.confirm(by=cast.olga, project=fraud, choices=[], why="x")


def test_a_key_that_may_not_list_people_is_enough(cast: Cast, fraud: Project, fresh_sandbox: Sandbox) -> None:
    """Without the lists there are names from the permissions; without those the owner known from the import."""
    fresh_sandbox.control.fault("status", path="/users$", status=403, times=None)
    found = owners.look(by=cast.ada, project=fraud)
    assert next((one.name, one.shown) for one in found) == ("priya", "priya")
    assert len(found) == 3
    fresh_sandbox.control.fault("status", path="/permissions", status=403, times=None)
    (only,) = owners.look(by=cast.ada, project=fraud)
    assert (only.name, only.owns) == ("priya", True)
    fresh_sandbox.control.clear_faults()
    fresh_sandbox.stop()
    try:
        with pytest.raises(Unavailable):
            owners.look(by=cast.ada, project=fraud)
    finally:
        fresh_sandbox.start()


def test_mapping_over_the_api(cast: Cast, fraud: Project) -> None:
    ada: Api = session(cast.ada)
    path = "projects/FRAUD/owners/dss/"
    assert [one["name"] for one in ada.get(path)] == ["priya", "fraud-team", "readers"]
    choices = [
        {"kind": "user", "name": "priya", "person": "dev", "owner": True, "grant": True},
        {"kind": "group", "name": "fraud-team", "team": "churn-team", "grant": True},
    ]
    made = ada.post(path, choices=choices, why="As in DSS.")
    assert made == {"owners": 1, "change": Change.objects.get().pk, "applied": True}
    found = ada.refused(400, "post", path, {"choices": [{**choices[0], "person": "nobody"}], "why": "x"})
    assert found["field"] == "choices"
    found = ada.refused(400, "post", path, {"choices": [{**choices[1], "team": "nowhere"}], "why": "x"})
    assert found["code"] == "team_unknown"
    assert session(cast.dev).refused(403, "get", path)["code"] == "right_missing"  # he sees it now
    session(cast.otto).absent("get", path)
    session(cast.otto).absent("post", path, {"choices": [], "why": "x"})


def test_mapping_on_the_page(cast: Cast, fraud: Project) -> None:
    ada, page = signed_in(cast.ada), "/projects/FRAUD/owners/dss/"
    outsider_sees_nothing(signed_in(cast.otto), page)
    answer = ada.get(page)
    assert "Priya Nandan user priya" in words(answer)
    assert "owns it" in words(answer)
    shown = '["user:priya", "group:fraud-team", "group:readers"]'
    wish = {
        "shown": shown,
        "why": "As in DSS.",
        "who_0": "dev",
        "owner_0": "on",
        "grant_0": "on",
        "who_1": "churn-team",
        "grant_1": "on",
    }
    stale = ada.post(page, {**wish, "shown": '["user:priya"]'})
    assert "DSS names other users or groups now" in words(stale)
    assert not Counterpart.objects.exists()
    answer = ada.post(page, {**wish, "who_0": "nobody"})
    assert "Nobody here has the login “nobody”." in words(answer)
    answer = ada.post(page, wish, follow=True)
    assert "the rights are granted" in words(answer)
    assert cast.dev in fraud.owners.all()
    assert Grant.objects.filter(project=fraud, team=cast.team, right=Right.REQUEST).exists()
    assert "confirmed before" in words(ada.get(page))


def test_a_node_that_goes_takes_its_counterparts_along(cast: Cast) -> None:
    node = Node.objects.create(
        slug="gone", name="Gone", kind="design", url="http://127.0.0.1:9/", key_name="x"
    )
    Counterpart.objects.create(node=node, kind=K.USER, name="dev", person=cast.dev, set_by=cast.ada)
    node.delete()
    assert not Counterpart.objects.exists()
