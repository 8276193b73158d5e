"""The wish: this bundle to this stage, by whom, why. Reviewers' decisions are sign-offs, not states of it."""

from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.event_kinds import EventKind
from portal.models import Bundle, Lane, Person, Right
from portal.moves import SYSTEM, moves


class DeploymentRequest(models.Model):
    """A person's wish for one bundle in one lane. "Ready" is computed by the gate, never stored here."""

    class Status(models.TextChoices):
        OPEN = "open", _("open")
        PROMOTING = "promoting", _("promoting")
        DONE = "done", _("done")
        WITHDRAWN = "withdrawn", _("withdrawn")
        SUPERSEDED = "superseded", _("superseded")

    lane = models.ForeignKey(Lane, on_delete=models.PROTECT, related_name="requests")
    bundle = models.ForeignKey(Bundle, on_delete=models.PROTECT, related_name="requests")
    status = models.CharField(max_length=12, choices=Status, default=Status.OPEN)
    held = models.TextField(blank=True, help_text=_("why only a person may start it again"))
    why = models.TextField()
    ticket = models.CharField(
        max_length=100, blank=True, help_text=_("number of the change ticket in another system")
    )
    requested_at = models.DateTimeField(default=timezone.now)
    requested_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="requests")
    on_behalf_of = models.ForeignKey(
        Person,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text=_("who was away, and whose right it was"),
    )

    look_at = models.DateTimeField(
        default=timezone.now, help_text=_("when to look again whom to ask and which signature counts no more")
    )

    swept_at = models.DateTimeField(
        default=timezone.now, help_text=_("when a sweep last looked whether it starts by itself")
    )

    class Meta:
        verbose_name = _("request")
        verbose_name_plural = _("requests")
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                fields=("lane", "bundle"),
                condition=Q(status__in=("open", "promoting")),
                name="request_once_per_bundle_and_lane",
            ),
        )
        indexes = (
            models.Index(
                fields=("look_at",),
                condition=Q(status__in=("open", "promoting")),
                name="request_to_be_looked_at",
            ),
            models.Index(fields=("swept_at",), condition=Q(status="open"), name="request_to_be_swept"),
        )

    def __str__(self) -> str:
        return f"{self.pk}"

    @property
    def subject(self) -> str:
        return f"request:{self.pk}"

    @property
    def address(self) -> str:
        """Its page, from the root of the portal."""
        return reverse("request", args=[self.lane.project.key, self.pk])

    @property
    def project_key(self) -> str:
        return self.lane.project.key

    @property
    def is_over(self) -> bool:
        return self.status in (self.Status.DONE, self.Status.WITHDRAWN, self.Status.SUPERSEDED)


S = DeploymentRequest.Status
REQUEST_MOVES = moves(
    # verb        from                      to            right           event
    ("withdraw",  S.OPEN,                   S.WITHDRAWN,  Right.REQUEST,  EventKind.REQUEST_WITHDRAWN),
    ("supersede", (S.OPEN, S.PROMOTING),    S.SUPERSEDED, SYSTEM,         EventKind.REQUEST_SUPERSEDED),
    ("give_up",   S.OPEN,                   S.WITHDRAWN,  SYSTEM,         EventKind.REQUEST_WITHDRAWN),
    ("promote",   S.OPEN,                   S.PROMOTING,  Right.PROMOTE,  EventKind.REQUEST_PROMOTED),
    ("start",     S.OPEN,                   S.PROMOTING,  SYSTEM,         EventKind.REQUEST_PROMOTED),
    ("land",      S.PROMOTING,              S.DONE,       SYSTEM,         EventKind.REQUEST_LANDED),
    ("hold",      S.PROMOTING,              S.OPEN,       SYSTEM,         EventKind.REQUEST_HELD),
)  # fmt: skip
