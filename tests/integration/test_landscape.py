"""The estate as a document: read, compared, applied as one change; and what stands in the way."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from portal import ledger, rights
from portal.actions import changes, estate, grants, landscape, people, portfolios
from portal.errors import Forbidden, Invalid, Stale
from portal.estate_file import EstateError, current, differences, read, written
from portal.event_kinds import EventKind
from portal.models import Change, Lane, Node, Pipeline, Project, Right
from tests import factories
from tests.cast import Cast

WHY = "The estate grows."


def edited(edit: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """The estate as it is, after an edit."""
    document = deepcopy(current())
    edit(document)
    return document


def stage(slug: str, place: str = "") -> dict[str, Any]:
    """A stage with one place."""
    where = {
        "place": place or slug,
        "deployer": "deployer",
        "infra_id": slug.upper(),
        "automation": "auto-qa",
    }
    return {"stage": slug, "name": slug.title(), "places": [where]}


def stages(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The stages of the standard pipeline."""
    found: list[dict[str, Any]] = document["pipelines"]["standard"]["stages"]
    return found


def test_what_is_written_reads_back_the_same(cast: Cast) -> None:
    assert read(written(current())) == current()
    assert differences(current(), read(written(current()))) == []
    with pytest.raises(Invalid, match="already"):
        landscape.bring(by=cast.ada, document=current(), why=WHY)


def test_nodes_and_pipelines_are_added_changed_and_removed(cast: Cast) -> None:
    def edit(document: dict[str, Any]) -> None:
        document["nodes"]["spare"] = {**document["nodes"]["auto-qa"], "name": "Spare"}
        document["nodes"]["auto-qa"]["url"] = "https://qa.example.com"
        document["pipelines"]["short"] = {"name": "Short", "team": None, "stages": [stage("live")]}

    change = landscape.bring(by=cast.ada, document=edited(edit), why=WHY)
    assert change.status == Change.Status.APPLIED
    assert Node.objects.get(slug="auto-qa").url == "https://qa.example.com"
    assert [one.slug for one in Pipeline.objects.get(slug="short").stages.all()] == ["live"]
    kinds = [entry.kind for entry in ledger.events()]
    assert {EventKind.NODE_ADDED, EventKind.NODE_CHANGED, EventKind.PIPELINE_ADDED} <= set(kinds)
    gone = edited(lambda document: (document["nodes"].pop("spare"), document["pipelines"].pop("short")))
    landscape.bring(by=cast.ada, document=gone, why=WHY)
    assert not Node.objects.filter(slug="spare").exists()
    assert not Pipeline.objects.filter(slug="short").exists()


def test_a_stage_in_the_middle_becomes_a_lane_with_the_rights_of_every_stage(cast: Cast) -> None:
    landscape.bring(
        by=cast.ada, document=edited(lambda document: stages(document).insert(1, stage("staging"))), why=WHY
    )
    lanes = Lane.objects.filter(project=cast.churn).select_related("stage").order_by("stage__position")
    assert [lane.stage.slug for lane in lanes] == ["qa", "staging", "prod"]
    assert rights.can(cast.mona, Right.PROMOTE, lanes[1])
    landscape.bring(by=cast.ada, document=edited(lambda document: stages(document).reverse()), why=WHY)
    assert [one["stage"] for one in stages(current())] == ["prod", "staging", "qa"]
    landscape.bring(by=cast.ada, document=edited(lambda document: stages(document).pop(1)), why=WHY)
    assert [one["stage"] for one in stages(current())] == ["prod", "qa"]


def test_a_stage_with_rights_of_its_own_or_a_history_stays(cast: Cast) -> None:
    gone = edited(lambda document: stages(document).pop())
    own = grants.grant(
        by=cast.ada, person=cast.dev, right=Right.PROMOTE, project=cast.churn, stage="prod", why=WHY
    )
    with pytest.raises(Invalid, match="One right is granted for stage “prod” alone"):
        landscape.bring(by=cast.ada, document=gone, why=WHY)
    grants.revoke(by=cast.ada, grant=own, why=WHY)
    factories.request_at(cast, bundle=factories.bundle_registered(cast), lane=cast.prod)
    with pytest.raises(Invalid, match="has a history"):
        landscape.bring(by=cast.ada, document=gone, why=WHY)
    assert [one["stage"] for one in stages(current())] == ["qa", "prod"]


def test_a_place_where_something_ran_does_not_become_another(cast: Cast) -> None:
    factories.runs_in(cast, factories.bundle_registered(cast), cast.qa)

    def elsewhere(document: dict[str, Any]) -> None:
        stages(document)[0]["places"][0]["infra_id"] = "OTHER"

    with pytest.raises(Invalid, match="cannot become another") as told:
        landscape.bring(by=cast.ada, document=edited(elsewhere), why=WHY)
    assert told.value.field == "places"

    def beside(document: dict[str, Any]) -> None:
        stages(document)[0]["places"].append(stage("qa", "qa-two")["places"][0])

    landscape.bring(by=cast.ada, document=edited(beside), why=WHY)


def test_it_waits_for_a_second_and_is_outdated_by_another_edit(cast: Cast, settings: Any) -> None:
    settings.SECOND_ADMIN = True

    def named(name: str) -> dict[str, Any]:
        return edited(lambda document: document["nodes"]["design"].update(name=name))

    first = landscape.bring(by=cast.ada, document=named("Design one"), why=WHY)
    second = landscape.bring(by=cast.ada, document=named("Design two"), why=WHY)
    assert Node.objects.get(slug="design").name == "Design"
    changes.apply(by=cast.abe, change=first)
    assert Node.objects.get(slug="design").name == "Design one"
    with pytest.raises(Stale):
        changes.apply(by=cast.abe, change=second)
    assert Node.objects.get(slug="design").name == "Design one"


