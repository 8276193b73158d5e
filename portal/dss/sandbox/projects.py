"""Projects of a Design or Automation node: listing, metadata, permissions, settings, variables, history, recipes, wiki.

Everything a bundle carries is read from the project's content; what never travels (owner, permissions, local variables)
lives beside it.
"""

import hashlib
from typing import Any

from werkzeug.wrappers import Response

from portal.dss.sandbox import archives
from portal.dss.sandbox.auth import PROJECT_RIGHTS, may_project, need_project
from portal.dss.sandbox.errors import bad_request, conflict, not_found
from portal.dss.sandbox.state import Json, Tx
from portal.dss.sandbox.wire import Call, json_answer, route, text_answer

_RECIPES = "project_config/recipes/"
_ARTICLES = "project_config/wiki/articles/"
_CODE = {"python": ".py", "sql_query": ".sql", "sql_script": ".sql"}
_BESIDE = ("owner", "permissions")


def _params(tx: Tx, project: Json) -> Json:
    found = tx.content(project["content"]).get(archives.PARAMS, {})
    return found if isinstance(found, dict) else {}


def _summary(call: Call, project: Json) -> Json:
    params = _params(call.tx, project)
    user = call.tx.get(call.node.name, "user", project["owner"]) or {}
    shown: Json = {
        "projectKey": project["projectKey"],
        "name": project["name"],
        "shortDesc": project["shortDesc"],
        "ownerLogin": project["owner"],
        "ownerDisplayName": user.get("displayName", project["owner"]),
        "projectStatus": params.get("projectStatus", "Draft"),
        "tags": params.get("tags", []),
        "versionTag": params.get(
            "versionTag",
            {
                "versionNumber": 0,
                "lastModifiedBy": {"login": project["lastModifiedBy"]},
                "lastModifiedOn": project["lastModifiedOn"],
            },
        ),
        "creationTag": {
            "versionNumber": 0,
            "lastModifiedBy": {"login": project["createdBy"]},
            "lastModifiedOn": project["createdOn"],
        },
    }
    if project["activeBundle"] is not None:
        shown["activeBundleState"] = {
            "bundleId": project["activeBundle"],
            "activatedOn": project["activatedOn"],
        }
    return shown


def _put(call: Call, project: Json, **changes: Any) -> None:
    call.tx.put(
        call.node.name,
        "project",
        project["projectKey"],
        {**project, **changes, "lastModifiedOn": call.tx.now_ms, "lastModifiedBy": call.who.login},
    )


def _change_content(call: Call, project: Json, changed: Json) -> None:
    members = {**call.tx.content(project["content"]), **changed}
    _put(call, project, content=call.tx.keep_content(members))


@route("GET", "/projects")
def list_projects(call: Call) -> Response:
    """Summaries of the projects the caller may read."""
    found = call.tx.docs(call.node.name, "project")
    return json_answer(
        [_summary(call, one) for one in found if may_project(one, call.who, "readProjectContent")]
    )


@route("POST", "/projects", on=("design",), admin=True)
def create_project(call: Call) -> Response:
    """Create an empty project."""
    body = call.body()
    key = call.need(body, "projectKey")
    if not archives.SAFE_ID.fullmatch(key):
        raise bad_request(f"Project key {key[:60]} has characters that keys do not have")
    if call.tx.get(call.node.name, "project", key) is not None:
        raise conflict(f"Project {key} already exists")
    name = str(body.get("name") or key)
    members = {
        archives.PARAMS: {
            "projectKey": key,
            "name": name,
            "shortDesc": "",
            "settings": {},
            "exposedObjects": {"objects": []},
            "tags": [],
        },
        "project_config/variables.json": {"standard": {}},
    }
    add_design_project(
        call.tx, call.node.name, key, str(body.get("owner") or call.who.login), name, "", [], members
    )
    return text_answer(f"Created project {key}")


def add_design_project(
    tx: Tx,
    node: str,
    key: str,
    owner: str,
    name: str,
    short_desc: str,
    permissions: list[Json],
    members: Json,
) -> None:
    """Store a project of the Design node."""
    tx.put(
        node,
        "project",
        key,
        {
            "projectKey": key,
            "name": name,
            "shortDesc": short_desc,
            "owner": owner,
            "permissions": permissions,
            "metadata": {},
            "localVariables": {},
            "content": tx.keep_content(members),
            "activeBundle": None,
            "scenarioActive": {},
            "createdOn": tx.now_ms,
            "createdBy": owner,
            "lastModifiedOn": tx.now_ms,
            "lastModifiedBy": owner,
        },
    )


@route("GET", "/projects/<key>")
def get_project(call: Call, key: str) -> Response:
    """Summary of one project."""
    return json_answer(_summary(call, need_project(call, key)))


