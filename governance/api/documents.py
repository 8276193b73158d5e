"""Documents about a bundle: to write, to list, and their bytes to download."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils.text import slugify
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from governance.actions import documents
from governance.document_pages import version_of
from governance.document_versions import compared, versions
from governance.models import Document
from governance.queries import documents_holding
from portal import content, rights
from portal.api.auth import acting
from portal.api.downloads import Download, sent
from portal.api.fields import At, Digests, Words
from portal.api.inputs import Input, checked
from portal.api.listing import Listing
from portal.api.people import PersonSerializer
from portal.lookups import bundle_for, project_for
from portal.uploads import too_large, was_cut


class DocumentSerializer(serializers.Serializer[Document]):
    """A document; `parts` are the digests of what it is about, `digest` that of its bytes."""

    id = serializers.IntegerField()
    kind = serializers.CharField()
    title = serializers.CharField()
    project = serializers.CharField(source="project.key")
    bundle_id = serializers.CharField(source="bundle.bundle_id")
    origin = serializers.ChoiceField(choices=Document.Origin.choices)
    sections = Words()
    sections_told = serializers.BooleanField(
        help_text="false where a file names none, as a PDF without an outline"
    )
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


class NewUpload(Input):
    """A document sent as a file, in a form (multipart/form-data): PDF, Word or text. Without a title: its name."""

    kind = serializers.SlugField(max_length=50)
    title = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")
    file = serializers.FileField(max_length=200)


class UploadsOfBundle(APIView):
    """Documents sent as files."""

    parser_classes = (MultiPartParser,)

    @extend_schema(request={"multipart/form-data": NewUpload}, responses={201: DocumentSerializer})
    def post(self, request: Request, key: str, bundle_id: str) -> Response:
        """Upload a document about the bundle. What it is, its content says; sections are its headings."""
        person = acting(request)
        bundle = bundle_for(person, key, bundle_id)
        data = request.data
        if was_cut(request):
            raise too_large()
        serializer = NewUpload(data=data)
        serializer.is_valid(raise_exception=True)
        said = serializer.validated_data
        document = documents.upload(by=person, bundle=bundle, **said, name=said["file"].name)
        return Response(DocumentSerializer(document).data, status=201)


class VersionsOfDocument(Listing):
    """Every version of a kind of document in a project, whatever bundle it was made for; newest first."""

    serializer_class = DocumentSerializer

    def get_queryset(self) -> QuerySet[Any]:
        return versions(project_for(self.person, self.kwargs["key"]), self.kwargs["kind"])


class ComparedSerializer(serializers.Serializer[Any]):
    """Two versions; `unified` is their difference line by line, `note` says where that is of the sections alone."""

    old = serializers.IntegerField(source="old.pk")
    new = serializers.IntegerField(source="new.pk")
    same = serializers.BooleanField()
    unified = serializers.CharField(allow_blank=True)
    note = serializers.CharField(allow_blank=True)


class VersionsCompared(APIView):
    """What differs between two versions of a document."""

    @extend_schema(
        parameters=[OpenApiParameter("old", int, required=True), OpenApiParameter("new", int, required=True)],
        responses=ComparedSerializer,
    )
    def get(self, request: Request, key: str, kind: str) -> Response:
        """The difference from the version `old` to the version `new`, by their ids."""
        project = project_for(acting(request), key)
        old, new = (
            version_of(project, kind, request.query_params.get(name, ""), name) for name in ("old", "new")
        )
        return Response(ComparedSerializer(compared(old, new)).data)


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
        name = f"{slugify(found.title) or found.kind}.{found.ending}"
        return sent(content.get(found.content_id), found.content.media_type, name)
