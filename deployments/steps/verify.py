"""Steps that find out whether what runs is good: health, tests, smoke test, watch."""

from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from deployments.models import Deployment, Promotion
from deployments.steps.outcome import Answer, Done, StepFailed, Wait, Work
from governance.actions import evidence
from governance.queries import Rules, rules_for
from portal.dss.client import Dss
from portal.dss.errors import Missing
from portal.dss.polling import next_delay
from portal.dss.values import ScenarioRun

UNKNOWN_SECONDS = 120  # how long an unknown health is waited for
SCENARIO_SECONDS = 6 * 3600
WATCH_EVERY = 30.0


def check_health(work: Work) -> Answer:
    """HEALTHY passes, WARNING if the policy says so, UNKNOWN and OUT_OF_SYNC are waited for, all else fails."""
    status = _health(work)
    output = {"health": status[0], "messages": status[1]}
    if _is_well(work, status[0]):
        return Done(output)
    if status[0] in ("UNKNOWN", "OUT_OF_SYNC") and work.elapsed < UNKNOWN_SECONDS:
        return Wait(next_delay(work.elapsed))
    raise StepFailed(
        _("%(infra)s says the deployment is %(health)s. %(messages)s")
        % {"infra": work.promotion.place.infra_id, "health": status[0], "messages": " ".join(status[1])},
        code="unhealthy",
        output=output,
    )


def _health(work: Work) -> tuple[str, list[str]]:
    with work.deployer() as dss:
        deployment = dss.find_deployment(work.key, work.promotion.place.infra_id)
        if deployment is None:
            raise StepFailed(_("The deployment is gone from the Deployer."), code="deployment_gone")
        status = dss.deployment_status(deployment.id)
    return status.health, [message.text or message.title for message in status.messages][:20]


def _is_well(work: Work, health: str) -> bool:
    return health == "HEALTHY" or (health == "WARNING" and _warning_passes(work))


def _warning_passes(work: Work) -> bool:
    return rules_for(work.promotion.lane).stage.smoke.warning == "passes"


def run_tests(work: Work) -> Answer:
    """Run the scenarios marked as tests one by one on the target, all but the smoke scenario, and keep the results.

    As many must have run as are listed. What was seen is noted before each run, so a repeat finds a run it started.
    """
    note = work.note
    with work.automation() as dss:
        if "listed" not in note:
            smoke = _smoke(work)
            listed = [s.id for s in dss.test_scenarios(work.key) if s.id != smoke]
            return Wait(0, {"listed": listed, "results": []})
        remaining = note["listed"][len(note["results"]) :]
        if not remaining:
            return _tested(work, note)
        answer = _run(dss, work, remaining[0], note.get("current"))
    if isinstance(answer, Wait):
        return Wait(answer.seconds, {**note, "current": answer.note})
    return Wait(0, {**note, "results": [*note["results"], answer], "current": None})


def _tested(work: Work, note: dict[str, Any]) -> Answer:
    results = note["results"]
    promotion = work.promotion
    evidence.record_tests(
        by=None,
        bundle=promotion.bundle,
        lane=promotion.lane,
        listed=note["listed"],
        runs=results,
        source={"node": promotion.place.automation.slug, "promotion": promotion.pk},
    )
    passes = {"SUCCESS", "WARNING"} if _warning_passes(work) else {"SUCCESS"}
    bad = [run for run in results if run["outcome"] not in passes]
    output = {"listed": note["listed"], "results": results, "passed": len(results) - len(bad)}
    if bad:
        raise StepFailed(
            _("%(bad)s of %(all)s tests did not pass: %(which)s.")
            % {
                "bad": len(bad),
                "all": len(results),
                "which": ", ".join(f"{run['scenario']} {run['outcome']}" for run in bad),
            },
            code="tests_failed",
            output=output,
        )
    return Done(output)


