"""One attempt to bring one bundle to one lane, its durable steps, and the one poller's clock."""

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from deployments.models.request import DeploymentRequest
from portal.event_kinds import EventKind
from portal.models import Bundle, Lane, Person, Place, Right
from portal.moves import SYSTEM, moves


class Promotion(models.Model):
    """A frozen list of steps that is worked off. A rollback is one of its own, with `undoes`."""

    class Kind(models.TextChoices):
        PROMOTE = "promote", _("promotion")
        ROLLBACK = "rollback", _("rollback")
        DISABLE = "disable", _("disabling")

    class Status(models.TextChoices):
        RUNNING = "running", _("running")
        SUCCEEDED = "succeeded", _("succeeded")
        FAILED = "failed", _("failed")
        ERRORED = "errored", _("errored")
        STOPPED = "stopped", _("stopped")

    request = models.ForeignKey(DeploymentRequest, on_delete=models.PROTECT, related_name="promotions")
    lane = models.ForeignKey(Lane, on_delete=models.PROTECT, related_name="promotions")
    place = models.ForeignKey(Place, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.PROMOTE)
    undoes = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="undone_by"
    )
    bundle = models.ForeignKey(Bundle, on_delete=models.PROTECT, related_name="promotions")
    status = models.CharField(max_length=10, choices=Status, default=Status.RUNNING)
    started_at = models.DateTimeField(default=timezone.now)
    started_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    on_behalf_of = models.ForeignKey(
        Person,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text=_("who was away, and whose right it was"),
    )
    live_at = models.DateTimeField(null=True, blank=True, help_text=_("when its live change began"))
    ended_at = models.DateTimeField(null=True, blank=True)
    reason = models.TextField(blank=True, help_text=_("why it ended as it did"))
    holds_lane = models.BooleanField(default=True)
    # Claimed by compare-and-set: a worker that is silent longer than its lease loses the promotion to another.
    lease_until = models.DateTimeField(null=True, blank=True)
    lease = models.CharField(max_length=32, blank=True)
    wake_at = models.DateTimeField(
        null=True, blank=True, help_text=_("when the wait is to be looked at again")
    )

    class Meta:
        verbose_name = _("promotion")
        verbose_name_plural = _("promotions")
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                fields=("lane",), condition=Q(holds_lane=True), name="promotion_one_holds_lane"
            ),
            # Its rollback may still be watched while a request is tried again.
            models.UniqueConstraint(
                fields=("request",),
                condition=Q(status="running", kind="promote"),
                name="promotion_one_runs_per_request",
            ),
            models.CheckConstraint(
                condition=Q(status="running", ended_at__isnull=True)
                | (~Q(status="running") & Q(ended_at__isnull=False)),
                name="promotion_ended_when_over",
            ),
        )
        indexes = (models.Index(fields=("status", "wake_at"), name="promotion_waits"),)

    def __str__(self) -> str:
        return f"{self.pk}"

    @property
    def subject(self) -> str:
        return f"promotion:{self.pk}"

    @property
    def project_key(self) -> str:
        return self.lane.project.key

    @property
    def is_over(self) -> bool:
        return self.status != self.Status.RUNNING


P = Promotion.Status
PROMOTION_MOVES = moves(
    # verb      from       to           right            event
    ("succeed", P.RUNNING, P.SUCCEEDED, SYSTEM,          EventKind.PROMOTION_SUCCEEDED),
    ("fail",    P.RUNNING, P.FAILED,    SYSTEM,          EventKind.PROMOTION_FAILED),
    ("error",   P.RUNNING, P.ERRORED,   SYSTEM,          EventKind.PROMOTION_ERRORED),
    ("stop",    P.RUNNING, P.STOPPED,   Right.PROMOTE,   EventKind.PROMOTION_STOPPED),
)  # fmt: skip


class Step(models.Model):
    """One step of a promotion: its name frozen, its output kept for later steps and for the record."""

    class Status(models.TextChoices):
        PENDING = "pending", _("to do")
        STARTED = "started", _("under way")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")
        SKIPPED = "skipped", _("not reached")

    promotion = models.ForeignKey(Promotion, on_delete=models.CASCADE, related_name="steps")
    position = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=60)
    status = models.CharField(max_length=10, choices=Status, default=Status.PENDING)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    output = models.JSONField(default=dict)
    problem = models.TextField(blank=True)

    class Meta:
        verbose_name = _("step")
        verbose_name_plural = _("steps")
        ordering = ("promotion", "position")
        constraints = (models.UniqueConstraint(fields=("promotion", "position"), name="step_position_once"),)

    def __str__(self) -> str:
        return self.name


class Poller(models.Model):
    """The one poller's clock: the ticket of the poll message that counts, and when it is due."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    ticket = models.BigIntegerField(default=0)
    due_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (models.CheckConstraint(condition=Q(id=1), name="poller_is_one"),)

    def __str__(self) -> str:
        return f"{self.ticket}"
