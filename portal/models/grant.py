"""Grants, and guardian's direct-FK rows on lanes, which are their projection. Written by portal/projecting.py alone."""

from datetime import datetime
from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from guardian.models import GroupObjectPermissionBase, UserObjectPermissionBase

from portal.models.change import Change
from portal.models.person import Person, Team
from portal.models.project import Lane, Portfolio, Project
from portal.models.right import Right

SIGN_PREFIX = "sign_"

# Rights that something asks for in this version; the others wait for what they are about, and are not given yet.
IN_USE = frozenset(
    {
        *(Right.VIEW, Right.REQUEST, Right.PROMOTE, Right.SIGN, Right.WAIVE),
        *(Right.MANAGE, Right.AUDIT, Right.PROVISION),
    }
)

# Rights that are about the estate and no project on it: they count on no lane, so nobody sees a project by them.
ESTATE_ONLY = frozenset({Right.PROVISION})

# What a token may carry besides seeing: never signing or waiving, which are a person's own.
CARRIED = frozenset(right.value for right in IN_USE - {Right.VIEW, Right.SIGN, Right.WAIVE})

# What somebody away may leave to a delegate: work that would wait for them, never power over rights or the record.
DELEGABLE = frozenset({Right.REQUEST, Right.PROMOTE, Right.SIGN})


def in_force(now: datetime) -> Q:
    """What has not run out: `until` is the first instant at which it no longer counts."""
    return Q(until__isnull=True) | Q(until__gt=now)


def later(rows: dict[Any, datetime | None], key: Any, until: datetime | None) -> None:
    """Let `rows[key]` be the later of what is there and `until`; None is for good."""
    if key in rows:
        there = rows[key]
        rows[key] = None if there is None or until is None else max(there, until)
    else:
        rows[key] = until


class GrantQuerySet(models.QuerySet["Grant"]):
    """Grants by whether and where they count."""

    def in_force(self, now: datetime) -> Self:
        """Neither revoked nor run out."""
        return self.filter(in_force(now), revoked_at__isnull=True)

    def on_estate(self) -> Self:
        """On the whole estate, some for one stage of it."""
        return self.filter(project__isnull=True, portfolio__isnull=True)

    def reaching(self, project: Project) -> Self:
        """On a project, on a portfolio it is in, or on the estate."""
        return self.filter(
            Q(project=project)
            | Q(portfolio__in=Portfolio.objects.filter(projects=project))
            | Q(project__isnull=True, portfolio__isnull=True)
        )


def _once(holder: str, where: str) -> models.UniqueConstraint:
    """One live grant per holder, right and place; an empty column equals nothing in a unique index, so one each."""
    fields = [holder, "right", "role", *([where] if where != "estate" else []), "stage"]
    condition = Q(revoked_at__isnull=True, **{f"{holder}__isnull": False})
    condition &= (
        Q(project__isnull=True, portfolio__isnull=True)
        if where == "estate"
        else Q(**{f"{where}__isnull": False})
    )
    return models.UniqueConstraint(fields=fields, condition=condition, name=f"grant_once_{holder}_{where}")


