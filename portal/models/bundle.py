"""The bundle: the immutable thing that moves. Not in charge of fetching it: see portal/actions/bundles.py."""

from typing import Any

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.models.content import Content
from portal.models.estate import DSS_ID
from portal.models.person import Person
from portal.models.project import Project


class Bundle(models.Model):
    """An exported bundle of a project. Once registered, its digests never change."""

    AUTHOR_LIMIT = 150

    class Status(models.TextChoices):
        ASKED = "asked", _("being registered")
        REGISTERED = "registered", _("registered")
        FAILED = "failed", _("could not be registered")

    class Origin(models.TextChoices):
        EXPORTED = "exported", _("exported by the portal")
        PICKED = "picked", _("picked from the design node")

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="bundles")
    bundle_id = models.CharField(max_length=100, validators=[DSS_ID])
    origin = models.CharField(max_length=10, choices=Origin)
    notes = models.TextField(blank=True)
    status = models.CharField(max_length=12, choices=Status, default=Status.ASKED)
    asked_at = models.DateTimeField(default=timezone.now)
    asked_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    lease_until = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    registered_at = models.DateTimeField(null=True, blank=True)
    problem = models.TextField(blank=True, help_text=_("why it could not be registered"))
    author = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    author_in_dss = models.CharField(max_length=AUTHOR_LIMIT, blank=True)
    archive = models.CharField(max_length=64, blank=True, help_text=_("SHA-256 of the exported archive"))
    size = models.BigIntegerField(default=0)
    members = models.PositiveIntegerField(default=0)
    parts = models.JSONField(default=dict)
    manifest = models.ForeignKey(Content, on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        verbose_name = _("bundle")
        verbose_name_plural = _("bundles")
        ordering = ("-asked_at",)
        constraints = (
            models.UniqueConstraint(fields=("project", "bundle_id"), name="bundle_once_per_project"),
            models.CheckConstraint(
                condition=~Q(status="registered")
                | (
                    Q(archive__regex=r"^[0-9a-f]{64}$")
                    & Q(manifest__isnull=False)
                    & Q(registered_at__isnull=False)
                ),
                name="bundle_registered_has_digest",
            ),
        )

    def __str__(self) -> str:
        return self.bundle_id

    @property
    def subject(self) -> str:
        return f"bundle:{self.pk}"

    @property
    def is_registered(self) -> bool:
        return self.status == self.Status.REGISTERED

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Refuse to rewrite what was registered: signatures bind to it."""
        if self.pk and Bundle.objects.filter(pk=self.pk, status=self.Status.REGISTERED).exists():
            raise TypeError("a registered bundle never changes")
        super().save(*args, **kwargs)
