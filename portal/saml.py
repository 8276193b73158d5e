"""The part of SAML that needs its library, which takes 11 MB and is loaded when somebody first comes by it.

portal/sso.py guards these pages and asks for them by name.
"""

from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.providers.saml.utils import build_auth, build_saml_config
from allauth.socialaccount.providers.saml.views import ACSView, FinishACSView
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from onelogin.saml2.settings import OneLogin_Saml2_Settings

from portal.providers import SAML


def login(request: HttpRequest) -> HttpResponse:
    """To the provider. `?again=1`: as for OIDC."""
    again = bool(request.GET.get("again")) and request.user.is_authenticated
    provider = get_adapter(request).get_provider(request, SAML)
    auth = build_auth(request, provider)
    address = auth.login(return_to="", force_authn=again)
    provider.stash_redirect_state(
        request,
        "login",
        data={"next": request.GET.get("next", ""), "again": again},
        state_id=auth.get_last_request_id(),
    )
    return HttpResponseRedirect(address)


def acs(request: HttpRequest, organization_slug: str) -> HttpResponse:
    """The provider's answer, kept for the next page."""
    answer: HttpResponse = ACSView.as_view()(request, organization_slug=organization_slug)
    return answer


def finish(request: HttpRequest, organization_slug: str) -> HttpResponse:
    """The provider's answer, checked."""
    answer: HttpResponse = FinishACSView.as_view()(request, organization_slug=organization_slug)
    return answer


def metadata(request: HttpRequest) -> HttpResponse:
    """What the provider has to know of this portal, as XML."""
    config = build_saml_config(request, get_adapter(request).get_provider(request, SAML).app.settings, SAML)
    del config["sp"]["singleLogoutService"]  # signing out here ends the session here
    saml = OneLogin_Saml2_Settings(settings=config, sp_validation_only=True)
    return HttpResponse(saml.get_sp_metadata(), content_type="application/samlmetadata+xml")
