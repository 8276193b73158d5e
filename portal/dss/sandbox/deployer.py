"""The Project Deployer's stages, infrastructures and published projects, and who may deploy them.

State is kept under the node name `deployer` whichever node answers, since a Design node may serve the same Deployer.
Not in charge of deployments.
"""

from typing import Any

from werkzeug.wrappers import Response

from portal.dss.sandbox import archives, auth, standards
from portal.dss.sandbox.errors import bad_request, conflict, not_found, refused
from portal.dss.sandbox.state import Json, Tx
from portal.dss.sandbox.wire import Call, Identity, Node, empty_answer, file_answer, json_answer, route

DEPLOYER = "deployer"
ON = ("deployer",)
GOVERN_POLICIES = ("NO_CHECK", "WARN", "PREVENT")
STAGES = (("Development", "Development"), ("QA", "Quality assurance"), ("Production", "Production"))


def published(tx: Tx, key: str) -> Json:
    """A published project, or 404."""
    found = tx.get(DEPLOYER, "published", key)
    if found is None:
        raise not_found("Published project", key)
    return found


def infra(tx: Tx, id: str) -> Json:
    """An infrastructure, or 404."""
    found = tx.get(DEPLOYER, "infra", id)
    if found is None:
        raise not_found("Infrastructure", id)
    return found


def packages(tx: Tx, key: str) -> list[Json]:
    """The bundles of a published project, oldest first."""
    return tx.docs(DEPLOYER, "package", f"{key}/")


def package(tx: Tx, key: str, bundle: str) -> Json:
    """One published bundle, or 404."""
    found = tx.get(DEPLOYER, "package", f"{key}/{bundle}")
    if found is None:
        raise not_found("Bundle", bundle, f" in published project {key}")
    return found


def create_published(tx: Tx, key: str, owner: str, name: str = "") -> Json:
    """Create a published project with the group of its project as deployers."""
    template = tx.get(DEPLOYER, "template", key) or {}
    made = {"id": key, "name": name or key, "owner": owner, "permissions": template.get("permissions", [])}
    tx.put(DEPLOYER, "published", key, made)
    return made


def may(found: Json, who: Identity, right: str) -> bool:
    """Whether an identity has a right on a published project or infrastructure (its owner has all)."""
    return found.get("owner") == who.login or auth.has(found["permissions"], who, right)


def add_package(tx: Tx, who: Identity, key: str, archived: Json, origin: Json | None) -> None:
    """Publish a bundle; creates the published project when missing, refuses an id that exists.

    `archived` is {archive: SHA-256, manifest, content: digest}: what the Deployer knows of its copy.
    """
    bundle = archived["manifest"]["bundleId"]
    found = tx.get(DEPLOYER, "published", key) or create_published(tx, key, who.login)
    if not may(found, who, "write"):
        raise refused(f"Action forbidden: you may not write to published project {key}")
    if tx.get(DEPLOYER, "package", f"{key}/{bundle}") is not None:
        raise conflict(f"Bundle {bundle} already exists in published project {key}")
    entry: Json = {"id": bundle, "publishedOn": tx.now_ms, "publishedBy": who.login, "archived": archived}
    if origin is not None:
        entry["designNodeInfo"] = origin
    tx.put(DEPLOYER, "package", f"{key}/{bundle}", entry)


def visible_package(entry: Json) -> Json:
    """A published bundle as the API shows it."""
    return {name: value for name, value in entry.items() if name != "archived"}


def deployment_info(settings: Json, deployment: Json) -> Json:
    """The deploymentBasicInfo object."""
    return {
        "id": deployment["id"],
        "infraId": settings["infraId"],
        "tags": settings.get("tags", []),
        "createdByDisplayName": deployment["createdBy"],
        "lastModifiedByDisplayName": deployment["lastModifiedBy"],
        "publishedProjectKey": settings["publishedProjectKey"],
        "bundleId": settings["bundleId"],
        "deployedProjectKey": settings["deployedProjectKey"],
        # UNCONFIRMED for project deployments; our choice is the name the API side uses.
        "enabled": settings.get("enabled", True),
    }


def infra_info(found: Json) -> Json:
    """The infraBasicInfo object."""
    return {
        "id": found["id"],
        "stage": found["stage"],
        "governCheckPolicy": found["governCheckPolicy"],
        "automationNodeUrl": found["automationNodeUrl"],
        "automationNodeExternalUrl": found["automationNodeExternalUrl"],
        # UNCONFIRMED; the spelling of the single-node type is the one public code reads.
        "type": "AUTOMATION_NODE",
    }


def deployments_where(tx: Tx, **wanted: str) -> list[Json]:
    """Deployments whose settings have these values."""
    return [
        one
        for one in tx.docs(DEPLOYER, "deployment")
        if all(one["settings"].get(name) == value for name, value in wanted.items())
    ]


