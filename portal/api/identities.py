"""Accounts elsewhere that are linked to people, and groups there that mean teams here; for administrators."""

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal import rights
from portal.actions import accounts, identities, mappings
from portal.api.fields import At
from portal.api.inputs import Input, Why, checked
from portal.api.listing import Listing
from portal.api.people import PersonSerializer
from portal.api.sessions import present
from portal.api.teams import TeamNameSerializer
from portal.errors import Invalid
from portal.models import Change, GroupMapping, Identity, Right, Team
from portal.models.identity import Source

PROVIDERS = [(source.value, source.label) for source in (Source.OIDC, Source.SAML)]
SOURCES = [*PROVIDERS, (Source.SCIM.value, Source.SCIM.label)]


class IdentitySerializer(serializers.Serializer[Identity]):
    """An account at a provider, by its subject there."""

    id = serializers.IntegerField()
    provider = serializers.CharField()
    subject = serializers.CharField()
    linked_at = At()
    linked_by = PersonSerializer()
    used_at = At(allow_null=True)


class NewIdentity(Input):
    """An account at a provider that is to be linked."""

    provider = serializers.ChoiceField(choices=PROVIDERS)
    subject = serializers.CharField(max_length=255)


class MappingSerializer(serializers.Serializer[GroupMapping]):
    """A group elsewhere that means a team here."""

    id = serializers.IntegerField()
    provider = serializers.CharField()
    group = serializers.CharField()
    team = TeamNameSerializer()
    made_at = At()
    made_by = PersonSerializer()


class NewMapping(Input):
    """A group that is to mean a team."""

    provider = serializers.ChoiceField(choices=SOURCES)
    group = serializers.CharField(max_length=255, trim_whitespace=False)
    team = serializers.SlugField(max_length=50)
    why = serializers.CharField(max_length=500)


class MappingChangeSerializer(serializers.Serializer[Any]):
    """The change that was proposed, and whether it is applied or waits for a second administrator."""

    change = serializers.IntegerField()
    status = serializers.CharField()


class IdentitiesOfPerson(Listing):
    """Somebody's accounts at providers."""

    serializer_class = IdentitySerializer

    def get_queryset(self) -> QuerySet[Any]:
        person = accounts.person_at(by=self.person, login=self.kwargs["login"])
        return Identity.objects.filter(person=person).select_related("linked_by")

    @extend_schema(request=NewIdentity, responses={201: IdentitySerializer})
    def post(self, request: Request, login: str) -> Response:
        """Link an account at a provider to a person: who comes from there as this subject is them."""
        by = present(request)
        person = accounts.person_at(by=by, login=login)
        made = identities.link(by=by, person=person, **checked(NewIdentity, request))
        return Response(IdentitySerializer(made).data, status=201)


class UnlinkIdentity(APIView):
    """The end of a link."""

    @extend_schema(request=None, responses={204: None})
    def post(self, request: Request, login: str, number: int) -> Response:
        """End a link, with the memberships that came by it."""
        by = present(request)
        person = accounts.person_at(by=by, login=login)
        identity = Identity.objects.select_related("person").filter(pk=number, person=person).first()
        if identity is None:
            raise rights.absent()
        identities.unlink(by=by, identity=identity)
        return Response(status=204)


class Mappings(Listing):
    """Which groups elsewhere mean which teams here."""

    serializer_class = MappingSerializer

    def get_queryset(self) -> QuerySet[Any]:
        rights.check_estate(self.person, Right.MANAGE)
        return GroupMapping.objects.select_related("team", "made_by")

    @extend_schema(request=NewMapping, responses={201: MappingChangeSerializer, 202: MappingChangeSerializer})
    def post(self, request: Request) -> Response:
        """Propose that a group means a team. It gives rights: 202 where it waits for a second administrator."""
        by = present(request)
        rights.check_estate(by, Right.MANAGE)
        asked = checked(NewMapping, request)
        team = Team.objects.filter(slug=asked["team"]).first()
        if team is None:
            raise Invalid(
                _("There is no team “%(name)s”.") % {"name": asked["team"]}, code="team_unknown", field="team"
            )
        change = mappings.map_group(by=by, **{**asked, "team": team})
        status = 201 if change.status == Change.Status.APPLIED else 202
        return Response({"change": change.pk, "status": change.status}, status=status)


class EndMapping(APIView):
    """The end of a mapping."""

    @extend_schema(request=Why, responses=MappingChangeSerializer)
    def post(self, request: Request, number: int) -> Response:
        """Let a group mean nothing any more; the memberships that came from it end at once."""
        by = present(request)
        rights.check_estate(by, Right.MANAGE)
        mapping = GroupMapping.objects.select_related("team").filter(pk=number).first()
        if mapping is None:
            raise rights.absent()
        change = mappings.unmap_group(by=by, mapping=mapping, **checked(Why, request))
        return Response({"change": change.pk, "status": change.status})
