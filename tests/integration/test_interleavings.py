"""Any interleaving of signing, waiving, withdrawing, publishing, revoking, new evidence and promoting, from eight
connections.

No promotion passes its live change unless the gate was open at that moment. The moment is the place of its event in
the ledger, where everything that is committed has one; whether the gate was open there is told by `Books`, which know
only what stands in the ledger before it. The same books are compared with the gate when all is quiet again.
"""

import io
import json
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import count, product
from typing import Any, Self
from unittest.mock import patch

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone
from pytest_django import Settings

from deployments import runner
from deployments.actions import promotions, requests, signing, waiving
from deployments.judging import judge_now
from deployments.models import DeploymentRequest, Promotion
from deployments.steps import outcome
from governance.actions import evidence, policies, signoffs, waivers
from governance.models import Evidence, SignOff, Waiver
from governance.policy import PolicyDocument, parse
from portal import ledger
from portal.actions import grants
from portal.demo.cast import PASSWORD
from portal.dss.manifest import read_manifest
from portal.dss.values import DeploymentInfo, DeploymentSettings, Infra, Update
from portal.errors import Refused, Stale
from portal.event_kinds import EventKind
from portal.ledger import Entry
from portal.models import Bundle, Grant, Lane, Person, Project, Right
from portal.reauthentication import Password
from portal.verification import verify
from tests.cast import Cast, imported, lane, make_cast
from tests.conftest import Database
from tests.factories import MEMBERS, archive, bundle_registered, succeeded
from tests.integration.test_bytes_bound import copy_of

CONNECTIONS = 8
HISTORIES, LONG_HISTORIES = 150, 2_000
EACH = 15  # histories of one project, one after the other
NEAR = 0.8  # of the last steps before the live change, in which most of what disturbs it happens
ROLES = ("fairness", "model-risk")
RULES = """
policy: demo-policy
tiers:
  critical:
    stages:
      qa: {{requires: []}}
      prod:
        requires:
          - tests: {{at: qa}}
          - sign_off: {{role: fairness, people: {people}, covers: [models, flow]}}
          - sign_off: {{role: model-risk, people: 1, covers: all}}
  light: {{stages: {{qa: {{requires: []}}, prod: {{requires: [tests: {{at: qa, max_age: {light}d}}]}}}}}}
"""


# --- what the ledger says --------------------------------------------------------------------------------------------


@dataclass
class Word:
    """A signature as its event tells it."""

    person: str
    at: datetime
    facts: Mapping[str, Any]
    withdrawn: bool = False

    @property
    def ends(self) -> bool:
        """Whether nothing stands that the same person said before it."""
        return self.withdrawn or self.facts["decision"] != "approve"


@dataclass
class Leave:
    """A waiver as its events tell it."""

    asker: str
    facts: Mapping[str, Any]
    by: str = ""
    withdrawn: bool = False


Failed = tuple[str, ...]  # the tests that did, by name


@dataclass
class Shelf:
    """What the ledger says of one project so far. Evidence: (when, its digest, which tests failed, of what)."""

    holds: dict[int, tuple[str, str, str]] = field(default_factory=dict)
    words: dict[int, Word] = field(default_factory=dict)
    leaves: dict[int, Leave] = field(default_factory=dict)
    evidence: list[tuple[datetime, str, Failed, dict[str, str]]] = field(default_factory=list)


