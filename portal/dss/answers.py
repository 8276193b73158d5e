"""Reading DSS's answers into our values.

Unknown fields are ignored and common ones defaulted; a field without which the answer means nothing raises
Lacking. Every text is made keepable as it is read. Not in charge of asking, nor of what the values mean for a
promotion.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from portal.dss import values as v
from portal.dss.texts import keepable


class Lacking(Exception):
    """An answer of the wrong shape; the text says which field."""


def obj(answer: Any, what: str = "the answer") -> Mapping[str, Any]:
    """Return the answer as an object. Raises Lacking."""
    if not isinstance(answer, dict):
        raise Lacking(f"{what} is not an object")
    return answer


def items(answer: Any, what: str = "the answer") -> list[Mapping[str, Any]]:
    """Return the answer as a list of objects. Raises Lacking."""
    if not isinstance(answer, list):
        raise Lacking(f"{what} is not a list")
    return [obj(item, f"an item of {what}") for item in answer]


def some(answer: Mapping[str, Any], field: str) -> list[Mapping[str, Any]]:
    """Return a list of objects that may be absent or null. Raises Lacking where it is something else."""
    return items(answer.get(field) or [], f"'{field}'")


def part(answer: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    """Return an object inside the answer, empty where it is absent or not an object."""
    found = answer.get(field)
    return found if isinstance(found, dict) else {}


def need(answer: Mapping[str, Any], field: str) -> str:
    """Return a text that must be there and not empty. Raises Lacking."""
    found = text(answer, field)
    if not found:
        raise Lacking(f"'{field}' is missing")
    return found


def text(answer: Mapping[str, Any], *fields: str) -> str:
    """Return the first text among the fields, "" when there is none."""
    for field in fields:
        found = answer.get(field)
        if isinstance(found, str) and (kept := keepable(found)):
            return kept
    return ""


def texts(found: Any) -> tuple[str, ...]:
    """Return the texts of a list, none where it is not a list."""
    return tuple(keepable(item) for item in found if isinstance(item, str)) if isinstance(found, list) else ()


def flag(answer: Mapping[str, Any], field: str) -> bool | None:
    """Return a boolean, None when DSS does not tell."""
    found = answer.get(field)
    return found if isinstance(found, bool) else None


def instant(answer: Mapping[str, Any], field: str) -> int | None:
    """Return milliseconds since 1970; DSS writes 0 for a time that has not come."""
    found = answer.get(field)
    if (
        isinstance(found, bool)
        or not isinstance(found, int | float)
        or not math.isfinite(found)
        or found <= 0
    ):
        return None
    return int(found)


def count(answer: Mapping[str, Any], field: str) -> int:
    """Return a number of things that must be there. Raises Lacking."""
    found = answer.get(field)
    if isinstance(found, bool) or not isinstance(found, int) or found < 0:
        raise Lacking(f"'{field}' is missing")
    return found


# --- Info messages ---------------------------------------------------------------------------------------------


def messages(info: Any) -> tuple[v.Message, ...]:
    """Return the messages of an InfoMessages object; none where it is not one."""
    if not isinstance(info, dict) or not isinstance(info.get("messages"), list):
        return ()
    return tuple(
        v.Message(
            severity=text(item, "severity").upper(),
            code=text(item, "code"),
            title=text(item, "title"),
            text=text(item, "message", "details"),
            fatal=item.get("isFatal") is True,
        )
        for item in info["messages"]
        if isinstance(item, dict)
    )


def has_error(info: Any) -> bool:
    """Whether an InfoMessages object reports an error: by its flags or by any of its messages."""
    if not isinstance(info, dict):
        return False
    # The flags are only common, the messages are not always there: either one is enough.
    return (
        info.get("error") is True
        or info.get("fatal") is True
        or text(info, "maxSeverity").upper() == "ERROR"
        or any(message.fatal or message.severity == "ERROR" for message in messages(info))
    )


def first_error(found: Iterable[v.Message]) -> str:
    """Return the text of the worst message, "" when none is an error."""
    worst = sorted((m for m in found if m.fatal or m.severity == "ERROR"), key=lambda m: not m.fatal)
    return next((m.text or m.title or m.code for m in worst), "")


# --- Instance and projects -------------------------------------------------------------------------------------


def instance(answer: Any, version: str) -> v.Instance:
    info = obj(answer)
    return v.Instance(
        node_id=need(info, "nodeId"),
        name=text(info, "nodeName") or need(info, "nodeId"),
        kind=need(info, "nodeType").lower(),
        # Some versions only tell theirs in a response header.
        version=text(info, "dssVersion") or version,
    )


def who(answer: Any) -> v.Who:
    info = obj(answer)
    return v.Who(identifier=text(info, "authIdentifier"), groups=texts(info.get("groups")))


def project(answer: Any) -> v.ProjectSummary:
    info = obj(answer)
    key = need(info, "projectKey")
    return v.ProjectSummary(
        key=key,
        name=text(info, "name") or key,
        owner_login=text(info, "ownerLogin"),
        short_desc=text(info, "shortDesc"),
        status=text(info, "projectStatus"),
        tags=texts(info.get("tags")),
        # Only automation nodes have it, and only while a bundle is active.
        active_bundle=text(part(info, "activeBundleState"), "bundleId") or None,
        raw=info,
    )


def permissions(answer: Any) -> v.ProjectPermissions:
    info = obj(answer)
    return v.ProjectPermissions(
        owner=text(info, "owner"),
        entries=tuple(
            v.PermissionEntry(
                group=text(entry, "group") or None,
                user=text(entry, "user") or None,
                rights=tuple(sorted(keepable(name) for name, given in entry.items() if given is True)),
            )
            for entry in some(info, "permissions")
        ),
    )


def user(info: Mapping[str, Any]) -> v.DssUser:
    login = need(info, "login")
    return v.DssUser(
        login=login,
        display_name=text(info, "displayName") or login,
        email=text(info, "email"),
        groups=texts(info.get("groups")),
        enabled=info.get("enabled") is not False,
    )


def group(info: Mapping[str, Any]) -> v.DssGroup:
    return v.DssGroup(name=need(info, "name"), description=text(info, "description"))


# --- Bundles ---------------------------------------------------------------------------------------------------


def bundle(info: Mapping[str, Any]) -> v.BundleInfo:
    # Beyond bundleId nothing is confirmed: the author is looked for in the places seen.
    manifest = part(info, "exportManifest")
    places = (info, manifest, part(manifest, "exportUserInfo"), part(info, "exportUserInfo"))
    by = next((name for place in places if (name := text(place, "exportedBy", "createdBy"))), "")
    on = next((found for place in places if (found := instant(place, "exportedOn"))), None)
    return v.BundleInfo(bundle_id=need(info, "bundleId"), exported_by=by, exported_on=on, raw=info)


def bundle_ids(answer: Any) -> tuple[str, ...]:
    return tuple(need(item, "bundleId") for item in some(obj(answer), "bundles"))


# --- Deployer --------------------------------------------------------------------------------------------------


def infra(answer: Any) -> v.Infra:
    info = obj(answer)
    basic = part(info, "infraBasicInfo")
    return v.Infra(
        id=need(basic, "id"),
        stage=text(basic, "stage"),
        govern_policy=text(basic, "governCheckPolicy") or "NO_CHECK",
        can_deploy=flag(info, "canDeploy"),
        automation_url=text(basic, "automationNodeUrl"),
    )


def deployment(
    basic: Mapping[str, Any], never: bool | None = None, *, project_key: str = ""
) -> v.DeploymentInfo:
    published = text(basic, "publishedProjectKey") or project_key
    return v.DeploymentInfo(
        id=need(basic, "id"),
        project=published,
        infra_id=text(basic, "infraId"),
        bundle_id=text(basic, "bundleId") or None,
        # DSS leaves it out where the project keeps its key.
        deployed_project=text(basic, "deployedProjectKey") or published,
        enabled=flag(basic, "enabled"),
        never_deployed=never,
    )


def published_project(answer: Any, key: str) -> v.PublishedProject:
    info = obj(answer)
    return v.PublishedProject(
        key=text(part(info, "projectBasicInfo"), "id") or key,
        can_deploy=flag(info, "canDeploy"),
        can_write=flag(info, "canWrite"),
        bundles=tuple(
            v.PublishedBundle(
                id=need(item, "id"),
                published_on=instant(item, "publishedOn"),
                published_by=text(item, "publishedBy"),
            )
            for item in some(info, "packages")
        ),
        deployments=tuple(deployment(item, project_key=key) for item in some(info, "deployments")),
        infras=tuple(need(item, "id") for item in some(info, "infras")),
    )


def deployment_settings(answer: Any) -> v.DeploymentSettings:
    info = obj(answer)
    return v.DeploymentSettings(
        id=need(info, "id"),
        project=need(info, "publishedProjectKey"),
        infra_id=need(info, "infraId"),
        bundle_id=need(info, "bundleId"),
        enabled=flag(info, "enabled"),
        raw=info,
    )


def update(info: Mapping[str, Any]) -> v.Update:
    started = instant(info, "startTimestamp")
    if started is None:
        raise Lacking("'startTimestamp' is missing")
    return v.Update(
        started_ms=started,
        ended_ms=instant(info, "endTimestamp"),
        type=text(info, "type"),
        status=text(info, "status"),
        requester=text(info, "requester"),
        raw=info,
    )


def deployment_status(light_answer: Any, heavy_answer: Any) -> v.DeploymentStatus:
    light, heavy = obj(light_answer), obj(heavy_answer)
    basic = part(light, "deploymentBasicInfo")
    if not isinstance(heavy.get("healthMessages"), dict):
        raise Lacking("'healthMessages' is missing")
    return v.DeploymentStatus(
        health=need(heavy, "health").upper(),
        messages=messages(heavy["healthMessages"]),
        bundle_id=text(basic, "bundleId") or None,
        enabled=flag(basic, "enabled"),
        never_deployed=flag(light, "neverEverDeployed"),
        raw={"light": light, "heavy": heavy},
    )


# --- Futures ---------------------------------------------------------------------------------------------------


def job_id(answer: Any) -> str:
    """Return the id of a task that was started. Raises Lacking: without it nobody could follow it."""
    return need(obj(answer), "jobId")


def future(answer: Any) -> v.FutureState:
    """Classify a future's state. Its end is any of aborted, unknown, has a result, or not alive without one."""
    info = obj(answer)
    running = instant(info, "runningTime")
    if info.get("aborted") is True:
        return v.FutureState("aborted", message="it was aborted", running_ms=running)
    if info.get("hasResult") is True:
        result = info.get("result")
        found = messages(result)
        failed = has_error(result)
        return v.FutureState(
            "done",
            result=result,
            message=(first_error(found) or "it reports an error") if failed else "",
            running_ms=running,
            messages=found,
            has_error=failed,
        )
    if info.get("unknown") is True:
        return v.FutureState("unknown", message="DSS does not know this task any more", running_ms=running)
    if info.get("alive") is False:
        return v.FutureState("failed", message="it ended without a result", running_ms=running)
    return v.FutureState("running", running_ms=running)


