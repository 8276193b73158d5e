"""Signing in by OIDC and SAML: who gets in as whom, what groups give and take, and providers that are not believed."""

import base64
import copy
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import jwt
import pytest
from django.test import Client
from pytest_django import Settings

from governance.models import SignOff
from portal import ledger, rights
from portal.actions import accounts, changes, grants, identities, mappings, people
from portal.demo.cast import PASSWORD
from portal.errors import Invalid, Refused
from portal.event_kinds import EventKind
from portal.models import Change, Grant, GroupMapping, Identity, Membership, Person, Right
from tests import providers
from tests.api import same_at_any_size
from tests.api import session as api_session
from tests.authenticator import code_now
from tests.cast import Cast
from tests.factories import bundle_registered, request_at, to_read
from tests.integration.test_second_factors import with_app
from tests.pages import refused, signed_in, words
from tests.providers import Oidc

DEV = {"sub": "s-dev", "preferred_username": "dev.rao", "name": "Dev R.", "email": "dev@example.com"}


@pytest.fixture
def idp(settings: Settings) -> Iterator[Oidc]:
    with providers.oidc() as provider:
        configured = copy.deepcopy(settings.SOCIALACCOUNT_PROVIDERS)
        app = configured["openid_connect"]["APPS"][0]
        app.update(client_id=providers.CLIENT, secret=providers.SECRET)
        app["settings"]["server_url"] = provider.url
        settings.SOCIALACCOUNT_PROVIDERS = configured
        settings.OIDC_ISSUER = provider.url
        provider.claims = dict(DEV)
        yield provider


@pytest.fixture
def saml(settings: Settings) -> None:
    configured = copy.deepcopy(settings.SOCIALACCOUNT_PROVIDERS)
    configured["saml"]["APPS"][0]["settings"]["idp"] = {
        "entity_id": providers.IDP, "sso_url": "https://idp.example/sso", "x509cert": providers.CERTIFICATE,
    }  # fmt: skip
    settings.SOCIALACCOUNT_PROVIDERS = configured
    settings.SAML_IDP = providers.IDP


def come(
    idp: Oidc, client: Client | None = None, path: str = "/sso/oidc/login/?next=/projects/"
) -> tuple[Client, Any]:
    """A browser goes there, signs in, and comes back; the answer it gets here."""
    client = client or Client()
    away = client.get(path)
    assert away.status_code == 302, words(away)
    return client, client.get("/sso/oidc/callback/", idp.authorise(away.headers["Location"]))


def browser() -> Client:
    """A browser says which host it wants, as SAML's addresses need it; Django's client does not by itself."""
    return Client(headers={"host": "testserver"})


def is_in(client: Client) -> bool:
    return client.get("/inbox/").status_code == 200


def map_to_team(cast: Cast, group: str = "churn-builders", provider: str = "oidc") -> GroupMapping:
    mappings.map_group(by=cast.ada, provider=provider, group=group, team=cast.team, why="They build churn.")
    return GroupMapping.objects.get(group=group, provider=provider)


def kinds(person: Person) -> list[str]:
    told = ledger.events(kinds=[EventKind.TEAM_JOINED, EventKind.TEAM_LEFT])
    return [event.kind.value for event in told if event.facts["person"] == str(person.pk)]


# --- who gets in as whom ----------------------------------------------------------------------------------------------


def test_without_a_provider_there_is_no_such_way(cast: Cast) -> None:
    for path in (
        "/sso/oidc/login/",
        "/sso/oidc/callback/",
        "/sso/saml/login/",
        "/sso/saml/metadata/",
        "/sso/saml/sls/",
    ):
        assert browser().get(path).status_code == 404, path
    assert browser().post("/sso/saml/acs/").status_code == 404
    assert "Sign in with" not in words(browser().get("/login/"))


@pytest.mark.parametrize(
    "path",
    ["/signup/", "/accounts/signup/", "/accounts/email/", "/accounts/social/signup/", "/password/reset/"],
)
def test_nobody_signs_up(cast: Cast, idp: Oidc, path: str) -> None:
    assert browser().get(path).status_code in (302, 404)
    assert browser().post(path, {"login": "x", "email": "x@example.com"}).status_code in (302, 403, 404)
    assert signed_in(cast.ada).get(path).status_code == 404
    assert Person.objects.count() == 11


