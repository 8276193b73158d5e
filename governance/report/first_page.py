"""The first page of a report: the answer in a sentence, a paragraph, three figures, and by requirement."""

from collections.abc import Sequence
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from governance.checks import Code
from governance.gate import MET, WAIVED
from governance.report import words
from governance.report.chain import Chain, Run
from governance.report.values import Figure, Requirement
from governance.sentences import state_word
from portal.event_kinds import EventKind

K = EventKind


class FirstPage(Chain):
    """Says how it ended, and why."""

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

    def _ended_badly(self, run: Run, said: dict[str, str]) -> str:
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

    def _why_failed(self, run: Run) -> str:
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
            (Code.TESTS_RATE, _("too many of its tests failed")),
            (Code.TESTS_REQUIRED, _("a test that is required by name did not pass")),
            (Code.PROJECT_UNSOUND, _("its project does not keep to the limits of the policy")),
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
            "who": self.actor(self.submitted),
            "day": words.day(self.submitted.at),
        }
        return " ".join([asked, *self._lead_signatures(), *self._lead_waived(), *self._lead_outcome()])

    def _lead_waived(self) -> list[str]:
        count = self.waived()
        if not count:
            return []
        said = ngettext("%(n)s requirement was waived.", "%(n)s requirements were waived.", count)
        return [words.capital(said % {"n": words.spelled(count)})]

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
            names = words.series(dict.fromkeys(self.actor(entry) for entry in against))
            said.append(_("%(names)s did not.") % {"names": names})
        return said

    def _lead_outcome(self) -> list[str]:
        if not self.promotions:
            return self._lead_undecided()
        run = self.promotions[-1]
        at = run.started.at
        said = [
            _("%(who)s started its promotion on %(day)s at %(clock)s UTC.")
            % {"who": self.actor(run.started), "day": words.day(at), "clock": f"{at:%H:%M}"}
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

    def _lead_passed(self, run: Run) -> str:
        tests, watched = run.output("run_tests"), run.output("watch")
        count = len(tests["listed"]) if tests else 0
        passed = ngettext("%(n)s test", "%(n)s tests", count) % {"n": words.spelled(count)}
        seconds = float(watched["watched_seconds"]) if watched else 0.0
        return _(
            "It passed %(tests)s and its smoke test, and was watched for %(time)s without a finding."
        ) % {
            "tests": passed,
            "time": words.span(seconds),
        }

    def _lead_undone(self, run: Run, undone: Run) -> str:
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
        said = _(
            "When %(who)s wanted to start its promotion on %(day)s at %(clock)s UTC, %(n)s of %(all)s requirements "
            "were not met, so nothing was changed in %(stage)s."
        ) % {
            "who": self.name(last.actor_id),
            "day": words.day(last.at),
            "clock": f"{last.at:%H:%M}",
            "n": words.spelled(missing),
            "all": words.spelled(whole),
            "stage": self.stage,
        }
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
            _("judged at %(first)s and again at %(last)s UTC")
            % {"first": when, "last": words.clock(times[-1])}
            if len(times) > 1
            else _("judged at %(first)s UTC") % {"first": when}
        )
        what = _("requirements met or waived") if waived else _("requirements met")
        if waived:
            what += _(" (%(n)s waived)") % {"n": self.waived()}
        return Figure(_("%(met)s of %(all)s") % {"met": met, "all": len(findings)}, f"{what}, {judged}")

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
        # Nor may whoever was signed for have asked, built or promoted.
        named = people | {entry.facts["on_behalf_of"] for entry in signed if entry.facts["on_behalf_of"]}
        if not signed:
            return Figure("0", _("approving signatures"))
        others = {self.submitted.actor_id: _("asked")}
        if self.submitted.facts["on_behalf_of"]:
            others[self.submitted.facts["on_behalf_of"]] = _("asked")
        if self.registered is not None:
            others[str(self.registered.facts["author"])] = _("built it")
        for run in self.promotions:
            others[run.started.actor_id] = _("promoted it")
        both = [f"{self.name(person)} {others[person]}" for person in sorted(named & others.keys())]
        apart = (
            _("of whom %(who)s") % {"who": words.series(both)}
            if both
            else ngettext(
                "who neither asked, built nor promoted", "none of whom asked, built or promoted", len(people)
            )
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
                else _("from the live change of %(bundle)s until it was switched off")
                % {"bundle": run.bundle},
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
        return _(
            "By policy %(name)s version %(version)s, tier %(tier)s, as last judged on %(when)s (row %(row)s)."
        ) % {
            "name": policy["name"],
            "version": policy["version"],
            "tier": policy["tier"],
            "when": words.instant(last.at),
            "row": f"{last.seq:,}",
        }

    def _who_could(self, people: Sequence[str]) -> str:
        """Who was able to act when it was judged; a report is read later, so nothing in it is "now"."""
        if not people:
            return ""
        named = sorted(self.name(person) for person in people)
        return _("Who could act then: %(people)s.") % {"people": words.series(named)}

    def requirements(self) -> tuple[Requirement, ...]:
        return tuple(
            Requirement(
                title=str(finding["title"]),
                state=finding["state"],
                word=state_word(finding["state"]),
                because=" ".join(filter(None, [self.found(finding), self._who_could(finding["unblock"])])),
            )
            for finding in self.findings()
        )
