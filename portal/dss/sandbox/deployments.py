"""Deployments on the Project Deployer: create, settings, update, health, updates list, tests, governance.

Creating or saving never deploys; an update is a future whose effect installs the bundle on the infrastructure's node.
"""

import time
from typing import Any

from werkzeug.wrappers import Response

from portal.dss.sandbox import archives, automation, faults, futures, scenarios
from portal.dss.sandbox.deployer import (
    DEPLOYER,
    ON,
    deployment_info,
    infra,
    infra_info,
    may,
    package,
    packages,
    published,
    visible_package,
)
from portal.dss.sandbox.errors import CODED, DssError, bad_request, conflict, not_found, refused
from portal.dss.sandbox.state import Json, Tx
from portal.dss.sandbox.wire import Call, Identity, empty_answer, json_answer, message, messages, route

HEALTHS = ("UNKNOWN", "ERROR", "WARNING", "HEALTHY", "UNHEALTHY", "OUT_OF_SYNC")
_TEST_RUN_LIMIT_SECONDS = 600


def deployment(tx: Tx, id: str) -> Json:
    """A deployment, or 404."""
    found = tx.get(DEPLOYER, "deployment", id)
    if found is None:
        raise not_found("Deployment", id)
    return found


def _visible(tx: Tx, who: Identity, found: Json) -> bool:
    settings = found["settings"]
    return may(published(tx, settings["publishedProjectKey"]), who, "read") and may(
        infra(tx, settings["infraId"]), who, "read"
    )


def _seen(call: Call, id: str) -> Json:
    found = deployment(call.tx, id)
    if not _visible(call.tx, call.who, found):
        raise refused(f"Action forbidden: you may not see deployment {id}")
    return found


def _need_deploy(tx: Tx, who: Identity, key: str, infra_id: str) -> None:
    if not may(published(tx, key), who, "deploy"):
        raise refused(f"Action forbidden: you may not deploy published project {key}")
    if not may(infra(tx, infra_id), who, "deploy"):
        raise refused(f"Action forbidden: you may not deploy on infrastructure {infra_id}")


def _governance(tx: Tx, key: str, bundle: str, policy: str) -> Json:
    """InfoMessages of the governance check of a bundle; empty under NO_CHECK."""
    if policy == "NO_CHECK":
        return messages()
    state = (tx.get(DEPLOYER, "govern", f"{key}/{bundle}") or {}).get("approved")
    if state:
        return messages(
            message("SUCCESS", "GOVERN_APPROVED", "Approved", f"Bundle {bundle} is approved in Govern")
        )
    text = (
        f"Bundle {bundle} was rejected in Govern"
        if state is False
        else f"Bundle {bundle} is not approved in Govern"
    )
    severity = "WARNING" if policy == "WARN" else "ERROR"
    return messages(message(severity, "GOVERN_NOT_APPROVED", "Not approved", text, policy == "PREVENT"))


def _govern_check(tx: Tx, settings: Json, *, ignore_warnings: bool) -> None:
    """Refuse what the infrastructure's policy refuses.

    The status of the refusal is UNCONFIRMED; 400 is our choice. The text of a WARN starts with a warning.
    """
    policy = infra(tx, settings["infraId"])["governCheckPolicy"]
    checked = _governance(tx, settings["publishedProjectKey"], settings["bundleId"], policy)
    if checked["error"] or (checked["warning"] and not ignore_warnings):
        text = checked["messages"][0]["message"]
        raise DssError(
            400, CODED, f"WARNING: {text}" if policy == "WARN" else f"Deployment prevented: {text}"
        )


def _light(tx: Tx, found: Json) -> Json:
    settings = found["settings"]
    project = published(tx, settings["publishedProjectKey"])
    return {
        "deploymentBasicInfo": deployment_info(settings, found),
        "infraBasicInfo": infra_info(infra(tx, settings["infraId"])),
        "projectBasicInfo": {"id": project["id"], "name": project["name"]},
        "packages": [visible_package(entry) for entry in packages(tx, project["id"])],
        "neverEverDeployed": found["deployed"] is None,
    }


def _applied(settings: Json) -> Json:
    """What an update applies: everything but the labels."""
    return {name: value for name, value in settings.items() if name != "tags"}