def _published_status(call: Call, found: Json) -> Json:
    infras = [one for one in call.tx.docs(DEPLOYER, "infra") if may(one, call.who, "read")]
    return {
        "projectBasicInfo": {"id": found["id"], "name": found["name"]},
        "isAdmin": may(found, call.who, "admin"),
        "canDeploy": may(found, call.who, "deploy"),
        "canWrite": may(found, call.who, "write"),
        "packages": [visible_package(entry) for entry in packages(call.tx, found["id"])],
        "deployments": [
            deployment_info(one["settings"], one)
            for one in deployments_where(call.tx, publishedProjectKey=found["id"])
        ],
        "infras": [infra_info(one) for one in infras],
    }


def readable_project(call: Call, key: str, right: str = "read") -> Json:
    """A published project that the caller may see (404 or 403 otherwise)."""
    found = published(call.tx, key)
    if not may(found, call.who, right):
        raise refused(f"Action forbidden: you do not have {right} on published project {key}")
    return found


@route("GET", "/project-deployer/stages", on=ON)
def stages(call: Call) -> Response:
    """The stages of infrastructures; labels only."""
    return json_answer([{"id": id, "desc": desc} for id, desc in STAGES])


# ------------------------------------------------------------------------------------------- infrastructures


def _infra_status(call: Call, found: Json) -> Json:
    return {
        "isAdmin": may(found, call.who, "admin"),
        "canDeploy": may(found, call.who, "deploy"),
        "infraBasicInfo": infra_info(found),
        "deployments": [
            deployment_info(one["settings"], one) for one in deployments_where(call.tx, infraId=found["id"])
        ],
    }


def _seen_infra(call: Call, id: str, right: str = "read") -> Json:
    found = infra(call.tx, id)
    if not may(found, call.who, right):
        raise refused(f"Action forbidden: you do not have {right} on infrastructure {id}")
    return found


@route("GET", "/project-deployer/infras", on=ON)
def list_infras(call: Call) -> Response:
    """Infrastructures that the caller may see."""
    return json_answer(
        [_infra_status(call, one) for one in call.tx.docs(DEPLOYER, "infra") if may(one, call.who, "read")]
    )


@route("POST", "/project-deployer/infras", on=ON, admin=True)
def create_infra(call: Call) -> Response:
    """Create an infrastructure; it points at no node until its settings say so."""
    body = call.body()
    id = call.need(body, "id")
    policy = body.get("governCheckPolicy") or "NO_CHECK"
    if not archives.SAFE_ID.fullmatch(id):
        raise bad_request(f"Infrastructure id {id} has characters that ids do not have")
    if policy not in GOVERN_POLICIES:
        raise bad_request(f"governCheckPolicy must be one of {', '.join(GOVERN_POLICIES)}")
    if call.tx.get(DEPLOYER, "infra", id) is not None:
        raise conflict(f"Infrastructure {id} already exists")
    add_infra(call.tx, id, call.need(body, "stage"), None, "", [], str(policy))
    return json_answer({"id": id})


def add_infra(
    tx: Tx,
    id: str,
    stage: str,
    node: Node | None,
    key: str,
    permissions: list[Json],
    policy: str = "NO_CHECK",
) -> None:
    """Store an infrastructure that deploys to an Automation node with that node's admin key."""
    url = node.url if node else ""
    tx.put(
        DEPLOYER,
        "infra",
        id,
        {
            "id": id,
            "stage": stage,
            "type": "AUTOMATION_NODE",
            "governCheckPolicy": policy,
            "autoconfigureFromNodesDirectory": False,
            "nodeId": node.name if node else "",
            "automationNodeUrl": url,
            "automationNodeExternalUrl": url,
            "adminApiKey": key,
            "trustAllSSLCertificates": False,
            "permissions": permissions,
        },
    )


@route("GET", "/project-deployer/infras/<infra_id>", on=ON)
def get_infra(call: Call, infra_id: str) -> Response:
    """Light status of an infrastructure, rights computed for the calling key."""
    return json_answer(_infra_status(call, _seen_infra(call, infra_id)))


@route("GET", "/project-deployer/infras/<infra_id>/settings", on=ON)
def get_infra_settings(call: Call, infra_id: str) -> Response:
    """Settings, the node's admin key included, for its administrators only."""
    return json_answer(_seen_infra(call, infra_id, "admin"))


@route("PUT", "/project-deployer/infras/<infra_id>/settings", on=ON)
def put_infra_settings(call: Call, infra_id: str) -> Response:
    """Replace the settings. The id stays; unknown fields are kept as sent."""
    found = _seen_infra(call, infra_id, "admin")
    body = call.body()
    if body.get("governCheckPolicy", "NO_CHECK") not in GOVERN_POLICIES:
        raise bad_request(f"governCheckPolicy must be one of {', '.join(GOVERN_POLICIES)}")
    if not isinstance(body.get("permissions", []), list):
        raise bad_request("permissions must be a list")
    call.tx.put(DEPLOYER, "infra", infra_id, {**found, **body, "id": infra_id})
    return empty_answer()


