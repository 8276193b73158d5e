"""What every report ends with: its events in full, and how to check it."""

from collections.abc import Callable

from django.utils.translation import gettext as _

from governance.report import words
from governance.report.collect import Gathered
from governance.report.values import EventLine, Fact
from portal import ledger
from portal.event_kinds import EventKind

K = EventKind
Names = Callable[[str], str]


def events(gathered: Gathered, name: Names) -> tuple[EventLine, ...]:
    """A line for each event."""
    return tuple(
        EventLine(
            seq=f"{entry.seq:,}",
            date=words.date(entry.at),
            time=words.clock(entry.at),
            kind=entry.kind.value,
            sentence=ledger.sentence(entry, name),
            leaf=words.grouped(entry.leaf),
        )
        for entry in gathered.entries
    )


def events_note(gathered: Gathered) -> str:
    """Which events these are."""
    entries = gathered.entries
    return _(
        "All %(n)s events of the ledger that this report rests on, between rows %(first)s and %(last)s, in the "
        "order in which they were committed. The leaf is the SHA-256 of a zero byte and the event's bytes."
    ) % {"n": f"{len(entries):,}", "first": f"{entries[0].seq:,}", "last": f"{entries[-1].seq:,}"}


def sealed(gathered: Gathered) -> str:
    """Under every page: when, and over how much of the ledger."""
    at = words.moment(gathered.seal.at)
    return _("Sealed %(when)s · ledger rows 0 to %(last)s") % {
        "when": f"{words.day(at)}, {at:%H:%M} UTC",
        "last": f"{gathered.seal.size - 1:,}",
    }


def check(gathered: Gathered, name: Names) -> tuple[Fact, ...]:
    """What a reader needs to check it."""
    seal = gathered.seal
    asked = gathered.of(K.REPORT_ASKED)
    return (
        *(
            (
                Fact(
                    _("Report asked for by"),
                    _("%(who)s on %(when)s")
                    % {"who": name(asked[-1].actor_id), "when": words.instant(asked[-1].at)},
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
