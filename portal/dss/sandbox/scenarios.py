"""Scenarios: definitions, trigger fires, runs, test marks, testing status and reports.

A run's outcome follows from its steps and what is on the node: tables of a connection, the data set, the model. Nobody
decides it by name. A fire becomes a run after a while; a run has no result until it is over.
"""

import datetime
import html
import secrets
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from werkzeug.wrappers import Response

from portal.dss.sandbox import datasets, faults, futures, model_files
from portal.dss.sandbox.auth import need_project
from portal.dss.sandbox.errors import bad_request, conflict, not_found
from portal.dss.sandbox.population import POPULATIONS, sample
from portal.dss.sandbox.state import Json, Tx
from portal.dss.sandbox.wire import Call, bytes_answer, json_answer, route, text_answer

_FOLDER = "project_config/scenarios/"
_OUTCOMES = ("SUCCESS", "WARNING", "FAILED", "ABORTED")
_CHECK_ROWS = 1000


def definitions(tx: Tx, project: Json) -> list[Json]:
    """Scenario definitions of a project, by id."""
    members = tx.content(project["content"])
    return [members[path] for path in sorted(members) if path.startswith(_FOLDER)]


def definition(tx: Tx, project: Json, scenario: str) -> Json:
    """One scenario definition, or 404."""
    found = tx.content(project["content"]).get(f"{_FOLDER}{scenario}.json")
    if found is None:
        raise not_found("Scenario", scenario, f" in project {project['projectKey']}")
    return dict(found)


def _active(project: Json, found: Json) -> bool:
    return bool(project["scenarioActive"].get(found["id"], found.get("active", False)))


def runs_of(tx: Tx, node: str, key: str, scenario: str = "") -> list[Json]:
    """Runs of a scenario, or of all scenarios of a project, oldest first."""
    return tx.docs(node, "run", f"{key}/{scenario}/" if scenario else f"{key}/")


# ------------------------------------------------------------------------------------------------ run machine


def fire(tx: Tx, node: str, project: Json, found: Json, by: str, params: Json) -> Json:
    """Ask for a run: the fire becomes a run after a while, unless it is superseded or another run is going.

    Our choice of who wins: a run that is going cancels the new fire, a new fire cancels one that waits.
    """
    key, scenario = project["projectKey"], found["id"]
    runs = [run for run in runs_of(tx, node, key, scenario) if run["state"] in ("waiting", "running")]
    cancelled = any(run["state"] == "running" for run in runs)
    for run in runs:
        if run["state"] == "waiting":
            tx.put(node, "run", run["id"], {**run, "state": "cancelled"})
    facts = {"node": node, "project": key, "scenario": scenario, "bundle": project["activeBundle"] or ""}
    if faults.take(tx, ("scenario_cancelled",), **facts) is not None:
        cancelled = True
    stamp = datetime.datetime.fromtimestamp(tx.now, datetime.UTC).strftime("%Y-%m-%d-%H-%M-%S-%f")[:-3]
    run_id = f"{stamp}-{secrets.token_hex(2)}"
    run = {
        "id": f"{key}/{scenario}/{run_id}",
        "runId": run_id,
        "fireId": secrets.token_hex(8),
        "node": node,
        "project": key,
        "scenario": scenario,
        "by": by,
        "params": params,
        "state": "cancelled" if cancelled else "waiting",
        "firedOn": tx.now_ms,
        "start": 0,
        "end": 0,
    }
    tx.put(node, "run", run["id"], run)
    if not cancelled:
        tx.after(
            tx.now + futures.seconds(tx, "scenario_start"), "scenario_start", {"node": node, "run": run["id"]}
        )
    tx.count("runs", f"{node}/{key}/{scenario}")
    return run


