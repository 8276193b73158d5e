"""Policies: the versions that were published, and publishing the next one."""

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
from governance.queries import policies_for
from portal import rights
from portal.api.auth import acting
from portal.api.changes import WholeProposalSerializer, answered
from portal.api.fields import At
from portal.api.inputs import Why, checked
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
        try:
            change = policies.propose(by=self.person, **checked(NewPolicy, request))
        except PolicyError as error:
            found = [asdict(one) for one in error.problems]
            raise Invalid(error.sentence, code=error.code, field="source", problems=found) from error
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
