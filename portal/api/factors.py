"""Second factors: one's own, and for administrators those of others and what a team requires. Set up on the pages."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal import rights
from portal.actions import accounts, factors
from portal.api.fields import At
from portal.api.inputs import Input, Why, checked
from portal.api.listing import Listing
from portal.api.sessions import present
from portal.api.teams import TeamNameSerializer
from portal.models import Factor, Right, Team


class FactorSerializer(serializers.Serializer[Factor]):
    """A second factor without its secret."""

    id = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=Factor.Kind.choices)
    name = serializers.CharField()
    made_at = At()
    used_at = At(allow_null=True)


class Required(Input):
    """Whether a team's members need a second factor."""

    required = serializers.BooleanField()  # type: ignore[assignment]


class TeamRuleSerializer(TeamNameSerializer):
    """A team and what it requires of its members."""

    requires_second_factor = serializers.BooleanField()


class Factors(Listing):
    """One's own second factors; nothing for a token."""

    serializer_class = FactorSerializer

    def get_queryset(self) -> QuerySet[Any]:
        found = Factor.objects.filter(person=self.person)
        return found if self.person.scope is None else found.none()


class RemoveFactor(APIView):
    """The end of a second factor."""

    @extend_schema(request=None, responses={204: None})
    def post(self, request: Request, number: int) -> Response:
        """Remove a second factor of one's own; not the last one where a team requires one."""
        by = present(request)
        factor = Factor.objects.filter(pk=number, person=by).first()
        if factor is None:
            raise rights.absent()
        factors.remove(by=by, factor=factor)
        return Response(status=204)


class RemoveFactorsOfPerson(APIView):
    """The end of somebody's second factors."""

    @extend_schema(request=Why, responses={204: None})
    def post(self, request: Request, login: str) -> Response:
        """Take somebody's second factors off, who lost them; for administrators."""
        by = present(request)
        person = accounts.person_at(by=by, login=login)
        factors.remove_all(by=by, person=person, **checked(Why, request))
        return Response(status=204)


class TeamSecondFactor(APIView):
    """What a team requires of its members."""

    @extend_schema(request=Required, responses=TeamRuleSerializer)
    def post(self, request: Request, slug: str) -> Response:
        """Say whether a team's members need a second factor; for administrators."""
        by = present(request)
        rights.check_estate(by, Right.MANAGE)
        team = Team.objects.filter(slug=slug).first()
        if team is None:
            raise rights.absent()
        factors.require(by=by, team=team, **checked(Required, request))
        return Response(TeamRuleSerializer(team).data)
