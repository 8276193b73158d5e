"""The demo's story, short: played through the real actions and engine against a sandbox DSS, for tests of reports."""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deployments import runner
from deployments.actions import promotions, requests, signing
from deployments.models import DeploymentRequest, Promotion
from governance.actions import documents, evidence, policies
from portal.actions import bundles, estate, grants, people, projects
from portal.demo import cast
from portal.dss.sandbox.launch import Sandbox
from portal.errors import Refused
from portal.models import Bundle, Lane, Person, Project, Right
from portal.reauthentication import Password
from tests.cast import POLICY
from tests.factories import TO_READ

SOAK_SECONDS = 1.2  # the policy of this story asks for one


@dataclass
class Story:
    """What was played: people by login, lanes by stage, requests for production by bundle."""

    project: Project
    people: dict[str, Person]
    lanes: dict[str, Lane]
    requests: dict[str, DeploymentRequest] = field(default_factory=dict)
    refused: dict[str, Refused] = field(default_factory=dict)


def write_keys(sandbox: Sandbox, directory: Path) -> None:
    """The sandbox's keys, one file each, as settings.DSS_KEY_DIR expects them."""
    directory.mkdir(parents=True, exist_ok=True)
    for node in sandbox.nodes.values():
        path = directory / node.key_name
        path.touch(mode=0o600)
        path.write_text(node.key)


def set_up(sandbox: Sandbox) -> Story:
    """People, team, nodes, pipeline, policy, project and rights."""
    system = Person.objects.system()
    players = {
        player.login: people.make_admin(
            by=system, login=player.login, name=player.name, password=cast.PASSWORD, zone=player.zone
        )
        for player in cast.ADMINS
    }
    ada = players["ada"]
    for admin in players.values():
        grants.first_grant(by=system, person=admin)
    for player in cast.PEOPLE:
        players[player.login] = people.add_person(
            by=ada,
            login=player.login,
            name=player.name,
            email=player.email,
            password=cast.PASSWORD,
            zone=player.zone,
        )
    team = people.add_team(by=ada, name=cast.TEAM)
    for member in cast.MEMBERS:
        people.join_team(by=ada, team=team, person=players[member.login])
    nodes = {
        name: estate.add_node(
            by=ada,
            slug=name,
            name=cast.NODES[name],
            kind=node.kind.lower(),
            url=node.url,
            key_name=node.key_name,
        )
        for name, node in sandbox.nodes.items()
        if name in cast.NODES
    }
    pipeline = estate.add_pipeline(
        by=ada,
        slug="standard",
        name="Standard",
        stages=[
            estate.NewStage(
                stage, name, [estate.NewPlace(stage, nodes["deployer"], f"{stage}-automation", nodes[stage])]
            )
            for stage, name in (("qa", "QA"), ("prod", "Production"))
        ],
    )
    policies.publish(by=ada, source=POLICY.replace("2s", "1s"))
    options: dict[str, Any] = {
        key: value for key, value in cast.PROJECTS[0].items() if key not in ("node", "pipeline")
    }
    project = projects.import_project(by=ada, node=nodes["design"], pipeline=pipeline, **options)
    why = "Set up with the churn team's owner"
    grants.grant(by=ada, right=Right.VIEW, team=team, project=project, why=why)
    grants.grant(by=ada, right=Right.REQUEST, team=team, project=project, why=why)
    grants.grant(
        by=ada, right=Right.PROMOTE, person=players["mona"], project=project, why="Release manager of churn"
    )
    for role, player in cast.SIGNERS.items():
        grants.grant(
            by=ada,
            right=Right.SIGN,
            role=role,
            person=players[player.login],
            project=project,
            stage="prod",
            why=f"Reviews {role}",
        )
    grants.grant(
        by=ada,
        right=Right.SIGN,
        role="fairness",
        person=players["dev"],
        project=project,
        stage="prod",
        why="Stands in for Fay",
    )
    grants.grant(by=ada, right=Right.AUDIT, person=players["nora"], why="Internal audit")
    return Story(
        project,
        players,
        {
            lane.stage.slug: lane
            for lane in Lane.objects.select_related("project", "stage").filter(project=project)
        },
    )


def play(sandbox: Sandbox) -> Story:
    """v1 is refused, v2 goes to production, v3 is rolled back."""
    story = set_up(sandbox)
    for bundle_id in ("v1", "v2", "v3"):
        sandbox.control.apply_revision(cast.PROJECT, bundle_id)
        bring(story, bundle_id)
    return story


def bring(story: Story, bundle_id: str) -> None:
    """Register, through QA, evidence, documents, request, signatures where there is reason to, promotion."""
    dev, system = story.people["dev"], Person.objects.system()
    bundle = bundles.ask_bundle(by=dev, project=story.project, bundle_id=bundle_id)
    bundles.register(by=system, bundle_pk=bundle.pk)
    bundle = Bundle.objects.select_related("project", "author").get(pk=bundle.pk)
    qa, prod = story.lanes["qa"], story.lanes["prod"]
    promote(story, requests.submit(by=dev, bundle=bundle, lane=qa, why=f"Try {bundle_id} in QA"))
    in_qa = time.monotonic()
    for what in TO_READ:
        collection = evidence.ask_collection(by=dev, bundle=bundle, lane=qa, what=what)
        while evidence.collect(by=system, collection_pk=collection.pk) is not None:
            pass
    documents.write(
        by=dev,
        bundle=bundle,
        kind="intended-use",
        title="Intended use of the churn model",
        text=cast.INTENDED_USE,
    )
    request = requests.submit(
        by=dev, bundle=bundle, lane=prod, why=f"{bundle_id}: retention offers for the next quarter"
    )
    story.requests[bundle_id] = request
    if bundle_id != "v1":
        for role, player in cast.SIGNERS.items():
            sign(story, request, player.login, f"sign_off:{role}")
    if bundle_id == "v2":
        try:
            sign(story, request, "dev", "sign_off:fairness")
        except Refused as refusal:
            story.refused["dev"] = refusal
    time.sleep(max(0.0, SOAK_SECONDS - (time.monotonic() - in_qa)))
    try:
        promote(story, request)
    except Refused as refusal:
        story.refused[bundle_id] = refusal


def sign(story: Story, request: DeploymentRequest, login: str, requirement: str) -> None:
    """Read what there is to sign, and sign it."""
    person = story.people[login]
    shown = signing.draft(by=person, request=request, requirement=requirement)
    signing.sign(
        by=person,
        proof=Password(cast.PASSWORD),
        request=request,
        requirement=requirement,
        decision="approve",
        bound=shown.bound,
        comment="Read with the team; the numbers hold." if login == "fay" else "",
    )


def promote(story: Story, request: DeploymentRequest) -> None:
    """Start a promotion and work it off, with the rollback it may bring."""
    promotions.promote(by=story.people["mona"], request=request)
    while running := Promotion.objects.filter(status=Promotion.Status.RUNNING).first():
        turn = runner.advance(running.pk)
        if turn.at is not None and not turn.goes_on:
            time.sleep(0.02)
    request.refresh_from_db()
