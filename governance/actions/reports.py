"""Asks for audit reports and makes them.

Asking is a person's act; `make` does the work, may be killed anywhere and repeated: until the report is kept, in one
transaction with its event, nothing but a checkpoint is left behind.
"""

import logging
from datetime import timedelta

from django.conf import settings
from django.db.models import F, Q
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from governance.models import Report
from governance.report import printing
from governance.report.collect import collect, pack
from governance.report.compose import LANGUAGE, VERSION, compose
from governance.report.page import html
from portal import checkpoints, content, ledger, rights
from portal.errors import Refused
from portal.event_kinds import EventKind
from portal.models import Person, Project
from portal.queries import check_audit

log = logging.getLogger(__name__)

ATTEMPTS = 3
PDF_TYPE = "application/pdf"


def ask_report(*, by: Person, project: Project, about: str) -> Report:
    """Ask for the report of one request ("request:7"). Asking twice gives the one under way.

    Whoever audits the project may. Raises Absent for an outsider and for a request the project does not have, Forbidden
    for a member without the right.
    """
    check_audit(by, project)
    if not ledger.rows(project=project.key, subject=about, kinds=[EventKind.REQUEST_SUBMITTED]).exists():
        raise rights.absent()
    with ledger.business():
        under_way = Report.objects.filter(project=project, about=about, status=Report.Status.ASKED).first()
        if under_way is not None:
            return under_way
        report = Report.objects.create(project=project, about=about, asked_by=by)
        ledger.record(
            EventKind.REPORT_ASKED,
            by=by,
            project=project.key,
            subject=report.subject,
            report=report.pk,
            about=about,
        )
        return report


def make(*, by: Person, report_pk: int) -> Report | None:
    """Make what was asked for: seal the ledger, collect, compose, render, keep. None: it is over or somebody else's.

    1. Claim it by compare-and-set; a lease that is still good belongs to somebody else.
    2. Cut a checkpoint: everything the report says is proved by it.
    3. Collect, compose and render, outside any transaction.
    4. Keep the PDF and its event in one transaction, unless another maker was quicker.
    """
    now = timezone.now()
    claimed = Report.objects.filter(
        Q(lease_until__isnull=True) | Q(lease_until__lt=now), pk=report_pk, status=Report.Status.ASKED
    ).update(lease_until=now + timedelta(seconds=settings.LEASE_SECONDS), attempts=F("attempts") + 1)
    if not claimed:
        return None
    report = Report.objects.select_related("project", "asked_by").get(pk=report_pk)
    if report.attempts > ATTEMPTS:
        _fail(
            by,
            report,
            _("It was tried %(n)s times and the worker was lost each time; its log says more.")
            % {"n": ATTEMPTS},
        )
        return None
    try:
        return _make(by, report)
    except Refused as refusal:
        _fail(by, report, refusal.sentence)
    except Exception as error:
        log.exception("report %s broke", report.pk)
        if report.attempts >= ATTEMPTS:
            _fail(
                by,
                report,
                _("Countersign itself broke (%(what)s); its log says where.")
                % {"what": type(error).__name__},
            )
        else:
            Report.objects.filter(pk=report.pk, attempts=report.attempts).update(
                lease_until=None, problem=type(error).__name__
            )
    return None


def _make(by: Person, report: Report) -> Report:
    checkpoint = checkpoints.cut(by=by)
    gathered = collect(
        project=report.project.key, about=report.about, checkpoint=checkpoint, asked=report.subject
    )
    with translation.override(LANGUAGE):
        composed = compose(gathered)
        page = html(composed)
    body = printing.pdf(page, pack(gathered), composed.made_at)
    first, last = gathered.entries[0].seq, gathered.entries[-1].seq
    with ledger.business():
        kept = content.put(body, PDF_TYPE)
        done = Report.objects.filter(pk=report.pk, status=Report.Status.ASKED).update(
            status=Report.Status.MADE, made_at=timezone.now(), first=first, last=last, template=VERSION, content=kept,
            problem="", lease_until=None,
        )  # fmt: skip
        if done:
            ledger.record(
                EventKind.REPORT_MADE, by=by, project=report.project.key, subject=report.subject, report=report.pk,
                about=report.about, first=first, last=last, content=kept.digest, size=kept.size,
                checkpoint_size=checkpoint.size, checkpoint_root=bytes(checkpoint.root).hex(),
            )  # fmt: skip
    report.refresh_from_db()
    return report


def _fail(by: Person, report: Report, sentence: str) -> None:
    with ledger.business():
        if Report.objects.filter(pk=report.pk, status=Report.Status.ASKED).update(
            status=Report.Status.FAILED, problem=sentence, lease_until=None
        ):
            ledger.record(
                EventKind.REPORT_FAILED, by=by, project=report.project.key, subject=report.subject, report=report.pk,
                about=report.about, reason=sentence,
            )  # fmt: skip
