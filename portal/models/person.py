"""People, teams and API tokens. Not in charge of what they may do: see portal/rights.py."""

import functools
import unicodedata
import uuid
import zoneinfo
from dataclasses import dataclass
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, Group, PermissionsMixin
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

SYSTEM_LOGIN = "system"


@functools.cache
def _zones() -> frozenset[str]:
    """Every IANA time zone of this machine; the library looks through hundreds of files for them."""
    return frozenset(zoneinfo.available_timezones())


def check_zone(value: str) -> None:
    """Refuse what is not an IANA time zone."""
    if value not in _zones():
        raise ValidationError(
            _("“%(zone)s” is not a time zone; use a name such as Europe/Paris."), params={"zone": value}
        )


def spelled(login: str) -> str:
    """A login as it is kept: one spelling for what looks the same, in lower case."""
    return unicodedata.normalize("NFKC", login).strip().lower()


@dataclass(frozen=True, slots=True)
class Scope:
    """What a token narrows its person to: these rights, and these projects by id (None: all of theirs).

    Seeing is never narrowed away on the projects that are left, and nothing is ever added. `token` is the token's id.
    """

    rights: frozenset[str]
    projects: frozenset[int] | None = None
    token: int | None = None


class PersonManager(BaseUserManager["Person"]):
    """Makes people; logins are kept in lower case."""

    def get_by_natural_key(self, username: str | None) -> "Person":
        """The person who signs in under this login, in whatever case it is typed."""
        return self.get(login=spelled(username or ""))

    def create_person(self, login: str, *, password: str | None = None, **fields: Any) -> "Person":
        """Make a person; without a password they cannot sign in by password."""
        person = self.model(login=spelled(login), **fields)
        person.set_password(password)
        person.full_clean(exclude=["password"])
        person.save(using=self._db)
        return person

    def system(self) -> "Person":
        """The actor of what no person did."""
        person, _made = self.get_or_create(
            login=SYSTEM_LOGIN, defaults={"name": "Countersign", "kind": Person.Kind.SYSTEM, "password": "!"}
        )
        return person


class Person(AbstractBaseUser, PermissionsMixin):
    """Who acts: a person, a service account, or the system itself.

    `is_superuser` opens the read-only Django admin and decides nothing else.
    """

    class Kind(models.TextChoices):
        PERSON = "person", _("person")
        SERVICE = "service", _("service account")
        SYSTEM = "system", _("system")

    # Set on the one instance that acts through a token; portal/rights.py looks at it.
    scope: Scope | None = None
    # Set on the instance a session acts as: a team requires a second factor, and there is none.
    lacks_factor = False

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    login = models.CharField(_("login"), max_length=150, unique=True)
    name = models.CharField(_("name"), max_length=200)
    email = models.EmailField(_("e-mail"), blank=True)
    zone = models.CharField(_("time zone"), max_length=64, default="UTC", validators=[check_zone])
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.PERSON)
    is_active = models.BooleanField(default=True)
    joined_at = models.DateTimeField(default=timezone.now)

    USERNAME_FIELD = "login"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["name"]
    objects: ClassVar[PersonManager] = PersonManager()

    class Meta:
        verbose_name = _("person")
        verbose_name_plural = _("people")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    @property
    def is_staff(self) -> bool:
        """Whether the Django admin opens; it shows and never changes what the ledger protects."""
        return self.is_superuser

    @property
    def is_system(self) -> bool:
        return self.kind == self.Kind.SYSTEM

    def get_full_name(self) -> str:
        return self.name

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        """Nothing is permitted Django's way, to a superuser neither: what somebody may is portal.rights' to say."""
        return False

    def has_module_perms(self, app_label: str) -> bool:
        """As `has_perm`."""
        return False


class Team(models.Model):
    """A team, one-to-one with a Django group so that guardian's group rows serve it."""

    group = models.OneToOneField(Group, on_delete=models.CASCADE, related_name="team")
    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=150)
    requires_second_factor = models.BooleanField(default=False)

    class Meta:
        verbose_name = _("team")
        verbose_name_plural = _("teams")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    @property
    def members(self) -> models.QuerySet[Person]:
        return Person.objects.filter(groups=self.group_id)


class Token(models.Model):
    """A program's way in, acting for its person within `rights` and projects, until a day. Only its SHA-256 is kept.

    `rights` are values of Right; to see is always among them, to sign never. Without `every_project` it reaches
    `projects` alone, also where none of them is left.
    """

    class Status(models.TextChoices):
        ACTIVE = "active", _("active")
        EXPIRED = "expired", _("expired")
        REVOKED = "revoked", _("revoked")

    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=12, help_text=_("first characters, to recognise it"))
    hashed = models.CharField(max_length=64, unique=True)
    rights = models.JSONField(default=list, blank=True, help_text=_("what it may do besides seeing"))
    every_project = models.BooleanField(default=True)
    projects = models.ManyToManyField("portal.Project", related_name="+", blank=True)
    made_at = models.DateTimeField(default=timezone.now)
    made_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        verbose_name = _("token")
        verbose_name_plural = _("tokens")
        ordering = ("-made_at",)
        constraints = (
            models.CheckConstraint(condition=Q(hashed__regex=r"^[0-9a-f]{64}$"), name="token_is_hashed"),
            models.CheckConstraint(condition=Q(expires_at__gt=F("made_at")), name="token_ends"),
            models.CheckConstraint(
                condition=Q(revoked_at__isnull=True, revoked_by__isnull=True)
                | Q(revoked_at__isnull=False, revoked_by__isnull=False),
                name="token_revoked_paired",
            ),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def status(self) -> "Token.Status":
        """Whether it lets anybody in."""
        if self.revoked_at is not None:
            return self.Status.REVOKED
        return self.Status.ACTIVE if self.expires_at > timezone.now() else self.Status.EXPIRED
