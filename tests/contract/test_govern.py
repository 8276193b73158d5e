"""The Govern node and the project standards of published bundles, through the unmodified client."""

from typing import Any

import dataikuapi
import pytest
from dataikuapi.govern.artifact_search import GovernArtifactFilterBlueprints, GovernArtifactSearchQuery
from dataikuapi.utils import DataikuException

from tests.contract.conftest import Estate


@pytest.fixture
def published(estate: Estate) -> Estate:
    """Churn's b1 on the Deployer."""
    estate.fresh().publish("b1")
    return estate


def govern(estate: Estate) -> Any:
    return dataikuapi.GovernClient(estate.url("govern"), estate.sandbox.key("govern", "countersign"))


def found(estate: Estate, page: int = 20) -> list[Any]:
    query = GovernArtifactSearchQuery(
        artifact_filters=[GovernArtifactFilterBlueprints(["bp.system.govern_bundle"])]
    )
    request = govern(estate).new_artifact_search_request(query)
    hits: list[Any] = []
    while batch := request.fetch_next_batch(page_size=page).get_response_hits():
        hits += batch
        if len(batch) < page:
            break
    return [hit.to_artifact() for hit in hits]


def test_a_govern_node_is_one(estate: Estate) -> None:
    info = govern(estate).get_instance_info()
    assert info.raw["nodeType"] == "GOVERN"
    with pytest.raises(DataikuException):
        dataikuapi.DSSClient(
            estate.url("govern"), estate.sandbox.key("govern", "countersign")
        ).list_projects()


@pytest.mark.parametrize(
    "approved, status", [(True, "APPROVED"), (False, "REJECTED"), (None, "WAITING_FOR_APPROVAL")]
)
def test_the_sign_off_of_a_bundle(published: Estate, approved: bool | None, status: str) -> None:
    assert found(published) == []
    published.control.set_governance("CHURN", "b1", approved)
    (artifact,) = found(published)
    raw = artifact.get_definition().get_raw()
    assert (raw["name"], raw["fields"]["project_key"]) == ("b1", "CHURN")
    (signoff,) = [one.to_signoff() for one in artifact.list_signoffs()]
    assert signoff.get_definition().get_raw()["status"] == status
    with pytest.raises(DataikuException, match=r"not exist|not found"):
        artifact.get_signoff("legal").get_definition()


def test_a_search_goes_from_page_to_page(published: Estate) -> None:
    for number in range(5):
        published.control.set_governance("CHURN", f"b{number}", True)
    published.control.set_governance("CHURN", "b0", False)
    assert [one.artifact_id for one in found(published, page=2)] == [
        one.artifact_id for one in found(published)
    ]
    assert len(found(published)) == 5


def test_the_standards_of_a_published_bundle(published: Estate) -> None:
    def report() -> Any:
        return published.deployer().get_project("CHURN").get_project_standards_report("b1")

    checks = report().checks_run_info
    assert checks["TESTED"].result.success
    published.control.set_standards("CHURN", "TESTED", 5)
    assert report().checks_run_info["TESTED"].result.severity_category == "CRITICAL"
    published.control.set_standards("CHURN", "OTHER", None)
    assert report().checks_run_info["OTHER"].result.status == "RUN_ERROR"
    published.control.set_standards("CHURN", none=True)
    assert report() is None