def running_future(info: Mapping[str, Any]) -> v.RunningFuture:
    return v.RunningFuture(
        job_id=need(info, "jobId"),
        started_ms=instant(info, "startTime"),
        running_ms=instant(info, "runningTime"),
        raw=info,
    )


# --- Scenarios -------------------------------------------------------------------------------------------------


def scenario(info: Mapping[str, Any]) -> v.Scenario:
    # The client's own list item answers `.id` with the name; the raw field is the id.
    found = need(info, "id")
    return v.Scenario(
        id=found,
        name=text(info, "name") or found,
        marked_as_test=info.get("markedAsTest") is True,
        active=info.get("active") is True,
        running=info.get("running") is True,
    )


def fire(answer: Any) -> v.TriggerFire:
    info = obj(answer)
    return v.TriggerFire(
        trigger_id=need(part(info, "trigger"), "id"),
        run_id=need(info, "runId"),
        cancelled=info.get("cancelled") is True,
        raw=info,
    )


def _thrown(result: Mapping[str, Any]) -> str:
    thrown = part(result, "thrown")
    return text(thrown, "message", "title", "clazz")


def scenario_run(answer: Any, steps: Any = None) -> v.ScenarioRun:
    info = obj(answer)
    # The presence of an outcome is what ends a run; `end` is written a moment earlier on some versions.
    outcome = text(part(info, "result"), "outcome").upper() or None
    return v.ScenarioRun(
        run_id=need(info, "runId"),
        started_ms=instant(info, "start"),
        ended_ms=instant(info, "end") if outcome else None,
        outcome=outcome,
        steps=tuple(_step(step) for step in items(steps or [], "'stepRuns'")),
        raw=info,
    )


