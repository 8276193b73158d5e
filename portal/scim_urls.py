"""Addresses of SCIM 2.0, without slashes at their ends, as RFC 7644 has them."""

from collections.abc import Callable
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.urls import path, re_path
from django.utils.module_loading import import_string
from django.views.decorators.csrf import csrf_exempt


def later(name: str) -> Callable[..., HttpResponse]:
    """The view of this name in portal/scim.py, loaded when a directory first asks: the protocol's shapes take 15 MB."""

    @csrf_exempt
    @login_not_required
    def view(request: HttpRequest, **given: Any) -> HttpResponse:
        found: HttpResponse = import_string(f"portal.scim.{name}").as_view()(request, **given)
        return found

    return view


urlpatterns = [
    path("ServiceProviderConfig", later("Config")),
    path("Schemas", later("Schemas")),
    path("Schemas/<str:pk>", later("Schemas")),
    path("ResourceTypes", later("ResourceTypes")),
    path("ResourceTypes/<str:pk>", later("ResourceTypes")),
    path("Users", later("Users")),
    path("Users/<str:pk>", later("OneUser")),
    path("Groups", later("Groups")),
    path("Groups/<str:pk>", later("OneGroup")),
    re_path(r"^.*$", later("Nowhere")),
]
