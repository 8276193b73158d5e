"""Collections: evidence that is being gathered from the node that runs a bundle."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from governance.actions import evidence
from governance.models import Collection
from portal.api.fields import At
from portal.api.inputs import Input, checked
from portal.api.listing import Listing
from portal.api.people import PersonSerializer
from portal.lookups import bundle_for
from portal.queries import lane_for


class CollectionSerializer(serializers.Serializer[Collection]):
    """A collection; `problem` says why it failed, or what it is trying again after."""

    id = serializers.IntegerField()
    bundle_id = serializers.CharField(source="bundle.bundle_id")
    stage = serializers.CharField(source="lane.stage.slug")
    what = serializers.ChoiceField(choices=Collection.What.choices)
    status = serializers.ChoiceField(choices=Collection.Status.choices)
    asked_at = At()
    asked_by = PersonSerializer()
    ended_at = At(allow_null=True)
    problem = serializers.CharField()


class NewCollection(Input):
    """What to collect, on the node that runs the bundle at this stage."""

    stage = serializers.SlugField()
    what = serializers.ChoiceField(choices=Collection.What.choices)


class CollectionsOfBundle(Listing):
    """The collections of a bundle, newest first."""

    serializer_class = CollectionSerializer

    def get_queryset(self) -> QuerySet[Any]:
        bundle = bundle_for(self.person, self.kwargs["key"], self.kwargs["bundle_id"])
        return Collection.objects.filter(bundle=bundle).select_related("bundle", "lane__stage", "asked_by")

    @extend_schema(request=NewCollection, responses={201: CollectionSerializer})
    def post(self, request: Request, key: str, bundle_id: str) -> Response:
        """Ask for evidence or a generated document. Asked twice, it answers with the one under way."""
        bundle = bundle_for(self.person, key, bundle_id)
        wish = checked(NewCollection, request)
        lane = lane_for(bundle.project, wish["stage"])
        found = evidence.ask_collection(by=self.person, bundle=bundle, lane=lane, what=wish["what"])
        return Response(CollectionSerializer(found).data, status=201)
