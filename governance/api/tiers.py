"""The rules that apply to a project: proposing others. Two administrators who do not own it change them."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from governance.actions import tiers
from portal.api.auth import acting
from portal.api.changes import WholeProposalSerializer, answered
from portal.api.inputs import Why, checked
from portal.lookups import project_for


class NewTier(Why):
    """The tier, and perhaps the policy, that is to apply, and why."""

    tier = serializers.SlugField(max_length=50)
    policy = serializers.SlugField(max_length=50, required=False, default="", allow_blank=True)


class TierOfProject(APIView):
    """Which rules apply to a project."""

    @extend_schema(request=NewTier, responses={202: WholeProposalSerializer})
    def post(self, request: Request, key: str) -> Response:
        """Propose another tier; it always waits for a second administrator, and is never its owner's to change."""
        by = acting(request)
        project = project_for(by, key)
        return answered(tiers.propose(by=by, project=project, **checked(NewTier, request)))
