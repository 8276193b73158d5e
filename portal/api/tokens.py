"""One's own API tokens. A secret is shown once, when it is made."""

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal import rights
from portal.actions import people
from portal.api.auth import acting, by_token
from portal.api.fields import At
from portal.api.inputs import Input, checked
from portal.api.listing import Listing
from portal.errors import Forbidden
from portal.models import Token


class TokenSerializer(serializers.Serializer[Token]):
    """A token without its secret."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    prefix = serializers.CharField()
    made_at = At()
    expires_at = At(allow_null=True)
    used_at = At(allow_null=True)
    revoked_at = At(allow_null=True)


class MadeTokenSerializer(TokenSerializer):
    """A token just made, with its secret."""

    secret = serializers.CharField()


class NewToken(Input):
    """A token to be made: what it is for, and for how many days."""

    name = serializers.CharField(max_length=100)
    days = serializers.IntegerField(required=False, default=90)


class Tokens(Listing):
    """One's own tokens."""

    serializer_class = TokenSerializer

    def get_queryset(self) -> QuerySet[Any]:
        return Token.objects.filter(person=self.person)

    @extend_schema(request=NewToken, responses={201: MadeTokenSerializer})
    def post(self, request: Request) -> Response:
        """Make a token for oneself. A token makes no tokens: it would outlive itself."""
        if by_token(request):
            raise Forbidden(
                _("A token makes no tokens. Sign in with your password and make one on your account page."),
                code="token_makes_no_token",
            )
        token, secret = people.make_token(by=self.person, **checked(NewToken, request))
        return Response({**TokenSerializer(token).data, "secret": secret}, status=201)


class RevokeToken(APIView):
    """The end of a token."""

    @extend_schema(request=None, responses=TokenSerializer)
    def post(self, request: Request, number: int) -> Response:
        """Revoke a token of one's own, at once and for good."""
        by = acting(request)
        token = Token.objects.filter(person=by, pk=number).first()
        if token is None:
            raise rights.absent()
        people.revoke_token(by=by, token=token)
        token.refresh_from_db()
        return Response(TokenSerializer(token).data)
