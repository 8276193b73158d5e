"""Pages of rights: who may do what, granting, revoking; on a project and on the estate."""

from datetime import timedelta

import pytest
from django.utils import timezone

from portal import rights
from portal.models import Grant, Right, Team
from tests.cast import Cast
from tests.pages import outsider_sees_nothing, queries_of, refused, signed_in, words

RIGHTS = "/projects/CHURN/rights/"


def wish(cast: Cast, **other: str) -> dict[str, str]:
    """The form filled in: Eli may start promotions."""
    return {
        "holder": f"person:{cast.eli.pk}",
        "right": "promote",
        "role": "",
        "stage": "",
        "until": "",
        "why": "Stands in.",
        **other,
    }


def test_a_member_sees_who_may_do_what_and_through_what(cast: Cast) -> None:
    page = words(signed_in(cast.dev).get(RIGHTS))
    assert "Ask for a promotion Churn team team Churn team team" in page
    assert "Sign for fairness Fay Okafor Fay Okafor" in page
    assert "Manage rights and settings Abe Tanner*, Ada Novak*" in words(signed_in(cast.ada).get(RIGHTS))
    assert "Abe Tanner or Ada Novak can grant and revoke" in page
    assert "Grant this right" not in page


def test_a_right_is_granted_and_counts_at_once(cast: Cast) -> None:
    answer = signed_in(cast.ada).post(RIGHTS, wish(cast, stage="qa"), follow=True)
    assert answer.redirect_chain == [(RIGHTS, 302)]
    assert "Eli Brandt has this right now." in words(answer)
    assert rights.can(cast.eli, Right.PROMOTE, cast.qa)
    assert not rights.can(cast.eli, Right.PROMOTE, cast.prod)


def test_until_is_read_in_the_zone_of_who_grants(cast: Cast) -> None:
    type(cast.ada).objects.filter(pk=cast.ada.pk).update(zone="Asia/Tokyo")
    day = (timezone.now() + timedelta(days=3)).date()
    signed_in(cast.ada).post(RIGHTS, wish(cast, until=f"{day}T09:00"))
    until = Grant.objects.get(person=cast.eli, right="promote").until
    assert until is not None
    assert until.isoformat() == f"{day}T00:00:00+00:00"


@pytest.mark.parametrize(
    "other, field, sentence",
    [
        (
            {"until": "2020-01-01T10:00"},
            "until",
            "“Until” lies in the past; choose a later time or leave it empty.",
        ),
        ({"right": "sign"}, "role", "The right to sign needs a role, such as fairness."),
        ({"role": "fairness"}, "role", "Only the right to sign carries a role; leave it empty."),
        ({"why": " "}, "why", "This field is required."),
        ({"holder": ""}, "holder", "This field is required."),
    ],
)
def test_what_is_wrong_is_named_on_its_field(
    cast: Cast, other: dict[str, str], field: str, sentence: str
) -> None:
    answer = signed_in(cast.ada).post(RIGHTS, wish(cast, **other))
    assert (answer.status_code, answer.context["form"].errors) == (400, {field: [sentence]})
    assert "Nothing was saved: one thing needs another look." in words(answer)
    assert not Grant.objects.filter(person=cast.eli, right="promote").exists()


def test_granting_twice_says_what_to_do(cast: Cast) -> None:
    signed_in(cast.ada).post(RIGHTS, wish(cast))
    answer = signed_in(cast.ada).post(RIGHTS, wish(cast))
    assert answer.context["form"].errors == {
        "holder": ["Eli Brandt holds this right there already; revoke it first to change it."]
    }


def test_a_team_is_granted_too(cast: Cast) -> None:
    signed_in(cast.ada).post(RIGHTS, wish(cast, holder="team:churn-team"))
    assert Grant.objects.filter(team=Team.objects.get(), right="promote").exists()
    assert rights.can(cast.olga, Right.PROMOTE, cast.qa)


