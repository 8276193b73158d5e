"""Who asks: a token in the Authorization header, or the session of a signed-in person.

Not in charge of what they may do: actions and `portal.rights` are.
"""

from typing import Any, cast

from django.utils.translation import gettext_lazy as _
from rest_framework import authentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.request import Request

from portal.actions.people import person_of_token
from portal.errors import Forbidden
from portal.models import Person

BY_TOKEN = "token"  # noqa: S105 - what request.auth says then


class TokenAuthentication(authentication.BaseAuthentication):
    """`Authorization: Bearer csn_…`. It acts for its person within its scope, which is set on this one instance."""

    def authenticate(self, request: Request) -> tuple[Person, str] | None:
        scheme, _space, secret = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        person = person_of_token(secret.strip())
        if person is None:
            raise AuthenticationFailed(
                _("This token is unknown, expired or revoked. Make a new one on your account page."),
                "token_not_in_force",
            )
        return person, BY_TOKEN

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="countersign"'


class SessionAuthentication(authentication.SessionAuthentication):
    """The session of the pages; what changes something needs the CSRF token that pages send."""

    def authenticate(self, request: Request) -> tuple[Any, None] | None:
        found = super().authenticate(request)
        if found is not None and getattr(found[0], "lacks_factor", False):
            raise Forbidden(
                str(
                    _(
                        "Your team requires a second factor. Set one up on your account page before anything else."
                    )
                ),
                code="second_factor_missing",
            )
        return found

    def enforce_csrf(self, request: Request) -> None:
        try:
            super().enforce_csrf(request)
        except PermissionDenied as error:
            raise PermissionDenied(
                _("The CSRF token is missing or old. Load the page again, or use an API token."), "csrf"
            ) from error


def acting(request: Request) -> Person:
    """The person who asks; views run only for somebody authenticated."""
    return cast(Person, request.user)


def by_token(request: Request) -> bool:
    """Whether a token asks, not a person who signed in."""
    return bool(request.auth == BY_TOKEN)
