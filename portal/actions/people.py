"""Adds people and teams, and makes API tokens."""

import hashlib
import secrets
from collections.abc import Collection
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import Group
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _

from portal import ledger, memberships, rights
from portal.actions import grants
from portal.errors import Forbidden, Invalid
from portal.event_kinds import EventKind
from portal.models import Person, Project, Right, Team, Token
from portal.models.grant import CARRIED
from portal.models.person import Scope, spelled
from portal.prepared import prepared

TOKEN_NAME_LIMIT = 100
TOKEN_DAYS = 366
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


def add_from_directory(*, by: Person, login: str, name: str, email: str = "") -> Person:
    """Add a person whom a provider or directory vouches for: no right, no password. Who may is the caller's."""
    with ledger.business():
        return _add(
            by, login=login, name=name, email=email, password=None, zone="UTC", kind=Person.Kind.PERSON
        )


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
        raise taken(login)
    if password is not None:
        check_password(Person(login=spelled(login), name=name, email=email, kind=kind), password)
    try:
        with transaction.atomic():
            person = Person.objects.create_person(
                login, password=password, name=name, email=email, zone=zone, kind=kind
            )
    except ValidationError as error:
        if any(problem.code == "unique" for problem in error.error_dict.get("login", ())):
            raise taken(login) from error  # by somebody quicker
        field, problems = next(iter(error.message_dict.items()))
        raise Invalid(" ".join(problems), code="person_invalid", field=field) from error
    except IntegrityError as error:
        raise taken(login) from error
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


def check_password(person: Person, password: str) -> None:
    """Raise Invalid for a password that this person cannot have."""
    if person.kind == Person.Kind.SERVICE:
        raise Invalid(
            _(
                "A service account has no password: it gets in with API tokens alone. Leave the password empty."
            ),
            code="service_password",
            field="password",
        )
    try:
        validate_password(password, person)
    except ValidationError as error:
        raise Invalid(" ".join(error.messages), code="password_weak", field="password") from None


def change_person(
    *,
    by: Person,
    person: Person,
    name: str | None = None,
    email: str | None = None,
    zone: str | None = None,
) -> None:
    """Change how somebody is called, reached or in which zone they read times; None leaves a field as it is.

    An administrator's act; one's own zone is one's own. Names that were signed with stay in the record as they were.
    Raises Invalid naming the field.
    """
    if by.pk != person.pk or by.scope is not None or (name, email) != (None, None):
        rights.check_estate(by, Right.MANAGE)
    was = person.name
    wish = {"name": name, "email": email, "zone": zone}
    changed = [
        field for field, value in wish.items() if value is not None and value != getattr(person, field)
    ]
    if not changed:
        return
    for field in changed:
        setattr(person, field, wish[field])
    try:
        person.full_clean(exclude=["password", "login"], validate_unique=False)
    except ValidationError as error:
        person.refresh_from_db(fields=changed)
        field, problems = next(iter(error.message_dict.items()))
        raise Invalid(" ".join(problems), code="person_invalid", field=field) from error
    with ledger.business():
        person.save(update_fields=changed)
        ledger.record(
            EventKind.PERSON_CHANGED,
            by=by,
            project="",
            subject=f"person:{person.pk}",
            person=str(person.pk),
            name=person.name,
            was=was,
            changed=changed,
        )


def taken(login: str) -> Invalid:
    """The refusal of a login that somebody has."""
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


def join_team(*, by: Person, team: Team, person: Person, change: int | None = None) -> None:
    """Make a person a member; the team's rights are theirs at once. It is part of a change of rights (edits)."""
    rights.check_estate(by, Right.MANAGE)
    if not person.is_active or person.is_system:
        raise Invalid(
            _("%(name)s is disabled and cannot join a team.") % {"name": person.name},
            code="person_disabled",
            field="person",
        )
    with ledger.business():
        _one_at_a_time(person)
        memberships.admit(by=by, team=team, person=person, change=change)


def leave_team(*, by: Person, team: Team, person: Person, change: int | None = None) -> None:
    """End a membership, whoever gave it; the team's rights end for the person at once.

    What an identity provider gave comes back with the next sign-in, as long as the group is mapped. Raises Refused
    where it would leave nobody who manages the estate.
    """
    rights.check_estate(by, Right.MANAGE)
    with ledger.business():
        grants.lock_admins()
        _one_at_a_time(person)
        memberships.dismiss(by=by, team=team, person=person, change=change)
        grants.check_admin_left()


def _one_at_a_time(person: Person) -> None:
    """Of two who change somebody's teams at once, the second sees what the first did and records nothing of it."""
    Person.objects.select_for_update(no_key=True).get(pk=person.pk)