def _step(info: Mapping[str, Any]) -> v.ScenarioStep:
    step, result = part(info, "step"), part(info, "result")
    said = _thrown(result) or next(
        (found for item in some(info, "additionalReportItems") if (found := _thrown(item))), ""
    )
    return v.ScenarioStep(
        name=text(step, "name", "id"),
        type=text(step, "type"),
        outcome=text(result, "outcome").upper() or None,
        message=said,
    )


def testing_status(answer: Any) -> v.TestingStatus:
    info = obj(answer)
    return v.TestingStatus(
        ran=count(info, "nbTotalRanScenarios"),
        per_outcome={
            keepable(name).upper(): number
            for name, number in part(info, "nbScenariosPerOutcome").items()
            if isinstance(number, int)
        },
    )


# --- Data and models -------------------------------------------------------------------------------------------


def columns(answer: Any) -> tuple[v.Column, ...]:
    info = obj(answer)
    if not isinstance(info.get("columns"), list):
        raise Lacking("'columns' is missing")
    return tuple(
        v.Column(name=need(item, "name"), type=text(item, "type") or "string")
        for item in items(info["columns"], "'columns'")
    )


def build(answer: Any) -> v.Build:
    # UNCONFIRMED beyond the field names, which dataikuapi reads: what a dataset never built, or read from elsewhere,
    # answers. So nothing here is a wrong shape, only not told.
    last = part(answer, "lastBuild") if isinstance(answer, dict) else {}
    return v.Build(started_ms=instant(last, "buildStartTime"), succeeded=flag(last, "buildSuccess"))