class Books:
    """The rules once more, slow and obvious, over events in the order of the ledger."""

    def __init__(self) -> None:
        self.policy: PolicyDocument | None = None
        self.shelves: dict[str, Shelf] = {}

    def write(self, entry: Entry, times: Mapping[str, datetime], failed: Callable[[str], Failed]) -> None:
        """Take one event in. `times`: when evidence and signatures say they were made, by subject."""
        facts, shelf = entry.facts, self.shelves.setdefault(entry.project, Shelf())
        match entry.kind:
            case EventKind.POLICY_PUBLISHED:
                self.policy = parse(facts["source"])
            case EventKind.GRANT_GIVEN:
                shelf.holds[facts["grant"]] = (facts["holder_id"], facts["right"], facts["role"])
            case EventKind.GRANT_REVOKED:
                del shelf.holds[facts["grant"]]
            case EventKind.SIGNOFF_GIVEN:
                shelf.words[facts["signoff"]] = Word(entry.actor_id, times[entry.subject], facts)
            case EventKind.SIGNOFF_WITHDRAWN:
                shelf.words[facts["signoff"]].withdrawn = True
            case EventKind.WAIVER_ASKED:
                shelf.leaves[facts["waiver"]] = Leave(entry.actor_id, facts)
            case EventKind.WAIVER_GRANTED:
                shelf.leaves[facts["waiver"]].by = entry.actor_id
            case EventKind.WAIVER_WITHDRAWN:
                shelf.leaves[facts["waiver"]].withdrawn = True
            case EventKind.EVIDENCE_RECORDED if (
                facts["evidence"] != "project"
            ):  # of what the bundle holds, nobody asks
                one = (times[entry.subject], facts["digest"], failed(facts["result"]), facts["parts"])
                shelf.evidence.append(one)

    def holders(self, project: str, right: str, role: str = "") -> set[str]:
        """Who holds a right there, on the project or on the whole estate."""
        rows = [*self.shelves[project].holds.values(), *self.shelves[""].holds.values()]
        return {person for person, *what in rows if what == [right, role]}

    def closed(self, project: str, parts: Mapping[str, str], bundle: str) -> str:
        """Why the gate is closed for a bundle of these parts, or an empty text."""
        assert self.policy is not None
        shelf = self.shelves[project]
        failed = {digest: names for _at, digest, names, _of in shelf.evidence}
        about = [(at, names) for at, _digest, names, of in shelf.evidence if of == parts]
        if not about or (max(about)[1] and not self.waived(project, parts, max(about)[1])):
            return "tests"
        passed = not max(about)[1]
        able: list[set[str]] = []
        for clause in self.policy.rules("critical", "prod").requirements:
            if clause.kind != "sign_off":
                continue
            role = clause.params["role"]
            scope = {part: parts[part] for part in {*clause.params["covers"], "other"}}
            spoken: dict[str, dict[bool, Word]] = {}
            for word in sorted(shelf.words.values(), key=lambda one: one.at):
                told = word.facts
                if told["role"] == role and told["clause"] == clause.digest and told["covered"] == scope:
                    said = spoken.setdefault(word.person, {})
                    if word.ends:
                        said.clear()
                    # The newest about this bundle, and the newest carried from another; the later of them last.
                    said.pop(told["bundle"] == bundle, None)
                    said[told["bundle"] == bundle] = word
            counts: set[str] = set()
            for person in spoken.keys() & self.holders(project, "sign", role):
                for word in reversed(spoken[person].values()):
                    if word.ends:
                        if not word.withdrawn:
                            return f"{role} said no"
                        break
                    # Given while the tests said what they say now; if not, what was said before it stands.
                    if all((not failed[one]) == passed for one in word.facts["evidence"]):
                        counts.add(person)
                        break
            able += [counts] * int(clause.params["people"])
        if not any(len({*seats}) == len(able) for seats in product(*able)):
            return "signatures"
        return ""

    def waived(self, project: str, parts: Mapping[str, str], failed: Failed) -> bool:
        """Whether somebody let pass that just these tests fail."""
        assert self.policy is not None
        rules = self.policy.rules("critical", "prod").requirements
        (clause,) = (one.digest for one in rules if one.kind == "tests")
        return any(
            one.by in self.holders(project, "waive") - {one.asker}
            and not one.withdrawn
            and (one.facts["clause"], one.facts["parts"]) == (clause, parts)
            and failed == tuple(run["scenario"] for run in one.facts["finding"]["says"][1])
            for one in self.shelves[project].leaves.values()
        )


# --- a project and a promotion that are disturbed --------------------------------------------------------------------


