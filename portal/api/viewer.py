"""Where the OpenAPI schema is read: as YAML, and as a page to read and try it on."""

from csp.decorators import csp_update
from django.contrib.auth.decorators import login_required
from django.utils.decorators import method_decorator
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.permissions import IsAuthenticated


class SchemaView(SpectacularAPIView):
    """The schema, for whoever may ask anything at all."""

    permission_classes = (IsAuthenticated,)


# The viewer brings one style element of its own; everything else keeps to the strict policy of the pages.
@method_decorator(login_required, name="dispatch")
@method_decorator(csp_update({"style-src": ["'unsafe-inline'"]}), name="dispatch")
class SchemaViewer(SpectacularSwaggerSplitView):
    """The schema to read and to try."""
