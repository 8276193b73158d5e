"""The adapter against a server that says exactly what each case needs: timeouts, repeats, errors, shapes, streams."""

import base64
import gzip
import hashlib
import io
import json
import logging
import pickle
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from werkzeug.formparser import parse_form_data
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from portal.dss.client import Dss
from portal.dss.connect import is_passing
from portal.dss.errors import (
    BadAnswer,
    BadName,
    BeyondLimit,
    Conflict,
    DssError,
    DssFault,
    Missing,
    NoRoom,
    NotAllowed,
    NotAuthenticated,
    Unreachable,
)
from portal.dss.keys import Key
from portal.dss.manifest import HashingReader
from portal.dss.spool import spooled
from portal.dss.texts import keepable
from portal.dss.values import CANCELLED, Build, DeploymentStatus, TriggerFire
from portal.lease import Lost

SECRET = "a-key-that-is-secret"
Answer = Response | Callable[[Request], Response]


@dataclass
class Fake:
    """Answers each path with the answers queued for it; the last one stays. Notes what it was asked."""

    port: int = 0
    answers: dict[tuple[str, str], list[Any]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    def say(self, method: str, path: str, *answers: Any) -> None:
        self.answers[method, path] = list(answers)

    def count(self, method: str, path: str) -> int:
        return self.asked.count((method, path))

    def __call__(self, environ: dict[str, Any], start: Any) -> Any:
        request = Request(environ)
        path = request.path.removeprefix("/dip/publicapi")
        self.asked.append((request.method, path))
        self.requests.append(request)
        queue = self.answers.get((request.method, path))
        if queue is None:
            answer: Any = error(404, f"nothing at {path}")
        else:
            answer = queue.pop(0) if len(queue) > 1 else queue[0]
        if callable(answer) and not isinstance(answer, Response):
            answer = answer(request)
        else:
            self.bodies.append(request.get_data())
        if not isinstance(answer, Response):
            answer = Response(json.dumps(answer), content_type="application/json")
        return answer(environ, start)


def error(status: int, message: str, kind: str = "com.dataiku.Oops") -> Response:
    return Response(
        json.dumps({"errorType": kind, "message": message}), status=status, content_type="application/json"
    )


@contextmanager
def serving(app: Fake, **options: Any) -> Iterator[None]:
    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    server = make_server("127.0.0.1", 0, app, threaded=True, **options)
    app.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def fake() -> Iterator[Fake]:
    app = Fake()
    with serving(app):
        yield app


@pytest.fixture
def dss(fake: Fake) -> Iterator[Dss]:
    with connect(fake) as client:
        yield client


def connect(fake: Fake, **options: Any) -> Dss:
    options = {"connect_timeout": 2, "read_timeout": 5, "sleep": lambda _: None, **options}
    return Dss(url=f"http://127.0.0.1:{fake.port}/", key=Key("qa", SECRET), node="qa", **options)


@pytest.fixture
def dropper() -> Iterator[Callable[[bytes], Any]]:
    """A server that reads a request, sends given bytes, and hangs up; it counts its callers."""
    opened: list[tuple[socket.socket, threading.Thread]] = []

    def start(reply: bytes, hold: float = 0) -> tuple[int, list[bytes]]:
        listener = socket.create_server(("127.0.0.1", 0))
        listener.settimeout(10)
        seen: list[bytes] = []

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.settimeout(10)
                    seen.append(connection.recv(65536))
                    connection.sendall(reply)
                    time.sleep(hold)

        thread = threading.Thread(target=serve)
        thread.start()
        opened.append((listener, thread))
        return listener.getsockname()[1], seen

    yield start
    for listener, thread in opened:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("plain", "plain"),
        ("two\nlines\tand é 😀", "two\nlines\tand é 😀"),
        ("a\x00b\x1bc\x7fd\x85e\r\n", "abcde\n"),
        ("half \ud83d a pair \udc00", "half \ufffd a pair \ufffd"),
        ("\x00", ""),
    ],
)
def test_what_is_kept_of_a_text(said: str, kept: str) -> None:
    assert keepable(said) == kept
    kept.encode()


def test_every_text_of_an_answer_can_be_kept(fake: Fake, dss: Dss) -> None:
    fake.say("GET", "/auth/info", {"authIdentifier": "bo\x00t\ud800", "groups": ["op\x00s"]})
    who = dss.whoami()
    assert (who.identifier, who.groups) == ("bot\ufffd", ("ops",))
    fake.say("GET", "/instance-info", {"nodeId": "\x00", "nodeType": "DESIGN"})
    with pytest.raises(BadAnswer, match="'nodeId' is missing"):
        dss.instance()
    fake.say("GET", "/auth/info", error(403, "no \x00 half \ud800 a pair"))
    with pytest.raises(NotAllowed) as caught:
        dss.whoami()
    assert caught.value.message == "no half \ufffd a pair"


# --- The wire ---------------------------------------------------------------------------------------------------


def test_the_key_is_the_user_name_and_the_slash_is_stripped(fake: Fake, dss: Dss) -> None:
    fake.say("GET", "/auth/info", {"authIdentifier": "bot", "groups": ["ops", 3]})
    who = dss.whoami()
    assert (who.identifier, who.groups) == ("bot", ("ops",))
    [request] = fake.requests
    assert request.path == "/dip/publicapi/auth/info"
    assert request.headers["Authorization"] == "Basic " + base64.b64encode(f"{SECRET}:".encode()).decode()


def test_a_look_is_repeated_on_passing_trouble(fake: Fake) -> None:
    slept: list[float] = []
    fake.say("GET", "/projects/", Response("busy", status=503), Response("<h1>502</h1>", status=502), [])
    with connect(fake, sleep=slept.append) as dss:
        assert dss.list_projects() == []
    assert fake.count("GET", "/projects/") == 3
    assert len(slept) == 2
    assert 0.1 < slept[0] < 0.2 < slept[1] < 0.4


def test_a_look_gives_up_after_three_times(fake: Fake, dss: Dss) -> None:
    fake.say("GET", "/projects/", Response("busy", status=503))
    with pytest.raises(DssFault) as caught:
        dss.list_projects()
    assert caught.value.status == 503
    assert caught.value.passing
    assert fake.count("GET", "/projects/") == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 500])
def test_a_plain_no_is_not_repeated(fake: Fake, dss: Dss, status: int) -> None:
    fake.say("GET", "/projects/", error(status, "no"))
    with pytest.raises(DssError) as caught:
        dss.list_projects()
    assert caught.value.status == status
    assert fake.count("GET", "/projects/") == 1


def test_an_act_is_sent_once(fake: Fake, dss: Dss) -> None:
    path = "/project-deployer/deployments/D/actions/update"
    fake.say("POST", path, Response("gateway", status=504))
    with pytest.raises(DssFault) as caught:
        dss.start_update("D")
    assert caught.value.may_have_happened
    assert fake.count("POST", path) == 1


def test_exporting_is_a_put_that_is_sent_once(fake: Fake, dss: Dss) -> None:
    path = "/projects/CHURN/bundles/exported/v1"
    fake.say("PUT", path, Response("gateway", status=502))
    with pytest.raises(DssFault):
        dss.export_bundle("CHURN", "v1")
    assert fake.count("PUT", path) == 1


