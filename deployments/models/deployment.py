"""What runs where, and since when."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from deployments.models.promotion import Promotion
from portal.models import Bundle, Lane, Place


class Deployment(models.Model):
    """A bundle that runs (or ran) in a place of a lane. The row without `ended_at` is what runs now."""

    lane = models.ForeignKey(Lane, on_delete=models.PROTECT, related_name="deployments")
    place = models.ForeignKey(Place, on_delete=models.PROTECT, related_name="+")
    deployable = models.CharField(max_length=100, help_text=_("the project's or API service's id in DSS"))
    bundle = models.ForeignKey(Bundle, on_delete=models.PROTECT, related_name="deployments")
    promotion = models.ForeignKey(Promotion, on_delete=models.PROTECT, related_name="deployments")
    since = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    watched_at = models.DateTimeField(null=True, blank=True, help_text=_("when it completed its watch"))

    class Meta:
        verbose_name = _("deployment")
        verbose_name_plural = _("deployments")
        ordering = ("-since", "-id")
        constraints = (
            models.UniqueConstraint(
                fields=("place", "deployable"),
                condition=Q(ended_at__isnull=True),
                name="deployment_one_runs_per_place",
            ),
        )

    def __str__(self) -> str:
        return f"{self.bundle} in {self.lane}"
