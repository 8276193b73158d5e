"""Signs requirements and withdraws signatures.

What is signed is exactly what was shown: the page carries the digest of what it bound, and signing anything else is
refused as stale. Who signs shows once more who they are; tokens never sign.
"""

import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from governance import openings
from governance.checks import CHECKS, bar_behind, current_document, current_evidence
from governance.gate import Barred, Case, Clause
from governance.models import Condition, Fulfilment, SignOff, Withdrawal
from governance.queries import Rules, WhatRuns, case_for, rules_for
from governance.sentences import cannot_approve, cooling_off, cooling_off_of, meaning
from governance.statement import (
    Shown,
    Word,
    covered,
    envelope_bytes,
    seal,
    sign_off_statement,
    statement_bytes,
)
from governance.testing import kind_of
from governance.waivers import not_there
from portal import content, ledger, reauthentication, rights, signing
from portal.canonical import digest
from portal.errors import Forbidden, Invalid, Refused, Stale
from portal.event_kinds import EventKind
from portal.let_in import let_in
from portal.models import Bundle, Lane, Person, Right

STATEMENT_TYPE = "application/vnd.in-toto+json"
ENVELOPE_TYPE = "application/vnd.dsse.envelope.v1+json"


MOST_CONDITIONS = 10
CONDITION_LIMIT = 1_000
LONGEST_CONDITION = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Wish:
    """A condition as it is stated: what has to be done, and until when."""

    text: str
    due: datetime


def end_of(day: date) -> datetime:
    """The last instant of a day, in the time zone of whoever is signed in."""
    return timezone.make_aware(datetime.combine(day, time.max))


@dataclass(frozen=True, slots=True)
class Draft:
    """What somebody is about to sign: the bound fields, and `bound`, their digest, which the page carries back.

    `incomplete` says what is not there to read yet, so that nobody can approve; it is empty when all is there.
    """

    case: Case
    clause: Clause
    rules: Rules
    role: str
    covered: dict[str, str]
    evidence: tuple[Shown, ...]
    documents: tuple[Shown, ...]
    incomplete: str
    bound: str
    on_behalf_of: Person | None = None

    @property
    def cooling_off(self) -> tuple[Barred, ...]:
        """Who changed lately what this depends on, each until when they do not sign."""
        return tuple(one for one in self.case.barred if one.until > self.case.at)


def draft(
    *, by: Person, bundle: Bundle, lane: Lane, requirement: str, what_runs: WhatRuns | None = None
) -> Draft:
    """What `by` would sign of this requirement now; `what_runs` answers what runs in the lane.

    Raises Absent/Forbidden for the role, Refused for no such thing. Who is barred may read it all the
    same; `sign` refuses them.
    """
    rights.see(by, lane.project)
    rules = rules_for(lane)
    clause = rules.clause(requirement)
    if clause.kind != "sign_off":
        raise Refused(_("This requirement is not met by signing."), code="not_a_sign_off")
    role = str(clause.params["role"])
    rights.check(by, Right.SIGN, lane, role=role)
    if not bundle.is_registered or bundle.project_id != lane.project_id:
        raise Refused(_("This bundle is not registered."), code="bundle_not_registered")
    case = case_for(bundle=bundle, lane=lane, requested_by=None, running=(), rules=rules, what_runs=what_runs)
    scope = covered(bundle.parts, clause)
    evidence, documents = _shown(case)
    principal = rights.standing_in_for(by, Right.SIGN, lane, role=role)
    return Draft(
        on_behalf_of=Person.objects.get(pk=principal) if principal else None,
        case=case,
        clause=clause,
        rules=rules,
        role=role,
        covered=scope,
        evidence=evidence,
        documents=documents,
        incomplete=cannot_approve(not_there(case)),
        bound=digest(
            {
                "project": case.project,
                "stage": case.stage,
                "covered": scope,
                "clause": clause.digest,
                # With what the gate found of each: the statement says so, and time or a policy may change it.
                "evidence": [[piece.kind, piece.digest, piece.finding] for piece in evidence],
                "documents": [[piece.kind, piece.digest, piece.finding] for piece in documents],
                **({"on_behalf_of": str(principal)} if principal else {}),
            }
        ),
    )


