"""Starts access reviews, takes answers in them with a signature, and ends them.

What is answered is exactly what was shown: each answer carries the digest of its grant, and anything else is refused as
stale. What nobody confirmed ends at the due date by itself (`portal/actions/reviewing.py`); `close` writes it down.
"""

import hmac
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NoReturn

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from governance import reviews
from governance.actions.signoffs import ENVELOPE_TYPE, STATEMENT_TYPE
from governance.models import (
    REVIEW_MOVES,
    AccessReview,
    ReviewedGrant,
    ReviewPlace,
    ReviewSignature,
)
from governance.models.access_review import running
from governance.review_statement import CONFIRM, REVOKE, Answers, GrantFacts, review_statement
from governance.statement import envelope_bytes, seal, statement_bytes
from portal import content, ledger, reauthentication, rights, signing
from portal.actions import grants, reviewing
from portal.errors import Forbidden, Invalid, Refused, Stale
from portal.event_kinds import EventKind
from portal.models import Grant, Person, Portfolio, Project, Right
from portal.moving import make

POPULATION_TYPE = "application/vnd.countersign.grants+json"
WHY_LIMIT = 500
LEAST = timedelta(days=1)
MOST = timedelta(days=366)
# Answers under one signature: as many as a person can have read.
AT_MOST = 200
# Grants written down in one go, and closed in one: nobody else writes into the ledger as long as that takes.
AT_A_TIME = 2_000
CLOSED_AT_A_TIME = 500
ANSWERS = {CONFIRM: ReviewedGrant.Answer.CONFIRMED, REVOKE: ReviewedGrant.Answer.REVOKED}


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody says of one grant: `answer` is CONFIRM or REVOKE, `digest` what the page showed of it."""

    grant: int
    answer: str
    digest: str


# --- starting ---------------------------------------------------------------------------------------------------------


def start(
    *,
    by: Person,
    due: datetime,
    why: str,
    project: Project | None = None,
    portfolio: Portfolio | None = None,
) -> AccessReview:
    """Ask about every grant in force on a project, on a portfolio and its projects, or (neither) on the whole estate.

    From now on each of them ends at the due date, unless it is confirmed. What another review asks about already is
    left to that one. Raises Forbidden for who does not administer the estate, Invalid naming the field, Refused where
    nothing is left to ask about.
    """
    if not by.is_system:
        rights.check_estate(by, Right.MANAGE)
    _check_due(due)
    why = _reason(why, _("Say why, so that those who are asked understand it."))
    if project is not None and portfolio is not None:
        raise Invalid(
            _("Name a project or a portfolio, one of them."), code="review_place", field="portfolio"
        )
    with ledger.business():
        # Of two started at once the second sees what the first asks about.
        grants.lock_admins()
        review = AccessReview.objects.create(
            project=project, portfolio=portfolio, due=due, why=why, started_by=by
        )
        found = (
            Grant.objects.in_force(timezone.now())
            .filter(_scope(project, portfolio), under_review__isnull=True)
            .select_related("person", "team", "project", "portfolio")
            .order_by("pk")
        )
        population, asked = _ask(review, found)
        if not asked:
            raise Refused(
                _("No right there is left to ask about: none is in force, or another review asks already."),
                code="review_empty",
            )
        spared = reviewing.begin(
            by=by,
            review=review.pk,
            due=due,
            asked=Grant.objects.filter(asked__review=review),
            whole=project is None and portfolio is None,
        )
        ledger.record(
            EventKind.REVIEW_STARTED,
            by=by,
            project=review.project_key,
            subject=review.subject,
            review=review.pk,
            scope=review.scope,
            due=due,
            grants=asked,
            places=review.places.count(),
            population=population,
            spared=spared and spared.pk,
            why=why,
        )
        return review


def start_if_time(*, by: Person) -> AccessReview | None:
    """Start one of the whole estate where settings ask for one every so many days and the last is as old."""
    if not settings.ACCESS_REVIEW_DAYS:
        return None
    now = timezone.now()
    last = AccessReview.objects.filter(project=None, portfolio=None).order_by("-started_at").first()
    again = last is None or last.started_at <= now - timedelta(days=settings.ACCESS_REVIEW_DAYS)
    if not again or AccessReview.objects.filter(running(now), project=None, portfolio=None).exists():
        return None
    due = now + timedelta(days=settings.ACCESS_REVIEW_DUE_DAYS)
    return start(by=by, due=due, why="It is time: rights are reviewed at regular intervals.")


def _scope(project: Project | None, portfolio: Portfolio | None) -> Q:
    if project is not None:
        return Q(project=project)
    if portfolio is not None:
        return Q(portfolio=portfolio) | Q(project__in=portfolio.projects.values("pk"))
    return Q()


def _ask(review: AccessReview, found: QuerySet[Grant]) -> tuple[list[str], int]:
    """Write down what is asked about, by place; returns the digests of the lists of it, and how many they are."""
    places: dict[tuple[int | None, int | None], ReviewPlace] = {}
    population: list[str] = []
    count = 0
    for lot in _in_lots(found):
        facts = reviews.facts_of(lot)
        new = {}
        for grant in lot:
            key = (grant.project_id, grant.portfolio_id)
            if key not in places:
                new[key] = places[key] = ReviewPlace(
                    review=review, project=grant.project, portfolio=grant.portfolio
                )
        ReviewPlace.objects.bulk_create(new.values())
        ReviewedGrant.objects.bulk_create(
            ReviewedGrant(review=review, place=places[one.project_id, one.portfolio_id], grant=one)
            for one in lot
        )
        # The canonical form of a list is its items' one after another, each of which an answer names by its digest.
        listed = b"[" + b",".join(facts[one.pk].body for one in lot) + b"]"
        population.append(content.put(listed, POPULATION_TYPE).digest)
        count += len(lot)
    return population, count


def _in_lots(found: QuerySet[Grant]) -> Iterator[list[Grant]]:
    after = 0
    while some := list(found.filter(pk__gt=after)[:AT_A_TIME]):
        yield some
        after = some[-1].pk


# --- answering --------------------------------------------------------------------------------------------------------


def answer(
    *,
    by: Person,
    proof: reauthentication.Proof,
    review: AccessReview,
    answers: Sequence[Answer],
    why: str = "",
) -> ReviewSignature:
    """Confirm or revoke grants a review asks about, under one signature. What is revoked is gone at once.

    Raises Absent/Forbidden for a grant that is not the person's to answer for, or their own; Stale where one was
    answered for already or is not what was shown (`digest`), or where the review is over; Invalid naming the field;
    Forbidden for a wrong password; Refused for the last administrator's right. All answers count, or none.
    """
    if by.scope is not None:
        raise Forbidden(_("A token never signs. Sign in and answer there."), code="token_never_signs")
    why = _check_answers(answers, why)
    _check_running(review)
    _checked(by, review, answers)
    proved_by = reauthentication.prove(by, proof)
    now = timezone.now()
    with ledger.business():
        # Answers, the end and the calling off of one review follow one another.
        review = AccessReview.objects.select_for_update(of=("self",)).get(pk=review.pk)
        _check_running(review)
        list(
            Grant.objects.filter(pk__in=[one.grant for one in answers])
            .order_by("pk")
            .select_for_update(of=("self",))
        )
        asked, facts = _checked(by, review, answers)
        signature = _sign(by, review, [(facts[one.grant], one.answer) for one in answers], why, now)
        confirmed = [asked[one.grant].grant for one in answers if one.answer == CONFIRM]
        revoked = [asked[one.grant].grant for one in answers if one.answer == REVOKE]
        reviewing.confirm(by=by, review=review.pk, due=review.due, confirmed=confirmed)
        for grant in revoked:
            reviewing.revoke(
                by=by,
                review=review.pk,
                grant=grant,
                why=_("access review %(n)s: %(why)s") % {"n": review.pk, "why": why},
            )
        for word in (CONFIRM, REVOKE):
            ReviewedGrant.objects.filter(
                pk__in=[asked[one.grant].pk for one in answers if one.answer == word]
            ).update(answer=ANSWERS[word], signature=signature, answered_at=now, answered_by=by)
        ledger.record(
            EventKind.REVIEW_ANSWERED,
            by=by,
            project=review.project_key,
            subject=review.subject,
            review=review.pk,
            confirms=len(confirmed),
            revokes=len(revoked),
            confirmed=[grant.pk for grant in confirmed],
            revoked=[grant.pk for grant in revoked],
            meaning=signature.meaning,
            statement=signature.statement_id,
            envelope=signature.envelope_id,
            key_id=signature.key_id,
            proved_by=proved_by,
            name=by.name,
            why=why,
        )
        if not review.asked.filter(reviews.waiting()).exists():
            _end(Person.objects.system(), review, "complete")
        return signature


def meaning(review: AccessReview) -> str:
    """What a signature says, in words; each right with its answer is listed under it."""
    return _(
        "In access review %(number)s I looked at each right listed here. Those I confirm are needed as they are."
        " Those I revoke are not needed, and end at once."
    ) % {"number": review.pk}


def _sign(
    by: Person, review: AccessReview, said: list[tuple[GrantFacts, str]], why: str, now: datetime
) -> ReviewSignature:
    salt = secrets.token_hex(ledger.SALT_BYTES) if why else ""
    words = Answers(
        review=review.pk,
        scope=review.scope,
        due=review.due,
        answers=said,
        meaning=meaning(review),
        person=str(by.pk),
        at=now,
        zone=by.zone,
        why=ledger.commitment(salt, why) if why else None,
    )
    payload = statement_bytes(review_statement(words))
    envelope = envelope_bytes(seal(payload, lambda data: (signing.key_id(), signing.sign(data))))
    return ReviewSignature.objects.create(
        review=review,
        meaning=words.meaning,
        why=why,
        why_salt=salt,
        statement=content.put(payload, STATEMENT_TYPE),
        envelope=content.put(envelope, ENVELOPE_TYPE),
        key_id=signing.key_id(),
        signed_at=now,
        signed_by=by,
    )


def _check_answers(answers: Sequence[Answer], why: str) -> str:
    """Raise Invalid for answers that are none; returns the reason, which is needed to revoke."""
    if not answers:
        raise Invalid(
            _("Nothing is answered yet. Choose to confirm or to revoke at least one right."),
            code="answers_missing",
            field="answers",
        )
    if len(answers) > AT_MOST:
        raise Invalid(
            _("These are %(count)s answers; sign at most %(most)s at once.")
            % {"count": len(answers), "most": AT_MOST},
            code="answers_many",
            field="answers",
        )
    if len({one.grant for one in answers}) < len(answers):
        raise Invalid(_("A right is answered for twice; answer once."), code="answer_twice", field="answers")
    for one in answers:
        if one.answer not in ANSWERS:
            raise Invalid(
                _("“%(answer)s” is no answer; confirm or revoke.") % {"answer": one.answer},
                code="answer_unknown",
                field="answers",
                grant=one.grant,
            )
    why = why.strip()
    if any(one.answer == REVOKE for one in answers):
        return _reason(why, _("Say why you revoke; whoever held it reads this."))
    return _reason(why, "") if why else ""


def _check_running(review: AccessReview) -> None:
    if not review.is_running:
        raise Stale(
            _(
                "Access review %(number)s is over, so nothing was signed. What was not confirmed in time has ended;"
                " an administrator can grant it again."
            )
            % {"number": review.pk},
            code="review_over",
        )


def _checked(
    by: Person, review: AccessReview, answers: Sequence[Answer]
) -> tuple[dict[int, ReviewedGrant], dict[int, GrantFacts]]:
    """What is answered for, by grant: each is `by`'s to answer for, waits, and is as it was shown. Raises otherwise."""
    wanted = [one.grant for one in answers]
    asked = {
        one.grant_id: one
        for one in reviews.whole(ReviewedGrant.objects.filter(review=review, grant__in=wanted))
    }
    if set(wanted) - asked.keys():
        raise rights.absent()
    for place in {one.place_id: one.place for one in asked.values()}.values():
        check_may_answer(by=by, place=place)
    own = set(Grant.objects.filter(reviews.own_grants(by), pk__in=wanted).values_list("pk", flat=True))
    if own:
        raise Forbidden(
            _(
                "%(grants)s: you hold this right yourself, or could use it: through a team, for somebody you stand in"
                " for, or by a token you made. Another owner or an administrator answers for it."
            )
            % {"grants": _numbers(own)},
            code="review_own",
            grants=sorted(own),
        )
    now = timezone.now()
    over = {
        pk
        for pk, one in asked.items()
        if one.answer or one.grant.revoked_at is not None or (one.grant.until and one.grant.until <= now)
    }
    if over:
        raise Stale(
            _("%(grants)s was answered for or ended meanwhile, so nothing was signed. Read the page again.")
            % {"grants": _numbers(over)},
            code="review_answered",
            grants=sorted(over),
        )
    facts = reviews.facts_of([one.grant for one in asked.values()])
    changed = {
        one.grant
        for one in answers
        if not hmac.compare_digest(facts[one.grant].digest.encode(), one.digest.encode())
    }
    if changed:
        _changed(changed)
    return asked, facts


