"""Who somebody is elsewhere: accounts at providers, memberships with their source, groups that map to teams."""

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.models.person import Person, Team


class Source(models.TextChoices):
    """Where a membership, or the name of a group, comes from."""

    LOCAL = "local", _("given by hand")
    OIDC = "oidc", _("OIDC")
    SAML = "saml", _("SAML")
    SCIM = "scim", _("SCIM")


class Identity(models.Model):
    """A person's account at an identity provider, by the subject that it never gives to anybody else."""

    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="identities")
    provider = models.CharField(max_length=10, choices=Source)
    subject = models.CharField(max_length=255)
    linked_at = models.DateTimeField(default=timezone.now)
    linked_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("identity")
        verbose_name_plural = _("identities")
        ordering = ("provider",)
        constraints = (
            models.UniqueConstraint(fields=["provider", "subject"], name="identity_of_one_person"),
            models.UniqueConstraint(fields=["person", "provider"], name="identity_one_per_provider"),
            models.CheckConstraint(
                condition=~Q(subject="") & ~Q(provider="local"), name="identity_elsewhere"
            ),
        )

    def __str__(self) -> str:
        return f"{self.provider}: {self.subject}"


class Membership(models.Model):
    """That somebody is in a team, and by whose word. The group of the team holds whoever has one from any source."""

    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="memberships")
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="memberships")
    source = models.CharField(max_length=10, choices=Source, default=Source.LOCAL)
    since = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        ordering = ("pk",)
        constraints = (
            models.UniqueConstraint(fields=["person", "team", "source"], name="membership_once_a_source"),
        )

    def __str__(self) -> str:
        return f"{self.person}: {self.team} ({self.source})"


class GroupMapping(models.Model):
    """That whoever is in a group elsewhere is in a team here. It gives rights, so it is made as a change."""

    provider = models.CharField(max_length=10, choices=Source)
    group = models.CharField(max_length=255, help_text=_("the group's name, letter by letter"))
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="mappings")
    made_at = models.DateTimeField(default=timezone.now)
    made_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")

    class Meta:
        verbose_name = _("group mapping")
        verbose_name_plural = _("group mappings")
        ordering = ("provider", "group", "pk")
        constraints = (
            models.UniqueConstraint(fields=["provider", "group", "team"], name="mapping_once"),
            models.CheckConstraint(condition=~Q(group="") & ~Q(provider="local"), name="mapping_elsewhere"),
        )

    def __str__(self) -> str:
        return f"{self.group}: {self.team}"


class DirectoryGroup(models.Model):
    """A group that a directory sent over SCIM. It gives nothing before an administrator maps its name to a team."""

    name = models.CharField(max_length=255, unique=True)
    external_id = models.CharField(max_length=255, blank=True)
    members = models.ManyToManyField(Person, blank=True, related_name="directory_groups")
    made_at = models.DateTimeField(default=timezone.now)
    made_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    changed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("directory group")
        verbose_name_plural = _("directory groups")
        ordering = ("pk",)

    def __str__(self) -> str:
        return self.name