_WHOLE = frozenset({"tinyint", "smallint", "int", "bigint"})
_BROKEN = frozenset({"float", "double"})


def cell(value: str, kind: str) -> v.Cell:
    """Return one cell of the row stream. Empty is None; what does not fit its type stays text; dates stay text.

    dataikuapi reads an empty boolean as False and a broken number as None, which would count missing
    predictions as negative ones.
    """
    if value == "":
        return None
    try:
        if kind in _WHOLE:
            return int(value)
        if kind in _BROKEN:
            number = float(value)
            return number if math.isfinite(number) else None
    except ValueError:
        return value
    if kind == "boolean":
        return {"true": True, "false": False}.get(value.lower(), value)
    return value


def saved_model(info: Mapping[str, Any]) -> v.SavedModel:
    found = need(info, "id")
    return v.SavedModel(id=found, name=text(info, "name") or found, type=text(info, "type"))


def model_version(info: Mapping[str, Any]) -> v.ModelVersion:
    found, snippet = need(info, "id"), part(info, "snippet")
    return v.ModelVersion(
        id=found,
        active=info.get("active") is True,
        name=text(part(snippet, "userMeta"), "name") or text(info, "name") or found,
        snippet=snippet,
    )


def model_details(details_answer: Any, snippet_answer: Any, fallback_id: str) -> v.ModelDetails:
    details, snippet = obj(details_answer), obj(snippet_answer)
    core = part(details, "coreParams")
    return v.ModelDetails(
        full_id=text(details, "fullModelId") or fallback_id,
        name=text(part(details, "userMeta"), "name"),
        prediction_type=text(core, "prediction_type") or text(snippet, "predictionType"),
        target=text(core, "target_variable"),
        metrics=numbers(snippet, without=("trainDate",)),
        raw={"details": details, "snippet": snippet},
    )


