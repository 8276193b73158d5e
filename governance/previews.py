"""What publishing a text would change: its differences to the policy in force, and what it would have done before."""

from dataclasses import dataclass
from itertools import islice

from governance import replay_words
from governance.models import PolicyVersion
from governance.past import judged_under
from governance.policy import PolicyDocument, parse
from governance.policy_words import differences
from governance.queries import newest_version, parsed
from governance.replay import Replayed, replay
from governance.replay_words import Told
from governance.standing import Moved, moved_by
from portal import ledger
from portal.event_kinds import EventKind

# Judgements that a page replays while somebody waits; `manage.py policy replay` takes all.
AT_ONCE = 1000
# And how many times as many, by whichever policy, it looks through for them.
SCANNED = 5


@dataclass(frozen=True, slots=True)
class Preview:
    """A text beside the policy in force (None: it would be the first version).

    `cut`: there are more judgements than were replayed, which are the newest. `moved`: projects whose answers about
    materiality would lead to another tier, the first of `moved_in_all`.
    """

    document: PolicyDocument
    in_force: PolicyVersion | None
    differences: list[str]
    replayed: Replayed
    lines: list[Told]
    cut: bool
    moved: list[Moved]
    moved_in_all: int

    @property
    def same(self) -> bool:
        """Whether it says what is in force already."""
        return self.in_force is not None and self.in_force.digest == self.document.digest

    @property
    def version(self) -> int:
        """The number that it would get."""
        return 1 if self.in_force is None else self.in_force.version + 1

    @property
    def summary(self) -> str:
        """How many judgements there were, and how many would have ended otherwise."""
        return replay_words.summary(self.replayed)


def preview(source: str, limit: int | None = AT_ONCE) -> Preview:
    """Look at a text before it is proposed; raises PolicyError with every problem of it.

    Replays at most `limit` judgements by the versions of the policy it names, None: all.
    """
    document = parse(source)
    in_force = newest_version(document.name)
    past = judged_under(document.name, None if limit is None else limit + 1, scan=limit and limit * SCANNED)
    replayed = replay(document, islice(past, limit))
    return Preview(
        document,
        in_force,
        differences(None if in_force is None else parsed(in_force.source), document),
        replayed,
        replay_words.told(replayed),
        limit is not None and (next(past, None) is not None or _more_than(limit * SCANNED)),
        *moved_by(document),
    )


def _more_than(scanned: int) -> bool:
    """Whether there are judgements that were not even looked at."""
    return ledger.rows(kinds=[EventKind.VERDICT_JUDGED])[scanned : scanned + 1].exists()
