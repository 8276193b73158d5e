"""The instance itself: identity, version, users, groups, connections, code environments, audit, licence."""

from werkzeug.wrappers import Response

from portal.dss.sandbox.auth import need_admin
from portal.dss.sandbox.errors import not_found
from portal.dss.sandbox.state import Json
from portal.dss.sandbox.wire import DSS_VERSION, NODE_KINDS, Call, empty_answer, json_answer, route

_NODE_TYPES = {"design": "DESIGN", "automation": "AUTOMATION", "deployer": "DEPLOYER", "govern": "GOVERN"}


@route("GET", "/auth/info", on=(*NODE_KINDS, "govern"))
def auth_info(call: Call) -> Response:
    """Who the key acts as."""
    return json_answer(
        {
            "authIdentifier": call.who.login,
            "groups": list(call.who.groups),
            "secrets": [],
            "associatedDSSUser": call.who.login,
        }
    )


@route("GET", "/instance-info", on=(*NODE_KINDS, "govern"))
def instance_info(call: Call) -> Response:
    """Which node this is."""
    return json_answer(
        {
            "nodeId": call.node.name,
            "nodeName": call.node.name.capitalize(),
            "nodeType": _NODE_TYPES[call.node.kind],
            "dssVersion": DSS_VERSION,
            "installId": f"demo-{call.node.name}",
        }
    )


def _user(found: Json, *, whole: bool) -> Json:
    shown = {"login": found["login"], "displayName": found["displayName"], "enabled": found["enabled"]}
    if whole:
        shown |= {
            "email": found["email"],
            "groups": found["groups"],
            "sourceType": "LOCAL",
            "userProfile": "FULL_DESIGNER",
        }
    return shown


@route("GET", "/admin/users", admin=True)
def list_users(call: Call) -> Response:
    """Every user with groups."""
    return json_answer([_user(found, whole=True) for found in call.tx.docs(call.node.name, "user")])


@route("GET", "/users")
def list_users_basic(call: Call) -> Response:
    """Logins and names, for anybody."""
    return json_answer([_user(found, whole=False) for found in call.tx.docs(call.node.name, "user")])


@route("GET", "/admin/users/<login>", admin=True)
def get_user(call: Call, login: str) -> Response:
    """One user."""
    found = call.tx.get(call.node.name, "user", login)
    if found is None:
        raise not_found("User", login)
    return json_answer(_user(found, whole=True))


@route("GET", "/users/<login>")
def get_user_basic(call: Call, login: str) -> Response:
    """One user's name."""
    found = call.tx.get(call.node.name, "user", login)
    if found is None:
        raise not_found("User", login)
    return json_answer(_user(found, whole=False))


def _groups(call: Call) -> list[Json]:
    return call.tx.docs(call.node.name, "group")


@route("GET", "/admin/groups", admin=True)
def list_groups(call: Call) -> Response:
    """Every group."""
    return json_answer(_groups(call))


@route("GET", "/groups")
def list_groups_basic(call: Call) -> Response:
    """Names of groups, for anybody."""
    return json_answer([{"name": group["name"]} for group in _groups(call)])


@route("GET", "/admin/groups/<name>", admin=True)
def get_group(call: Call, name: str) -> Response:
    """One group."""
    found = call.tx.get(call.node.name, "group", name)
    if found is None:
        raise not_found("Group", name)
    return json_answer(found)


@route("GET", "/admin/connections", admin=True)
def list_connections(call: Call) -> Response:
    """Definitions by name, without secrets."""
    found = call.tx.docs(call.node.name, "connection")
    return json_answer(
        {
            one["name"]: {"name": one["name"], "type": one["type"], "usableBy": "ALL", "params": {}}
            for one in found
        }
    )


@route("GET", "/connections/get-names")
def connection_names(call: Call) -> Response:
    """Names of the connections of a type that the key may use."""
    wanted = call.query("type", "all")
    found = call.tx.docs(call.node.name, "connection")
    return json_answer([one["name"] for one in found if wanted in ("all", one["type"])])


@route("GET", "/connections/<name>/info")
def connection_info(call: Call, name: str) -> Response:
    """Type of one connection."""
    found = call.tx.get(call.node.name, "connection", name)
    if found is None:
        raise not_found("Connection", name)
    return json_answer({"name": name, "type": found["type"], "params": {}})


@route("GET", "/admin/code-envs", admin=True)
def list_code_envs(call: Call) -> Response:
    """Code environments of the node."""
    return json_answer(
        [
            {
                **found,
                "deploymentMode": "AUTOMATION_VERSIONED"
                if call.node.kind == "automation"
                else "DESIGN_MANAGED",
            }
            for found in call.tx.docs(call.node.name, "codeenv")
        ]
    )


@route("GET", "/admin/code-envs/<lang>/<name>", admin=True)
def get_code_env(call: Call, lang: str, name: str) -> Response:
    """One code environment."""
    found = call.tx.get(call.node.name, "codeenv", name)
    if found is None or found["envLang"] != lang:
        raise not_found("Code env", name)
    return json_answer(
        {**found, "desc": {"pythonInterpreter": "PYTHON311"}, "specPackageList": "", "currentVersions": []}
    )


@route("GET", "/admin/code-envs/usages", admin=True)
def code_env_usages(call: Call) -> Response:
    """Which project uses which environment."""
    found = []
    for project in call.tx.docs(call.node.name, "project"):
        params = call.tx.content(project["content"]).get("project_config/params.json", {})
        env = params.get("settings", {}).get("codeEnvs", {}).get("python", {}).get("envName")
        if env:
            found.append(
                {
                    "envLang": "PYTHON",
                    "envName": env,
                    "envUsage": "PROJECT",
                    "projectKey": project["projectKey"],
                    "objectId": project["projectKey"],
                }
            )
    return json_answer(found)


@route("POST", "/admin/audit/custom/<kind>", admin=True)
def custom_audit(call: Call, kind: str) -> Response:
    """Write one custom entry to the audit trail, which no public call reads (the control API does)."""
    number = call.tx.next_number("audit")
    call.tx.put(
        call.node.name,
        "audit",
        f"{number:09d}",
        {
            "node": call.node.name,
            "type": kind,
            "params": call.body(),
            "by": call.who.login,
            "at": call.tx.now_ms,
        },
    )
    call.tx.count("audits", f"{call.node.name}/{kind}")
    return empty_answer()


@route("GET", "/admin/licensing/status", admin=True)
def licensing(call: Call) -> Response:
    """A licence that allows what the sandbox does."""
    return json_answer(
        {
            "base": {"hasLicense": True, "valid": True, "expired": False, "licenseKind": "DEMO"},
            "limits": {"profileLimits": {}},
        }
    )


@route("GET", "/plugins")
def plugins(call: Call) -> Response:
    """No plugin is installed."""
    return json_answer([])


@route("GET", "/admin/get-govern-node-ref", admin=True)
def govern(call: Call) -> Response:
    """No Govern node is linked; approvals are set through the control API."""
    return json_answer({"enabled": False, "nodeUrl": "", "apiKey": "", "trustAllSSLCertificates": False})


@route("GET", "/admin/global-api-keys", admin=True)
def list_global_keys(call: Call) -> Response:
    """Global keys of the node, secrets hidden."""
    need_admin(call.who)
    return json_answer(
        [
            {
                "id": key["id"],
                "key": "",
                "label": key["label"],
                "description": "",
                "createdBy": "admin",
                "groups": key["groups"],
                "globalPermissions": {"admin": key["admin"]},
            }
            for key in call.tx.docs(call.node.name, "key")
            if key["kind"] == "global"
        ]
    )
