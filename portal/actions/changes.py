"""Changes of rights, policy, tier and estate: proposed by one administrator, applied by another.

Whether a second person is asked for is settings.SECOND_ADMIN's to say; a change of tier always asks for one, and what
only takes rights away never does, so that nobody has to wait to make things safer. What a kind of change does, and what
it is based on, is known by the module that settings.CHANGES names for it.
"""

from typing import Any, Protocol, cast

from django.conf import settings
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from portal import ledger
from portal.cooling import note_makers
from portal.errors import Forbidden, Invalid, Refused, Stale
from portal.event_kinds import EventKind
from portal.let_in import could_be_and
from portal.models import Change, Event, Person, Portfolio, Project, Right
from portal.models.change import CHANGE_MOVES
from portal.moving import make

WHY_LIMIT = 500


class Kind(Protocol):
    """What a kind of change knows. A wish is JSON of the kind's own shape."""

    def check(self, *, by: Person, wish: Any) -> None:
        """Raise Absent or Forbidden unless `by` may make this change."""

    def basis(self, wish: Any) -> Any:
        """What it is based on, as JSON: equal as long as applying it still means the same."""

    def only_takes(self, wish: Any) -> bool:
        """Whether it does nothing but take rights away."""

    def facts(self, wish: Any) -> list[str]:
        """What it does, a line each, naming nobody: for the record."""

    def apply(self, *, by: Person, asked_by: Person, wish: Any, change: Change) -> None:
        """Make the change, in the caller's business transaction; raises Invalid naming what is wrong with it."""


class _Rehearsed(Exception):
    """Everything went well; undo it."""


def kind_of(name: str) -> Kind:
    """Who knows this kind of change."""
    return cast(Kind, import_string(settings.CHANGES[name]))


def ask(
    *,
    by: Person,
    kind: str,
    wish: Any,
    why: str,
    project: Project | None = None,
    portfolio: Portfolio | None = None,
    reviewed: bool = False,
) -> Change:
    """Propose a change; applied at once where nobody else is asked for, otherwise it waits.

    `reviewed` says that it comes from a repository in which somebody else reviewed it: where
    settings.REPOSITORY_REVIEWED names that the second pair of eyes, nobody else is asked for (a tier excepted).

    It is rehearsed first, so that what could not be applied is refused now. Raises Absent/Forbidden for who may make
    such a change, Invalid naming what is wrong with it.
    """
    knows = kind_of(kind)
    knows.check(by=by, wish=wish)
    if not why.strip():
        raise Invalid(_("Say why, so that a later review understands it."), code="why_missing", field="why")
    if len(why.strip()) > WHY_LIMIT:
        raise Invalid(
            _("Say why in at most %(limit)s characters.") % {"limit": WHY_LIMIT}, code="why_long", field="why"
        )
    seen_by_two = reviewed and settings.REPOSITORY_REVIEWED
    alone = kind != Change.Kind.TIER and (not settings.SECOND_ADMIN or seen_by_two or knows.only_takes(wish))
    with ledger.business():
        change = Change.objects.create(
            kind=kind,
            project=project,
            portfolio=portfolio,
            wish=wish,
            basis=knows.basis(wish),
            why=why.strip(),
            alone=alone,
            asked_by=by,
        )
        ledger.record(
            EventKind.CHANGE_ASKED,
            by=by,
            project=change.project_key,
            subject=change.subject,
            change=change.pk,
            kind=kind,
            does=knows.facts(wish),
            basis=change.basis,
            alone=alone,
            why=change.why,
        )
        if alone:
            _apply(by, change, knows)
        else:
            _rehearse(by, change, knows)
        return change


def rehearse(*, by: Person, kind: str, wish: Any) -> None:
    """Raise what `ask` would raise of a wish; nothing is changed."""
    knows = kind_of(kind)
    knows.check(by=by, wish=wish)
    _rehearse(by, Change(pk=0, kind=kind, wish=wish), knows)


def apply(*, by: Person, change: Change) -> None:
    """Apply what somebody else proposed.

    Raises Forbidden for whoever proposed it, could have, or may not make such a change, Stale where it does not wait
    any more, where whoever proposed it may not make it any more, or where what it was based on has changed (it is
    marked outdated then).
    """
    knows = kind_of(change.kind)
    knows.check(by=by, wish=change.wish)
    _check_second(by, change)
    _check_another(by, change)
    _check_proposer(change, knows)
    with ledger.business():
        current = Change.objects.select_for_update(of=("self",)).get(pk=change.pk)
        outdated = current.status == Change.Status.WAITING and knows.basis(current.wish) != current.basis
        if outdated:
            make(
                current,
                CHANGE_MOVES,
                "outdate",
                by=by,
                facts={"change": current.pk, "kind": current.kind},
                decided_at=timezone.now(),
                decided_by=by,
            )
        else:
            _apply(by, current, knows)
    change.refresh_from_db()
    if outdated:
        raise Stale(
            _(
                "What this change was based on is not so any more, so it was not applied."
                " Look at what is in force now, and propose it again if it is still wanted."
            ),
            code="change_outdated",
            change=change.pk,
        )


