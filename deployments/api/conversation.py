"""The conversation of a request, and who is asked, reminded and told about a signature that is missing."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from deployments.actions import asking, conversation
from deployments.models import Ask, Comment
from deployments.queries import asks_of, comments_of, request_for
from portal.api.auth import acting
from portal.api.fields import At, Words
from portal.api.inputs import Input, checked
from portal.api.listing import Listing
from portal.api.people import PersonSerializer


class CommentSerializer(serializers.Serializer[Comment]):
    """Something said. `mentioned` are those it was pointed at, who were told."""

    id = serializers.IntegerField()
    text = serializers.CharField()
    written_at = At()
    written_by = PersonSerializer()
    mentioned = PersonSerializer(many=True)


class SaidSerializer(CommentSerializer):
    """What was said now. `unknown` are logins mentioned of whom nobody who may see the project is called so."""

    unknown = Words()


class NewComment(Input):
    """Something to say; `@login` tells somebody."""

    text = serializers.CharField(max_length=5000)


class Comments(Listing):
    """What was said about a request, newest first."""

    serializer_class = CommentSerializer

    def get_queryset(self) -> QuerySet[Any]:
        return comments_of(request_for(self.person, self.kwargs["number"]))

    @extend_schema(request=NewComment, responses={201: SaidSerializer})
    def post(self, request: Request, number: int) -> Response:
        """Say something. It stands in the record; those mentioned are told."""
        by = acting(request)
        said = conversation.say(by=by, request=request_for(by, number), **checked(NewComment, request))
        told = {**CommentSerializer(said.comment).data, "unknown": list(said.unknown)}
        return Response(told, status=201)


class AskSerializer(serializers.Serializer[Ask]):
    """Somebody who is, or was until `ended_at`, asked to sign a requirement, or whether to waive it (`waiver`)."""

    id = serializers.IntegerField()
    requirement = serializers.CharField()
    waiver = serializers.IntegerField(source="waiver_id", allow_null=True, help_text="what is to be answered")
    person = PersonSerializer()
    begun_at = At()
    told_at = At(allow_null=True)
    reminders = serializers.IntegerField()
    reminded_at = At(allow_null=True)
    escalated_at = At(allow_null=True)
    ended_at = At(allow_null=True)


class Asks(Listing):
    """Who was asked to sign for a request, newest first."""

    serializer_class = AskSerializer

    def get_queryset(self) -> QuerySet[Any]:
        return asks_of(request_for(self.person, self.kwargs["number"]))


class Which(Input):
    """The requirement whose signature is missing, or whose waiver waits for an answer."""

    requirement = serializers.CharField(max_length=120)


class WhichAndWhy(Which):
    """The same, and why it cannot wait."""

    why = serializers.CharField(max_length=2000)


class ToldSerializer(serializers.Serializer[Any]):
    """Who was told."""

    told = PersonSerializer(many=True)


class Remind(APIView):
    """A reminder."""

    @extend_schema(request=Which, responses=ToldSerializer)
    def post(self, request: Request, number: int) -> Response:
        """Remind whoever is asked to sign a requirement, or whether to waive it; once an hour at most."""
        by = acting(request)
        told = asking.remind(by=by, request=request_for(by, number), **checked(Which, request))
        return Response(ToldSerializer({"told": told}).data)


class Escalate(APIView):
    """An escalation."""

    @extend_schema(request=WhichAndWhy, responses=ToldSerializer)
    def post(self, request: Request, number: int) -> Response:
        """Tell who manages the project that a signature, or an answer, is missing; once a day at most."""
        by = acting(request)
        told = asking.escalate(by=by, request=request_for(by, number), **checked(WhichAndWhy, request))
        return Response(ToldSerializer({"told": told}).data)
