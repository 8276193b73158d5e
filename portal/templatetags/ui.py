"""The words and shapes pages are made of: states, digests, instants, numbers, fields, charts.

In charge of how a value looks. Not in charge of what it is: nothing here asks the database or decides.
The module is a template builtin (see settings), so pages use it without `load`.
"""

import base64
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.forms import BaseForm, BoundField
from django.template import Context, Library
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from portal import charts
from portal.ways import right_word

register = Library()

SHAPES: Final[Mapping[str, str]] = {
    "check": "M8 0a8 8 0 1 0 0 16A8 8 0 0 0 8 0zm4.2 6-5 5.6-3.4-3.1 1.4-1.5 1.9 1.8 3.6-4.1z",
    "square": "M1 1h14v14H1zm2 2v10h10V3z",
    "cross": "M4.7 0h6.6L16 4.7v6.6L11.3 16H4.7L0 11.3V4.7zm-.4 5.7L6.6 8l-2.3 2.3 1.4 1.4L8 9.4l"
    "2.3 2.3 1.4-1.4L9.4 8l2.3-2.3-1.4-1.4L8 6.6 5.7 4.3z",
    "diamond": "M8 0l8 8-8 8-8-8zM7.2 4v5h1.6V4zm0 6.2v1.7h1.6v-1.7z",
    "hexagon": "M0 8l4-7h8l4 7-4 7H4zm4-1v2h8V7z",
    "half": "M8 0a8 8 0 1 1 0 16A8 8 0 0 1 8 0zm0 2a6 6 0 0 0 0 12z",
    "ring": "M8 0a8 8 0 1 1 0 16A8 8 0 0 1 8 0zm0 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2z",
    "dash": "M8 0a8 8 0 1 1 0 16A8 8 0 0 1 8 0zm0 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zM4.5 7h7v2h-7z",
    "pause": "M8 0a8 8 0 1 1 0 16A8 8 0 0 1 8 0zM5 4.5v7h2v-7zm4 0v7h2v-7z",
    "back": "M6 2L1 6.5 6 11V8h4a2.5 2.5 0 0 1 0 5H6v2h4a4.5 4.5 0 0 0 0-9H6z",
}
"""Outlines on a 16 by 16 grid, filled even-odd."""


@dataclass(frozen=True, slots=True)
class Look:
    label: Promise | str
    shape: str
    tone: str


def _look(label: Promise, shape: str, tone: str) -> Look:
    return Look(label, shape, tone)


