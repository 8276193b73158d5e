"""Getting in with a password: who is refused and when, what is written down, how long it lasts, and how it ends."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from portal import ledger, tasks, throttle
from portal.actions import accounts, people
from portal.demo.cast import PASSWORD
from portal.errors import TooMany
from portal.event_kinds import EventKind
from portal.models import Event, Factor, PasswordReset, Person, Session, Token, Tries
from tests.api import session as api_session
from tests.api import token as api_token
from tests.cast import Cast, make_cast
from tests.conftest import Database
from tests.factories import bundle_registered, request_at, to_read
from tests.pages import outsider_sees_nothing, queries_of, refused, signed_in, words

NEW = "a phrase nobody guesses"


def enter(login: str = "dev", password: str = PASSWORD, **headers: Any) -> tuple[Client, Any]:
    """A browser that filled in the form, and the answer."""
    client = Client(**headers)
    return client, client.post("/login/", {"username": login, "password": password})


def is_in(client: Client) -> bool:
    return client.get("/inbox/").status_code == 200


def kept(kind: EventKind) -> list[ledger.Entry]:
    return ledger.events(kinds=[kind])


def later(seconds: float) -> None:
    """Let time pass for sessions: what is remembered of them moves into the past."""
    for row in Session.objects.all():
        back = timedelta(seconds=seconds)
        Session.objects.filter(pk=row.pk).update(
            begun_at=row.begun_at - back, seen_at=row.seen_at - back, expires_at=row.expires_at - back
        )


def test_the_page_takes_no_other_method(cast: Cast) -> None:
    client = Client()
    for method in ("put", "patch", "delete"):
        assert getattr(client, method)("/login/").status_code == 405
    assert not Tries.objects.exists()


# --- tries ------------------------------------------------------------------------------------------------------------


def test_after_too_many_failures_even_the_right_password_waits(cast: Cast, settings: Settings) -> None:
    for _turn in range(settings.SIGN_IN_TRIES):
        assert "do not go together" in words(enter(password="guess")[1])
    client, answer = enter()
    assert answer.status_code == 429
    assert "none is looked at before" in words(answer)
    assert "Try again then, or ask an administrator for a new password." in words(answer)
    assert not is_in(client)
    assert is_in(enter("mona")[0])  # only this login waits
    Tries.objects.update(since=timezone.now() - timedelta(seconds=settings.SIGN_IN_WAIT_SECONDS))
    assert is_in(enter()[0])


def test_a_login_waits_in_any_spelling_and_also_one_that_nobody_has(cast: Cast, settings: Settings) -> None:
    for turn in range(settings.SIGN_IN_TRIES):
        enter("DEV" if turn % 2 else " dev", "guess")
        enter("nobody", "guess")
    assert enter()[1].status_code == enter("nobody")[1].status_code == 429


def test_an_address_that_tries_many_logins_waits(cast: Cast, settings: Settings) -> None:
    settings.SIGN_IN_TRIES_PER_ADDRESS = 8
    for turn in range(8):
        enter(f"somebody{turn}", "guess", REMOTE_ADDR="192.0.2.7")
    assert enter(REMOTE_ADDR="192.0.2.7")[1].status_code == 429
    assert is_in(enter(REMOTE_ADDR="192.0.2.8")[0])


def test_a_network_of_version_6_counts_as_one_address_and_a_forged_header_as_none(
    cast: Cast, settings: Settings
) -> None:
    settings.SIGN_IN_TRIES_PER_ADDRESS = 4
    for turn in range(4):
        enter(f"a{turn}", "guess", REMOTE_ADDR=f"2001:db8::{turn}", HTTP_X_FORWARDED_FOR=f"198.51.100.{turn}")
    assert enter(REMOTE_ADDR="2001:db8::ffff")[1].status_code == 429
    settings.BEHIND_PROXY = True
    for turn in range(4):
        enter(f"b{turn}", "guess", HTTP_X_FORWARDED_FOR=f"203.0.113.{turn}, 198.51.100.9")
    assert enter(HTTP_X_FORWARDED_FOR="10.0.0.1, 198.51.100.9")[1].status_code == 429
    assert is_in(enter(HTTP_X_FORWARDED_FOR="198.51.100.9, 198.51.100.10")[0])


def test_success_forgives_the_login_but_not_the_address(cast: Cast, settings: Settings) -> None:
    settings.SIGN_IN_TRIES_PER_ADDRESS = 5
    for _turn in range(4):
        enter(password="guess")
    assert is_in(enter()[0])
    assert enter(password="guess")[1].status_code == 200
    assert enter()[1].status_code == 429  # five failures from this address, whoever succeeded in between


def test_what_failed_is_written_down_without_what_was_typed(cast: Cast, settings: Settings) -> None:
    enter(password="hunter2-typed", REMOTE_ADDR="192.0.2.7")
    enter("hunter2-typed", "dev")  # a password in the wrong field
    first, second = kept(EventKind.SIGN_IN_REFUSED)
    assert (first.subject, first.facts["code"], first.facts["address"]) == (
        f"person:{cast.dev.pk}",
        "password_wrong",
        "192.0.2.7",
    )
    assert second.facts["person"] == ""
    with connection.cursor() as cursor:
        for table in ("portal_event", "portal_disclosure", "portal_tries", "portal_session"):
            cursor.execute(f"SELECT * FROM {table}")
            found = " ".join(
                bytes(value).decode(errors="replace") if isinstance(value, bytes | memoryview) else str(value)
                for row in cursor.fetchall()
                for value in row
            )
            assert "hunter2" not in found, table


def test_nobody_fills_the_ledger_by_trying(cast: Cast, settings: Settings) -> None:
    for _turn in range(settings.SIGN_IN_TRIES + 20):
        enter(password="guess")
    told = kept(EventKind.SIGN_IN_REFUSED)
    assert [event.facts["waits"] for event in told] == [False] * (settings.SIGN_IN_TRIES - 1) + [True]


def test_tries_at_once_get_no_further_than_one_after_another(each_database: Database) -> None:
    make_cast()
    let_through: list[bool] = []

    def guess() -> None:
        try:
            throttle.take(throttle.Limit("login:dev", 5))
            let_through.append(True)
        except TooMany:
            pass
        finally:
            connections.close_all()

    threads = [threading.Thread(target=guess) for _turn in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(let_through) == 5


def test_disabled_service_and_system_accounts_get_the_same_no(cast: Cast) -> None:
    Person.objects.filter(pk=cast.otto.pk).update(is_active=False)
    robot = people.add_person(by=cast.ada, login="robot", name="Robot", kind="service")
    robot.set_password(PASSWORD)
    robot.save()
    for login in ("otto", "robot", "system", "nobody"):
        client, answer = enter(login)
        assert "This login and password do not go together." in words(answer)
        assert not is_in(client)
    assert not Session.objects.filter(person__isnull=False).exists()


def test_the_password_at_a_signature_is_throttled_apart_from_the_door(cast: Cast, settings: Settings) -> None:
    bundle = bundle_registered(cast)
    to_read(cast, bundle)
    wish = request_at(cast, bundle=bundle, lane=cast.prod)
    client = signed_in(cast.fay)
    path = f"/projects/CHURN/requests/{wish.pk}/sign/sign_off:fairness/"
    bound = client.get(path).context["draft"].bound
    form = {"decision": "approve", "comment": "", "password": PASSWORD, "bound": bound}
    for _turn in range(settings.SIGN_IN_TRIES):
        enter("fay", "guess")  # a stranger at the door
    for _turn in range(settings.SIGN_IN_TRIES):
        assert "This is not your password" in words(client.post(path, {**form, "password": "guess"}))
    refused(client.post(path, form), 429, "Too many tries failed")
    Tries.objects.all().delete()
    assert client.post(path, form).status_code == 302


# --- sessions ---------------------------------------------------------------------------------------------------------


def test_a_copy_of_the_sessions_lets_nobody_in(cast: Cast) -> None:
    client, _answer = enter(REMOTE_ADDR="192.0.2.7", HTTP_USER_AGENT="Mozilla/5.0 (X11; Linux) Firefox/140.0")
    row = Session.objects.get(person=cast.dev)
    key = client.cookies["countersign_session"].value
    assert key not in (row.hashed, row.data)
    assert (row.method, row.address, row.browser) == ("password", "192.0.2.7", "Firefox, Linux")
    thief = Client()
    thief.cookies["countersign_session"] = row.hashed
    assert not is_in(thief)
    assert is_in(client)


def test_a_session_ends_when_it_is_not_used(cast: Cast, settings: Settings) -> None:
    client, _answer = enter()
    later(settings.SESSION_IDLE_SECONDS - 60)
    assert is_in(client)
    later(settings.SESSION_IDLE_SECONDS - 60)
    assert is_in(client)  # using it moved its end
    later(settings.SESSION_IDLE_SECONDS + 1)
    assert not is_in(client)


def test_a_page_that_refreshes_itself_is_nobody_at_the_keyboard(cast: Cast, settings: Settings) -> None:
    wish = request_at(cast, "promoting")
    client, _answer = enter()
    gate = f"/projects/CHURN/requests/{wish.pk}/gate/"
    later(settings.SESSION_IDLE_SECONDS - 60)
    assert client.get(gate, headers={"HX-Request": "true"}).status_code == 200
    later(120)
    assert not is_in(client)


def test_a_session_ends_however_much_it_is_used(cast: Cast, settings: Settings) -> None:
    client, _answer = enter()
    for _turn in range(settings.SESSION_COOKIE_AGE // 3000):
        assert is_in(client)
        later(3000)
    later(settings.SESSION_COOKIE_AGE % 3000 + 1)
    assert not is_in(client)


def test_presence_is_written_once_a_minute(cast: Cast) -> None:
    client, _answer = enter()
    seen = Session.objects.get(person=cast.dev).seen_at
    client.get("/inbox/")
    assert Session.objects.get(person=cast.dev).seen_at == seen
    later(61)
    client.get("/inbox/")
    assert Session.objects.get(person=cast.dev).seen_at >= seen


def test_one_browser_too_many_ends_the_one_unused_longest(cast: Cast, settings: Settings) -> None:
    settings.SESSIONS_PER_PERSON = 2
    first, _answer = enter()
    later(30)
    second, _answer = enter()
    later(90)
    assert is_in(first)  # used again, so the second is the one unused longest
    third, _answer = enter()
    assert [is_in(client) for client in (first, second, third)] == [True, False, True]
    (event,) = kept(EventKind.SESSION_ENDED)
    assert (event.facts["count"], event.facts["why"]) == (1, "too_many")


def test_whoever_leaves_a_session_signs_out_and_it_is_written_down(cast: Cast) -> None:
    client, _answer = enter()
    client.post("/logout/")
    assert not Session.objects.filter(person=cast.dev).exists()
    assert kept(EventKind.SIGNED_OUT)[0].actor_id == str(cast.dev.pk)
    Client().post("/logout/")
    assert len(kept(EventKind.SIGNED_OUT)) == 1


def test_one_sees_where_one_is_signed_in_and_ends_it(cast: Cast) -> None:
    here, _answer = enter(HTTP_USER_AGENT="Mozilla/5.0 (Windows NT 10.0) Chrome/140 Edg/140")
    away, _answer = enter(HTTP_USER_AGENT="Mozilla/5.0 (iPhone) Safari/605")
    page = words(here.get("/account/"))
    assert "Edge, Windows this one" in page
    assert "Safari, iPhone" in page
    other = Session.objects.get(browser="Safari, iPhone")
    assert "That session has ended." in words(here.post(f"/account/sessions/{other.pk}/end/", follow=True))
    assert (is_in(here), is_in(away)) == (True, False)
    away, _answer = enter()
    assert "1 other session has ended." in words(here.post("/account/sessions/end-others/", follow=True))
    assert (is_in(here), is_in(away)) == (True, False)


def test_nobody_sees_or_ends_the_sessions_of_others(cast: Cast) -> None:
    theirs, _answer = enter("dev")
    row = Session.objects.get(person=cast.dev)
    outsider_sees_nothing(signed_in(cast.otto), f"/account/sessions/{row.pk}/end/", post=True)
    api_session(cast.otto).absent("post", f"sessions/{row.pk}/end/")
    assert [one["id"] for one in api_session(cast.otto).rows("sessions/")] != [row.pk]
    for path in ("sessions/", "sessions/end/", "reset-password/", "disable/", "enable/"):
        method = "get" if path == "sessions/" else "post"
        told = api_session(cast.otto).refused(
            403, method, f"people/dev/{path}", {"why": "No."} if "able" in path else None
        )
        assert told["code"] == "right_missing"
    for path in ("/accounts/dev/", "/accounts/dev/disable/", "/accounts/nobody/"):
        refused(signed_in(cast.olga).get(path), 403, "You need the right to manage rights and settings")
    assert is_in(theirs)


def test_sessions_over_the_api(cast: Cast) -> None:
    away, _answer = enter("ada")
    ada = api_session(cast.ada)
    (here,) = [one for one in ada.rows("sessions/") if one["here"]]
    assert len(ada.rows("sessions/")) == 2
    assert ada.post("sessions/end-others/") == {"ended": 1}
    assert not is_in(away)
    assert [one["id"] for one in ada.rows("sessions/")] == [here["id"]]
    theirs, _answer = enter("dev")
    assert len(ada.rows("people/dev/sessions/")) == 1
    assert ada.post("people/dev/sessions/end/") == {"ended": 1}
    assert not is_in(theirs)
    ada.absent("get", "people/nobody/sessions/")


def test_a_token_changes_nothing_about_how_somebody_gets_in(cast: Cast) -> None:
    program = api_token(cast.ada)
    for path, body in (
        ("me/password/", {"current": PASSWORD, "new": NEW}),
        ("sessions/end-others/", None),
        ("people/dev/reset-password/", None),
        ("people/dev/disable/", {"why": "No."}),
        ("people/dev/sessions/end/", None),
    ):
        assert program.refused(403, "post", path, body)["code"] == "token_changes_no_account"


def test_a_token_does_not_tell_how_its_person_gets_in(cast: Cast) -> None:
    enter("ada")
    Factor.objects.create(person=cast.ada, kind=Factor.Kind.APP, name="Phone", secret="sealed")
    program, ada = api_token(cast.ada), api_session(cast.ada)
    for path, count in (("sessions/", 2), ("factors/", 1)):
        assert (len(program.rows(path)), len(ada.rows(path))) == (0, count)


def test_the_list_of_sessions_costs_the_same_at_any_size(cast: Cast) -> None:
    client = signed_in(cast.dev)

    def grow(count: int) -> None:
        at = timezone.now()
        start = Session.objects.count()
        Session.objects.bulk_create(
            Session(hashed=f"{start + n:064x}", data="", person=cast.dev, expires_at=at + timedelta(hours=1))
            for n in range(count)
        )

    grow(9)
    few = queries_of(client, "/account/")
    grow(90)
    assert queries_of(client, "/account/") == few


def test_what_has_ended_is_forgotten(cast: Cast, settings: Settings) -> None:
    enter()
    enter(password="guess")
    tasks.forget_ended()
    assert Session.objects.filter(person=cast.dev).exists()
    assert Tries.objects.exists()
    later(settings.SESSION_COOKIE_AGE + 1)
    Tries.objects.update(since=timezone.now() - timedelta(seconds=settings.SIGN_IN_WAIT_SECONDS + 1))
    tasks.forget_ended()
    assert not Session.objects.exists()
    assert not Tries.objects.exists()


# --- passwords --------------------------------------------------------------------------------------------------------


def change(client: Client, **wish: str) -> Any:
    form = {"current": PASSWORD, "new": NEW, "again": NEW, **wish}
    return client.post("/account/password/", form, follow=True)


def test_changing_ones_password_ends_every_other_session(cast: Cast) -> None:
    here, _answer = enter()
    away, _answer = enter()
    assert "Your password is changed. Everywhere else you are signed out." in words(change(here))
    assert (is_in(here), is_in(away)) == (True, False)
    assert is_in(enter(password=NEW)[0])
    assert not is_in(enter()[0])
    assert kept(EventKind.PASSWORD_CHANGED)[0].facts == {"how": "own"}
    assert NEW not in str(list(Event.objects.values_list("body", flat=True)))


@pytest.mark.parametrize(
    "wish, field",
    [
        ({"current": "guess"}, "current"),
        ({"new": "short", "again": "short"}, "new"),
        ({"new": PASSWORD, "again": PASSWORD}, "new"),
        ({"again": "another phrase entirely"}, "again"),
        ({"new": "password1234", "again": "password1234"}, "new"),
    ],
)
def test_a_password_that_cannot_be_changed(cast: Cast, wish: dict[str, str], field: str) -> None:
    client = signed_in(cast.dev)
    answer = change(client, **wish)
    assert list(answer.context["form"].errors) == [field]
    assert Person.objects.get(pk=cast.dev.pk).check_password(PASSWORD)
    for typed in wish.values():
        assert f'value="{typed}"' not in answer.content.decode()


def test_an_unlocked_screen_is_no_way_to_guess_the_password(cast: Cast, settings: Settings) -> None:
    client = signed_in(cast.dev)
    for _turn in range(settings.SIGN_IN_TRIES):
        change(client, current="guess")
    refused(change(client), 429, "Too many tries failed")
    assert Person.objects.get(pk=cast.dev.pk).check_password(PASSWORD)


def test_a_password_changes_over_the_api(cast: Cast) -> None:
    dev = api_session(cast.dev)
    assert dev.refused(403, "post", "me/password/", {"current": "guess", "new": NEW})["field"] == "current"
    assert dev.send("post", "me/password/", {"current": PASSWORD, "new": NEW}).status_code == 204
    assert dev.get("me/")["login"] == "dev"  # this session goes on
    assert is_in(enter(password=NEW)[0])


def code_of(answer: Any) -> str:
    found = words(answer)
    return next(word for word in found.split() if len(word) == 29 and word.count("-") == 4)


def reset(code: str, login: str = "dev", **wish: str) -> Any:
    form = {"login": login, "code": code, "new": NEW, "again": NEW, **wish}
    return Client().post("/set-password/", form, follow=True)


def test_an_admin_gives_a_code_that_works_once(cast: Cast) -> None:
    theirs, _answer = enter()
    answer = signed_in(cast.ada).post("/accounts/dev/reset-password/")
    code = code_of(answer)
    assert answer.headers["Cache-Control"].startswith("max-age=0")
    assert not is_in(theirs)
    assert not is_in(enter()[0])  # the old password is over
    assert code not in words(signed_in(cast.ada).get("/accounts/dev/"))
    assert code not in str(PasswordReset.objects.values()) + str(
        list(Event.objects.values_list("body", flat=True))
    )
    assert "Your password is set. Sign in with it." in words(reset(code.lower().replace("-", " ")))
    assert is_in(enter(password=NEW)[0])
    assert "do not go together, or the code was used" in words(reset(code, new=PASSWORD, again=PASSWORD))
    assert not is_in(enter(password=PASSWORD)[0])
    assert kept(EventKind.PASSWORD_RESET)[0].actor_id == str(cast.ada.pk)
    assert kept(EventKind.PASSWORD_CHANGED)[0].facts == {"how": "reset"}


def test_a_code_is_for_its_person_in_its_time_and_the_last_one_given(cast: Cast, settings: Settings) -> None:
    _row, first = accounts.give_reset(by=cast.ada, person=cast.dev)
    _row, code = accounts.give_reset(by=cast.ada, person=cast.dev)
    for wrong in (
        reset(first),
        reset(code, login="mona"),
        reset(code[:-1] + "1"),
        reset(code, login="nobody"),
    ):
        assert "do not go together" in words(wrong)
    assert list(reset(code, new="short", again="short").context["form"].errors) == ["new"]
    PasswordReset.objects.update(
        made_at=timezone.now() - timedelta(days=2), expires_at=timezone.now() - timedelta(seconds=1)
    )
    assert "do not go together" in words(reset(code))
    assert not Person.objects.get(pk=cast.dev.pk).has_usable_password()
    Tries.objects.all().delete()
    for _turn in range(settings.SIGN_IN_TRIES):
        reset("guess")
    assert reset(accounts.give_reset(by=cast.ada, person=cast.dev)[1]).status_code == 429


def test_nobody_resets_their_own_password_or_that_of_an_account_without_one(cast: Cast) -> None:
    ada = api_session(cast.ada)
    assert ada.refused(403, "post", "people/ada/reset-password/")["code"] == "reset_own"
    people.add_person(by=cast.ada, login="robot", name="Robot", kind="service")
    assert ada.refused(400, "post", "people/robot/reset-password/")["code"] == "person_unfit"
    made = ada.post("people/dev/reset-password/")
    assert set(made) == {"code", "expires_at"}


# --- accounts ---------------------------------------------------------------------------------------------------------


def test_whoever_is_disabled_is_out_at_once(cast: Cast) -> None:
    theirs, _answer = enter()
    program = api_token(cast.dev)
    _row, code = accounts.give_reset(by=cast.ada, person=cast.dev)
    theirs, program = signed_in(cast.dev), api_token(cast.dev)
    ada = signed_in(cast.ada)
    assert list(ada.post("/accounts/dev/disable/", {"why": " "}).context["form"].errors) == ["why"]
    answer = ada.post("/accounts/dev/disable/", {"why": "Left the bank."}, follow=True)
    assert "Dev Rao is disabled and out at once." in words(answer)
    assert not is_in(theirs)
    assert program.refused(401, "get", "me/")["code"] == "token_not_in_force"
    assert not Token.objects.filter(person=cast.dev, revoked_at__isnull=True).exists()
    assert "do not go together" in words(reset(code))
    assert kept(EventKind.PERSON_DISABLED)[0].facts["why"] == "Left the bank."
    kinds = [event.kind for event in ledger.events(subject=f"person:{cast.dev.pk}")]
    assert kinds.count(EventKind.SESSION_ENDED) >= 1
    accounts.enable(by=cast.ada, person=Person.objects.get(pk=cast.dev.pk), why="Came back.")
    assert program.refused(401, "get", "me/")["code"] == "token_not_in_force"
    assert not is_in(theirs)


def test_accounts_are_disabled_by_another_admin_once(cast: Cast) -> None:
    ada = api_session(cast.ada)
    assert ada.refused(403, "post", "people/ada/disable/", {"why": "Me."})["code"] == "disable_own"
    assert ada.post("people/dev/disable/", why="Left.")["is_active"] is False
    ada.post("people/dev/disable/", why="Left.")
    assert len(kept(EventKind.PERSON_DISABLED)) == 1
    assert ada.post("people/dev/enable/", why="Back.")["is_active"] is True
    ada.post("people/dev/enable/", why="Back.")
    assert len(kept(EventKind.PERSON_ENABLED)) == 1
    ada.absent("post", "people/system/disable/", {"why": "No."})
