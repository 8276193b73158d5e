"""Owners answer how much hangs on a project; the tier that leads to is proposed and applied by two others."""

from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import DatabaseError, transaction

from deployments.actions import promotions, requests
from governance.actions import materiality, policies, tiers
from governance.models import MaterialityAnswer
from governance.policy import parse
from governance.previews import preview
from governance.report.collect import collect
from governance.report.compose import compose
from governance.standing import moved_by, standing_of
from portal import checkpoints, ledger
from portal.actions import changes
from portal.errors import Forbidden, Invalid, Refused
from portal.event_kinds import EventKind
from portal.models import Project
from tests.api import same_at_any_size, session
from tests.cast import MATERIAL, POLICY, Cast
from tests.factories import all_but_signed, all_signed, bundle_registered, request_at
from tests.pages import outsider_sees_nothing, queries_of, signed_in, words

WHY = "Eleven thousand offers a year."
PAGE = "/projects/CHURN/materiality/"


@pytest.fixture
def asked(cast: Cast) -> Cast:
    policies.publish(by=cast.ada, source=MATERIAL)
    return cast


def answered(
    cast: Cast, exposure: str = "many", purpose: str = "people", why: str = WHY
) -> MaterialityAnswer:
    return materiality.answer(by=cast.olga, project=cast.churn, exposure=exposure, purpose=purpose, why=why)


def put_into(cast: Cast, tier: str) -> None:
    changes.apply(
        by=cast.abe, change=tiers.propose(by=cast.ada, project=cast.churn, tier=tier, why="As answered.")
    )
    cast.churn.refresh_from_db()


def test_an_owner_answers_and_the_tier_stays(asked: Cast) -> None:
    put_into(asked, "light")
    assert standing_of(asked.churn).is_unanswered
    first = answered(asked, "few")
    assert (first.version, first.leads_to) == (1, "light")
    assert standing_of(asked.churn).sentence == ""
    second = answered(asked)
    assert (second.version, second.leads_to, second.policy_version) == (2, "critical", 2)
    asked.churn.refresh_from_db()
    assert asked.churn.tier == "light"
    stands = standing_of(asked.churn)
    assert (stands.leads_to, stands.is_below) == ("critical", True)
    assert (
        "It is in tier light, and what was answered about its materiality leads to critical"
        in stands.sentence
    )
    event = ledger.events(kinds=[EventKind.MATERIALITY_ANSWERED])[-1]
    assert (event.subject, event.actor_id) == (f"project:{asked.churn.pk}", str(asked.olga.pk))
    assert event.facts["answers"] == {"exposure": "many", "purpose": "people"}
    assert (event.facts["exposure"], event.facts["purpose"]) == ("More", "Decisions about people")
    assert (event.facts["leads_to"], event.facts["tier"], event.facts["why"]) == ("critical", "light", WHY)
    put_into(asked, "critical")
    assert standing_of(asked.churn).sentence == ""


def test_who_answers_and_what_is_no_answer(asked: Cast) -> None:
    answer: dict[str, Any] = {"project": asked.churn, "exposure": "many", "purpose": "people", "why": WHY}
    for who in (asked.dev, asked.fay, asked.nora):
        with pytest.raises(Forbidden):
            materiality.answer(by=who, **answer)
    assert session(asked.otto).send("get", "projects/CHURN/materiality/").status_code == 404
    for field, given in (("exposure", "most"), ("purpose", ""), ("why", " "), ("why", "x" * 2001)):
        with pytest.raises(Invalid) as invalid:
            materiality.answer(by=asked.olga, **{**answer, field: given})
        assert invalid.value.field == field
    assert not MaterialityAnswer.objects.exists()
    materiality.answer(by=asked.ada, **answer)
    with pytest.raises(Invalid, match="last time already"):
        materiality.answer(by=asked.olga, **answer)
    policies.publish(by=asked.ada, source=POLICY)
    with pytest.raises(Refused, match="asks nothing about materiality"):
        materiality.answer(by=asked.olga, **answer)