def smoke_test(work: Work) -> Answer:
    """Run the lane's smoke scenario on the target; only SUCCESS passes unless the policy lets a warning pass."""
    scenario = _smoke(work)
    with work.automation() as dss:
        answer = _run(dss, work, scenario, work.note or None)
    if isinstance(answer, Wait):
        return answer
    passes = {"SUCCESS", "WARNING"} if _warning_passes(work) else {"SUCCESS"}
    if answer["outcome"] not in passes:
        raise StepFailed(
            _("The smoke test %(scenario)s ended %(outcome)s on %(infra)s.")
            % {"scenario": scenario, "outcome": answer["outcome"], "infra": work.promotion.place.infra_id},
            code="smoke_failed",
            output=answer,
        )
    return Done(answer)


def _smoke(work: Work) -> str:
    return rules_for(work.promotion.lane).stage.smoke.scenario


def _run(dss: Dss, work: Work, scenario: str, current: dict[str, Any] | None) -> Wait | dict[str, Any]:
    """One scenario to its end: note the last run seen, run, find our run, follow it.

    Returns a Wait whose note is to be handed back, or the finished run as JSON values.
    """
    if not current or current.get("scenario") != scenario:
        try:
            before = dss.last_runs(work.key, scenario, 1)
        except Missing as error:
            raise StepFailed(
                _(
                    "There is no scenario %(scenario)s on %(infra)s. Add it to the project, or name another one."
                )
                % {"scenario": scenario, "infra": work.promotion.place.infra_id},
                code="scenario_missing",
            ) from error
        return Wait(
            0,
            {
                "scenario": scenario,
                "before": before[0].run_id if before else None,
                "since": timezone.now().isoformat(),
            },
        )
    waited = (timezone.now() - datetime.fromisoformat(current["since"])).total_seconds()
    if waited > SCENARIO_SECONDS:
        raise StepFailed(
            _("Scenario %(scenario)s does not end.") % {"scenario": scenario}, code="scenario_endless"
        )
    newest = next(iter(dss.last_runs(work.key, scenario, 1)), None)
    ours = newest if newest is not None and newest.run_id != current["before"] else None
    if ours is None:
        if "fired" not in current:
            fire = dss.run_scenario(work.key, scenario)
            return Wait(next_delay(waited), {**current, "fired": fire.run_id, "trigger": fire.trigger_id})
        return Wait(next_delay(waited), current)
    if ours.outcome is None:
        return Wait(next_delay(waited), current)
    return _result(scenario, dss.scenario_run(work.key, scenario, ours.run_id))


def _result(scenario: str, run: ScenarioRun) -> dict[str, Any]:
    return {
        "scenario": scenario,
        "run": run.run_id,
        "outcome": run.outcome,
        "started_ms": run.started_ms,
        "ended_ms": run.ended_ms,
        "steps": [
            {"name": step.name, "outcome": step.outcome, "message": step.message} for step in run.steps
        ][:50],
    }


def watch(work: Work) -> Answer:
    """Free the lane and keep an eye on the deployment's health for as long as the policy says.

    A newer promotion that reached its live change in this lane ends the watch as completed.
    """
    promotion = work.promotion
    seconds = _rules(work).stage.after.watch
    Promotion.objects.filter(pk=promotion.pk, holds_lane=True).update(holds_lane=False)
    newer = Promotion.objects.filter(
        place=promotion.place, pk__gt=promotion.pk, live_at__isnull=False
    ).exists()
    if not newer and work.elapsed < seconds:
        health, messages = _health(work)
        if not _is_well(work, health) and health not in ("UNKNOWN", "OUT_OF_SYNC"):
            raise StepFailed(
                _("%(infra)s became %(health)s while it was watched. %(messages)s")
                % {"infra": promotion.place.infra_id, "health": health, "messages": " ".join(messages)},
                code="watch_failed",
                output={"health": health, "messages": messages},
            )
        return Wait(min(WATCH_EVERY, max(0.2, seconds / 20), seconds - work.elapsed))
    Deployment.objects.filter(promotion=promotion).update(watched_at=timezone.now())
    return Done({"watched_seconds": round(work.elapsed, 3), "ended_by_newer": newer})


def _rules(work: Work) -> Rules:
    return rules_for(work.promotion.lane)
