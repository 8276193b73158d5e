"""Data sets: list, settings, schema, metadata, and rows streamed as they are made.

Rows of a scored data set carry the word of the model version that is active in the project on this node.
"""

import threading
from collections.abc import Callable, Iterator

from werkzeug.wrappers import Response

from portal.dss.sandbox import archives, model_files
from portal.dss.sandbox.auth import need_project
from portal.dss.sandbox.errors import FAILED, DssError, bad_request, conflict, not_found
from portal.dss.sandbox.population import POPULATIONS, Formula, Population, scored
from portal.dss.sandbox.state import Json, Tx
from portal.dss.sandbox.wire import Call, empty_answer, json_answer, route, stream_answer

_FOLDER = "project_config/datasets/"
_LINES_PER_CHUNK = 500
DEFAULT_ROWS = 20_000

# Read sessions whose stream was cut; `finish-streaming` tells their readers. Not kept on disk: a session does not
# outlive the connection it belongs to.
_broken_sessions: set[str] = set()
_broken_lock = threading.Lock()


def note_broken_stream(session: str) -> None:
    """Remember that the stream of a read session did not come whole."""
    if session:
        with _broken_lock:
            _broken_sessions.add(session)


def definition(tx: Tx, project: Json, name: str) -> Json:
    """A data set's definition, or 404."""
    found = tx.content(project["content"]).get(f"{_FOLDER}{name}.json")
    if found is None:
        raise not_found("Dataset", name, f" in project {project['projectKey']}")
    return dict(found)


def rows_wanted(tx: Tx, key: str, name: str) -> int:
    """How many rows a made-up data set has."""
    settings: dict[str, int] = tx.get("", "settings", "rows") or {}
    return settings.get(f"{key}.{name}", settings.get("*", DEFAULT_ROWS))


def active_formula(members: Json, model: str) -> Formula | None:
    """The formula of a saved model's active version, or None."""
    active = members.get(f"project_config/saved_models/{model}.json", {}).get("activeVersion")
    stored = members.get(f"saved_models/{model}/versions/{active}/model.bin")
    return model_files.from_binary(stored) if isinstance(stored, str) else None


def _shown(key: str, found: Json) -> Json:
    return {"projectKey": key, "smartName": found["name"], **found}


@route("GET", "/projects/<key>/datasets")
def list_datasets(call: Call, key: str) -> Response:
    """Definitions of the project's data sets, those with one of the tags asked for."""
    project = need_project(call, key)
    members = call.tx.content(project["content"])
    tags = set(call.request.args.getlist("tags")) - {""}
    found = [members[path] for path in sorted(members) if path.startswith(_FOLDER)]
    return json_answer([_shown(key, one) for one in found if not tags or tags & set(one.get("tags", []))])


@route("GET", "/projects/<key>/datasets/<name>")
def get_dataset(call: Call, key: str, name: str) -> Response:
    """The definition (the client reads `type`)."""
    return json_answer(_shown(key, definition(call.tx, need_project(call, key), name)))


@route("PUT", "/projects/<key>/datasets/<name>")
def put_dataset(call: Call, key: str, name: str) -> Response:
    """Replace the definition."""
    project = need_project(call, key, "writeProjectContent")
    definition(call.tx, project, name)
    body = {item: value for item, value in call.body().items() if item not in ("projectKey", "smartName")}
    _save(call, project, {**body, "name": name})
    return json_answer({"msg": "Updated dataset"})


def _save(call: Call, project: Json, changed: Json) -> None:
    members = {**call.tx.content(project["content"]), f"{_FOLDER}{changed['name']}.json": changed}
    call.tx.put(
        call.node.name,
        "project",
        project["projectKey"],
        {**project, "content": call.tx.keep_content(members)},
    )


@route("POST", "/projects/<key>/datasets")
def create_dataset(call: Call, key: str) -> Response:
    """Create a data set without rows."""
    project = need_project(call, key, "writeProjectContent")
    body = call.body()
    name = call.need(body, "name")
    if not archives.SAFE_ID.fullmatch(name):
        raise bad_request(f"Dataset name {name[:60]} has characters that names do not have")
    if f"{_FOLDER}{name}.json" in call.tx.content(project["content"]):
        raise conflict(f"Dataset {name} already exists")
    empty: Json = {
        "schema": {"columns": []},
        "params": {},
        "type": "Filesystem",
        "tags": [],
        "customMeta": {"kv": {}},
    }
    _save(call, project, {**empty, **{item: value for item, value in body.items() if item != "projectKey"}})
    return json_answer({"name": name})


@route("GET", "/projects/<key>/datasets/<name>/schema")
def get_schema(call: Call, key: str, name: str) -> Response:
    """Columns with their types."""
    return json_answer(definition(call.tx, need_project(call, key), name).get("schema", {"columns": []}))


@route("PUT", "/projects/<key>/datasets/<name>/schema")
def put_schema(call: Call, key: str, name: str) -> Response:
    """Replace the columns."""
    project = need_project(call, key, "writeProjectContent")
    _save(call, project, {**definition(call.tx, project, name), "schema": call.body()})
    return json_answer({})


@route("GET", "/projects/<key>/datasets/<name>/metadata")
def get_metadata(call: Call, key: str, name: str) -> Response:
    """Label, tags and custom fields."""
    found = definition(call.tx, need_project(call, key), name)
    return json_answer(
        {"label": name, "tags": found.get("tags", []), "custom": {"kv": {}}, "checklists": {"checklists": []}}
    )


