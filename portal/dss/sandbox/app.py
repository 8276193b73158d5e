"""The WSGI application: finds the node and the route of a request, authenticates, applies wire faults, answers.

Both documented base paths and both slash forms are accepted. Every answer of a node is either what its handler gave or
an error object; nothing a client sends ends in a traceback. Not in charge of what the handlers do.
"""

import logging
import re
import socket
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any

from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Response

from portal.dss.sandbox import (
    admin,
    auth,
    automation,
    bundles,
    controls,
    datasets,
    deployer,
    deployments,
    estate,
    faults,
    futures,
    govern,
    models,
    projects,
    scenarios,
)
from portal.dss.sandbox.errors import FAILED, NOT_FOUND, DssError
from portal.dss.sandbox.state import Json, Store
from portal.dss.sandbox.wire import (
    DSS_VERSION,
    ROUTES,
    Call,
    EstateUrls,
    Identity,
    Node,
    Route,
    SpoolingRequest,
    json_answer,
    stream_answer,
)

log = logging.getLogger("sandbox")

# Importing these modules registers their routes.
ROUTE_MODULES: tuple[ModuleType, ...] = (
    admin,
    automation,
    bundles,
    datasets,
    deployer,
    deployments,
    govern,
    models,
    projects,
    scenarios,
)
_BASES = ("dip/publicapi", "public/api")
_SLASHES = re.compile("/{2,}")
_REQUESTS_KEPT = 20_000
_DEPLOYER_PATHS = "/project-deployer"
_READ_CHUNK = 1 << 16
_BODY_LIMIT = 64 << 20


class ConnectionDropped(ConnectionError):
    """Raised to end a request without an answer; the server treats it as a client that went away."""


