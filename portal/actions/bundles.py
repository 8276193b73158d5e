"""Registers bundles: exports or picks one on the design node, hashes it, and keeps its manifest.

Asking is quick and a person's act; the work is done by `register`, which a task calls and which may be killed and
repeated at any point: it looks before it exports, and nothing is kept until everything is known.
"""

from datetime import timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from portal import content, lease, ledger, rights
from portal.dss.connect import connect, is_passing
from portal.dss.errors import DssError
from portal.dss.manifest import Manifest, ManifestError, Texts, manifest_to_json, read_manifest
from portal.dss.recipes import Held, held_in
from portal.dss.spool import spooled
from portal.errors import Invalid, Refused
from portal.event_kinds import EventKind
from portal.models import Bundle, Lane, Person, Project, Right
from portal.models.estate import DSS_ID

ATTEMPTS = 8  # times that what may pass may happen: about three minutes in all
LOST_WORKERS = 12  # claims after which a bundle is given up, whatever became of them
FIRST_PAUSE = 1.0  # seconds; doubled each time
LONGEST_PAUSE = 60.0
DAMAGED = ("truncated", "damaged", "not_a_zip")  # what a broken download looks like
NOTES_LIMIT = 5_000
TEXT_TYPE = "text/plain; charset=utf-8"
MANIFEST_TYPE = "application/vnd.countersign.manifest+json"


def ask_bundle(
    *, by: Person, project: Project, bundle_id: str, pick: bool = False, notes: str = ""
) -> Bundle:
    """Ask for a bundle to be exported from the project as it is now, or for an exported one to be picked.

    Whoever may ask for a promotion in any lane of the project may do so. Raises Invalid naming the field.
    """
    lanes = list(Lane.objects.filter(project=project).select_related("project", "stage"))
    held = rights.held_on(by, lanes)
    if not any(Right.REQUEST.value in held[lane.pk] for lane in lanes):
        rights.check(by, Right.REQUEST, lanes[0])
    try:
        DSS_ID(bundle_id)
    except Exception as error:
        raise Invalid(
            _("A bundle id holds letters, digits, “_”, “.” and “-” only."),
            code="bundle_id",
            field="bundle_id",
        ) from error
    if len(notes) > NOTES_LIMIT:
        raise Invalid(
            _("Say what is new in at most %(limit)s characters; documents hold longer texts.")
            % {"limit": NOTES_LIMIT},
            code="notes_long",
            field="notes",
        )
    origin = Bundle.Origin.PICKED if pick else Bundle.Origin.EXPORTED
    with ledger.business():
        # Try again under the same id; only from failed, since somebody else may have asked again meanwhile.
        again = Bundle.objects.filter(
            project=project, bundle_id=bundle_id, status=Bundle.Status.FAILED
        ).update(
            status=Bundle.Status.ASKED,
            origin=origin,
            notes=notes,
            asked_at=timezone.now(),
            asked_by=by,
            attempts=0,
            problem="",
            lease_until=None,
        )
        if again:
            bundle = Bundle.objects.get(project=project, bundle_id=bundle_id)
        else:
            try:
                with transaction.atomic():
                    bundle = Bundle.objects.create(
                        project=project, bundle_id=bundle_id, origin=origin, notes=notes, asked_by=by
                    )
            except IntegrityError as error:
                raise Invalid(
                    _("Bundle “%(bundle)s” of this project is registered already; choose another id.")
                    % {"bundle": bundle_id},
                    code="bundle_taken",
                    field="bundle_id",
                ) from error
        ledger.record(
            EventKind.BUNDLE_ASKED,
            by=by,
            project=project.key,
            subject=bundle.subject,
            bundle=bundle_id,
            origin=origin,
            notes=notes,
        )
        return bundle


def register(*, by: Person, bundle_pk: int) -> None:
    """Do what was asked: export unless it is there, stream and hash the archive, keep manifest and digests.

    1. Claim it by compare-and-set; somebody else's claim or a finished bundle ends here.
    2. Export when asked to and not yet there. A repeat finds it there, and that it is our own export.
    3. Stream the archive to a spooled file, hashing; read its members.
    4. In one transaction: manifest, digests, author, event.

    What may pass (DSS away, a stream cut short, our own breaking) is left to the sweep, after a pause in the lease.
    """
    now = timezone.now()
    until = now + timedelta(seconds=settings.LEASE_SECONDS)
    asked = Bundle.objects.filter(pk=bundle_pk, status=Bundle.Status.ASKED)
    free = asked.filter(Q(lease_until__isnull=True) | Q(lease_until__lt=now))
    if not free.update(lease_until=until, attempts=F("attempts") + 1):
        return
    bundle = Bundle.objects.select_related("project__node", "asked_by").get(pk=bundle_pk)
    if bundle.attempts > LOST_WORKERS:
        _fail(
            by, bundle, "worker_lost", _("Registering it broke each time; the log of Countersign says where.")
        )
        return
    try:
        with lease.renewed(asked, until) as held:
            manifest, texts, code = _fetch(bundle, held)
        _keep(by, bundle, manifest, texts, code)
    except lease.Lost:  # somebody else does it
        return
    except (DssError, ManifestError) as error:
        passing = is_passing(error) if isinstance(error, DssError) else error.code in DAMAGED
        if passing and bundle.attempts < ATTEMPTS:
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2**bundle.attempts)
            held.rows().update(
                lease_until=timezone.now() + timedelta(seconds=pause), problem=str(error.sentence)
            )
        else:
            _fail(by, bundle, error.code, str(error.sentence))
    except Refused as error:
        _fail(by, bundle, error.code, str(error.sentence))