@futures.effect("scenario_start")
def _start(tx: Tx, body: Json, due: float) -> None:
    run = tx.get(body["node"], "run", body["run"])
    project = tx.get(body["node"], "project", run["project"]) if run else None
    if run is None or project is None or run["state"] != "waiting":
        return
    found = tx.content(project["content"]).get(
        f"{_FOLDER}{run['scenario']}.json", {"id": run["scenario"], "name": ""}
    )
    run.update(
        state="running",
        start=int(due * 1000),
        bundleId=project["activeBundle"],
        name=found.get("name", run["scenario"]),
        markedAsTest=bool(found.get("markedAsTest")),
        steps=_run_steps(tx, run["node"], project, found, int(due * 1000)),
    )
    # Steps run in the scenario's order, and a step that did not succeed built nothing.
    built = zip(found.get("params", {}).get("steps", []), run["steps"], strict=False)
    run["builds"] = [
        name
        for step, ran in built
        if step.get("type") == "build_flowitem" and ran["result"]["outcome"] == "SUCCESS"
        for name in step.get("params", {}).get("builds", [])
    ]
    facts = {
        "node": run["node"],
        "project": run["project"],
        "scenario": run["scenario"],
        "bundle": project["activeBundle"] or "",
    }
    fault = faults.take(tx, ("scenario_outcome", "scenario_never_ends"), **facts)
    if fault is not None and fault["kind"] == "scenario_outcome":
        outcome = faults.text(fault, "outcome", "FAILED")
        run["steps"] = [
            _step_run(step["step"], outcome, run["start"], "Set by a fault") for step in run["steps"][:1]
        ]
        run["builds"] = []
    tx.put(run["node"], "run", run["id"], run)
    tx.count("runs_started", f"{run['node']}/{run['project']}/{run['scenario']}")
    if fault is None or fault["kind"] != "scenario_never_ends":
        tx.after(due + futures.seconds(tx, "scenario"), "scenario_end", body)


@futures.effect("scenario_end")
def _end(tx: Tx, body: Json, due: float) -> None:
    run = tx.get(body["node"], "run", body["run"])
    if run is None or run["state"] != "running":
        return
    end = max(int(due * 1000), run["start"])
    outcome = max(
        (step["result"]["outcome"] for step in run["steps"]), key=_OUTCOMES.index, default="SUCCESS"
    )
    run.update(state="over", end=end, outcome=outcome, steps=[{**step, "end": end} for step in run["steps"]])
    tx.put(run["node"], "run", run["id"], run)
    datasets.note_builds(tx, run["node"], run["project"], run.get("builds", []), run["start"], end)
    tx.count("runs_finished", f"{run['node']}/{run['project']}/{run['scenario']}")


def is_over(tx: Tx, node: str, id: str) -> bool:
    """Whether a fire has come to its end: a finished, aborted or cancelled run."""
    run = tx.get(node, "run", id)
    return run is None or run["state"] in ("over", "cancelled")


def _step_run(step: Json, outcome: str, start: int, problem: str = "") -> Json:
    result: Json = {"outcome": outcome}
    if problem:
        result["thrown"] = {
            "clazz": "com.dataiku.dip.scheduler.StepFailedException",
            "title": "Step failed",
            "message": problem,
            "stack": "",
            "code": "ERR_SCENARIO_STEP",
            "fixability": "USER_CONFIG",
        }
    return {
        "runId": secrets.token_hex(6),
        "start": start,
        "end": 0,
        "step": {"id": step["id"], "name": step["name"], "type": step["type"]},
        "result": result,
        "additionalReportItems": [],
    }


def _run_steps(tx: Tx, node: str, project: Json, found: Json, start: int) -> list[Json]:
    """Judge the steps in order; the first failure ends the run, as in DSS."""
    done = []
    for step in found.get("params", {}).get("steps", []):
        problem = _problem(tx, node, project, step)
        outcome = "SUCCESS" if not problem else step["params"].get("onProblem", "FAILED")
        done.append(_step_run(step, outcome, start, problem))
        if outcome == "FAILED":
            break
    return done


