"""Every step and every end of a promotion has its words."""

import pytest

from deployments.models import Promotion, Step
from deployments.steps import STEPS
from deployments.words import STEPS as NAMES
from deployments.words import step_name, step_note, story, whole_story
from portal.models import Bundle, Lane, Stage


def promotion(kind: str, status: str) -> Promotion:
    """A promotion of v2 to QA, in no database."""
    lane = Lane(stage=Stage(slug="qa", name="QA"))
    return Promotion(
        kind=kind, status=status, lane=lane, bundle=Bundle(bundle_id="v2"), reason="It was 100 % wrong."
    )


def test_every_step_has_a_name() -> None:
    assert set(NAMES) == set(STEPS)
    assert step_name("no_longer_known") == "No longer known"


@pytest.mark.parametrize("kind", Promotion.Kind.values)
@pytest.mark.parametrize("status", Promotion.Status.values)
def test_every_end_is_told(kind: str, status: str) -> None:
    said = story(promotion(kind, status))
    assert "QA" in said or "v2" in said
    assert "%(" not in said


def test_what_failed_is_told_with_its_reason() -> None:
    assert story(promotion("promote", "failed")) == "v2 did not make it to QA. It was 100 % wrong."


def test_a_rollback_is_told_with_what_it_undid() -> None:
    back = promotion("rollback", "running")
    back.undoes = promotion("promote", "failed")
    assert whole_story(back) == (
        "v2 did not make it to QA. It was 100 % wrong. Rolling back: v2 is on its way back to QA."
    )


@pytest.mark.parametrize(
    "name, status, output, problem, note",
    [
        (
            "run_tests",
            "started",
            {"listed": ["A", "B"], "results": [{"outcome": "SUCCESS"}]},
            "",
            "1 of 2 tests passed",
        ),
        ("run_tests", "done", {"listed": ["A"], "results": [], "passed": 1}, "", "1 of 1 test passed"),
        (
            "run_tests",
            "done",
            {"listed": [], "results": [], "passed": 0},
            "",
            "The bundle has no scenario marked as a test.",
        ),
        ("publish_bundle", "done", {"uploaded": False}, "", "It was there already"),
        ("check_health", "done", {"health": "WARNING"}, "", "Warning"),
        ("smoke_test", "failed", {}, "It ended FAILED.", "It ended FAILED."),
        ("await_update", "started", {}, "DSS is away.", "Trying again: DSS is away."),
        ("go_live", "done", {"changed": True}, "", ""),
    ],
)
def test_what_a_step_found_is_said(
    name: str, status: str, output: dict[str, object], problem: str, note: str
) -> None:
    assert step_note(Step(name=name, status=status, output=output, problem=problem)) == note
