"""Who could take a project through a stage alone or with one colleague, and risky rights, for programs."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from governance.actions import reports
from governance.api.reports import ReportSerializer
from governance.combinations_found import Explained, Found, explained, found_in
from portal.api.auth import acting
from portal.api.fields import At, Words
from portal.api.listing import Listing
from portal.lookups import project_for
from portal.models import Person, Project
from portal.queries import check_looks_over_estate
from portal.simulator import check_may_simulate


class SomebodySerializer(serializers.Serializer[Any]):
    """Somebody by id and printed name."""

    id = serializers.UUIDField()
    name = serializers.CharField()


class DoingSerializer(serializers.Serializer[Any]):
    """Something one of them would do, and through which grants."""

    person = SomebodySerializer()
    what = serializers.CharField()
    through = Words()
    grants = serializers.SerializerMethodField()

    def get_grants(self, doing: Any) -> list[int]:
        """The numbers of the grants."""
        return _grants(doing.ways)


class EndingSerializer(serializers.Serializer[Any]):
    """What to revoke so that it is over: all of these grants."""

    person = SomebodySerializer(help_text="the first of `people`")
    people = SomebodySerializer(many=True, help_text="who holds the right by these grants")
    right = serializers.CharField()
    stage = serializers.CharField()
    sentence = serializers.CharField()
    grants = serializers.SerializerMethodField()

    def get_grants(self, ending: Any) -> list[int]:
        """The numbers of the grants."""
        return _grants(ending.ways)


class TogetherSerializer(serializers.Serializer[Any]):
    """One or two people who could, what they would do, and what ends it."""

    people = SomebodySerializer(many=True)
    doing = DoingSerializer(many=True)
    ending = EndingSerializer(allow_null=True)


class ReachSerializer(serializers.Serializer[Any]):
    """Who could take the project through one stage. `more_…`: so many beyond those that are named."""

    stage = serializers.CharField(source="name")
    asks = serializers.CharField(help_text="what the policy in force asks of people there")
    alone = TogetherSerializer(many=True)
    pairs = TogetherSerializer(many=True)
    more_alone = serializers.IntegerField()
    more_pairs = serializers.IntegerField()


class RiskSerializer(serializers.Serializer[Any]):
    """Rights in one hand that are risky whatever the policy asks."""

    rule = serializers.CharField(source="rule.value")
    title = serializers.CharField()
    person = SomebodySerializer()
    stage = serializers.CharField()
    rights = serializers.CharField()
    remedy = serializers.CharField()
    through = Words()
    grants = serializers.SerializerMethodField()

    def get_grants(self, risk: Any) -> list[int]:
        """The numbers of the grants."""
        return _grants(risk.ways)


class CombinationsSerializer(serializers.Serializer[Explained]):
    """Everything there is to say about one project, worked out now."""

    project = serializers.CharField(source="project.key")
    at = At()
    stages = ReachSerializer(many=True)
    risks = RiskSerializer(many=True, source="risky")
    more_risks = serializers.IntegerField(source="more_risky")


class CountsSerializer(serializers.Serializer[Found]):
    """How many on one project: alone by person and stage, pairs by stage, risky combinations."""

    project = serializers.CharField(source="project.key")
    alone = serializers.IntegerField()
    pairs = serializers.IntegerField()
    risks = serializers.SerializerMethodField()

    def get_risks(self, found: Found) -> int:
        """How many combinations are risky on their face."""
        return len(found.risks)


class Combinations(Listing):
    """Every project with how many could act alone or in pairs, by key; for those who look over the estate."""

    serializer_class = CountsSerializer
    ordering = ("key",)

    def get_queryset(self) -> QuerySet[Any]:
        check_looks_over_estate(self.person)
        return Project.objects.all()

    def shown(self, rows: list[Any]) -> list[Any]:
        return list(found_in(rows))


class CombinationsOfProject(APIView):
    """One project."""

    @extend_schema(responses=CombinationsSerializer)
    def get(self, request: Request, key: str) -> Response:
        """Who could take it through a stage alone or with one colleague, through what, and what ends it.

        For those who manage or audit the project.
        """
        (found,) = found_in([_project(acting(request), key)])
        return Response(CombinationsSerializer(explained(found)).data)


class ReportOnProjectCombinations(APIView):
    """The PDF on one project."""

    @extend_schema(request=None, responses={201: ReportSerializer})
    def post(self, request: Request, key: str) -> Response:
        """Ask for it. Asking twice gives the one under way."""
        by = acting(request)
        project = _project(by, key)
        made = reports.ask_report(by=by, project=project, about=f"combinations:{project.key}")
        return Response(ReportSerializer(made).data, status=201)


class ReportOnCombinations(APIView):
    """The PDF on every project."""

    @extend_schema(request=None, responses={201: ReportSerializer})
    def post(self, request: Request) -> Response:
        """Ask for it. Asking twice gives the one under way."""
        made = reports.ask_report(by=acting(request), about=f"combinations:{reports.ESTATE}")
        return Response(ReportSerializer(made).data, status=201)


def _project(person: Person, key: str) -> Project:
    project = project_for(person, key)
    check_may_simulate(person, project)
    return project


def _grants(ways: Any) -> list[int]:
    return sorted({way.grant.pk for way in ways})
