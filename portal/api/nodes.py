"""DSS nodes, for who looks over the estate. The name of a key is shown, never the key."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portal import rights
from portal.actions import estate
from portal.api.inputs import Input, checked
from portal.api.listing import Listing
from portal.models import Node, Right
from portal.queries import check_looks_over_estate


class NodeSerializer(serializers.Serializer[Node]):
    """A DSS node."""

    slug = serializers.CharField()
    name = serializers.CharField()
    kind = serializers.CharField()
    url = serializers.CharField()
    key_name = serializers.CharField()
    verify_tls = serializers.BooleanField()


class NewNode(Input):
    """A node to be added, with the name its API key has in the settings."""

    slug = serializers.SlugField(max_length=50)
    name = serializers.CharField(max_length=150)
    kind = serializers.ChoiceField(choices=Node.Kind.choices)
    url = serializers.CharField(max_length=200)
    key_name = serializers.CharField(max_length=100)
    verify_tls = serializers.BooleanField(required=False, default=True)


class Nodes(Listing):
    """All nodes."""

    serializer_class = NodeSerializer
    ordering = ("slug",)

    def get_queryset(self) -> QuerySet[Any]:
        check_looks_over_estate(self.person)
        return Node.objects.all()

    @extend_schema(request=NewNode, responses={201: NodeSerializer})
    def post(self, request: Request) -> Response:
        """Add a node."""
        rights.check_estate(self.person, Right.MANAGE)
        node = estate.add_node(by=self.person, **checked(NewNode, request))
        return Response(NodeSerializer(node).data, status=201)
