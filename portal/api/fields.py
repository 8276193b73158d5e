"""Fields that all parts of the API write alike."""

from datetime import UTC
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers


class At(serializers.DateTimeField):
    """An instant in UTC, whatever the reader's own zone is: programs compare them as texts."""

    def __init__(self, **options: Any) -> None:
        super().__init__(default_timezone=UTC, **options)


@extend_schema_field({"type": "object", "additionalProperties": {"type": "string"}})
class Digests(serializers.JSONField):
    """Lower-case hex SHA-256 by name of the part."""


@extend_schema_field(OpenApiTypes.OBJECT)
class Facts(serializers.JSONField):
    """A JSON object of its own shape."""


@extend_schema_field({"type": "array", "items": {"type": "string"}})
class Words(serializers.JSONField):
    """A list of texts."""
