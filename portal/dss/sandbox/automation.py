"""Bundles on an Automation node: import, preload, activate, and the project they become.

The Deployer's updates end here too, through the same functions. Not in charge of deployments.
"""

import time
from pathlib import Path

from werkzeug.wrappers import Response

from portal.dss.sandbox import archives, faults, futures
from portal.dss.sandbox.auth import need_project, project_for
from portal.dss.sandbox.errors import bad_request, coded, conflict, not_found
from portal.dss.sandbox.state import Json, Tx
from portal.dss.sandbox.wire import Call, empty_answer, json_answer, message, messages, route

_AUTOMATION = ("automation",)


def project_names(members: Json) -> tuple[str, str]:
    """The (name, short description) that project content gives itself."""
    params = members.get(archives.PARAMS, {})
    return str(params.get("name", "")), str(params.get("shortDesc", ""))


def add_project(tx: Tx, node: str, key: str, owner: str, members: Json, permissions: list[Json]) -> Json:
    """Create the project that imported bundles will live in; nothing is active yet."""
    name, short_desc = project_names(members)
    project: Json = {
        "projectKey": key,
        "name": name or key,
        "shortDesc": short_desc,
        "owner": owner,
        "permissions": permissions,
        "metadata": {},
        "localVariables": {},
        "content": tx.keep_content({}),
        "activeBundle": None,
        "scenarioActive": {},
        "createdOn": tx.now_ms,
        "createdBy": owner,
        "lastModifiedOn": tx.now_ms,
        "lastModifiedBy": owner,
    }
    tx.put(node, "project", key, project)
    return project


def add_import(tx: Tx, node: str, key: str, head: Json, digest: str, members: Json, by: str) -> None:
    """Remember an imported bundle. The same id twice is refused."""
    bundle = head["bundleId"]
    if tx.get(node, "imported", f"{key}/{bundle}") is not None:
        raise conflict(f"Bundle {bundle} is already imported in project {key}")
    tx.put(
        node,
        "imported",
        f"{key}/{bundle}",
        {
            "bundleId": bundle,
            "project": key,
            "archive": digest,
            "manifest": head,
            "content": tx.keep_content(members),
            "importedOn": tx.now_ms,
            "importedBy": by,
            "preloaded": False,
        },
    )
    tx.count("imports", f"{node}/{key}/{bundle}")


def imported(tx: Tx, node: str, key: str, bundle: str) -> Json:
    """An imported bundle, or 404."""
    found = tx.get(node, "imported", f"{key}/{bundle}")
    if found is None:
        raise not_found("Bundle", bundle, f" in project {key}")
    return found


def _mapped(settings: Json, kind: str, name: str) -> str:
    container = settings.get("bundleContainerSettings")
    remapping = container.get("remapping") if isinstance(container, dict) else None
    entries = remapping.get(kind) if isinstance(remapping, dict) else None
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict) and entry.get("source") == name and isinstance(entry.get("target"), str):
            return str(entry["target"])
    return name


def connections_used(members: Json) -> list[str]:
    """Names of the connections that the content's datasets and folders read and write."""
    used = {
        value["params"]["connection"]
        for path, value in members.items()
        if path.startswith(("project_config/datasets/", "project_config/managed_folders/"))
        and isinstance(value, dict)
        and isinstance(value.get("params"), dict)
        and isinstance(value["params"].get("connection"), str)
    }
    return sorted(used)


def code_env_used(members: Json) -> str:
    """Name of the project's Python environment, or empty for the built-in one."""
    python = members.get(archives.PARAMS, {}).get("settings", {}).get("codeEnvs", {}).get("python", {})
    return str(python.get("envName", "")) if python.get("mode") == "EXPLICIT_ENV" else ""


def preload(tx: Tx, node: str, found: Json, settings: Json) -> list[Json]:
    """Build the code environment a bundle needs, as the deployment's settings say; returns messages."""
    env = _mapped(settings, "codeEnvs", code_env_used(tx.content(found["content"])))
    container = settings.get("bundleContainerSettings")
    behaviour = container.get("codeEnvsBehavior") if isinstance(container, dict) else None
    mode = behaviour.get("importTimeMode") if isinstance(behaviour, dict) else None
    told: list[Json] = []
    if env and tx.get(node, "codeenv", env) is None:
        if mode == "FAIL_IF_MISS":
            told.append(
                message(
                    "ERROR", "ERR_CODEENV_MISSING_ENV", "Missing code env", f"Code env {env} is missing", True
                )
            )
        elif mode == "DO_NOTHING":
            told.append(
                message(
                    "WARNING", "WARN_CODEENV_MISSING_ENV", "Missing code env", f"Code env {env} is missing"
                )
            )
        else:
            tx.put(node, "codeenv", env, {"envName": env, "envLang": "PYTHON", "owner": "admin"})
            told.append(
                message("SUCCESS", "SUCCESS_CODEENV_INSTALLED", "Code env built", f"Code env {env} was built")
            )
    tx.put(node, "imported", f"{found['project']}/{found['bundleId']}", {**found, "preloaded": True})
    tx.count("preloads", f"{node}/{found['project']}/{found['bundleId']}")
    return told


