"""Turns what was gathered into what a reader needs, section by section: frozen values, no HTML.

The order is the reader's: the answer, what it rests on, then everything in full. Not in charge of finding events
(collect), nor of how the pages look (render).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from governance.checks import Code, assess
from governance.gate import MET, WAIVED, Case, case_from_json
from governance.report import words
from governance.report.collect import Gathered
from governance.sentences import sentence, state_word, with_interval
from governance.sentences import who as who_can
from portal import ledger
from portal.charts import Bar, Chart, GroupRate, Interval, importance_chart, interval_chart, rate_chart
from portal.event_kinds import EventKind
from portal.ledger import Entry

K = EventKind
VERSION = "1"
LANGUAGE = "en"
TOP_FEATURES = 12
MOST_GROUPS = 40
MOST_SCENARIO_STEPS = 12


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
    policies: tuple[PolicyText, ...]
    events: tuple[EventLine, ...]
    events_note: str
    check: tuple[Fact, ...]
    note: str
    running: str
    sealed: str
    made_at: datetime


def compose(gathered: Gathered) -> AuditReport:
    """The report of what was gathered."""
    return _Composer(gathered).report()


@dataclass(frozen=True, slots=True)
class _Run:
    """The events of one promotion."""

    number: int
    started: Entry
    entries: tuple[Entry, ...]

    @property
    def kind(self) -> str:
        return str(self.started.facts["kind"])

    @property
    def bundle(self) -> str:
        return str(self.started.facts["bundle"])

    def first(self, *kinds: EventKind) -> Entry | None:
        return next((entry for entry in self.entries if entry.kind in kinds), None)

    @property
    def end(self) -> Entry | None:
        return self.first(K.PROMOTION_SUCCEEDED, K.PROMOTION_FAILED, K.PROMOTION_ERRORED, K.PROMOTION_STOPPED)

    @property
    def succeeded(self) -> bool:
        return self.first(K.PROMOTION_SUCCEEDED) is not None

    @property
    def live(self) -> Entry | None:
        return self.first(K.PROMOTION_LIVE)

    @property
    def broken(self) -> Entry | None:
        return self.first(K.STEP_FAILED)

    def output(self, step: str) -> Mapping[str, Any] | None:
        """What a step answered, done or failed."""
        for entry in self.entries:
            if entry.kind in (K.STEP_DONE, K.STEP_FAILED) and entry.facts["step"] == step:
                return dict(entry.facts["output"])
        return None


class _Composer:
    """Reads the gathered events once and writes each section from them."""

    def __init__(self, gathered: Gathered) -> None:
        self.all = gathered
        self.submitted = gathered.of(K.REQUEST_SUBMITTED)[0]
        self.request = int(self.submitted.facts["request"])
        self.bundle = str(self.submitted.facts["bundle"])
        self.stage = words.inside(str(self.submitted.facts["stage_name"]))
        self.thing = f"{self.submitted.facts['project_name']} {self.bundle}"
        self.runs = self._runs()
        self.verdicts = gathered.of(K.VERDICT_JUDGED)
        self.case: Case | None = (
            case_from_json(gathered.json(self.verdicts[-1].facts["case"])) if self.verdicts else None
        )
        registered = [e for e in gathered.of(K.BUNDLE_REGISTERED) if e.facts["bundle"] == self.bundle]
        self.registered = registered[-1] if registered else None
        self.given = gathered.of(K.SIGNOFF_GIVEN)
        self.withdrawn = {entry.subject: entry for entry in gathered.of(K.SIGNOFF_WITHDRAWN)}

    def report(self) -> AuditReport:
        sealed = words.moment(self.all.seal.at)
        return AuditReport(
            language=LANGUAGE,
            about=_("Request %(number)s") % {"number": self.request},
            kicker=_("Audit report of one request"),
            headline=self.headline(),
            lead=self.lead(),
            figures=self.figures(),
            required=self.required(),
            requirements=self.requirements(),
            signatures=tuple(self.signature(entry) for entry in self.given),
            asked=self.asked(),
            bundle=self.bundle_facts(),
            parts=self.parts(),
            authorities=self.authorities(),
            evidence=tuple(
                piece for entry in self.all.of(K.EVIDENCE_RECORDED) for piece in [self.piece(entry)]
            ),
            papers=tuple(self.paper(entry) for entry in self.all.of(K.DOCUMENT_RECORDED)),
            judgements=tuple(self.judgement(entry) for entry in self.verdicts),
            attempts=tuple(self.attempt(run) for run in self.runs),
            refusals=tuple(self.refusal(entry) for entry in self.all.of(K.ACCESS_REFUSED)),
            policies=tuple(self.policy(entry) for entry in self.all.of(K.POLICY_PUBLISHED)),
            events=tuple(self.event(entry) for entry in self.all.entries),
            events_note=self.events_note(),
            check=self.check(),
            note=self.all.seal.note,
            running=_("Request %(number)s · %(thing)s to %(stage)s")
            % {"number": self.request, "thing": self.thing, "stage": self.stage},
            sealed=_("Sealed %(when)s · ledger rows 0 to %(last)s")
            % {"when": f"{words.day(sealed)}, {sealed:%H:%M} UTC", "last": f"{self.all.seal.size - 1:,}"},
            made_at=sealed,
        )

    # --- what is asked again and again ---

    def name(self, person: str) -> str:
        """A printed name by uuid; the system's, or what stands for an erased one."""
        if person == "system":
            return _("Countersign")
        found = self.all.names.get(person)
        if found is not None:
            return found
        system = any(e.actor_id == person and e.actor_kind == "system" for e in self.all.entries)
        return _("Countersign") if system else _("(name erased)")

    def _runs(self) -> list[_Run]:
        return [
            _Run(
                number=int(started.facts["promotion"]),
                started=started,
                entries=tuple(e for e in self.all.entries if e.subject == started.subject),
            )
            for started in self.all.of(K.PROMOTION_STARTED)
        ]

    @property
    def promotions(self) -> list[_Run]:
        return [run for run in self.runs if run.kind == "promote"]

    def undoing(self, run: _Run) -> _Run | None:
        """The rollback or switching off that followed a promotion."""
        return next((one for one in self.runs if one.started.facts["undoes"] == run.number), None)

    def found(self, finding: Mapping[str, Any]) -> str:
        """A finding's sentence, from its code; from the event itself where this version no longer knows the code."""
        try:
            return sentence(finding["code"], finding["params"], self.name)
        except (ValueError, KeyError, TypeError):
            return str(finding["sentence"])

    def findings(self) -> list[Mapping[str, Any]]:
        return list(self.verdicts[-1].facts["findings"]) if self.verdicts else []

    def missing(self) -> list[Mapping[str, Any]]:
        return [f for f in self.findings() if f["state"] not in (MET, WAIVED)]

    def approvals(self) -> list[Entry]:
        """Approving signatures that stand."""
        return [e for e in self.given if e.facts["decision"].startswith("approve") and e.subject not in self.withdrawn]

    # --- the first page ---

    def headline(self) -> str:
        said = {"thing": self.thing, "stage": self.stage}
        run = self.promotions[-1] if self.promotions else None
        if run is not None and run.succeeded:
            waived = any(f["state"] == WAIVED for f in self.findings())
            if not self.findings():
                return _("%(thing)s went to %(stage)s; nothing was required of it") % said
            if waived:
                return _("%(thing)s went to %(stage)s with every requirement met or waived") % said
            return _("%(thing)s went to %(stage)s with every requirement met") % said
        if run is not None and run.end is None:
            return _("%(thing)s is on its way to %(stage)s") % said
        if run is not None:
            return self._ended_badly(run, said)
        if self.verdicts and self.missing():
            return _("%(thing)s was refused for %(stage)s because %(why)s") % {
                **said,
                "why": self._why_refused(),
            }
        if self.all.of(K.REQUEST_WITHDRAWN):
            return _("%(thing)s was withdrawn before it went to %(stage)s") % said
        if self.all.of(K.REQUEST_SUPERSEDED):
            return _("%(thing)s was superseded before it went to %(stage)s") % said
        return _("%(thing)s was asked for %(stage)s and is not decided yet") % said

    def _ended_badly(self, run: _Run, said: dict[str, str]) -> str:
        why = self._why_failed(run)
        undone = self.undoing(run)
        if run.live is None:
            return _("%(thing)s did not go to %(stage)s because %(why)s") % {**said, "why": why}
        if undone is None:
            return _("%(thing)s was stopped in %(stage)s and left as it was") % said
        values = {**said, "why": why, "back": undone.bundle}
        if undone.kind == "disable":
            if undone.succeeded:
                return _("%(thing)s was switched off after %(why)s in %(stage)s") % values
            return _("%(thing)s failed in %(stage)s and is being switched off") % values
        if undone.succeeded:
            return _("%(thing)s was rolled back to %(back)s after %(why)s in %(stage)s") % values
        if undone.end is None:
            return _("%(thing)s failed in %(stage)s and is being rolled back to %(back)s") % values
        return _("%(thing)s failed in %(stage)s and could not be rolled back to %(back)s") % values

    def _why_failed(self, run: _Run) -> str:
        if run.first(K.PROMOTION_STOPPED) is not None:
            return _("it was stopped")
        step = run.broken.facts["step"] if run.broken is not None else ""
        return {
            "smoke_test": _("its smoke test failed"),
            "run_tests": _("its tests failed"),
            "check_health": _("it was found unhealthy"),
            "watch": _("it became unhealthy"),
            "await_update": _("its update failed"),
            "confirm_live": _("another bundle was found active"),
            "publish_bundle": _("its parts could not be confirmed"),
            "pass_gate": _("the gate had closed"),
            "pass_gate_again": _("the gate had closed"),
        }.get(step, _("its promotion failed"))

    def _why_refused(self) -> str:
        """The weightiest reason: a finding against the bundle itself before anything that is only missing."""
        codes = {finding["code"] for finding in self.missing()}
        for code, why in (
            (Code.FAIRNESS_VIOLATED, _("it treats groups of people differently")),
            (Code.EXPLAINABILITY_FORBIDDEN, _("a forbidden column is among the features that matter most")),
            (Code.SIGN_OFF_REJECTED, _("a reviewer rejected it")),
            (Code.SIGN_OFF_CHANGES_REQUESTED, _("a reviewer asked for changes")),
            (Code.TESTS_FAILED, _("its tests failed")),
            (Code.FAIRNESS_UNCLEAR, _("its fairness cannot be told from the rows counted")),
        ):
            if code in codes:
                return why
        missing, whole = len(self.missing()), len(self.findings())
        return ngettext(
            "one of %(all)s requirements was not met", "%(n)s of %(all)s requirements were not met", missing
        ) % {"n": words.spelled(missing), "all": words.spelled(whole)}

    def lead(self) -> str:
        asked = _("%(who)s asked for it on %(day)s.") % {
            "who": self.name(self.submitted.actor_id),
            "day": words.day(self.submitted.at),
        }
        return " ".join([asked, *self._lead_signatures(), *self._lead_outcome()])

    def _lead_signatures(self) -> list[str]:
        people = {entry.actor_id for entry in self.approvals()}
        against = [entry for entry in self.given if not entry.facts["decision"].startswith("approve")]
        said = []
        if people:
            said.append(
                words.capital(
                    ngettext("%(n)s person approved it.", "%(n)s people approved it.", len(people))
                    % {"n": words.spelled(len(people))}
                )
            )
        if against:
            names = words.series(dict.fromkeys(self.name(entry.actor_id) for entry in against))
            said.append(_("%(names)s did not.") % {"names": names})
        return said

    def _lead_outcome(self) -> list[str]:
        if not self.promotions:
            return self._lead_undecided()
        run = self.promotions[-1]
        at = run.started.at
        said = [
            _("%(who)s started its promotion on %(day)s at %(clock)s UTC.")
            % {"who": self.name(run.started.actor_id), "day": words.day(at), "clock": f"{at:%H:%M}"}
        ]
        if run.succeeded:
            said.append(self._lead_passed(run))
        elif run.end is not None:
            said.append(str(run.end.facts.get("reason") or run.end.facts.get("why") or ""))
            undone = self.undoing(run)
            if run.live is None:
                said.append(_("Nothing had changed in %(stage)s.") % {"stage": self.stage})
            elif undone is not None and undone.succeeded:
                said.append(self._lead_undone(run, undone))
        return [sentence_ for sentence_ in said if sentence_]

    def _lead_passed(self, run: _Run) -> str:
        tests, watched = run.output("run_tests"), run.output("watch")
        count = len(tests["listed"]) if tests else 0
        passed = ngettext("%(n)s test", "%(n)s tests", count) % {"n": words.spelled(count)}
        seconds = float(watched["watched_seconds"]) if watched else 0.0
        return _("It passed %(tests)s and its smoke test, and was watched for %(time)s without a finding.") % {
            "tests": passed,
            "time": words.span(seconds),
        }

    def _lead_undone(self, run: _Run, undone: _Run) -> str:
        if undone.kind == "disable":
            return _("Countersign switched the deployment off by itself.")
        by = undone.started.actor_kind
        back = undone.first(K.DEPLOYMENT_CHANGED)
        assert run.live is not None
        took = words.span((back.at - run.live.at).total_seconds()) if back is not None else words.NOT_SAID
        who = _("Countersign by itself") if by == "system" else self.name(undone.started.actor_id)
        return _("%(who)s put %(back)s back; it ran again %(time)s after the live change had begun.") % {
            "who": who,
            "back": undone.bundle,
            "time": took,
        }

    def _lead_undecided(self) -> list[str]:
        if not self.verdicts:
            return [_("The gate has not been asked yet.")]
        last = self.verdicts[-1]
        missing, whole = len(self.missing()), len(self.findings())
        said = _("When %(who)s wanted to start its promotion on %(day)s at %(clock)s UTC, %(n)s of %(all)s requirements "
                 "were not met, so nothing was changed in %(stage)s.") % {
            "who": self.name(last.actor_id), "day": words.day(last.at), "clock": f"{last.at:%H:%M}", "n": words.spelled(missing),
            "all": words.spelled(whole), "stage": self.stage,
        }  # fmt: skip
        return [said]

    def figures(self) -> tuple[Figure, ...]:
        return tuple(f for f in (self._figure_met(), self._figure_signed(), self._figure_outcome()) if f)

    def _figure_met(self) -> Figure | None:
        if not self.verdicts:
            return Figure("0", _("requirements judged so far"))
        findings = self.findings()
        met = sum(finding["state"] in (MET, WAIVED) for finding in findings)
        waived = any(finding["state"] == WAIVED for finding in findings)
        times = self._last_times()
        when = words.clock(times[0])
        judged = (
            _("judged at %(first)s and again at %(last)s UTC") % {"first": when, "last": words.clock(times[-1])}
            if len(times) > 1
            else _("judged at %(first)s UTC") % {"first": when}
        )
        what = _("requirements met or waived") if waived else _("requirements met")
        return Figure(
            _("%(met)s of %(all)s") % {"met": met, "all": len(findings)}, f"{what}, {judged}"
        )

    def _last_times(self) -> list[datetime]:
        """The times at which the last promotion was judged; without one, the last time the gate was asked."""
        moments = [entry for entry in self.verdicts if entry.facts["moment"] in ("start", "before_live")]
        if not self.promotions:
            return [self.verdicts[-1].at]
        began = self.promotions[-1].started.seq
        return [entry.at for entry in moments if entry.seq > began] or [self.verdicts[-1].at]

    def _figure_signed(self) -> Figure:
        signed = self.approvals()
        people = {entry.actor_id for entry in signed}
        if not signed:
            return Figure("0", _("approving signatures"))
        others = {self.submitted.actor_id: _("asked")}
        if self.registered is not None:
            others[str(self.registered.facts["author"])] = _("built it")
        for run in self.promotions:
            others[run.started.actor_id] = _("promoted it")
        both = [f"{self.name(person)} {others[person]}" for person in sorted(people & others.keys())]
        apart = (
            _("of whom %(who)s") % {"who": words.series(both)}
            if both
            else ngettext("who neither asked, built nor promoted", "none of whom asked, built or promoted", len(people))
        )
        what = ngettext("approving signature", "approving signatures", len(signed))
        by = ngettext("by %(n)s person", "by %(n)s people", len(people)) % {"n": words.spelled(len(people))}
        return Figure(str(len(signed)), f"{what} {by}, {apart}")

    def _figure_outcome(self) -> Figure:
        run = self.promotions[-1] if self.promotions else None
        if run is None or run.live is None:
            return Figure("0", _("changes made in %(stage)s for this request") % {"stage": self.stage})
        undone = self.undoing(run)
        back = undone.first(K.DEPLOYMENT_CHANGED) if undone is not None else None
        if undone is not None and back is not None:
            return Figure(
                words.span((back.at - run.live.at).total_seconds()),
                _("from the live change of %(bundle)s until %(back)s ran again")
                % {"bundle": run.bundle, "back": back.facts["bundle"]}
                if back.facts["bundle"]
                else _("from the live change of %(bundle)s until it was switched off") % {"bundle": run.bundle},
            )
        differing = sum(part.runs == _("differs") or part.signed == _("differs") for part in self.parts())
        what = ngettext("difference", "differences", differing)
        between = (
            _("between the parts signed and the parts that went live")
            if self.approvals()
            else _("between the parts judged and the parts that went live")
        )
        return Figure(str(differing), f"{what} {between}")

    def required(self) -> str:
        if not self.verdicts:
            return _("The gate has not been asked about this request yet.")
        last = self.verdicts[-1]
        policy = last.facts["policy"]
        return _("By policy %(name)s version %(version)s, tier %(tier)s, as last judged on %(when)s (row %(row)s).") % {
            "name": policy["name"], "version": policy["version"], "tier": policy["tier"], "when": words.instant(last.at),
            "row": f"{last.seq:,}",
        }  # fmt: skip

    def requirements(self) -> tuple[Requirement, ...]:
        return tuple(
            Requirement(
                title=str(finding["title"]),
                state=finding["state"],
                word=state_word(finding["state"]),
                because=" ".join(filter(None, [self.found(finding), who_can(finding["unblock"], self.name)])),
            )
            for finding in self.findings()
        )

    # --- who ---

    def signature(self, entry: Entry) -> Signature:
        facts = entry.facts
        said = self.all.json(facts["statement"])["predicate"]
        gone = self.withdrawn.get(entry.subject)
        return Signature(
            name=facts["name"] or self.name(entry.actor_id),
            role=words.topic(facts["role"]),
            decision=facts["decision"],
            decided={
                "approve": _("Approved"),
                "approve_with_conditions": _("Approved with conditions"),
                "request_changes": _("Asked for changes"),
                "reject": _("Rejected"),
            }.get(facts["decision"], words.topic(facts["decision"])),
            meaning=facts["meaning"],
            time=words.local(words.moment(said["at"]["utc"]), said["at"]["zone"]),
            zone=said["at"]["zone"],
            comment=facts["comment"] or "",
            statement=words.grouped(facts["statement"]),
            facts=(
                Fact(_("Requirement"), facts["requirement"], code=True),
                Fact(_("Clause"), words.grouped(facts["clause"]), digest=True),
                Fact(_("Parts covered"), ", ".join(sorted(facts["covered"]))),
                Fact(_("Statement"), words.grouped(facts["statement"]), digest=True),
                Fact(_("Envelope"), words.grouped(facts["envelope"]), digest=True),
                Fact(_("Signed with key"), words.grouped(facts["key_id"]), digest=True),
                Fact(_("Shown with it"), self._shown(said)),
            ),
            seq=entry.seq,
            withdrawn=(
                _("Withdrawn on %(when)s: %(why)s")
                % {"when": words.instant(gone.at), "why": gone.facts["why"] or ledger.ERASED}
                if gone is not None
                else ""
            ),
        )

    def _shown(self, said: Mapping[str, Any]) -> str:
        """The evidence and documents that were on the page when it was signed, with what the gate found of each."""
        pieces = [*said["evidence"], *said["documents"]]
        if not pieces:
            return _("no evidence or document")
        return "; ".join(
            _("%(kind)s (%(finding)s) %(digest)s…")
            % {"kind": words.topic(one["kind"]), "finding": state_word(one["finding"]).lower(), "digest": one["digest"][:8]}
            for one in pieces
        )

    def asked(self) -> tuple[Fact, ...]:
        facts = self.submitted.facts
        lines = [
            Fact(_("Asked by"), facts["name"] or self.name(self.submitted.actor_id)),
            Fact(_("On"), words.instant(self.submitted.at)),
            Fact(_("Why"), facts["why"] or ledger.ERASED),
            Fact(_("Project"), f"{facts['project_name']} ({self.all.project})"),
            Fact(_("From, to"), _("bundle %(bundle)s to %(stage)s") % {"bundle": self.bundle, "stage": facts["stage_name"]}),
        ]
        for entry in self.all.of(K.REQUEST_PROMOTED, K.REQUEST_HELD, K.REQUEST_WITHDRAWN, K.REQUEST_SUPERSEDED, K.REQUEST_LANDED):
            label = {
                K.REQUEST_PROMOTED: _("Promotion asked for"),
                K.REQUEST_HELD: _("Held"),
                K.REQUEST_WITHDRAWN: _("Withdrawn"),
                K.REQUEST_SUPERSEDED: _("Superseded"),
                K.REQUEST_LANDED: _("Done"),
            }[entry.kind]
            why = entry.facts.get("why") or entry.facts.get("reason") or ""
            by = _("by %(who)s") % {"who": self.name(entry.actor_id)} if entry.actor_kind != "system" else ""
            lines.append(Fact(label, " ".join(filter(None, [words.instant(entry.at), by])) + (f": {why}" if why else "")))
        return tuple(lines)

    def bundle_facts(self) -> tuple[Fact, ...]:
        if self.registered is None:
            return (Fact(_("Bundle"), self.bundle),)
        facts = self.registered.facts
        return (
            Fact(_("Bundle"), self.bundle),
            Fact(_("Registered"), words.instant(self.registered.at)),
            Fact(_("Origin"), {"exported": _("exported by the portal"), "picked": _("picked from the design node")}.get(
                facts["origin"], facts["origin"])),
            Fact(_("Author"), facts["author_name"] or self.name(facts["author"])),
            Fact(_("Exported in DSS by"), facts["author_in_dss"] or words.NOT_SAID),
            Fact(_("Archive"), _("%(members)s members, %(size)s") % {
                "members": f"{facts['members']:,}", "size": words.size(facts["size"])}),
            Fact(_("Archive, SHA-256"), words.grouped(facts["archive"]), digest=True),
        )  # fmt: skip

    def parts(self) -> tuple[Part, ...]:
        if self.registered is None:
            return ()
        signed = self.approvals()
        live = next(
            (e for e in reversed(self.all.of(K.DEPLOYMENT_CHANGED))
             if e.facts["bundle"] == self.bundle and e.facts["stage"] == self.submitted.facts["stage"]),
            None,
        )  # fmt: skip

        def of_signed(part: str, digest: str) -> str:
            held = [e.facts["covered"][part] for e in signed if part in e.facts["covered"]]
            if not held:
                return words.NOT_SAID
            if any(one != digest for one in held):
                return _("differs")
            return ngettext("equal, %(n)s signature", "equal, %(n)s signatures", len(held)) % {"n": len(held)}

        def of_live(part: str, digest: str) -> str:
            if live is None:
                return words.NOT_SAID
            return _("equal") if live.facts["parts"].get(part) == digest else _("differs")

        return tuple(
            Part(part, words.grouped(digest), of_signed(part, digest), of_live(part, digest))
            for part, digest in sorted(self.registered.facts["parts"].items())
        )

    def authorities(self) -> tuple[Authority, ...]:
        """For each act of a person, the grants in force then that allowed it, directly or through a team."""
        acts = [(self.submitted, "request", "", _("asked"))]
        acts += [(e, "sign", e.facts["role"], _("signed %(role)s") % {"role": words.topic(e.facts["role"])}) for e in self.given]
        acts += [(run.started, "promote", "", _("promoted")) for run in self.promotions]
        lines: list[Authority] = []
        for act, right, role, did in acts:
            for grant in self._grants(act, right, role):
                facts = grant.facts
                what = _("sign %(role)s") % {"role": words.topic(role)} if role else words.topic(right)
                through = "" if facts["holder_kind"] == "person" else _(" through %(team)s") % {"team": facts["holder"]}
                line = Authority(
                    name=self.name(act.actor_id), did=did, right=f"{what}, {facts['where']}{through}",
                    given=_("%(who)s on %(when)s") % {"who": self.name(grant.actor_id), "when": words.day(grant.at)},
                    why=facts["why"] or ledger.ERASED, seq=grant.seq,
                )  # fmt: skip
                if line not in lines:
                    lines.append(line)
        return tuple(lines)

    def _grants(self, act: Entry, right: str, role: str) -> Iterable[Entry]:
        joined: set[str] = set()
        for entry in self.all.of(K.TEAM_JOINED, K.TEAM_LEFT):
            if entry.seq < act.seq and entry.facts["person"] == act.actor_id:
                (joined.add if entry.kind == K.TEAM_JOINED else joined.discard)(entry.facts["team"])
        over = {e.facts["grant"] for e in self.all.of(K.GRANT_REVOKED) if e.seq < act.seq}
        for grant in self.all.of(K.GRANT_GIVEN):
            facts = grant.facts
            until = facts["until"]
            if (
                grant.seq < act.seq
                and facts["right"] == right
                and facts["role"] == role
                and facts["holder_id"] in {act.actor_id, *joined}
                and facts["grant"] not in over
                and (not until or words.moment(until) > act.at)
            ):
                yield grant

    # --- evidence and documents ---

    def piece(self, entry: Entry) -> Piece:
        result = self.all.json(entry.facts["result"])
        drawn = {"fairness": self._fairness, "explainability": self._explainability, "tests": self._tests}
        about = drawn.get(entry.facts["evidence"], self._plain_piece)
        return about(entry, result)

    def _piece_facts(self, entry: Entry) -> tuple[Fact, ...]:
        facts = entry.facts
        source = "; ".join(f"{words.topic(key)} {value}" for key, value in sorted(facts["source"].items()))
        return (
            Fact(_("Recorded"), _("%(when)s, row %(row)s") % {"when": words.instant(entry.at), "row": f"{entry.seq:,}"}),
            Fact(_("Source"), source or words.NOT_SAID),
            Fact(_("About the parts"), ", ".join(sorted(facts["parts"]))),
            Fact(_("Evidence"), words.grouped(facts["digest"]), digest=True),
            Fact(_("Result"), words.grouped(facts["result"]), digest=True),
        )

    def _heading(self, what: str, entry: Entry) -> str:
        return _("%(what)s, %(bundle)s at %(stage)s") % {
            "what": what, "bundle": entry.facts["bundle"], "stage": words.inside(self._stage_word(entry.facts["stage"])),
        }  # fmt: skip

    def _stage_word(self, slug: str) -> str:
        return str(self.submitted.facts["stage_name"]) if slug == self.submitted.facts["stage"] else slug.upper() if len(slug) < 4 else slug

    def _asked_of(self, kind: str) -> Mapping[str, Any]:
        """The policy's clause about this kind of evidence, as it was judged; empty where it asks for none."""
        for clause in self.case.requirements if self.case else ():
            if clause.kind == "evidence" and clause.params.get("kind") == kind:
                return clause.params
        return {}

    def _fairness(self, entry: Entry, result: Mapping[str, Any]) -> Piece:
        metrics = self._asked_of("fairness").get("metrics", ())
        judged = assess(result, metrics)
        least = max([int(result["min_group"]), *(int(row["min_group"]) for row in judged)])
        lead = _(
            "%(rows)s scored rows were counted; selected means that %(outcome)s is %(favourable)s. Intervals are 95 %% "
            "intervals. Rates of groups below %(least)s people are not printed."
        ) % {
            "rows": f"{result['rows']:,}",
            "outcome": result["outcome"],
            "favourable": result["favourable"],
            "least": least,
        }
        return Piece(
            heading=self._heading(_("Fairness"), entry),
            lead=lead,
            facts=self._piece_facts(entry),
            drawings=tuple(
                self._attribute(held, [row for row in judged if row["by"] == held["attribute"]], least)
                for held in result["attributes"]
            ),
            tables=(),
            seq=entry.seq,
        )

    def _attribute(self, held: Mapping[str, Any], judged: Sequence[Mapping[str, Any]], least: int) -> Drawing:
        shown = [group for group in held["groups"] if group["n"] >= least][:MOST_GROUPS]
        label = words.capital(words.topic(held["attribute"]))
        charts: list[Chart] = []
        if shown:
            rates = [
                GroupRate(g["group"], g["selected"], g["n"], *g["interval"], reference=g["group"] == held["reference"]) for g in shown
            ]
            charts.append(rate_chart(rates, title=_("Selection rate by %(by)s") % {"by": words.topic(held["attribute"])}))
        for row in judged:
            chart = self._compared(row)
            if chart is not None:
                charts.append(chart)
        return Drawing(
            heading=label,
            found=tuple(self._metric(row) for row in judged),
            charts=tuple(charts),
            tables=(self._groups(held, least),),
        )

    def _metric(self, row: Mapping[str, Any]) -> Requirement:
        """What one fairness metric came to: the group that decided, its figure, and what the policy asks."""
        least = row["threshold"].get("min")
        asked = (
            _("at least %(value)s is asked") % {"value": words.ratio(least)}
            if least is not None
            else _("at most %(value)s is allowed") % {"value": words.ratio(row["threshold"]["max"])}
        )
        because = {
            "not_counted": _("it was not counted"),
            "undefined": _("a group has nobody to compute it from"),
            "small_group": _("a group has fewer than %(least)s people") % {"least": row["min_group"]},
        }.get(row["reason"], "")
        if not because and row["group"] is None:
            because = _("there is one group only")
        if not because:
            because = _("%(group)s against %(reference)s: %(value)s") % {
                "group": row["group"], "reference": row["reference"], "value": with_interval(row["value"], row["interval"]),
            }  # fmt: skip
        return Requirement(words.capital(words.topic(row["metric"])), row["state"], state_word(row["state"]), f"{because}; {asked}.")

    def _compared(self, row: Mapping[str, Any]) -> Chart | None:
        rows = [
            Interval(
                label=_("%(group)s against %(reference)s") % {"group": g["group"], "reference": g["reference"]},
                value=g["value"], low=g["interval"][0] if g["interval"][1] is not None else None, high=g["interval"][1], state=g["state"],
            )
            for g in row["groups"]
        ]  # fmt: skip
        if not rows:
            return None
        threshold = row["threshold"].get("min", row["threshold"].get("max"))
        asked = _("at least") if "min" in row["threshold"] else _("at most")
        title_ = words.capital(words.topic(row["metric"]))
        return interval_chart(rows, title=title_, threshold=threshold, threshold_label=asked)

    def _groups(self, held: Mapping[str, Any], least: int) -> Table:
        rows = []
        hidden = 0
        for group in held["groups"][:MOST_GROUPS]:
            if group["n"] < least:
                hidden += 1
                rows.append((group["group"], _("below %(least)s") % {"least": least}, *[words.NOT_SAID] * 4))
                continue
            reference = group["group"] == held["reference"]
            rows.append((
                group["group"], f"{group['n']:,}", f"{group['selected']:,}",
                f"{words.share(group['rate'])}  ({words.range_of(group['interval'], lambda n: f'{100 * n:.1f}')})",
                _("reference") if reference else words.ratio(group.get("ratio")),
                words.NOT_SAID if reference else words.range_of(group.get("ratio_interval"), words.ratio),
            ))  # fmt: skip
        more = len(held["groups"]) - MOST_GROUPS
        note = " ".join(filter(None, [
            ngettext("%(n)s small group is suppressed.", "%(n)s small groups are suppressed.", hidden)
            % {"n": words.capital(words.spelled(hidden))} if hidden else "",
            _("%(n)s more groups stand in the attached pack.") % {"n": more} if more > 0 else "",
        ]))  # fmt: skip
        return Table(
            caption=_("Groups by %(by)s") % {"by": words.topic(held["attribute"])},
            heads=(_("Group"), _("People"), _("Selected"), _("Rate (interval)"), _("Ratio"), _("Ratio, interval")),
            rows=tuple(rows), widths=(20, 11, 12, 26, 12, 19), numbers=frozenset({1, 2, 3, 4, 5}), note=note,
        )  # fmt: skip

    def _explainability(self, entry: Entry, result: Mapping[str, Any]) -> Piece:
        asked = self._asked_of("explainability")
        features = result["features"]
        shown = features[: max(TOP_FEATURES, int(asked.get("top", 0)))]
        least = max([30, *(int(m.get("min_group", 1)) for m in self._asked_of("fairness").get("metrics", ()))])
        lead = _("%(known)s features carry importance (%(method)s); the first %(shown)s are shown.") % {
            "known": words.capital(words.spelled(len(features))), "method": result["method"], "shown": words.spelled(len(shown)),
        }  # fmt: skip
        if asked:
            lead += " " + _("The policy forbids %(forbid)s among the first %(top)s.") % {
                "forbid": words.series(map(words.topic, asked.get("forbid", ()))) or _("nothing"),
                "top": words.spelled(int(asked.get("top", 0))),
            }
        chart = importance_chart(
            [Bar(one["feature"], 100 * one["share"]) for one in shown], title=_("Share of the whole importance")
        )
        return Piece(
            heading=self._heading(_("Explainability"), entry),
            lead=lead,
            facts=self._piece_facts(entry),
            drawings=(Drawing(heading=_("Features that matter most"), found=(), charts=(chart,), tables=()),),
            tables=tuple(self._subpopulation(one, least) for one in result["subpopulations"]),
            seq=entry.seq,
        )

    def _subpopulation(self, analysis: Mapping[str, Any], least: int) -> Table:
        rows = []
        for one in analysis["modalities"][:MOST_GROUPS]:
            small = one["n"] is not None and one["n"] < least
            people = words.NOT_SAID if one["n"] is None else f"{one['n']:,.0f}"
            rows.append(
                (one["modality"], _("below %(least)s") % {"least": least}, *[words.NOT_SAID] * 3)
                if small
                else (one["modality"], people, words.share(one["positive_rate"]), words.share(one["actual_rate"]),
                      words.NOT_SAID if one["auc"] is None else f"{one['auc']:.3f}")
            )  # fmt: skip
        return Table(
            caption=_("Performance by %(feature)s") % {"feature": words.topic(analysis["feature"])},
            heads=(_("Group"), _("Rows"), _("Predicted positive"), _("Actually positive"), _("AUC")),
            rows=tuple(rows), widths=(32, 14, 20, 20, 14), numbers=frozenset({1, 2, 3, 4}),
        )  # fmt: skip

    def _tests(self, entry: Entry, result: Mapping[str, Any]) -> Piece:
        runs = result["runs"]
        good = sum(run["outcome"] == "SUCCESS" for run in runs)
        return Piece(
            heading=self._heading(_("Tests"), entry),
            lead=_("%(listed)s scenarios are marked as tests; %(ran)s ran, %(good)s of them with success.")
            % {"listed": words.capital(words.spelled(len(result["listed"]))), "ran": words.spelled(len(runs)), "good": words.spelled(good)},
            facts=self._piece_facts(entry), drawings=(), tables=(self._scenarios(_("Test scenarios"), runs),), seq=entry.seq,
        )  # fmt: skip

    def _plain_piece(self, entry: Entry, _result: Mapping[str, Any]) -> Piece:
        return Piece(
            heading=self._heading(words.capital(words.topic(entry.facts["evidence"])), entry),
            lead=_("Its result is in the attached pack."), facts=self._piece_facts(entry), drawings=(), tables=(), seq=entry.seq,
        )  # fmt: skip

    def _scenarios(self, caption: str, runs: Iterable[Mapping[str, Any]]) -> Table:
        rows = []
        for run in runs:
            began, ended = run.get("started_ms"), run.get("ended_ms")
            took = words.span((ended - began) / 1000) if began is not None and ended is not None else words.NOT_SAID
            steps = [
                f"{step['name']} {str(step['outcome']).lower()}" + (f" ({step['message']})" if step.get("message") else "")
                for step in run.get("steps", [])[:MOST_SCENARIO_STEPS]
            ]
            rows.append((run["scenario"], str(run["outcome"]).capitalize(), took, "; ".join(steps) or words.NOT_SAID))
        return Table(
            caption=caption, heads=(_("Scenario"), _("Outcome"), _("Took"), _("Its steps, as DSS reports them")),
            rows=tuple(rows), widths=(28, 12, 10, 50), numbers=frozenset({2}),
        )  # fmt: skip

    def paper(self, entry: Entry) -> Paper:
        facts = entry.facts
        by = self.name(entry.actor_id) if entry.actor_kind != "system" else _("DSS, asked by the portal")
        made = _("written by %(who)s") if facts["origin"] == "written" else _("generated by %(who)s")
        return Paper(
            title=facts["title"],
            kind=words.capital(words.topic(facts["document"])),
            sections=", ".join(facts["sections"]),
            facts=(
                Fact(_("Recorded"), _("%(when)s, %(made)s, row %(row)s") % {
                    "when": words.instant(entry.at), "made": made % {"who": by}, "row": f"{entry.seq:,}"}),
                Fact(_("Sections"), ", ".join(facts["sections"]) or _("none")),
                Fact(_("About the parts"), ", ".join(sorted(facts["parts"]))),
                Fact(_("Content"), words.grouped(facts["content"]), digest=True),
            ),
        )  # fmt: skip

    # --- what happened ---

    def judgement(self, entry: Entry) -> Judgement:
        facts = entry.facts
        met = facts["outcome"] == "met"
        moment = {
            "promote": _("when %(who)s wanted to start the promotion") % {"who": self.name(entry.actor_id)},
            "start": _("at the start of the promotion"),
            "before_live": _("right before the live change"),
        }.get(facts["moment"], words.topic(facts["moment"]))
        states = [f["state"] for f in facts["findings"]]
        return Judgement(
            when=words.instant(entry.at),
            moment=moment,
            outcome=_("%(n)s of %(all)s met") % {"n": sum(s in (MET, WAIVED) for s in states), "all": len(states)},
            state="met" if met else "not_met",
            policy=f"{facts['policy']['name']} {facts['policy']['version']} ({facts['policy']['tier']})",
            missing=tuple(
                f"{finding['title']}: {self.found(finding)}" for finding in facts["findings"] if finding["state"] not in (MET, WAIVED)
            ),
            case=words.grouped(facts["case"]),
            verdict=words.grouped(facts["verdict"]),
            seq=entry.seq,
        )

    def attempt(self, run: _Run) -> Attempt:
        facts = run.started.facts
        kinds = {"promote": _("Promotion %(n)s"), "rollback": _("Rollback %(n)s"), "disable": _("Switching off %(n)s")}
        number = kinds.get(run.kind, _("Promotion %(n)s")) % {"n": run.number}
        end = run.end
        outcome = {
            K.PROMOTION_SUCCEEDED: _("succeeded"), K.PROMOTION_FAILED: _("failed"),
            K.PROMOTION_ERRORED: _("errored"), K.PROMOTION_STOPPED: _("was stopped"),
        }.get(end.kind, "") if end is not None else _("is under way")  # fmt: skip
        by = self.name(run.started.actor_id)
        lead = [
            _("%(who)s started it on %(when)s.") % {"who": by, "when": words.instant(run.started.at)},
        ]
        if facts["undoes"] is not None:
            lead.insert(0, _("It undoes promotion %(n)s.") % {"n": facts["undoes"]})
        if end is not None:
            why = end.facts.get("reason") or end.facts.get("why") or ""
            lead.append(_("It %(outcome)s on %(when)s.") % {"outcome": outcome, "when": words.instant(end.at)})
            if why:
                lead.append(str(why))
            if end.facts.get("then"):
                lead.append(_("What followed: %(then)s.") % {"then": end.facts["then"]})
        lines = [
            Fact(_("Bundle"), run.bundle),
            Fact(_("Place"), str(facts["place"]), code=True),
        ]
        if run.live is not None:
            lines.append(
                Fact(_("Live change"), _("%(when)s; %(previous)s ran before") % {
                    "when": words.instant(run.live.at), "previous": run.live.facts["previous"] or _("nothing")})
            )  # fmt: skip
        changed = run.first(K.DEPLOYMENT_CHANGED)
        if changed is not None:
            runs = changed.facts["bundle"]
            lines.append(Fact(
                _("Since then"),
                _("%(bundle)s runs there since %(when)s") % {"bundle": runs, "when": words.instant(changed.at)}
                if runs else _("switched off since %(when)s") % {"when": words.instant(changed.at)},
            ))  # fmt: skip
        released = run.first(K.LANE_RELEASED)
        if released is not None:
            lines.append(Fact(_("Lane released"), _("%(when)s by %(who)s: %(why)s") % {
                "when": words.instant(released.at), "who": self.name(released.actor_id), "why": released.facts["why"] or ledger.ERASED}))  # fmt: skip
        return Attempt(
            heading=_("%(number)s of %(bundle)s to %(stage)s %(outcome)s") % {
                "number": number, "bundle": run.bundle, "stage": self.stage, "outcome": outcome},
            lead=" ".join(lead), facts=tuple(lines), steps=tuple(self._steps(run)), tables=tuple(self._run_tables(run)),
        )  # fmt: skip

    def _steps(self, run: _Run) -> Iterable[StepLine]:
        over: set[str] = set()
        for entry in run.entries:
            if entry.kind not in (K.STEP_DONE, K.STEP_FAILED):
                continue
            facts = entry.facts
            over.add(facts["step"])
            began, ended = facts["started_at"], facts["ended_at"]
            took = (words.moment(ended) - words.moment(began)).total_seconds() if began and ended else 0.0
            failed = entry.kind == K.STEP_FAILED
            said = str(facts["reason"]) if failed else words.answer(facts["step"], facts["output"])
            if facts["attempts"] > 1:
                said += " " + _("It took %(n)s attempts.") % {"n": facts["attempts"]}
            yield StepLine(
                number=int(facts["index"]) + 1, name=words.step(facts["step"]), code=facts["step"],
                state="failed" if failed else "done", began=words.clock(words.moment(began)) if began else words.NOT_SAID,
                took=words.span(took), answer=said, seq=entry.seq,
            )  # fmt: skip
        if run.end is None:
            return
        for index, name in enumerate(run.started.facts["steps"]):
            if name not in over:
                yield StepLine(index + 1, words.step(name), name, "skipped", words.NOT_SAID, words.NOT_SAID, _("Not reached."), run.end.seq)

    def _run_tables(self, run: _Run) -> Iterable[Table]:
        tests, smoke = run.output("run_tests"), run.output("smoke_test")
        if tests and tests.get("results"):
            yield self._scenarios(_("Tests on the target"), tests["results"])
        if smoke and smoke.get("outcome"):
            yield self._scenarios(_("Smoke test"), [smoke])

    def refusal(self, entry: Entry) -> Refusal:
        did = {"sign": _("sign"), "promote": _("start the promotion")}.get(entry.facts["action"], words.topic(entry.facts["action"]))
        return Refusal(
            when=words.instant(entry.at), name=self.name(entry.actor_id), did=did, reason=entry.facts["reason"] or ledger.ERASED,
            seq=entry.seq,
        )  # fmt: skip

    # --- appendices ---

    def policy(self, entry: Entry) -> PolicyText:
        facts = entry.facts
        return PolicyText(
            heading=_("Policy %(name)s, version %(version)s") % {"name": facts["policy"], "version": facts["version"]},
            facts=(
                Fact(_("Published"), _("%(when)s by %(who)s, row %(row)s") % {
                    "when": words.instant(entry.at), "who": self.name(entry.actor_id), "row": f"{entry.seq:,}"}),
                Fact(_("Rules, SHA-256"), words.grouped(facts["digest"]), digest=True),
            ),
            source=facts["source"].rstrip(),
        )  # fmt: skip

    def event(self, entry: Entry) -> EventLine:
        return EventLine(
            seq=f"{entry.seq:,}",
            date=words.date(entry.at),
            time=words.clock(entry.at),
            kind=entry.kind.value,
            sentence=ledger.sentence(entry, self.name),
            leaf=words.grouped(entry.leaf),
        )

    def events_note(self) -> str:
        entries = self.all.entries
        return _(
            "All %(n)s events of the ledger that this report rests on, between rows %(first)s and %(last)s, in the order in "
            "which they were committed. The leaf is the SHA-256 of a zero byte and the event's bytes."
        ) % {"n": f"{len(entries):,}", "first": f"{entries[0].seq:,}", "last": f"{entries[-1].seq:,}"}

    def check(self) -> tuple[Fact, ...]:
        seal = self.all.seal
        asked = self.all.of(K.REPORT_ASKED)
        return (
            *((Fact(_("Report asked for by"), _("%(who)s on %(when)s") % {
                "who": self.name(asked[-1].actor_id), "when": words.instant(asked[-1].at)}),) if asked else ()),
            Fact(_("Ledger"), seal.origin, code=True),
            Fact(_("Events covered"), _("%(n)s, rows 0 to %(last)s") % {"n": f"{seal.size:,}", "last": f"{seal.size - 1:,}"}),
            Fact(_("Root"), words.grouped(seal.root), digest=True),
            Fact(_("Sealed"), words.instant(words.moment(seal.at))),
            Fact(_("Key"), words.grouped(seal.key_id), digest=True),
            Fact(_("Key for verifiers"), seal.verifier_key, code=True),
        )  # fmt: skip