def test_only_administrators_change_the_estate(cast: Cast) -> None:
    for person in (cast.olga, cast.nora, cast.otto):
        with pytest.raises(Forbidden):
            landscape.bring(by=person, document={"nodes": {}, "pipelines": {}}, why=WHY)


def test_a_team_takes_a_pipeline_only_with_its_own_projects(cast: Cast) -> None:
    def owned(document: dict[str, Any]) -> None:
        document["pipelines"]["standard"]["team"] = cast.team.slug

    with pytest.raises(Invalid, match="is not Churn team's"):
        landscape.bring(by=cast.ada, document=edited(owned), why=WHY)
    Project.objects.update(team=cast.team)
    others = people.add_team(by=cast.ada, name="Others")
    credit = portfolios.add_portfolio(by=cast.ada, name="Credit")
    portfolios.put_project(by=cast.ada, portfolio=credit, project=cast.churn)
    given = grants.grant(by=cast.ada, team=others, right=Right.PROMOTE, portfolio=credit, why=WHY)
    with pytest.raises(Invalid, match="Others may act on Credit") as refusal:
        landscape.bring(by=cast.ada, document=edited(owned), why=WHY)
    assert refusal.value.field == "team"
    grants.revoke(by=cast.ada, grant=given, why=WHY)
    landscape.bring(by=cast.ada, document=edited(owned), why=WHY)


def test_what_was_named_on_a_page_or_by_a_program_can_be_kept_in_a_file(cast: Cast) -> None:
    for slug in ("DSS-A", "_a", "true", "12", "-"):
        estate.add_node(
            by=cast.ada, slug=slug, name=slug, kind="design", url="https://a.example.com", key_name="a"
        )
    now = current()
    assert differences(now, read(written(now))) == []


@pytest.mark.parametrize(
    "text, line, message",
    [
        ("", 1, "empty"),
        ("nodes: {}\n", 1, "pipelines is missing"),
        ("nodes: {}\npipelines: {}\nkeys: {a: b}\n", 3, "not known here"),
        (
            "nodes:\n  a: {name: A, kind: desing, url: 'http://a', key_name: a}\npipelines: {}\n",
            2,
            "not known",
        ),
        (
            (
                "nodes: {}\npipelines:\n  p:\n    name: P\n    stages:\n    - stage: qa\n      name: QA\n"
                "      places:\n"
                "      - {place: a, deployer: d, infra_id: I, automation: x}\n"
            ),
            9,
            "no node “d”",
        ),
        ("nodes: {}\nnodes: {}\npipelines: {}\n", 2, "given twice"),
        ('nodes: {}\npipelines:\n  p: {name: "a\\0b", stages: []}\n', 3, "cannot be seen"),
        ('nodes: {}\npipelines:\n  p: {name: "a\\ud800b", stages: []}\n', 3, "cannot be seen"),
        ('nodes: {}\npipelines:\n  p: {name: "a\\u202eb", stages: []}\n', 3, "cannot be seen"),
        ('nodes: {}\npipelines:\n  p: {name: "a\\U00110000b", stages: []}\n', 3, "no such character"),
        ('nodes: {}\npipelines:\n  p: {name: "a\\UFFFFFFFFb", stages: []}\n', 3, "no such character"),
    ],
)
def test_what_is_wrong_is_told_by_line(text: str, line: int, message: str) -> None:
    with pytest.raises(EstateError) as told:
        read(text)
    assert (told.value.problems[0].line, message in told.value.problems[0].message) == (line, True)


def test_the_command_checks_shows_and_applies(
    cast: Cast, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("estate", "export")
    path = tmp_path / "estate.yaml"
    path.write_text(capsys.readouterr().out)
    call_command("estate", "check", str(path))
    call_command("estate", "diff", str(path))
    assert "like this already" in capsys.readouterr().out
    path.write_text(path.read_text().replace("name: Design\n", "name: The design node\n"))
    with pytest.raises(SystemExit) as left:
        call_command("estate", "diff", str(path))
    assert left.value.code == 1
    assert 'change node design: name from "Design" to "The design node"' in capsys.readouterr().out
    robot = people.add_person(by=cast.ada, login="git", name="The repository", kind="service")
    grants.grant(by=cast.ada, person=robot, right=Right.MANAGE, why="Applies what was reviewed.")
    call_command("estate", "apply", str(path), "--as", "git", "--why", WHY)
    assert Node.objects.get(slug="design").name == "The design node"
    document = current()
    next(iter(document["pipelines"].values()))["team"] = "nobody"
    path.write_text(written(document))
    for verb in ("check", "diff"):
        with pytest.raises(CommandError, match="there is no team “nobody”") as refused:
            call_command("estate", verb, str(path))
        assert refused.value.returncode == 2
    path.write_text(written(current()).replace("\n  design:", '\n  "design\\n":'))
    with pytest.raises(CommandError, match="design"):
        call_command("estate", "check", str(path))
    path.write_text("nodes: [")
    with pytest.raises(CommandError, match=r"estate\.yaml:1:9") as refused:
        call_command("estate", "check", str(path))
    assert refused.value.returncode == 2
    with pytest.raises(CommandError, match="can be read"):
        call_command("estate", "check", str(tmp_path / "none.yaml"))
