"""When a finding that is not met may pass all the same: one person asked for it, a second one let it, until an instant.

Pure arithmetic on a Case, as `governance.checks`, whose bars it shares: who waives is as independent as who signs, and
of whoever asked for the waiver as well. A person's word is never waived. Not in charge of asking and granting
(`governance.actions.waivers`) nor of sentences.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from enum import StrEnum
from typing import Any

from governance import checks
from governance.checks import Code, bar_behind, who_is_barred
from governance.facts import (
    CAN_WAIVE,
    MET,
    NOT_MET,
    WAIVED,
    Barred,
    Case,
    Clause,
    Finding,
    Holder,
    WaiverFact,
    instant,
    parse_instant,
)
from governance.parity import RATIO_METRICS

NEVER = "never"
ASKER = "waiver_asker"
# Requirements that are people's words: given here, or in Dataiku Govern.
WORDS = ("sign_off", "govern")


class Why(StrEnum):
    """Why a waiver does not count, in the `waiver` of a finding."""

    BARRED = "barred"
    DIFFERS = "differs"
    EXPIRED = "expired"
    NEVER = "never"
    RIGHT_LOST = "right_lost"
    WITHDRAWN = "withdrawn"


# --- what may be waived, and by whom ---


def may_be(clause: Clause) -> bool:
    """Whether a requirement may be waived at all: never a person's word, and nothing of which the policy says so."""
    return clause.kind not in WORDS and clause.params.get("waive") != NEVER


def longest(clause: Clause) -> timedelta | None:
    """How long the policy lets it be waived; None: it says nothing about that."""
    limit = clause.params.get("waive")
    return timedelta(seconds=int(limit["at_most"])) if isinstance(limit, dict) else None


def asker_bars(asked_by: str, asked_for: str = "", behind: Iterable[Barred] = ()) -> tuple[Barred, ...]:
    """Who cannot let pass what somebody asked to: the two themselves, and who could have asked as one of them."""
    return (*(Barred(one, ASKER) for one in (asked_by, asked_for) if one), *behind)


def able(case: Case, asked: Sequence[Barred] = ()) -> tuple[str, ...]:
    """Who can waive here now; `asked` are the bars of whoever asked for it."""
    barred = replace(case, barred=(*case.barred, *asked)) if asked else case
    return tuple(sorted({one.person for one in _holders(case) if bar(barred, one)[0] is None}))


def bars_of(case: Case, person: str, asked: Sequence[Barred]) -> tuple[Barred, str] | None:
    """Why this person cannot waive here what somebody asked, with by whom they were let in, where it is for that.

    None where nothing bars them; that they hold the right is not looked at, but of those who do, who let them in.
    """
    barred = replace(case, barred=(*case.barred, *asked))
    held = [one for one in _holders(case) if one.person == person] or [Holder(CAN_WAIVE, person)]
    found, whom = bar(barred, held[0])
    return None if found is None else (found, whom.get("whom", ""))


def bar(case: Case, one: Holder | WaiverFact) -> tuple[Barred | None, dict[str, Any]]:
    """Why this person cannot waive here, and, as parameters, of whom where they were let in by somebody who cannot."""
    own = who_is_barred(case).get(one.person)
    if own is not None:
        return own, {}
    behind = bar_behind(case, one)
    return (behind, {"whom": behind.person, "let_in": True}) if behind else (None, {})


def _holders(case: Case) -> list[Holder]:
    return [
        one for one in case.holders if one.role == CAN_WAIVE and (one.until is None or one.until > case.at)
    ]


# --- what a waiver is about ---


