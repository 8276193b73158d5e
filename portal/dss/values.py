"""What DSS answers, as frozen values of our own.

Only facts that the portal uses have a field; `raw` keeps the whole answer where it has to be recorded. Not in
charge of reading them off the wire (`client`) nor of judging them. Times are milliseconds since 1970 (UTC), as
DSS gives them; a time that has not come is None.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal

Raw = Mapping[str, Any]
Cell = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Message:
    """One of DSS's info messages. severity: SUCCESS, INFO, WARNING or ERROR."""

    severity: str
    code: str
    title: str
    text: str
    fatal: bool = False


@dataclass(frozen=True, slots=True)
class Instance:
    """Which node this is. kind: design, automation, deployer, govern, or whatever DSS says, lower case."""

    node_id: str
    name: str
    kind: str
    version: str


@dataclass(frozen=True, slots=True)
class Who:
    """Whom the key acts as."""

    identifier: str
    groups: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ProjectSummary:
    """A project of a design or automation node. active_bundle only on an automation node."""

    key: str
    name: str
    owner_login: str
    short_desc: str
    status: str
    tags: tuple[str, ...] = ()
    active_bundle: str | None = None
    raw: Raw = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class PermissionEntry:
    """What one group or one user may do on a DSS project. rights: DSS's own names of the granted rights."""

    group: str | None
    user: str | None
    rights: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ProjectPermissions:
    owner: str
    entries: tuple[PermissionEntry, ...]


@dataclass(frozen=True, slots=True)
class DssUser:
    """A user of the node. email and groups are empty, enabled is True, where the key may not see them."""

    login: str
    display_name: str
    email: str
    groups: tuple[str, ...]
    enabled: bool


@dataclass(frozen=True, slots=True)
class DssGroup:
    name: str
    description: str


@dataclass(frozen=True, slots=True)
class BundleInfo:
    """An exported bundle on a design node. exported_by is "" and exported_on None where DSS does not tell."""

    bundle_id: str
    exported_by: str
    exported_on: int | None
    raw: Raw = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Infra:
    """An infrastructure of the Deployer. can_deploy: for our key, None when DSS does not tell."""

    id: str
    stage: str
    govern_policy: str
    can_deploy: bool | None
    automation_url: str


@dataclass(frozen=True, slots=True)
class PublishedBundle:
    id: str
    published_on: int | None
    published_by: str


@dataclass(frozen=True, slots=True)
class DeploymentInfo:
    """A deployment as the Deployer lists it. bundle_id is what its settings say, not what runs."""

    id: str
    project: str
    infra_id: str
    bundle_id: str | None
    deployed_project: str
    enabled: bool | None
    never_deployed: bool | None = None


@dataclass(frozen=True, slots=True)
class PublishedProject:
    """A project of the Deployer. can_deploy: for our key, None when DSS does not tell."""

    key: str
    can_deploy: bool | None
    can_write: bool | None
    bundles: tuple[PublishedBundle, ...]
    deployments: tuple[DeploymentInfo, ...]
    infras: tuple[str, ...] = ()

    @property
    def bundle_ids(self) -> tuple[str, ...]:
        return tuple(bundle.id for bundle in self.bundles)


@dataclass(frozen=True, slots=True)
class DeploymentSettings:
    """The stored settings of a deployment. raw: the whole object, safe to keep. enabled None: DSS does not tell."""

    id: str
    project: str
    infra_id: str
    bundle_id: str
    enabled: bool | None
    raw: Raw = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Update:
    """One entry of a deployment's list of updates. type and status are DSS's words, unconfirmed for real nodes."""

    started_ms: int
    ended_ms: int | None
    type: str
    status: str
    requester: str
    raw: Raw = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class DeploymentStatus:
    """How a deployment is. health: UNKNOWN, ERROR, WARNING, HEALTHY, UNHEALTHY or OUT_OF_SYNC."""

    health: str
    messages: tuple[Message, ...]
    bundle_id: str | None
    enabled: bool | None
    never_deployed: bool | None
    raw: Raw = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class FutureState:
    """Where a long-running task is.

    state: "running" until it ends; "done" when it has a result, which may still carry an error (`has_error`);
    "failed", "aborted" or "unknown" (DSS has forgotten it). message: why, one line. running_ms: how long it ran.
    """

    state: Literal["running", "done", "failed", "aborted", "unknown"]
    result: Any = field(default=None, compare=False)
    message: str = ""
    running_ms: int | None = None
    messages: tuple[Message, ...] = ()
    has_error: bool = False

    @property
    def is_over(self) -> bool:
        return self.state != "running"

    @property
    def succeeded(self) -> bool:
        """Done, and its result holds no error."""
        return self.state == "done" and not self.has_error


