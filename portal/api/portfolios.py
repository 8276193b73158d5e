"""Portfolios: projects that share rights; to read, to add, to put projects in and take them out."""

from typing import Any, cast

from django.db.models import Prefetch, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal import rights
from portal.actions import edits, portfolios
from portal.api.auth import acting
from portal.api.changes import WholeProposalSerializer, answered
from portal.api.inputs import Input, Why, checked
from portal.api.listing import Listing
from portal.lookups import portfolio_for, project_for
from portal.models import Person, Portfolio, Project, Right


class PortfolioSerializer(serializers.Serializer[Portfolio]):
    """A portfolio with the keys of its projects, as far as one may see them."""

    slug = serializers.CharField()
    name = serializers.CharField()
    projects = serializers.ListField(child=serializers.CharField(), source="keys")


class NewPortfolio(Input):
    """A portfolio to be added; without a slug it is made from the name."""

    name = serializers.CharField(max_length=150)
    slug = serializers.SlugField(required=False, default="", max_length=50)


class ProjectToPut(Why):
    """A project to be put in."""

    project = serializers.CharField(max_length=100)


class Portfolios(Listing):
    """The portfolios one manages or audits, or of which one sees a project."""

    serializer_class = PortfolioSerializer
    ordering = ("slug",)

    def get_queryset(self) -> QuerySet[Any]:
        return _whole(self.person)

    def shown(self, rows: list[Any]) -> list[Any]:
        return [_told(row) for row in rows]

    @extend_schema(request=NewPortfolio, responses={201: PortfolioSerializer})
    def post(self, request: Request) -> Response:
        """Add a portfolio; it is empty at first."""
        made = portfolios.add_portfolio(by=self.person, **checked(NewPortfolio, request))
        return Response(_one(self.person, made.slug), status=201)


class OnePortfolio(APIView):
    """One portfolio."""

    @extend_schema(responses=PortfolioSerializer)
    def get(self, request: Request, slug: str) -> Response:
        """A portfolio with its projects."""
        return Response(_one(acting(request), slug))


class PortfolioProjects(APIView):
    """What is in a portfolio."""

    @extend_schema(
        request=ProjectToPut, responses={201: WholeProposalSerializer, 202: WholeProposalSerializer}
    )
    def post(self, request: Request, slug: str) -> Response:
        """Put a project in: a change of rights, which waits (202) where the portfolio hands any down."""
        by = acting(request)
        portfolio = portfolio_for(by, slug)
        rights.check_estate(by, Right.MANAGE)
        wish = checked(ProjectToPut, request)
        op = edits.put(portfolio=portfolio, project=project_for(by, wish["project"]), why=wish["why"])
        return _answered(by, portfolio, op)


class TakeOut(APIView):
    """The end of a project's being in a portfolio."""

    @extend_schema(request=Why, responses={201: WholeProposalSerializer, 202: WholeProposalSerializer})
    def post(self, request: Request, slug: str, key: str) -> Response:
        """Take a project out; rights held through the portfolio end there at once."""
        by = acting(request)
        portfolio = portfolio_for(by, slug)
        rights.check_estate(by, Right.MANAGE)
        op = edits.take_out(portfolio=portfolio, project=project_for(by, key), **checked(Why, request))
        return _answered(by, portfolio, op)


def _answered(by: Person, portfolio: Portfolio, op: edits.Op) -> Response:
    return answered(edits.edit(by=by, ops=[op], why=op["why"], portfolio=portfolio))


def _whole(person: Person) -> QuerySet[Portfolio]:
    seen = Project.objects.filter(pk__in=rights.visible_projects(person).values("pk")).order_by("key")
    return rights.visible_portfolios(person).prefetch_related(Prefetch("projects", seen, "seen"))


def _told(portfolio: Any) -> dict[str, Any]:
    return {"slug": portfolio.slug, "name": portfolio.name, "keys": [one.key for one in portfolio.seen]}


def _one(person: Person, slug: str) -> dict[str, Any]:
    found = _whole(person).filter(slug=slug).first()
    if found is None:
        raise rights.absent()
    return dict(PortfolioSerializer(cast(Any, _told(found))).data)
