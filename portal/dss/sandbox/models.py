"""Saved models: versions, details, analyses that are computed on demand, and generated documents."""

import datetime
import secrets

from werkzeug.wrappers import Response

from portal.dss.sandbox import docx, faults, futures, model_files
from portal.dss.sandbox.auth import need_project
from portal.dss.sandbox.errors import bad_request, conflict, not_found
from portal.dss.sandbox.population import POPULATIONS, Formula, Population, sample
from portal.dss.sandbox.state import Json, Tx
from portal.dss.sandbox.wire import Call, bytes_answer, empty_answer, json_answer, route

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_FOLDER = "project_config/saved_models/"
_MAX_SAMPLE = 50_000


def _model(tx: Tx, project: Json, model: str) -> Json:
    found = tx.content(project["content"]).get(f"{_FOLDER}{model}.json")
    if found is None:
        raise not_found("Saved model", model, f" in project {project['projectKey']}")
    return dict(found)


def _version_folder(model: str, version: str) -> str:
    return f"saved_models/{model}/versions/{version}/"


def _versions(tx: Tx, project: Json, model: str) -> list[str]:
    start = f"saved_models/{model}/versions/"
    members = tx.content(project["content"])
    return sorted({path[len(start) :].partition("/")[0] for path in members if path.startswith(start)})


def _version(tx: Tx, project: Json, model: str, version: str) -> tuple[Population, Formula, Json, Json]:
    """(population, formula, core parameters, performance) of a version, or 404."""
    _model(tx, project, model)
    members = tx.content(project["content"])
    folder = _version_folder(model, version)
    if f"{folder}model.bin" not in members:
        raise not_found("Version", version, f" of saved model {model}")
    core = members[f"{folder}core_params.json"]
    formula = model_files.from_binary(members[f"{folder}model.bin"])
    return POPULATIONS[core["population"]], formula, core, members[f"{folder}perf.json"]


def _full_id(key: str, model: str, version: str) -> str:
    return f"S-{key}-{model}-{version}"


def _snippet(key: str, model: str, version: str, core: Json, perf: Json) -> Json:
    return {
        "fullModelId": _full_id(key, model, version),
        "userMeta": {"name": "Logistic model", "description": "", "labels": []},
        "predictionType": core["prediction_type"],
        "backendType": core["backendType"],
        "algorithm": "LOGISTIC_REGRESSION",
        **perf,
    }


@route("GET", "/projects/<key>/savedmodels")
def list_models(call: Call, key: str) -> Response:
    """The project's saved models."""
    members = call.tx.content(need_project(call, key)["content"])
    found = [members[path] for path in sorted(members) if path.startswith(_FOLDER)]
    return json_answer([{**one, "projectKey": key} for one in found])


@route("GET", "/projects/<key>/savedmodels/<model>")
def get_model(call: Call, key: str, model: str) -> Response:
    """Settings of a saved model."""
    return json_answer({**_model(call.tx, need_project(call, key), model), "projectKey": key})


@route("PUT", "/projects/<key>/savedmodels/<model>")
def put_model(call: Call, key: str, model: str) -> Response:
    """Replace the settings; the active version has its own call."""
    project = need_project(call, key, "writeProjectContent")
    found = _model(call.tx, project, model)
    body = {name: value for name, value in call.body().items() if name != "projectKey"}
    _save_model(call, project, {**found, **body, "id": model, "activeVersion": found["activeVersion"]})
    return empty_answer()


def _save_model(call: Call, project: Json, changed: Json) -> None:
    members = {**call.tx.content(project["content"]), f"{_FOLDER}{changed['id']}.json": changed}
    call.tx.put(
        call.node.name,
        "project",
        project["projectKey"],
        {**project, "content": call.tx.keep_content(members)},
    )


@route("GET", "/projects/<key>/savedmodels/<model>/versions")
def list_versions(call: Call, key: str, model: str) -> Response:
    """Versions, oldest first, at most one of them active."""
    project = need_project(call, key)
    active = _model(call.tx, project, model)["activeVersion"]
    found = []
    for version in _versions(call.tx, project, model):
        _, _, core, perf = _version(call.tx, project, model, version)
        found.append(
            {
                "id": version,
                "active": version == active,
                "trainDate": perf["trainDate"],
                "snippet": _snippet(key, model, version, core, perf),
            }
        )
    return json_answer(found)


@route("POST", "/projects/<key>/savedmodels/<model>/versions/<version>/actions/setActive")
def set_active(call: Call, key: str, model: str, version: str) -> Response:
    """Make a version the active one in this project on this node."""
    project = need_project(call, key, "writeProjectContent")
    _version(call.tx, project, model, version)
    _save_model(call, project, {**_model(call.tx, project, model), "activeVersion": version})
    return empty_answer()


