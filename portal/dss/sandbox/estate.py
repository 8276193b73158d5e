"""The demo estate: who exists on which node, with which keys and rights, and where bundles can go.

Founded once per data directory; a reset founds it again with the same keys. What the projects hold is in
`demo_projects`.
"""

from dataclasses import dataclass

from portal.dss.sandbox import auth, demo_projects
from portal.dss.sandbox.deployer import DEPLOYER, add_infra
from portal.dss.sandbox.errors import not_found
from portal.dss.sandbox.projects import add_design_project
from portal.dss.sandbox.state import Json, Tx
from portal.dss.sandbox.wire import Node

DESIGN, QA, PROD, GOVERN = "design", "qa", "prod", "govern"
NODE_KINDS_BY_NAME = {
    DESIGN: "design",
    DEPLOYER: "deployer",
    QA: "automation",
    PROD: "automation",
    GOVERN: "govern",
}
TECHNICAL_ACCOUNT = "countersign"
READ_ONLY_ACCOUNT = "viewer"


@dataclass(frozen=True, slots=True)
class User:
    """A user of the estate; the same on every node, as Dataiku asks for."""

    login: str
    name: str
    groups: tuple[str, ...]


USERS = (
    User("olga", "Olga Lindqvist", ("churn-team",)),
    User("dev", "Dev Rao", ("churn-team",)),
    User("mona", "Mona Castell", ("churn-team",)),
    User("priya", "Priya Nandan", ("fraud-team",)),
    User("hugo", "Hugo Bramley", ("maintenance-team",)),
    User("fay", "Fay Okafor", ("readers",)),
    User("eli", "Eli Brandt", ("readers",)),
    User("ravi", "Ravi Menon", ("readers",)),
    User("nora", "Nora Feld", ("readers",)),
    User("otto", "Otto Weiss", ()),
    User("ada", "Ada Novak", ("administrators",)),
    User("abe", "Abe Tanner", ("administrators",)),
    User(TECHNICAL_ACCOUNT, "Countersign (service account)", ("deployment-service",)),
)
_GROUPS = (
    "administrators",
    "churn-team",
    "fraud-team",
    "maintenance-team",
    "readers",
    "deployment-service",
)
_PERSONAL_KEYS = ("olga", "dev", "mona", "priya", "ada", "otto")
_TEAMS = {"CHURN": "churn-team", "FRAUD": "fraud-team", "MAINT": "maintenance-team"}
_CODE_ENVS = ("churn-env", "fraud-env", "maint-env")

# Tables per connection and node. The table that churn v3 reads is on design and QA, and was forgotten in production.
_TABLES = {
    "warehouse": ["scoring.customers", "scoring.churn_features", "scoring.churn_scored", "scoring.offers"],
    "payments_db": ["scoring.payments_scored_input", "scoring.payments_scored"],
    "sensors_db": ["scoring.machines_scored_input", "scoring.machines_scored"],
    "filesystem_managed": [],
}
_FORGOTTEN_IN_PRODUCTION = {"warehouse": ["scoring.offer_budget"]}


def found(tx: Tx, nodes: dict[str, Node]) -> None:
    """Found the estate in an empty state. Keys that exist are kept."""
    for node in nodes.values():
        _people(tx, node.name)
        _keys(tx, node.name)
        for name, tables in _TABLES.items():
            more = [] if node.name == PROD else _FORGOTTEN_IN_PRODUCTION.get(name, [])
            kind = "Filesystem" if name == "filesystem_managed" else "PostgreSQL"
            tx.put(node.name, "connection", name, {"name": name, "type": kind, "tables": [*tables, *more]})
        for env in _CODE_ENVS:
            tx.put(node.name, "codeenv", env, {"envName": env, "envLang": "PYTHON", "owner": "ada"})
    for key in demo_projects.OUTLINES:
        apply_revision(tx, key, "v1")
        tx.put(DEPLOYER, "template", key, {"permissions": _published_permissions(key)})
    for id, stage, node_name in (("qa-automation", "QA", QA), ("prod-automation", "Production", PROD)):
        add_infra(
            tx, id, stage, nodes[node_name], account_key(tx, node_name)["key"], _infra_permissions(node_name)
        )
    tx.put("", "settings", "founded", {"at": tx.now_ms})


