"""A draft run over past judgements: what would have ended otherwise and why, and what cannot be told."""

import random
from dataclasses import replace
from typing import Any

import pytest

from governance.checks import Code
from governance.facts import APPROVE, REJECT, Case, Holder
from governance.gate import judge
from governance.policy import parse
from governance.replay import PASSED, STOPPED, UNKNOWN, Flip, Past, _under, replay
from governance.unchanged import unchanged
from tests.unit.test_gate import RULES, ago, complete_case, counted


def past(case: Case | None = None, seq: int = 1, moment: str = "promote") -> Past:
    case = case or complete_case()
    verdict = judge(case)
    return Past(seq, seq, moment, case, verdict.met, verdict.findings)


def edited(*edits: tuple[str, str]) -> str:
    text = RULES
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    return text


def flips(*edits: tuple[str, str], case: Case | None = None) -> list[Flip]:
    draft, judged = parse(edited(*edits)), past(case)
    found = replay(draft, [judged])
    # What was found then only saves work.
    assert found == replay(draft, [replace(judged, findings=())])
    return list(found.flips)


def flip(*edits: tuple[str, str], case: Case | None = None) -> tuple[str, list[tuple[str, str]]]:
    (found,) = flips(*edits, case=case)
    return found.outcome, [(finding.key, finding.code) for finding in found.findings]


def test_what_was_judged_ends_as_it_did_by_the_same_text() -> None:
    assert past().met
    assert flips() == []
    assert not past(complete_case(signoffs=())).met
    assert flips(case=complete_case(signoffs=())) == []


@pytest.mark.parametrize(
    ("old", "new", "key", "code"),
    [
        ("max_age: 7d", "max_age: 1d", "tests:qa", Code.EVIDENCE_EXPIRED),
        ("for: 24h", "for: 90d", "soak:qa", Code.SOAK_RUNNING),
        ("min: 0.8", "min: 0.999", "evidence:fairness", Code.FAIRNESS_UNCLEAR),
        ("limits]", "limits, owner]", "document:model-documentation", Code.DOCUMENT_SECTIONS_MISSING),
        ("- soak", "- document: privacy\n          - soak", "document:privacy", Code.DOCUMENT_MISSING),
        ("{role: fairness}", "{role: fairness, people: 2}", "sign_off:fairness", Code.SIGN_OFF_NOBODY),
        # It was judged on a Saturday.
        (
            "- soak",
            '- window: {days: mon-fri, hours: "09:00-16:00", zone: UTC}\n          - soak',
            "window",
            Code.WINDOW_CLOSED,
        ),
    ],
)
def test_what_passed_would_have_been_stopped(old: str, new: str, key: str, code: Code) -> None:
    outcome, found = flip((old, new))
    assert outcome == STOPPED
    assert (key, code) in found


def test_what_was_stopped_would_have_passed_and_why_it_was() -> None:
    case = complete_case(running=())
    outcome, found = flip(("          - soak: {at: qa, for: 24h}\n", ""), case=case)
    assert (outcome, found) == (PASSED, [("soak:qa", Code.SOAK_NEVER)])


def test_a_stage_of_which_the_draft_says_nothing_stops() -> None:
    assert flip(("critical:", "other:")) == (STOPPED, [])
    assert flips(("critical:", "other:"), case=complete_case(signoffs=())) == []


def test_a_signature_under_a_requirement_that_is_put_otherwise_counts_as_far_as_it_goes() -> None:
    fewer = "{role: fairness, covers: [models]}"
    assert flips(("{role: fairness}", fewer)) == [], "who signed all parts signed the models"
    case = complete_case()
    small = parse(edited(("{role: fairness}", fewer)))
    clause = small.rules("critical", "prod").requirements[-3]
    assert clause.params["role"] == "fairness"
    signed = tuple(
        replace(
            fact, clause=clause.digest, covered={"models": case.parts["models"], "other": case.parts["other"]}
        )
        if fact.role == "fairness"
        else fact
        for fact in case.signoffs
    )
    under = replace(case, requirements=small.rules("critical", "prod").requirements, signoffs=signed)
    assert past(under).met
    (found,) = replay(parse(RULES), [past(under)]).flips
    assert (found.outcome, found.findings[0].key) == (STOPPED, "sign_off:fairness")


FAIRNESS = "          - sign_off: {role: fairness}"
MORE = (FAIRNESS, f"{FAIRNESS}\n          - sign_off: {{role: legal}}")


def test_a_role_nobody_signed_for_would_have_stopped_it() -> None:
    assert flip(MORE) == (STOPPED, [("sign_off:legal", Code.SIGN_OFF_MISSING)])


def test_whether_a_signature_in_a_role_that_was_not_asked_for_counts_cannot_be_told() -> None:
    case = complete_case()
    legal = replace(case.signoffs[0], id="s-legal", person="lea", role="legal", decision=APPROVE)
    signed = replace(case, signoffs=(*case.signoffs, legal))
    assert flip(MORE, case=signed) == (UNKNOWN, [("sign_off:legal", Code.NOT_RECORDED)])
    # Nor whether what was stopped would have passed; but what stops it for certain stops it.
    stopped = replace(signed, running=())
    assert flip(MORE, ("          - soak: {at: qa, for: 24h}\n", ""), case=stopped)[0] == UNKNOWN
    assert flips(MORE, case=stopped) == []
    assert flip(MORE, ("max_age: 7d", "max_age: 1d"), case=signed) == (
        STOPPED,
        [("tests:qa", Code.EVIDENCE_EXPIRED)],
    )
    withdrawn = replace(case, signoffs=(*case.signoffs, replace(legal, withdrawn=True)))
    assert flip(MORE, case=withdrawn)[0] == STOPPED
    against = replace(case, signoffs=(*case.signoffs, replace(legal, decision=REJECT)))
    assert flip(MORE, case=against) == (STOPPED, [("sign_off:legal", Code.SIGN_OFF_MISSING)])