@route("POST", "/projects/<key>/savedmodels/<model>/actions/delete-versions")
def delete_versions(call: Call, key: str, model: str) -> Response:
    """Delete versions; the active one is refused."""
    project = need_project(call, key, "writeProjectContent")
    found = _model(call.tx, project, model)
    versions = call.body().get("versions", [])
    if not isinstance(versions, list) or found["activeVersion"] in versions:
        raise conflict(f"The active version of {model} cannot be deleted")
    folders = tuple(_version_folder(model, str(version)) for version in versions)
    members = {
        path: value
        for path, value in call.tx.content(project["content"]).items()
        if not folders or not path.startswith(folders)
    }
    call.tx.put(call.node.name, "project", key, {**project, "content": call.tx.keep_content(members)})
    return empty_answer()


@route("GET", "/projects/<key>/savedmodels/<model>/versions/<version>/details")
def details(call: Call, key: str, model: str, version: str) -> Response:
    """Everything about a trained version."""
    project = need_project(call, key)
    population, formula, core, perf = _version(call.tx, project, model, version)
    inputs = formula.inputs()
    preprocessing = {
        column: {
            "name": column,
            "type": "CATEGORY" if population.column_type(column) == "string" else "NUMERIC",
            "role": "INPUT" if column in inputs else "TARGET" if column == population.label else "REJECT",
        }
        for column in population.columns
    }
    return json_answer(
        {
            "fullModelId": _full_id(key, model, version),
            "smOrigin": {"origin": "EXPORTED_FROM_ANALYSIS"},
            "trainInfo": {
                "state": "DONE",
                "startTime": perf["trainDate"] - 41_000,
                "endTime": perf["trainDate"],
            },
            "userMeta": {"name": "Logistic model", "description": "", "labels": []},
            "perf": {"metrics": perf, "rocVizData": [], "perCutData": {}},
            "iperf": {
                "rawImportance": {"variables": list(inputs), "importances": _shares(population, formula)}
            },
            "coreParams": {name: value for name, value in core.items() if name != "population"},
            "preprocessing": {"target": {"name": population.label}, "per_feature": preprocessing},
            "modeling": {"algorithm": "LOGISTIC_REGRESSION", "forcedClassifierThreshold": formula.threshold},
            "actualParams": {"resolved": {"algorithm": "LOGISTIC_REGRESSION"}},
            "mlDiagnostics": {"diagnostics": []},
        }
    )


def _shares(population: Population, formula: Formula) -> list[float]:
    found = model_files.importance(population, formula, sample(population.seed, 1000))
    return [found[feature] for feature in formula.inputs()]


@route("GET", "/projects/<key>/savedmodels/<model>/versions/<version>/snippet")
def snippet(call: Call, key: str, model: str, version: str) -> Response:
    """The flat metrics of a version."""
    _, _, core, perf = _version(call.tx, need_project(call, key), model, version)
    return json_answer(_snippet(key, model, version, core, perf))


@route("GET", "/projects/<key>/savedmodels/<model>/metrics/<version>")
def metrics(call: Call, key: str, model: str, version: str) -> Response:
    """The metrics of a version as computed metrics."""
    _, _, _, perf = _version(call.tx, need_project(call, key), model, version)
    return json_answer(
        {
            "metrics": [
                {
                    "metric": {"id": f"model_perf:{name.upper()}", "type": "model_perf"},
                    "lastValues": [
                        {
                            "partition": "NP",
                            "value": str(value),
                            "dataType": "DOUBLE",
                            "computed": perf["trainDate"],
                        }
                    ],
                }
                for name, value in perf.items()
                if name != "trainDate"
            ]
        }
    )


@route("GET", "/projects/<key>/savedmodels/<model>/usages")
def usages(call: Call, key: str, model: str) -> Response:
    """Recipes that use the model."""
    project = need_project(call, key)
    _model(call.tx, project, model)
    found = []
    for path, recipe in call.tx.content(project["content"]).items():
        if not path.startswith("project_config/recipes/") or not path.endswith(".json"):
            continue
        if any(item["ref"] == model for item in recipe["inputs"]["main"]["items"]):
            found.append({"objectType": "RECIPE", "objectProjectKey": key, "objectId": recipe["name"]})
    return json_answer(found)


# -------------------------------------------------------------------------------------------------- analyses


def _analysis_id(key: str, model: str, version: str, kind: str) -> str:
    return f"{key}/{model}/{version}/{kind}"


