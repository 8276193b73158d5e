"""Policies: the versions that were published, and publishing the next one."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from governance.actions import policies
from governance.models import PolicyVersion
from governance.policy import PolicyError
from governance.previews import Preview, preview
from governance.queries import policies_for
from governance.replay import PASSED, STOPPED, UNKNOWN
from governance.replay_words import Told
from portal import rights
from portal.api.auth import acting
from portal.api.changes import WholeProposalSerializer, answered
from portal.api.fields import At
from portal.api.inputs import Input, Why, checked
from portal.api.listing import Listing
from portal.api.people import PersonSerializer
from portal.errors import Invalid
from portal.models import Change, Right


class PolicyVersionSerializer(serializers.Serializer[PolicyVersion]):
    """A published version of a policy; the newest of its name applies."""

    name = serializers.CharField()
    version = serializers.IntegerField()
    digest = serializers.CharField()
    published_at = At()
    published_by = PersonSerializer()


class PolicySourceSerializer(PolicyVersionSerializer):
    """A version with its YAML as published."""

    source = serializers.CharField()  # type: ignore[assignment]


class NewPolicy(Why):
    """The YAML of a policy, which names itself, and why it is published."""

    source = serializers.CharField(max_length=200_000, trim_whitespace=False)  # type: ignore[assignment]


@contextmanager
def problems_told() -> Iterator[None]:
    """What is wrong with a text, in `params` by line and column, with remedies."""
    try:
        yield
    except PolicyError as error:
        found = [asdict(one) for one in error.problems]
        raise Invalid(error.sentence, code=error.code, field="source", problems=found) from error


class Policies(Listing):
    """The versions of the policies of the projects one may see; all for who looks over the estate."""

    serializer_class = PolicyVersionSerializer

    def get_queryset(self) -> QuerySet[Any]:
        return policies_for(self.person).defer("source")

    @extend_schema(request=NewPolicy, responses={201: PolicySourceSerializer, 202: WholeProposalSerializer})
    def post(self, request: Request) -> Response:
        """Publish the next version; 202 with the change where that waits for a second administrator.

        What is wrong with a text stands in `params`, by line and column, with remedies.
        """
        rights.check_estate(self.person, Right.MANAGE)
        with problems_told():
            change = policies.propose(by=self.person, **checked(NewPolicy, request))
        if change.status != Change.Status.APPLIED:
            return answered(change)
        published = PolicyVersion.objects.select_related("published_by").get(change=change)
        return Response(PolicySourceSerializer(published).data, status=201)


class OnePolicy(APIView):
    """One version."""

    @extend_schema(responses=PolicySourceSerializer)
    def get(self, request: Request, name: str, version: int) -> Response:
        """A version of a policy with its source."""
        found = policies_for(acting(request)).filter(name=name, version=version).first()
        if found is None:
            raise rights.absent()
        return Response(PolicySourceSerializer(found).data)


class PolicyDraft(Input):
    """The YAML of a policy that is only looked at."""

    source = serializers.CharField(max_length=200_000, trim_whitespace=False)  # type: ignore[assignment]


class PolicyFlipSerializer(serializers.Serializer[Told]):
    """A request whose judgement would have ended otherwise: `times` judgements of it, the newest in event `seq`."""

    outcome = serializers.ChoiceField(choices=[STOPPED, PASSED, UNKNOWN])
    project = serializers.CharField()
    bundle = serializers.CharField()
    stage = serializers.CharField()
    request = serializers.IntegerField()
    seq = serializers.IntegerField()
    at = serializers.CharField()
    times = serializers.IntegerField()
    why = serializers.CharField()


class PolicyMovedSerializer(serializers.Serializer[Any]):
    """A project whose answers about materiality would lead to another tier: from `was` to `now`, empty for none."""

    project = serializers.CharField(source="key")
    tier = serializers.CharField()
    was = serializers.CharField()
    now = serializers.CharField()
    sentence = serializers.CharField()


class PolicyPreviewSerializer(serializers.Serializer[Preview]):
    """What a text would change and would have done; `cut` where only the newest judgements were replayed."""

    name = serializers.CharField(source="document.name")
    version = serializers.IntegerField()
    digest = serializers.CharField(source="document.digest")
    same = serializers.BooleanField()
    differences = serializers.ListField(child=serializers.CharField())
    judged = serializers.IntegerField(source="replayed.judged")
    summary = serializers.CharField()
    cut = serializers.BooleanField()
    flips = PolicyFlipSerializer(source="lines", many=True)
    moved = PolicyMovedSerializer(many=True)
    moved_in_all = serializers.IntegerField()


class PreviewPolicy(APIView):
    """A text before it is proposed."""

    @extend_schema(request=PolicyDraft, responses=PolicyPreviewSerializer)
    def post(self, request: Request) -> Response:
        """Say what a text would change of the policy it names, and replay past judgements; nothing is published."""
        rights.check_estate(acting(request), Right.MANAGE)
        with problems_told():
            found = preview(checked(PolicyDraft, request)["source"])
        return Response(PolicyPreviewSerializer(found).data)
