"""Published policies. Reading their YAML is governance/policy.py's; judging by them governance/gate.py's."""

from typing import Any, NoReturn

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.models import Change, Person


class PolicyVersion(models.Model):
    """One published, immutable version of a policy; the newest of its name applies."""

    name = models.SlugField()
    version = models.PositiveIntegerField()
    source = models.TextField(help_text=_("the YAML as published"))
    digest = models.CharField(max_length=64)
    published_at = models.DateTimeField(default=timezone.now)
    published_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    change = models.ForeignKey(
        Change,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text=_("what published it"),
    )

    class Meta:
        verbose_name = _("policy version")
        verbose_name_plural = _("policy versions")
        ordering = ("name", "-version")
        constraints = (models.UniqueConstraint(fields=("name", "version"), name="policy_version_once"),)

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert only: a change is a new version."""
        super().save(*args, **{**kwargs, "force_insert": True})

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("a published policy is never deleted")