def _start_analysis(call: Call, key: str, model: str, version: str, kind: str) -> Response:
    project = need_project(call, key)
    _version(call.tx, project, model, version)
    sent = call.body()
    given = sent.get("computationParams")
    params: Json = given if isinstance(given, dict) else {}
    features = sent.get("features", [])
    if isinstance(features, str):
        features = [features]
    if not isinstance(features, list) or not all(isinstance(one, str) for one in features):
        raise bad_request("features must be a list of column names")
    rows, state = params.get("sample_size", 1000), params.get("random_state", 1337)
    if not isinstance(rows, int) or not isinstance(state, int) or rows < 1:
        raise bad_request("sample_size and random_state must be numbers")
    body = {
        "node": call.node.name,
        "project": key,
        "model": model,
        "version": version,
        "kind": kind,
        "features": features,
        "rows": min(rows, _MAX_SAMPLE),
        "state": state,
    }
    fate = faults.fate(call.tx, "analysis", node=call.node.name, project=key)
    call.tx.count("analyses", f"{call.node.name}/{key}/{model}/{version}/{kind}")
    return json_answer(futures.start(call.tx, call.node.name, call.who, "analysis", body, fate))


@futures.effect("analysis")
def finish_analysis(tx: Tx, body: Json, due: float) -> Json:
    """Compute and keep an analysis; its result is what the matching GET answers."""
    project = tx.get(body["node"], "project", body["project"])
    if project is None:
        raise not_found("Project", body["project"])
    population, formula, _, _ = _version(tx, project, body["model"], body["version"])
    rows = sample(population.seed, body["rows"])
    try:
        result = _analyse(body, population, formula, rows)
    except KeyError as error:
        raise bad_request(f"Column {error.args[0]} is not in the data of this model") from None
    tx.put(
        body["node"],
        "analysis",
        _analysis_id(body["project"], body["model"], body["version"], body["kind"]),
        result,
    )
    return result


def _analyse(
    body: Json, population: Population, formula: Formula, rows: tuple[tuple[str | int | float, ...], ...]
) -> Json:
    match body["kind"]:
        case "subpopulation-analyses":
            return model_files.subpopulations(population, formula, rows, body["features"], body["state"])
        case "partial-dependencies":
            return {
                "partialDependencies": [
                    model_files.partial_dependence(population, formula, rows, feature, body["state"])
                    for feature in body["features"] or formula.inputs()
                ]
            }
        case _:
            return {
                "absoluteImportance": model_files.importance(population, formula, rows),
                "explanations": {},
                "observations": {"count": len(rows)},
            }


def _kept_analysis(call: Call, key: str, model: str, version: str, kind: str) -> Json | None:
    _version(call.tx, need_project(call, key), model, version)
    return call.tx.get(call.node.name, "analysis", _analysis_id(key, model, version, kind))


@route("POST", "/projects/<key>/savedmodels/<model>/versions/<version>/subpopulation-analyses")
def compute_subpopulations(call: Call, key: str, model: str, version: str) -> Response:
    """Start the sub-population analyses of some features."""
    return _start_analysis(call, key, model, version, "subpopulation-analyses")


@route("GET", "/projects/<key>/savedmodels/<model>/versions/<version>/subpopulation-analyses")
def get_subpopulations(call: Call, key: str, model: str, version: str) -> Response:
    """The analyses computed last; an empty list before that."""
    kept = _kept_analysis(call, key, model, version, "subpopulation-analyses")
    return json_answer(kept or {"subpopulationAnalyses": []})


@route("POST", "/projects/<key>/savedmodels/<model>/versions/<version>/partial-dependencies")
def compute_partial(call: Call, key: str, model: str, version: str) -> Response:
    """Start the partial dependence of some features."""
    return _start_analysis(call, key, model, version, "partial-dependencies")


@route("GET", "/projects/<key>/savedmodels/<model>/versions/<version>/partial-dependencies")
def get_partial(call: Call, key: str, model: str, version: str) -> Response:
    """The partial dependence computed last."""
    return json_answer(
        _kept_analysis(call, key, model, version, "partial-dependencies") or {"partialDependencies": []}
    )


@route("POST", "/projects/<key>/savedmodels/<model>/versions/<version>/shapley-feature-importance")
def compute_shapley(call: Call, key: str, model: str, version: str) -> Response:
    """Start the Shapley feature importance."""
    return _start_analysis(call, key, model, version, "global-explanations")


@route("GET", "/projects/<key>/savedmodels/<model>/versions/<version>/global-explanations")
def get_explanations(call: Call, key: str, model: str, version: str) -> Response:
    """The importance computed last; {} means it was never computed."""
    return json_answer(_kept_analysis(call, key, model, version, "global-explanations") or {})


@route("GET", "/projects/<key>/savedmodels/<model>/versions/<version>/global-explanations-facts")
def get_facts(call: Call, key: str, model: str, version: str) -> Response:
    """No per-class facts are kept."""
    _version(call.tx, need_project(call, key), model, version)
    return json_answer({"perClassFacts": {}})


