"""Who calls: keys in every documented form, impersonation, and the rights of an identity.

Rights are per group, as in DSS; a key of an administrator passes everywhere. Not in charge of users' own endpoints.
"""

import base64
import binascii
import secrets
from typing import Any

from werkzeug.datastructures import Headers

from portal.dss.sandbox.errors import UNAUTHORIZED, DssError, not_found, refused
from portal.dss.sandbox.state import Json, Tx
from portal.dss.sandbox.wire import Call, Identity, Node

PROJECT_RIGHTS = (
    "readProjectContent",
    "writeProjectContent",
    "exportDatasetsData",
    "readDashboards",
    "writeDashboards",
    "moderateDashboards",
    "runScenarios",
    "manageDashboardAuthorizations",
    "manageExposedElements",
    "manageAdditionalDashboardUsers",
    "executeApp",
)


def keys_given(headers: Headers) -> list[str]:
    """The candidate keys of a request: Basic user name, Basic password with an empty user, or Bearer token."""
    scheme, _, value = headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return [value.strip()]
    if scheme.lower() != "basic":
        return []
    try:
        user, _, password = base64.b64decode(value, validate=False).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return []
    return [user or password]


def authenticate(tx: Tx, node: Node, headers: Headers) -> Identity:
    """The identity behind a request, after impersonation.

    Raises DssError 401 for a missing, empty or unknown key, 403 for impersonation without an admin key.
    """
    given = next((key for key in keys_given(headers) if key), "")
    key = tx.get(node.name, "key", given) if given else None
    if key is None:
        raise DssError(401, UNAUTHORIZED, "Invalid API key" if given else "Authentication required")
    who = Identity(key["login"], tuple(key["groups"]), key["admin"])
    proxy = headers.get("X-DKU-ProxyUser", "")
    if not proxy:
        return who
    if not who.admin:
        raise refused("Only an administrator's key may act as another user")
    user = tx.get(node.name, "user", proxy)
    if user is None:
        raise not_found("User", proxy)
    if not user["enabled"]:
        raise refused(f"User {proxy} is disabled")
    return identity_of(user)


def identity_of(user: Json) -> Identity:
    """The identity of a user of the node."""
    return Identity(user["login"], tuple(user["groups"]), "administrators" in user["groups"])


def new_key(node: str, login: str, groups: tuple[str, ...], *, admin: bool, label: str, kind: str) -> Json:
    """A fresh key document; `kind` is global or personal."""
    return {
        "id": secrets.token_hex(6),
        "key": secrets.token_urlsafe(24),
        "node": node,
        "kind": kind,
        "label": label,
        "login": login,
        "groups": list(groups),
        "admin": admin,
    }


def _entry_applies(entry: Json, who: Identity) -> bool:
    group, user = entry.get("group"), entry.get("user")
    return (isinstance(group, str) and group in who.groups) or (isinstance(user, str) and user == who.login)


def has(permissions: Any, who: Identity, right: str) -> bool:
    """Whether a permission list gives a right to an identity; `admin` in an entry includes all of them."""
    if who.admin:
        return True
    entries = permissions if isinstance(permissions, list) else []
    return any(
        isinstance(entry, dict)
        and _entry_applies(entry, who)
        and bool(entry.get("admin") or entry.get(right))
        for entry in entries
    )


def may_project(project: Json, who: Identity, right: str) -> bool:
    """Whether an identity has a right on a project of a design or automation node."""
    return who.login == project["owner"] or has(project["permissions"], who, right)


def need_project(call: Call, key: str, right: str = "readProjectContent") -> Json:
    """The project document, or 404 when missing and 403 without the right."""
    return project_for(call.tx, call, key, right)


def project_for(tx: Tx, call: Call, key: str, right: str = "readProjectContent") -> Json:
    """As `need_project`, in a transaction that the handler opened."""
    project = tx.get(call.node.name, "project", key)
    if project is None:
        raise not_found("Project", key)
    if not may_project(project, call.who, right):
        raise refused(f"Action forbidden: you do not have {right} on project {key}")
    return project


def need_admin(who: Identity) -> None:
    """403 unless the identity is an administrator of the node."""
    if not who.admin:
        raise refused("Action forbidden: administrator rights are required")