def health_of(tx: Tx, found: Json) -> tuple[str, list[Json]]:
    """The health a heavy status reports, with its messages."""
    settings = found["settings"]
    if found["lastError"] is not None:
        return "ERROR", found["lastError"]
    if found["deployed"] is None:
        return "UNKNOWN", []
    if _applied(settings) != _applied(found["deployed"]):
        text = "The settings were saved and not yet applied by an update"
        return "OUT_OF_SYNC", [message("WARNING", "WARN_DEPLOYMENT_OUT_OF_SYNC", "Out of sync", text)]
    if not settings.get("enabled", True):
        # UNCONFIRMED: our choice for a disabled deployment that was updated.
        return "UNKNOWN", [
            message("INFO", "INFO_DEPLOYMENT_DISABLED", "Disabled", "The deployment is disabled")
        ]
    node = infra(tx, settings["infraId"])["nodeId"]
    project = tx.get(node, "project", settings["deployedProjectKey"])
    if project is None:
        text = f"Project {settings['deployedProjectKey']} does not exist on the node"
        return "ERROR", [message("ERROR", "ERR_DEPLOYMENT_PROJECT_MISSING", "Project missing", text)]
    if project["activeBundle"] != settings["bundleId"] and not found["lying"]:
        text = f"Bundle {project['activeBundle']} is active on the node"
        return "OUT_OF_SYNC", [message("WARNING", "WARN_DEPLOYMENT_OUT_OF_SYNC", "Out of sync", text)]
    return found["health"], found["healthMessages"]


@route("GET", "/project-deployer/deployments", on=ON)
def list_deployments(call: Call) -> Response:
    """Light status of every deployment the caller may see."""
    return json_answer(
        [
            _light(call.tx, found)
            for found in call.tx.docs(DEPLOYER, "deployment")
            if _visible(call.tx, call.who, found)
        ]
    )


@route("POST", "/project-deployer/deployments", on=ON)
def create_deployment(call: Call) -> Response:
    """Create a deployment. Nothing is deployed until an update is started."""
    body = call.body()
    id = call.need(body, "deploymentId")
    key = call.need(body, "publishedProjectKey")
    infra_id = call.need(body, "infraId")
    bundle = call.need(body, "bundleId")
    if not archives.SAFE_ID.fullmatch(id):
        raise bad_request(f"Deployment id {id} has characters that ids do not have")
    _need_deploy(call.tx, call.who, key, infra_id)
    package(call.tx, key, bundle)
    if call.tx.get(DEPLOYER, "deployment", id) is not None:
        raise conflict(f"Deployment {id} already exists")
    settings: Json = {
        "id": id,
        "infraId": infra_id,
        "tags": [],
        "publishedProjectKey": key,
        "bundleId": bundle,
        "deployedProjectKey": body.get("deployedProjectKey") or key,
        "projectFolderId": body.get("projectFolderId") or "ROOT",
        "bundleContainerSettings": {
            "remapping": {"connections": [], "codeEnvs": []},
            "codeEnvsBehavior": {
                "importTimeMode": "INSTALL_IF_MISS",
                "envImportSpecificationMode": "SPECIFIED",
            },
        },
        "localVariables": {},
        "scenariosToActivate": {},
        "disableAutomaticTriggers": False,
        "enabled": True,
    }
    _govern_check(call.tx, settings, ignore_warnings=call.flag("ignoreWarnings"))
    call.tx.put(
        DEPLOYER,
        "deployment",
        id,
        {
            "id": id,
            "settings": settings,
            "createdBy": call.who.login,
            "lastModifiedBy": call.who.login,
            "deployed": None,
            "health": "UNKNOWN",
            "healthMessages": [],
            "lastError": None,
            "lying": False,
            "updating": None,
        },
    )
    call.tx.count("deployments_created", id)
    return json_answer({"id": id})


@route("GET", "/project-deployer/deployments/<deployment_id>", on=ON)
def get_light(call: Call, deployment_id: str) -> Response:
    """Light status."""
    return json_answer(_light(call.tx, _seen(call, deployment_id)))


@route("GET", "/project-deployer/deployments/<deployment_id>/status", on=ON)
def get_heavy(call: Call, deployment_id: str) -> Response:
    """Heavy status: health, its messages, and outcomes of the scenarios on the node."""
    found = _seen(call, deployment_id)
    settings = found["settings"]
    health, told = health_of(call.tx, found)
    fault = faults.take(
        call.tx,
        ("health",),
        deployment=deployment_id,
        node=infra(call.tx, settings["infraId"])["nodeId"],
        bundle=settings["bundleId"],
    )
    if fault is not None:
        health = faults.text(fault, "health", "UNHEALTHY")
        told = [
            message(
                "WARNING",
                "WARN_DEPLOYMENT_HEALTH",
                health,
                faults.text(fault, "message", f"Health is {health}"),
            )
        ]
    node = infra(call.tx, settings["infraId"])["nodeId"]
    return json_answer(
        {
            "deploymentId": deployment_id,
            "health": health,
            "healthMessages": messages(*told),
            "monitoring": scenarios.monitoring(call.tx, node, settings["deployedProjectKey"]),
        }
    )


