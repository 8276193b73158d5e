"""The DSS adapter: the only importer of dataikuapi. One `Dss` per node and job.

It asks one thing at a time, with a timeout, repeats only where repeating is safe, never waits for a task to
end, and answers with values and errors of our own. Not in charge of what an answer means, of waiting, or of
looking before acting: that is the caller's.
"""

import base64
import csv
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal, Self, TypeVar

import dataikuapi
import requests
import urllib3

from portal.dss import answers as read
from portal.dss import values as v
from portal.dss.errors import (
    BadAnswer,
    BadName,
    BeyondLimit,
    Conflict,
    DssError,
    DssFault,
    Missing,
    NotAllowed,
    Unreachable,
    plain,
)
from portal.dss.keys import Key
from portal.dss.transport import Multipart, Readable, Wire, kind_of_refusal, length_of, lines, pieces, trouble

T = TypeVar("T")

# Ids are put into the address unquoted by dataikuapi: a slash or a question mark would ask for something else.
_ID = re.compile(r"[A-Za-z0-9_.-]{1,200}")
# Answers of a gateway in front of a node that is starting or busy.
_PASSING_STATUS = frozenset({502, 503, 504})
_REPEATS = 2
# Reports of a test run are pages of text; more is not a report.
MAX_REPORT_BYTES = 20 * 1024 * 1024
MAX_ROW_BYTES = 16 * 1024 * 1024
MAX_ROWS = 200_000_000
MB = 1024 * 1024
# A stream that brings less than this in that many seconds is as good as none: it would hold its worker for nothing.
SLOWEST_BYTES = 64 * 1024
SLOWEST_SECONDS = 60.0
# Artifacts of one page of a search in Govern, and how many pages of them are read.
GOVERN_PAGE, GOVERN_PAGES = 200, 100
# Code recipes hold their code as payload; the payload of the visual ones is DSS's own JSON.
_CODE_RECIPE = re.compile(r"(?i)(python|^r$|sql|spark|shell|hive|impala|julia|scala)")
# Some models answer with an error instead of an empty object where nothing was computed.
# What DSS wants said of a computation on a model: dataikuapi's own defaults, all of them.
_COMPUTATION = {"sample_size": 1000, "random_state": 1337, "n_jobs": 1, "debug_mode": False}
_NOT_COMPUTED = re.compile(r"(?i)not (been )?(computed|available|supported)|unsupported|no .{0,40}computed")


class Download:
    """A binary stream of DSS: iterate over it once, in chunks of at most 256 KiB. length: bytes promised, or None.

    Raises while iterating: BadAnswer when the stream is cut short, Unreachable when it stalls or trickles, BeyondLimit
    when it goes on beyond the client's limit of bytes or time; and whatever the client's `still` raises.
    """

    def __init__(self, dss: "Dss", operation: str, response: requests.Response) -> None:
        self._dss = dss
        self._operation = operation
        self._response = response
        promised = response.headers.get("Content-Length", "")
        # A compressed answer promises the compressed length.
        encoded = response.headers.get("Content-Encoding", "identity") not in ("", "identity")
        self.length = int(promised) if promised.isdecimal() and not encoded else None

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._bounded()
        except Exception as error:
            raise self._dss._translate(error, self._operation, streaming=True) from None

    def _bounded(self) -> Iterator[bytes]:
        limit, seconds = self._dss._stream_bytes, self._dss._stream_seconds
        if self.length is not None and self.length > limit:
            raise self._beyond(f"it announced more than the limit of {round(limit / MB, 3):g} MB")
        began = counted = time.monotonic()
        size = lately = 0
        for piece in pieces(self._response):
            self._dss._still()
            now = time.monotonic()
            size += len(piece)
            lately += len(piece)
            if size > limit:
                raise self._beyond(f"it sent more than the limit of {round(limit / MB, 3):g} MB")
            if now - began > seconds:
                raise self._beyond(f"it took longer than the limit of {seconds:g} s")
            if now - counted >= SLOWEST_SECONDS:
                if lately < SLOWEST_BYTES:
                    raise self._slow()
                counted, lately = now, 0
            yield piece

    def _beyond(self, reason: str) -> BeyondLimit:
        return BeyondLimit(reason, node=self._dss.node, operation=self._operation)

    def _slow(self) -> Unreachable:
        reason = f"it sent less than {SLOWEST_BYTES // 1024} KB in {SLOWEST_SECONDS:g} s"
        return Unreachable(reason, node=self._dss.node, operation=self._operation)

    def read_all(self, limit: int) -> bytes:
        """Return the whole stream. Raises BadAnswer beyond `limit` bytes."""
        parts, size = [], 0
        for chunk in self:
            size += len(chunk)
            if size > limit:
                raise self._dss._bad(self._operation, f"more than {limit // (1024 * 1024)} MB")
            parts.append(chunk)
        return b"".join(parts)


