"""Where a second administrator is asked for, nothing that gives power counts before one applied it, whichever door."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from governance.models import PolicyVersion
from portal import rights
from portal.actions import (
    accounts,
    changes,
    edits,
    factors,
    grants,
    identities,
    leaving,
    owners,
    people,
    portfolios,
    projects,
)
from portal.actions.owners import Choice
from portal.demo.cast import PASSWORD
from portal.errors import Forbidden, Invalid, Stale
from portal.estate_file import current, written
from portal.models import (
    Change,
    Counterpart,
    Delegation,
    Grant,
    GroupMapping,
    Membership,
    Person,
    Project,
    Right,
)
from portal.places import Place
from portal.rights_files import written as rights_written
from tests.api import Api, session
from tests.cast import POLICY, Cast
from tests.pages import signed_in

WHY = "It has to be."
PLACE = {"slug": "a", "deployer": "deployer", "infra_id": "INFRA_A", "automation": "auto-prod"}
NODE = {"slug": "n", "name": "N", "kind": "design", "url": "https://n.example.com", "key_name": "n"}


@pytest.fixture(autouse=True)
def two(settings: Any) -> None:
    settings.SECOND_ADMIN = True


def in_force() -> list[Any]:
    """All that gives power: rights, memberships, who stands in, mappings, rules, and where things run."""
    return [
        list(Grant.objects.in_force(timezone.now()).order_by("pk").values_list("pk", "until")),
        list(Membership.objects.order_by("pk").values_list("pk", flat=True)),
        list(Person.groups.through.objects.order_by("pk").values_list("pk", flat=True)),
        list(Delegation.objects.filter(ended_at=None).order_by("pk").values_list("pk", flat=True)),
        list(GroupMapping.objects.order_by("pk").values_list("pk", flat=True)),
        list(PolicyVersion.objects.order_by("pk").values_list("pk", flat=True)),
        list(Project.objects.order_by("pk").values_list("pk", "tier", "policy", "pipeline")),
        list(Project.portfolios.through.objects.order_by("pk").values_list("pk", flat=True)),
        current(),
    ]


def sent(path: str, method: str = "post", **body: Any) -> Callable[[Cast], object]:
    """Ada asks for it over the API; it has to answer that it waits."""

    def act(cast: Cast) -> None:
        answer = session(cast.ada).send(method, path, body)
        assert answer.status_code == 202, (path, answer.content)
        assert answer.json()["status"] == "waiting"

    return act


def posted(path: str, *, again: bool = False, **body: str) -> Callable[[Cast], object]:
    """Ada sends the form of a page, and its preview where there is one; it has to lead to the change."""

    def act(cast: Cast) -> None:
        browser = signed_in(cast.ada)
        answer = browser.post(path, body)
        assert answer.status_code == 302, answer.content
        if again:
            page = browser.get(answer["Location"])
            answer = browser.post(answer["Location"], {"basis": page.context["basis"]})
        assert answer["Location"].startswith("/changes/"), answer["Location"]

    return act


def rights_file(cast: Cast) -> str:
    given = {"person": "otto", "right": "view", "why": WHY}
    lines = "".join(f"  {key}: {value}\n" for key, value in given.items())
    return rights_written(Place(project=cast.churn), "yaml") + "-" + lines[1:]


def estate_file() -> str:
    document = current()
    document["nodes"]["design"]["name"] = "Design two"
    return written(document)


def confirmed(cast: Cast) -> None:
    choice = Choice(Counterpart.Kind.USER, "otto", person=cast.otto, grant=True)
    made = owners.confirm(by=cast.ada, project=cast.churn, choices=[choice], why=WHY)
    assert made.change is not None
    assert made.change.status == Change.Status.WAITING


UNTIL = (timezone.now() + timedelta(days=3)).isoformat()
OTTO = {"op": "give", "person": "otto", "right": "view", "project": "CHURN"}
DOORS: dict[str, Callable[..., object]] = {
    "grants": sent("grants/", person="otto", right="view", project="CHURN", why=WHY),
    "changes": sent("changes/", ops=[OTTO], why=WHY),
    "joining by a change": sent(
        "changes/", ops=[{"op": "join", "person": "otto", "team": "churn-team"}], why=WHY
    ),
    "rights file": lambda cast: sent("rights/file/", scope="project CHURN", text=rights_file(cast), why=WHY)(
        cast
    ),
    "portfolio": sent("portfolios/credit/projects/", project="CHURN", why=WHY),
    "team": sent("teams/churn-team/members/", login="otto", why=WHY),
    "mapping": sent("mappings/", provider="oidc", group="g", team="churn-team", why=WHY),
    "standing in": sent("delegations/", person="fay", delegate="otto", until=UNTIL, why=WHY),
    "policy": sent("policies/", source=POLICY.replace("min: 0.8", "min: 0.7"), why=WHY),
    "tier": sent("projects/CHURN/tier/", tier="light", why=WHY),
    "node": sent("nodes/", **NODE, why=WHY),
    "another node": sent("nodes/design/", "patch", name="Design two", why=WHY),
    "no node": sent("nodes/spare/remove/", why=WHY),
    "pipeline": sent(
        "pipelines/",
        slug="p",
        name="P",
        stages=[{"slug": "prod", "name": "Production", "places": [PLACE]}],
        why=WHY,
    ),
    "another pipeline": sent("pipelines/standard/", "patch", name="New", why=WHY),
    "no pipeline": sent("pipelines/unused/remove/", why=WHY),
    "estate file": lambda cast: sent("estate/file/", text=estate_file(), why=WHY)(cast),
    "confirmed from DSS": confirmed,
    "page of each right": lambda cast: posted(
        "/projects/CHURN/rights/each/", holder=f"person:{cast.otto.pk}", right="view", why=WHY
    )(cast),
    "page of the matrix": lambda cast: posted(
        "/projects/CHURN/rights/edit/",
        again=True,
        cell=f"person:{cast.otto.pk}@project:CHURN|view||",
        seen="",
        newest="0",
        why=WHY,
    )(cast),
    "page of rights files": lambda cast: posted(
        "/projects/CHURN/rights/file/", again=True, text=rights_file(cast), why=WHY
    )(cast),
    "page of a portfolio": posted("/portfolios/credit/put/", key="CHURN", why=WHY),
    "page of a team": posted("/teams/churn-team/members/", login="otto", why=WHY),
    "page of the estate": lambda cast: posted("/estate/file/", again=True, text=estate_file(), why=WHY)(cast),
    "page of a tier": posted("/projects/CHURN/tier/", rules="demo-policy/light", why=WHY),
}


def test_every_door_waits(cast: Cast, settings: Any) -> None:
    settings.SECOND_ADMIN = False
    session(cast.ada).post("nodes/", **{**NODE, "slug": "spare"}, why=WHY)
    stages = [{"slug": "prod", "name": "Production", "places": [PLACE]}]
    session(cast.ada).post("pipelines/", slug="unused", name="Unused", stages=stages, why=WHY)
    credit = portfolios.add_portfolio(by=cast.ada, name="Credit")
    edits.give_right(by=cast.ada, person=cast.nora, right=Right.VIEW, portfolio=credit, why=WHY)
    settings.SECOND_ADMIN = True
    before = in_force()
    for name, act in DOORS.items():
        waiting = Change.objects.filter(status=Change.Status.WAITING).count()
        act(cast)
        assert Change.objects.filter(status=Change.Status.WAITING).count() == waiting + 1, name
        assert in_force() == before, name


def test_files_wait_too_unless_their_repository_is_reviewed(
    cast: Cast, tmp_path: Path, settings: Any
) -> None:
    settings.SECOND_ADMIN = False
    robot = people.add_person(by=cast.ada, login="git", name="The repository", kind="service")
    edits.give_right(by=cast.ada, person=robot, right=Right.MANAGE, why=WHY)
    settings.SECOND_ADMIN = True
    before = in_force()
    for verb, text in (("rights", rights_file(cast)), ("estate", estate_file())):
        file = tmp_path / f"{verb}.yaml"
        file.write_text(text)
        call_command(verb, "apply", str(file), "--as", "git", "--why", WHY)
        assert in_force() == before, verb
        settings.REPOSITORY_REVIEWED = True
        call_command(verb, "apply", str(file), "--as", "git", "--why", WHY)
        settings.REPOSITORY_REVIEWED = False
        assert in_force() != before, verb
        before = in_force()


def test_joining_a_team_waits_and_leaving_one_does_not(cast: Cast) -> None:
    change = edits.put_member(by=cast.ada, team=cast.team, person=cast.otto, why=WHY)
    assert not rights.can(cast.otto, Right.REQUEST, cast.qa)
    changes.apply(by=cast.abe, change=change)
    assert rights.can(cast.otto, Right.REQUEST, cast.qa)
    with pytest.raises(Invalid) as refusal:
        edits.put_member(by=cast.ada, team=cast.team, person=cast.otto, why=WHY)
    assert refusal.value.code == "member_already"
    taken = edits.take_member(by=cast.ada, team=cast.team, person=cast.otto, why=WHY)
    assert taken.status == Change.Status.APPLIED
    assert not rights.can(cast.otto, Right.REQUEST, cast.qa)
    with pytest.raises(Invalid) as refusal:
        edits.take_member(by=cast.ada, team=cast.team, person=cast.otto, why=WHY)
    assert refusal.value.code == "member_gone"


def test_joining_a_team_without_rights_waits_for_nobody(cast: Cast) -> None:
    team = people.add_team(by=cast.ada, name="Readers")
    assert edits.put_member(by=cast.ada, team=team, person=cast.otto, why=WHY).alone
    waiting = edits.give_right(by=cast.ada, team=team, right=Right.VIEW, project=cast.churn, why=WHY)
    assert waiting.status == Change.Status.WAITING


def test_nobody_joins_what_waits_for_a_right_behind_the_second_administrators_back(cast: Cast) -> None:
    team = people.add_team(by=cast.ada, name="Readers")
    credit = portfolios.add_portfolio(by=cast.ada, name="Credit")
    waits = [
        edits.give_right(by=cast.ada, team=team, right=Right.PROMOTE, project=cast.churn, why=WHY),
        edits.give_right(by=cast.ada, person=cast.otto, right=Right.PROMOTE, portfolio=credit, why=WHY),
    ]
    joins = edits.put_member(by=cast.ada, team=team, person=cast.dev, why=WHY)
    ops = [edits.put(portfolio=credit, project=cast.maint, why=WHY)]
    puts = edits.edit(by=cast.ada, ops=ops, why=WHY)
    for change in waits:
        changes.apply(by=cast.abe, change=change)
    assert not rights.can(cast.dev, Right.PROMOTE, cast.qa)
    assert not rights.visible_projects(cast.otto).exists()
    for change in (joins, puts):
        with pytest.raises(Stale):  # it means more now than it did
            changes.apply(by=cast.abe, change=change)


def test_a_membership_is_outdated_by_what_the_team_was_given_since(cast: Cast) -> None:
    change = edits.put_member(by=cast.ada, team=cast.team, person=cast.otto, why=WHY)
    grants.grant(by=cast.ada, team=cast.team, right=Right.PROMOTE, project=cast.churn, why=WHY)
    with pytest.raises(Exception, match="not so any more"):
        changes.apply(by=cast.abe, change=change)
    assert not rights.can(cast.otto, Right.PROMOTE, cast.qa)


def test_who_stands_in_for_somebody_else_is_decided_by_two(cast: Cast) -> None:
    until = (timezone.now() + timedelta(days=3)).isoformat()
    waits = session(cast.ada).send(
        "post", "delegations/", {"person": "fay", "delegate": "otto", "until": until, "why": "Ill"}
    )
    assert "Otto" in waits.json()["does"][0]
    changes.apply(by=cast.abe, change=Change.objects.get(pk=waits.json()["id"]))
    made = Delegation.objects.get()
    assert (made.made_by, made.change_id) == (cast.ada, waits.json()["id"])
    assert rights.can(cast.otto, Right.SIGN, cast.prod, role="fairness")
    # One's own absence is one's own.
    assert session(cast.eli).post("delegations/", delegate="nora", until=until, why="Leave")["delegate"]


def viewing(cast: Cast, by: Person) -> Change:
    """That Otto may see churn, as somebody proposes it."""
    return edits.give_right(by=by, person=cast.otto, right=Right.VIEW, project=cast.churn, why=WHY)


def test_who_made_a_robots_token_is_no_second_to_the_robot(cast: Cast) -> None:
    robot = people.add_person(by=cast.ada, login="git", name="The repository", kind="service")
    grants.grant(by=cast.ada, person=robot, right=Right.MANAGE, why=WHY)
    _row, secret = people.make_token(by=cast.ada, person=robot, name="t", carrying=["manage"])
    program = Api(headers={"Authorization": f"Bearer {secret}"})
    told = program.send(
        "post", "grants/", {"person": "otto", "right": "view", "project": "CHURN", "why": WHY}
    )
    change = Change.objects.get(pk=told.json()["id"])
    with pytest.raises(Forbidden) as refusal:
        changes.apply(by=cast.ada, change=change)
    assert refusal.value.code == "change_own_token"
    assert not rights.can(cast.otto, Right.VIEW, cast.qa)
    changes.apply(by=cast.abe, change=change)
    assert rights.can(cast.otto, Right.VIEW, cast.qa)


def test_who_hands_a_change_over_does_not_apply_it(cast: Cast) -> None:
    una = people.add_person(by=cast.ada, login="una", name="Una")
    grants.grant(by=cast.ada, person=una, right=Right.MANAGE, why=WHY)
    first, second = viewing(cast, cast.abe), viewing(cast, cast.abe)
    leaving.leave(by=cast.ada, person=cast.abe, heir=una, why="Left the bank.")
    with pytest.raises(Forbidden) as refusal:
        changes.apply(by=cast.ada, change=Change.objects.get(pk=first.pk))
    assert refusal.value.code == "change_handed_over"
    third = people.add_person(by=cast.ada, login="ugo", name="Ugo")
    grants.grant(by=cast.ada, person=third, right=Right.MANAGE, why=WHY)
    changes.apply(by=third, change=Change.objects.get(pk=second.pk))


@pytest.mark.parametrize("way", ["password", "account elsewhere"])
def test_who_could_come_as_the_other_is_no_second(cast: Cast, way: str) -> None:
    mine = viewing(cast, cast.ada)
    if way == "password":
        accounts.give_reset(by=cast.ada, person=cast.abe)
    else:
        identities.link(by=cast.ada, person=cast.abe, provider="oidc", subject="ada-at-work")
    his = edits.give_right(by=cast.abe, person=cast.nora, right=Right.VIEW, project=cast.maint, why=WHY)
    for by, change in ((cast.abe, mine), (cast.ada, his)):
        with pytest.raises(Forbidden) as refusal:
            changes.apply(by=by, change=change)
        assert refusal.value.code == "change_let_in"
    third = people.add_person(by=cast.ada, login="una", name="Una")
    grants.grant(by=cast.ada, person=third, right=Right.MANAGE, why=WHY)
    changes.apply(by=third, change=his)
    changes.refuse(by=cast.abe, change=mine, why="It was not me.")


def test_nor_do_two_count_whom_somebody_could_come_as_by_steps_or_both(cast: Cast) -> None:
    una = people.add_person(by=cast.ada, login="una", name="Una", password=PASSWORD)
    grants.grant(by=cast.ada, person=una, right=Right.MANAGE, why=WHY)
    accounts.give_reset(by=cast.ada, person=una)
    accounts.give_reset(by=una, person=cast.abe)
    his = edits.give_right(by=cast.abe, person=cast.nora, right=Right.VIEW, project=cast.maint, why=WHY)
    for by, said in ((cast.ada, "One of you two"), (una, "One of you two")):
        with pytest.raises(Forbidden, match=said):
            changes.apply(by=by, change=his)
    ugo = people.add_person(by=cast.ada, login="ugo", name="Ugo", password=PASSWORD)
    grants.grant(by=cast.ada, person=ugo, right=Right.MANAGE, why=WHY)
    accounts.give_reset(by=una, person=ugo)
    with pytest.raises(Forbidden, match="Somebody lately gave both of you"):
        changes.apply(by=ugo, change=his)


def test_nor_who_could_have_made_the_token_that_proposed_it(cast: Cast) -> None:
    robot = people.add_person(by=cast.ada, login="robot", name="Robot", kind="service")
    grants.grant(by=cast.ada, person=robot, right=Right.MANAGE, why=WHY)
    accounts.give_reset(by=cast.ada, person=cast.abe)
    people.make_token(by=cast.abe, person=robot, name="files", carrying=["manage"])
    change = edits.give_right(by=robot, person=cast.nora, right=Right.VIEW, project=cast.maint, why=WHY)
    for by in (cast.ada, cast.abe):
        with pytest.raises(Forbidden):
            changes.apply(by=by, change=change)


def test_linking_an_account_and_taking_factors_off_take_two(cast: Cast) -> None:
    identities.link(by=cast.ada, person=cast.fay, provider="oidc", subject="ada-at-work")
    with pytest.raises(Forbidden) as refusal:
        factors.remove_all(by=cast.ada, person=cast.fay, why=WHY)
    assert refusal.value.code == "reset_both"
    factors.remove_all(by=cast.abe, person=cast.fay, why=WHY)


def test_who_lost_the_right_to_propose_it_has_proposed_nothing(cast: Cast) -> None:
    first, second = viewing(cast, cast.abe), viewing(cast, cast.abe)
    accounts.disable(by=cast.ada, person=cast.abe, why="Misused it.")
    with pytest.raises(Stale) as refusal:
        changes.apply(by=cast.ada, change=first)
    assert refusal.value.code == "change_of_nobody"
    accounts.enable(by=cast.ada, person=cast.abe, why="It was a mistake.")
    changes.apply(by=cast.ada, change=Change.objects.get(pk=second.pk))
    assert rights.can(cast.otto, Right.VIEW, cast.qa)


def test_a_tier_is_not_applied_for_who_owns_the_project_meanwhile(cast: Cast) -> None:
    told = session(cast.ada).send("post", "projects/CHURN/tier/", {"tier": "light", "why": WHY}).json()
    projects.add_owner(by=cast.ada, project=cast.churn, person=cast.ada, why=WHY)
    with pytest.raises(Stale) as refusal:
        changes.apply(by=cast.abe, change=Change.objects.get(pk=told["id"]))
    assert refusal.value.code == "change_of_nobody"
    cast.churn.refresh_from_db()
    assert cast.churn.tier == "critical"
