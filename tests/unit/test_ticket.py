"""Change tickets: what a pattern means, what is refused, and that no pattern keeps the gate busy."""

import random
import re
import time
from dataclasses import replace

import pytest

from governance import policy
from governance.gate import Holder, case_digest, case_from_json, case_to_json, judge
from governance.ticket import PatternError, compiled, matches
from tests.unit.test_checks import only
from tests.unit.test_gate import bare_case, complete_case
from tests.unit.test_policy import clauses, problems, stage

ALPHABET = "AC01-"
ATOMS = ["A", "C", "0", "1", "\\-", "\\d", "\\w", ".", "[A-C]", "[0-9]", "[AC0]", "[A\\-]"]
COUNTS = ["", "+", "*", "?", "{2}", "{1,3}", "{2,}", "{0,2}"]
PATTERNS = 2000


def rows(chance: random.Random) -> str:
    """A pattern of one to three alternatives, each of one to six elements."""
    return "|".join(
        "".join(chance.choice(ATOMS) + chance.choice(COUNTS) for _ in range(chance.randint(1, 6)))
        for _ in range(chance.randint(1, 3))
    )


def text(chance: random.Random, letters: str, most: int) -> str:
    return "".join(chance.choices(letters, k=chance.randint(0, chance.choice((2, 5, most)))))


def test_it_means_what_regular_expressions_mean() -> None:
    # Drawn without hypothesis: what it takes to draw and to shrink is most of the time, and these say what they are.
    chance, both = random.Random(20), set()
    for _ in range(PATTERNS):
        pattern = rows(chance)
        try:
            compiled(pattern)
        except PatternError:
            assert len(pattern) > 100
            continue
        for _ in range(4):
            ticket = text(chance, ALPHABET, 12)
            expected = bool(re.fullmatch(pattern, ticket, re.ASCII))
            assert matches(pattern, ticket) == expected, (pattern, ticket)
            both.add(expected)
    assert both == {True, False}


@pytest.mark.parametrize(
    "pattern", [".*" * 25, "[0-9]*" * 16, ".?" * 50, "\\w+" * 33, "1{0,100}" * 12, "|".join([".*" * 4] * 10)]
)
def test_no_pattern_keeps_the_gate_busy(pattern: str) -> None:
    began = time.process_time()
    matches(pattern, "1" * 99 + "!")
    assert not matches(pattern, "1" * 99 + "\n")
    assert time.process_time() - began < 0.1


@pytest.mark.parametrize(
    "pattern, said",
    [
        ("(a+)+", "Groups have no place here (character 1)"),
        ("a++", "counted again (character 3)"),
        ("a{2}{3}", "counted again (character 5)"),
        ("^CHG", "matched as it is (character 1)"),
        ("CHG$", "matched as it is (character 4)"),
        ("[^0-9]", "not what may not (character 2)"),
        ("[0-9", "does not end (character 1)"),
        ("[]", "empty or does not end"),
        ("[9-0]", "runs backwards"),
        ("[a[b]]", "begins inside another"),
        ("+A", "nothing that + could repeat"),
        ("A{}", "count is not understood"),
        ("A{3,2}", "asks for nothing"),
        ("A{101}", "more than a ticket holds"),
        ("A{0}", "asks for nothing"),
        ("A|", "nothing before or after"),
        ("|A", "nothing before or after"),
        ("\\bA", "not known here"),
        ("\\1", "not known here"),
        ("A\\", "not known here"),
        ("CHG 1", "No ticket holds this character (character 4)"),
        ("É+", "No ticket holds this character"),
        ("[é]", "No ticket holds this character"),
        ("A" * 51, "at most 10 alternatives and 50 elements"),
        ("|".join("A" * 11), "at most 10 alternatives"),
        ("A" * 101, "between 1 and 100"),
    ],
)
def test_what_is_no_pattern_is_said_with_its_place(pattern: str, said: str) -> None:
    with pytest.raises(PatternError) as refused:
        compiled(pattern)
    assert said in str(refused.value)
    assert refused.value.remedy.endswith(".")


def test_whatever_is_written_is_refused_or_matched() -> None:
    chance, taken = random.Random(21), 0
    for _ in range(PATTERNS):
        pattern = text(chance, "\\[](){}*+?|^$.-,09aZ é\n", 30)
        try:
            compiled(pattern)
        except PatternError:
            continue
        taken += 1
        for _ in range(4):
            ticket = text(chance, "aZ09-\n", 20)
            expected = bool(re.fullmatch(pattern, ticket, re.ASCII))
            assert matches(pattern, ticket) == expected or "." in pattern, (pattern, ticket)
    assert taken > PATTERNS // 20


def test_the_policy_says_where_it_is_wrong() -> None:
    (problem,) = problems(stage('change_ticket: {pattern: "(CHG)+"}'))
    assert (problem.line, problem.column) == (7, 38)
    assert problem.path == "tiers.light.stages.prod.requires[0].change_ticket.pattern"
    assert problem.remedy == "Write alternatives out, with | between them."
    (missing,) = problems(stage("change_ticket: {}"))
    assert "pattern" in missing.message
    assert 'like "CHG[0-9]+"' in missing.remedy
    (clause,) = clauses('change_ticket: {pattern: "CHG[0-9]+"}')
    assert (clause.key, clause.params) == ("change_ticket", {"pattern": "CHG[0-9]+"})
    assert (
        "given twice"
        in problems(stage("change_ticket: {pattern: A}", "change_ticket: {pattern: B}"))[0].message
    )


@pytest.mark.parametrize(
    "ticket, state, code, unblock",
    [
        ("CHG0042", "met", "ticket_given", ()),
        ("", "not_met", "ticket_missing", ("dev",)),
        ("CHG", "not_met", "ticket_other", ("dev",)),
        ("XCHG1", "not_met", "ticket_other", ("dev",)),
        (None, "cannot_tell", "not_recorded", ()),
    ],
)
def test_the_whole_ticket_must_match(
    ticket: str | None, state: str, code: str, unblock: tuple[str, ...]
) -> None:
    asked = policy.clause("change_ticket", {"pattern": "CHG[0-9]+"})
    holders = (Holder("right:request", "dev"), Holder("right:request", "kim", "2020-01-01T00:00:00.000000Z"))
    case = complete_case(requirements=(asked,), ticket=ticket, holders=holders)
    finding = only(case, "change_ticket")
    assert (finding.state, finding.code, finding.unblock) == (state, code, unblock)
    assert finding.holds_until is None


def test_cases_without_a_ticket_are_written_as_they_were() -> None:
    case = bare_case()
    assert "ticket" not in case_to_json(case)
    assert case_from_json(case_to_json(case)) == case
    assert case_digest(case) != case_digest(replace(case, ticket=""))
    for ticket in ("", "CHG1"):
        kept = replace(case, ticket=ticket)
        assert case_to_json(kept)["ticket"] == ticket
        assert case_from_json(case_to_json(kept)) == kept
        assert judge(kept) == judge(case), "a ticket nobody asks for says nothing"
