"""The waivers of a request: every one that was asked for, granted or not, ended or not."""

from django.utils.translation import gettext as _

from governance.report import words
from governance.report.chain import Chain
from governance.report.values import Fact, WaiverLine
from portal import ledger
from portal.event_kinds import EventKind
from portal.ledger import Entry

K = EventKind


class Waivers(Chain):
    """Tells each waiver from its own events, as of the report's checkpoint."""

    def lines(self) -> tuple[WaiverLine, ...]:
        return tuple(self._line(entry) for entry in self.all.of(K.WAIVER_ASKED))

    def _line(self, asked: Entry) -> WaiverLine:
        own = [entry for entry in self.all.entries if entry.subject == asked.subject]
        granted, refused, withdrawn = (
            next((entry for entry in own if entry.kind == kind), None)
            for kind in (K.WAIVER_GRANTED, K.WAIVER_REFUSED, K.WAIVER_WITHDRAWN)
        )
        until = words.moment(asked.facts["until"])
        over = until <= words.moment(self.all.seal.at)
        state, word = self._state(granted, refused, withdrawn, over)
        return WaiverLine(
            title=str(asked.facts["title"]),
            state=state,
            word=word,
            found=str(asked.facts["found"]),
            why=str(asked.facts["why"] or ledger.ERASED),
            asked=self._by(asked),
            answered=self._answered(granted, refused),
            until=words.instant(until),
            ended=_("Taken back by %(who)s: %(why)s")
            % {"who": self._by(withdrawn), "why": withdrawn.facts["why"] or ledger.ERASED}
            if withdrawn
            else "",
            facts=self._facts(asked, granted),
        )

    def _state(
        self, granted: Entry | None, refused: Entry | None, withdrawn: Entry | None, over: bool
    ) -> tuple[str, str]:
        if refused is not None:
            return "refused", _("Refused")
        if withdrawn is not None:
            return "withdrawn", _("Taken back")
        if over:
            return "expired", _("Expired")
        return ("waived", _("Waived")) if granted is not None else ("asked", _("Not answered"))

    def _by(self, entry: Entry) -> str:
        return _("%(who)s on %(when)s (row %(row)s)") % {
            "who": self.actor(entry),
            "when": words.instant(entry.at),
            "row": f"{entry.seq:,}",
        }

    def _answered(self, granted: Entry | None, refused: Entry | None) -> str:
        answer = granted or refused
        if answer is None:
            return words.NOT_SAID
        said = answer.facts["comment"]
        text = _("Waived by %(who)s") if granted is not None else _("Refused by %(who)s")
        text %= {"who": self._by(answer)}
        return f"{text}: {said}" if said else text

    def _facts(self, asked: Entry, granted: Entry | None) -> tuple[Fact, ...]:
        lines = [Fact(_("Requirement"), words.grouped(asked.facts["clause"]), digest=True)]
        if granted is not None:
            lines += [
                Fact(_("Meaning"), str(granted.facts["meaning"])),
                Fact(_("Proved by"), str(granted.facts["proved_by"])),
                Fact(_("Statement, SHA-256"), words.grouped(granted.facts["statement"]), digest=True),
                Fact(_("Signed with key"), words.grouped(str(granted.facts["key_id"])), digest=True),
            ]
        return tuple(lines)