def mark(finding: Finding) -> dict[str, Any]:
    """What of a finding a waiver is about: while it stays `same`, it is that finding.

    `says` is all that has to be equal. `limits` are numbers that may move: [metric, by, "min" or "max", the worst value
    that what was waived may stand for, the value now]; a worse one is another finding. `groups`, of fairness, the same
    of each group that is not met or cannot be told: [metric, by, group, rate, and the three]; so is one more of them.
    """
    about = _SAYS.get(finding.code, _everything)  # none of them looks at what is said of an earlier waiver
    params = finding.params if finding.code.startswith("fairness_") else {}
    rows = [row for row in params.get("metrics", ()) if row["state"] != MET]
    groups = [(row, group) for row in rows for group in row["groups"] if group["state"] != MET]
    return {
        "state": finding.state,
        "code": finding.code,
        "says": about(finding.params),
        "limits": [[row["metric"], row["by"], *_limit(row, row)] for row in rows],
        **(
            {
                "groups": [
                    [row["metric"], row["by"], _spelt(group), group["of"], *_limit(row, group)]
                    for row, group in groups
                ]
            }
            if groups
            else {}
        ),
    }


def same(waived: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether a finding is still what was waived."""
    if any(waived[name] != now[name] for name in ("state", "code", "says")):
        return False
    if any(_worse(was[-3:], has[-1]) for was, has in zip(waived["limits"], now["limits"], strict=False)):
        return False
    # The worst of a metric stands for all of its groups, but each is waived as it was.
    limits = {_group(one): one[-3:] for one in waived.get("groups", ())}
    return all(
        _group(one) in limits and not _worse(limits[_group(one)], one[-1]) for one in now.get("groups", ())
    )


def _limit(row: Mapping[str, Any], held: Mapping[str, Any]) -> list[Any]:
    ratio = row["metric"] in RATIO_METRICS
    low, high = held["interval"] or (None, None)
    return ["min" if ratio else "max", low if ratio else high, held["value"]]


def _worse(limit: Sequence[Any], value: float | None) -> bool:
    side, least, _was = limit
    return least is not None and value is not None and (value < least if side == "min" else value > least)


def _group(one: Sequence[Any]) -> tuple[Any, ...]:
    metric, by, group, of, *_numbers = one
    return metric, by if isinstance(by, str) else tuple(by), group, of


def _nothing(_params: Mapping[str, Any]) -> list[Any]:
    return []


def _everything(params: Mapping[str, Any]) -> list[Any]:
    """Of a code that says nothing here about what matters, all of it: rather another finding than another's waiver."""
    return [{name: value for name, value in params.items() if name != "waiver"}]


def _named(*names: str) -> Callable[[Mapping[str, Any]], list[Any]]:
    return lambda params: [params.get(name) for name in names]


def _states(params: Mapping[str, Any]) -> list[Any]:
    """The state of each metric, why, and the groups that fail: numbers may move, states may not."""
    return [
        [
            *(row["metric"], row["by"], row["state"], row["reason"]),
            sorted(_spelt(group) for group in row["groups"] if group["state"] == NOT_MET),
        ]
        for row in params["metrics"]
    ]


def _spelt(held: Mapping[str, Any]) -> str:
    """A group, with the scores of its people where it is judged by score."""
    return " ".join(map(str, (held["group"], *held.get("score", ()))))


def _forbidden(params: Mapping[str, Any]) -> list[Any]:
    return [
        *sorted([one["feature"], one["forbidden"]] for one in params.get("forbidden", ())),
        # A feature that was waived is no word on proxies or drift found later, nor on more of either.
        *(params[name] for name in ("proxies", "drift") if name in params),
    ]


def _tests(params: Mapping[str, Any]) -> list[Any]:
    """What did not pass: also what is not named because another thing is, and how many in all."""
    names = ("required", "failed", "not_run")
    return [*(params.get(name, []) for name in names), params["listed"] - params["passed"]]


_SAYS: Mapping[str, Callable[[Mapping[str, Any]], list[Any]]] = {
    Code.DOCUMENT_MISSING: _nothing,
    Code.DOCUMENT_OTHER_PARTS: _nothing,
    Code.DOCUMENT_EXPIRED: _named("id"),
    Code.DOCUMENT_SECTIONS_MISSING: _named("absent"),
    Code.DOCUMENT_SECTIONS_UNTOLD: _named("id"),
    Code.EVIDENCE_MISSING: _nothing,
    Code.EVIDENCE_OTHER_PARTS: _nothing,
    # What an old piece says, one that was brought or one that cannot be read, is not judged: another is another thing.
    Code.EVIDENCE_BROUGHT: _named("id"),
    Code.EVIDENCE_EXPIRED: _named("id"),
    Code.EVIDENCE_UNREADABLE: _named("id"),
    Code.EXPLAINABILITY_EMPTY: _nothing,
    Code.EXPLAINABILITY_DRIFTED: _forbidden,
    Code.EXPLAINABILITY_DRIFT_UNCLEAR: _forbidden,
    Code.EXPLAINABILITY_FORBIDDEN: _forbidden,
    Code.EXPLAINABILITY_PROXY: _forbidden,
    Code.EXPLAINABILITY_PROXY_UNCLEAR: _forbidden,
    Code.FAIRNESS_NOT_COUNTED: _states,
    Code.FAIRNESS_UNCLEAR: _states,
    Code.FAIRNESS_VIOLATED: _states,
    Code.PROJECT_UNSOUND: _named("absent", "over", "untold", "more"),
    Code.PROJECT_UNTOLD: _named("untold", "more"),
    # A stretch that was cut short, or began anew, is another one.
    Code.SOAK_CUT_SHORT: _named("since", "until"),
    Code.SOAK_NEVER: _nothing,
    Code.SOAK_RUNNING: _named("since"),
    Code.STANDARDS_BROKEN: _named("found", "graver", "not_run"),
    Code.STANDARDS_NONE: _nothing,
    Code.STANDARDS_NOT_RUN: _named("not_run"),
    Code.TESTS_FAILED: _tests,
    Code.TESTS_NONE: _nothing,
    Code.TESTS_NOT_RUN: _tests,
    Code.TESTS_RATE: _named("failed", "listed", "passed"),
    Code.TESTS_REQUIRED: _tests,
    Code.TICKET_MISSING: _nothing,
    Code.TICKET_OTHER: _named("ticket"),
    Code.TICKET_UNREADABLE: _named("ticket"),
    # When it opens next is another time each day.
    Code.WINDOW_CLOSED: _nothing,
    Code.WINDOW_UNREADABLE: _nothing,
}


# --- whether it counts ---


def applied(case: Case, findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """The findings, with what is waived passed as such; where a waiver does not count, why not."""
    if not case.waivers:  # as nearly always
        return findings
    found = tuple(
        _applied(case, clause, finding) for clause, finding in zip(case.requirements, findings, strict=True)
    )
    if not any(one.state == WAIVED for one in found):
        return found
    left = [{"field": clause.kind, "kind": clause.params["kind"]} for clause in not_there(case)]
    return tuple(_waits_for(one, left) for one in found)


def not_there(case: Case) -> tuple[Clause, ...]:
    """As `governance.checks.not_there`, but for what is waived: nobody waits for that before they approve."""
    missing = checks.not_there(case)
    if not missing or not case.waivers:
        return missing
    kept = {clause.key: checks.CHECKS[clause.kind](case, clause) for clause in missing}
    return tuple(one for one in missing if _applied(case, one, kept[one.key]).state != WAIVED)


def _applied(case: Case, clause: Clause, finding: Finding) -> Finding:
    about = [fact for fact in reversed(case.waivers) if fact.requirement == clause.key]
    if finding.state == MET or clause.kind in WORDS or not about:
        return finding
    now = mark(finding)
    until = min((end for fact in about for end in _ends(case, clause, fact)), default=None)
    until = min((end for end in (finding.holds_until, until) if end), default=None)
    reasons = [(fact, _why_not(case, clause, now, fact)) for fact in about]
    for fact, why in reasons:
        if why is None:
            params = _said(clause, fact) | {
                "was": {"state": finding.state, "code": finding.code, "params": finding.params}
            }
            return Finding(clause.key, clause.kind, WAIVED, Code.WAIVED.value, params, (), until)
    newest, why = reasons[0]
    params = {**finding.params, "waiver": _said(clause, newest) | (why or {})}
    return replace(finding, params=params, holds_until=until)


def why_not(case: Case, finding: Finding, fact: WaiverFact) -> dict[str, Any]:
    """Why a waiver of a requirement that is not met does not count, as the `waiver` in the finding's parameters."""
    clause = next(one for one in case.requirements if one.key == finding.key)
    return _said(clause, fact) | (_why_not(case, clause, mark(finding), fact) or {})


def _why_not(case: Case, clause: Clause, now: Mapping[str, Any], fact: WaiverFact) -> dict[str, Any] | None:
    """Why a waiver does not count here; None where it does."""
    if not may_be(clause):
        return {"why": Why.NEVER.value}
    if fact.withdrawn:
        return {"why": Why.WITHDRAWN.value}
    if differs := _differs(case, clause, now, fact):
        return {"why": Why.DIFFERS.value, "differs": differs}
    if _end(clause, fact) <= case.at:
        return {"why": Why.EXPIRED.value}
    if fact.person not in {one.person for one in _holders(case)}:
        return {"why": Why.RIGHT_LOST.value}
    barred, whom = bar(replace(case, barred=(*case.barred, *_asker(fact))), fact)
    if barred is not None:
        until = {"barred_until": barred.until} if barred.until else {}
        return {"why": Why.BARRED.value, "barred": barred.why, **until, **whom}
    return None


def _differs(case: Case, clause: Clause, now: Mapping[str, Any], fact: WaiverFact) -> list[dict[str, Any]]:
    differs: list[dict[str, Any]] = []
    if (fact.project, fact.stage) != (case.project, case.stage):
        differs.append({"field": "lane"})
    differs += [{"field": "part", "part": part} for part in case.changed(fact.parts, case.parts)]
    if fact.clause != clause.digest:
        differs.append({"field": "clause"})
    if not same(fact.finding, now):
        differs.append({"field": "finding"})
    return differs


def _asker(fact: WaiverFact) -> tuple[Barred, ...]:
    return asker_bars(fact.asked_by, fact.asked_for, fact.behind)


def _end(clause: Clause, fact: WaiverFact) -> str:
    """The first instant at which it does not count any more."""
    limit = longest(clause)
    return fact.until if limit is None else min(fact.until, instant(parse_instant(fact.at) + limit))


def _ends(case: Case, clause: Clause, fact: WaiverFact) -> list[str]:
    """The instants to come at which the clock alone may change whether a waiver counts."""
    ends = [_end(clause, fact)]
    ends += [
        one.until for one in case.holders if one.role == CAN_WAIVE and one.person == fact.person and one.until
    ]
    ends += [one.until for one in (*case.barred, *fact.behind) if one.person == fact.person and one.until]
    return [end for end in ends if end > case.at]


def _said(clause: Clause, fact: WaiverFact) -> dict[str, Any]:
    asked_for = {"asked_for": fact.asked_for} if fact.asked_for else {}
    return {
        "waiver": fact.id,
        "person": fact.person,
        "at": fact.at,
        "until": _end(clause, fact),
        "asked_by": fact.asked_by,
        **asked_for,
    }


def _waits_for(finding: Finding, left: list[dict[str, str]]) -> Finding:
    """A signature that waits for evidence or a document waits for nothing that is waived."""
    if "not_there" not in finding.params:
        return finding
    params = {name: value for name, value in finding.params.items() if name != "not_there"}
    return replace(finding, params={**params, "not_there": left} if left else params)
