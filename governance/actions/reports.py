"""Asks for audit reports and makes them.

Asking is a person's act; `make` does the work, may be killed anywhere and repeated: until the report is kept, in one
transaction with its event, nothing but a checkpoint is left behind.
"""

import logging
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import F, Q
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from governance.actions import combinations
from governance.models import AccessReview, Report
from governance.queries import check_report
from governance.report import combinations as on_combinations
from governance.report import printing, review
from governance.report.collect import collect, pack
from governance.report.compose import LANGUAGE, VERSION, compose
from governance.report.page import html
from governance.report.values import AuditReport, RightsReport
from portal import checkpoints, content, ledger, rights
from portal.errors import Refused
from portal.event_kinds import EventKind
from portal.models import Person, Project

log = logging.getLogger(__name__)

ATTEMPTS = 3
PDF_TYPE = "application/pdf"
ESTATE = "estate"  # what a report on combinations is about, where it is about all of them


def ask_report(*, by: Person, about: str, project: Project | None = None) -> Report:
    """Ask for the report on a request ("request:7"), an access review ("review:3"), or who could act alone.

    The last is "combinations:CHURN" or, without a project, "combinations:estate". Asking twice gives the one under way.
    Raises Absent for an outsider and for what is not there, Forbidden for a member without the right.
    """
    check_report(by, Report(project=project, about=about))
    if not _is_there(about, project):
        raise rights.absent()
    with ledger.business():
        under_way = Report.objects.filter(project=project, about=about, status=Report.Status.ASKED).first()
        if under_way is not None:
            return under_way
        report = Report.objects.create(project=project, about=about, asked_by=by)
        ledger.record(
            EventKind.REPORT_ASKED,
            by=by,
            project=report.project_key,
            subject=report.subject,
            report=report.pk,
            about=about,
        )
        return report


def _is_there(about: str, project: Project | None) -> bool:
    """Whether there is such a thing, and it belongs there."""
    kind, _colon, name = about.partition(":")
    if kind == "request" and project is not None:
        return ledger.rows(project=project.key, subject=about, kinds=[EventKind.REQUEST_SUBMITTED]).exists()
    if kind == "review" and name.isdecimal():
        return AccessReview.objects.filter(pk=int(name), project=project).exists()
    return kind == "combinations" and name == (project.key if project is not None else ESTATE)


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
    kind, _colon, name = report.about.partition(":")
    if kind == "combinations":
        combinations.find(by=by, report=report)
    checkpoint = checkpoints.cut(by=by)
    under: dict[str, Any] = {"project": report.project_key, "checkpoint": checkpoint, "asked": report.subject}
    composed: AuditReport | RightsReport
    with translation.override(LANGUAGE):
        if kind == "review":
            gathered = review.collect(review=int(name), **under)
            composed = review.compose(gathered)
        elif kind == "combinations":
            gathered = on_combinations.collect(about=report.about, **under)
            composed = on_combinations.compose(gathered)
        else:
            gathered = collect(about=report.about, **under)
            composed = compose(gathered)
        page = html(composed)
    body = printing.pdf(page, pack(gathered), composed.made_at)
    first, last = gathered.entries[0].seq, gathered.entries[-1].seq
    staged = content.stage_bytes(body, PDF_TYPE)
    with ledger.business():
        kept = content.put_staged(staged)
        done = Report.objects.filter(pk=report.pk, status=Report.Status.ASKED).update(
            status=Report.Status.MADE, made_at=timezone.now(), first=first, last=last, template=VERSION, content=kept,
            problem="", lease_until=None,
        )  # fmt: skip
        if done:
            ledger.record(
                EventKind.REPORT_MADE, by=by, project=report.project_key, subject=report.subject, report=report.pk,
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
                EventKind.REPORT_FAILED, by=by, project=report.project_key, subject=report.subject, report=report.pk,
                about=report.about, reason=sentence,
            )  # fmt: skip
