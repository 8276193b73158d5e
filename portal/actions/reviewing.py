"""Rights while an access review asks about them: they end at its due date, unless they are confirmed before.

That end is written onto the grants themselves, so every check and every list judges it right whether or not any job
runs; the end they were given is kept beside it and comes back with the confirmation. Nothing is given here that was not
given before. Who may answer, and the signature, are governance's (`governance/actions/access_reviews.py`, which alone
calls this).
"""

from collections.abc import Sequence
from datetime import datetime

from django.db.models import Case, F, Q, QuerySet, Value, When

from portal import ledger
from portal.actions import grants
from portal.errors import Refused
from portal.event_kinds import EventKind
from portal.models import Grant, Person, Portfolio, Project
from portal.projecting import end_rows, project_grants


def begin(*, by: Person, review: int, due: datetime, asked: QuerySet[Grant], whole: bool) -> Grant | None:
    """Let these grants end at the due date at the latest, until somebody confirms them.

    `whole`: they are every grant there is. One by which the estate is managed keeps its end, and is returned: it goes
    when another is confirmed, so that a review nobody answers does not leave the estate without an administrator.
    """
    with ledger.business():
        grants.lock_admins()
        spared = _spared(asked)
        limited = asked if spared is None else asked.exclude(pk=spared.pk)
        if spared is not None:
            Grant.objects.filter(pk=spared.pk).update(under_review=review, until_given=F("until"))
        late = Q(until__isnull=True) | Q(until__gt=due)
        limited.update(
            under_review=review,
            until_given=F("until"),
            until=Case(When(late, then=Value(due)), default=F("until")),
        )
        if whole:
            end_rows(by=due, review=review)
        else:
            project_grants(_projects(Grant.objects.filter(under_review=review)))
        return spared


def confirm(*, by: Person, review: int, due: datetime, confirmed: Sequence[Grant]) -> None:
    """Give these grants, which the review asks about and which are in force, the end back that they were given."""
    with ledger.business():
        grants.lock_admins()
        for grant in confirmed:
            Grant.objects.filter(pk=grant.pk, under_review=review).update(
                under_review=None, until=F("until_given"), until_given=None
            )
            grant.refresh_from_db(fields=["under_review", "until", "until_given"])
            ledger.record(
                EventKind.GRANT_CONFIRMED,
                by=by,
                project=grant.project.key if grant.project else "",
                subject=f"grant:{grant.pk}",
                review=review,
                until=grant.until.isoformat() if grant.until else None,
                **grants.facts_of(grant),
            )
        project_grants(_projects(Grant.objects.filter(pk__in=[grant.pk for grant in confirmed])))
        lasting = grants.administering().filter(until__isnull=True, under_review__isnull=True)
        if grants.able(lasting).exists():
            # Somebody goes on managing the estate, so what was spared for that ends like the others.
            grants.administering().filter(under_review=review).filter(
                Q(until__isnull=True) | Q(until__gt=due)
            ).update(until=due)


def revoke(*, by: Person, review: int, grant: Grant, why: str) -> None:
    """Take a right back that the review asks about; raises Refused for the last administrator's."""
    with ledger.business():
        grants.revoke(by=by, grant=grant, why=why, entrusted=True)
        Grant.objects.filter(pk=grant.pk, under_review=review).update(
            under_review=None, until=F("until_given"), until_given=None
        )


def lapse(*, by: Person, review: int, asked: Sequence[Grant], why: str) -> tuple[set[int], set[int]]:
    """Close what nobody confirmed: (revoked now, spared), by id. Raises nothing: who is spared stays.

    Its effect ended at the due date by itself; of the one that was spared it ends here, if somebody else manages.
    """
    with ledger.business():
        ids = [grant.pk for grant in asked]
        closed = {one.pk for one in grants.lapse(by=by, grants=Grant.objects.filter(pk__in=ids), why=why)}
        Grant.objects.filter(pk__in=closed).update(under_review=None, until_given=None)
        spared: set[int] = set()
        for grant in asked:
            if grant.pk in closed or grant.revoked_at is not None:
                continue
            try:
                revoke(by=by, review=review, grant=grant, why=why)
                closed.add(grant.pk)
            except Refused:
                spared.add(grant.pk)
        Grant.objects.filter(pk__in=spared, under_review=review).update(
            under_review=None, until=F("until_given"), until_given=None
        )
        return closed, spared


def release(*, by: Person, review: int) -> None:
    """Ask about nothing any more: the review was called off before its due date, or is over.

    Every grant it still asks about has its end back; one that was revoked otherwise may be given again.
    """
    with ledger.business():
        asked = Grant.objects.filter(under_review=review)
        asked.filter(revoked_at__isnull=False).update(under_review=None, until_given=None)
        projects = list(_projects(asked))
        asked.update(under_review=None, until=F("until_given"), until_given=None)
        project_grants(projects)


def _spared(asked: QuerySet[Grant]) -> Grant | None:
    """Of the grants by which the estate is managed the one that lasts longest, where all that last are asked about."""
    administering = grants.administering()
    ids = asked.values("pk")
    rest = administering.exclude(pk__in=ids)
    if grants.able(rest.filter(until__isnull=True)).exists():
        return None
    for grant in administering.filter(pk__in=ids).order_by(F("until").desc(nulls_first=True), "pk"):
        if grants.able(Grant.objects.filter(pk=grant.pk)).exists():
            return grant
    return None


def _projects(asked: QuerySet[Grant]) -> QuerySet[Project]:
    """The projects whose lanes show these grants."""
    on_projects = asked.filter(project__isnull=False).values("project")
    handed_down = Portfolio.projects.through.objects.filter(
        portfolio__in=asked.filter(portfolio__isnull=False).values("portfolio")
    ).values("project")
    return Project.objects.filter(Q(pk__in=on_projects) | Q(pk__in=handed_down))
