"""Asks to let a finding pass, grants it with a signature, refuses it, takes it back.

What is signed is exactly what was shown, as with a sign-off. The case that a waiver is about is given by the caller,
who knows what ran where and who asked for the promotion. Whether a waiver counts is `governance.waivers`' to say.
"""

import hmac
import secrets
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from governance import openings, waivers
from governance.actions.signoffs import ENVELOPE_TYPE, STATEMENT_TYPE, end_of
from governance.behind import bars_behind
from governance.checks import current_document, current_evidence
from governance.facts import MET, WAIVED, Barred, Case, Clause, DocumentFact, EvidenceFact, Finding, instant
from governance.gate import judge
from governance.models import Waiver, WaiverAnswer, WaiverWithdrawal
from governance.sentences import not_independent, sentence, title, waiver_meaning, when
from governance.statement import envelope_bytes, seal, statement_bytes
from governance.testing import kind_of
from governance.waiver_statement import Waived, waiver_statement
from portal import content, ledger, reauthentication, rights, signing, telling
from portal.canonical import digest
from portal.errors import Forbidden, Invalid, Refused, Stale
from portal.event_kinds import EventKind
from portal.models import Bundle, Lane, Notification, Person, Right
from portal.names import names

WHY_LIMIT = 2_000


def longest(clause: Clause) -> timedelta:
    """For how long this may be waived at most: by the policy, and by settings.WAIVER_DAYS."""
    allowed = timedelta(days=settings.WAIVER_DAYS)
    limit = waivers.longest(clause)
    return allowed if limit is None else min(allowed, limit)


def end_of_day(clause: Clause, day: date) -> datetime:
    """The last instant of a day in the time zone of whoever is signed in; on the last day that is allowed, the last
    instant that is."""
    last = timezone.now() + longest(clause)
    return last if day == timezone.localtime(last).date() else end_of(day)


def to_waive(case: Case, requirement: str) -> tuple[Clause, Finding]:
    """The requirement and what is found of it now, for somebody who would ask to waive it.

    Raises Refused where there is no such requirement, where it is met or waived, and where nobody may waive it.
    """
    clause, finding = _found(case, requirement)
    if not waivers.may_be(clause) or longest(clause) <= timedelta():
        raise Refused(
            _("Nobody’s word is waived: whoever may sign has to.")
            if clause.kind in waivers.WORDS
            else _("The rules let nobody waive this. It has to be met."),
            code="never_waived",
        )
    if finding.state in (MET, WAIVED):
        raise Refused(_("This is met or waived already. Read the request again."), code="nothing_to_waive")
    return clause, finding


def able(case: Case, by: Person, on_behalf_of: Person | None, at: datetime) -> tuple[str, ...]:
    """Who could waive what these two ask for: nobody who is one of them, or could have asked as one of them."""
    return waivers.able(case, _asker_bars(by, on_behalf_of, at))