class Application:
    """The estate as one WSGI application."""

    def __init__(self, store: Store, urls: EstateUrls, token: str) -> None:
        self.store = store
        self.urls = urls
        self.token = token
        self.seen: deque[Json] = deque(maxlen=_REQUESTS_KEPT)
        self._seen_lock = threading.Lock()
        self._seen_count = 0
        self._rules = Map(
            [Rule(route.rule, methods=[route.method], endpoint=route) for route in ROUTES],
            strict_slashes=False,
            merge_slashes=False,
        )
        self._request_class = type("BoundRequest", (SpoolingRequest,), {"store": store})

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request."""
        started = time.monotonic()
        request: SpoolingRequest = self._request_class(environ)
        path = _SLASHES.sub("/", request.path)
        if path.startswith("/sandbox/") or path == "/sandbox":
            return controls.answer(self, request, path)(environ, start_response)
        name, _, rest = path.lstrip("/").partition("/")
        node = self.urls.nodes.get(name)
        base = next((base for base in _BASES if rest == base or rest.startswith(base + "/")), None)
        if node is None or base is None:
            # A wrong path meets the web server, not DSS: an HTML page.
            answer = Response(
                "<html><body><h1>404 Not Found</h1></body></html>", 404, content_type="text/html"
            )
            return answer(environ, start_response)
        api_path = rest[len(base) :].rstrip("/") or "/"
        entry = self._note(request, node, api_path)
        try:
            answer = self._answer(environ, request, node, api_path, entry)
        except ConnectionDropped:
            _drop(environ)
            entry["status"] = 0
            raise
        answer.headers["DSS-Version"] = DSS_VERSION
        answer.headers["DSS-API-Version"] = DSS_VERSION
        entry["status"] = answer.status_code
        entry["ms"] = round((time.monotonic() - started) * 1000, 2)
        return answer(environ, start_response)

    def _note(self, request: SpoolingRequest, node: Node, api_path: str) -> Json:
        with self._seen_lock:
            self._seen_count += 1
            entry = {
                "number": self._seen_count,
                "at": time.time(),
                "node": node.name,
                "method": request.method,
                "path": api_path,
                "query": request.query_string.decode("latin-1"),
                "status": None,
            }
            self.seen.append(entry)
        return entry

    def _match(self, request: SpoolingRequest, node: Node, api_path: str) -> tuple[Route, dict[str, str]]:
        adapter = self._rules.bind("sandbox", path_info=api_path)
        try:
            route, ids = adapter.match(method=request.method)
        except MethodNotAllowed:
            raise DssError(405, NOT_FOUND, f"Method {request.method} is not allowed on {api_path}") from None
        except (NotFound, HTTPException):
            raise DssError(404, NOT_FOUND, f"No such endpoint: {request.method} {api_path}") from None
        as_deployer = (
            self.urls.design_deployer and node.kind == "design" and api_path.startswith(_DEPLOYER_PATHS)
        )
        if node.kind not in route.on and not as_deployer:
            raise DssError(404, NOT_FOUND, f"{api_path} is not available on a {node.kind} node")
        return route, dict(ids)

    def _answer(
        self, environ: dict[str, Any], request: SpoolingRequest, node: Node, api_path: str, entry: Json
    ) -> Response:
        futures.settle(self.store)
        route: Route | None = None
        ids: dict[str, str] = {}
        refusal: DssError | None = None
        try:
            with self.store.transaction() as tx:
                who = auth.authenticate(tx, node, request.headers)
            entry["login"] = who.login
            route, ids = self._match(request, node, api_path)
        except DssError as error:
            refusal, who = error, Identity("", (), False)
        spoil = self._wire_faults(node, request, api_path, ids)
        early = _before(spoil)
        if early is not None:
            return early
        if refusal is not None or route is None:
            return _error(refusal or DssError(404, NOT_FOUND, "No such endpoint"))
        call = Call(request, node, api_path, who, self.store, self.urls, ids)
        return _after(spoil, self._handled(call, route), environ, call)

    def _wire_faults(
        self, node: Node, request: SpoolingRequest, api_path: str, ids: dict[str, str]
    ) -> list[Json]:
        facts = {"node": node.name, "method": request.method, "path": api_path}
        named = {"key": "project", "deployment_id": "deployment", "scenario": "scenario", "bundle": "bundle"}
        facts |= {named[name]: value for name, value in ids.items() if name in named}
        with self.store.transaction() as tx:
            return faults.take_wire(tx, facts)

    def _handled(self, call: Call, route: Route) -> Response:
        try:
            if route.admin:
                auth.need_admin(call.who)
            if not route.in_transaction:
                return route.handler(call, **call.ids)
            # Read what the client sends before the state is locked: a slow client must not stop the others.
            call.request.max_content_length = _BODY_LIMIT
            call.request.get_data(parse_form_data=False)
            with self.store.transaction() as tx:
                call.bind(tx)
                return route.handler(call, **call.ids)
        except DssError as error:
            return _error(error)
        except HTTPException as error:
            return _error(DssError(error.code or 400, FAILED, error.description or "Bad request"))
        except ConnectionError:
            raise
        except Exception:
            log.exception("%s %s failed", call.request.method, call.path)
            return _error(DssError(500, FAILED, "Internal error"))


def _error(error: DssError) -> Response:
    return json_answer(error.body(), error.status)


def _drop(environ: dict[str, Any]) -> None:
    connection = environ.get("werkzeug.socket")
    if isinstance(connection, socket.socket):
        try:
            connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            # The client was faster.
            return


def _pause(fault: Json) -> None:
    time.sleep(faults.number(fault, "ms", 100) / 1000)


def _before(spoil: list[Json]) -> Response | None:
    """Wire faults that come before any effect."""
    for fault in spoil:
        match fault["kind"]:
            case "delay":
                _pause(fault)
            case "drop_before":
                raise ConnectionDropped
            case "status":
                return _error(_told(fault))
            case "not_json":
                status = int(faults.number(fault, "status", 502))
                page = "<html><head><title>Bad gateway</title></head><body><h1>Bad gateway</h1></body></html>"
                return Response(page, status, content_type="text/html")
    return None


def _told(fault: Json) -> DssError:
    return DssError(
        int(faults.number(fault, "status", 500)),
        faults.text(fault, "error_type", FAILED),
        faults.text(fault, "message", "An internal error occurred"),
    )


def _after(spoil: list[Json], answer: Response, environ: dict[str, Any], call: Call) -> Response:
    """Wire faults that come after the effect."""
    for fault in spoil:
        match fault["kind"]:
            case "delay_after":
                _pause(fault)
            case "drop_after":
                raise ConnectionDropped
            case "status_after":
                answer = _error(_told(fault))
            case "truncate":
                answer = _truncated(answer, fault, environ, call)
            case "corrupt":
                answer = _corrupted(answer)
    return answer


def _truncated(answer: Response, fault: Json, environ: dict[str, Any], call: Call) -> Response:
    """Cut a body short: openly (a shorter Content-Length), or as a connection that breaks off."""
    datasets.note_broken_stream(call.query("readSessionId"))
    length = answer.content_length
    keep = faults.number(fault, "keep", 0.5)
    limit = int(faults.number(fault, "bytes", (length or _READ_CHUNK * 2) * keep))
    source = answer.response
    honest = bool(fault.get("honest"))

    def cut() -> Iterator[bytes]:
        left = limit
        for chunk in source:
            piece = chunk if isinstance(chunk, bytes) else chunk.encode()
            if len(piece) >= left:
                yield piece[:left]
                break
            left -= len(piece)
            yield piece
        if not honest:
            _drop(environ)
            raise ConnectionDropped

    content_type = answer.headers.get("Content-Type", "application/octet-stream")
    return stream_answer(cut(), content_type, min(limit, length) if honest and length is not None else length)


def _corrupted(answer: Response) -> Response:
    """Flip one bit in the middle of a body."""
    length = answer.content_length or 0
    middle = length // 2
    source = answer.response

    def spoilt() -> Iterator[bytes]:
        at = 0
        for chunk in source:
            piece = bytearray(chunk if isinstance(chunk, bytes) else chunk.encode())
            if at <= middle < at + len(piece):
                piece[middle - at] ^= 1
            at += len(piece)
            yield bytes(piece)

    return stream_answer(
        spoilt(), answer.headers.get("Content-Type", "application/octet-stream"), length or None
    )


def found_if_new(store: Store, urls: EstateUrls, pace: float) -> None:
    """Found the estate in a new data directory, in one transaction; in an older one, what was not there then."""
    with store.transaction() as tx:
        if tx.get("", "settings", "founded") is None:
            estate.found(tx, urls.nodes)
        estate.complete(tx, urls.nodes)
        futures.set_pace(tx, pace)
