"""Charts: what is drawn where, what is said, and that screen and paper share their colours.

The contrast of the tokens is checked here too, from the style sheet itself.
"""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from portal import charts
from portal.charts import Bar, GroupRate, Interval, Point

STATIC = Path(charts.__file__).parent / "static" / "portal"
CSS = (STATIC / "app.css").read_text()
SVG = "{http://www.w3.org/2000/svg}"

TOKENS = {
    name: {"light": light, "dark": dark}
    for name, light, dark in re.findall(r"--([a-z0-9-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);", CSS)
}

WORDS_ON = [
    (
        "ink",
        ["paper", "ground", "sunken", "accent-soft", "met-soft", "not-soft", "doubt-soft", "waived-soft"],
    ),
    ("ink-2", ["paper", "ground", "sunken", "accent-soft", "met-soft", "not-soft", "doubt-soft", "line"]),
    ("ink-3", ["paper", "ground", "sunken"]),
    ("accent", ["paper", "ground", "sunken", "accent-soft", "not-soft"]),
    ("accent-deep", ["paper", "ground", "accent-soft"]),
    ("on-accent", ["accent", "accent-deep"]),
    ("paper", ["ink"]),
    *(
        (tone, ["paper", "ground", "sunken", "accent-soft", f"{tone}-soft"])
        for tone in ("met", "not", "doubt", "waived")
    ),
]
LINES_ON = [("line-strong", ["paper", "ground"]), ("accent", ["paper", "ground", "sunken"])]


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def parsed(chart: charts.Chart) -> ElementTree.Element:
    return ElementTree.fromstring(chart.svg)


def at(element: ElementTree.Element, name: str) -> float:
    return float(element.attrib[name].removesuffix("%"))


def test_contrast_is_measured_as_wcag_does() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.478, abs=0.001)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("ink, grounds", WORDS_ON)
def test_words_stand_out(ink: str, grounds: list[str], scheme: str) -> None:
    ratios = {ground: contrast(TOKENS[ink][scheme], TOKENS[ground][scheme]) for ground in grounds}
    assert {ground: round(ratio, 2) for ground, ratio in ratios.items() if ratio < 4.5} == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("ink, grounds", LINES_ON)
def test_controls_and_focus_stand_out(ink: str, grounds: list[str], scheme: str) -> None:
    ratios = {ground: contrast(TOKENS[ink][scheme], TOKENS[ground][scheme]) for ground in grounds}
    assert {ground: round(ratio, 2) for ground, ratio in ratios.items() if ratio < 3} == {}


def test_colours_live_in_tokens_only() -> None:
    screen = CSS.split("/* ---------------------------------------------------------------- ground */")[1]
    screen = screen.split("/* ---------------------------------------------------------------- paper */")[0]
    assert re.findall(r"#[0-9a-fA-F]{3,8}\b(?![^{]*\{)", screen) == []


def test_every_token_used_is_defined() -> None:
    defined = set(re.findall(r"(--[a-z0-9-]+):", CSS))
    assert set(re.findall(r"var\((--[a-z0-9-]+)", CSS)) - defined == set()


def test_every_file_the_style_sheet_names_is_there() -> None:
    named = re.findall(r'url\("([^"]+)"\)', CSS)
    assert len(named) == 7
    assert [name for name in named if not (STATIC / name).is_file()] == []


def test_fonts_stay_small_and_keep_their_licences() -> None:
    fonts = STATIC / "fonts"
    assert sum(f.stat().st_size for f in fonts.glob("*.woff2")) < 500_000
    for family in ("inter", "source-serif-4", "jetbrains-mono"):
        assert "SIL OPEN FONT LICENSE Version 1.1" in (fonts / f"OFL-{family}.txt").read_text()


def test_paper_has_the_light_colours_of_the_screen() -> None:
    assert {name: TOKENS[name]["light"] for name in charts.PAPER} == charts.PAPER


def test_screen_colours_every_class_a_chart_uses() -> None:
    drawn = "".join(
        c.svg
        for c in (
            charts.interval_chart(
                [Interval(s or "plain", 0.5, 0.4, 0.6, s) for s in charts.INK_OF], title="T", threshold=0.8
            ),
            charts.rate_chart(
                [GroupRate("a", 1, 2, 0.1, 0.9), GroupRate("b", 1, 2, reference=True)], title="T"
            ),
            charts.importance_chart([Bar("a", 1.0)], title="T"),
        )
    )
    used = {name for names in re.findall(r'class="([^"]+)"', drawn) for name in names.split()} - {"chart"}
    assert {name for name in used if f".chart .{name} " not in CSS} == set()