def ask(
    *,
    by: Person,
    bundle: Bundle,
    lane: Lane,
    case: Case,
    requirement: str,
    why: str,
    until: datetime,
    request: int,
) -> tuple[Waiver, list[Person]]:
    """Ask to let what is found of a requirement pass until an instant; the waiver, and who can grant it.

    Raises Absent/Forbidden for the right to request, Invalid naming the field, Refused as `to_waive`, where nobody can
    grant it, and Stale where it is asked already.
    """
    rights.check(by, Right.REQUEST, lane)
    clause, finding = to_waive(case, requirement)
    why = why.strip()
    if not why:
        raise Invalid(_("Say why it should go on all the same."), code="why_missing", field="why")
    if len(why) > WHY_LIMIT:
        raise Invalid(
            _("Say why in at most %(limit)s characters.") % {"limit": WHY_LIMIT}, code="why_long", field="why"
        )
    now = timezone.now()
    limit = longest(clause)
    if not now < until <= now + limit:
        raise Invalid(
            ngettext(
                "Choose an end to come, at most %(days)s day from now.",
                "Choose an end to come, at most %(days)s days from now.",
                limit.days,
            )
            % {"days": limit.days}
            if limit >= timedelta(days=1)
            else _("Choose an end to come, before %(end)s.") % {"end": when(instant(now + limit))},
            code="until_wrong",
            field="until",
        )
    lender = rights.standing_in_for(by, Right.REQUEST, lane)
    principal = Person.objects.get(pk=lender) if lender else None
    people = able(case, by, principal, now)
    if not people:
        raise Refused(
            _(
                "Nobody can waive this here now: whoever holds the right to waive asked for this or made it, or nobody"
                " holds it. Ask an administrator to give it to one more person."
            ),
            code="nobody_waives",
        )
    about = waivers.mark(finding)
    words = str(title(clause))
    with ledger.business():
        # Two who ask the same at once wait for each other here.
        Bundle.objects.select_for_update(no_key=True).get(pk=bundle.pk)
        if any(
            one.parts == bundle.parts
            for one in open_asks(now).filter(
                bundle=bundle,
                lane=lane,
                requirement=clause.key,
                clause=clause.digest,
                finding_digest=digest(about),
            )
        ):
            raise Stale(_("This is asked already, and waits for an answer."), code="asked_already")
        waiver = Waiver.objects.create(
            bundle=bundle,
            lane=lane,
            requirement=clause.key,
            clause=clause.digest,
            title=words,
            parts=bundle.parts,
            finding=about,
            finding_digest=digest(about),
            found=str(sentence(finding.code, _plain(finding), str)),
            why=why,
            why_salt=secrets.token_hex(16),
            until=until,
            asked_at=now,
            asked_by=by,
            on_behalf_of=principal,
        )
        ledger.record(
            EventKind.WAIVER_ASKED,
            by=by,
            project=lane.project.key,
            subject=waiver.subject,
            waiver=waiver.pk,
            request=request,
            bundle=bundle.bundle_id,
            stage=lane.stage.slug,
            requirement=clause.key,
            title=words,
            clause=clause.digest,
            parts=waiver.parts,
            state=finding.state,
            finding=about,
            found=waiver.found,
            until=until,
            why=why,
            name=by.name,
            on_behalf_of=principal and str(principal.pk),
            for_name=principal.name if principal else "",
            people=list(people),
        )
        return waiver, list(Person.objects.filter(pk__in=people).order_by("name"))


@dataclass(frozen=True, slots=True)
class Draft:
    """What somebody would grant: `finding` as it is now, the words, and `bound`, which the page carries back.

    `outdated` says why it cannot be granted any more, `barred` why not by this person; both empty where it can.
    """

    waiver: Waiver
    case: Case
    clause: Clause | None
    finding: Finding | None
    meaning: str
    outdated: str
    barred: str
    bound: str


def draft(*, by: Person, waiver: Waiver, case: Case) -> Draft:
    """What `by` would grant now. Raises Absent/Forbidden for the right to waive; who is barred may read it too."""
    rights.check(by, Right.WAIVE, waiver.lane)
    clause = next((one for one in case.requirements if one.key == waiver.requirement), None)
    finding = next((one for one in judge(case).findings if one.key == waiver.requirement), None)
    said = waiver_meaning(
        waiver.title,
        project=waiver.lane.project.name,
        bundle=waiver.bundle.bundle_id,
        stage=waiver.lane.stage.name,
        until=when(instant(waiver.until)),
    )
    return Draft(
        waiver=waiver,
        case=case,
        clause=clause,
        finding=finding,
        meaning=said,
        outdated=_outdated(waiver, case, clause, finding),
        barred=_why_barred(by, waiver, case),
        bound=digest(
            {
                "waiver": waiver.pk,
                "project": case.project,
                "stage": case.stage,
                "parts": waiver.parts,
                "clause": waiver.clause,
                "finding": waiver.finding,
                "until": instant(waiver.until),
                "reason": ledger.commitment(waiver.why_salt, waiver.why),
                "meaning": said,
            }
        ),
    )


