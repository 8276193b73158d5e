"""Every "no" of the API as an RFC 9457 problem: the sentence a person reads on the page, and a code for programs.

Not in charge of the rules: they raise `portal.errors.Refused` where they live.
"""

import logging
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.core.exceptions import RequestDataTooBig
from django.db import OperationalError
from django.http import Http404
from django.utils.translation import gettext as _
from rest_framework import exceptions, serializers
from rest_framework.parsers import JSONParser
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.views import set_rollback

from portal import rights
from portal.errors import Refused

logger = logging.getLogger(__name__)

PROBLEM_TYPE = "application/problem+json"
TYPE = "urn:countersign:problem:"


class FieldErrorSerializer(serializers.Serializer[Any]):
    """What is wrong with one field."""

    field = serializers.CharField()
    detail = serializers.CharField()


class ProblemSerializer(serializers.Serializer[Any]):
    """An RFC 9457 problem; `code` is stable, `detail` is the sentence for a person."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    code = serializers.CharField()
    field = serializers.CharField(required=False)
    params = serializers.DictField(required=False)
    errors = FieldErrorSerializer(many=True, required=False)  # type: ignore[assignment]


def problem(error: Exception, context: dict[str, Any]) -> Response:
    """The answer for whatever a view raised; what nobody expected is logged, and answered without its innards."""
    set_rollback()
    request = context.get("request")
    if request is not None:  # whatever form the view has for what it shows, a problem has this one
        request.accepted_renderer, request.accepted_media_type = JSONRenderer(), JSONRenderer.media_type
    if isinstance(error, Http404):
        error = rights.absent()
    if isinstance(error, DjangoPermissionDenied):
        error = exceptions.PermissionDenied()
    if isinstance(error, Refused):
        more = {"field": error.field, "params": error.params}
        return _answer(
            error.status, error.title, error.sentence, error.code, **{k: v for k, v in more.items() if v}
        )
    if isinstance(error, exceptions.ValidationError):
        return _invalid(error)
    if isinstance(error, exceptions.APIException):
        return _told(error, context.get("view"))
    if isinstance(error, RecursionError):
        return _answer(
            400, "Not usable", _("What was sent is nested too deeply to be read."), "body_too_deep"
        )
    if isinstance(error, RequestDataTooBig):
        return _answer(
            413, "Too large", _("What was sent is too large; send less at once."), "body_too_large"
        )
    if isinstance(error, OperationalError):
        logger.error("The database did not answer.", exc_info=error)
        sentence = _("The database is busy or away. Nothing was changed; try again in a moment.")
        return _answer(503, "Not available", sentence, "database_busy")
    logger.error("A view of the API broke.", exc_info=error)
    sentence = _(
        "Countersign itself broke here. Try again; if it stays so, tell an administrator when it happened."
    )
    return _answer(500, "Broken", sentence, "broken")


def _answer(status: int, title: str, sentence: str, code: str, **more: Any) -> Response:
    body = {
        "type": TYPE + code,
        "title": title,
        "status": status,
        "detail": str(sentence),
        "code": code,
        **more,
    }
    return Response(body, status=status, content_type=PROBLEM_TYPE)


def _invalid(error: exceptions.ValidationError) -> Response:
    wrong = [{"field": field, "detail": text} for field, text in _flat(error.detail)]
    first = wrong[0] if wrong else {"field": "", "detail": ""}
    sentence = f"{first['field']}: {first['detail']}" if first["field"] else first["detail"]
    return _answer(400, "Not usable", sentence, "input_invalid", field=first["field"], errors=wrong)


def _flat(detail: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Each message with the path of its field, as `stages.0.slug`."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            own = "" if name == "non_field_errors" else str(name)
            yield from _flat(inner, ".".join(part for part in (path, own) if part))
    elif isinstance(detail, list):
        for place, inner in enumerate(detail):
            nested = isinstance(inner, dict)
            yield from _flat(inner, f"{path}.{place}" if nested and path else path)
    else:
        yield _writable(path), _writable(str(detail))


def _writable(text: str) -> str:
    """A text that is told back as it was sent: half a surrogate pair can be read in JSON, but not be written."""
    return text.encode(errors="backslashreplace").decode()


def _wanted(view: Any) -> str:
    """What kind of body a view takes."""
    kinds = [parser.media_type for parser in getattr(view, "parser_classes", ())]
    if not kinds or kinds == [JSONParser.media_type]:
        return _("Send JSON, with “Content-Type: application/json”.")
    return _("Send it with “Content-Type: %(kinds)s”.") % {"kinds": "” or “".join(kinds)}


def _told(error: exceptions.APIException, view: Any = None) -> Response:
    """What DRF itself refuses: no credentials, a wrong method, a body that is no JSON, too many requests."""
    sentences = {
        exceptions.NotAuthenticated: _("Sign in, or send an API token: “Authorization: Bearer csn_…”."),
        exceptions.NotFound: rights.absent().sentence,
        exceptions.MethodNotAllowed: _(
            "This address does not take that method. The schema says which it takes."
        ),
        exceptions.NotAcceptable: _("Answers here are JSON; ask for application/json."),
        exceptions.UnsupportedMediaType: _wanted(view),
        exceptions.ParseError: _("What was sent is not readable JSON. Check quotes, commas and brackets."),
    }
    codes = error.get_codes()
    sentence = sentences.get(type(error), str(error.detail))
    code = codes if isinstance(codes, str) else "refused"
    answer = _answer(error.status_code, HTTPStatus(error.status_code).phrase, sentence, code)
    header = getattr(error, "auth_header", None)
    if header:
        answer["WWW-Authenticate"] = header
    wait = getattr(error, "wait", None)
    if wait is not None:
        answer["Retry-After"] = str(int(wait))
    return answer
