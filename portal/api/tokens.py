"""API tokens: one's own, and for administrators those of service accounts. A secret is shown once, when it is made."""

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal import rights
from portal.actions import people
from portal.api.auth import acting
from portal.api.fields import At, Words
from portal.api.inputs import Input, checked
from portal.api.listing import Listing
from portal.api.people import PersonSerializer, account_for
from portal.errors import Invalid
from portal.models import Person, Project, Right, Token
from portal.models.grant import CARRIED


@extend_schema_field({"type": "array", "items": {"type": "string"}, "nullable": True})
class KeysOfToken(serializers.Field[Any, Any, Any, Any]):
    """The keys of the projects a token reaches; null: all of its person's."""

    def get_attribute(self, instance: Token) -> Token:
        return instance

    def to_representation(self, value: Token) -> list[str] | None:
        return None if value.every_project else sorted(project.key for project in value.projects.all())


class TokenSerializer(serializers.Serializer[Token]):
    """A token without its secret. `rights` are what it may do besides seeing."""

    id = serializers.IntegerField()
    person = PersonSerializer()
    name = serializers.CharField()
    prefix = serializers.CharField()
    status = serializers.ChoiceField(choices=Token.Status.choices)
    rights = Words()
    projects = KeysOfToken()
    made_at = At()
    made_by = PersonSerializer()
    expires_at = At()
    used_at = At(allow_null=True)
    revoked_at = At(allow_null=True)
    revoked_by = PersonSerializer(allow_null=True)


class MadeTokenSerializer(TokenSerializer):
    """A token just made, with its secret."""

    secret = serializers.CharField()


class NewToken(Input):
    """A token to be made: what it is for, for how many days, with which rights and on which projects.

    Without `rights` it carries all that a token may; an empty list lets it see only. Without `projects` it reaches all.
    """

    name = serializers.CharField(max_length=100)
    days = serializers.IntegerField(required=False, default=90)
    rights = serializers.ListField(
        child=serializers.ChoiceField(choices=sorted({*CARRIED, Right.VIEW.value})),
        required=False,
        allow_null=True,
        default=None,
    )
    projects = serializers.ListField(
        child=serializers.CharField(max_length=100),
        required=False,
        allow_null=True,
        default=None,
        max_length=200,
    )


class Tokens(Listing):
    """One's own tokens; a token knows of itself alone."""

    serializer_class = TokenSerializer

    def get_queryset(self) -> QuerySet[Any]:
        return _own(self.person)

    @extend_schema(request=NewToken, responses={201: MadeTokenSerializer})
    def post(self, request: Request) -> Response:
        """Make a token for oneself. A token makes no tokens: it would outlive itself."""
        return _made(self.person, self.person, request)


class TokensOfPerson(Listing):
    """The tokens of anybody, for administrators."""

    serializer_class = TokenSerializer

    def get_queryset(self) -> QuerySet[Any]:
        return tokens().filter(person=account_for(self.person, self.kwargs["login"]))

    @extend_schema(request=NewToken, responses={201: MadeTokenSerializer})
    def post(self, request: Request, login: str) -> Response:
        """Make a token for a service account. Its secret is shown this once."""
        return _made(self.person, account_for(self.person, login), request)


class RevokeToken(APIView):
    """The end of a token."""

    @extend_schema(request=None, responses=TokenSerializer)
    def post(self, request: Request, number: int) -> Response:
        """Revoke a token, at once and for good: one's own, or as an administrator anybody's."""
        by = acting(request)
        found = tokens()
        if by.scope is not None or Right.MANAGE.value not in rights.on_estate(by):
            found = _own(by)  # of others' tokens nobody learns that they are there
        token = found.filter(pk=number).first()
        if token is None:
            raise rights.absent()
        people.revoke_token(by=by, token=token)
        return Response(TokenSerializer(tokens().get(pk=number)).data)


def tokens() -> QuerySet[Token]:
    """All tokens, ready to be shown."""
    return Token.objects.select_related("person", "made_by", "revoked_by").prefetch_related("projects")


def _own(person: Person) -> QuerySet[Token]:
    found = tokens().filter(person=person)
    return found if person.scope is None else found.filter(pk=person.scope.token or 0)


def _made(by: Person, person: Person, request: Request) -> Response:
    wish = checked(NewToken, request)
    keys = wish.pop("projects")
    token, secret = people.make_token(
        by=by,
        person=person,
        carrying=wish.pop("rights"),
        projects=None if keys is None else _projects(by, keys),
        **wish,
    )
    return Response({**TokenSerializer(token).data, "secret": secret}, status=201)


def _projects(by: Person, keys: list[str]) -> list[Project]:
    """The projects of these keys, as far as the person sees them."""
    found = {one.key: one for one in rights.visible_projects(by).filter(key__in=keys)}
    for key in keys:
        if key not in found:
            raise Invalid(
                _("There is no project “%(key)s” that you see.") % {"key": key},
                code="project_unknown",
                field="projects",
            )
    return list(found.values())
