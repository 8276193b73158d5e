"""Promotions: their steps, stopping one, and letting go of the lane it holds."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from deployments.actions import promotions
from deployments.models import Promotion, Step
from deployments.queries import promotion_for, promotion_verbs, promotions_for
from deployments.words import step_name, step_note, story
from portal import rights
from portal.api.auth import acting
from portal.api.fields import At, Facts, Words
from portal.api.inputs import Input, Why, checked, whole_number
from portal.api.listing import Listing
from portal.api.people import PersonSerializer
from portal.lookups import project_for
from portal.models import Person


class StepSerializer(serializers.Serializer[Step]):
    """A step with its times and what it answered; `title` and `note` are for people."""

    position = serializers.IntegerField()
    name = serializers.CharField()
    title = serializers.SerializerMethodField()
    status = serializers.ChoiceField(choices=Step.Status.choices)
    note = serializers.SerializerMethodField()
    started_at = At(allow_null=True)
    ended_at = At(allow_null=True)
    attempts = serializers.IntegerField()
    output = Facts()
    problem = serializers.CharField()

    def get_title(self, step: Step) -> str:
        return step_name(step.name)

    def get_note(self, step: Step) -> str:
        return step_note(step)


class PromotionSerializer(serializers.Serializer[Promotion]):
    """One attempt with its steps. A rollback `undoes` the promotion of this number."""

    number = serializers.IntegerField(source="pk")
    request = serializers.IntegerField(source="request_id")
    project = serializers.CharField(source="lane.project.key")
    stage = serializers.CharField(source="lane.stage.slug")
    place = serializers.CharField(source="place.infra_id")
    bundle_id = serializers.CharField(source="bundle.bundle_id")
    kind = serializers.ChoiceField(choices=Promotion.Kind.choices)
    undoes = serializers.IntegerField(source="undoes_id", allow_null=True)
    status = serializers.ChoiceField(choices=Promotion.Status.choices)
    story = serializers.SerializerMethodField()
    started_at = At()
    started_by = PersonSerializer()
    on_behalf_of = PersonSerializer(allow_null=True)
    live_at = At(allow_null=True)
    ended_at = At(allow_null=True)
    reason = serializers.CharField()
    holds_lane = serializers.BooleanField()
    steps = StepSerializer(many=True)

    def get_story(self, promotion: Promotion) -> str:
        return story(promotion)


class MyPromotionSerializer(PromotionSerializer):
    """A promotion, and what the reader can do with it: `stop` or `release`."""

    can = Words()


class StoppedSerializer(MyPromotionSerializer):
    """A promotion that was stopped, and the number of the rollback that began."""

    rollback = serializers.IntegerField(allow_null=True)


class Stop(Input):
    """Why it is stopped; after its live change, whether what runs is kept instead of rolled back."""

    why = serializers.CharField(max_length=2000)
    keep = serializers.BooleanField(required=False, default=False)


@extend_schema_view(
    get=extend_schema(
        parameters=[
            OpenApiParameter("project", str, description="only promotions of this project"),
            OpenApiParameter("request", int, description="only promotions of this request"),
        ]
    )
)
class Promotions(Listing):
    """The promotions of the projects one may see, newest first."""

    serializer_class = PromotionSerializer

    def get_queryset(self) -> QuerySet[Any]:
        key = self.request.query_params.get("project")
        number = whole_number(self.request, "request")
        found = promotions_for(self.person)
        if key:
            found = found.filter(lane__project=project_for(self.person, key))
        return found if number is None else found.filter(request=number)


class OnePromotion(APIView):
    """One promotion."""

    @extend_schema(responses=MyPromotionSerializer)
    def get(self, request: Request, number: int) -> Response:
        """A promotion with its steps and what one can do with it."""
        return Response(shown(acting(request), number))


class StopPromotion(APIView):
    """The end of a promotion by a person."""

    @extend_schema(request=Stop, responses=StoppedSerializer)
    def post(self, request: Request, number: int) -> Response:
        """Stop a running promotion. After its live change it rolls back, or keeps what runs and holds the lane."""
        by = acting(request)
        rollback = promotions.stop(by=by, promotion=promotion_for(by, number), **checked(Stop, request))
        return Response({**shown(by, number), "rollback": rollback.pk if rollback else None})


class ReleasePromotion(APIView):
    """The end of a promotion's hold on its lane."""

    @extend_schema(request=Why, responses=MyPromotionSerializer)
    def post(self, request: Request, number: int) -> Response:
        """Let go of the lane that a promotion which is over still holds."""
        by = acting(request)
        promotions.release_lane(by=by, promotion=promotion_for(by, number), **checked(Why, request))
        return Response(shown(by, number))


def shown(person: Person, number: int) -> dict[str, Any]:
    """A promotion as it is now, with what the person can do."""
    promotion = promotion_for(person, number)
    held = rights.held_on(person, [promotion.lane])[promotion.lane_id]
    return {**PromotionSerializer(promotion).data, "can": promotion_verbs(promotion, held)}
