"""Sessions, passwords and accounts: one's own, and as an administrator those of others. Not by token."""

from typing import Any

from django.contrib.auth import update_session_auth_hash
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal.actions import accounts
from portal.api.auth import acting, by_token
from portal.api.fields import At
from portal.api.inputs import Input, PasswordField, Why, checked
from portal.api.listing import Listing
from portal.api.people import AccountSerializer
from portal.errors import Forbidden
from portal.models import Person, Session


class SessionSerializer(serializers.Serializer[Session]):
    """A browser somebody is signed in with; `here` says that it is the one that asks."""

    id = serializers.IntegerField()
    method = serializers.CharField()
    address = serializers.CharField()
    browser = serializers.CharField()
    begun_at = At()
    seen_at = At()
    expires_at = At()
    here = serializers.SerializerMethodField()

    def get_here(self, session: Session) -> bool:
        return session.hashed == self.context.get("here")


class EndedSerializer(serializers.Serializer[Any]):
    """How many sessions ended."""

    ended = serializers.IntegerField()


class CodeSerializer(serializers.Serializer[Any]):
    """A code to set a password with, shown this once."""

    code = serializers.CharField()
    expires_at = At()


class NewPassword(Input):
    """One's present password and the new one."""

    current = PasswordField()
    new = PasswordField()


def present(request: Request) -> Person:
    """The person who asks, signed in themselves; raises Forbidden for a token."""
    if by_token(request):
        raise Forbidden(
            _("A token does not change how somebody gets in. Sign in and do it there."),
            code="token_changes_no_account",
        )
    return acting(request)


def _here(request: Request) -> str:
    return str(getattr(getattr(request, "session", None), "hashed", ""))


class Sessions(Listing):
    """Where one is signed in; nothing for a token, which is no way to look over somebody's shoulder."""

    serializer_class = SessionSerializer

    def get_queryset(self) -> QuerySet[Any]:
        found = accounts.live_sessions(self.person)
        return found if self.person.scope is None else found.none()

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "here": _here(self.request)}


class EndSession(APIView):
    """The end of a session."""

    @extend_schema(request=None, responses={204: None})
    def post(self, request: Request, number: int) -> Response:
        """End a session of one's own; whoever sits there is out with their next click."""
        accounts.end_session(by=present(request), session=number)
        return Response(status=204)


class EndOtherSessions(APIView):
    """The end of all sessions but one."""

    @extend_schema(request=None, responses=EndedSerializer)
    def post(self, request: Request) -> Response:
        """End all one's sessions but this one."""
        return Response({"ended": accounts.end_sessions(by=present(request), keep=_here(request))})


class Password(APIView):
    """One's own password."""

    @extend_schema(request=NewPassword, responses={204: None})
    def post(self, request: Request) -> Response:
        """Change one's own password, with the present one; every other session ends."""
        by = present(request)
        accounts.change_password(by=by, keep=_here(request), **checked(NewPassword, request))
        update_session_auth_hash(request._request, by)
        return Response(status=204)


class SessionsOfPerson(Listing):
    """Where somebody is signed in, for administrators."""

    serializer_class = SessionSerializer

    def get_queryset(self) -> QuerySet[Any]:
        return accounts.live_sessions(accounts.person_at(by=self.person, login=self.kwargs["login"]))


class EndSessionsOfPerson(APIView):
    """The end of somebody's sessions."""

    @extend_schema(request=None, responses=EndedSerializer)
    def post(self, request: Request, login: str) -> Response:
        """Sign somebody out everywhere; for administrators."""
        by = present(request)
        person = accounts.person_at(by=by, login=login)
        return Response({"ended": accounts.end_sessions(by=by, person=person)})


class ResetPassword(APIView):
    """A code for a new password."""

    @extend_schema(request=None, responses={201: CodeSerializer})
    def post(self, request: Request, login: str) -> Response:
        """Give somebody a code to set a password with, once; for administrators. Their password and sessions end."""
        by = present(request)
        reset, code = accounts.give_reset(by=by, person=accounts.person_at(by=by, login=login))
        return Response(CodeSerializer({"code": code, "expires_at": reset.expires_at}).data, status=201)


class DisablePerson(APIView):
    """The end of an account."""

    @extend_schema(request=Why, responses=AccountSerializer)
    def post(self, request: Request, login: str) -> Response:
        """Shut an account at once, with its sessions and tokens; for administrators."""
        by = present(request)
        person = accounts.person_at(by=by, login=login)
        accounts.disable(by=by, person=person, **checked(Why, request))
        return Response(AccountSerializer(person).data)


class EnablePerson(APIView):
    """An account opened again."""

    @extend_schema(request=Why, responses=AccountSerializer)
    def post(self, request: Request, login: str) -> Response:
        """Open a disabled account again; for administrators."""
        by = present(request)
        person = accounts.person_at(by=by, login=login)
        accounts.enable(by=by, person=person, **checked(Why, request))
        return Response(AccountSerializer(person).data)