def activate(tx: Tx, node: str, found: Json, by: str, scenarios: Json, settings: Json) -> list[Json]:
    """Make an imported bundle the project's content. Returns messages; with a fatal one nothing changed.

    A missing connection is fatal; scenarios keep the state they have on this node unless told otherwise, and on first
    sight start as the bundle defines them.
    """
    key, bundle = found["project"], found["bundleId"]
    fault = faults.take(tx, ("activation_error",), node=node, project=key, bundle=bundle)
    if fault is not None:
        text = faults.text(fault, "message", "The bundle could not be activated")
        return [
            message(
                "ERROR",
                faults.text(fault, "code", "ERR_BUNDLE_ACTIVATE_FAILED"),
                "Activation failed",
                text,
                True,
            )
        ]
    members = tx.content(found["content"])
    missing = [
        name
        for name in (_mapped(settings, "connections", used) for used in connections_used(members))
        if tx.get(node, "connection", name) is None
    ]
    if missing:
        return [
            message(
                "ERROR",
                "ERR_BUNDLE_ACTIVATE_MISSING_CONNECTION",
                "Missing connection",
                f"Connection {name} does not exist on this node",
                True,
            )
            for name in missing
        ]
    told: list[Json] = []
    env = _mapped(settings, "codeEnvs", code_env_used(members))
    if env and tx.get(node, "codeenv", env) is None:
        told.append(
            message(
                "WARNING",
                "WARN_BUNDLE_ACTIVATE_MISSING_CODE_ENV",
                "Missing code env",
                f"Code env {env} is missing",
            )
        )
    project = tx.get(node, "project", key)
    if project is None:
        raise not_found("Project", key)
    states: dict[str, bool] = {}
    for path, definition in members.items():
        if path.startswith("project_config/scenarios/"):
            id = definition["id"]
            states[id] = bool(
                scenarios.get(id, project["scenarioActive"].get(id, definition.get("active", False)))
            )
    name, short_desc = project_names(members)
    tx.put(
        node,
        "project",
        key,
        {
            **project,
            "name": name or key,
            "shortDesc": short_desc or project["shortDesc"],
            "content": found["content"],
            "activeBundle": bundle,
            "activatedOn": tx.now_ms,
            "scenarioActive": states,
            "lastModifiedOn": tx.now_ms,
            "lastModifiedBy": by,
        },
    )
    tx.count("activations", f"{node}/{key}/{bundle}")
    return told


# ------------------------------------------------------------------------------------------------ endpoints


@route("GET", "/projects/<key>/bundles/imported", on=_AUTOMATION)
def list_imported(call: Call, key: str) -> Response:
    """Imported bundles, the newest last."""
    need_project(call, key)
    found = call.tx.docs(call.node.name, "imported", f"{key}/")
    found.sort(key=lambda one: one["importedOn"])
    return json_answer(
        {
            "bundles": [
                {
                    "bundleId": one["bundleId"],
                    "importState": {"importedOn": one["importedOn"], "importedBy": one["importedBy"]},
                    "exportManifest": one["manifest"],
                }
                for one in found
            ]
        }
    )


def _import(call: Call, key: str, path: Path) -> None:
    digest, head, members = archives.take_in(call.store, path)
    if head["projectKey"] != key:
        raise coded(
            "ERR_PROJECT_INVALID_PROJECT_KEY", f"The archive is of project {head['projectKey']}, not {key}"
        )
    with call.store.transaction() as tx:
        project_for(tx, call, key, "admin")
        add_import(tx, call.node.name, key, head, digest, members, call.who.login)


def _local_copy(call: Call) -> Path:
    given = Path(call.query("archivePath"))
    if not given.is_absolute() or not given.is_file():
        raise bad_request("archivePath must be the full path of a file on the server")
    _, path = call.store.new_file()
    with given.open("rb") as source, path.open("wb") as target:
        while chunk := source.read(1 << 20):
            target.write(chunk)
    return path


