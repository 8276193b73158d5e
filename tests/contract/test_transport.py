"""How requests travel: base paths, slashes, keys, booleans, bodies, errors. Raw requests where the client cannot."""

import base64
import json
from typing import Any

import dataikuapi
import pytest
import requests
from dataikuapi.utils import DataikuException

from tests.contract.conftest import Estate

TIMEOUT = 10


def _basic(user: str, password: str = "") -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


@pytest.mark.parametrize("node", ["design", "deployer", "qa", "prod"])
@pytest.mark.parametrize("base", ["/dip/publicapi", "/public/api", "//dip/publicapi", "/dip//publicapi"])
def test_both_base_paths_answer_on_every_node(estate: Estate, node: str, base: str) -> None:
    key = estate.sandbox.key(node, "countersign")
    answer = requests.get(f"{estate.url(node)}{base}/auth/info", headers=_basic(key), timeout=TIMEOUT)
    assert answer.status_code == 200
    assert answer.json()["authIdentifier"] == "countersign"


def test_a_host_with_a_trailing_slash_works(estate: Estate) -> None:
    client = dataikuapi.DSSClient(estate.url("design") + "/", estate.sandbox.key("design", "countersign"))
    assert client.get_instance_info().node_type == "DESIGN"


@pytest.mark.parametrize(
    "path", ["/projects", "/projects/CHURN/recipes", "/projects/CHURN/scenarios", "/projects/CHURN/variables"]
)
def test_both_slash_forms_answer_the_same(estate: Estate, path: str) -> None:
    headers = _basic(estate.sandbox.key("design", "countersign"))
    plain = requests.get(f"{estate.url('design')}/public/api{path}", headers=headers, timeout=TIMEOUT)
    slashed = requests.get(f"{estate.url('design')}/public/api{path}/", headers=headers, timeout=TIMEOUT)
    assert plain.status_code == slashed.status_code == 200
    assert plain.json() == slashed.json()


def test_the_key_is_taken_as_basic_user_basic_password_or_bearer(estate: Estate) -> None:
    key = estate.sandbox.key("qa", "countersign")
    for headers in (_basic(key), _basic("", key), {"Authorization": f"Bearer {key}"}):
        answer = requests.get(f"{estate.url('qa')}/dip/publicapi/auth/info", headers=headers, timeout=TIMEOUT)
        assert answer.json()["authIdentifier"] == "countersign"


def test_the_client_with_a_bearer_token_is_let_in(estate: Estate) -> None:
    client = dataikuapi.DSSClient(
        estate.url("design"), jwt_bearer_token=estate.sandbox.key("design", "countersign")
    )
    assert client.get_auth_info()["authIdentifier"] == "countersign"


@pytest.mark.parametrize("key", ["", "wrong-key"])
def test_an_empty_or_wrong_key_is_401(estate: Estate, key: str) -> None:
    client = dataikuapi.DSSClient(estate.url("design"), key)
    statuses: list[int] = []
    client._session.hooks["response"] = [lambda answer, *_a, **_k: statuses.append(answer.status_code)]
    with pytest.raises(DataikuException, match="Unauthorized"):
        client.get_auth_info()
    assert statuses == [401]


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Basic !!!"}, {"Authorization": "Digest x"}, {"X-DKU-APITicket": "t"}]
)
def test_anything_else_in_the_headers_is_401(estate: Estate, headers: dict[str, str]) -> None:
    answer = requests.get(f"{estate.url('design')}/dip/publicapi/projects/", headers=headers, timeout=TIMEOUT)
    assert answer.status_code == 401
    assert answer.json()["errorType"]


def test_a_key_of_one_node_is_not_a_key_of_another(estate: Estate) -> None:
    client = dataikuapi.DSSClient(estate.url("prod"), estate.sandbox.key("qa", "countersign"))
    with pytest.raises(DataikuException, match="Invalid API key"):
        client.list_projects()


def test_missing_rights_are_403(estate: Estate) -> None:
    answer = requests.get(
        f"{estate.url('design')}/dip/publicapi/admin/users/",
        headers=_basic(estate.sandbox.key("design", "viewer")),
        timeout=TIMEOUT,
    )
    assert answer.status_code == 403
    assert "administrator" in answer.json()["message"]


def test_an_admin_key_acts_as_a_user(estate: Estate) -> None:
    as_olga = estate.client("design").get_user("olga").get_client_as()
    assert as_olga.get_auth_info()["authIdentifier"] == "olga"
    assert {project["projectKey"] for project in as_olga.list_projects()} == {"CHURN"}


def test_a_plain_key_may_not_act_as_somebody_else(estate: Estate) -> None:
    as_ada = estate.client("design", "olga").get_user("ada").get_client_as()
    with pytest.raises(DataikuException, match="administrator's key"):
        as_ada.list_projects()


def test_acting_as_nobody_is_refused(estate: Estate) -> None:
    as_nobody = estate.client("design").get_user("nobody").get_client_as()
    with pytest.raises(DataikuException, match="User nobody does not exist"):
        as_nobody.list_projects()


