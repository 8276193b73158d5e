"""What differs between a bundle and what runs at a stage now, or another bundle: members by part."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from deployments.differences import LISTED, Changed, difference, sentence_of
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
    """A file that both have, with different contents.

    `unified` are the lines that differ in code, queries and settings, empty where they are not compared; `cut` counts
    the lines of that left out, and `why` says why there are none although the file is such a text.
    """

    path = serializers.CharField()
    old = serializers.CharField()
    new = serializers.CharField()
    unified = serializers.CharField()
    cut = serializers.IntegerField()
    why = serializers.CharField()


class ModelChangeSerializer(serializers.Serializer[Any]):
    """What became of a model: in a word, and as a sentence; numbers of features where the archive tells them."""

    model = serializers.CharField()
    name = serializers.CharField()
    became = serializers.ChoiceField(choices=("new", "gone", "retrained", "settings"))
    features = serializers.IntegerField(allow_null=True)
    features_before = serializers.IntegerField(allow_null=True)
    sentence = serializers.CharField()


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
    models = ModelChangeSerializer(many=True)


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
        """Which members were added, removed or changed, by part, the texts line by line, and what became of models.

        Name a stage or a bundle to compare with.
        """
        person = acting(request)
        new = bundle_for(person, key, bundle_id)
        old = _other(person, new, request.query_params.get("stage"), request.query_params.get("bundle"))
        if old is None:  # everything was added
            found = diff(None, _manifest(new))
            parts = [_part(name, part, {}) for name, part in found.parts.items()]
            models: list[dict[str, Any]] = []
        else:
            before, after = _manifest(old), _manifest(new)
            told = difference(old, new, listed=LISTED)
            lines = {one.path: one for part in told.parts for one in part.members}
            parts = [_part(name, part, lines) for name, part in diff(before, after).parts.items()]
            models = [
                {**asdict(one), "became": one.what, "sentence": sentence_of(one)} for one in told.trained
            ]
        against = old.bundle_id if old else None
        answer = {"bundle_id": new.bundle_id, "against": against, "parts": parts, "models": models}
        return Response(DiffSerializer(answer).data)


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


def _part(name: str, found: PartDiff, lines: Mapping[str, Changed]) -> dict[str, Any]:
    changed = [
        {
            "path": old.path,
            "old": old.digest,
            "new": new.digest,
            "unified": lines[old.path].unified if old.path in lines else "",
            "cut": lines[old.path].cut if old.path in lines else 0,
            "why": lines[old.path].why if old.path in lines else "",
        }
        for old, new in found.changed
    ]
    return {"part": name, "added": found.added, "removed": found.removed, "changed": changed}