def _problem(tx: Tx, node: str, project: Json, step: Json) -> str:
    """Why a step fails here, or empty."""
    params = step.get("params", {})
    members = tx.content(project["content"])
    match step.get("type"):
        case "exec_sql":
            connection = tx.get(node, "connection", params.get("connection", ""))
            if connection is None:
                return f"Connection {params.get('connection')} does not exist on this node"
            for table in params.get("tables", []):
                if table not in connection["tables"]:
                    return f'ERROR: relation "{table}" does not exist (connection {connection["name"]})'
        case "check_dataset":
            dataset = members.get(f"project_config/datasets/{params.get('dataset')}.json")
            if dataset is None:
                return f"Dataset {params.get('dataset')} does not exist"
            known = {column["name"] for column in dataset["schema"]["columns"]}
            for column in params.get("columns", []):
                if column not in known:
                    return f"Dataset {dataset['name']} has no column {column}"
        case "check_share":
            return _share_problem(members, params)
        case "check_model":
            return _model_problem(members, params)
        case "build_flowitem":
            for name in params.get("builds", []):
                if f"project_config/datasets/{name}.json" not in members:
                    return f"Dataset {name} does not exist"
        case "python_unit_test":
            if f"project_config/lib/python/{params.get('module')}.py" not in members:
                return f"No module named {params.get('module')}"
        case "custom_python":
            return ""
        case other:
            return f"Unknown step type {other}"
    return ""


def _share_problem(members: Json, params: Json) -> str:
    made_from = (
        members.get(f"project_config/datasets/{params.get('dataset')}.json", {})
        .get("customMeta", {})
        .get("kv", {})
    )
    seed, model = made_from.get("rows"), made_from.get("scoredBy")
    if seed not in POPULATIONS or not model:
        return f"Dataset {params.get('dataset')} is not scored"
    active = members.get(f"project_config/saved_models/{model}.json", {}).get("activeVersion")
    stored = members.get(f"saved_models/{model}/versions/{active}/model.bin")
    if stored is None:
        return f"Model {model} has no active version"
    population = POPULATIONS[seed]
    formula = model_files.from_binary(stored)
    score = formula.odds(population)
    cut = model_files.cut(formula)
    rows = sample(seed, _CHECK_ROWS)
    share = sum(1 for row in rows if score(row) >= cut) / len(rows)
    if not params["low"] <= share <= params["high"]:
        return f"{share:.3f} of the rows are selected, expected {params['low']} to {params['high']}"
    return ""


def _model_problem(members: Json, params: Json) -> str:
    model, metric = params.get("model"), params.get("metric", "auc")
    active = members.get(f"project_config/saved_models/{model}.json", {}).get("activeVersion")
    performance = members.get(f"saved_models/{model}/versions/{active}/perf.json")
    if performance is None:
        return f"Model {model} has no active version"
    if performance.get(metric, 0.0) < params["min"]:
        return f"{metric} is {performance.get(metric)}, expected at least {params['min']}"
    return ""


# ---------------------------------------------------------------------------------------------------- shapes


def _scenario_run(run: Json) -> Json:
    shown: Json = {
        "runId": run["runId"],
        "start": run["start"],
        "end": run["end"],
        "scenario": {
            "id": run["scenario"],
            "projectKey": run["project"],
            "name": run["name"],
            "markedAsTest": run["markedAsTest"],
        },
        "trigger": {
            "trigger": {"id": "manual", "type": "manual"},
            "params": run["params"],
            "runId": run["fireId"],
        },
        "runAsUser": {"realUserLogin": run["by"]},
    }
    if run["state"] == "over":
        shown["result"] = {
            "type": "SCENARIO_DONE",
            "outcome": run["outcome"],
            "start": run["start"],
            "end": run["end"],
        }
    return shown


def _visible(run: Json) -> bool:
    return run["state"] in ("running", "over") and run["start"] > 0


def _fire_shape(run: Json) -> Json:
    return {
        "trigger": {"id": "manual", "type": "manual"},
        "runId": run["fireId"],
        "cancelled": run["state"] == "cancelled",
        "projectKey": run["project"],
        "scenario": {"id": run["scenario"], "projectKey": run["project"]},
    }


def _last_outcomes(tx: Tx, node: str, key: str) -> dict[str, Json]:
    """The last finished run of each scenario of a project."""
    return {
        run["scenario"]: run for run in runs_of(tx, node, key) if run["state"] == "over" and run["start"] > 0
    }


