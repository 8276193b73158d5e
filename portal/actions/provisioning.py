"""What a directory says over SCIM: joiners, movers and leavers, and its groups. By a service account with the right to.

It reaches the people it brought, and nobody else: an administrator made here is not its to rename or to shut. What a
group means here, an administrator has mapped. Not in charge of the protocol: portal/scim.py.
"""

from collections.abc import Collection
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from portal import directory, ledger, rights
from portal.actions import accounts, grants, people
from portal.errors import Forbidden, Invalid
from portal.event_kinds import EventKind
from portal.models import DirectoryGroup, Event, Identity, Person, Right
from portal.models.identity import Source
from portal.models.person import check_zone, spelled

LEFT = "The directory says that they left."
BACK = "The directory says that they are back."


@dataclass(frozen=True, slots=True)
class Wish:
    """How the directory wants a person to be."""

    login: str
    name: str
    email: str = ""
    zone: str = "UTC"
    active: bool = True
    external_id: str = ""


def check(by: Person) -> None:
    """Raise Forbidden unless this is a service account with the right to provision."""
    if by.kind != Person.Kind.SERVICE:
        raise Forbidden(
            _("People are brought by a service account, not by a person. Use a token of one."),
            code="only_service_provisions",
        )
    rights.check_estate(by, Right.PROVISION)


def brought() -> QuerySet[Person]:
    """The people a directory brought."""
    return Person.objects.filter(identities__provider=Source.SCIM, kind=Person.Kind.PERSON)


def add_person(*, by: Person, wish: Wish) -> Person:
    """Add a person that the directory brings, without any right. Raises Invalid naming the field."""
    check(by)
    _check_wish(wish)
    with ledger.business():
        person = people.add_from_directory(by=by, login=wish.login, name=wish.name, email=wish.email)
        if wish.zone != person.zone:
            Person.objects.filter(pk=person.pk).update(zone=wish.zone)
            person.zone = wish.zone
        _known_as(by, person, wish.external_id)
        if not wish.active:
            accounts.shut(by=by, persons=[person], why=LEFT)
        return person


def change_person(*, by: Person, person: Person, wish: Wish) -> None:
    """Let a person the directory brought be as it says; a leaver is out at once, sessions and tokens with them.

    Whom an administrator here disabled stays so: most directories say of everybody, with every change, that they are
    active, and what was taken from somebody here would come back with the next new address.
    """
    check(by)
    _check_wish(wish)
    login = spelled(wish.login)
    fields = {"login": login, "name": wish.name, "email": wish.email, "zone": wish.zone}
    with ledger.business():
        current = Person.objects.select_for_update(no_key=True).get(pk=person.pk)
        changed = {name: value for name, value in fields.items() if getattr(current, name) != value}
        if "login" in changed and Person.objects.filter(login=login).exclude(pk=person.pk).exists():
            raise people.taken(login)
        if changed:
            try:
                with transaction.atomic():
                    Person.objects.filter(pk=person.pk).update(**changed)
            except IntegrityError:
                raise people.taken(login) from None  # by somebody quicker
            ledger.record(
                EventKind.PERSON_CHANGED,
                by=by,
                project="",
                subject=f"person:{person.pk}",
                person=str(person.pk),
                name=wish.name,
                was=current.name,
                changed=sorted(changed),
            )
        for name, value in fields.items():
            setattr(person, name, value)
        _known_as(by, person, wish.external_id)
        if current.is_active and not wish.active:
            accounts.shut(by=by, persons=[person], why=LEFT)
        elif wish.active and not current.is_active and _shut_by_directory(person):
            accounts.reopen(by=by, person=person, why=BACK)
        now = Person.objects.get(pk=person.pk).is_active
        if current.is_active != now:
            person.is_active = now
            directory.refresh_person(by=by, person=person)


def drop_person(*, by: Person, person: Person) -> None:
    """The directory does not know the person any more: shut, out of its groups, and not its to change again."""
    check(by)
    with ledger.business():
        accounts.shut(by=by, persons=[person], why=LEFT)
        person.is_active = False
        person.directory_groups.clear()
        directory.refresh_person(by=by, person=person)
        Identity.objects.filter(person=person, provider=Source.SCIM).delete()
        ledger.record(
            EventKind.IDENTITY_UNLINKED,
            by=by,
            project="",
            subject=f"person:{person.pk}",
            person=str(person.pk),
            name=person.name,
            provider=Source.SCIM.value,
        )


