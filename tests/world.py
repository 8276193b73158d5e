"""A small estate for tests of the engine: the sandbox DSS over HTTP, rows made by the real actions, and a driver.

The driver plays Celery's part in this process: it advances promotions until they are over and does not wait out pauses.
The sandbox is one process for the whole run of tests and starts each test with a fresh estate. The fixtures `world`
(in the test's transaction) and `committed_world` (over `database_copy`: commits, threads, processes) are here.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from deployments import runner
from deployments.actions import promotions, requests, signing
from deployments.models import Deployment, DeploymentRequest, Promotion, Step
from deployments.steps import deployer, verify
from governance.actions import evidence, policies
from governance.models import PolicyVersion
from portal import ledger
from portal.actions import bundles, estate, grants, people, projects
from portal.demo import cast
from portal.dss.client import Dss
from portal.dss.sandbox.control import Control
from portal.dss.sandbox.launch import Sandbox
from portal.event_kinds import EventKind
from portal.ledger import Entry
from portal.models import Bundle, Lane, LedgerHead, Node, Person, Project, Right
from portal.reauthentication import Password
from portal.verification import verify as verify_ledger
from tests.remembered import Remembered

PACE = 0.005

# Nothing is asked but what a test adds; the smoke scenario is the demo's.
POLICY = """
policy: engine
title: For tests of the engine
smoke: {{scenario: {smoke}, warning: {warning}}}
tiers:
  plain:
    title: Plain
    stages:
      qa: {{requires: [], automation: manual}}
      prod:
        requires: {requires}
        automation: manual
        after: {after}
"""
SIGNED = "[{sign_off: {role: fairness, people: 1, covers: all}}]"


def policy(
    *,
    requires: str = "[]",
    watch: str = "",
    smoke: str = "TEST_SMOKE",
    warning: str = "fails",
    on_failure: str = "roll_back",
) -> str:
    """The source of the test policy."""
    after = f"{{{f'watch: {watch}, ' if watch else ''}on_failure: {on_failure}}}"
    return POLICY.format(requires=requires, after=after, smoke=smoke, warning=warning)


@dataclass(frozen=True, slots=True)
class Told:
    """The ledger's events of a promotion, as tests read them."""

    entries: list[Entry]

    def kinds(self) -> list[str]:
        return [entry.kind.value for entry in self.entries]

    def steps(self) -> list[str]:
        """The steps that left an event, in order, each with how it ended."""
        ended = {EventKind.STEP_DONE: "done", EventKind.STEP_FAILED: "failed"}
        return [f"{e.facts['step']} {ended[e.kind]}" for e in self.entries if e.kind in ended]