def why_barred(person: Person, barred: Sequence[Barred], shown: Draft) -> str:
    """The sentence for somebody who may not sign what they were shown, or an empty text.

    `barred` are the people whom the caller knows to be so for good. Whoever is barred is so also where somebody else
    signs for them.
    """
    why = next((one.why for one in barred if one.person == str(person.pk)), "")
    principal = shown.on_behalf_of
    if not why and principal is not None and any(one.person == str(principal.pk) for one in barred):
        return _(
            "You would sign for %(name)s, who asked for this or made it, or a token of the service account that"
            " did, or who lately let them in, so the signature would not be independent. Somebody else with the role"
            " has to sign."
        ) % {"name": principal.name}
    if not why and principal is not None and (giver := _let_in(person, barred, shown)):
        return _(
            "You would sign for %(principal)s, and one of you lately got a new way to sign in from %(name)s, who asked"
            " for this or made it, so the signature would not be independent. Somebody else with the role has to sign."
        ) % {"principal": principal.name, "name": giver}
    if not why and (giver := _let_in(person, barred, shown)):
        return _(
            "You lately got a new way to sign in from %(name)s, who asked for this or made it, so your signature would"
            " not be independent of theirs. Somebody else with the role has to sign."
        ) % {"name": giver}
    if not why:
        return _cooling_off(person, shown)
    let_in = _(
        "You lately gave whoever asked for this promotion or made this bundle a new way to sign in, so your"
        " signature would not be independent. Somebody else with the role has to sign."
    )
    sentences = {
        "requester": _(
            "You asked for this promotion, so your signature would not be independent. "
            "Somebody else with the role has to sign."
        ),
        "token_maker": _(
            "You made a token of the service account that asked for this promotion or made this bundle, so your"
            " signature would not be independent. Somebody else with the role has to sign."
        ),
        "let_in": let_in,
        "let_back_in": let_in,
        "bundle_author": _(
            "You made this bundle, so your signature would not be independent. Somebody else with the role has to sign."
        ),
        "evidence_author": _(
            "You brought evidence for this bundle, so somebody else with the role has to sign."
        ),
    }
    return sentences.get(why, "")


def _let_in(person: Person, barred: Sequence[Barred], shown: Draft) -> str:
    """The name of somebody barred who lately let the person in; empty where there is none."""
    case = replace(shown.case, barred=(*shown.case.barred, *barred))
    bars = [
        bar_behind(case, holder)
        for holder in case.holders
        if holder.person == str(person.pk) and holder.role == shown.role
    ]
    found = [one.person for one in bars if one is not None]
    return Person.objects.get(pk=found[0]).name if found else ""


def _cooling_off(person: Person, shown: Draft) -> str:
    """The same of who changed lately what this depends on; of two changes what keeps them from signing longest."""
    last = {one.person: one for one in sorted(shown.cooling_off, key=lambda one: one.until)}
    own = last.get(str(person.pk))
    if own is not None:
        return cooling_off(own.why, own.until)
    principal = shown.on_behalf_of
    other = last.get(str(principal.pk)) if principal is not None else None
    return cooling_off_of(principal.name, other.why, other.until) if principal and other else ""


