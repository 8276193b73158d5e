"""Keeps what another system says of a bundle, once for each delivery, as evidence about all of its parts."""

import hashlib
import logging
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, JSONField, Value
from django.utils import timezone
from django.utils.translation import gettext as _

from governance.actions.evidence import keep
from governance.external_checks import SHORTEST_KEY, is_signed, is_timely, well_formed
from governance.models import Evidence, ExternalDelivery
from governance.newest import Within
from governance.queries import rules_of_tier
from portal import ledger
from portal.dss.keys import KeyUnusable, read_key
from portal.errors import Absent, Refused, Stale
from portal.models import Bundle, Person, Project

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Said:
    """What a message says: of which bundle with which parts, whether it passed, and where to read more."""

    delivery: str
    project: str
    bundle_id: str
    parts: dict[str, str]
    state: str
    link: str
    summary: str


class NotSigned(Refused):
    """Nothing tells a stranger whether there is such a check, or how near they came."""

    status = 401
    title = "Not signed"


def check_signed(*, name: str, timestamp: str, body: bytes, given: str) -> datetime:
    """When the message was signed, by the key of the check. Raises NotSigned; for a message of old it says so."""
    formed = well_formed(timestamp, given)
    key = _key(name)
    # Also without a key, so that a name nobody has takes as long as one that somebody has.
    signed = is_signed(key or secrets.token_hex(), timestamp if formed else "0", body, given)
    if not (key and formed and signed):
        log.warning("A message for an external check was not signed with its key.")
        raise NotSigned(
            _("This message is not signed with the key of a check. See docs/external-checks.md."),
            code="not_signed",
        )
    if not is_timely(timestamp, timezone.now()):
        raise NotSigned(
            _("This message was signed too long ago, or its clock is wrong. Sign and send it anew."),
            code="signed_long_ago",
        )
    return datetime.fromtimestamp(int(timestamp), UTC)


def receive(
    *, by: Person, name: str, said: Said, sent_at: datetime, body: bytes
) -> tuple[ExternalDelivery, bool]:
    """Keep what a signed message says; the same delivery again gives what was kept, and False.

    Raises Absent for a bundle that is not there, Refused where no policy of the project asks for this check, Stale
    for other parts, for another message in the same delivery, and for one older than what is known.
    """
    bundle = (
        Bundle.objects.select_related("project")
        .filter(project__key=said.project, bundle_id=said.bundle_id, status=Bundle.Status.REGISTERED)
        .first()
    )
    if bundle is None:
        raise Absent(
            _("There is no registered bundle %(bundle)s of a project %(project)s.")
            % {"bundle": said.bundle_id, "project": said.project},
            code="bundle_unknown",
        )
    read = hashlib.sha256(body).hexdigest()
    before = _delivered(name, said.delivery, read)
    if before is not None:
        return before, False
    _check_asked(name, bundle)
    _check_parts(bundle, said.parts)
    with ledger.business():
        # Two messages at once wait for each other here, also of two bundles with equal parts: each is about both.
        Project.objects.select_for_update(no_key=True).get(pk=bundle.project_id)
        before = _delivered(name, said.delivery, read)
        if before is not None:
            return before, False
        parts = Value(dict(bundle.parts), JSONField())
        about = ExternalDelivery.objects.filter(
            Within(F("evidence__parts"), parts),
            Within(parts, F("evidence__parts")),
            name=name,
            evidence__project=bundle.project_id,
        )
        newest = about.order_by("-sent_at").first()
        if newest is not None and newest.sent_at > sent_at:
            raise Stale(_("A newer result of this check is known already."), code="result_older")
        evidence = keep(
            by=by,
            bundle=bundle,
            stage="",
            kind=Evidence.Kind.EXTERNAL_CHECK,
            name=name,
            parts=dict(bundle.parts),
            result={"v": 1, "name": name, "state": said.state, "link": said.link, "summary": said.summary},
            source={"check": name, "delivery": said.delivery, "sent_at": ledger.instant(sent_at)},
        )
        try:
            with transaction.atomic():
                made = ExternalDelivery.objects.create(
                    name=name, delivery=said.delivery, body=read, sent_at=sent_at, evidence=evidence
                )
        except IntegrityError as error:  # the same delivery for another bundle, at this very moment
            raise _another() from error
    return made, True


def _delivered(name: str, delivery: str, body: str) -> ExternalDelivery | None:
    found = ExternalDelivery.objects.select_related("evidence").filter(name=name, delivery=delivery).first()
    if found is not None and found.body != body:
        raise _another()
    return found


def _another() -> Stale:
    return Stale(
        _("This delivery was used for another message. Give each result a delivery of its own."),
        code="delivery_used",
    )


def _check_asked(name: str, bundle: Bundle) -> None:
    asked = {
        clause.params["name"]
        for rules in rules_of_tier(bundle.project).values()
        for clause in rules.requirements
        if clause.kind == "external_check"
    }
    if name not in asked:
        raise Refused(
            _("The policy of %(project)s does not ask for the check %(name)s, so nothing is kept of it.")
            % {"project": bundle.project.key, "name": name},
            code="check_not_asked",
        )


def _check_parts(bundle: Bundle, parts: dict[str, str]) -> None:
    differ = sorted(
        part for part in {*parts, *bundle.parts} if parts.get(part, "") != bundle.parts.get(part, "")
    )
    if differ:
        raise Stale(
            _("What was checked is not bundle %(bundle)s as it is here: %(parts)s differ. Check it again.")
            % {"bundle": bundle.bundle_id, "parts": ", ".join(differ)},
            code="parts_differ",
            parts=differ,
        )


def _key(name: str) -> str:
    """The key of a check; an empty text where there is none, or none that can be used."""
    try:
        found = read_key(
            name, directory=settings.CHECK_KEY_DIR or None, prefix=settings.CHECK_KEY_PREFIX
        ).reveal()
    except KeyUnusable as error:
        if error.code == "bad_key":
            log.error("The key of an external check cannot be used: %s", error.sentence)
        return ""
    if len(found) < SHORTEST_KEY:
        log.error("The key of the external check %s is shorter than %s characters.", name, SHORTEST_KEY)
        return ""
    return found