def check_may_answer(*, by: Person, place: ReviewPlace) -> None:
    """Raise Absent or Forbidden unless the person answers for the rights at this place."""
    if place.pk in reviews.answers_at(by, [place]):
        return
    reviews.place_for(by, place.review_id, place.pk)
    raise Forbidden(
        _("Only the owners of the project, and administrators, answer for the rights there."),
        code="right_missing",
    )


def _changed(grants: set[int]) -> NoReturn:
    raise Stale(
        _(
            "%(grants)s is not as you read it any more, or who is in the team changed, so nothing was signed."
            " Read the page again, then sign."
        )
        % {"grants": _numbers(grants)},
        code="review_stale",
        grants=sorted(grants),
    )


def _numbers(grants: set[int]) -> str:
    told = ", ".join(str(one) for one in sorted(grants)[:10])
    return ngettext("Grant %(numbers)s", "Grants %(numbers)s", len(grants)) % {"numbers": told}


# --- ending -----------------------------------------------------------------------------------------------------------


def call_off(*, by: Person, review: AccessReview, why: str) -> None:
    """End a review before its due date; what nobody answered for keeps the end it was given. Answers stay.

    Raises Forbidden for who does not administer the estate, Stale where it is over, Invalid without a reason.
    """
    rights.check_estate(by, Right.MANAGE)
    why = _reason(why, _("Say why it is called off; those who answered read this."))
    with ledger.business():
        review = AccessReview.objects.select_for_update(of=("self",)).get(pk=review.pk)
        _check_running(review)
        now = timezone.now()
        make(
            review,
            REVIEW_MOVES,
            "call_off",
            by=by,
            ended_at=now,
            ended_by=by,
            facts={"review": review.pk, "why": why},
        )
        reviewing.release(by=by, review=review.pk)
        review.asked.filter(answer="").update(
            answer=ReviewedGrant.Answer.RELEASED, answered_at=now, answered_by=by
        )


