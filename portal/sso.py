"""Signing in by OIDC and SAML: allauth speaks the protocols; here it is stricter, and ends at our door.

Stricter: an ID token's signature is always checked, by asymmetric algorithms only, with nonce and issuer; assertions
have to be signed; an answer nobody asked for is refused. Not in charge of who somebody is here:
portal/actions/identities.py.
"""

import logging
import secrets
import time
from collections.abc import Callable
from functools import wraps
from typing import Any

import jwt
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from requests import RequestException

from portal import authentication, providers, throttle
from portal.actions import identities
from portal.authentication import address_of
from portal.doors import come_in
from portal.errors import Forbidden, Refused, TooMany
from portal.models import Person
from portal.providers import OIDC, SAML
from portal.second_step import inside, shown

logger = logging.getLogger(__name__)

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
LEEWAY = 60  # seconds that clocks may differ
FRESH = 300  # seconds since a provider asked again who it is

Page = Callable[..., HttpResponse]


def guarded(provider: str) -> Callable[[Page], Page]:
    """A page of a provider that is configured; whatever goes wrong there is a page of ours, and nobody is let in."""

    def around(view: Page) -> Page:
        @login_not_required
        @never_cache
        @wraps(view)
        def guard(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if provider not in dict(providers.offered()):
                raise Http404
            try:
                return view(request, *args, **kwargs)
            except Http404:
                raise
            except ImmediateHttpResponse as answer:
                return answer.response  # type: ignore[no-any-return]
            except Refused as refusal:
                return _refused(request, provider, refusal)
            except RequestException:
                return failed(request, provider, "away")
            except Exception as error:  # whatever a provider answers, it is refused and nothing else
                logger.warning("%s answered what cannot be used: %s", provider, type(error).__name__)
                return failed(request, provider, "untrusted")

        return guard

    return around


# --- OIDC -------------------------------------------------------------------------------------------------------------


class StrictAdapter(OpenIDConnectOAuth2Adapter):  # type: ignore[misc]
    """As allauth's, with every check of the ID token."""

    @property
    def openid_config(self) -> dict[str, Any]:
        """What the provider says of itself, as long as it is the one that was configured."""
        config: dict[str, Any] = super().openid_config
        if config.get("issuer") != settings.OIDC_ISSUER:
            raise OAuth2Error("another issuer")
        return config

    def get_callback_url(self, request: HttpRequest, app: Any) -> str:
        return request.build_absolute_uri(reverse("oidc-callback"))

    def complete_login(self, request: HttpRequest, app: Any, token: Any, **kwargs: Any) -> Any:
        """Who came, from a checked ID token and, where there is one, the userinfo of the same subject."""
        claims = self._decode_id_token(app, kwargs["response"].get("id_token") or "")
        told = {}
        if "userinfo_endpoint" in self.openid_config:
            told = self._fetch_user_info(token.token)
            if told.get("sub") != claims["sub"]:
                raise OAuth2Error("userinfo of another subject")
        return self.get_provider().sociallogin_from_response(
            request, {"userinfo": {**claims, **told}, "id_token": claims}
        )

    def _decode_id_token(self, app: Any, id_token: str) -> dict[str, Any]:
        try:
            header = jwt.get_unverified_header(id_token)
            key = self._key(str(header.get("kid", "")), str(header.get("alg", "")))
            claims: dict[str, Any] = jwt.decode(
                id_token,
                key=key,
                algorithms=ALGORITHMS,
                audience=app.client_id,
                issuer=settings.OIDC_ISSUER,
                leeway=LEEWAY,
                options={"require": ["exp", "iat", "sub", "iss", "aud"]},
            )
        except jwt.PyJWTError as error:
            raise OAuth2Error("the ID token does not hold") from error
        if isinstance(claims["aud"], list) and len(claims["aud"]) > 1 and claims.get("azp") != app.client_id:
            raise OAuth2Error("the ID token is for another party")
        return claims

    def _key(self, kid: str, alg: str) -> Any:
        with get_adapter().get_requests_session() as session:
            answer = session.get(self.openid_config["jwks_uri"])
            answer.raise_for_status()
            keys = answer.json()["keys"]
        for one in keys:
            if str(one.get("kid", "")) == kid and one.get("use", "sig") == "sig" and one.get("kty") != "oct":
                return jwt.PyJWK.from_dict(one, algorithm=alg if alg in ALGORITHMS else None)
        raise OAuth2Error("no such key")


@guarded(OIDC)
@require_GET
def oidc_login(request: HttpRequest) -> HttpResponse:
    """To the provider. `?again=1`: to show again who one is, for a signature."""
    again = bool(request.GET.get("again")) and request.user.is_authenticated
    nonce = secrets.token_urlsafe(24)
    provider = get_adapter(request).get_provider(request, OIDC)
    provider.oauth2_adapter_class = StrictAdapter
    answer: HttpResponse = provider.redirect(
        request,
        "login",
        data={"nonce": nonce, "next": request.GET.get("next", ""), "again": again},
        auth_params={"nonce": nonce, **({"prompt": "login", "max_age": "0"} if again else {})},
    )
    return answer


@guarded(OIDC)
@require_GET
def oidc_callback(request: HttpRequest) -> HttpResponse:
    """Back from the provider."""
    answer: HttpResponse = OAuth2CallbackView.adapter_view(StrictAdapter(request, OIDC))(request)
    return answer


# --- SAML -------------------------------------------------------------------------------------------------------------


def _by_saml(name: str, *args: Any) -> HttpResponse:
    answer: HttpResponse = import_string(f"portal.saml.{name}")(*args)
    return answer


@guarded(SAML)
@require_GET
def saml_login(request: HttpRequest) -> HttpResponse:
    """To the provider. `?again=1`: as for OIDC."""
    return _by_saml("login", request)


@csrf_exempt
@guarded(SAML)
@require_POST
def saml_acs(request: HttpRequest, organization_slug: str) -> HttpResponse:
    """The provider's answer, posted from its site and therefore without our cookies: kept for the next page."""
    return _by_saml("acs", request, organization_slug)


@guarded(SAML)
@require_GET
def saml_finish(request: HttpRequest, organization_slug: str) -> HttpResponse:
    """The provider's answer, checked."""
    return _by_saml("finish", request, organization_slug)


@guarded(SAML)
@require_GET
def saml_metadata(request: HttpRequest, organization_slug: str) -> HttpResponse:
    """What the provider has to know of this portal, as XML."""
    return _by_saml("metadata", request)


@login_not_required
@require_http_methods(["GET"])
def nowhere(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    """allauth names this address; there is nothing behind it."""
    raise Http404


# --- and in -----------------------------------------------------------------------------------------------------------


def finish(request: HttpRequest, login: Any) -> HttpResponse:
    """Let in whom the provider vouches for, or remember that they showed again who they are."""
    provider = login.account.provider
    wish = (login.state or {}).get("data") or {}
    told = _oidc(login, wish) if provider == OIDC else _saml(login)
    person = identities.arrive(by=Person.objects.system(), told=told)
    onward = inside(request, wish.get("next"))
    if not wish.get("again"):
        return come_in(request, person, provider, onward)
    if request.user != person:
        raise Forbidden(
            _("You came back as somebody else than who is signed in here, so nothing was shown."),
            code="another_person",
        )
    shown(request, provider)
    return redirect(onward)


def _oidc(login: Any, wish: dict[str, Any]) -> identities.Told:
    claims, token = login.account.extra_data["userinfo"], login.account.extra_data["id_token"]
    nonce = str(token.get("nonce", ""))
    if not wish.get("nonce") or not secrets.compare_digest(nonce.encode(), wish["nonce"].encode()):
        raise _untrusted()
    if wish.get("again"):
        at = token.get("auth_time")
        if not isinstance(at, int) or not -LEEWAY <= time.time() - at <= FRESH:
            raise Forbidden(
                _(
                    "Your organisation did not ask you again who you are, so nothing was shown. Try another way."
                ),
                code="not_asked_again",
            )
    return identities.Told(
        provider=OIDC,
        subject=str(token["sub"]),
        login=_text(claims.get(settings.OIDC_LOGIN_CLAIM)),
        name=_text(claims.get("name")),
        email=_text(claims.get("email")),
        groups=claims.get(settings.OIDC_GROUPS_CLAIM),
    )


def _saml(login: Any) -> identities.Told:
    said = login.account.extra_data
    first = {name: _text((said.get(name) or [""])[0]) for name in said}
    return identities.Told(
        provider=SAML,
        subject=login.account.uid,
        login=first.get(settings.SAML_LOGIN_ATTRIBUTE, ""),
        name=first.get(settings.SAML_NAME_ATTRIBUTE, ""),
        email=first.get(settings.SAML_EMAIL_ATTRIBUTE, ""),
        groups=said.get(settings.SAML_GROUPS_ATTRIBUTE),
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _untrusted() -> Refused:
    return Refused(_sentence(OIDC, "untrusted"), code="untrusted")


# --- what goes wrong --------------------------------------------------------------------------------------------------


def _sentence(provider: str, code: str) -> str:
    sentences = {
        "away": _(
            "%(name)s does not answer, so nobody can sign in that way now. Try again in a few minutes;"
            " whoever has a password here can use it."
        ),
        "cancelled": _(
            "You did not sign in at %(name)s, so you are not let in here. Start again when you like."
        ),
        "untrusted": _(
            "What %(name)s answered cannot be trusted, or came too late, so you are not let in."
            " Start again; if it stays so, tell an administrator."
        ),
    }
    return sentences[code] % {"name": providers.name_of(provider)}


def failed(request: HttpRequest, provider: str, code: str) -> HttpResponse:
    """The page for a provider that is away or cannot be trusted; the first few within a while are written down."""
    if code != "cancelled":
        try:
            throttle.take(throttle.Limit(f"provider:{provider}", settings.SIGN_IN_TRIES_PER_ADDRESS))
            identities.note_failure(by=Person.objects.system(), provider=provider, code=code)
        except TooMany:
            logger.warning("%s failed again (%s).", provider, code)
    return _page(request, _sentence(provider, code), 503 if code == "away" else 403)


def _refused(request: HttpRequest, provider: str, refusal: Refused) -> HttpResponse:
    person = (
        Person.objects.filter(pk=refusal.params["person"]).first() if "person" in refusal.params else None
    )
    try:
        throttle.take(throttle.by_address(address_of(request)))
        authentication.refused(
            person, method=provider, provider=provider, code=refusal.code, address=address_of(request)
        )
    except TooMany:
        logger.warning("%s: refused again (%s).", provider, refusal.code)
    return _page(request, refusal.sentence, 403)


def _page(request: HttpRequest, sentence: str, status: int) -> HttpResponse:
    return render(request, "registration/sso_failed.html", {"sentence": sentence}, status=status)