@route("DELETE", "/project-deployer/infras/<infra_id>", on=ON)
def delete_infra(call: Call, infra_id: str) -> Response:
    """Delete an infrastructure that has no deployment."""
    _seen_infra(call, infra_id, "admin")
    if deployments_where(call.tx, infraId=infra_id):
        raise conflict(f"Infrastructure {infra_id} still has deployments")
    call.tx.delete(DEPLOYER, "infra", infra_id)
    return empty_answer()


# ----------------------------------------------------------------------------------------- published projects


@route("GET", "/project-deployer/projects", on=ON)
def list_published(call: Call) -> Response:
    """Published projects that the caller may see."""
    return json_answer(
        [
            _published_status(call, one)
            for one in call.tx.docs(DEPLOYER, "published")
            if may(one, call.who, "read")
        ]
    )


@route("POST", "/project-deployer/projects", on=ON)
def create_project(call: Call) -> Response:
    """Create an empty published project."""
    key = call.need(call.body(), "publishedProjectKey")
    if not archives.SAFE_ID.fullmatch(key):
        raise bad_request(f"Project key {key} has characters that keys do not have")
    if call.tx.get(DEPLOYER, "published", key) is not None:
        raise conflict(f"Published project {key} already exists")
    create_published(call.tx, key, call.who.login)
    return json_answer({"id": key})


@route("GET", "/project-deployer/projects/<key>", on=ON)
def get_published(call: Call, key: str) -> Response:
    """Status of a published project, rights computed for the calling key."""
    return json_answer(_published_status(call, readable_project(call, key)))


@route("GET", "/project-deployer/projects/<key>/settings", on=ON)
def get_published_settings(call: Call, key: str) -> Response:
    """Settings with the permission list."""
    return json_answer({**readable_project(call, key, "admin"), "basicImageInfo": {}})


@route("PUT", "/project-deployer/projects/<key>/settings", on=ON)
def put_published_settings(call: Call, key: str) -> Response:
    """Replace name, owner and permissions."""
    found = readable_project(call, key, "admin")
    body = call.body()
    permissions: Any = body.get("permissions", found["permissions"])
    if not isinstance(permissions, list):
        raise bad_request("permissions must be a list")
    call.tx.put(DEPLOYER, "published", key, {**found, **body, "id": key, "permissions": permissions})
    return empty_answer()


@route("DELETE", "/project-deployer/projects/<key>", on=ON)
def delete_published(call: Call, key: str) -> Response:
    """Delete a published project that has no deployment."""
    readable_project(call, key, "admin")
    if deployments_where(call.tx, publishedProjectKey=key):
        raise conflict(f"Published project {key} still has deployments")
    call.tx.delete(DEPLOYER, "published", key)
    call.tx.wipe(DEPLOYER, "package", f"{key}/")
    return empty_answer()


@route("POST", "/project-deployer/projects/bundles", on=ON, in_transaction=False)
def upload_bundle(call: Call) -> Response:
    """Publish an uploaded archive. Without a key the archive's own is used, created when missing (our choice)."""
    digest, head, members = archives.take_in(call.store, call.upload())
    key = call.query("projectKey", head["projectKey"])
    with call.store.transaction() as tx:
        archived = {"archive": digest, "manifest": head, "content": tx.keep_content(members)}
        add_package(tx, call.who, key, archived, None)
        tx.count("uploads", f"{key}/{head['bundleId']}")
    return empty_answer()


@route("GET", "/project-deployer/projects/<key>/bundles/<bundle>", on=ON)
def download_bundle(call: Call, key: str, bundle: str) -> Response:
    """The Deployer's copy of an archive."""
    readable_project(call, key)
    return file_answer(call.store.archive(package(call.tx, key, bundle)["archived"]["archive"]))


@route("DELETE", "/project-deployer/projects/<key>/bundles/<bundle>", on=ON)
def delete_bundle(call: Call, key: str, bundle: str) -> Response:
    """Delete a published bundle that no deployment uses."""
    readable_project(call, key, "write")
    package(call.tx, key, bundle)
    if deployments_where(call.tx, publishedProjectKey=key, bundleId=bundle):
        raise conflict(f"Bundle {bundle} is used by a deployment")
    call.tx.delete(DEPLOYER, "package", f"{key}/{bundle}")
    return empty_answer()


@route("GET", "/project-deployer/projects/<key>/bundles/<bundle>/project-standards-report", on=ON)
def standards_report(call: Call, key: str, bundle: str) -> Response:
    """What the project standards found when the bundle was exported; null where there are none."""
    readable_project(call, key)
    return json_answer(standards.report(call.tx, key, package(call.tx, key, bundle)))
