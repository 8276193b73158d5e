"""Bundles of a project: to be registered, and what was registered, with part digests and manifest."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal import content
from portal.actions import bundles
from portal.api.auth import acting
from portal.api.fields import At, Digests
from portal.api.inputs import Input, checked
from portal.api.listing import Listing
from portal.api.people import PersonSerializer
from portal.errors import Refused
from portal.lookups import bundle_for, project_for
from portal.models import Bundle
from portal.queries import bundles_of


class BundleSerializer(serializers.Serializer[Bundle]):
    """A bundle. Digests and author are there once it is registered; `problem` says why it could not be."""

    project = serializers.CharField(source="project.key")
    bundle_id = serializers.CharField()
    status = serializers.ChoiceField(choices=Bundle.Status.choices)
    origin = serializers.ChoiceField(choices=Bundle.Origin.choices)
    notes = serializers.CharField()
    asked_at = At()
    asked_by = PersonSerializer()
    registered_at = At(allow_null=True)
    author = PersonSerializer(allow_null=True)
    author_in_dss = serializers.CharField()
    archive = serializers.CharField()
    size = serializers.IntegerField()
    members = serializers.IntegerField()
    parts = Digests()
    manifest = serializers.CharField(source="manifest_id", allow_null=True)
    problem = serializers.CharField()


class NewBundle(Input):
    """A bundle to be exported from the project as it is now, or picked when the design node has it already."""

    bundle_id = serializers.CharField(max_length=100)
    pick = serializers.BooleanField(required=False, default=False)
    notes = serializers.CharField(required=False, default="", allow_blank=True, max_length=5000)


class Bundles(Listing):
    """The bundles of a project, newest first."""

    serializer_class = BundleSerializer

    def get_queryset(self) -> QuerySet[Any]:
        return bundles_of(project_for(self.person, self.kwargs["key"]))

    @extend_schema(request=NewBundle, responses={201: BundleSerializer})
    def post(self, request: Request, key: str) -> Response:
        """Ask for a bundle to be registered. It is done in the background: look at its status."""
        project = project_for(self.person, key)
        bundle = bundles.ask_bundle(by=self.person, project=project, **checked(NewBundle, request))
        return Response(BundleSerializer(bundle).data, status=201)


class OneBundle(APIView):
    """One bundle."""

    @extend_schema(responses=BundleSerializer)
    def get(self, request: Request, key: str, bundle_id: str) -> Response:
        """A bundle with the digests of its parts."""
        return Response(BundleSerializer(bundle_for(acting(request), key, bundle_id)).data)


class ManifestOfBundle(APIView):
    """What a bundle holds."""

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, key: str, bundle_id: str) -> HttpResponse:
        """The stored manifest, byte for byte: members as [path, size, digest, part], sorted by path."""
        return HttpResponse(
            stored_manifest(bundle_for(acting(request), key, bundle_id)), content_type="application/json"
        )


def stored_manifest(bundle: Bundle) -> bytes:
    """The bytes of a registered bundle's manifest; raises Refused before it is registered."""
    if bundle.manifest_id is None:
        raise Refused(
            _(
                "Bundle %(bundle)s is %(status)s, so it has no manifest to show. Look again once it is registered."
            )
            % {"bundle": bundle.bundle_id, "status": bundle.get_status_display()},
            code="bundle_not_registered",
        )
    return content.get(bundle.manifest_id)