class Hollow:
    """A Deployer and a node that agree to everything, and say when the live change is near."""

    def __init__(self, body: bytes, bundle_id: str, near: Callable[[], None]) -> None:
        self.body, self.bundle_id, self.near = body, bundle_id, near

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None: ...

    def infra(self, infra_id: str) -> Infra:
        return Infra(infra_id, "Production", "", True, "")

    def active_bundle(self, _project: str) -> str:
        return "v0"

    def published_bundles(self, _project: str) -> list[str]:
        return [self.bundle_id]

    @contextmanager
    def open_published_bundle(self, _project: str, _bundle_id: str) -> Iterator[Iterator[bytes]]:
        yield iter([self.body])

    def find_deployment(self, project: str, infra_id: str) -> DeploymentInfo:
        return DeploymentInfo("there", project, infra_id, "v0", project, True)

    def deployment_settings(self, deployment_id: str) -> DeploymentSettings:
        self.near()
        return DeploymentSettings(deployment_id, "", "", "v0", True)

    def updates(self, _deployment: str) -> list[Update]:
        return []

    def set_deployment_bundle(self, _deployment: str, _bundle_id: str, **_how: Any) -> bool:
        return True

    def start_update(self, _deployment: str) -> str:
        return "job"


@dataclass(frozen=True, slots=True)
class Act:
    """What one connection does: `what` by name, when the live change is near or at once, and how late (0 to 1)."""

    what: str
    near: bool
    after: float


class Home:
    """A project in which one history comes after the other."""

    def __init__(self, ground: "Ground", number: int) -> None:
        self.cast, self.grants = ground.cast, dict[str, Grant]()
        self.project: Project = imported(
            by=ground.cast.ada,
            node=ground.cast.design,
            pipeline=ground.cast.pipeline,
            key=f"H{number}",
            tier="critical",
            owner="olga",
        )
        self.lanes: dict[str, Lane] = {stage: lane(self.project, stage) for stage in ("qa", "prod")}
        self.members = dict(MEMBERS)

    def give(self, whose: str) -> None:
        person, right, role = {
            "dev": (self.cast.dev, Right.REQUEST, ""),
            "mona": (self.cast.mona, Right.PROMOTE, ""),
            "fay": (self.cast.fay, Right.SIGN, "fairness"),
            "ravi": (self.cast.ravi, Right.SIGN, "model-risk"),
            "abe": (self.cast.abe, Right.WAIVE, ""),
        }[whose]
        self.grants[whose] = grants.grant(
            by=self.cast.ada, person=person, right=right, role=role, project=self.project, why="For this."
        )

    def complete(self) -> None:
        """Everybody has their rights."""
        there = set(Grant.objects.filter(project=self.project, revoked_at=None).values_list("pk", flat=True))
        for whose in ("dev", "mona", "fay", "ravi", "abe"):
            if whose not in self.grants or self.grants[whose].pk not in there:
                self.give(whose)