def monitoring(tx: Tx, node: str, key: str) -> Json:
    """Scenario names by the outcome of their last run on a node, as the heavy deployment status has them."""
    project = tx.get(node, "project", key) if node else None
    found = definitions(tx, project) if project else []
    last = _last_outcomes(tx, node, key) if project else {}
    lists: dict[str, list[str]] = {
        "failed": [],
        "warning": [],
        "successful": [],
        "aborted": [],
        "running": [],
    }
    names = {"FAILED": "failed", "WARNING": "warning", "SUCCESS": "successful", "ABORTED": "aborted"}
    for scenario, run in last.items():
        lists[names[run["outcome"]]].append(scenario)
    if project:
        lists["running"] = [run["scenario"] for run in runs_of(tx, node, key) if run["state"] == "running"]
    return {
        "hasScenarios": bool(found),
        "hasActiveScenarios": project is not None and any(_active(project, one) for one in found),
        **lists,
    }


def _last_tests(tx: Tx, node: str, key: str, bundle: str) -> list[Json]:
    """Last finished run of each test scenario while `bundle` was active (default: the active one)."""
    project = tx.get(node, "project", key)
    if project is None:
        raise not_found("Project", key)
    wanted = bundle or project.get("activeBundle")
    tests = {one["id"] for one in definitions(tx, project) if one.get("markedAsTest")}
    last: dict[str, Json] = {}
    for run in runs_of(tx, node, key):
        finished = run["state"] == "over" and run["start"] > 0 and run["scenario"] in tests
        if finished and (wanted is None or run["bundleId"] == wanted):
            last[run["scenario"]] = run
    return [last[scenario] for scenario in sorted(last)]


def testing_status_of(tx: Tx, node: str, key: str, bundle: str) -> Json:
    """Counts of the last outcomes of test scenarios; only ran ones are counted (key spelling UNCONFIRMED)."""
    counts: dict[str, int] = {}
    for run in _last_tests(tx, node, key, bundle):
        counts[run["outcome"]] = counts.get(run["outcome"], 0) + 1
    return {"nbTotalRanScenarios": sum(counts.values()), "nbScenariosPerOutcome": counts}


def junit(runs: list[Json], name: str) -> str:
    """A JUnit XML report of runs: a suite per run, a case per step."""
    suites = []
    for run in runs:
        cases = []
        failures = 0
        for step in run["steps"]:
            problem = step["result"].get("thrown", {}).get("message", "")
            seconds = max(step["end"] - step["start"], 0) / 1000 / max(len(run["steps"]), 1)
            inner = ""
            if step["result"]["outcome"] != "SUCCESS":
                failures += 1
                told = quoteattr(problem or step["result"]["outcome"])
                inner = f"<failure message={told}>{escape(problem)}</failure>"
            cases.append(
                f"<testcase classname={quoteattr(run['scenario'])} name={quoteattr(step['step']['name'])} "
                f'time="{seconds:.3f}">{inner}</testcase>'
            )
        stamp = datetime.datetime.fromtimestamp(run["start"] / 1000, datetime.UTC).strftime(
            "%Y-%m-%dT%H:%M:%S"
        )
        suites.append(
            f'<testsuite name={quoteattr(run["scenario"])} tests="{len(cases)}" failures="{failures}" '
            f'errors="0" skipped="0" time="{(run["end"] - run["start"]) / 1000:.3f}" timestamp="{stamp}">'
            f"{''.join(cases)}</testsuite>"
        )
    head = '<?xml version="1.0" encoding="UTF-8"?>'
    return f"{head}\n<testsuites name={quoteattr(name)}>{''.join(suites)}</testsuites>\n"


def _html_report(runs: list[Json], name: str) -> str:
    rows = "".join(
        f"<tr><td>{html.escape(run['scenario'])}</td><td>{html.escape(run['outcome'])}</td>"
        f"<td>{html.escape(run['runId'])}</td></tr>"
        for run in runs
    )
    return (
        f"<!DOCTYPE html><html><head><title>Tests of {html.escape(name)}</title></head><body><h1>Tests of "
        f"{html.escape(name)}</h1><table><tr><th>Scenario</th><th>Outcome</th><th>Run</th></tr>{rows}</table>"
        "</body></html>"
    )


