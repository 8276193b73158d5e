"""What differs between a bundle and what runs at a stage now, or another bundle: members by part."""

import json
from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from deployments.queries import deployments_now
from portal.api.auth import acting
from portal.api.bundles import stored_manifest
from portal.dss.manifest import PARTS, Manifest, Member, PartDiff, diff, manifest_from_json
from portal.errors import Invalid
from portal.lookups import bundle_for
from portal.models import Bundle, Person
from portal.queries import lane_for


class MemberSerializer(serializers.Serializer[Member]):
    """A file of a bundle."""

    path = serializers.CharField()
    size = serializers.IntegerField()
    digest = serializers.CharField()


class ChangeSerializer(serializers.Serializer[Any]):
    """A file that both have, with different contents."""

    path = serializers.CharField()
    old = serializers.CharField()
    new = serializers.CharField()


class PartDiffSerializer(serializers.Serializer[Any]):
    """What differs in one part."""

    part = serializers.ChoiceField(choices=PARTS)
    added = MemberSerializer(many=True)
    removed = MemberSerializer(many=True)
    changed = ChangeSerializer(many=True)


class DiffSerializer(serializers.Serializer[Any]):
    """What differs; `against` is the other bundle's id, null where nothing ran: then everything was added."""

    bundle_id = serializers.CharField()
    against = serializers.CharField(allow_null=True)
    parts = PartDiffSerializer(many=True)


class DiffOfBundle(APIView):
    """A bundle against another."""

    @extend_schema(
        parameters=[
            OpenApiParameter("stage", str, description="against what runs at this stage now"),
            OpenApiParameter("bundle", str, description="against this bundle of the project"),
        ],
        responses=DiffSerializer,
    )
    def get(self, request: Request, key: str, bundle_id: str) -> Response:
        """Which members were added, removed or changed, by part. Name a stage or a bundle to compare with."""
        person = acting(request)
        new = bundle_for(person, key, bundle_id)
        old = _other(person, new, request.query_params.get("stage"), request.query_params.get("bundle"))
        found = diff(_manifest(old) if old else None, _manifest(new))
        return Response(
            DiffSerializer(
                {
                    "bundle_id": new.bundle_id,
                    "against": old.bundle_id if old else None,
                    "parts": [_part(name, part) for name, part in found.parts.items()],
                }
            ).data
        )


def _other(person: Person, new: Bundle, stage: str | None, bundle_id: str | None) -> Bundle | None:
    if (stage is None) == (bundle_id is None):
        raise Invalid(
            _("Name a stage or a bundle to compare with, one of them."), code="diff_against", field="stage"
        )
    if bundle_id is not None:
        return bundle_for(person, new.project.key, bundle_id)
    lane = lane_for(new.project, stage or "")
    runs = deployments_now(person).filter(lane=lane).order_by("place__slug").first()
    return runs.bundle if runs else None


def _manifest(bundle: Bundle) -> Manifest:
    return manifest_from_json(json.loads(stored_manifest(bundle)))


def _part(name: str, found: PartDiff) -> dict[str, Any]:
    changed = [{"path": old.path, "old": old.digest, "new": new.digest} for old, new in found.changed]
    return {"part": name, "added": found.added, "removed": found.removed, "changed": changed}