def sign(
    *,
    by: Person,
    proof: reauthentication.Proof,
    bundle: Bundle,
    lane: Lane,
    requirement: str,
    decision: str,
    bound: str,
    comment: str = "",
    conditions: Sequence[Wish] = (),
    barred: Sequence[Barred] = (),
    subject: str = "",
    what_runs: WhatRuns | None = None,
) -> SignOff:
    """Sign one requirement of this bundle in this lane.

    Raises Absent/Forbidden for the role, a wrong password or somebody barred (which the ledger keeps), Stale when
    what was shown (`bound`) is not what would be signed now or was signed like this already, Invalid naming the field,
    Refused for an approval while evidence or documents that the policy asks for are not there to be read.
    """
    shown = draft(by=by, bundle=bundle, lane=lane, requirement=requirement, what_runs=what_runs)
    if decision not in SignOff.Decision.values:
        raise Invalid(
            _("Choose to approve, to ask for changes or to reject."), code="decision", field="decision"
        )
    if decision in _NO and not comment.strip():
        raise Invalid(_("Say what has to change."), code="comment_missing", field="comment")
    now = timezone.now()
    wishes = _checked(decision, conditions, now)
    sentence = why_barred(by, barred, shown)
    if sentence:
        _refuse(by, lane, subject or bundle.subject, "barred", sentence)
    if decision not in _NO:
        seat = shown.on_behalf_of or by
        words = SignOff.objects.filter(lane=lane, role=shown.role, withdrawal=None)
        own = words.filter(on_behalf_of=seat) | words.filter(person=seat, on_behalf_of=None)
        newest = own.select_related("lane__project").order_by("-signed_at", "-pk")
        last = next((one for one in newest if one.covered == shown.covered), None)
        if last is not None and last.decision in _NO:
            _check_own_no(by, last, seat)
    if not hmac.compare_digest(shown.bound.encode(), bound.encode()):
        raise Stale(
            _("What you read has changed since you opened the page. Read it again, then sign."),
            code="statement_stale",
            field="bound",
        )
    # Before who signs is proved: nothing typed after it would be kept.
    if decision not in _NO and shown.incomplete:
        raise Refused(shown.incomplete, code="page_incomplete", field="decision")
    proved_by = reauthentication.prove(by, proof)
    now = timezone.now()
    stated = [(secrets.token_hex(16), wish) for wish in wishes]
    comment = comment.strip()
    said = meaning(
        decision,
        shown.role,
        project=lane.project.name,
        bundle=bundle.bundle_id,
        stage=lane.stage.name,
        covers=tuple(shown.covered),
    )
    salt = secrets.token_hex(16)
    word = Word(
        project=lane.project.key,
        stage=lane.stage.slug,
        bundle=bundle.bundle_id,
        archive=bundle.archive,
        parts=bundle.parts,
        clause=shown.clause,
        policy=shown.rules.ref,
        evidence=shown.evidence,
        documents=shown.documents,
        role=shown.role,
        decision=decision,
        meaning=said,
        person=str(by.pk),
        on_behalf_of=str(shown.on_behalf_of.pk) if shown.on_behalf_of else None,
        at=now,
        zone=by.zone,
        comment=ledger.commitment(salt, comment) if comment else None,
        opened=openings.opened_by(by, bundle, [one.digest for one in (*shown.evidence, *shown.documents)]),
        conditions=tuple((ledger.commitment(salt, wish.text), wish.due) for salt, wish in stated),
    )
    return _keep(by, bundle, lane, shown, word, comment, salt if comment else "", stated, proved_by)


def _keep(
    by: Person,
    bundle: Bundle,
    lane: Lane,
    shown: Draft,
    word: Word,
    comment: str,
    salt: str,
    stated: Sequence[tuple[str, Wish]],
    proved_by: str,
) -> SignOff:
    payload = statement_bytes(sign_off_statement(word))
    envelope = envelope_bytes(seal(payload, lambda data: (signing.key_id(), signing.sign(data))))
    with ledger.business():
        before = _check_first(by, bundle, lane, shown, word, comment)
        statement = content.put(payload, STATEMENT_TYPE)
        sealed = content.put(envelope, ENVELOPE_TYPE)
        signoff = SignOff.objects.create(
            bundle=bundle,
            lane=lane,
            person=by,
            on_behalf_of=shown.on_behalf_of,
            role=shown.role,
            decision=word.decision,
            requirement=shown.clause.key,
            clause=shown.clause.digest,
            covered=shown.covered,
            evidence=[piece.digest for piece in shown.evidence],
            documents=[piece.digest for piece in shown.documents],
            meaning=word.meaning,
            comment=comment,
            comment_salt=salt,
            statement=statement,
            envelope=sealed,
            key_id=signing.key_id(),
            signed_at=word.at,
            supersedes=before,
        )
        Condition.objects.bulk_create(
            Condition(signoff=signoff, number=number, text=wish.text, salt=one, due=wish.due)
            for number, (one, wish) in enumerate(stated, start=1)
        )
        ledger.record(
            EventKind.SIGNOFF_GIVEN,
            by=by,
            project=lane.project.key,
            subject=signoff.subject,
            signoff=signoff.pk,
            bundle=bundle.bundle_id,
            stage=lane.stage.slug,
            role=shown.role,
            decision=word.decision,
            requirement=shown.clause.key,
            clause=shown.clause.digest,
            covered=shown.covered,
            evidence=signoff.evidence,
            documents=signoff.documents,
            meaning=word.meaning,
            statement=statement.digest,
            envelope=sealed.digest,
            key_id=signoff.key_id,
            proved_by=proved_by,
            name=by.name,
            on_behalf_of=word.on_behalf_of,
            for_name=shown.on_behalf_of.name if shown.on_behalf_of else "",
            comment=comment,
            supersedes=before.pk if before else None,
        )
        for number, (_salt, wish) in enumerate(stated, start=1):
            ledger.record(
                EventKind.CONDITION_STATED,
                by=by,
                project=lane.project.key,
                subject=signoff.subject,
                signoff=signoff.pk,
                number=number,
                bundle=bundle.bundle_id,
                stage=lane.stage.slug,
                role=shown.role,
                due=wish.due,
                text=wish.text,
            )
        return signoff


