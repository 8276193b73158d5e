"""Changes: proposed edits of rights, policy, tier or estate that wait for a second administrator."""

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.event_kinds import EventKind
from portal.models.person import Person
from portal.models.project import Portfolio, Project
from portal.moves import SYSTEM, moves


class Change(models.Model):
    """What somebody proposes, and what it was based on: applied only while that is unchanged.

    `wish` and `basis` are JSON values whose shape is their kind's (settings.CHANGES names who knows it). `alone` says
    that no second person was asked for; a change of tier is never made alone.
    """

    class Kind(models.TextChoices):
        RIGHTS = "rights", _("rights")
        POLICY = "policy", _("policy")
        TIER = "tier", _("tier")
        ESTATE = "estate", _("estate")
        GROUPS = "groups", _("groups")
        ABSENCE = "absence", _("standing in")

    class Status(models.TextChoices):
        WAITING = "waiting", _("waiting")
        APPLIED = "applied", _("applied")
        REFUSED = "refused", _("refused")
        WITHDRAWN = "withdrawn", _("withdrawn")
        OUTDATED = "outdated", _("outdated")

    kind = models.CharField(max_length=8, choices=Kind)
    # Where it belongs, so that whoever manages there finds it; both empty: the estate.
    project = models.ForeignKey(
        Project, on_delete=models.PROTECT, null=True, blank=True, related_name="changes"
    )
    portfolio = models.ForeignKey(
        Portfolio, on_delete=models.PROTECT, null=True, blank=True, related_name="changes"
    )
    wish = models.JSONField()
    basis = models.JSONField()
    why = models.CharField(max_length=500)
    status = models.CharField(max_length=9, choices=Status, default=Status.WAITING)
    alone = models.BooleanField(default=False)
    asked_at = models.DateTimeField(default=timezone.now)
    asked_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    answer = models.CharField(max_length=500, blank=True, help_text=_("why it was refused or withdrawn"))

    class Meta:
        verbose_name = _("change")
        verbose_name_plural = _("changes")
        ordering = ("-pk",)
        constraints = (
            models.CheckConstraint(
                condition=Q(decided_at__isnull=True, decided_by__isnull=True)
                | Q(decided_at__isnull=False, decided_by__isnull=False),
                name="change_decided_paired",
            ),
            models.CheckConstraint(
                condition=Q(status="waiting", decided_at__isnull=True)
                | (~Q(status="waiting") & Q(decided_at__isnull=False)),
                name="change_decided_when_over",
            ),
            models.CheckConstraint(
                condition=~Q(status="applied") | Q(alone=True) | ~Q(decided_by=F("asked_by")),
                name="change_applied_by_another",
            ),
            models.CheckConstraint(
                condition=~Q(kind="tier") | Q(alone=False), name="change_of_tier_never_alone"
            ),
            models.CheckConstraint(
                condition=Q(project__isnull=True) | Q(portfolio__isnull=True), name="change_in_one_place"
            ),
        )

    def __str__(self) -> str:
        return f"{self.pk}"

    @property
    def subject(self) -> str:
        return f"change:{self.pk}"

    @property
    def project_key(self) -> str:
        return self.project.key if self.project else ""


C = Change.Status
# Who may make a move is asked of the kind: whoever could make such a change themselves.
CHANGE_MOVES = moves(
    # verb       from       to           right   event
    ("apply",    C.WAITING, C.APPLIED,   SYSTEM, EventKind.CHANGE_APPLIED),
    ("refuse",   C.WAITING, C.REFUSED,   SYSTEM, EventKind.CHANGE_REFUSED),
    ("withdraw", C.WAITING, C.WITHDRAWN, SYSTEM, EventKind.CHANGE_WITHDRAWN),
    ("outdate",  C.WAITING, C.OUTDATED,  SYSTEM, EventKind.CHANGE_OUTDATED),
)  # fmt: skip
