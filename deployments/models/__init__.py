"""What is done: the wish, each attempt, and what runs now."""

from deployments.models.asking import Ask, Counted, CountedWaiver
from deployments.models.conversation import Comment
from deployments.models.deployment import Deployment
from deployments.models.promotion import PROMOTION_MOVES, Poller, Promotion, Step
from deployments.models.request import REQUEST_MOVES, DeploymentRequest

__all__ = [
    "PROMOTION_MOVES",
    "REQUEST_MOVES",
    "Ask",
    "Comment",
    "Counted",
    "CountedWaiver",
    "Deployment",
    "DeploymentRequest",
    "Poller",
    "Promotion",
    "Step",
]
