"""SCIM: a directory brings joiners, movers and leavers and its groups, reaches nobody else, and the oracle agrees."""

import io
import json
import re
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import QuerySet
from django.test import Client

from portal import ledger, rights
from portal.actions import accounts, grants, mappings, people
from portal.errors import Invalid
from portal.event_kinds import EventKind
from portal.models import DirectoryGroup, Grant, Identity, Membership, Person, Right, Token
from tests.api import session as api_session
from tests.cast import Cast
from tests.late import Late
from tests.pages import signed_in

scim2_client = Late("scim2_client.engines.wsgi")
scim2_tester = Late("scim2_tester")

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


@dataclass
class Directory:
    """A directory with its token."""

    secret: str

    def send(self, method: str, path: str, body: Any = None) -> Any:
        more = {} if body is None else {"data": json.dumps(body), "content_type": "application/scim+json"}
        return getattr(Client(), method)(
            f"/scim/v2/{path}", headers={"Authorization": f"Bearer {self.secret}"}, **more
        )

    def ok(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        answer = self.send(method, path, body)
        assert answer.status_code == status, answer.content
        return answer.json() if answer.content else None

    def refused(self, status: int, method: str, path: str, body: Any = None) -> Any:
        answer = self.send(method, path, body)
        assert answer.status_code == status, answer.content
        assert answer["Content-Type"] == "application/scim+json"
        told = answer.json()
        assert told["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]
        assert told["status"] == str(status)
        assert told["detail"]
        return told

    def bring(self, login: str = "ida", **more: Any) -> Any:
        body = {"schemas": [USER], "userName": login, "displayName": "Ida Sand", **more}
        return self.ok("post", "Users", body, 201)

    def group(self, name: str, *members: Any) -> Any:
        listed = [{"value": one["id"]} for one in members]
        body = {"schemas": [GROUP], "displayName": name, "members": listed}
        return self.ok("post", "Groups", body, 201)

    def patch(self, path: str, *operations: dict[str, Any], status: int = 200) -> Any:
        return self.ok("patch", path, {"schemas": [PATCH], "Operations": list(operations)}, status)


@pytest.fixture
def directory(cast: Cast) -> Directory:
    robot = people.add_person(by=cast.ada, login="directory", name="Directory", kind="service")
    grants.grant(by=cast.ada, person=robot, right=Right.PROVISION, why="Brings everybody.")
    return Directory(people.make_token(by=robot, name="SCIM")[1])


# --- who may ----------------------------------------------------------------------------------------------------------


def test_only_a_service_account_with_the_right_may(cast: Cast, directory: Directory) -> None:
    assert Client().get("/scim/v2/Users").status_code == 401
    assert signed_in(cast.ada).get("/scim/v2/Users").status_code == 401  # a session is no token
    for person, status in ((cast.ada, 403), (cast.otto, 403)):
        secret = people.make_token(by=person, name="t")[1]
        Directory(secret).refused(status, "get", "Users")
        Directory(secret).refused(status, "post", "Users", {"userName": "x"})
    robot = people.add_person(by=cast.ada, login="other", name="Other robot", kind="service")
    Directory(people.make_token(by=robot, name="t")[1]).refused(403, "get", "Groups")
    Directory("csn_nonsense").refused(401, "get", "Users")
    directory.ok("get", "Users")
    grant = Grant.objects.get(right=Right.PROVISION)
    grants.revoke(by=cast.ada, grant=grant, why="No more.")
    directory.refused(403, "get", "Users")


def test_the_right_is_of_service_accounts_on_the_estate(cast: Cast) -> None:
    robot = people.add_person(by=cast.ada, login="directory", name="Directory", kind="service")
    for wish, field in (
        ({"person": cast.otto}, "holder"),
        ({"person": robot, "project": cast.churn}, "right"),
        ({"team": cast.team}, "right"),
    ):
        with pytest.raises(Invalid) as refused:
            grants.grant(by=cast.ada, right=Right.PROVISION, why="No.", **wish)
        assert refused.value.field == field


def test_who_brings_people_sees_no_project(cast: Cast, directory: Directory) -> None:
    robot = Person.objects.get(login="directory")
    assert rights.on_estate(robot) == {"provision"}
    assert not rights.visible_projects(robot).exists()
    assert rights.held_on(robot, [cast.qa]) == {cast.qa.pk: frozenset()}
    there = Client().get("/api/v1/projects/CHURN/", headers={"Authorization": f"Bearer {directory.secret}"})
    listed = Client().get("/api/v1/projects/", headers={"Authorization": f"Bearer {directory.secret}"})
    assert (there.status_code, listed.json()["results"]) == (404, [])


def test_an_endpoint_that_is_none_says_so_in_scim(directory: Directory) -> None:
    for method in ("get", "post", "delete"):
        assert directory.refused(404, method, "Bulk")["detail"] == "There is no such endpoint."
    assert Client().get("/scim/v2/Bulk").status_code == 401


# --- people -----------------------------------------------------------------------------------------------------------


def test_a_joiner_has_no_right_and_no_password(cast: Cast, directory: Directory) -> None:
    made = directory.bring(
        externalId="e-1",
        emails=[{"value": "ida@example.com", "primary": True}],
        timezone="Europe/Paris",
        title="Analyst",
        password="a password that nobody wants",
        name={"givenName": "I", "familyName": "S"},
    )
    assert (made["userName"], made["active"], made["externalId"]) == ("ida", True, "e-1")
    assert made["meta"]["location"].endswith(f"/scim/v2/Users/{made['id']}")
    ida = Person.objects.get(login="ida")
    assert (ida.name, ida.email, ida.zone) == ("Ida Sand", "ida@example.com", "Europe/Paris")
    assert not ida.has_usable_password()
    assert not rights.visible_projects(ida).exists()
    assert directory.ok("get", f"Users/{made['id']}")["userName"] == "ida"
    added = ledger.events(kinds=[EventKind.PERSON_ADDED])[-1]
    assert added.actor_id == str(Person.objects.get(login="directory").pk)
    parts = directory.bring("max", displayName=None, name={"givenName": "Max", "familyName": "Mara"})
    assert parts["displayName"] == "Max Mara"


def test_people_are_found_one_way_and_page_by_page(cast: Cast, directory: Directory) -> None:
    for number in range(5):
        directory.bring(f"p{number}", displayName=f"P {number}", externalId=f"e-{number}")
    found = directory.ok("get", 'Users?filter=userName eq "P3"')
    assert [one["userName"] for one in found["Resources"]] == ["p3"]
    assert directory.ok("get", 'Users?filter=externalId eq "e-4"')["Resources"][0]["userName"] == "p4"
    assert directory.ok("get", 'Users?filter=displayName eq "P 1"')["totalResults"] == 1
    assert directory.ok("get", 'Users?filter=userName eq "nobody"')["totalResults"] == 0
    page = directory.ok("get", "Users?startIndex=2&count=2")
    assert (page["totalResults"], page["startIndex"], page["itemsPerPage"]) == (5, 2, 2)
    assert [one["userName"] for one in page["Resources"]] == ["p1", "p2"]
    assert directory.ok("get", "Users?startIndex=-9&count=0")["itemsPerPage"] == 0
    for odd in ('userName co "p"', 'userName eq "a" or userName eq "b"', "nonsense(", 'title eq "x"'):
        assert directory.refused(400, "get", f"Users?filter={odd}")["scimType"] == "invalidFilter"
    directory.refused(400, "get", "Users?count=many")
    short = directory.ok("get", "Users?count=1&attributes=userName")["Resources"][0]
    assert set(short) <= {"schemas", "id", "userName"}


def test_a_mover_is_changed_by_whole_and_by_part(cast: Cast, directory: Directory) -> None:
    path = f"Users/{directory.bring(externalId='e-1')['id']}"
    directory.patch(path, {"op": "replace", "path": "displayName", "value": "Ida Berg"})
    directory.patch(path, {"op": "Replace", "value": {"userName": "ida.berg", "title": "Boss"}})
    directory.patch(path, {"op": "add", "path": "name.familyName", "value": "Berg"})  # not kept: passed over
    ida = Person.objects.get(login="ida.berg")
    assert ida.name == "Ida Berg"
    put = {
        "schemas": [USER],
        "userName": "ida",
        "displayName": "Ida B.",
        "emails": [{"value": "i@example.com"}],
    }
    assert directory.ok("put", path, put)["displayName"] == "Ida B."
    assert Identity.objects.get(person=ida).subject == str(ida.pk)  # externalId was left out
    fields = [event.facts["changed"] for event in ledger.events(kinds=[EventKind.PERSON_CHANGED])]
    assert fields == [["name"], ["login"], ["email", "login", "name"]]


def test_a_leaver_is_out_at_once_and_can_come_back(cast: Cast, directory: Directory) -> None:
    made = directory.bring()
    mappings.map_group(by=cast.ada, provider="scim", group="builders", team=cast.team, why="They build.")
    directory.group("builders", made)
    ida = Person.objects.get(login="ida")
    client = signed_in(ida)
    people.make_token(by=ida, name="mine")
    assert client.get("/projects/CHURN/").status_code == 200
    directory.patch(f"Users/{made['id']}", {"op": "Replace", "path": "active", "value": "False"})
    assert client.get("/projects/CHURN/").status_code == 302
    assert not Token.objects.filter(person=ida, revoked_at__isnull=True).exists()
    assert not ida.groups.exists()
    assert ledger.events(kinds=[EventKind.PERSON_DISABLED])[-1].facts["why"].startswith("The directory says")
    directory.patch(f"Users/{made['id']}", {"op": "replace", "value": {"active": True}})
    assert Person.objects.get(pk=ida.pk).is_active
    assert ida.groups.exists()
    assert directory.send("delete", f"Users/{made['id']}").status_code == 204
    directory.refused(404, "get", f"Users/{made['id']}")
    assert not Person.objects.get(pk=ida.pk).is_active
    assert not ida.groups.exists()
    assert not DirectoryGroup.objects.get().members.exists()
    assert Person.objects.filter(pk=ida.pk).exists()  # what they did stays theirs


def test_whom_an_admin_here_disabled_a_directory_does_not_let_in_again(
    cast: Cast, directory: Directory
) -> None:
    made = directory.bring()
    mappings.map_group(by=cast.ada, provider="scim", group="builders", team=cast.team, why="They build.")
    directory.group("builders", made)
    ida = Person.objects.get(login="ida")
    accounts.disable(by=cast.ada, person=ida, why="Misused it.")
    path = f"Users/{made['id']}"
    whole = {"schemas": [USER], "userName": "ida", "displayName": "Ida Strand", "active": True}
    assert directory.ok("put", path, whole)["active"] is False
    directory.patch(path, {"op": "replace", "path": "active", "value": True})
    directory.patch(path, {"op": "replace", "path": "active", "value": False})
    assert directory.ok("put", path, whole)["active"] is False
    ida.refresh_from_db()
    assert (ida.is_active, ida.name) == (False, "Ida Strand")
    accounts.enable(by=cast.ada, person=ida, why="A mistake.")
    directory.patch(path, {"op": "replace", "path": "active", "value": False})
    assert directory.ok("put", path, whole)["active"] is True


def test_accounts_made_here_are_out_of_reach(cast: Cast, directory: Directory) -> None:
    assert directory.ok("get", "Users")["totalResults"] == 0
    assert directory.ok("get", 'Users?filter=userName eq "ada"')["totalResults"] == 0
    for login in ("ada", "ADA", "directory", "system"):
        told = directory.refused(409, "post", "Users", {"schemas": [USER], "userName": login})
        assert told["scimType"] == "uniqueness"
    for person in (cast.ada, Person.objects.get(login="directory"), Person.objects.system()):
        for method, body in (
            ("get", None),
            ("delete", None),
            ("put", {"schemas": [USER], "userName": "x"}),
            (
                "patch",
                {"schemas": [PATCH], "Operations": [{"op": "replace", "path": "active", "value": False}]},
            ),
        ):
            directory.refused(404, method, f"Users/{person.pk}", body)
    made = directory.bring()
    told = directory.refused(
        409, "put", f"Users/{made['id']}", {"schemas": [USER], "userName": "ada", "displayName": "Ada"}
    )
    assert told["scimType"] == "uniqueness"
    with patch.object(QuerySet, "exists", return_value=False):  # as whoever takes the name a moment later
        told = directory.refused(
            409, "put", f"Users/{made['id']}", {"schemas": [USER], "userName": "ada", "displayName": "Ada"}
        )
    assert told["scimType"] == "uniqueness"
    group = {"schemas": [GROUP], "displayName": "builders", "members": [{"value": str(cast.otto.pk)}]}
    directory.refused(400, "post", "Groups", group)
    assert Person.objects.get(pk=cast.ada.pk).is_active
    directory.bring("max", externalId="e-1")
    taken = {"schemas": [USER], "userName": "mia", "externalId": "e-1"}
    assert directory.refused(409, "post", "Users", taken)["scimType"] == "uniqueness"
    assert not Person.objects.filter(login="mia").exists()


@pytest.mark.parametrize(
    "body, kind",
    [
        ([], "invalidSyntax"),
        ({}, "invalidValue"),
        ({"userName": 7}, "invalidValue"),
        ({"userName": "x" * 151}, "invalidValue"),
        ({"userName": " "}, "invalidValue"),
        ({"userName": "x", "active": "perhaps"}, "invalidValue"),
        ({"userName": "x", "timezone": "Moon/Base"}, "invalidValue"),
        ({"userName": "x", "emails": [{"value": "nowhere"}]}, "invalidValue"),
        ({"userName": "x", "emails": "x@example.com"}, "invalidValue"),
    ],
)
def test_a_body_that_cannot_be_used(cast: Cast, directory: Directory, body: Any, kind: str) -> None:
    count = Person.objects.count()
    assert directory.refused(400, "post", "Users", body)["scimType"] == kind
    assert Person.objects.count() == count


def test_other_nonsense_is_refused_in_scim(cast: Cast, directory: Directory) -> None:
    made = directory.bring()
    path = f"Users/{made['id']}"
    for operations in (
        [{"op": "burn", "path": "displayName", "value": "x"}],
        [{"op": "replace", "path": "displayName", "value": {"a": 1}}],
        [{"op": "remove", "path": "userName"}],
        "no list",
        [7],
    ):
        directory.refused(400, "patch", path, {"schemas": [PATCH], "Operations": operations})
    for where in ("Users/7", "Users/x' or 1=1", "Groups/x", "Groups/99999999999999999999", "Bulk", "Me"):
        directory.refused(404, "get", where)
    directory.refused(405, "put", "Users", {})
    directory.refused(405, "delete", "Schemas")
    broken = Client().post(
        "/scim/v2/Users", "{", content_type="application/scim+json",
        headers={"Authorization": f"Bearer {directory.secret}"},
    )  # fmt: skip
    assert broken.status_code == 400
    assert Person.objects.get(login="ida").name == "Ida Sand"


# --- groups -----------------------------------------------------------------------------------------------------------


def test_a_group_gives_nothing_before_an_admin_maps_it(cast: Cast, directory: Directory) -> None:
    ida, max_ = directory.bring("ida"), directory.bring("max")
    group = directory.group("builders", ida)
    person = Person.objects.get(login="ida")
    assert not person.groups.exists()
    mappings.map_group(by=cast.ada, provider="scim", group="builders", team=cast.team, why="They build.")
    assert [project.key for project in rights.visible_projects(person)] == ["CHURN"]
    assert Membership.objects.get(person=person).source == "scim"
    other = Person.objects.get(login="max")
    path = f"Groups/{group['id']}"
    directory.patch(path, {"op": "add", "path": "members", "value": [{"value": max_["id"]}]})
    assert other.groups.exists()
    directory.patch(path, {"op": "remove", "path": f'members[value eq "{ida["id"]}"]'})
    assert (person.groups.exists(), other.groups.exists()) == (False, True)
    assert [one["value"] for one in directory.ok("get", path)["members"]] == [max_["id"]]
    assert "members" not in directory.ok("get", f"{path}?excludedAttributes=members")
    directory.patch(path, {"op": "replace", "path": "displayName", "value": "others"})
    assert not other.groups.exists()  # another name means nothing
    directory.patch(path, {"op": "replace", "path": "displayName", "value": "builders"})
    assert other.groups.exists()
    people.join_team(by=cast.ada, team=cast.team, person=other)
    assert directory.send("delete", path).status_code == 204
    assert other.groups.exists()  # by hand too
    kinds = [event.kind for event in ledger.events(subject=f"team:{cast.team.pk}")][-5:]
    assert kinds.count(EventKind.TEAM_LEFT) == 2


def test_a_directory_does_not_take_the_last_administrator(cast: Cast, directory: Directory) -> None:
    ida = directory.bring()
    group = directory.group("admins", ida)
    admins = people.add_team(by=cast.ada, name="Admins")
    mappings.map_group(by=cast.ada, provider="scim", group="admins", team=admins, why="They run it.")
    grants.grant(by=cast.ada, team=admins, right=Right.MANAGE, why="They run it.")
    person = Person.objects.get(login="ida")
    for grant in Grant.objects.filter(person__isnull=False, right=Right.MANAGE):
        grants.revoke(by=person, grant=grant, why="The team does it.")
    path = f"Groups/{group['id']}"
    for method, body in (
        ("delete", None),
        ("put", {"schemas": [GROUP], "displayName": "admins"}),
        ("put", {"schemas": [GROUP], "displayName": "others", "members": [{"value": ida["id"]}]}),
    ):
        directory.refused(409, method, path, body)
    directory.refused(409, "delete", f"Users/{ida['id']}")
    assert "manage" in rights.on_estate(person)
    people.join_team(by=person, team=admins, person=cast.ada)
    assert directory.send("delete", path).status_code == 204
    assert not rights.on_estate(person)


def test_groups_are_found_and_have_one_name(cast: Cast, directory: Directory) -> None:
    group = directory.group("builders")
    found = directory.ok("get", 'Groups?filter=displayName eq "builders"')
    assert [one["id"] for one in found["Resources"]] == [group["id"]]
    told = directory.refused(409, "post", "Groups", {"schemas": [GROUP], "displayName": "builders"})
    assert told["scimType"] == "uniqueness"
    assert (
        directory.ok("put", f"Groups/{group['id']}", {"schemas": [GROUP], "displayName": "b"})["displayName"]
        == "b"
    )
    page = signed_in(cast.ada).get("/identity/groups/")
    assert b"Sent by the directory, and meaning nothing" in page.content


# --- the oracle -------------------------------------------------------------------------------------------------------


# What it expects and we do otherwise: one address is kept, of work and without a name beside it; a member's name is the
# person's, whatever a directory calls them; nobody is without name, zone and state, so that what is taken away becomes
# the usual; queries are asked by GET alone (RFC 7644, section 3.4.3, leaves POST open).
KNOWN = re.compile(
    r"^PATCH modify\(\) returned unexpected value for '(emails|members)'|^There is no such endpoint\.$"
    r"|^PATCH modify\(\) did not remove attribute '(displayName|timezone|active)'"
)


def test_the_oracle_finds_nothing_wrong(cast: Cast, directory: Directory) -> None:
    client = scim2_client.WSGISCIMClient(
        WSGIHandler(),
        base_url="http://testserver/scim/v2",
        headers={"Authorization": f"Bearer {directory.secret}"},
        environ={"wsgi.errors": io.StringIO()},
    )
    # Between real requests Django looks after its connections; here they share the test's transaction.
    statuses = scim2_tester.Status
    with patch.object(BaseDatabaseWrapper, "close_if_unusable_or_obsolete"):
        results = scim2_tester.check_server(client)
    wrong = [
        f"{one.title}: {one.reason}"
        for one in results
        if one.status in (statuses.ERROR, statuses.CRITICAL) and not KNOWN.search(str(one.reason))
    ]
    assert not wrong, "\n".join(wrong)
    assert len([one for one in results if one.status == statuses.SUCCESS]) > 20


def test_a_disabled_robot_brings_nobody(cast: Cast, directory: Directory) -> None:
    robot = Person.objects.get(login="directory")
    accounts.disable(by=cast.ada, person=robot, why="Replaced.")
    directory.refused(401, "get", "Users")
    assert api_session(cast.ada).rows("people/")
