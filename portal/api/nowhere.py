"""Addresses of the API that lead nowhere, answered as a problem like everything else."""

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

from portal.errors import Absent


@extend_schema(exclude=True)
class Nowhere(APIView):
    """Any address that is not one of the API's. Without the final slash, an address is another one."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        raise Absent(
            _(
                "The API has no such address. Addresses end with a slash; all of them are listed at /api/v1/docs/."
            ),
            code="no_such_address",
        )
