"""Teams and who is in them. Administrators and auditors see all, others their own."""

from typing import Any

from django.db.models import Prefetch, QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal import rights
from portal.actions import edits, people
from portal.api.auth import acting
from portal.api.changes import WholeProposalSerializer, answered
from portal.api.inputs import Input, Why, checked
from portal.api.listing import Listing
from portal.api.people import PersonSerializer
from portal.errors import Invalid
from portal.models import Change, Person, Right, Team
from portal.queries import teams_for


class TeamNameSerializer(serializers.Serializer[Team]):
    """A team as records name it."""

    slug = serializers.CharField()
    name = serializers.CharField()


class TeamSerializer(TeamNameSerializer):
    """A team with its members."""

    members = PersonSerializer(many=True, source="group.people")


class NewTeam(Input):
    """A team to be added; without a slug it is made from the name."""

    name = serializers.CharField(max_length=150)
    slug = serializers.SlugField(required=False, default="", max_length=50)


class NewMember(Why):
    """Who joins, and why."""

    login = serializers.CharField(max_length=150)


class Teams(Listing):
    """Teams with their members."""

    serializer_class = TeamSerializer
    ordering = ("slug",)

    def get_queryset(self) -> QuerySet[Any]:
        return with_members(teams_for(self.person))

    @extend_schema(request=NewTeam, responses={201: TeamSerializer})
    def post(self, request: Request) -> Response:
        """Add a team."""
        rights.check_estate(self.person, Right.MANAGE)
        team = people.add_team(by=self.person, **checked(NewTeam, request))
        return Response(TeamSerializer(_team(self.person, team.slug)).data, status=201)


class TeamMembers(APIView):
    """Who is in a team."""

    @extend_schema(request=NewMember, responses={200: TeamSerializer, 202: WholeProposalSerializer})
    def post(self, request: Request, slug: str) -> Response:
        """Make somebody a member: a change of rights, which waits (202) where the team holds any."""
        by = acting(request)
        team = _team(by, slug)
        rights.check_estate(by, Right.MANAGE)
        wish = checked(NewMember, request)
        change = edits.put_member(by=by, team=team, person=person_of(wish["login"], "login"), why=wish["why"])
        if change.status != Change.Status.APPLIED:
            return answered(change)
        return Response(TeamSerializer(_team(by, slug)).data)


class TeamMember(APIView):
    """One membership."""

    @extend_schema(
        parameters=[OpenApiParameter("why", str, required=True, description="why it ends")],
        responses={204: None},
    )
    def delete(self, request: Request, slug: str, login: str) -> Response:
        """End a membership; the team's rights end for the person at once."""
        by = acting(request)
        team = _team(by, slug)
        rights.check_estate(by, Right.MANAGE)
        edits.take_member(
            by=by, team=team, person=person_of(login, "login"), why=request.query_params.get("why", "")
        )
        return Response(status=204)


def with_members(teams: QuerySet[Team]) -> QuerySet[Team]:
    """The teams with their active members, by name."""
    return teams.prefetch_related(
        Prefetch("group__user_set", Person.objects.filter(is_active=True).order_by("name"), "people")
    )


def person_of(login: str, field: str) -> Person:
    """The person of a login; raises Invalid naming the field. Only for who may know."""
    person = Person.objects.filter(login=login.lower()).exclude(kind=Person.Kind.SYSTEM).first()
    if person is None:
        raise Invalid(
            _("Nobody here has the login “%(login)s”.") % {"login": login}, code="person_unknown", field=field
        )
    return person


def _team(person: Person, slug: str) -> Team:
    team = with_members(teams_for(person)).filter(slug=slug).first()
    if team is None:
        raise rights.absent()
    return team
