"""Pipelines with their stages and places: those of the projects one may see, and all for who looks over the estate."""

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portal import rights
from portal.actions import estate
from portal.actions.estate import NewPlace, NewStage
from portal.api.inputs import Input, checked
from portal.api.listing import Listing
from portal.errors import Invalid
from portal.models import Node, Pipeline, Place, Right, Stage, Team
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


class NewPipeline(Input):
    """A pipeline to be added, stages in their order."""

    slug = serializers.SlugField(max_length=50)
    name = serializers.CharField(max_length=150)
    team = serializers.SlugField(required=False, allow_null=True, default=None)
    stages = StageWish(many=True)


class Pipelines(Listing):
    """Pipelines."""

    serializer_class = PipelineSerializer
    ordering = ("slug",)

    def get_queryset(self) -> QuerySet[Any]:
        return pipelines_for(self.person)

    @extend_schema(request=NewPipeline, responses={201: PipelineSerializer})
    def post(self, request: Request) -> Response:
        """Add a pipeline with all its stages and places."""
        rights.check_estate(self.person, Right.MANAGE)
        wish = checked(NewPipeline, request)
        stages = [
            NewStage(one["slug"], one["name"], [_place(place) for place in one["places"]])
            for one in wish["stages"]
        ]
        team = _named(Team, wish["team"], "team") if wish["team"] else None
        made = estate.add_pipeline(
            by=self.person, slug=wish["slug"], name=wish["name"], stages=stages, team=team
        )
        return Response(PipelineSerializer(pipelines_for(self.person).get(pk=made.pk)).data, status=201)


def _place(wish: dict[str, Any]) -> NewPlace:
    return NewPlace(
        wish["slug"],
        _named(Node, wish["deployer"], "deployer"),
        wish["infra_id"],
        _named(Node, wish["automation"], "automation"),
    )


def _named(model: Any, slug: str, field: str) -> Any:
    found = model.objects.filter(slug=slug).first()
    if found is None:
        raise Invalid(
            _("There is no %(what)s “%(slug)s”.") % {"what": field, "slug": slug},
            code=f"{field}_unknown",
            field=field,
        )
    return found
