"""Pipelines with their stages and places: those of the projects one may see, and all for who looks over the estate."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal import rights
from portal.actions import landscape
from portal.api.auth import acting
from portal.api.changes import WholeProposalSerializer, answered
from portal.api.inputs import Input, Why, checked
from portal.api.listing import Listing
from portal.models import Change, Person, Pipeline, Place, Right, Stage
from portal.queries import pipelines_for


class PlaceSerializer(serializers.Serializer[Place]):
    """Where a stage runs."""

    slug = serializers.CharField()
    kind = serializers.CharField()
    deployer = serializers.CharField(source="deployer.slug")
    infra_id = serializers.CharField()
    automation = serializers.CharField(source="automation.slug")


class StageSerializer(serializers.Serializer[Stage]):
    """A stage with its places."""

    slug = serializers.CharField()
    name = serializers.CharField()
    places = PlaceSerializer(many=True)


class PipelineSerializer(serializers.Serializer[Pipeline]):
    """A pipeline with its stages in their order."""

    slug = serializers.CharField()
    name = serializers.CharField()
    team = serializers.CharField(source="team.slug", default=None, allow_null=True)
    stages = StageSerializer(many=True)


class PlaceWish(Input):
    """A place: an infrastructure of a Deployer and the Automation node behind it, both by slug."""

    slug = serializers.SlugField(max_length=50)
    deployer = serializers.SlugField()
    infra_id = serializers.CharField(max_length=100)
    automation = serializers.SlugField()


class StageWish(Input):
    """A stage."""

    slug = serializers.SlugField(max_length=50)
    name = serializers.CharField(max_length=100)
    places = PlaceWish(many=True)


class NewPipeline(Why):
    """A pipeline to be added, stages in their order."""

    slug = serializers.SlugField(max_length=50)
    name = serializers.CharField(max_length=150)
    team = serializers.SlugField(required=False, allow_null=True, default=None)
    stages = StageWish(many=True)


class PipelineWish(Why):
    """What is to be another at a pipeline; what is left out stays. `stages` are all of them, in their order."""

    name = serializers.CharField(required=False, max_length=150)
    team = serializers.SlugField(required=False, allow_null=True)
    stages = StageWish(many=True, required=False)


class Pipelines(Listing):
    """Pipelines."""

    serializer_class = PipelineSerializer
    ordering = ("slug",)

    def get_queryset(self) -> QuerySet[Any]:
        return pipelines_for(self.person)

    @extend_schema(request=NewPipeline, responses={201: PipelineSerializer, 202: WholeProposalSerializer})
    def post(self, request: Request) -> Response:
        """Add a pipeline with all its stages and places: a change of the estate, 202 where it waits."""
        rights.check_estate(self.person, Right.MANAGE)
        wish = checked(NewPipeline, request)
        slug, why = wish.pop("slug"), wish.pop("why")
        change = landscape.add(by=self.person, noun="pipeline", slug=slug, said=_said(wish), why=why)
        return _told(self.person, change, slug, 201)


class OnePipeline(APIView):
    """One pipeline."""

    @extend_schema(responses=PipelineSerializer)
    def get(self, request: Request, slug: str) -> Response:
        """A pipeline with its stages and places."""
        found = pipelines_for(acting(request)).filter(slug=slug).first()
        if found is None:
            raise rights.absent()
        return Response(PipelineSerializer(found).data)

    @extend_schema(request=PipelineWish, responses={200: PipelineSerializer, 202: WholeProposalSerializer})
    def patch(self, request: Request, slug: str) -> Response:
        """Change a pipeline; 202 where that waits. A stage or place with a history stays what it is."""
        by = acting(request)
        _seen(by, slug)
        rights.check_estate(by, Right.MANAGE)
        wish = checked(PipelineWish, request)
        why = wish.pop("why")
        change = landscape.alter(by=by, noun="pipeline", slug=slug, said=_said(wish), why=why)
        return _told(by, change, slug, 200)


class RemovePipeline(APIView):
    """The end of a pipeline."""

    @extend_schema(request=Why, responses={200: WholeProposalSerializer, 202: WholeProposalSerializer})
    def post(self, request: Request, slug: str) -> Response:
        """Remove a pipeline through which no project goes; 202 where that waits."""
        by = acting(request)
        _seen(by, slug)
        change = landscape.remove(by=by, noun="pipeline", slug=slug, **checked(Why, request))
        return answered(change, 200)


def _seen(person: Person, slug: str) -> None:
    if not pipelines_for(person).filter(slug=slug).exists():
        raise rights.absent()


def _told(person: Person, change: Change, slug: str, status: int) -> Response:
    """The pipeline where the change is applied, else the change."""
    if change.status != Change.Status.APPLIED:
        return answered(change)
    return Response(PipelineSerializer(pipelines_for(person).get(slug=slug)).data, status=status)


def _said(wish: dict[str, Any]) -> dict[str, Any]:
    """A wish as a document of the estate says it."""
    if "stages" not in wish:
        return wish
    return {
        **wish,
        "stages": [
            {
                "stage": stage["slug"],
                "name": stage["name"],
                "places": [
                    {
                        "place": place["slug"],
                        **{key: place[key] for key in ("deployer", "infra_id", "automation")},
                    }
                    for place in stage["places"]
                ],
            }
            for stage in wish["stages"]
        ],
    }
