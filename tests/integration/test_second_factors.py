"""Second factors: codes and passkeys count once, from their owner; a team's requirement has no way around."""

import html
import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from governance.models import SignOff
from portal import factors, ledger
from portal.actions import accounts, people
from portal.actions import factors as actions
from portal.demo.cast import PASSWORD
from portal.errors import Forbidden
from portal.event_kinds import EventKind
from portal.models import Factor, Person, RecoveryCode, Session, Team, Token, Tries
from tests.api import session as api_session
from tests.authenticator import Passkey, code_now
from tests.cast import Cast
from tests.factories import bundle_registered, request_at, to_read
from tests.pages import outsider_sees_nothing, queries_of, refused, signed_in, words


def with_app(person: Person) -> tuple[str, list[str]]:
    """Give somebody an app; its secret and the recovery codes. Its code of just now is as good as unused."""
    secret = factors.new_secret()
    codes = actions.add_app(by=person, secret=secret, code=code_now(secret), name="Phone")
    Factor.objects.filter(person=person).update(counter=0)
    return secret, codes


def options_of(answer: Any) -> dict[str, Any]:
    found = re.search(r'data-options="([^"]+)"', answer.content.decode())
    assert found, words(answer)
    return json.loads(html.unescape(found[1]))


def with_passkey(person: Person) -> Passkey:
    key = Passkey()
    client = signed_in(person)
    made = key.make(options_of(client.get("/account/factors/passkey/")))
    answer = client.post("/account/factors/passkey/", {"answer": made, "name": "Laptop"})
    assert answer.status_code in (200, 302), words(answer)
    assert Factor.objects.filter(person=person, kind="passkey").exists(), words(answer)
    return key


def first_step(login: str = "dev") -> Client:
    client = Client()
    answer = client.post("/login/", {"username": login, "password": PASSWORD, "next": "/projects/"})
    assert answer.headers["Location"] == "/login/second-factor/"
    return client


def second(client: Client, **form: str) -> Any:
    return client.post("/login/second-factor/", form)


def is_in(client: Client) -> bool:
    return client.get("/inbox/").status_code == 200


# --- the second step --------------------------------------------------------------------------------------------------