def put_group(
    *,
    by: Person,
    name: str,
    members: Collection[Person],
    external_id: str = "",
    group: DirectoryGroup | None = None,
) -> DirectoryGroup:
    """Add a group, or let one be as the directory says; its members are in the teams it was mapped to."""
    check(by)
    name = name.strip()
    if not name or len(name) > 255 or len(external_id) > 255:
        raise Invalid(
            _("Give the group a name of at most 255 characters."), code="group_invalid", field="displayName"
        )
    with ledger.business():
        before: set[Person] = set()
        renamed = group is not None and group.name != name
        if group is not None:
            group = DirectoryGroup.objects.select_for_update().get(pk=group.pk)
            before = set(group.members.all())
        group = group or DirectoryGroup(made_by=by)
        group.name, group.external_id, group.changed_at = name, external_id, timezone.now()
        try:
            with transaction.atomic():
                group.save()
        except IntegrityError:
            raise Invalid(
                _("There is a group “%(name)s” already.") % {"name": name},
                code="group_taken",
                field="displayName",
            ) from None
        after = set(members)
        group.members.set(after)
        ledger.record(
            EventKind.DIRECTORY_GROUP,
            by=by,
            project="",
            subject=f"group:{group.pk}",
            group=name,
            joined=sorted(str(person.pk) for person in after - before),
            left=sorted(str(person.pk) for person in before - after),
        )
        moved = sorted(before | after if renamed else before ^ after, key=lambda one: str(one.pk))
        with grants.keeping_an_admin(before):
            for person in moved:
                directory.refresh_person(by=by, person=person)
        return group


def drop_group(*, by: Person, group: DirectoryGroup) -> None:
    """The directory does not know the group any more: the memberships that came from it end."""
    check(by)
    with ledger.business():
        members = list(group.members.order_by("pk"))
        ledger.record(
            EventKind.DIRECTORY_GROUP,
            by=by,
            project="",
            subject=f"group:{group.pk}",
            group=group.name,
            joined=[],
            left=[str(person.pk) for person in members],
        )
        group.delete()
        with grants.keeping_an_admin(members):
            for person in members:
                directory.refresh_person(by=by, person=person)


def _shut_by_directory(person: Person) -> bool:
    """Whether it was a directory that shut the account, the last time that somebody did."""
    kinds = [EventKind.PERSON_DISABLED.value, EventKind.PERSON_LEFT.value]
    last = Event.objects.filter(subject=f"person:{person.pk}", kind__in=kinds).order_by("-seq").first()
    return last is not None and Person.objects.filter(pk=last.actor, kind=Person.Kind.SERVICE).exists()


def _known_as(by: Person, person: Person, external_id: str) -> None:
    """Keep the directory's own id of a person; without one, ours stands in for it."""
    subject = external_id or str(person.pk)
    known = Identity.objects.filter(person=person, provider=Source.SCIM).first()
    if known is not None and known.subject == subject:
        return
    try:
        with transaction.atomic():
            if known is None:
                Identity.objects.create(person=person, provider=Source.SCIM, subject=subject, linked_by=by)
            else:
                Identity.objects.filter(pk=known.pk).update(subject=subject)
    except IntegrityError:
        raise Invalid(
            _("Somebody else has this externalId already."), code="external_id_taken", field="externalId"
        ) from None
    ledger.record(
        EventKind.IDENTITY_LINKED,
        by=by,
        project="",
        subject=f"person:{person.pk}",
        person=str(person.pk),
        name=person.name,
        provider=Source.SCIM.value,
        account=subject,
        first=False,  # nobody signs in by what a directory calls them
    )


def _check_wish(wish: Wish) -> None:
    for field, value, limit in (
        ("userName", wish.login, 150),
        ("displayName", wish.name, 200),
        ("externalId", wish.external_id or "-", 255),
    ):
        if not value.strip() or len(value) > limit:
            raise Invalid(
                _("%(field)s has to have between 1 and %(limit)s characters.")
                % {"field": field, "limit": limit},
                code="person_invalid",
                field=field,
            )
    try:
        check_zone(wish.zone)
        if wish.email:
            validate_email(wish.email)
    except ValidationError as error:
        raise Invalid(" ".join(error.messages), code="person_invalid", field="emails") from None
