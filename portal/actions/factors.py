"""Adds and removes second factors, makes recovery codes, and says which teams require one."""

import secrets

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from portal import factors, ledger, rights
from portal.actions import accounts
from portal.errors import Forbidden, Invalid, Refused
from portal.event_kinds import EventKind
from portal.let_in import APART
from portal.models import Event, Factor, PasswordReset, Person, RecoveryCode, Right, Team

NAME_LIMIT = 100
CODES = 10


def add_app(*, by: Person, secret: str, code: str, name: str, keep: str = "") -> list[str]:
    """Add an authenticator app that showed this code. Returns recovery codes where it is the first factor, else none.

    Other sessions (but `keep`) end. Raises Invalid naming `code` or `name`.
    """
    step = factors.step_of(secret, code)
    if step is None:
        raise Invalid(
            _(
                "This code does not fit. Read the next one from your app; its clock and the portal's have to agree."
            ),
            code="code_wrong",
            field="code",
        )
    return _add(
        by,
        Factor(
            person=by, kind=Factor.Kind.APP, name=_named(name), secret=factors.sealed(secret), counter=step
        ),
        keep,
    )


def add_passkey(
    *, by: Person, credential_id: str, credential: str, counter: int, name: str, keep: str = ""
) -> list[str]:
    """Add a passkey that answered. As `add_app`."""
    return _add(
        by,
        Factor(
            person=by,
            kind=Factor.Kind.PASSKEY,
            name=_named(name),
            credential_id=credential_id,
            credential=credential,
            counter=counter,
        ),
        keep,
    )


def _add(by: Person, factor: Factor, keep: str) -> list[str]:
    with ledger.business():
        Person.objects.select_for_update(no_key=True).get(pk=by.pk)
        first = not factors.has_one(by)
        try:
            with transaction.atomic():
                factor.save()
        except IntegrityError:
            raise Refused(
                _("You have this already. Remove the old one first, then add it again."), code="factor_there"
            ) from None
        ledger.record(
            EventKind.FACTOR_ADDED,
            by=by,
            project="",
            subject=f"person:{by.pk}",
            factor=factor.pk,
            kind=factor.kind,
            name=factor.name,
        )
        accounts.end_sessions(by=by, keep=keep)
        return make_codes(by=by) if first else []


def make_codes(*, by: Person) -> list[str]:
    """Make recovery codes, in place of those there were. Returns them, to be shown once; kept as keyed digests."""
    if not factors.has_one(by):
        raise Refused(
            _("Recovery codes stand in for a second factor. Add an authenticator app or a passkey first."),
            code="factor_none",
        )
    codes = [
        "-".join(
            "".join(secrets.choice(accounts.CODE_LETTERS) for _letter in range(5)) for _group in range(2)
        )
        for _code in range(CODES)
    ]
    with ledger.business():
        RecoveryCode.objects.filter(person=by).delete()
        RecoveryCode.objects.bulk_create(
            RecoveryCode(person=by, hashed=factors.recovery_digest(by, code)) for code in codes
        )
        ledger.record(EventKind.CODES_MADE, by=by, project="", subject=f"person:{by.pk}", count=len(codes))
        return codes


def remove(*, by: Person, factor: Factor) -> None:
    """Remove a second factor of one's own. Raises Refused for the last one where a team requires one."""
    if factor.person_id != by.pk:
        raise rights.absent()
    with ledger.business():
        Person.objects.select_for_update(no_key=True).get(pk=by.pk)
        others = Factor.objects.filter(person=by).exclude(pk=factor.pk).exists()
        teams = factors.requiring(by)
        if teams and not others:
            raise Refused(
                _("%(team)s requires a second factor, and this is your last. Add another first.")
                % {"team": teams[0].name},
                code="factor_last",
            )
        _removed(by, by, [factor])


def remove_all(*, by: Person, person: Person, why: str) -> None:
    """Take somebody's second factors off, as an administrator: they lost them. Their sessions end.

    Raises Forbidden for one's own, and for who lately reset their password or linked an account elsewhere to them:
    whoever does both can sign in as them.
    """
    rights.check_estate(by, Right.MANAGE)
    if not why.strip():
        raise Invalid(
            _("Say why; whoever reviews accounts later reads this."), code="why_missing", field="why"
        )
    if by.pk == person.pk:
        raise Forbidden(
            _(
                "Your own second factors are on your account page. If you lost them, another administrator helps."
            ),
            code="factors_own",
        )
    since = timezone.now() - APART
    linked = Event.objects.filter(
        subject=f"person:{person.pk}", kind=EventKind.IDENTITY_LINKED.value, actor=by.pk, at__gte=since
    )
    if (
        PasswordReset.objects.filter(person=person, made_by=by, made_at__gte=since).exists()
        or linked.exists()
    ):
        raise accounts.apart()
    with ledger.business():
        _removed(by, person, list(Factor.objects.filter(person=person)), why.strip()[:500])
        accounts.end_sessions(by=by, person=person)


def require(*, by: Person, team: Team, required: bool) -> None:
    """Say whether a team's members need a second factor; whoever lacks one is led to set it up before anything else."""
    rights.check_estate(by, Right.MANAGE)
    with ledger.business():
        if (
            not Team.objects.filter(pk=team.pk)
            .exclude(requires_second_factor=required)
            .update(requires_second_factor=required)
        ):
            return
        team.requires_second_factor = required
        ledger.record(
            EventKind.TEAM_FACTOR,
            by=by,
            project="",
            subject=f"team:{team.pk}",
            team=team.slug,
            name=team.name,
            required="requires" if required else "does not require",
        )


def _removed(by: Person, person: Person, found: list[Factor], why: str = "") -> None:
    for factor in found:
        ledger.record(
            EventKind.FACTOR_REMOVED,
            by=by,
            project="",
            subject=f"person:{person.pk}",
            person=str(person.pk),
            name=person.name,
            factor=factor.pk,
            kind=factor.kind,
            why=why,
        )
        factor.delete()
    if not factors.has_one(person):
        RecoveryCode.objects.filter(person=person).delete()


def _named(name: str) -> str:
    name = name.strip()
    if not name or len(name) > NAME_LIMIT:
        raise Invalid(
            _("Give it a name of at most %(limit)s characters, so that you know it again.")
            % {"limit": NAME_LIMIT},
            code="factor_unnamed",
            field="name",
        )
    return name