def test_an_interval_is_drawn_to_scale() -> None:
    chart = charts.interval_chart(
        [Interval("Female", 0.93, 0.89, 0.97, "met")], title="Ratios", threshold=0.8, domain=(0.0, 1.0)
    )
    root = parsed(chart)
    spans = [(at(e, "x1"), at(e, "x2")) for e in root.iter(f"{SVG}line") if e.get("class") == "s-met"]
    assert (89.0, 97.0) in spans
    mark = root.find(f"{SVG}svg")
    assert mark is not None
    assert at(mark, "x") == 93.0
    assert [at(e, "x1") for e in root.iter(f"{SVG}line") if e.get("class") == "s-not"] == [80.0]


def test_the_alternative_says_all_that_is_drawn() -> None:
    chart = charts.interval_chart(
        [
            Interval("Female", 0.93, 0.89, 0.97, "met"),
            Interval("70+", None, note="31 people", state="cannot_tell"),
        ],
        title="Ratios by group",
        threshold=0.8,
    )
    assert chart.alternative == (
        "threshold 0.80. Female: 0.93 (0.89 to 0.97), met. 70+: cannot tell, 31 people."
    )
    root = parsed(chart)
    assert root.attrib["aria-label"] == f"Ratios by group. {chart.alternative}"
    assert root.findtext(f"{SVG}title") == "Ratios by group"
    assert root.findtext(f"{SVG}desc") == chart.alternative


def test_each_state_has_a_mark_of_its_own_shape() -> None:
    shapes = {}
    for state in ("met", "not_met", "cannot_tell"):
        mark = parsed(charts.interval_mark(Interval("g", 0.5, 0.4, 0.6, state))).find(f"{SVG}svg")
        assert mark is not None
        shapes[state] = mark[0].tag.removeprefix(SVG)
    assert shapes == {"met": "circle", "not_met": "rect", "cannot_tell": "path"}


def test_a_value_beyond_the_axis_is_drawn_at_its_end() -> None:
    mark = parsed(charts.interval_mark(Interval("g", 3.0, 2.0, 4.0), domain=(0.0, 1.0))).find(f"{SVG}svg")
    assert mark is not None
    assert at(mark, "x") == 100.0


def test_rates_are_drawn_and_said_with_their_counts() -> None:
    chart = charts.rate_chart(
        [GroupRate("Female", 2859, 10212, 0.2713, 0.2888), GroupRate("Nobody", 0, 0)], title="Selection rate"
    )
    bars = [at(e, "width") for e in parsed(chart).iter(f"{SVG}rect")]
    assert bars == [pytest.approx(100 * (2859 / 10212) / 0.3, abs=0.01)]
    assert "Female: 28.0\u00a0%, 2,859 of 10,212, interval 27.1 to 28.9\u00a0%." in chart.alternative
    assert "Nobody: cannot tell, 0 of 0." in chart.alternative


def test_bars_share_one_zero() -> None:
    root = parsed(charts.importance_chart([Bar("up", 30.0), Bar("down", -10.0)], title="T"))
    bars = [(at(e, "x"), at(e, "width")) for e in root.iter(f"{SVG}rect")]
    assert bars == [(25.0, 75.0), (0.0, 25.0)]


def test_bars_of_nothing_have_no_length() -> None:
    root = parsed(charts.importance_chart([Bar("none", 0.0)], title="T"))
    assert [at(e, "width") for e in root.iter(f"{SVG}rect")] == [0.0]


def test_long_labels_move_the_figures_of_all_rows_to_a_second_line() -> None:
    short = charts.importance_chart([Bar("age", 3.0), Bar("country", 2.0)], title="T")
    long = charts.importance_chart(
        [Bar("age", 3.0), Bar("a_feature_with_a_name_of_some_length_x", 2.0)], title="T"
    )
    assert long.height == short.height + 2 * charts.SECOND_LINE
    assert "a_feature_with_a_name_of_some_length_x: 2.0" in long.alternative