@pytest.mark.parametrize("spelling", ["True", "true", "TRUE"])
def test_booleans_are_read_in_any_spelling(estate: Estate, spelling: str) -> None:
    headers = _basic(estate.sandbox.key("design", "countersign"))
    answer = requests.get(
        f"{estate.url('design')}/dip/publicapi/futures/?withScenarios={spelling}&allUsers={spelling}",
        headers=headers,
        timeout=TIMEOUT,
    )
    assert answer.json() == []


def test_json_is_read_without_a_content_type(estate: Estate) -> None:
    project = estate.design("FRAUD")
    seen: list[Any] = []
    project.client._session.hooks["response"] = [
        lambda answer, *_a, **_k: seen.append(answer.request.headers.get("Content-Type"))
    ]
    variables = project.get_variables()
    variables["local"]["owner"] = "night shift"
    project.set_variables(variables)
    assert seen == [None, None]
    assert project.get_variables()["local"] == {"owner": "night shift"}


def test_a_get_may_carry_a_body(estate: Estate) -> None:
    with pytest.warns(DeprecationWarning, match="get_settings"):
        assert estate.design().get_scenario("TEST_SMOKE").get_payload() == ""


def test_errors_are_objects_that_the_client_prints(estate: Estate) -> None:
    with pytest.raises(DataikuException, match=r"^com\.dataiku\.\S+: Project NOPE does not exist$"):
        estate.design("NOPE").get_summary()


def test_answers_name_the_version(estate: Estate) -> None:
    answer = requests.get(f"{estate.url('design')}/public/api/auth/info", timeout=TIMEOUT)
    assert answer.headers["DSS-Version"].startswith("14.")
    assert answer.headers["DSS-API-Version"]


def test_an_unknown_endpoint_is_an_error_object_and_an_unknown_page_is_html(estate: Estate) -> None:
    headers = _basic(estate.sandbox.key("design", "countersign"))
    api = requests.get(f"{estate.url('design')}/public/api/no-such-thing", headers=headers, timeout=TIMEOUT)
    page = requests.get(f"{estate.url('design')}/some/page", timeout=TIMEOUT)
    assert (api.status_code, page.status_code) == (404, 404)
    assert "message" in api.json()
    assert page.headers["Content-Type"].startswith("text/html")


def test_a_wrong_method_is_405(estate: Estate) -> None:
    headers = _basic(estate.sandbox.key("design", "countersign"))
    answer = requests.patch(f"{estate.url('design')}/public/api/auth/info", headers=headers, timeout=TIMEOUT)
    assert answer.status_code == 405


def test_deployer_endpoints_are_not_on_the_design_node(estate: Estate) -> None:
    with pytest.raises(DataikuException, match="not available on a design node"):
        estate.client("design").get_projectdeployer().list_infras()


@pytest.mark.parametrize(
    "body",
    [b"{", b"[1, 2]", b'"text"', b"\xff\xfe", b"[" * 5000, b"17"],
    ids=["half", "list", "string", "bytes", "deep", "number"],
)
def test_bodies_that_are_not_json_objects_are_400(estate: Estate, body: bytes) -> None:
    headers = _basic(estate.sandbox.key("design", "countersign"))
    answer = requests.put(
        f"{estate.url('design')}/public/api/projects/MAINT/metadata",
        data=body,
        headers=headers,
        timeout=TIMEOUT,
    )
    assert answer.status_code == 400
    assert answer.json()["message"]


@pytest.mark.parametrize(
    "path",
    [
        "/projects/%00",
        "/projects/..%2f..%2fetc",
        "/projects/" + "K" * 3000,
        "/projects/CHURN/datasets/%F0%9F%92%A3/schema",
        "/projects/CHURN/scenarios/TEST_SMOKE/get-last-runs?limit=abc",
        "/futures/'; DROP TABLE doc; --",
    ],
)
def test_hostile_paths_are_refused_politely(estate: Estate, path: str) -> None:
    headers = _basic(estate.sandbox.key("design", "countersign"))
    answer = requests.get(f"{estate.url('design')}/public/api{path}", headers=headers, timeout=TIMEOUT)
    assert answer.status_code in (400, 404)
    assert json.loads(answer.text)["errorType"]


def test_an_upload_without_a_file_is_400(estate: Estate) -> None:
    headers = _basic(estate.sandbox.key("deployer", "countersign"))
    answer = requests.post(
        f"{estate.url('deployer')}/public/api/project-deployer/projects/bundles",
        headers=headers,
        timeout=TIMEOUT,
    )
    assert answer.status_code == 400


def test_the_control_api_wants_its_token(estate: Estate) -> None:
    answer = requests.get(f"{estate.control.url}/counters", timeout=TIMEOUT)
    assert answer.status_code == 401


def test_requests_are_answered_in_milliseconds(estate: Estate) -> None:
    client = estate.client("design")
    for _ in range(20):
        client.get_project("CHURN").get_metadata()
    took = sorted(entry["ms"] for entry in estate.control.requests() if entry["path"].endswith("/metadata"))
    assert took[len(took) // 2] < 20
