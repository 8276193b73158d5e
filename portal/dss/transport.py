"""What dataikuapi leaves out of HTTP: timeouts, bounded answers, kept statuses, streamed uploads.

It hooks into the `requests` session that dataikuapi uses. Not in charge of what is asked nor of repeating it.
"""

import json
import re
import secrets
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, BinaryIO, Protocol
from urllib.parse import urljoin, urlsplit

import requests
import urllib3.exceptions as low
from requests.adapters import HTTPAdapter

from portal.dss.errors import (
    BadAnswer,
    Conflict,
    DssError,
    DssFault,
    Missing,
    NotAllowed,
    NotAuthenticated,
    Unreachable,
)

# The largest answer we keep whole: some ten thousand projects with their summaries are far below.
MAX_JSON_BYTES = 64 * 1024 * 1024
MAX_ERROR_BYTES = 1024 * 1024
CHUNK = 256 * 1024

# DSS says these with 400 or 500 as often as with a proper status, so the text has to be read (seen by integrators;
# the exact words are unconfirmed). Only used to choose between kinds of "no".
_MISSING_TEXT = re.compile(
    r"(?i)\b(does ?n[o']t exist|do not exist|not found|no such|unknown (project|bundle|deployment|infra\w*|scenario"
    r"|dataset|model|saved ?model|future|job|version|recipe|published project))"
)
_CONFLICT_TEXT = re.compile(
    r"(?i)\b(already (exists?|running|in progress|deployed|being)|another (action|update|operation)|in progress)\b"
)
_NOT_ALLOWED_TEXT = re.compile(
    r"(?i)(\bnot (allowed|authori[sz]ed|permitted)\b|\bforbidden\b|\b(access|permission) denied\b|\bunauthori[sz]ed\b"
    r"|\bdo(es)? ?n[o']t have (the )?(permission|right))"
)


class Elsewhere(requests.RequestException):
    """The node wants us to ask at another address."""


class TooLarge(requests.RequestException):
    """The answer is larger than anything we ask for."""


class _Adapter(HTTPAdapter):
    """dataikuapi passes no timeout anywhere, so a hung node would hang its caller for ever."""

    def __init__(self, timeouts: "Wire") -> None:
        self._timeouts = timeouts
        # Repeating is the client's business, which knows where it is safe.
        super().__init__(max_retries=0, pool_connections=2, pool_maxsize=4)

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        wire = self._timeouts
        return super().send(
            request,
            stream=stream,
            timeout=timeout or (wire.connect_timeout, wire.read_timeout),
            verify=verify,
            cert=cert,
            proxies=proxies,
        )


@dataclass(frozen=True, slots=True)
class Refusal:
    """A 4xx or 5xx answer. said_by_dss: its body was DSS's error object, not some proxy's page."""

    status: int
    error_type: str
    message: str
    said_by_dss: bool


class Wire:
    """Watches one session: gives each request its timeouts and remembers how the last one was answered."""

    def __init__(self, session: requests.Session, *, connect_timeout: float, read_timeout: float) -> None:
        self.connect_timeout = connect_timeout
        self.read_timeout = read_timeout
        self.status: int | None = None
        self.refusal: Refusal | None = None
        self.clock_skew_s: float | None = None
        self.version = ""
        adapter = _Adapter(self)
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        session.hooks["response"].append(self._seen)

    def forget(self) -> None:
        """Forget the last answer, before the next request."""
        self.status = None
        self.refusal = None

    def _seen(
        self, response: requests.Response, *_args: object, stream: bool = False, **_kwargs: object
    ) -> None:
        # dataikuapi's exception carries neither status nor body; this hook is the one place that sees both.
        self.status = response.status_code
        self.version = response.headers.get("DSS-Version", self.version)
        self.clock_skew_s = _skew(response.headers.get("Date", ""), self.clock_skew_s)
        if response.is_redirect:
            self._redirect(response)
        elif response.status_code >= 400:
            self._swallow(response, MAX_ERROR_BYTES)
            self.refusal = _refusal(response)
        elif not stream:
            self._swallow(response, MAX_JSON_BYTES)

    def _redirect(self, response: requests.Response) -> None:
        # requests turns a redirected POST into a GET, and a login page would look like an answer; only a GET that
        # stays on the same host is followed.
        target = urlsplit(urljoin(response.url, response.headers.get("Location", "")))
        here = urlsplit(response.url)
        method = response.request.method
        if method not in ("GET", "HEAD") or (target.scheme, target.netloc) != (here.scheme, here.netloc):
            response.close()
            raise Elsewhere("it redirects to another address", response=response)

    def _swallow(self, response: requests.Response, limit: int) -> None:
        # The read timeout starts anew with each byte, so a trickling answer needs a deadline of its own.
        deadline = time.monotonic() + 2 * self.read_timeout
        parts: list[bytes] = []
        size = 0
        for chunk in pieces(response):
            size += len(chunk)
            if size > limit:
                response.close()
                raise TooLarge(f"more than {limit // (1024 * 1024)} MB", response=response)
            if time.monotonic() > deadline:
                response.close()
                raise requests.ReadTimeout("the answer trickles", response=response)
            parts.append(chunk)
        response._content = b"".join(parts)


