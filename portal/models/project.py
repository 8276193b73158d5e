"""Projects mirrored from a design node, portfolios of them, and lanes (project x stage).

Not in charge of what runs in a lane.
"""

from django.db import models
from django.utils.translation import gettext_lazy as _

from portal.models.estate import DSS_ID, Node, Pipeline, Stage
from portal.models.person import Person, Team


class Project(models.Model):
    """A DSS project on a design node, with its tier (which rules apply) and its pipeline (where it may go)."""

    key = models.CharField(max_length=100, unique=True, validators=[DSS_ID])
    name = models.CharField(max_length=200)
    node = models.ForeignKey(Node, on_delete=models.PROTECT, related_name="projects")
    pipeline = models.ForeignKey(Pipeline, on_delete=models.PROTECT, related_name="projects")
    policy = models.SlugField(
        default="standard", help_text=_("name of the policy whose newest version applies")
    )
    tier = models.SlugField(help_text=_("which rules of the policy apply"))
    team = models.ForeignKey(
        Team,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="projects",
        help_text=_("whose project it is; a pipeline that a team owns takes that team's projects only"),
    )
    owners = models.ManyToManyField(Person, related_name="owned_projects", blank=True)
    dss_owner = models.CharField(max_length=150, blank=True, help_text=_("login of the owner in DSS"))
    # Where fairness and explainability are counted from on the node that runs a stage.
    scored_dataset = models.CharField(max_length=100, blank=True)
    outcome_column = models.CharField(max_length=100, blank=True)
    favourable_value = models.CharField(max_length=100, blank=True)
    label_column = models.CharField(max_length=100, blank=True)
    score_column = models.CharField(
        max_length=100, blank=True, help_text=_("the predicted probability of the favourable outcome")
    )
    model_id = models.CharField(max_length=100, blank=True)
    imported_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("project")
        verbose_name_plural = _("projects")
        ordering = ("key",)

    def __str__(self) -> str:
        return self.name


class Portfolio(models.Model):
    """Projects that share rights: what is granted on it holds on each of them, also on those added later."""

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=150)
    projects = models.ManyToManyField(Project, related_name="portfolios", blank=True)

    class Meta:
        verbose_name = _("portfolio")
        verbose_name_plural = _("portfolios")
        ordering = ("slug",)

    def __str__(self) -> str:
        return self.name


class Lane(models.Model):
    """Project x stage: where rights are granted, and where one promotion runs at a time."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="lanes")
    stage = models.ForeignKey(Stage, on_delete=models.PROTECT, related_name="lanes")

    class Meta:
        verbose_name = _("lane")
        verbose_name_plural = _("lanes")
        ordering = ("project", "stage__position")
        default_permissions = ()
        # One codename per right; those of sign roles are made when a policy naming the role is published.
        permissions = (
            ("view", "view"),
            ("request", "request"),
            ("promote", "promote"),
            ("roll_back", "roll back"),
            ("waive", "waive"),
            ("manage", "manage"),
            ("audit", "audit"),
            ("break_glass", "break glass"),
            ("override_freeze", "override a freeze"),
        )
        constraints = (models.UniqueConstraint(fields=("project", "stage"), name="lane_once"),)

    def __str__(self) -> str:
        return f"{self.project.name} · {self.stage.name}"
