"""What a step is given and what it may answer. A step may run twice and never sleeps."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from deployments.models import DeploymentRequest, Promotion, Step
from portal import lease
from portal.dss.client import Dss
from portal.dss.connect import connect
from portal.errors import Refused

# What is written down in the very transaction that keeps the answer: it happens once, and only for the lease's holder.
Also = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Done:
    """The step is over. `output` is kept for later steps and for the record: JSON values, no secrets."""

    output: dict[str, Any] = field(default_factory=dict)
    also: Also | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Look again in `seconds`. `note` is what has to be remembered until then; with 0 seconds it is written down
    before the next look, so that a step can record what it saw *before* it acts. An empty note keeps the one before."""

    seconds: float
    note: dict[str, Any] = field(default_factory=dict)
    also: Also | None = None


class StepFailed(Refused):
    """The world said no. The sentence says what it said; `output` is kept with the step."""

    def __init__(
        self,
        sentence: str,
        *,
        code: str,
        output: dict[str, Any] | None = None,
        also: Also | None = None,
        **params: Any,
    ) -> None:
        super().__init__(sentence, code=code, **params)
        self.output = output or {}
        self.also = also


class NotYet(Exception):
    """What an answer wanted to write down may not be yet, as its own transaction found: nothing of it is kept, and this
    is waited for instead."""

    def __init__(self, wait: Wait) -> None:
        super().__init__("not yet")
        self.wait = wait


@dataclass(frozen=True, slots=True)
class Work:
    """One look at one step: the promotion, the step with what it noted, the outputs of steps before, the clock, and the
    claim under which it is made: a stream from DSS ends with `lease.Lost` when that is lost."""

    promotion: Promotion
    step: Step
    outputs: Mapping[str, Mapping[str, Any]]
    now: datetime
    held: lease.Lease

    @property
    def note(self) -> dict[str, Any]:
        return dict(self.step.output)

    @property
    def elapsed(self) -> float:
        """Seconds since the step was started."""
        return (self.now - (self.step.started_at or self.now)).total_seconds()

    @property
    def repeated(self) -> bool:
        """The look before this one came to no answer (its worker died, or DSS did not answer): it may have acted."""
        return self.step.attempts > 0

    @property
    def request(self) -> DeploymentRequest:
        """What was asked for, with all that judging reads of it."""
        promotion = self.promotion
        request = DeploymentRequest.objects.select_related(
            "bundle__author", "requested_by", "on_behalf_of"
        ).get(pk=promotion.request_id)
        # A promotion has the lane of its request; only a rollback has another bundle.
        request.lane, request.bundle.project = promotion.lane, promotion.lane.project
        return request

    @property
    def key(self) -> str:
        return self.promotion.lane.project.key

    def deployer(self) -> Dss:
        return connect(self.promotion.place.deployer, still=self.held.check)

    def automation(self) -> Dss:
        return connect(self.promotion.place.automation, still=self.held.check)

    def design(self) -> Dss:
        return connect(self.promotion.lane.project.node, still=self.held.check)


Answer = Done | Wait
StepFunction = Callable[[Work], Answer]