@route("GET", "/project-deployer/deployments/<deployment_id>/governance-status", on=ON)
def governance_status(call: Call, deployment_id: str) -> Response:
    """Governance of the deployment's bundle, or of the one asked for."""
    settings = _seen(call, deployment_id)["settings"]
    policy = infra(call.tx, settings["infraId"])["governCheckPolicy"]
    bundle = call.query("bundleId", settings["bundleId"])
    return json_answer(_governance(call.tx, settings["publishedProjectKey"], bundle, policy))


@route("GET", "/project-deployer/deployments/<deployment_id>/settings", on=ON)
def get_settings(call: Call, deployment_id: str) -> Response:
    """The whole settings object."""
    return json_answer(_seen(call, deployment_id)["settings"])


@route("PUT", "/project-deployer/deployments/<deployment_id>/settings", on=ON)
def put_settings(call: Call, deployment_id: str) -> Response:
    """Save the whole settings object; the deployment is out of sync until an update applies it."""
    found = _seen(call, deployment_id)
    old = found["settings"]
    _need_deploy(call.tx, call.who, old["publishedProjectKey"], old["infraId"])
    new = call.body()
    for name in ("id", "infraId", "publishedProjectKey"):
        if new.get(name, old[name]) != old[name]:
            raise bad_request(f"{name} of a deployment cannot change")
    new = {
        **new,
        "id": old["id"],
        "infraId": old["infraId"],
        "publishedProjectKey": old["publishedProjectKey"],
    }
    new["bundleId"] = call.need(new, "bundleId")
    new["deployedProjectKey"] = new.get("deployedProjectKey") or old["deployedProjectKey"]
    package(call.tx, old["publishedProjectKey"], new["bundleId"])
    _govern_check(call.tx, new, ignore_warnings=call.flag("ignoreWarnings"))
    call.tx.put(
        DEPLOYER, "deployment", deployment_id, {**found, "settings": new, "lastModifiedBy": call.who.login}
    )
    call.tx.count("settings_saves", deployment_id)
    return empty_answer()


@route("DELETE", "/project-deployer/deployments/<deployment_id>", on=ON)
def delete_deployment(call: Call, deployment_id: str) -> Response:
    """Delete a deployment that is disabled and was updated since (or never deployed)."""
    found = _seen(call, deployment_id)
    settings = found["settings"]
    _need_deploy(call.tx, call.who, settings["publishedProjectKey"], settings["infraId"])
    if found["updating"] is not None:
        raise conflict(f"Deployment {deployment_id} has an action in progress")
    if found["deployed"] is not None and found["deployed"].get("enabled", True):
        raise conflict(f"Deployment {deployment_id} must be disabled and updated before it can be deleted")
    call.tx.delete(DEPLOYER, "deployment", deployment_id)
    call.tx.wipe(DEPLOYER, "update", f"{deployment_id}/")
    return empty_answer()


# ---------------------------------------------------------------------------------------------------- updates


@route("POST", "/project-deployer/deployments/<deployment_id>/actions/update", on=ON)
def start_update(call: Call, deployment_id: str) -> Response:
    """Start the update as a future; a second action while one runs is refused."""
    tx = call.tx
    found = _seen(call, deployment_id)
    settings = found["settings"]
    _need_deploy(tx, call.who, settings["publishedProjectKey"], settings["infraId"])
    if found["updating"] is not None:
        raise conflict(f"Deployment {deployment_id} has an action in progress")
    _govern_check(tx, settings, ignore_warnings=True)
    node = infra(tx, settings["infraId"])["nodeId"]
    if not node:
        raise conflict(f"Infrastructure {settings['infraId']} has no Automation node")
    fate = faults.fate(
        tx,
        "update",
        node=node,
        deployment=deployment_id,
        bundle=settings["bundleId"],
        project=settings["publishedProjectKey"],
    )
    earlier = tx.docs(DEPLOYER, "update", f"{deployment_id}/")
    # The start time is the id of an update, so two in one millisecond must differ.
    started = max(tx.now_ms, earlier[-1]["startTimestamp"] + 1 if earlier else 0)
    tx.put(
        DEPLOYER,
        "update",
        f"{deployment_id}/{started}",
        # UNCONFIRMED: spelling of type and status; our choice.
        {
            "startTimestamp": started,
            "type": "UPDATE",
            "status": "RUNNING",
            "requester": call.who.login,
            "bundleId": settings["bundleId"],
        },
    )
    body = {"deployment": deployment_id, "settings": settings, "started": started, "by": call.who.login}
    # A future belongs to the node that was asked: on a Design node with its own Deployer that is the Design node.
    answer = futures.start(tx, call.node.name, call.who, "update", body, fate)
    tx.put(DEPLOYER, "deployment", deployment_id, {**found, "updating": answer["jobId"]})
    tx.count("updates", deployment_id)
    return json_answer(answer)


