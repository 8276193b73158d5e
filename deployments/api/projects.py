"""Projects: what runs where in those one may see, and importing one."""

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from deployments.api.deployments import RunningSerializer
from deployments.lanes import Standing, health
from deployments.models import DeploymentRequest, Promotion
from deployments.queries import LaneRow, ProjectRow, project_rows, projects_of
from portal import rights
from portal.actions import projects
from portal.api.auth import acting
from portal.api.fields import At, Words
from portal.api.inputs import Input, checked
from portal.api.listing import Listing
from portal.api.paging import Pages
from portal.api.people import PersonSerializer
from portal.api.teams import person_of
from portal.errors import Invalid
from portal.lookups import project_for
from portal.models import Node, Person, Pipeline, Right


class LaneRequestSerializer(serializers.Serializer[DeploymentRequest]):
    """The open request of a lane."""

    number = serializers.IntegerField(source="pk")
    bundle_id = serializers.CharField(source="bundle.bundle_id")
    held = serializers.CharField()


class LanePromotionSerializer(serializers.Serializer[Promotion]):
    """The promotion that holds a lane, under way or ended without letting it go."""

    number = serializers.IntegerField(source="pk")
    request = serializers.IntegerField(source="request_id")
    kind = serializers.ChoiceField(choices=Promotion.Kind.choices)
    status = serializers.ChoiceField(choices=Promotion.Status.choices)
    bundle_id = serializers.CharField(source="bundle.bundle_id")


class LaneSerializer(serializers.Serializer[LaneRow]):
    """A lane: what runs there and since when, how healthy, what is on its way, and what the reader may do."""

    stage = serializers.CharField(source="standing.lane.stage.slug")
    name = serializers.CharField(source="standing.lane.stage.name")
    running = RunningSerializer(source="standing.runs", allow_null=True)
    health = serializers.SerializerMethodField()
    tests_passed = serializers.SerializerMethodField()
    tests_listed = serializers.SerializerMethodField()
    request = LaneRequestSerializer(source="standing.asked", allow_null=True)
    promotion = serializers.SerializerMethodField()
    rights = Words()

    @extend_schema_field(
        serializers.ChoiceField(choices=["", "healthy", "unhealthy", "running", "unknown"], allow_blank=True)
    )
    def get_health(self, row: LaneRow) -> str:
        return health(row.standing)[0]

    def get_tests_passed(self, row: LaneRow) -> int | None:
        return row.standing.tests[0] if row.standing.tests else None

    def get_tests_listed(self, row: LaneRow) -> int | None:
        return row.standing.tests[1] if row.standing.tests else None

    @extend_schema_field(LanePromotionSerializer(allow_null=True))
    def get_promotion(self, row: LaneRow) -> Any:
        found = _holder(row.standing)
        return LanePromotionSerializer(found).data if found else None


class ProjectSerializer(serializers.Serializer[ProjectRow]):
    """A project with its lanes in the pipeline's order."""

    key = serializers.CharField(source="project.key")
    name = serializers.CharField(source="project.name")
    tier = serializers.CharField(source="project.tier")
    policy = serializers.CharField(source="project.policy")
    node = serializers.CharField(source="project.node.slug")
    pipeline = serializers.CharField(source="project.pipeline.slug")
    owners = PersonSerializer(source="project.owners.all", many=True)
    dss_owner = serializers.CharField(source="project.dss_owner")
    scored_dataset = serializers.CharField(source="project.scored_dataset")
    outcome_column = serializers.CharField(source="project.outcome_column")
    favourable_value = serializers.CharField(source="project.favourable_value")
    label_column = serializers.CharField(source="project.label_column")
    score_column = serializers.CharField(source="project.score_column")
    model_id = serializers.CharField(source="project.model_id")
    imported_at = At(source="project.imported_at")
    lanes = LaneSerializer(many=True)


class NewProject(Input):
    """A DSS project to be imported: its key, the node that has it, the pipeline it goes, and the rules for it."""

    key = serializers.CharField(max_length=100)
    node = serializers.SlugField()
    pipeline = serializers.SlugField()
    policy = serializers.SlugField()
    tier = serializers.SlugField()
    owner = serializers.CharField(
        required=False,
        allow_null=True,
        default=None,
        max_length=150,
        help_text="login of who owns it here; wanted where DSS's owner is unknown",
    )
    scored_dataset = serializers.CharField(required=False, default="", allow_blank=True, max_length=100)
    outcome_column = serializers.CharField(required=False, default="", allow_blank=True, max_length=100)
    favourable_value = serializers.CharField(required=False, default="", allow_blank=True, max_length=100)
    label_column = serializers.CharField(required=False, default="", allow_blank=True, max_length=100)
    score_column = serializers.CharField(required=False, default="", allow_blank=True, max_length=100)
    model_id = serializers.CharField(required=False, default="", allow_blank=True, max_length=100)


class Projects(Listing):
    """The projects one may see, by key, with what runs where."""

    serializer_class = ProjectSerializer
    ordering = ("key",)

    def get_queryset(self) -> QuerySet[Any]:
        assert isinstance(self.paginator, Pages)
        return projects_of(self.person, self.paginator.window(self.request))

    def shown(self, rows: list[Any]) -> list[Any]:
        return project_rows(self.person, rows)

    @extend_schema(request=NewProject, responses={201: ProjectSerializer})
    def post(self, request: Request) -> Response:
        """Import a project from a design node."""
        rights.check_estate(self.person, Right.MANAGE)
        wish = checked(NewProject, request)
        node = Node.objects.filter(slug=wish.pop("node"), kind=Node.Kind.DESIGN).first()
        pipeline = Pipeline.objects.filter(slug=wish.pop("pipeline")).first()
        if node is None:
            raise Invalid(
                _("There is no design node of this name. Add it first."), code="node_unknown", field="node"
            )
        if pipeline is None:
            raise Invalid(
                _("There is no pipeline of this name. Add it first."),
                code="pipeline_unknown",
                field="pipeline",
            )
        owner = wish.pop("owner")
        project = projects.import_project(
            by=self.person,
            node=node,
            pipeline=pipeline,
            owner=person_of(owner, "owner") if owner else None,
            **wish,
        )
        return Response(_one(self.person, project.key), status=201)


class OneProject(APIView):
    """One project."""

    @extend_schema(responses=ProjectSerializer)
    def get(self, request: Request, key: str) -> Response:
        """A project with its lanes: what runs there, what is open, and what one may do."""
        return Response(_one(acting(request), key))


def _one(person: Person, key: str) -> Any:
    project = project_for(person, key)
    return ProjectSerializer(project_rows(person, [project])[0]).data


def _holder(standing: Standing) -> Promotion | None:
    return standing.coming or standing.held_by
