"""Long-running tasks: how long each takes, when its effect happens, and what a poll sees.

A future has a start and a due time; its effect is a timer row settled exactly once, in a transaction, by whoever looks
first after that time. So a killed sandbox goes on where it was. Not in charge of what the effects are: modules register
theirs by job type.
"""

import logging
import secrets
from collections.abc import Callable
from typing import Any

from werkzeug.wrappers import Response

from portal.dss.sandbox import faults
from portal.dss.sandbox.errors import FAILED, DssError, bad_request, not_found, refused
from portal.dss.sandbox.state import Json, Store, Tx
from portal.dss.sandbox.wire import Call, Identity, empty_answer, json_answer, route

log = logging.getLogger("sandbox")

# Base durations in milliseconds; the pace multiplies them, the control API overrides them one by one.
DURATIONS = {
    "update": 800,
    "scenario_start": 90,
    "scenario": 320,
    "documentation": 500,
    "analysis": 200,
    "export": 120,
    "preload": 60,
    "activate": 80,
}

Effect = Callable[[Tx, Json, float], Any]
_EFFECTS: dict[str, Effect] = {}
_ABORTS: dict[str, Callable[[Tx, Json], None]] = {}


def effect(job_type: str) -> Callable[[Effect], Effect]:
    """Register what happens when a future of this type, or a timer of this kind, is due.

    The function gets (transaction, body, due time) and returns the result of the future.
    """

    def register(function: Effect) -> Effect:
        _EFFECTS[job_type] = function
        return function

    return register


def on_failure(job_type: str) -> Callable[[Callable[[Tx, Json], None]], Callable[[Tx, Json], None]]:
    """Register what is left behind when a future of this type fails, dies or is aborted."""

    def register(function: Callable[[Tx, Json], None]) -> Callable[[Tx, Json], None]:
        _ABORTS[job_type] = function
        return function

    return register


def durations(tx: Tx) -> dict[str, float]:
    """The durations in force, in milliseconds."""
    settings = tx.get("", "settings", "pace") or {"pace": 1.0, "overrides": {}}
    return {**{name: base * settings["pace"] for name, base in DURATIONS.items()}, **settings["overrides"]}


def set_durations(tx: Tx, wanted: Json) -> None:
    """Override durations in milliseconds, exact and not scaled by the pace."""
    settings = tx.get("", "settings", "pace") or {"pace": 1.0, "overrides": {}}
    for name, value in wanted.items():
        if name not in DURATIONS or not isinstance(value, int | float) or value < 0:
            raise bad_request(f"Durations are milliseconds of {', '.join(DURATIONS)}")
        settings["overrides"][name] = value
    tx.put("", "settings", "pace", settings)


def set_pace(tx: Tx, pace: float) -> None:
    """Scale the base durations; overrides stay."""
    settings = tx.get("", "settings", "pace") or {"overrides": {}}
    tx.put("", "settings", "pace", {**settings, "pace": pace})


def seconds(tx: Tx, name: str) -> float:
    """One duration in seconds."""
    return durations(tx)[name] / 1000


def start(tx: Tx, node: str, owner: Identity, job_type: str, body: Json, fate: Json | None = None) -> Json:
    """Start a future and return its start response."""
    job = secrets.token_urlsafe(9).replace("-", "x").replace("_", "y")
    due = tx.now + seconds(tx, job_type)
    future = {
        "jobId": job,
        "node": node,
        "owner": owner.login,
        "type": job_type,
        "start": tx.now,
        "state": "running",
        "body": body,
        "fate": fate,
    }
    tx.put(node, "future", job, future)
    if fate is None or fate["kind"] != "future_never_ends":
        tx.after(due, "future", {"node": node, "job": job})
    return state_of(future, tx.now, peek=True)


@effect("future")
def _finish(tx: Tx, body: Json, due: float) -> None:
    future = tx.get(body["node"], "future", body["job"])
    if future is None or future["state"] != "running":
        return
    fate = future["fate"] or {}
    kind = fate.get("kind", "")
    broken = kind in ("future_fails", "future_dead", "future_unknown", "future_aborted")
    result: Any = None
    details = {**future["body"], "jobId": future["jobId"], "fate": fate, "ended": "ERROR", "due": due}
    if not broken or fate.get("effect"):
        try:
            with tx.part():
                result = _EFFECTS[future["type"]](tx, details, due)
        except DssError as error:
            _leave_behind(tx, future["type"], details)
            _fail(tx, future, due, error.status, error.message)
            return
    else:
        _leave_behind(tx, future["type"], details)
    future["end"] = due
    if kind == "future_fails":
        _fail(
            tx,
            future,
            due,
            int(faults.number(fate, "status", 500)),
            faults.text(fate, "message", "The task failed"),
        )
        return
    future["state"] = {"future_dead": "dead", "future_unknown": "unknown", "future_aborted": "aborted"}.get(
        kind, "done"
    )
    future["result"] = result
    tx.put(future["node"], "future", future["jobId"], future)