class History:
    """One promotion of a project, and what happens around it."""

    def __init__(self, ground: "Ground", home: Home, number: int) -> None:
        cast, self.ground, self.home = ground.cast, ground, home
        self.cast, self.rng, self.project = cast, random.Random(number), home.project
        self.lane, self.qa = home.lanes["prod"], home.lanes["qa"]
        self.numbers = count(1000 * number)
        self.near, self.promotion = threading.Event(), 0
        self.near_at = 0.0
        self.bound: dict[str, str] = {}
        self.waives = self.rng.random() < 0.4
        # Another dashboard, another model, or the same again: signatures are carried or not.
        member = self.rng.choice(("", "dashboards/overview.json", "saved_models/churn_model.json"))
        if member:
            home.members[f"project_config/{member}"] = {"changed": number}
        self.body = archive("CHURN", "v1", home.members)
        parts = dict(read_manifest(io.BytesIO(self.body)).parts)
        self.bundle: Bundle = copy_of(
            ground.bundle, project_id=self.project.pk, bundle_id=f"h{number}", parts=parts
        )
        home.complete()
        if ground.rules["people"] != 1:
            self.one_signs()
        self.evidence_equal()
        self.request = requests.submit(by=cast.dev, bundle=self.bundle, lane=self.lane, why="It is better.")
        if self.waives:
            self.tests_fail()
            self.dev_asks_to_waive()
            self.abe_waives()
        _live, closed = ground.checked(self)
        for who in ("eli_signs_risk", "fay_signs", "ravi_signs"):
            if (closed == "signatures" and who != "eli_signs_risk") or closed.endswith("said no"):
                self.do(who)
                _live, closed = ground.checked(self)
        assert closed == ""

    def drawn(self) -> list[list[Act]]:
        """For each connection but the first, which promotes, what it does."""
        harmful = (*HARMFUL, *TO_WAIVERS * 2) if self.waives else HARMFUL
        acts = [
            Act(what, self.rng.random() < 0.8, self.rng.random())
            for what in (
                *self.rng.choices(harmful, k=self.rng.choice((0, 1, 1, 1, 2, 2))),
                *self.rng.choices(HARMLESS, k=self.rng.randint(1, 3)),
                *self.rng.choices(REPAIRS, k=self.rng.choice((0, 0, 1))),
            )
        ]
        self.rng.shuffle(acts)
        return [acts[start :: CONNECTIONS - 1] for start in range(CONNECTIONS - 1)]

    def play(self, acts: list[Act]) -> None:
        """One connection's part. What is refused is refused: that is what the rules are for."""
        for act in acts:
            if act.near:
                self.near.wait(20)
            time.sleep(act.after * NEAR * self.ground.steps_take)
            self.do(act.what)

    def do(self, what: str) -> None:
        try:
            getattr(self, what)()
        except Refused as refusal:
            self.ground.refused.append((what, refusal.code))

    def promote(self) -> None:
        """Start it and take it through its steps to the live change, or to its end."""
        try:
            request = DeploymentRequest.objects.select_related(
                "lane__project", "lane__stage", "bundle__author", "requested_by", "on_behalf_of"
            ).get(pk=self.request.pk)
            self.promotion = promotions.promote(by=self.cast.mona, request=request).pk
            if self.work():
                self.ground.steps_took(time.monotonic() - self.near_at)
        finally:
            self.comes_near()

    def comes_near(self) -> None:
        if not self.near.is_set():
            self.near_at = time.monotonic()
            self.near.set()

    def work(self) -> bool:
        """A worker: turns until it is live (True), over, or somebody else's."""
        for _turn in range(40):
            row = Promotion.objects.filter(pk=self.promotion).values("status", "live_at").first()
            if row is None or row["live_at"] is not None or row["status"] != Promotion.Status.RUNNING:
                return row is not None and row["live_at"] is not None
            runner.advance(self.promotion)
        return False

    # what is done: harmful

    def fay_withdraws(self) -> None:
        self._withdraw(self.cast.fay)

    def ravi_withdraws(self) -> None:
        self._withdraw(self.cast.ravi)

    def fay_loses_her_role(self) -> None:
        self._revoke("fay")

    def ravi_loses_his_role(self) -> None:
        self._revoke("ravi")

    def mona_loses_her_right(self) -> None:
        self._revoke("mona")

    def dev_loses_his_right(self) -> None:
        self._revoke("dev")

    def tests_fail(self) -> None:
        self._tests("FAILED")

    def abe_takes_it_back(self) -> None:
        given = self._waivers().filter(answer__granted=True, withdrawal=None).first()
        if given is not None:
            waivers.withdraw(by=self.cast.abe, waiver=given, why="Read it too fast.")

    def abe_loses_his_right(self) -> None:
        self._revoke("abe")

    def two_have_to_sign(self) -> None:
        self._publish(people=2)

    def eli_objects(self) -> None:
        self._sign(self.cast.eli, "model-risk", "reject")

    # harmless

    def evidence_equal(self) -> None:
        self._tests("SUCCESS")

    def another_tier_is_edited(self) -> None:
        self._publish(light=self.rng.randint(1, 300))

    def fay_signs(self) -> None:
        self._sign(self.cast.fay, "fairness")

    def ravi_signs(self) -> None:
        self._sign(self.cast.ravi, "model-risk")

    def eli_signs_fairness(self) -> None:
        self._sign(self.cast.eli, "fairness")

    def eli_signs_risk(self) -> None:
        self._sign(self.cast.eli, "model-risk")

    def dev_asks_to_waive(self) -> None:
        waiving.ask(
            by=self.cast.dev,
            request=self.request,
            requirement="tests:qa",
            why="It is known.",
            until=timezone.now() + timedelta(days=1),
        )

    # repairs, which may come in time or not

    def abe_waives(self) -> None:
        open_ = self._waivers().filter(answer=None, withdrawal=None).first()
        if open_ is not None:
            bound = waiving.draft(by=self.cast.abe, request=self.request, waiver=open_).bound
            waiving.grant(
                by=self.cast.abe,
                proof=Password(PASSWORD),
                request=self.request,
                waiver=open_,
                bound=bound,
            )

    def one_signs(self) -> None:
        self._publish(people=1)

    def fay_gets_her_role(self) -> None:
        self.home.give("fay")

    def mona_gets_her_right(self) -> None:
        self.home.give("mona")

    # what comes after

    def end(self) -> None:
        """The promotion that went live is done, for the next."""
        if self.promotion:
            promotion = Promotion.objects.select_related("lane__project", "request").get(pk=self.promotion)
            if promotion.live_at is not None:
                succeeded(promotion)

    # how

    def _withdraw(self, by: Person) -> None:
        words = SignOff.objects.filter(lane=self.lane, person=by, withdrawal=None).select_related(
            "lane__project"
        )
        last = words.order_by("-signed_at").first()
        if last is not None:
            signoffs.withdraw(by=by, signoff=last, why="Read it too fast.")

    def _waivers(self) -> QuerySet[Waiver]:
        rows = Waiver.objects.filter(lane=self.lane, bundle=self.bundle)
        return rows.select_related("lane__project", "lane__stage", "bundle", "asked_by").order_by("-pk")

    def _revoke(self, whose: str) -> None:
        grants.revoke(
            by=self.cast.ada, grant=Grant.objects.get(pk=self.home.grants[whose].pk), why="Moved on."
        )

    def _tests(self, outcome_: str) -> None:
        one = f"TEST_{next(self.numbers)}"
        runs = [{"scenario": one, "outcome": outcome_}]
        evidence.record_tests(by=None, bundle=self.bundle, lane=self.qa, listed=[one], runs=runs, source={})

    def _publish(self, **changes: int) -> None:
        with self.ground.publishing:  # what is in force is read, then changed
            self.ground.rules = {**self.ground.rules, **changes}
            policies.publish(by=self.cast.ada, source=RULES.format(**self.ground.rules))

    def _sign(self, by: Person, role: str, decision: str = "approve") -> None:
        requirement = f"sign_off:{role}"

        def sign(bound: str) -> None:
            signing.sign(
                by=by,
                proof=Password(PASSWORD),
                request=self.request,
                requirement=requirement,
                decision=decision,
                bound=bound,
                comment=f"Because {next(self.numbers)}.",
            )

        # What was read before is signed, as far as it is what there is still: reading costs half of it.
        if (read := self.bound.get(role)) is not None:
            with suppress(Stale):
                sign(read)
                return
        shown = signing.draft(by=by, request=self.request, requirement=requirement)
        self.bound[role] = shown.bound
        sign(shown.bound)