def test_a_dropped_connection(dropper: Any) -> None:
    port, seen = dropper(b"")
    with Dss(url=f"http://127.0.0.1:{port}", key=SECRET, node="qa", sleep=lambda _: None) as dss:
        with pytest.raises(Unreachable) as caught:
            dss.whoami()
        assert len(seen) == 3
        assert not caught.value.may_have_happened
        with pytest.raises(Unreachable) as caught:
            dss.run_scenario("CHURN", "TEST_A")
        assert len(seen) == 4
    assert caught.value.may_have_happened
    assert "broke off" in caught.value.sentence


def test_an_answer_that_is_cut_short(dropper: Any) -> None:
    port, seen = dropper(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n[{")
    with (
        Dss(url=f"http://127.0.0.1:{port}", key=SECRET, node="qa", sleep=lambda _: None) as dss,
        pytest.raises(BadAnswer, match="cut short"),
    ):
        dss.list_projects()
    assert len(seen) == 3


def test_a_hung_node_is_given_up(dropper: Any) -> None:
    port, seen = dropper(b"", hold=0.6)
    with Dss(url=f"http://127.0.0.1:{port}", key=SECRET, node="qa", read_timeout=0.2) as dss:
        begun = time.monotonic()
        with pytest.raises(Unreachable, match=r"no answer within 0\.2 s"):
            dss.whoami()
    assert time.monotonic() - begun < 0.55
    assert len(seen) == 1, "a timeout is not worth waiting for three times"


@pytest.mark.parametrize("drop", [1, 300_000])
def test_a_trickling_answer_is_given_up(fake: Fake, drop: int) -> None:
    def trickle(_: Request) -> Response:
        def drops() -> Iterator[bytes]:
            for _ in range(100):
                yield b" " * drop
                time.sleep(0.05)

        return Response(drops())

    fake.say("GET", "/auth/info", trickle)
    with connect(fake, read_timeout=0.2) as dss:
        begun = time.monotonic()
        with pytest.raises(Unreachable):
            dss.whoami()
    assert time.monotonic() - begun < 2


def test_an_endless_answer_is_refused(fake: Fake, dss: Dss, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portal.dss.transport.MAX_JSON_BYTES", 1000)
    fake.say("GET", "/projects/", [{"projectKey": "x" * 2000}])
    with pytest.raises(BadAnswer, match="too large"):
        dss.list_projects()


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with (
        Dss(url=f"http://127.0.0.1:{port}", key=SECRET, node="qa", sleep=lambda _: None) as dss,
        pytest.raises(Unreachable, match="connection refused") as caught,
    ):
        dss.run_scenario("CHURN", "TEST_A")
    assert not caught.value.may_have_happened, "nothing was sent"
    assert caught.value.sentence == (
        "The DSS node qa could not be reached while starting scenario TEST_A of CHURN: connection refused. "
        "Check that it is running and that its URL in the portal is right, then try again."
    )


@pytest.mark.parametrize(
    "url, reason",
    [("dss.example.com", "lacks http"), ("ftp://dss", "usable address"), ("http://", "usable address")],
)
def test_addresses_that_are_none(url: str, reason: str) -> None:
    with Dss(url=url, key=SECRET, node="qa") as dss, pytest.raises(Unreachable, match=reason):
        dss.whoami()


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    stored, secret = tmp_path / "cert.pem", tmp_path / "key.pem"
    stored.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return stored, secret


def test_certificates(certificate: tuple[Path, Path]) -> None:
    stored, secret = certificate
    app = Fake()
    app.say("GET", "/auth/info", {"authIdentifier": "bot"})
    with serving(app, ssl_context=(str(stored), str(secret))):
        url = f"https://127.0.0.1:{app.port}"
        with Dss(url=url, key=SECRET, node="qa") as dss, pytest.raises(Unreachable) as caught:
            dss.whoami()
        assert "certificate was not accepted" in caught.value.sentence
        for verify in (str(stored), False):
            with Dss(url=url, key=SECRET, node="qa", verify=verify) as dss:
                assert dss.whoami().identifier == "bot"


def test_a_server_without_tls(fake: Fake) -> None:
    with (
        Dss(url=f"https://127.0.0.1:{fake.port}", key=SECRET, node="qa", sleep=lambda _: None) as dss,
        pytest.raises(Unreachable, match="does not speak TLS"),
    ):
        dss.whoami()


def test_redirects_are_followed_only_for_looks_on_the_same_host(fake: Fake, dss: Dss) -> None:
    fake.say("GET", "/auth/info", Response(status=302, headers={"Location": "/dip/publicapi/elsewhere"}))
    fake.say("GET", "/elsewhere", {"authIdentifier": "bot"})
    assert dss.whoami().identifier == "bot"
    fake.say("GET", "/auth/info", Response(status=302, headers={"Location": "http://login.example.com/"}))
    with pytest.raises(BadAnswer, match="redirects"):
        dss.whoami()
    path = "/projects/CHURN/scenarios/S/run"
    fake.say("POST", path, Response(status=302, headers={"Location": "/dip/publicapi/auth/info"}))
    with pytest.raises(BadAnswer, match="redirects"):
        dss.run_scenario("CHURN", "S")


# --- Errors -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "status, text, kind",
    [
        (401, "bad key", NotAuthenticated),
        (403, "no", NotAllowed),
        (404, "gone", Missing),
        (409, "busy", Conflict),
        (400, "Bundle v1 already exists", Conflict),
        (500, "Another update is already running on this deployment", Conflict),
        (500, "Project CHURN does not exist", Missing),
        (400, "Unknown project: CHURN", Missing),
        (500, "Bundle v9 not found", Missing),
        (500, "You are not allowed to deploy to prod", NotAllowed),
        (400, "Permission denied", NotAllowed),
        (400, "Bad parameter", DssError),
        (500, "NullPointerException", DssFault),
    ],
)
def test_refusals_by_status_and_text(fake: Fake, dss: Dss, status: int, text: str, kind: type) -> None:
    fake.say("GET", "/projects/CHURN", error(status, text))
    with pytest.raises(DssError) as caught:
        dss.project("CHURN")
    assert type(caught.value) is kind
    assert caught.value.status == status
    assert caught.value.error_type == "com.dataiku.Oops"
    assert caught.value.node == "qa"
    assert caught.value.operation == "reading project CHURN"
    assert caught.value.sentence.endswith(".")
    assert "qa" in caught.value.sentence
    assert kind is NotAuthenticated or text in caught.value.sentence


@pytest.mark.parametrize(
    "body, kind",
    [
        (b'[{"message": "a list"}]', "application/json"),
        (b'{"message": null, "detailedMessage": null}', "application/json"),
        (b"", "text/plain"),
        (b"<html><body><h1>Not Found</h1></body></html>", "text/html"),
        (b"\xff\xfe", "text/plain"),
        (b"[" * 100_000, "application/json"),
    ],
)
def test_odd_error_bodies_keep_their_status(fake: Fake, dss: Dss, body: bytes, kind: str) -> None:
    fake.say("GET", "/projects/CHURN", Response(body, status=404, content_type=kind))
    with pytest.raises(Missing) as caught:
        dss.project("CHURN")
    assert caught.value.status == 404
    assert "<" not in caught.value.sentence


@pytest.mark.parametrize("body", [b"", b"<html>log in</html>", b"{", b"[" * 100_000])
def test_an_answer_that_is_not_json(fake: Fake, dss: Dss, body: bytes) -> None:
    fake.say("GET", "/projects/CHURN", Response(body))
    with pytest.raises(BadAnswer, match="not JSON") as caught:
        dss.project("CHURN")
    assert caught.value.status == 200


@pytest.mark.parametrize("body", [[], "text", None, {}, {"projectKey": 3}, {"projectKey": ""}])
def test_an_answer_without_what_it_needs(fake: Fake, dss: Dss, body: Any) -> None:
    fake.say("GET", "/projects/CHURN", Response(json.dumps(body)))
    with pytest.raises(BadAnswer):
        dss.project("CHURN")


def test_an_act_answered_with_nonsense_may_have_happened(fake: Fake, dss: Dss) -> None:
    fake.say("POST", "/project-deployer/deployments/D/actions/update", {"hasResult": True})
    with pytest.raises(BadAnswer, match="'jobId' is missing") as caught:
        dss.start_update("D")
    assert caught.value.may_have_happened


def test_a_key_that_comes_back_is_hidden(fake: Fake, dss: Dss, caplog: pytest.LogCaptureFixture) -> None:
    header = base64.b64encode(f"{SECRET}:".encode()).decode()
    fake.say(
        "GET", "/projects/CHURN", error(403, f"key {SECRET} {header} at http://u:{SECRET}@host/ may not")
    )
    with caplog.at_level(logging.DEBUG), pytest.raises(NotAllowed) as caught:
        dss.project("CHURN")
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + repr(dss) + caplog.text
    assert SECRET not in shown
    assert header not in shown
    assert "http://host/ may not" in caught.value.sentence


def test_a_connection_error_shows_no_address(fake: Fake) -> None:
    with (
        Dss(url="http://user:pass@127.0.0.1:1", key=SECRET, node="qa", sleep=lambda _: None) as dss,
        pytest.raises(Unreachable) as caught,
    ):
        dss.whoami()
    shown = "".join(traceback.format_exception(caught.value))
    assert "pass@" not in shown
    assert SECRET not in shown


def test_errors_survive_pickling() -> None:
    error = Conflict("busy", node="qa", operation="x", status=409, error_type="E", may_have_happened=True)
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.sentence, again.status, again.may_have_happened) == (
        Conflict,
        error.sentence,
        409,
        True,
    )


@pytest.mark.parametrize(
    "bad", ["", ".", "..", "a/b", "a?b", "a#b", "a b", "ä", "../admin", "a\n", "x" * 300]
)
def test_ids_that_would_change_the_address(fake: Fake, dss: Dss, bad: str) -> None:
    calls: list[Callable[[], Any]] = [
        lambda: dss.project(bad),
        lambda: dss.infra(bad),
        lambda: dss.future(bad),
        lambda: dss.export_bundle("CHURN", bad),
        lambda: dss.set_deployment_bundle("D", bad),
        lambda: dss.start_update(bad),
        lambda: dss.run_scenario("CHURN", bad),
        lambda: dss.scenario_run("CHURN", "S", bad),
        lambda: dss.recipe_code("CHURN", bad),
        lambda: list(dss.iter_rows("CHURN", bad)),
        lambda: dss.create_deployment("D", "CHURN", "i", bad),
        lambda: dss.open_documentation("CHURN", bad).__enter__(),
        lambda: dss.upload_bundle(bad, io.BytesIO()),
    ]
    for call in calls:
        with pytest.raises(BadName):
            call()
    assert fake.asked == []


# --- Values -----------------------------------------------------------------------------------------------------


def test_instance_takes_the_version_from_the_header_if_need_be(fake: Fake, dss: Dss) -> None:
    body = json.dumps({"nodeId": "auto-1", "nodeName": "QA", "nodeType": "AUTOMATION", "new": 1})
    fake.say("GET", "/instance-info", Response(body, headers={"DSS-Version": "14.3.1"}))
    found = dss.instance()
    assert (found.node_id, found.name, found.kind, found.version) == ("auto-1", "QA", "automation", "14.3.1")


def test_project_defaults(fake: Fake, dss: Dss) -> None:
    fake.say("GET", "/projects/", [{"projectKey": "A"}, {"projectKey": "B", "name": "Bee", "tags": ["x"],
        "ownerLogin": "olga", "projectStatus": "Draft", "activeBundleState": {"bundleId": "v1"}}])  # fmt: skip
    one, two = dss.list_projects()
    assert (one.name, one.owner_login, one.status, one.active_bundle) == ("A", "", "", None)
    assert (two.name, two.owner_login, two.status, two.active_bundle) == ("Bee", "olga", "Draft", "v1")


def test_permissions_list_what_is_given(fake: Fake, dss: Dss) -> None:
    entry = {"group": "ds", "admin": False, "readProjectContent": True, "writeProjectContent": True}
    fake.say("GET", "/projects/A/permissions", {"owner": "olga", "permissions": [entry, {"user": "dev"}]})
    found = dss.project_permissions("A")
    assert found.owner == "olga"
    assert found.entries[0].rights == ("readProjectContent", "writeProjectContent")
    assert found.entries[1].user == "dev"
    assert found.entries[1].rights == ()


def test_users_fall_back_to_what_a_plain_key_may_see(fake: Fake, dss: Dss) -> None:
    fake.say("GET", "/admin/users/", error(403, "no"))
    fake.say("GET", "/users", [{"login": "olga"}])
    assert [(user.login, user.display_name, user.enabled) for user in dss.list_users()] == [
        ("olga", "olga", True)
    ]
    fake.say("GET", "/admin/groups/", [{"name": "ds", "description": "d"}])
    assert dss.list_groups()[0].description == "d"


@pytest.mark.parametrize(
    "extra, by, on",
    [
        ({}, "", None),
        ({"exportManifest": {"exportedBy": "dev", "exportedOn": 5}}, "dev", 5),
        ({"exportManifest": {"exportUserInfo": {"exportedBy": "dev", "exportedOn": 5}}}, "dev", 5),
        ({"exportedBy": "dev", "exportedOn": True}, "dev", None),
    ],
)
def test_the_author_of_a_bundle(fake: Fake, dss: Dss, extra: dict[str, Any], by: str, on: int | None) -> None:
    fake.say("GET", "/projects/A/bundles/exported", {"bundles": [{"bundleId": "v1", **extra}]})
    [bundle] = dss.list_bundles("A")
    assert (bundle.bundle_id, bundle.exported_by, bundle.exported_on) == ("v1", by, on)


def test_published_bundles_of_nothing(fake: Fake, dss: Dss) -> None:
    fake.say("GET", "/project-deployer/projects/A", error(500, "Published project A does not exist"))
    assert dss.published_bundles("A") == []
    assert dss.find_deployment("A", "qa") is None


def deployments(*items: dict[str, Any]) -> dict[str, Any]:
    return {
        "projectBasicInfo": {"id": "A"},
        "canDeploy": True,
        "packages": [{"id": "v1"}],
        "deployments": list(items),
    }


def test_finding_a_deployment(fake: Fake, dss: Dss) -> None:
    light = {
        "deploymentBasicInfo": {
            "id": "d2",
            "infraId": "prod",
            "bundleId": "v1",
            "enabled": True,
            "publishedProjectKey": "A",
        },
        "neverEverDeployed": True,
    }
    fake.say(
        "GET",
        "/project-deployer/projects/A",
        deployments({"id": "d1", "infraId": "qa"}, {"id": "d2", "infraId": "prod"}),
    )
    fake.say("GET", "/project-deployer/deployments/d2", light)
    found = dss.find_deployment("A", "prod")
    assert found is not None
    assert (found.id, found.bundle_id, found.enabled, found.never_deployed, found.deployed_project) == (
        "d2",
        "v1",
        True,
        True,
        "A",
    )
    assert dss.find_deployment("A", "elsewhere") is None


def test_several_deployments_on_one_infrastructure(fake: Fake, dss: Dss) -> None:
    two = [
        {"id": "x", "infraId": "qa", "deployedProjectKey": "A_COPY"},
        {"id": "y", "infraId": "qa", "deployedProjectKey": "A"},
    ]
    fake.say("GET", "/project-deployer/projects/A", deployments(*two))
    fake.say("GET", "/project-deployer/deployments/y", {"deploymentBasicInfo": two[1]})
    found = dss.find_deployment("A", "qa")
    assert found is not None
    assert found.id == "y"
    fake.say("GET", "/project-deployer/projects/A", deployments(two[0], {**two[0], "id": "z"}))
    with pytest.raises(Conflict, match="x, z"):
        dss.find_deployment("A", "qa")


SETTINGS = {
    "id": "D",
    "infraId": "qa",
    "publishedProjectKey": "A",
    "bundleId": "v1",
    "unknown": {"kept": [1]},
}


def test_settings_are_changed_in_place(fake: Fake, dss: Dss) -> None:
    path = "/project-deployer/deployments/D/settings"
    fake.say("GET", path, SETTINGS)
    fake.say("PUT", path, Response(status=204))
    assert dss.set_deployment_bundle("D", "v2") is True
    assert json.loads(fake.bodies[-1]) == {**SETTINGS, "bundleId": "v2"}
    assert fake.requests[-1].args["ignoreWarnings"] == "False"
    assert dss.set_deployment_bundle("D", "v1", enabled=False) is True
    assert json.loads(fake.bodies[-1]) == {**SETTINGS, "enabled": False}
    before = fake.count("PUT", path)
    assert dss.set_deployment_bundle("D", "v1") is False
    assert dss.set_deployment_bundle("D", "v1", enabled=True) is False, "absent means enabled"
    fake.say("GET", path, {**SETTINGS, "enabled": False})
    assert dss.set_deployment_bundle("D", "v1", enabled=False) is False
    assert fake.count("PUT", path) == before
    assert dss.set_deployment_bundle("D", "v1", enabled=True) is True


def test_saving_settings_may_be_repeated(fake: Fake, dss: Dss) -> None:
    path = "/project-deployer/deployments/D/settings"
    fake.say("GET", path, SETTINGS)
    fake.say("PUT", path, Response("busy", status=503), Response(status=204))
    assert dss.set_deployment_bundle("D", "v2") is True
    assert fake.count("PUT", path) == 2


def test_updates_newest_first(fake: Fake, dss: Dss) -> None:
    rows = [
        {"startTimestamp": 5, "type": "UPDATE", "status": "SUCCESS"},
        {"startTimestamp": 9, "type": "UPDATE", "status": "RUNNING", "endTimestamp": 0, "requester": "bot"},
    ]
    fake.say("GET", "/project-deployer/deployments/D/update", rows)
    newest, oldest = dss.updates("D")
    assert (newest.started_ms, newest.ended_ms, newest.requester, oldest.started_ms) == (9, None, "bot", 5)


def status(fake: Fake, dss: Dss, heavy: dict[str, Any]) -> DeploymentStatus:
    light = {
        "deploymentBasicInfo": {"id": "D", "bundleId": "v1", "enabled": True},
        "neverEverDeployed": False,
    }
    fake.say("GET", "/project-deployer/deployments/D", light)
    fake.say("GET", "/project-deployer/deployments/D/status", heavy)
    return dss.deployment_status("D")


def test_health(fake: Fake, dss: Dss) -> None:
    message = {"severity": "warning", "code": "W", "title": "t", "details": "d", "isFatal": False}
    found = status(fake, dss, {"health": "WARNING", "healthMessages": {"messages": [message, 3]}})
    assert (found.health, found.bundle_id, found.never_deployed) == ("WARNING", "v1", False)
    [one] = found.messages
    assert (one.severity, one.code, one.text) == ("WARNING", "W", "d")
    with pytest.raises(BadAnswer, match="'health' is missing"):
        status(fake, dss, {"healthMessages": {}})
    with pytest.raises(BadAnswer, match="'healthMessages' is missing"):
        status(fake, dss, {"health": "HEALTHY"})


# --- Futures ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer, state, has_error, message",
    [
        ({"alive": True, "hasResult": False, "runningTime": 12}, "running", False, ""),
        ({"hasResult": False}, "running", False, ""),
        ({"alive": False, "hasResult": True, "result": {"messages": []}}, "done", False, ""),
        ({"hasResult": True, "result": "export-1"}, "done", False, ""),
        ({"hasResult": True}, "done", False, ""),
        ({"hasResult": True, "result": {"error": True}}, "done", True, "it reports an error"),
        ({"hasResult": True, "result": {"fatal": True}}, "done", True, "it reports an error"),
        ({"hasResult": True, "result": {"maxSeverity": "ERROR"}}, "done", True, "it reports an error"),
        (
            {"hasResult": True, "result": {"messages": [{"severity": "ERROR", "message": "no connection"}]}},
            "done",
            True,
            "no connection",
        ),
        ({"hasResult": True, "result": {"messages": [{"severity": "WARNING", "message": "w"}]}}, "done", False, ""),
        ({"hasResult": False, "alive": False}, "failed", False, "it ended without a result"),
        ({"hasResult": False, "aborted": True, "alive": False}, "aborted", False, "it was aborted"),
        ({"hasResult": True, "aborted": True}, "aborted", False, "it was aborted"),
        ({"hasResult": False, "unknown": True}, "unknown", False, "DSS does not know this task any more"),
        (error(500, "Connection dw does not exist"), "failed", False, "Connection dw does not exist"),
        (error(400, "not allowed here"), "failed", False, "not allowed here"),
        (error(500, "The task was aborted by admin"), "aborted", False, "The task was aborted by admin"),
        (error(404, "No future J"), "unknown", False, "No future J"),
        (error(500, "Unknown future J"), "unknown", False, "Unknown future J"),
    ],
)  # fmt: skip
def test_where_a_task_is(
    fake: Fake, dss: Dss, answer: Any, state: str, has_error: bool, message: str
) -> None:
    fake.say("GET", "/futures/J", answer)
    found = dss.future("J")
    assert (found.state, found.has_error, found.message) == (state, has_error, message)
    assert found.is_over == (state != "running")
    assert found.succeeded == (state == "done" and not has_error)
    assert fake.requests[-1].args["peek"] == "False"


@pytest.mark.parametrize(
    "answer, kind",
    [
        (error(401, "bad key"), NotAuthenticated),
        (error(403, "no"), NotAllowed),
        (Response("<h1>Bad gateway</h1>", status=502), DssFault),
        (Response("oops", status=500), DssFault),
        (Response("no json"), BadAnswer),
        ([], BadAnswer),
    ],
)
def test_trouble_on_the_way_is_not_the_end_of_a_task(fake: Fake, dss: Dss, answer: Any, kind: type) -> None:
    fake.say("GET", "/futures/J", answer)
    with pytest.raises(kind):
        dss.future("J")


def test_aborting_what_is_gone(fake: Fake, dss: Dss) -> None:
    fake.say("DELETE", "/futures/J", Response(status=200))
    dss.abort_future("J")
    dss.abort_future("GONE")
    assert fake.count("DELETE", "/futures/GONE") == 1


def test_running_tasks(fake: Fake, dss: Dss) -> None:
    fake.say("GET", "/futures/", [{"jobId": "a", "startTime": 4, "runningTime": 3}])
    [one] = dss.running_futures()
    assert (one.job_id, one.started_ms, one.running_ms) == ("a", 4, 3)


# --- Scenarios --------------------------------------------------------------------------------------------------


def test_scenarios(fake: Fake, dss: Dss) -> None:
    rows = [
        {"id": "TEST_B", "name": "b", "markedAsTest": True, "running": True},
        {"id": "A"},
        {"id": "TEST_A", "markedAsTest": True},
    ]
    fake.say("GET", "/projects/P/scenarios/", rows)
    assert [s.id for s in dss.scenarios("P")] == ["A", "TEST_A", "TEST_B"]
    assert [(s.id, s.running) for s in dss.test_scenarios("P")] == [("TEST_A", False), ("TEST_B", True)]
    assert dss.scenario_exists("P", "A")
    assert not dss.scenario_exists("P", "b")


def test_from_fire_to_run(fake: Fake, dss: Dss) -> None:
    fake.say(
        "POST",
        "/projects/P/scenarios/S/run",
        {"trigger": {"id": "manual"}, "runId": "f1", "cancelled": False},
    )
    fire = dss.run_scenario("P", "S")
    assert (fire.trigger_id, fire.run_id, fire.cancelled) == ("manual", "f1", False)
    stored = TriggerFire(fire.trigger_id, fire.run_id)
    look = "/projects/P/scenarios/S/get-run-for-trigger"
    again = "/projects/P/scenarios/trigger/S/manual"
    fake.say("GET", look, {})
    fake.say("GET", again, {"cancelled": False})
    assert dss.run_of_fire("P", "S", stored) is None
    assert fake.requests[-1].args["triggerRunId"] == "f1"
    fake.say("GET", again, {"cancelled": True})
    assert dss.run_of_fire("P", "S", stored) is CANCELLED
    fake.say("GET", look, {"scenarioRun": {"runId": "r1", "start": 10, "end": 0, "scenario": {"id": "S"}}})
    run = dss.run_of_fire("P", "S", stored)
    assert run is not None
    assert run is not CANCELLED
    assert (run.run_id, run.started_ms, run.ended_ms, run.outcome, run.is_over) == (
        "r1",
        10,
        None,
        None,
        False,
    )


def test_the_steps_of_a_run(fake: Fake, dss: Dss) -> None:
    steps = [
        {
            "step": {"id": "1", "name": "check", "type": "test"},
            "result": {"outcome": "FAILED", "thrown": {"message": "bad"}},
        },
        {"step": {"id": "2"}, "additionalReportItems": [{"thrown": None}, {"thrown": {"title": "job died"}}]},
    ]
    run = {"runId": "r1", "start": 10, "end": 20, "result": {"outcome": "FAILED"}}
    fake.say("GET", "/projects/P/scenarios/S/r1/", {"scenarioRun": run, "stepRuns": steps})
    found = dss.scenario_run("P", "S", "r1")
    assert (found.outcome, found.ended_ms) == ("FAILED", 20)
    assert [(s.name, s.outcome, s.message) for s in found.steps] == [
        ("check", "FAILED", "bad"),
        ("2", None, "job died"),
    ]
    fake.say("GET", "/projects/P/scenarios/S/r1/", {"scenarioRun": {"runId": "r1", "end": 20, "result": {}}})
    assert not dss.scenario_run("P", "S", "r1").is_over
    fake.say("GET", "/projects/P/scenarios/S/get-last-runs", [run])
    assert [r.run_id for r in dss.last_runs("P", "S", limit=3)] == ["r1"]
    assert fake.requests[-1].args["limit"] == "3"


def test_reports_are_bounded(fake: Fake, dss: Dss, monkeypatch: pytest.MonkeyPatch) -> None:
    path = "/projects/P/scenarios/last-test-scenario-runs-report"
    fake.say("GET", path, Response(b"<testsuites/>", content_type="text/xml"))
    assert dss.scenario_report_junit("P", "v1") == b"<testsuites/>"
    assert fake.requests[-1].args["bundleId"] == "v1"
    fake.say("GET", "/projects/P/scenarios/last-test-scenario-runs-html-report", Response(b"<html>"))
    assert dss.scenario_report_html("P") == b"<html>"
    monkeypatch.setattr("portal.dss.client.MAX_REPORT_BYTES", 5)
    with pytest.raises(BadAnswer):
        dss.scenario_report_junit("P")


def test_testing_status(fake: Fake, dss: Dss) -> None:
    fake.say(
        "GET",
        "/projects/P/scenarios/testing-status",
        {"nbTotalRanScenarios": 3, "nbScenariosPerOutcome": {"SUCCESS": 2, "failed": 1}},
    )
    found = dss.testing_status("P")
    assert (found.ran, found.per_outcome) == (3, {"SUCCESS": 2, "FAILED": 1})


def test_what_runs_where_there_is_nothing(fake: Fake, dss: Dss) -> None:
    assert dss.active_bundle("P") is None
    assert dss.imported_bundles("P") == []
    fake.say("GET", "/projects/P", {"projectKey": "P"})
    assert dss.active_bundle("P") is None
    fake.say("GET", "/projects/P", error(403, "no"))
    with pytest.raises(NotAllowed):
        dss.active_bundle("P")


# --- Streams ----------------------------------------------------------------------------------------------------


def test_a_download_in_chunks(fake: Fake, dss: Dss) -> None:
    data = bytes(range(256)) * 4096
    fake.say("GET", "/projects/P/bundles/exported/v1/archive", Response(data, content_type="application/zip"))
    with dss.open_bundle("P", "v1") as stream:
        assert stream.length == len(data)
        chunks = list(stream)
    assert b"".join(chunks) == data
    assert len(chunks) > 1
    fake.say("GET", "/project-deployer/projects/P/bundles/v1", Response(data))
    with dss.open_published_bundle("P", "v1") as stream:
        reader = HashingReader(stream)
        assert reader.length == len(data)
        reader.copy_to(io.BytesIO())
    assert reader.sha256 == hashlib.sha256(data).hexdigest()


def test_a_compressed_download_promises_no_length(fake: Fake, dss: Dss) -> None:
    body = gzip.compress(b"x" * 1000)
    fake.say(
        "GET", "/projects/P/bundles/exported/v1/archive", Response(body, headers={"Content-Encoding": "gzip"})
    )
    with dss.open_bundle("P", "v1") as stream:
        assert stream.length is None
        assert b"".join(stream) == b"x" * 1000


def test_a_download_that_is_cut_short(dropper: Any) -> None:
    port, _ = dropper(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nPK\x03\x04")
    with (
        Dss(url=f"http://127.0.0.1:{port}", key=SECRET, node="qa") as dss,
        dss.open_bundle("P", "v1") as stream,
        pytest.raises(BadAnswer, match="cut short") as caught,
    ):
        list(stream)
    assert caught.value.operation == "downloading bundle v1 of P"


def test_a_download_that_stalls(dropper: Any) -> None:
    port, _ = dropper(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nPK\x03\x04", hold=0.5)
    with (
        Dss(url=f"http://127.0.0.1:{port}", key=SECRET, node="qa", read_timeout=0.2) as dss,
        dss.open_bundle("P", "v1") as stream,
        pytest.raises(Unreachable, match="no answer within"),
    ):
        list(stream)


def endless(piece: bytes, pause: float = 0) -> Answer:
    """An answer that would go on for a few seconds, and does not say how long it is."""

    def answer(_: Request) -> Response:
        def pieces() -> Iterator[bytes]:
            end = time.monotonic() + 5
            while time.monotonic() < end:
                yield piece
                time.sleep(pause)

        return Response(pieces())

    return answer


ARCHIVE = "/projects/P/bundles/exported/v1/archive"


@pytest.mark.parametrize("announced", [False, True])
def test_a_download_beyond_the_limit_of_bytes(fake: Fake, announced: bool) -> None:
    fake.say("GET", ARCHIVE, Response(b"x" * 3_000_000) if announced else endless(b"x" * 100_000))
    got: list[bytes] = []
    with (
        connect(fake, stream_bytes=2_000_000) as dss,
        dss.open_bundle("P", "v1") as stream,
        pytest.raises(BeyondLimit, match=r"more than the limit of 1\.907 MB") as caught,
    ):
        got.extend(stream)
    assert sum(map(len, got)) <= (0 if announced else 2_000_000)
    assert not is_passing(caught.value)
    assert "downloading bundle v1 of P" in caught.value.sentence


@pytest.mark.parametrize("piece", [b"x", b"x" * 100_000])
def test_a_download_beyond_the_limit_of_time(fake: Fake, piece: bytes) -> None:
    fake.say("GET", ARCHIVE, endless(piece, 0.01))
    begun = time.monotonic()
    with (
        connect(fake, stream_seconds=0.3) as dss,
        dss.open_bundle("P", "v1") as stream,
        pytest.raises(BeyondLimit, match=r"longer than the limit of 0\.3 s"),
    ):
        for _ in stream:
            pass
    assert time.monotonic() - begun < 3


def test_a_download_that_trickles(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portal.dss.client.SLOWEST_SECONDS", 0.3)
    fake.say("GET", ARCHIVE, endless(b"x", 0.01))
    begun = time.monotonic()
    with (
        connect(fake) as dss,
        dss.open_bundle("P", "v1") as stream,
        pytest.raises(Unreachable, match="less than 64 KB") as caught,
    ):
        for _ in stream:
            pass
    assert time.monotonic() - begun < 3
    assert is_passing(caught.value), "a network may recover"


def test_a_download_that_is_not_wanted_any_more(fake: Fake) -> None:
    wanted = iter([True, True, False])

    def still() -> None:
        if not next(wanted):
            raise Lost

    fake.say("GET", ARCHIVE, endless(b"x" * 1000, 0.01))
    with (
        connect(fake, still=still) as dss,
        dss.open_bundle("P", "v1") as stream,
        pytest.raises(Lost),
    ):
        for _ in stream:
            pass


def test_a_spooled_download_can_be_read_more_than_once(fake: Fake, dss: Dss) -> None:
    fake.say("GET", ARCHIVE, Response(b"x" * 1_000_000))
    with spooled(dss.open_bundle("P", "v1")) as spool:
        assert spool.read() == b"x" * 1_000_000
        spool.seek(0)
        assert spool.read(1) == b"x"


@pytest.mark.parametrize("size", [10, 1_000_000])
def test_a_download_for_which_there_is_no_room(
    fake: Fake, dss: Dss, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    fake.say("GET", ARCHIVE, Response(b"x" * size))
    monkeypatch.setattr("portal.dss.spool.tempfile.TemporaryFile", lambda: open("/dev/full", "r+b"))  # noqa: SIM115
    with pytest.raises(NoRoom, match="no room left") as caught, spooled(dss.open_bundle("P", "v1")):
        pass
    assert is_passing(caught.value)
    assert "temporary files" in caught.value.next_step


def test_a_download_of_nothing(dss: Dss) -> None:
    with pytest.raises(Missing), dss.open_bundle("P", "v9"):
        pytest.fail("not reached")


def test_an_upload_is_multipart_and_hashed_on_the_way(fake: Fake, dss: Dss) -> None:
    data = bytes(range(256)) * 2000
    found: dict[str, Any] = {}

    def take(request: Request) -> Response:
        _, _, files = parse_form_data(request.environ)
        with files["file"].stream as stored:
            found.update(body=stored.read(), args=dict(request.args))
        found["length"] = request.content_length
        return Response(status=204)

    fake.say("POST", "/project-deployer/projects/bundles", take)
    source = io.BytesIO(b"skip" + data)
    source.seek(4)
    reader = HashingReader(source)
    dss.upload_bundle("P", reader)
    assert found["body"] == data
    assert found["args"] == {"projectKey": "P"}
    assert found["length"] > len(data)
    assert reader.sha256 == hashlib.sha256(data).hexdigest()
    with pytest.raises(ValueError, match="temporary file"):
        dss.upload_bundle("P", HashingReader([b"x"]))


def test_an_upload_whose_file_shrinks(fake: Fake, dss: Dss) -> None:
    class Shrinking:
        length = 10_000_000

        def read(self, size: int = -1, /) -> bytes:
            return b""

    fake.say("POST", "/project-deployer/projects/bundles", lambda _: Response(status=204))
    with pytest.raises(ValueError, match="shorter"):
        dss.upload_bundle("P", Shrinking())


def test_an_upload_that_is_refused(fake: Fake, dss: Dss) -> None:
    fake.say("POST", "/project-deployer/projects/bundles", error(403, "not allowed to write"))
    with pytest.raises(NotAllowed):
        dss.upload_bundle("P", io.BytesIO(b"x" * 100))


# --- Rows -------------------------------------------------------------------------------------------------------

SCHEMA = {
    "columns": [
        {"name": "id", "type": "bigint"},
        {"name": "score", "type": "double"},
        {"name": "left", "type": "boolean"},
        {"name": "seen", "type": "date"},
        {"name": "note", "type": "string"},
    ]
}


def rows(fake: Fake, body: bytes, schema: dict[str, Any] = SCHEMA) -> None:
    fake.say("GET", "/projects/P/datasets/D/schema", schema)
    fake.say("GET", "/projects/P/datasets/D/data/", Response(body))
    fake.say("GET", "/projects/P/datasets/D/finish-streaming/", Response(status=200))


def test_rows_are_typed(fake: Fake, dss: Dss) -> None:
    rows(
        fake,
        '1\t0.5\ttrue\t2026-01-01T00:00:00.000Z\t"two\nlines\tand ""quotes"""\n'
        "\t\t\t\t\n"
        "x\tNaN\tmaybe\t\tü\u2028é\x0b\n".encode(),
    )
    assert list(dss.iter_rows("P", "D")) == [
        (1, 0.5, True, "2026-01-01T00:00:00.000Z", 'two\nlines\tand "quotes"'),
        (None, None, None, None, None),
        ("x", None, "maybe", None, "ü\u2028é\x0b"),
    ]
    data, finish = fake.requests[-2:]
    assert data.args["format"] == "tsv-excel-noheader"
    assert data.args["readSessionId"] == finish.args["readSessionId"]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (
            {"lastBuild": {"buildStartTime": 5, "buildEndTime": 9, "buildSuccess": True}},
            Build(started_ms=5, succeeded=True),
        ),
        ({"lastBuild": {"buildStartTime": 5, "buildSuccess": False}}, Build(started_ms=5, succeeded=False)),
        ({"lastBuild": {"buildStartTime": 0}}, Build(started_ms=None, succeeded=None)),
        ({"lastBuild": {"buildStartTime": "5", "buildSuccess": "yes"}}, Build(None, None)),
        ({"lastBuild": None}, Build(None, None)),
        ({}, Build(None, None)),
        ([], Build(None, None)),
        (error(404, "no such path"), Build(None, None)),
        (error(403, "not allowed to read"), Build(None, None)),
    ],
)
def test_the_last_build_of_a_dataset(fake: Fake, dss: Dss, answer: Any, told: Build) -> None:
    fake.say("GET", "/projects/P/datasets/D/info", answer)
    assert dss.dataset_build("P", "D") == told


def test_a_last_build_that_cannot_be_asked_for_is_not_untold(fake: Fake, dss: Dss) -> None:
    fake.say("GET", "/projects/P/datasets/D/info", error(500, "out of memory"))
    with pytest.raises(DssFault):
        dss.dataset_build("P", "D")


def test_rows_of_chosen_columns(fake: Fake, dss: Dss) -> None:
    rows(fake, b"false\t7\n")
    assert list(dss.iter_rows("P", "D", ["left", "id"])) == [(False, 7)]
    assert fake.requests[-2].args.getlist("columns") == ["left", "id"]
    with pytest.raises(Missing, match="no column 'gender'"):
        list(dss.iter_rows("P", "D", ["gender"]))


@pytest.mark.parametrize(
    "body, reason",
    [
        (b"1\t2\n", "2 cells instead of 5"),
        (b'1\t2\t3\t4\t"never closed\n', "cannot be read"),
        (b"\xff\xfe\t2\t3\t4\t5\n", "cannot be read"),
    ],
)
def test_rows_that_cannot_be_read(fake: Fake, dss: Dss, body: bytes, reason: str) -> None:
    rows(fake, body)
    with pytest.raises(BadAnswer, match=reason):
        list(dss.iter_rows("P", "D"))


def test_a_line_without_end(fake: Fake, dss: Dss, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portal.dss.client.MAX_ROW_BYTES", 1000)
    rows(fake, b"x" * 600_000)
    with pytest.raises(BadAnswer, match="line without end"):
        list(dss.iter_rows("P", "D"))


def test_rows_beyond_the_limit(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    row = b"1\t1\ttrue\t\t\n"
    rows(fake, row * 3)
    with monkeypatch.context() as patch, connect(fake) as dss:
        patch.setattr("portal.dss.client.MAX_ROWS", 2)
        found = dss.iter_rows("P", "D")
        assert [next(found)[0], next(found)[0]] == [1, 1]
        with pytest.raises(BeyondLimit, match=r"more than 2 rows"):
            next(found)
    fake.say("GET", "/projects/P/datasets/D/data/", endless(row * 1000))
    with (
        connect(fake, stream_bytes=1_000_000) as dss,
        pytest.raises(BeyondLimit, match="more than the limit"),
    ):
        for _ in dss.iter_rows("P", "D"):
            pass
    with connect(fake, stream_seconds=0.2) as dss, pytest.raises(BeyondLimit, match="longer than the limit"):
        for _ in dss.iter_rows("P", "D"):
            pass


def test_rows_count_only_when_dss_confirms_them(fake: Fake, dss: Dss) -> None:
    rows(fake, b"1\t1\ttrue\t\t\n")
    fake.say("GET", "/projects/P/datasets/D/finish-streaming/", error(500, "the stream broke"))
    found = dss.iter_rows("P", "D")
    assert next(found)[0] == 1
    with pytest.raises(DssFault, match="the stream broke"):
        next(found)


MEASURE = """
import sys, tracemalloc
from portal.dss.client import Dss

class Zeros:
    length = 100 * 1024 * 1024
    def read(self, size=-1):
        self.length -= size
        return bytes(size)

def peak():
    found = tracemalloc.get_traced_memory()[1]
    tracemalloc.reset_peak()
    return found

with Dss(url=sys.argv[1], key="k", node="n") as dss:
    tracemalloc.start()
    total = sum(1 for _ in dss.iter_rows("P", "D"))
    rows = peak()
    with dss.open_bundle("P", "v1") as stream:
        size = sum(map(len, stream))
    download = peak()
    dss.upload_bundle("P", Zeros())
    print(rows, download, peak(), total, size)
"""


def test_streams_need_constant_memory(fake: Fake) -> None:
    block = b"1\t0.25\ttrue\t2026-01-01\tsome words of a note\n" * 1000

    def many(count: int) -> Callable[[Request], Response]:
        return lambda _: Response(block for _ in range(count))

    def swallow(request: Request) -> Response:
        while request.stream.read(1024 * 1024):
            pass
        return Response(status=204)

    rows(fake, b"")
    fake.say("GET", "/projects/P/datasets/D/data/", many(30))
    archive = "/projects/P/bundles/exported/v1/archive"
    fake.say("GET", archive, lambda _: Response(bytes(1024 * 1024) for _ in range(100)))
    fake.say("POST", "/project-deployer/projects/bundles", swallow)
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, f"http://127.0.0.1:{fake.port}"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    *peaks, total, size = map(int, done.stdout.split())
    assert total == 30_000  # lists of which would take twice what is allowed
    assert size == 100 * 1024 * 1024
    assert len(peaks) == 3
    assert max(peaks) < 6 * 1024 * 1024


# --- Models and recipes -----------------------------------------------------------------------------------------

VERSION = "/projects/P/savedmodels/M/versions/V"


def test_models(fake: Fake, dss: Dss) -> None:
    fake.say(
        "GET", "/projects/P/savedmodels/", [{"id": "z"}, {"id": "M", "name": "Churn", "type": "PREDICTION"}]
    )
    assert [(m.id, m.name) for m in dss.saved_models("P")] == [("M", "Churn"), ("z", "z")]
    fake.say(
        "GET",
        "/projects/P/savedmodels/M/versions",
        [{"id": "V", "active": True, "snippet": {"auc": 0.8, "userMeta": {"name": "RF"}}}, {"id": "W"}],
    )
    one, two = dss.model_versions("P", "M")
    assert (one.id, one.active, one.name, one.snippet["auc"]) == ("V", True, "RF", 0.8)
    assert (two.active, two.name) == (False, "W")
    fake.say(
        "GET",
        f"{VERSION}/details",
        {"coreParams": {"prediction_type": "BINARY_CLASSIFICATION", "target_variable": "left"}},
    )
    fake.say("GET", f"{VERSION}/snippet", {"auc": 0.8, "trainDate": 5, "algorithm": "RF", "ok": True})
    details = dss.model_details("P", "M", "V")
    assert (details.prediction_type, details.target, dict(details.metrics)) == (
        "BINARY_CLASSIFICATION",
        "left",
        {"auc": 0.8},
    )


@pytest.mark.parametrize(
    "answer, expected",
    [
        ({"absoluteImportance": {"age": 0.5, "x": None, "y": True}}, {"age": 0.5}),
        ({}, None),
        ({"absoluteImportance": {}}, None),
        (error(404, "no"), None),
        (error(500, "Global explanations have not been computed"), None),
        (error(400, "Not supported for this engine"), None),
    ],
)
def test_feature_importance_or_none(fake: Fake, dss: Dss, answer: Any, expected: Any) -> None:
    fake.say("GET", f"{VERSION}/global-explanations", answer)
    assert dss.feature_importance("P", "M", "V") == expected


def test_trouble_is_not_absence_of_evidence(fake: Fake, dss: Dss) -> None:
    for answer in (error(500, "disk full"), error(403, "no"), Response("not computed", status=502), {"a": 1}):
        fake.say("GET", f"{VERSION}/global-explanations", answer)
        with pytest.raises(DssError):
            dss.feature_importance("P", "M", "V")


def test_subpopulations(fake: Fake, dss: Dss) -> None:
    fake.say("GET", f"{VERSION}/subpopulation-analyses", {"subpopulationAnalyses": []})
    assert dss.subpopulations("P", "M", "V") is None
    analyses = {"global": {}, "subpopulationAnalyses": [{"feature": "gender"}]}
    fake.say("GET", f"{VERSION}/subpopulation-analyses", analyses)
    assert dss.subpopulations("P", "M", "V") == analyses
    fake.say("POST", f"{VERSION}/subpopulation-analyses", {"jobId": "j1"})
    assert dss.start_subpopulations("P", "M", "V", ["gender"]) == "j1"
    assert json.loads(fake.bodies[-1])["features"] == ["gender"]
    fake.say("POST", f"{VERSION}/shapley-feature-importance", {"jobId": "j2"})
    assert dss.start_feature_importance("P", "M", "V") == "j2"
    fake.say("POST", f"{VERSION}/generate-documentation-from-default-template", {"jobId": "j3"})
    assert dss.start_model_documentation("P", "M", "V") == "j3"
    fake.say("GET", "/projects/P/savedmodels/documentations/e1", Response(b"docx"))
    with dss.open_documentation("P", "e1") as stream:
        assert stream.read_all(10) == b"docx"


def test_partial_dependences(fake: Fake, dss: Dss) -> None:
    address = f"{VERSION}/partial-dependencies"
    empty: list[Any] = [{"partialDependencies": []}, {}, error(400, "Not supported for this engine")]
    for nothing in empty:
        fake.say("GET", address, nothing)
        assert dss.partial_dependences("P", "M", "V") is None
    told = [{"feature": "age", "data": [{"value": 1, "average": 0.2}]}]
    fake.say("GET", address, {"partialDependencies": told})
    assert dss.partial_dependences("P", "M", "V") == told
    fake.say("POST", address, {"jobId": "j4"})
    assert dss.start_partial_dependences("P", "M", "V", ["age"]) == "j4"
    assert json.loads(fake.bodies[-1])["features"] == ["age"]


def test_recipes(fake: Fake, dss: Dss) -> None:
    inputs = {"main": {"items": [{"ref": "a"}, {"ref": "b"}]}, "model": {"items": [{"ref": "m"}]}}
    fake.say(
        "GET",
        "/projects/P/recipes/",
        [{"name": "r", "type": "python", "inputs": inputs, "outputs": {}}, {"name": "a", "inputs": ["x"]}],
    )
    first, second = dss.recipes("P")
    assert (first.name, first.inputs, second.inputs, second.outputs) == ("a", ("x",), ("a", "b", "m"), ())
    fake.say("GET", "/projects/P/recipes/r", {"recipe": {"type": "python"}, "payload": "x = 1"})
    assert dss.recipe_code("P", "r") == "x = 1"
    for answer in ({"recipe": {"type": "prepare"}, "payload": "{}"}, {"recipe": {"type": "sql_query"}}):
        fake.say("GET", "/projects/P/recipes/r", answer)
        assert dss.recipe_code("P", "r") is None


def test_environments_connections_audit(fake: Fake, dss: Dss) -> None:
    fake.say(
        "GET",
        "/admin/code-envs/",
        [{"envLang": "PYTHON", "envName": "py", "deploymentMode": "DESIGN_MANAGED"}],
    )
    assert [(env.lang, env.name, env.mode) for env in dss.code_envs()] == [("PYTHON", "py", "DESIGN_MANAGED")]
    fake.say("GET", "/connections/get-names", ["dw", "files"])
    assert dss.connection_names() == ("dw", "files")
    fake.say("GET", "/connections/get-names", {"dw": 1})
    with pytest.raises(BadAnswer):
        dss.connection_names()
    fake.say("POST", "/admin/audit/custom/countersign", Response(status=204))
    dss.audit("countersign", {"request": 7})
    assert json.loads(fake.bodies[-1]) == {"request": 7}


# --- Connection test --------------------------------------------------------------------------------------------


def test_a_connection_report(fake: Fake, dss: Dss) -> None:
    body = json.dumps({"nodeId": "d", "nodeName": "Design", "nodeType": "DESIGN", "dssVersion": "14.3.1"})
    fake.say("GET", "/instance-info", Response(body, headers={"Date": "Mon, 01 Jan 2024 00:00:00 GMT"}))
    fake.say("GET", "/auth/info", {"authIdentifier": "bot"})
    fake.say("GET", "/projects/", [{"projectKey": "A"}])
    fake.say(
        "GET",
        "/project-deployer/infras",
        [
            {"infraBasicInfo": {"id": "qa", "stage": "QA"}, "canDeploy": True},
            {"infraBasicInfo": {"id": "prod"}, "canDeploy": False},
        ],
    )
    found = dss.check_connection()
    assert found.usable
    assert found.instance is not None
    assert found.instance.version == "14.3.1"
    assert (found.projects, found.deployer, [infra.id for infra in found.infras]) == (1, True, ["qa", "prod"])
    [problem] = found.problems
    assert "prod" in problem
    assert "Deploy right" in problem


def test_a_clock_that_is_off(dropper: Any) -> None:
    body = json.dumps({"nodeId": "a", "nodeType": "GOVERN", "authIdentifier": "bot"}).encode()
    head = f"HTTP/1.1 200 OK\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nContent-Length: {len(body)}\r\n"
    port, _ = dropper(head.encode() + b"Connection: close\r\n\r\n" + body)
    with Dss(url=f"http://127.0.0.1:{port}", key=SECRET, node="qa") as dss:
        found = dss.check_connection()
    assert found.usable
    assert found.deployer is None
    assert found.clock_skew_s is not None
    assert found.clock_skew_s < -1_000_000
    assert any("behind ours" in problem for problem in found.problems)


def test_a_connection_report_of_a_bad_key(fake: Fake, dss: Dss) -> None:
    fake.say("GET", "/instance-info", error(401, "bad key"))
    found = dss.check_connection()
    assert (found.reachable, found.authenticated, found.usable) == (True, False, False)
    assert "did not accept the portal's key" in found.problems[0]


def test_a_connection_report_of_something_else(fake: Fake, dss: Dss) -> None:
    fake.say("GET", "/instance-info", Response("<html>Welcome</html>"))
    found = dss.check_connection()
    assert (found.reachable, found.authenticated, found.usable) == (True, None, False)
    assert "What answers there is not a DSS" in found.problems[0]


def test_a_connection_report_of_nothing() -> None:
    with Dss(url="http://127.0.0.1:1", key=SECRET, node="qa", sleep=lambda _: None) as dss:
        found = dss.check_connection()
    assert (found.reachable, found.usable, len(found.problems)) == (False, False, 1)