def test_somebody_new_gets_an_account_without_any_right(cast: Cast, idp: Oidc) -> None:
    assert "Sign in with single sign-on" in words(browser().get("/login/"))
    client, answer = come(idp)
    assert answer.headers["Location"] == "/projects/", words(answer)
    assert is_in(client)
    person = Person.objects.get(login="dev.rao")
    assert (person.name, person.email, person.has_usable_password()) == ("Dev R.", "dev@example.com", False)
    assert not person.groups.exists()
    assert not rights.visible_projects(person).exists()
    assert person != cast.dev  # though they have one e-mail: nobody is found by it
    assert Identity.objects.get().subject == "s-dev"
    told = [event.kind for event in ledger.events(subject=f"person:{person.pk}")]
    assert told == [EventKind.PERSON_ADDED, EventKind.IDENTITY_LINKED, EventKind.SIGNED_IN]
    again, _answer = come(idp)
    assert is_in(again)
    assert Person.objects.filter(login__startswith="dev").count() == 2


def test_a_login_of_somebody_else_is_not_taken_over(cast: Cast, idp: Oidc) -> None:
    for login in ("dev", "DEV", "ada", "system"):
        idp.claims = {**DEV, "sub": f"s-{login}", "preferred_username": login}
        client, answer = come(idp)
        assert answer.status_code == 403
        assert "ask an administrator to link your account" in words(answer)
        assert not is_in(client)
    assert not Identity.objects.exists()
    identities.link(by=cast.ada, person=cast.dev, provider="oidc", subject="s-dev")
    idp.claims = dict(DEV)
    client, _answer = come(idp)
    assert is_in(client)
    assert ledger.events(kinds=[EventKind.SIGNED_IN])[-1].actor_id == str(cast.dev.pk)
    assert (Person.objects.get(pk=cast.dev.pk).login, cast.dev.name) == ("dev", "Dev Rao")


def test_a_closed_portal_adds_nobody(cast: Cast, idp: Oidc, settings: Settings) -> None:
    settings.SSO_ADDS_PEOPLE = False
    client, answer = come(idp)
    assert "Nobody here is known to be you." in words(answer)
    assert not is_in(client)


def test_disabled_and_service_accounts_do_not_come_in_that_way(cast: Cast, idp: Oidc) -> None:
    identities.link(by=cast.ada, person=cast.dev, provider="oidc", subject="s-dev")
    accounts.disable(by=cast.ada, person=cast.dev, why="Left.")
    client, answer = come(idp)
    assert (answer.status_code, is_in(client)) == (403, False)
    assert "Your account here is disabled" in words(answer)
    refusal = ledger.events(kinds=[EventKind.SIGN_IN_REFUSED])[-1]
    assert (refusal.facts["code"], refusal.facts["person"]) == ("account_shut", str(cast.dev.pk))
    robot = people.add_person(by=cast.ada, login="robot", name="Robot", kind="service")
    with pytest.raises(Invalid):
        identities.link(by=cast.ada, person=robot, provider="oidc", subject="s-robot")


def test_a_second_factor_is_asked_for_also_then(cast: Cast, idp: Oidc) -> None:
    identities.link(by=cast.ada, person=cast.dev, provider="oidc", subject="s-dev")
    secret, _codes = with_app(cast.dev)
    client, answer = come(idp)
    assert answer.headers["Location"] == "/login/second-factor/"
    assert not is_in(client)
    assert (
        client.post("/login/second-factor/", {"code": code_now(secret)}).headers["Location"] == "/projects/"
    )
    assert ledger.events(kinds=[EventKind.SIGNED_IN])[-1].facts["method"] == "oidc"


def test_nobody_is_led_to_another_site(cast: Cast, idp: Oidc) -> None:
    _client, answer = come(idp, path="/sso/oidc/login/?next=https://evil.example/")
    assert answer.headers["Location"] == "/inbox/"