HARMFUL = (
    *("fay_withdraws", "ravi_withdraws", "fay_loses_her_role", "ravi_loses_his_role", "mona_loses_her_right"),
    *("dev_loses_his_right", "tests_fail", "two_have_to_sign", "eli_objects"),
)
TO_WAIVERS = ("abe_takes_it_back", "abe_loses_his_right", "tests_fail")
HARMLESS = (
    *("evidence_equal", "another_tier_is_edited", "fay_signs", "ravi_signs", "eli_signs_fairness"),
    *("eli_signs_risk", "work", "promote", "dev_asks_to_waive"),
)
REPAIRS = (
    "one_signs",
    "fay_gets_her_role",
    "mona_gets_her_right",
    "fay_signs",
    "ravi_signs",
    "evidence_equal",
    "abe_waives",
)


class Ground:
    """What all histories share: the people, one bundle's bytes, the books and what was refused."""

    def __init__(self) -> None:
        self.cast: Cast = make_cast()
        self.bundle: Bundle = bundle_registered(self.cast)
        self.books, self.read = Books(), -1
        self.rules = {"people": 1, "light": 30}
        # Seconds from when the live change is near until it is made, as of late: a busy machine takes several times as
        # long as an idle one, and what disturbs has to fall into just this time.
        self.steps_take = 0.15
        self.publishing = threading.Lock()
        self.refused: list[tuple[str, str]] = []
        policies.publish(by=self.cast.ada, source=RULES.format(**self.rules))
        for role in ROLES:  # who may always sign, for either
            grants.grant(
                by=self.cast.ada, person=self.cast.eli, right=Right.SIGN, role=role, why="Stands by."
            )

    def steps_took(self, seconds: float) -> None:
        self.steps_take += (min(seconds, 2.0) - self.steps_take) / 4

    def checked(self, history: History) -> tuple[int, str]:
        """Read on in the ledger: how many live changes there were, and why the gate is closed after all of it."""
        entries = ledger.events(after=self.read)
        pieces = Evidence.objects.filter(project=history.project)
        words = SignOff.objects.filter(lane=history.lane)
        times: dict[str, datetime] = {
            **{f"evidence:{pk}": at for pk, at in pieces.values_list("pk", "recorded_at")},
            **{f"signoff:{pk}": at for pk, at in words.values_list("pk", "signed_at")},
        }
        results = dict(pieces.values_list("result_id", "result__body"))

        def failed(result: str) -> Failed:
            runs = json.loads(bytes(results[result]))["runs"]
            return tuple(one["scenario"] for one in runs if one["outcome"] == "FAILED")

        key, parts, live = history.project.key, history.bundle.parts, 0
        name = history.bundle.bundle_id
        for entry in entries:
            self.read = entry.seq
            if entry.kind == EventKind.PROMOTION_LIVE:
                live += 1
                told = (
                    key,
                    entry.seq,
                    [(one.seq, one.kind.value, one.facts.get("stage")) for one in entries],
                )
                assert self.books.closed(key, parts, name) == "", told
                assert str(history.cast.mona.pk) in self.books.holders(key, "promote"), told
                assert str(history.cast.dev.pk) in self.books.holders(key, "request"), told
            self.books.write(entry, times, failed)
        return live, self.books.closed(key, parts, name)