def grant(
    *,
    by: Person,
    proof: reauthentication.Proof,
    waiver: Waiver,
    case: Case,
    bound: str,
    comment: str = "",
    subject: str,
    url: str,
) -> WaiverAnswer:
    """Let a finding pass, with a signature: by a second person, as independent as a signer and of who asked.

    Whoever asked is told, and to look at `url`. Raises Absent/Forbidden for the right, a wrong password or somebody
    barred (which the ledger keeps under `subject`), Stale when it was answered or taken back, or what was shown
    (`bound`) is not what would be signed now, Refused where it is about something else by now, Invalid naming the
    field.
    """
    shown = draft(by=by, waiver=waiver, case=case)
    comment = _checked(comment)
    _check_open(waiver)
    if shown.barred:
        _refuse(by, waiver, subject, shown.barred)
    if shown.outdated or shown.clause is None:
        raise Refused(shown.outdated, code="waiver_outdated")
    if not hmac.compare_digest(shown.bound.encode(), bound.encode()):
        raise Stale(
            _("What you read has changed since you opened the page. Read it again, then sign."),
            code="statement_stale",
            field="bound",
        )
    proved_by = reauthentication.prove(by, proof)
    now = timezone.now()
    salt = secrets.token_hex(16) if comment else ""
    payload = statement_bytes(
        waiver_statement(
            Waived(
                project=case.project,
                stage=case.stage,
                bundle=waiver.bundle.bundle_id,
                archive=waiver.bundle.archive,
                parts=waiver.parts,
                clause=shown.clause,
                policy=case.policy,
                finding=waiver.finding,
                asked_by=str(waiver.asked_by_id),
                asked_for=str(waiver.on_behalf_of_id) if waiver.on_behalf_of_id else None,
                asked_at=waiver.asked_at,
                reason=ledger.commitment(waiver.why_salt, waiver.why),
                until=waiver.until,
                meaning=shown.meaning,
                person=str(by.pk),
                at=now,
                zone=by.zone,
                comment=ledger.commitment(salt, comment) if comment else None,
                opened=openings.opened_by(by, waiver.bundle, pieces(case, shown.clause)),
            )
        )
    )
    envelope = envelope_bytes(seal(payload, lambda data: (signing.key_id(), signing.sign(data))))
    with ledger.business():
        _lock(waiver)
        statement = content.put(payload, STATEMENT_TYPE)
        sealed = content.put(envelope, ENVELOPE_TYPE)
        answer = _answered(
            waiver,
            granted=True,
            answered_at=now,
            answered_by=by,
            comment=comment,
            comment_salt=salt,
            meaning=shown.meaning,
            statement=statement,
            envelope=sealed,
            key_id=signing.key_id(),
        )
        _record(
            EventKind.WAIVER_GRANTED,
            waiver,
            by,
            clause=waiver.clause,
            until=waiver.until,
            asked_by=str(waiver.asked_by_id),
            meaning=shown.meaning,
            statement=statement.digest,
            envelope=sealed.digest,
            key_id=answer.key_id,
            proved_by=proved_by,
            comment=comment,
        )
        line = _("%(project)s: “%(title)s” is waived for %(bundle)s to %(stage)s")
        tell_asker(waiver, line, f"{by.name}: {comment}" if comment else by.name, url=url)
        return answer


def refuse(*, by: Person, waiver: Waiver, why: str, url: str) -> WaiverAnswer:
    """Say no to a waiver; whoever asked is told, and to look at `url`.

    Raises Absent/Forbidden for the right and for who asked, Invalid for no reason, Stale.
    """
    rights.check(by, Right.WAIVE, waiver.lane)
    why = _checked(why)
    if not why:
        raise Invalid(_("Say why it is not waived."), code="why_missing", field="why")
    if by.pk == waiver.asked_by_id:
        raise Forbidden(_("You asked for it yourself. Take it back instead."), code="own_waiver")
    with ledger.business():
        _lock(waiver)
        answer = _answered(
            waiver,
            granted=False,
            answered_by=by,
            comment=why,
            comment_salt=secrets.token_hex(16),
        )
        _record(EventKind.WAIVER_REFUSED, waiver, by, comment=why)
        line = _("%(project)s: “%(title)s” is not waived for %(bundle)s to %(stage)s")
        tell_asker(waiver, line, f"{by.name}: {why}", url=url)
        return answer


