"""Delegations: who stands in for somebody who is away, until when. What that lets them do is portal/rights.py's."""

from datetime import datetime

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.models.change import Change
from portal.models.person import Person


def running(now: datetime) -> Q:
    """Delegations that count at an instant."""
    return Q(starts_at__lte=now, until__gt=now, ended_at__isnull=True)


class Delegation(models.Model):
    """`person` is away from `starts_at` until `until`, and `delegate` stands in. Ended early, never deleted."""

    class Status(models.TextChoices):
        COMING = "coming", _("coming")
        RUNNING = "running", _("running")
        ENDED = "ended", _("ended")

    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="delegations")
    delegate = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="stands_in")
    starts_at = models.DateTimeField()
    until = models.DateTimeField()
    why = models.CharField(max_length=500)
    made_at = models.DateTimeField(default=timezone.now)
    made_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    change = models.ForeignKey(
        Change,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text=_("what an administrator made it by, for somebody else"),
    )
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        verbose_name = _("delegation")
        verbose_name_plural = _("delegations")
        ordering = ("-starts_at",)
        constraints = (
            models.CheckConstraint(condition=~Q(person=F("delegate")), name="delegation_to_another"),
            models.CheckConstraint(condition=Q(until__gt=F("starts_at")), name="delegation_ends_later"),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True, ended_by__isnull=True)
                | Q(ended_at__isnull=False, ended_by__isnull=False),
                name="delegation_ended_paired",
            ),
        )

    def __str__(self) -> str:
        return f"{self.delegate} for {self.person}"

    @property
    def subject(self) -> str:
        return f"delegation:{self.pk}"

    @property
    def status(self) -> "Delegation.Status":
        """Whether it counts now."""
        now = timezone.now()
        if self.ended_at is not None or self.until <= now:
            return self.Status.ENDED
        return self.Status.RUNNING if self.starts_at <= now else self.Status.COMING
