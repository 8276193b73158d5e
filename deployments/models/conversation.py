"""What people say about a request. It lives with the request: never edited, never deleted."""

from typing import Any, NoReturn

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from deployments.models.request import DeploymentRequest
from portal.models import Person


class Comment(models.Model):
    """One thing said. `mentioned` are the people it was pointed at, who were told."""

    request = models.ForeignKey(DeploymentRequest, on_delete=models.PROTECT, related_name="comments")
    text = models.TextField()
    mentioned = models.ManyToManyField(Person, blank=True, related_name="+")
    written_at = models.DateTimeField(default=timezone.now)
    written_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")

    class Meta:
        verbose_name = _("comment")
        verbose_name_plural = _("comments")
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.written_by}: {self.text[:60]}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert only."""
        super().save(*args, **{**kwargs, "force_insert": True})

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("what was said is never deleted; say what has changed since")
