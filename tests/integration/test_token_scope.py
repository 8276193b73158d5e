"""A token is held to its scope: its rights, its projects, never signing, whatever its person may."""

from typing import Any

import pytest

from governance.actions import reports
from governance.models import Collection
from portal.actions import grants, people
from portal.errors import Absent, Forbidden, Invalid
from portal.models import Grant, Person, Project, Right, Token
from tests.api import Api, session, token, told
from tests.cast import Cast
from tests.factories import all_but_signed, bundle_registered, collected, request_at, runs_in, signed

READING = (
    "requests/",
    "promotions/",
    "deployments/",
    "grants/",
    "reports/",
)


@pytest.fixture
def everything(cast: Cast) -> dict[str, Any]:
    """A bundle of churn that runs in QA, evidence and a document, a signature, an open request and a report."""
    bundle = bundle_registered(cast)
    all_but_signed(cast, bundle)
    wish = request_at(cast, bundle=bundle, lane=cast.prod)
    signoff = signed(cast.fay, wish, "fairness")
    grants.grant(by=cast.ada, person=cast.dev, right=Right.AUDIT, project=cast.churn, why="Prints reports.")
    for right in (Right.VIEW, Right.REQUEST):
        grants.grant(by=cast.ada, person=cast.dev, right=right, project=cast.maint, why="Builds that, too.")
    grants.grant(by=cast.ada, person=cast.fay, right=Right.VIEW, project=cast.maint, why="Reads it.")
    report = reports.ask_report(by=cast.dev, project=cast.churn, about=wish.subject)
    return {"bundle": bundle, "wish": wish, "signoff": signoff, "report": report}


def narrow(person: Person, *projects: Project, carrying: Any = None) -> Api:
    return token(person, projects=projects, carrying=carrying)


# --- projects ---


def test_a_token_of_other_projects_finds_nothing_of_these(cast: Cast, everything: dict[str, Any]) -> None:
    """Of each noun: the list is without them, the one is absent."""
    there, elsewhere = narrow(cast.dev, cast.churn), narrow(cast.dev, cast.maint)
    for path in READING:
        assert there.rows(path), path
        assert not [row for row in elsewhere.rows(path) if row.get("project") != "MAINT"], path
    assert [one["key"] for one in elsewhere.rows("projects/")] == ["MAINT"]
    assert [one["key"] for one in there.rows("projects/")] == ["CHURN"]
    assert there.rows("teams/")
    assert elsewhere.rows("teams/") == []
    assert elsewhere.get("me/")["teams"] == []
    assert there.get("inbox/")["mine"]
    assert not any(elsewhere.get("inbox/").values())
    wish, signoff = everything["wish"], everything["signoff"]
    promotion = there.rows("promotions/")[0]["number"]
    bundle = "projects/CHURN/bundles/v1/"
    evidence = there.rows(f"{bundle}evidence/")[0]["id"]
    document = there.rows(f"{bundle}documents/")[0]["id"]
    for path in (
        "projects/CHURN/",
        "projects/CHURN/bundles/",
        bundle,
        f"{bundle}manifest/",
        f"{bundle}diff/?stage=qa",
        f"{bundle}evidence/",
        f"{bundle}documents/",
        f"{bundle}signoffs/",
        f"{bundle}collections/",
        f"evidence/{evidence}/",
        f"documents/{document}/content/",
        f"signoffs/{signoff.pk}/",
        f"requests/{wish.pk}/",
        f"requests/{wish.pk}/gate/",
        f"promotions/{promotion}/",
        "requests/?project=CHURN",
        "grants/?project=CHURN",
        "deployments/?project=CHURN",
        "promotions/?project=CHURN",
        "events/?project=CHURN",
        "reports/?project=CHURN",
    ):
        assert there.send("get", path).status_code == 200, path
        elsewhere.absent("get", path)
    assert there.get(f"reports/{everything['report'].pk}/")["status"] == "asked"
    assert elsewhere.send("get", f"reports/{everything['report'].pk}/").status_code in (403, 404)
    elsewhere.absent("post", "requests/", _wish())
    elsewhere.absent("post", f"requests/{wish.pk}/withdraw/", {"why": "No."})
    elsewhere.absent("post", "projects/CHURN/bundles/", {"bundle_id": "v9"})
    elsewhere.absent("post", f"{bundle}documents/", {"kind": "k", "title": "T", "text": "x"})
    elsewhere.absent("post", f"{bundle}collections/", {"stage": "qa", "what": "fairness"})


def _wish() -> dict[str, str]:
    return {"project": "CHURN", "bundle_id": "v1", "stage": "qa", "why": "Again."}