# --- groups -----------------------------------------------------------------------------------------------------------


def test_groups_give_and_take_memberships_at_each_sign_in(cast: Cast, idp: Oidc) -> None:
    map_to_team(cast)
    idp.claims["groups"] = ["churn-builders", "everybody"]
    come(idp)
    person = Person.objects.get(login="dev.rao")
    assert [project.key for project in rights.visible_projects(person)] == ["CHURN"]
    come(idp)
    idp.claims["groups"] = ["everybody"]
    come(idp)
    assert not rights.visible_projects(person).exists()
    del idp.claims["groups"]
    idp.info = {"groups": "churn-builders"}  # one group as a text, in the userinfo
    come(idp)
    idp.info = {}
    come(idp)
    assert kinds(person) == ["team.joined", "team.left"] * 2


def test_what_an_admin_gave_by_hand_stays(cast: Cast, idp: Oidc) -> None:
    map_to_team(cast)
    identities.link(by=cast.ada, person=cast.dev, provider="oidc", subject="s-dev")
    idp.claims["groups"] = ["churn-builders"]
    come(idp)
    assert {row.source for row in Membership.objects.filter(person=cast.dev)} == {"local", "oidc"}
    idp.claims["groups"] = []
    come(idp)
    assert cast.dev.groups.exists()
    assert {row.source for row in Membership.objects.filter(person=cast.dev)} == {"local"}
    idp.claims["groups"] = ["churn-builders"]
    come(idp)
    people.leave_team(by=cast.ada, team=cast.team, person=cast.dev)
    assert not cast.dev.groups.exists()
    assert not Membership.objects.filter(person=cast.dev).exists()


@pytest.mark.parametrize(
    "groups",
    [{"churn-builders": True}, [1, 2], ["churn-builders", None], [["churn-builders"]], 7, True, ["g"] * 2001],
)
def test_groups_that_cannot_be_read_give_nothing_and_change_nothing(
    cast: Cast, idp: Oidc, groups: Any
) -> None:
    map_to_team(cast)
    idp.claims["groups"] = groups
    client, answer = come(idp)
    assert "What your organisation says of your groups cannot be read" in words(answer)
    assert not is_in(client)
    assert not Person.objects.filter(login="dev.rao").exists()
    assert ledger.events(kinds=[EventKind.SIGN_IN_REFUSED])[-1].facts["code"] == "groups_unreadable"


def test_thousands_of_unknown_groups_give_nothing(cast: Cast, idp: Oidc) -> None:
    map_to_team(cast)
    idp.claims["groups"] = [f"group-{n}" for n in range(1_999)] + [" churn-builders"]
    client, _answer = come(idp)
    assert is_in(client)
    assert not Person.objects.get(login="dev.rao").groups.exists()


def test_mapping_a_group_takes_two_admins_and_unmapping_one(
    cast: Cast, idp: Oidc, settings: Settings
) -> None:
    settings.SECOND_ADMIN = True
    change = mappings.map_group(
        by=cast.ada, provider="oidc", group="churn-builders", team=cast.team, why="They build."
    )
    idp.claims["groups"] = ["churn-builders"]
    come(idp)
    person = Person.objects.get(login="dev.rao")
    assert not person.groups.exists()
    with pytest.raises(Refused, match="somebody else has to apply it"):
        changes.apply(by=cast.ada, change=change)
    changes.apply(by=cast.abe, change=change)
    come(idp)
    assert person.groups.exists()
    ended = mappings.unmap_group(by=cast.ada, mapping=GroupMapping.objects.get(), why="Not any more.")
    assert ended.status == Change.Status.APPLIED
    assert not person.groups.exists()  # at once, not with the next sign-in
    assert cast.olga.groups.exists()
    told = [event.kind for event in ledger.events(kinds=[EventKind.GROUP_MAPPED, EventKind.GROUP_UNMAPPED])]
    assert told == [EventKind.GROUP_MAPPED, EventKind.GROUP_UNMAPPED]


