"""Bundles on the Design node: export, list, download, delete, publish to the Deployer."""

import time

from werkzeug.wrappers import Response

from portal.dss.sandbox import archives, futures
from portal.dss.sandbox.auth import need_project, project_for
from portal.dss.sandbox.deployer import add_package
from portal.dss.sandbox.errors import bad_request, conflict, not_found
from portal.dss.sandbox.state import Json
from portal.dss.sandbox.wire import Call, file_answer, json_answer, route

_DESIGN = ("design",)


def _exported(call: Call, key: str, bundle: str) -> Json:
    found = call.tx.get(call.node.name, "exported", f"{key}/{bundle}")
    if found is None:
        raise not_found("Bundle", bundle, f" in project {key}")
    return found


def _item(exported: Json) -> Json:
    # Beyond bundleId the item is UNCONFIRMED; our choice is the manifest as exported.
    return {"bundleId": exported["bundleId"], "exportManifest": exported["manifest"], "state": "EXPORTED"}


@route("GET", "/projects/<key>/bundles/exported", on=_DESIGN)
def list_exported(call: Call, key: str) -> Response:
    """Exported bundles, oldest first."""
    need_project(call, key)
    return json_answer(
        {"bundles": [_item(one) for one in call.tx.docs(call.node.name, "exported", f"{key}/")]}
    )


@route("GET", "/projects/<key>/bundles/exported/<bundle>", on=_DESIGN)
def get_exported(call: Call, key: str, bundle: str) -> Response:
    """One exported bundle (in the REST reference, not used by the client)."""
    need_project(call, key)
    return json_answer(_item(_exported(call, key, bundle)))


@route("PUT", "/projects/<key>/bundles/exported/<bundle>", on=_DESIGN, in_transaction=False)
def export(call: Call, key: str, bundle: str) -> Response:
    """Export the project's current state, synchronously. An id that exists is refused."""
    id = f"{key}/{bundle}"
    with call.store.transaction() as tx:
        project = project_for(tx, call, key, "writeProjectContent")
        if not archives.SAFE_ID.fullmatch(bundle):
            raise bad_request(f"Bundle id {bundle} has characters that ids do not have")
        if tx.get(call.node.name, "exported", id) is not None:
            raise conflict(f"Bundle {bundle} already exists in project {key}")
        content = project["content"]
        members = tx.content(content)
        settings = tx.get("", "settings", "bundles") or {}
        wait = futures.seconds(tx, "export")
        head = archives.manifest(key, bundle, call.who.login, tx.now_ms, call.query("releaseNotes"))
    time.sleep(wait)
    # Written outside the transaction: a large archive must not stop the other requests.
    digest = archives.write_new(call.store, members, head, int(settings.get("ballast_bytes", 0)))
    with call.store.transaction() as tx:
        if tx.get(call.node.name, "exported", id) is not None:
            raise conflict(f"Bundle {bundle} already exists in project {key}")
        exported = {
            "bundleId": bundle,
            "project": key,
            "archive": digest,
            "manifest": head,
            "content": content,
        }
        tx.put(call.node.name, "exported", id, exported)
        tx.count("exports", f"{call.node.name}/{id}")
    return json_answer(_item(exported))


@route("DELETE", "/projects/<key>/bundles/exported/<bundle>", on=_DESIGN)
def delete_exported(call: Call, key: str, bundle: str) -> Response:
    """Forget an exported bundle."""
    need_project(call, key, "writeProjectContent")
    _exported(call, key, bundle)
    call.tx.delete(call.node.name, "exported", f"{key}/{bundle}")
    return json_answer({})


@route("GET", "/projects/<key>/bundles/exported/<bundle>/archive", on=_DESIGN)
def archive(call: Call, key: str, bundle: str) -> Response:
    """The archive as a stream."""
    need_project(call, key)
    return file_answer(call.store.archive(_exported(call, key, bundle)["archive"]))


@route("POST", "/projects/<key>/bundles/<bundle>/publish", on=_DESIGN)
def publish(call: Call, key: str, bundle: str) -> Response:
    """Copy an exported bundle to the Deployer, creating the published project when it is missing."""
    need_project(call, key, "writeProjectContent")
    exported = _exported(call, key, bundle)
    target = call.query("publishedProjectKey", key)
    origin = {"projectKey": key, "nodeId": call.node.name, "url": call.node.url}
    archived = {name: exported[name] for name in ("archive", "manifest", "content")}
    add_package(call.tx, call.who, target, archived, origin)
    call.tx.count("publishes", f"{target}/{bundle}")
    return json_answer(
        {"publishedOn": call.tx.now_ms, "publishedBy": call.who.login, "publishedProjectKey": target}
    )
