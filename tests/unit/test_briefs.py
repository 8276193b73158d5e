"""Exhibits in one line: their state, their figures, what is open, and where links lead."""

from typing import Any

import pytest

from governance.briefs import anchor, anchor_of, brief, forbidden_part
from governance.explainability_charts import Part
from governance.policy import parse
from portal.charts import Bar

FAIR = {"state": "met", "short": "0.96 (0.92 to 1.00)", "asked": "at least 0.80 is asked", "live": None}
LIVE = {"stage": "Production", "bundle": "v4", "short": "0.97 (0.93 to 1.01)", "state": "met"}
CLEAR = {"state": "", "names": []}
PROJECT: dict[str, Any] = {"recipes": [], "absent": [], "limits": [], "more": 0}
RECIPE = {"recipe": "score", "over": set(), "why": ""}


def explained(forbidden: Any = CLEAR, proxies: str = "", drift: str = "") -> dict[str, Any]:
    return {
        "bars": [Bar("tenure", 53.6), Bar("charge", 46.4)],
        "forbidden": forbidden,
        "proxies": Part(proxies, "", None, ()) if proxies else None,
        "drift": Part(drift, "", None, ()) if drift else None,
    }


def ran(*outcomes: str) -> dict[str, Any]:
    runs = [{"scenario": f"TEST_{n}", "outcome": outcome} for n, outcome in enumerate(outcomes, 1)]
    return {"runs": runs, "passed": outcomes.count("SUCCESS"), "all": len(outcomes)}


SHARES = "tenure 54 %, charge 46 %"
MANY = ran(*["FAILED"] * 5)
UNREAD = {"recipes": [RECIPE | {"why": "syntax"}], "limits": ["at most 20 lines"]}


@pytest.mark.parametrize(
    "kind, table, state, line, unfolded",
    [
        ("fairness", FAIR, "met", "0.96 (0.92 to 1.00) · at least 0.80 is asked", False),
        (
            "fairness",
            FAIR | {"state": "cannot_tell", "short": "", "live": LIVE},
            "cannot_tell",
            "at least 0.80 is asked · v4 in Production: 0.97 (0.93 to 1.01)",
            True,
        ),
        ("explainability", explained(), "", SHARES, False),
        ("explainability", explained(drift="met"), "met", SHARES, False),
        (
            "explainability",
            explained(proxies="cannot_tell", drift="met"),
            "cannot_tell",
            SHARES,
            True,
        ),
        (
            "explainability",
            explained({"state": "not_met", "names": ["gender"]}, proxies="cannot_tell"),
            "not_met",
            SHARES,
            True,
        ),
        ("tests", ran("SUCCESS", "SUCCESS"), "passed", "2 of 2 passed", False),
        ("tests", ran("SUCCESS", "FAILED"), "failed", "1 of 2 passed · not passed: TEST_2", True),
        (
            "tests",
            MANY,
            "failed",
            "0 of 5 passed · not passed: TEST_1, TEST_2, TEST_3 and 2 more",
            True,
        ),
        ("tests", ran(), "", "0 of 0 passed", False),
        ("project", PROJECT | {"recipes": [RECIPE]}, "met", "1 code recipe", False),
        (
            "project",
            PROJECT | {"recipes": [RECIPE | {"over": {"lines"}}], "absent": ["TEST_SMOKE"], "more": 2},
            "not_met",
            "missing: TEST_SMOKE · over the limits: score · 3 code recipes",
            True,
        ),
        (
            "project",
            PROJECT | UNREAD,
            "cannot_tell",
            "1 code recipe",
            True,
        ),
        ("external_check", {"state": "failed", "summary": "Two findings."}, "failed", "Two findings.", True),
        ("external_check", {"state": "passed", "summary": ""}, "passed", "", False),
        ("govern", {"signoffs": [{"step": "review", "status": "APPROVED"}]}, "", "review: approved", False),
        ("govern", {"signoffs": [], "trouble": "It did not answer."}, "cannot_tell", "", True),
        (
            "project_standards",
            {"rows": [{"name": "Docs", "found": "low"}]},
            "",
            "Docs: low",
            False,
        ),
    ],
)
def test_an_exhibit_in_a_line(kind: str, table: Any, state: str, line: str, unfolded: bool) -> None:
    found = brief(kind, table)
    assert (found.state, found.line, found.unfolded) == (state, line, unfolded)


def test_forbidden_columns_are_looked_for_among_the_first_features_only() -> None:
    result = {"features": [{"feature": "tenure", "share": 0.7}, {"feature": "dummy:gender:F", "share": 0.3}]}
    assert forbidden_part(result, {"top": 10, "forbid": ["gender"]}) == {
        "state": "not_met",
        "names": ["dummy:gender:F"],
        "top": 2,  # there are no more
    }
    assert forbidden_part(result, {"top": 1, "forbid": ["gender"]}) == {"state": "met", "names": [], "top": 1}
    assert forbidden_part(result, {})["state"] == ""


POLICY = """policy: p
tiers:
  t:
    stages:
      prod:
        requires:
          - document: card
          - evidence: {kind: explainability, top: 10, forbid: [gender]}
          - tests: {at: qa}
          - tests: {at: qa, name: unit, from: report}
          - tests: {at: design, scenarios: [TEST_SMOKE]}
          - external_check: {name: security-scan}
          - project_standards: {}
          - govern: {}
"""


def test_links_lead_to_the_evidence_a_requirement_is_about() -> None:
    rules = parse(POLICY).tiers["t"].stages["prod"]
    assert [anchor_of(clause) for clause in rules.requirements] == [
        "",
        anchor("explainability"),
        anchor("tests", stage="qa"),
        anchor("test-report", stage="qa"),
        anchor("project"),
        anchor("external_check", "security-scan"),
        anchor("project_standards"),
        anchor("govern"),
    ]