def test_no_provider_takes_the_last_administrator(cast: Cast, idp: Oidc) -> None:
    admins = people.add_team(by=cast.ada, name="Admins")
    mappings.map_group(by=cast.ada, provider="oidc", group="admins", team=admins, why="They run it.")
    identities.link(by=cast.ada, person=cast.dev, provider="oidc", subject="s-dev")
    idp.claims["groups"] = ["admins"]
    come(idp)
    grants.grant(by=cast.ada, team=admins, right=Right.MANAGE, why="They run it.")
    for grant in Grant.objects.filter(person__isnull=False, right=Right.MANAGE):
        grants.revoke(by=cast.dev, grant=grant, why="The team does it.")
    idp.claims["groups"] = []
    client, answer = come(idp)
    assert "nobody who manages the estate" in words(answer)
    assert not is_in(client)
    for act in (
        lambda: mappings.unmap_group(by=cast.dev, mapping=GroupMapping.objects.get(), why="Not any more."),
        lambda: identities.unlink(by=cast.dev, identity=Identity.objects.get()),
    ):
        with pytest.raises(Refused) as refusal:
            act()
        assert refusal.value.code == "last_admin"
    assert "manage" in rights.on_estate(cast.dev)
    people.join_team(by=cast.dev, team=admins, person=cast.abe)
    assert is_in(come(idp)[0])
    assert "manage" not in rights.on_estate(cast.dev)


def test_mappings_that_cannot_be(cast: Cast) -> None:
    map_to_team(cast)
    for wish, field in (
        ({"group": "churn-builders"}, "group"),
        ({"group": " padded"}, "group"),
        ({"group": ""}, "group"),
        ({"group": "g", "provider": "ldap"}, "provider"),
        ({"group": "g", "provider": "local"}, "provider"),
    ):
        with pytest.raises(Invalid) as refused:
            mappings.map_group(
                by=cast.ada,
                provider=wish.get("provider", "oidc"),
                group=wish["group"],
                team=cast.team,
                why="Because.",
            )
        assert refused.value.field == field, wish
    with pytest.raises(Refused, match="You need the right to manage"):
        mappings.map_group(by=cast.olga, provider="oidc", group="g", team=cast.team, why="Mine.")


# --- providers that are not believed ----------------------------------------------------------------------------------


Lie = Callable[[Oidc, dict[str, Any]], str]
LIES: dict[str, Lie] = {
    "another key": lambda idp, claims: idp.token(claims, providers.OTHER_KEY),
    "an unknown key": lambda idp, claims: idp.token(claims, kid="k2"),
    "no signature": lambda idp, claims: jwt.encode(claims, "", algorithm="none", headers={"kid": "k1"}),
    "symmetric": lambda idp, claims: jwt.encode(claims, "x" * 64, algorithm="HS256", headers={"kid": "k1"}),
    "another audience": lambda idp, claims: idp.token({**claims, "aud": "another"}),
    "two audiences": lambda idp, claims: idp.token({**claims, "aud": ["another", providers.CLIENT]}),
    "another issuer": lambda idp, claims: idp.token({**claims, "iss": "https://evil.example"}),
    "expired": lambda idp, claims: idp.token({**claims, "exp": int(time.time()) - 120}),
    "no end": lambda idp, claims: idp.token({key: claims[key] for key in claims if key != "exp"}),
    "another nonce": lambda idp, claims: idp.token({**claims, "nonce": "another"}),
    "no nonce": lambda idp, claims: idp.token({key: claims[key] for key in claims if key != "nonce"}),
    "no subject": lambda idp, claims: idp.token({key: claims[key] for key in claims if key != "sub"}),
    "a long subject": lambda idp, claims: idp.token({**claims, "sub": "s" * 5000}),
    "no token": lambda idp, claims: "",
    "rubbish": lambda idp, claims: "a.b.c",
    "altered": lambda idp, claims: idp.token(claims)[:-4] + "AAAA",
}


