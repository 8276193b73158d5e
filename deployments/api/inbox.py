"""What waits for the person who asks, what they asked for, and what went wrong."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from deployments.api.projects import LanePromotionSerializer
from deployments.api.requests import RequestSerializer
from deployments.inbox import Mine, Waiting, asked_by, waits_for, went_wrong
from governance import reviews
from portal.api.auth import acting
from portal.api.bundles import BundleSerializer
from portal.api.fields import At, Words
from portal.api.inputs import whole_number
from portal.api.people import PersonSerializer


class WaitingSerializer(serializers.Serializer[Waiting]):
    """A request in which the person can act now: what they can sign, which waivers they can grant, and whether they can
    start it.

    `instead_of` is who is away, where it waits for somebody whom the person stands in for.
    """

    request = RequestSerializer()
    sign = Words()
    waive = serializers.ListField(child=serializers.IntegerField(), source="waives")
    promote = serializers.BooleanField()
    instead_of = PersonSerializer(allow_null=True)


class MineSerializer(serializers.Serializer[Mine]):
    """A request of the person's own, and how much its gate still asks (null where it is not judged)."""

    request = RequestSerializer()
    missing = serializers.IntegerField(allow_null=True)


class ToAnswerSerializer(serializers.Serializer[reviews.Waiting]):
    """Rights one answers for in an access review: at a place of one's own, or (null) anywhere, as an administrator."""

    review = serializers.IntegerField(source="review.pk")
    place = serializers.IntegerField(source="place.pk", default=None, allow_null=True)
    project = serializers.CharField(source="place.project.key", default=None, allow_null=True)
    due = At(source="review.due")
    count = serializers.IntegerField()


class InboxSerializer(serializers.Serializer[Any]):
    """The inbox. Where `waits` is not all, `more` says so in words and `next` is the request to ask on `?after`."""

    waits = WaitingSerializer(many=True)
    next = serializers.IntegerField(allow_null=True)
    more = serializers.CharField()
    reviews = ToAnswerSerializer(many=True)
    mine = MineSerializer(many=True)
    held = RequestSerializer(many=True)
    promotions = LanePromotionSerializer(many=True)
    bundles = BundleSerializer(many=True)


class Inbox(APIView):
    """The inbox."""

    @extend_schema(
        parameters=[
            OpenApiParameter("after", int, description="only what waits after the request of this number")
        ],
        responses=InboxSerializer,
    )
    def get(self, request: Request) -> Response:
        """What waits for one, what one asked for, and what went wrong: held requests, promotions, bundles."""
        person = acting(request)
        waits = waits_for(person, whole_number(request, "after"))
        wrong = went_wrong(person)
        found = {
            "waits": waits.found,
            "next": waits.next,
            "more": waits.sentence,
            "reviews": reviews.waits_for(person),
            "mine": asked_by(person),
            "held": wrong.held,
            "promotions": wrong.promotions,
            "bundles": wrong.bundles,
        }
        return Response(InboxSerializer(found).data)
