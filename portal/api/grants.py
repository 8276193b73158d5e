"""Who may do what, where: grants to read, to give and to revoke."""

from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal import rights
from portal.actions import edits, grants
from portal.api.auth import acting
from portal.api.changes import ProposalSerializer
from portal.api.fields import At
from portal.api.inputs import Input, Why, checked
from portal.api.listing import Listing
from portal.api.people import PersonSerializer
from portal.api.teams import TeamNameSerializer, person_of
from portal.errors import Invalid
from portal.lookups import portfolio_for, project_for
from portal.models import Change, Grant, Person, Right, Team
from portal.queries import grants_for


class GrantSerializer(serializers.Serializer[Grant]):
    """A grant; without project and portfolio it is on the whole estate, without a stage on every stage."""

    id = serializers.IntegerField()
    person = PersonSerializer(allow_null=True)
    team = TeamNameSerializer(allow_null=True)
    right = serializers.CharField()
    role = serializers.CharField()
    project = serializers.CharField(source="project.key", default=None, allow_null=True)
    portfolio = serializers.CharField(source="portfolio.slug", default=None, allow_null=True)
    stage = serializers.CharField()
    until = At(allow_null=True)
    why = serializers.CharField()
    given_at = At()
    given_by = PersonSerializer()
    revoked_at = At(allow_null=True)
    revoked_by = PersonSerializer(allow_null=True)


class NewGrant(Input):
    """A right to be given, to a person (by login) or a team (by slug)."""

    person = serializers.CharField(required=False, max_length=150)
    team = serializers.SlugField(required=False)
    right = serializers.ChoiceField(choices=Right.choices)
    role = serializers.SlugField(required=False, default="", allow_blank=True)
    project = serializers.CharField(required=False, allow_null=True, default=None, max_length=100)
    portfolio = serializers.SlugField(required=False, allow_null=True, default=None)
    stage = serializers.SlugField(required=False, default="", allow_blank=True)
    until = serializers.DateTimeField(required=False, allow_null=True, default=None)
    why = serializers.CharField(max_length=500)


@extend_schema_view(
    get=extend_schema(
        parameters=[
            OpenApiParameter("project", str, description="only grants on this project"),
            OpenApiParameter("all", bool, description="also those that were revoked or ran out"),
        ]
    )
)
class Grants(Listing):
    """Grants in force on the projects one may see; administrators and auditors also see those on the estate."""

    serializer_class = GrantSerializer

    def get_queryset(self) -> QuerySet[Any]:
        key = self.request.query_params.get("project")
        found = grants_for(self.person, project_for(self.person, key) if key else None)
        if self.request.query_params.get("all", "") in ("true", "1"):
            return found
        return found.filter(Q(until__isnull=True) | Q(until__gt=timezone.now()), revoked_at__isnull=True)

    @extend_schema(request=NewGrant, responses={201: GrantSerializer, 202: ProposalSerializer})
    def post(self, request: Request) -> Response:
        """Give a right, or another end to one that is held; 202 where it waits for a second administrator."""
        wish = checked(NewGrant, request)
        key, slug = wish.pop("project"), wish.pop("portfolio")
        if key and slug:
            raise Invalid(
                _("Name a project or a portfolio, one of them."), code="grant_place", field="portfolio"
            )
        project = project_for(self.person, key) if key else None
        portfolio = portfolio_for(self.person, slug) if slug else None
        grants.check_grantor(
            self.person, project, portfolio
        )  # who may not grant learns nothing about who is here
        wish["person"], wish["team"] = _holder(wish.pop("person", None), wish.pop("team", None))
        wish["right"] = Right(wish["right"])
        change = edits.give_right(by=self.person, project=project, portfolio=portfolio, **wish)
        if change.status != Change.Status.APPLIED:
            return Response(ProposalSerializer(change).data, status=202)
        wish.pop("why")
        wish.pop("until")
        given = Grant.objects.get(project=project, portfolio=portfolio, revoked_at=None, **wish)
        return Response(GrantSerializer(_grant(self.person, given.pk)).data, status=201)


class RevokeGrant(APIView):
    """The end of a grant."""

    @extend_schema(request=Why, responses=GrantSerializer)
    def post(self, request: Request, number: int) -> Response:
        """Take a right back; it is gone at once."""
        by = acting(request)
        edits.take_right(by=by, grant=_grant(by, number), **checked(Why, request))
        return Response(GrantSerializer(_grant(by, number)).data)


def _holder(login: str | None, slug: str | None) -> tuple[Person | None, Team | None]:
    """Whom the wish names."""
    team = Team.objects.filter(slug=slug).first() if slug else None
    if slug and team is None:
        raise Invalid(_("There is no team “%(team)s”.") % {"team": slug}, code="team_unknown", field="team")
    return person_of(login, "person") if login else None, team


def _grant(person: Person, number: int) -> Grant:
    found = grants_for(person).filter(pk=number).first()
    if found is None:
        raise rights.absent()
    return found
