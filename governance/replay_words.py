"""What a replayed draft comes to, in words: a line for each request whose outcome it would have changed, and why."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from governance.facts import Finding
from governance.replay import PASSED, STOPPED, UNKNOWN, Flip, Outcome, Replayed
from governance.sentences import sentence, stage_name, title, when
from portal.proposed import with_names


@dataclass(frozen=True, slots=True)
class Told:
    """One request and outcome: `times` judgements of it that end alike, the newest of event `seq` at `at`."""

    project: str
    bundle: str
    stage: str
    request: int
    seq: int
    at: str
    times: int
    outcome: Outcome
    reasons: tuple[str, ...]

    @property
    def why(self) -> str:
        """All reasons, one after the other."""
        return " ".join(self.reasons)

    @property
    def word(self) -> str:
        return outcome_word(self.outcome)

    @property
    def sentence(self) -> str:
        """All of it, as one sentence and its reason."""
        return _(
            "%(project)s %(bundle)s for %(stage)s, request %(request)s of %(when)s: %(word)s. %(why)s"
        ) % {
            "project": self.project,
            "bundle": self.bundle,
            "stage": self.stage,
            "request": self.request,
            "when": when(self.at),
            "word": self.word,
            "why": self.why,
        }


def outcome_word(outcome: Outcome) -> str:
    """What would have become of it."""
    return {
        STOPPED: _("would have been stopped"),
        PASSED: _("would have passed"),
        UNKNOWN: _("cannot be told"),
    }[outcome]


def told(replayed: Replayed) -> list[Told]:
    """The flips in words, the newest first; those of one request that say the same are one. One query, for names."""
    alike: dict[tuple[object, ...], list[Flip]] = {}
    for flip in replayed.flips:
        said = tuple((finding.key, finding.code) for finding in flip.findings)
        alike.setdefault((flip.about.request, flip.about.stage, flip.outcome, said), []).append(flip)
    some = [flips[0] for flips in alike.values()]
    reasons = with_names(["\n".join(_why(flip)) for flip in some])
    return [
        Told(
            project=flip.about.project,
            bundle=flip.about.bundle,
            stage=stage_name(flip.about.stage),
            request=flip.about.request,
            seq=flip.about.seq,
            at=flip.about.at,
            times=len(flips),
            outcome=flip.outcome,
            reasons=tuple(why.split("\n")),
        )
        for flip, flips, why in zip(some, alike.values(), reasons, strict=True)
    ]


def summary(replayed: Replayed) -> str:
    """How many judgements there were, and how many would have ended otherwise."""
    if not replayed.judged:
        return _("Nothing was judged by this policy yet, so there is nothing to replay.")
    judged = ngettext("%(n)s judgement replayed", "%(n)s judgements replayed", replayed.judged) % {
        "n": f"{replayed.judged:,}"
    }
    if not replayed.flips:
        return _("%(judged)s: each would have ended as it did.") % {"judged": judged}
    parts = [
        f"{len(found):,} {outcome_word(outcome)}"
        for outcome in (STOPPED, PASSED, UNKNOWN)
        if (found := replayed.of(outcome))
    ]
    return f"{judged}: {', '.join(parts)}."


def _why(flip: Flip) -> list[str]:
    if flip.outcome == STOPPED and not flip.findings:
        return [_("The draft says nothing about tier %(tier)s at this stage.") % {"tier": flip.about.tier}]
    said = [
        " ".join(one.split()) for one in _missed(flip.findings, flip)
    ]  # a line each, whatever people wrote
    if flip.outcome == PASSED:
        first = said[0] if said else ""
        said[:1] = [_("What it lacked is not asked for any more, or is there: %(said)s") % {"said": first}]
    return said


def _missed(findings: Iterable[Finding], flip: Flip) -> Iterable[str]:
    for finding in findings:
        clause = flip.clauses.get(finding.key)
        name = finding.key if clause is None else title(clause)
        yield f"{name}: {sentence(finding.code, finding.params, str)}"


def outcomes(said: Iterable[Told]) -> Mapping[Outcome, list[Told]]:
    """The lines by outcome, in the order in which they matter."""
    found: dict[Outcome, list[Told]] = {STOPPED: [], PASSED: [], UNKNOWN: []}
    for one in said:
        found[one.outcome].append(one)
    return {outcome: lines for outcome, lines in found.items() if lines}
