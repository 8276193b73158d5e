"""Who was asked to sign for a request, and which signatures counted for it when it was last looked at."""

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from deployments.models.request import DeploymentRequest
from governance.models import SignOff, Waiver
from portal.models import Person


class Ask(models.Model):
    """One person is to sign one requirement of a request, or to say whether to waive it (`waiver`).

    It ends when they cannot or need not any more. Whoever is to sign is told a little later (`told_at`): what is being
    brought meanwhile may make it needless.
    """

    request = models.ForeignKey(DeploymentRequest, on_delete=models.CASCADE, related_name="asks")
    requirement = models.CharField(max_length=120)
    waiver = models.ForeignKey(
        Waiver,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="asks",
        help_text=_("what is asked for"),
    )
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="asks")
    begun_at = models.DateTimeField(default=timezone.now)
    told_at = models.DateTimeField(null=True, blank=True)
    reminders = models.PositiveSmallIntegerField(default=0)
    reminded_at = models.DateTimeField(null=True, blank=True)
    escalated_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("ask")
        verbose_name_plural = _("asks")
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(
                fields=("request", "requirement", "person"),
                condition=Q(ended_at__isnull=True, waiver__isnull=True),
                name="ask_once_at_a_time",
            ),
            models.UniqueConstraint(
                fields=("request", "waiver", "person"),
                condition=Q(ended_at__isnull=True, waiver__isnull=False),
                name="ask_to_waive_once_at_a_time",
            ),
            models.CheckConstraint(
                condition=Q(told_at__isnull=False) | Q(reminded_at__isnull=True, escalated_at__isnull=True),
                name="ask_told_before_reminded",
            ),
            models.CheckConstraint(
                condition=Q(reminded_at__isnull=True, reminders=0)
                | Q(reminded_at__isnull=False, reminders__gt=0),
                name="ask_reminded_when",
            ),
        )

    def __str__(self) -> str:
        return f"{self.person}: {self.requirement} of request {self.request_id}"


class Counted(models.Model):
    """A signature that counted for a request. `lapsed_at`: when it was found to count no more, and `why`, in code."""

    request = models.ForeignKey(DeploymentRequest, on_delete=models.CASCADE, related_name="counted")
    signoff = models.ForeignKey(SignOff, on_delete=models.PROTECT, related_name="counted")
    since = models.DateTimeField(default=timezone.now)
    lapsed_at = models.DateTimeField(null=True, blank=True)
    why = models.CharField(max_length=40, blank=True)

    class Meta:
        verbose_name = _("counted signature")
        verbose_name_plural = _("counted signatures")
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(fields=("request", "signoff"), name="counted_once"),
            models.CheckConstraint(
                condition=Q(lapsed_at__isnull=True, why="") | (Q(lapsed_at__isnull=False) & ~Q(why="")),
                name="counted_lapsed_why",
            ),
            models.CheckConstraint(
                condition=Q(lapsed_at__isnull=True) | Q(lapsed_at__gte=F("since")),
                name="counted_before_lapse",
            ),
        )

    def __str__(self) -> str:
        return f"{self.signoff} for request {self.request_id}"


class CountedWaiver(models.Model):
    """A waiver that counted for a request, as `Counted` of a signature."""

    request = models.ForeignKey(DeploymentRequest, on_delete=models.CASCADE, related_name="counted_waivers")
    waiver = models.ForeignKey(Waiver, on_delete=models.PROTECT, related_name="counted")
    since = models.DateTimeField(default=timezone.now)
    lapsed_at = models.DateTimeField(null=True, blank=True)
    why = models.CharField(max_length=40, blank=True)

    class Meta:
        verbose_name = _("counted waiver")
        verbose_name_plural = _("counted waivers")
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(fields=("request", "waiver"), name="waiver_counted_once"),
            models.CheckConstraint(
                condition=Q(lapsed_at__isnull=True, why="") | (Q(lapsed_at__isnull=False) & ~Q(why="")),
                name="waiver_lapsed_why",
            ),
            models.CheckConstraint(
                condition=Q(lapsed_at__isnull=True) | Q(lapsed_at__gte=F("since")),
                name="waiver_counted_before_lapse",
            ),
        )

    def __str__(self) -> str:
        return f"{self.waiver} for request {self.request_id}"
