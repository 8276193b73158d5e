"""The matrix of rights and the simulator: who may do what, where, at which stage, through what."""

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal import matrix, rights
from portal.api.auth import acting
from portal.api.fields import At, Words
from portal.api.inputs import whole_number
from portal.api.people import PersonSerializer
from portal.api.teams import TeamNameSerializer, person_of
from portal.errors import Invalid
from portal.lookups import portfolio_for, project_for
from portal.models import Right
from portal.places import Place
from portal.queries import lane_for, looks_over_estate, teams_for
from portal.simulator import check_may_simulate, simulated

PAGING = [
    OpenApiParameter("page", int, description="which page of rows, from 1"),
    OpenApiParameter("find", str, description="only teams and people whose name holds this"),
    OpenApiParameter("members", bool, description="also members of teams, and who stands in"),
]


class CellSerializer(serializers.Serializer[Any]):
    """One right that is held at a stage ("": at every stage), until when, and through what, a line a way."""

    stage = serializers.CharField()
    right = serializers.CharField(source="column.right.value")
    role = serializers.CharField(source="column.role")
    until = At(allow_null=True)
    lent = serializers.BooleanField()
    why = Words()
    grant = serializers.IntegerField(allow_null=True, help_text="the grant given right here, if one is")


class RowSerializer(serializers.Serializer[Any]):
    """A team or a person at a place, with what it holds there; what is not listed is not held."""

    team = TeamNameSerializer(allow_null=True)
    person = PersonSerializer(allow_null=True)
    place = serializers.CharField(source="place.key", help_text="estate, portfolio:<slug> or project:<key>")
    held = CellSerializer(many=True)


class StageNameSerializer(serializers.Serializer[Any]):
    """A stage as it is named."""

    slug = serializers.CharField()
    name = serializers.CharField()


class MatrixSerializer(serializers.Serializer[Any]):
    """A page of the matrix."""

    stages = StageNameSerializer(many=True)
    rows = RowSerializer(many=True)
    page = serializers.IntegerField()
    pages = serializers.IntegerField()


class AnswerSerializer(serializers.Serializer[Any]):
    """Whether a right is held, until when, through which grants, and who else holds it."""

    right = serializers.CharField(source="column.right.value")
    role = serializers.CharField(source="column.role")
    holds = serializers.BooleanField()
    until = At(allow_null=True)
    why = Words()
    grants = serializers.SerializerMethodField()
    others = serializers.SerializerMethodField()

    def get_grants(self, answer: Any) -> list[int]:
        """The numbers of the grants."""
        return [way.grant.pk for way in answer.ways]

    def get_others(self, answer: Any) -> list[str]:
        """The logins of who else holds it."""
        return [one.person.login for one in answer.others]


class RightsOfSerializer(serializers.Serializer[Any]):
    """What somebody can do on a project at a stage."""

    person = PersonSerializer()
    project = serializers.CharField()
    stage = serializers.CharField()
    rights = AnswerSerializer(many=True)


class _Matrix(APIView):
    """The matrix of a place; which one is its children's to say."""

    def answer(self, request: Request, place: Place) -> Response:
        """One page of it, as far as the reader may see."""
        found = matrix.of_place(
            place,
            estate=looks_over_estate(acting(request)),
            number=_page(request),
            find=request.query_params.get("find", "")[:100],
            members=request.query_params.get("members", "") in ("true", "1"),
        )
        return _told(found)


class EstateRights(_Matrix):
    """Rights on the whole estate."""

    @extend_schema(parameters=PAGING, responses=MatrixSerializer)
    def get(self, request: Request) -> Response:
        """Who holds what on all of it: for those who manage or audit it."""
        if Right.AUDIT.value not in rights.on_estate(acting(request)):
            rights.check_estate(acting(request), Right.MANAGE)
        return self.answer(request, Place())


class ProjectRights(_Matrix):
    """Rights on a project."""

    @extend_schema(parameters=PAGING, responses=MatrixSerializer)
    def get(self, request: Request, key: str) -> Response:
        """Who holds what on it, through what; estate rights are told to those who look over the estate."""
        return self.answer(request, Place(project=project_for(acting(request), key)))


class PortfolioRights(_Matrix):
    """Rights on a portfolio."""

    @extend_schema(parameters=PAGING, responses=MatrixSerializer)
    def get(self, request: Request, slug: str) -> Response:
        """Who holds what on it, and so on each of its projects."""
        return self.answer(request, Place(portfolio=portfolio_for(acting(request), slug)))


class TeamRights(APIView):
    """Rights of a team."""

    @extend_schema(parameters=PAGING[:1], responses=MatrixSerializer)
    def get(self, request: Request, slug: str) -> Response:
        """Where the team holds what: a row for each place."""
        team = teams_for(acting(request)).filter(slug=slug).first()
        if team is None:
            raise rights.absent()
        return _told(matrix.of_team(team, number=_page(request)))


class RightsOf(APIView):
    """What somebody can do."""

    @extend_schema(parameters=[OpenApiParameter("stage", str, required=True)], responses=RightsOfSerializer)
    def get(self, request: Request, key: str, login: str) -> Response:
        """What this person can do on the project at the stage, through what, and who else could.

        For those who manage or audit the project.
        """
        by = acting(request)
        project = project_for(by, key)
        check_may_simulate(by, project)
        stage = request.query_params.get("stage", "")
        if not stage:
            raise Invalid(_("Say at which stage: ?stage=prod."), code="stage_missing", field="stage")
        lane = lane_for(project, stage)
        person = person_of(login, "login")
        found = {
            "person": person,
            "project": project.key,
            "stage": lane.stage.slug,
            "rights": simulated(person, lane),
        }
        return Response(RightsOfSerializer(found).data)


def _page(request: Request) -> int:
    return whole_number(request, "page") or 1


def _told(found: matrix.Matrix) -> Response:
    return Response(
        MatrixSerializer(
            {
                "stages": [{"slug": slug, "name": name} for slug, name in found.stages],
                "rows": found.rows,
                "page": found.page.number,
                "pages": found.page.paginator.num_pages,
            }
        ).data
    )