STATES: Final[Mapping[str, Look]] = {
    # findings
    "met": _look(gettext_lazy("Met"), "check", "met"),
    "not_met": _look(gettext_lazy("Not met"), "square", "not"),
    "cannot_tell": _look(gettext_lazy("Cannot tell"), "diamond", "doubt"),
    "waived": _look(gettext_lazy("Waived"), "hexagon", "waived"),
    # what a draft of a policy would have made of it
    "would_stop": _look(gettext_lazy("Stopped"), "square", "not"),
    "would_pass": _look(gettext_lazy("Passed"), "check", "met"),
    # requests
    "draft": _look(gettext_lazy("Draft"), "ring", "idle"),
    "open": _look(gettext_lazy("Open"), "ring", "busy"),
    "held": _look(gettext_lazy("Held"), "pause", "doubt"),
    "promoting": _look(gettext_lazy("Promoting"), "half", "busy"),
    "withdrawn": _look(gettext_lazy("Withdrawn"), "dash", "idle"),
    "superseded": _look(gettext_lazy("Superseded"), "dash", "idle"),
    "expired": _look(gettext_lazy("Expired"), "dash", "idle"),
    # promotions and steps
    "pending": _look(gettext_lazy("Pending"), "ring", "idle"),
    "queued": _look(gettext_lazy("Queued"), "ring", "idle"),
    "waiting": _look(gettext_lazy("Waiting"), "ring", "idle"),
    "running": _look(gettext_lazy("Running"), "half", "busy"),
    "done": _look(gettext_lazy("Done"), "check", "met"),
    "succeeded": _look(gettext_lazy("Succeeded"), "check", "met"),
    "failed": _look(gettext_lazy("Failed"), "cross", "not"),
    "errored": _look(gettext_lazy("Errored"), "diamond", "not"),
    "stopped": _look(gettext_lazy("Stopped"), "dash", "idle"),
    "skipped": _look(gettext_lazy("Skipped"), "dash", "idle"),
    "rolled_back": _look(gettext_lazy("Rolled back"), "back", "doubt"),
    # what runs, and the nodes it runs on
    "live": _look(gettext_lazy("Live"), "check", "met"),
    "healthy": _look(gettext_lazy("Healthy"), "check", "met"),
    "unhealthy": _look(gettext_lazy("Unhealthy"), "cross", "not"),
    "out_of_sync": _look(gettext_lazy("Out of sync"), "diamond", "doubt"),
    "unknown": _look(gettext_lazy("Unknown"), "diamond", "doubt"),
    "reachable": _look(gettext_lazy("Reachable"), "check", "met"),
    "unreachable": _look(gettext_lazy("Unreachable"), "cross", "not"),
    # tests and scenarios, in the words of DSS
    "passed": _look(gettext_lazy("Passed"), "check", "met"),
    "success": _look(gettext_lazy("Success"), "check", "met"),
    "warning": _look(gettext_lazy("Warning"), "diamond", "doubt"),
    "error": _look(gettext_lazy("Error"), "cross", "not"),
    "aborted": _look(gettext_lazy("Aborted"), "dash", "not"),
    # decisions
    "approve": _look(gettext_lazy("Approved"), "check", "met"),
    "approve_with_conditions": _look(gettext_lazy("Approved with conditions"), "check", "met"),
    "request_changes": _look(gettext_lazy("Changes requested"), "square", "doubt"),
    "reject": _look(gettext_lazy("Rejected"), "cross", "not"),
    # rights and changes
    "active": _look(gettext_lazy("Active"), "check", "met"),
    "proposed": _look(gettext_lazy("Proposed"), "ring", "busy"),
    "refused": _look(gettext_lazy("Refused"), "cross", "not"),
    "outdated": _look(gettext_lazy("Outdated"), "diamond", "idle"),
    "applied": _look(gettext_lazy("Applied"), "check", "met"),
    "enabled": _look(gettext_lazy("Enabled"), "check", "met"),
    "disabled": _look(gettext_lazy("Disabled"), "dash", "idle"),
    "coming": _look(gettext_lazy("Coming"), "ring", "idle"),
    "ended": _look(gettext_lazy("Ended"), "dash", "idle"),
    "revoked": _look(gettext_lazy("Revoked"), "dash", "idle"),
    # access reviews
    "asked": _look(gettext_lazy("Waits"), "ring", "busy"),
    "completed": _look(gettext_lazy("Completed"), "check", "met"),
    "called_off": _look(gettext_lazy("Called off"), "dash", "idle"),
    "confirmed": _look(gettext_lazy("Confirmed"), "check", "met"),
    "lapsed": _look(gettext_lazy("Revoked, not confirmed"), "square", "doubt"),
    "spared": _look(gettext_lazy("Kept for the last administrator"), "hexagon", "waived"),
    "gone": _look(gettext_lazy("Ended otherwise"), "dash", "idle"),
    "released": _look(gettext_lazy("Not asked any more"), "dash", "idle"),
    # proof
    "sealed": _look(gettext_lazy("Sealed"), "check", "met"),
    "verified": _look(gettext_lazy("Verified"), "check", "met"),
    "broken": _look(gettext_lazy("Broken"), "cross", "not"),
}
"""Every word a state is shown with, its shape and its tone. A state missing here shows with a diamond."""