def note_builds(tx: Tx, node: str, key: str, names: list[str], start: int, end: int) -> None:
    """Remember a build of data sets on a node (Unix ms). Activating a bundle is none: it changes no rows in DSS."""
    for name in names:
        last: Json = {"buildStartTime": start, "buildEndTime": end, "buildSuccess": True}
        tx.put(node, "build", f"{key}/{name}", last)


@route("GET", "/projects/<key>/datasets/<name>/info")
def info(call: Call, key: str, name: str) -> Response:
    """The definition and the last build, which is left out where there was none (UNCONFIRMED).

    Here rows are made when they are read. On the Design node the data set counts as built when the project last
    changed; on an Automation node when a scenario last built it there.
    """
    project = need_project(call, key)
    shown: Json = {
        "projectKey": key,
        "name": name,
        "dataset": _shown(key, definition(call.tx, project, name)),
    }
    last = call.tx.get(call.node.name, "build", f"{key}/{name}")
    if call.node.kind == "design":
        changed = project["lastModifiedOn"]
        if last is None or last["buildStartTime"] < changed:
            last = {"buildStartTime": changed, "buildEndTime": changed, "buildSuccess": True}
    return json_answer(shown if last is None else {**shown, "lastBuild": last})


@route("GET", "/projects/<key>/datasets/<name>/partitions")
def partitions(call: Call, key: str, name: str) -> Response:
    """No data set here is partitioned."""
    definition(call.tx, need_project(call, key), name)
    return json_answer(["NP"])


@route("GET", "/projects/<key>/datasets/<name>/metrics/last/<partition>")
def last_metrics(call: Call, key: str, name: str, partition: str) -> Response:
    """The record count, as computed now."""
    definition(call.tx, need_project(call, key), name)
    value = {
        "partition": partition,
        "value": str(rows_wanted(call.tx, key, name)),
        "dataType": "BIGINT",
        "computed": call.tx.now_ms,
    }
    return json_answer(
        {
            "metrics": [
                {
                    "metric": {"id": "records:COUNT_RECORDS", "type": "records"},
                    "lastValues": [value],
                    "partitionsWithValue": [partition],
                }
            ]
        }
    )


@route("GET", "/projects/<key>/datasets/<name>/data")
def data(call: Call, key: str, name: str) -> Response:
    """Rows as tab-separated text in a chunked stream, in the columns asked for."""
    project = need_project(call, key)
    found = definition(call.tx, project, name)
    members = call.tx.content(project["content"])
    columns = [column["name"] for column in found["schema"]["columns"]]
    wanted = [
        part for given in call.request.args.getlist("columns") for part in given.split(",") if part
    ] or columns
    for column in wanted:
        if column not in columns:
            raise bad_request(f"Dataset {name} has no column {column}")
    form = call.query("format", "tsv-excel-noheader")
    if form not in ("tsv-excel-noheader", "tsv-excel-header"):
        raise bad_request(f"Format {form} is not supported")
    header = "\t".join(wanted) + "\n" if form == "tsv-excel-header" else ""
    made_from = found.get("customMeta", {}).get("kv", {})
    population = POPULATIONS.get(made_from.get("rows", ""))
    if population is None:
        return stream_answer(
            iter([header.encode()] if header else []), "text/tab-separated-values; charset=utf-8"
        )
    formula = active_formula(members, made_from["scoredBy"]) if "scoredBy" in made_from else None
    if formula is None and "scoredBy" in made_from:
        raise DssError(
            500,
            FAILED,
            f"Dataset {name} was never built: model {made_from['scoredBy']} has no active version",
        )
    lines = _lines(
        population, formula, [columns.index(column) for column in wanted], rows_wanted(call.tx, key, name)
    )
    return stream_answer(_chunks(header, lines), "text/tab-separated-values; charset=utf-8")


def _lines(population: Population, formula: Formula | None, picked: list[int], count: int) -> Iterator[str]:
    everything = list(range(len(population.columns) + (2 if formula else 0)))
    choose: Callable[[list[str]], list[str]] = (
        (lambda cells: cells) if picked == everything else (lambda cells: [cells[index] for index in picked])
    )
    if formula is None:
        for row in population.rows(count):
            yield "\t".join(choose([str(value) for value in row]))
        return
    for one in scored(population, formula, count):
        cells = [str(value) for value in one.row]
        cells.append("1" if one.selected else "0")
        cells.append(f"{one.probability:.6f}")
        yield "\t".join(choose(cells))


def _chunks(header: str, lines: Iterator[str]) -> Iterator[bytes]:
    block = [header[:-1]] if header else []
    for line in lines:
        block.append(line)
        if len(block) >= _LINES_PER_CHUNK:
            yield ("\n".join(block) + "\n").encode()
            block = []
    if block:
        yield ("\n".join(block) + "\n").encode()


@route("GET", "/projects/<key>/datasets/<name>/finish-streaming")
def finish_streaming(call: Call, key: str, name: str) -> Response:
    """Whether the stream of a read session came whole; an error when it did not."""
    definition(call.tx, need_project(call, key), name)
    session = call.query("readSessionId")
    with _broken_lock:
        broken = session in _broken_sessions
        _broken_sessions.discard(session)
    if broken:
        raise DssError(500, FAILED, f"Reading dataset {name} failed while its rows were streamed")
    return empty_answer()