def test_only_who_manages_grants_and_revokes(cast: Cast) -> None:
    grant = Grant.objects.get(person=cast.fay)
    refused(signed_in(cast.dev).post(RIGHTS, wish(cast)), 403, "manage rights and settings")
    refused(signed_in(cast.dev).get(f"{RIGHTS}{grant.pk}/revoke/"), 403, "Ask Abe Tanner or Ada Novak.")
    outsider_sees_nothing(signed_in(cast.otto), RIGHTS)
    outsider_sees_nothing(signed_in(cast.otto), f"{RIGHTS}{grant.pk}/revoke/")
    outsider_sees_nothing(signed_in(cast.ada), f"/projects/MAINT/rights/{grant.pk}/revoke/")


def test_a_right_is_revoked_with_a_reason(cast: Cast) -> None:
    grant = Grant.objects.get(person=cast.fay)
    path = f"{RIGHTS}{grant.pk}/revoke/"
    client = signed_in(cast.ada)
    assert "Signatures that needed it count no more." in words(client.get(path))
    assert list(client.post(path, {"why": ""}).context["form"].errors) == ["why"]
    assert "The right is revoked; it ended at once." in words(
        client.post(path, {"why": "Left the bank."}, follow=True)
    )
    assert not rights.can(cast.fay, Right.SIGN, cast.prod, role="fairness")
    outsider_sees_nothing(client, path)  # there is nothing left to revoke


def test_the_estates_rights_are_for_who_looks_over_it(cast: Cast) -> None:
    assert "Read the ledger and make reports Nora Feld" in words(signed_in(cast.nora).get("/rights/"))
    assert "Grant this right" not in words(signed_in(cast.nora).get("/rights/"))
    refused(
        signed_in(cast.dev).get("/rights/"),
        403,
        "You need the right to manage rights and settings on the whole estate.",
    )
    signed_in(cast.ada).post("/rights/", wish(cast, right="audit"))
    assert rights.can(cast.eli, Right.AUDIT, cast.prod)
    grant = Grant.objects.get(person=cast.eli, right="audit")
    signed_in(cast.ada).post(f"/rights/{grant.pk}/revoke/", {"why": "Done."})
    assert not rights.can(cast.eli, Right.AUDIT, cast.prod)


def test_its_queries_do_not_depend_on_how_many_there_are(cast: Cast) -> None:
    client = signed_in(cast.ada)
    few = queries_of(client, RIGHTS)
    Grant.objects.bulk_create(
        Grant(
            person=cast.otto,
            right="view",
            project=cast.churn,
            stage=f"stage-{n}",
            why="Row.",
            given_by=cast.ada,
        )
        for n in range(1000)
    )
    assert queries_of(client, RIGHTS) == few


def test_who_may_not_grant_learns_nobodys_name(cast: Cast) -> None:
    answer = signed_in(cast.dev).post("/projects/CHURN/rights/", {"holder": "x"})
    refused(answer, 403, "You need the right to manage rights and settings on Customer churn in QA.")
    assert "Otto" not in answer.content.decode()
    estate = signed_in(cast.nora).post("/rights/", {"holder": "x"})
    refused(estate, 403, "You need the right to manage rights and settings on the whole estate.")
    assert "Otto" not in estate.content.decode()


def test_a_right_that_nothing_asks_for_is_not_offered(cast: Cast) -> None:
    form = signed_in(cast.ada).get(RIGHTS).context["form"]
    offered = {value for value, _label in form.fields["right"].choices}
    assert offered == {"", "view", "request", "promote", "sign", "manage", "audit"}
    answer = signed_in(cast.ada).post(RIGHTS, wish(cast, right="waive"))
    assert list(answer.context["form"].errors) == ["right"]


def test_a_member_sees_the_grants_of_the_project_alone(cast: Cast) -> None:
    page = words(signed_in(cast.dev).get("/projects/CHURN/rights/"))
    assert "made on the command line" not in page
    assert "Nora Feld" not in page
    assert "Rights on the whole estate are not shown here" in page
    assert "made on the command line" in words(signed_in(cast.ada).get("/projects/CHURN/rights/"))