STEP_SHAPES: Final[Mapping[str, str]] = {
    "done": "check",
    "running": "half",
    "failed": "cross",
    "errored": "diamond",
    "skipped": "dash",
    "waiting": "ring",
}


# --- states -------------------------------------------------------------------------------------------------


@register.simple_tag
def shape(name: str) -> str:
    """Draw one shape; it is decoration beside a word, so hidden from screen readers."""
    return format_html(
        '<svg class="shape" viewBox="0 0 16 16" aria-hidden="true" focusable="false">'
        '<path fill-rule="evenodd" d="{}"/></svg>',
        SHAPES[name],
    )


@register.inclusion_tag("components/state.html")
def state(value: object, label: str = "", pill: bool = False) -> dict[str, Any]:
    """Show a state as shape and word. `value` is a key of STATES, in any case, or an enum whose value is."""
    key = str(getattr(value, "value", value)).lower().replace(" ", "_").replace("-", "_")
    look = STATES.get(key)
    if look is None:
        look = Look(str(getattr(value, "label", "")) or key.replace("_", " ").capitalize(), "diamond", "idle")
    return {"label": label or look.label, "shape": look.shape, "tone": look.tone, "pill": pill}


@register.filter
def spaced(value: object) -> str:
    """A name such as `model-risk` as words; upper and lower case stay."""
    return str(value).replace("-", " ").replace("_", " ")


@register.filter
def right_of(grant: Any) -> str:
    """The right of a grant in a word or two: "promote", "sign for model risk"."""
    return right_word(grant.right, grant.role)


@register.filter
def instead_of(name: object, principal: object) -> str:
    """Who acted, and for whom where they stood in for somebody: "Eli Brandt for Fay Okafor"."""
    return _("%(name)s for %(other)s") % {"name": name, "other": principal} if principal else str(name)


@register.filter
def step_shape(value: object) -> str:
    return STEP_SHAPES.get(str(getattr(value, "value", value)), "ring")


@register.filter
def as_json(value: object) -> str:
    """A value as JSON, for an attribute that a script reads; bytes as web-safe base64."""
    return json.dumps(
        value, default=lambda held: websafe(bytes(held)) if isinstance(held, bytes) else dict(held)
    )


def websafe(value: bytes) -> str:
    """Web-safe base64 without padding."""
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


# --- digests ------------------------------------------------------------------------------------------------


@register.filter
def short(value: object) -> str:
    """The first and last four characters of a digest; anything of twelve characters or fewer stays whole."""
    text = str(value or "")
    return text if len(text) <= 12 else f"{text[:4]}\u2026{text[-4:]}"


@register.inclusion_tag("components/digest.html")
def digest(value: object, label: str = "SHA-256") -> dict[str, Any]:
    """Show a digest short, with the whole on focus and copied on click."""
    return {"value": str(value or ""), "label": label}


# --- instants and durations ---------------------------------------------------------------------------------


@register.inclusion_tag("components/when.html")
def when(instant: datetime | str | None, form: str = "relative", empty: str = "") -> dict[str, Any]:
    """Show an instant in the reader's zone; the whole on focus.

    Forms: `relative` ("2 hours ago"), `span` ("2 hours", after "for"), `absolute`, `date`.

    Takes an aware datetime or RFC 3339 text; `empty` is said when there is none. ValueError on a naive
    datetime: a time without a zone proves nothing.
    """
    if not instant:
        return {"at": None, "empty": empty or "\u2013"}
    at = parse_datetime(instant) if isinstance(instant, str) else instant
    if at is None:
        raise ValueError(f"not an instant: {instant!r}")
    if timezone.is_naive(at):
        raise ValueError(f"an instant needs a zone: {instant!r}")
    local = timezone.localtime(at)
    zone = timezone.get_current_timezone_name()
    whole = f"{_absolute(local)} ({zone})" if zone != local.tzname() else _absolute(local)
    shown = {
        "relative": lambda: relative(at, timezone.now()),
        "span": lambda: _span(abs(round((timezone.now() - at).total_seconds()))),
        "absolute": lambda: _absolute(local, seconds=False),
        "date": lambda: date_format(local, "j F Y"),
    }[form]()
    return {"at": at, "iso": at.isoformat(), "shown": shown, "whole": whole}


