"""Signing from a request: what would be signed, and the signature. A token never signs."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from deployments.actions import signing as action
from deployments.models import DeploymentRequest
from deployments.queries import request_for
from governance.actions.signoffs import Draft, Wish, end_of, why_barred
from governance.api.signoffs import SignedSerializer, signed, signoff_for
from governance.models import SignOff
from governance.sentences import meaning, title
from portal import signing
from portal.api.auth import acting, by_token
from portal.api.fields import Digests, Facts
from portal.api.inputs import Input, PasswordField, checked
from portal.api.people import PersonSerializer
from portal.api.proofs import proof_in
from portal.errors import Invalid
from portal.models import Person
from portal.refusals import audited


class ShownSerializer(serializers.Serializer[Any]):
    """A piece of evidence or a document that is signed along, and what the gate finds of it."""

    kind = serializers.CharField()
    digest = serializers.CharField()
    finding = serializers.CharField()


class DraftSerializer(serializers.Serializer[Any]):
    """What would be signed now. `bound` is its digest and goes back with the signature.

    `meanings` are the words of each decision; `barred` says why this person may not sign, `incomplete` why nobody can
    approve yet; both are empty where nothing stands against it.
    """

    request = serializers.IntegerField()
    requirement = serializers.CharField()
    title = serializers.CharField()
    role = serializers.CharField()
    clause = Facts()
    clause_digest = serializers.CharField()
    policy = Facts()
    covered = Digests()
    evidence = ShownSerializer(many=True)
    documents = ShownSerializer(many=True)
    meanings = Digests(help_text="the words of each decision")
    barred = serializers.CharField()
    incomplete = serializers.CharField()
    on_behalf_of = PersonSerializer(allow_null=True, help_text="who is away, and whose right it is")
    bound = serializers.CharField()


class NewCondition(Input):
    """What has to be done for an approval under conditions to go on counting, and by the end of which day."""

    text = serializers.CharField(max_length=1000)
    due = serializers.DateField()


class NewSignOff(Input):
    """A signature: the decision, `bound` of what was read, and the password once more.

    Where the account has no password: a `code` of its authenticator app, or neither, where the person showed in this
    session a moment ago who they are.
    """

    requirement = serializers.CharField(max_length=120)
    decision = serializers.ChoiceField(choices=SignOff.Decision.choices)
    password = PasswordField(required=False)
    code = serializers.CharField(required=False, max_length=40)
    bound = serializers.CharField(max_length=64)
    comment = serializers.CharField(required=False, default="", allow_blank=True, max_length=5000)
    conditions = NewCondition(many=True, required=False)


class Signing(APIView):
    """What would be signed."""

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "requirement",
                str,
                required=True,
                description="key of the requirement, such as sign_off:fairness",
            )
        ],
        responses=DraftSerializer,
    )
    def get(self, request: Request, number: int) -> Response:
        """What one would sign of this requirement now."""
        by = acting(request)
        wish = request_for(by, number)
        requirement = request.query_params.get("requirement", "")
        if not requirement:
            raise Invalid(
                "Name the requirement: ?requirement=…", code="requirement_missing", field="requirement"
            )
        return Response(_said(by, wish, action.draft(by=by, request=wish, requirement=requirement)))


class SignOffsOfRequest(APIView):
    """Signatures on a request."""

    @extend_schema(request=NewSignOff, responses={201: SignedSerializer})
    def post(self, request: Request, number: int) -> Response:
        """Sign one requirement of a request, with the password once more. Only in a session: tokens never sign."""
        by = acting(request)
        wish = request_for(by, number)
        if by_token(request):
            signing.reauthenticate(by, "", how="token")
        word = checked(NewSignOff, request)
        proof = proof_in(request, word)
        word["conditions"] = [Wish(one["text"], end_of(one["due"])) for one in word.pop("conditions", [])]
        with audited(by, wish.lane.project, wish.subject, "sign"):
            given = action.sign(by=by, request=wish, proof=proof, **word)
        return Response(signed(signoff_for(by, given.pk)), status=201)


def _said(by: Person, wish: DeploymentRequest, draft: Draft) -> dict[str, Any]:
    lane, bundle_id, scope = wish.lane, wish.bundle.bundle_id, tuple(draft.covered)
    where = {"project": lane.project.name, "bundle": bundle_id, "stage": lane.stage.name}
    pieces = {"evidence": draft.evidence, "documents": draft.documents}
    return {
        "request": wish.pk,
        "requirement": draft.clause.key,
        "title": str(title(draft.clause)),
        "role": draft.role,
        "clause": draft.clause.params,
        "clause_digest": draft.clause.digest,
        "policy": {
            "name": draft.rules.ref.name,
            "version": draft.rules.ref.version,
            "digest": draft.rules.ref.digest,
        },
        "covered": draft.covered,
        **{
            name: [{"kind": one.kind, "digest": one.digest, "finding": one.finding} for one in found]
            for name, found in pieces.items()
        },
        "meanings": {
            said: meaning(said, draft.role, covers=scope, **where) for said in SignOff.Decision.values
        },
        "barred": why_barred(by, action.barred(wish), draft),
        "incomplete": draft.incomplete,
        "on_behalf_of": PersonSerializer(draft.on_behalf_of).data if draft.on_behalf_of else None,
        "bound": draft.bound,
    }
