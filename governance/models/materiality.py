"""What owners answered about how much hangs on a project. Never changed: another answer is another row."""

from typing import Any, NoReturn

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.models import Person, Project


class MaterialityAnswer(models.Model):
    """One version of a project's answers, under a version of its policy; the newest one counts."""

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="materiality_answers")
    version = models.PositiveIntegerField()
    exposure = models.SlugField()
    purpose = models.SlugField()
    why = models.TextField()
    policy = models.SlugField()
    policy_version = models.PositiveIntegerField()
    leads_to = models.SlugField(help_text=_("tier, by the policy of that day"))
    answered_at = models.DateTimeField(default=timezone.now)
    answered_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")

    class Meta:
        verbose_name = _("answer on materiality")
        verbose_name_plural = _("answers on materiality")
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(fields=("project", "version"), name="materiality_version_once"),
        )

    def __str__(self) -> str:
        return f"{self.project_id}: {self.exposure}, {self.purpose}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert only: another answer is another version."""
        super().save(*args, **{**kwargs, "force_insert": True})

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("what was answered is never deleted")
