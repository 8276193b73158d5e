"""The matrix of rights: what its cells say, its edit in two steps, two who edit at once, and what it costs."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.utils import timezone

from portal import ledger, rights
from portal.actions import edits, people, portfolios
from portal.event_kinds import EventKind
from portal.models import Change, Delegation, Grant, Person, Right, Stage, Team
from tests.cast import Cast
from tests.pages import outsider_sees_nothing, queries_of, refused, signed_in, words

RIGHTS = "/projects/CHURN/rights/"
WHY = "The team deploys its own."


def cell(
    holder: Person | Team, right: str, stage: str = "", role: str = "", place: str = "project:CHURN"
) -> str:
    """The name of a box."""
    key = f"team:{holder.slug}" if isinstance(holder, Team) else f"person:{holder.pk}"
    return f"{key}@{place}|{right}|{role}|{stage}"


def form_of(client: Client, path: str = f"{RIGHTS}edit/") -> dict[str, Any]:
    """The edit form as it was served: what is ticked, and what its author saw."""
    page = client.get(path).content.decode()
    ticked = re.findall(r'name="cell" value="([^"]+)" checked', page)
    hidden = dict(re.findall(r'type="hidden" name="(seen|newest|page)" value="([^"]*)"', page))
    return {"cell": ticked, **hidden, "why": WHY, "until": ""}


def previewed(client: Client, form: dict[str, Any], path: str = f"{RIGHTS}edit/") -> Any:
    """Send the form and follow to its preview."""
    answer = client.post(path, form, follow=True)
    assert answer.status_code == 200
    return answer


def applied(client: Client, preview: Any) -> Any:
    """Press the button of a preview."""
    basis = re.search(r'name="basis" value="([^"]+)"', preview.content.decode())
    assert basis, words(preview)
    return client.post(preview.redirect_chain[-1][0], {"basis": basis[1]}, follow=True)


def test_a_cell_says_through_what(cast: Cast) -> None:
    credit = portfolios.add_portfolio(by=cast.ada, name="Credit")
    portfolios.put_project(by=cast.ada, portfolio=credit, project=cast.churn)
    until = timezone.now() + timedelta(days=30)
    edits.give_right(
        by=cast.ada,
        team=cast.team,
        right=Right.PROMOTE,
        portfolio=credit,
        stage="qa",
        until=until,
        why="Trial.",
    )
    page = words(signed_in(cast.ada).get(RIGHTS))
    assert "portfolio Credit, stage qa only, until " in page
    assert "granted by Ada Novak on " in page
    assert "because “Trial.”" in page
    assert "Churn team team" in page
    members = words(signed_in(cast.ada).get(f"{RIGHTS}?members=1"))
    assert "through team Churn team, portfolio Credit" in members


def test_what_is_lent_names_who_lends_it(cast: Cast) -> None:
    now = timezone.now()
    Delegation.objects.create(
        person=cast.mona,
        delegate=cast.otto,
        starts_at=now,
        until=now + timedelta(days=2),
        why="Away.",
        made_by=cast.mona,
    )
    page = words(signed_in(cast.ada).get(f"{RIGHTS}?members=1&find=otto"))
    assert f"standing in for {cast.mona.name} until " in page
    assert "lent until" in page
    assert rights.can(cast.otto, Right.PROMOTE, cast.qa)


def test_a_reader_sees_no_more_than_they_may(cast: Cast) -> None:
    page = words(signed_in(cast.dev).get(RIGHTS))
    assert "Ada Novak or Abe" not in page
    assert "Nora Feld" not in page
    assert "made on the command line" not in page
    assert "Edit rights" not in page
    refused(
        signed_in(cast.dev).get(f"{RIGHTS}edit/"), 403, "You need the right to manage rights and settings"
    )
    for path in (RIGHTS, f"{RIGHTS}edit/", f"{RIGHTS}each/", f"{RIGHTS}who/", "/teams/churn-team/rights/"):
        outsider_sees_nothing(signed_in(cast.otto), path)
    assert "What team Churn team may do" in words(signed_in(cast.dev).get("/teams/churn-team/rights/"))


def test_edit_preview_apply(cast: Cast) -> None:
    ada = signed_in(cast.ada)
    form = form_of(ada)
    form["cell"].append(cell(cast.team, "promote", "qa"))
    form["cell"].remove(cell(cast.mona, "promote"))
    before = ledger.rows().count()
    preview = previewed(ada, form)
    page = words(preview)
    assert "2 changes because: The team deploys its own." in page
    assert "Revokes Mona" in page
    assert "Gives Churn team team : promote" in page
    assert f"{cast.dev.name} promote in QA" in page
    assert f"{cast.mona.name} – promote in Production" in page  # in QA her team has it now
    assert ledger.rows().count() == before
    assert not rights.can(cast.dev, Right.PROMOTE, cast.qa)
    done = applied(ada, preview)
    assert done.redirect_chain[-1][0] == RIGHTS
    assert rights.can(cast.dev, Right.PROMOTE, cast.qa)
    assert not rights.can(cast.dev, Right.PROMOTE, cast.prod)
    assert rights.can(cast.mona, Right.PROMOTE, cast.qa)
    assert not rights.can(cast.mona, Right.PROMOTE, cast.prod)
    kinds = [entry.kind for entry in ledger.read(ledger.rows(after=before - 1))]
    assert kinds == [
        EventKind.CHANGE_ASKED,
        EventKind.CHANGE_APPLIED,
        EventKind.GRANT_REVOKED,
        EventKind.GRANT_GIVEN,
    ]
    again = ada.get(preview.redirect_chain[-1][0], follow=True)
    assert "This edit was applied already" in words(again)


def test_two_administrators_at_once(cast: Cast) -> None:
    ada, abe = signed_in(cast.ada), signed_in(cast.abe)
    hers, his = form_of(ada), form_of(abe)
    hers["cell"] += [cell(cast.team, "promote", "qa"), cell(cast.team, "promote", "prod")]
    applied(ada, previewed(ada, hers))
    edits.take_right(by=cast.ada, grant=Grant.objects.get(person=cast.fay), why="Moved.")
    his["cell"] += [cell(cast.team, "promote", "qa"), cell(cast.team, "audit", "qa")]
    his["cell"].remove(cell(cast.mona, "promote"))
    preview = previewed(abe, his)
    page = words(preview)
    assert "Changed by others since you began" in page
    assert "Given Churn team: promote · prod Ada Novak" in page
    assert "Revoked Fay Okafor: sign for fairness Ada Novak" in page
    assert "One thing you chose is so already" in page
    applied(abe, preview)
    assert rights.can(cast.dev, Right.PROMOTE, cast.prod)  # hers stays
    assert rights.can(cast.dev, Right.AUDIT, cast.qa)
    assert not Grant.objects.filter(person=cast.mona, right="promote", revoked_at=None).exists()
    assert not rights.can(cast.fay, Right.SIGN, cast.prod, role="fairness")


def test_what_changed_under_a_preview_is_shown_before_it_is_applied(cast: Cast) -> None:
    ada = signed_in(cast.ada)
    form = form_of(ada)
    form["cell"].remove(cell(cast.mona, "promote"))
    preview = previewed(ada, form)
    mona = Grant.objects.get(person=cast.mona, right="promote")
    edits.take_right(by=cast.abe, grant=mona, why="First.")
    answer = ada.post(preview.redirect_chain[-1][0], {"basis": "0"}, follow=True)
    assert "Nothing would change" in words(answer)
    assert Grant.objects.get(pk=mona.pk).revoked_by == cast.abe


def test_it_waits_for_a_second_administrator(cast: Cast, settings: Any) -> None:
    settings.SECOND_ADMIN = True
    ada = signed_in(cast.ada)
    form = form_of(ada)
    form["cell"].append(cell(cast.team, "promote", "qa"))
    preview = previewed(ada, form)
    assert "It waits then until a second administrator applies it." in words(preview)
    answer = applied(ada, preview)
    change = Change.objects.get()
    assert answer.redirect_chain[-1][0] == f"/changes/{change.pk}/"
    assert f"Proposed as change {change.pk}. Abe Tanner can apply it." in words(answer)
    assert "One change of these rights waits" in words(ada.get(RIGHTS))
    assert not rights.can(cast.dev, Right.PROMOTE, cast.qa)
    abe = signed_in(cast.abe)
    assert "Changes 1" in words(abe.get("/changes/"))
    assert "Apply it" in words(abe.get(f"/changes/{change.pk}/"))
    assert "Apply it" not in words(ada.get(f"/changes/{change.pk}/"))
    refused(ada.post(f"/changes/{change.pk}/apply/"), 403, "somebody else has to apply it")
    outsider_sees_nothing(signed_in(cast.otto), f"/changes/{change.pk}/")
    outsider_sees_nothing(signed_in(cast.dev), f"/changes/{change.pk}/")
    assert "Applied: it counts at once" in words(abe.post(f"/changes/{change.pk}/apply/", follow=True))
    assert rights.can(cast.dev, Right.PROMOTE, cast.qa)


def test_a_change_is_refused_with_a_reason_or_taken_back(cast: Cast, settings: Any) -> None:
    settings.SECOND_ADMIN = True
    first, second = (
        edits.give_right(
            by=cast.ada, person=cast.otto, right=Right.VIEW, project=cast.churn, stage=stage, why=WHY
        )
        for stage in ("qa", "prod")
    )
    abe, ada = signed_in(cast.abe), signed_in(cast.ada)
    assert "Say why" in words(abe.post(f"/changes/{first.pk}/refuse/", {"why": ""}, follow=True))
    abe.post(f"/changes/{first.pk}/refuse/", {"why": "Not his."})
    ada.post(f"/changes/{second.pk}/withdraw/", {"why": "A slip."})
    assert [one.status for one in Change.objects.order_by("pk")] == ["refused", "withdrawn"]
    assert "Not his." in words(ada.get(f"/changes/{first.pk}/"))
    assert not rights.visible_projects(cast.otto).exists()


def test_a_row_is_added_and_nothing_ticked_is_lost(cast: Cast) -> None:
    ada = signed_in(cast.ada)
    form = form_of(ada)
    form["cell"].append(cell(cast.team, "promote", "qa"))
    more = {**form, "add": "1", "add_row": f"person:{cast.otto.pk}", "why": "Because."}
    page = ada.post(f"{RIGHTS}edit/", more).content.decode()
    assert f'value="{cell(cast.team, "promote", "qa")}" checked' in page
    assert cell(cast.otto, "view", "qa") in page
    assert "Because." in page
    form["cell"].append(cell(cast.otto, "view", "qa"))
    applied(ada, previewed(ada, form))
    assert rights.can(cast.otto, Right.VIEW, cast.qa)


def test_a_row_of_nobody_is_left_out(cast: Cast) -> None:
    ada = signed_in(cast.ada)
    for row in ("person:zz", "person:", "team:none", "moon"):
        assert ada.get(f"{RIGHTS}edit/?row={row}").status_code == 200
    assert ada.post(f"{RIGHTS}edit/", {"add": "1", "add_row": "person:zz"}).status_code == 200


@pytest.mark.parametrize("until, sentence", [("2020-01-01T00:00", "lies in the past"), ("", "")])
def test_what_cannot_be_is_said_on_the_preview(cast: Cast, until: str, sentence: str) -> None:
    ada = signed_in(cast.ada)
    form = {**form_of(ada), "until": until}
    Person.objects.filter(pk=cast.otto.pk).update(is_active=False)
    form["cell"].append(cell(cast.team, "promote", "qa") if sentence else cell(cast.otto, "view"))
    page = words(previewed(ada, form))
    assert "This cannot be applied" in page
    assert (sentence or "is disabled and can hold no right") in page
    assert "Apply this" not in page


def test_a_form_of_another_place_is_not_taken(cast: Cast) -> None:
    ada = signed_in(cast.ada)
    form = form_of(ada)
    form["cell"].append(cell(cast.otto, "manage", place="estate"))
    assert "belongs to another page" in words(ada.post(f"{RIGHTS}edit/", form, follow=True))
    assert not Grant.objects.filter(person=cast.otto).exists()


def test_a_team_over_all_its_places(cast: Cast) -> None:
    ada = signed_in(cast.ada)
    path = "/teams/churn-team/rights/"
    assert "Customer churn" in words(ada.get(path))
    form = form_of(ada, f"{path}edit/?row=project:MAINT")
    form["cell"] += [cell(cast.team, "view", place="project:MAINT"), cell(cast.team, "promote", "qa")]
    applied(ada, previewed(ada, form, f"{path}edit/"))
    assert set(rights.visible_projects(cast.dev)) == {cast.churn, cast.maint}
    assert rights.can(cast.dev, Right.PROMOTE, cast.qa)
    refused(signed_in(cast.dev).get(f"{path}edit/"), 403, "on the whole estate")


def test_portfolio_pages(cast: Cast, settings: Any) -> None:
    settings.SECOND_ADMIN = True
    ada = signed_in(cast.ada)
    ada.post("/portfolios/", {"name": "Credit", "slug": ""})
    assert "No project is in it yet" in words(ada.get("/portfolios/credit/"))
    ada.post("/portfolios/credit/put/", {"key": "CHURN", "why": WHY})  # it carries no right yet
    assert "Customer churn" in words(ada.get("/portfolios/credit/"))
    change = edits.give_right(
        by=cast.ada, person=cast.otto, right=Right.VIEW, portfolio=cast.churn.portfolios.get(), why=WHY
    )
    signed_in(cast.abe).post(f"/changes/{change.pk}/apply/")
    assert list(rights.visible_projects(cast.otto)) == [cast.churn]
    answer = ada.post("/portfolios/credit/put/", {"key": "MAINT", "why": WHY}, follow=True)
    assert "can apply it" in words(answer)
    assert list(rights.visible_projects(cast.otto)) == [cast.churn]
    signed_in(cast.abe).post(f"/changes/{Change.objects.latest('pk').pk}/apply/")
    assert set(rights.visible_projects(cast.otto)) == {cast.churn, cast.maint}
    ada.post("/portfolios/credit/take-out/CHURN/", {"why": "Moved."})  # what only takes waits for nobody
    assert list(rights.visible_projects(cast.otto)) == [cast.maint]
    assert "Credit" in words(signed_in(cast.otto).get("/portfolios/credit/rights/"))
    refused(signed_in(cast.otto).post("/portfolios/credit/put/", {}), 403, "on the whole estate")
    outsider_sees_nothing(signed_in(cast.fay), "/portfolios/nothing/")


def test_the_matrix_of_50_teams_and_5_stages_takes_12_queries(cast: Cast) -> None:
    for number in range(3):
        Stage.objects.create(
            pipeline=cast.pipeline, slug=f"s{number}", name=f"S {number}", position=10 + number
        )
    groups = Group.objects.bulk_create(Group(name=f"Team {number:03}") for number in range(49))
    teams = Team.objects.bulk_create(
        Team(group=group, slug=f"t{number}", name=group.name) for number, group in enumerate(groups)
    )
    Grant.objects.bulk_create(
        Grant(team=team, right=right, project=cast.churn, why="w", given_by=cast.ada)
        for team in teams
        for right in ("view", "request", "promote")
    )
    ada = signed_in(cast.ada)
    Grant.objects.filter(person__isnull=False, project=cast.churn).delete()
    assert queries_of(ada, RIGHTS) <= 12
    many = people.add_person(by=cast.ada, login="many", name="Many")
    Grant.objects.create(person=many, right="view", project=cast.churn, why="w", given_by=cast.ada)
    assert queries_of(ada, f"{RIGHTS}?page=2") <= 14


def test_queries_do_not_grow_with_the_rows(cast: Cast) -> None:
    ada = signed_in(cast.ada)
    paths = [
        RIGHTS,
        f"{RIGHTS}?members=1",
        f"{RIGHTS}edit/",
        f"{RIGHTS}each/",
        "/teams/churn-team/rights/",
        "/changes/?show=all",
        "/portfolios/",
    ]

    def grow(first: int, last: int) -> None:
        made = Person.objects.bulk_create(
            Person(login=f"p{n}", name=f"P {n:04}", password="!") for n in range(first, last)
        )
        Grant.objects.bulk_create(
            Grant(person=one, right="view", project=cast.churn, why="w", given_by=cast.ada) for one in made
        )
        Change.objects.bulk_create(
            Change(kind="rights", wish={"ops": []}, basis=[], why="w", asked_by=cast.abe) for _ in made
        )

    grow(0, 10)
    few = {path: queries_of(ada, path) for path in paths}
    grow(10, 1000)
    assert {path: queries_of(ada, path) for path in paths} == few
