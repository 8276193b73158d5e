"""Every "no" the domain expects. Each carries the sentence a person reads: on the page, in the API, in the ledger.

Not in charge of finding out: rules raise these where they live. Errors nobody expects are not in this family.
"""

from typing import Any


class Refused(Exception):
    """A rule said no. `sentence` says why and what to do next; `code` is stable; `params` are JSON values."""

    status = 409
    title = "Refused"

    def __init__(self, sentence: str, *, code: str = "refused", field: str = "", **params: Any) -> None:
        super().__init__(sentence)
        self.sentence = str(sentence)
        self.code = code
        self.field = field
        self.params = params


class Invalid(Refused):
    """What was given cannot be used; `field` names it."""

    status = 400
    title = "Not usable"


class Forbidden(Refused):
    """The person may see the project but lacks the right."""

    status = 403
    title = "Right missing"


class Absent(Refused):
    """It does not exist, or the person may not know that it does."""

    status = 404
    title = "Not found"


class Stale(Refused):
    """What the page showed is no longer so."""

    status = 409
    title = "Changed meanwhile"


class Unavailable(Refused):
    """A system the portal depends on did not answer as it should."""

    status = 503
    title = "Not available"


class TooMany(Refused):
    """Too many failed tries; the sentence says when the next counts, `params["wait"]` in how many seconds."""

    status = 429
    title = "Too many tries"
