"""Evidence: what holds for a bundle, and each piece with its result."""

import json
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from governance.models import Evidence
from governance.queries import evidence_holding
from portal import content, rights
from portal.api.auth import acting
from portal.api.fields import At, Digests, Facts
from portal.api.listing import Listing
from portal.api.people import PersonSerializer
from portal.lookups import bundle_for


class EvidenceSerializer(serializers.Serializer[Evidence]):
    """A piece of evidence; `parts` are the digests of what it is about, `bundle_id` the bundle it was recorded of."""

    id = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=Evidence.Kind.choices)
    name = serializers.CharField(help_text="tells it from others of its kind: which external check it is of")
    project = serializers.CharField(source="project.key")
    bundle_id = serializers.CharField(source="bundle.bundle_id")
    stage = serializers.CharField()
    digest = serializers.CharField()
    parts = Digests()
    source = Facts()  # type: ignore[assignment]
    author = PersonSerializer()
    recorded_at = At()


class EvidenceResultSerializer(EvidenceSerializer):
    """A piece of evidence with what it says: counts and rates, features, or test runs."""

    result = Facts()


class EvidenceOfBundle(Listing):
    """Evidence that holds for a bundle, also where it was recorded of another with equal parts; newest first."""

    serializer_class = EvidenceSerializer

    def get_queryset(self) -> QuerySet[Any]:
        return evidence_holding(bundle_for(self.person, self.kwargs["key"], self.kwargs["bundle_id"]))


class OneEvidence(APIView):
    """One piece of evidence."""

    @extend_schema(responses=EvidenceResultSerializer)
    def get(self, request: Request, number: int) -> Response:
        """A piece of evidence with its result."""
        seen = rights.visible_projects(acting(request))
        found = (
            Evidence.objects.filter(project__in=seen, pk=number)
            .select_related("bundle", "author", "project")
            .first()
        )
        if found is None:
            raise rights.absent()
        return Response(
            {**EvidenceSerializer(found).data, "result": json.loads(content.get(found.result_id))}
        )
