"""The tags and components pages are made of, rendered as a page renders them."""

import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django import forms
from django.core.paginator import Paginator
from django.db.models import TextChoices
from django.template import engines
from django.template.loader import render_to_string
from django.test import RequestFactory
from django.utils import timezone

from portal.charts import Bar, Interval
from portal.templatetags import ui

NOW = datetime(2026, 11, 21, 14, 3, 7, tzinfo=UTC)
DIGEST = "9f2c" + "0" * 56 + "41ab"


def rendered(source: str, **context: Any) -> str:
    request = context.pop("request", None)
    return engines["django"].from_string(source).render(context, request)


def words(html: str) -> str:
    class Text(HTMLParser):
        said = ""

        def handle_data(self, data: str) -> None:
            self.said += data

    text = Text()
    text.feed(html)
    return " ".join(text.said.split())


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> datetime:
    monkeypatch.setattr(timezone, "now", lambda: NOW)
    return NOW


class Weather(TextChoices):
    NOT_MET = "not_met", "Never shown: the table's word wins"
    SUNNY = "sunny", "Sunny spells"


def test_a_state_is_a_shape_and_a_word() -> None:
    html = rendered("{% state 'cannot_tell' %}")
    assert words(html) == "Cannot tell"
    assert "tone-doubt" in html
    assert ui.SHAPES["diamond"] in html
    assert 'aria-hidden="true"' in html


@pytest.mark.parametrize("value", ["NOT_MET", "not met", Weather.NOT_MET])
def test_a_state_is_known_however_it_is_written(value: object) -> None:
    assert words(rendered("{% state value %}", value=value)) == "Not met"


@pytest.mark.parametrize("value, said", [(Weather.SUNNY, "Sunny spells"), ("half_done", "Half done")])
def test_an_unknown_state_shows_its_own_word_and_no_colour(value: object, said: str) -> None:
    html = rendered("{% state value %}", value=value)
    assert words(html) == said
    assert "tone-idle" in html


def test_a_state_can_say_another_word_but_not_markup() -> None:
    assert "&lt;b&gt;3 of 6" in rendered("{% state 'met' label %}", label="<b>3 of 6")


def test_states_differ_without_colour() -> None:
    findings = [ui.STATES[s] for s in ("met", "not_met", "cannot_tell", "waived")]
    assert len({look.shape for look in findings}) == 4
    assert {look.shape for look in ui.STATES.values()} <= set(ui.SHAPES)
    assert set(ui.STEP_SHAPES.values()) <= set(ui.SHAPES)


@pytest.mark.parametrize(
    "value, said", [(DIGEST, "9f2c…41ab"), ("v7", "v7"), ("twelve_chars", "twelve_chars"), (None, "")]
)
def test_short(value: object, said: str) -> None:
    assert ui.short(value) == said


def test_a_digest_is_short_with_the_whole_beside_it() -> None:
    html = rendered("{% digest value %}", value=DIGEST)
    assert words(html) == f"9f2c…41ab{DIGEST}"
    assert f'data-copy="{DIGEST}"' in html
    assert 'aria-label="Copy SHA-256 9f2c…41ab"' in html
    assert words(rendered("{% digest '' %}")) == "–"


@pytest.mark.parametrize(
    "before, said",
    [
        (timedelta(seconds=2), "just now"),
        (timedelta(seconds=12), "12 seconds ago"),
        (timedelta(seconds=61), "1 minute ago"),
        (timedelta(minutes=40), "40 minutes ago"),
        (timedelta(minutes=89), "89 minutes ago"),
        (timedelta(hours=2), "2 hours ago"),
        (timedelta(hours=35), "35 hours ago"),
        (timedelta(days=41), "41 days ago"),
        (timedelta(days=90), "3 months ago"),
        (timedelta(days=800), "2 years ago"),
        (timedelta(seconds=-2), "in a moment"),
        (timedelta(hours=-2), "in 2 hours"),
    ],
)
def test_relative(before: timedelta, said: str) -> None:
    assert ui.relative(NOW - before, NOW) == said


def test_when_is_relative_with_the_whole_in_the_readers_zone(clock: datetime) -> None:
    with timezone.override(ZoneInfo("Europe/Paris")):
        html = rendered("{% when at %}", at=clock - timedelta(hours=2))
    assert words(html) == "2 hours ago21 November 2026, 13:03:07 CET (Europe/Paris)"
    assert 'datetime="2026-11-21T12:03:07+00:00"' in html
    assert 'tabindex="0"' in html


