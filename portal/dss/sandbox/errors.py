"""Errors as a DSS node reports them: an HTTP status and an object with `errorType` and `message`.

The class names and statuses per case are our choice: the public sources confirm only the shape.
"""

from typing import Any


class DssError(Exception):
    """A refusal that reaches the client as an error body.

    `status` is the HTTP status, `error_type` the Java-like class name the client prints first.
    """

    def __init__(self, status: int, error_type: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.error_type = error_type
        self.message = message

    def body(self) -> dict[str, Any]:
        """The JSON error object; `detailedMessage` is a string because the client prints it when present."""
        return {
            "errorType": self.error_type,
            "message": self.message,
            "detailedMessage": self.message,
            "detailedMessageHTML": f"<span>{self.message.replace('&', '&amp;').replace('<', '&lt;')}</span>",
            "stackTraceStr": "",
        }


NOT_FOUND = "com.dataiku.dip.exceptions.NotFoundException"
UNAUTHORIZED = "com.dataiku.dip.exceptions.UnauthorizedException"
FORBIDDEN = "com.dataiku.dip.exceptions.ForbiddenException"
ILLEGAL_ARGUMENT = "java.lang.IllegalArgumentException"
ILLEGAL_STATE = "java.lang.IllegalStateException"
CODED = "com.dataiku.dip.exceptions.CodedException"
FAILED = "com.dataiku.dip.exceptions.DSSInternalErrorException"


def not_found(what: str, name: str, where: str = "") -> DssError:
    """404: the object does not exist on this node."""
    return DssError(404, NOT_FOUND, f"{what} {name} does not exist{where}")


def refused(message: str) -> DssError:
    """403: the key has no right to do this."""
    return DssError(403, FORBIDDEN, message)


def bad_request(message: str) -> DssError:
    """400: the request makes no sense as it is."""
    return DssError(400, ILLEGAL_ARGUMENT, message)


def conflict(message: str) -> DssError:
    """400: the request is well formed but the object's state does not allow it now.

    Public sources name 400, 401, 403, 404, 405 and 500 only, so a conflict is a 400 too.
    """
    return DssError(400, ILLEGAL_STATE, message)


def coded(code: str, message: str) -> DssError:
    """400 with one of the documented error codes in its text."""
    return DssError(400, CODED, f"[{code}] {message}")
