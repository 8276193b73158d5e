"""Requests that most tests of signing begin with: made once by the real actions, laid down as rows from then on."""

import pytest

from deployments.models import DeploymentRequest
from tests.cast import Cast
from tests.factories import all_but_signed, bundle_registered, request_at
from tests.remembered import Remembered

_UNSIGNED: Remembered[DeploymentRequest] = Remembered()


@pytest.fixture
def unsigned(cast: Cast) -> DeploymentRequest:
    """A request of churn's v1 to production, in which the three signatures are all that is missing."""

    def made() -> DeploymentRequest:
        bundle = bundle_registered(cast)
        all_but_signed(cast, bundle)
        return request_at(cast, bundle=bundle, lane=cast.prod)

    return _UNSIGNED.again(made)
