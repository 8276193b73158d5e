"""The OpenAPI schema says all there is, and is read on a page that keeps to the content security policy."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from tests.api import Api, session
from tests.cast import Cast

ROOT = Path(__file__).resolve().parents[2]
LEFT_OUT = {"/api/v1/", "/api/v1/schema/", "/api/v1/docs/", "/api/v1/{address}"}


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The schema as it is generated, with every warning an error."""
    path = tmp_path_factory.mktemp("schema") / "schema.json"
    call_command(
        "spectacular", "--fail-on-warn", "--validate", "--format", "openapi-json", "--file", str(path)
    )
    return json.loads(Path(path).read_text())


def addresses() -> set[str]:
    """Every address under /api/v1/ as the URL map has it."""
    found: set[str] = set()

    def walk(patterns: list[URLPattern | URLResolver], before: str) -> None:
        for entry in patterns:
            path = before + str(entry.pattern)
            if isinstance(entry, URLResolver):
                walk(entry.url_patterns, path)
            elif path.startswith("/api/v1/"):
                found.add(path)

    walk(get_resolver().url_patterns, "/")
    plain = set()
    for path in found:
        for kind in ("int:", "str:", "path:"):
            path = path.replace(f"<{kind}", "{")
        plain.add(path.replace(">", "}"))
    return plain


def test_every_address_is_in_the_schema(schema: Any) -> None:
    assert set(schema["paths"]) == addresses() - LEFT_OUT
    assert len(schema["paths"]) > 40


def test_it_says_its_version_and_how_to_sign_in(schema: Any) -> None:
    assert schema["info"]["version"] == "v1"
    assert set(schema["components"]["securitySchemes"]) == {"token", "session"}
    for path, operations in schema["paths"].items():
        for operation in operations.values():
            # Where nobody signs in, the message itself is signed.
            signed = path.startswith("/api/v1/external-checks/")
            assert operation.get("security") == (None if signed else [{"token": []}, {"session": []}])


def test_every_operation_says_what_it_does_and_how_it_refuses(schema: Any) -> None:
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            assert operation.get("description"), f"{method} {path} says nothing"
            for status in ("401", "403", "404"):
                body = operation["responses"][status]["content"]["application/problem+json"]
                assert body["schema"]["$ref"].endswith("/Problem")


def test_the_schema_is_for_who_is_signed_in(cast: Cast) -> None:
    answer = session(cast.otto).send("get", "schema/")
    assert answer.status_code == 200
    assert yaml.load(answer.content, yaml.CSafeLoader)["openapi"].startswith("3.")


def test_the_viewer_is_a_page_that_asks_for_a_sign_in(cast: Cast) -> None:
    away = Client().get("/api/v1/docs/")
    assert away.status_code == 302
    assert away["Location"].startswith("/login/")
    page = session(cast.otto).send("get", "docs/")
    assert page.status_code == 200
    assert b"swagger-ui" in page.content
    assert b"<script>" not in page.content


def test_only_the_viewer_may_bring_its_own_style(cast: Cast) -> None:
    otto: Api = session(cast.otto)
    policy = otto.send("get", "docs/")["Content-Security-Policy"]
    directives = {part.split()[0]: part.split()[1:] for part in policy.split(";")}
    assert directives["style-src"] == ["'self'", "'unsafe-inline'"]
    assert directives["script-src"] == ["'self'"]
    assert "unsafe-inline" not in otto.send("get", "me/")["Content-Security-Policy"]


def test_the_document_lists_every_address_with_its_methods(schema: Any) -> None:
    rows = re.findall(r"^\| `([^`]+)` \| ([A-Z ]+) \|", (ROOT / "docs" / "api.md").read_text(), re.MULTILINE)
    written = {f"/api/v1/{path}": set(methods.split()) for path, methods in rows}
    assert written == {
        path: {method.upper() for method in operations} for path, operations in schema["paths"].items()
    }
