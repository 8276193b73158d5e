"""Counterparts: who a login, or which team a group, of a DSS node is here. What an administrator once confirmed."""

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.models.estate import Node
from portal.models.person import Person, Team


class Counterpart(models.Model):
    """A user of a node is a person here, a group of it a team. It gives no right: it proposes whom to ask for."""

    class Kind(models.TextChoices):
        USER = "user", _("user")
        GROUP = "group", _("group")

    node = models.ForeignKey(Node, on_delete=models.CASCADE, related_name="counterparts")
    kind = models.CharField(max_length=5, choices=Kind)
    name = models.CharField(max_length=200, help_text=_("login or group name in DSS"))
    person = models.ForeignKey(Person, on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    team = models.ForeignKey(Team, on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    set_at = models.DateTimeField(default=timezone.now)
    set_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")

    class Meta:
        verbose_name = _("counterpart")
        verbose_name_plural = _("counterparts")
        ordering = ("node", "kind", "name")
        constraints = (
            models.UniqueConstraint(fields=("node", "kind", "name"), name="counterpart_once"),
            models.CheckConstraint(
                condition=Q(kind="user", person__isnull=False, team__isnull=True)
                | Q(kind="group", person__isnull=True, team__isnull=False),
                name="counterpart_of_its_kind",
            ),
        )

    def __str__(self) -> str:
        return f"{self.name}: {self.person or self.team}"
