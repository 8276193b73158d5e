"""Describing the landscape: nodes, pipelines, stages and places, and what of them is refused by field."""

from typing import Any

import pytest

from portal import ledger
from portal.actions import estate
from portal.actions.estate import NewPlace, NewStage
from portal.errors import Forbidden, Invalid
from portal.event_kinds import EventKind
from portal.models import Event, Node, Pipeline, Place, Stage
from tests.cast import Cast, make_cast
from tests.conftest import Database
from tests.integration.test_grants import refusals_of


def node(cast: Cast, **wish: Any) -> Node:
    told = {
        "slug": "dss",
        "name": "DSS",
        "kind": "design",
        "url": "https://dss.example.com/",
        "key_name": "dss-key",
    }
    return estate.add_node(**{"by": cast.ada, **told, **wish})


def pipeline(cast: Cast, **wish: Any) -> Pipeline:
    told = {"slug": "new", "name": "New", "stages": [stage()]}
    return estate.add_pipeline(**{"by": cast.ada, **told, **wish})


def stage(slug: str = "qa", *places: NewPlace) -> NewStage:
    return NewStage(slug, slug.upper(), places or (place(),))


def place(
    slug: str = "one", deployer: str = "deployer", automation: str = "auto-qa", infra: str = "QA"
) -> NewPlace:
    return NewPlace(slug, Node.objects.get(slug=deployer), infra, Node.objects.get(slug=automation))


def test_a_node_knows_the_name_of_its_key_and_no_more(cast: Cast) -> None:
    made = node(cast)
    assert made.url == "https://dss.example.com"
    event = ledger.events(kinds=[EventKind.NODE_ADDED])[-1]
    assert event.facts == {"node": "dss", "kind": "design", "url": "https://dss.example.com", "change": None}
    assert event.actor_id == str(cast.ada.pk)


def test_addresses_a_dss_may_have(cast: Cast) -> None:
    for number, url in enumerate(
        (
            "http://127.0.0.1:11200",
            "http://sandbox:11200",  # a host without a dot, as between containers
            "https://dss.corp.example.com/design/",
            "http://[::1]:11200",
        )
    ):
        assert node(cast, slug=f"node-{number}", url=url).url == url.rstrip("/")


def test_nodes_that_cannot_be_are_refused_by_field(cast: Cast) -> None:
    node(cast)
    events, rows = Event.objects.count(), Node.objects.count()
    for wish, field in (
        ({"slug": "dss"}, "slug"),
        ({"slug": "no slug"}, "slug"),
        ({"kind": "toaster"}, "kind"),
        ({"name": ""}, "name"),
        ({"key_name": "../etc/passwd"}, "key_name"),
        ({"key_name": ""}, "key_name"),
        ({"url": ""}, "url"),
        ({"url": "dss.example.com"}, "url"),
        ({"url": "ftp://dss.example.com"}, "url"),
        ({"url": "https://"}, "url"),
        ({"url": "https://dss.example.com:99999"}, "url"),
        ({"url": "https://dss example.com"}, "url"),
        ({"url": "https://dss.example.com/\nHost: x"}, "url"),
        ({"url": "https://" + "x" * 250}, "url"),
        ({"url": "https://ada:hunter2@dss.example.com"}, "url"),
        ({"url": "https://dss.example.com/?apiKey=hunter2"}, "url"),
        ({"url": "https://dss.example.com/#hunter2"}, "url"),
    ):
        with pytest.raises(Invalid) as refused:
            node(cast, **{"slug": "new", **wish})
        assert refused.value.field == field, wish
        assert "hunter2" not in refused.value.sentence
    assert (Event.objects.count(), Node.objects.count()) == (events, rows)


def test_a_pipeline_comes_whole_with_its_stages_in_order(cast: Cast) -> None:
    made = estate.add_pipeline(
        by=cast.ada, slug="long", name="Long", stages=[stage("dev"), stage("qa"), stage("prod")]
    )
    assert list(made.stages.values_list("slug", "position")) == [("dev", 0), ("qa", 1), ("prod", 2)]
    event = ledger.events(kinds=[EventKind.PIPELINE_ADDED])[-1]
    assert event.facts["stages"] == "dev, qa, prod"
    assert event.facts["places"] == {"dev": ["QA"], "qa": ["QA"], "prod": ["QA"]}


def test_pipelines_that_cannot_be_are_refused_by_field_and_leave_nothing(cast: Cast) -> None:
    before = [model.objects.count() for model in (Event, Pipeline, Stage, Place)]
    for wish, field in (
        ({"slug": "standard"}, "slug"),
        ({"slug": "no slug"}, "slug"),
        ({"name": ""}, "name"),
        ({"stages": []}, "stages"),
        ({"stages": [NewStage("qa", "QA", [])]}, "places"),
        ({"stages": [stage("qa"), stage("qa")]}, "stages"),
        ({"stages": [stage("no slug")]}, "stages"),
        ({"stages": [stage("qa", place("one"), place("one"))]}, "places"),
        ({"stages": [stage("qa", place(infra="two words"))]}, "places"),
        ({"stages": [stage("qa", place(deployer="auto-qa"))]}, "places"),
        ({"stages": [stage("qa", place(automation="deployer"))]}, "places"),
    ):
        with pytest.raises(Invalid) as refused:
            pipeline(cast, **wish)
        assert refused.value.field == field, wish
    assert [model.objects.count() for model in (Event, Pipeline, Stage, Place)] == before


def test_a_design_node_may_answer_for_the_deployer(cast: Cast) -> None:
    made = estate.add_pipeline(
        by=cast.ada, slug="small", name="Small", stages=[stage("qa", place(deployer="design"))]
    )
    assert made.stages.get().places.get().deployer == cast.design


def test_only_administrators_describe_the_estate(cast: Cast) -> None:
    for who in (cast.olga, cast.otto, cast.nora):
        with pytest.raises(Forbidden):
            node(cast, by=who)
        with pytest.raises(Forbidden):
            estate.add_pipeline(by=who, slug="new", name="New", stages=[stage()])


def test_of_two_who_add_the_same_one_is_told_so(database_copy: Database) -> None:
    cast = make_cast()
    refused = refusals_of(
        *(lambda by=by: node(cast, by=by) for by in (cast.ada, cast.abe)),
        *(
            lambda by=by: estate.add_pipeline(by=by, slug="new", name="New", stages=[stage()])
            for by in (cast.ada, cast.abe)
        ),
    )
    assert [refusal.field for refusal in refused] == ["slug", "slug"]
    assert Stage.objects.filter(pipeline__slug="new").count() == 1
