"""Pages of rights: who may do what, granting, revoking; on a project and on the estate."""

from datetime import timedelta

import pytest
from django.utils import timezone

from portal import rights
from portal.models import Grant, Right, Team
from tests.cast import Cast
from tests.pages import outsider_sees_nothing, queries_of, refused, signed_in, words

RIGHTS = "/projects/CHURN/rights/"
EACH = f"{RIGHTS}each/"


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
    assert "Churn team team yes directly, project Customer churn, every stage, no end; granted by Ada" in page
    assert "Abe Tanner or Ada Novak can grant and revoke" in page
    assert "Edit rights" not in page
    assert "Grant this right" not in words(signed_in(cast.dev).get(EACH))
    assert "the whole estate, every stage, no end" in words(signed_in(cast.ada).get(RIGHTS))


def test_a_right_is_granted_and_counts_at_once(cast: Cast) -> None:
    answer = signed_in(cast.ada).post(EACH, wish(cast, stage="qa"), follow=True)
    assert answer.redirect_chain == [(EACH, 302)]
    assert "Eli Brandt has this right now." in words(answer)
    assert rights.can(cast.eli, Right.PROMOTE, cast.qa)
    assert not rights.can(cast.eli, Right.PROMOTE, cast.prod)


def test_until_is_read_in_the_zone_of_who_grants(cast: Cast) -> None:
    type(cast.ada).objects.filter(pk=cast.ada.pk).update(zone="Asia/Tokyo")
    day = (timezone.now() + timedelta(days=3)).date()
    signed_in(cast.ada).post(EACH, wish(cast, until=f"{day}T09:00"))
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
    answer = signed_in(cast.ada).post(EACH, wish(cast, **other))
    assert (answer.status_code, answer.context["form"].errors) == (400, {field: [sentence]})
    assert "Nothing was saved: one thing needs another look." in words(answer)
    assert not Grant.objects.filter(person=cast.eli, right="promote").exists()


def test_granting_twice_says_what_to_do(cast: Cast) -> None:
    signed_in(cast.ada).post(EACH, wish(cast))
    answer = signed_in(cast.ada).post(EACH, wish(cast))
    assert answer.context["form"].errors == {
        "holder": ["Eli Brandt holds this right there already; revoke it, or choose another end for it."]
    }


def test_a_team_is_granted_too(cast: Cast) -> None:
    signed_in(cast.ada).post(EACH, wish(cast, holder="team:churn-team"))
    assert Grant.objects.filter(team=Team.objects.get(), right="promote").exists()
    assert rights.can(cast.olga, Right.PROMOTE, cast.qa)


def test_only_who_manages_grants_and_revokes(cast: Cast) -> None:
    grant = Grant.objects.get(person=cast.fay)
    refused(signed_in(cast.dev).post(EACH, wish(cast)), 403, "manage rights and settings")
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
    assert "Nora Feld Read the ledger and make reports" in words(signed_in(cast.nora).get("/rights/each/"))
    assert "Nora Feld" in words(signed_in(cast.nora).get("/rights/"))
    assert "Grant this right" not in words(signed_in(cast.nora).get("/rights/each/"))
    refused(
        signed_in(cast.dev).get("/rights/"),
        403,
        "You need the right to manage rights and settings on the whole estate.",
    )
    signed_in(cast.ada).post("/rights/each/", wish(cast, right="audit"))
    assert rights.can(cast.eli, Right.AUDIT, cast.prod)
    grant = Grant.objects.get(person=cast.eli, right="audit")
    signed_in(cast.ada).post(f"/rights/{grant.pk}/revoke/", {"why": "Done."})
    assert not rights.can(cast.eli, Right.AUDIT, cast.prod)


def test_its_queries_do_not_depend_on_how_many_there_are(cast: Cast) -> None:
    client = signed_in(cast.ada)
    few = queries_of(client, EACH)
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
    assert queries_of(client, EACH) == few


def test_who_may_not_grant_learns_nobodys_name(cast: Cast) -> None:
    answer = signed_in(cast.dev).post(EACH, {"holder": "x"})
    refused(answer, 403, "You need the right to manage rights and settings on Customer churn in QA.")
    assert "Otto" not in answer.content.decode()
    estate = signed_in(cast.nora).post("/rights/each/", {"holder": "x"})
    refused(estate, 403, "You need the right to manage rights and settings on the whole estate.")
    assert "Otto" not in estate.content.decode()


def test_a_right_that_nothing_asks_for_is_not_offered(cast: Cast) -> None:
    form = signed_in(cast.ada).get(EACH).context["form"]
    offered = {value for value, _label in form.fields["right"].choices}
    assert offered == {"", "view", "request", "promote", "sign", "waive", "manage", "audit"}
    form = signed_in(cast.ada).get("/rights/each/").context["form"]
    assert {value for value, _label in form.fields["right"].choices} == {*offered, "provision"}
    answer = signed_in(cast.ada).post(EACH, wish(cast, right="roll_back"))
    assert list(answer.context["form"].errors) == ["right"]


def test_a_member_sees_the_grants_of_the_project_alone(cast: Cast) -> None:
    for path in (RIGHTS, EACH):
        page = words(signed_in(cast.dev).get(path))
        assert "made on the command line" not in page
        assert "Nora Feld" not in page
        assert "made on the command line" in words(signed_in(cast.ada).get(path))
    assert "Rights on the whole estate are not shown here" in words(signed_in(cast.dev).get(RIGHTS))
