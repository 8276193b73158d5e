"""Rights as files: what is in force at a place to download, and a file to compare with it or to propose."""

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portal import rights
from portal.actions import edits, grants
from portal.api.auth import acting
from portal.api.changes import PreviewSerializer, WholeProposalSerializer, answered
from portal.api.downloads import Download, sent
from portal.api.inputs import Input, checked, one_of
from portal.effects import effects
from portal.errors import Invalid
from portal.lookups import portfolio_for, project_for
from portal.models import Person, Right
from portal.places import Place
from portal.proposed import lines
from portal.queries import looks_over_estate
from portal.rights_files import wanted, with_why, written


class NewFile(Input):
    """A file of rights. `preview`: only tell what it would change. `why`: the reason of what it revokes."""

    scope = serializers.CharField(max_length=120, help_text="estate, portfolio <slug> or project <key>")
    text = serializers.CharField(max_length=1_048_576, trim_whitespace=False)
    format = serializers.ChoiceField(choices=["yaml", "csv"], default="yaml")
    why = serializers.CharField(max_length=500)
    preview = serializers.BooleanField(default=False)


class RightsFile(Download):
    """The rights given at a place, as a file."""

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "scope", str, required=True, description="estate, portfolio <slug>, project <key>"
            ),
            OpenApiParameter("as", str, enum=["yaml", "csv"]),
        ],
        responses={(200, "application/yaml"): OpenApiTypes.STR},
    )
    def get(self, request: Request) -> HttpResponse:
        """What is in force there, sorted and stable: applied again it changes nothing."""
        form = one_of(request, "as", ["yaml", "csv"]) or "yaml"
        by = acting(request)
        place = _place(by, request.query_params.get("scope", ""))
        text = written(place, "csv" if form == "csv" else "yaml", estate=looks_over_estate(by))
        media = "text/csv" if form == "csv" else "application/yaml"
        return sent(text.encode(), media, f"{place.key.replace(':', '-')}.{form}")

    @extend_schema(
        request=NewFile,
        responses={200: PreviewSerializer, 201: WholeProposalSerializer, 202: WholeProposalSerializer},
    )
    def post(self, request: Request) -> Response:
        """Make the rights there what the file states: what it does not list is revoked.

        200 where nothing differs or a preview was asked for, 201 applied, 202 waiting for a second administrator.
        """
        by = acting(request)
        wish = checked(NewFile, request)
        place = _place(by, wish["scope"])
        grants.check_grantor(by, place.project, place.portfolio)
        found = wanted(wish["text"], wish["format"])
        if [one.place.key for one in found] != [place.key]:
            raise Invalid(
                "The file has to state this scope, and no other.", code="scope_elsewhere", field="text"
            )
        ops = with_why(found[0], wish["why"])
        if wish["preview"] or not ops:
            told = effects(by=by, ops=ops) if ops else None
            answer = {
                "does": [line.sentence for line in lines(ops)],
                "people": told.people if told else [],
                "weighed": told.weighed if told else True,
            }
            return Response(PreviewSerializer(answer).data)
        return answered(edits.edit(by=by, ops=ops, why=wish["why"], **place.address))


def _place(person: Person, scope: str) -> Place:
    """The place, as far as the person may see it."""
    kind, _space, name = scope.strip().partition(" ")
    if kind == "project":
        return Place(project=project_for(person, name.strip()))
    if kind == "portfolio":
        return Place(portfolio=portfolio_for(person, name.strip()))
    if scope.strip() != "estate":
        raise Invalid(
            "Write the scope as estate, portfolio <slug> or project <key>.",
            code="scope_unknown",
            field="scope",
        )
    if not looks_over_estate(person):
        rights.check_estate(person, Right.MANAGE)
    return Place()
