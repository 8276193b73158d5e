"""Second factors: authenticator apps and passkeys, and the codes for the day when neither is at hand."""

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.models.person import Person


class Factor(models.Model):
    """Something a person has. An app's `secret` is kept encrypted; a passkey's `credential` is public.

    `counter` only grows: an app's last time step used, a passkey's count of signatures. Neither is taken twice.
    """

    class Kind(models.TextChoices):
        APP = "app", _("authenticator app")
        PASSKEY = "passkey", _("passkey")

    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="factors")
    kind = models.CharField(max_length=10, choices=Kind)
    name = models.CharField(max_length=100)
    secret = models.TextField(blank=True)
    credential_id = models.CharField(max_length=1400, null=True, blank=True, unique=True)
    credential = models.TextField(blank=True)
    counter = models.BigIntegerField(default=0)
    made_at = models.DateTimeField(default=timezone.now)
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("second factor")
        verbose_name_plural = _("second factors")
        ordering = ("made_at", "pk")
        constraints = (
            models.UniqueConstraint(fields=["person"], condition=Q(kind="app"), name="factor_one_app"),
            models.CheckConstraint(
                condition=(Q(kind="app") & ~Q(secret="") & Q(credential_id__isnull=True))
                | (Q(kind="passkey", secret="") & Q(credential_id__isnull=False) & ~Q(credential="")),
                name="factor_is_of_its_kind",
            ),
        )

    def __str__(self) -> str:
        return self.name


class RecoveryCode(models.Model):
    """A code that stands in for a second factor, once. Kept as a keyed digest."""

    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="recovery_codes")
    hashed = models.CharField(max_length=64)
    made_at = models.DateTimeField(default=timezone.now)
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("recovery code")
        verbose_name_plural = _("recovery codes")
        constraints = (
            models.UniqueConstraint(fields=["person", "hashed"], name="recovery_code_once"),
            models.CheckConstraint(
                condition=Q(hashed__regex=r"^[0-9a-f]{64}$"), name="recovery_code_is_hashed"
            ),
        )

    def __str__(self) -> str:
        return f"{self.person}"
