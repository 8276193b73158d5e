"""Charts as SVG text, the same on a page and in a PDF.

In charge of geometry, labels and the text alternative. Not in charge of what a figure means: rows come in with
their state already judged. Colours are presentation attributes (the paper values of the tokens in `app.css`),
which the PDF renderer honours and which the style sheet overrides by class on screen: dark mode needs no second
drawing and a strict Content-Security-Policy no inline style. Every x is a percentage and every y a pixel, so a
chart fills its column at 360 px and on A4 with letters of one size.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from math import floor, isfinite, log10
from typing import TypeVar

from django.utils.translation import gettext as _

PAPER = {
    "ink": "#1b1f2a",
    "ink-2": "#4f5768",
    "line": "#e2e2dc",
    "line-strong": "#858b98",
    "accent": "#2747c7",
    "accent-soft": "#eef1fd",
    "met": "#1a7446",
    "not": "#b3372f",
    "doubt": "#855600",
}
"""Light values of the tokens of the same name; a test keeps them equal to the style sheet."""

INK_OF = {"": "ink", "met": "met", "not_met": "not", "cannot_tell": "doubt"}

T = TypeVar("T")

FONT = "Inter, sans-serif"
TEXT = 15
TRACK = 32
AFTER = 18
"""Pixels from the top of a row to its words, to the middle of its track, and from there to the next row."""
SECOND_LINE = 16
NARROW = 290
"""Pixels a chart may count on: the width of a card on a 360 px screen."""
LONGEST_LABEL = 40


@dataclass(frozen=True, slots=True)
class Chart:
    """A finished drawing. `svg` is safe markup; `alternative` says in words all that the drawing shows."""

    title: str
    alternative: str
    svg: str
    height: int

    def __html__(self) -> str:
        return self.svg

    def __str__(self) -> str:
        return self.svg


@dataclass(frozen=True, slots=True)
class Interval:
    """One estimate with its interval, in the unit of the axis. `value` None: nothing to estimate from.

    `state` is a finding state ("met", "not_met", "cannot_tell") or "" for a plain mark; the
    shape of the mark follows it.
    """

    label: str
    value: float | None
    low: float | None = None
    high: float | None = None
    state: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar; `value` in the unit of the chart, of either sign."""

    label: str
    value: float
    note: str = ""


@dataclass(frozen=True, slots=True)
class GroupRate:
    """`selected` out of `total` people of one group, with the interval of the rate as fractions of one."""

    label: str
    selected: int
    total: int
    low: float | None = None
    high: float | None = None
    reference: bool = False

    @property
    def rate(self) -> float | None:
        return self.selected / self.total if self.total else None


def interval_chart(
    rows: Iterable[Interval],
    *,
    title: str,
    threshold: float | None = None,
    threshold_label: str = "",
    domain: tuple[float, float] | None = None,
    decimals: int = 2,
) -> Chart:
    """Draw estimates with their intervals against one threshold. ValueError on no rows."""
    rows = _some(rows)
    for row in rows:
        _check_interval(row.label, row.value, row.low, row.high)
    scale = _Scale(domain or _domain(_numbers(rows, threshold)))
    ink = _Drawing(title)
    words = f"{threshold_label or _('threshold')} {threshold:.{decimals}f}" if threshold is not None else ""
    y = 4.0
    if threshold is not None:
        y = 20.0
        ink.threshold_label(scale, threshold, words)
        ink.say(words + ".")
    figures = [_figure(row.value, row.low, row.high, decimals) for row in rows]
    shown = [_joined(said, row.note) for row, said in zip(rows, figures, strict=True)]
    one_line = _one_line([row.label for row in rows], shown)
    for row, said, words in zip(rows, figures, shown, strict=True):
        y = ink.row_text(y, row.label, words, one_line=one_line)
        ink.grid(scale, y)
        ink.line("0%", y, "100%", y, "line", 1)
        if threshold is not None:
            ink.line(scale.at(threshold), y - 10, scale.at(threshold), y + 10, "not", 1.5, dashes="4 3")
        ink.interval(scale, y, row.value, row.low, row.high, row.state)
        ink.say(_sentence(row.label, said, _state_word(row.state), row.note))
        y += AFTER
    ink.axis(scale, y, decimals)
    return ink.finish(y + 18)