def withdraw(*, by: Person, waiver: Waiver, why: str) -> WaiverWithdrawal:
    """Take a waiver back: whoever granted it, and it stops counting at once; before it is answered, whoever asked.

    Raises Absent, Forbidden for others and tokens, Invalid naming the field, Stale where it was refused or taken back.
    """
    rights.see(by, waiver.lane.project)
    answer = getattr(waiver, "answer", None)
    whose = waiver.asked_by if answer is None else answer.answered_by
    if by.pk != whose.pk:
        raise Forbidden(
            _("Only %(name)s can take this waiver back.") % {"name": whose.name}, code="not_your_waiver"
        )
    if by.scope is not None:
        raise Forbidden(
            _("A token neither waives nor takes a waiver back. Sign in and do it there."),
            code="token_never_signs",
        )
    why = _checked(why)
    if not why:
        raise Invalid(_("Say why you take it back."), code="why_missing", field="why")
    with ledger.business():
        now = Waiver.objects.select_for_update(no_key=True, of=("self",)).get(pk=waiver.pk)
        latest = WaiverAnswer.objects.filter(waiver=now).first()
        if (latest and latest.pk) != (answer and answer.pk):
            raise Stale(_("It was answered meanwhile. Read it again."), code="answered_already")
        if latest is not None and not latest.granted:
            raise Stale(
                _("This waiver was refused, so there is nothing to take back."), code="waiver_refused"
            )
        try:
            with transaction.atomic():
                taken = WaiverWithdrawal.objects.create(waiver=waiver, withdrawn_by=by, why=why)
        except IntegrityError as error:
            raise Stale(_("This waiver was taken back already."), code="withdrawn_already") from error
        statement = latest.statement_id if latest is not None else None
        _record(EventKind.WAIVER_WITHDRAWN, waiver, by, statement=statement, why=why)
        if latest is not None:
            line = _("%(project)s: the waiver of “%(title)s” for %(bundle)s to %(stage)s was taken back")
            tell_asker(waiver, line, f"{by.name}: {why}", url=f"/waivers/{waiver.pk}/")
        return taken


def tell_asker(waiver: Waiver, line: str, text: str, *, url: str) -> None:
    """Tell whoever asked for a waiver, and for whom, what became of it; `line` takes project, title, bundle, stage."""
    values = {
        "project": waiver.lane.project.name,
        "title": waiver.title,
        "bundle": waiver.bundle.bundle_id,
        "stage": waiver.lane.stage.name,
    }
    telling.tell(
        [one for one in (waiver.asked_by, waiver.on_behalf_of) if one is not None],
        telling.News(
            kind=Notification.Kind.WAIVER,
            once=f"waiver:{waiver.pk}:{timezone.now():%Y%m%d%H%M%S%f}",
            line=line % values,
            url=url,
            text=text,
            project=waiver.lane.project,
        ),
    )


def open_asks(now: datetime) -> Any:
    """The waivers that wait for an answer."""
    return Waiver.objects.filter(answer=None, withdrawal=None, until__gt=now)


def is_open(waiver: Waiver) -> bool:
    """Whether a waiver waits for an answer."""
    return waiver.state == Waiver.State.ASKED


def pieces(case: Case, clause: Clause) -> list[str]:
    """The digests of the evidence or the document that a requirement is judged by."""
    kind = str(clause.params.get("kind", ""))
    found: EvidenceFact | DocumentFact | None = None
    if clause.kind == "document":
        found = current_document(case, kind)
    elif clause.kind == "evidence":
        found = current_evidence(case, kind)
    elif clause.kind == "tests":
        found = current_evidence(case, kind_of(clause), clause.params.get("at"))
    return [found.digest] if found is not None else []


# --- shared ---


def _found(case: Case, requirement: str) -> tuple[Clause, Finding]:
    for clause, finding in zip(case.requirements, judge(case).findings, strict=True):
        if clause.key == requirement:
            return clause, finding
    raise Refused(
        _("The policy in force does not ask for this any more. Reload the page."), code="requirement_unknown"
    )


