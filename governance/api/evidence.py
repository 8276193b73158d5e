"""Evidence: what holds for a bundle, and each piece with its result."""

import json
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from governance import explainability_charts
from governance.actions import imports
from governance.models import Evidence
from governance.queries import evidence_holding
from governance.suppression import published
from portal import content, rights
from portal.api.auth import acting
from portal.api.fields import At, Digests, Facts
from portal.api.inputs import Input, checked
from portal.api.listing import Listing
from portal.api.people import PersonSerializer
from portal.lookups import bundle_for
from portal.queries import lane_for


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
    """A piece of evidence with what it says: counts and rates, features, or test runs.

    Of groups too small to publish nothing is told but that they are `suppressed`.
    """

    result = Facts()


class NewEvidence(Input):
    """Figures that were counted elsewhere, about the bundle at a stage; docs/policy.md has the formats of `content`."""

    kind = serializers.ChoiceField(choices=sorted(imports.READERS))
    stage = serializers.SlugField()
    content = serializers.JSONField()


class EvidenceOfBundle(Listing):
    """Evidence that holds for a bundle, also where it was recorded of another with equal parts; newest first."""

    serializer_class = EvidenceSerializer

    def get_queryset(self) -> QuerySet[Any]:
        return evidence_holding(bundle_for(self.person, self.kwargs["key"], self.kwargs["bundle_id"]))

    @extend_schema(request=NewEvidence, responses={201: EvidenceSerializer})
    def post(self, request: Request, key: str, bundle_id: str) -> Response:
        """Bring evidence that was counted elsewhere; whoever brings it is its author, and does not sign for it."""
        bundle = bundle_for(self.person, key, bundle_id)
        wish = checked(NewEvidence, request)
        lane = lane_for(bundle.project, wish.pop("stage"))
        evidence = imports.take_in(by=self.person, bundle=bundle, lane=lane, **wish)
        return Response(EvidenceSerializer(evidence).data, status=201)


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
        result = json.loads(content.get(found.result_id))
        if found.kind == Evidence.Kind.FAIRNESS:
            result = published(result)
        elif found.kind == Evidence.Kind.EXPLAINABILITY:
            result = explainability_charts.published(result)
        return Response({**EvidenceSerializer(found).data, "result": result})
