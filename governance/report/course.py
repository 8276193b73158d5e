"""What happened: each judgement of the gate, each promotion step by step, and what was refused."""

from collections.abc import Iterable

from django.utils.translation import gettext as _

from governance.gate import MET, WAIVED
from governance.report import words
from governance.report.chain import Chain, Run
from governance.report.findings import scenarios
from governance.report.values import Attempt, Fact, Judgement, Refusal, Said, StepLine, Table
from portal import ledger
from portal.event_kinds import EventKind
from portal.ledger import Entry

K = EventKind


class Course(Chain):
    """Tells a promotion and its rollback each on its own, in the words of what DSS answered."""

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
            outcome=_("%(n)s of %(all)s met")
            % {"n": sum(s in (MET, WAIVED) for s in states), "all": len(states)},
            state="met" if met else "not_met",
            policy=f"{facts['policy']['name']} {facts['policy']['version']} ({facts['policy']['tier']})",
            missing=tuple(
                f"{finding['title']}: {self.found(finding)}"
                for finding in facts["findings"]
                if finding["state"] not in (MET, WAIVED)
            ),
            case=words.grouped(facts["case"]),
            verdict=words.grouped(facts["verdict"]),
            seq=entry.seq,
        )

    def attempt(self, run: Run) -> Attempt:
        facts = run.started.facts
        kinds = {
            "promote": _("Promotion %(n)s"),
            "rollback": _("Rollback %(n)s"),
            "disable": _("Switching off %(n)s"),
        }
        number = kinds.get(run.kind, _("Promotion %(n)s")) % {"n": run.number}
        end = run.end
        outcome = (
            {
                K.PROMOTION_SUCCEEDED: _("succeeded"),
                K.PROMOTION_FAILED: _("failed"),
                K.PROMOTION_ERRORED: _("errored"),
                K.PROMOTION_STOPPED: _("was stopped"),
            }.get(end.kind, "")
            if end is not None
            else _("is under way")
        )
        by = self.actor(run.started)
        lead = [
            _("%(who)s started it on %(when)s.") % {"who": by, "when": words.instant(run.started.at)},
        ]
        if facts["undoes"] is not None:
            lead.insert(0, _("It undoes promotion %(n)s.") % {"n": facts["undoes"]})
        if end is not None:
            why = end.facts.get("reason") or end.facts.get("why") or ""
            lead.append(
                _("It %(outcome)s on %(when)s.") % {"outcome": outcome, "when": words.instant(end.at)}
            )
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
                Fact(
                    _("Live change"),
                    _("%(when)s; %(previous)s ran before")
                    % {
                        "when": words.instant(run.live.at),
                        "previous": run.live.facts["previous"] or _("nothing"),
                    },
                )
            )
        changed = run.first(K.DEPLOYMENT_CHANGED)
        if changed is not None:
            lines.append(self._ran(changed))
        lines += [
            Fact(
                _("%(kind)s as evidence, row %(row)s")
                % {"kind": words.capital(words.topic(entry.facts["evidence"])), "row": f"{entry.seq:,}"},
                words.grouped(entry.facts["digest"]),
                digest=True,
            )
            for entry in self.all.of(K.EVIDENCE_RECORDED)
            if entry.facts["source"].get("promotion") == run.number
        ]
        released = run.first(K.LANE_RELEASED)
        if released is not None:
            lines.append(
                Fact(
                    _("Lane released"),
                    _("%(when)s by %(who)s: %(why)s")
                    % {
                        "when": words.instant(released.at),
                        "who": self.actor(released),
                        "why": released.facts["why"] or ledger.ERASED,
                    },
                )
            )
        return Attempt(
            heading=_("%(number)s of %(bundle)s to %(stage)s %(outcome)s")
            % {"number": number, "bundle": run.bundle, "stage": self.stage, "outcome": outcome},
            lead=" ".join(lead),
            facts=tuple(lines),
            steps=tuple(self._steps(run)),
            tables=tuple(self._run_tables(run)),
        )

    def _ran(self, changed: Entry) -> Fact:
        """What ran from a change on, and until when as far as this report's events tell."""
        bundle, place = changed.facts["bundle"], changed.facts["place"]
        if bundle is None:
            return Fact(_("Switched off"), words.instant(changed.at))
        over = next(
            (
                e
                for e in self.all.of(K.DEPLOYMENT_CHANGED)
                if e.seq > changed.seq and e.facts["place"] == place and e.facts["previous"] == bundle
            ),
            None,
        )
        if over is None:
            return Fact(
                _("Runs there"),
                _("%(bundle)s, from %(since)s") % {"bundle": bundle, "since": words.instant(changed.at)},
            )
        return Fact(
            _("Ran there"),
            _("%(bundle)s, from %(since)s to %(until)s")
            % {"bundle": bundle, "since": words.instant(changed.at), "until": words.instant(over.at)},
        )

    def _steps(self, run: Run) -> Iterable[StepLine]:
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
                number=int(facts["index"]) + 1,
                name=words.step(facts["step"]),
                code=facts["step"],
                state="failed" if failed else "done",
                began=words.clock(words.moment(began)) if began else words.NOT_SAID,
                took=words.span(took),
                answer=said,
                seq=entry.seq,
            )
        if run.end is None:
            return
        for index, name in enumerate(run.started.facts["steps"]):
            if name not in over:
                yield StepLine(
                    index + 1,
                    words.step(name),
                    name,
                    "skipped",
                    words.NOT_SAID,
                    words.NOT_SAID,
                    _("Not reached."),
                    run.end.seq,
                )

    def _run_tables(self, run: Run) -> Iterable[Table]:
        tests, smoke = run.output("run_tests"), run.output("smoke_test")
        if tests and tests.get("results"):
            yield scenarios(_("Tests on the target"), tests["results"])
        if smoke and smoke.get("outcome"):
            yield scenarios(_("Smoke test"), [smoke])

    def talk(self) -> tuple[Said, ...]:
        """What was said, who was asked, reminded and told, in order."""
        asked = (
            *(K.SIGNOFF_ASKED, K.SIGNOFF_REMINDED, K.SIGNOFF_ESCALATED),
            *(K.WAIVER_REMINDED, K.WAIVER_ESCALATED),
        )
        lines = []
        for entry in self.all.entries:
            facts = entry.facts
            if entry.kind == K.REQUEST_COMMENTED:
                text = str(facts["text"] or _("(what was said is erased)"))
            elif entry.kind in asked:
                people = ", ".join(sorted(self.name(one) for one in facts["people"]))
                text = f"{ledger.sentence(entry, self.name)}: {people or words.NOT_SAID}."
                text += f" {facts['why']}" if facts.get("why") else ""
            elif entry.kind in (K.SIGNOFF_LAPSED, K.WAIVER_LAPSED):
                text = f"{ledger.sentence(entry, self.name)}. {facts['sentence']}"
            else:
                continue
            lines.append(Said(words.instant(entry.at), self.name(entry.actor_id), text, entry.seq))
        return tuple(lines)

    def refusal(self, entry: Entry) -> Refusal:
        known = {
            "sign": _("sign"),
            "promote": _("start the promotion"),
            "waive": _("waive a requirement"),
            "request": _("ask for the bundle to go to a stage"),
        }
        did = known.get(entry.facts["action"], words.topic(entry.facts["action"]))
        return Refusal(
            when=words.instant(entry.at),
            name=self.name(entry.actor_id),
            did=did,
            reason=entry.facts["reason"] or ledger.ERASED,
            seq=entry.seq,
        )
