"""Waivers: what was let pass, why, by whom and until when, byte for byte; and taking one back."""

import json
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from governance.actions import waivers
from governance.api.signoffs import WithdrawalSerializer
from governance.models import Waiver, WaiverAnswer
from governance.queries import waivers_for
from portal import content, rights
from portal.api.auth import acting
from portal.api.fields import At, Digests, Facts
from portal.api.inputs import Why, checked
from portal.api.people import PersonSerializer
from portal.models import Person


class WaiverAnswerSerializer(serializers.Serializer[WaiverAnswer]):
    """Whether a waiver was granted, by whom, and what they said about it."""

    granted = serializers.BooleanField()
    answered_at = At()
    answered_by = PersonSerializer()
    comment = serializers.CharField()
    meaning = serializers.CharField()
    statement_digest = serializers.CharField(source="statement_id", allow_null=True)
    key_id = serializers.CharField()


class WaiverSerializer(serializers.Serializer[Waiver]):
    """What somebody asked to let pass. `finding` is what of it may not change; whether it counts the gate says."""

    id = serializers.IntegerField()
    project = serializers.CharField(source="lane.project.key")
    stage = serializers.CharField(source="lane.stage.slug")
    bundle_id = serializers.CharField(source="bundle.bundle_id")
    requirement = serializers.CharField()
    title = serializers.CharField()
    clause = serializers.CharField()
    parts = Digests()
    finding = Facts()
    found = serializers.CharField()
    why = serializers.CharField()
    until = At()
    state = serializers.ChoiceField(choices=Waiver.State.choices)
    asked_at = At()
    asked_by = PersonSerializer()
    on_behalf_of = PersonSerializer(allow_null=True)
    answer = WaiverAnswerSerializer(default=None, allow_null=True)
    withdrawal = WithdrawalSerializer(default=None, allow_null=True)


class WaiverDetailSerializer(WaiverSerializer):
    """A waiver; where it was granted, with its in-toto statement and the DSSE envelope around it."""

    statement = Facts(allow_null=True)
    envelope = Facts(allow_null=True)


class OneWaiver(APIView):
    """One waiver."""

    @extend_schema(responses=WaiverDetailSerializer)
    def get(self, request: Request, number: int) -> Response:
        """A waiver, with the statement that was signed where it was granted."""
        return Response(detail_of(waiver_for(acting(request), number)))


class WithdrawWaiver(APIView):
    """The end of a waiver."""

    @extend_schema(request=Why, responses=WaiverDetailSerializer)
    def post(self, request: Request, number: int) -> Response:
        """Take a waiver back: whoever granted it, or, before it is answered, whoever asked."""
        by = acting(request)
        waivers.withdraw(by=by, waiver=waiver_for(by, number), **checked(Why, request))
        return Response(detail_of(waiver_for(by, number)))


def waiver_for(person: Person, number: int) -> Waiver:
    """A waiver the person may know of; raises Absent."""
    found = waivers_for(person).filter(pk=number).first()
    if found is None:
        raise rights.absent()
    return found


def detail_of(waiver: Waiver) -> dict[str, Any]:
    """A waiver with what was signed."""
    answer = getattr(waiver, "answer", None)
    signed = {
        name: json.loads(content.get(digest)) if digest else None
        for name, digest in (
            ("statement", answer and answer.statement_id),
            ("envelope", answer and answer.envelope_id),
        )
    }
    return {**WaiverSerializer(waiver).data, **signed}
