"""The ledger's rows. Append-only: these models refuse update and delete, and so do triggers in both databases."""

from typing import Any, NoReturn

from django.db import models
from django.utils.translation import gettext_lazy as _


class AppendOnly(models.Model):
    """A row that is inserted once and never touched again."""

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert only."""
        super().save(*args, **{**kwargs, "force_insert": True})

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("the ledger is append-only")


class Event(AppendOnly):
    """One thing that happened. `body` is what is hashed; the other columns are copied out of it for searching."""

    seq = models.BigIntegerField(primary_key=True)
    leaf = models.BinaryField(max_length=32)
    body = models.BinaryField()
    kind = models.CharField(max_length=60, db_index=True)
    project = models.CharField(max_length=100, blank=True)
    subject = models.CharField(max_length=120)
    actor = models.UUIDField()
    at = models.DateTimeField()

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        ordering = ("seq",)
        indexes = (
            models.Index(fields=("project", "seq"), name="event_project_seq"),
            models.Index(fields=("subject", "seq"), name="event_subject_seq"),
        )

    def __str__(self) -> str:
        return f"{self.seq} {self.kind}"


class Disclosure(models.Model):
    """A personal value behind a salted commitment in an event's body; may be erased, the proof still holds."""

    event = models.ForeignKey(Event, on_delete=models.PROTECT, related_name="disclosures")
    path = models.CharField(max_length=200)
    salt = models.CharField(max_length=64)
    value = models.TextField()

    class Meta:
        verbose_name = _("disclosure")
        verbose_name_plural = _("disclosures")
        constraints = (models.UniqueConstraint(fields=("event", "path"), name="disclosure_once"),)

    def __str__(self) -> str:
        return self.path


class Checkpoint(AppendOnly):
    """A signed statement of the tree's size and root, in C2SP signed-note form."""

    size = models.BigIntegerField()
    root = models.BinaryField(max_length=32)
    note = models.TextField()
    at = models.DateTimeField()

    class Meta:
        verbose_name = _("checkpoint")
        verbose_name_plural = _("checkpoints")
        ordering = ("-size", "-id")

    def __str__(self) -> str:
        return f"{self.size}"


class LedgerHead(models.Model):
    """The one row whose lock orders commits: how many events there are."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    size = models.BigIntegerField(default=0)

    class Meta:
        constraints = (models.CheckConstraint(condition=models.Q(id=1), name="ledger_has_one_head"),)

    def __str__(self) -> str:
        return f"{self.size}"
