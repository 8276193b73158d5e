"""Which identity providers there are, and what allauth is to do with who came from one: hand them to the one door."""

from typing import Any

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.providers.base.constants import AuthError
from django.conf import settings
from django.http import HttpRequest
from django.utils.module_loading import import_string
from requests import RequestException

OIDC, SAML = "oidc", "saml"


def offered() -> list[tuple[str, str]]:
    """The providers there are, each with the name people know it by."""
    found = [(OIDC, settings.OIDC_NAME)] if settings.OIDC_ISSUER else []
    return [*found, *([(SAML, settings.SAML_NAME)] if settings.SAML_IDP else [])]


def name_of(provider: str) -> str:
    """The name people know a provider by."""
    return dict(offered()).get(provider, provider)


class Adapter(DefaultSocialAccountAdapter):  # type: ignore[misc]
    """allauth checks the protocol; here it ends. Nobody signs up, and nobody is found by e-mail."""

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        """Go through our own door instead of allauth's."""
        raise ImmediateHttpResponse(import_string("portal.sso.finish")(request, sociallogin))

    def on_authentication_error(
        self,
        request: HttpRequest,
        provider: Any,
        error: Any = None,
        exception: Exception | None = None,
        extra_context: Any = None,
    ) -> None:
        """Our own page for what went wrong."""
        code = "untrusted"
        if isinstance(exception, RequestException):
            code = "away"
        elif error == AuthError.CANCELLED:
            code = "cancelled"
        raise ImmediateHttpResponse(import_string("portal.sso.failed")(request, provider.sub_id, code))

    def list_apps(self, request: HttpRequest, provider: Any = None, client_id: Any = None) -> list[Any]:
        """Those of the settings alone: a row in allauth's table of providers is none."""
        found = super().list_apps(request, provider=provider, client_id=client_id)
        return [app for app in found if app.pk is None]

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        """Never: accounts are added by our own action."""
        return False