def refuse(*, by: Person, change: Change, why: str) -> None:
    """Refuse what somebody else proposed. Raises as `apply`, and Invalid without a reason."""
    knows = kind_of(change.kind)
    knows.check(by=by, wish=change.wish)
    _check_second(by, change)
    _end(by, change, "refuse", why)


def withdraw(*, by: Person, change: Change, why: str) -> None:
    """Take back what one proposed oneself."""
    if change.asked_by_id != by.pk:
        raise Forbidden(
            _("Only who proposed a change takes it back. You can refuse it instead."),
            code="change_of_another",
        )
    _end(by, change, "withdraw", why)


def may_decide(person: Person, change: Change) -> bool:
    """Whether the person could apply or refuse it now: what to show."""
    try:
        kind_of(change.kind).check(by=person, wish=change.wish)
        _check_second(person, change)
    except Refused:
        return False
    return change.status == Change.Status.WAITING


def _check_second(by: Person, change: Change) -> None:
    if by.pk == change.asked_by_id:
        raise Forbidden(
            _("You proposed this change, so somebody else has to apply it. Ask another administrator."),
            code="change_own",
            change=change.pk,
        )
    if by.kind != Person.Kind.PERSON or by.scope is not None:
        raise Forbidden(
            _("A change is decided by a person who signed in, not by a program or a token."),
            code="change_by_person",
            change=change.pk,
        )


def _check_another(by: Person, change: Change) -> None:
    """Two accounts are two people only where one of the two could not have come as the other."""
    proposers = {change.asked_by_id: change.asked_at}
    note_makers([proposers])
    if by.pk in proposers:
        raise Forbidden(
            _(
                "You made a token of %(name)s, which proposed this change, so somebody else has to apply it."
                " Ask another administrator."
            )
            % {"name": change.asked_by.name},
            code="change_own_token",
            change=change.pk,
        )
    handed = Event.objects.filter(
        subject=change.subject, kind=EventKind.CHANGE_HANDED_OVER.value, actor=by.pk, at__gte=change.asked_at
    )
    if any(ledger.decoded(bytes(one.body))["facts"]["change"] == change.pk for one in handed):
        raise Forbidden(
            _(
                "You handed this change over to %(name)s when somebody left, so somebody else has to apply it."
                " Ask another administrator, or let %(name)s propose it anew."
            )
            % {"name": change.asked_by.name},
            code="change_handed_over",
            change=change.pk,
        )
    ((asked,), (applied,)) = could_be_and(
        [(change.asked_by, change.asked_at)],
        *(Right.MANAGE, Right.PROVISION),
        moments=[(by.pk, timezone.now())],
    )
    if change.asked_by_id in applied.by or by.pk in asked.by:
        raise Forbidden(
            _(
                "One of you two lately gave the other a new way to sign in (a code for a password, an account"
                " elsewhere, or no second factor any more), so the two do not count as two. Ask another administrator."
            ),
            code="change_let_in",
            change=change.pk,
        )
    if asked.again & applied.again:
        raise Forbidden(
            _(
                "Somebody lately gave both of you a new way to sign in, so the two do not count as two."
                " Ask another administrator."
            ),
            code="change_let_in",
            change=change.pk,
        )


def _check_proposer(change: Change, knows: Kind) -> None:
    """Whoever was disabled or lost the right meanwhile proposes nothing: one administrator alone would be left."""
    try:
        knows.check(by=change.asked_by, wish=change.wish)
    except Refused as refusal:
        raise Stale(
            _(
                "%(name)s, who proposed this change, may not make it any more, so it was not applied."
                " Refuse it; whoever still wants it proposes it again."
            )
            % {"name": change.asked_by.name},
            code="change_of_nobody",
            change=change.pk,
        ) from refusal


def _apply(by: Person, change: Change, knows: Kind) -> None:
    make(
        change,
        CHANGE_MOVES,
        "apply",
        by=by,
        facts={
            "change": change.pk,
            "kind": change.kind,
            "asked_by": str(change.asked_by_id),
            "alone": change.alone,
        },
        decided_at=timezone.now(),
        decided_by=by,
    )
    knows.apply(by=by, asked_by=change.asked_by, wish=change.wish, change=change)


def _rehearse(by: Person, change: Change, knows: Kind) -> None:
    """Apply it and undo that, so that its mistakes are told to whoever makes them."""
    try:
        with ledger.business():
            knows.apply(by=by, asked_by=by, wish=change.wish, change=change)
            raise _Rehearsed
    except _Rehearsed:
        return


def _end(by: Person, change: Change, verb: str, why: str) -> None:
    if not why.strip():
        raise Invalid(_("Say why; whoever proposed it reads this."), code="why_missing", field="why")
    with ledger.business():
        make(
            change,
            CHANGE_MOVES,
            verb,
            by=by,
            facts={"change": change.pk, "kind": change.kind, "why": why.strip()[:WHY_LIMIT]},
            decided_at=timezone.now(),
            decided_by=by,
            answer=why.strip()[:WHY_LIMIT],
        )