@dataclass
class World:
    """The estate, its people, and what tests do with it."""

    sandbox: Sandbox
    people: dict[str, Person] = field(default_factory=dict)
    nodes: dict[str, Node] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(1, 1_000_000)))
    # First promotions by revision and stage, where they are remembered.
    first: dict[tuple[str, str], Remembered[Promotion]] | None = None

    def __post_init__(self) -> None:
        system = Person.objects.system()
        ada = people.make_admin(by=system, login=cast.ADA.login, name=cast.ADA.name, password=cast.PASSWORD)
        grants.first_grant(by=system, person=ada)
        self.people["ada"] = ada
        for player in cast.PEOPLE:
            self.people[player.login] = people.add_person(
                by=ada, login=player.login, name=player.name, password=cast.PASSWORD
            )
        team = people.add_team(by=ada, name=cast.TEAM)
        for player in cast.MEMBERS:
            people.join_team(by=ada, team=team, person=self.people[player.login])
        for node in self.sandbox.nodes.values():
            self.nodes[node.name] = estate.add_node(
                by=ada, slug=node.name, name=node.name, kind=node.kind, url=node.url, key_name=node.key_name
            )
        stages = [
            estate.NewStage(
                slug,
                name,
                [estate.NewPlace(slug, self.nodes["deployer"], f"{slug}-automation", self.nodes[slug])],
            )
            for slug, name in (("qa", "QA"), ("prod", "Production"))
        ]
        pipeline = estate.add_pipeline(by=ada, slug="standard", name="Standard", stages=stages)
        self.publish(policy())
        told = next(one for one in cast.PROJECTS if one["key"] == cast.PROJECT)
        here: dict[str, Any] = {"node": self.nodes["design"], "pipeline": pipeline}
        self.project: Project = projects.import_project(
            by=ada, **{**told, **here, "policy": "engine", "tier": "plain"}
        )
        grants.grant(by=ada, right=Right.REQUEST, team=team, project=self.project, why="their project")
        grants.grant(by=ada, right=Right.PROMOTE, person=self.mona, project=self.project, why="releases")
        for role, player in cast.SIGNERS.items():
            grants.grant(
                by=ada,
                right=Right.SIGN,
                role=role,
                person=self.people[player.login],
                project=self.project,
                stage="prod",
                why="reviewer",
            )

    # --- who and where ---

    @property
    def control(self) -> Control:
        return self.sandbox.control

    @property
    def ada(self) -> Person:
        return self.people["ada"]

    @property
    def dev(self) -> Person:
        return self.people["dev"]

    @property
    def mona(self) -> Person:
        return self.people["mona"]

    def lane(self, stage: str = "prod") -> Lane:
        return Lane.objects.select_related("project__node", "stage").get(
            project=self.project, stage__slug=stage
        )

    def publish(self, source: str) -> None:
        """Put a policy in force, unless it is."""
        newest = PolicyVersion.objects.order_by("version").last()
        if newest is None or newest.source != source:
            policies.publish(by=self.ada, source=source)

    def dss(self, node: str, **options: Any) -> Dss:
        running = self.sandbox.nodes[node]
        return Dss(url=running.url, key=running.key, node=node, **options)

    # --- what people do ---

    def bundle(self, revision: str = "v2") -> Bundle:
        """A new bundle of a revision of the demo project, registered."""
        self.control.apply_revision(self.project.key, revision)
        asked = bundles.ask_bundle(
            by=self.dev, project=self.project, bundle_id=f"{revision}-{next(self.numbers)}"
        )
        bundles.register(by=Person.objects.system(), bundle_pk=asked.pk)
        asked.refresh_from_db()
        assert asked.is_registered, asked.problem
        return asked

    def request(self, bundle: Bundle | None = None, stage: str = "prod") -> DeploymentRequest:
        return requests.submit(
            by=self.dev, bundle=bundle or self.bundle(), lane=self.lane(stage), why="for the test"
        )

    def promote(self, bundle: Bundle | None = None, stage: str = "prod") -> Promotion:
        """Ask for a bundle and start its promotion."""
        return promotions.promote(by=self.mona, request=self.request(bundle, stage))

    def promoted(self, revision: str = "v2", stage: str = "prod") -> Promotion:
        """A promotion that went well to its end."""
        done = self.run(self.promote(self.bundle(revision), stage))
        assert done.status == Promotion.Status.SUCCEEDED, done.reason
        return done

    def began(self, revision: str = "v2", stage: str = "prod") -> Promotion:
        """As `promoted`, in a world where nothing else happened yet: played once, then laid down in books and DSS."""
        if self.first is None:
            return self.promoted(revision, stage)
        name, played = f"{revision}-{stage}", False

        def play() -> Promotion:
            nonlocal played
            played = True
            done = self.promoted(revision, stage)
            self.control.keep(name)
            return done

        done = self.first.setdefault((revision, stage), Remembered()).again(play)
        if not played:
            next(self.numbers)
            self.control.back_to(name)
        return done

    def sign(self, request: DeploymentRequest, role: str = "fairness") -> None:
        signer = self.people[cast.SIGNERS[role].login]
        requirement = f"sign_off:{role}"
        draft = signing.draft(by=signer, request=request, requirement=requirement)
        signing.sign(
            by=signer,
            proof=Password(cast.PASSWORD),
            request=request,
            requirement=requirement,
            decision="approve",
            bound=draft.bound,
        )

    # --- the engine ---

    def look(self, promotion: Promotion) -> runner.Turn:
        """One look, as soon as DSS had a moment; pauses are not waited out."""
        if Promotion.objects.filter(pk=promotion.pk, wake_at__isnull=False).update(wake_at=None):
            time.sleep(0.003)
        return runner.advance(promotion.pk)

    def run(
        self, promotion: Promotion, until: Callable[[Promotion], bool] | None = None, seconds: float = 20
    ) -> Promotion:
        """Advance to the end, or until something is true of it; a rollback that begins is advanced as well."""
        end = time.monotonic() + seconds
        asleep = ended = True  # for all that is known yet
        while time.monotonic() < end:
            if ended or until is not None:
                promotion = Promotion.objects.get(pk=promotion.pk)
            if until is not None and until(promotion):
                return promotion
            if promotion.is_over:
                if (rollback := self.rollback_of(promotion)) is not None and not rollback.is_over:
                    self.run(rollback, seconds=seconds)
                return promotion
            turn = self.look(promotion) if asleep else runner.advance(promotion.pk)
            ended, asleep = turn.at is None, not turn.goes_on
        raise TimeoutError(f"promotion {promotion.pk} is not over: {self.steps(promotion)}")

    def run_to(self, promotion: Promotion, step: str) -> Promotion:
        """Advance until this step is the next to run."""
        return self.run(promotion, until=lambda p: self.current(p) == step)

    def current(self, promotion: Promotion) -> str | None:
        step = promotion.steps.filter(status__in=("pending", "started")).first()
        return step.name if step else None

    def rollback_of(self, promotion: Promotion) -> Promotion | None:
        return Promotion.objects.filter(undoes=promotion).first()

    def expire(self, promotion: Promotion) -> None:
        """As if the lease of a dead worker had run out."""
        Promotion.objects.filter(pk=promotion.pk, lease_until__isnull=False).update(
            lease_until="2000-01-01T00:00:00Z"
        )

    # --- what is left ---

    def step(self, promotion: Promotion, name: str) -> Step:
        return promotion.steps.get(name=name)

    def steps(self, promotion: Promotion) -> dict[str, str]:
        return dict(promotion.steps.values_list("name", "status"))

    def told(self, promotion: Promotion) -> Told:
        return Told(ledger.events(subject=promotion.subject))

    def running(self, stage: str = "prod") -> str | None:
        """The bundle that runs there by our books."""
        row = Deployment.objects.filter(lane=self.lane(stage), ended_at__isnull=True).first()
        return row.bundle.bundle_id if row else None

    def active(self, stage: str = "prod") -> str | None:
        """The bundle that runs there in truth."""
        with self.dss(stage) as dss:
            return dss.active_bundle(self.project.key)

    def lane_holder(self, stage: str = "prod") -> Promotion | None:
        return Promotion.objects.filter(lane=self.lane(stage), holds_lane=True).first()

    def effects(self) -> Counter[str]:
        """What was done in DSS so far, by kind of effect; bundles differ between runs, so only kinds are told apart."""
        found: Counter[str] = Counter()
        for name, subjects in self.control.counters().items():
            for subject, times in subjects.items():
                kind = f"{name} {subject.rsplit('/', 1)[-1]}" if name.startswith("runs") else name
                found[kind] += times
        return found

    def check_ledger(self) -> None:
        """Gapless, unaltered, and as long as its head says."""
        found = [entry.seq for entry in ledger.events()]
        assert found == list(range(LedgerHead.objects.get().size))
        assert verify_ledger().problem == ""


