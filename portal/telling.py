"""Tells people things: in the portal at once, and by e-mail through an outbox that outlives any process.

What is told stands in the database, written in the transaction of what it tells of. A worker sends it by e-mail, again
until the mail server takes it or it is given up; a process that is killed after sending and before writing so sends the
same letter twice, under one Message-ID. Not in charge of whom to tell what (actions are), nor of waking the worker: the
event that is recorded beside it does (settings.EVENT_TASKS), and a sweep.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from email.utils import format_datetime
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMessage
from django.db.models import Q, QuerySet
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from portal import rights
from portal.models import Notification, Person, Project

log = logging.getLogger(__name__)

LINE = 200
# How long whoever took a letter may be silent before another sends it.
CLAIM = timedelta(minutes=5)
# When a letter is tried again after each failure; after the last it is given up.
AGAIN = tuple(timedelta(seconds=seconds) for seconds in (30, 120, 600, 3600, 6 * 3600, 24 * 3600))
AT_A_TIME = 100
KEPT = timedelta(days=180)


@dataclass(frozen=True, slots=True)
class News:
    """What is told: `once` names it, `line` says it, `text` explains it, `url` is the page to open (from the root)."""

    kind: Notification.Kind
    once: str
    line: str
    url: str
    text: str = ""
    project: Project | None = None


def tell(people: Iterable[Person], news: News) -> list[Person]:
    """Tell active people, each once; those told now. To be called inside the transaction of what it tells of.

    Service accounts and the system are told nothing: nobody reads it.
    """
    wanted = {one.pk: one for one in people if one.is_active and one.kind == Person.Kind.PERSON}
    known = set(
        Notification.objects.filter(person__in=wanted, once=news.once).values_list("person", flat=True)
    )
    now = timezone.now()
    rows = [
        Notification(
            person=one,
            kind=news.kind,
            project=news.project,
            once=news.once,
            line=_one_line(news.line),
            text=news.text,
            url=news.url,
            told_at=now,
            mail=Notification.Mail.WAITING if _by_mail(one) else Notification.Mail.NONE,
            next_try_at=now if _by_mail(one) else None,
        )
        for pk, one in wanted.items()
        if pk not in known
    ]
    # Two that tell the same at once: the later finds it told.
    Notification.objects.bulk_create(rows, ignore_conflicts=True)
    return [row.person for row in rows]


def told(person: Person) -> QuerySet[Notification]:
    """What a person was told, newest first, of projects they may still see."""
    return (
        Notification.objects.filter(person=person)
        .filter(Q(project=None) | Q(project__in=rights.visible_projects(person)))
        .select_related("project")
        .order_by("-pk")
    )


def read(person: Person, numbers: Sequence[int]) -> int:
    """Mark what was told as read; how many were not yet."""
    return Notification.objects.filter(person=person, pk__in=numbers, read_at=None).update(
        read_at=timezone.now()
    )


def forget_old() -> None:
    """Delete what was told long ago: it holds names, and what lasts is in the ledger."""
    Notification.objects.filter(told_at__lt=timezone.now() - KEPT).delete()


# --- by e-mail --------------------------------------------------------------------------------------------------------


def send_due() -> int:
    """Send what waits to be sent, as far as it is due, oldest first; how many letters the mail server took."""
    now = timezone.now()
    due = Notification.objects.filter(mail=Notification.Mail.WAITING, next_try_at__lte=now).order_by("pk")
    sent = 0
    for row in due.select_related("person", "project")[:AT_A_TIME]:
        # Compare and set: of two that see the same letter one takes it.
        mine = Notification.objects.filter(
            pk=row.pk, mail=Notification.Mail.WAITING, next_try_at=row.next_try_at
        ).update(next_try_at=now + CLAIM)
        if mine:
            sent += _send(row)
    return sent


def _send(row: Notification) -> bool:
    person, project = row.person, row.project
    if not _by_mail(person) or (project is not None and not _sees(person, project)):
        _end(row, Notification.Mail.NONE)  # left, or lost the right to know, since it was written
        return False
    try:
        with translation.override(settings.LANGUAGE_CODE):
            letter(row).send()
    except (
        Exception
    ) as error:  # of any mail server; what it says may hold addresses, so its kind alone is kept
        log.warning("notification %s could not be sent: %s", row.pk, type(error).__name__)
        _failed(row, type(error).__name__)
        return False
    _end(row, Notification.Mail.SENT)
    return True


def letter(row: Notification) -> EmailMessage:
    """The letter of a notification: plain text with the address of the page, and no more than that page says."""
    host = urlsplit(settings.ADDRESS).hostname or "localhost"
    body = "\n\n".join(
        filter(
            None,
            (
                _("Dear %(name)s,") % {"name": row.person.name},
                row.line,
                row.text,
                f"{settings.ADDRESS.rstrip('/')}{row.url}",
                _("Countersign sent this because it concerns you. Nobody reads answers to this address."),
            ),
        )
    )
    subject = f"[Countersign] {row.line}"
    return EmailMessage(
        subject=subject if len(subject) <= LINE else subject[: LINE - 1] + "…",
        body=body,
        from_email=settings.DEFAULT_FROM_EMAIL,
        to=[row.person.email],
        headers={
            "Message-ID": f"<notification-{row.pk}-{row.told_at:%Y%m%d%H%M%S%f}@{host}>",
            "Date": format_datetime(row.told_at),
            "Auto-Submitted": "auto-generated",
        },
    )


def _end(row: Notification, mail: Notification.Mail) -> None:
    sent_at = timezone.now() if mail == Notification.Mail.SENT else None
    Notification.objects.filter(pk=row.pk).update(
        mail=mail, next_try_at=None, sent_at=sent_at, tries=row.tries + 1, problem=""
    )


def _failed(row: Notification, problem: str) -> None:
    last = row.tries >= len(AGAIN)
    Notification.objects.filter(pk=row.pk).update(
        mail=Notification.Mail.GIVEN_UP if last else Notification.Mail.WAITING,
        next_try_at=None if last else timezone.now() + AGAIN[row.tries],
        tries=row.tries + 1,
        problem=problem[:200],
    )


def _by_mail(person: Person) -> bool:
    return bool(settings.MAILS and person.email and person.is_active)


def _sees(person: Person, project: Project) -> bool:
    return rights.visible_projects(person).filter(pk=project.pk).exists()


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LINE else line[: LINE - 1] + "…"