def _plain(finding: Finding) -> dict[str, Any]:
    """What was found, without what is said of an earlier waiver."""
    return {name: value for name, value in finding.params.items() if name != "waiver"}


def _asker_bars(by: Person, on_behalf_of: Person | None, at: datetime) -> tuple[Barred, ...]:
    behind = frozenset().union(*bars_behind([(by, at), (on_behalf_of, at)]))
    return waivers.asker_bars(
        str(by.pk), str(on_behalf_of.pk) if on_behalf_of else "", sorted(behind, key=str)
    )


def _why_barred(by: Person, waiver: Waiver, case: Case) -> str:
    """The sentence for somebody who may not grant this, or an empty text."""
    asked = _asker_bars(waiver.asked_by, waiver.on_behalf_of, waiver.asked_at)
    bars = waivers.bars_of(case, str(by.pk), asked)
    if not bars:
        return ""
    found, whom = bars
    return not_independent(found.why, found.until, names()(whom) if whom else "")


def _outdated(waiver: Waiver, case: Case, clause: Clause | None, finding: Finding | None) -> str:
    """Why a waiver cannot be granted any more, whoever would; empty where it can."""
    if clause is None or finding is None or clause.digest != waiver.clause:
        return _("The policy asks something else here by now. Whoever wants it waived has to ask anew.")
    if not waivers.may_be(clause):
        return _("The rules let nobody waive this. It has to be met.")
    if finding.state in (MET, WAIVED):
        return _("This is met or waived by now, so there is nothing to waive.")
    if waiver.parts != dict(case.parts):
        return _("It was asked for other parts. Whoever wants it waived has to ask anew.")
    if not waivers.same(waiver.finding, waivers.mark(finding)):
        return _(
            "What was found when it was asked for is not what is found now. Whoever wants it waived has to ask anew."
        )
    if waiver.until > timezone.now() + longest(clause):
        return _(
            "It is asked for longer than the rules allow by now. Whoever wants it waived has to ask anew."
        )
    return ""


def _checked(text: str) -> str:
    if len(text.strip()) > WHY_LIMIT:
        raise Invalid(
            _("Say it in at most %(limit)s characters.") % {"limit": WHY_LIMIT}, code="why_long", field="why"
        )
    return text.strip()


def _check_open(waiver: Waiver) -> None:
    if WaiverWithdrawal.objects.filter(waiver=waiver).exists():
        raise Stale(_("Whoever asked for this waiver took it back."), code="withdrawn_already")
    if WaiverAnswer.objects.filter(waiver=waiver).exists():
        raise Stale(_("This waiver was answered already."), code="answered_already")
    if waiver.until <= timezone.now():
        raise Stale(
            _("The time it was asked for is over. Whoever wants it waived has to ask anew."),
            code="waiver_over",
        )


def _lock(waiver: Waiver) -> None:
    """Whoever answers a waiver, or takes it back, does so alone."""
    Waiver.objects.select_for_update(no_key=True).get(pk=waiver.pk)
    _check_open(waiver)


def _answered(waiver: Waiver, **said: Any) -> WaiverAnswer:
    try:
        with transaction.atomic():
            return WaiverAnswer.objects.create(waiver=waiver, asker=waiver.asked_by, **said)
    except IntegrityError as error:
        raise Stale(_("This waiver was answered already."), code="answered_already") from error


def _record(kind: EventKind, waiver: Waiver, by: Person, **more: Any) -> None:
    ledger.record(
        kind,
        by=by,
        project=waiver.lane.project.key,
        subject=waiver.subject,
        waiver=waiver.pk,
        bundle=waiver.bundle.bundle_id,
        stage=waiver.lane.stage.slug,
        requirement=waiver.requirement,
        title=waiver.title,
        name=by.name,
        **more,
    )


def _refuse(by: Person, waiver: Waiver, subject: str, sentence_: str) -> None:
    with ledger.business():
        ledger.record(
            EventKind.ACCESS_REFUSED,
            by=by,
            project=waiver.lane.project.key,
            subject=subject,
            action="waive",
            code="barred",
            reason=sentence_,
        )
    raise Forbidden(sentence_, code="barred")