@route("DELETE", "/projects/<key>")
def delete_project(call: Call, key: str) -> Response:
    """Delete a project and what hangs on it."""
    need_project(call, key, "admin")
    call.tx.delete(call.node.name, "project", key)
    for kind in ("exported", "imported", "run", "analysis", "build"):
        call.tx.wipe(call.node.name, kind, f"{key}/")
    return json_answer({"hasResult": True, "jobId": f"delete-{key}", "result": {"messages": []}})


@route("GET", "/projects/<key>/metadata")
def get_metadata(call: Call, key: str) -> Response:
    """Label, descriptions, tags, checklists, custom fields."""
    project = need_project(call, key)
    return json_answer(
        {
            "label": project["name"],
            "description": "",
            "shortDesc": project["shortDesc"],
            "tags": _params(call.tx, project).get("tags", []),
            "checklists": {"checklists": []},
            "custom": {"kv": {}},
            "customFields": {},
            **project["metadata"],
        }
    )


@route("PUT", "/projects/<key>/metadata")
def put_metadata(call: Call, key: str) -> Response:
    """Replace the metadata; label and short description also show in the listing."""
    project = need_project(call, key, "writeProjectContent")
    body = call.body()
    _put(
        call,
        project,
        metadata=body,
        name=str(body.get("label") or project["name"]),
        shortDesc=str(body.get("shortDesc", project["shortDesc"])),
    )
    return json_answer({})


@route("GET", "/projects/<key>/permissions")
def get_permissions(call: Call, key: str) -> Response:
    """Owner and permission entries, every right spelled out."""
    project = need_project(call, key)
    entries = [
        {"admin": False, **dict.fromkeys(PROJECT_RIGHTS, False), **entry} for entry in project["permissions"]
    ]
    return json_answer(
        {"owner": project["owner"], "permissions": entries, "additionalDashboardUsers": {"users": []}}
    )


@route("PUT", "/projects/<key>/permissions")
def put_permissions(call: Call, key: str) -> Response:
    """Replace owner and permission entries."""
    project = need_project(call, key, "admin")
    body = call.body()
    permissions = body.get("permissions", project["permissions"])
    if not isinstance(permissions, list) or not all(isinstance(entry, dict) for entry in permissions):
        raise bad_request("permissions must be a list of objects")
    _put(call, project, owner=str(body.get("owner") or project["owner"]), permissions=permissions)
    return json_answer({})


@route("GET", "/projects/<key>/settings")
def get_settings(call: Call, key: str) -> Response:
    """Settings: code environments, exposed objects, what bundles take along."""
    params = _params(call.tx, need_project(call, key))
    return json_answer(
        {
            name: params[name]
            for name in ("settings", "exposedObjects", "bundleContainerSettings", "projectStatus")
            if name in params
        }
    )


@route("PUT", "/projects/<key>/settings")
def put_settings(call: Call, key: str) -> Response:
    """Replace the settings."""
    project = need_project(call, key, "writeProjectContent")
    body = {name: value for name, value in call.body().items() if name not in _BESIDE}
    _change_content(
        call, project, {archives.PARAMS: {**_params(call.tx, project), **body, "projectKey": key}}
    )
    return json_answer({})


@route("GET", "/projects/<key>/variables")
def get_variables(call: Call, key: str) -> Response:
    """Standard variables (they travel) and local ones (they never do)."""
    project = need_project(call, key)
    stored = call.tx.content(project["content"]).get("project_config/variables.json", {})
    return json_answer({"standard": stored.get("standard", {}), "local": project["localVariables"]})


@route("PUT", "/projects/<key>/variables")
def put_variables(call: Call, key: str) -> Response:
    """Replace both kinds of variables."""
    project = need_project(call, key, "writeProjectContent")
    body = call.body()
    if not isinstance(body.get("standard"), dict) or not isinstance(body.get("local"), dict):
        raise bad_request("Variables need both standard and local objects")
    _change_content(
        call,
        {**project, "localVariables": body["local"]},
        {"project_config/variables.json": {"standard": body["standard"]}},
    )
    return json_answer({})


@route("GET", "/projects/<key>/variables-resolved")
def resolved_variables(call: Call, key: str) -> Response:
    """Local variables over standard ones."""
    project = need_project(call, key)
    stored = call.tx.content(project["content"]).get("project_config/variables.json", {})
    return json_answer({**stored.get("standard", {}), **project["localVariables"], "projectKey": key})


@route("GET", "/projects/<key>/tags")
def get_tags(call: Call, key: str) -> Response:
    """Tags in use with their colours."""
    tags = _params(call.tx, need_project(call, key)).get("tags", [])
    return json_answer({"tags": {tag: {"color": "#2f6f7e"} for tag in tags}})


