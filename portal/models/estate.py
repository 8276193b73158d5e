"""The landscape: DSS nodes, pipelines, stages and the places of a stage. Facts only, no rules about who may."""

from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from portal.models.person import Team

KEY_NAME = RegexValidator(r"^[A-Za-z0-9_.-]+$", _("Use letters, digits, “_”, “.” and “-” only."))
DSS_ID = RegexValidator(r"^[A-Za-z0-9_.-]+$", _("DSS ids here hold letters, digits, “_”, “.” and “-” only."))


class Node(models.Model):
    """One DSS instance. It knows the *name* of its API key, never the key."""

    class Kind(models.TextChoices):
        DESIGN = "design", _("design node")
        DEPLOYER = "deployer", _("Deployer")
        AUTOMATION = "automation", _("Automation node")
        API = "api", _("API node")
        GOVERN = "govern", _("Govern node")

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=150)
    kind = models.CharField(max_length=12, choices=Kind)
    url = models.URLField()
    key_name = models.CharField(max_length=100, validators=[KEY_NAME])
    verify_tls = models.BooleanField(default=True)

    class Meta:
        verbose_name = _("node")
        verbose_name_plural = _("nodes")
        ordering = ("slug",)

    def __str__(self) -> str:
        return self.name


class Pipeline(models.Model):
    """An ordered list of stages. A team may own one; then only its projects use it."""

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=150)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, null=True, blank=True, related_name="pipelines")

    class Meta:
        verbose_name = _("pipeline")
        verbose_name_plural = _("pipelines")
        ordering = ("slug",)

    def __str__(self) -> str:
        return self.name


class Stage(models.Model):
    """A rung of a pipeline, such as `qa` or `prod`."""

    pipeline = models.ForeignKey(Pipeline, on_delete=models.CASCADE, related_name="stages")
    slug = models.SlugField()
    name = models.CharField(max_length=100)
    position = models.PositiveSmallIntegerField()

    class Meta:
        verbose_name = _("stage")
        verbose_name_plural = _("stages")
        ordering = ("pipeline", "position")
        constraints = (
            models.UniqueConstraint(fields=("pipeline", "slug"), name="stage_slug_once_in_pipeline"),
            models.UniqueConstraint(fields=("pipeline", "position"), name="stage_position_once_in_pipeline"),
        )

    def __str__(self) -> str:
        return self.name


class Place(models.Model):
    """Where a stage runs: an infrastructure of a Deployer, with the Automation node that serves it."""

    class Kind(models.TextChoices):
        INFRASTRUCTURE = "infrastructure", _("Deployer infrastructure")

    stage = models.ForeignKey(Stage, on_delete=models.CASCADE, related_name="places")
    slug = models.SlugField()
    kind = models.CharField(max_length=16, choices=Kind, default=Kind.INFRASTRUCTURE)
    deployer = models.ForeignKey(Node, on_delete=models.PROTECT, related_name="+")
    infra_id = models.CharField(max_length=100, validators=[DSS_ID])
    automation = models.ForeignKey(Node, on_delete=models.PROTECT, related_name="+")

    class Meta:
        verbose_name = _("place")
        verbose_name_plural = _("places")
        ordering = ("stage", "slug")
        constraints = (models.UniqueConstraint(fields=("stage", "slug"), name="place_slug_once_in_stage"),)

    def __str__(self) -> str:
        return f"{self.infra_id}"
