"""Reports: whether they are made, and the PDF. Asking for one starts from a request."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from governance.models import Report
from governance.queries import check_report, reports_for
from portal import content, rights
from portal.api.auth import acting
from portal.api.downloads import Download, sent
from portal.api.fields import At
from portal.api.listing import Listing
from portal.api.people import PersonSerializer
from portal.errors import Refused
from portal.lookups import project_for
from portal.models import Person


class ReportSerializer(serializers.Serializer[Report]):
    """A report, made from the events `first` to `last`. `problem` says why it could not be made."""

    id = serializers.IntegerField()
    project = serializers.CharField(source="project.key", default=None, allow_null=True)
    about = serializers.CharField()
    status = serializers.ChoiceField(choices=Report.Status.choices)
    asked_at = At()
    asked_by = PersonSerializer()
    made_at = At(allow_null=True)
    first = serializers.IntegerField(allow_null=True)
    last = serializers.IntegerField(allow_null=True)
    digest = serializers.CharField(source="content_id", allow_null=True)
    problem = serializers.CharField()


@extend_schema_view(
    get=extend_schema(
        parameters=[
            OpenApiParameter("project", str, description="only reports of this project"),
            OpenApiParameter("about", str, description="only reports about this subject, such as request:7"),
        ]
    )
)
class Reports(Listing):
    """Reports of the projects one may audit, newest first."""

    serializer_class = ReportSerializer

    def get_queryset(self) -> QuerySet[Any]:
        asked = self.request.query_params
        found = reports_for(self.person)
        if asked.get("project"):
            found = found.filter(project=project_for(self.person, asked["project"]))
        return found.filter(about=asked["about"]) if asked.get("about") else found


class OneReport(APIView):
    """One report."""

    @extend_schema(responses=ReportSerializer)
    def get(self, request: Request, number: int) -> Response:
        """A report: whether it is made."""
        return Response(ReportSerializer(_report(acting(request), number)).data)


class ReportPdf(Download):
    """The report itself."""

    @extend_schema(responses={200: OpenApiResponse(OpenApiTypes.BINARY, "the report, PDF/A-3a")})
    def get(self, request: Request, number: int) -> HttpResponse:
        """The report as PDF, once it is made."""
        report = _report(acting(request), number)
        if report.content_id is None:
            raise Refused(
                _("The report is %(status)s, so there is no PDF yet. %(problem)s")
                % {
                    "status": report.get_status_display(),
                    "problem": report.problem or _("Look again in a moment."),
                },
                code="report_not_made",
            )
        name = f"{report.project_key or 'estate'}-{report.about.replace(':', '-')}-report-{report.pk}.pdf"
        return sent(content.get(report.content_id), "application/pdf", name)


def _report(person: Person, number: int) -> Report:
    seen = rights.visible_projects(person)
    found = Report.objects.select_related("project", "asked_by").filter(pk=number, project__in=seen).first()
    if found is None:
        raise rights.absent()
    check_report(person, found)
    return found
