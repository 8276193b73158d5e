"""Importing projects from a design node: the sandbox DSS over HTTP, and what goes wrong on the way."""

from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from portal import ledger
from portal.actions import estate, people, projects
from portal.dss.sandbox.launch import Sandbox
from portal.errors import Forbidden, Invalid, Unavailable
from portal.event_kinds import EventKind
from portal.holders import holders
from portal.models import Event, Lane, Node, Person, Project
from tests.cast import Cast, imported


@pytest.fixture
def design(cast: Cast, fresh_sandbox: Sandbox) -> Node:
    """The sandbox's design node, known to the portal; CHURN of the cast makes way for the real one."""
    Lane.objects.filter(project=cast.churn).delete()
    cast.churn.delete()
    there = fresh_sandbox.nodes["design"]
    return estate.add_node(
        by=cast.ada, slug="sandbox", name="Design node", kind="design", url=there.url, key_name=there.key_name
    )


def bring(cast: Cast, node: Node, key: str = "CHURN", **wish: Any) -> Project:
    return projects.import_project(
        **{
            "by": cast.ada, "node": node, "key": key, "pipeline": cast.pipeline, "policy": "demo-policy",
            "tier": "critical", **wish,
        }
    )  # fmt: skip


def test_a_project_comes_with_its_name_owner_and_lanes(cast: Cast, design: Node) -> None:
    project = bring(cast, design)
    assert (project.key, project.node) == ("CHURN", design)
    assert project.name != "CHURN"
    owner = Person.objects.get(login=project.dss_owner.lower())
    assert list(project.owners.all()) == [owner]
    assert [lane.stage.slug for lane in Lane.objects.filter(project=project).order_by("stage__position")] == [
        "qa",
        "prod",
    ]
    kinds = [event.kind for event in ledger.events(subject=f"project:{project.pk}")]
    assert kinds == [EventKind.PROJECT_IMPORTED, EventKind.OWNER_ADDED]
    told = ledger.events(kinds=[EventKind.PROJECT_IMPORTED])[-1].facts
    assert (told["node"], told["tier"], told["pipeline"]) == ("sandbox", "critical", "standard")
    # Ownership gives nothing by itself.
    assert not holders(Lane.objects.get(project=project, stage__slug="qa"), "view")


def test_what_cannot_be_imported_is_refused_by_field_and_leaves_nothing(cast: Cast, design: Node) -> None:
    bring(cast, design)
    events = Event.objects.count()
    for wish, code, field in (
        ({"key": "CHURN"}, "project_imported", "key"),
        ({"key": "NOWHERE"}, "project_unknown", "key"),
        ({"key": "churn"}, "project_unknown", "key"),
        ({"key": ""}, "project_unknown", "key"),
        ({"key": "FRAUD", "tier": "no slug"}, "project_invalid", "tier"),
        ({"key": "FRAUD", "tier": ""}, "project_invalid", "tier"),
        ({"key": "FRAUD", "policy": "no slug"}, "project_invalid", "policy"),
        ({"key": "FRAUD", "model_id": "m" * 101}, "project_invalid", "model_id"),
        ({"key": "FRAUD", "node": Node.objects.get(slug="deployer")}, "node_not_design", "node"),
    ):
        with pytest.raises(Invalid) as refused:
            bring(cast, **dict[str, Any]({"node": design, **wish}))
        assert (refused.value.code, refused.value.field) == (code, field), wish
    with pytest.raises(Forbidden):
        bring(cast, design, "FRAUD", by=cast.olga)
    assert Event.objects.count() == events
    assert not Project.objects.filter(key="FRAUD").exists()


def test_a_node_that_does_not_answer_is_said_so(cast: Cast, design: Node, fresh_sandbox: Sandbox) -> None:
    fresh_sandbox.stop()
    try:
        with pytest.raises(Unavailable) as refused:
            bring(cast, design)
    finally:
        fresh_sandbox.start()
    assert "sandbox could not be reached" in refused.value.sentence
    assert "Check that it is running" in refused.value.sentence
    assert not Project.objects.filter(key="CHURN").exists()


def test_a_key_that_is_wrong_or_missing_is_said_so_without_showing_it(
    cast: Cast, design: Node, settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings.DSS_KEY_DIR = str(tmp_path)
    with pytest.raises(Unavailable) as refused:
        bring(cast, design)
    assert f"There is no key named {design.key_name}" in refused.value.sentence
    wrong = "altered-key-4711"
    (tmp_path / design.key_name).write_text(wrong)
    with pytest.raises(Unavailable) as refused:
        bring(cast, design)
    assert "did not accept the portal's key" in refused.value.sentence
    assert wrong not in f"{refused.value!r} {refused.value.params} {refused.value.__cause__!r} {caplog.text}"
    assert not Project.objects.filter(key="CHURN").exists()


def test_a_node_that_lies_is_said_so(cast: Cast, design: Node, fresh_sandbox: Sandbox) -> None:
    fresh_sandbox.control.fault("status", path="^/projects", status=500, times=None)
    with pytest.raises(Unavailable) as refused:
        bring(cast, design)
    assert "broke (HTTP 500)" in refused.value.sentence
    fresh_sandbox.control.clear_faults()
    assert bring(cast, design).key == "CHURN"


def test_an_owner_is_asked_for_where_dss_names_nobody_who_is_here(cast: Cast) -> None:
    people.add_person(by=cast.ada, login="robot", name="Robot", kind="service")
    Person.objects.filter(login="eli").update(is_active=False)
    told: dict[str, Any] = {"by": cast.ada, "node": cast.design, "pipeline": cast.pipeline, "tier": "light"}
    assert list(imported(key="KNOWN", owner="OLGA", **told).owners.all()) == [cast.olga]
    for number, owner in enumerate(("robot", "system", "eli", "nobody", "", "x" * 300)):
        wish: dict[str, Any] = {
            "key": f"P{number}",
            "owner": owner,
            "name": "" if owner else "N" * 300,
            **told,
        }
        with pytest.raises(Invalid) as refused:
            imported(**wish, owned_by=None)
        assert (refused.value.code, refused.value.field) == ("owner_unknown", "owner"), owner
        assert not Project.objects.filter(key=wish["key"]).exists()
        assert list(imported(**wish, owned_by=cast.dev).owners.all()) == [cast.dev]
    for login in ("robot", "eli"):
        with pytest.raises(Invalid) as refused:
            imported(key="P9", **told, owned_by=Person.objects.get(login=login))
        assert refused.value.code == "owner_unfit"