def _end_update(tx: Tx, body: Json, status: str, due: float, lines: list[str]) -> None:
    id = f"{body['deployment']}/{body['started']}"
    update = tx.get(DEPLOYER, "update", id) or {}
    tx.put(
        DEPLOYER,
        "update",
        id,
        {
            **update,
            "status": status,
            "endTimestamp": max(int(due * 1000), body["started"]),
            "logs": {"lines": lines},
        },
    )
    tx.count("updates_finished", body["deployment"])


@futures.on_failure("update")
def update_broke(tx: Tx, body: Json) -> None:
    """An update that failed or was aborted: nothing was installed, the deployment is in error (our choice)."""
    found = tx.get(DEPLOYER, "deployment", body["deployment"])
    _end_update(tx, body, body["ended"], body["due"], ["The update did not finish"])
    if found is not None and found["updating"] == body["jobId"]:
        told = [
            message(
                "ERROR", "ERR_DEPLOYMENT_UPDATE_FAILED", "Update failed", "The last update did not finish"
            )
        ]
        tx.put(DEPLOYER, "deployment", found["id"], {**found, "updating": None, "lastError": told})


@futures.effect("update")
def finish_update(tx: Tx, body: Json, due: float) -> Json:
    """Install the bundle on the node and remember the health; the report is InfoMessages-like (UNCONFIRMED)."""
    found = deployment(tx, body["deployment"])
    settings, fate = body["settings"], body["fate"]
    node = infra(tx, settings["infraId"])["nodeId"]
    told = _install(tx, node, settings, body["by"], fate)
    health = "ERROR" if any(item["isFatal"] for item in told) else "HEALTHY"
    if health == "HEALTHY" and any(item["severity"] == "WARNING" for item in told):
        health = "WARNING"
    if fate.get("kind") == "update_health":
        health = faults.text(fate, "health", "ERROR")
        text = faults.text(fate, "message", f"The update ended with health {health}")
        told.append(
            message("ERROR" if health == "ERROR" else "WARNING", "WARN_DEPLOYMENT_HEALTH", health, text)
        )
    failed = health == "ERROR"
    tx.put(
        DEPLOYER,
        "deployment",
        found["id"],
        {
            **found,
            "updating": None,
            "deployed": found["deployed"] if failed else settings,
            "health": health,
            "healthMessages": [item for item in told if item["severity"] != "SUCCESS"],
            "lastError": told if failed else None,
            "lying": fate.get("kind") == "wrong_bundle",
        },
    )
    status = "ERROR" if failed else "WARNING" if health == "WARNING" else "SUCCESS"
    _end_update(tx, body, status, due, [item["message"] for item in told])
    return {**messages(*told), "deploymentId": found["id"], "bundleId": settings["bundleId"]}


def _install(tx: Tx, node: str, settings: Json, by: str, fate: Json) -> list[Json]:
    """Bring the bundle to the node and activate it; the messages of doing so."""
    key, bundle = settings["deployedProjectKey"], settings["bundleId"]
    if fate.get("kind") == "update_health" and faults.text(fate, "health", "ERROR") == "ERROR":
        return []
    if not settings.get("enabled", True):
        project = tx.get(node, "project", key)
        if project is not None:
            off = dict.fromkeys(project["scenarioActive"], False)
            tx.put(node, "project", key, {**project, "scenarioActive": off})
        return [message("SUCCESS", "SUCCESS_DISABLED", "Disabled", f"Automatic triggers of {key} are off")]
    wanted = bundle
    if fate.get("kind") == "wrong_bundle":
        active = (tx.get(node, "project", key) or {}).get("activeBundle")
        wanted = faults.text(fate, "active_bundle", "") or active
        if wanted is None:
            return [message("SUCCESS", "SUCCESS_ACTIVATED", "Activated", f"Bundle {bundle} is active")]
    stored = package(tx, settings["publishedProjectKey"], wanted)
    if tx.get(node, "imported", f"{key}/{wanted}") is None:
        archived = stored["archived"]
        members = tx.content(archived["content"])
        automation.create_if_missing(tx, node, key, members)
        automation.add_import(tx, node, key, archived["manifest"], archived["archive"], members, by)
    imported = automation.imported(tx, node, key, wanted)
    told = [] if imported["preloaded"] else automation.preload(tx, node, imported, settings)
    if any(item["isFatal"] for item in told):
        return told
    to_activate: Any = settings.get("scenariosToActivate")
    told += automation.activate(
        tx,
        node,
        automation.imported(tx, node, key, wanted),
        by,
        to_activate if isinstance(to_activate, dict) else {},
        settings,
    )
    if any(item["isFatal"] for item in told):
        return told
    local = settings.get("localVariables")
    project = tx.get(node, "project", key)
    if project is not None and isinstance(local, dict):
        tx.put(node, "project", key, {**project, "localVariables": local})
    told.append(message("SUCCESS", "SUCCESS_ACTIVATED", "Activated", f"Bundle {bundle} is active"))
    return told


