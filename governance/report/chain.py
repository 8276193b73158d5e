"""The chain of one request, read once from its gathered events: what every section of a report asks again and again.

Not in charge of the sections themselves.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from governance.gate import MET, WAIVED, Case, case_from_json
from governance.report import words
from governance.report.collect import ABOUT_WAIVERS, Gathered
from governance.report.values import Part
from governance.sentences import sentence
from portal.event_kinds import EventKind
from portal.ledger import Entry

K = EventKind


@dataclass(frozen=True, slots=True)
class Run:
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


class Chain:
    """Reads the gathered events once. Sections are written by its children, each from the same reading."""

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

    def name(self, person: str) -> str:
        """A printed name by uuid; the system's, or what stands for an erased one."""
        if person == "system":
            return _("Countersign")
        found = self.all.names.get(person)
        if found is not None:
            return found
        system = any(e.actor_id == person and e.actor_kind == "system" for e in self.all.entries)
        return _("Countersign") if system else _("(name erased)")

    def actor(self, entry: Entry) -> str:
        """Who acted in an event, and for whom where they stood in for somebody."""
        stated = entry.kind in (K.REQUEST_SUBMITTED, K.SIGNOFF_GIVEN, K.PROMOTION_STARTED, *ABOUT_WAIVERS)
        name = (entry.facts["name"] if stated else "") or self.name(entry.actor_id)
        principal = entry.facts.get("on_behalf_of")
        if not principal:
            return str(name)
        return _("%(name)s for %(other)s") % {
            "name": name,
            "other": entry.facts.get("for_name") or self.name(principal),
        }

    def _runs(self) -> list[Run]:
        return [
            Run(
                number=int(started.facts["promotion"]),
                started=started,
                entries=tuple(e for e in self.all.entries if e.subject == started.subject),
            )
            for started in self.all.of(K.PROMOTION_STARTED)
        ]

    @property
    def promotions(self) -> list[Run]:
        return [run for run in self.runs if run.kind == "promote"]

    def own(self, entry: Entry) -> bool:
        """Whether a piece of evidence came out of this request's own promotion, which tells it itself."""
        return entry.facts["source"].get("promotion") in {run.number for run in self.runs}

    def undoing(self, run: Run) -> Run | None:
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

    def waived(self) -> int:
        """How many requirements passed by a waiver when the gate was last asked."""
        return sum(finding["state"] == WAIVED for finding in self.findings())

    def missing(self) -> list[Mapping[str, Any]]:
        return [f for f in self.findings() if f["state"] not in (MET, WAIVED)]

    def approvals(self) -> list[Entry]:
        """Approving signatures that stand."""
        return [
            e
            for e in self.given
            if e.facts["decision"].startswith("approve") and e.subject not in self.withdrawn
        ]

    def parts(self) -> tuple[Part, ...]:
        if self.registered is None:
            return ()
        signed = self.approvals()
        live = next(
            (
                e
                for e in reversed(self.all.of(K.DEPLOYMENT_CHANGED))
                if e.facts["bundle"] == self.bundle and e.facts["stage"] == self.submitted.facts["stage"]
            ),
            None,
        )

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
