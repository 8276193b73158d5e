"""How much hangs on a project: what is asked, what was answered, where it leads."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from governance.actions import materiality
from governance.models import MaterialityAnswer
from governance.standing import Standing, standing_of
from portal.api.auth import acting
from portal.api.fields import At
from portal.api.inputs import Input, checked
from portal.api.listing import Listing
from portal.api.people import PersonSerializer
from portal.lookups import project_for


class MaterialityAnswerSerializer(serializers.Serializer[MaterialityAnswer]):
    """One version of a project's answers; `leads_to` is the tier by the policy of that day."""

    version = serializers.IntegerField()
    exposure = serializers.CharField()
    purpose = serializers.CharField()
    why = serializers.CharField()
    policy = serializers.CharField()
    policy_version = serializers.IntegerField()
    leads_to = serializers.CharField()
    answered_at = At()
    answered_by = PersonSerializer()


class QuestionSerializer(serializers.Serializer[Any]):
    """A question with its answers: name, and as it reads."""

    text = serializers.CharField()
    answers = serializers.DictField(child=serializers.CharField())


class MaterialityTableSerializer(serializers.Serializer[Any]):
    """What the policy in force asks; `tiers` by purpose, then exposure; `order` from the least strict tier on."""

    exposure = QuestionSerializer()
    purpose = QuestionSerializer()
    tiers = serializers.DictField(child=serializers.DictField(child=serializers.CharField()))
    order = serializers.ListField(child=serializers.CharField())


class StandingSerializer(serializers.Serializer[Standing]):
    """Where a project stands. `table`: null where the policy asks nothing; `leads_to`: empty without usable answers."""

    tier = serializers.CharField()
    leads_to = serializers.CharField()
    is_below = serializers.BooleanField()
    sentence = serializers.CharField()
    table = MaterialityTableSerializer(allow_null=True)
    answer = MaterialityAnswerSerializer(allow_null=True)


class NewMaterialityAnswer(Input):
    """What an owner answers, by name, and what that rests on."""

    exposure = serializers.CharField(max_length=50)
    purpose = serializers.CharField(max_length=50)
    why = serializers.CharField(max_length=materiality.WHY_LIMIT)


class MaterialityOfProject(APIView):
    """The materiality of a project."""

    @extend_schema(responses=StandingSerializer)
    def get(self, request: Request, key: str) -> Response:
        """What is asked, what was answered last, and the tier that it leads to beside the one in force."""
        return Response(StandingSerializer(standing_of(project_for(acting(request), key))).data)

    @extend_schema(request=NewMaterialityAnswer, responses={201: StandingSerializer})
    def post(self, request: Request, key: str) -> Response:
        """Answer for a project that one owns or administers. Its tier stays as it is until two others change it."""
        by = acting(request)
        project = project_for(by, key)
        materiality.answer(by=by, project=project, **checked(NewMaterialityAnswer, request))
        return Response(StandingSerializer(standing_of(project)).data, status=201)


class MaterialityAnswers(Listing):
    """What was answered for a project, newest first."""

    serializer_class = MaterialityAnswerSerializer

    def get_queryset(self) -> QuerySet[Any]:
        project = project_for(self.person, self.kwargs["key"])
        return MaterialityAnswer.objects.filter(project=project).select_related("answered_by")