@dataclass(frozen=True, slots=True)
class RunningFuture:
    job_id: str
    started_ms: int | None
    running_ms: int | None
    raw: Raw = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario of a project. running: one of its runs is under way now."""

    id: str
    name: str
    marked_as_test: bool
    active: bool
    running: bool


@dataclass(frozen=True, slots=True)
class TriggerFire:
    """A request to run a scenario; it can be rebuilt from its two stored ids alone. run_id: the fire's own id."""

    trigger_id: str
    run_id: str
    cancelled: bool = False
    raw: Raw = field(default_factory=dict, repr=False, compare=False)


class Fire(Enum):
    """What became of a fire that has no run."""

    CANCELLED = "cancelled"


CANCELLED: Literal[Fire.CANCELLED] = Fire.CANCELLED


@dataclass(frozen=True, slots=True)
class ScenarioStep:
    """outcome: SUCCESS, WARNING, FAILED, ABORTED, or None while it runs. message: what it threw, or ""."""

    name: str
    type: str
    outcome: str | None
    message: str


@dataclass(frozen=True, slots=True)
class ScenarioRun:
    """One run. outcome: SUCCESS, WARNING, FAILED, ABORTED; None while it runs. steps only from `scenario_run`."""

    run_id: str
    started_ms: int | None
    ended_ms: int | None
    outcome: str | None
    steps: tuple[ScenarioStep, ...] = ()
    raw: Raw = field(default_factory=dict, repr=False, compare=False)

    @property
    def is_over(self) -> bool:
        return self.outcome is not None


@dataclass(frozen=True, slots=True)
class TestingStatus:
    """How the test scenarios that ran came out. Those that never ran are not counted: compare with the list."""

    ran: int
    per_outcome: Mapping[str, int]

    # pytest collects classes by their name.
    __test__ = False


@dataclass(frozen=True, slots=True)
class Column:
    """type: DSS's storage type, such as string, int, bigint, double, boolean, date."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Build:
    """The last build of a dataset. None for what DSS does not tell; a dataset never built tells nothing."""

    started_ms: int | None
    succeeded: bool | None


@dataclass(frozen=True, slots=True)
class SavedModel:
    id: str
    name: str
    type: str


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """snippet: DSS's flat performance figures and bookkeeping of the version."""

    id: str
    active: bool
    name: str
    snippet: Raw = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class ModelDetails:
    """A model version in detail. prediction_type, target: "" when DSS does not tell. metrics: finite numbers only."""

    full_id: str
    name: str
    prediction_type: str
    target: str
    metrics: Mapping[str, float]
    raw: Raw = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Recipe:
    name: str
    type: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StandardsCheck:
    """What one check of the project standards found. severity: 0 nothing to 5 critical, None where DSS tells none."""

    id: str
    name: str
    status: str
    severity: int | None
    message: str


@dataclass(frozen=True, slots=True)
class StandardsReport:
    scope: str
    checks: tuple[StandardsCheck, ...]


@dataclass(frozen=True, slots=True)
class GovernSignOff:
    """status: Govern's own word, such as APPROVED; "" where it says none."""

    step: str
    status: str


@dataclass(frozen=True, slots=True)
class GovernArtifact:
    id: str
    name: str
    signoffs: tuple[GovernSignOff, ...]


@dataclass(frozen=True, slots=True)
class CodeEnv:
    """lang: PYTHON or R. mode: DSS's deployment mode."""

    lang: str
    name: str
    mode: str
    owner: str


@dataclass(frozen=True, slots=True)
class Connection:
    """What a connection test found, without changing anything. None: not asked or not known.

    clock_skew_s: the node's clock minus ours, whole seconds. deployer: whether the Deployer's endpoints answer.
    problems: sentences for a person, in the order found.
    """

    reachable: bool
    authenticated: bool | None = None
    instance: Instance | None = None
    clock_skew_s: float | None = None
    who: Who | None = None
    projects: int | None = None
    deployer: bool | None = None
    infras: tuple[Infra, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def usable(self) -> bool:
        return self.reachable and bool(self.authenticated) and self.instance is not None
