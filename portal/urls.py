"""The site map. Each app keeps its own list; apps are named by string."""

from django.contrib import admin
from django.urls import include, path

admin.autodiscover()

handler404 = "portal.pages.not_found"

urlpatterns = [
    path("", include("portal.site")),
    path("", include("governance.urls")),
    path("", include("deployments.urls")),
    path("api/v1/", include("portal.api.urls")),
    path("api/v1/", include("governance.api.urls")),
    path("api/v1/", include("deployments.api.urls")),
    path("scim/v2/", include("portal.scim_urls")),
    path("admin/", admin.site.urls),
]