def quickly(monkeypatch: pytest.MonkeyPatch, **seconds: float) -> None:
    """Take times that production waits for in milliseconds."""
    for module, name, value in (
        (verify, "LOST_SECONDS", 0.15),
        (verify, "REFIRE_SECONDS", 0.01),
        (verify, "UNKNOWN_SECONDS", 0.2),
        (deployer, "FORGOTTEN_SECONDS", 0.1),
        (evidence, "LOST_SECONDS", 0.3),
    ):
        monkeypatch.setattr(module, name, seconds.get(name, value))
    defaults = dict(Dss.__init__.__kwdefaults__ or {})
    monkeypatch.setattr(Dss.__init__, "__kwdefaults__", {**defaults, "sleep": lambda _seconds: None})


@pytest.fixture(scope="session")
def sandbox_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """The sandbox DSS of this test worker, in milliseconds."""
    place = tmp_path_factory.mktemp("sandbox")
    with Sandbox(place, pace=PACE) as running:
        keys = place / "keys"
        keys.mkdir()
        for node in running.nodes.values():
            (keys / node.key_name).touch(mode=0o600)
            (keys / node.key_name).write_text(node.key)
        yield running


@pytest.fixture
def fresh_sandbox(
    sandbox_process: Sandbox,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> Sandbox:
    """The sandbox with a fresh estate, its keys where the portal looks for them, and nobody woken by events."""
    sandbox_process.start()  # a test may have killed it
    sandbox_process.control.reset()
    settings.DSS_KEY_DIR = str(Path(sandbox_process.data_dir) / "keys")
    settings.EVENT_TASKS = {}
    settings.PROJECT_TASKS = {}
    quickly(monkeypatch)
    return sandbox_process


_WORLD: Remembered[World] = Remembered()
_FIRST: dict[tuple[str, str], Remembered[Promotion]] = {}


@pytest.fixture
def world(db: None, fresh_sandbox: Sandbox) -> World:
    """The estate inside the test's transaction."""
    made = _WORLD.again(lambda: World(fresh_sandbox), fresh_sandbox)
    made.first = _FIRST
    return made


@pytest.fixture
def committed_world(database_copy: Any, fresh_sandbox: Sandbox) -> World:
    """The estate in a database of its own: commits are real, threads and processes see them."""
    return World(fresh_sandbox)


def difference(after: Mapping[str, int], before: Mapping[str, int]) -> dict[str, int]:
    """What was added, without what stayed."""
    return {name: n - before.get(name, 0) for name, n in after.items() if n != before.get(name, 0)}
