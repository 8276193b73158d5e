"""Steps that change something in DSS through the Project Deployer. Each looks before it acts, so it may run twice."""

import tempfile
from typing import IO

from django.utils import timezone
from django.utils.translation import gettext as _

from deployments.models import Deployment, Promotion
from deployments.steps.outcome import Answer, Done, StepFailed, Wait, Work
from portal import ledger
from portal.dss.client import Dss
from portal.dss.errors import Conflict, FutureFailed
from portal.dss.manifest import Manifest, changed_parts, read_manifest
from portal.dss.polling import next_delay
from portal.event_kinds import EventKind

UPDATE_SECONDS = 3600  # an update that takes longer than this is taken for dead


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
    """Bring the bundle to the Deployer unless it is there, and compare the parts of the very bytes with those registered.

    The archive goes through a spooled file, so that what is hashed is what is pushed; the Deployer's copy is read back.
    """
    bundle = work.promotion.bundle
    with work.deployer() as dss:
        there = bundle.bundle_id in dss.published_bundles(work.key)
        if not there:
            with work.design() as design, tempfile.TemporaryFile() as spool:
                pushed = _spool(design, work, spool, published=False)
                _same_parts(work, pushed, _("the design node"))
                spool.seek(0)
                dss.upload_bundle(work.key, spool)
        with tempfile.TemporaryFile() as spool:
            copy = _spool(dss, work, spool, published=True)
    _same_parts(work, copy, _("the Deployer"))
    return Done(
        {
            "uploaded": not there,
            "archive": copy.archive_sha256,
            "same_archive": copy.archive_sha256 == bundle.archive,
        }
    )


def _spool(dss: Dss, work: Work, spool: IO[bytes], *, published: bool) -> Manifest:
    opened = dss.open_published_bundle if published else dss.open_bundle
    with opened(work.key, work.promotion.bundle.bundle_id) as chunks:
        for chunk in chunks:
            spool.write(chunk)
    spool.seek(0)
    return read_manifest(spool)


def _same_parts(work: Work, found: Manifest, where: str) -> None:
    changed = changed_parts(dict(work.promotion.bundle.parts), dict(found.parts))
    if changed:
        raise StepFailed(
            _(
                "Bundle %(bundle)s on %(where)s is not the one that was judged: %(parts)s differ. Register it anew under another id."
            )
            % {"bundle": work.promotion.bundle.bundle_id, "where": where, "parts": ", ".join(changed)},
            code="parts_differ",
            output={"changed": list(changed)},
        )


def prepare_deployment(work: Work) -> Answer:
    """Find the deployment or create it (which deploys nothing yet), and remember what it holds now."""
    infra = work.promotion.place.infra_id
    with work.deployer() as dss:
        found = dss.find_deployment(work.key, infra)
        made = found is None
        deployment = found.id if found else f"{work.key}-on-{infra}"
        if made:
            dss.create_deployment(deployment, work.key, infra, work.promotion.bundle.bundle_id)
        settings = dss.deployment_settings(deployment)
    with work.automation() as node:
        active = node.active_bundle(work.key)
    previous = None if made else settings.bundle_id
    return Done({"deployment": deployment, "created": made, "previous": previous, "active": active})


def go_live(work: Work) -> Answer:
    """Write down that the live change begins, then point the deployment at the bundle."""
    deployment = work.outputs["prepare_deployment"]["deployment"]
    bundle = work.promotion.bundle.bundle_id
    if "began" not in work.note:
        began = _begin_live(work)
        return Wait(0, {"began": began})
    with work.deployer() as dss:
        before = [update.started_ms for update in dss.updates(deployment)]
        changed = dss.set_deployment_bundle(deployment, bundle, enabled=True)
    return Done({**work.note, "changed": changed, "updates_before": before})


def _begin_live(work: Work) -> str:
    """The instant of the live change. A watch of an older promotion in this lane ends as completed here."""
    promotion = work.promotion
    with ledger.business():
        now = timezone.now()
        ours = Promotion.objects.filter(pk=promotion.pk, status=Promotion.Status.RUNNING, holds_lane=True)
        if not ours.update(live_at=now):
            raise StepFailed(
                _("The promotion was ended or lost its lane before anything live changed."), code="lane_lost"
            )
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
        return now.isoformat()


def start_update(work: Work) -> Answer:
    """Start the update and keep DSS's job id. A repeat finds an update that was started but not written down."""
    deployment = work.outputs[_prepared(work)]["deployment"]
    before = work.outputs[_pointed(work)]["updates_before"]
    with work.deployer() as dss:
        if "asked" not in work.note:
            return Wait(0, {"asked": True})
        begun = [update for update in dss.updates(deployment) if update.started_ms not in before]
        if begun:
            return Done({"job": None, "update": begun[0].started_ms, "found_running": True})
        try:
            job = dss.start_update(deployment)
        except Conflict:
            return Wait(next_delay(work.elapsed), work.note)  # another action runs on it; look again
        except FutureFailed as error:
            raise StepFailed(error.sentence, code=error.code) from error
    return Done({"job": job, "update": None, "found_running": False})


def await_update(work: Work) -> Answer:
    """Follow the update to its end. That it ended is no success yet: the next steps ask what runs."""
    started = work.outputs["start_update"]
    deployment = work.outputs[_prepared(work)]["deployment"]
    before = work.outputs[_pointed(work)]["updates_before"]
    _not_for_ever(work)
    with work.deployer() as dss:
        if started["job"] is not None:
            state = dss.future(started["job"])
            if state.state == "running":
                return Wait(next_delay(work.elapsed))
            if state.state in ("failed", "aborted"):
                raise StepFailed(
                    _("DSS could not update %(deployment)s: %(message)s")
                    % {"deployment": deployment, "message": state.message or state.state},
                    code=f"update_{state.state}",
                    output={"answer": state.message},
                )
            if state.state == "done":
                return Done({"answer": state.message, "running_ms": state.running_ms})
        # The job id was lost, or DSS has forgotten it: its list of updates knows.
        ours = [update for update in dss.updates(deployment) if update.started_ms not in before]
        if not ours or ours[0].ended_ms is None:
            return Wait(next_delay(work.elapsed))
        return Done({"answer": ours[0].status, "running_ms": ours[0].ended_ms - ours[0].started_ms})


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
    _runs(work)
    return Done({"active": active})


def _runs(work: Work) -> None:
    promotion = work.promotion
    with ledger.business():
        now = timezone.now()
        there = (
            Deployment.objects.select_for_update()
            .filter(place=promotion.place, deployable=work.key, ended_at__isnull=True)
            .first()
        )
        if there is not None and there.promotion_id == promotion.pk:
            return
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
        before = [update.started_ms for update in dss.updates(found.id)]
        dss.set_deployment_bundle(found.id, found.bundle_id or work.promotion.bundle.bundle_id, enabled=False)
    return Done({"deployment": found.id, "updates_before": before})


def confirm_disabled(work: Work) -> Answer:
    """The Deployer says it is off; write down that nothing of ours runs there."""
    promotion = work.promotion
    with work.deployer() as dss:
        settings = dss.deployment_settings(work.outputs["disable_deployment"]["deployment"])
    if settings.enabled:
        raise StepFailed(_("The deployment is still enabled. Disable it in DSS."), code="still_enabled")
    with ledger.business():
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
    return Done({"enabled": False})


def _prepared(work: Work) -> str:
    return "prepare_deployment" if "prepare_deployment" in work.outputs else "disable_deployment"


def _pointed(work: Work) -> str:
    return "go_live" if "go_live" in work.outputs else "disable_deployment"