def close(*, by: Person, review: AccessReview) -> bool:
    """Write down that a review is over whose due date has passed; whether this did it.

    1. Whatever nobody confirmed is revoked by the system, some at a time, each lot with its events.
    2. The review ends.

    May be killed anywhere and repeated; of two at once the second finds nothing left.
    """
    while True:
        with ledger.business():
            held = AccessReview.objects.select_for_update(of=("self",)).get(pk=review.pk)
            if held.status != AccessReview.Status.OPEN or held.due > timezone.now():
                return False
            lot = list(reviews.whole(held.asked.filter(answer="")).order_by("pk")[:CLOSED_AT_A_TIME])
            if not lot:
                lapsed = held.asked.filter(answer=ReviewedGrant.Answer.LAPSED).exists()
                _end(by, held, "expire" if lapsed else "complete")
                return True
            _lapse(by, held, lot)


def _lapse(by: Person, review: AccessReview, lot: list[ReviewedGrant]) -> None:
    """What became of grants nobody answered for: they ran out before, or end for want of an answer; one is spared."""
    now = timezone.now()
    ended = {one.grant_id for one in lot if _ended_before(one.grant, review)}
    asked = [one.grant for one in lot if one.grant_id not in ended]
    why = _("not confirmed in access review %(number)s") % {"number": review.pk}
    _closed, spared = reviewing.lapse(by=by, review=review.pk, asked=asked, why=why)
    for word, of in (
        (ReviewedGrant.Answer.GONE, ended),
        (ReviewedGrant.Answer.SPARED, spared),
        (ReviewedGrant.Answer.LAPSED, {one.pk for one in asked} - spared),
    ):
        ReviewedGrant.objects.filter(pk__in=[one.pk for one in lot if one.grant_id in of]).update(
            answer=word, answered_at=now, answered_by=Person.objects.system()
        )
    lapsed = sorted({one.pk for one in asked} - spared)
    ledger.record(
        EventKind.REVIEW_LAPSED,
        by=by,
        project=review.project_key,
        subject=review.subject,
        review=review.pk,
        count=len(lapsed),
        lapsed=lapsed,
        spared=sorted(spared),
    )