@pytest.mark.parametrize(
    "form, said",
    [("span", "2 hours"), ("absolute", "21 November 2026, 12:03 UTC"), ("date", "21 November 2026")],
)
def test_when_has_other_forms(clock: datetime, form: str, said: str) -> None:
    with timezone.override(UTC):
        html = rendered("{% when at form %}", at=clock - timedelta(hours=2), form=form)
    assert words(html) == f"{said}21 November 2026, 12:03:07 UTC"


def test_when_reads_the_instants_of_a_case(clock: datetime) -> None:
    assert words(rendered("{% when '2026-11-21T13:23:07.000000Z' %}")).startswith("40 minutes ago")


def test_when_says_that_there_is_none() -> None:
    assert words(rendered("{% when None empty='not yet' %}")) == "not yet"


@pytest.mark.parametrize("value", [datetime(2026, 11, 21), "2026-11-21T10:00:00"])  # noqa: DTZ001
def test_an_instant_without_a_zone_is_refused(value: datetime | str) -> None:
    with pytest.raises(ValueError, match="needs a zone"):
        ui.when(value)


def test_what_is_no_instant_is_refused() -> None:
    with pytest.raises(ValueError, match="not an instant: 'yesterday'"):
        ui.when("yesterday")


@pytest.mark.parametrize(
    "value, said",
    [
        (0.04, "40 ms"),
        (1.23, "1.2 s"),
        (9.99, "10.0 s"),
        (64, "1 min 4 s"),
        (3600, "1 h"),
        (timedelta(days=1, hours=2, minutes=5), "1 d 2 h"),
        (None, "–"),
    ],
)
def test_duration(value: timedelta | float | None, said: str) -> None:
    assert ui.duration(value).replace("\u00a0", " ") == said


def test_numbers() -> None:
    assert ui.number(10212) == "10,212"
    assert ui.number(None) == "–"
    assert ui.percent(0.28) == "28.0\u00a0%"
    assert ui.percent(0.5, 0) == "50\u00a0%"


@pytest.mark.parametrize(
    "names, said",
    [([], ""), (["Fay"], "Fay"), (["Fay", "Eli"], "Fay or Eli"), (["A", "B", "C"], "A, B or C")],
)
def test_any_of(names: list[str], said: str) -> None:
    assert ui.any_of(names) == said


class Signing(forms.Form):
    reason = forms.CharField(help_text="Printed in the report.")
    ticket = forms.CharField(required=False)
    read = forms.BooleanField(label="I have read it")
    decision = forms.ChoiceField(choices=[("a", "Approve"), ("r", "Reject")], widget=forms.RadioSelect)


def test_a_field_names_its_errors_and_help() -> None:
    html = rendered("{% field form.reason %}", form=Signing({}))
    described = re.search(r'aria-describedby="([^"]+)"', html)
    assert described is not None
    assert described[1].split() == ["id_reason_helptext", "id_reason_error"]
    for name in described[1].split():
        assert f'id="{name}"' in html
    assert 'aria-invalid="true"' in html
    assert '<label for="id_reason">Reason</label>' in html


def test_a_field_that_may_stay_empty_says_so() -> None:
    assert words(rendered("{% field form.ticket %}", form=Signing())) == "Ticket (optional)"


def test_choices_are_one_named_group() -> None:
    html = rendered("{% field form.decision %}", form=Signing())
    assert re.search(r"<fieldset.*<legend>Decision</legend>.*</fieldset>", html, re.DOTALL)


def test_the_summary_leads_to_each_field() -> None:
    html = rendered("{% form_errors form %}", form=Signing({}))
    assert words(html).startswith("Nothing was saved: 3 things need another look.")
    assert re.findall(r'href="#([^"]+)"', html) == ["id_reason", "id_read", "id_decision"]
    assert rendered("{% form_errors form %}", form=Signing()).strip() == ""


def test_errors_of_the_whole_form_are_said() -> None:
    form = Signing({"reason": "x", "read": "on", "decision": "a"})
    form.add_error(None, "The page is older than the request.")
    assert "one thing needs another look. The page is older than the request." in words(
        rendered("{% form_errors form %}", form=form)
    )