# ------------------------------------------------------------------------------------------------- endpoints


def _status(tx: Tx, node: str, project: Json, found: Json) -> Json:
    runs = runs_of(tx, node, project["projectKey"], found["id"])
    running = next((run for run in runs if run["state"] == "running"), None)
    last = next((run for run in reversed(runs) if run["state"] == "over" and run["start"] > 0), None)
    shown: Json = {
        "id": found["id"],
        "projectKey": project["projectKey"],
        "name": found["name"],
        "type": found["type"],
        "active": _active(project, found),
        "running": running is not None,
        "start": running["start"] if running else 0,
        "nextRun": 0,
        "markedAsTest": bool(found.get("markedAsTest")),
        "tags": found.get("tags", []),
    }
    if last is not None:
        shown["lastRun"] = _scenario_run(last)
    return shown


@route("GET", "/projects/<key>/scenarios")
def list_scenarios(call: Call, key: str) -> Response:
    """Scenarios with their test marks."""
    project = need_project(call, key)
    return json_answer(
        [_status(call.tx, call.node.name, project, one) for one in definitions(call.tx, project)]
    )


def _save(call: Call, project: Json, changed: Json) -> None:
    members = {**call.tx.content(project["content"]), f"{_FOLDER}{changed['id']}.json": changed}
    call.tx.put(
        call.node.name,
        "project",
        project["projectKey"],
        {
            **project,
            "content": call.tx.keep_content(members),
            "scenarioActive": {**project["scenarioActive"], changed["id"]: bool(changed.get("active"))},
            "lastModifiedOn": call.tx.now_ms,
            "lastModifiedBy": call.who.login,
        },
    )


@route("POST", "/projects/<key>/scenarios")
def create_scenario(call: Call, key: str) -> Response:
    """Create a scenario; its id is made from its name."""
    project = need_project(call, key, "writeProjectContent")
    body = call.body()
    name = call.need(body, "name")
    id = "".join(letter for letter in name.upper().replace(" ", "_") if letter.isalnum() or letter == "_")[
        :60
    ]
    kind = body.get("type", "step_based")
    if not id or kind not in ("step_based", "custom_python"):
        raise bad_request("A scenario needs a name with letters and the type step_based or custom_python")
    if any(one["id"] == id for one in definitions(call.tx, project)):
        raise conflict(f"Scenario {id} already exists")
    params: Any = body.get("params")
    made = {
        "id": id,
        "name": name,
        "type": kind,
        "active": False,
        "markedAsTest": bool(body.get("markedAsTest")),
        "params": params if isinstance(params, dict) else {"steps": []},
        "triggers": [],
        "reporters": [],
        "tags": [],
    }
    _save(call, project, made)
    return json_answer({"id": id})


@route("GET", "/projects/<key>/scenarios/<scenario>")
def get_scenario(call: Call, key: str, scenario: str) -> Response:
    """The definition (the client reads `type`)."""
    project = need_project(call, key)
    found = definition(call.tx, project, scenario)
    tag = call.tx.content(project["content"]).get("project_config/params.json", {}).get("versionTag", {})
    return json_answer({"versionTag": tag, **found, "projectKey": key, "active": _active(project, found)})


@route("PUT", "/projects/<key>/scenarios/<scenario>")
def put_scenario(call: Call, key: str, scenario: str) -> Response:
    """Replace the definition. On an Automation node only this node's copy changes."""
    project = need_project(call, key, "writeProjectContent")
    found = definition(call.tx, project, scenario)
    body = {name: value for name, value in call.body().items() if name not in ("projectKey", "versionTag")}
    _save(call, project, {**found, **body, "id": scenario})
    return json_answer({})


@route("DELETE", "/projects/<key>/scenarios/<scenario>")
def delete_scenario(call: Call, key: str, scenario: str) -> Response:
    """Delete a scenario."""
    project = need_project(call, key, "writeProjectContent")
    definition(call.tx, project, scenario)
    members = dict(call.tx.content(project["content"]))
    del members[f"{_FOLDER}{scenario}.json"]
    call.tx.put(call.node.name, "project", key, {**project, "content": call.tx.keep_content(members)})
    return json_answer({})