class Dss:
    """One DSS node, for one job; not for several threads at once.

    Every method may raise a DssError (`portal.dss.errors`): Unreachable, NotAuthenticated, NotAllowed, Missing,
    Conflict, BadAnswer, DssFault, BadName for an id that DSS cannot have, or DssError itself for any other "no".
    Methods that only look are tried up to three times when the trouble is of a passing kind; methods that act
    are sent once, and an error whose `may_have_happened` is true means: look before doing it again.
    """

    def __init__(
        self,
        *,
        url: str,
        key: Key | str,
        node: str,
        verify: bool | str = True,
        connect_timeout: float = 5,
        read_timeout: float = 60,
        work_timeout: float = 1800,
        stream_bytes: int = 8192 * MB,
        stream_seconds: float = 3600,
        still: Callable[[], None] = lambda: None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """url: address of the node as a browser opens it; node: its name in the portal, for messages; verify: False
        or the path of a CA bundle; timeouts in seconds; work_timeout: for the calls that DSS answers only when the
        work is done (exporting a bundle, taking an upload); stream_bytes, stream_seconds: the most that is taken of one
        stream; still: asked with each piece of a stream whether it is still wanted, and raises where it is not."""
        self.node = node
        self._key = key if isinstance(key, Key) else Key("given", key)
        # A node or proxy that echoes the request would show the header, which is the key in other letters.
        header = base64.b64encode(f"{self._key.reveal()}:".encode()).decode()
        self._secrets = (self._key.reveal(), header)
        self._work_timeout = work_timeout
        self._stream_bytes = stream_bytes
        self._stream_seconds = stream_seconds
        self._still = still
        self._sleep = sleep
        # A trailing slash would ask for //dip/publicapi.
        self._client = dataikuapi.DSSClient(url.strip().rstrip("/"), self._key.reveal())
        self._client._session.verify = verify
        if verify is False:
            # Whoever entered the node decided so; a warning with each request would drown the log.
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        self._wire = Wire(self._client._session, connect_timeout=connect_timeout, read_timeout=read_timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Dss({self.node!r})"

    def close(self) -> None:
        """Close the connections to the node."""
        self._client._session.close()

    # --- Asking ------------------------------------------------------------------------------------------------

    def _once(self, operation: str, call: Callable[[], T], *, acting: bool, by_text: bool) -> T:
        self._wire.forget()
        try:
            return call()
        except Exception as error:
            raise self._translate(error, operation, acting=acting, by_text=by_text) from None

    def _look(self, operation: str, call: Callable[[], T], *, by_text: bool = True) -> T:
        """Ask something that changes nothing; repeat passing trouble."""
        return self._repeat(lambda: self._once(operation, call, acting=False, by_text=by_text))

    def _act(self, operation: str, call: Callable[[], T], *, repeatable: bool = False) -> T:
        """Ask for a change, once; `repeatable` only where doing it twice is doing it once."""
        if repeatable:
            return self._repeat(lambda: self._once(operation, call, acting=True, by_text=True))
        return self._once(operation, call, acting=True, by_text=True)

    def _repeat(self, attempt: Callable[[], T]) -> T:
        for turn in range(_REPEATS):
            try:
                return attempt()
            except DssError as error:
                if not error.passing:
                    raise
            # Jitter, so that several jobs do not come back to a struggling node together.
            self._sleep(0.15 * 2**turn * random.uniform(0.7, 1.3))  # noqa: S311
        return attempt()

    def _translate(
        self,
        error: Exception,
        operation: str,
        *,
        acting: bool = False,
        by_text: bool = True,
        streaming: bool = False,
    ) -> Exception:
        """Return our error for whatever a call raised; an error of our own code comes back as it is."""
        if isinstance(error, DssError):
            return error
        # While a stream is read other requests may have come between; their answers are not about it.
        refusal = None if streaming else self._wire.refusal
        # The status decides, whatever the client made of the body: a JSON list as error body makes it stumble.
        if refusal is not None:
            kind = kind_of_refusal(refusal, by_text=by_text)
            return kind(
                plain(refusal.message, *self._secrets),
                node=self.node,
                operation=operation,
                status=refusal.status,
                error_type=refusal.error_type,
                may_have_happened=acting and refusal.status >= 500,
                passing=refusal.status in _PASSING_STATUS and not refusal.said_by_dss,
            )
        found = trouble(error, self._wire)
        if found is not None:
            return found.kind(
                plain(found.reason, *self._secrets),
                node=self.node,
                operation=operation,
                status=self._wire.status,
                may_have_happened=acting and found.sent,
                passing=found.passing,
            )
        if isinstance(error, read.Lacking):
            # An act that was answered with success has happened, however odd the answer.
            return self._bad(operation, str(error), may_have_happened=acting)
        return error

    def _bad(self, operation: str, reason: str, *, may_have_happened: bool = False) -> BadAnswer:
        return BadAnswer(
            reason,
            node=self.node,
            operation=operation,
            status=self._wire.status,
            may_have_happened=may_have_happened,
        )

    def _id(self, value: str) -> str:
        if not _ID.fullmatch(value) or not value.strip("."):
            raise BadName(f"'{plain(value)[:60]}' cannot be an id in DSS.", node=self.node)
        return value

    def _get(self, path: str, **params: Any) -> Any:
        return self._client._perform_json("GET", path, params=params or None)

    @contextmanager
    def _patient(self) -> Iterator[None]:
        """Give one call the long timeout. Sending is under the connection's timeout, so it is raised as well."""
        wire = self._wire
        before = wire.connect_timeout, wire.read_timeout
        wire.connect_timeout, wire.read_timeout = max(60.0, before[0]), self._work_timeout
        try:
            yield
        finally:
            wire.connect_timeout, wire.read_timeout = before

    @contextmanager
    def _download(self, operation: str, call: Callable[[], requests.Response]) -> Iterator[Download]:
        response = self._look(operation, call)
        try:
            yield Download(self, operation, response)
        finally:
            response.close()

    def _project(self, project: str) -> Any:
        return self._client.get_project(self._id(project))

    def _deployer(self) -> Any:
        return self._client.get_projectdeployer()

    # --- Instance and identity ---------------------------------------------------------------------------------

    def instance(self) -> v.Instance:
        """Return which node this is."""
        return self._look(
            "reading what the node is",
            lambda: read.instance(self._client.get_instance_info().raw, self._wire.version),
        )

    def whoami(self) -> v.Who:
        """Return whom the key acts as."""
        return self._look("reading whom the key belongs to", lambda: read.who(self._client.get_auth_info()))

    def check_connection(self) -> v.Connection:
        """Return what this node and key allow, changing nothing. Raises nothing: troubles are in the report."""
        problems: list[str] = []

        def attempt(call: Callable[[], T]) -> T | None:
            try:
                return call()
            except DssError as error:
                if error.sentence not in problems:
                    problems.append(error.sentence)
                return None

        instance = attempt(self.instance)
        # Any status means that something answered, though perhaps not a DSS.
        if self._wire.status is None:
            return v.Connection(reachable=False, problems=tuple(problems))
        authenticated = self._wire.status != 401
        if instance is None:
            if self._wire.status in (200, 404):
                # The key would have been refused first; what knows no such address is something else.
                problems = [
                    "What answers there is not a DSS. Give the address as a browser opens DSS, with nothing behind it."
                ]
            return v.Connection(
                reachable=True,
                authenticated=False if not authenticated else None,
                clock_skew_s=self._wire.clock_skew_s,
                problems=tuple(problems),
            )
        who = attempt(self.whoami)
        projects: list[v.ProjectSummary] | None = None
        # A pure Deployer has no projects of its own to list.
        if instance.kind != "deployer":
            projects = attempt(self.list_projects)
        deployer: bool | None = None
        infras: tuple[v.Infra, ...] = ()
        # A design node may hold the Deployer as well, and is no worse without it.
        if instance.kind in ("design", "deployer"):
            try:
                infras, deployer = tuple(self.list_infras()), True
            except DssError as error:
                deployer = False
                if instance.kind == "deployer":
                    problems.append(error.sentence)
        problems += [
            f"The key may not deploy to the infrastructure {infra.id}. Ask a DSS administrator for the Deploy right "
            "on it if the portal is to promote there."
            for infra in infras
            if infra.can_deploy is False
        ]
        skew = self._wire.clock_skew_s
        if skew is not None and abs(skew) > 60:
            problems.append(
                f"The node's clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} ours. "
                "Synchronise both machines, since times in reports come from both."
            )
        return v.Connection(
            reachable=True,
            authenticated=True,
            instance=instance,
            clock_skew_s=skew,
            who=who,
            projects=None if projects is None else len(projects),
            deployer=deployer,
            infras=infras,
            problems=tuple(problems),
        )

    # --- Projects, users, environments -------------------------------------------------------------------------

    def list_projects(self) -> list[v.ProjectSummary]:
        """Return the projects that the key may see."""
        return self._look(
            "listing projects",
            lambda: [read.project(item) for item in read.items(self._client.list_projects())],
        )

    def project(self, project: str) -> v.ProjectSummary:
        """Return one project. Raises Missing."""
        handle = self._project(project)
        return self._look(f"reading project {project}", lambda: read.project(handle.get_summary()))

    def project_permissions(self, project: str) -> v.ProjectPermissions:
        """Return the owner and who may do what in DSS. Needs project administration there."""
        handle = self._project(project)
        return self._look(
            f"reading the permissions of {project}", lambda: read.permissions(handle.get_permissions())
        )

    def list_users(self) -> list[v.DssUser]:
        """Return the users of the node, with addresses and groups where the key is an administrator's."""

        def call() -> list[v.DssUser]:
            return [read.user(item) for item in read.items(self._client.list_users())]

        def basic() -> list[v.DssUser]:
            return [read.user(item) for item in read.items(self._get("/users"))]

        try:
            return self._look("listing users", call)
        except NotAllowed:
            return self._look("listing users", basic)

    def list_groups(self) -> list[v.DssGroup]:
        """Return the groups of the node, with descriptions where the key is an administrator's."""

        def call() -> list[v.DssGroup]:
            return [read.group(item) for item in read.items(self._client.list_groups())]

        def basic() -> list[v.DssGroup]:
            return [read.group(item) for item in read.items(self._get("/groups"))]

        try:
            return self._look("listing groups", call)
        except NotAllowed:
            return self._look("listing groups", basic)

    def connection_names(self, kind: str = "all") -> tuple[str, ...]:
        """Return the names of the connections that the key may use."""

        def call() -> tuple[str, ...]:
            found = self._client.list_connections_names(kind)
            if not isinstance(found, list):
                raise read.Lacking("the answer is not a list")
            return read.texts(found)

        return self._look("listing connections", call)

    def code_envs(self) -> list[v.CodeEnv]:
        """Return the code environments of the node. Needs a key that may see them."""
        return self._look(
            "listing code environments",
            lambda: [read.code_env(item) for item in read.items(self._client.list_code_envs())],
        )

    def audit(self, kind: str, params: Mapping[str, Any]) -> None:
        """Write one custom entry into DSS's audit trail (an administrator's key). The trail cannot be read back."""
        self._id(kind)
        self._act("writing to the audit trail", lambda: self._client.log_custom_audit(kind, dict(params)))

    # --- Bundles on a design node ------------------------------------------------------------------------------

    def list_bundles(self, project: str) -> list[v.BundleInfo]:
        """Return the exported bundles of a project. Raises Missing without the project."""
        handle = self._project(project)
        return self._look(
            f"listing the bundles of {project}",
            lambda: [
                read.bundle(item) for item in read.some(read.obj(handle.list_exported_bundles()), "bundles")
            ],
        )

    def export_bundle(self, project: str, bundle_id: str, notes: str = "") -> None:
        """Export the project's present state as a bundle. Raises Conflict when the id is taken.

        Answers when DSS is done, which takes as long as the archive is large; after an error with
        `may_have_happened` look into `list_bundles`.
        """
        handle = self._project(project)
        self._id(bundle_id)
        with self._patient():
            # A PUT, but not one to repeat: the second one finds the id taken.
            self._act(
                f"exporting bundle {bundle_id} of {project}",
                lambda: handle.export_bundle(bundle_id, release_notes=notes or None),
            )

    @contextmanager
    def open_bundle(self, project: str, bundle_id: str) -> Iterator[Download]:
        """Open an exported bundle's archive as a stream of chunks; to be closed by the `with` statement."""
        handle = self._project(project)
        self._id(bundle_id)
        with self._download(
            f"downloading bundle {bundle_id} of {project}",
            lambda: handle.get_exported_bundle_archive_stream(bundle_id),
        ) as stream:
            yield stream

    # --- Project Deployer --------------------------------------------------------------------------------------

    def list_infras(self) -> list[v.Infra]:
        """Return the infrastructures that the key may see."""
        return self._look(
            "listing infrastructures",
            lambda: [read.infra(item) for item in read.items(self._deployer().list_infras(as_objects=False))],
        )

    def infra(self, infra_id: str) -> v.Infra:
        """Return one infrastructure. Raises Missing; without any right on it DSS may say that it does not exist."""
        # Its settings would tell more, but they hold the administrator's key of the node behind it.
        handle = self._deployer().get_infra(self._id(infra_id))
        return self._look(
            f"reading infrastructure {infra_id}", lambda: read.infra(handle.get_status().get_raw())
        )

    def published_project(self, project: str) -> v.PublishedProject:
        """Return the Deployer's side of a project. Raises Missing when nothing of it was ever published."""
        handle = self._deployer().get_project(self._id(project))
        return self._look(
            f"reading published project {project}",
            lambda: read.published_project(handle.get_status().get_raw(), project),
        )

    def published_bundles(self, project: str) -> list[str]:
        """Return the ids of the bundles on the Deployer, [] when the published project does not exist."""
        try:
            return list(self.published_project(project).bundle_ids)
        except Missing:
            return []

    @contextmanager
    def open_published_bundle(self, project: str, bundle_id: str) -> Iterator[Download]:
        """Open the Deployer's copy of a bundle as a stream of chunks; to be closed by the `with` statement."""
        handle = self._deployer().get_project(self._id(project))
        self._id(bundle_id)
        with self._download(
            f"downloading published bundle {bundle_id} of {project}",
            lambda: handle.get_bundle_stream(bundle_id),
        ) as stream:
            yield stream

    def standards_report(self, project: str, bundle_id: str) -> v.StandardsReport | None:
        """Return what DSS's project standards found in the Deployer's copy of a bundle, None where it has no report."""
        path = f"/project-deployer/projects/{self._id(project)}/bundles/{self._id(bundle_id)}"
        return self._look(
            f"reading the project standards of bundle {bundle_id} of {project}",
            lambda: read.standards(self._get(f"{path}/project-standards-report")),
        )

    def upload_bundle(self, project: str, fileobj: Readable) -> None:
        """Push a bundle archive to the Deployer, in constant memory; creates the published project if needed.

        fileobj: an open binary file or a HashingReader; read from where it stands to its end. Raises ValueError
        when its length cannot be known. After an error with `may_have_happened` look into `published_bundles`.
        """
        self._id(project)
        body = Multipart(fileobj, length_of(fileobj), "bundle.zip")
        with self._patient():
            # Not dataikuapi's own upload_bundle: it reads the whole file into memory.
            self._act(
                f"uploading a bundle of {project}",
                lambda: self._client._perform_empty(
                    "POST",
                    "/project-deployer/projects/bundles",
                    params={"projectKey": project},
                    raw_body=body,
                    headers={"Content-Type": body.content_type},
                ),
            )

    def find_deployment(self, project: str, infra_id: str) -> v.DeploymentInfo | None:
        """Return the deployment of a project on an infrastructure, None when there is none.

        Raises Conflict when there are several and none of them keeps the project's key: which one is meant is
        then a person's choice.
        """
        self._id(infra_id)
        try:
            published = self.published_project(project)
        except Missing:
            return None
        found = [item for item in published.deployments if item.infra_id == infra_id]
        if len(found) > 1:
            found = [item for item in found if item.deployed_project == project] or found
        if len(found) > 1:
            found = [item for item in found if item.id == f"{project}-on-{infra_id}"] or found
        if len(found) > 1:
            raise Conflict(
                f"{project} has several deployments on {infra_id}: {', '.join(item.id for item in found)}",
                node=self.node,
                operation=f"finding the deployment of {project}",
            )
        return self._light(found[0].id) if found else None

    def _light(self, deployment_id: str) -> v.DeploymentInfo | None:
        def call() -> v.DeploymentInfo:
            info = read.obj(self._get(f"/project-deployer/deployments/{self._id(deployment_id)}"))
            return read.deployment(
                read.part(info, "deploymentBasicInfo"), read.flag(info, "neverEverDeployed")
            )

        try:
            return self._look(f"reading deployment {deployment_id}", call)
        except Missing:
            # Deleted between the two looks.
            return None

    def deployment_settings(self, deployment_id: str) -> v.DeploymentSettings:
        """Return the stored settings of a deployment. Raises Missing."""
        handle = self._deployer().get_deployment(self._id(deployment_id))
        return self._look(
            f"reading the settings of deployment {deployment_id}",
            lambda: read.deployment_settings(handle.get_settings().get_raw()),
        )

    def create_deployment(self, deployment_id: str, project: str, infra_id: str, bundle_id: str) -> None:
        """Create a deployment, which deploys nothing yet. Raises Conflict when the id is taken."""
        names = [self._id(name) for name in (deployment_id, project, infra_id, bundle_id)]
        self._act(f"creating deployment {deployment_id}", lambda: self._deployer().create_deployment(*names))

    def set_deployment_bundle(
        self, deployment_id: str, bundle_id: str, *, enabled: bool | None = None
    ) -> bool:
        """Point a deployment at a bundle, which deploys nothing yet; return whether anything had to be changed.

        enabled: also enable or disable it; None leaves that as it is.
        """
        self._id(bundle_id)
        before = self.deployment_settings(deployment_id)
        wanted: dict[str, Any] = {"bundleId": bundle_id}
        # The name of this field is unconfirmed; where DSS does not show it, a deployment counts as enabled.
        if enabled is not None and (before.enabled is not False) != enabled:
            wanted["enabled"] = enabled
        if all(before.raw.get(field) == value for field, value in wanted.items()):
            return False
        # The whole object goes back as it came, unknown fields included: DSS replaces what it has.
        body = {**before.raw, **wanted}
        self._act(
            f"changing the settings of deployment {deployment_id}",
            lambda: self._client._perform_empty(
                "PUT",
                f"/project-deployer/deployments/{deployment_id}/settings",
                params={"ignoreWarnings": False},
                body=body,
            ),
            repeatable=True,
        )
        return True

    def start_update(self, deployment_id: str) -> str:
        """Start applying a deployment's settings to its node; return the id of the task to follow.

        Raises Conflict while another update runs. A finished task does not mean success: read
        `deployment_status` after it.
        """
        self._id(deployment_id)
        # Not dataikuapi's own start_update: it hands on None where the answer has no id.
        return self._act(
            f"starting the update of deployment {deployment_id}",
            lambda: read.job_id(
                self._client._perform_json(
                    "POST", f"/project-deployer/deployments/{deployment_id}/actions/update"
                )
            ),
        )

    def updates(self, deployment_id: str) -> list[v.Update]:
        """Return the updates of a deployment, newest first."""
        self._id(deployment_id)
        found = self._look(
            f"listing the updates of deployment {deployment_id}",
            lambda: [
                read.update(item)
                for item in read.items(self._get(f"/project-deployer/deployments/{deployment_id}/update"))
            ],
        )
        # Their order is not documented.
        return sorted(found, key=lambda update: update.started_ms, reverse=True)

    def update(self, deployment_id: str, started_ms: int) -> v.Update:
        """Return one update in full; its log lines, if any, are in raw["logs"]["lines"]."""
        self._id(deployment_id)
        return self._look(
            f"reading an update of deployment {deployment_id}",
            lambda: read.update(
                read.obj(self._get(f"/project-deployer/deployments/{deployment_id}/update/{started_ms}"))
            ),
        )

    def deployment_status(self, deployment_id: str) -> v.DeploymentStatus:
        """Return how a deployment is now. DSS asks the node behind it, so this may take a moment."""
        handle = self._deployer().get_deployment(self._id(deployment_id))

        def call() -> v.DeploymentStatus:
            status = handle.get_status()
            return read.deployment_status(status.get_light(), status.get_heavy())

        return self._look(f"reading the health of deployment {deployment_id}", call)

    # --- Long-running tasks ------------------------------------------------------------------------------------

    def future(self, job_id: str) -> v.FutureState:
        """Return where a task is. Ask again after `polling.next_delay`; only the caller knows the deadline.

        A task that failed is reported by DSS as an HTTP error: that is a state here, not an exception. A node that
        cannot be reached, or does not accept the key, raises.
        """
        handle = self._client.get_future(self._id(job_id))
        try:
            # The text of a failed task may say anything, so only the status is believed. Not peek_state: whether
            # a result can be read twice is unconfirmed, and one request tells everything.
            return self._look(
                f"following task {job_id}", lambda: read.future(handle.get_state()), by_text=False
            )
        except Missing as error:
            return v.FutureState("unknown", message=error.message)
        except DssError as error:
            refusal = self._wire.refusal
            told = refusal is not None and refusal.said_by_dss
            if not told or not (type(error) is DssError or isinstance(error, DssFault | Conflict)):
                raise
            words = f"{error.error_type} {error.message}".lower()
            state: Literal["failed", "aborted", "unknown"] = "failed"
            if "abort" in words:
                state = "aborted"
            elif job_id.lower() in words and ("unknown" in words or "not found" in words):
                state = "unknown"
            return v.FutureState(state, message=error.message)

    def abort_future(self, job_id: str) -> None:
        """Ask DSS to abort a task; its end is seen with `future`. A task that is gone already is no error."""
        handle = self._client.get_future(self._id(job_id))
        try:
            self._act(f"aborting task {job_id}", handle.abort, repeatable=True)
        except Missing:
            return

    def running_futures(self) -> list[v.RunningFuture]:
        """Return the tasks that run for this key."""
        return self._look(
            "listing running tasks",
            lambda: [read.running_future(item) for item in read.items(self._client.list_futures())],
        )

    # --- Automation nodes and scenarios ------------------------------------------------------------------------

    def active_bundle(self, project: str) -> str | None:
        """Return the bundle that runs on this automation node, None for no bundle or no such project."""
        try:
            return self.project(project).active_bundle
        except Missing:
            return None

    def imported_bundles(self, project: str) -> list[str]:
        """Return the ids of the bundles imported on this automation node, [] without the project."""
        handle = self._project(project)
        try:
            return list(
                self._look(
                    f"listing the imported bundles of {project}",
                    lambda: read.bundle_ids(handle.list_imported_bundles()),
                )
            )
        except Missing:
            return []

    def scenarios(self, project: str) -> list[v.Scenario]:
        """Return all scenarios of a project, ordered by id."""
        self._id(project)
        found = self._look(
            f"listing the scenarios of {project}",
            lambda: [
                read.scenario(item) for item in read.items(self._get(f"/projects/{project}/scenarios/"))
            ],
        )
        return sorted(found, key=lambda scenario: scenario.id)

    def test_scenarios(self, project: str) -> list[v.Scenario]:
        """Return the scenarios marked as tests, ordered by id."""
        return [scenario for scenario in self.scenarios(project) if scenario.marked_as_test]

    def scenario_exists(self, project: str, scenario: str) -> bool:
        """Whether the project has this scenario."""
        self._id(scenario)
        return any(item.id == scenario for item in self.scenarios(project))

    def run_scenario(self, project: str, scenario: str) -> v.TriggerFire:
        """Ask for a run of a scenario; the run itself comes a moment later, or never: see `run_of_fire`."""
        handle = self._project(project).get_scenario(self._id(scenario))
        return self._act(
            f"starting scenario {scenario} of {project}", lambda: read.fire(handle.run().trigger_fire)
        )

    def run_of_fire(
        self, project: str, scenario: str, fire: v.TriggerFire
    ) -> v.ScenarioRun | Literal[v.Fire.CANCELLED] | None:
        """Return the run that a fire led to, None while there is none yet, CANCELLED when there will be none."""
        prefix, here = f"/projects/{self._id(project)}/scenarios", self._id(scenario)

        def call() -> v.ScenarioRun | Literal[v.Fire.CANCELLED] | None:
            found = read.obj(
                self._get(
                    f"{prefix}/{here}/get-run-for-trigger",
                    triggerId=fire.trigger_id,
                    triggerRunId=fire.run_id,
                )
            )
            if found.get("scenarioRun"):
                return read.scenario_run(found["scenarioRun"])
            # Here `trigger` comes before the scenario's id.
            again = self._get(
                f"{prefix}/trigger/{here}/{self._id(fire.trigger_id)}", triggerRunId=fire.run_id
            )
            return v.CANCELLED if read.obj(again).get("cancelled") is True else None

        return self._look(f"looking for the run of scenario {scenario} of {project}", call)

    def scenario_run(self, project: str, scenario: str, run_id: str) -> v.ScenarioRun:
        """Return one run with its steps; `outcome` is None while it goes on."""
        path = f"/projects/{self._id(project)}/scenarios/{self._id(scenario)}/{self._id(run_id)}/"

        def call() -> v.ScenarioRun:
            details = read.obj(self._get(path))
            return read.scenario_run(details.get("scenarioRun"), details.get("stepRuns"))

        return self._look(f"reading a run of scenario {scenario} of {project}", call)

    def last_runs(self, project: str, scenario: str, limit: int = 10) -> list[v.ScenarioRun]:
        """Return the last runs of a scenario, those under way included, newest first."""
        path = f"/projects/{self._id(project)}/scenarios/{self._id(scenario)}/get-last-runs"
        return self._look(
            f"listing the runs of scenario {scenario} of {project}",
            lambda: [
                read.scenario_run(item)
                for item in read.items(self._get(path, limit=limit, onlyFinishedRuns=False))
            ],
        )

    def abort_scenario(self, project: str, scenario: str) -> None:
        """Ask DSS to abort the scenario's run, if one is under way."""
        handle = self._project(project).get_scenario(self._id(scenario))
        self._act(f"aborting scenario {scenario} of {project}", handle.abort)

    def testing_status(self, project: str, bundle_id: str | None = None) -> v.TestingStatus:
        """Return how the test scenarios that ran came out; compare `ran` with `test_scenarios`."""
        handle = self._project(project)
        wanted = self._id(bundle_id) if bundle_id else None
        return self._look(
            f"reading the test results of {project}",
            lambda: read.testing_status(handle.get_testing_status(wanted).get_raw()),
        )

    def scenario_report_junit(self, project: str, bundle_id: str | None = None) -> bytes:
        """Return the JUnit XML of the last test runs, of the active bundle by default; at most 20 MB."""
        handle = self._project(project)
        wanted = self._id(bundle_id) if bundle_id else None
        with self._download(
            f"downloading the test report of {project}",
            lambda: handle.get_last_test_scenario_runs_report(wanted),
        ) as stream:
            return stream.read_all(MAX_REPORT_BYTES)

    def scenario_report_html(self, project: str, bundle_id: str | None = None) -> bytes:
        """Return the HTML page of the last test runs, of the active bundle by default; at most 20 MB."""
        handle = self._project(project)
        wanted = self._id(bundle_id) if bundle_id else None
        with self._download(
            f"downloading the test page of {project}",
            lambda: handle.get_last_test_scenario_runs_html_report(wanted),
        ) as stream:
            return stream.read_all(MAX_REPORT_BYTES)

    # --- Datasets ----------------------------------------------------------------------------------------------

    def dataset_columns(self, project: str, dataset: str) -> tuple[v.Column, ...]:
        """Return the columns of a dataset in their order. Raises Missing."""
        handle = self._project(project).get_dataset(self._id(dataset))
        return self._look(
            f"reading the columns of {project}.{dataset}", lambda: read.columns(handle.get_schema())
        )

    def dataset_build(self, project: str, dataset: str) -> v.Build:
        """Return when the dataset's last build began, by the node's clock, and whether it went well.

        Tolerant: a node that does not know the question, or keeps the answer from this key, tells nothing.
        """
        path = f"/projects/{self._id(project)}/datasets/{self._id(dataset)}/info"
        operation = f"reading the last build of {project}.{dataset}"
        try:
            return self._look(operation, lambda: read.build(self._get(path)))
        except (Missing, NotAllowed):
            return v.Build(started_ms=None, succeeded=None)

    def iter_rows(
        self, project: str, dataset: str, columns: list[str] | tuple[str, ...] | None = None
    ) -> Iterator[tuple[v.Cell, ...]]:
        """Yield the rows of a dataset as tuples in the order of `columns` (all by default), in constant memory.

        Empty cells are None, numbers and booleans are typed by the dataset's schema, dates and all else are text.
        The end is only reached when DSS confirms that it sent every row. Raises Missing for an unknown column,
        BadAnswer when the stream is cut short or a row has another width, BeyondLimit after MAX_ROWS rows.
        """
        operation = f"reading the rows of {project}.{dataset}"
        schema = self.dataset_columns(project, dataset)
        known = {column.name: column for column in schema}
        for name in columns or ():
            if name not in known:
                raise Missing(f"{dataset} has no column '{name}'", node=self.node, operation=operation)
        kinds = [known[name].type for name in columns] if columns else [column.type for column in schema]
        session = f"{random.getrandbits(128):032x}"
        path = f"/projects/{self._id(project)}/datasets/{self._id(dataset)}"
        params = {
            "format": "tsv-excel-noheader",
            "readSessionId": session,
            "columns": list(columns) if columns else None,
        }
        # Not dataikuapi's own iter_rows: it reads an empty boolean as False and a broken number as None.
        with self._download(
            operation, lambda: self._client._perform_raw("GET", f"{path}/data/", params=params)
        ) as stream:
            rows = csv.reader(
                lines(stream, MAX_ROW_BYTES), delimiter="\t", quotechar='"', doublequote=True, strict=True
            )
            try:
                for number, row in enumerate(rows):
                    if number >= MAX_ROWS:
                        raise BeyondLimit(f"more than {MAX_ROWS} rows", node=self.node, operation=operation)
                    if len(row) != len(kinds):
                        raise self._bad(operation, f"a row has {len(row)} cells instead of {len(kinds)}")
                    yield tuple(read.cell(value, kind) for value, kind in zip(row, kinds, strict=True))
            except (csv.Error, ValueError) as error:
                raise self._bad(operation, f"the rows cannot be read ({error})") from None
        # The stream itself cannot say that it broke off half-way; this call fails if it did.
        self._look(
            operation,
            lambda: self._client._perform_empty(
                "GET", f"{path}/finish-streaming/", params={"readSessionId": session}
            ),
        )

    # --- Models ------------------------------------------------------------------------------------------------

    def saved_models(self, project: str) -> list[v.SavedModel]:
        """Return the saved models of a project, ordered by id."""
        handle = self._project(project)
        found = self._look(
            f"listing the saved models of {project}",
            lambda: [read.saved_model(item) for item in read.items(handle.list_saved_models())],
        )
        return sorted(found, key=lambda model: model.id)

    def model_versions(self, project: str, model: str) -> list[v.ModelVersion]:
        """Return the versions of a saved model; perhaps none of them is active."""
        handle = self._project(project).get_saved_model(self._id(model))
        return self._look(
            f"listing the versions of model {model}",
            lambda: [read.model_version(item) for item in read.items(handle.list_versions())],
        )

    def _version(self, project: str, model: str, version: str) -> str:
        return f"/projects/{self._id(project)}/savedmodels/{self._id(model)}/versions/{self._id(version)}"

    def model_details(self, project: str, model: str, version: str) -> v.ModelDetails:
        """Return a model version in detail. Raises Missing."""
        path = self._version(project, model, version)
        return self._look(
            f"reading version {version} of model {model}",
            lambda: read.model_details(
                self._get(f"{path}/details"), self._get(f"{path}/snippet"), f"S-{project}-{model}-{version}"
            ),
        )

    def _computed(self, operation: str, call: Callable[[], T]) -> T | None:
        """Look for something that may never have been computed: None then, which is no evidence and no pass."""
        try:
            return self._look(operation, call)
        except Missing:
            return None
        except DssError as error:
            refusal = self._wire.refusal
            if refusal is not None and refusal.said_by_dss and _NOT_COMPUTED.search(error.message):
                return None
            raise

    def feature_importance(self, project: str, model: str, version: str) -> dict[str, float] | None:
        """Return the absolute Shapley importance of each feature, None when it was not computed."""
        path = self._version(project, model, version)
        return self._computed(
            f"reading the feature importance of model {model}",
            lambda: read.importance(self._get(f"{path}/global-explanations")),
        )

    def start_feature_importance(self, project: str, model: str, version: str) -> str:
        """Start computing the feature importance; return the id of the task to follow."""
        path = self._version(project, model, version)
        return self._start(
            f"computing the feature importance of model {model}", f"{path}/shapley-feature-importance"
        )

    def subpopulations(self, project: str, model: str, version: str) -> Mapping[str, Any] | None:
        """Return DSS's sub-population analyses as they come, None when there is none."""
        path = self._version(project, model, version)

        def call() -> Mapping[str, Any] | None:
            found = read.obj(self._get(f"{path}/subpopulation-analyses"))
            return found if read.some(found, "subpopulationAnalyses") else None

        return self._computed(f"reading the sub-population analyses of model {model}", call)

    def start_subpopulations(self, project: str, model: str, version: str, features: list[str]) -> str:
        """Start sub-population analyses split by each of the features; return the id of the task to follow."""
        path = self._version(project, model, version)
        body = {"features": list(features), "computationParams": dict(_COMPUTATION)}
        return self._start(
            f"computing the sub-population analyses of model {model}", f"{path}/subpopulation-analyses", body
        )

    def partial_dependences(
        self, project: str, model: str, version: str
    ) -> Sequence[Mapping[str, Any]] | None:
        """Return DSS's partial dependences as they come, None when there is none."""
        path = self._version(project, model, version)

        def call() -> Sequence[Mapping[str, Any]] | None:
            return (
                read.some(read.obj(self._get(f"{path}/partial-dependencies")), "partialDependencies") or None
            )

        return self._computed(f"reading the partial dependences of model {model}", call)

    def start_partial_dependences(self, project: str, model: str, version: str, features: list[str]) -> str:
        """Start computing the partial dependence of these features; return the id of the task to follow."""
        path = self._version(project, model, version)
        body = {"features": list(features), "computationParams": dict(_COMPUTATION)}
        return self._start(
            f"computing the partial dependences of model {model}", f"{path}/partial-dependencies", body
        )

    def start_model_documentation(self, project: str, model: str, version: str) -> str:
        """Start generating the model document from DSS's own template; return the id of the task to follow.

        The task's result is the export id for `open_documentation`.
        """
        path = self._version(project, model, version)
        return self._start(
            f"generating the document of model {model}",
            f"{path}/generate-documentation-from-default-template",
        )

    def _start(self, operation: str, path: str, body: Mapping[str, Any] | None = None) -> str:
        return self._act(operation, lambda: read.job_id(self._client._perform_json("POST", path, body=body)))

    @contextmanager
    def open_documentation(self, project: str, export_id: str) -> Iterator[Download]:
        """Open a generated model document (docx) as a stream of chunks; to be closed by the `with` statement."""
        path = f"/projects/{self._id(project)}/savedmodels/documentations/{self._id(export_id)}"
        with self._download(
            f"downloading a model document of {project}", lambda: self._client._perform_raw("GET", path)
        ) as stream:
            yield stream

    # --- Recipes -----------------------------------------------------------------------------------------------

    def recipes(self, project: str) -> list[v.Recipe]:
        """Return the recipes of a project, ordered by name."""
        self._id(project)
        found = self._look(
            f"listing the recipes of {project}",
            lambda: [read.recipe(item) for item in read.items(self._get(f"/projects/{project}/recipes/"))],
        )
        return sorted(found, key=lambda recipe: recipe.name)

    def recipe_code(self, project: str, recipe: str) -> str | None:
        """Return the code of a code recipe, None for a visual one. Raises Missing."""
        path = f"/projects/{self._id(project)}/recipes/{self._id(recipe)}"

        def call() -> str | None:
            found = read.obj(self._get(path))
            is_code = _CODE_RECIPE.search(read.text(read.part(found, "recipe"), "type"))
            payload = found.get("payload")
            return payload if is_code and isinstance(payload, str) else None

        return self._look(f"reading the code of recipe {recipe} of {project}", call)

    # --- Govern ------------------------------------------------------------------------------------------------

    def govern_bundle(self, project: str, bundle_id: str, blueprint: str) -> v.GovernArtifact | None:
        """Return the artifact of this blueprint that stands for a bundle, with its sign-offs; None without one.

        Where several do, the sign-offs of all of them: a second one that is approved hides nothing. Of a Govern node,
        which has the addresses of DSS: what `dataikuapi.GovernClient` asks, asked with our limits.
        """
        self._id(bundle_id)
        body: dict[str, Any] = {
            "artifactSearchSource": {"type": "all"},
            "artifactFilters": [{"type": "blueprints", "blueprintIds": [self._id(blueprint)]}],
        }
        found: list[Mapping[str, Any]] = []
        last: str | None = None
        for _page in range(GOVERN_PAGES):
            body["artifactSearchPagination"] = {"pageSize": GOVERN_PAGE, "lastArtifactId": last}
            hits = self._look(
                f"looking for bundle {bundle_id} of {project}",
                lambda: read.govern_hits(self._client._perform_json("POST", "/artifacts/search", body=body)),
            )
            found += [one for _found, one in hits if read.is_govern_bundle(one, project, bundle_id)]
            if len(hits) < GOVERN_PAGE or hits[-1][0] == last:
                break
            last = hits[-1][0]
        if not found:
            return None
        ids = [self._id(read.need(one, "id")) for one in found]
        signoffs = [one for id in ids for one in self._govern_signoffs(id)]
        return v.GovernArtifact(ids[0], read.text(found[0], "name"), tuple(signoffs))

    def _govern_signoffs(self, artifact: str) -> list[v.GovernSignOff]:
        def call() -> list[v.GovernSignOff]:
            found = []
            for one in read.items(self._get(f"/artifact/{artifact}/signoffs")):
                step = self._id(read.need(read.part(one, "signoffId"), "stepId"))
                whole = self._get(f"/artifact/{artifact}/workflow/step/{step}/signoff")
                found.append(read.govern_signoff(one, whole))
            return found

        return self._look(f"reading the sign-offs of {artifact}", call)
