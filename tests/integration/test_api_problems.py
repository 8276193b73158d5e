"""Every "no" of the API is problem+json with a sentence: nobody signed in, nothing there, nothing to be read."""

import logging
from base64 import b64encode
from urllib.parse import quote

import pytest
from django.conf import settings
from django.db import OperationalError
from django.test import Client

from portal.api import me
from portal.demo.cast import PASSWORD
from tests.api import ABSENT, PREFIX, Api, session, token
from tests.cast import Cast


def test_without_credentials_it_is_401_with_what_to_send(db: None) -> None:
    answer = Api().send("get", "me/")
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Bearer")
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json() == {
        "type": "urn:countersign:problem:not_authenticated",
        "title": "Unauthorized",
        "status": 401,
        "detail": "Sign in, or send an API token: “Authorization: Bearer csn_…”.",
        "code": "not_authenticated",
    }


@pytest.mark.parametrize(
    "path", ["projects/", "projects/CHURN/", "requests/1/", "events/", "schema/", "nowhere/"]
)
def test_every_address_asks_who_it_is(db: None, path: str) -> None:
    assert Api().refused(401, "get", path)["code"] == "not_authenticated"


@pytest.mark.parametrize("header", ["Bearer csn_made-up", "bearer ", "Bearer é"])
def test_a_token_that_is_not_in_force_is_refused(db: None, header: str) -> None:
    found = Api(headers={"Authorization": header}).refused(401, "get", "me/")
    assert found["code"] == "token_not_in_force"
    assert "Make a new one" in found["detail"]


def test_another_scheme_is_no_credential(db: None) -> None:
    assert (
        Api(headers={"Authorization": "Basic YTpi"}).refused(401, "get", "me/")["code"] == "not_authenticated"
    )


def test_a_session_needs_the_csrf_token_and_a_token_does_not(cast: Cast) -> None:
    strict = Api(Client(enforce_csrf_checks=True))
    assert strict.client.login(login=cast.ada.login, password=PASSWORD)
    assert strict.get("me/")["authenticated_by"] == "session"
    found = strict.refused(403, "post", "teams/", {"name": "Fraud team"})
    assert found["code"] == "csrf"
    assert "Load the page again" in found["detail"]
    program = token(cast.ada)
    program.client = Client(enforce_csrf_checks=True)
    assert program.post("teams/", name="Fraud team")["slug"] == "fraud-team"


def test_a_disabled_person_is_nobody(cast: Cast) -> None:
    by_session, by_token = session(cast.dev), token(cast.dev)
    type(cast.dev).objects.filter(pk=cast.dev.pk).update(is_active=False)
    by_session.refused(401, "get", "me/")
    by_token.refused(401, "get", "me/")


def test_an_address_that_leads_nowhere(cast: Cast) -> None:
    for path in ("", "projekts/", "projects", "projects/CHURN/lanes/", "requests/one/"):
        for method in ("get", "post", "delete"):
            assert session(cast.olga).refused(404, method, path)["code"] == "no_such_address"


def test_what_is_absent_and_what_is_hidden_are_told_alike(cast: Cast) -> None:
    otto = session(cast.otto)
    hidden = otto.send("get", "projects/CHURN/")
    absent = otto.send("get", "projects/NOTHING/")
    assert hidden.status_code == absent.status_code == 404
    assert hidden.content == absent.content
    assert hidden.json()["detail"] == ABSENT
    for path in (
        "requests/99999999999999999999/",
        "promotions/0/",
        "evidence/1/",
        "signoffs/1/",
        "reports/1/",
    ):
        otto.absent("get", path)


def test_a_method_that_is_not_there(cast: Cast) -> None:
    found = session(cast.olga).refused(405, "put", "projects/", {})
    assert found["code"] == "method_not_allowed"


def test_a_body_that_is_no_json(cast: Cast) -> None:
    answer = session(cast.ada).client.post(f"{PREFIX}teams/", data="{", content_type="application/json")
    assert answer.status_code == 400
    assert answer.json()["code"] == "parse_error"
    answer = session(cast.ada).client.post(f"{PREFIX}teams/", data="<a/>", content_type="text/xml")
    assert answer.status_code == 415
    assert answer.json()["code"] == "unsupported_media_type"


@pytest.mark.parametrize("start, end", [("[", "]"), ('{"name":', "}")])
def test_a_body_nested_too_deeply(cast: Cast, start: str, end: str) -> None:
    deep = start * 100_000 + "1" + end * 100_000
    answer = session(cast.ada).client.post(f"{PREFIX}teams/", data=deep, content_type="application/json")
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    assert answer.json()["detail"] == "What was sent is nested too deeply to be read."