def test_pages_keep_the_rest_of_the_query() -> None:
    page = Paginator(range(120), 50).page(2)
    html = rendered("{% pages page %}", page=page, request=RequestFactory().get("/?q=churn&page=2"))
    assert words(html) == "51 to 100 of 120 Previous Next"
    assert re.findall(r'href="([^"]+)"', html) == ["?q=churn&amp;page=1", "?q=churn&amp;page=3"]


def test_one_page_needs_no_pages() -> None:
    html = rendered("{% pages page %}", page=Paginator([1], 50).page(1), request=RequestFactory().get("/"))
    assert html.strip() == ""


def test_diff_lines_are_numbered() -> None:
    lines = ui.diff_lines("--- a\n+++ b\n@@ -10,2 +10,3 @@ def f():\n same\n--x\n+new\n++y\n\\ No newline\n")
    assert [(line.kind, line.before, line.after, line.text) for line in lines] == [
        ("head", None, None, "@@ -10,2 +10,3 @@ def f():"),
        ("same", 10, 10, "same"),
        ("del", 11, None, "-x"),
        ("add", None, 11, "new"),
        ("add", None, 12, "+y"),
    ]


def test_the_gate_says_state_reason_and_who_can_unblock_it() -> None:
    rows = [
        {
            "state": "not_met",
            "title": "Fairness signed",
            "why": "Nobody has <signed>.",
            "unblock": ["Fay Okafor", "Ada Novak"],
            "acts": [
                {"label": "Sign", "url": "/sign/", "go": True},
                {"label": "Remind", "url": "/r/", "post": True},
            ],
        }
    ]
    html = render_to_string("components/gate.html", {"rows": rows, "csrf_token": "token"})
    assert words(html) == (
        "Not met Fairness signed Nobody has <signed>. Fay Okafor or Ada Novak can unblock this. Sign Remind"
    )
    assert 'name="csrfmiddlewaretoken" value="token"' in html
    assert '<a class="btn btn-go" href="/sign/">' in html


def test_lanes_show_what_runs_and_what_is_on_its_way(clock: datetime) -> None:
    lanes = [
        {"name": "QA", "bundle": "v7", "state": "healthy", "since": clock - timedelta(hours=26)},
        {"name": "Production", "coming": "v7"},
    ]
    html = render_to_string("components/lanes.html", {"lanes": lanes})
    assert words(html).startswith("QA v7 Healthy for 26 hours")
    assert words(html).endswith("on its way here: v7 Production Nothing runs here yet")


def test_steps_say_their_state_in_words() -> None:
    steps = [
        {"name": "Judge the gate", "state": "done", "seconds": 0.04},
        {"name": "Publish", "state": "running", "usual": 40, "note": "DSS works."},
    ]
    html = render_to_string("components/steps.html", {"steps": steps})
    assert words(html).replace("\u00a0", " ") == (
        "Judge the gate, Done 40 ms Publish, Running usually 40 s DSS works."
    )
    assert html.count('aria-current="step"') == 1


def test_a_number_of_seconds_that_is_nought_is_shown() -> None:
    html = render_to_string(
        "components/steps.html", {"steps": [{"name": "A", "state": "done", "seconds": 0}]}
    )
    assert "0\u00a0ms" in html


def test_messages_become_notices_of_their_tone() -> None:
    messages = [
        SimpleNamespace(level_tag=tag, __str__=str) for tag in ("success", "error", "warning", "info")
    ]
    html = render_to_string("components/messages.html", {"messages": messages})
    assert re.findall(r'class="(notice[^"]*)" role="(\w+)"', html) == [
        ("notice notice-met", "status"),
        ("notice notice-not", "alert"),
        ("notice notice-doubt", "status"),
        ("notice", "status"),
    ]


def test_charts_are_drawn_or_their_absence_is_said() -> None:
    assert "<svg" in rendered("{% interval_chart rows 'Ratios' 0.8 %}", rows=[Interval("g", 0.9, 0.8, 1.0)])
    assert "<svg" in rendered("{% importance_chart rows 'Importance' %}", rows=[Bar("age", 3.0)])
    assert words(rendered("{% rate_chart rows 'Rates' %}", rows=[])) == "There are no figures to draw."