def make_token(
    *,
    by: Person,
    name: str,
    days: int = 90,
    carrying: Collection[str] | None = None,
    projects: Collection[Project] | None = None,
    person: Person | None = None,
) -> tuple[Token, str]:
    """Make an API token for oneself, or, as an administrator, for a service account (`person`).

    `carrying` are the rights it may use besides seeing (None: every one a token may carry), `projects` those it
    reaches (None: all of its person's). Returns the row and the token, which is shown once and kept only hashed.
    Raises Invalid naming the field, also for the name of a token that is in force.
    """
    person = person or by
    _check_maker(by, person)
    _check_token(name, days)
    carried = CARRIED if carrying is None else _carried(carrying)
    name = name.strip()
    secret = TOKEN_START + secrets.token_urlsafe(32)
    now = timezone.now()
    with ledger.business():
        # A page sent twice makes one token: who makes two at once waits here for the first.
        Person.objects.select_for_update(no_key=True).get(pk=person.pk)
        same = Token.objects.filter(person=person, name__iexact=name, revoked_at__isnull=True)
        if same.exclude(expires_at__lte=now).exists():
            raise Invalid(
                _("There is a token named “%(name)s” in force. Revoke it first, or choose another name.")
                % {"name": name},
                code="token_name_taken",
                field="name",
            )
        token = Token.objects.create(
            person=person,
            name=name,
            prefix=secret[:8],
            hashed=hashlib.sha256(secret.encode()).hexdigest(),
            rights=sorted(carried),
            every_project=projects is None,
            made_at=now,
            made_by=by,
            expires_at=now + timedelta(days=days),
        )
        token.projects.set(projects or ())
        ledger.record(
            EventKind.TOKEN_MADE,
            by=by,
            project="",
            subject=f"token:{token.pk}",
            person=str(person.pk),
            holder=person.name,
            prefix=token.prefix,
            name=token.name,
            rights=token.rights,
            projects=None if projects is None else sorted(project.key for project in projects),
            expires_at=token.expires_at.isoformat(),
        )
        return token, secret


def _check_maker(by: Person, person: Person) -> None:
    if by.scope is not None:
        raise Forbidden(
            _("A token makes no tokens. Sign in and make one on your account page."),
            code="token_makes_no_token",
        )
    if person.pk != by.pk:
        rights.check_estate(by, Right.MANAGE)
        if person.kind != Person.Kind.SERVICE:
            raise Forbidden(
                _("%(name)s makes their own tokens, on their account page.") % {"name": person.name},
                code="token_of_another",
            )
    if not person.is_active:
        raise Invalid(
            _("%(name)s is disabled, so a token would let nobody in. Enable the account first.")
            % {"name": person.name},
            code="person_disabled",
            field="person",
        )


def _check_token(name: str, days: int) -> None:
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
    if not 1 <= days <= TOKEN_DAYS:
        raise Invalid(
            _("A token lasts between 1 and %(most)s days.") % {"most": TOKEN_DAYS},
            code="token_days",
            field="days",
        )


def _carried(wanted: Collection[str]) -> set[str]:
    """These rights as a token carries them; to see is with every token, so it is not kept."""
    wrong = sorted(set(wanted) - CARRIED - {Right.VIEW.value})
    if wrong:
        raise Invalid(
            _("A token cannot carry “%(right)s”. It may carry: %(known)s; it never signs.")
            % {"right": wrong[0], "known": ", ".join(sorted(CARRIED))},
            code="token_rights",
            field="rights",
        )
    return set(wanted) - {Right.VIEW.value}


def revoke_token(*, by: Person, token: Token) -> None:
    """Revoke a token, at once and for good: one's own, or as an administrator anybody's.

    A token revokes itself alone.
    """
    if by.scope is not None and by.scope.token != token.pk:
        raise rights.absent()
    if token.person_id != by.pk and Right.MANAGE.value not in rights.on_estate(by):
        raise rights.absent()
    with ledger.business():
        end_tokens(by=by, tokens=Token.objects.filter(pk=token.pk))


def end_tokens(*, by: Person, tokens: QuerySet[Token]) -> None:
    """Revoke those of these tokens that are not, an event each; who may is the caller's to ask."""
    with ledger.business():
        for token in tokens.filter(revoked_at__isnull=True).select_for_update():
            token.revoked_at, token.revoked_by = timezone.now(), by
            token.save(update_fields=["revoked_at", "revoked_by"])
            ledger.record(
                EventKind.TOKEN_REVOKED,
                by=by,
                project="",
                subject=f"token:{token.pk}",
                person=str(token.person_id),
                prefix=token.prefix,
            )


@prepared
def _by_digest(hashed: Any) -> QuerySet[Token]:
    return Token.objects.select_related("person").filter(hashed=hashed, revoked_at__isnull=True)


@prepared
def _projects_of(token: Any) -> QuerySet[Any, int]:
    return Token.projects.through.objects.filter(token=token).values_list("project", flat=True)


def person_of_token(secret: str) -> Person | None:
    """The active person of a token that is in force, narrowed to the token's scope, or None.

    Writes down its last use, at most once a minute.
    """
    now = timezone.now()
    hashed = hashlib.sha256(secret.encode()).hexdigest()
    token = next(iter(_by_digest(hashed=hashed)), None)
    if token is None or token.expires_at <= now or not token.person.is_active:
        return None
    if token.used_at is None or now - token.used_at > timedelta(minutes=1):
        Token.objects.filter(pk=token.pk).update(used_at=now)
    person = token.person
    only = None if token.every_project else frozenset(_projects_of(token=token.pk))
    # Whatever the row says: a right that tokens may not carry counts for none.
    person.scope = Scope(frozenset(token.rights) & CARRIED, only, token.pk)
    return person
