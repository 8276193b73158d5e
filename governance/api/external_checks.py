"""Where other systems say what a check of a bundle came to. Nobody signs in here: the message itself is signed."""

import json
from typing import Any
from urllib.parse import urlsplit

from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from governance.actions import external_checks
from governance.external_checks import LIMIT, STATES
from portal.api.fields import At
from portal.api.inputs import Input
from portal.errors import Invalid, Refused
from portal.models import Person

TIMESTAMP, SIGNATURE = "Countersign-Timestamp", "Countersign-Signature"
_DIGEST = r"\A[0-9a-f]{64}\Z"


class CheckResult(Input):
    """What a check came to. `parts` are the digests of all parts of the bundle that was checked, as the API gives them.

    `delivery` is the sender's own id of this message: sent again, it counts once. `link` leads to the report.
    """

    name = serializers.SlugField(max_length=50, help_text="of the check, as in the address")
    delivery = serializers.RegexField(r"\A[A-Za-z0-9._:-]{1,100}\Z")
    project = serializers.CharField(max_length=100)
    bundle_id = serializers.CharField(max_length=100)
    parts = serializers.DictField(
        child=serializers.RegexField(_DIGEST), allow_empty=False, help_text="SHA-256 by name of the part"
    )
    state = serializers.ChoiceField(choices=STATES)
    link = serializers.CharField(max_length=500, required=False, default="", allow_blank=True)
    summary = serializers.CharField(max_length=2000, required=False, default="", allow_blank=True)

    def validate_link(self, value: str) -> str:
        """A page of the web, and nothing that a browser would run."""
        try:
            parts = urlsplit(value)
            usable = parts.scheme in ("http", "https") and bool(parts.hostname)
        except ValueError:
            usable = False
        if value and not usable:
            raise serializers.ValidationError(_("Give an address that begins with https://, or none."))
        return value


class ReceivedSerializer(serializers.Serializer[Any]):
    """What is kept of a message: the number of the evidence, and when it was received first."""

    check = serializers.CharField(source="name")
    delivery = serializers.CharField()
    evidence = serializers.IntegerField(source="evidence_id")
    digest = serializers.CharField(source="evidence.digest", help_text="of the evidence")
    received_at = At()


class ExternalCheck(APIView):
    """Results of an external check."""

    authentication_classes = ()
    permission_classes = ()

    @extend_schema(
        request=CheckResult,
        responses={
            201: ReceivedSerializer,
            200: OpenApiResponse(ReceivedSerializer, "This delivery was received before."),
        },
        parameters=[
            OpenApiParameter(
                TIMESTAMP,
                OpenApiTypes.INT,
                OpenApiParameter.HEADER,
                True,
                "seconds since 1970, within five minutes",
            ),
            OpenApiParameter(
                SIGNATURE,
                OpenApiTypes.STR,
                OpenApiParameter.HEADER,
                True,
                "v1= and HMAC-SHA256 in lower-case hex",
            ),
        ],
        auth=[],
    )
    def post(self, request: Request, name: str) -> Response:
        """Say what a check of a bundle came to. Signed with the check's key over the timestamp, a dot, and the body."""
        body = _body(request)
        sent_at = external_checks.check_signed(
            name=name,
            timestamp=request.headers.get(TIMESTAMP, ""),
            body=body,
            given=request.headers.get(SIGNATURE, ""),
        )
        found = CheckResult(data=_value(body))
        found.is_valid(raise_exception=True)
        values = found.validated_data
        if values.pop("name") != name:
            raise Invalid(
                _("The message names another check than its address."), code="check_differs", field="name"
            )
        made, new = external_checks.receive(
            by=Person.objects.system(),
            name=name,
            said=external_checks.Said(**values),
            sent_at=sent_at,
            body=body,
        )
        return Response(ReceivedSerializer(made).data, status=201 if new else 200)


def _body(request: Request) -> bytes:
    length = request.META.get("CONTENT_LENGTH") or "0"
    # Looked at before anything is read.
    if not length.isdecimal() or int(length) > LIMIT:
        raise _TooLarge(
            _("A message has at most %(limit)s bytes; the whole report belongs behind its link.")
            % {"limit": LIMIT},
            code="body_too_large",
        )
    body: bytes = request.body
    return body


def _value(body: bytes) -> Any:
    try:
        return json.loads(body.decode())
    except ValueError as error:
        raise Invalid(_("The message is not JSON in UTF-8."), code="not_json") from error


class _TooLarge(Refused):
    status = 413
    title = "Too large"
