"""Delegations: somebody who is away leaves what waits for them to one delegate, for a bounded time.

What an administrator says of somebody else's absence gives rights, so it is a change. What standing in lets the
delegate do is portal/held.py's. Not in charge of what they did meanwhile: that stays in the record under both names.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from portal import ledger, rights
from portal.actions import changes
from portal.errors import Forbidden, Invalid, Stale
from portal.event_kinds import EventKind
from portal.held import held_by_each
from portal.models import Change, Delegation, Lane, Person, Right
from portal.models.grant import SIGN_PREFIX

LONGEST = timedelta(days=90)
# How long ago "from now on" may have been typed.
LENIENT = timedelta(hours=1)
WHY_LIMIT = 500
AT_A_TIME = 500


def delegate(
    *, by: Person, delegate: Person, until: datetime, why: str, starts_at: datetime | None = None
) -> Delegation:
    """Say that one is away from `starts_at` (default: now) until `until`, and who stands in.

    Raises Forbidden for a token, Invalid naming the field.
    """
    return _make(by, by, delegate, starts_at, until, why)


def delegate_for(
    *,
    by: Person,
    person: Person,
    delegate: Person,
    until: datetime,
    why: str,
    starts_at: datetime | None = None,
) -> Change:
    """Propose the same for somebody else, who cannot say it themselves; see portal.actions.changes.ask.

    Raises Forbidden for who may, Invalid naming the field.
    """
    wish = {
        "person": str(person.pk),
        "delegate": str(delegate.pk),
        "starts_at": starts_at.isoformat() if starts_at else None,
        "until": until.isoformat(),
        "why": why.strip(),
    }
    return changes.ask(by=by, kind=Change.Kind.ABSENCE, wish=wish, why=why)


class _Absences:
    """What a change of this kind means: a delegation, with people by their ids and times as ISO 8601."""

    def check(self, *, by: Person, wish: Any) -> None:
        """An administrator who signed in, of somebody else."""
        _check_token(by)
        rights.check_estate(by, Right.MANAGE)

    def basis(self, wish: Any) -> Any:
        """The ids of what lasts of either."""
        both = (wish["person"], wish["delegate"])
        found = lasting().filter(Q(person__in=both) | Q(delegate__in=both))
        return sorted(found.values_list("pk", flat=True))

    def only_takes(self, wish: Any) -> bool:
        """It lends rights."""
        return False

    def facts(self, wish: Any) -> list[str]:
        """Who stands in for whom, and how long."""
        since = f" from {wish['starts_at']}" if wish["starts_at"] else ""
        return [f"{wish['delegate']} stands in for {wish['person']}{since} until {wish['until']}"]

    def apply(self, *, by: Person, asked_by: Person, wish: Any, change: Change) -> None:
        """Make it, from now on where it was to begin meanwhile."""
        people = Person.objects.in_bulk([wish["person"], wish["delegate"]])
        found = {str(pk): one for pk, one in people.items()}
        starts_at = datetime.fromisoformat(wish["starts_at"]) if wish["starts_at"] else None
        if starts_at is not None and starts_at >= change.asked_at - LENIENT:
            starts_at = max(starts_at, timezone.now())
        _make(
            asked_by,
            found[wish["person"]],
            found[wish["delegate"]],
            starts_at,
            datetime.fromisoformat(wish["until"]),
            wish["why"],
            told_by=by,
            change=change,
        )


ABSENCES: changes.Kind = _Absences()


def _make(
    by: Person,
    person: Person,
    delegate: Person,
    starts_at: datetime | None,
    until: datetime,
    why: str,
    *,
    told_by: Person | None = None,
    change: Change | None = None,
) -> Delegation:
    """`by` says it, and `told_by` applied the change by which they do."""
    _check_who(by, person)
    now = timezone.now()
    starts_at = _from(starts_at, until, now)
    if not why.strip():
        raise Invalid(
            _("Say why; whoever reads what was done for you reads this."), code="why_missing", field="why"
        )
    if len(why.strip()) > WHY_LIMIT:
        raise Invalid(
            _("Say why in at most %(limit)s characters.") % {"limit": WHY_LIMIT}, code="why_long", field="why"
        )
    _check_delegate(person, delegate)
    with ledger.business():
        # Both, in one order: of two delegations that would make a chain the second sees the first.
        both = Person.objects.select_for_update(no_key=True).filter(pk__in=(person.pk, delegate.pk))
        list(both.order_by("pk").values_list("pk", flat=True))
        _check_chains(person, delegate, starts_at, until)
        _check_roles(person, delegate, starts_at, until)
        made = Delegation.objects.create(
            person=person,
            delegate=delegate,
            starts_at=starts_at,
            until=until,
            why=why.strip(),
            made_by=by,
            change=change,
        )
        ledger.record(
            EventKind.DELEGATION_MADE,
            by=told_by or by,
            project="",
            subject=made.subject,
            starts_at=starts_at,
            until=ledger.instant(until),
            why=made.why,
            change=change and change.pk,
            **_facts(made),
        )
        return made


def lasting() -> QuerySet[Delegation]:
    """Delegations that count now or will."""
    return Delegation.objects.filter(ended_at__isnull=True, until__gt=timezone.now()).select_related(
        "person", "delegate"
    )


def end(*, by: Person, delegation: Delegation) -> None:
    """End a delegation early: whoever is away, whoever stands in, or an administrator. What was signed stands.

    Raises Absent for anybody else, Stale where it is over.
    """
    mine = by.scope is None and by.pk in (delegation.person_id, delegation.delegate_id)
    if not mine and Right.MANAGE.value not in rights.on_estate(by):
        raise rights.absent()
    with ledger.business():
        now = timezone.now()
        if not Delegation.objects.filter(pk=delegation.pk, ended_at__isnull=True, until__gt=now).update(
            ended_at=now, ended_by=by
        ):
            raise Stale(
                _("This delegation is over already."), code="delegation_over", delegation=delegation.pk
            )
        ledger.record(
            EventKind.DELEGATION_ENDED, by=by, project="", subject=delegation.subject, **_facts(delegation)
        )


def _facts(one: Delegation) -> dict[str, str]:
    return {
        "delegation": str(one.pk),
        "person": str(one.person_id),
        "name": one.person.name,
        "delegate": str(one.delegate_id),
        "delegate_name": one.delegate.name,
    }


def _check_token(by: Person) -> None:
    if by.scope is not None:
        raise Forbidden(
            _("A delegation is made by a person who signed in, not with a token."), code="delegation_by_token"
        )


def _check_who(by: Person, person: Person) -> None:
    _check_token(by)
    if person.pk != by.pk:
        rights.check_estate(by, Right.MANAGE)
    if person.kind != Person.Kind.PERSON or not person.is_active:
        raise Invalid(
            _("%(name)s is disabled or no person, so nothing waits for them that could be left to somebody.")
            % {"name": person.name},
            code="person_unfit",
            field="person",
        )


def _from(starts_at: datetime | None, until: datetime, now: datetime) -> datetime:
    """When it begins; what lies a moment back is now."""
    starts_at = starts_at or now
    if starts_at < now - LENIENT:
        raise Invalid(
            _("“From” lies in the past; nothing can be left to somebody for a time that is over."),
            code="from_past",
            field="starts_at",
        )
    starts_at = max(starts_at, now)
    if until <= starts_at:
        raise Invalid(
            _("“Until” has to lie after “from”, and ahead of now."), code="until_past", field="until"
        )
    if until - starts_at > LONGEST:
        raise Invalid(
            _(
                "Somebody stands in for at most %(days)s days. For longer, ask an administrator to grant the rights"
                " themselves."
            )
            % {"days": LONGEST.days},
            code="delegation_long",
            field="until",
        )
    return starts_at


def _check_delegate(person: Person, delegate: Person) -> None:
    if delegate.pk == person.pk:
        raise Invalid(
            _("Nobody stands in for themselves; name somebody else."),
            code="delegate_self",
            field="delegate",
        )
    if not delegate.is_active:
        raise Invalid(
            _("%(name)s is disabled; name somebody who is here.") % {"name": delegate.name},
            code="person_disabled",
            field="delegate",
        )
    if delegate.kind != Person.Kind.PERSON:
        raise Invalid(
            _("A service account stands in for nobody; name a person."),
            code="delegate_service",
            field="delegate",
        )


def _meanwhile(starts_at: datetime, until: datetime) -> QuerySet[Delegation]:
    """Delegations of which some part lies in this time."""
    return Delegation.objects.filter(
        ended_at__isnull=True, starts_at__lt=until, until__gt=starts_at
    ).select_related("person", "delegate")


def _check_chains(person: Person, delegate: Person, starts_at: datetime, until: datetime) -> None:
    """One delegate at a time, who is here themselves; and what somebody left to `person` is not left on."""
    found = list(_meanwhile(starts_at, until).filter(Q(person__in=(person, delegate)) | Q(delegate=person)))
    own = next((one for one in found if one.person_id == person.pk), None)
    if own is not None:
        raise Invalid(
            _(
                "%(delegate)s stands in for %(name)s in that time already. End that first, or choose another time."
            )
            % {"delegate": own.delegate.name, "name": person.name},
            code="delegation_overlaps",
            field="starts_at",
        )
    away = next((one for one in found if one.person_id == delegate.pk), None)
    if away is not None:
        raise Invalid(
            _(
                "%(name)s is away in that time and has left things to somebody else. Name somebody who is here."
            )
            % {"name": delegate.name},
            code="delegate_away",
            field="delegate",
        )
    lent = next((one for one in found if one.delegate_id == person.pk), None)
    if lent is not None:
        raise Invalid(
            _(
                "%(name)s stands in for %(other)s in that time, and that cannot be left to a third person."
                " End that first, or choose another time."
            )
            % {"name": person.name, "other": lent.person.name},
            code="delegation_chain",
            field="starts_at",
        )


def _check_roles(person: Person, delegate: Person, starts_at: datetime, until: datetime) -> None:
    """Nobody holds two sign roles on one project and stage at once by standing in: names the first where they would."""
    others = [one.person for one in _meanwhile(starts_at, until).filter(delegate=delegate)]
    for lanes in _shared_lanes(person, [delegate, *others]):
        held = held_by_each([person, delegate, *others], lanes)
        for lane in lanes:
            lent = _roles(held[person.pk, lane.pk].own)
            besides = {
                role for one in (delegate, *others) for role in _roles(held[one.pk, lane.pk].own)
            } - lent
            if lent and besides:
                raise Invalid(
                    _(
                        "On %(project)s in %(stage)s %(delegate)s would sign for %(two)s at once: two roles in one"
                        " hand. Name somebody else."
                    )
                    % {
                        "project": lane.project.name,
                        "stage": lane.stage.name,
                        "delegate": delegate.name,
                        "two": _(" and ").join(_spoken(role) for role in sorted(lent | besides)),
                    },
                    code="two_roles",
                    field="delegate",
                    project=lane.project.key,
                    stage=lane.stage.slug,
                )


def _shared_lanes(person: Person, others: Sequence[Person]) -> Iterator[list[Lane]]:
    """Lanes on which the person and one of the others may sign, some hundred at a time."""
    reached = Q(pk__in=())
    for one in others:
        reached |= Q(pk__in=rights.lanes_with(one, [Right.SIGN]).values("pk"))
    shared = rights.lanes_with(person, [Right.SIGN]).filter(reached).order_by("pk")
    after = 0
    while lanes := list(shared.filter(pk__gt=after).select_related("project", "stage")[:AT_A_TIME]):
        yield lanes
        after = lanes[-1].pk


def _roles(names: frozenset[str]) -> frozenset[str]:
    return frozenset(name.removeprefix(SIGN_PREFIX) for name in names if name.startswith(SIGN_PREFIX))


def _spoken(role: str) -> str:
    return role.replace("-", " ")