def _ended_before(grant: Grant, review: AccessReview) -> bool:
    """Whether something else ended it: somebody revoked it before the due date, or it was given until a time before."""
    if grant.revoked_at is not None and grant.revoked_at < review.due:
        return True
    given = grant.end
    return given is not None and given < review.due


def _end(by: Person, review: AccessReview, verb: str) -> None:
    """The last move, with what came of it. What something else ended is written down too."""
    now = timezone.now()
    system = Person.objects.system()
    review.asked.filter(answer="").update(
        answer=ReviewedGrant.Answer.GONE, answered_at=now, answered_by=system
    )
    reviewing.release(by=by, review=review.pk)
    found = reviews.progress_of([review])[review.pk]
    counts = {
        name: getattr(found, name)
        for name in ("asked", "confirmed", "revoked", "lapsed", "spared", "otherwise")
    }
    outcome = (
        f"{found.confirmed} confirmed, {found.revoked} revoked, {found.lapsed} not confirmed and revoked"
    )
    make(
        review,
        REVIEW_MOVES,
        verb,
        by=by,
        ended_at=now,
        ended_by=by,
        facts={"review": review.pk, "outcome": outcome, "counts": counts},
    )


def _check_due(due: datetime) -> None:
    now = timezone.now()
    if due < now + LEAST:
        raise Invalid(
            _("The due date has to be a day away at least, so that there is time to answer."),
            code="due_soon",
            field="due",
        )
    if due > now + MOST:
        raise Invalid(_("The due date has to be within a year."), code="due_far", field="due")


def _reason(why: str, missing: str) -> str:
    why = why.strip()
    if not why:
        raise Invalid(missing, code="why_missing", field="why")
    if len(why) > WHY_LIMIT - 40:
        raise Invalid(
            _("Say why in at most %(limit)s characters.") % {"limit": WHY_LIMIT - 40},
            code="why_long",
            field="why",
        )
    return why
