"""Turns what was gathered into what a reader needs: puts the sections together and adds the appendices.

The order is the reader's: the answer, what it rests on, then everything in full. Not in charge of finding events
(collect), of the sections themselves (first_page, people, findings, course), nor of how the pages look (render).
"""

from django.utils.translation import gettext as _

from governance.report import words
from governance.report.chain import Chain
from governance.report.collect import Gathered
from governance.report.course import Course
from governance.report.findings import Findings
from governance.report.first_page import FirstPage
from governance.report.people import People
from governance.report.values import AuditReport, EventLine, Fact, PolicyText
from portal import ledger
from portal.event_kinds import EventKind
from portal.ledger import Entry

K = EventKind
VERSION = "1"
LANGUAGE = "en"


def compose(gathered: Gathered) -> AuditReport:
    """The report of what was gathered."""
    return _Report(gathered).report()


class _Report(Chain):
    """The whole, from its sections."""

    def report(self) -> AuditReport:
        first, people = FirstPage(self.all), People(self.all)
        findings, course = Findings(self.all), Course(self.all)
        sealed = words.moment(self.all.seal.at)
        return AuditReport(
            language=LANGUAGE,
            about=_("Request %(number)s") % {"number": self.request},
            kicker=_("Audit report of one request"),
            headline=first.headline(),
            lead=first.lead(),
            figures=first.figures(),
            required=first.required(),
            requirements=first.requirements(),
            signatures=tuple(people.signature(entry) for entry in self.given),
            asked=people.asked(),
            bundle=people.bundle_facts(),
            parts=self.parts(),
            authorities=people.authorities(),
            evidence=tuple(
                findings.piece(entry) for entry in self.all.of(K.EVIDENCE_RECORDED) if not self.own(entry)
            ),
            papers=tuple(findings.paper(entry) for entry in self.all.of(K.DOCUMENT_RECORDED)),
            judgements=tuple(course.judgement(entry) for entry in self.verdicts),
            attempts=tuple(course.attempt(run) for run in self.runs),
            refusals=tuple(course.refusal(entry) for entry in self.all.of(K.ACCESS_REFUSED)),
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

    def policy(self, entry: Entry) -> PolicyText:
        facts = entry.facts
        return PolicyText(
            heading=_("Policy %(name)s, version %(version)s")
            % {"name": facts["policy"], "version": facts["version"]},
            facts=(
                Fact(
                    _("Published"),
                    _("%(when)s by %(who)s, row %(row)s")
                    % {
                        "when": words.instant(entry.at),
                        "who": self.name(entry.actor_id),
                        "row": f"{entry.seq:,}",
                    },
                ),
                Fact(_("Rules, SHA-256"), words.grouped(facts["digest"]), digest=True),
            ),
            source=facts["source"].rstrip(),
        )

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
            "All %(n)s events of the ledger that this report rests on, between rows %(first)s and %(last)s, in the "
            "order in which they were committed. The leaf is the SHA-256 of a zero byte and the event's bytes."
        ) % {"n": f"{len(entries):,}", "first": f"{entries[0].seq:,}", "last": f"{entries[-1].seq:,}"}

    def check(self) -> tuple[Fact, ...]:
        seal = self.all.seal
        asked = self.all.of(K.REPORT_ASKED)
        return (
            *(
                (
                    Fact(
                        _("Report asked for by"),
                        _("%(who)s on %(when)s")
                        % {"who": self.name(asked[-1].actor_id), "when": words.instant(asked[-1].at)},
                    ),
                )
                if asked
                else ()
            ),
            Fact(_("Ledger"), seal.origin, code=True),
            Fact(
                _("Events covered"),
                _("%(n)s, rows 0 to %(last)s") % {"n": f"{seal.size:,}", "last": f"{seal.size - 1:,}"},
            ),
            Fact(_("Root"), words.grouped(seal.root), digest=True),
            Fact(_("Sealed"), words.instant(words.moment(seal.at))),
            Fact(_("Key"), words.grouped(seal.key_id), digest=True),
            Fact(_("Key for verifiers"), seal.verifier_key, code=True),
        )