@pytest.mark.parametrize("name", LIES)
def test_a_token_that_does_not_hold_lets_nobody_in(cast: Cast, idp: Oidc, name: str) -> None:
    identities.link(by=cast.ada, person=cast.dev, provider="oidc", subject="s-dev")
    idp.lie = LIES[name]
    client, answer = come(idp)
    assert answer.status_code == 403
    assert "You are not let in" in words(answer)
    assert not is_in(client)
    assert not ledger.events(kinds=[EventKind.SIGNED_IN])
    assert ledger.events(kinds=[EventKind.PROVIDER_FAILED, EventKind.SIGN_IN_REFUSED])


def test_an_answer_counts_once_and_in_the_browser_that_asked(cast: Cast, idp: Oidc) -> None:
    client = browser()
    brought = idp.authorise(client.get("/sso/oidc/login/").headers["Location"])
    thief = browser()
    assert thief.get("/sso/oidc/callback/", brought).status_code == 403
    assert not is_in(thief)
    assert client.get("/sso/oidc/callback/", brought).status_code == 302
    client.post("/logout/")
    assert client.get("/sso/oidc/callback/", brought).status_code == 403
    assert not is_in(client)
    for nonsense in ({}, {"code": "x"}, {"state": "x", "code": "x"}, {"error": "boom"}):
        assert browser().get("/sso/oidc/callback/", nonsense).status_code == 403


def test_userinfo_of_somebody_else_is_not_mixed_in(cast: Cast, idp: Oidc) -> None:
    map_to_team(cast)
    idp.info = {"sub": "s-olga", "groups": ["churn-builders"]}
    client, answer = come(idp)
    assert (answer.status_code, is_in(client)) == (403, False)


@pytest.mark.parametrize(
    "answers",
    [
        {"/token": (500, b"{}")},
        {"/token": (200, b"[]")},
        {"/token": (200, b"<html>")},
        {"/jwks": (200, b'{"keys": 7}')},
        {"/jwks": (500, b"")},
        {"/userinfo": (200, b"[1]")},
        {"/.well-known/openid-configuration": (200, b'{"issuer": "https://evil.example"}')},
    ],
)
def test_a_provider_that_breaks_is_a_page_and_no_way_in(
    cast: Cast, idp: Oidc, answers: dict[str, Any]
) -> None:
    client = browser()
    away = client.get("/sso/oidc/login/")
    brought = idp.authorise(away.headers["Location"])
    idp.answers = answers
    answer = client.get("/sso/oidc/callback/", brought)
    assert answer.status_code in (403, 503)
    assert "To the sign-in page" in words(answer)
    assert not is_in(client)


def test_a_provider_that_is_away_leaves_the_local_way(cast: Cast, settings: Settings) -> None:
    settings.OIDC_ISSUER = "http://127.0.0.1:9"
    configured = copy.deepcopy(settings.SOCIALACCOUNT_PROVIDERS)
    configured["openid_connect"]["APPS"][0]["settings"]["server_url"] = "http://127.0.0.1:9"
    settings.SOCIALACCOUNT_PROVIDERS = configured
    answer = browser().get("/sso/oidc/login/")
    assert answer.status_code == 503
    assert "single sign-on does not answer" in words(answer)
    for _turn in range(settings.SIGN_IN_TRIES_PER_ADDRESS + 5):
        browser().get("/sso/oidc/login/")
    failures = ledger.events(kinds=[EventKind.PROVIDER_FAILED])
    assert len(failures) == settings.SIGN_IN_TRIES_PER_ADDRESS  # it cannot fill the ledger
    assert failures[0].facts == {"provider": "oidc", "code": "away"}
    ada = browser()
    ada.post("/login/", {"username": "ada", "password": PASSWORD})
    assert is_in(ada)


# --- SAML -------------------------------------------------------------------------------------------------------------

SAID = {
    "login": ["dev.rao"],
    "name": ["Dev R."],
    "email": ["dev@example.com"],
    "groups": ["churn-builders", "all"],
}


def saml_begins(client: Client, path: str = "/sso/saml/login/?next=/projects/") -> str:
    away = client.get(path)
    assert away.status_code == 302, words(away)
    return providers.asked(away.headers["Location"])[0]


