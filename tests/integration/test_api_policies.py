"""Policies over the API: to read and to publish."""

from governance.models import PolicyVersion
from tests.api import same_at_any_size, session, told
from tests.cast import POLICY, Cast

WHY = "The audit asked for it."
NEXT = POLICY.replace("min: 0.8", "min: 0.9")


def test_members_read_the_rules_of_their_project(cast: Cast) -> None:
    (row,) = session(cast.olga).rows("policies/")
    assert (row["name"], row["version"], row["published_by"]["login"]) == ("demo-policy", 1, "ada")
    assert "source" not in row
    assert session(cast.olga).get("policies/demo-policy/1/")["source"] == POLICY


def test_outsiders_read_none(cast: Cast) -> None:
    assert session(cast.otto).rows("policies/") == []
    session(cast.otto).absent("get", "policies/demo-policy/1/")
    session(cast.olga).absent("get", "policies/demo-policy/2/")


def test_an_admin_publishes_the_next_version(cast: Cast) -> None:
    made = session(cast.ada).post("policies/", source=NEXT, why=WHY)
    assert told("policy.published").subject.startswith("policy:")
    assert (made["version"], made["source"]) == (2, NEXT)


def test_publishing_is_for_admins(cast: Cast) -> None:
    for person in (cast.olga, cast.nora, cast.otto):
        assert (
            session(person).refused(403, "post", "policies/", {"source": NEXT, "why": WHY})["code"]
            == "right_missing"
        )


def test_a_text_that_is_no_policy_is_told_by_line_and_column(cast: Cast) -> None:
    found = session(cast.ada).refused(
        400, "post", "policies/", {"source": NEXT.replace("people: 1", "people: many"), "why": WHY}
    )
    assert (found["code"], found["field"]) == ("policy_invalid", "source")
    assert len(found["params"]["problems"]) == 3
    for problem in found["params"]["problems"]:
        line = NEXT.splitlines()[problem["line"] - 1]
        assert "people: 1" in line
        assert problem["remedy"]
    assert PolicyVersion.objects.count() == 1


def test_what_is_in_force_is_not_published_again(cast: Cast) -> None:
    assert (
        session(cast.ada).refused(400, "post", "policies/", {"source": POLICY, "why": WHY})["code"]
        == "policy_same"
    )


def test_the_list_of_policies_costs_the_same_at_any_size(cast: Cast) -> None:
    def grow(count: int) -> None:
        start = PolicyVersion.objects.count()
        PolicyVersion.objects.bulk_create(
            PolicyVersion(
                name="demo-policy",
                version=start + 1 + n,
                source=POLICY,
                digest="0" * 64,
                published_by=cast.ada,
            )
            for n in range(count)
        )

    same_at_any_size(session(cast.olga), "policies/", grow, already=1, most=6)