def test_an_answer_is_never_changed(asked: Cast) -> None:
    made = answered(asked)
    with pytest.raises(TypeError):
        made.delete()
    for act in (
        lambda: MaterialityAnswer.objects.update(exposure="few"),
        MaterialityAnswer.objects.all().delete,
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            act()


def test_the_second_administrator_reads_where_the_answers_lead(asked: Cast) -> None:
    answered(asked)
    change = tiers.propose(by=asked.ada, project=asked.churn, tier="light", why="It is small.")
    assert "what its owners answered about its materiality leads to tier critical" in changes.kind_of(
        "tier"
    ).facts(change.wish)
    page = words(signed_in(asked.abe).get(f"/changes/{change.pk}/"))
    assert "leads to tier critical" in page


def test_the_pages_say_so(asked: Cast) -> None:
    put_into(asked, "light")
    project = "/projects/CHURN/"
    assert "Materiality not answered" in words(signed_in(asked.dev).get(project))
    owner = signed_in(asked.olga)
    page = words(owner.get(PAGE))
    assert "How many people does it decide about in a year?" in page
    assert "Nobody has answered yet" in page
    assert words(owner.post(PAGE, {"exposure": "many", "purpose": "people", "why": ""})).count(
        "This field is required"
    )
    answer = owner.post(PAGE, {"exposure": "many", "purpose": "people", "why": "<i>Many</i>"}, follow=True)
    assert "How many people does it decide about in a year? What is it used for?" in words(answer)
    assert "More ; Decisions about people : tier critical" in words(answer)
    assert "The answers lead to the tier critical." in words(answer)
    assert b"&lt;i&gt;Many" in answer.content
    assert "In a tier below its materiality" in words(signed_in(asked.dev).get(project))
    assert "Owners of the project and administrators answer here." in words(signed_in(asked.dev).get(PAGE))
    assert signed_in(asked.dev).post(PAGE, {"exposure": "few"}).status_code == 403
    tier = signed_in(asked.ada).get("/projects/CHURN/tier/")
    assert "Its materiality leads to critical" in words(tier)
    assert b'value="demo-policy/critical" selected' in tier.content
    outsider_sees_nothing(signed_in(asked.otto), PAGE)
    policies.publish(by=asked.ada, source=POLICY)
    assert "Nothing is asked" in words(owner.get(PAGE))
    assert owner.post(PAGE, {"exposure": "few", "purpose": "people", "why": "x"}).status_code == 409
    assert "Materiality" not in words(signed_in(asked.dev).get(project))


def test_the_api(asked: Cast) -> None:
    olga = session(asked.olga)
    found = olga.get("projects/CHURN/materiality/")
    assert (found["leads_to"], found["answer"], found["table"]["order"]) == ("", None, ["light", "critical"])
    made = olga.post("projects/CHURN/materiality/", exposure="many", purpose="people", why=WHY)
    assert (made["leads_to"], made["answer"]["version"], made["is_below"]) == ("critical", 1, False)
    problem = olga.refused(
        400, "post", "projects/CHURN/materiality/", {"exposure": "x", "purpose": "people", "why": "y"}
    )
    assert (problem["code"], problem["field"]) == ("answer_unknown", "exposure")
    session(asked.dev).refused(
        403, "post", "projects/CHURN/materiality/", {"exposure": "few", "purpose": "people", "why": "y"}
    )
    (row,) = session(asked.dev).rows("projects/CHURN/materiality/answers/")
    assert (row["exposure"], row["answered_by"]["login"]) == ("many", "olga")


def many(cast: Cast, count: int) -> None:
    last = MaterialityAnswer.objects.filter(project=cast.churn).count()
    MaterialityAnswer.objects.bulk_create(
        MaterialityAnswer(
            project=cast.churn,
            version=last + number + 1,
            exposure="many",
            purpose="people",
            why="x",
            policy="demo-policy",
            policy_version=2,
            leads_to="critical",
            answered_by=cast.olga,
        )
        for number in range(count)
    )


def test_the_list_and_the_page_cost_the_same_at_any_size(asked: Cast) -> None:
    path = "projects/CHURN/materiality/answers/"
    same_at_any_size(session(asked.dev), path, lambda count: many(asked, count))
    client = signed_in(asked.olga)
    few = queries_of(client, PAGE)
    many(asked, 1000)
    assert queries_of(client, PAGE) == few


def test_another_table_tells_which_projects_it_moves(
    asked: Cast, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answered(asked, "few")
    stricter = MATERIAL.replace("people: {few: light", "people: {few: critical")
    found = preview(stricter)
    assert [one.sentence for one in found.moved] == [
        "Customer churn (CHURN): its answers would lead to critical, not to light; it is in critical."
    ]
    assert preview(MATERIAL.replace("min: 0.8", "min: 0.9")).moved == []
    assert moved_by(parse(POLICY))[0][0].sentence.endswith("it has to be answered again.")
    (tmp_path / "p.yaml").write_text(stricter)
    with pytest.raises(SystemExit):
        call_command("policy", "diff", str(tmp_path))
    assert "its answers would lead to critical, not to light" in capsys.readouterr().out
    draft = signed_in(asked.ada).post("/policy-drafts/", {"text": stricter, "why": "Stricter."}, follow=True)
    assert "Projects that would belong in another tier" in words(draft)
    told = session(asked.ada).post("policies/preview/", source=stricter)
    assert told["moved"][0]["now"] == "critical"
    Project.objects.filter(pk=asked.churn.pk).update(policy="another")
    assert preview(stricter).moved == []


def test_the_report_says_what_was_answered(asked: Cast) -> None:
    answered(asked, "few", why="Few, we thought.")
    answered(asked)
    bundle = bundle_registered(asked)
    all_but_signed(asked, bundle)
    wish = request_at(asked, bundle=bundle, lane=asked.prod)
    all_signed(asked, wish)
    requests.set_ticket(by=asked.dev, request=wish, ticket="CHG0042")
    promotions.promote(by=asked.mona, request=wish, why="")
    answered(asked, "few", why="Less, since.")
    report = compose(collect(project="CHURN", about=wish.subject, checkpoint=checkpoints.cut()))
    (fact,) = [one for one in report.asked if one.label == "Materiality"]
    assert fact.value.startswith(
        "More; Decisions about people. That leads to tier critical (answered by Olga"
    )
    assert WHY in fact.value
    (ticket,) = [one for one in report.asked if one.label == "Change ticket"]
    assert ticket.value.endswith("by Dev Rao: CHG0042")
