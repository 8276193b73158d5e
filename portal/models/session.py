"""Sessions of those who signed in, tries that failed, and codes to set a password with. Keys only as digests."""

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.models.person import Person


class Session(models.Model):
    """One browser: what it holds (signed by Django) and, once somebody signed in there, who, how, when and from where.

    `hashed` is the SHA-256 of the cookie: a copy of the table lets nobody in. It ends at `expires_at`, which moves with
    use (`seen_at`) but never past the longest a sign-in may last since `begun_at`.
    """

    hashed = models.CharField(max_length=64, unique=True)
    data = models.TextField()
    person = models.ForeignKey(
        Person, on_delete=models.CASCADE, null=True, blank=True, related_name="sessions"
    )
    method = models.CharField(max_length=20, blank=True, help_text=_("how they signed in"))
    address = models.CharField(max_length=45, blank=True)
    browser = models.CharField(max_length=100, blank=True)
    begun_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name = _("session")
        verbose_name_plural = _("sessions")
        ordering = ("-seen_at",)
        constraints = (
            models.CheckConstraint(condition=Q(hashed__regex=r"^[0-9a-f]{64}$"), name="session_is_hashed"),
        )

    def __str__(self) -> str:
        return f"{self.pk}"


class Tries(models.Model):
    """Failed tries of one login or from one address since an instant. `key` is a keyed digest: it names nobody."""

    key = models.CharField(max_length=64, primary_key=True)
    count = models.PositiveIntegerField(default=0)
    since = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("failed tries")
        verbose_name_plural = _("failed tries")

    def __str__(self) -> str:
        return f"{self.count}"


class PasswordReset(models.Model):
    """A code by which a person sets their password anew, once, until `expires_at`. Only its SHA-256 is kept."""

    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="resets")
    hashed = models.CharField(max_length=64, unique=True)
    made_at = models.DateTimeField(default=timezone.now)
    made_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("password reset")
        verbose_name_plural = _("password resets")
        ordering = ("-made_at",)
        constraints = (
            models.CheckConstraint(condition=Q(hashed__regex=r"^[0-9a-f]{64}$"), name="reset_is_hashed"),
            models.CheckConstraint(condition=Q(expires_at__gt=F("made_at")), name="reset_ends"),
            models.CheckConstraint(condition=~Q(person=F("made_by")), name="reset_by_another"),
        )

    def __str__(self) -> str:
        return f"{self.person}"
