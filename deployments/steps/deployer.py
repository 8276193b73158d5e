"""Steps that change something in DSS through the Project Deployer. Each looks before it acts, so it may run twice."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import IO

from django.utils import timezone
from django.utils.translation import gettext as _

from deployments.models import Deployment, Promotion
from deployments.steps.gate import hold_gate_open
from deployments.steps.outcome import Answer, Done, NotYet, StepFailed, Wait, Work
from portal import ledger
from portal.dss.client import Dss
from portal.dss.errors import BadAnswer, Conflict, Missing
from portal.dss.manifest import Manifest, ManifestError, changed_parts, read_manifest
from portal.dss.polling import next_delay
from portal.dss.spool import spooled
from portal.dss.values import FutureState, Update
from portal.event_kinds import EventKind

UPDATE_SECONDS = 3600  # an update that takes longer than this is taken for dead
FORGOTTEN_SECONDS = 120  # how long an update that DSS knows nothing of is waited for
DOWNLOADS = 3  # times an archive may come damaged before it is taken for damaged
HICCUPS = 2  # times a task may call itself failed before it is believed
DOUBT_SECONDS = 10  # how long that is doubted while DSS's list of updates does not say that it is over


def check_target(work: Work) -> Answer:
    """The infrastructure exists, our key may deploy there, and what runs there now is known."""
    place = work.promotion.place
    with work.deployer() as dss:
        infra = dss.infra(place.infra_id)
    if infra.can_deploy is False:
        raise StepFailed(
            _("The portal's key may not deploy on %(infra)s. A DSS administrator can allow it.")
            % {"infra": infra.id},
            code="infra_not_allowed",
        )
    with work.automation() as dss:
        active = dss.active_bundle(work.key)
    return Done({"infra": infra.id, "govern_policy": infra.govern_policy, "active": active})


def publish_bundle(work: Work) -> Answer:
    """Bring the bundle to the Deployer unless it is there, and compare the parts of those bytes with those registered.

    The archive goes through a spooled file, so that what is hashed is what is pushed; the Deployer's copy is read back.
    """
    bundle = work.promotion.bundle
    with work.deployer() as dss:
        there = bundle.bundle_id in dss.published_bundles(work.key)
        if not there and not work.note.get("uploading"):
            return Wait(0, {"uploading": True})
        if not there:
            with work.design() as design, spooled(design.open_bundle(work.key, bundle.bundle_id)) as spool:
                pushed = _read(design, work, spool)
                _same_parts(work, pushed, _("the design node"))
                spool.seek(0)
                dss.upload_bundle(work.key, spool)
        with spooled(dss.open_published_bundle(work.key, bundle.bundle_id)) as spool:
            copy = _read(dss, work, spool)
    _same_parts(work, copy, _("the Deployer"))
    return Done(
        {
            "uploaded": bool(work.note.get("uploading")),
            "archive": copy.archive_sha256,
            "same_archive": copy.archive_sha256 == bundle.archive,
        }
    )


def _read(dss: Dss, work: Work, spool: IO[bytes]) -> Manifest:
    """Read what was downloaded. An archive that came damaged is asked for again, a few times."""
    try:
        return read_manifest(spool)
    except ManifestError as error:
        if work.step.attempts + 1 < DOWNLOADS:
            raise BadAnswer(error.sentence, node=dss.node, operation="downloading the bundle") from error
        raise StepFailed(error.sentence, code=f"archive_{error.code}") from error


def _same_parts(work: Work, found: Manifest, where: str) -> None:
    changed = changed_parts(dict(work.promotion.bundle.parts), dict(found.parts))
    if changed:
        raise StepFailed(
            _(
                "Bundle %(bundle)s on %(where)s is not the one that was judged: %(parts)s differ. "
                "Register it anew under another id."
            )
            % {"bundle": work.promotion.bundle.bundle_id, "where": where, "parts": ", ".join(changed)},
            code="parts_differ",
            output={"changed": list(changed)},
        )


def prepare_deployment(work: Work) -> Answer:
    """Find the deployment or create it (which deploys nothing yet), and remember what it holds now."""
    infra = work.promotion.place.infra_id
    creating: str = work.note.get("creating", "")
    with work.deployer() as dss:
        found = dss.find_deployment(work.key, infra)
        if found is None and not creating:
            return Wait(0, {"creating": f"{work.key}-on-{infra}"})
        if found is None:
            dss.create_deployment(creating, work.key, infra, work.promotion.bundle.bundle_id)
        deployment = found.id if found else creating
        settings = dss.deployment_settings(deployment)
    with work.automation() as node:
        active = node.active_bundle(work.key)
    made = deployment == creating
    previous = None if made else settings.bundle_id
    return Done({"deployment": deployment, "created": made, "previous": previous, "active": active})


def go_live(work: Work) -> Answer:
    """Write down that the live change begins, then point the deployment at the bundle.

    A look after one that came to no answer asks the gate once more first, unless that one had pointed it there: DSS may
    have been away for minutes.
    """
    deployment = work.outputs["prepare_deployment"]["deployment"]
    bundle = work.promotion.bundle.bundle_id
    note = work.note
    if "began" not in note:
        now = timezone.now()
        return Wait(0, {"began": now.isoformat()}, also=lambda: _begin_live(work, now))
    late = work.repeated or "opens" in note
    with work.deployer() as dss:
        if late and work.promotion.kind == Promotion.Kind.PROMOTE and not _points_there(work, dss):
            return Wait(0, {"began": note["began"], "again": True}, also=lambda: _still_open(work))
        before = _known(dss, deployment)
        changed = dss.set_deployment_bundle(deployment, bundle, enabled=True)
    # That a repeat finds nothing left to change does not mean that nothing was changed.
    changed = changed or work.repeated or "again" in note
    return Done({"began": note["began"], "changed": changed, "updates_before": before})


def _points_there(work: Work, dss: Dss) -> bool:
    """Whether an earlier look pointed the deployment at the bundle; where it pointed there before, nobody can tell."""
    prepared, bundle = work.outputs["prepare_deployment"], work.promotion.bundle.bundle_id
    if prepared.get("created") or prepared.get("previous") == bundle:
        return False
    return dss.deployment_settings(prepared["deployment"]).bundle_id == bundle


def _still_open(work: Work) -> None:
    """The gate once more; a window that closed meanwhile is waited for, and then it is asked again."""
    try:
        hold_gate_open(work)
    except NotYet as later:
        raise NotYet(replace(later.wait, note={**work.note, **later.wait.note})) from None


def _begin_live(work: Work, now: datetime) -> None:
    """The instant of the live change, for which the gate has to be open still. The watch of an older promotion here
    ends as completed with it, at once, so that a rollback knows it; the older promotion's own next look only ends it.
    """
    promotion = work.promotion
    Promotion.objects.filter(pk=promotion.pk).update(live_at=now)
    watched = Deployment.objects.filter(
        place=promotion.place,
        deployable=work.key,
        ended_at__isnull=True,
        watched_at__isnull=True,
        promotion__status=Promotion.Status.RUNNING,
        promotion__holds_lane=False,
    )
    watched.exclude(promotion=promotion).update(watched_at=now)
    if promotion.kind == Promotion.Kind.PROMOTE:
        hold_gate_open(work)
    ledger.record(
        EventKind.PROMOTION_LIVE,
        by=None,
        project=work.key,
        subject=promotion.subject,
        promotion=promotion.pk,
        request=promotion.request_id,
        bundle=promotion.bundle.bundle_id,
        place=promotion.place.infra_id,
        previous=work.outputs["prepare_deployment"].get("active"),
    )


def start_update(work: Work) -> Answer:
    """Start the update and keep DSS's job id. A repeat finds an update that was started but not written down.

    An update that somebody else started is not taken for ours: only after a look that came to no answer is one looked
    for, and DSS refuses a second update while one runs, which is waited for.
    """
    deployment = work.outputs[_prepared(work)]["deployment"]
    _not_for_ever(work)
    with work.deployer() as dss:
        if "asked" not in work.note:
            return Wait(0, {"asked": _known(dss, deployment)})
        # Noted, for a wait begins the count of looks without an answer anew: the update that is waited for may be ours.
        lost = work.repeated or "lost" in work.note
        if lost:
            begun = _updates_after(dss, deployment, work.note["asked"])
            if begun:
                return Done({"job": None, "update": begun[-1].started_ms, "found_running": True})
        try:
            job = dss.start_update(deployment)
        except Conflict:
            note = {**work.note, "lost": True} if lost else {}
            return Wait(next_delay(work.elapsed), note)  # another action runs on it; look again
    return Done({"job": job, "update": None, "found_running": False})


def await_update(work: Work) -> Answer:
    """Follow the update to its end. That it ended is no success yet: the next steps ask what runs."""
    started = work.outputs["start_update"]
    deployment = work.outputs[_prepared(work)]["deployment"]
    _not_for_ever(work)
    state = None
    with work.deployer() as dss:
        if started["job"] is not None:
            state = dss.future(started["job"])
            if state.state == "running":  # so whatever was doubted before was a hiccup
                return Wait(next_delay(work.elapsed), {"doubts": 0} if work.note else {})
            if state.state == "done":
                return Done({"answer": state.message, "running_ms": state.running_ms})
        # The job id was lost, or DSS forgot the job, or it says that it failed: the list of updates knows better.
        ours = _ours(work, dss, deployment)
    if state is not None and state.state in ("failed", "aborted"):
        return _doubted(work, deployment, state, ours)
    if ours is None:
        return _forgotten(work)
    if ours.ended_ms is None:
        return Wait(next_delay(work.elapsed))
    return Done({"answer": ours.status, "running_ms": ours.ended_ms - ours.started_ms})


def _doubted(work: Work, deployment: str, state: FutureState, ours: Update | None) -> Answer:
    """DSS says by an HTTP error that the task failed, which may also be a hiccup: it has to say so more than once, and
    for longer while its list of updates does not say so too."""
    now = work.now
    doubts = work.note.get("doubts", 0) + 1
    since = datetime.fromisoformat(work.note.get("doubted", now.isoformat()))
    over = ours is not None and ours.ended_ms is not None
    if doubts <= HICCUPS or (not over and (now - since).total_seconds() < DOUBT_SECONDS):
        return Wait(next_delay(work.elapsed), {"doubts": doubts, "doubted": since.isoformat()})
    if ours is not None and ours.ended_ms is not None and not _went_wrong(ours):
        return Done({"answer": state.message or ours.status, "running_ms": ours.ended_ms - ours.started_ms})
    raise StepFailed(
        _("DSS could not update %(deployment)s: %(message)s")
        % {"deployment": deployment, "message": state.message or state.state},
        code=f"update_{state.state}",
        output={"answer": state.message},
    )


def _went_wrong(update: Update) -> bool:
    """Whether the list of updates calls this one bad. The words are unconfirmed: one that is not known is left to the
    next steps, which ask what runs and how it is."""
    return any(word in update.status.upper() for word in ("ERROR", "FAIL", "ABORT"))


def _forgotten(work: Work) -> Answer:
    """Neither the job nor the list of updates knows anything: after a while let the next steps see what runs."""
    since = work.note.get("forgotten") or work.now.isoformat()
    if (work.now - datetime.fromisoformat(since)).total_seconds() < FORGOTTEN_SECONDS:
        return Wait(next_delay(work.elapsed), {"forgotten": since})
    return Done({"answer": _("DSS has forgotten the task."), "running_ms": None})


def _ours(work: Work, dss: Dss, deployment: str) -> Update | None:
    started = work.outputs["start_update"]["update"]
    asked = work.outputs[_pointed(work)]["updates_before"]
    begun = _updates_after(dss, deployment, asked)
    ours = begun[0] if begun else None
    if started is not None:
        ours = next((update for update in begun if update.started_ms == started), None)
    if ours is None or ours.ended_ms is not None:
        return ours
    try:  # unconfirmed whether the list tells when one ended; read by itself it does
        return dss.update(deployment, ours.started_ms)
    except Missing:
        return ours


def _known(dss: Dss, deployment: str) -> list[int]:
    return [update.started_ms for update in _updates(dss, deployment)]


def _updates_after(dss: Dss, deployment: str, known: Sequence[int]) -> list[Update]:
    """The updates that are not among those known, newest first: told apart by id, never by our clock."""
    return [update for update in _updates(dss, deployment) if update.started_ms not in known]


def _updates(dss: Dss, deployment: str) -> list[Update]:
    try:
        return dss.updates(deployment)
    except Missing:  # a DSS without this list: then an update whose job id was lost is started again
        return []


def _not_for_ever(work: Work) -> None:
    if work.elapsed > UPDATE_SECONDS:
        raise StepFailed(
            _("DSS has not finished the update after an hour. Look at its log in DSS."), code="update_endless"
        )


def confirm_live(work: Work) -> Answer:
    """Ask the node which bundle is active there now, and write down that it runs."""
    promotion = work.promotion
    with work.automation() as dss:
        active = dss.active_bundle(work.key)
    if active != promotion.bundle.bundle_id:
        raise StepFailed(
            _("After the update %(infra)s runs %(active)s, not %(bundle)s. Look at the deployment in DSS.")
            % {
                "infra": promotion.place.infra_id,
                "active": active or _("nothing"),
                "bundle": promotion.bundle.bundle_id,
            },
            code="wrong_bundle_active",
            output={"active": active},
        )
    return Done({"active": active}, also=lambda: _runs(work))


def _runs(work: Work) -> None:
    promotion = work.promotion
    now = timezone.now()
    there = (
        Deployment.objects.select_for_update()
        .filter(place=promotion.place, deployable=work.key, ended_at__isnull=True)
        .first()
    )
    if there is not None:
        Deployment.objects.filter(pk=there.pk).update(ended_at=now)
    Deployment.objects.create(
        lane=promotion.lane,
        place=promotion.place,
        deployable=work.key,
        bundle=promotion.bundle,
        promotion=promotion,
        since=now,
    )
    ledger.record(
        EventKind.DEPLOYMENT_CHANGED,
        by=None,
        project=work.key,
        subject=promotion.subject,
        stage=promotion.lane.stage.slug,
        place=promotion.place.infra_id,
        bundle=promotion.bundle.bundle_id,
        previous=there.bundle.bundle_id if there else None,
        promotion=promotion.pk,
        parts=dict(promotion.bundle.parts),
    )


def disable_deployment(work: Work) -> Answer:
    """Nothing earlier to return to: switch the deployment off."""
    with work.deployer() as dss:
        found = dss.find_deployment(work.key, work.promotion.place.infra_id)
        if found is None:
            raise StepFailed(_("The deployment is gone from the Deployer."), code="deployment_gone")
        before = _known(dss, found.id)
        dss.set_deployment_bundle(found.id, found.bundle_id or work.promotion.bundle.bundle_id, enabled=False)
    return Done({"deployment": found.id, "updates_before": before})


def confirm_disabled(work: Work) -> Answer:
    """The Deployer says it is off; write down that nothing of ours runs there."""
    with work.deployer() as dss:
        settings = dss.deployment_settings(work.outputs["disable_deployment"]["deployment"])
    if settings.enabled:
        raise StepFailed(_("The deployment is still enabled. Disable it in DSS."), code="still_enabled")
    return Done({"enabled": False}, also=lambda: _runs_no_more(work))


def _runs_no_more(work: Work) -> None:
    promotion = work.promotion
    there = (
        Deployment.objects.select_for_update()
        .filter(place=promotion.place, deployable=work.key, ended_at__isnull=True)
        .first()
    )
    if there is not None:
        Deployment.objects.filter(pk=there.pk).update(ended_at=timezone.now())
        ledger.record(
            EventKind.DEPLOYMENT_CHANGED,
            by=None,
            project=work.key,
            subject=promotion.subject,
            stage=promotion.lane.stage.slug,
            place=promotion.place.infra_id,
            bundle=None,
            previous=there.bundle.bundle_id,
            promotion=promotion.pk,
            parts={},
        )


def _prepared(work: Work) -> str:
    return "prepare_deployment" if "prepare_deployment" in work.outputs else "disable_deployment"


def _pointed(work: Work) -> str:
    return "go_live" if "go_live" in work.outputs else "disable_deployment"
