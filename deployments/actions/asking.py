"""Asks people to sign, reminds them, tells who manages the project, and tells of signatures that count no more.

When that is due by itself is deployments/asking.py's to say.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from deployments.actions import waiver_asking
from deployments.judging import judge_now
from deployments.models import Ask, DeploymentRequest, Promotion
from deployments.words import day
from governance import waivers
from governance.checks import Why
from governance.facts import MET, WAIVED, Finding
from governance.models import SignOff, Waiver
from governance.sentences import does_not_count, sentence, waiver_does_not_count
from portal import ledger, rights, telling
from portal.errors import Invalid, Refused
from portal.event_kinds import EventKind
from portal.holders import holders
from portal.models import Notification, Person, Right
from portal.names import names

# Between two reminders, and between two escalations, of the same signature, by hand.
REMIND_EVERY = timedelta(hours=1)
ESCALATE_EVERY = timedelta(days=1)
WHY_LIMIT = 2_000
# Why a signature counts no more of which the gate does not speak.
SUPERSEDED, NOT_ASKED = "superseded", "not_asked"


def ask(
    *,
    by: Person,
    request: DeploymentRequest,
    finding: Finding,
    asks: Sequence[Ask],
    now: datetime,
) -> None:
    """Tell people that they are asked to sign what is missing."""
    people = [one.person for one in asks]
    with ledger.business():
        for one in asks:
            one.told_at = now
        Ask.objects.bulk_update(asks, ["told_at"])
        _record(EventKind.SIGNOFF_ASKED, request, finding, people, by=by)
        telling.tell(people, _asked(request, finding))


def remind_now(
    *, by: Person, request: DeploymentRequest, finding: Finding, asks: Collection[Ask], now: datetime
) -> None:
    """Remind those who were asked, once more each."""
    for ask in asks:
        ask.reminders, ask.reminded_at = ask.reminders + 1, now
    Ask.objects.bulk_update(asks, ["reminders", "reminded_at"])
    people = [ask.person for ask in asks]
    _record(EventKind.SIGNOFF_REMINDED, request, finding, people, by=by)
    for ask in asks:
        telling.tell(
            [ask.person],
            telling.News(
                kind=Notification.Kind.REMINDED,
                once=f"remind:{ask.pk}:{ask.reminders}",
                line=_("%(project)s: %(role)s of %(bundle)s to %(stage)s still waits for a signature")
                % _words(request, finding.params["role"]),
                url=_sign_address(request, finding.key),
                text=_("You were asked on %(day)s.") % {"day": day(ask.begun_at)},
                project=request.lane.project,
            ),
        )


def escalate_now(
    *,
    by: Person,
    request: DeploymentRequest,
    finding: Finding,
    asks: Collection[Ask],
    now: datetime,
    why: str = "",
) -> list[Person]:
    """Tell who manages the project, and who asked, that a signature is not there; whom it was told."""
    Ask.objects.filter(pk__in=[ask.pk for ask in asks]).update(escalated_at=now)
    people = {one.pk: one for one in (*holders(request.lane, Right.MANAGE.value), request.requested_by)}
    asked = ", ".join(sorted(ask.person.name for ask in asks))
    since = min((ask.begun_at for ask in asks), default=request.requested_at)
    told = telling.tell(
        people.values(),
        telling.News(
            kind=Notification.Kind.ESCALATED,
            once=f"escalate:{request.pk}:{finding.key}:{now:%Y%m%d%H%M}",
            line=_("%(project)s: nobody signed %(role)s of %(bundle)s to %(stage)s")
            % _words(request, finding.params["role"]),
            url=request.address,
            text=" ".join(
                filter(
                    None,
                    (
                        _("Asked since %(day)s: %(names)s.") % {"day": day(since), "names": asked}
                        if asked
                        else "",
                        str(sentence(finding.code, finding.params, names())),
                        why,
                    ),
                )
            ),
            project=request.lane.project,
        ),
    )
    _record(EventKind.SIGNOFF_ESCALATED, request, finding, told, by=by, why=why)
    return told


def lapse(
    *,
    by: Person,
    request: DeploymentRequest,
    signoff: SignOff,
    why: str,
    word: Mapping[str, object] | None,
) -> None:
    """Record that a signature counts no more, and tell whom it concerns: who asked, who started, who signed.

    `why` is in code, `word` what the gate says of it; None where it does not speak of it any more.
    """
    said = (
        does_not_count(word, names())
        if word is not None
        else _("%(name)s signed anew.") % {"name": signoff.person.name}
        if why == SUPERSEDED
        else _("The rules do not ask for this signature any more.")
    )
    ledger.record(
        EventKind.SIGNOFF_LAPSED,
        by=by,
        project=request.lane.project.key,
        subject=request.subject,
        request=request.pk,
        signoff=signoff.pk,
        requirement=signoff.requirement,
        role=signoff.role,
        bundle=request.bundle.bundle_id,
        stage=request.lane.stage.slug,
        person=str(signoff.person_id),
        reason=why,
        sentence=said,
    )
    if why == SUPERSEDED:
        return  # its signer did it, and what they say now is on the page
    told = [request.requested_by, *_starters(request)]
    if why != Why.WITHDRAWN:  # which they did themselves
        told += [one for one in (signoff.person, signoff.on_behalf_of) if one is not None]
    telling.tell(
        told,
        telling.News(
            kind=Notification.Kind.LAPSED,
            once=f"lapse:{request.pk}:{signoff.pk}:{timezone.now():%Y%m%d%H%M%S%f}",
            line=_("%(project)s: a %(role)s signature on %(bundle)s to %(stage)s counts no more")
            % _words(request, signoff.role),
            url=request.address,
            text=said,
            project=request.lane.project,
        ),
    )


def waiver_lapse(*, by: Person, request: DeploymentRequest, waiver: Waiver, entry: Mapping[str, Any]) -> None:
    """Record that a waiver counts no more, and tell who asked for the request, who started it, and who waived.

    `entry` says why, as the `waiver` in the parameters of a finding.
    """
    said = waiver_does_not_count(entry, names())
    ledger.record(
        EventKind.WAIVER_LAPSED,
        by=by,
        project=request.lane.project.key,
        subject=request.subject,
        request=request.pk,
        waiver=waiver.pk,
        bundle=request.bundle.bundle_id,
        stage=request.lane.stage.slug,
        requirement=waiver.requirement,
        title=waiver.title,
        reason=entry["why"],
        sentence=said,
    )
    told = [request.requested_by, waiver.asked_by, *_starters(request)]
    if entry["why"] != waivers.Why.WITHDRAWN:  # which they did themselves
        told.append(waiver.answer.answered_by)
    telling.tell(
        told,
        telling.News(
            kind=Notification.Kind.LAPSED,
            once=f"waiver-lapse:{request.pk}:{waiver.pk}:{timezone.now():%Y%m%d%H%M%S%f}",
            line=_("%(project)s: a waiver for %(bundle)s to %(stage)s counts no more") % _words(request, ""),
            url=request.address,
            text=f"{waiver.title}. {said}",
            project=request.lane.project,
        ),
    )


def remind(*, by: Person, request: DeploymentRequest, requirement: str) -> list[Person]:
    """Remind whoever is asked to sign this, or whether to waive it; who was.

    Raises Absent/Forbidden for the right to request, Refused where nobody is asked or they were reminded within the
    hour.
    """
    rights.check(by, Right.REQUEST, request.lane)
    with ledger.business():
        finding, asks = _waiting(request, requirement)
        now = timezone.now()
        last = max(ask.reminded_at or ask.begun_at for ask in asks)
        if last + REMIND_EVERY > now:
            raise Refused(
                _("They were told less than an hour ago. Ask in the conversation, or remind them later."),
                code="reminded_lately",
            )
        if finding.kind == "sign_off":
            remind_now(by=by, request=request, finding=finding, asks=asks, now=now)
        for waiver, some in _by_waiver(asks):
            waiver_asking.remind(by=by, request=request, waiver=waiver, asks=some, now=now)
        return list(dict.fromkeys(ask.person for ask in asks))


def escalate(*, by: Person, request: DeploymentRequest, requirement: str, why: str) -> list[Person]:
    """Tell who manages the project that this is not signed, or not answered; whom.

    Raises as `remind`, and Invalid for no reason.
    """
    rights.check(by, Right.REQUEST, request.lane)
    if not why.strip():
        raise Invalid(_("Say why it cannot wait."), code="why_missing", field="why")
    if len(why.strip()) > WHY_LIMIT:
        raise Invalid(
            _("Say why in at most %(limit)s characters.") % {"limit": WHY_LIMIT}, code="why_long", field="why"
        )
    with ledger.business():
        finding, asks = _waiting(request, requirement, nobody=True)
        now = timezone.now()
        told = [ask.escalated_at for ask in asks if ask.escalated_at]
        if told and max(told) + ESCALATE_EVERY > now:
            raise Refused(
                _("Whoever manages the project was told today already. Ask in the conversation."),
                code="escalated_lately",
            )
        if finding.kind == "sign_off":
            return escalate_now(by=by, request=request, finding=finding, asks=asks, now=now, why=why.strip())
        found = [
            one
            for waiver, some in _by_waiver(asks)
            for one in waiver_asking.escalate(
                by=by, request=request, waiver=waiver, asks=some, now=now, why=why.strip()
            )
        ]
        return list(dict.fromkeys(found))


def _waiting(
    request: DeploymentRequest, requirement: str, *, nobody: bool = False
) -> tuple[Finding, list[Ask]]:
    """The signature that is missing, or what is to be waived, and who is asked for it; with `nobody` a signature also
    where nobody is."""
    DeploymentRequest.objects.select_for_update(no_key=True).get(pk=request.pk)
    verdict = judge_now(request).verdict
    finding = next((one for one in verdict.findings if one.key == requirement), None)
    asks = standing(request).get(requirement, [])
    if (
        finding is None
        or finding.state in (MET, WAIVED)
        or (finding.kind != "sign_off" and not asks)
        or request.status != DeploymentRequest.Status.OPEN
    ):
        raise Refused(
            _("No signature is missing here now, and no waiver waits. Read the request again."),
            code="nothing_missing",
        )
    if not asks and not nobody:
        raise Refused(
            _("Nobody is asked to sign this now: read in the request what it waits for."), code="nobody_asked"
        )
    return finding, asks


def standing(request: DeploymentRequest) -> dict[str, list[Ask]]:
    """Who is asked and knows of it, by requirement."""
    found: dict[str, list[Ask]] = {}
    for ask in (
        Ask.objects.filter(request=request, ended_at=None, told_at__isnull=False)
        .select_related("person", "waiver__asked_by")
        .order_by("pk")
    ):
        found.setdefault(ask.requirement, []).append(ask)
    return found


def _by_waiver(asks: Iterable[Ask]) -> list[tuple[Waiver, list[Ask]]]:
    found: dict[int, tuple[Waiver, list[Ask]]] = {}
    for ask in asks:
        if ask.waiver is not None:
            found.setdefault(ask.waiver.pk, (ask.waiver, []))[1].append(ask)
    return list(found.values())


# --- words ---


def _asked(request: DeploymentRequest, finding: Finding) -> telling.News:
    """The news that somebody is asked; of the same signature for the same parts once more it is news again."""
    again = finding.params.get("not_counted") or finding.params.get("given") or ()
    once = f"ask:{request.pk}:{finding.key}:{','.join(sorted(word['signoff'] for word in again))}"
    return telling.News(
        kind=Notification.Kind.ASKED,
        once=once[:200],
        line=_("%(project)s: sign %(role)s for %(bundle)s to %(stage)s")
        % _words(request, finding.params["role"]),
        url=_sign_address(request, finding.key),
        text=" ".join(
            (
                _("%(name)s asks for it: %(why)s")
                % {"name": request.requested_by.name, "why": request.why[:500]},
                str(sentence(finding.code, finding.params, names())),
            )
        ),
        project=request.lane.project,
    )


def _starters(request: DeploymentRequest) -> Iterable[Person]:
    """Who started the promotion that is on its way."""
    running = Promotion.objects.filter(request=request, status=Promotion.Status.RUNNING).select_related(
        "started_by"
    )
    return [one.started_by for one in running]


def _record(
    kind: EventKind,
    request: DeploymentRequest,
    finding: Finding,
    people: Sequence[Person],
    by: Person,
    **more: str,
) -> None:
    ledger.record(
        kind,
        by=by,
        project=request.lane.project.key,
        subject=request.subject,
        request=request.pk,
        requirement=finding.key,
        role=finding.params["role"],
        bundle=request.bundle.bundle_id,
        stage=request.lane.stage.slug,
        people=sorted(str(one.pk) for one in people),
        count=len(people),
        **more,
    )


def _words(request: DeploymentRequest, role: str) -> dict[str, str]:
    return {
        "project": request.lane.project.name,
        "role": role.replace("-", " "),
        "bundle": request.bundle.bundle_id,
        "stage": request.lane.stage.name,
    }


def _sign_address(request: DeploymentRequest, requirement: str) -> str:
    return f"{request.address}sign/{requirement}/"
