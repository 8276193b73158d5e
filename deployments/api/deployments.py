"""What runs where, by which promotion and since when."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import serializers

from deployments.models import Deployment
from deployments.queries import deployments_now
from portal.api.fields import At
from portal.api.listing import Listing
from portal.lookups import project_for


class RunningSerializer(serializers.Serializer[Deployment]):
    """A bundle that runs. `watched_at` is when it completed its watch there."""

    bundle_id = serializers.CharField(source="bundle.bundle_id")
    deployable = serializers.CharField()
    promotion = serializers.IntegerField(source="promotion_id")
    since = At()
    watched_at = At(allow_null=True)


class DeploymentSerializer(RunningSerializer):
    """A bundle that runs, and where."""

    id = serializers.IntegerField()
    project = serializers.CharField(source="lane.project.key")
    stage = serializers.CharField(source="lane.stage.slug")
    place = serializers.CharField(source="place.infra_id")


@extend_schema_view(
    get=extend_schema(
        parameters=[OpenApiParameter("project", str, description="only what runs of this project")]
    )
)
class Deployments(Listing):
    """What runs now in the projects one may see, the latest first."""

    serializer_class = DeploymentSerializer

    def get_queryset(self) -> QuerySet[Any]:
        key = self.request.query_params.get("project")
        found = deployments_now(self.person)
        return found.filter(lane__project=project_for(self.person, key)) if key else found