def _check_first(
    by: Person, bundle: Bundle, lane: Lane, shown: Draft, word: Word, comment: str
) -> SignOff | None:
    """What the signer said before of this requirement of this bundle, which the new word takes the place of.

    The same word twice, as a double click sends it, is refused; signatures of one person wait for each other here.
    """
    Person.objects.select_for_update(no_key=True).get(pk=by.pk)
    last = (
        SignOff.objects.filter(
            person=by,
            on_behalf_of=shown.on_behalf_of,
            bundle=bundle,
            lane=lane,
            requirement=shown.clause.key,
            withdrawal__isnull=True,
        )
        .order_by("signed_at", "id")
        .last()
    )
    if last is not None and (
        last.decision == word.decision
        and last.comment == comment
        and last.clause == shown.clause.digest
        and last.covered == shown.covered
        and last.evidence == [piece.digest for piece in shown.evidence]
        and last.documents == [piece.digest for piece in shown.documents]
        and not word.conditions
        and not last.conditions.exists()
    ):
        raise Stale(
            _("You signed exactly this already, and your signature stands. There is nothing more to do."),
            code="signed_already",
            signoff=last.pk,
        )
    return last


def _checked(decision: str, conditions: Sequence[Wish], now: datetime) -> list[Wish]:
    """The conditions of a decision, in order of their days; raises Invalid naming the field."""
    if decision != SignOff.Decision.APPROVE_WITH_CONDITIONS:
        if conditions:
            raise Invalid(
                _("Conditions go with an approval under conditions. Choose that, or leave them out."),
                code="conditions_unasked",
                field="conditions",
            )
        return []
    if not conditions:
        raise Invalid(
            _("Say what has to be done, and by which day."), code="conditions_missing", field="conditions"
        )
    if len(conditions) > MOST_CONDITIONS:
        raise Invalid(
            _("State at most %(most)s conditions.") % {"most": MOST_CONDITIONS},
            code="conditions_many",
            field="conditions",
        )
    for wish in conditions:
        if not wish.text.strip() or len(wish.text.strip()) > CONDITION_LIMIT:
            raise Invalid(
                _("Say of each condition what has to be done, in at most %(limit)s characters.")
                % {"limit": CONDITION_LIMIT},
                code="condition_text",
                field="conditions",
            )
        if not now < wish.due <= now + LONGEST_CONDITION:
            raise Invalid(
                _("Each condition is due on a day to come, within a year."),
                code="condition_due",
                field="conditions",
            )
    return sorted((Wish(wish.text.strip(), wish.due) for wish in conditions), key=lambda wish: wish.due)


def check_confirms(*, by: Person, signoff: SignOff) -> None:
    """Raise unless this person can say that a condition of the signature is met: whoever signed, or in whose place."""
    rights.see(by, signoff.lane.project)
    if by.pk not in (signoff.person_id, signoff.on_behalf_of_id):
        raise Forbidden(
            _("Only %(name)s can say that this condition is met. Somebody else with the role can sign anew.")
            % {"name": signoff.person.name},
            code="not_your_signature",
        )
    if by.scope is not None:
        raise Forbidden(
            _("A token neither signs nor says that a condition is met. Sign in and do it there."),
            code="token_never_signs",
        )
    now = timezone.now()
    now_in, was = let_in([(by.pk, now), (by.pk, signoff.signed_at)])
    if now_in.again - was.again:
        sentence = _(
            "You got a new way to sign in since you signed, so you cannot say that the condition is met for seven days"
            " from then. Somebody else with the role can sign anew."
        )
        _refuse(by, signoff.lane, signoff.subject, "let_back_in", sentence)


def confirm(*, by: Person, proof: reauthentication.Proof, condition: Condition, how: str) -> Fulfilment:
    """Say that a condition one stated is met; the signature goes on counting, or counts again.

    By whoever signed, or in whose place it was signed: where they cannot any more, somebody else signs anew. Raises
    Forbidden for others, tokens, and where somebody let the signer in again since; Invalid naming the field; Stale for
    what was met or withdrawn already.
    """
    signoff = condition.signoff
    check_confirms(by=by, signoff=signoff)
    if not how.strip():
        raise Invalid(_("Say what shows that it is met."), code="how_missing", field="how")
    if Withdrawal.objects.filter(signoff=signoff).exists():
        raise Stale(_("This signature was withdrawn, and its conditions with it."), code="withdrawn_already")
    proved_by = reauthentication.prove(by, proof)
    with ledger.business():
        try:
            with transaction.atomic():
                met = Fulfilment.objects.create(condition=condition, confirmed_by=by, how=how.strip())
        except IntegrityError as error:
            raise Stale(_("This condition was said to be met already."), code="met_already") from error
        ledger.record(
            EventKind.CONDITION_MET,
            by=by,
            project=signoff.lane.project.key,
            subject=signoff.subject,
            signoff=signoff.pk,
            number=condition.number,
            bundle=signoff.bundle.bundle_id,
            stage=signoff.lane.stage.slug,
            role=signoff.role,
            how=how.strip(),
            proved_by=proved_by,
        )
        return met


