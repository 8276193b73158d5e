"""What reports on rights have in common: gathering the events they rest on, and putting the pages together."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from governance.report import appendix, words
from governance.report.collect import (
    Gathered,
    below,
    contents_of,
    names_in,
    people_in,
    proofs_of,
    seal_of,
)
from governance.report.values import Figure, RightsReport, Section
from portal import ledger
from portal.errors import Refused
from portal.event_kinds import EventKind
from portal.models import Checkpoint, Event

K = EventKind
LANGUAGE = "en"
# Of so many grants at most giving and ending are told with their events; beyond that the lists of them suffice.
IN_FULL = 2_000
NAMED = {
    K.REVIEW_STARTED: ("population",),
    K.REVIEW_ANSWERED: ("statement", "envelope"),
    K.COMBINATIONS_FOUND: ("content",),
}


def gather(
    *,
    about: str,
    project: str,
    checkpoint: Checkpoint,
    subjects: Sequence[str],
    query: Mapping[str, Any],
    grants: Sequence[str] = (),
) -> Gathered:
    """The events on these subjects under the checkpoint, what they name, and who they are about; seven queries.

    `grants` are subjects of grants, whose giving and ending are told too. Raises Refused where nothing is there.
    """
    own = below(checkpoint.size, subject=list(subjects))
    if not own:
        raise Refused(
            _("The ledger holds nothing about this, so there is nothing to report on."), code="report_unknown"
        )
    chain: dict[int, Event] = {row.seq: row for row, _facts in own}
    if grants:
        given = (K.GRANT_GIVEN, K.GRANT_CONFIRMED, K.GRANT_REVOKED)
        chain |= {row.seq: row for row, _facts in below(checkpoint.size, subject=list(grants), kinds=given)}
    entries = ledger.read(chain[seq] for seq in sorted(chain))
    contents = contents_of(_named(entries))
    inside = [held.body for held in contents.values() if held.body is not None]
    people = people_in(chain.values(), *inside)
    for start in range(0, len(people), ledger.AT_A_TIME):
        some = people[start : start + ledger.AT_A_TIME]
        found = below(checkpoint.size, project="", subject=some, kinds=[K.PERSON_ADDED, K.ADMIN_MADE])
        chain |= {row.seq: row for row, _facts in found}
    rows = [chain[seq] for seq in sorted(chain)]
    entries = ledger.read(rows)
    seal = seal_of(checkpoint)
    return Gathered(
        about=about,
        project=project,
        query={**query, "about": about, "below": checkpoint.size},
        entries=tuple(entries),
        proofs=proofs_of(rows, seal),
        contents=contents,
        names=names_in(entries),
        seal=seal,
    )


def _named(entries: Iterable[ledger.Entry]) -> set[str]:
    """The digests of the contents that these events name."""
    found: set[str] = set()
    for entry in entries:
        for fact in NAMED.get(entry.kind, ()):
            value = entry.facts[fact]
            found |= {*value} if isinstance(value, list) else {value}
    return found


class Rights:
    """The gathered events of a report on rights, with what each of its sections asks again and again."""

    def __init__(self, gathered: Gathered) -> None:
        self.all = gathered
        self._system = {e.actor_id for e in gathered.entries if e.actor_kind == "system"}
        self._teams = {
            str(entry.facts["holder_id"]): str(entry.facts["holder"])
            for entry in gathered.of(K.GRANT_GIVEN, K.GRANT_REVOKED, K.GRANT_CONFIRMED)
            if entry.facts["holder_kind"] == "team" and entry.facts["holder"]
        }
        self._why = {str(entry.facts["grant"]): entry.facts["why"] for entry in gathered.of(K.GRANT_GIVEN)}

    def name(self, person: str) -> str:
        """A printed name by uuid; the system's, or what stands for an erased one."""
        if person in self._system:
            return _("Countersign")
        return self.all.names.get(person) or _("(name erased)")

    def holder(self, grant: Mapping[str, Any]) -> str:
        """Who holds a grant, as it is bound."""
        holder = grant["holder"]
        if holder["kind"] == "team":
            return _("team %(name)s (%(n)s)") % {
                "name": self._teams.get(holder["id"], holder["id"]),
                "n": holder["members"],
            }
        return self.name(holder["id"])

    def right(self, grant: Mapping[str, Any]) -> str:
        """Its right, and at which stage."""
        word = grant["right"].replace("_", " ")
        if grant["role"]:
            word += _(" for %(role)s") % {"role": grant["role"].replace("-", " ")}
        return (
            word
            if not grant["stage"]
            else _("%(right)s, in %(stage)s only") % {"right": word, "stage": grant["stage"]}
        )

    def since(self, grant: Mapping[str, Any]) -> str:
        """When and by whom it was given, why, and until when."""
        until = grant["until"]
        ends = _("until %(day)s") % {"day": words.day(words.moment(until))} if until else _("no end")
        why = self._why.get(str(grant["grant"]))
        return _("%(day)s by %(who)s%(why)s; %(ends)s") % {
            "day": words.day(words.moment(grant["given"]["at"])),
            "who": self.name(grant["given"]["by"]),
            "why": _(", “%(why)s”") % {"why": why} if why else "",
            "ends": ends,
        }

    def report(
        self,
        *,
        about: str,
        kicker: str,
        headline: str,
        lead: str,
        figures: Sequence[Figure],
        sections: Sequence[Section],
    ) -> RightsReport:
        """The whole, with what every report ends with."""
        return RightsReport(
            language=LANGUAGE,
            about=about,
            kicker=kicker,
            headline=headline,
            lead=lead,
            figures=tuple(figures),
            sections=tuple(sections),
            events=appendix.events(self.all, self.name),
            events_note=appendix.events_note(self.all),
            check=appendix.check(self.all, self.name),
            note=self.all.seal.note,
            running=about,
            sealed=appendix.sealed(self.all),
            made_at=words.moment(self.all.seal.at),
        )
