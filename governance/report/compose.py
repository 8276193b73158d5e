"""Turns what was gathered into what a reader needs: puts the sections together and adds the appendices.

The order is the reader's: the answer, what it rests on, then everything in full. Not in charge of finding events
(collect), of the sections themselves (first_page, people, findings, course), nor of how the pages look (render).
"""

from django.utils.translation import gettext as _

from governance.report import appendix, words
from governance.report.chain import Chain
from governance.report.collect import Gathered
from governance.report.course import Course
from governance.report.findings import Findings
from governance.report.first_page import FirstPage
from governance.report.people import People
from governance.report.values import AuditReport, Fact, PolicyText
from governance.report.waivers import Waivers
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
            waivers=Waivers(self.all).lines(),
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
            talk=course.talk(),
            policies=tuple(self.policy(entry) for entry in self.all.of(K.POLICY_PUBLISHED)),
            events=appendix.events(self.all, self.name),
            events_note=appendix.events_note(self.all),
            check=appendix.check(self.all, self.name),
            note=self.all.seal.note,
            running=_("Request %(number)s · %(thing)s to %(stage)s")
            % {"number": self.request, "thing": self.thing, "stage": self.stage},
            sealed=appendix.sealed(self.all),
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
