"""One HTTP call as the modules see it, the routes they register, and the kinds of answer they give.

Reads what the client really sends: JSON without a Content-Type, `True`/`False` in queries, multipart files. Not in
charge of matching paths (`app`) nor of who may call (`auth`).
"""

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from werkzeug.wrappers import Request, Response

from portal.dss.sandbox.errors import bad_request
from portal.dss.sandbox.state import Json, Store, Tx

DSS_VERSION = "14.2.0"
NODE_KINDS = ("design", "deployer", "automation")


@dataclass(frozen=True, slots=True)
class Node:
    """One DSS instance of the estate. `kind` is design, deployer, automation or govern."""

    name: str
    kind: str
    url: str


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose key called. `login` is also what DSS writes as author."""

    login: str
    groups: tuple[str, ...]
    admin: bool


class SpoolingRequest(Request):
    """A request whose uploaded files go straight to the data directory, never into memory."""

    store: Store

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        descriptor, path = self.store.new_file()
        os.close(descriptor)
        return path.open("w+b")


@dataclass(slots=True)
class Call:
    """One request to one node by one identity. `tx` is the open transaction of an ordinary handler."""

    request: Request
    node: Node
    path: str
    who: Identity
    store: Store
    estate: "EstateUrls"
    ids: dict[str, str]
    _tx: Tx | None = None

    @property
    def tx(self) -> Tx:
        """The transaction that this call runs in."""
        if self._tx is None:
            raise RuntimeError("this handler opens its own transactions")
        return self._tx

    def bind(self, tx: Tx) -> None:
        """Give the call the transaction that its handler runs in."""
        self._tx = tx

    def query(self, name: str, default: str = "") -> str:
        """A query parameter; an empty one counts as not given."""
        return self.request.args.get(name) or default

    def flag(self, name: str, default: bool = False) -> bool:
        """A boolean query parameter in any spelling (the client sends `True`)."""
        value = self.query(name).lower()
        return default if not value else value in ("true", "1", "yes")

    def number(self, name: str, default: int) -> int:
        """An integer query parameter."""
        value = self.query(name)
        if not value:
            return default
        try:
            return int(value)
        except ValueError:
            raise bad_request(f"Parameter {name} must be a number, not {value[:40]}") from None

    def body(self) -> Json:
        """The JSON object in the body, whatever its Content-Type; {} when there is none."""
        raw = self.request.get_data()
        if not raw.strip():
            return {}
        try:
            value = json.loads(raw)
        except (ValueError, RecursionError):
            raise bad_request("The request body is not valid JSON") from None
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise bad_request("The request body must be a JSON object")
        return value

    def need(self, body: Json, name: str) -> str:
        """A required string of the body."""
        value = body.get(name)
        if not isinstance(value, str) or not value:
            raise bad_request(f"Missing {name} in the request body")
        return value

    def upload(self) -> Path:
        """The file of a multipart upload, complete on disk. The caller moves or removes it."""
        sent = self.request.files.get("file")
        if sent is None:
            raise bad_request("No file in the upload: one multipart part named file is expected")
        path = Path(str(getattr(sent.stream, "name", "")))
        sent.close()
        return path


@dataclass(frozen=True, slots=True)
class EstateUrls:
    """Where the estate is served: the base URL and its nodes by name."""

    base: str
    nodes: dict[str, Node]
    design_deployer: bool


Handler = Callable[..., Response]


@dataclass(frozen=True, slots=True)
class Route:
    """A path of the public API, the kinds of node that answer it, and its handler."""

    method: str
    rule: str
    on: tuple[str, ...]
    handler: Handler
    in_transaction: bool
    admin: bool


ROUTES: list[Route] = []


def route(
    method: str,
    rule: str,
    *,
    on: Iterable[str] = NODE_KINDS,
    in_transaction: bool = True,
    admin: bool = False,
) -> Callable[[Handler], Handler]:
    """Register a handler. With `in_transaction=False` it opens its own transactions (long or streamed work)."""

    def register(handler: Handler) -> Handler:
        ROUTES.append(Route(method, rule, tuple(on), handler, in_transaction, admin))
        return handler

    return register


def json_answer(value: Any, status: int = 200) -> Response:
    """A JSON body."""
    return Response(json.dumps(value), status=status, content_type="application/json; charset=utf-8")


def empty_answer() -> Response:
    """200 without a body, for calls whose body the client ignores."""
    return Response(b"", status=200)


def text_answer(text: str, content_type: str = "text/plain; charset=utf-8") -> Response:
    """A text body."""
    return Response(text, content_type=content_type)


def bytes_answer(body: bytes, content_type: str) -> Response:
    """A small binary body."""
    return Response(body, content_type=content_type)


def stream_answer(chunks: Iterable[bytes], content_type: str, length: int | None = None) -> Response:
    """A body produced while it is sent; chunked unless the length is known."""
    answer = Response(chunks, content_type=content_type, direct_passthrough=True)
    if length is not None:
        answer.content_length = length
    return answer


def file_answer(path: Path, content_type: str = "application/zip") -> Response:
    """A file streamed from disk."""
    size = path.stat().st_size

    def chunks() -> Iterable[bytes]:
        with path.open("rb") as source:
            while chunk := source.read(1 << 18):
                yield chunk

    return stream_answer(chunks(), content_type, size)


def messages(*items: Json) -> Json:
    """An InfoMessages object from (severity, code, title, message) items."""
    order = ("SUCCESS", "INFO", "WARNING", "ERROR")
    worst = max((order.index(item["severity"]) for item in items), default=0)
    return {
        "messages": list(items),
        "anyMessage": bool(items),
        "success": worst < 2,
        "warning": any(item["severity"] == "WARNING" for item in items),
        "error": any(item["severity"] == "ERROR" for item in items),
        "fatal": any(item["isFatal"] for item in items),
        "maxSeverity": order[worst],
    }


def message(severity: str, code: str, title: str, text: str, fatal: bool = False) -> Json:
    """One entry of an InfoMessages object."""
    return {
        "severity": severity,
        "isFatal": fatal,
        "code": code,
        "title": title,
        "message": text,
        "details": text,
    }
