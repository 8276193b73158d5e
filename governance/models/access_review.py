"""Access reviews: a campaign in which each grant is confirmed or revoked with a signature, or ends at the due date."""

from datetime import datetime
from typing import Any, NoReturn

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.event_kinds import EventKind
from portal.models import Content, Grant, Person, Portfolio, Project
from portal.moves import SYSTEM, moves


def running(now: datetime) -> Q:
    """Reviews that can be answered: whether or not any job closed them, at the due date they are over."""
    return Q(status=AccessReview.Status.OPEN, due__gt=now)


class AccessReview(models.Model):
    """Who started it, of what, until when, why. Without project and portfolio it asks about the whole estate."""

    class Status(models.TextChoices):
        OPEN = "open", _("open")
        COMPLETED = "completed", _("completed")
        EXPIRED = "expired", _("expired")
        CALLED_OFF = "called_off", _("called off")

    project = models.ForeignKey(
        Project, on_delete=models.PROTECT, null=True, blank=True, related_name="access_reviews"
    )
    portfolio = models.ForeignKey(
        Portfolio, on_delete=models.PROTECT, null=True, blank=True, related_name="access_reviews"
    )
    why = models.CharField(max_length=500)
    due = models.DateTimeField()
    status = models.CharField(max_length=10, choices=Status, default=Status.OPEN)
    started_at = models.DateTimeField(default=timezone.now)
    started_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        verbose_name = _("access review")
        verbose_name_plural = _("access reviews")
        ordering = ("-pk",)
        constraints = (
            models.CheckConstraint(
                condition=Q(project__isnull=True) | Q(portfolio__isnull=True), name="review_in_one_place"
            ),
            models.CheckConstraint(condition=Q(due__gt=models.F("started_at")), name="review_due_later"),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True, ended_by__isnull=True)
                | Q(ended_at__isnull=False, ended_by__isnull=False),
                name="review_ended_paired",
            ),
            models.CheckConstraint(
                condition=Q(status="open", ended_at__isnull=True)
                | (~Q(status="open") & Q(ended_at__isnull=False)),
                name="review_ended_when_over",
            ),
        )

    def __str__(self) -> str:
        return f"{self.pk}"

    @property
    def subject(self) -> str:
        return f"review:{self.pk}"

    @property
    def project_key(self) -> str:
        return self.project.key if self.project else ""

    @property
    def scope(self) -> str:
        """What it asks about, as the ledger says it."""
        if self.project is not None:
            return self.project.key
        return f"portfolio {self.portfolio.slug}" if self.portfolio is not None else "the estate"

    @property
    def is_running(self) -> bool:
        """Whether it can be answered now."""
        return self.status == self.Status.OPEN and self.due > timezone.now()


R = AccessReview.Status
# Who may start and call off is asked of the estate; who may answer, grant by grant.
REVIEW_MOVES = moves(
    # verb       from    to            right   event
    ("complete", R.OPEN, R.COMPLETED,  SYSTEM, EventKind.REVIEW_COMPLETED),
    ("expire",   R.OPEN, R.EXPIRED,    SYSTEM, EventKind.REVIEW_EXPIRED),
    ("call_off", R.OPEN, R.CALLED_OFF, SYSTEM, EventKind.REVIEW_CALLED_OFF),
)  # fmt: skip


class ReviewPlace(models.Model):
    """A place whose grants a review asks about: a project, a portfolio, or (both empty) the whole estate."""

    review = models.ForeignKey(AccessReview, on_delete=models.PROTECT, related_name="places")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    portfolio = models.ForeignKey(
        Portfolio, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )

    class Meta:
        verbose_name = _("place under review")
        verbose_name_plural = _("places under review")
        ordering = ("pk",)
        constraints = (
            models.CheckConstraint(
                condition=Q(project__isnull=True) | Q(portfolio__isnull=True), name="review_place_is_one"
            ),
            models.UniqueConstraint(
                fields=("review", "project"), condition=Q(project__isnull=False), name="review_project_once"
            ),
            models.UniqueConstraint(
                fields=("review", "portfolio"),
                condition=Q(portfolio__isnull=False),
                name="review_portfolio_once",
            ),
            models.UniqueConstraint(
                fields=("review",),
                condition=Q(project__isnull=True, portfolio__isnull=True),
                name="review_estate_once",
            ),
        )

    def __str__(self) -> str:
        return str(self.project or self.portfolio or "the estate")


class ReviewSignature(models.Model):
    """One person's signed answers, with the exact bytes that were signed. Never edited, never deleted."""

    review = models.ForeignKey(AccessReview, on_delete=models.PROTECT, related_name="signatures")
    meaning = models.CharField(max_length=500)
    why = models.CharField(max_length=500, blank=True)
    why_salt = models.CharField(
        max_length=64, blank=True, help_text=_("opens the statement's commitment to the reason")
    )
    statement = models.ForeignKey(Content, on_delete=models.PROTECT, related_name="+")
    envelope = models.ForeignKey(Content, on_delete=models.PROTECT, related_name="+")
    key_id = models.CharField(max_length=100)
    signed_at = models.DateTimeField(default=timezone.now)
    signed_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")

    class Meta:
        verbose_name = _("signature of a review")
        verbose_name_plural = _("signatures of reviews")
        ordering = ("-pk",)

    def __str__(self) -> str:
        return f"{self.signed_by}: {self.review}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert only."""
        super().save(*args, **{**kwargs, "force_insert": True})

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("a signature is never deleted")


class ReviewedGrant(models.Model):
    """A grant that a review asks about, and what became of it; without an answer it waits."""

    class Answer(models.TextChoices):
        CONFIRMED = "confirmed", _("confirmed")
        REVOKED = "revoked", _("revoked")
        LAPSED = "lapsed", _("revoked, not confirmed")
        SPARED = "spared", _("kept for the last administrator")
        GONE = "gone", _("ended otherwise")
        RELEASED = "released", _("not asked any more")

    review = models.ForeignKey(AccessReview, on_delete=models.PROTECT, related_name="asked")
    place = models.ForeignKey(ReviewPlace, on_delete=models.PROTECT, related_name="asked")
    grant = models.ForeignKey(Grant, on_delete=models.PROTECT, related_name="asked")
    answer = models.CharField(max_length=9, choices=Answer, blank=True)
    signature = models.ForeignKey(
        ReviewSignature, on_delete=models.PROTECT, null=True, blank=True, related_name="answers"
    )
    answered_at = models.DateTimeField(null=True, blank=True)
    answered_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        verbose_name = _("grant under review")
        verbose_name_plural = _("grants under review")
        ordering = ("pk",)
        constraints = (
            models.UniqueConstraint(fields=("review", "grant"), name="review_asks_once"),
            models.UniqueConstraint(
                fields=("grant",), condition=Q(answer=""), name="review_asks_one_at_a_time"
            ),
            models.CheckConstraint(
                condition=Q(answered_at__isnull=True, answered_by__isnull=True)
                | Q(answered_at__isnull=False, answered_by__isnull=False),
                name="review_answered_paired",
            ),
            models.CheckConstraint(
                condition=Q(answer="", answered_at__isnull=True)
                | (~Q(answer="") & Q(answered_at__isnull=False)),
                name="review_answered_when_there",
            ),
            models.CheckConstraint(
                condition=Q(answer__in=("confirmed", "revoked"), signature__isnull=False)
                | (~Q(answer__in=("confirmed", "revoked")) & Q(signature__isnull=True)),
                name="review_answers_are_signed",
            ),
        )

    def __str__(self) -> str:
        return f"{self.grant}: {self.answer}"
