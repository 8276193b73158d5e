"""Documents about a bundle: to write, to list, and their bytes to download."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils.text import slugify
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from governance.actions import documents
from governance.actions.evidence import DOCX
from governance.models import Document
from governance.queries import documents_holding
from portal import content, rights
from portal.api.auth import acting
from portal.api.downloads import Download, sent
from portal.api.fields import At, Digests, Words
from portal.api.inputs import Input, checked
from portal.api.listing import Listing
from portal.api.people import PersonSerializer
from portal.lookups import bundle_for

ENDINGS = {DOCX: "docx"}


class DocumentSerializer(serializers.Serializer[Document]):
    """A document; `parts` are the digests of what it is about, `digest` that of its bytes."""

    id = serializers.IntegerField()
    kind = serializers.CharField()
    title = serializers.CharField()
    project = serializers.CharField(source="project.key")
    bundle_id = serializers.CharField(source="bundle.bundle_id")
    origin = serializers.ChoiceField(choices=Document.Origin.choices)
    sections = Words()
    digest = serializers.CharField()
    parts = Digests()
    media_type = serializers.CharField(source="content.media_type")
    size = serializers.IntegerField(source="content.size")
    author = PersonSerializer()
    recorded_at = At()


class NewDocument(Input):
    """A text in Markdown; its headings are the sections that the policy may ask for."""

    kind = serializers.SlugField(max_length=50)
    title = serializers.CharField(max_length=200)
    text = serializers.CharField(max_length=documents.LIMIT, trim_whitespace=False)


class DocumentsOfBundle(Listing):
    """Documents that hold for a bundle, also where they were written for another with equal parts; newest first."""

    serializer_class = DocumentSerializer

    def get_queryset(self) -> QuerySet[Any]:
        return documents_holding(bundle_for(self.person, self.kwargs["key"], self.kwargs["bundle_id"]))

    @extend_schema(request=NewDocument, responses={201: DocumentSerializer})
    def post(self, request: Request, key: str, bundle_id: str) -> Response:
        """Write a document about the bundle."""
        bundle = bundle_for(self.person, key, bundle_id)
        document = documents.write(by=self.person, bundle=bundle, **checked(NewDocument, request))
        return Response(DocumentSerializer(document).data, status=201)


class DocumentContent(Download):
    """The bytes of a document."""

    @extend_schema(responses={200: OpenApiResponse(OpenApiTypes.BINARY, "the document's bytes")})
    def get(self, request: Request, number: int) -> HttpResponse:
        """The document's bytes, to be saved, never shown: what is in them was not written by us."""
        seen = rights.visible_projects(acting(request))
        found = (
            Document.objects.filter(project__in=seen, pk=number)
            .select_related("content")
            .defer("content__body")
            .first()
        )
        if found is None:
            raise rights.absent()
        kind = found.content.media_type
        ending = ENDINGS.get(kind, "md" if kind.startswith("text/markdown") else "bin")
        return sent(content.get(found.content_id), kind, f"{slugify(found.title) or found.kind}.{ending}")
