"""Who could act alone, by the rights that are held: read, explained, shown, told to programs, printed."""

import io
import json
import re
from datetime import datetime, timedelta

import pypdf
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from governance.actions import policies, reports
from governance.combinations import Rule
from governance.combinations_found import NAMED, NAMED_IN_REPORT, explained, found_in
from governance.models import Report
from governance.report import printing
from portal import content, ledger
from portal.actions import delegations, grants, people
from portal.errors import Absent, Forbidden
from portal.event_kinds import EventKind
from portal.models import Grant, Person, Project, Right
from tests.api import session
from tests.cast import POLICY, Cast, imported
from tests.pages import outsider_sees_nothing, queries_of, signed_in, words

PATH = "/projects/CHURN/combinations/"


def told(project: Project) -> dict[str, tuple[set[str], set[frozenset[str]]]]:
    """By stage: who alone, and which pairs, by their names."""
    (found,) = found_in([project])
    return {
        one.stage: (
            {found.names[who] for group in one.alone for who in group.people},
            {frozenset(found.names[who] for who in pair) for group in one.pairs for pair in group.each()},
        )
        for one in found.reach
    }


def test_in_the_cast_two_could_in_qa_and_nobody_in_production(cast: Cast) -> None:
    with_mona = {frozenset({name, "Mona Castell"}) for name in ("Dev Rao", "Olga Lindqvist")}
    # Mona is in the team that asks, and starts: QA asks for no signature.
    assert told(cast.churn) == {"qa": ({"Mona Castell"}, set()), "prod": (set(), set())}
    people.leave_team(by=cast.ada, team=cast.team, person=cast.mona)
    assert told(cast.churn) == {"qa": (set(), with_mona), "prod": (set(), set())}


@pytest.fixture
def started_by_people(cast: Cast) -> None:
    """Promotions of the light tier are started by a person, too."""
    policies.publish(by=cast.ada, source=POLICY.replace("automation: full", "automation: manual"))


def test_where_promotions_start_by_themselves_whoever_asks_can_alone(cast: Cast) -> None:
    grants.grant(by=cast.ada, person=cast.dev, right=Right.REQUEST, project=cast.maint, why="Asks.")
    assert told(cast.maint)["prod"] == ({"Dev Rao"}, set())
    (found,) = found_in([cast.maint])
    (one,) = explained(found).stages[1].alone
    assert not any("starts" in doing.what for doing in one.doing)
    assert one.ending is not None
    assert "may request in" in one.ending.sentence


@pytest.mark.usefixtures("started_by_people")
def test_whoever_cannot_act_is_not_among_them(cast: Cast) -> None:
    robot = people.add_person(by=cast.ada, login="robot", name="Robot", kind="service")
    for right in (Right.REQUEST, Right.PROMOTE):
        grants.grant(by=cast.ada, person=robot, right=right, project=cast.maint, why="Builds by night.")
        grants.grant(by=cast.ada, person=cast.otto, right=right, project=cast.maint, why="Builds.")
    soon = timezone.now() + timedelta(hours=1)
    grants.grant(by=cast.ada, person=cast.dev, right=Right.REQUEST, project=cast.maint, why="Asks.")
    promote = grants.grant(
        by=cast.ada, person=cast.dev, right=Right.PROMOTE, project=cast.maint, until=soon, why="A day."
    )
    assert told(cast.maint)["prod"][0] == {"Dev Rao", "Otto Weiss"}
    Person.objects.filter(pk=cast.otto.pk).update(is_active=False)
    assert told(cast.maint)["prod"][0] == {"Dev Rao"}
    grants.revoke(by=cast.ada, grant=promote, why="Done.")
    assert told(cast.maint)["prod"] == (set(), set())
    # Who stands in for somebody holds what is theirs, as long as that lasts.
    away = grants.grant(by=cast.ada, person=cast.mona, right=Right.PROMOTE, project=cast.maint, why="Starts.")
    delegations.delegate(by=cast.mona, delegate=cast.dev, until=soon, why="Away.")
    assert told(cast.maint)["prod"] == ({"Dev Rao"}, set())
    (found,) = found_in([cast.maint])
    (one,) = explained(found).stages[1].alone
    assert "standing in for Mona Castell" in " ".join(one.doing[-1].through)
    assert one.ending is not None
    assert away.pk in {way.grant.pk for doing in one.doing for way in doing.ways}


def test_it_says_through_what_and_what_ends_it(cast: Cast) -> None:
    (found,) = found_in([cast.churn])
    qa, prod = explained(found).stages
    assert qa.asks == "The policy asks for no signature here."
    assert prod.asks.startswith("The policy asks for 3 signatures of different people")
    (mona,) = qa.alone
    assert [doing.what for doing in mona.doing] == [
        "makes and registers the bundle, and brings evidence and documents",
        "asks for QA",
        "starts the promotion to QA",
    ]
    assert "through team Churn team, project Customer churn" in mona.doing[1].through[0]
    promote = Grant.objects.get(person=cast.mona, right="promote")
    assert mona.ending is not None
    assert mona.ending.sentence == f"Revoke grant {promote.pk}, by which Mona Castell may promote in QA."
    grants.revoke(by=cast.ada, grant=promote, why="As it says.")
    assert told(cast.churn)["qa"] == (set(), set())