def test_the_app_of_rfc_6238_shows_its_codes() -> None:
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # the RFC's "12345678901234567890"
    for seconds, code in (
        (59, "287082"),
        (1111111109, "081804"),
        (1234567890, "005924"),
        (20000000000, "353130"),
    ):
        assert factors.code_at(secret, seconds // 30) == code


def test_the_password_alone_lets_nobody_in_who_has_a_second_factor(cast: Cast) -> None:
    secret, _codes = with_app(cast.dev)
    client = first_step()
    assert not is_in(client)
    assert client.get("/api/v1/me/").status_code == 401
    assert "This code does not fit" in words(second(client, code="000000"))
    assert not is_in(client)
    answer = second(client, code=f" {code_now(secret)[:3]} {code_now(secret)[3:]}")
    assert answer.headers["Location"] == "/projects/"
    assert is_in(client)
    event = ledger.events(kinds=[EventKind.SIGNED_IN])[-1]
    assert (event.facts["method"], event.facts["factor"]) == ("password", "app")
    assert ledger.events(kinds=[EventKind.SIGN_IN_REFUSED])[-1].facts["code"] == "code_wrong"


def test_a_code_is_taken_once(cast: Cast) -> None:
    secret, _codes = with_app(cast.dev)
    code = code_now(secret)
    assert second(first_step(), code=code).status_code == 302
    again = first_step()
    assert "was used already" in words(second(again, code=code))
    assert not is_in(again)
    assert "was used already" in words(second(again, code=code_now(secret, steps=-1)))  # nor an older one
    assert second(again, code=code_now(secret, steps=1)).status_code == 302


@pytest.mark.parametrize("steps", [-3, -2, 2, 3])
def test_a_code_of_another_time_does_not_fit(cast: Cast, steps: int) -> None:
    secret, _codes = with_app(cast.dev)
    assert "does not fit" in words(second(first_step(), code=code_now(secret, steps=steps)))


def test_codes_cannot_be_guessed(cast: Cast, settings: Settings) -> None:
    secret, _codes = with_app(cast.dev)
    for _turn in range(settings.SIGN_IN_TRIES):
        second(first_step(), code="000000")
    client = first_step()
    answer = second(client, code=code_now(secret))
    assert answer.status_code == 429
    assert not is_in(client)
    Tries.objects.all().delete()
    assert second(client, code=code_now(secret)).status_code == 302


def test_a_recovery_code_lets_in_once_and_is_kept_as_a_digest(cast: Cast) -> None:
    _secret, codes = with_app(cast.dev)
    assert len(codes) == 10
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM portal_recoverycode")
        kept = str(cursor.fetchall())
    assert not any(code in kept or code.replace("-", "") in kept for code in codes)
    assert second(first_step(), code=codes[0].lower().replace("-", " ")).status_code == 302
    assert ledger.events(kinds=[EventKind.SIGNED_IN])[-1].facts["factor"] == "recovery"
    assert "was used already" in words(second(first_step(), code=codes[0]))
    assert second(first_step(), code=codes[1]).status_code == 302
    newer = actions.make_codes(by=cast.dev)
    assert "does not fit" in words(second(first_step(), code=codes[2]))
    assert second(first_step(), code=newer[2]).status_code == 302


def test_codes_and_passkeys_are_those_of_their_owner(cast: Cast) -> None:
    secret, codes = with_app(cast.mona)
    with_app(cast.dev)
    key = with_passkey(cast.mona)
    client = first_step()
    answer = key.use({"publicKey": {"challenge": "AAAA"}})
    for form in ({"code": code_now(secret)}, {"code": codes[0]}, {"answer": answer}):
        assert not second(client, **form).headers.get("Location")
    assert not is_in(client)
    assert RecoveryCode.objects.filter(person=cast.mona, used_at__isnull=True).count() == 10


def test_the_second_step_has_an_end_and_belongs_to_its_browser(cast: Cast) -> None:
    secret, _codes = with_app(cast.dev)
    assert second(Client(), code=code_now(secret)).headers["Location"] == "/login/"
    client = first_step()
    session = client.session
    session["pending"] = {**session["pending"], "at": (timezone.now() - timedelta(minutes=6)).isoformat()}
    session.save()
    assert second(client, code=code_now(secret)).headers["Location"] == "/login/"
    client = first_step()
    accounts.disable(by=cast.ada, person=cast.dev, why="Left between the steps.")
    assert second(client, code=code_now(secret)).headers["Location"] == "/login/"
    assert not is_in(client)


def test_a_passkey_lets_in_and_its_answer_counts_once(cast: Cast) -> None:
    key = with_passkey(cast.dev)
    client = first_step()
    options = options_of(client.get("/login/second-factor/"))
    assert options["publicKey"]["rpId"] == "testserver"
    answer = key.use(options)
    thief = first_step()
    thief.get("/login/second-factor/")
    assert "did not fit what was asked" in words(second(thief, answer=answer))
    assert second(client, answer=answer).headers["Location"] == "/projects/"
    assert ledger.events(kinds=[EventKind.SIGNED_IN])[-1].facts["factor"] == "passkey"
    again = first_step()
    again.get("/login/second-factor/")
    assert "did not fit" in words(second(again, answer=answer))


def test_a_passkey_that_lies_is_refused(cast: Cast) -> None:
    key = with_passkey(cast.dev)
    others = Passkey(id=key.id)
    for wrong in (
        lambda options: others.use(options),  # another key under its id
        lambda options: Passkey(origin="https://evil.example", key=key.key, id=key.id).use(options),
        lambda options: Passkey(host="evil.example", key=key.key, id=key.id).use(options),
        lambda options: key.make(options),
        lambda options: key.use(options)[:-20],
        lambda options: "[]",
        lambda options: "{}",
        lambda options: json.dumps({"id": 7, "rawId": None, "type": [], "response": {"signature": 1}}),
    ):
        client = first_step()
        answer = second(client, answer=wrong(options_of(client.get("/login/second-factor/"))))
        assert "did not fit" in words(answer)
        assert not is_in(client)
    assert len(ledger.events(kinds=[EventKind.SIGN_IN_REFUSED])) == 8


def test_a_copied_passkey_is_noticed_by_its_counter(cast: Cast) -> None:
    key = with_passkey(cast.dev)
    copy = Passkey(key=key.key, id=key.id)
    for device, lets_in in ((key, True), (key, True), (copy, False)):
        client = first_step()
        second(client, answer=device.use(options_of(client.get("/login/second-factor/"))))
        assert is_in(client) is lets_in


# --- one's own --------------------------------------------------------------------------------------------------------


def test_setting_up_an_app_shows_codes_once_and_ends_other_sessions(cast: Cast) -> None:
    away, client = signed_in(cast.dev), signed_in(cast.dev)
    page = client.get("/account/factors/app/")
    secret = re.search(r'id="app-secret">([A-Z2-7]{32})<', page.content.decode())[1]  # type: ignore[index]
    assert '<svg class="qr"' in page.content.decode()
    assert list(
        client.post("/account/factors/app/", {"code": "000000", "name": "Phone"}).context["form"].errors
    ) == ["code"]
    answer = client.post("/account/factors/app/", {"code": code_now(secret), "name": "Phone"})
    assert "Copy or print them now: they are shown this once." in words(answer)
    assert len(re.findall(r"\b[A-Z2-9]{5}-[A-Z2-9]{5}\b", words(answer))) == 10
    assert not re.findall(r"\b[A-Z2-9]{5}-[A-Z2-9]{5}\b", words(client.get("/account/factors/")))
    assert (is_in(client), is_in(away)) == (True, False)
    with connection.cursor() as cursor:
        for table in ("portal_factor", "portal_session", "portal_event", "portal_disclosure"):
            cursor.execute(f"SELECT * FROM {table}")
            assert secret not in str(cursor.fetchall()), table
    assert ledger.events(kinds=[EventKind.FACTOR_ADDED])[-1].facts["kind"] == "app"


def test_one_app_and_many_passkeys(cast: Cast) -> None:
    with_app(cast.dev)
    secret = factors.new_secret()
    with pytest.raises(Exception, match="Remove the old one first"):
        actions.add_app(by=cast.dev, secret=secret, code=code_now(secret), name="Tablet")
    with_passkey(cast.dev)
    with_passkey(cast.dev)
    assert cast.dev.factors.count() == 3


def test_an_open_screen_is_no_way_to_add_a_factor(cast: Cast) -> None:
    client = signed_in(cast.dev)
    Session.objects.update(begun_at=timezone.now() - timedelta(minutes=16))
    answer = client.get("/account/factors/app/")
    assert answer.headers["Location"] == "/account/prove/?next=%2Faccount%2Ffactors%2Fapp%2F"
    path = answer.headers["Location"]
    assert "This is not your password" in words(client.post(path, {"password": "guess"}))
    assert client.get("/account/factors/app/").status_code == 302
    assert client.post(path, {"password": PASSWORD}).headers["Location"] == "/account/factors/app/"
    assert client.get("/account/factors/app/").status_code == 200
    elsewhere = client.post("/account/prove/?next=https://evil.example/", {"password": PASSWORD})
    assert elsewhere.headers["Location"] == "/inbox/"


def test_whoever_has_no_way_to_show_it_is_told_what_to_do(cast: Cast) -> None:
    cast.dev.set_unusable_password()
    cast.dev.save()
    for answer in (
        signed_in(cast.dev).get("/account/prove/"),
        signed_in(cast.dev).post("/account/prove/", {"password": PASSWORD}),
    ):
        assert answer.status_code == 200
        assert "no password, passkey or app here" in words(answer)


def test_nobody_removes_the_factor_of_another(cast: Cast) -> None:
    with_app(cast.dev)
    factor = Factor.objects.get()
    outsider_sees_nothing(signed_in(cast.otto), f"/account/factors/{factor.pk}/remove/", post=True)
    api_session(cast.ada).absent("post", f"factors/{factor.pk}/remove/")
    told = api_session(cast.olga).refused(403, "post", "people/dev/remove-factors/", {"why": "No."})
    assert told["code"] == "right_missing"
    assert [row["kind"] for row in api_session(cast.dev).rows("factors/")] == ["app"]
    assert api_session(cast.ada).rows("factors/") == []
    assert "is removed" in words(
        signed_in(cast.dev).post(f"/account/factors/{factor.pk}/remove/", follow=True)
    )
    assert not RecoveryCode.objects.exists()


# --- what a team requires ---------------------------------------------------------------------------------------------


def require(cast: Cast, required: bool = True) -> None:
    actions.require(by=cast.ada, team=cast.team, required=required)


def test_a_member_without_one_can_do_nothing_else(cast: Cast) -> None:
    wish = request_at(cast)
    client, api = signed_in(cast.dev), api_session(cast.dev)
    assert is_in(client)
    require(cast)
    for path in (
        "/inbox/",
        "/projects/",
        "/account/",
        f"/projects/CHURN/requests/{wish.pk}/",
    ):
        assert client.get(path).headers.get("Location") == "/account/factors/", path
    part = client.get(f"/projects/CHURN/requests/{wish.pk}/gate/", headers={"HX-Request": "true"})
    assert part.headers["HX-Redirect"] == "/account/factors/"
    for path, form in (
        ("/account/", {"name": "sneak", "days": "9"}),
        (f"/projects/CHURN/requests/{wish.pk}/withdraw/", {"why": "x"}),
    ):
        assert client.post(path, form).headers["Location"] == "/account/factors/"
    for method, path, body in (
        ("get", "me/", None),
        ("get", "projects/", None),
        ("get", "docs/", None),
        ("post", "tokens/", {"name": "sneak"}),
        ("post", f"requests/{wish.pk}/withdraw/", {"why": "x"}),
    ):
        assert api.refused(403, method, path, body)["code"] == "second_factor_missing"
    assert not Token.objects.exists()
    assert "Churn team requires a second factor of its members." in words(client.get("/account/factors/"))
    assert is_in(signed_in(cast.fay))  # in no such team
    secret = re.search(
        r'id="app-secret">([A-Z2-7]{32})<', client.get("/account/factors/app/").content.decode()
    )[1]  # type: ignore[index]
    client.post("/account/factors/app/", {"code": code_now(secret), "name": "Phone"})
    assert is_in(client)
    assert client.post("/logout/").headers["Location"] == "/login/"


def test_signing_out_is_always_open(cast: Cast) -> None:
    require(cast)
    assert signed_in(cast.dev).post("/logout/").headers["Location"] == "/login/"


def test_the_last_factor_stays_while_it_is_required(cast: Cast) -> None:
    with_app(cast.dev)
    require(cast)
    factor = Factor.objects.get()
    told = api_session(cast.dev).refused(409, "post", f"factors/{factor.pk}/remove/")
    assert told["detail"] == "Churn team requires a second factor, and this is your last. Add another first."
    with_passkey(cast.dev)
    assert api_session(cast.dev).send("post", f"factors/{factor.pk}/remove/").status_code == 204
    require(cast, False)
    last = Factor.objects.get()
    assert api_session(cast.dev).send("post", f"factors/{last.pk}/remove/").status_code == 204


def test_requiring_is_an_admins_act_with_an_event(cast: Cast) -> None:
    ada = signed_in(cast.ada)
    assert "Churn team 3 3 as each likes" in words(ada.get("/identity/teams/"))
    answer = ada.post("/identity/teams/churn-team/second-factor/", {"required": "yes"}, follow=True)
    assert "Churn team 3 3 Required".lower() in words(answer).lower()
    ada.post("/identity/teams/churn-team/second-factor/", {"required": "yes"})
    (event,) = ledger.events(kinds=[EventKind.TEAM_FACTOR])
    assert event.facts["required"] == "requires"
    made = api_session(cast.ada).post("teams/churn-team/second-factor/", required=False)
    assert made == {"slug": "churn-team", "name": "Churn team", "requires_second_factor": False}
    told = api_session(cast.olga).refused(403, "post", "teams/churn-team/second-factor/", {"required": False})
    assert told["code"] == "right_missing"
    refused(signed_in(cast.olga).get("/identity/teams/"), 403, "You need the right to manage")
    few = queries_of(ada, "/identity/teams/")
    group = type(cast.team.group)
    groups = group.objects.bulk_create(group(name=f"g{n}") for n in range(100))
    Team.objects.bulk_create(Team(group=one, slug=one.name, name=one.name) for one in groups)
    assert queries_of(ada, "/identity/teams/") == few


def test_lost_factors_are_taken_off_by_an_admin_who_did_not_reset_the_password(cast: Cast) -> None:
    with_app(cast.dev)
    theirs = signed_in(cast.dev)
    ada, abe = signed_in(cast.ada), signed_in(cast.abe)
    answer = ada.post("/accounts/dev/remove-factors/", {"why": "Lost the phone."}, follow=True)
    assert "Dev Rao has no second factor any more." in words(answer)
    assert not is_in(theirs)
    refused(ada.post("/accounts/dev/reset-password/"), 403, "Another administrator has to do one of the two.")
    assert abe.post("/accounts/dev/reset-password/").status_code == 200
    with_app(cast.dev)
    refused(
        abe.post("/accounts/dev/remove-factors/", {"why": "Again."}), 403, "Another administrator has to do"
    )
    with pytest.raises(Forbidden, match="Your own second factors"):
        actions.remove_all(by=cast.ada, person=cast.ada, why="Mine.")


# --- signing ----------------------------------------------------------------------------------------------------------


def passwordless(person: Person) -> Person:
    person.set_unusable_password()
    person.save()
    return person


def to_sign(cast: Cast) -> tuple[str, str, Client, dict[str, str]]:
    bundle = bundle_registered(cast)
    to_read(cast, bundle)
    wish = request_at(cast, bundle=bundle, lane=cast.prod)
    client = signed_in(cast.fay)
    path = f"/projects/CHURN/requests/{wish.pk}/sign/sign_off:fairness/"
    page = client.get(path)
    form = {"decision": "approve", "comment": "", "bound": page.context["draft"].bound}
    return path, words(page), client, form


def proofs() -> list[str]:
    return [event.facts["proved_by"] for event in ledger.events(kinds=[EventKind.SIGNOFF_GIVEN])]


def test_who_has_no_password_signs_with_a_code(cast: Cast) -> None:
    secret, codes = with_app(passwordless(cast.fay))
    path, page, client, form = to_sign(cast)
    assert "A code of your authenticator app" in page
    assert "Your password, once more" not in page
    for wrong in ({"code": "000000"}, {"code": codes[0]}, {"password": PASSWORD}, {}):
        assert client.post(path, {**form, **wrong}).status_code in (200, 400)
    assert not SignOff.objects.exists()
    assert client.post(path, {**form, "code": code_now(secret)}).status_code == 302
    assert proofs() == ["app"]


def test_who_has_a_password_does_not_sign_with_a_code_alone(cast: Cast) -> None:
    secret, _codes = with_app(cast.fay)
    path, page, client, form = to_sign(cast)
    assert "Your password, once more" in page
    assert client.post(path, {**form, "code": code_now(secret)}).status_code == 400
    wish = path.split("/")[4]
    told = api_session(cast.fay).refused(
        403,
        "post",
        f"requests/{wish}/signoffs/",
        {
            "requirement": "sign_off:fairness",
            "decision": "approve",
            "bound": form["bound"],
            "code": code_now(secret),
        },
    )
    assert told["code"] == "code_alone"
    assert not SignOff.objects.exists()


def test_a_passkey_shown_a_moment_ago_binds_one_signature(cast: Cast) -> None:
    key = with_passkey(passwordless(cast.fay))
    path, page, client, form = to_sign(cast)
    assert "Show who you are, then sign" in page
    refused(client.post(path, form), 403, "Show who you are another way, then sign.")
    assert not SignOff.objects.exists()
    proving = f"/account/prove/?next={path}"
    options = options_of(client.get(proving))
    assert options["publicKey"]["userVerification"] == "required"
    key.verified = False
    assert "did not fit" in words(client.post(proving, {"answer": key.use(options)}))
    key.verified = True
    answer = client.post(proving, {"answer": key.use(options_of(client.get(proving)))})
    assert answer.headers["Location"] == path
    assert "You showed a moment ago who you are" in words(client.get(path))
    assert client.post(path, form).status_code == 302
    assert proofs() == ["passkey"]
    client.post(path, {**form, "decision": "reject", "comment": "On second thought, no."})
    assert SignOff.objects.count() == 1  # shown once, signed once


def test_a_proof_of_long_ago_binds_nothing(cast: Cast) -> None:
    with_passkey(passwordless(cast.fay))
    path, _page, client, form = to_sign(cast)
    session = client.session
    session["shown"] = {"how": "passkey", "at": (timezone.now() - timedelta(minutes=6)).isoformat()}
    session.save()
    refused(client.post(path, form), 403, "It is too long ago that you showed who you are.")
    assert not SignOff.objects.exists()


def test_a_service_account_has_no_second_step(cast: Cast) -> None:
    people.add_person(by=cast.ada, login="robot", name="Robot", kind="service")
    assert (
        api_session(cast.ada).refused(400, "post", "people/robot/reset-password/")["code"] == "person_unfit"
    )