@pytest.mark.parametrize("size", [3_000_000, 60_000_000])
def test_a_body_that_is_too_large(cast: Cast, size: int) -> None:
    body = b'{"name": "' + b"a" * size + b'"}'
    for api in (session(cast.ada), token(cast.ada)):
        answer = api.client.post(
            f"{PREFIX}teams/", data=body, content_type="application/json", headers=api.headers
        )
        assert (answer.status_code, answer["Content-Type"]) == (413, "application/problem+json")
        # What is more than anything is taken is refused before anything of it is read.
        said = "larger than 25 MB" if size > settings.UPLOAD_BYTES else "too large; send less at once."
        assert said in answer.json()["detail"]


@pytest.mark.parametrize("body", [[], 7])
def test_a_body_that_is_no_object(cast: Cast, body: object) -> None:
    assert session(cast.ada).refused(400, "post", "teams/", body)["code"] == "input_invalid"


def test_fields_are_named_when_they_are_wrong(cast: Cast) -> None:
    found = session(cast.ada).refused(400, "post", "teams/", {"nam": "Fraud team"})
    assert found["field"] == "nam"
    assert found["detail"] == "nam: There is no such field here; known are: name, slug."
    found = session(cast.ada).refused(400, "post", "teams/", {"slug": "a b"})
    assert [error["field"] for error in found["errors"]] == ["name", "slug"]
    stages = [
        {
            "slug": "qa",
            "name": "QA",
            "places": [{"slug": "a b", "deployer": "d", "infra_id": "I", "automation": "a"}],
        }
    ]
    found = session(cast.ada).refused(
        400, "post", "pipelines/", {"slug": "p", "name": "P", "stages": stages, "why": "x"}
    )
    assert found["field"] == "stages.0.places.0.slug"


@pytest.mark.parametrize("text", ["a\x00b", "\ud800"])
def test_characters_no_database_keeps_are_refused(cast: Cast, text: str) -> None:
    assert session(cast.ada).refused(400, "post", "teams/", {"name": text})["field"] == "name"


def test_what_breaks_is_logged_and_not_shown(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def breaks(_request: object) -> None:
        raise ZeroDivisionError("a secret of the inside")

    monkeypatch.setattr(me, "acting", breaks)
    with caplog.at_level(logging.ERROR):
        found = session(cast.olga).refused(500, "get", "me/")
    assert found["code"] == "broken"
    assert "secret" not in str(found)
    assert "Traceback" not in str(found)
    assert "a secret of the inside" in caplog.text


def test_a_database_that_is_away_is_503(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(_request: object) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr(me, "acting", locked)
    assert session(cast.olga).refused(503, "get", "me/")["code"] == "database_busy"


@pytest.mark.parametrize("size", ["0", "-1", "abc", "²", "", "9999999"])
def test_a_page_of_no_size(cast: Cast, size: str) -> None:
    assert session(cast.olga).refused(400, "get", f"projects/?page_size={size}")["field"] == "page_size"


def test_more_than_a_page_holds_gives_a_full_one(cast: Cast) -> None:
    assert len(session(cast.olga).rows("projects/?page_size=100000")) == 1


@pytest.mark.parametrize(
    "path, place",
    [("people/", "a\0"), ("people/", "\0"), ("tokens/", "x"), ("tokens/", "²"), ("tokens/", "\0")],
)
def test_a_cursor_that_stands_nowhere(cast: Cast, path: str, place: str) -> None:
    cursor = quote(b64encode(f"p={quote(place)}".encode()).decode())
    for sent in (cursor, "made-up"):
        found = session(cast.ada).refused(400, "get", f"{path}?cursor={sent}")
        assert (found["code"], found["field"]) == ("cursor_unknown", "cursor")
        assert found["detail"] == (
            "This cursor is none of this list's. Begin without one and follow its “next” and “previous”."
        )


@pytest.mark.parametrize(
    "path",
    [
        "events/?subject=%00",
        "events/?project=%00",
        "projects/%00/",
        "people/?%00",
        "teams/%00/members/",
        "%00/",
    ],
)
def test_an_address_with_nul_is_told_so(cast: Cast, path: str) -> None:
    found = session(cast.ada).refused(400, "get", path)
    assert (found["code"], found["title"]) == ("nul_sent", "Not usable")
    assert found["detail"] == (
        "What was sent holds a character that no text here can hold (NUL). Take it out and try again."
    )
    assert Api().refused(401, "get", path)["code"] == "not_authenticated"


@pytest.mark.parametrize(
    "path, body",
    [
        ("teams/", {"\ud800": 1}),
        ("teams/", {"\0": 1}),
        ("grants/", {"person": "dev", "right": "\ud800", "why": "w"}),
    ],
)
def test_what_cannot_be_written_is_still_told_back(cast: Cast, path: str, body: dict[str, object]) -> None:
    found = session(cast.ada).refused(400, "post", path, body)
    assert found["code"] == "input_invalid"
    assert "\ud800" not in str(found)