# ------------------------------------------------------------------------------------------------- documents


@route(
    "POST", "/projects/<key>/savedmodels/<model>/versions/<version>/generate-documentation-from-<template>"
)
def generate_documentation(call: Call, key: str, model: str, version: str, template: str) -> Response:
    """Start the model document generator; every template gives the same headings here."""
    project = need_project(call, key)
    _version(call.tx, project, model, version)
    if template not in ("default-template", "template-in-folder", "custom-template"):
        raise not_found("Template", template)
    body = {"node": call.node.name, "project": key, "model": model, "version": version}
    fate = faults.fate(call.tx, "documentation", node=call.node.name, project=key)
    call.tx.count("documentations", f"{call.node.name}/{key}/{model}/{version}")
    return json_answer(futures.start(call.tx, call.node.name, call.who, "documentation", body, fate))


@route("POST", "/projects/<key>/flow/documentation/<action>")
def generate_flow_documentation(call: Call, key: str, action: str) -> Response:
    """Start the flow document generator."""
    need_project(call, key)
    if not action.startswith("generate"):
        raise not_found("Action", action)
    body = {"node": call.node.name, "project": key, "model": "", "version": ""}
    fate = faults.fate(call.tx, "documentation", node=call.node.name, project=key)
    call.tx.count("documentations", f"{call.node.name}/{key}")
    return json_answer(futures.start(call.tx, call.node.name, call.who, "documentation", body, fate))


@futures.effect("documentation")
def finish_documentation(tx: Tx, body: Json, due: float) -> str:
    """Write the document and return its export id."""
    project = tx.get(body["node"], "project", body["project"])
    if project is None:
        raise not_found("Project", body["project"])
    chapters = _model_chapters(tx, project, body) if body["model"] else _flow_chapters(tx, project)
    export = secrets.token_urlsafe(12)
    tx.put_blob(f"{body['node']}/{body['project']}/{export}", docx.document(chapters[0], chapters[1]))
    return export


def _model_chapters(tx: Tx, project: Json, body: Json) -> tuple[str, list[tuple[str, list[str]]]]:
    population, formula, core, perf = _version(tx, project, body["model"], body["version"])
    found = _model(tx, project, body["model"])
    trained = datetime.datetime.fromtimestamp(perf["trainDate"] / 1000, datetime.UTC).strftime("%d %B %Y")
    shares = model_files.importance(population, formula, sample(population.seed, 1000))
    figures = ", ".join(
        f"{name} {perf[name]:.3f}" for name in ("auc", "accuracy", "precision", "recall", "f1")
    )
    used = ", ".join(f"{feature} ({share:.1%})" for feature, share in shares.items())
    return f"{found['name']}, version {body['version']}", [
        (
            "Purpose",
            [
                f"{project['name']}: {project['shortDesc']}.",
                f"The model predicts {core['target_variable']}.",
                f"A row is selected when its probability is at least {formula.threshold:.2f}.",
            ],
        ),
        (
            "Data",
            [
                f"Columns: {', '.join(population.columns)}.",
                f"Inputs of the model with their share of importance: {used}.",
                f"Trained on {trained}; one row in five was held out for the figures below.",
            ],
        ),
        ("Performance", [f"On the held-out rows: {figures}."]),
        (
            "Limits",
            [
                "The figures hold for the population the training data describes and for no other.",
                "The model was not built to explain single decisions to the people concerned.",
            ],
        ),
    ]


def _flow_chapters(tx: Tx, project: Json) -> tuple[str, list[tuple[str, list[str]]]]:
    members = tx.content(project["content"])
    recipes = [
        members[path]
        for path in sorted(members)
        if path.startswith("project_config/recipes/") and path.endswith(".json")
    ]
    lines = [
        f"{recipe['name']} ({recipe['type']}): "
        f"{', '.join(item['ref'] for item in recipe['inputs']['main']['items'])} to "
        f"{', '.join(item['ref'] for item in recipe['outputs']['main']['items'])}"
        for recipe in recipes
    ]
    return f"Flow of {project['name']}", [("Recipes", lines)]


def _document(call: Call, key: str, export: str) -> Response:
    need_project(call, key)
    found = call.tx.blob(f"{call.node.name}/{key}/{export}")
    if found is None:
        raise not_found("Document", export)
    return bytes_answer(found, DOCX)


@route("GET", "/projects/<key>/savedmodels/documentations/<export>")
def download_documentation(call: Call, key: str, export: str) -> Response:
    """A generated model document."""
    return _document(call, key, export)


@route("GET", "/projects/<key>/flow/documentation/generated/<export>")
def download_flow_documentation(call: Call, key: str, export: str) -> Response:
    """A generated flow document."""
    return _document(call, key, export)
