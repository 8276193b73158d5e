"""The content-addressed store: bytes under their SHA-256, written in the transaction that speaks of them."""

from typing import Any, NoReturn

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class Content(models.Model):
    """Bytes that never change: manifests, cases, statements, documents, reports."""

    digest = models.CharField(max_length=64, primary_key=True)
    media_type = models.CharField(max_length=150)
    size = models.BigIntegerField()
    body = models.BinaryField(help_text=_("empty where a storage holds the bytes"))
    kept_in = models.CharField(
        max_length=20,
        blank=True,
        default="",
        help_text=_("the storage that holds the bytes; empty: this row"),
    )
    stored_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("content")
        verbose_name_plural = _("contents")

    def __str__(self) -> str:
        return self.digest

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert only."""
        super().save(*args, **{**kwargs, "force_insert": True})

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse: a digest somewhere may still point here."""
        raise TypeError("contents are never deleted")