def interval_mark(
    row: Interval,
    *,
    threshold: float | None = None,
    domain: tuple[float, float] = (0.0, 1.2),
    decimals: int = 2,
) -> Chart:
    """Draw one estimate small enough for a table cell: the interval, the threshold and the figure."""
    _check_interval(row.label, row.value, row.low, row.high)
    said = _figure(row.value, row.low, row.high, decimals)
    ink = _Drawing(row.label)
    scale = _Scale(domain)
    ink.line("0%", 10, "100%", 10, "line", 1)
    if threshold is not None:
        ink.line(scale.at(threshold), 1, scale.at(threshold), 19, "not", 1.5, dashes="3 2")
    ink.interval(scale, 10, row.value, row.low, row.high, row.state)
    words = f"{_('threshold')} {threshold:.{decimals}f}" if threshold is not None else ""
    ink.say(_sentence(row.label, said, words, row.note))
    return ink.finish(20, small=True)


def importance_chart(rows: Iterable[Bar], *, title: str, decimals: int = 1, unit: str = "%") -> Chart:
    """Draw bars in the order given, each with its figure. ValueError on no rows."""
    rows = _some(rows)
    for row in rows:
        _check_interval(row.label, row.value, None, None)
    values = [row.value for row in rows]
    scale = _Scale((min(0.0, *values, 0.0), max(0.0, *values) or 1.0))
    ink = _Drawing(title)
    figures = [f"{row.value:.{decimals}f}" + (f"\u00a0{unit}" if unit else "") for row in rows]
    shown = [_joined(said, row.note) for row, said in zip(rows, figures, strict=True)]
    one_line = _one_line([row.label for row in rows], shown)
    y = 0.0
    for row, said, words in zip(rows, figures, shown, strict=True):
        y = ink.row_text(y, row.label, words, one_line=one_line)
        ink.bar(scale, y - 8, row.value, 8, "accent")
        ink.say(_sentence(row.label, said, row.note))
        y += AFTER - 4
    return ink.finish(y)


def rate_chart(rows: Iterable[GroupRate], *, title: str, decimals: int = 1) -> Chart:
    """Draw the rate of each group as a bar with its interval as a whisker. ValueError on no rows."""
    rows = _some(rows)
    for row in rows:
        if not 0 <= row.selected <= row.total:
            raise ValueError(f"{row.label}: {row.selected} of {row.total} is not a count of a group")
        _check_interval(row.label, row.rate, row.low, row.high)
    numbers = [n for row in rows for n in (row.rate, row.low, row.high) if n is not None]
    scale = _Scale((0.0, _ceiling(max(numbers, default=1.0) or 1.0)))
    ink = _Drawing(title)
    rates = [
        _("cannot tell") if row.rate is None else f"{100 * row.rate:.{decimals}f}\u00a0%" for row in rows
    ]
    counts = [
        _("%(selected)s of %(total)s") % {"selected": f"{row.selected:,}", "total": f"{row.total:,}"}
        for row in rows
    ]
    marks = [_("reference") if row.reference else "" for row in rows]
    shown = [_joined(*words) for words in zip(rates, counts, marks, strict=True)]
    one_line = _one_line([row.label for row in rows], shown)
    y = 0.0
    for row, said, counted, mark, words in zip(rows, rates, counts, marks, shown, strict=True):
        rate = row.rate
        y = ink.row_text(y, row.label, words, one_line=one_line)
        ink.grid(scale, y)
        if rate is not None:
            ink.bar(scale, y - 5, rate, 10, "line-strong" if row.reference else "accent", soft=True)
        if row.low is not None and row.high is not None:
            ink.whisker(scale, y, row.low, row.high)
        span = (
            _("interval %(low)s to %(high)s")
            % {"low": f"{100 * row.low:.{decimals}f}", "high": f"{100 * row.high:.{decimals}f}\u00a0%"}
            if row.low is not None and row.high is not None
            else ""
        )
        ink.say(_sentence(row.label, said, counted, span, mark))
        y += AFTER
    ink.axis(scale, y, 0, percent=True)
    return ink.finish(y + 18)


@dataclass(frozen=True, slots=True)
class Point:
    """Where a curve passes: `at` on the way along, a number or a name, `value` there."""

    at: float | str
    value: float