def relative(at: datetime, now: datetime) -> str:
    """Say how far `at` lies from `now`, in the one unit that reads best."""
    seconds = round((now - at).total_seconds())
    past, span = seconds >= 0, abs(seconds)
    if span < 5:
        return _("just now") if past else _("in a moment")
    said = _span(span)
    return _("%(span)s ago") % {"span": said} if past else _("in %(span)s") % {"span": said}


@register.filter
def duration(value: timedelta | float | None) -> str:
    """Say a length of time ("2 min 4 s"), given in seconds or as a timedelta."""
    if value is None:
        return "\u2013"
    seconds = value.total_seconds() if isinstance(value, timedelta) else float(value)
    if seconds < 1:
        return f"{seconds * 1000:.0f}\u00a0ms"
    if seconds < 10:
        return f"{seconds:.1f}\u00a0s"
    whole = round(seconds)
    parts = [(whole // 86400, "d"), (whole // 3600 % 24, "h"), (whole // 60 % 60, "min"), (whole % 60, "s")]
    first = next(i for i, (n, _unit) in enumerate(parts) if n)
    return " ".join(f"{n}\u00a0{unit}" for n, unit in parts[first : first + 2] if n)


def _span(seconds: int) -> str:
    if seconds < 60:
        return ngettext("%(n)d second", "%(n)d seconds", seconds) % {"n": seconds}
    if seconds < 90 * 60:
        n = round(seconds / 60)
        return ngettext("%(n)d minute", "%(n)d minutes", n) % {"n": n}
    if seconds < 36 * 3600:
        n = round(seconds / 3600)
        return ngettext("%(n)d hour", "%(n)d hours", n) % {"n": n}
    if seconds < 60 * 86400:
        n = round(seconds / 86400)
        return ngettext("%(n)d day", "%(n)d days", n) % {"n": n}
    if seconds < 700 * 86400:
        n = round(seconds / (30.44 * 86400))
        return ngettext("%(n)d month", "%(n)d months", n) % {"n": n}
    n = round(seconds / (365.25 * 86400))
    return ngettext("%(n)d year", "%(n)d years", n) % {"n": n}


def _absolute(local: datetime, *, seconds: bool = True) -> str:
    return f"{date_format(local, 'j F Y')}, {local:{'%H:%M:%S' if seconds else '%H:%M'}} {local.tzname()}"


# --- numbers and words --------------------------------------------------------------------------------------


@register.filter
def number(value: float | None) -> str:
    """Group the thousands of a count."""
    return "\u2013" if value is None else f"{value:,}"


@register.filter
def percent(value: float | None, decimals: int = 1) -> str:
    """Show a fraction of one as per cent."""
    return "\u2013" if value is None else f"{100 * value:.{decimals}f}\u00a0%"


@register.filter
def points(value: float) -> str:
    """Show a change of a fraction of one in points of per cent, always with its sign."""
    return _("%(points)s points") % {"points": f"{100 * value:+z.1f}"}


@register.filter
def any_of(names: Iterable[object]) -> str:
    """Join names as alternatives: "Fay Okafor, Lena Vogt or Abe Tanner"."""
    said = [str(name) for name in names]
    if len(said) < 2:
        return "".join(said)
    return _("%(some)s or %(last)s") % {"some": ", ".join(said[:-1]), "last": said[-1]}


# --- forms --------------------------------------------------------------------------------------------------


@register.inclusion_tag("components/field.html")
def field(bound: BoundField) -> dict[str, Any]:
    """Show one field: label, what is wrong, the control, help."""
    return {"field": bound}


@register.inclusion_tag("components/form_errors.html")
def form_errors(form: BaseForm) -> dict[str, Any]:
    """Say above a form what is wrong with it, each line leading to its field."""
    wrong = [(bound, error) for bound in form.visible_fields() for error in bound.errors]
    hidden = [error for bound in form.hidden_fields() for error in bound.errors]
    whole = [*form.non_field_errors(), *hidden] if form.is_bound else []
    return {"wrong": wrong, "whole": whole, "count": len(wrong) + len(whole)}


# --- lists --------------------------------------------------------------------------------------------------


@register.inclusion_tag("components/pages.html", takes_context=True)
def pages(context: Context, page: Any) -> dict[str, Any]:
    """Show where in a paginated list the reader is; the rest of the query string stays."""
    return {"page": page, "request": context.get("request")}


@register.inclusion_tag("components/stretch.html", takes_context=True)
def stretch(context: Context, stretch: Any) -> dict[str, Any]:
    """Lead on in a list that is read by stretches; the rest of the query string stays."""
    return {"stretch": stretch, "request": context.get("request")}


@dataclass(frozen=True, slots=True)
class DiffLine:
    """One line of a difference; `kind` is add, del, same or head; numbers are 1-based or None."""

    kind: str
    before: int | None
    after: int | None
    text: str

    @property
    def sign(self) -> str:
        return {"add": "+", "del": "\u2212"}.get(self.kind, "")


@register.filter
def diff_lines(unified: str) -> list[DiffLine]:
    """Number the lines of a unified difference; file headers are left out."""
    lines: list[DiffLine] = []
    before = after = 0
    inside = False
    for text in str(unified).splitlines():
        if start := re.match(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@", text):
            before, after, inside = int(start[1]), int(start[2]), True
            lines.append(DiffLine("head", None, None, text))
        elif not inside or text.startswith("\\"):
            continue
        elif text.startswith("+"):
            lines.append(DiffLine("add", None, after, text[1:]))
            after += 1
        elif text.startswith("-"):
            lines.append(DiffLine("del", before, None, text[1:]))
            before += 1
        else:
            lines.append(DiffLine("same", before, after, text[1:]))
            before, after = before + 1, after + 1
    return lines


# --- charts -------------------------------------------------------------------------------------------------


@register.simple_tag
def interval_chart(
    rows: Sequence[charts.Interval], title: str, threshold: float | None = None, threshold_label: str = ""
) -> charts.Chart | str:
    """Draw `charts.interval_chart`, or say that there is nothing to draw."""
    if not rows:
        return _nothing()
    return charts.interval_chart(rows, title=title, threshold=threshold, threshold_label=threshold_label)


@register.simple_tag
def interval_mark(
    row: charts.Interval, threshold: float | None = None, bottom: float = 0.5, top: float = 1.1
) -> charts.Chart:
    """Draw one estimate for a table cell on an axis from `bottom` to `top`."""
    return charts.interval_mark(row, threshold=threshold, domain=(bottom, top))


@register.simple_tag
def importance_chart(
    rows: Sequence[charts.Bar], title: str, unit: str = "%", decimals: int = 1
) -> charts.Chart | str:
    """Draw `charts.importance_chart`, or say that there is nothing to draw."""
    return charts.importance_chart(rows, title=title, unit=unit, decimals=decimals) if rows else _nothing()


@register.simple_tag
def rate_chart(rows: Sequence[charts.GroupRate], title: str) -> charts.Chart | str:
    """Draw `charts.rate_chart`, or say that there is nothing to draw."""
    return charts.rate_chart(rows, title=title) if rows else _nothing()


@register.simple_tag
def chart(drawn: charts.Chart) -> charts.Chart:
    """A chart that is drawn already."""
    return drawn


def _nothing() -> str:
    return format_html('<p class="muted">{}</p>', _("There are no figures to draw."))