def test_risky_rights_are_named_whatever_the_policy_asks(cast: Cast) -> None:
    grants.grant(
        by=cast.ada, person=cast.fay, right=Right.SIGN, role="model-risk", project=cast.churn, why="Both."
    )
    grants.grant(
        by=cast.ada, person=cast.mona, right=Right.MANAGE, project=cast.churn, stage="prod", why="Both."
    )
    grants.grant(by=cast.ada, person=cast.nora, right=Right.REQUEST, project=cast.churn, why="Both.")
    (found,) = found_in([cast.churn])
    assert {(one.rule, found.names[one.person], one.stage) for one in found.risks} == {
        (Rule.TWO_ROLES, "Fay Okafor", "qa"),
        (Rule.TWO_ROLES, "Fay Okafor", "prod"),
        (Rule.MANAGES_AND_STARTS, "Mona Castell", "prod"),
        (Rule.AUDITS_AND_ACTS, "Nora Feld", "qa"),
        (Rule.AUDITS_AND_ACTS, "Nora Feld", "prod"),
    }
    lines = {(one.title, one.person.name): one.through for one in explained(found).risky}
    assert any("the whole estate" in line for line in lines["Audits and acts", "Nora Feld"])


def many(cast: Cast, projects: int, holders: int) -> None:
    """Projects with people who may ask for and start everything on the estate."""
    folk = [Person.objects.create_person(f"p{number}", name=f"Person {number}") for number in range(holders)]
    Grant.objects.bulk_create(
        Grant(person=one, right=right, why="By the score.", given_by=cast.ada)
        for number, one in enumerate(folk)
        for right in (("request", "promote") if number % 2 else ("request",))
    )
    for number in range(projects):
        imported(by=cast.ada, node=cast.design, pipeline=cast.pipeline, key=f"P{number:03}", tier="light")


def test_the_number_of_queries_is_the_same_for_few_and_for_many(cast: Cast) -> None:
    def queries() -> int:
        projects = list(Project.objects.order_by("key"))
        with CaptureQueriesContext(connection) as asked:
            found_in(projects)
        return len(asked)

    client = signed_in(cast.ada)
    few = queries(), queries_of(client, PATH), queries_of(client, "/combinations/")
    many(cast, 8, 60)
    assert (queries(), queries_of(client, PATH), queries_of(client, "/combinations/")) == few
    assert few[0] <= 14
    (found,) = found_in([cast.churn])
    qa = explained(found).stages[0]
    assert (len(qa.alone), qa.more_alone) == (NAMED, 31 - NAMED)
    qa = explained(found, NAMED_IN_REPORT).stages[0]
    assert (len(qa.alone), qa.more_alone) == (31, 0)
    assert (
        found.reach[0].pair_count == 0
    )  # whoever asks is with nobody else who starts but those who can alone


def test_pages_for_those_who_manage_or_audit(cast: Cast) -> None:
    for person in (cast.ada, cast.nora):
        page = signed_in(person).get(PATH)
        assert page.status_code == 200
        assert "Mona Castell" in words(page)
        assert "What ends it" in words(page)
    outsider_sees_nothing(signed_in(cast.otto), PATH)
    outsider_sees_nothing(signed_in(cast.otto), f"{PATH}report/", post=True)
    assert signed_in(cast.dev).get(PATH).status_code == 403
    everywhere = signed_in(cast.nora).get("/combinations/")
    assert "QA: 1 alone, 0 pairs" in words(everywhere)
    for nobody in (cast.dev, cast.otto):
        assert signed_in(nobody).get("/combinations/").status_code == 403


def test_programs_read_the_same(cast: Cast) -> None:
    api = session(cast.nora)
    told_ = api.get("projects/CHURN/combinations/")
    (mona,) = told_["stages"][0]["alone"]
    assert [one["name"] for one in mona["people"]] == ["Mona Castell"]
    assert mona["ending"]["grants"] == [Grant.objects.get(person=cast.mona, right="promote").pk]
    assert {row["project"]: row["alone"] for row in api.rows("combinations/")} == {"CHURN": 1, "MAINT": 0}
    session(cast.otto).absent("get", "projects/CHURN/combinations/")
    session(cast.dev).refused(403, "get", "projects/CHURN/combinations/")
    session(cast.dev).refused(403, "get", "combinations/")
    session(cast.dev).refused(403, "post", "combinations/reports/")
    made = api.post("projects/CHURN/combinations/reports/")
    assert (made["about"], made["project"]) == ("combinations:CHURN", "CHURN")
    assert api.post("combinations/reports/")["project"] is None
    assert {row["about"] for row in api.rows("reports/")} == {"combinations:CHURN", "combinations:estate"}
    session(cast.dev).refused(403, "get", f"reports/{made['id']}/")