@route(
    "POST", "/projects/<key>/bundles/imported/actions/importFromStream", on=_AUTOMATION, in_transaction=False
)
def import_stream(call: Call, key: str) -> Response:
    """Import an uploaded archive."""
    with call.store.transaction() as tx:
        project_for(tx, call, key, "admin")
    _import(call, key, call.upload())
    return empty_answer()


@route(
    "POST", "/projects/<key>/bundles/imported/actions/importFromArchive", on=_AUTOMATION, in_transaction=False
)
def import_archive(call: Call, key: str) -> Response:
    """Import an archive that lies on the server."""
    with call.store.transaction() as tx:
        project_for(tx, call, key, "admin")
    _import(call, key, _local_copy(call))
    return json_answer({})


def _new_project(call: Call, path: Path) -> Response:
    digest, head, members = archives.take_in(call.store, path)
    key = head["projectKey"]
    with call.store.transaction() as tx:
        if tx.get(call.node.name, "project", key) is not None:
            raise conflict(f"Project {key} already exists on this node")
        add_project(tx, call.node.name, key, call.who.login, members, [])
        add_import(tx, call.node.name, key, head, digest, members, call.who.login)
    # UNCONFIRMED: our choice is a finished future-like object that names what was made.
    return json_answer(
        {"hasResult": True, "result": {"projectKey": key, "bundleId": head["bundleId"], **messages()}}
    )


@route("POST", "/projectsFromBundle", on=_AUTOMATION, in_transaction=False, admin=True)
def project_from_stream(call: Call) -> Response:
    """Create a project from an uploaded archive; nothing is activated."""
    return _new_project(call, call.upload())


@route("POST", "/projectsFromBundle/fromArchive", on=_AUTOMATION, in_transaction=False, admin=True)
def project_from_archive(call: Call) -> Response:
    """Create a project from an archive on the server."""
    return _new_project(call, _local_copy(call))


@route(
    "POST", "/projects/<key>/bundles/imported/<bundle>/actions/preload", on=_AUTOMATION, in_transaction=False
)
def preload_bundle(call: Call, key: str, bundle: str) -> Response:
    """Build what the bundle needs; answers InfoMessages (our choice)."""
    with call.store.transaction() as tx:
        project_for(tx, call, key, "admin")
        imported(tx, call.node.name, key, bundle)
        wait = futures.seconds(tx, "preload")
    time.sleep(wait)
    with call.store.transaction() as tx:
        return json_answer(
            messages(*preload(tx, call.node.name, imported(tx, call.node.name, key, bundle), {}))
        )


@route(
    "POST", "/projects/<key>/bundles/imported/<bundle>/actions/activate", on=_AUTOMATION, in_transaction=False
)
def activate_bundle(call: Call, key: str, bundle: str) -> Response:
    """Activate; a failure is 200 with an error inside the result."""
    body = call.body()
    scenarios = body.get("scenariosActiveOnActivation")
    with call.store.transaction() as tx:
        project_for(tx, call, key, "admin")
        imported(tx, call.node.name, key, bundle)
        wait = futures.seconds(tx, "activate")
        started = tx.now_ms
    time.sleep(wait)
    with call.store.transaction() as tx:
        found = imported(tx, call.node.name, key, bundle)
        told = activate(
            tx, call.node.name, found, call.who.login, scenarios if isinstance(scenarios, dict) else {}, {}
        )
        return json_answer(
            {
                "jobId": f"activate-{key}-{bundle}",
                "hasResult": True,
                "aborted": False,
                "alive": False,
                "unknown": False,
                "runningTime": int(wait * 1000),
                "startTime": started,
                "result": {"neededAMigration": False, **messages(*told)},
            }
        )


@route("DELETE", "/projects/<key>/bundles/imported/<bundle>", on=_AUTOMATION)
def delete_imported(call: Call, key: str, bundle: str) -> Response:
    """Forget an imported bundle; the active one is refused."""
    project = need_project(call, key, "admin")
    imported(call.tx, call.node.name, key, bundle)
    if project["activeBundle"] == bundle:
        raise conflict(f"Bundle {bundle} is active and cannot be deleted")
    call.tx.delete(call.node.name, "imported", f"{key}/{bundle}")
    return json_answer({})


def create_if_missing(tx: Tx, node: str, key: str, members: Json) -> None:
    """The project a first deployment creates, owned by the Deployer's own account."""
    if tx.get(node, "project", key) is None:
        add_project(tx, node, key, "deployer", members, [])
