"""Who asks, and what they may do on the whole estate."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal import rights
from portal.api.auth import acting, by_token
from portal.api.fields import Words
from portal.api.people import AccountSerializer
from portal.api.teams import TeamNameSerializer
from portal.models import Person, Team


class MeSerializer(AccountSerializer):
    """The person who asks."""

    teams = TeamNameSerializer(many=True)
    estate_rights = Words()
    authenticated_by = serializers.ChoiceField(choices=["token", "session"])


class Me(APIView):
    """The person who asks."""

    @extend_schema(responses=MeSerializer)
    def get(self, request: Request) -> Response:
        """Who asks, their teams, and their rights on the whole estate."""
        person: Person = acting(request)
        own = Team.objects.filter(group__in=person.groups.values("pk"))
        more = {
            "teams": [{"slug": team.slug, "name": team.name} for team in own],
            "estate_rights": sorted(rights.on_estate(person)),
            "authenticated_by": "token" if by_token(request) else "session",
        }
        return Response({**AccountSerializer(person).data, **more})