@route("PUT", "/projects/<key>/tags")
def put_tags(call: Call, key: str) -> Response:
    """Replace the tags."""
    project = need_project(call, key, "writeProjectContent")
    tags = call.body().get("tags")
    if not isinstance(tags, dict):
        raise bad_request("tags must be an object")
    _change_content(call, project, {archives.PARAMS: {**_params(call.tx, project), "tags": sorted(tags)}})
    return json_answer({})


@route("GET", "/projects/<key>/timeline")
def timeline(call: Call, key: str) -> Response:
    """Who changed the project and when."""
    project = need_project(call, key)
    tag = _params(call.tx, project).get("versionTag", {})
    people = [{"login": project["owner"], "displayName": project["owner"]}]
    items = [
        {
            "action": "COMMIT",
            "user": tag.get("lastModifiedBy", {}).get("login", project["lastModifiedBy"]),
            "time": tag.get("lastModifiedOn", project["lastModifiedOn"]),
            "objectId": key,
            "objectType": "PROJECT",
        }
    ]
    return json_answer(
        {
            "allContributors": people,
            "items": items[: max(call.number("itemCount", 100), 0)],
            "createdBy": people[0],
            "createdOn": project["createdOn"],
            "lastModifiedBy": {"login": project["lastModifiedBy"]},
            "lastModifiedOn": project["lastModifiedOn"],
        }
    )


# ------------------------------------------------------------------------------------------------------- git


def _commit(call: Call, project: Json) -> Json:
    """The head commit: its id follows from the content, so it changes exactly when the project does."""
    tag = _params(call.tx, project).get("versionTag", {})
    author = tag.get("lastModifiedBy", {}).get("login", project["lastModifiedBy"])
    return {
        "commitId": hashlib.sha1(project["content"].encode(), usedforsecurity=False).hexdigest(),
        "author": author,
        "timestamp": tag.get("lastModifiedOn", project["lastModifiedOn"]),
        "message": f"Changes by {author}",
    }


@route("GET", "/projects/<key>/git/status")
def git_status(call: Call, key: str) -> Response:
    """A clean working copy without remotes."""
    need_project(call, key)
    return json_answer(
        {"currentBranch": "master", "clean": True, "remotes": [], "added": [], "changed": [], "removed": []}
    )


@route("GET", "/projects/<key>/git/current-branch")
def git_branch(call: Call, key: str) -> Response:
    """The only branch."""
    need_project(call, key)
    return json_answer({"name": "master"})


@route("GET", "/projects/<key>/git/branches")
def git_branches(call: Call, key: str) -> Response:
    """The only branch."""
    need_project(call, key)
    return json_answer(["master"])


@route("GET", "/projects/<key>/git/tags")
def git_tags(call: Call, key: str) -> Response:
    """No tags are kept."""
    need_project(call, key)
    return json_answer([])


@route("GET", "/projects/<key>/git/actions/log")
def git_log(call: Call, key: str) -> Response:
    """The head commit, which is what tools compare with."""
    return json_answer(
        {"entries": [_commit(call, need_project(call, key))][: max(call.number("count", 1000), 0)]}
    )


# --------------------------------------------------------------------------------------------------- recipes


def _recipe(tx: Tx, project: Json, name: str) -> Json:
    found = tx.content(project["content"]).get(f"{_RECIPES}{name}.json")
    if found is None:
        raise not_found("Recipe", name, f" in project {project['projectKey']}")
    return dict(found)


@route("GET", "/projects/<key>/recipes")
def list_recipes(call: Call, key: str) -> Response:
    """Recipes with their types, inputs and outputs."""
    members = call.tx.content(need_project(call, key)["content"])
    return json_answer(
        [
            {**members[path], "projectKey": key}
            for path in sorted(members)
            if path.startswith(_RECIPES) and path.endswith(".json")
        ]
    )


@route("GET", "/projects/<key>/recipes/<name>")
def get_recipe(call: Call, key: str, name: str) -> Response:
    """A recipe and its code as payload."""
    project = need_project(call, key)
    found = _recipe(call.tx, project, name)
    code = call.tx.content(project["content"]).get(f"{_RECIPES}{name}{_CODE.get(found['type'], '.txt')}", "")
    return json_answer({"recipe": {**found, "projectKey": key}, "payload": code, "neededConversions": []})


