"""DSS nodes, for who looks over the estate. The name of a key is shown, never the key."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal import rights
from portal.actions import landscape
from portal.api.auth import acting
from portal.api.changes import WholeProposalSerializer, answered
from portal.api.inputs import Why, checked
from portal.api.listing import Listing
from portal.models import Change, Node, Right
from portal.queries import check_looks_over_estate


class NodeSerializer(serializers.Serializer[Node]):
    """A DSS node."""

    slug = serializers.CharField()
    name = serializers.CharField()
    kind = serializers.CharField()
    url = serializers.CharField()
    key_name = serializers.CharField()
    verify_tls = serializers.BooleanField()


class NewNode(Why):
    """A node to be added, with the name its API key has in the settings."""

    slug = serializers.SlugField(max_length=50)
    name = serializers.CharField(max_length=150)
    kind = serializers.ChoiceField(choices=Node.Kind.choices)
    url = serializers.CharField(max_length=200)
    key_name = serializers.CharField(max_length=100)
    verify_tls = serializers.BooleanField(required=False, default=True)


class NodeWish(Why):
    """What is to be another at a node; what is left out stays."""

    name = serializers.CharField(required=False, max_length=150)
    kind = serializers.ChoiceField(required=False, choices=Node.Kind.choices)
    url = serializers.CharField(required=False, max_length=200)
    key_name = serializers.CharField(required=False, max_length=100)
    verify_tls = serializers.BooleanField(required=False)


class Nodes(Listing):
    """All nodes."""

    serializer_class = NodeSerializer
    ordering = ("slug",)

    def get_queryset(self) -> QuerySet[Any]:
        check_looks_over_estate(self.person)
        return Node.objects.all()

    @extend_schema(request=NewNode, responses={201: NodeSerializer, 202: WholeProposalSerializer})
    def post(self, request: Request) -> Response:
        """Add a node: a change of the estate, 202 where it waits for a second administrator."""
        rights.check_estate(self.person, Right.MANAGE)
        wish = checked(NewNode, request)
        slug, why = wish.pop("slug"), wish.pop("why")
        change = landscape.add(by=self.person, noun="node", slug=slug, said=wish, why=why)
        return _told(change, slug, 201)


class OneNode(APIView):
    """One node."""

    @extend_schema(responses=NodeSerializer)
    def get(self, request: Request, slug: str) -> Response:
        """A node, for who looks over the estate."""
        check_looks_over_estate(acting(request))
        node = Node.objects.filter(slug=slug).first()
        if node is None:
            raise rights.absent()
        return Response(NodeSerializer(node).data)

    @extend_schema(request=NodeWish, responses={200: NodeSerializer, 202: WholeProposalSerializer})
    def patch(self, request: Request, slug: str) -> Response:
        """Change a node; 202 where that waits. Its kind stays once something uses it."""
        by = acting(request)
        rights.check_estate(by, Right.MANAGE)
        wish = checked(NodeWish, request)
        why = wish.pop("why")
        return _told(landscape.alter(by=by, noun="node", slug=slug, said=wish, why=why), slug, 200)


class RemoveNode(APIView):
    """The end of a node."""

    @extend_schema(request=Why, responses={200: WholeProposalSerializer, 202: WholeProposalSerializer})
    def post(self, request: Request, slug: str) -> Response:
        """Remove a node that nothing uses; 202 where that waits."""
        change = landscape.remove(by=acting(request), noun="node", slug=slug, **checked(Why, request))
        return answered(change, 200)


def _told(change: Change, slug: str, status: int) -> Response:
    """The node where the change is applied, else the change."""
    if change.status != Change.Status.APPLIED:
        return answered(change)
    return Response(NodeSerializer(Node.objects.get(slug=slug)).data, status=status)