def test_saml_lets_in_and_maps_groups(cast: Cast, saml: None) -> None:
    map_to_team(cast, provider="saml")
    client = browser()
    answer = providers.post(client, providers.response(saml_begins(client), "p-1", SAID))
    assert answer.status_code == 302, words(answer)
    assert answer.headers["Location"] == "/projects/"
    assert is_in(client)
    person = Person.objects.get(login="dev.rao")
    assert person.groups.exists()
    assert Membership.objects.get(person=person).source == "saml"
    again = browser()
    providers.post(again, providers.response(saml_begins(again), "p-1", {**SAID, "groups": []}))
    assert is_in(again)
    assert not person.groups.exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"key": providers.OTHER_KEY, "cert": providers.OTHER_CERTIFICATE},
        {"audience": "https://another.example"},
        {"issuer": "https://evil.example"},
        {"age": 3600},
        {"age": -3600},
        {"signed": False},
    ],
)
def test_an_assertion_that_does_not_hold_lets_nobody_in(
    cast: Cast, saml: None, wrong: dict[str, Any]
) -> None:
    client = browser()
    answer = providers.post(client, providers.response(saml_begins(client), "p-1", SAID, **wrong))
    assert answer.status_code == 403
    assert not is_in(client)
    assert not Identity.objects.exists()
    assert ledger.events(kinds=[EventKind.PROVIDER_FAILED])[-1].facts["provider"] == "saml"


def test_an_altered_replayed_or_unasked_assertion_lets_nobody_in(cast: Cast, saml: None) -> None:
    client = browser()
    told = providers.response(saml_begins(client), "p-1", SAID)
    thief = browser()
    assert providers.post(thief, told).status_code == 403  # another browser
    altered = base64.b64encode(base64.b64decode(told).replace(b"p-1", b"p-2")).decode()
    fresh = browser()
    wanted = saml_begins(fresh)
    assert providers.post(fresh, altered).status_code == 403
    assert providers.post(fresh, providers.response("_nobody", "p-1", SAID)).status_code == 403
    assert providers.post(fresh, "rubbish").status_code == 403
    assert providers.post(client, told).status_code == 302
    client.post("/logout/")
    assert providers.post(client, told).status_code == 403
    assert not is_in(client)
    assert not is_in(fresh)
    assert wanted


def test_the_metadata_says_where_to_answer(saml: None, db: None) -> None:
    answer = browser().get("/sso/saml/metadata/")
    assert answer.status_code == 200
    assert b'Location="http://testserver/sso/saml/acs/"' in answer.content
    assert b"SingleLogoutService" not in answer.content
    assert b'WantAssertionsSigned="true"' in answer.content


# --- signing ----------------------------------------------------------------------------------------------------------


def test_who_came_by_sso_signs_after_signing_in_again(cast: Cast, idp: Oidc) -> None:
    fay = Person.objects.get(pk=cast.fay.pk)
    fay.set_unusable_password()
    fay.save()
    identities.link(by=cast.ada, person=fay, provider="oidc", subject="s-fay")
    idp.claims = {"sub": "s-fay", "preferred_username": "fay"}
    client, _answer = come(idp)
    bundle = bundle_registered(cast)
    to_read(cast, bundle)
    wish = request_at(cast, bundle=bundle, lane=cast.prod)
    path = f"/projects/CHURN/requests/{wish.pk}/sign/sign_off:fairness/"
    page = client.get(path)
    form = {"decision": "approve", "comment": "", "bound": page.context["draft"].bound}
    assert client.post(path, form).status_code == 403
    proving = client.get(f"/account/prove/?next={path}")
    assert "Sign in again at single sign-on" in words(proving)
    again = f"/sso/oidc/login/?again=1&next={path}"
    idp.claims["auth_time"] = int(time.time()) - 3600  # the provider did not ask again
    _client, answer = come(idp, client, again)
    assert "did not ask you again who you are" in words(answer)
    assert client.post(path, form).status_code == 403
    del idp.claims["auth_time"]
    idp.claims["sub"] = "s-other"
    idp.claims["preferred_username"] = "other"
    _client, answer = come(idp, client, again)
    assert "somebody else than who is signed in here" in words(answer)
    assert client.post(path, form).status_code == 403
    idp.claims["sub"] = "s-fay"
    _client, answer = come(idp, client, again)
    assert answer.headers["Location"] == path
    assert (idp.asked[-1]["prompt"], idp.asked[-1]["max_age"]) == ("login", "0")
    last = client.post(path, form)
    assert last.status_code == 302, words(last)
    assert SignOff.objects.get().person == fay
    assert ledger.events(kinds=[EventKind.SIGNOFF_GIVEN])[-1].facts["proved_by"] == "oidc"


