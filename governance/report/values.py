"""The values a finished report is made of: frozen, every text as it is printed, no HTML.

Not in charge of finding or wording anything; import them from `governance.report.compose` or from here.
"""

from dataclasses import dataclass
from datetime import datetime

from portal.charts import Chart


@dataclass(frozen=True, slots=True)
class Figure:
    """A number that decides, and what it counts."""

    value: str
    words: str


@dataclass(frozen=True, slots=True)
class Fact:
    """A label with its value; `digest` and `code` say how the value is set."""

    label: str
    value: str
    digest: bool = False
    code: bool = False


@dataclass(frozen=True, slots=True)
class Requirement:
    """One line of the gate: what was asked, whether it was met, and why that was found."""

    title: str
    state: str
    word: str
    because: str


@dataclass(frozen=True, slots=True)
class Signature:
    """One person's signed word, with everything that binds it."""

    name: str
    role: str
    decision: str
    decided: str
    meaning: str
    time: str
    zone: str
    comment: str
    statement: str
    facts: tuple[Fact, ...]
    seq: int
    withdrawn: str


@dataclass(frozen=True, slots=True)
class WaiverLine:
    """One waiver that was asked for, and what became of it; `state` as of `Waiver.state`, when the report was made."""

    title: str
    state: str
    word: str
    found: str
    why: str
    asked: str
    answered: str
    until: str
    ended: str
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class Authority:
    """By what right somebody acted."""

    name: str
    did: str
    right: str
    given: str
    why: str
    seq: int


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the bundle: its digest, and what became of it between registering, signing and running."""

    name: str
    digest: str
    signed: str
    runs: str


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of texts under heads; `widths` in percent, `numbers` are the columns set to the right."""

    caption: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    widths: tuple[int, ...]
    numbers: frozenset[int] = frozenset()
    note: str = ""

    @property
    def columns(self) -> list[tuple[str, int, bool]]:
        """Head, width and whether it is a number, column by column."""
        return [
            (head, width, at in self.numbers)
            for at, (head, width) in enumerate(zip(self.heads, self.widths, strict=True))
        ]

    @property
    def cells(self) -> list[list[tuple[str, bool]]]:
        """Text and whether it is a number, row by row."""
        return [[(text, at in self.numbers) for at, text in enumerate(row)] for row in self.rows]


@dataclass(frozen=True, slots=True)
class Drawing:
    """A heading, what was found, charts beside each other, and the numbers they are drawn from."""

    heading: str
    found: tuple[Requirement, ...]
    charts: tuple[Chart, ...]
    tables: tuple[Table, ...]

    @property
    def chart_rows(self) -> list[tuple[Chart, ...]]:
        """Its charts, two beside each other: more would be too narrow to read."""
        return [self.charts[at : at + 2] for at in range(0, len(self.charts), 2)]


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of evidence."""

    heading: str
    lead: str
    facts: tuple[Fact, ...]
    drawings: tuple[Drawing, ...]
    tables: tuple[Table, ...]
    seq: int


@dataclass(frozen=True, slots=True)
class Paper:
    """One document that reviewers had before them."""

    title: str
    kind: str
    sections: str
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class Judgement:
    """The gate, asked once."""

    when: str
    moment: str
    outcome: str
    state: str
    policy: str
    missing: tuple[str, ...]
    case: str
    verdict: str
    seq: int


@dataclass(frozen=True, slots=True)
class StepLine:
    """One step of a promotion: when, how long, and what was answered."""

    number: int
    name: str
    code: str
    state: str
    began: str
    took: str
    answer: str
    seq: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """One promotion, rollback or switching off, told from its start to its end."""

    heading: str
    lead: str
    facts: tuple[Fact, ...]
    steps: tuple[StepLine, ...]
    tables: tuple[Table, ...]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Somebody tried what the rules do not allow."""

    when: str
    name: str
    did: str
    reason: str
    seq: int


@dataclass(frozen=True, slots=True)
class PolicyText:
    """The rules that applied, word for word."""

    heading: str
    facts: tuple[Fact, ...]
    source: str


@dataclass(frozen=True, slots=True)
class EventLine:
    """One event of the ledger as the appendix lists it."""

    seq: str
    date: str
    time: str
    kind: str
    sentence: str
    leaf: str


@dataclass(frozen=True, slots=True)
class Said:
    """A line of the conversation, or that somebody was asked, reminded or told."""

    when: str
    who: str
    text: str
    seq: int


@dataclass(frozen=True, slots=True)
class AuditReport:
    """Everything the pages say. Texts are finished; charts are drawn; digests are whole."""

    language: str
    about: str
    kicker: str
    headline: str
    lead: str
    figures: tuple[Figure, ...]
    required: str
    requirements: tuple[Requirement, ...]
    waivers: tuple[WaiverLine, ...]
    signatures: tuple[Signature, ...]
    asked: tuple[Fact, ...]
    bundle: tuple[Fact, ...]
    parts: tuple[Part, ...]
    authorities: tuple[Authority, ...]
    evidence: tuple[Piece, ...]
    papers: tuple[Paper, ...]
    judgements: tuple[Judgement, ...]
    attempts: tuple[Attempt, ...]
    refusals: tuple[Refusal, ...]
    talk: tuple[Said, ...]
    policies: tuple[PolicyText, ...]
    events: tuple[EventLine, ...]
    events_note: str
    check: tuple[Fact, ...]
    note: str
    running: str
    sealed: str
    made_at: datetime


@dataclass(frozen=True, slots=True)
class Block:
    """Facts under a heading."""

    heading: str
    note: str
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a report that is made of paragraphs, facts and tables."""

    heading: str
    lead: str = ""
    facts: tuple[Fact, ...] = ()
    tables: tuple[Table, ...] = ()
    blocks: tuple[Block, ...] = ()


@dataclass(frozen=True, slots=True)
class RightsReport:
    """A report on rights: an access review, or who could act alone. Texts are finished; digests are whole."""

    language: str
    about: str
    kicker: str
    headline: str
    lead: str
    figures: tuple[Figure, ...]
    sections: tuple[Section, ...]
    events: tuple[EventLine, ...]
    events_note: str
    check: tuple[Fact, ...]
    note: str
    running: str
    sealed: str
    made_at: datetime
