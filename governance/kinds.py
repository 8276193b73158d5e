"""The requirement kinds that have a module of their own: how what a policy says of each is put in one spelling.

Not in charge of the other kinds (`governance.policy`), nor of what any of them means (`governance.checks`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from governance import standards, ticket, window
from governance.durations import seconds


class Mistaken(ValueError):
    """Something the schema cannot see: `path` within the requirement, and what to do."""

    def __init__(self, path: tuple[str | int, ...], message: str, remedy: str) -> None:
        super().__init__(message)
        self.path = path
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Read:
    """A requirement's parameters in one spelling, and what tells it from others of its kind."""

    params: dict[str, Any]
    name: str = ""


def _change_ticket(said: dict[str, Any]) -> Read:
    try:
        ticket.compiled(said["pattern"])
    except ticket.PatternError as error:
        raise Mistaken(("pattern",), str(error), error.remedy) from error
    return Read({"pattern": said["pattern"]})


def _window(said: dict[str, Any]) -> Read:
    try:
        return Read(window.read(said))
    except window.WindowError as error:
        raise Mistaken((error.field,), str(error), error.remedy) from error


def _external_check(said: dict[str, Any]) -> Read:
    return Read({"name": said["name"], **_max_age(said)}, said["name"])


def _max_age(said: dict[str, Any]) -> dict[str, int]:
    return {"max_age": seconds(said["max_age"])} if "max_age" in said else {}


def _project_standards(said: dict[str, Any]) -> Read:
    return Read({"max_severity": said.get("max_severity", "none"), **_max_age(said)})


def _govern(said: dict[str, Any]) -> Read:
    step = {"step": said["step"]} if "step" in said else {}
    blueprint = said.get("blueprint", standards.BLUEPRINT)
    return Read({"blueprint": blueprint, **step, **_max_age(said)}, said.get("step", ""))


KINDS: dict[str, Callable[[dict[str, Any]], Read]] = {
    "change_ticket": _change_ticket,
    "external_check": _external_check,
    "govern": _govern,
    "project_standards": _project_standards,
    "window": _window,
}