def pieces(response: requests.Response) -> Iterator[bytes]:
    """Yield the body as it comes, at most CHUNK bytes at a time.

    Not by `iter_content`: it waits until a chunk is full, and so sees a deadline pass only after a quarter of a million
    single bytes.
    """
    while piece := response.raw.read1(CHUNK, decode_content=True):
        yield piece


def _refusal(response: requests.Response) -> Refusal:
    status = response.status_code
    try:
        body = json.loads(response.content)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        # A page of a proxy or of DSS's own web server: its text is rarely more than the status line.
        text = response.text if len(response.content) < 4096 else response.reason
        return Refusal(status, "", text or response.reason or "", said_by_dss=False)
    error_type = body.get("errorType")
    message = body.get("detailedMessage") or body.get("message") or "no reason given"
    return Refusal(status, error_type if isinstance(error_type, str) else "", str(message), said_by_dss=True)


def _skew(date: str, before: float | None) -> float | None:
    try:
        theirs = parsedate_to_datetime(date)
    except (ValueError, TypeError):
        return before
    if theirs.tzinfo is None:
        theirs = theirs.replace(tzinfo=UTC)
    return round((theirs - datetime.now(UTC)).total_seconds())


def kind_of_refusal(refusal: Refusal, *, by_text: bool) -> type[DssError]:
    """Return the error class for a 4xx or 5xx answer; `by_text`: also read what the text says."""
    exact: dict[int, type[DssError]] = {401: NotAuthenticated, 403: NotAllowed, 404: Missing, 409: Conflict}
    if refusal.status in exact:
        return exact[refusal.status]
    if by_text and refusal.said_by_dss:
        text = f"{refusal.error_type} {refusal.message}"
        # "exists already" is asked before "not found": texts such as "bundle v1 already exists" name both.
        for pattern, kind in (
            (_CONFLICT_TEXT, Conflict),
            (_MISSING_TEXT, Missing),
            (_NOT_ALLOWED_TEXT, NotAllowed),
        ):
            if pattern.search(text):
                return kind
    return DssFault if refusal.status >= 500 else DssError


@dataclass(frozen=True, slots=True)
class Trouble:
    """A request that got no usable answer: which error it is, why, whether it was sent at all, whether it may pass."""

    kind: type[DssError]
    reason: str
    sent: bool
    passing: bool


def trouble(error: BaseException, wire: Wire) -> Trouble | None:
    """Return what a low-level exception means, or None when it is not one of the network's."""
    if isinstance(error, Elsewhere):
        return Trouble(BadAnswer, str(error), sent=True, passing=False)
    if isinstance(error, TooLarge):
        return Trouble(BadAnswer, f"the answer is too large ({error})", sent=True, passing=False)
    if isinstance(error, requests.exceptions.JSONDecodeError | json.JSONDecodeError | RecursionError):
        return Trouble(BadAnswer, "the answer is not JSON", sent=True, passing=False)
    if isinstance(error, requests.exceptions.SSLError | low.SSLError):
        # Also what a server without TLS looks like.
        badly = "certificate" in str(error).lower()
        reason = (
            "its certificate was not accepted" if badly else "it does not speak TLS; is it http, not https?"
        )
        return Trouble(Unreachable, reason, sent=False, passing=False)
    if isinstance(error, requests.ConnectTimeout | low.ConnectTimeoutError):
        return Trouble(
            Unreachable, f"no connection within {wire.connect_timeout:g} s", sent=False, passing=True
        )
    if isinstance(error, requests.Timeout | low.ReadTimeoutError) or _is_read_timeout(error):
        return Trouble(Unreachable, f"no answer within {wire.read_timeout:g} s", sent=True, passing=False)
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema):
        return Trouble(Unreachable, "its URL is not a usable address", sent=False, passing=False)
    if isinstance(error, requests.exceptions.MissingSchema):
        return Trouble(Unreachable, "its URL lacks http:// or https://", sent=False, passing=False)
    if isinstance(error, requests.exceptions.ChunkedEncodingError | requests.exceptions.ContentDecodingError):
        return Trouble(BadAnswer, "the answer was cut short", sent=True, passing=True)
    if isinstance(error, low.IncompleteRead | low.ProtocolError | low.DecodeError):
        return Trouble(BadAnswer, "the answer was cut short", sent=True, passing=True)
    if isinstance(error, requests.exceptions.ProxyError):
        return Trouble(Unreachable, "the proxy on the way does not answer", sent=False, passing=True)
    if isinstance(error, requests.ConnectionError):
        return _connection_trouble(error)
    if isinstance(error, requests.RequestException | low.HTTPError):
        return Trouble(Unreachable, type(error).__name__, sent=True, passing=False)
    return None