def line_chart(points: Iterable[Point], *, title: str, unit: str = "") -> Chart:
    """Draw a curve: joined up where every point is at a number, else a mark for each name. ValueError without two."""
    points = list(points)
    if len(points) < 2:
        raise ValueError("a curve needs at least two points")
    numeric = all(isinstance(point.at, int | float) for point in points)
    places = [float(point.at) if numeric else float(place) for place, point in enumerate(points)]
    if not all(isfinite(n) for n in (*places, *(point.value for point in points))):
        raise ValueError("a chart cannot draw a number that is not finite")
    if numeric and any(after <= before for before, after in pairwise(places)):
        raise ValueError("the points of a curve have to rise along the way")
    ink = _Drawing(title)
    values = [point.value for point in points]
    up = _Scale(_around(min(values), max(values)))
    ticks = up.ticks()
    decimals = _places(ticks, 2)
    label = 7 * max(len(f"{tick:.{decimals}f}") for tick in ticks) + 10
    left = min(
        30.0, 100 * label / NARROW
    )  # room for the words of the axis, in per cent of the narrowest chart
    along = _Inset((places[0], places[-1]), left, 98.0)
    top, height = 8.0, 110.0

    def y(value: float) -> float:
        return top + height * (1 - up.share(value))

    for tick in ticks:
        ink.line(f"{left:.2f}%", y(tick), "100%", y(tick), "line", 1)
        ink.text("0%", y(tick) + 4, f"{tick:.{decimals}f}", "ink-2", size=11)
    marks = [(along.at(place), y(point.value)) for place, point in zip(places, points, strict=True)]
    if numeric:
        for (x1, y1), (x2, y2) in pairwise(marks):
            ink.line(x1, y1, x2, y2, "accent", 2)
    if not numeric or len(points) <= MARKED:
        for x, here in marks:
            ink.dot(x, here, "accent")
    bottom = top + height + 16
    shown = range(len(points)) if not numeric and len(points) <= NAMED_ALONG else (0, len(points) - 1)
    for place in shown:
        share = (places[place] - places[0]) / (places[-1] - places[0])
        anchor = "start" if share < 0.04 else "end" if share > 0.96 else "middle"
        ink.text(marks[place][0], bottom, _along(points[place].at), "ink-2", size=11, anchor=anchor)
    suffix = f"\u00a0{unit}" if unit else ""
    for point in points:
        ink.say(_sentence(_along(point.at), f"{point.value:z.3g}{suffix}"))
    return ink.finish(bottom + 6)


MARKED = 20
"""Points that are marked on a curve; more would be a thick line."""
NAMED_ALONG = 4
"""Names that fit beside each other below a curve on a phone."""


def _along(at: float | str) -> str:
    return f"{at:g}" if isinstance(at, int | float) else _clip(at)


def _around(low: float, high: float) -> tuple[float, float]:
    """A domain of round numbers that holds both; from zero where that wastes at most half of it."""
    if low >= 0 and low <= high / 2:
        low = 0.0
    if low == high:
        gap = abs(low) / 2 or 0.5
        low, high = low - gap, high + gap
    step = _step(high - low)
    return (floor(low / step + 1e-9) * step, -floor(-(high / step) + 1e-9) * step)


class _Inset:
    """Maps a number of the domain to a percentage of the width between two of them."""

    def __init__(self, domain: tuple[float, float], left: float, right: float) -> None:
        self.low, self.high = domain
        self.left, self.right = left, right

    def at(self, value: float) -> str:
        share = (value - self.low) / (self.high - self.low)
        return f"{self.left + share * (self.right - self.left):.2f}%"


class _Scale:
    """Maps a number of the domain to a percentage of the width; what lies outside is drawn at the edge."""

    def __init__(self, domain: tuple[float, float]) -> None:
        self.low, self.high = domain
        if not (isfinite(self.low) and isfinite(self.high) and self.low < self.high):
            raise ValueError(f"a chart needs a domain that rises, not {domain}")

    def share(self, value: float) -> float:
        return min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))

    def at(self, value: float) -> str:
        return f"{100 * self.share(value):.2f}%"

    def ticks(self) -> list[float]:
        step = _step(self.high - self.low)
        first = floor(self.low / step + 1e-9)
        numbers = (round((first + n) * step, 10) for n in range(12))
        return [n for n in numbers if self.low - step * 1e-6 <= n <= self.high + step * 1e-6]


