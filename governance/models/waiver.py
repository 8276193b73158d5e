"""Waivers: one person asks to let a finding pass, another grants or refuses it. Never edited, never deleted."""

from typing import Any, NoReturn

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.models import Bundle, Content, Lane, Person


class Waiver(models.Model):
    """That somebody asked to let one finding of a requirement pass: for these parts, under this clause, until when."""

    class State(models.TextChoices):
        ASKED = "asked", _("not answered")
        WAIVED = "waived", _("waived")
        REFUSED = "refused", _("refused")
        WITHDRAWN = "withdrawn", _("taken back")
        EXPIRED = "expired", _("expired")

    bundle = models.ForeignKey(Bundle, on_delete=models.PROTECT, related_name="waivers")
    lane = models.ForeignKey(Lane, on_delete=models.PROTECT, related_name="waivers")
    requirement = models.CharField(max_length=120)
    clause = models.CharField(max_length=64, help_text=_("digest of the requirement's clause"))
    title = models.TextField(help_text=_("the requirement in words"))
    parts = models.JSONField(help_text=_("digest of each part of the bundle"))
    finding = models.JSONField(help_text=_("what may not change of the finding"))
    finding_digest = models.CharField(max_length=64)
    found = models.TextField(help_text=_("the finding in words; people in it by their ids"))
    why = models.TextField(help_text=_("why it should go on all the same"))
    why_salt = models.CharField(max_length=64, help_text=_("opens the statement's commitment to the reason"))
    until = models.DateTimeField(help_text=_("the first instant at which it counts no more"))
    asked_at = models.DateTimeField(default=timezone.now)
    asked_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    on_behalf_of = models.ForeignKey(
        Person,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text=_("who was away, and whose right it was"),
    )

    class Meta:
        verbose_name = _("waiver")
        verbose_name_plural = _("waivers")
        ordering = ("-id",)
        indexes = (models.Index(fields=("lane", "bundle"), name="waiver_of_bundle"),)
        constraints = (
            models.CheckConstraint(condition=Q(until__gt=F("asked_at")), name="waiver_ends_later"),
            models.CheckConstraint(
                condition=~Q(requirement__startswith="sign_off"), name="waiver_of_no_word"
            ),
            models.CheckConstraint(
                condition=Q(on_behalf_of__isnull=True) | ~Q(on_behalf_of=F("asked_by")),
                name="waiver_for_another",
            ),
        )

    def __str__(self) -> str:
        return f"{self.requirement} of {self.bundle}"

    @property
    def subject(self) -> str:
        return f"waiver:{self.pk}"

    @property
    def state(self) -> State:
        """How it stands; whether it counts the gate says."""
        answer = getattr(self, "answer", None)
        if answer is not None and not answer.granted:
            return self.State.REFUSED
        if hasattr(self, "withdrawal"):
            return self.State.WITHDRAWN
        if self.until <= timezone.now():
            return self.State.EXPIRED
        return self.State.ASKED if answer is None else self.State.WAIVED

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert only."""
        super().save(*args, **{**kwargs, "force_insert": True})

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("a waiver is never deleted; refuse it, or take it back")


class WaiverAnswer(models.Model):
    """Whether it was granted, by somebody else than who asked: signed, with the exact bytes; or why it was refused."""

    waiver = models.OneToOneField(Waiver, on_delete=models.PROTECT, related_name="answer")
    granted = models.BooleanField()
    answered_at = models.DateTimeField(default=timezone.now)
    answered_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    # Whoever asked, once more, so that the database holds the two apart.
    asker = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    comment = models.TextField(blank=True, help_text=_("what whoever answered says about it"))
    comment_salt = models.CharField(max_length=64, blank=True)
    meaning = models.TextField(blank=True)
    statement = models.ForeignKey(Content, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    envelope = models.ForeignKey(Content, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    key_id = models.CharField(max_length=100, blank=True)

    class Meta:
        verbose_name = _("answer to a waiver")
        verbose_name_plural = _("answers to waivers")
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(condition=~Q(answered_by=F("asker")), name="waiver_answered_by_another"),
            models.CheckConstraint(
                condition=Q(granted=True, statement__isnull=False, envelope__isnull=False)
                & ~Q(key_id="")
                & ~Q(meaning="")
                | Q(granted=False, statement__isnull=True, envelope__isnull=True, key_id="", meaning="")
                & ~Q(comment=""),
                name="waiver_signed_or_reasoned",
            ),
        )

    def __str__(self) -> str:
        return f"{self.waiver} {'granted' if self.granted else 'refused'}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert only."""
        super().save(*args, **{**kwargs, "force_insert": True})

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("the answer to a waiver is never deleted; take the waiver back")


class WaiverWithdrawal(models.Model):
    """Whoever granted a waiver takes it back; or whoever asked does, before it is answered. All of it stands."""

    waiver = models.OneToOneField(Waiver, on_delete=models.PROTECT, related_name="withdrawal")
    withdrawn_at = models.DateTimeField(default=timezone.now)
    withdrawn_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    why = models.TextField()

    class Meta:
        verbose_name = _("end of a waiver")
        verbose_name_plural = _("ends of waivers")
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"{self.waiver} taken back"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert only."""
        super().save(*args, **{**kwargs, "force_insert": True})

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("that a waiver was taken back is never deleted; ask for another")
