"""Owners of a project: who they are, adding one, handing over, and who DSS says they are."""

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal import rights
from portal.actions import owners, projects
from portal.actions.owners import Choice, Confirmed, Found
from portal.api.auth import acting
from portal.api.inputs import Input, checked
from portal.api.listing import Listing
from portal.api.people import PersonSerializer
from portal.api.teams import TeamNameSerializer, person_of
from portal.errors import Invalid
from portal.lookups import project_for
from portal.models import Counterpart, Person, Project, Right, Team


class NewOwner(Input):
    """Who becomes an owner, and why."""

    login = serializers.CharField(max_length=150)
    why = serializers.CharField(max_length=500)


class Owners(Listing):
    """The owners of a project. Owning gives no right by itself."""

    serializer_class = PersonSerializer
    ordering = ("login",)

    def get_queryset(self) -> QuerySet[Any]:
        return project_for(self.person, self.kwargs["key"]).owners.all()

    @extend_schema(request=NewOwner, responses={201: PersonSerializer})
    def post(self, request: Request, key: str) -> Response:
        """Make somebody an owner too; for owners and administrators."""
        project = _owned(self.person, key)
        wish = checked(NewOwner, request)
        person = person_of(wish["login"], "login")
        projects.add_owner(by=self.person, project=project, person=person, why=wish["why"])
        return Response(PersonSerializer(person).data, status=201)


class OneOwner(APIView):
    """One ownership."""

    @extend_schema(
        parameters=[OpenApiParameter("why", str, required=True, description="why it ends")],
        responses={204: None},
    )
    def delete(self, request: Request, key: str, login: str) -> Response:
        """End somebody's ownership. The last owner who is here cannot go: hand the project over instead."""
        by = acting(request)
        project = _owned(by, key)
        projects.remove_owner(
            by=by,
            project=project,
            person=_owner(project, login),
            why=request.query_params.get("why", ""),
        )
        return Response(status=204)


class Heir(Input):
    """Who owns it from now on, and why."""

    heir = serializers.CharField(max_length=150)
    why = serializers.CharField(max_length=500)


class HandOver(APIView):
    """The move of an ownership."""

    @extend_schema(request=Heir, responses=PersonSerializer)
    def post(self, request: Request, key: str, login: str) -> Response:
        """Let somebody else own the project in the place of this owner; for owners and administrators."""
        by = acting(request)
        project = _owned(by, key)
        wish = checked(Heir, request)
        heir = person_of(wish["heir"], "heir")
        projects.hand_over(by=by, project=project, person=_owner(project, login), heir=heir, why=wish["why"])
        return Response(PersonSerializer(heir).data)


class FoundSerializer(serializers.Serializer[Found]):
    """A user or group that DSS names on the project, with who that may be here.

    `known` says that an administrator confirmed it before; otherwise it is a proposal by login, address or name.
    """

    kind = serializers.ChoiceField(choices=Counterpart.Kind.choices)
    name = serializers.CharField()
    shown = serializers.CharField()
    works = serializers.BooleanField()
    owns = serializers.BooleanField()
    person = PersonSerializer(allow_null=True)
    team = TeamNameSerializer(allow_null=True)
    known = serializers.BooleanField()


class ChoiceInput(Input):
    """Who a user (by login) or a group (by slug of a team) is here, and whether they own it and are to see and ask."""

    kind = serializers.ChoiceField(choices=Counterpart.Kind.choices)
    name = serializers.CharField(max_length=200)
    person = serializers.CharField(required=False, allow_null=True, default=None, max_length=150)
    team = serializers.SlugField(required=False, allow_null=True, default=None)
    owner = serializers.BooleanField(required=False, default=False)
    grant = serializers.BooleanField(required=False, default=False)


class Confirmation(Input):
    """What an administrator confirms of it."""

    choices = ChoiceInput(many=True)
    why = serializers.CharField(max_length=500)


class ConfirmedSerializer(serializers.Serializer[Any]):
    """How many owners were added, and the change that asks for rights (null: none were missing)."""

    owners = serializers.IntegerField()
    change = serializers.IntegerField(source="change.pk", default=None, allow_null=True)
    applied = serializers.SerializerMethodField()

    def get_applied(self, made: Confirmed) -> bool:
        return made.change is not None and made.change.status == made.change.Status.APPLIED


class OwnersInDss(APIView):
    """Owner, users and groups as DSS has them."""

    @extend_schema(responses=FoundSerializer(many=True))
    def get(self, request: Request, key: str) -> Response:
        """Who DSS says owns and works on the project, with proposals; asks the design node. For administrators."""
        by = acting(request)
        found = owners.look(by=by, project=project_for(by, key))
        return Response([FoundSerializer(one).data for one in found])

    @extend_schema(request=Confirmation, responses=ConfirmedSerializer)
    def post(self, request: Request, key: str) -> Response:
        """Keep who is who, add owners, and ask for view and request as one change. For administrators."""
        by = acting(request)
        project = project_for(by, key)
        rights.check_estate(by, Right.MANAGE)
        wish = checked(Confirmation, request)
        choices = [_choice(one) for one in wish["choices"]]
        made = owners.confirm(by=by, project=project, choices=choices, why=wish["why"])
        return Response(ConfirmedSerializer(made).data)


def _choice(wish: dict[str, Any]) -> Choice:
    login, slug = wish.pop("person"), wish.pop("team")
    team = Team.objects.filter(slug=slug).first() if slug else None
    if slug and team is None:
        raise Invalid(
            _("There is no team “%(team)s”.") % {"team": slug}, code="team_unknown", field="choices"
        )
    return Choice(
        **{**wish, "kind": Counterpart.Kind(wish["kind"])},
        person=person_of(login, "choices") if login else None,
        team=team,
    )


def _owned(by: Person, key: str) -> Project:
    """The project, for who may say who owns it: others learn nothing about who is here."""
    project = project_for(by, key)
    projects.check_owner(by, project)
    return project


def _owner(project: Project, login: str) -> Person:
    found = project.owners.filter(login=login.lower()).first()
    if found is None:
        raise rights.absent()
    return found
