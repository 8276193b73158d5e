"""The matrix, changes, portfolios and the simulator over the API."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from portal import rights
from portal.models import Change, Grant, Portfolio, Right
from tests.api import same_at_any_size, session
from tests.cast import Cast

GIVE: dict[str, Any] = {
    "op": "give", "team": "churn-team", "right": "promote", "project": "CHURN", "stage": "qa",
}  # fmt: skip


def change(*ops: dict[str, Any]) -> dict[str, Any]:
    return {"ops": list(ops), "why": "The team deploys its own."}


def test_the_matrix_says_what_is_held_and_through_what(cast: Cast) -> None:
    found = session(cast.dev).get("projects/CHURN/rights/")
    rows = {(row["team"] or row["person"])["name"]: row["held"] for row in found["rows"]}
    assert {(cell["stage"], cell["right"]) for cell in rows["Churn team"]} == {
        (stage, right) for stage in ("qa", "prod") for right in ("view", "request")
    }
    assert rows["Churn team"][0]["why"][0].startswith("directly, project Customer churn, every")
    assert "Ada Novak" not in rows
    assert "Ada Novak" in {
        row["person"]["name"]
        for row in session(cast.ada).get("projects/CHURN/rights/")["rows"]
        if row["person"]
    }
    session(cast.otto).absent("get", "projects/CHURN/rights/")
    session(cast.otto).absent("get", "teams/churn-team/rights/")
    session(cast.otto).refused(403, "get", "rights/")
    assert session(cast.nora).get("rights/")["rows"]
    assert session(cast.dev).get("teams/churn-team/rights/")["rows"][0]["place"] == "project:CHURN"


def test_a_change_is_previewed_and_proposed(cast: Cast, settings: Any) -> None:
    settings.SECOND_ADMIN = True
    ada = session(cast.ada)
    mona = Grant.objects.get(person=cast.mona, right="promote")
    wish = change(GIVE, {"op": "revoke", "grant": mona.pk})
    told = ada.post("changes/preview/", **wish)
    assert told["does"][0] == "Gives: team Churn team, promote, Customer churn, stage qa, no end"
    assert {"name": cast.dev.name, "gains": ["promote in QA"], "loses": []} in told["people"]
    assert not Change.objects.exists()
    answer = ada.send("post", "changes/", wish)
    assert answer.status_code == 202
    number = answer.json()["id"]
    assert answer.json()["project"] == "CHURN"
    assert ada.refused(403, "post", f"changes/{number}/apply/")["code"] == "change_own"
    session(cast.otto).absent("get", f"changes/{number}/")
    session(cast.dev).absent("post", f"changes/{number}/apply/")
    assert session(cast.abe).post(f"changes/{number}/apply/")["status"] == "applied"
    assert rights.can(cast.dev, Right.PROMOTE, cast.qa)
    assert session(cast.abe).rows("changes/?status=applied")[0]["id"] == number
    assert session(cast.dev).rows("changes/") == []


def test_a_grant_that_waits_is_answered_with_its_change(cast: Cast, settings: Any) -> None:
    settings.SECOND_ADMIN = True
    wish = {"person": "otto", "right": "view", "project": "CHURN", "why": "He joins."}
    answer = session(cast.ada).send("post", "grants/", wish)
    assert (answer.status_code, answer.json()["status"]) == (202, "waiting")
    number = answer.json()["id"]
    session(cast.abe).post(f"changes/{number}/refuse/", why="No.")
    assert session(cast.ada).get(f"changes/{number}/")["answer"] == "No."
    grant = Grant.objects.get(person=cast.fay)
    assert session(cast.ada).post(f"grants/{grant.pk}/revoke/", why="Moved.")["revoked_by"]["login"] == "ada"


@pytest.mark.parametrize(
    "op, code, at",
    [
        ({**GIVE, "stage": "moon"}, "stage_unknown", 1),
        ({**GIVE, "until": "2020-01-01T00:00:00Z"}, "until_past", 1),
        ({**GIVE, "team": "nobody"}, "holder_unknown", None),
        ({**GIVE, "project": "NOWHERE"}, "project_unknown", None),
        ({"op": "revoke", "grant": 999_999}, "grant_unknown", 1),
        ({**GIVE, "right": "sign"}, "role_missing", 1),
        ({**GIVE, "right": "roll_back"}, "right_unused", 1),
        ({"op": "put", "project": "CHURN", "portfolio": "none"}, "portfolio_unknown", None),
        ({**GIVE, "right": "request", "stage": ""}, "edit_twice", 1),
    ],
)
def test_what_is_wrong_is_named_with_its_place(
    cast: Cast, op: dict[str, Any], code: str, at: int | None
) -> None:
    first = {**GIVE, "right": "request", "stage": ""}
    for path in ("changes/", "changes/preview/"):
        found = session(cast.ada).refused(400, "post", path, change(first, op))
        assert found["code"] == code
        assert at is None or found["params"]["at"] == at


def test_who_may_not_grant_learns_nothing(cast: Cast) -> None:
    otto = session(cast.otto)
    for op in (
        GIVE,
        {**GIVE, "project": "NOWHERE"},
        {**GIVE, "team": "nobody"},
        {"op": "revoke", "grant": 999},
    ):
        otto.absent("post", "changes/", change(op))
    otto.absent(
        "post",
        "changes/preview/",
        change({"op": "revoke", "grant": Grant.objects.filter(project=cast.churn).earliest("pk").pk}),
    )
    for path in ("changes/", "changes/preview/"):
        session(cast.dev).refused(403, "post", path, change({**GIVE, "team": "nobody"}))


def test_portfolios(cast: Cast, settings: Any) -> None:
    settings.SECOND_ADMIN = True
    ada = session(cast.ada)
    assert ada.post("portfolios/", name="Credit")["slug"] == "credit"
    assert ada.post("portfolios/credit/projects/", project="CHURN", why="w")["status"] == "applied"
    assert session(cast.dev).get("portfolios/credit/")["projects"] == ["CHURN"]
    session(cast.otto).absent("get", "portfolios/credit/")
    session(cast.dev).refused(403, "post", "portfolios/credit/projects/", {"project": "CHURN", "why": "w"})
    wait = ada.send("post", "grants/", {"person": "otto", "right": "view", "portfolio": "credit", "why": "w"})
    session(cast.abe).post(f"changes/{wait.json()['id']}/apply/")
    assert (
        ada.send("post", "portfolios/credit/projects/", {"project": "MAINT", "why": "w"}).status_code == 202
    )
    assert session(cast.otto).rows("portfolios/")[0]["projects"] == ["CHURN"]
    assert ada.post("portfolios/credit/projects/CHURN/take-out/", why="w")["status"] == "applied"
    assert session(cast.otto).rows("projects/") == []


def test_what_somebody_can_do_and_through_what(cast: Cast) -> None:
    nora = session(cast.nora)
    found = {
        (one["right"], one["role"]): one
        for one in nora.get("projects/CHURN/rights/of/dev/?stage=prod")["rights"]
    }
    assert found["request", ""]["holds"]
    assert "through team Churn team" in found["request", ""]["why"][0]
    assert not found["promote", ""]["holds"]
    assert found["promote", ""]["others"] == ["mona"]
    until = timezone.now() + timedelta(days=3)
    session(cast.ada).post(
        "grants/",
        person="dev",
        right="promote",
        project="CHURN",
        stage="prod",
        until=until.isoformat(),
        why="w",
    )
    again = {
        (one["right"], one["role"]): one
        for one in nora.get("projects/CHURN/rights/of/dev/?stage=prod")["rights"]
    }
    assert again["promote", ""]["holds"]
    assert again["promote", ""]["until"]
    for who in (cast.dev, cast.mona):
        session(who).refused(403, "get", "projects/CHURN/rights/of/dev/?stage=prod")
    session(cast.otto).absent("get", "projects/CHURN/rights/of/dev/?stage=prod")
    assert nora.refused(400, "get", "projects/CHURN/rights/of/nobody/?stage=prod")["code"] == "person_unknown"
    assert nora.refused(400, "get", "projects/CHURN/rights/of/dev/?stage=moon")["code"] == "stage_unknown"


def test_lists_cost_the_same_at_any_size(cast: Cast) -> None:
    def grow(count: int) -> None:
        start = Portfolio.objects.count()
        Portfolio.objects.bulk_create(Portfolio(slug=f"p{start + n}", name=f"P {n}") for n in range(count))
        Change.objects.bulk_create(
            Change(kind="rights", wish={"ops": []}, basis=[], why="w", asked_by=cast.ada)
            for _ in range(count)
        )

    same_at_any_size(session(cast.abe), "portfolios/", grow, most=9)
    Portfolio.objects.all().delete()
    Change.objects.all().delete()
    same_at_any_size(session(cast.abe), "changes/", grow, most=6)
