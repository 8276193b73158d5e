"""Says something in the conversation of a request, and tells those it is pointed at."""

import re
from dataclasses import dataclass

from django.db.models import Q
from django.utils.translation import gettext as _

from deployments.models import Comment, DeploymentRequest
from portal import ledger, rights, telling
from portal.errors import Invalid
from portal.event_kinds import EventKind
from portal.models import Notification, Person
from portal.models.person import spelled

LIMIT = 5_000
MOST_MENTIONED = 20
# `@fay`, but not the `@example.com` of an address.
_MENTION = re.compile(r"(?<![\w@.+-])@([\w](?:[\w.+@-]*[\w])?)")


@dataclass(frozen=True, slots=True)
class Said:
    """What was said, and the names in it of whom nobody who may see the project is called so: nobody was told."""

    comment: Comment
    unknown: tuple[str, ...]


def mentions(text: str) -> tuple[str, ...]:
    """The logins mentioned in a text, each once, in the order of the text."""
    return tuple(dict.fromkeys(spelled(name) for name in _MENTION.findall(text)))


def say(*, by: Person, request: DeploymentRequest, text: str) -> Said:
    """Say something to everybody who may see the request; over or not.

    Whoever is mentioned (`@login`), who asked, and who spoke before is told. Raises Absent, or Invalid naming it.
    """
    project = request.lane.project
    rights.see(by, project)
    text = text.strip()
    if not text:
        raise Invalid(_("Write something first."), code="text_missing", field="text")
    if len(text) > LIMIT:
        raise Invalid(
            _("Say it in at most %(limit)s characters; documents hold longer texts.") % {"limit": LIMIT},
            code="text_long",
            field="text",
        )
    logins = mentions(text)
    if len(logins) > MOST_MENTIONED:
        raise Invalid(
            _("Mention at most %(most)s people at once.") % {"most": MOST_MENTIONED},
            code="too_many_mentions",
            field="text",
        )
    called = Person.objects.filter(login__in=logins, is_active=True, kind=Person.Kind.PERSON)
    pointed_at = [one for one in called if rights.visible_projects(one).filter(pk=project.pk).exists()]
    known = {one.login for one in pointed_at}
    with ledger.business():
        comment = Comment.objects.create(request=request, text=text, written_by=by)
        comment.mentioned.set(pointed_at)
        ledger.record(
            EventKind.REQUEST_COMMENTED,
            by=by,
            project=project.key,
            subject=request.subject,
            request=request.pk,
            comment=comment.pk,
            text=text,
            name=by.name,
            mentioned=sorted(str(one.pk) for one in pointed_at),
        )
        _tell(by, request, comment, pointed_at)
    return Said(comment, tuple(login for login in logins if login not in known))


def _tell(by: Person, request: DeploymentRequest, comment: Comment, pointed_at: list[Person]) -> None:
    project = request.lane.project
    values = {
        "name": by.name,
        "project": project.name,
        "bundle": request.bundle.bundle_id,
        "stage": request.lane.stage.name,
    }
    what = telling.News(
        kind=Notification.Kind.MENTIONED,
        once=f"comment:{comment.pk}",
        line=_("%(project)s: %(name)s mentioned you about %(bundle)s to %(stage)s") % values,
        url=f"{request.address}#conversation",
        text=comment.text,
        project=project,
    )
    others = Person.objects.filter(
        Q(pk=request.requested_by_id)
        | Q(pk__in=Comment.objects.filter(request=request).order_by().values("written_by"))
    ).exclude(pk__in=[by.pk, *(one.pk for one in pointed_at)])
    telling.tell([one for one in pointed_at if one.pk != by.pk], what)
    telling.tell(
        others,
        telling.News(
            kind=Notification.Kind.SAID,
            once=what.once,
            line=_("%(project)s: %(name)s said something about %(bundle)s to %(stage)s") % values,
            url=what.url,
            text=what.text,
            project=project,
        ),
    )