def test_what_the_gate_itself_says_otherwise_today_is_not_the_draft_s_doing() -> None:
    case = complete_case()
    for wrong in (replace(past(case), met=False), replace(past(replace(case, signoffs=())), met=True)):
        assert replay(parse(RULES), [wrong]).flips == ()
        assert replay(parse(edited(("max_age: 7d", "max_age: 1d"))), [wrong]).flips == ()


def test_the_order_of_what_is_read_changes_nothing() -> None:
    odd: list[dict[str, Any]] = [{}, {"running": ()}, {"signoffs": ()}, {"at": ago(hours=-200)}]
    judgements = [past(complete_case(**changes), seq) for seq, changes in enumerate(odd, start=1)]
    draft = parse(edited(("max_age: 7d", "max_age: 1d"), MORE))
    first = replay(draft, judgements)
    assert [flip.about.seq for flip in first.flips] == sorted(
        (flip.about.seq for flip in first.flips), reverse=True
    )
    shuffled = list(judgements)
    random.Random(4).shuffle(shuffled)
    assert replay(draft, shuffled) == first


def test_a_ticket_that_nobody_asked_for_cannot_be_told() -> None:
    asks = ("- soak", '- change_ticket: {pattern: "CHG[0-9]+"}\n          - soak')
    assert flip(asks) == (UNKNOWN, [("change_ticket", Code.NOT_RECORDED)])
    assert flips(asks, case=complete_case(ticket="CHG7")) == []
    assert flip(asks, case=complete_case(ticket="INC7")) == (STOPPED, [("change_ticket", Code.TICKET_OTHER)])


# --- what was found then ---

EDITS = (
    ("max_age: 7d", "max_age: 1d"),
    ("for: 24h", "for: 90d"),
    ("min: 0.8", "min: 0.9"),
    ("limits]", "limits, owner]"),
    ("          - soak: {at: qa, for: 24h}\n", ""),
    ("          - document: intended-use\n", ""),
    ("- soak", "- document: privacy\n          - soak"),
    ("{role: fairness}", "{role: fairness, people: 2}"),
    ("{role: fairness}", "{role: fairness, covers: [models]}"),
    ("top: 3", "top: 1"),
    ("          - sign_off: {role: explainability}\n", ""),
)


def _odd_case(rng: random.Random) -> Case:
    """A case of which now and then something is missing, was replaced, or was signed under something else."""
    case = complete_case()
    evidence = tuple(one for one in case.evidence if rng.random() < 0.9)
    if rng.random() < 0.4:  # newer, and signed by nobody
        piece = next(one for one in case.evidence if one.kind == "fairness")
        result = counted(rng.randint(1_500, 2_000), 2_000)
        evidence += (replace(piece, id="newer", digest="f" * 64, at=case.at, result=result),)
    documents = tuple(one for one in case.documents if rng.random() < 0.9)
    signoffs = tuple(
        replace(one, decision=REJECT if rng.random() < 0.1 else one.decision)
        for one in case.signoffs
        if rng.random() < 0.9
    )
    holders = case.holders
    if signoffs and rng.random() < 0.5:  # who holds two roles fills one place
        one, other = rng.choice(signoffs), rng.choice(case.signoffs)
        signoffs = (
            *(held for held in signoffs if held.role != other.role),
            replace(other, person=one.person),
        )
        holders += (Holder(other.role, one.person),)
    running = case.running if rng.random() < 0.8 else ()
    return replace(
        case,
        evidence=evidence,
        documents=documents,
        signoffs=signoffs,
        holders=holders,
        running=running,
    )


def test_what_was_found_then_saves_work_and_changes_nothing() -> None:
    rng = random.Random(4)
    reused = judged_anew = 0
    drafts = []
    for _draft in range(30):
        text = RULES
        for old, new in rng.sample(EDITS, rng.randint(0, 2)):
            text = text.replace(old, new)  # of two edits of one line the second may find nothing
        drafts.append(parse(text))
    for turn in range(150):
        draft = drafts[turn % len(drafts)]
        judged = past(_odd_case(rng))
        under = _under(draft, judged.case, draft.rules("critical", "prod").requirements)
        kept = unchanged(judged.case, judged.findings, under)
        verdict = judge(under)
        assert kept == {one.key: one for one in verdict.findings if one.key in kept}
        assert judge(under, kept) == verdict
        reused, judged_anew = reused + len(kept), judged_anew + len(verdict.findings) - len(kept)
    assert reused > 500
    assert judged_anew > 50


def test_evidence_that_replaced_what_was_signed_has_sign_offs_judged_anew() -> None:
    case = complete_case()
    piece = next(one for one in case.evidence if one.kind == "fairness")
    newer = replace(piece, id="newer", digest="f" * 64, at=case.at)
    judged = past(replace(case, evidence=(*case.evidence, newer)))
    draft = parse(edited(("min: 0.8", "min: 0.85")))
    under = _under(draft, judged.case, draft.rules("critical", "prod").requirements)
    assert not [key for key in unchanged(judged.case, judged.findings, under) if key.startswith("sign_off")]
    kept = unchanged(case, judge(case).findings, replace(under, evidence=case.evidence))
    assert [key for key in kept if key.startswith("sign_off")]