@route("GET", "/project-deployer/deployments/<deployment_id>/update", on=ON)
def list_updates(call: Call, deployment_id: str) -> Response:
    """Updates of a deployment, newest first (order UNCONFIRMED; our choice)."""
    _seen(call, deployment_id)
    return json_answer(
        [
            {name: value for name, value in update.items() if name != "logs"}
            for update in reversed(call.tx.docs(DEPLOYER, "update", f"{deployment_id}/"))
        ]
    )


@route("GET", "/project-deployer/deployments/<deployment_id>/update/<timestamp>", on=ON)
def get_update(call: Call, deployment_id: str, timestamp: str) -> Response:
    """One update by its start time."""
    _seen(call, deployment_id)
    update = call.tx.get(DEPLOYER, "update", f"{deployment_id}/{timestamp}")
    if update is None:
        raise not_found("Update", timestamp, f" of deployment {deployment_id}")
    return json_answer({"endTimestamp": 0, **update})


@route("GET", "/project-deployer/deployments/<deployment_id>/last-update", on=ON)
def last_update(call: Call, deployment_id: str) -> Response:
    """The newest update."""
    _seen(call, deployment_id)
    updates = call.tx.docs(DEPLOYER, "update", f"{deployment_id}/")
    if not updates:
        raise not_found("Update", "last", f" of deployment {deployment_id}")
    return json_answer({"endTimestamp": 0, **updates[-1]})


# ------------------------------------------------------------------------------------------------------ tests


@route("GET", "/project-deployer/deployments/<deployment_id>/testing-status", on=ON)
def testing_status(call: Call, deployment_id: str) -> Response:
    """Last outcomes of the test scenarios on the deployment's node."""
    settings = _seen(call, deployment_id)["settings"]
    node = infra(call.tx, settings["infraId"])["nodeId"]
    return json_answer(
        scenarios.testing_status_of(call.tx, node, settings["deployedProjectKey"], call.query("bundleId"))
    )


@route(
    "POST", "/project-deployer/deployments/<deployment_id>/run-test-scenarios", on=ON, in_transaction=False
)
def run_test_scenarios(call: Call, deployment_id: str) -> Response:
    """Run every test scenario on the node and answer when all are over."""
    with call.store.transaction() as tx:
        found = deployment(tx, deployment_id)
        settings = found["settings"]
        if not _visible(tx, call.who, found):
            raise refused(f"Action forbidden: you may not see deployment {deployment_id}")
        _need_deploy(tx, call.who, settings["publishedProjectKey"], settings["infraId"])
        if found["updating"] is not None:
            raise conflict(f"Deployment {deployment_id} has an action in progress")
        node = infra(tx, settings["infraId"])["nodeId"]
        key = settings["deployedProjectKey"]
        project = tx.get(node, "project", key)
        if project is None:
            raise not_found("Project", key, " on the node")
        fires = [
            scenarios.fire(tx, node, project, definition, call.who.login, {})
            for definition in scenarios.definitions(tx, project)
            if definition.get("markedAsTest")
        ]
    deadline = time.monotonic() + _TEST_RUN_LIMIT_SECONDS
    while time.monotonic() < deadline:
        futures.settle(call.store)
        with call.store.transaction() as tx:
            if all(scenarios.is_over(tx, node, one["id"]) for one in fires):
                return json_answer(scenarios.testing_status_of(tx, node, key, ""))
        time.sleep(0.01)
    raise DssError(500, CODED, f"The test scenarios of {deployment_id} did not end")