def test_a_narrowed_token_of_an_administrator_reaches_nothing_of_the_estate(
    cast: Cast, everything: dict[str, Any]
) -> None:
    ada, whole = narrow(cast.ada, cast.churn), token(cast.ada)
    for path in ("people/", "nodes/", "people/dev/tokens/"):
        assert whole.send("get", path).status_code == 200, path
        assert ada.refused(403, "get", path)["code"] == "right_missing"
    assert ada.get("me/")["estate_rights"] == []
    assert {row["key"] for row in whole.rows("projects/")} == {"CHURN", "MAINT"}
    assert {row["key"] for row in ada.rows("projects/")} == {"CHURN"}
    assert all(row["project"] == "CHURN" for row in ada.rows("grants/"))
    assert ada.rows("teams/") == []  # she is in none
    for path, body in (
        ("people/", {"login": "ida", "name": "Ida"}),
        ("teams/", {"name": "New"}),
        ("policies/", {"source": "policy: x", "why": "x"}),
        ("grants/", {"person": "otto", "right": "view", "why": "So."}),
    ):
        assert ada.refused(403, "post", path, body)["code"] == "right_missing", path
    ada.absent("post", "grants/", {"person": "otto", "right": "view", "project": "MAINT", "why": "So."})


def test_a_token_whose_projects_are_gone_reaches_none(cast: Cast) -> None:
    program = narrow(cast.dev, cast.churn)
    Token.objects.get().projects.clear()
    assert program.rows("projects/") == []
    assert program.get("me/")["token"]["projects"] == []


# --- rights ---


def test_a_token_without_rights_sees_and_does_nothing(cast: Cast, everything: dict[str, Any]) -> None:
    dev = token(cast.dev, carrying=["view"])
    wish = everything["wish"]
    assert dev.get(f"requests/{wish.pk}/")["can"] == []
    assert dev.rows("projects/")[0]["lanes"][0]["rights"] == ["view"]
    for path, body in (
        ("requests/", _wish()),
        (f"requests/{wish.pk}/withdraw/", {"why": "No."}),
        ("projects/CHURN/bundles/", {"bundle_id": "v9"}),
        ("projects/CHURN/bundles/v1/documents/", {"kind": "k", "title": "T", "text": "x"}),
        ("projects/CHURN/bundles/v1/collections/", {"stage": "qa", "what": "fairness"}),
        (f"requests/{wish.pk}/reports/", {}),
    ):
        assert dev.refused(403, "post", path, body)["code"] == "right_missing", path
    assert dev.refused(403, "get", "events/?project=CHURN")["code"] == "right_missing"
    mona = token(cast.mona, carrying=["request"])
    assert mona.refused(403, "post", f"requests/{wish.pk}/promote/")["code"] == "right_missing"


def test_a_right_that_only_the_token_names_is_not_given_by_it(cast: Cast) -> None:
    dev = token(cast.dev, carrying=["manage", "audit", "promote"])
    assert dev.get("me/")["estate_rights"] == []
    assert dev.refused(403, "get", "people/")["code"] == "right_missing"
    body = {"person": "dev", "right": "promote", "project": "CHURN", "why": "So."}
    assert dev.refused(403, "post", "grants/", body)["code"] == "right_missing"


def test_a_token_never_signs_nor_takes_a_signature_back(cast: Cast, everything: dict[str, Any]) -> None:
    wish, signoff = everything["wish"], everything["signoff"]
    fay = token(cast.fay)
    assert fay.get(f"requests/{wish.pk}/")["can"] == []
    found = fay.refused(403, "post", f"requests/{wish.pk}/signoffs/", {"requirement": "sign_off:fairness"})
    assert found["code"] == "token_never_signs"
    found = fay.refused(403, "post", f"signoffs/{signoff.pk}/withdraw/", {"why": "No."})
    assert found["code"] == "token_never_signs"
    assert fay.get("inbox/")["waits"] == []
    with pytest.raises(Invalid) as refused:
        people.make_token(by=cast.fay, name="x", carrying=["sign"])
    assert (refused.value.code, refused.value.field) == ("token_rights", "rights")
    # Not even a row that says so lets it.
    Token.objects.update(rights=["sign", "sign_explainability"])
    assert session(cast.eli).get(f"requests/{wish.pk}/")["can"] == ["sign:sign_off:explainability"]
    eli = token(cast.eli)
    Token.objects.update(rights=["sign", "sign_explainability"])
    assert eli.get(f"requests/{wish.pk}/")["can"] == []


