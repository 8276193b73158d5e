"""The server side of the control API (`/sandbox/...`): faults, durations, revisions, counters, requests seen.

Outside DSS's paths, behind its own token, for callers on the same machine only. `control.py` is its client.
"""

import hmac
import json
from typing import TYPE_CHECKING, Any

from werkzeug.wrappers import Request, Response

from portal.dss.sandbox import archives, automation, demo_projects, estate, faults, futures, govern
from portal.dss.sandbox.deployer import DEPLOYER
from portal.dss.sandbox.errors import FORBIDDEN, NOT_FOUND, UNAUTHORIZED, DssError, bad_request, not_found
from portal.dss.sandbox.standards import SEVERITIES
from portal.dss.sandbox.state import Json, Tx
from portal.dss.sandbox.wire import json_answer

if TYPE_CHECKING:
    from portal.dss.sandbox.app import Application

_LOCAL = ("127.0.0.1", "::1", "localhost")
TOKEN_HEADER = "X-Sandbox-Token"


def answer(app: "Application", request: Request, path: str) -> Response:
    """Answer one control request."""
    try:
        if request.remote_addr not in _LOCAL:
            raise DssError(403, FORBIDDEN, "The control API answers callers on this machine only")
        if not hmac.compare_digest(request.headers.get(TOKEN_HEADER, ""), app.token):
            raise DssError(401, UNAUTHORIZED, "Wrong control token")
        raw = request.get_data()
        try:
            body = json.loads(raw) if raw.strip() else {}
        except ValueError:
            raise bad_request("The request body is not valid JSON") from None
        if not isinstance(body, dict):
            raise bad_request("The request body must be a JSON object")
        verb = path.removeprefix("/sandbox").strip("/")
        if verb == "requests":
            return json_answer(_requests(app, request, body))
        futures.settle(app.store)
        with app.store.transaction() as tx:
            return json_answer(_do(app, tx, request.method, verb, body))
    except DssError as error:
        return json_answer(error.body(), error.status)


def _requests(app: "Application", request: Request, body: Json) -> Any:
    if request.method == "DELETE":
        app.seen.clear()
        return {}
    return list(app.seen)


def _do(app: "Application", tx: Tx, method: str, verb: str, body: Json) -> Any:
    match method, verb:
        case "GET", "ping":
            return {"ok": True}
        case "POST", "faults":
            return faults.install(tx, body)
        case "GET", "faults":
            return faults.standing(tx)
        case "DELETE", "faults":
            faults.clear(tx, str(body.get("id") or ""))
            return {}
        case "GET", "durations":
            return futures.durations(tx)
        case "PUT", "durations":
            futures.set_durations(tx, body)
            return futures.durations(tx)
        case "GET", "counters":
            return {name: counts for name, counts in tx.counters().items() if name != "series"}
        case "GET", "revisions":
            return {key: demo_projects.revisions(key) for key in demo_projects.OUTLINES}
        case "POST", "revision":
            estate.apply_revision(tx, _text(body, "project"), _text(body, "revision"))
            return {}
        case "PUT", "rows":
            return _set_rows(tx, body)
        case "PUT", "ballast":
            size = body.get("bytes")
            if not isinstance(size, int) or size < 0:
                raise bad_request("bytes must be a number of bytes")
            tx.put("", "settings", "bundles", {"ballast_bytes": size})
            return {}
        case "PUT", "governance":
            approved = body.get("approved")
            if not (approved is None or isinstance(approved, bool)):
                raise bad_request("approved must be true, false or null")
            govern.say(tx, _text(body, "project"), _text(body, "bundle"), approved)
            return {}
        case "PUT", "standards":
            return _set_standards(tx, body)
        case "PUT", "connection":
            return _set_connection(tx, body)
        case "PUT", "code-env":
            return _set_code_env(tx, body)
        case "POST", "activate":
            return _activate_behind(tx, body)
        case "GET", "audit":
            return [entry for node in app.urls.nodes for entry in tx.docs(node, "audit")]
        case "GET", "keys":
            return [
                {name: key[name] for name in ("node", "login", "key", "label", "kind", "admin")}
                for node in app.urls.nodes
                for key in tx.docs(node, "key")
            ]
        case "POST", "keep":
            tx.keep_all(_text(body, "name"))
            return {}
        case "POST", "back":
            try:
                tx.bring_back(_text(body, "name"))
            except FileNotFoundError:
                raise not_found("Kept estate", body["name"], "") from None
            return {}
        case "POST", "reset":
            pace = tx.get("", "settings", "pace") or {}
            tx.wipe_all()
            estate.found(tx, app.urls.nodes)
            futures.set_pace(tx, float(pace.get("pace", 1.0)))
            return {}
    raise DssError(404, NOT_FOUND, f"No control called {method} {verb}")


def _text(body: Json, name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not archives.SAFE_ID.fullmatch(value):
        raise bad_request(f"Missing or malformed {name}")
    return value


def _set_rows(tx: Tx, body: Json) -> Json:
    count = body.get("rows")
    if not isinstance(count, int) or count < 0:
        raise bad_request("rows must be a count")
    settings = tx.get("", "settings", "rows") or {}
    which = f"{body['project']}.{body['dataset']}" if body.get("dataset") else "*"
    tx.put("", "settings", "rows", {**settings, which: count})
    return {}


def _set_standards(tx: Tx, body: Json) -> Json:
    key = _text(body, "project")
    if body.get("none"):
        tx.put(DEPLOYER, "standards", key, {"none": True})
        return {}
    check, severity = _text(body, "check"), body.get("severity")
    if severity is not None and severity not in SEVERITIES:
        raise bad_request("severity must be 0 to 5, or null for a check that could not be run")
    ran = {"status": "RUN_ERROR" if severity is None else "RUN_SUCCESS", "severity": severity, "message": ""}
    checks = (tx.get(DEPLOYER, "standards", key) or {}).get("checks", {})
    tx.put(DEPLOYER, "standards", key, {"checks": {**checks, check: ran}})
    return {}


def _set_connection(tx: Tx, body: Json) -> Json:
    node, name, tables = _text(body, "node"), _text(body, "name"), body.get("tables")
    if tables is None:
        tx.delete(node, "connection", name)
    elif isinstance(tables, list):
        tx.put(
            node,
            "connection",
            name,
            {"name": name, "type": str(body.get("type") or "PostgreSQL"), "tables": tables},
        )
    else:
        raise bad_request("tables must be a list, or null to remove the connection")
    return {}


def _set_code_env(tx: Tx, body: Json) -> Json:
    node, name = _text(body, "node"), _text(body, "name")
    if body.get("present"):
        tx.put(node, "codeenv", name, {"envName": name, "envLang": "PYTHON", "owner": "ada"})
    else:
        tx.delete(node, "codeenv", name)
    return {}


def _activate_behind(tx: Tx, body: Json) -> Any:
    """Activate a published or imported bundle on a node as somebody else would, past every deployment."""
    node, key, bundle = _text(body, "node"), _text(body, "project"), _text(body, "bundle")
    if tx.get(node, "imported", f"{key}/{bundle}") is None:
        stored = tx.get(DEPLOYER, "package", f"{key}/{bundle}")
        if stored is None:
            raise not_found("Bundle", bundle, f" of project {key}")
        archived = stored["archived"]
        members = tx.content(archived["content"])
        automation.create_if_missing(tx, node, key, members)
        automation.add_import(tx, node, key, archived["manifest"], archived["archive"], members, "abe")
    return automation.activate(tx, node, automation.imported(tx, node, key, bundle), "abe", {}, {})