@contextmanager
def hollow(history: History) -> Iterator[None]:
    def connect(_node: object, **_options: object) -> Hollow:
        return Hollow(history.body, history.bundle.bundle_id, history.comes_near)

    with patch.object(outcome, "connect", connect):
        yield


@pytest.mark.postgres
def test_no_interleaving_goes_live_through_a_closed_gate(
    database_copy: Database, full_size: bool, settings: Settings
) -> None:
    settings.EVENT_TASKS = settings.PROJECT_TASKS = settings.ESTATE_TASKS = {}
    ground = Ground()
    lives = refusals = waived = 0
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        meet = threading.Barrier(CONNECTIONS)

        def one(call: Callable[[], None]) -> None:
            meet.wait(30)  # each on a thread, and so a connection, of its own
            call()

        def together(calls: list[Callable[[], None]]) -> None:
            for future in [pool.submit(one, call) for call in calls]:
                future.result(60)

        try:
            for number in range(LONG_HISTORIES if full_size else HISTORIES):
                if number % EACH == 0:
                    home = Home(ground, number)
                history = History(ground, home, number)
                others = [partial(history.play, acts) for acts in history.drawn()]
                with hollow(history):
                    together([partial(history.do, "promote"), *others])
                live, closed = ground.checked(history)
                assert live <= 1
                lives, refusals = lives + live, refusals + (not live)
                waived += live and history.waives
                now = judge_now(DeploymentRequest.objects.get(pk=history.request.pk)).verdict
                assert now.met == (closed == ""), (number, closed, now.missing)
                history.end()
        finally:
            together([lambda: connection.close()] * CONNECTIONS)  # each its own
    assert min(lives, refusals) > (lives + refusals) / 5, (lives, refusals)
    assert waived > (lives + refusals) / 50, waived
    assert verify().problem == ""
    failed = ledger.events(kinds=[EventKind.STEP_FAILED])
    assert {one.facts["code"] for one in failed} >= {"gate_closed"}, ground.refused
