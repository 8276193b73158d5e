"""The report of an access review: what was asked, who confirmed and revoked what, and what ended without an answer."""

import json
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from governance.report import words
from governance.report.collect import Gathered, below, contents_of
from governance.report.rights import IN_FULL, Rights, gather
from governance.report.values import Block, Fact, Figure, RightsReport, Section, Table
from portal.event_kinds import EventKind
from portal.ledger import Entry
from portal.models import Checkpoint

K = EventKind
CONFIRMED, REVOKED, LAPSED, SPARED, OTHERWISE, WAITS = range(6)


def collect(*, review: int, project: str, checkpoint: Checkpoint, asked: str) -> Gathered:
    """Everything under the checkpoint that belongs to one access review."""
    about = f"review:{review}"
    started = below(checkpoint.size, subject=about, kinds=[K.REVIEW_STARTED])
    digests = [one for _row, facts in started for one in facts["population"]]
    listed = [
        grant["grant"]
        for held in contents_of(digests).values()
        if held.body is not None
        for grant in json.loads(held.body)
    ]
    grants = [f"grant:{number}" for number in sorted(listed)] if len(listed) <= IN_FULL else []
    return gather(
        about=about,
        project=project,
        checkpoint=checkpoint,
        subjects=[about, asked],
        grants=grants,
        query={"review": review, "grants": len(listed)},
    )


def compose(gathered: Gathered) -> RightsReport:
    """The report of what was gathered."""
    return _Review(gathered).whole()