def _leave_behind(tx: Tx, job_type: str, details: Json) -> None:
    if job_type in _ABORTS:
        _ABORTS[job_type](tx, details)


def _fail(tx: Tx, future: Json, due: float, status: int, text: str) -> None:
    tx.put(
        future["node"],
        "future",
        future["jobId"],
        {**future, "state": "failed", "end": due, "error": {"status": status, "message": text}},
    )


def settle(store: Store) -> None:
    """Let every effect happen whose time has come, each in order of its time and in its own transaction."""
    while store.something_due():
        with store.transaction() as tx:
            taken = tx.take_due()
            if taken is None:
                return
            due, kind, body = taken
            try:
                with tx.part():
                    _EFFECTS[kind](tx, body, due)
            except Exception:
                # A defect of the sandbox must not stop every later request; it shows in the log and as a failed task.
                log.exception("the effect %s failed", kind)
                if kind == "future":
                    future = tx.get(body["node"], "future", body["job"])
                    if future is not None:
                        _fail(tx, future, due, 500, "Internal error")


def state_of(future: Json, now: float, *, peek: bool) -> Json:
    """The state object of DSS; `result` only without peek, and readable as often as asked (our choice)."""
    over = future["state"] != "running"
    state: Json = {
        "jobId": future["jobId"],
        "alive": future["state"] == "running",
        "aborted": future["state"] == "aborted",
        "unknown": future["state"] == "unknown",
        "hasResult": future["state"] == "done",
        "runningTime": int(1000 * ((future.get("end", now) if over else now) - future["start"])),
        "startTime": int(future["start"] * 1000),
        "owner": future["owner"],
        "payload": {"displayName": future["type"]},
    }
    if future["state"] == "done" and not peek:
        state["result"] = future["result"]
    return state


def _readable(call: Call, job: str) -> Json:
    future = call.tx.get(call.node.name, "future", job)
    if future is None:
        raise not_found("Future", job)
    if not call.who.admin and call.who.login != future["owner"]:
        raise refused("Action forbidden: this task belongs to somebody else")
    return future


@route("GET", "/futures/<job>")
def get_future(call: Call, job: str) -> Response:
    """State of a task. A failed or aborted one is an HTTP error, since the client looks at nothing else."""
    future = _readable(call, job)
    if future["state"] == "failed":
        raise DssError(future["error"]["status"], FAILED, future["error"]["message"])
    if future["state"] == "aborted" and not (future["fate"] or {}).get("as_state"):
        raise DssError(500, FAILED, f"Task {job} was aborted")
    return json_answer(state_of(future, call.tx.now, peek=call.flag("peek")))


@route("DELETE", "/futures/<job>")
def abort_future(call: Call, job: str) -> Response:
    """Abort a running task: its effect never happens."""
    future = _readable(call, job)
    if future["state"] == "running":
        details = {**future["body"], "jobId": job, "fate": {}, "ended": "ABORTED", "due": call.tx.now}
        _leave_behind(call.tx, future["type"], details)
        call.tx.put(call.node.name, "future", job, {**future, "state": "aborted", "end": call.tx.now})
        call.tx.count("aborts", job)
    return empty_answer()


@route("GET", "/futures")
def list_futures(call: Call) -> Response:
    """Running tasks of the caller, or of everybody for an admin who asks; scenario runs on request."""
    everybody = call.flag("allUsers") and call.who.admin
    found: list[Json] = []
    if call.flag("withNotScenarios", True):
        found += [
            state_of(future, call.tx.now, peek=True)
            for future in call.tx.docs(call.node.name, "future")
            if future["state"] == "running" and (everybody or future["owner"] == call.who.login)
        ]
    if call.flag("withScenarios"):
        found += [
            {
                "jobId": f"scenario_{run['runId']}",
                "alive": True,
                "aborted": False,
                "unknown": False,
                "hasResult": False,
                "startTime": run["start"],
                "runningTime": call.tx.now_ms - run["start"],
                "owner": run["by"],
                "payload": {"targets": [{"projectKey": run["project"], "objectId": run["scenario"]}]},
            }
            for run in call.tx.docs(call.node.name, "run")
            if run["state"] == "running" and (everybody or run["by"] == call.who.login)
        ]
    return json_answer(found)