class _Drawing:
    """Collects marks and words until `finish` puts them together."""

    def __init__(self, title: str) -> None:
        if not title.strip():
            raise ValueError("a chart needs a title")
        self.title = title
        self.marks: list[str] = []
        self.words: list[str] = []

    def say(self, sentence: str) -> None:
        self.words.append(sentence)

    def line(
        self, x1: str, y1: float, x2: str, y2: float, ink: str, width: float, *, dashes: str = ""
    ) -> None:
        dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
        self.marks.append(
            f'<line class="s-{ink}" x1="{x1}" y1="{y1:g}" x2="{x2}" y2="{y2:g}" stroke="{PAPER[ink]}"'
            f' stroke-width="{width:g}"{dashed}/>'
        )

    def text(
        self,
        x: str,
        y: float,
        words: str,
        ink: str,
        *,
        size: int = 12,
        weight: int = 400,
        anchor: str = "start",
    ) -> None:
        self.marks.append(
            f'<text class="f-{ink}" x="{x}" y="{y:g}" fill="{PAPER[ink]}" font-family="{FONT}"'
            f' font-size="{size}" font-weight="{weight}" text-anchor="{anchor}">{escape(words)}</text>'
        )

    def row_text(self, y: float, label: str, figures: str, *, one_line: bool) -> float:
        """Write label and figures above a track; return the y of the track."""
        self.text("0%", y + TEXT, _clip(label), "ink", size=13, weight=500)
        if one_line:
            self.text("100%", y + TEXT, figures, "ink-2", anchor="end")
            return y + TRACK
        self.text("0%", y + TEXT + SECOND_LINE, figures, "ink-2")
        return y + TRACK + SECOND_LINE

    def grid(self, scale: _Scale, y: float) -> None:
        """Mark the ticks along one track only: lines through the words would make both hard to read."""
        for tick in scale.ticks():
            self.line(scale.at(tick), y - 8, scale.at(tick), y + 8, "line", 1)

    def axis(self, scale: _Scale, y: float, decimals: int, *, percent: bool = False) -> None:
        ticks = scale.ticks()
        for tick in ticks:
            words = f"{100 * tick:.0f}\u00a0%" if percent else f"{tick:.{_places(ticks, decimals)}f}"
            share = scale.share(tick)
            anchor = "start" if share < 0.04 else "end" if share > 0.96 else "middle"
            self.text(scale.at(tick), y + 8, words, "ink-2", size=11, anchor=anchor)

    def threshold_label(self, scale: _Scale, value: float, words: str) -> None:
        share = scale.share(value)
        anchor = "start" if share < 0.2 else "end" if share > 0.8 else "middle"
        self.text(scale.at(value), 12, words, "not", size=11, weight=600, anchor=anchor)

    def bar(
        self, scale: _Scale, y: float, value: float, height: int, ink: str, *, soft: bool = False
    ) -> None:
        start, end = sorted((scale.share(0.0), scale.share(value)))
        fade = ' fill-opacity="0.35"' if soft else ""
        self.marks.append(
            f'<rect class="f-{ink}" x="{100 * start:.2f}%" y="{y:g}" width="{100 * (end - start):.2f}%"'
            f' height="{height}" rx="2" fill="{PAPER[ink]}"{fade}/>'
        )

    def whisker(self, scale: _Scale, y: float, low: float, high: float, ink: str = "ink") -> None:
        self.line(scale.at(low), y, scale.at(high), y, ink, 2)
        for end in (low, high):
            self.line(scale.at(end), y - 4, scale.at(end), y + 4, ink, 2)

    def interval(
        self, scale: _Scale, y: float, value: float | None, low: float | None, high: float | None, state: str
    ) -> None:
        ink = INK_OF[state]
        if low is not None and high is not None:
            self.whisker(scale, y, low, high, ink)
        if value is not None:
            self.mark(scale.at(value), y, ink, state)

    def mark(self, x: str, y: float, ink: str, state: str) -> None:
        """A filled circle holds, an open square does not, a diamond cannot tell: shape before colour."""
        paint = f'stroke="{PAPER[ink]}" stroke-width="2"'
        if state == "not_met":
            shape = (
                f'<rect class="f-paper s-{ink}" x="-5" y="-5" width="10" height="10" fill="#ffffff" {paint}/>'
            )
        elif state == "cannot_tell":
            shape = f'<path class="f-paper s-{ink}" d="M0-6.5 6.5 0 0 6.5-6.5 0z" fill="#ffffff" {paint}/>'
        else:
            shape = f'<circle class="f-{ink}" r="5" fill="{PAPER[ink]}"/>'
        # A nested svg is the one way to place a shape at a percentage without a transform.
        self.marks.append(f'<svg x="{x}" y="{y:g}" width="1" height="1" overflow="visible">{shape}</svg>')

    def dot(self, x: str, y: float, ink: str) -> None:
        """A small round mark on a curve."""
        self.marks.append(f'<circle class="f-{ink}" cx="{x}" cy="{y:g}" r="3" fill="{PAPER[ink]}"/>')

    def finish(self, height: float, *, small: bool = False) -> Chart:
        alternative = " ".join(self.words)
        said = escape(f"{self.title}. {alternative}" if not small else alternative)
        name = "chart chart-small" if small else "chart"
        svg = (
            f'<svg class="{name}" xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{said}"'
            f' width="100%" height="{height:g}" overflow="visible">'
            f"<title>{escape(self.title)}</title><desc>{escape(alternative)}</desc>{''.join(self.marks)}</svg>"
        )
        return Chart(self.title, alternative, svg, int(height))


