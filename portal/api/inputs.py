"""What comes in: every field named when it is wrong, and no field that nobody knows."""

import re
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.request import Request

from portal.errors import Invalid
from portal.texts import plain

WHOLE = re.compile(r"-?[0-9]{1,18}")


class PasswordField(serializers.CharField):
    """A password, taken exactly as it was typed."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=500, trim_whitespace=False, **kwargs)


class Input(serializers.Serializer[Any]):
    """The shape of what is sent. A field it does not know is refused: a misspelt one must not pass unseen.

    Texts lose what cannot be seen in them; a password stays as it is.
    """

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            unknown = [str(name) for name in data if name not in self.fields]
            if unknown:
                known = ", ".join(self.fields) or _("no field at all")
                raise serializers.ValidationError(
                    {
                        name: [_("There is no such field here; known are: %(known)s.") % {"known": known}]
                        for name in unknown
                    },
                    code="unknown_field",
                )
        values = super().to_internal_value(data)
        kinds = {field.source: field for field in self.fields.values()}
        return {
            name: plain(value)
            if isinstance(value, str) and not isinstance(kinds[name], PasswordField)
            else value
            for name, value in values.items()
        }


class Why(Input):
    """A reason, for what an auditor would ask about."""

    why = serializers.CharField(max_length=2000)


class PerhapsWhy(Input):
    """A reason where one is wanted."""

    why = serializers.CharField(max_length=2000, required=False, allow_blank=True, default="")


def checked(shape: type[Input], request: Request) -> dict[str, Any]:
    """What was sent, in this shape; raises DRF's ValidationError naming the fields."""
    serializer = shape(data=request.data)
    serializer.is_valid(raise_exception=True)
    values: dict[str, Any] = serializer.validated_data
    return values


def whole_number(request: Request, name: str) -> int | None:
    """A whole number of the query, or None where it is absent; raises Invalid naming it."""
    text = request.query_params.get(name)
    if text is None:
        return None
    if not WHOLE.fullmatch(text):
        raise Invalid(
            _("“%(name)s” has to be a whole number.") % {"name": name}, code="not_a_number", field=name
        )
    return int(text)


def one_of(request: Request, name: str, known: list[str]) -> str | None:
    """A word of the query that has to be a known one, or None where it is absent; raises Invalid naming it."""
    text = request.query_params.get(name)
    if text is not None and text not in known:
        raise Invalid(
            _("“%(name)s” has to be one of: %(known)s.") % {"name": name, "known": ", ".join(known)},
            code="not_known",
            field=name,
        )
    return text
