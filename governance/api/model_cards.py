"""The model card of a bundle: its sections as they stand, and to write it."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from governance.actions import model_cards
from governance.api.documents import DocumentSerializer
from governance.model_card import SECTION_LIMIT, Card, Section, card_of
from governance.model_card_fields import FIELDS, SOURCE
from portal.api.auth import acting
from portal.api.inputs import Input, checked
from portal.lookups import bundle_for


class CardSectionSerializer(serializers.Serializer[Section]):
    """One section. `confirmed`: its text was written for a bundle with these parts; else it is yet to be confirmed."""

    section = serializers.CharField(source="field.key")
    heading = serializers.CharField(source="field.heading")
    annex = serializers.CharField(source="field.annex", help_text="point of Annex IV that it is about")
    asks = serializers.CharField(source="field.asks")
    text = serializers.CharField()
    suggestion = serializers.CharField(help_text="what the portal knows of the bundle; empty where nothing")
    confirmed = serializers.BooleanField()
    missing = serializers.BooleanField()


class ModelCardSerializer(serializers.Serializer[Card]):
    """The sections of a model card as they stand; `document` is the version that holds for the bundle's parts."""

    about = serializers.SerializerMethodField(help_text="where the list of sections comes from")
    document = serializers.IntegerField(source="written.pk", allow_null=True, default=None)
    sections = CardSectionSerializer(many=True)

    def get_about(self, card: Card) -> str:
        """The source of the list."""
        return SOURCE


class NewModelCard(Input):
    """The texts by section, in Markdown without headings: the whole card. What is left out is named as missing."""

    sections = serializers.DictField(
        child=serializers.CharField(max_length=SECTION_LIMIT, allow_blank=True, trim_whitespace=False),
        help_text="text by section: " + ", ".join(field.key for field in FIELDS),
    )


class ModelCardOfBundle(APIView):
    """The model card of a bundle."""

    @extend_schema(responses=ModelCardSerializer)
    def get(self, request: Request, key: str, bundle_id: str) -> Response:
        """Each section with its text, or with what is suggested for it."""
        return Response(ModelCardSerializer(card_of(bundle_for(acting(request), key, bundle_id))).data)

    @extend_schema(request=NewModelCard, responses={201: DocumentSerializer})
    def post(self, request: Request, key: str, bundle_id: str) -> Response:
        """Write the model card as a new version of the document; texts that are sent count as confirmed."""
        person = acting(request)
        bundle = bundle_for(person, key, bundle_id)
        wish: dict[str, Any] = checked(NewModelCard, request)
        document = model_cards.write(by=person, bundle=bundle, sections=wish["sections"])
        return Response(DocumentSerializer(document).data, status=201)