def _state_word(state: str) -> str:
    return {"": "", "met": _("met"), "not_met": _("not met"), "cannot_tell": _("cannot tell")}[state]


def _some(rows: Iterable[T]) -> Sequence[T]:
    found = list(rows)
    if not found:
        raise ValueError("a chart needs at least one row")
    return found


def _check_interval(label: str, value: float | None, low: float | None, high: float | None) -> None:
    if any(n is not None and not isfinite(n) for n in (value, low, high)):
        raise ValueError(f"{label}: a chart cannot draw a number that is not finite")
    if (low is None) != (high is None) or (low is not None and high is not None and low > high):
        raise ValueError(f"{label}: an interval needs a low end below its high end")


def _numbers(rows: Sequence[Interval], threshold: float | None) -> list[float]:
    found = [n for row in rows for n in (row.value, row.low, row.high) if n is not None]
    return [*found, threshold] if threshold is not None else found


def _domain(numbers: Sequence[float]) -> tuple[float, float]:
    """From zero (or below) to a round number at or above the largest."""
    low, high = min(0.0, *numbers, 0.0), max(0.0, *numbers, 0.0)
    if low == high:
        return (0.0, 1.0)
    step = _step(high - low)
    return (floor(low / step) * step, -floor(-(high / step) + 1e-9) * step)


def _ceiling(high: float) -> float:
    return _domain([high])[1]


def _step(span: float) -> float:
    """A step of 1, 2 or 5 times a power of ten that gives three to seven steps over the span."""
    power: float = 10.0 ** floor(log10(span / 3))
    return max((m * power for m in (1, 2, 5) if span / (m * power) >= 3), default=power)


def _places(ticks: Sequence[float], decimals: int) -> int:
    """Decimals enough to tell the ticks apart, at most two more than the figures have."""
    for places in range(decimals + 3):
        if all(abs(round(t, places) - t) < 1e-9 for t in ticks):
            return places
    return decimals + 2


def _clip(label: str) -> str:
    return label if len(label) <= LONGEST_LABEL else label[: LONGEST_LABEL - 1].rstrip() + "\u2026"


def _joined(*words: str) -> str:
    return " \u00b7 ".join(word for word in words if word)


def _one_line(labels: Sequence[str], figures: Sequence[str]) -> bool:
    """Whether every label and its figures fit beside each other on a phone; all rows are set alike."""
    return all(
        7.2 * len(_clip(label)) + 6.4 * len(said) <= NARROW
        for label, said in zip(labels, figures, strict=True)
    )


def _figure(value: float | None, low: float | None, high: float | None, decimals: int) -> str:
    if value is None:
        return _("cannot tell")
    if low is None or high is None:
        return f"{value:z.{decimals}f}"
    return _("%(value)s (%(low)s to %(high)s)") % {
        "value": f"{value:z.{decimals}f}",
        "low": f"{low:z.{decimals}f}",
        "high": f"{high:z.{decimals}f}",
    }


def _sentence(label: str, *parts: str) -> str:
    said = dict.fromkeys(part for part in parts if part)
    return f"{label}: {', '.join(said)}."