@route("GET", "/projects/<key>/scenarios/<scenario>/light")
def light(call: Call, key: str, scenario: str) -> Response:
    """Whether it runs now, and its last run."""
    project = need_project(call, key)
    return json_answer(_status(call.tx, call.node.name, project, definition(call.tx, project, scenario)))


@route("GET", "/projects/<key>/scenarios/<scenario>/payload")
def payload(call: Call, key: str, scenario: str) -> Response:
    """The script of a Python scenario."""
    found = definition(call.tx, need_project(call, key), scenario)
    return json_answer({"script": found.get("script", "")})


@route("PUT", "/projects/<key>/scenarios/<scenario>/payload")
def put_payload(call: Call, key: str, scenario: str) -> Response:
    """Replace the script of a Python scenario."""
    project = need_project(call, key, "writeProjectContent")
    found = definition(call.tx, project, scenario)
    _save(call, project, {**found, "script": str(call.body().get("script", ""))})
    return json_answer({})


@route("POST", "/projects/<key>/scenarios/<scenario>/run")
def run_scenario(call: Call, key: str, scenario: str) -> Response:
    """Fire the manual trigger."""
    project = need_project(call, key, "runScenarios")
    found = definition(call.tx, project, scenario)
    return json_answer(
        _fire_shape(fire(call.tx, call.node.name, project, found, call.who.login, call.body()))
    )


@route("POST", "/projects/<key>/scenarios/<scenario>/abort")
def abort(call: Call, key: str, scenario: str) -> Response:
    """End the going run as ABORTED and cancel a waiting fire."""
    project = need_project(call, key, "runScenarios")
    definition(call.tx, project, scenario)
    for run in runs_of(call.tx, call.node.name, key, scenario):
        if run["state"] == "waiting":
            call.tx.put(call.node.name, "run", run["id"], {**run, "state": "cancelled"})
        elif run["state"] == "running":
            over = {**run, "state": "over", "outcome": "ABORTED", "end": call.tx.now_ms}
            over["steps"] = [{**step, "end": call.tx.now_ms} for step in run["steps"]]
            call.tx.put(call.node.name, "run", run["id"], over)
    return json_answer({})


def _by_fire(call: Call, key: str, scenario: str, fire_id: str) -> Json:
    for run in runs_of(call.tx, call.node.name, key, scenario):
        if run["fireId"] == fire_id:
            return run
    raise not_found("Trigger run", fire_id, f" of scenario {scenario}")


@route("GET", "/projects/<key>/scenarios/<scenario>/get-run-for-trigger")
def run_for_trigger(call: Call, key: str, scenario: str) -> Response:
    """{} until the fire has become a run."""
    need_project(call, key)
    run = _by_fire(call, key, scenario, call.query("triggerRunId"))
    return json_answer({"scenarioRun": _scenario_run(run)} if _visible(run) else {})


@route("GET", "/projects/<key>/scenarios/trigger/<scenario>/<trigger>")
def get_fire(call: Call, key: str, scenario: str, trigger: str) -> Response:
    """The trigger fire with its cancelled flag. `trigger` comes before the scenario in this path."""
    need_project(call, key)
    return json_answer(_fire_shape(_by_fire(call, key, scenario, call.query("triggerRunId"))))


@route("GET", "/projects/<key>/scenarios/<scenario>/get-last-runs")
def last_runs(call: Call, key: str, scenario: str) -> Response:
    """The newest runs first."""
    definition(call.tx, need_project(call, key), scenario)
    runs = [run for run in reversed(runs_of(call.tx, call.node.name, key, scenario)) if _visible(run)]
    if call.flag("onlyFinishedRuns"):
        runs = [run for run in runs if run["state"] == "over"]
    return json_answer([_scenario_run(run) for run in runs[: max(call.number("limit", 10), 0)]])


