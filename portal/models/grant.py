"""Grants, and guardian's direct-FK rows on lanes, which are their projection. Written by portal/rights.py alone."""

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from guardian.models import GroupObjectPermissionBase, UserObjectPermissionBase

from portal.models.person import Person, Team
from portal.models.project import Lane, Project


class Right(models.TextChoices):
    """What can be granted, as a person reads it."""

    VIEW = "view", _("see the project")
    REQUEST = "request", _("ask for a promotion")
    PROMOTE = "promote", _("start a promotion")
    ROLL_BACK = "roll_back", _("roll back")
    SIGN = "sign", _("sign")
    WAIVE = "waive", _("waive a requirement")
    MANAGE = "manage", _("manage rights and settings")
    AUDIT = "audit", _("read the ledger and make reports")
    BREAK_GLASS = "break_glass", _("promote in an emergency")
    OVERRIDE_FREEZE = "override_freeze", _("promote during a freeze")


# Rights that something asks for in this version; the others wait for what they are about, and are not given yet.
IN_USE = frozenset({Right.VIEW, Right.REQUEST, Right.PROMOTE, Right.SIGN, Right.MANAGE, Right.AUDIT})


class Grant(models.Model):
    """Who may do what, where, until when, why and by whose word. Revoked, never deleted.

    Where: a project, or the whole estate when `project` is empty; either narrowed to one stage by its slug.
    """

    person = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, blank=True, related_name="grants")
    team = models.ForeignKey(Team, on_delete=models.PROTECT, null=True, blank=True, related_name="grants")
    right = models.CharField(max_length=20, choices=Right)
    role = models.SlugField(blank=True, help_text=_("for the right to sign: which role"))
    project = models.ForeignKey(
        Project, on_delete=models.CASCADE, null=True, blank=True, related_name="grants"
    )
    stage = models.SlugField(blank=True, help_text=_("one stage only; empty: every stage"))
    until = models.DateTimeField(null=True, blank=True)
    why = models.CharField(max_length=500)
    given_at = models.DateTimeField(default=timezone.now)
    given_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        verbose_name = _("grant")
        verbose_name_plural = _("grants")
        ordering = ("-given_at",)
        constraints = (
            models.CheckConstraint(
                condition=Q(person__isnull=False, team__isnull=True)
                | Q(person__isnull=True, team__isnull=False),
                name="grant_has_one_holder",
            ),
            models.CheckConstraint(
                condition=Q(revoked_at__isnull=True, revoked_by__isnull=True)
                | Q(revoked_at__isnull=False, revoked_by__isnull=False),
                name="grant_revoked_paired",
            ),
            models.CheckConstraint(
                condition=(Q(right="sign") & ~Q(role="")) | (~Q(right="sign") & Q(role="")),
                name="grant_role_for_sign_only",
            ),
            # Four, since a project that is NULL (the estate) equals nothing in a unique index.
            models.UniqueConstraint(
                fields=("person", "right", "role", "project", "stage"),
                condition=Q(revoked_at__isnull=True, person__isnull=False, project__isnull=False),
                name="grant_once_per_person",
            ),
            models.UniqueConstraint(
                fields=("person", "right", "role", "stage"),
                condition=Q(revoked_at__isnull=True, person__isnull=False, project__isnull=True),
                name="grant_once_per_person_estate",
            ),
            models.UniqueConstraint(
                fields=("team", "right", "role", "project", "stage"),
                condition=Q(revoked_at__isnull=True, team__isnull=False, project__isnull=False),
                name="grant_once_per_team",
            ),
            models.UniqueConstraint(
                fields=("team", "right", "role", "stage"),
                condition=Q(revoked_at__isnull=True, team__isnull=False, project__isnull=True),
                name="grant_once_per_team_estate",
            ),
        )

    def __str__(self) -> str:
        return f"{self.person or self.team}: {self.codename}"

    @property
    def codename(self) -> str:
        """The permission's codename: the right, or `sign_<role>`."""
        return codename(Right(self.right), self.role)


def codename(right: Right, role: str = "") -> str:
    """The permission codename of a right; a sign right carries its role."""
    return f"sign_{role}" if right == Right.SIGN else right.value


class LaneUserObjectPermission(UserObjectPermissionBase):
    """A person's right on a lane until an instant (empty: for good): a projection of grants."""

    content_object = models.ForeignKey(Lane, on_delete=models.CASCADE)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    until = models.DateTimeField(null=True, blank=True)


class LaneGroupObjectPermission(GroupObjectPermissionBase):
    """A team's right on a lane until an instant (empty: for good): a projection of grants."""

    content_object = models.ForeignKey(Lane, on_delete=models.CASCADE)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    until = models.DateTimeField(null=True, blank=True)
