"""The estate as a file: as it is, to download, and one to compare with it or to propose."""

from dataclasses import asdict

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portal import estate_file, rights
from portal.actions import landscape
from portal.api.auth import acting
from portal.api.changes import WholeProposalSerializer, answered
from portal.api.downloads import Download, sent
from portal.api.fields import Words
from portal.api.inputs import Why, checked
from portal.errors import Invalid
from portal.models import Right
from portal.queries import check_looks_over_estate


class NewEstate(Why):
    """A file that states the whole estate. `preview`: only tell what it would change."""

    text = serializers.CharField(max_length=1_048_576, trim_whitespace=False)
    preview = serializers.BooleanField(default=False)


class DifferencesSerializer(serializers.Serializer[None]):
    """What it would change, a line each."""

    does = Words()


class EstateFile(Download):
    """Nodes, pipelines, stages and places as a file."""

    @extend_schema(responses={(200, "application/yaml"): OpenApiTypes.STR})
    def get(self, request: Request) -> HttpResponse:
        """The estate as it is, sorted and stable: applied again it changes nothing."""
        check_looks_over_estate(acting(request))
        text = estate_file.written(estate_file.current())
        return sent(text.encode(), "application/yaml", "estate.yaml")

    @extend_schema(
        request=NewEstate,
        responses={200: DifferencesSerializer, 201: WholeProposalSerializer, 202: WholeProposalSerializer},
    )
    def post(self, request: Request) -> Response:
        """Make the estate what the file states: what it does not list is removed.

        200 where nothing differs or a preview was asked for, 201 applied, 202 waiting for a second administrator. What
        is wrong with a text stands in `params`, by line and column, with remedies.
        """
        by = acting(request)
        rights.check_estate(by, Right.MANAGE)
        wish = checked(NewEstate, request)
        try:
            document = estate_file.read(wish["text"])
        except estate_file.EstateError as error:
            found = [asdict(one) for one in error.problems]
            raise Invalid(error.sentence, code=error.code, field="text", problems=found) from error
        does = landscape.rehearse(by=by, document=document)
        if wish["preview"] or not does:
            return Response({"does": does})
        return answered(landscape.bring(by=by, document=document, why=wish["why"]))
