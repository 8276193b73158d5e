"""The Govern node: an artifact for each bundle that Govern was told of, with the sign-off of one workflow step.

The same word on a bundle is what the Deployer's governance check reads (`deployments`). Field names of artifacts are
our reading of Govern's (UNCONFIRMED). Only what is read is here: nobody edits blueprints or artifacts over this.
"""

from werkzeug.wrappers import Response

from portal.dss.sandbox.deployer import DEPLOYER
from portal.dss.sandbox.errors import bad_request, not_found
from portal.dss.sandbox.state import Json, Tx
from portal.dss.sandbox.wire import Call, json_answer, route

ON = ("govern",)
BLUEPRINT = "bp.system.govern_bundle"
STEP = "review"
_STATES = {True: "APPROVED", False: "REJECTED", None: "WAITING_FOR_APPROVAL"}
_MOST = 1000


def say(tx: Tx, project: str, bundle: str, approved: bool | None) -> None:
    """Let Govern say this of a bundle; its artifact is made when it is said first."""
    name = f"{project}/{bundle}"
    before = tx.get(DEPLOYER, "govern", name)
    number = before["number"] if before and "number" in before else tx.next_number("govern")
    tx.put(
        DEPLOYER,
        "govern",
        name,
        {"approved": approved, "project": project, "bundle": bundle, "number": number},
    )


def _artifacts(tx: Tx) -> list[Json]:
    """Every artifact, in the order in which they were made."""
    said = sorted(
        (one for one in tx.docs(DEPLOYER, "govern") if "number" in one), key=lambda one: int(one["number"])
    )
    return [_artifact(one) for one in said]


def _artifact(said: Json) -> Json:
    done = said["approved"] is True
    return {
        "id": f"ar.{said['number']}",
        "name": said["bundle"],
        "blueprintVersionId": {"blueprintId": BLUEPRINT, "versionId": "bv.system.default"},
        "fields": {"node_id": "design", "project_key": said["project"], "bundle_id": said["bundle"]},
        "workflow": {"steps": {STEP: {"stepId": STEP, "visible": True}}},
        "status": {STEP: "FINISHED" if done else "ONGOING"},
    }


def _said(tx: Tx, artifact: str) -> Json:
    for one in tx.docs(DEPLOYER, "govern"):
        if f"ar.{one.get('number')}" == artifact:
            return one
    raise not_found("Artifact", artifact)


def _signoff(said: Json) -> Json:
    status = _STATES[said["approved"]]
    return {
        "signoffId": {"artifactId": f"ar.{said['number']}", "stepId": STEP},
        "status": status,
        "feedbackResponses": [],
        "approverResponse": {"status": status, "comment": ""} if said["approved"] is not None else None,
        "configuration": {"title": "Review", "mandatory": True},
    }


@route("POST", "/artifacts/search", on=ON)
def search(call: Call) -> Response:
    """The artifacts of the blueprints asked for, a page of them after the last one seen."""
    body = call.body()
    found = _artifacts(call.tx)
    for asked in body.get("artifactFilters") or []:
        if asked.get("type") != "blueprints":
            raise bad_request(f"Filters of type {asked.get('type')} are not known in the sandbox")
        wanted = asked.get("blueprintIds") or []
        found = [one for one in found if one["blueprintVersionId"]["blueprintId"] in wanted]
    pages = body.get("artifactSearchPagination") or {}
    size, last = pages.get("pageSize", 20), pages.get("lastArtifactId")
    if not isinstance(size, int) or not 1 <= size <= _MOST:
        raise bad_request("pageSize is out of range")
    ids = [one["id"] for one in found]
    start = ids.index(last) + 1 if last in ids else 0
    return json_answer({"uiArtifacts": [{"artifact": one} for one in found[start : start + size]]})


@route("GET", "/artifact/<artifact>", on=ON)
def get_artifact(call: Call, artifact: str) -> Response:
    """One artifact."""
    return json_answer({"artifact": _artifact(_said(call.tx, artifact))})


@route("GET", "/artifact/<artifact>/signoffs", on=ON)
def list_signoffs(call: Call, artifact: str) -> Response:
    """The sign-offs of its steps."""
    return json_answer([_signoff(_said(call.tx, artifact))])


@route("GET", "/artifact/<artifact>/workflow/step/<step>/signoff", on=ON)
def get_signoff(call: Call, artifact: str, step: str) -> Response:
    """The sign-off of one step."""
    said = _said(call.tx, artifact)
    if step != STEP:
        raise not_found("Sign-off", step, f" of artifact {artifact}")
    return json_answer(_signoff(said))