def _fetch(bundle: Bundle, held: lease.Lease) -> tuple[Manifest, Texts, Held]:
    """Export or find the bundle, download it and read it, and what its code is like: the archive is not kept."""
    key = bundle.project.key
    with connect(bundle.project.node, still=held.check) as dss:
        there = {info.bundle_id: info for info in dss.list_bundles(key)}
        if bundle.origin == Bundle.Origin.EXPORTED:
            found = there.get(bundle.bundle_id)
            # A repeat finds what the attempt before exported; an export of somebody else's is not taken for ours.
            ours = bundle.attempts > 1 and (
                found is None or found.exported_by in ("", dss.whoami().identifier)
            )
            if found is not None and not ours:
                raise Invalid(
                    _("The design node has a bundle “%(bundle)s” already. Pick it, or choose another id.")
                    % {"bundle": bundle.bundle_id},
                    code="bundle_exists",
                    field="bundle_id",
                )
            if found is None:
                dss.export_bundle(key, bundle.bundle_id, bundle.notes)
        elif bundle.bundle_id not in there:
            raise Invalid(
                _(
                    "The design node has no bundle “%(bundle)s” of this project. Export it there, "
                    "or ask the portal to."
                )
                % {"bundle": bundle.bundle_id},
                code="bundle_unknown",
                field="bundle_id",
            )
        with spooled(dss.open_bundle(key, bundle.bundle_id)) as spool:
            texts = Texts()
            return read_manifest(spool, texts), texts, held_in(spool)


def _keep(by: Person, bundle: Bundle, manifest: Manifest, texts: Texts, code: Held) -> None:
    key = bundle.project.key
    told = manifest.export
    for fact, expected in (("projectKey", key), ("bundleId", bundle.bundle_id)):
        if told.get(fact) not in (None, expected):
            raise Invalid(
                _(
                    "The archive says it is %(fact)s “%(told)s”, not “%(expected)s”. "
                    "DSS answered with another bundle; try again."
                )
                % {"fact": fact, "told": told.get(fact), "expected": expected},
                code="bundle_lies",
                field="bundle_id",
            )
    in_dss = str(told.get("exportedBy") or "")
    if bundle.origin == Bundle.Origin.EXPORTED:
        author: Person = bundle.asked_by
    else:  # a service account in DSS is nobody: whoever registered it stands for it
        author = (
            Person.objects.filter(login=in_dss.lower(), kind=Person.Kind.PERSON).first() or bundle.asked_by
        )
    # Whoever wrote the archive chose this text; the column is as wide as a login may be.
    in_dss = " ".join(in_dss.split())[: Bundle.AUTHOR_LIMIT]
    with ledger.business():
        kept = content.put_json(manifest_to_json(manifest), MANIFEST_TYPE)
        content.put_many(texts.kept.values(), TEXT_TYPE)
        done = Bundle.objects.filter(pk=bundle.pk, status=Bundle.Status.ASKED).update(
            status=Bundle.Status.REGISTERED,
            registered_at=timezone.now(),
            author=author,
            author_in_dss=in_dss,
            archive=manifest.archive_sha256,
            size=manifest.size,
            members=len(manifest.members),
            parts=dict(manifest.parts),
            manifest=kept,
            problem="",
            lease_until=None,
        )
        if done:
            ledger.record(
                EventKind.BUNDLE_REGISTERED,
                by=by,
                project=key,
                subject=bundle.subject,
                bundle=bundle.bundle_id,
                origin=bundle.origin,
                archive=manifest.archive_sha256,
                size=manifest.size,
                members=len(manifest.members),
                parts=dict(manifest.parts),
                manifest=kept.digest,
                author=str(author.pk),
                author_name=author.name,
                author_in_dss=in_dss,
            )
            bundle.refresh_from_db()
            for name in settings.ON_REGISTERED:
                import_string(name)(by=by, bundle=bundle, code=code)


def _fail(by: Person, bundle: Bundle, code: str, sentence: str) -> None:
    with ledger.business():
        if Bundle.objects.filter(pk=bundle.pk, status=Bundle.Status.ASKED).update(
            status=Bundle.Status.FAILED, problem=sentence, lease_until=None
        ):
            ledger.record(
                EventKind.BUNDLE_FAILED,
                by=by,
                project=bundle.project.key,
                subject=bundle.subject,
                bundle=bundle.bundle_id,
                code=code,
                reason=sentence,
            )
