"""Test reports that pipelines send: JUnit XML of a bundle at a stage, or at the design node."""

from dataclasses import dataclass
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from governance.actions import test_reports
from governance.api.evidence import EvidenceSerializer
from portal.api.auth import acting
from portal.api.inputs import Input
from portal.lookups import bundle_for
from portal.uploads import too_large, was_cut


@dataclass(frozen=True, slots=True)
class Sent:
    """A report as the body itself."""

    stage: str
    file: Any


class XmlParser(BaseParser):
    """The body as it is: a stream, which the action reads as far as it takes reports."""

    media_type = test_reports.XML

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        """The stage stands in the address then."""
        return Sent((parser_context or {})["request"].query_params.get("stage", ""), stream)


class NewReport(Input):
    """A JUnit report in a form: the stage where the tests ran, or `design`, and the file."""

    stage = serializers.SlugField(max_length=50)
    file = serializers.FileField(max_length=200)


class SentStage(Input):
    """The stage of a report whose body is the XML itself."""

    stage = serializers.SlugField(max_length=50)


class ReportsOfBundle(APIView):
    """Test reports about a bundle."""

    parser_classes = (MultiPartParser, XmlParser)

    @extend_schema(
        parameters=[
            OpenApiParameter("stage", str, description="the stage, where the body is the XML itself")
        ],
        request={"multipart/form-data": NewReport, test_reports.XML: OpenApiTypes.BINARY},
        responses={201: EvidenceSerializer},
    )
    def post(self, request: Request, key: str, bundle_id: str) -> Response:
        """Send a JUnit report: a form with stage and file, or the XML with the stage in the address."""
        person = acting(request)
        bundle = bundle_for(person, key, bundle_id)
        data: Any = request.data
        if was_cut(request):
            raise too_large()
        if isinstance(data, Sent):
            shape: Input = SentStage(data={"stage": data.stage})
        else:
            shape = NewReport(data=data)
        shape.is_valid(raise_exception=True)
        said = shape.validated_data
        file = data.file if isinstance(data, Sent) else said["file"]
        evidence = test_reports.record_report(by=person, bundle=bundle, stage=said["stage"], file=file)
        return Response(EvidenceSerializer(evidence).data, status=201)
