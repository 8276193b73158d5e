"""Who asks, and what they may do on the whole estate."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal import rights
from portal.api.auth import acting, by_token
from portal.api.fields import At, Words
from portal.api.people import AccountSerializer
from portal.api.teams import TeamNameSerializer
from portal.api.tokens import KeysOfToken
from portal.models import Person, Token
from portal.queries import teams_for


class ActingTokenSerializer(serializers.Serializer[Token]):
    """The token that asks: what it is for, what it may, where, and until when."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    rights = Words()
    projects = KeysOfToken()
    expires_at = At()


class MeSerializer(AccountSerializer):
    """The person who asks."""

    teams = TeamNameSerializer(many=True)
    estate_rights = Words()
    authenticated_by = serializers.ChoiceField(choices=["token", "session"])
    token = ActingTokenSerializer(allow_null=True)


class Me(APIView):
    """The person who asks."""

    @extend_schema(responses=MeSerializer)
    def get(self, request: Request) -> Response:
        """Who asks, their teams, and their rights on the whole estate."""
        person: Person = acting(request)
        token = Token.objects.filter(pk=person.scope.token or 0).first() if person.scope else None
        more = {
            "teams": [
                {"slug": team.slug, "name": team.name}
                for team in teams_for(person).filter(group__in=person.groups.values("pk"))
            ],
            "estate_rights": sorted(rights.on_estate(person)),
            "authenticated_by": "token" if by_token(request) else "session",
            "token": ActingTokenSerializer(token).data if token else None,
        }
        return Response({**AccountSerializer(person).data, **more})