def made(report: Report) -> list[str]:
    """The pages of a report, made as a worker makes it."""
    assert reports.make(by=Person.objects.system(), report_pk=report.pk) is not None, Report.objects.get(
        pk=report.pk
    ).problem
    report.refresh_from_db()
    pdf = pypdf.PdfReader(io.BytesIO(content.get(str(report.content_id))))
    return [" ".join(page.extract_text().split()) for page in pdf.pages]


def test_a_report_is_rendered_from_what_the_ledger_says(cast: Cast) -> None:
    grants.grant(
        by=cast.ada, person=cast.fay, right=Right.SIGN, role="model-risk", project=cast.churn, why="Both."
    )
    with pytest.raises(Absent):
        reports.ask_report(by=cast.otto, project=cast.churn, about="combinations:CHURN")
    with pytest.raises(Absent):
        reports.ask_report(by=cast.ada, project=cast.churn, about="combinations:MAINT")
    with pytest.raises(Forbidden):
        reports.ask_report(by=cast.olga, about="combinations:estate")
    report = reports.ask_report(by=cast.ada, about="combinations:estate")
    text = " ".join(made(report))
    assert "One person could take a project through a stage alone" in text
    assert "QA: Mona Castell, alone" in text
    promote = Grant.objects.get(person=cast.mona, right="promote")
    assert f"Revoke grant {promote.pk}, by which Mona Castell may promote in QA." in text
    assert "Signs in two roles" in text
    assert "How to check this report" in text
    assert re.search(r"combinations\.found", text)
    (event,) = ledger.events(kinds=[EventKind.COMBINATIONS_FOUND])
    assert (event.facts["projects"], event.facts["alone"], event.facts["risks"]) == (2, 1, 2)
    stored = content.get(event.facts["content"]).decode()
    assert "Mona" not in stored
    assert json.loads(stored)["found"][0]["project"] == "CHURN"
    assert ledger.events(kinds=[EventKind.REPORT_MADE])


def test_two_roles_on_the_estate_are_risky_though_no_policy_names_them(cast: Cast) -> None:
    for role in ("security", "privacy"):
        grants.grant(by=cast.ada, person=cast.otto, right=Right.SIGN, role=role, why="Signs everywhere.")
    (found,) = found_in([cast.maint])
    assert {(one.rule, one.names) for one in found.risks} >= {
        (Rule.TWO_ROLES, ("sign_privacy", "sign_security"))
    }


def test_what_ends_it_ends_it_where_two_could_change_places(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_people = POLICY.replace("automation: full", "automation: manual")
    light = by_people.partition("  light:")[2]
    signed = light.replace(
        "max_age: 30d}\n", "max_age: 30d}\n          - sign_off: {role: fairness, people: 1, covers: all}\n"
    )
    assert signed != light
    policies.publish(by=cast.ada, source=by_people.replace(light, signed))
    for person in (cast.dev, cast.mona):
        for right, role in ((Right.REQUEST, ""), (Right.SIGN, "fairness")):
            grants.grant(by=cast.ada, person=person, right=right, role=role, project=cast.maint, why="All.")
    ways = [
        grants.grant(by=cast.ada, person=cast.mona, right=Right.PROMOTE, project=cast.maint, why="Starts."),
        grants.grant(by=cast.ada, person=cast.dev, right=Right.PROMOTE, why="Starts all."),
        grants.grant(by=cast.ada, team=cast.team, right=Right.PROMOTE, project=cast.maint, why="Starts."),
    ]
    people.leave_team(by=cast.ada, team=cast.team, person=cast.mona)
    pair = frozenset({"Dev Rao", "Mona Castell"})
    assert pair in told(cast.maint)["prod"][1]
    (found,) = found_in([cast.maint])
    (one,) = [
        one for one in explained(found).stages[1].pairs if {who.name for who in one.people} == set(pair)
    ]
    assert one.ending is not None
    numbers = ", ".join(str(way.pk) for way in ways)
    names = " and ".join(who.name for who in one.people)
    said = f"Revoke grants {numbers}, by which {names} may promote in Production."
    assert one.ending.sentence == said
    report = reports.ask_report(by=cast.ada, project=cast.maint, about="combinations:MAINT")
    pages = []

    def kept(page: str, _pack: bytes, _made_at: datetime) -> bytes:
        pages.append(page)
        return b"%PDF-1.7"

    # Another test prints one; here the page that would be printed is enough.
    monkeypatch.setattr(printing, "pdf", kept)
    assert reports.make(by=Person.objects.system(), report_pk=report.pk) is not None
    (page,) = pages
    assert said in page
    told_ = session(cast.ada).get("projects/MAINT/combinations/")["stages"][1]["pairs"]
    assert {tuple(row["ending"]["grants"]) for row in told_} >= {tuple(way.pk for way in ways)}
    for way in ways:
        grants.revoke(by=cast.ada, grant=way, why="As it says.")
    assert pair not in told(cast.maint)["prod"][1]