def _is_read_timeout(error: BaseException) -> bool:
    # Inside a stream requests reports a read timeout as a ConnectionError.
    return isinstance(error, requests.ConnectionError) and any(
        isinstance(cause, low.ReadTimeoutError) for cause in error.args
    )


def _connection_trouble(error: requests.ConnectionError) -> Trouble:
    cause = error.args[0] if error.args else None
    reason = getattr(cause, "reason", cause)
    if isinstance(reason, low.NameResolutionError):
        return Trouble(Unreachable, "its host name cannot be resolved", sent=False, passing=True)
    if isinstance(reason, low.NewConnectionError):
        text = "connection refused" if "refused" in str(reason).lower() else "no connection"
        return Trouble(Unreachable, text, sent=False, passing=True)
    return Trouble(Unreachable, "the connection broke off", sent=True, passing=True)


class Readable(Protocol):
    """Anything that hands out bytes: an open binary file, or a HashingReader around one."""

    def read(self, size: int = -1, /) -> bytes: ...


class Multipart:
    """A multipart/form-data body with one file part, read piece by piece.

    requests itself reads the whole file into memory, which a 5 GB bundle does not forgive. `size`: bytes that
    `source` will give; fewer or more is an error, since the length was promised in the header.
    """

    def __init__(self, source: Readable, size: int, filename: str) -> None:
        boundary = secrets.token_hex(16)
        self.content_type = f"multipart/form-data; boundary={boundary}"
        self._head = (
            f"--{boundary}\r\n"
            f'Content-Disposition: form-data; name="file"; filename="{filename}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        ).encode("ascii")
        self._tail = f"\r\n--{boundary}--\r\n".encode("ascii")
        self._source = source
        self._left = size
        # requests takes the Content-Length from here.
        self.len = len(self._head) + size + len(self._tail)

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes of the body, b"" at its end. Raises ValueError if the source ends early."""
        if size < 0:
            size = CHUNK
        if self._head:
            piece, self._head = self._head[:size], self._head[size:]
            return piece
        if self._left:
            piece = self._source.read(min(size, self._left))
            if not piece:
                raise ValueError("the file is shorter than it was when the upload began")
            self._left -= len(piece)
            return piece
        piece, self._tail = self._tail[:size], self._tail[size:]
        return piece


def length_of(source: Readable) -> int:
    """Return how many bytes `source` will still give; it must know (`length`) or be seekable. Raises ValueError."""
    known = getattr(source, "length", None)
    if isinstance(known, int):
        return known
    seekable: Any = source
    try:
        here = seekable.tell()
        end = seekable.seek(0, 2)
        seekable.seek(here)
    except (AttributeError, OSError):
        raise ValueError(
            "the length of this stream is not known; store it in a temporary file first"
        ) from None
    return int(end) - int(here)


def lines(chunks: Iterable[bytes], limit: int) -> Iterator[str]:
    """Split a stream of UTF-8 bytes into lines, their newline kept; a line beyond `limit` bytes raises ValueError.

    Only \\n ends a line: str.splitlines would also break at characters that are ordinary data.
    """
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.decode("utf-8") + "\n"
        if len(rest) > limit:
            raise ValueError("a line without end")
    if rest:
        yield rest.decode("utf-8")


def copy(chunks: Iterable[bytes], target: BinaryIO) -> int:
    """Write all chunks to `target`; return the number of bytes."""
    size = 0
    for chunk in chunks:
        target.write(chunk)
        size += len(chunk)
    return size
