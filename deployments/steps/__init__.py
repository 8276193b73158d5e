"""The steps, and the literal lists they make up. Read a promotion here from top to bottom."""

from collections.abc import Sequence

from deployments.models import Promotion
from deployments.steps import deployer, gate, verify
from deployments.steps.outcome import StepFunction

# A bundle through the Project Deployer.
PROMOTION: Sequence[StepFunction] = (
    gate.pass_gate,  # judge, freeze the case
    deployer.check_target,  # there, and ours to deploy on
    deployer.publish_bundle,  # the parts that were judged are the parts that move
    deployer.prepare_deployment,  # find or create it; remember the old bundle
    gate.pass_gate_again,  # last look before anything live changes
    deployer.go_live,  # from here on a failure rolls back
    deployer.start_update,  # keep DSS's job id
    deployer.await_update,
    deployer.confirm_live,  # which bundle is active now?
    verify.check_health,
    verify.run_tests,
    verify.smoke_test,
    verify.watch,  # the lane is free from here on
)

# Back to the last bundle that completed its watch there.
ROLLBACK: Sequence[StepFunction] = (
    gate.pass_rollback_gate,
    deployer.publish_bundle,
    deployer.prepare_deployment,
    deployer.go_live,
    deployer.start_update,
    deployer.await_update,
    deployer.confirm_live,
    verify.check_health,
    verify.smoke_test,
    verify.watch,
)

# Nothing earlier to return to.
DISABLING: Sequence[StepFunction] = (
    deployer.disable_deployment,
    deployer.start_update,
    deployer.await_update,
    deployer.confirm_disabled,
)

LISTS: dict[str, Sequence[StepFunction]] = {
    Promotion.Kind.PROMOTE: PROMOTION,
    Promotion.Kind.ROLLBACK: ROLLBACK,
    Promotion.Kind.DISABLE: DISABLING,
}
STEPS: dict[str, StepFunction] = {step.__name__: step for steps in LISTS.values() for step in steps}


def names_of(kind: str) -> list[str]:
    """The step names of a kind of promotion, as they are frozen onto it."""
    return [step.__name__ for step in LISTS[kind]]