def withdraw(*, by: Person, signoff: SignOff, why: str) -> Withdrawal:
    """Take one's own signature back. It stops counting at once; both stand in the record."""
    if signoff.person_id != by.pk:
        rights.see(by, signoff.lane.project)
        raise Forbidden(
            _("Only %(name)s can withdraw this signature.") % {"name": signoff.person.name},
            code="not_your_signature",
        )
    if by.scope is not None:
        raise Forbidden(
            _("A token neither signs nor takes a signature back. Sign in and withdraw it there."),
            code="token_never_signs",
        )
    if not why.strip():
        raise Invalid(_("Say why you withdraw your signature."), code="why_missing", field="why")
    if signoff.decision in _NO:
        _check_own_no(by, signoff)
    with ledger.business():
        try:
            with transaction.atomic():
                taken = Withdrawal.objects.create(signoff=signoff, withdrawn_by=by, why=why.strip())
        except IntegrityError as error:
            raise Stale(_("This signature was withdrawn already."), code="withdrawn_already") from error
        ledger.record(
            EventKind.SIGNOFF_WITHDRAWN,
            by=by,
            project=signoff.lane.project.key,
            subject=signoff.subject,
            signoff=signoff.pk,
            bundle=signoff.bundle.bundle_id,
            stage=signoff.lane.stage.slug,
            role=signoff.role,
            statement=signoff.statement_id,
            why=why.strip(),
        )
        return taken


_NO = (SignOff.Decision.REJECT, SignOff.Decision.REQUEST_CHANGES)


def _check_own_no(by: Person, no: SignOff, seat: Person | None = None) -> None:
    """Raise Forbidden where somebody could be taking back a no in the name of who gave it, `seat` or `by`: who let them
    back in since."""
    now = timezone.now()
    people = {by.pk: by, **({seat.pk: seat} if seat else {})}
    told = let_in([(person, at) for person in people for at in (now, no.signed_at)])
    since = {giver for is_, was in zip(told[::2], told[1::2], strict=True) for giver in is_.again - was.again}
    if since:
        names = ", ".join(Person.objects.filter(pk__in=since).order_by("name").values_list("name", flat=True))
        sentence = _(
            "Whoever objected got a new way to sign in since, by %(names)s, so the objection stands for seven days from"
            " then: nobody can take it back in their name."
        ) % {"names": names}
        _refuse(by, no.lane, no.subject, "no_stands", sentence)


def _shown(case: Case) -> tuple[tuple[Shown, ...], tuple[Shown, ...]]:
    """The evidence and documents the policy asks for that are on the page, each with what the gate finds of it.

    In the order of the statement, so that the row lists what the signed bytes list.
    """
    evidence: dict[str, Shown] = {}
    documents: dict[str, Shown] = {}
    for clause in case.requirements:
        if clause.kind in ("evidence", "tests"):
            kind = kind_of(clause) if clause.kind == "tests" else str(clause.params["kind"])
            fact = current_evidence(case, kind, clause.params.get("at") if clause.kind == "tests" else None)
            if fact is not None:
                evidence[fact.digest] = Shown(kind, fact.digest, CHECKS[clause.kind](case, clause).state)
        elif clause.kind == "document":
            text = current_document(case, str(clause.params["kind"]))
            if text is not None:
                documents[text.digest] = Shown(
                    text.kind, text.digest, CHECKS[clause.kind](case, clause).state
                )
    return _in_order(evidence), _in_order(documents)


def _in_order(shown: dict[str, Shown]) -> tuple[Shown, ...]:
    return tuple(sorted(shown.values(), key=lambda piece: (piece.kind, piece.digest)))


def _refuse(by: Person, lane: Lane, subject: str, code: str, sentence: str) -> None:
    with ledger.business():
        ledger.record(
            EventKind.ACCESS_REFUSED,
            by=by,
            project=lane.project.key,
            subject=subject,
            action="sign",
            code=code,
            reason=sentence,
        )
    raise Forbidden(sentence, code=code)
