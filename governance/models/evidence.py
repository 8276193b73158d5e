"""Evidence, documents, and the collections that gather them from DSS. They hold for every bundle with equal parts."""

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.models import Bundle, Content, Lane, Person, Project

_ENDINGS = {"application/pdf": "pdf"}


class Collection(models.Model):
    """A piece of evidence or a document being gathered from the node that runs the bundle."""

    class What(models.TextChoices):
        FAIRNESS = "fairness", _("fairness")
        EXPLAINABILITY = "explainability", _("explainability")
        MODEL_DOCUMENTATION = "model-documentation", _("model documentation")
        PROJECT_STANDARDS = "project_standards", _("project standards")
        GOVERN = "govern", _("Govern sign-off")

    class Status(models.TextChoices):
        ASKED = "asked", _("being collected")
        DONE = "done", _("collected")
        FAILED = "failed", _("could not be collected")

    bundle = models.ForeignKey(Bundle, on_delete=models.PROTECT, related_name="collections")
    lane = models.ForeignKey(Lane, on_delete=models.PROTECT, related_name="+")
    what = models.CharField(max_length=30, choices=What)
    status = models.CharField(max_length=10, choices=Status, default=Status.ASKED)
    asked_at = models.DateTimeField(default=timezone.now)
    asked_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    lease_until = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    progress = models.JSONField(default=dict, help_text=_("ids of what DSS is doing for us"))
    problem = models.TextField(blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("collection")
        verbose_name_plural = _("collections")
        ordering = ("-asked_at",)
        constraints = (
            models.UniqueConstraint(
                fields=("bundle", "lane", "what"),
                condition=Q(status="asked"),
                name="collection_one_at_a_time",
            ),
        )

    def __str__(self) -> str:
        return f"{self.what} of {self.bundle}"

    @property
    def subject(self) -> str:
        return f"collection:{self.pk}"


class Evidence(models.Model):
    """Machine-readable results about parts of a bundle. Its digest covers results and inputs, not time or bundle."""

    class Kind(models.TextChoices):
        FAIRNESS = "fairness", _("fairness")
        EXPLAINABILITY = "explainability", _("explainability")
        TESTS = "tests", _("tests")
        EXTERNAL_CHECK = "external_check", _("external check")
        PROJECT_STANDARDS = "project_standards", _("project standards")
        GOVERN = "govern", _("Govern sign-off")
        REPORT = "test-report", _("test report")
        PROJECT = "project", _("project validation")

    kind = models.CharField(max_length=20, choices=Kind)
    name = models.SlugField(blank=True, help_text=_("tells it from others of its kind"))
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="evidence")
    bundle = models.ForeignKey(Bundle, on_delete=models.PROTECT, related_name="evidence")
    stage = models.SlugField(blank=True)
    parts = models.JSONField(help_text=_("digests of the parts it is about"))
    digest = models.CharField(max_length=64, db_index=True)
    result = models.ForeignKey(Content, on_delete=models.PROTECT, related_name="+")
    source = models.JSONField(default=dict)
    author = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    recorded_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("evidence")
        verbose_name_plural = _("evidence")
        ordering = ("-recorded_at", "-id")

    def __str__(self) -> str:
        return f"{self.kind} of {self.bundle}"

    @property
    def subject(self) -> str:
        return f"evidence:{self.pk}"


class ExternalDelivery(models.Model):
    """A message by which another system said what a check of it came to: kept, so that it counts once."""

    name = models.SlugField(help_text=_("of the check"))
    delivery = models.CharField(max_length=100, help_text=_("the sender's own id of the message"))
    body = models.CharField(max_length=64, help_text=_("SHA-256 of the message"))
    sent_at = models.DateTimeField()
    received_at = models.DateTimeField(default=timezone.now)
    evidence = models.OneToOneField(Evidence, on_delete=models.PROTECT, related_name="delivery")

    class Meta:
        verbose_name = _("external delivery")
        verbose_name_plural = _("external deliveries")
        ordering = ("-received_at", "-id")
        constraints = (models.UniqueConstraint(fields=("name", "delivery"), name="delivery_once"),)

    def __str__(self) -> str:
        return f"{self.name} {self.delivery}"


class Document(models.Model):
    """A text or file about parts of a bundle, pinned by its digest when judged."""

    class Origin(models.TextChoices):
        WRITTEN = "written", _("written in the portal")
        GENERATED = "generated", _("generated by DSS")
        UPLOADED = "uploaded", _("uploaded")

    kind = models.SlugField()
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="documents")
    bundle = models.ForeignKey(Bundle, on_delete=models.PROTECT, related_name="documents")
    parts = models.JSONField(help_text=_("digests of the parts it is about"))
    title = models.CharField(max_length=200)
    origin = models.CharField(max_length=10, choices=Origin)
    sections = models.JSONField(default=list)
    sections_told = models.BooleanField(
        default=True,
        help_text=_("whether the file names its sections at all, as a PDF without an outline does not"),
    )
    digest = models.CharField(max_length=64, db_index=True)
    content = models.ForeignKey(Content, on_delete=models.PROTECT, related_name="+")
    author = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    recorded_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("document")
        verbose_name_plural = _("documents")
        ordering = ("-recorded_at", "-id")

    def __str__(self) -> str:
        return self.title

    @property
    def subject(self) -> str:
        return f"document:{self.pk}"

    @property
    def is_text(self) -> bool:
        """Whether it can be read on a page."""
        return self.content.media_type.startswith("text/")

    @property
    def ending(self) -> str:
        """How a file of it is called."""
        kind = self.content.media_type
        return "md" if self.is_text else "docx" if "wordprocessingml" in kind else _ENDINGS.get(kind, "bin")
