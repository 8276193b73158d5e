"""The catalogue: every code has its sentence, and sentences say why and what to do next."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from governance import policy
from governance.checks import Code
from governance.facts import WAIVED
from governance.gate import DECISIONS, Barred, Case, Finding, Holder, SignOffFact, judge
from governance.sentences import (
    _SENTENCES,
    cannot_approve,
    duration,
    meaning,
    sentence,
    state_word,
    title,
    who,
    with_interval,
)
from tests.unit import test_checks as checks
from tests.unit import test_parity as parity
from tests.unit import test_waivers
from tests.unit.test_explained import explained_cases
from tests.unit.test_gate import ago, bare_case, complete_case, counted

PRINTED = {
    "fay": "Fay Okafor",
    "eli": "Eli Brandt",
    "ravi": "Ravi Menon",
    "dev": "Dev Rao",
    "gil": "Gil Sander",
    "wim": "Wim Vogel",
}


def names(person: str) -> str:
    return PRINTED[person]


def said(finding: Finding) -> str:
    return sentence(finding.code, finding.params, names)


def cases() -> Iterator[Case]:
    """A Case for every code a check can give."""
    case = complete_case()
    yield case
    yield bare_case()
    yield replace(case, requirements=(policy.clause("horoscope", {"sign": "leo"}),))
    yield replace(case, evidence=tuple(replace(f, parts=checks.with_parts("flow")) for f in case.evidence))
    yield replace(case, evidence=tuple(replace(f, at=ago(days=200)) for f in case.evidence))
    yield replace(case, evidence=tuple(replace(f, result={}) for f in case.evidence))
    yield replace(case, documents=tuple(replace(f, parts=checks.with_parts("flow")) for f in case.documents))
    yield replace(case, documents=tuple(replace(f, sections=("Purpose",)) for f in case.documents))
    aged = policy.clause("document", {"kind": "intended-use", "sections": [], "max_age": 60}, "intended-use")
    yield replace(case, requirements=(aged,))
    counted_only = next(one for one in case.requirements if one.key == "evidence:fairness")
    counted_only = policy.clause("evidence", {**counted_only.params, "from": "dss"}, "fairness")
    mine = tuple(replace(fact, author="dev") for fact in case.evidence)
    yield replace(case, requirements=(counted_only,), evidence=mine)
    for female, male, n in ((600, 1200, 4000), (12, 15, 60), (9, 9, 20)):
        yield checks.newer(case, "fairness", counted(female, male, n))
    yield checks.newer(case, "fairness", {**counted(1, 2), "attributes": []})
    unfair = test_waivers.unfair(case)
    yield test_waivers.under(unfair, test_waivers.waived(unfair))
    small: list[dict[str, Any]] = [
        {"group": "70+", "n": 31, "selected": 9},
        {"group": "30+", "n": 4000, "selected": 1200},
        {"group": "50+", "n": 4000, "selected": 1190},
    ]
    yield checks.newer(
        case, "fairness", {"rows": 8031, "attributes": [{"attribute": "gender", "groups": small}]}
    )
    yield from unclear(case)
    yield checks.newer(case, "explainability", {"features": []})
    yield checks.newer(
        case, "explainability", {"features": [{"feature": "gender", "importance": 1, "share": 1.0}]}
    )
    yield from explained_cases(case)
    for runs in ([], [{"scenario": "TEST_A", "outcome": "FAILED"}]):
        yield checks.newer(case, "tests", {"listed": ["TEST_A"], "runs": runs})
    yield checks.newer(case, "tests", {"listed": [], "runs": []})
    untold = tuple(replace(f, sections=(), sections_told=False) for f in case.documents)
    yield replace(case, documents=untold)
    yield from of_design(case)
    for since, until in ((20.0, None), (20.0, 10.0), (60.0, 30.0)):
        running = replace(case.running[0], since=ago(hours=since), until=ago(hours=until) if until else None)
        yield replace(case, running=(running,))
    for decision in DECISIONS:
        yield checks.instead(case, checks.word(case, "fairness", decision=decision))
    changes: list[dict[str, Any]] = [
        {"covered": checks.with_parts("flow", "models")},
        {"project": "FRAUD"},
        {"stage": "qa"},
        {"clause": "x"},
        {"evidence": ("x",)},
        {"documents": ("x",)},
        {"withdrawn": True},
    ]
    for change in changes:
        yield checks.instead(case, checks.word(case, "fairness", **change))
    yield replace(case, barred=(Barred("fay", "requester"), Barred("eli", "bundle_author")))
    lately = tuple(Barred("fay", why, ago(hours=-2)) for why in ("changed_rights", "changed_policy"))
    for bar in lately:
        yield replace(case, barred=(bar,))
        yield replace(case, barred=(bar,), holders=(*case.holders, Holder("fairness", "gil")))
    yield replace(case, holders=(Holder("fairness", "gil"),))
    yield replace(case, signoffs=(), holders=())
    scan = policy.clause("external_check", {"name": "security-scan", "max_age": 864000}, "security-scan")
    yield replace(case, requirements=(scan,))
    for state, parts, age in (
        ("passed", None, 1),
        ("failed", None, 1),
        ("passed", "flow", 1),
        ("passed", None, 99),
    ):
        piece = replace(
            case.evidence[0],
            kind="external_check",
            name="security-scan",
            stage="",
            parts=checks.with_parts(parts) if parts else case.parts,
            at=ago(days=age),
            result={"state": state, "summary": "2 of 40 rules broken.", "link": ""},
        )
        yield replace(case, requirements=(scan,), evidence=(piece,))
        yield replace(case, requirements=(scan,), evidence=(replace(piece, result={}),))
    for kind, params, results in (
        ("project_standards", {"max_severity": "low"}, standards_results()),
        ("govern", {"blueprint": "b"}, govern_results()),
    ):
        one = policy.clause(kind, params)
        for result in results:
            piece = replace(case.evidence[0], kind=kind, parts=case.parts, result=result)
            yield replace(case, requirements=(one,), evidence=(piece,))
    asked = policy.clause("change_ticket", {"pattern": "CHG[0-9]+"})
    for ticket in ("", "CHG7", "INC7"):
        yield replace(case, requirements=(asked,), ticket=ticket)
    yield replace(case, requirements=(policy.clause("change_ticket", {"pattern": "("}),), ticket="CHG7")
    windows: tuple[tuple[list[str], str, str], ...] = (
        (["sat"], "09:00-16:00", "Europe/Paris"),
        (["mon"], "09:00-16:00", "Europe/Paris"),
        (["sat"], "09:00-16:00", "Mars/Olympus"),
        (["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "00:00-24:00", "UTC"),
    )
    for days, hours, zone in windows:
        when: dict[str, Any] = {"days": days, "hours": hours, "zone": zone}
        yield replace(case, requirements=(policy.clause("window", when),))
    twice = checks.word(case, "model-risk", person="fay", id="f2")
    yield replace(
        case,
        signoffs=(checks.word(case, "fairness"), twice),
        holders=(Holder("fairness", "fay"), Holder("model-risk", "fay"), Holder("fairness", "gil")),
    )
    yield replace(
        case,
        signoffs=(checks.word(case, "fairness"),),
        holders=(Holder("fairness", "fay"), Holder("model-risk", "fay"), Holder("fairness", "gil")),
    )


def standards_results() -> list[dict[str, Any]]:
    def ran(status: str, severity: int | None) -> dict[str, Any]:
        return {"checks": [{"name": "Wiki", "status": status, "severity": severity}]}

    return [ran("RUN_SUCCESS", 0), ran("RUN_SUCCESS", 4), ran("RUN_ERROR", None), ran("NOT_APPLICABLE", None)]


def govern_results() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"signoffs": [{"step": "review", "status": status}]}
        for status in ("APPROVED", "WAITING_FOR_APPROVAL", "ON_THE_MOON")
    ]
    return [*found, {"signoffs": []}, {"signoffs": [], "trouble": "It did not answer."}]


def unclear(case: Case) -> Iterator[Case]:
    """Each reason why the fairness of groups cannot be told, and what is out of the ordinary otherwise."""
    groups = [
        {
            **parity.group(name, mean_score=0.7 if name == "F" else 0.5),
            "interval": [0.4, 0.6],
        }
        for name in "FM"
    ]
    unlabelled = [{key: group[key] for key in ("group", "n", "selected")} for group in groups]
    alike = [{**group, "selected": 0} for group in unlabelled]
    cross = {"attributes": ["gender", "age"], "groups": None}
    by_name = [
        ("equalized_odds_ratio", "gender", {"groups": unlabelled}),
        ("calibration_difference", "gender", {"groups": unlabelled}),
        ("calibration_difference", "gender", {"groups": groups}),
        ("calibration_difference", "gender", {"groups": [{**groups[0], "calibration": None}, groups[1]]}),
        ("demographic_parity_ratio", "gender", {"groups": alike}),
        ("demographic_parity_ratio", ["gender", "age"], {"groups": groups}),
        ("demographic_parity_ratio", ["gender", "region"], {"groups": groups}),
        (
            "demographic_parity_ratio",
            "gender",
            {"groups": [*groups, *(parity.group(n, 9) for n in "STUVWXYZ")]},
        ),
    ]
    for name, by, held in by_name:
        limit = {"min" if name.endswith("_ratio") else "max": 0.2}
        clause = policy.clause(
            "evidence",
            {"kind": "fairness", "metrics": [{"name": name, "by": [by], "min_group": 50, **limit}]},
            "fairness",
        )
        asked = replace(
            case, requirements=tuple(clause if one.key == clause.key else one for one in case.requirements)
        )
        yield checks.newer(
            asked,
            "fairness",
            {
                "v": 2,
                "rows": 8000,
                "min_group": 50,
                "attributes": [{"attribute": "gender", **held}],
                "intersections": [cross],
            },
        )


def test_every_reason_why_nobody_can_tell_has_its_sentence() -> None:
    texts = {}
    for one in unclear(complete_case()):
        (finding,) = [found for found in judge(one).findings if found.key == "evidence:fairness"]
        (row,) = finding.params["metrics"]
        texts[row["reason"]] = said(finding)
    assert texts == {
        "no_label": "By gender: the smaller ratio of true and false positive rates was not counted, because no label "
        "column is named. Add a label column to the project's evidence source and collect the evidence again.",
        "no_score": "By gender: the distance between what was predicted and what happened was not counted, because no "
        "score column is named. Add a score column to the project's evidence source and collect the evidence again.",
        "crosses": "By gender: the distance between what was predicted and what happened of F is 0.20 (95 % interval "
        "0.18 to 0.22); the interval crosses the threshold: at most 0.20 is allowed. Add rows to the scored data set "
        "and collect the evidence again, or ask for a waiver.",
        "undefined": "By gender: the distance between what was predicted and what happened is undefined, because a "
        "group has nobody to compute it from. Add rows to the scored data set and collect the evidence again, or ask "
        "for a waiver.",
        "one_class": "By gender: the ratio of selection rates cannot be told, because everybody has the same outcome "
        "or the same label. Add rows to the scored data set and collect the evidence again, or ask for a waiver.",
        "too_many_groups": "By gender × age: the ratio of selection rates was not counted, because there are too "
        "many groups. Change the policy to columns with fewer values, such as bands.",
        "not_counted": "By gender × region: the ratio of selection rates was not counted. Add the column to the scored "
        "data set and collect the evidence again.",
        "small_group": "By gender: S, T, U, V, W and 3 other groups have too few people each; 50 are needed to "
        "conclude. "
        "Add rows to the scored data set and collect the evidence again, or ask for a waiver.",
    }


def of_design(case: Case) -> Iterator[Case]:
    """Reports that a pipeline sent, and what a bundle holds."""
    asked: dict[str, Any] = {"at": "design", "from": "report", "pattern": "*", "max_age": 86400}
    rate = policy.clause("tests", {**asked, "pass_rate": 0.95}, "design:rate")
    named = policy.clause("tests", {**asked, "required": ["a.b", "a.c"]}, "design:named")
    every = policy.clause("tests", asked, "design")
    limits = {"lines": 100, "complexity": 9}
    bundle: dict[str, Any] = {
        "at": "design",
        "from": "bundle",
        "scenarios": ["TEST_A", "TEST_B"],
        "recipes": limits,
    }
    holds = policy.clause("tests", {**bundle, "max_age": 86400}, "design:bundle")
    report = replace(
        case.evidence[0], id="r1", kind="test-report", stage="design", at=ago(hours=1), digest="r" * 64
    )
    project = replace(report, id="p1", kind="project", digest="p" * 64)
    case = replace(case, requirements=(rate, named, every, holds))
    yield case
    recipe: dict[str, Any] = {"recipe": "score", "language": "py", "lines": 50, "complexity": 3, "why": ""}
    for good, outcome, fault in (
        (20, "SUCCESS", {}),
        (20, "FAILED", {"lines": 101, "complexity": 12}),
        (2, "FAILED", {"complexity": None, "why": "syntax"}),
    ):
        names = [*(f"t{n}" for n in range(good)), "a.b"]
        runs = [{"scenario": name, "outcome": "SUCCESS"} for name in names[:-1]]
        result = {"listed": names, "runs": [*runs, {"scenario": "a.b", "outcome": outcome}], "skipped": ["s"]}
        held = {"scenarios": ["TEST_A", "TEST_B"], "recipes": [{**recipe, **fault}], "more": 0}
        facts = (replace(report, result=result), replace(project, result=held))
        yield replace(case, evidence=(*case.evidence, *facts))
        yield replace(case, evidence=tuple(replace(f, at=ago(days=2)) for f in facts))
        yield replace(case, evidence=tuple(replace(f, parts=checks.with_parts("flow")) for f in facts))
    lacking = {"scenarios": [], "recipes": [], "more": 2}
    yield replace(case, evidence=(replace(project, result=lacking),))
    yield replace(case, evidence=(replace(project, result={**lacking, "scenarios": ["TEST_A", "TEST_B"]}),))
    yield replace(case, evidence=(replace(report, result={"listed": [], "runs": [], "skipped": []}),))


def test_every_code_has_an_entry_and_is_given_by_some_case() -> None:
    assert set(_SENTENCES) == set(Code)
    # What was not recorded is said of past judgements, by a replay.
    assert {finding.code for case in cases() for finding in judge(case).findings} == set(Code) - {
        Code.NOT_RECORDED
    }


def test_every_finding_reads_as_sentences() -> None:
    for case in cases():
        for finding in judge(case).findings:
            text = said(finding)
            assert re.fullmatch(r"\S.*\.", text, re.DOTALL), (finding.code, text)
            assert not re.search(r"%\(|None|\bnan\b|\s{2}|\.\.|[{}]|_", text.replace("TEST_", "")), (
                finding.code,
                text,
            )


def test_every_no_says_the_next_step() -> None:
    steps = re.compile(
        r"(Let|Register|Write|Add|Collect|Change|Promote|Review|Repair|Run|Wait|Train|Ask|Publish|Read|Make|Compute"
        r"|is needed|are needed|One of|Two of)"
    )
    for case in cases():
        for finding in judge(case).missing:
            assert steps.search(said(finding)), (finding.code, said(finding))


def test_an_unknown_code_is_refused() -> None:
    with pytest.raises(ValueError, match="nonsense"):
        sentence("nonsense", {}, names)


@pytest.mark.parametrize(
    "key, text",
    [
        ("document:model-documentation", "Model documentation with purpose, data, performance and limits"),
        ("document:intended-use", "Intended use written"),
        ("evidence:fairness", "Groups treated alike by gender"),
        ("evidence:explainability", "Gender not among the three features that matter most"),
        ("tests:qa", "Tests passed in QA"),
        ("soak:qa", "Ran in QA for 24 hours"),
        ("sign_off:fairness", "Fairness signed by one person"),
        ("sign_off:model-risk", "Model risk signed by one person"),
    ],
)
def test_titles(key: str, text: str) -> None:
    (clause,) = [held for held in complete_case().requirements if held.key == key]
    assert title(clause) == text


def test_titles_of_other_clauses() -> None:
    assert (
        title(policy.clause("sign_off", {"role": "risk", "people": 2}, "risk")) == "Risk signed by two people"
    )
    assert title(policy.clause("horoscope", {}, "leo")) == "Requirement horoscope:leo"
    assert (
        title(policy.clause("tests", {"at": "qa"}, "qa"), lambda slug: "Pre-production")
        == "Tests passed in Pre-production"
    )


def finding(case: Case, key: str) -> str:
    return said(checks.only(case, key))


def test_sentences_are_exact() -> None:
    case = complete_case()
    assert finding(case, "sign_off:fairness") == "Signed by Fay Okafor on 21 November 2026, 09:00 UTC."
    unfair = checks.newer(case, "fairness", counted(600, 1200))
    assert finding(unfair, "evidence:fairness") == (
        "By gender: the ratio of selection rates of F against M is 0.50 (95 % interval 0.46 to 0.55); at least 0.80 is "
        "asked. Change the model or its data so that the groups fare alike, and register a new bundle."
    )
    changed = checks.instead(case, checks.word(case, "fairness", covered=checks.with_parts("flow")))
    assert (
        finding(changed, "sign_off:fairness")
        == "Asked again because the part flow changed. One signature is needed."
    )
    late = checks.instead(
        case, checks.word(case, "fairness", evidence=case.signoffs[0].evidence[1:], documents=())
    )
    assert finding(late, "sign_off:fairness") == (
        "Asked again because it was given without the fairness evidence, the document “model documentation” and the "
        "document “intended use”. One signature is needed."
    )
    empty = replace(case, documents=(), signoffs=())
    assert finding(empty, "sign_off:fairness") == (
        "One signature is needed. It can be approved once the document “model documentation” and the document "
        "“intended use” are there."
    )
    own = replace(case, barred=(Barred("fay", "requester"),))
    assert finding(own, "sign_off:fairness") == (
        "One signature is needed. Nobody can sign fairness here now. Ask an admin to give one more person the right to "
        "sign it. Fay Okafor asked for this deployment."
    )
    changed = replace(case, barred=(Barred("fay", "changed_rights", ago(hours=-2)),))
    assert finding(changed, "sign_off:fairness") == (
        "One signature is needed. Nobody can sign fairness here now. Ask an admin to give one more person the right to "
        "sign it. Fay Okafor lately changed the rights here or where it runs, and cannot sign until "
        "21 November 2026, 12:00 UTC."
    )
    changed = replace(changed, holders=(*case.holders, Holder("fairness", "gil")))
    assert finding(changed, "sign_off:fairness") == (
        "One signature is needed. Fay Okafor signed, but lately changed the rights here or where it runs, so it does "
        "not count until 21 November 2026, 12:00 UTC."
    )
    assert finding(case, "tests:qa") == "1 of 1 scenarios on 20 November 2026, 04:00 UTC, on these parts."


def test_what_keeps_everybody_from_approving() -> None:
    clauses = {clause.key: clause for clause in complete_case().requirements}
    assert cannot_approve(()) == ""
    assert cannot_approve([clauses["evidence:fairness"]]) == (
        "You cannot approve yet: the fairness evidence is missing, and an approval counts only for what was there "
        "to read. Whoever may ask for promotions can add it on the bundle page; then read this page again. "
        "You can ask for changes or reject now."
    )
    again = replace(clauses["evidence:fairness"], key="evidence:fairness:strict")
    assert "the fairness evidence is missing" in cannot_approve([clauses["evidence:fairness"], again])
    assert "the fairness evidence and the document “intended use” are missing" in cannot_approve(
        [clauses["evidence:fairness"], clauses["document:intended-use"]]
    )


def test_a_missing_part_of_two() -> None:
    case = complete_case()
    clause = policy.clause("sign_off", {"role": "fairness", "people": 2, "covers": ["other"]}, "fairness")
    first: SignOffFact = checks.word(case, "fairness", clause=clause.digest)
    case = replace(
        case,
        requirements=(clause,),
        holders=(Holder("fairness", "fay"), Holder("fairness", "gil")),
        signoffs=(first,),
    )
    assert finding(case, "sign_off:fairness") == "One of two: Fay Okafor on 21 November 2026, 09:00 UTC."


def test_who() -> None:
    assert who((), names) == ""
    assert who(("fay",), names) == "Fay Okafor can unblock this now."
    assert who(("fay", "eli"), names) == "Eli Brandt or Fay Okafor can unblock this now."
    assert who([f"p{n}" for n in range(8)], str) == "p0, p1, p2, p3, p4 or 3 others can unblock this now."


@pytest.mark.parametrize(
    "seconds, text",
    [
        (1, "1 second"),
        (90, "90 seconds"),
        (3600, "1 hour"),
        (86400, "24 hours"),
        (172800, "2 days"),
        (5400, "90 minutes"),
    ],
)
def test_durations(seconds: int, text: str) -> None:
    assert duration(seconds) == text


def test_numbers() -> None:
    assert with_interval(0.9312, [0.887, 0.9749]) == "0.93 (95 % interval 0.89 to 0.97)"
    assert with_interval(3.0, [1.5, None]) == "3.00 (95 % interval from 1.50 upwards)"
    assert with_interval(None, [0.0, None]) == "undefined"


def test_states_have_words() -> None:
    assert [state_word(state) for state in ("met", "not_met", "cannot_tell", WAIVED)] == [
        "Met",
        "Not met",
        "Cannot tell",
        "Waived",
    ]


def test_every_decision_has_its_meaning() -> None:
    texts = {
        meaning(d, "model-risk", project="CHURN", bundle="v2", stage="prod", covers=["models", "other"])
        for d in DECISIONS
    }
    assert len(texts) == len(DECISIONS)
    assert (
        "I have reviewed the parts models, other of bundle v2 of CHURN for the stage prod, and the evidence and "
        "documents shown with them. I approve it for model risk."
    ) in texts