def test_the_events_hold_no_secret(cast: Cast, idp: Oidc) -> None:
    come(idp)
    kept = json.dumps([event.facts for event in ledger.events()], default=str)
    for secret in (providers.SECRET, "id_token", "eyJ"):
        assert secret not in kept


# --- pages and API ----------------------------------------------------------------------------------------------------


def test_admins_link_and_map_on_pages(cast: Cast) -> None:
    ada = signed_in(cast.ada)
    answer = ada.post("/accounts/dev/link/", {"provider": "oidc", "subject": "s-dev"}, follow=True)
    assert "Dev Rao is linked." in words(answer)
    assert "s-dev" in words(answer)
    taken = ada.post("/accounts/mona/link/", {"provider": "oidc", "subject": "s-dev"})
    assert list(taken.context["form"].errors) == ["subject"]
    identity = Identity.objects.get()
    ada.post(f"/accounts/dev/unlink/{identity.pk}/")
    assert not Identity.objects.exists()
    form = {"provider": "saml", "group": "g", "team_slug": "churn-team", "why": "They build."}
    assert "it counts from the next sign-in" in words(ada.post("/identity/groups/", form, follow=True))
    mapping = GroupMapping.objects.get()
    assert "Let g mean Churn team no more?" in words(ada.get(f"/identity/groups/{mapping.pk}/end/"))
    ada.post(f"/identity/groups/{mapping.pk}/end/", {"why": "Gone."})
    assert not GroupMapping.objects.exists()
    for path in ("/identity/groups/", f"/identity/groups/{mapping.pk}/end/", "/accounts/dev/link/"):
        refused(signed_in(cast.olga).get(path), 403, "You need the right to manage")


def test_admins_link_and_map_over_the_api(cast: Cast) -> None:
    ada = api_session(cast.ada)
    made = ada.post("people/dev/identities/", provider="saml", subject="p-1")
    assert [one["subject"] for one in ada.rows("people/dev/identities/")] == ["p-1"]
    ada.absent("post", f"people/mona/identities/{made['id']}/unlink/")
    assert ada.send("post", f"people/dev/identities/{made['id']}/unlink/").status_code == 204
    assert (
        ada.post("mappings/", provider="oidc", group="g", team="churn-team", why="Yes.")["status"]
        == "applied"
    )
    (row,) = ada.rows("mappings/")
    assert (row["group"], row["team"]["slug"]) == ("g", "churn-team")
    bad = {"provider": "oidc", "group": "h", "team": "no-team", "why": "Yes."}
    assert ada.refused(400, "post", "mappings/", bad)["field"] == "team"
    assert ada.post(f"mappings/{row['id']}/end/", why="No.")["status"] == "applied"
    olga = api_session(cast.olga)
    for method, path, body in (
        ("get", "mappings/", None),
        ("post", "mappings/", {**bad, "team": "churn-team"}),
        ("get", "people/dev/identities/", None),
        ("post", "people/dev/identities/", {"provider": "oidc", "subject": "s"}),
    ):
        assert olga.refused(403, method, path, body)["code"] == "right_missing"


def test_the_list_of_mappings_costs_the_same_at_any_size(cast: Cast) -> None:
    def grow(count: int) -> None:
        start = GroupMapping.objects.count()
        GroupMapping.objects.bulk_create(
            GroupMapping(provider="oidc", group=f"g{start + n}", team=cast.team, made_by=cast.ada)
            for n in range(count)
        )

    same_at_any_size(api_session(cast.ada), "mappings/", grow, most=5)
