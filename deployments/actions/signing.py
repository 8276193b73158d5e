"""Signing from a request: governance signs, deployments says who is barred."""

from collections.abc import Sequence

from deployments.judging import what_runs
from deployments.models import DeploymentRequest
from governance.actions import signoffs
from governance.behind import bars_behind
from governance.gate import Barred
from governance.models import SignOff
from portal.models import Person
from portal.reauthentication import Proof


def barred(request: DeploymentRequest) -> Sequence[Barred]:
    """Who may not sign for this request, and why."""
    found = [Barred(str(request.requested_by_id), "requester")]
    if request.on_behalf_of_id is not None:
        found.append(Barred(str(request.on_behalf_of_id), "requester"))
    if request.bundle.author_id is not None:
        found.append(Barred(str(request.bundle.author_id), "bundle_author"))
    bundle = request.bundle
    asked_at = request.requested_at
    acts = [
        (request.requested_by, asked_at),
        (request.on_behalf_of, asked_at),
        (bundle.author, bundle.asked_at),
    ]
    return [*found, *frozenset().union(*bars_behind(acts))]


def draft(*, by: Person, request: DeploymentRequest, requirement: str) -> signoffs.Draft:
    """What `by` would sign of this request now."""
    return signoffs.draft(
        by=by, bundle=request.bundle, lane=request.lane, requirement=requirement, what_runs=what_runs
    )


def sign(
    *,
    by: Person,
    proof: Proof,
    request: DeploymentRequest,
    requirement: str,
    decision: str,
    bound: str,
    comment: str = "",
    conditions: Sequence[signoffs.Wish] = (),
) -> SignOff:
    """Sign one requirement of this request; see governance.actions.signoffs.sign for what is refused."""
    return signoffs.sign(
        by=by,
        proof=proof,
        bundle=request.bundle,
        lane=request.lane,
        requirement=requirement,
        decision=decision,
        bound=bound,
        comment=comment,
        conditions=conditions,
        barred=barred(request),
        subject=request.subject,
        what_runs=what_runs,
    )
