"""Starts by themselves what a policy lets start by itself (`automation: full`): as soon as everything it asks is met.

Woken by the events of a project, and by a sweep for what only time brings (a soak that is over, a lane that got free)
and for what was lost on the way: of many requests a sweep looks at those that no sweep looked at for longest. A held
request waits for a person, as it does everywhere.
"""

import logging
from collections.abc import Iterator

from django.db.models import Exists, OuterRef
from django.utils import timezone

from deployments.actions import promotions
from deployments.judging import Judged, judge_many
from deployments.models import DeploymentRequest, Promotion
from governance.queries import rules_of_lanes
from portal.errors import Refused
from portal.models import Lane, Person

log = logging.getLogger(__name__)

# Judged at once; more would hold up the first of them.
AT_A_TIME = 50
# Looked at by one sweep; the next goes on with the others.
A_SWEEP = 200


def start_ready(project: str | None = None) -> list[Promotion]:
    """Start every request of a project (None: of all) that is ready and starts by itself; what cannot be now, later."""
    started: list[Promotion] = []
    for request, judged in _ready(project):
        try:
            system = Person.objects.system()
            started.append(promotions.start_by_itself(by=system, request=request, judged=judged))
        except Refused as refusal:  # started, withdrawn or held meanwhile, or the lane was taken
            log.info("request %s does not start by itself now: %s", request.pk, refusal.code)
        except Exception:  # of one, and others wait behind it; the sweep comes again
            log.exception("request %s could not be started by itself", request.pk)
    return started


def _ready(project: str | None) -> Iterator[tuple[DeploymentRequest, Judged]]:
    """Open requests in free lanes, of which the policy in force asks nothing more than is there."""
    taken = Promotion.objects.filter(lane=OuterRef("lane"), holds_lane=True)
    found = DeploymentRequest.objects.filter(~Exists(taken), status=DeploymentRequest.Status.OPEN, held="")
    if project is not None:
        found = found.filter(lane__project__key=project)
    lanes = Lane.objects.filter(pk__in=found.order_by().values("lane")).select_related("project", "stage")
    rules = rules_of_lanes(lanes)
    found = found.filter(lane__in=[lane for lane, one in rules.items() if one.stage.by_itself])
    if project is None:
        numbers = list(found.order_by("swept_at", "pk").values_list("pk", flat=True)[:A_SWEEP])
        # Before they are looked at: where one of them breaks the sweep, the next begins behind it.
        DeploymentRequest.objects.filter(pk__in=numbers).update(swept_at=timezone.now())
    else:
        numbers = list(found.order_by("pk").values_list("pk", flat=True))
    whole = DeploymentRequest.objects.select_related(
        "lane__project", "lane__stage", "bundle__author", "requested_by", "on_behalf_of"
    )
    for start in range(0, len(numbers), AT_A_TIME):
        some = list(whole.filter(pk__in=numbers[start : start + AT_A_TIME]).order_by("pk"))
        judgements = judge_many(some)
        for request in some:
            judged = judgements[request.pk]
            if isinstance(judged, Judged) and judged.verdict.met and judged.case.by_itself:
                yield request, judged
