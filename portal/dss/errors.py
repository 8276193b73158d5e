"""What can go wrong between the portal and a DSS node, as one family of errors.

Every error says in one plain sentence what happened and what to do next, and never holds a key. Not in
charge of who sees it: callers map it to a refusal, a failed step or a page.
"""

import re
from typing import ClassVar

from portal.dss.texts import keepable

_CREDENTIALS_IN_URL = re.compile(r"(?<=://)[^/\s@]+@")
_TAG = re.compile(r"<[^>]{0,500}>")
_SPACE = re.compile(r"[\s\x00-\x1f\x7f]+")
_MAX_TEXT = 600


def plain(text: object, *secrets: str) -> str:
    """Return `text` as one short line that is safe to show: no secrets, tags, control characters, credentials."""
    line = str(text)
    for secret in secrets:
        if secret:
            line = line.replace(secret, "(hidden)")
    line = _CREDENTIALS_IN_URL.sub("", line)
    if "<" in line:
        line = _TAG.sub(" ", line)
    line = keepable(_SPACE.sub(" ", line)).strip()
    return line if len(line) <= _MAX_TEXT else line[: _MAX_TEXT - 1] + "…"


class DssError(Exception):
    """A DSS node did not do what was asked.

    status: HTTP status of the answer, None when there was none; error_type: DSS's own name of the error, or "";
    message: DSS's text or our short reason, one line; node: the name of the node in the portal; operation: what
    was being done, as a phrase such as "listing projects"; may_have_happened: whether the node may have carried
    out the change although it did not say so, so that the caller has to look before trying again; passing: whether
    the very same look may well succeed a moment later (the client has tried that already).
    """

    code: ClassVar[str] = "dss_error"

    def __init__(
        self,
        message: str = "",
        *,
        node: str = "",
        operation: str = "",
        status: int | None = None,
        error_type: str = "",
        may_have_happened: bool = False,
        passing: bool = False,
    ) -> None:
        self.message = plain(message)
        self.node = node
        self.operation = operation
        self.status = status
        self.error_type = error_type
        self.may_have_happened = may_have_happened
        self.passing = passing
        super().__init__(self.sentence)

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.message, self._fields()))

    def _fields(self) -> dict[str, object]:
        return {
            "node": self.node,
            "operation": self.operation,
            "status": self.status,
            "error_type": self.error_type,
            "may_have_happened": self.may_have_happened,
            "passing": self.passing,
        }

    @property
    def sentence(self) -> str:
        """What happened and the next step, for a person."""
        return f"{self._subject()} refused {self._doing()}{self._because()}. {self.next_step}"

    @property
    def next_step(self) -> str:
        """The next step alone, a full sentence."""
        return "Read the reason, correct the cause and try again."

    def _subject(self) -> str:
        return f"The DSS node {self.node}" if self.node else "The DSS node"

    def _doing(self) -> str:
        return self.operation or "a call"

    def _because(self) -> str:
        return f": {self.message.rstrip('.')}" if self.message else ""


def _rebuild(kind: type[DssError], message: str, fields: dict[str, object]) -> DssError:
    return kind(message, **fields)  # type: ignore[arg-type]


class Unreachable(DssError):
    """No answer: name, connection, certificate, or time."""

    code = "dss_unreachable"

    @property
    def sentence(self) -> str:
        return (
            f"{self._subject()} could not be reached while {self._doing()}{self._because()}. {self.next_step}"
        )

    @property
    def next_step(self) -> str:
        return "Check that it is running and that its URL in the portal is right, then try again."


class NotAuthenticated(DssError):
    """401: the key is not accepted."""

    code = "dss_not_authenticated"

    @property
    def sentence(self) -> str:
        return f"{self._subject()} did not accept the portal's key while {self._doing()}. {self.next_step}"

    @property
    def next_step(self) -> str:
        return "Ask an administrator to renew the key under the name configured for this node."


class NotAllowed(DssError):
    """403 or a text that says so: the key is known but lacks a right."""

    code = "dss_not_allowed"

    @property
    def sentence(self) -> str:
        return f"{self._subject()} does not allow the portal's key {self._doing()}{self._because()}. {self.next_step}"

    @property
    def next_step(self) -> str:
        return "Ask a DSS administrator to give the key's groups the missing right."


class Missing(DssError):
    """What was asked for does not exist, whatever the status was (DSS also says so with 500 and a text)."""

    code = "dss_missing"

    @property
    def sentence(self) -> str:
        return (
            f"{self._subject()} does not have what {self._doing()} needs{self._because()}. {self.next_step}"
        )

    @property
    def next_step(self) -> str:
        return "Check the name, and that the object was not deleted or renamed in DSS."


class Conflict(DssError):
    """It exists already, or another action is running on it."""

    code = "dss_conflict"

    @property
    def sentence(self) -> str:
        return f"{self._subject()} is not free for {self._doing()}{self._because()}. {self.next_step}"

    @property
    def next_step(self) -> str:
        return "Wait until the other action is over or use another name, then try again."


class BadAnswer(DssError):
    """The node answered something that cannot be used: not JSON, a field missing, cut short, a redirect."""

    code = "dss_bad_answer"

    @property
    def sentence(self) -> str:
        return f"{self._subject()} gave an unusable answer while {self._doing()}{self._because()}. {self.next_step}"

    @property
    def next_step(self) -> str:
        return "Check that the URL is DSS's own and not a proxy or login page, then try again."


class BeyondLimit(DssError):
    """A stream that goes on beyond what we take of one: in bytes, rows or time."""

    code = "dss_beyond_limit"

    @property
    def sentence(self) -> str:
        return f"{self._subject()} did not come to an end while {self._doing()}{self._because()}. {self.next_step}"

    @property
    def next_step(self) -> str:
        return (
            "See in DSS whether it is meant to be so large; if so, have an administrator raise the limit "
            "in the portal's settings."
        )


class NoRoom(DssError):
    """What DSS sends cannot be stored on our side. It may pass, as others free what they hold."""

    code = "no_room"

    @property
    def sentence(self) -> str:
        return f"The portal has no room left for an archive that it downloads. {self.next_step}"

    @property
    def next_step(self) -> str:
        return "Have an administrator free space where the portal keeps temporary files, then try again."


class DssFault(DssError):
    """5xx: the node itself broke."""

    code = "dss_fault"

    @property
    def sentence(self) -> str:
        status = f" (HTTP {self.status})" if self.status else ""
        return f"{self._subject()} broke{status} while {self._doing()}{self._because()}. {self.next_step}"

    @property
    def next_step(self) -> str:
        return "Try again in a moment; if it happens again, look into the log of that node."


class FutureFailed(DssError):
    """A long-running task of DSS ended without doing its work: failed, aborted or forgotten."""

    code = "dss_future_failed"

    @property
    def sentence(self) -> str:
        return f"{self._subject()} did not finish {self._doing()}{self._because()}. {self.next_step}"

    @property
    def next_step(self) -> str:
        return "Look at the task's log in DSS, correct the cause and try again."


class BadName(DssError):
    """An id that DSS could not have; refused before any request, since ids become part of the address."""

    code = "dss_bad_name"

    @property
    def sentence(self) -> str:
        return f"{self.message} {self.next_step}"

    @property
    def next_step(self) -> str:
        return "Use letters, digits, dots, dashes and underscores only."