def test_a_token_makes_and_ends_no_other_token(cast: Cast) -> None:
    people.make_token(by=cast.dev, name="another")
    another = Token.objects.get()
    program = token(cast.dev)
    (itself,) = program.rows("tokens/")
    assert itself["id"] != another.pk
    program.absent("post", f"tokens/{another.pk}/revoke/")
    assert program.refused(403, "post", "tokens/", {"name": "more"})["code"] == "token_makes_no_token"
    robot = people.add_person(by=cast.ada, login="robot", name="Nightly export", kind="service")
    ada = token(cast.ada)
    found = ada.refused(403, "post", "people/robot/tokens/", {"name": "more"})
    assert found["code"] == "token_makes_no_token"
    ada.absent("post", f"tokens/{another.pk}/revoke/")
    assert not robot.tokens.exists()


def test_only_projects_that_one_sees_go_into_a_token(cast: Cast) -> None:
    dev = session(cast.dev)
    found = dev.refused(400, "post", "tokens/", {"name": "x", "projects": ["CHURN", "MAINT"]})
    assert (found["code"], found["field"]) == ("project_unknown", "projects")
    made = dev.post("tokens/", name="x", projects=["CHURN"], rights=["request"])
    assert (made["projects"], made["rights"]) == (["CHURN"], ["request"])
    assert told("token.made").project == ""
    me = Api(headers={"Authorization": f"Bearer {made['secret']}"}).get("me/")
    assert me["token"]["rights"] == ["request"]
    assert me["token"]["projects"] == ["CHURN"]


# --- service accounts ---


def test_a_service_account_works_by_a_token_that_an_administrator_makes(cast: Cast) -> None:
    ada = session(cast.ada)
    ada.post("people/", login="robot", name="Nightly export", kind="service")
    robot = Person.objects.get(login="robot")
    for right in (Right.VIEW, Right.REQUEST):
        grants.grant(by=cast.ada, person=robot, right=right, project=cast.churn, why="Builds nightly.")
    made = ada.post("people/robot/tokens/", name="nightly", rights=["request"], projects=["CHURN"])
    assert (made["person"]["login"], made["made_by"]["login"]) == ("robot", "ada")
    told("token.made")
    program = Api(headers={"Authorization": f"Bearer {made['secret']}"})
    bundle_registered(cast)
    assert program.post("requests/", **_wish())["requested_by"]["login"] == "robot"
    ada.post(f"tokens/{made['id']}/revoke/")
    assert program.refused(401, "get", "me/")["code"] == "token_not_in_force"


def test_nobody_makes_a_token_for_somebody_else(cast: Cast) -> None:
    found = session(cast.ada).refused(403, "post", "people/dev/tokens/", {"name": "x"})
    assert found["code"] == "token_of_another"
    robot = people.add_person(by=cast.ada, login="robot", name="Nightly export", kind="service")
    found = session(cast.olga).refused(403, "post", "people/robot/tokens/", {"name": "x"})
    assert found["code"] == "right_missing"
    with pytest.raises(Forbidden):
        people.make_token(by=cast.olga, person=robot, name="x")
    Person.objects.filter(pk=robot.pk).update(is_active=False)
    found = session(cast.ada).refused(400, "post", "people/robot/tokens/", {"name": "x"})
    assert found["code"] == "person_disabled"


def test_a_service_account_signs_in_with_no_password(cast: Cast) -> None:
    robot = people.add_person(by=cast.ada, login="robot", name="Nightly export", kind="service")
    robot.set_password("countersign-demo")  # as if somebody had put one into the database
    robot.save()
    client = Api().client
    answer = client.post("/login/", {"username": "robot", "password": "countersign-demo"})
    assert answer.status_code == 200
    assert b"This login and password do not go together." in answer.content
    assert "_auth_user_id" not in client.session


def test_a_service_account_never_signs_whatever_it_was_given(cast: Cast) -> None:
    robot = people.add_person(by=cast.ada, login="robot", name="Nightly export", kind="service")
    people.join_team(by=cast.ada, team=cast.team, person=robot)
    grants.grant(
        by=cast.ada, team=cast.team, right=Right.SIGN, role="fairness", project=cast.churn, why="All of them."
    )
    bundle = bundle_registered(cast)
    collected(cast, bundle, Collection.What.FAIRNESS, lane=runs_in(cast, bundle, cast.qa).lane)
    wish = request_at(cast, bundle=bundle, lane=cast.prod)
    _row, secret = people.make_token(by=cast.ada, person=robot, name="x")
    program = Api(headers={"Authorization": f"Bearer {secret}"})
    assert not [verb for verb in program.get(f"requests/{wish.pk}/")["can"] if verb.startswith("sign")]
    assert Grant.objects.filter(team=cast.team, right="sign").exists()


def test_a_token_of_another_is_absent_to_the_action_too(cast: Cast) -> None:
    row, _secret = people.make_token(by=cast.dev, name="x")
    _own, secret = people.make_token(by=cast.dev, name="y")
    by = people.person_of_token(secret)
    assert by is not None
    with pytest.raises(Absent):
        people.revoke_token(by=by, token=row)