@route("PUT", "/projects/<key>/recipes/<name>")
def put_recipe(call: Call, key: str, name: str) -> Response:
    """Replace a recipe and its code."""
    project = need_project(call, key, "writeProjectContent")
    found = _recipe(call.tx, project, name)
    body = call.body()
    definition = body.get("recipe", {})
    if not isinstance(definition, dict):
        raise bad_request("recipe must be an object")
    definition = {part: value for part, value in definition.items() if part != "projectKey"}
    changed: Json = {f"{_RECIPES}{name}.json": {**found, **definition, "name": name}}
    if isinstance(body.get("payload"), str):
        changed[f"{_RECIPES}{name}{_CODE.get(found['type'], '.txt')}"] = body["payload"]
    _change_content(call, project, changed)
    return json_answer({"messages": []})


# ------------------------------------------------------------------------------------------------------ wiki


@route("GET", "/projects/<key>/wiki")
def get_wiki(call: Call, key: str) -> Response:
    """The taxonomy of articles."""
    members = call.tx.content(need_project(call, key)["content"])
    return json_answer(
        {
            "projectKey": key,
            "homeArticleId": "",
            "taxonomy": [],
            **members.get("project_config/wiki/wiki.json", {}),
        }
    )


@route("GET", "/projects/<key>/wiki/<article>")
def get_article(call: Call, key: str, article: str) -> Response:
    """An article by id or name, with its Markdown."""
    members = call.tx.content(need_project(call, key)["content"])
    for path, found in members.items():
        if path.startswith(_ARTICLES) and path.endswith(".json") and article in (found["id"], found["name"]):
            text = members.get(f"{_ARTICLES}{found['id']}.md", "")
            return json_answer({"article": {**found, "projectKey": key}, "payload": text})
    raise not_found("Article", article, f" in project {key}")


@route("PUT", "/projects/<key>/wiki/<article>")
def put_article(call: Call, key: str, article: str) -> Response:
    """Replace an article's text."""
    project = need_project(call, key, "writeProjectContent")
    members = call.tx.content(project["content"])
    if f"{_ARTICLES}{article}.json" not in members:
        raise not_found("Article", article, f" in project {key}")
    _change_content(call, project, {f"{_ARTICLES}{article}.md": str(call.body().get("payload", ""))})
    return json_answer({"article": members[f"{_ARTICLES}{article}.json"]})


@route("POST", "/projects/<key>/wiki")
def create_article(call: Call, key: str) -> Response:
    """Create an empty article; its text needs a second call."""
    project = need_project(call, key, "writeProjectContent")
    name = call.need(call.body(), "name")
    members = call.tx.content(project["content"])
    taken = [
        int(value["id"])
        for path, value in members.items()
        if path.startswith(_ARTICLES) and path.endswith(".json")
    ]
    id = str(max(taken, default=0) + 1)
    wiki = {"homeArticleId": id, "taxonomy": [], **members.get("project_config/wiki/wiki.json", {})}
    wiki = {**wiki, "taxonomy": [*wiki["taxonomy"], {"id": id, "children": []}]}
    article = {"id": id, "name": name}
    _change_content(
        call,
        project,
        {f"{_ARTICLES}{id}.json": article, f"{_ARTICLES}{id}.md": "", "project_config/wiki/wiki.json": wiki},
    )
    return json_answer({"article": {**article, "projectKey": key}})


@route("GET", "/projects/<key>/managedfolders")
def list_folders(call: Call, key: str) -> Response:
    """Managed folders."""
    members = call.tx.content(need_project(call, key)["content"])
    start = "project_config/managed_folders/"
    return json_answer(
        [{**members[path], "projectKey": key} for path in sorted(members) if path.startswith(start)]
    )


@route("GET", "/project-folders/<folder>")
def get_folder(call: Call, folder: str) -> Response:
    """The root folder, which holds every project."""
    if folder != "ROOT":
        raise not_found("Project folder", folder)
    return json_answer(
        {
            "id": "ROOT",
            "name": "/",
            "parentId": None,
            "childrenIds": [],
            "projectKeys": call.tx.ids(call.node.name, "project"),
        }
    )


@route("GET", "/project-folders/locate-project/<key>")
def locate_project(call: Call, key: str) -> Response:
    """Every project lies in the root folder."""
    need_project(call, key)
    return json_answer({"id": "ROOT", "name": "/", "parentId": None, "childrenIds": [], "projectKeys": [key]})


@route("POST", "/permissions/actions/check-objects")
def check_objects(call: Call) -> Response:
    """What the caller may do with objects of projects."""
    items = call.body().get("items", [])
    checked = []
    for item in items if isinstance(items, list) else []:
        project = (
            call.tx.get(call.node.name, "project", str(item.get("objectProjectKey")))
            if isinstance(item, dict)
            else None
        )
        can = {
            right: project is not None and may_project(project, call.who, f"{right}ProjectContent")
            for right in ("read", "write")
        }
        checked.append({**(item if isinstance(item, dict) else {}), **can})
    return json_answer({"items": checked})
