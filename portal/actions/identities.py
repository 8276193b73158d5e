"""Lets in who an identity provider says is there: finds or adds the person by the subject, and refreshes their teams.

What the provider says is told, not believed: a group counts only where an administrator mapped it. Not in charge of
whether it really was the provider who said so: portal/sso.py and allauth check that.
"""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from portal import ledger, memberships, rights
from portal.actions import accounts, grants, people
from portal.errors import Forbidden, Invalid, Refused
from portal.event_kinds import EventKind
from portal.let_in import never_came
from portal.models import GroupMapping, Identity, Person, Right, Team
from portal.models.identity import Source
from portal.models.person import spelled

# More groups than anybody is in: a provider that says so is wrong, and reading them costs.
GROUPS_AT_MOST = 2_000
SUBJECT_LIMIT = 255


@dataclass(frozen=True, slots=True)
class Told:
    """What a provider says of somebody: `subject` never changes; `groups` is whatever stood in its place."""

    provider: str
    subject: str
    login: str = ""
    name: str = ""
    email: str = ""
    groups: Any = None


def arrive(*, by: Person, told: Told) -> Person:
    """The person of this subject, with the teams that their groups map to, now. `by` is the system.

    Raises Refused, changing nothing, for an account that may not sign in, for groups that cannot be read, for groups
    without which nobody would manage the estate any more, and for somebody new whose login is somebody else's: nobody
    is linked by login or e-mail.
    """
    groups = read_groups(told.groups)
    identity = (
        Identity.objects.select_related("person").filter(provider=told.provider, subject=told.subject).first()
    )
    with ledger.business():
        person = identity.person if identity else _added(by, told)
        if not person.is_active or person.kind != Person.Kind.PERSON:
            raise Forbidden(
                _("Your account here is disabled, so you are not let in. Ask an administrator."),
                code="account_shut",
                person=str(person.pk),
            )
        Identity.objects.filter(provider=told.provider, subject=told.subject).update(used_at=timezone.now())
        Person.objects.select_for_update(no_key=True).get(pk=person.pk)
        with grants.keeping_an_admin([person]):
            memberships.refresh(
                by=by, person=person, source=told.provider, teams=mapped(told.provider, groups)
            )
        return person


def read_groups(value: Any) -> list[str]:
    """The names in what stood for groups; absent is none. Raises Refused for what is no list of texts, or too long."""
    if value is None:
        return []
    if isinstance(value, str):
        value = [value]
    if (
        not isinstance(value, list | tuple)
        or len(value) > GROUPS_AT_MOST
        or not all(isinstance(one, str) for one in value)
    ):
        raise Refused(
            _(
                "What your organisation says of your groups cannot be read, so you are not let in and nothing was"
                " changed. Tell an administrator."
            ),
            code="groups_unreadable",
        )
    return list(value)


def mapped(provider: str, groups: list[str]) -> list[Team]:
    """The teams that these groups map to; a group nobody mapped is nothing."""
    known = GroupMapping.objects.filter(provider=provider).select_related("team__group")
    said = set(groups)
    return list({row.team_id: row.team for row in known if row.group in said}.values())


def _added(by: Person, told: Told) -> Person:
    """A new person without any right, linked to the subject."""
    if not settings.SSO_ADDS_PEOPLE:
        raise Refused(
            _("Nobody here is known to be you. Ask an administrator to add you and to link your account."),
            code="person_not_here",
        )
    login = spelled(told.login) or spelled(told.email) or spelled(told.subject)
    if not told.subject or len(told.subject) > SUBJECT_LIMIT:
        raise _unusable()
    if Person.objects.filter(login=login).exists():
        raise Refused(
            _(
                "Somebody here has the login “%(login)s” already, and accounts are not joined by their names."
                " If that is you, ask an administrator to link your account."
            )
            % {"login": login},
            code="login_of_another",
        )
    email = told.email
    try:
        validate_email(email)
    except ValidationError:
        email = ""
    try:
        person = people.add_from_directory(
            by=by, login=login[:150], name=told.name[:200] or login, email=email
        )
    except Invalid as refusal:
        raise _unusable() from refusal
    _link(by, person, told.provider, told.subject)
    return person


def _unusable() -> Refused:
    return Refused(
        _("What your organisation says of you cannot be used for an account here. Tell an administrator."),
        code="claims_unusable",
    )


def link(*, by: Person, person: Person, provider: str, subject: str) -> Identity:
    """Say that a subject at a provider is this person; an administrator's act.

    Raises Invalid naming the field, Forbidden for who lately took their second factors off.
    """
    rights.check_estate(by, Right.MANAGE)
    if provider not in (Source.OIDC, Source.SAML):
        raise Invalid(_("Choose OIDC or SAML."), code="provider_unknown", field="provider")
    subject = subject.strip()
    if not subject or len(subject) > SUBJECT_LIMIT:
        raise Invalid(
            _("Give the subject as the provider names it, of at most %(limit)s characters.")
            % {"limit": SUBJECT_LIMIT},
            code="subject_invalid",
            field="subject",
        )
    if person.kind != Person.Kind.PERSON:
        raise Invalid(
            _("%(name)s is no person, and only people sign in.") % {"name": person.name},
            code="person_unfit",
            field="person",
        )
    accounts.check_apart(by, person)
    with ledger.business():
        try:
            with transaction.atomic():
                return _link(by, person, provider, subject)
        except IntegrityError:
            raise Invalid(
                _(
                    "This subject is linked already, or the person is linked to another there. Unlink that first."
                ),
                code="identity_there",
                field="subject",
            ) from None


def unlink(*, by: Person, identity: Identity) -> None:
    """End a link, the memberships and sessions that came by it, and tokens that may be somebody else's."""
    rights.check_estate(by, Right.MANAGE)
    with ledger.business():
        with grants.keeping_an_admin([identity.person]):
            memberships.refresh(by=by, person=identity.person, source=identity.provider, teams=())
        ledger.record(
            EventKind.IDENTITY_UNLINKED,
            by=by,
            project="",
            subject=f"person:{identity.person_id}",
            person=str(identity.person_id),
            name=identity.person.name,
            provider=identity.provider,
        )
        accounts.end_way(by=by, person=identity.person, method=identity.provider)
        identity.delete()


def _link(by: Person, person: Person, provider: str, subject: str) -> Identity:
    first = never_came(person)
    identity = Identity.objects.create(person=person, provider=provider, subject=subject, linked_by=by)
    ledger.record(
        EventKind.IDENTITY_LINKED,
        by=by,
        project="",
        subject=f"person:{person.pk}",
        person=str(person.pk),
        name=person.name,
        provider=provider,
        account=subject,
        first=first,
    )
    return identity


def note_failure(*, by: Person, provider: str, code: str) -> None:
    """Write down that a provider is away or said what cannot be believed. The caller bounds how often."""
    with ledger.business():
        ledger.record(
            EventKind.PROVIDER_FAILED, by=by, project="", subject="estate:", provider=provider, code=code
        )
