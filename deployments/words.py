"""What steps and promotions are called and how their story reads: on pages, in the API, in reports. Decides nothing."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from deployments.models import Promotion, Step
from governance.sentences import when

STEPS: Mapping[str, Promise] = {
    "pass_gate": gettext_lazy("Judge the gate"),
    "pass_rollback_gate": gettext_lazy("Check that it ran here before"),
    "check_target": gettext_lazy("Check the target"),
    "publish_bundle": gettext_lazy("Publish and check the parts"),
    "prepare_deployment": gettext_lazy("Prepare the deployment"),
    "pass_gate_again": gettext_lazy("Judge the gate once more"),
    "go_live": gettext_lazy("Point the deployment at the bundle"),
    "disable_deployment": gettext_lazy("Switch the deployment off"),
    "start_update": gettext_lazy("Start the update"),
    "await_update": gettext_lazy("Wait for DSS to update"),
    "confirm_live": gettext_lazy("Confirm what is active"),
    "confirm_disabled": gettext_lazy("Confirm that it is off"),
    "check_health": gettext_lazy("Check its health"),
    "run_tests": gettext_lazy("Run the tests"),
    "smoke_test": gettext_lazy("Smoke test"),
    "watch": gettext_lazy("Watch it run"),
}
"""Every step's name in plain words."""


def step_name(name: str) -> str:
    """A step in plain words; one that is not known any more by its own name."""
    return str(STEPS.get(name, name.replace("_", " ").capitalize()))


def step_note(step: Step) -> str:
    """What a step found or is doing, in a few words; empty where its name says it all."""
    if step.status == Step.Status.FAILED:
        return step.problem
    if step.status == Step.Status.STARTED and step.problem:
        return _("Trying again: %(problem)s") % {"problem": step.problem}
    return _NOTES[step.name](step.output) if step.name in _NOTES and step.output else ""


def _judged(output: Mapping[str, Any]) -> str:
    """What it waits for, where the window is closed; nothing once it was judged."""
    if "opens" not in output or "met" in output:
        return ""
    return _("Everything else is met. It goes on by itself when the window opens, on %(opens)s.") % {
        "opens": when(output["opens"])
    }


def _tested(output: Mapping[str, Any]) -> str:
    results, listed = output.get("results", []), output.get("listed", [])
    passed = output.get("passed", sum(run.get("outcome") == "SUCCESS" for run in results))
    if not listed:
        return _("The bundle has no scenario marked as a test.")
    return ngettext(
        "%(passed)s of %(all)s test passed", "%(passed)s of %(all)s tests passed", len(listed)
    ) % {
        "passed": passed,
        "all": len(listed),
    }


def _live(output: Mapping[str, Any]) -> str:
    return _("%(bundle)s is active") % {"bundle": output["active"]} if output.get("active") else ""


def _published(output: Mapping[str, Any]) -> str:
    return {True: _("Published now"), False: _("It was there already")}.get(output.get("uploaded", None), "")


def _healthy(output: Mapping[str, Any]) -> str:
    health = str(output.get("health", ""))
    return _("Healthy") if health == "HEALTHY" else health.capitalize()


def _smoked(output: Mapping[str, Any]) -> str:
    return _("It passed") if output.get("outcome") == "SUCCESS" else ""


_NOTES: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "pass_gate": _judged,
    "pass_gate_again": _judged,
    "publish_bundle": _published,
    "confirm_live": _live,
    "check_health": _healthy,
    "run_tests": _tested,
    "smoke_test": _smoked,
}


def story(promotion: Promotion) -> str:
    """What became of a promotion, in one sentence; for a rollback, what it brought back and why it was needed."""
    stage, bundle = promotion.lane.stage.name, promotion.bundle.bundle_id
    words = {"stage": stage, "bundle": bundle, "reason": promotion.reason or ""}
    return str(_STORIES[promotion.kind][promotion.status]) % words


def whole_story(promotion: Promotion) -> str:
    """As `story`; of a rollback, first what became of the promotion it undoes."""
    undone = promotion.undoes
    return story(promotion) if undone is None else f"{story(undone)} {story(promotion)}"


_STORIES: Mapping[str, Mapping[str, Promise]] = {
    Promotion.Kind.PROMOTE: {
        Promotion.Status.RUNNING: gettext_lazy("%(bundle)s is on its way to %(stage)s."),
        Promotion.Status.SUCCEEDED: gettext_lazy("%(bundle)s went to %(stage)s and passed every check."),
        Promotion.Status.FAILED: gettext_lazy("%(bundle)s did not make it to %(stage)s. %(reason)s"),
        Promotion.Status.ERRORED: gettext_lazy(
            "The portal itself broke while it brought %(bundle)s to %(stage)s. %(reason)s"
        ),
        Promotion.Status.STOPPED: gettext_lazy("Stopped on the way to %(stage)s: %(reason)s"),
    },
    Promotion.Kind.ROLLBACK: {
        Promotion.Status.RUNNING: gettext_lazy("Rolling back: %(bundle)s is on its way back to %(stage)s."),
        Promotion.Status.SUCCEEDED: gettext_lazy(
            "Rolled back: %(stage)s runs %(bundle)s again, the last one that was good there."
        ),
        Promotion.Status.FAILED: gettext_lazy(
            "The rollback to %(bundle)s failed too, and %(stage)s waits for people. %(reason)s"
        ),
        Promotion.Status.ERRORED: gettext_lazy(
            "The portal itself broke while it rolled %(stage)s back to %(bundle)s. %(reason)s"
        ),
        Promotion.Status.STOPPED: gettext_lazy("The rollback to %(bundle)s was stopped: %(reason)s"),
    },
    Promotion.Kind.DISABLE: {
        Promotion.Status.RUNNING: gettext_lazy(
            "Nothing earlier was good in %(stage)s, so the deployment is being switched off."
        ),
        Promotion.Status.SUCCEEDED: gettext_lazy(
            "The deployment in %(stage)s was switched off, because nothing earlier was good there."
        ),
        Promotion.Status.FAILED: gettext_lazy(
            "The deployment in %(stage)s could not be switched off and waits for people. %(reason)s"
        ),
        Promotion.Status.ERRORED: gettext_lazy(
            "The portal itself broke while it switched %(stage)s off. %(reason)s"
        ),
        Promotion.Status.STOPPED: gettext_lazy("Switching %(stage)s off was stopped: %(reason)s"),
    },
}


def day(at: datetime) -> str:
    """`3 March`, in the reader's zone."""
    local = timezone.localtime(at)
    return f"{local.day} {local:%B}"
