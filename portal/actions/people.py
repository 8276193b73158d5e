"""Adds people and teams, and makes API tokens."""

import hashlib
import secrets
from datetime import timedelta

from django.contrib.auth.models import Group
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _

from portal import ledger, rights
from portal.errors import Forbidden, Invalid
from portal.event_kinds import EventKind
from portal.models import Person, Right, Team, Token
from portal.models.person import spelled

TOKEN_NAME_LIMIT = 100
TOKEN_START = "csn_"  # noqa: S105 - a prefix, no secret


def add_person(
    *,
    by: Person,
    login: str,
    name: str,
    email: str = "",
    password: str | None = None,
    zone: str = "UTC",
    kind: str = "person",
) -> Person:
    """Add a person or service account; an admin's act. Raises Invalid naming the field."""
    rights.check_estate(by, Right.MANAGE)
    with ledger.business():
        return _add(by, login=login, name=name, email=email, password=password, zone=zone, kind=kind)


def make_admin(
    *, by: Person, login: str, name: str, password: str, zone: str = "UTC", superuser: bool = False
) -> Person:
    """Make the first administrators, from the command line: a person with `manage` on the estate.

    Somebody known keeps their name and password; an administrator stays as they are. With `superuser` the look-only
    Django admin opens to them too. Raises Invalid for somebody who cannot be one.
    """
    if not by.is_system:
        raise Forbidden(
            _("Administrators are made on the command line: manage.py create_admin."),
            code="command_line_only",
        )
    with ledger.business():
        person = Person.objects.filter(login=spelled(login)).first()
        if person is None:
            person = _add(
                by, login=login, name=name, email="", password=password, zone=zone, kind=Person.Kind.PERSON
            )
        elif person.kind != Person.Kind.PERSON or not person.is_active:
            raise Invalid(
                _("“%(login)s” is a disabled or a technical account. Choose the login of an active person.")
                % {"login": person.login},
                code="person_unfit",
                field="login",
            )
        looks = superuser and not person.is_superuser
        if looks:
            person.is_superuser = True
            person.save(update_fields=["is_superuser"])
        if Right.MANAGE.value in rights.on_estate(person) and not looks:
            return person
        ledger.record(
            EventKind.ADMIN_MADE,
            by=by,
            project="",
            subject=f"person:{person.pk}",
            person=str(person.pk),
            name=person.name,
        )
        return person


def _add(
    by: Person, *, login: str, name: str, email: str, password: str | None, zone: str, kind: str
) -> Person:
    if kind == Person.Kind.SYSTEM:
        raise Invalid(
            _("There is one system account only, the portal's own. Add a person or a service account."),
            code="person_kind",
            field="kind",
        )
    if Person.objects.filter(login=spelled(login)).exists():
        raise _taken(login)
    if password is not None:
        try:
            validate_password(password, Person(login=spelled(login), name=name, email=email))
        except ValidationError as error:
            raise Invalid(" ".join(error.messages), code="password_weak", field="password") from None
    try:
        with transaction.atomic():
            person = Person.objects.create_person(
                login, password=password, name=name, email=email, zone=zone, kind=kind
            )
    except ValidationError as error:
        if any(problem.code == "unique" for problem in error.error_dict.get("login", ())):
            raise _taken(login) from error  # by somebody quicker
        field, problems = next(iter(error.message_dict.items()))
        raise Invalid(" ".join(problems), code="person_invalid", field=field) from error
    except IntegrityError as error:
        raise _taken(login) from error
    ledger.record(
        EventKind.PERSON_ADDED,
        by=by,
        project="",
        subject=f"person:{person.pk}",
        person=str(person.pk),
        name=person.name,
        login=person.login,
        kind=person.kind,
    )
    return person


def _taken(login: str) -> Invalid:
    return Invalid(
        _("The login “%(login)s” is taken; choose another.") % {"login": login},
        code="login_taken",
        field="login",
    )


def add_team(*, by: Person, name: str, slug: str = "") -> Team:
    """Add a team with its group. Raises Invalid naming the field."""
    rights.check_estate(by, Right.MANAGE)
    slug = slug or slugify(name)
    if not slug:
        raise Invalid(_("Give the team a name with letters or digits."), code="team_unnamed", field="name")
    team = Team(slug=slug, name=name)
    try:
        team.full_clean(exclude=["group"], validate_unique=False)
    except ValidationError as error:
        field, problems = next(iter(error.message_dict.items()))
        raise Invalid(" ".join(problems), code="team_invalid", field=field) from error
    with ledger.business():
        try:
            with transaction.atomic():
                team.group = Group.objects.create(name=slug)
                team.save()
        except IntegrityError as error:
            raise Invalid(
                _("There is a team “%(slug)s” already; choose another name.") % {"slug": slug},
                code="team_taken",
                field="name",
            ) from error
        ledger.record(
            EventKind.TEAM_ADDED, by=by, project="", subject=f"team:{team.pk}", team=slug, name=name
        )
        return team