class _Review(Rights):
    def __init__(self, gathered: Gathered) -> None:
        super().__init__(gathered)
        self.started = gathered.of(K.REVIEW_STARTED)[0]
        self.number = self.started.facts["review"]
        self.answered = gathered.of(K.REVIEW_ANSWERED)
        self.lapsed = gathered.of(K.REVIEW_LAPSED)
        ends = gathered.of(K.REVIEW_COMPLETED, K.REVIEW_EXPIRED, K.REVIEW_CALLED_OFF)
        self.end = ends[0] if ends else None
        self.grants: dict[int, Mapping[str, Any]] = {
            grant["grant"]: grant
            for digest in self.started.facts["population"]
            for grant in gathered.json(digest)
        }
        self.became = self._became()

    def _became(self) -> dict[int, tuple[int, Entry | None]]:
        """What became of each grant, and the signature or the lapse that says so."""
        left = WAITS if self.end is None else OTHERWISE
        found: dict[int, tuple[int, Entry | None]] = dict.fromkeys(self.grants, (left, None))
        for entry in self.answered:
            found |= dict.fromkeys(entry.facts["confirmed"], (CONFIRMED, entry))
            found |= dict.fromkeys(entry.facts["revoked"], (REVOKED, entry))
        for entry in self.lapsed:
            found |= dict.fromkeys(entry.facts["lapsed"], (LAPSED, entry))
            found |= dict.fromkeys(entry.facts["spared"], (SPARED, entry))
        return found

    def _count(self, what: int) -> int:
        return sum(became == what for became, _entry in self.became.values())

    def whole(self) -> RightsReport:
        return self.report(
            about=_("Access review %(number)s") % {"number": self.number},
            kicker=_("Report of an access review"),
            headline=self.headline(),
            lead=self.lead(),
            figures=self.figures(),
            sections=[self.what(), self.signatures(), *self.places(), self.unconfirmed()],
        )

    def headline(self) -> str:
        asked, confirmed = len(self.grants), self._count(CONFIRMED)
        if self.end is None:
            return _("%(n)s of %(asked)s rights are answered for") % {
                "n": asked - self._count(WAITS),
                "asked": asked,
            }
        if self.end.kind == K.REVIEW_CALLED_OFF:
            return _("The access review was called off")
        ended = self._count(REVOKED) + self._count(LAPSED)
        return ngettext(
            "%(confirmed)s of %(asked)s rights were confirmed, %(n)s was revoked",
            "%(confirmed)s of %(asked)s rights were confirmed, %(n)s were revoked",
            ended,
        ) % {"confirmed": confirmed, "asked": asked, "n": ended}

    def lead(self) -> str:
        facts = self.started.facts
        return _(
            "%(who)s started it on %(day)s for %(scope)s, because “%(why)s”. Each right had to be confirmed by the"
            " owners of its project or by an administrator until %(due)s; what nobody confirmed ended then."
        ) % {
            "who": self.name(self.started.actor_id),
            "day": words.day(self.started.at),
            "scope": facts["scope"],
            "why": (facts["why"] or _("(erased)")).rstrip(".!?"),
            "due": words.instant(words.moment(facts["due"])),
        }

    def figures(self) -> list[Figure]:
        asked = len(self.grants)
        return [
            Figure(
                _("%(n)s of %(all)s") % {"n": self._count(CONFIRMED), "all": asked}, _("rights confirmed")
            ),
            Figure(f"{self._count(REVOKED):,}", _("revoked with a signature")),
            Figure(f"{self._count(LAPSED):,}", _("revoked for want of an answer")),
        ]

    def what(self) -> Section:
        facts = self.started.facts
        who = self.name(self.started.actor_id)
        said = {"when": words.instant(self.started.at), "who": who, "row": f"{self.started.seq:,}"}
        found = [
            Fact(_("About"), str(facts["scope"])),
            Fact(_("Started"), _("%(when)s by %(who)s, row %(row)s") % said),
            Fact(_("Due"), words.instant(words.moment(facts["due"]))),
        ]
        if self.end is not None:
            ended = {
                K.REVIEW_COMPLETED: _("completed"),
                K.REVIEW_EXPIRED: _("expired"),
                K.REVIEW_CALLED_OFF: _("called off"),
            }[self.end.kind]
            found.append(
                Fact(
                    _("Ended"),
                    _("%(how)s on %(when)s, row %(row)s")
                    % {"how": ended, "when": words.instant(self.end.at), "row": f"{self.end.seq:,}"},
                )
            )
            if self.end.kind == K.REVIEW_CALLED_OFF:
                found.append(Fact(_("Called off because"), self.end.facts["why"] or _("(erased)")))
        if facts["spared"]:
            found.append(
                Fact(
                    _("Last administrator"),
                    _("grant %(n)s was not to end unless somebody else manages the estate")
                    % {"n": facts["spared"]},
                )
            )
        found += [
            Fact(_("List of what was asked, SHA-256"), words.grouped(one), digest=True)
            for one in facts["population"]
        ]
        return Section(_("What was asked"), facts=tuple(found))

    def signatures(self) -> Section:
        lead = "" if self.answered else _("Nobody has signed an answer.")
        return Section(
            _("Who signed"),
            lead=lead,
            blocks=tuple(
                self._signature(number, entry) for number, entry in enumerate(self.answered, start=1)
            ),
        )

    def _signature(self, number: int, entry: Entry) -> Block:
        facts = entry.facts
        rows = [
            Fact(_("Meaning"), facts["meaning"]),
            Fact(_("Confirmed"), _listed(facts["confirmed"])),
            Fact(_("Revoked"), _listed(facts["revoked"])),
        ]
        if facts["why"]:
            rows.append(Fact(_("Why"), facts["why"]))
        rows += [
            Fact(_("Statement, SHA-256"), words.grouped(facts["statement"]), digest=True),
            Fact(_("Envelope, SHA-256"), words.grouped(facts["envelope"]), digest=True),
            Fact(_("Signed with key"), words.grouped(facts["key_id"]), digest=True),
        ]
        return Block(
            _("Signature %(n)s: %(who)s") % {"n": number, "who": facts["name"] or self.name(entry.actor_id)},
            _("Signed %(time)s (%(zone)s), after showing who it is by %(how)s; row %(row)s.")
            % {
                "time": words.local(entry.at, entry.zone),
                "zone": entry.zone,
                "how": str(facts["proved_by"]).replace("_", " "),
                "row": f"{entry.seq:,}",
            },
            tuple(rows),
        )

    def places(self) -> list[Section]:
        of_place: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for number in sorted(self.grants):
            of_place[self.grants[number]["where"]].append(self.grants[number])
        tables = tuple(
            Table(
                caption=place[:1].upper() + place[1:],
                heads=(_("No."), _("Who"), _("May"), _("Since"), _("Answer")),
                rows=tuple(self._row(grant) for grant in some),
                widths=(7, 22, 19, 28, 24),
                numbers=frozenset({0}),
            )
            for place, some in sorted(of_place.items())
        )
        return [
            Section(
                _("Every right that was asked about"),
                lead=_("A number after an answer is that of the signature above."),
                tables=tables,
            )
        ]

    def _row(self, grant: Mapping[str, Any]) -> tuple[str, ...]:
        number = grant["grant"]
        return (str(number), self.holder(grant), self.right(grant), self.since(grant), self._answer(number))

    def _answer(self, number: int) -> str:
        became, entry = self.became[number]
        if entry is not None and became in (CONFIRMED, REVOKED):
            said = {"who": self.name(entry.actor_id), "n": self.answered.index(entry) + 1}
            word = _("Confirmed") if became == CONFIRMED else _("Revoked")
            return _("%(word)s by %(who)s (%(n)s)") % {**said, "word": word}
        if became == LAPSED:
            return _("Revoked at the due date: nobody confirmed it")
        if became == SPARED:
            return _("Kept: the last administrator's")
        if became == WAITS:
            return _("Waits for an answer")
        return _("Not asked any more: called off") if self._called_off else _("Ended otherwise meanwhile")

    @property
    def _called_off(self) -> bool:
        return self.end is not None and self.end.kind == K.REVIEW_CALLED_OFF

    def unconfirmed(self) -> Section:
        gone = sorted(number for number, (became, _entry) in self.became.items() if became == LAPSED)
        if not gone:
            over = self.end is not None
            lead = _("None.") if over else _("None so far: it is not over.")
            return Section(_("Revoked for want of an answer"), lead=lead)
        due = words.moment(self.started.facts["due"]).astimezone(UTC)
        return Section(
            _("Revoked for want of an answer"),
            lead=_("These rights had no effect from %(due)s on, whether or not it was written down yet.")
            % {"due": words.instant(due)},
            tables=(
                Table(
                    caption=_("Not confirmed in time"),
                    heads=(_("No."), _("Who"), _("May"), _("Where")),
                    rows=tuple(
                        (str(one), self.holder(grant), self.right(grant), grant["where"])
                        for one in gone
                        if (grant := self.grants[one])
                    ),
                    widths=(8, 34, 30, 28),
                    numbers=frozenset({0}),
                ),
            ),
        )


def _listed(numbers: list[int]) -> str:
    return ", ".join(f"{number}" for number in numbers) if numbers else words.NOT_SAID