def test_markup_in_names_stays_text() -> None:
    chart = charts.importance_chart([Bar('<b>"a"&b', 1.0)], title="<i>T</i>")
    root = parsed(chart)
    assert root.findtext(f"{SVG}title") == "<i>T</i>"
    assert '<b>"a"&b' in [e.text for e in root.iter(f"{SVG}text")]
    assert "<b>" not in chart.svg


def test_no_inline_style_no_script_no_reference() -> None:
    chart = charts.interval_chart([Interval("g", 0.5, 0.4, 0.6)], title="T", threshold=0.8)
    for element in parsed(chart).iter():
        assert not {"style", "href", "id"} & set(element.attrib)
        assert element.tag != f"{SVG}script"


@pytest.mark.parametrize(
    "high, ticks",
    [
        (1.0, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (0.3, [0.0, 0.1, 0.2, 0.3]),
        (31.4, [0.0, 10.0, 20.0, 30.0, 40.0]),
    ],
)
def test_ticks_are_round(high: float, ticks: list[float]) -> None:
    chart = charts.interval_chart([Interval("g", high)], title="T", decimals=1)
    drawn = [float(e.text or "") for e in parsed(chart).iter(f"{SVG}text") if e.get("font-size") == "11"]
    assert drawn == ticks


@pytest.mark.parametrize(
    "rows, said",
    [
        ([], "at least one row"),
        ([Interval("g", float("nan"))], "not finite"),
        ([Interval("g", 0.5, 0.6, 0.4)], "low end below"),
        ([Interval("g", 0.5, 0.4, None)], "low end below"),
    ],
)
def test_what_cannot_be_drawn_is_refused(rows: list[Interval], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        charts.interval_chart(rows, title="T")


def test_a_count_above_its_group_is_refused() -> None:
    with pytest.raises(ValueError, match="3 of 2"):
        charts.rate_chart([GroupRate("g", 3, 2)], title="T")


def test_a_chart_without_a_title_is_refused() -> None:
    with pytest.raises(ValueError, match="title"):
        charts.importance_chart([Bar("a", 1.0)], title=" ")


def test_a_page_takes_a_chart_as_markup() -> None:
    chart = charts.importance_chart([Bar("a", 1.0)], title="T")
    assert chart.__html__() == str(chart) == chart.svg


CURVE = [Point(1, 0.1), Point(2.5, 0.3), Point(9, 0.2)]


def test_a_curve_is_joined_up_and_told_in_words() -> None:
    chart = charts.line_chart(CURVE, title="tenure")
    root = parsed(chart)
    assert len([e for e in root.iter(f"{SVG}line") if e.get("class") == "s-accent"]) == 2
    assert len(list(root.iter(f"{SVG}circle"))) == 3
    assert chart.alternative == "1: 0.1. 2.5: 0.3. 9: 0.2."


def test_names_are_marked_and_not_joined_up() -> None:
    chart = charts.line_chart([Point("few", 0.1), Point("<many>", 0.4)], title="calls")
    root = parsed(chart)
    assert not [e for e in root.iter(f"{SVG}line") if e.get("class") == "s-accent"]
    assert {"few", "<many>"} <= {e.text for e in root.iter(f"{SVG}text")}


@pytest.mark.parametrize("values", [(0.5, 0.5), (0.0, 0.0), (-3e-9, 2e-9), (-1e90, 1e90), (0.4999, 0.5001)])
def test_a_curve_of_any_height_is_within_its_frame(values: tuple[float, float]) -> None:
    chart = charts.line_chart([Point(place, value) for place, value in enumerate(values)], title="T")
    for mark in parsed(chart).iter(f"{SVG}circle"):
        assert 0 <= float(mark.get("cy") or -1) <= chart.height
        assert 0 <= float((mark.get("cx") or "-1%").rstrip("%")) <= 100


@pytest.mark.parametrize(
    "points, said",
    [
        ([], "two points"),
        ([Point(1, 0.1)], "two points"),
        ([Point(1, 0.1), Point(1, 0.2)], "rise"),
        ([Point(1, 0.1), Point(2, float("nan"))], "not finite"),
    ],
)
def test_what_is_no_curve_is_refused(points: list[Point], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        charts.line_chart(points, title="T")
