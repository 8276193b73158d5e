"""Grants as people read them: who may do what on which stage, through what. Reads only; portal/rights.py decides."""

from django.db.models import CharField, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from portal.models import Grant, Person, Stage


def in_force() -> QuerySet[Grant]:
    """Grants that count now, with their holders and the printed name of their stage as `stage_name`."""
    now = timezone.now()
    named = Stage.objects.filter(slug=OuterRef("stage")).order_by("pk").values("name")
    return (
        Grant.objects.filter(Q(until__isnull=True) | Q(until__gt=now), revoked_at__isnull=True)
        .select_related("person", "team", "project", "portfolio", "given_by")
        .annotate(
            stage_name=Coalesce(
                Subquery(named.filter(pipeline=OuterRef("project__pipeline"))[:1]),
                Subquery(named[:1]),
                F("stage"),
                output_field=CharField(),
            )
        )
    )


def granted_at(shown: Q) -> QuerySet[Grant]:
    """The grants in force that a page may show; newest first."""
    return in_force().filter(shown).order_by("-given_at", "-pk")


def own(person: Person) -> list[Grant]:
    """What a person holds, directly or through a team."""
    groups = Person.groups.through.objects.filter(person=person).values("group_id")
    return list(
        in_force()
        .filter(Q(person=person) | Q(team__group__in=groups))
        .order_by("project__name", "right", "stage")
    )
