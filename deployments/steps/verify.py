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
from portal.dss.values import CANCELLED, ScenarioRun, TriggerFire

UNKNOWN_SECONDS = 120  # how long an unknown health is waited for
SCENARIO_SECONDS = 6 * 3600  # of one step: all tests together, or the smoke test
LOST_SECONDS = 10.0  # how long the run of a fire whose answer was lost is looked for before it is fired again
REFIRE_SECONDS = 1.0  # pause after a fire that DSS cancelled
FIRES = 5
MESSAGES = 20
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
    return status.health, [(message.text or message.title)[:600] for message in status.messages][:MESSAGES]


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

    def record() -> None:
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
            also=record,
        )
    return Done(output, also=record)


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
    """One scenario to its end: note the last run seen, fire, follow the fire to its run and the run to its outcome.

    Returns a Wait whose note is to be handed back, or the finished run as JSON values. A fire whose answer was lost is
    not repeated before a run of it had time to appear; one that DSS cancelled (another run was going) is.
    """
    if work.elapsed > SCENARIO_SECONDS:
        raise StepFailed(
            _("Scenario %(scenario)s does not end. Abort it in DSS and see why.") % {"scenario": scenario},
            code="scenario_endless",
        )
    if not current or current.get("scenario") != scenario:
        return _before(dss, work, scenario)
    waited = _since(work, current["since"])
    if "run" in current:
        run = dss.scenario_run(work.key, scenario, current["run"])
        return Wait(next_delay(waited), current) if run.outcome is None else _result(scenario, run)
    if "fire" in current:
        return _fired(dss, work, scenario, current)
    if work.repeated or "lost" in current:
        run_id = _newer_run(dss, work, scenario, current["before"])
        if run_id is not None:
            return Wait(0, {**current, "run": run_id})
        lost = current.get("lost") or work.now.isoformat()
        if _since(work, lost) < LOST_SECONDS:
            return Wait(next_delay(_since(work, lost)), {**current, "lost": lost})
        return Wait(0, {name: value for name, value in current.items() if name != "lost"})
    if current["fires"] >= FIRES:
        raise StepFailed(
            _(
                "DSS does not start scenario %(scenario)s on %(infra)s. See in DSS whether it runs all the time."
            )
            % {"scenario": scenario, "infra": work.promotion.place.infra_id},
            code="scenario_cancelled",
        )
    fire = dss.run_scenario(work.key, scenario)
    fired = {"trigger": fire.trigger_id, "id": fire.run_id}
    return Wait(next_delay(0), {**current, "fire": fired, "fires": current["fires"] + 1})


def _before(dss: Dss, work: Work, scenario: str) -> Wait:
    """What ran last before we fire; while somebody else's run is going, ours would be refused."""
    try:
        last = next(iter(dss.last_runs(work.key, scenario, 1)), None)
    except Missing as error:
        raise StepFailed(
            _("There is no scenario %(scenario)s on %(infra)s. Add it to the project, or name another one.")
            % {"scenario": scenario, "infra": work.promotion.place.infra_id},
            code="scenario_missing",
        ) from error
    if last is not None and last.outcome is None:
        return Wait(next_delay(work.elapsed))
    return Wait(
        0,
        {
            "scenario": scenario,
            "before": last.run_id if last else None,
            "since": work.now.isoformat(),
            "fires": 0,
        },
    )


def _fired(dss: Dss, work: Work, scenario: str, current: dict[str, Any]) -> Wait | dict[str, Any]:
    waited = _since(work, current["since"])
    fire = TriggerFire(current["fire"]["trigger"], current["fire"]["id"])
    unfired = {name: value for name, value in current.items() if name != "fire"}
    try:
        run = dss.run_of_fire(work.key, scenario, fire)
    except Missing:  # DSS has forgotten the fire: its run, if there is one, is in the list
        return Wait(next_delay(waited), {**unfired, "lost": work.now.isoformat()})
    if run is CANCELLED:
        return Wait(max(REFIRE_SECONDS, next_delay(waited)), unfired)
    if run is None or run.outcome is None:
        return Wait(next_delay(waited), current)
    return _result(scenario, dss.scenario_run(work.key, scenario, run.run_id))


def _newer_run(dss: Dss, work: Work, scenario: str, before: str | None) -> str | None:
    """The first run after `before`, by its place in the list and not by anybody's clock."""
    newer = []
    for run in dss.last_runs(work.key, scenario, 10):
        if run.run_id == before:
            break
        newer.append(run.run_id)
    return newer[-1] if newer else None


def _since(work: Work, instant: str) -> float:
    return (work.now - datetime.fromisoformat(instant)).total_seconds()


def _result(scenario: str, run: ScenarioRun) -> dict[str, Any]:
    return {
        "scenario": scenario,
        "run": run.run_id,
        "outcome": run.outcome,
        "started_ms": run.started_ms,
        "ended_ms": run.ended_ms,
        "steps": [
            {"name": step.name[:200], "outcome": step.outcome, "message": step.message[:600]}
            for step in run.steps
        ][:50],
    }


def watch(work: Work) -> Answer:
    """Free the lane and keep an eye on the deployment's health for as long as the policy says.

    A newer promotion that reached its live change in this lane ends the watch as completed.
    """
    seconds = _rules(work).stage.after.watch
    newer = _newer(work)
    if not newer and work.elapsed < seconds:
        health, messages = _health(work)
        bad = not _is_well(work, health) and health not in ("UNKNOWN", "OUT_OF_SYNC")
        if bad and not (newer := _newer(work)):
            raise StepFailed(
                _("%(infra)s became %(health)s while it was watched. %(messages)s")
                % {
                    "infra": work.promotion.place.infra_id,
                    "health": health,
                    "messages": " ".join(messages),
                },
                code="watch_failed",
                output={"health": health, "messages": messages},
            )
        if not newer:
            pause = min(WATCH_EVERY, max(0.2, seconds / 20), seconds - work.elapsed)
            return Wait(max(0.01, pause), {"free": True}, also=lambda: _free_lane(work))
    return Done(
        {"watched_seconds": round(work.elapsed, 3), "ended_by_newer": newer}, also=lambda: _watched(work)
    )


def _newer(work: Work) -> bool:
    return Promotion.objects.filter(
        place=work.promotion.place, lane=work.promotion.lane, pk__gt=work.promotion.pk, live_at__isnull=False
    ).exists()


def _free_lane(work: Work) -> None:
    if "free" not in work.note:
        Promotion.objects.filter(pk=work.promotion.pk).update(holds_lane=False)


def _watched(work: Work) -> None:
    Deployment.objects.filter(promotion=work.promotion, watched_at__isnull=True).update(
        watched_at=timezone.now()
    )


def _rules(work: Work) -> Rules:
    return rules_for(work.promotion.lane)
