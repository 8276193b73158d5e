"""A composed report as HTML, word for word, and as a tagged PDF/A-3a with its pack."""

import io
import os
import re
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from governance.report import page, printing, values
from governance.report.values import Fact
from portal.charts import Interval, interval_chart
from tests.late import Late

pikepdf = Late("pikepdf")
pypdf = Late("pypdf")
render = Late("governance.report.render")

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "report.html"
PACK = b'{"type":"urn:countersign:pack:v1"}'
DIGEST = " ".join(["4e07"] * 16)

CHART = interval_chart(
    [Interval("female against male", 0.71, 0.66, 0.76, state="not_met")],
    title="Demographic parity ratio",
    threshold=0.8,
    threshold_label="at least",
)
TABLE = values.Table(
    caption="Groups by gender",
    heads=("Group", "People"),
    rows=(("female", "9,813"), ("(missing)", "below 50")),
    widths=(60, 40),
    numbers=frozenset({1}),
    note="One small group is suppressed.",
)
REPORT = values.AuditReport(
    language="en",
    about="Request 42",
    kicker="Audit report of one request",
    headline="Churn v7 <was> rolled back",
    lead="Dev Rao asked for it on 19 November 2026.",
    figures=(values.Figure("6 of 6", "requirements met"),),
    required="By policy demo-policy version 1.",
    requirements=(
        values.Requirement("Tests passed in QA", "met", "Met", "6 of 6 scenarios."),
        values.Requirement("Fairness signed", "cannot_tell", "Cannot tell", "Rows are missing."),
    ),
    waivers=(),
    signatures=(
        values.Signature(
            name="Fay Okafor",
            role="fairness",
            decision="approve",
            decided="Approved",
            meaning="I approve it.",
            time="20 Nov 2026 09:52:18 +01:00",
            zone="Europe/Paris",
            comment="Fine & good",
            statement=DIGEST,
            facts=(Fact("Statement", DIGEST, digest=True),),
            seq=871,
            withdrawn="",
        ),
    ),
    asked=(Fact("Asked by", "Dev Rao"),),
    bundle=(Fact("Bundle", "v7"), Fact("Archive, SHA-256", DIGEST, digest=True)),
    parts=(values.Part("models", DIGEST, "equal, 1 signature", "equal"),),
    authorities=(
        values.Authority("Dev Rao", "asked", "request, CHURN", "Ada Novak on 1 November 2026", "Set up", 12),
    ),
    evidence=(
        values.Piece(
            heading="Fairness, v7 at QA",
            lead="20,000 scored rows were counted.",
            facts=(Fact("Source", "node qa"),),
            drawings=(
                values.Drawing(
                    "Gender",
                    (values.Requirement("Ratio", "not_met", "Not met", "0.71"),),
                    (CHART,),
                    (TABLE,),
                ),
            ),
            tables=(),
            seq=1144,
        ),
    ),
    papers=(values.Paper("Intended use", "Intended use", "Purpose", (Fact("Sections", "Purpose"),)),),
    judgements=(
        values.Judgement(
            "20 November 2026, 10:14:07 UTC",
            "at the start",
            "5 of 6 met",
            "not_met",
            "demo-policy 1",
            ("Soak: wait.",),
            DIGEST,
            DIGEST,
            1150,
        ),
    ),
    attempts=(
        values.Attempt(
            "Promotion 9 of v7 to production failed",
            "Mona Castell started it.",
            (Fact("Place", "prod", code=True),),
            (
                values.StepLine(
                    1,
                    "Gate judged",
                    "pass_gate",
                    "done",
                    "10:14:07",
                    "0.02 s",
                    "Every requirement met.",
                    1151,
                ),
                values.StepLine(
                    2,
                    "Smoke test run",
                    "smoke_test",
                    "failed",
                    "10:14:08",
                    "4.00 s",
                    "It ended FAILED.",
                    1152,
                ),
                values.StepLine(3, "Watched", "watch", "skipped", "–", "–", "Not reached.", 1152),
            ),
            (TABLE,),
        ),
    ),
    talk=(
        values.Said("20 November 2026, 09:30:00 UTC", "Fay Okafor", "Which population?\nAll of it?", 1141),
    ),
    refusals=(
        values.Refusal("20 November 2026, 09:00:00 UTC", "Dev Rao", "sign", "You asked for it.", 1140),
    ),
    policies=(
        values.PolicyText(
            "Policy demo-policy, version 1",
            (Fact("Published", "1 November 2026"),),
            "policy: demo-policy\ntiers: {}",
        ),
    ),
    events=(
        values.EventLine("1,150", "2026-11-20", "10:14:07", "verdict.judged", "The gate was judged.", DIGEST),
    ),
    events_note="All 1 events.",
    check=(Fact("Root", DIGEST, digest=True),),
    note="countersign.example/ledger\n1209\nroot=\n\n— countersign.example/ledger sig=\n",
    running="Request 42 · Churn v7 to production",
    sealed="Sealed 21 November 2026, 14:03 UTC · ledger rows 0 to 1,208",
    made_at=datetime(2026, 11, 21, 14, 3, tzinfo=UTC),
)


def test_the_page_is_the_golden_one() -> None:
    """COUNTERSIGN_WRITE_GOLDEN=1 writes it anew; look at the difference before keeping it."""
    made = page.html(REPORT)
    if os.environ.get("COUNTERSIGN_WRITE_GOLDEN"):
        GOLDEN.write_text(made, "utf-8")
    assert made == GOLDEN.read_text("utf-8")