def complete(tx: Tx, nodes: dict[str, Node]) -> None:
    """People and keys of a node that the estate did not have when it was founded."""
    for node in nodes.values():
        if not tx.docs(node.name, "key"):
            _people(tx, node.name)
            _keys(tx, node.name)


def _people(tx: Tx, node: str) -> None:
    for user in USERS:
        tx.put(
            node,
            "user",
            user.login,
            {
                "login": user.login,
                "displayName": user.name,
                "email": f"{user.login}@example.com",
                "groups": list(user.groups),
                "enabled": True,
            },
        )
    for group in _GROUPS:
        tx.put(
            node,
            "group",
            group,
            {"name": group, "description": "", "admin": group == "administrators", "sourceType": "LOCAL"},
        )


def _keys(tx: Tx, node: str) -> None:
    if tx.docs(node, "key"):
        return
    made = [
        auth.new_key(
            node,
            TECHNICAL_ACCOUNT,
            ("deployment-service",),
            admin=True,
            label="Countersign portal",
            kind="global",
        ),
        auth.new_key(node, READ_ONLY_ACCOUNT, ("readers",), admin=False, label="Read only", kind="global"),
    ]
    groups = {user.login: user.groups for user in USERS}
    for login in _PERSONAL_KEYS:
        admin = "administrators" in groups[login]
        made.append(
            auth.new_key(node, login, groups[login], admin=admin, label=f"Key of {login}", kind="personal")
        )
    for key in made:
        tx.put(node, "key", key["key"], key)


def account_key(tx: Tx, node: str, login: str = TECHNICAL_ACCOUNT) -> Json:
    """The key document of an account on a node."""
    for key in tx.docs(node, "key"):
        if key["login"] == login:
            return key
    raise not_found("Key", login, f" on node {node}")


def _project_permissions(key: str) -> list[Json]:
    return [
        {
            "group": _TEAMS[key],
            "admin": False,
            "readProjectContent": True,
            "writeProjectContent": True,
            "runScenarios": True,
            "exportDatasetsData": True,
            "readDashboards": True,
            "writeDashboards": True,
        },
        {"group": "readers", "admin": False, "readProjectContent": True, "readDashboards": True},
    ]


def _published_permissions(key: str) -> list[Json]:
    return [
        {"group": _TEAMS[key], "admin": False, "read": True, "write": True, "deploy": True},
        {"group": "deployment-service", "admin": True, "read": True, "write": True, "deploy": True},
        {"group": "readers", "admin": False, "read": True, "write": False, "deploy": False},
    ]


def _infra_permissions(node: str) -> list[Json]:
    # Teams deploy to QA by themselves; production shows itself to them and takes deployments from the portal alone.
    teams = sorted(set(_TEAMS.values()))
    return [
        *({"group": team, "admin": False, "read": True, "deploy": node == QA} for team in teams),
        {"group": "deployment-service", "admin": True, "read": True, "deploy": True},
        {"group": "readers", "admin": False, "read": True, "deploy": False},
    ]


def apply_revision(tx: Tx, key: str, name: str) -> None:
    """Move a project of the Design node to a revision, as if people had worked on it."""
    if name not in demo_projects.revisions(key):
        raise not_found(
            "Revision",
            name,
            f" of project {key}; there are {', '.join(demo_projects.revisions(key)) or 'none'}",
        )
    outline = demo_projects.OUTLINES[key]
    members = demo_projects.revision(key, name)
    project = tx.get(DESIGN, "project", key)
    if project is None:
        add_design_project(
            tx,
            DESIGN,
            key,
            outline.owner,
            outline.name,
            outline.short_desc,
            _project_permissions(key),
            members,
        )
        return
    tag = members["project_config/params.json"]["versionTag"]
    tx.put(
        DESIGN,
        "project",
        key,
        {
            **project,
            "content": tx.keep_content(members),
            "scenarioActive": {},
            "lastModifiedOn": tx.now_ms,
            "lastModifiedBy": tag["lastModifiedBy"]["login"],
        },
    )
