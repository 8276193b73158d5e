"""Portfolios: what is granted on one holds on each of its projects. An administrator's acts."""

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.text import slugify
from django.utils.translation import gettext as _

from portal import ledger, rights
from portal.actions.grants import ACTING, check_pipeline_team
from portal.errors import Invalid
from portal.event_kinds import EventKind
from portal.models import Person, Portfolio, Project, Right, Team
from portal.projecting import project_grants


def add_portfolio(*, by: Person, name: str, slug: str = "") -> Portfolio:
    """Add a portfolio without projects. Raises Invalid naming the field."""
    rights.check_estate(by, Right.MANAGE)
    portfolio = Portfolio(name=name, slug=slug or slugify(name))
    try:
        portfolio.full_clean(validate_unique=False)
    except ValidationError as error:
        field, problems = next(iter(error.message_dict.items()))
        raise Invalid(" ".join(problems), code="portfolio_invalid", field=field) from error
    with ledger.business():
        try:
            with transaction.atomic():
                portfolio.save()
        except IntegrityError as error:
            raise Invalid(
                _("There is a portfolio “%(slug)s” already; choose another name.") % {"slug": portfolio.slug},
                code="portfolio_taken",
                field="slug" if slug else "name",
            ) from error
        ledger.record(
            EventKind.PORTFOLIO_ADDED,
            by=by,
            project="",
            subject=f"portfolio:{portfolio.pk}",
            portfolio=portfolio.slug,
            name=name,
        )
        return portfolio


def put_project(*, by: Person, portfolio: Portfolio, project: Project, change: int | None = None) -> None:
    """Put a project into a portfolio: whoever holds rights on the portfolio holds them on the project at once."""
    rights.check_estate(by, Right.MANAGE)
    with ledger.business():
        # Two who put and take at once follow each other; the lanes are locked after, as every grant does.
        Portfolio.objects.select_for_update().get(pk=portfolio.pk)
        if portfolio.projects.filter(pk=project.pk).exists():
            raise Invalid(
                _("%(project)s is in portfolio %(portfolio)s already.")
                % {"project": project.name, "portfolio": portfolio.name},
                code="portfolio_has_project",
                field="project",
            )
        this = Project.objects.filter(pk=project.pk)
        for team in Team.objects.filter(
            grants__portfolio=portfolio, grants__right__in=ACTING, grants__revoked_at__isnull=True
        ).distinct():
            check_pipeline_team(team, this)
        portfolio.projects.add(project)
        project_grants([project])
        _moved(EventKind.PORTFOLIO_GAINED, by, portfolio, project, change)


def take_project(*, by: Person, portfolio: Portfolio, project: Project, change: int | None = None) -> None:
    """Take a project out of a portfolio: rights held through the portfolio end there at once."""
    rights.check_estate(by, Right.MANAGE)
    with ledger.business():
        Portfolio.objects.select_for_update().get(pk=portfolio.pk)
        if not portfolio.projects.filter(pk=project.pk).exists():
            raise Invalid(
                _("%(project)s is not in portfolio %(portfolio)s.")
                % {"project": project.name, "portfolio": portfolio.name},
                code="portfolio_lacks_project",
                field="project",
            )
        portfolio.projects.remove(project)
        project_grants([project])
        _moved(EventKind.PORTFOLIO_LOST, by, portfolio, project, change)


def _moved(kind: EventKind, by: Person, portfolio: Portfolio, project: Project, change: int | None) -> None:
    ledger.record(
        kind,
        by=by,
        project=project.key,
        subject=f"portfolio:{portfolio.pk}",
        portfolio=portfolio.slug,
        name=project.name,
        change=change,
    )