def join_team(*, by: Person, team: Team, person: Person) -> None:
    """Make a person a member; the team's rights are theirs at once."""
    rights.check_estate(by, Right.MANAGE)
    if not person.is_active or person.is_system:
        raise Invalid(
            _("%(name)s is disabled and cannot join a team.") % {"name": person.name},
            code="person_disabled",
            field="person",
        )
    with ledger.business():
        _one_at_a_time(person)
        if person.groups.filter(pk=team.group_id).exists():
            return
        person.groups.add(team.group)
        _member(EventKind.TEAM_JOINED, by, team, person)


def leave_team(*, by: Person, team: Team, person: Person) -> None:
    """End a membership; the team's rights end for the person at once."""
    rights.check_estate(by, Right.MANAGE)
    with ledger.business():
        _one_at_a_time(person)
        if person.groups.filter(pk=team.group_id).exists():
            person.groups.remove(team.group)
            _member(EventKind.TEAM_LEFT, by, team, person)


def _one_at_a_time(person: Person) -> None:
    """Of two who change somebody's teams at once, the second sees what the first did and records nothing of it."""
    Person.objects.select_for_update(no_key=True).get(pk=person.pk)


def _member(kind: EventKind, by: Person, team: Team, person: Person) -> None:
    ledger.record(
        kind,
        by=by,
        project="",
        subject=f"team:{team.pk}",
        team=team.slug,
        person=str(person.pk),
        name=person.name,
    )


def signed_in(*, by: Person, method: str = "password") -> None:
    """Write down that somebody signed in."""
    with ledger.business():
        ledger.record(EventKind.SIGNED_IN, by=by, project="", subject=f"person:{by.pk}", method=method)


def make_token(*, by: Person, name: str, days: int | None = 90) -> tuple[Token, str]:
    """Make an API token for oneself. Returns the row and the token, which is shown once and kept only hashed.

    Raises Invalid naming the field, also for the name of a token of one's own that is in force.
    """
    if not name.strip():
        raise Invalid(
            _("Give the token a name that says what it is for."), code="token_unnamed", field="name"
        )
    if len(name) > TOKEN_NAME_LIMIT:
        raise Invalid(
            _("Give the token a shorter name, of at most %(limit)s characters.")
            % {"limit": TOKEN_NAME_LIMIT},
            code="token_name_long",
            field="name",
        )
    if days is not None and not 1 <= days <= 366:
        raise Invalid(_("A token lasts between 1 and 366 days."), code="token_days", field="days")
    name = name.strip()
    secret = TOKEN_START + secrets.token_urlsafe(32)
    with ledger.business():
        # A page sent twice makes one token: who makes two at once waits here for the first.
        Person.objects.select_for_update(no_key=True).get(pk=by.pk)
        same = Token.objects.filter(person=by, name__iexact=name, revoked_at__isnull=True)
        if same.exclude(expires_at__lte=timezone.now()).exists():
            raise Invalid(
                _("You have a token named “%(name)s” in force. Revoke it first, or choose another name.")
                % {"name": name},
                code="token_name_taken",
                field="name",
            )
        token = Token.objects.create(
            person=by,
            name=name,
            prefix=secret[:8],
            hashed=hashlib.sha256(secret.encode()).hexdigest(),
            expires_at=None if days is None else timezone.now() + timedelta(days=days),
        )
        ledger.record(
            EventKind.TOKEN_MADE,
            by=by,
            project="",
            subject=f"token:{token.pk}",
            prefix=token.prefix,
            name=name,
            expires_at=token.expires_at and token.expires_at.isoformat(),
        )
        return token, secret


def revoke_token(*, by: Person, token: Token) -> None:
    """Revoke one's own token, at once and for good."""
    if token.person_id != by.pk:
        raise rights.absent()
    with ledger.business():
        if Token.objects.filter(pk=token.pk, revoked_at__isnull=True).update(revoked_at=timezone.now()):
            ledger.record(
                EventKind.TOKEN_REVOKED, by=by, project="", subject=f"token:{token.pk}", prefix=token.prefix
            )


def person_of_token(secret: str) -> Person | None:
    """The active person of a token that is in force, or None. Writes down its last use at most once a minute."""
    now = timezone.now()
    hashed = hashlib.sha256(secret.encode()).hexdigest()
    token = Token.objects.select_related("person").filter(hashed=hashed, revoked_at__isnull=True).first()
    if token is None or (token.expires_at and token.expires_at <= now) or not token.person.is_active:
        return None
    if token.used_at is None or now - token.used_at > timedelta(minutes=1):
        Token.objects.filter(pk=token.pk).update(used_at=now)
    return token.person