@route("GET", "/projects/<key>/scenarios/<scenario>/get-runs-by-date")
def runs_by_date(call: Call, key: str, scenario: str) -> Response:
    """Runs that started between two days, both included."""
    definition(call.tx, need_project(call, key), scenario)
    first, last = call.query("fromDate", "0000-00-00"), call.query("toDate", "9999-99-99")
    found = []
    for run in reversed(runs_of(call.tx, call.node.name, key, scenario)):
        day = datetime.datetime.fromtimestamp(run["start"] / 1000, datetime.UTC).strftime("%Y-%m-%d")
        if _visible(run) and first <= day <= last:
            found.append(_scenario_run(run))
    return json_answer(found)


@route("GET", "/projects/<key>/scenarios/testing-status")
def testing_status(call: Call, key: str) -> Response:
    """Counts of the test scenarios that ran."""
    need_project(call, key)
    return json_answer(testing_status_of(call.tx, call.node.name, key, call.query("bundleId")))


@route("GET", "/projects/<key>/scenarios/last-test-scenario-runs-report")
def tests_junit(call: Call, key: str) -> Response:
    """JUnit XML of the last test runs."""
    need_project(call, key)
    runs = _last_tests(call.tx, call.node.name, key, call.query("bundleId"))
    return bytes_answer(junit(runs, key).encode(), "application/xml")


@route("GET", "/projects/<key>/scenarios/last-test-scenario-runs-html-report")
def tests_html(call: Call, key: str) -> Response:
    """An HTML page of the last test runs."""
    need_project(call, key)
    runs = _last_tests(call.tx, call.node.name, key, call.query("bundleId"))
    return bytes_answer(_html_report(runs, key).encode(), "text/html; charset=utf-8")


def _run(call: Call, key: str, scenario: str, run_id: str) -> Json:
    need_project(call, key)
    run = call.tx.get(call.node.name, "run", f"{key}/{scenario}/{run_id}")
    if run is None or not _visible(run):
        raise not_found("Run", run_id, f" of scenario {scenario}")
    return run


@route("GET", "/projects/<key>/scenarios/<scenario>/<run_id>")
def get_run(call: Call, key: str, scenario: str, run_id: str) -> Response:
    """A run with its steps; results appear when it is over."""
    run = _run(call, key, scenario, run_id)
    return json_answer(
        {"scenarioRun": _scenario_run(run), "stepRuns": run["steps"] if run["state"] == "over" else []}
    )


@route("GET", "/projects/<key>/scenarios/<scenario>/<run_id>/scenario-run-report")
def run_report(call: Call, key: str, scenario: str, run_id: str) -> Response:
    """JUnit XML of one finished run of a test scenario."""
    run = _run(call, key, scenario, run_id)
    if not run["markedAsTest"] or run["state"] != "over":
        raise bad_request(f"Run {run_id} has no report: only finished runs of test scenarios have one")
    return bytes_answer(junit([run], key).encode(), "application/xml")


@route("GET", "/projects/<key>/scenarios/<scenario>/<run_id>/step-run-report")
def step_report(call: Call, key: str, scenario: str, run_id: str) -> Response:
    """JUnit XML of one step."""
    run = _run(call, key, scenario, run_id)
    steps = [step for step in run["steps"] if step["step"]["id"] == call.query("stepId")]
    if not steps or run["state"] != "over":
        raise not_found("Step run", call.query("stepId"), f" of run {run_id}")
    return bytes_answer(junit([{**run, "steps": steps}], key).encode(), "application/xml")


@route("GET", "/projects/<key>/scenarios/<scenario>/<run_id>/log")
def run_log(call: Call, key: str, scenario: str, run_id: str) -> Response:
    """The log as text."""
    run = _run(call, key, scenario, run_id)
    lines = [f"[{run['start']}] Starting scenario {scenario} of {key}"]
    for step in run["steps"]:
        problem = step["result"].get("thrown", {}).get("message", "")
        lines.append(
            f"[{run['start']}] Step {step['step']['name']}: {step['result']['outcome']} {problem}".rstrip()
        )
    if run["state"] == "over":
        lines.append(f"[{run['end']}] Done: {run['outcome']}")
    return text_answer("\n".join(lines) + "\n")
