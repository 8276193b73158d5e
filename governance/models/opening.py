"""What people opened: it goes into the record of what they sign."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.models import Bundle, Person


class Opening(models.Model):
    """Somebody opened something of a bundle: a piece of evidence, a document, a difference. By the digest of it."""

    class What(models.TextChoices):
        EVIDENCE = "evidence", _("evidence")
        DOCUMENT = "document", _("document")
        DIFFERENCE = "difference", _("difference")

    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="openings")
    bundle = models.ForeignKey(Bundle, on_delete=models.CASCADE, related_name="openings")
    what = models.CharField(max_length=10, choices=What)
    digest = models.CharField(max_length=64)
    first_at = models.DateTimeField(default=timezone.now)
    last_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("opening")
        verbose_name_plural = _("openings")
        ordering = ("-last_at", "-id")
        constraints = (
            models.UniqueConstraint(
                fields=("person", "bundle", "what", "digest"), name="opening_once_of_each"
            ),
            models.CheckConstraint(
                condition=models.Q(last_at__gte=models.F("first_at")), name="opening_first_before_last"
            ),
        )

    def __str__(self) -> str:
        return f"{self.person}: {self.what} {self.digest[:8]}"
