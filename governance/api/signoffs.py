"""Sign-offs: what was signed, byte for byte, and taking one's own back. Signing starts from a request."""

import json
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from governance.actions import signoffs
from governance.models import Condition, Fulfilment, SignOff, Withdrawal
from governance.queries import signoffs_for
from portal import content, rights, signing
from portal.api.auth import acting, by_token
from portal.api.fields import At, Digests, Facts, Words
from portal.api.inputs import Input, PasswordField, Why, checked
from portal.api.listing import Listing
from portal.api.people import PersonSerializer
from portal.api.proofs import proof_in
from portal.lookups import bundle_for
from portal.models import Person


class WithdrawalSerializer(serializers.Serializer[Withdrawal]):
    """The end of a sign-off."""

    withdrawn_at = At()
    withdrawn_by = PersonSerializer()
    why = serializers.CharField()


class FulfilmentSerializer(serializers.Serializer[Fulfilment]):
    """That a condition is met: who stated it said so, when, and what shows it."""

    confirmed_at = At()
    confirmed_by = PersonSerializer()
    how = serializers.CharField()


class ConditionSerializer(serializers.Serializer[Condition]):
    """What has to be done by a day for an approval to go on counting."""

    number = serializers.IntegerField()
    text = serializers.CharField()
    due = At()
    fulfilment = FulfilmentSerializer(default=None, allow_null=True)


class SignOffSerializer(serializers.Serializer[SignOff]):
    """A person's word on one requirement, and the digests of what it binds."""

    id = serializers.IntegerField()
    project = serializers.CharField(source="lane.project.key")
    stage = serializers.CharField(source="lane.stage.slug")
    bundle_id = serializers.CharField(source="bundle.bundle_id")
    person = PersonSerializer()
    on_behalf_of = PersonSerializer(allow_null=True)
    role = serializers.CharField()
    requirement = serializers.CharField()
    decision = serializers.ChoiceField(choices=SignOff.Decision.choices)
    meaning = serializers.CharField()
    comment = serializers.CharField()
    signed_at = At()
    clause = serializers.CharField()
    covered = Digests()
    evidence = Words()
    documents = Words()
    statement_digest = serializers.CharField(source="statement_id")
    key_id = serializers.CharField()
    withdrawal = WithdrawalSerializer(default=None, allow_null=True)
    conditions = ConditionSerializer(many=True)
    supersedes = serializers.IntegerField(source="supersedes_id", allow_null=True)


class SignedSerializer(SignOffSerializer):
    """A sign-off with its in-toto statement and the DSSE envelope around it."""

    statement = Facts()
    envelope = Facts()


class SignOffsOfBundle(Listing):
    """The sign-offs that were given for a bundle, withdrawn ones among them; newest first."""

    serializer_class = SignOffSerializer

    def get_queryset(self) -> QuerySet[Any]:
        return signoffs_for(self.person).filter(
            bundle=bundle_for(self.person, self.kwargs["key"], self.kwargs["bundle_id"])
        )


class OneSignOff(APIView):
    """One sign-off."""

    @extend_schema(responses=SignedSerializer)
    def get(self, request: Request, number: int) -> Response:
        """A sign-off with the statement that was signed and its envelope."""
        return Response(signed(signoff_for(acting(request), number)))


class WithdrawSignOff(APIView):
    """The end of a sign-off."""

    @extend_schema(request=Why, responses=SignedSerializer)
    def post(self, request: Request, number: int) -> Response:
        """Take one's own signature back. It stops counting at once; both stand in the record."""
        by = acting(request)
        signoffs.withdraw(by=by, signoff=signoff_for(by, number), **checked(Why, request))
        return Response(signed(signoff_for(by, number)))


class NewFulfilment(Input):
    """What shows that a condition is met; and the password once more, or a code, or neither, as for a signature."""

    how = serializers.CharField(max_length=2000)
    password = PasswordField(required=False)
    code = serializers.CharField(required=False, max_length=40)


class FulfilCondition(APIView):
    """The end of a condition."""

    @extend_schema(request=NewFulfilment, responses=SignedSerializer)
    def post(self, request: Request, number: int, condition: int) -> Response:
        """Say that a condition one stated is met. Only in a session: tokens never sign."""
        by = acting(request)
        signoff = signoff_for(by, number)
        found = signoff.conditions.filter(number=condition).first()
        if found is None:
            raise rights.absent()
        if by_token(request):
            signing.reauthenticate(by, "", how="token")
        word = checked(NewFulfilment, request)
        signoffs.confirm(by=by, proof=proof_in(request, word), condition=found, **word)
        return Response(signed(signoff_for(by, number)))


def signoff_for(person: Person, number: int) -> SignOff:
    """A sign-off the person may know of; raises Absent."""
    found = signoffs_for(person).filter(pk=number).first()
    if found is None:
        raise rights.absent()
    return found


def signed(signoff: SignOff) -> dict[str, Any]:
    """A sign-off with what was signed."""
    statement, envelope = (
        json.loads(content.get(digest)) for digest in (signoff.statement_id, signoff.envelope_id)
    )
    return {**SignOffSerializer(signoff).data, "statement": statement, "envelope": envelope}
