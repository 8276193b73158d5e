"""Reports: renderings of a ledger range, kept by digest."""

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.models import Content, Person, Project


class Report(models.Model):
    """A report about a request, an access review or combinations of rights. Made in the background, from events.

    Without a project it is about the whole estate.
    """

    class Status(models.TextChoices):
        ASKED = "asked", _("being made")
        MADE = "made", _("made")
        FAILED = "failed", _("could not be made")

    project = models.ForeignKey(
        Project, on_delete=models.PROTECT, null=True, blank=True, related_name="reports"
    )
    about = models.CharField(max_length=120, help_text=_("subject of the report, such as request:7"))
    status = models.CharField(max_length=10, choices=Status, default=Status.ASKED)
    asked_at = models.DateTimeField(default=timezone.now)
    asked_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    lease_until = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    made_at = models.DateTimeField(null=True, blank=True)
    first = models.BigIntegerField(null=True, blank=True)
    last = models.BigIntegerField(null=True, blank=True)
    template = models.CharField(max_length=20, blank=True, help_text=_("version of the report's template"))
    content = models.ForeignKey(Content, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    problem = models.TextField(blank=True)

    class Meta:
        verbose_name = _("report")
        verbose_name_plural = _("reports")
        ordering = ("-asked_at",)
        constraints = (
            models.CheckConstraint(
                condition=~Q(status="made")
                | Q(content__isnull=False, made_at__isnull=False, last__isnull=False),
                name="report_made_has_content",
            ),
        )

    def __str__(self) -> str:
        return f"{self.about}"

    @property
    def subject(self) -> str:
        return f"report:{self.pk}"

    @property
    def project_key(self) -> str:
        return self.project.key if self.project else ""