def numbers(info: Mapping[str, Any], without: tuple[str, ...] = ()) -> dict[str, float]:
    """Return the finite numbers of a flat object, by name."""
    return {
        keepable(name): float(number)
        for name, number in info.items()
        if isinstance(number, int | float)
        and not isinstance(number, bool)
        and math.isfinite(number)
        and name not in without
    }


def importance(answer: Any) -> dict[str, float] | None:
    """Return the absolute importance of each feature, None where it was not computed (an empty object)."""
    info = obj(answer)
    if not info:
        return None
    if not isinstance(info.get("absoluteImportance"), dict):
        raise Lacking("'absoluteImportance' is missing")
    return numbers(info["absoluteImportance"]) or None


def recipe(info: Mapping[str, Any]) -> v.Recipe:
    return v.Recipe(
        name=need(info, "name"),
        type=text(info, "type"),
        inputs=_refs(info, "inputs"),
        outputs=_refs(info, "outputs"),
    )


def _refs(info: Mapping[str, Any], field: str) -> tuple[str, ...]:
    """Names that a recipe reads or writes: {role: {items: [{ref}]}}, or a plain list of names."""
    found = info.get(field)
    if isinstance(found, list):
        return texts(found)
    if not isinstance(found, dict):
        return ()
    return tuple(
        name
        for role in found.values()
        if isinstance(role, dict)
        for item in some(role, "items")
        if (name := text(item, "ref"))
    )


def code_env(info: Mapping[str, Any]) -> v.CodeEnv:
    return v.CodeEnv(
        lang=need(info, "envLang"),
        name=need(info, "envName"),
        mode=text(info, "deploymentMode"),
        owner=text(info, "owner"),
    )


def standards(answer: Any) -> v.StandardsReport | None:
    """Return a bundle's project standards report, None where DSS has none. UNCONFIRMED beyond dataikuapi's reading."""
    if not answer:
        return None
    found = obj(answer)
    checks = []
    for id, info in sorted(part(found, "bundleChecksRunInfo").items()):
        run = info if isinstance(info, dict) else {}
        check, result = part(run, "check"), part(run, "result")
        severity = result.get("severity")
        checks.append(
            v.StandardsCheck(
                id=keepable(str(id)),
                name=text(check, "name", "id") or keepable(str(id)),
                status=text(result, "status"),
                severity=severity if isinstance(severity, int) and not isinstance(severity, bool) else None,
                message=text(result, "message"),
            )
        )
    return v.StandardsReport(text(found, "scope"), tuple(checks))


def govern_hits(answer: Any) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the artifacts of one page of a search in Govern, each with its id."""
    found = [part(hit, "artifact") for hit in some(obj(answer), "uiArtifacts")]
    return [(need(one, "id"), one) for one in found]


def is_govern_bundle(artifact: Mapping[str, Any], project: str, bundle: str) -> bool:
    """Whether an artifact of Govern stands for this bundle.

    UNCONFIRMED: which fields tell. Of several names that were seen the first that is there counts; without any of the
    bundle's own the artifact's name does. Without the project's key nothing is believed.
    """
    fields = part(artifact, "fields")
    key = text(fields, "project_key", "dataiku_project_key", "projectKey")
    id = text(fields, "bundle_id", "dataiku_bundle_id", "bundleId") or text(artifact, "name")
    return key == project and id == bundle


def govern_signoff(listed: Mapping[str, Any], definition: Any) -> v.GovernSignOff:
    """Return one sign-off, from the list and from its own definition."""
    step = need(part(listed, "signoffId"), "stepId")
    return v.GovernSignOff(step, text(obj(definition), "status") or text(listed, "status"))