def test_texts_are_escaped_and_drawings_are_not() -> None:
    made = page.html(REPORT)
    assert "Churn v7 &lt;was&gt; rolled back" in made
    assert "Fine &amp; good" in made
    assert '<svg class="chart"' in made


@pytest.mark.parametrize("words", [88, 200])  # the table's last row, and its first, would stand alone
def test_no_row_of_a_table_stands_alone_at_a_page_s_edge(words: int) -> None:
    lines = (
        values.StepLine(n, f"Step {n} of it", "step", "done", "10:14:07", "0.02 s", "Fine.", 1151)
        for n in range(1, 13)
    )
    told = replace(REPORT.attempts[0], steps=tuple(lines), lead="Mona Castell started it. " * words)
    made = render.pdf(page.html(replace(REPORT, attempts=(told,))), PACK, REPORT.made_at)
    found = [
        len(re.findall(r"Step \d+ of it", one.extract_text()))
        for one in pypdf.PdfReader(io.BytesIO(made)).pages
    ]
    assert sum(found) == 12
    assert all(rows == 0 or rows >= 3 for rows in found), found


@pytest.fixture(scope="module")
def pdf() -> bytes:
    return printing.pdf(page.html(REPORT), PACK, REPORT.made_at)


def test_the_pdf_says_that_it_is_a_tagged_pdf_a_3a(pdf: bytes) -> None:
    with pikepdf.open(io.BytesIO(pdf)) as document:
        assert document.Root.Lang == "en"
        assert bool(document.Root.MarkInfo.Marked)
        assert document.Root.OutputIntents[0].S == "/GTS_PDFA1"
        assert document.Root.StructTreeRoot.Type == "/StructTreeRoot"
        with document.open_metadata() as metadata:
            assert metadata["pdfaid:part"] == "3"
            assert metadata["pdfaid:conformance"] == "A"
            assert metadata["dc:title"] == "Request 42: Churn v7 <was> rolled back"
            assert metadata["xmp:CreateDate"].startswith("2026-11-21T14:03:00")


def test_tables_headings_and_drawings_are_tagged(pdf: bytes) -> None:
    with pikepdf.open(io.BytesIO(pdf)) as document:
        found: list[Any] = []
        _walk(document.Root.StructTreeRoot, found)
        kinds = [str(element.S) for element in found]
        assert {"/H1", "/H2", "/H3", "/Table", "/TR", "/TH", "/TD", "/Figure", "/L"} <= set(kinds)
        assert kinds.count("/H1") == 1
        drawing = next(element for element in found if element.S == "/Figure")
        assert "female against male: 0.71 (0.66 to 0.76), not met." in str(drawing.Alt)


def _walk(node: Any, found: list[Any]) -> None:
    if isinstance(node, pikepdf.Array):
        for child in node:
            _walk(child, found)
    elif isinstance(node, pikepdf.Dictionary):
        if "/S" in node:
            found.append(node)
        if "/K" in node:
            _walk(node.K, found)


def test_the_pack_is_attached_once_as_the_reports_data(pdf: bytes) -> None:
    with pikepdf.open(io.BytesIO(pdf)) as document:
        files = list(document.Root.AF)
        assert [(str(file.UF), str(file.AFRelationship)) for file in files] == [(render.PACK_NAME, "/Data")]
        assert document.attachments[render.PACK_NAME].get_file().read_bytes() == PACK


def test_every_font_is_embedded_and_one_of_ours(pdf: bytes) -> None:
    with pikepdf.open(io.BytesIO(pdf)) as document:
        names = {str(font.BaseFont) for page in document.pages for font in page.Resources.Font.values()}
    assert names
    for name in names:
        assert any(ours in name for ours in ("Inter", "Source-Serif", "JetBrains-Mono")), name


def test_header_and_footer_stand_on_every_page_but_the_first_has_no_header(pdf: bytes) -> None:
    pages = [page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf)).pages]
    assert len(pages) >= 2
    for number, text in enumerate(pages, start=1):
        assert REPORT.sealed in text
        assert f"page {number} of {len(pages)}" in text
        assert (REPORT.running in text) == (number > 1)


def test_the_same_report_has_the_same_identifier(pdf: bytes) -> None:
    def identifier(body: bytes) -> bytes:
        with pikepdf.open(io.BytesIO(body)) as document:
            return bytes(document.trailer.ID[0])

    assert identifier(pdf) == sha256(page.html(REPORT).encode() + PACK).digest()[:16]
    short = '<html lang="en"><title>x</title>'
    made = [
        identifier(render.pdf(*asked, REPORT.made_at))
        for asked in ((short, PACK), (short, PACK), (short, PACK + b" "), (short + " ", PACK))
    ]
    assert made[0] == made[1]
    assert len(set(made)) == 3


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/font.woff2",
        "file:///etc/hostname",
        "vendored:../app.css",
        "vendored:OFL-inter.txt",
        "data:text/css,p{}",
    ],
)
def test_nothing_but_the_vendored_fonts_is_fetched(url: str) -> None:
    with pytest.raises(render.FatalURLFetchingError):
        render.Vendored().fetch(url)


def test_a_page_that_asks_for_more_than_fonts_is_not_printed() -> None:
    asking = '<html lang="en"><title>x</title><img alt="x" src="https://example.com/x.png">'
    with pytest.raises(printing.NotPrinted, match="fetches nothing"):
        printing.pdf(asking, PACK, REPORT.made_at)