class Grant(models.Model):
    """Who may do what, where, until when, why and by whose word. Revoked, never deleted.

    Where: a project, a portfolio, or the whole estate when both are empty; each narrowed to one stage by its slug.
    """

    objects: ClassVar[models.Manager["Grant"]] = GrantQuerySet.as_manager()

    person = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, blank=True, related_name="grants")
    team = models.ForeignKey(Team, on_delete=models.PROTECT, null=True, blank=True, related_name="grants")
    right = models.CharField(max_length=20, choices=Right)
    role = models.SlugField(blank=True, help_text=_("for the right to sign: which role"))
    project = models.ForeignKey(
        Project, on_delete=models.CASCADE, null=True, blank=True, related_name="grants"
    )
    portfolio = models.ForeignKey(
        Portfolio, on_delete=models.PROTECT, null=True, blank=True, related_name="grants"
    )
    stage = models.SlugField(blank=True, help_text=_("one stage only; empty: every stage"))
    until = models.DateTimeField(null=True, blank=True)
    why = models.CharField(max_length=500)
    given_at = models.DateTimeField(default=timezone.now)
    given_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    change = models.ForeignKey(
        Change,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="grants",
        help_text=_("what gave it"),
    )
    # While an access review asks about it: the review's number, and the end it was given. `until` is then the review's
    # due date at the latest, so that what nobody confirms is gone without any job running.
    under_review = models.PositiveBigIntegerField(null=True, blank=True)
    until_given = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    revoked_in = models.ForeignKey(
        Change,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text=_("what revoked it"),
    )

    class Meta:
        verbose_name = _("grant")
        verbose_name_plural = _("grants")
        ordering = ("-given_at",)
        # Who changed rights lately is asked before anybody signs.
        indexes = (
            models.Index(fields=("given_at",), name="grant_given_at"),
            models.Index(fields=("revoked_at",), name="grant_revoked_at"),
            models.Index(
                fields=("under_review",), condition=Q(under_review__isnull=False), name="grant_under_review"
            ),
        )
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
                condition=Q(revoked_in__isnull=True) | Q(revoked_at__isnull=False),
                name="grant_revoked_in_change",
            ),
            models.CheckConstraint(
                condition=(Q(right="sign") & ~Q(role="")) | (~Q(right="sign") & Q(role="")),
                name="grant_role_for_sign_only",
            ),
            models.CheckConstraint(
                condition=Q(project__isnull=True) | Q(portfolio__isnull=True), name="grant_in_one_place"
            ),
            models.CheckConstraint(
                condition=Q(under_review__isnull=False) | Q(until_given__isnull=True),
                name="grant_end_kept_for_a_review",
            ),
            *(
                _once(holder, where)
                for holder in ("person", "team")
                for where in ("project", "portfolio", "estate")
            ),
        )

    def __str__(self) -> str:
        return f"{self.person or self.team}: {self.codename}"

    @property
    def codename(self) -> str:
        """The permission's codename: the right, or `sign_<role>`."""
        return codename(Right(self.right), self.role)

    @property
    def end(self) -> datetime | None:
        """Until when it was given, whatever a review makes of it meanwhile; None: for good."""
        return self.until if self.under_review is None else self.until_given


def codename(right: Right, role: str = "") -> str:
    """The permission codename of a right; a sign right carries its role."""
    return f"{SIGN_PREFIX}{role}" if right == Right.SIGN else right.value


def _listed(holder: str) -> tuple[tuple[models.Index, ...], tuple[models.CheckConstraint, ...]]:
    """For lists by key: an index that answers alone (hence `until` in it), and no row without its key."""
    return (
        (models.Index(fields=(holder, "project_key", "until"), name=f"lane_{holder}_by_key"),),
        (models.CheckConstraint(condition=~Q(project_key=""), name=f"lane_{holder}_says_key"),),
    )


class LaneUserObjectPermission(UserObjectPermissionBase):
    """A person's right on a lane until an instant (empty: for good): a projection of grants.

    The project and its key stand here too, so that what somebody sees is listed from these rows alone.
    """

    content_object = models.ForeignKey(Lane, on_delete=models.CASCADE)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    project_key = models.CharField(max_length=100)
    until = models.DateTimeField(null=True, blank=True)

    class Meta(UserObjectPermissionBase.Meta):
        indexes, constraints = _listed("user")


class LaneGroupObjectPermission(GroupObjectPermissionBase):
    """A team's right on a lane until an instant (empty: for good): a projection of grants; as those of people."""

    content_object = models.ForeignKey(Lane, on_delete=models.CASCADE)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    project_key = models.CharField(max_length=100)
    until = models.DateTimeField(null=True, blank=True)

    class Meta(GroupObjectPermissionBase.Meta):
        indexes, constraints = _listed("group")
