"""Signing in and out, the account with its tokens, health; and what an expired session or a stale page gets."""

import pytest
from django.conf import settings
from django.test import Client

from portal.actions import people
from portal.demo.cast import PASSWORD
from portal.models import Event, Person, Token
from tests.cast import Cast
from tests.factories import request_at
from tests.pages import outsider_sees_nothing, refused, signed_in, words


def test_signing_in_leads_on_and_is_written_down(cast: Cast) -> None:
    client = Client()
    first = client.get("/projects/CHURN/")
    assert first.headers["Location"] == "/login/?next=/projects/CHURN/"
    answer = client.post("/login/", {"username": "dev", "password": PASSWORD, "next": "/projects/CHURN/"})
    assert answer.headers["Location"] == "/projects/CHURN/"
    assert Event.objects.get(kind="person.signed_in").actor == cast.dev.pk


def test_a_wrong_password_is_refused_in_words(cast: Cast) -> None:
    answer = Client().post("/login/", {"username": "dev", "password": "guess"})
    assert "This login and password do not go together." in words(answer)
    assert not Event.objects.filter(kind="person.signed_in").exists()


def test_nobody_is_led_to_another_site(cast: Cast) -> None:
    answer = Client().post(
        "/login/", {"username": "dev", "password": PASSWORD, "next": "https://elsewhere.example/"}
    )
    assert answer.headers["Location"] == "/inbox/"


def test_signing_out_needs_a_form(cast: Cast) -> None:
    client = signed_in(cast.dev)
    assert client.get("/logout/").headers["Location"] == "/"
    assert client.get("/inbox/").status_code == 200
    assert client.post("/logout/").headers["Location"] == "/login/"
    assert client.get("/inbox/").status_code == 302


def test_an_expired_session_over_a_form_is_said_plainly_and_leads_back(cast: Cast) -> None:
    wish = request_at(cast)
    page = f"/projects/CHURN/requests/{wish.pk}/"
    answer = Client().post(page + "promote/", headers={"Referer": f"http://testserver{page}"})
    refused(
        answer,
        403,
        "You were signed out meanwhile, so nothing was saved. Sign in, and you come back to the page; then do it once"
        " more.",
    )
    assert answer.context["next"] == page


@pytest.mark.parametrize("said", ["", "http://testserver{page}withdraw/", "https://elsewhere.example/"])
def test_the_way_back_is_a_page_that_can_be_opened(cast: Cast, said: str) -> None:
    """A browser may not say where it comes from, or name the address that an answer with errors stood at."""
    wish = request_at(cast)
    page = f"/projects/CHURN/requests/{wish.pk}/"
    told = {"Referer": said.format(page=page)} if said else {}
    assert Client().post(page + "withdraw/", {"withdraw-why": ""}, headers=told).context["next"] == page
    stale = Client(enforce_csrf_checks=True).post(page + "withdraw/", headers=told)
    assert f'href="{page}"' in stale.content.decode()


def test_what_was_typed_when_the_session_ended_is_given_back_once_and_passwords_are_not(cast: Cast) -> None:
    wish = request_at(cast)
    page = f"/projects/CHURN/requests/{wish.pk}/"
    client = Client()
    sent = {"withdraw-why": "Not <b>now</b>.", "password": "their-own-secret", "old_password": "another"}
    door = client.post(page + "withdraw/", sent)
    assert "you come back to the page with what you typed, except for passwords" in words(door)
    assert "secret" not in door.content.decode()
    held = {"next": page, **door.context["typed"]}
    assert held == {"next": page, "typed-withdraw-why": "Not <b>now</b>."}
    again = client.post("/login/", {**held, "username": "dev", "password": "guess"})
    assert again.context["typed"] == {"typed-withdraw-why": "Not <b>now</b>."}
    assert not client.session.keys()  # nothing is kept for who has not signed in
    back = client.post("/login/", {**held, "username": "dev", "password": PASSWORD}, follow=True)
    assert back.redirect_chain == [(page, 302)]
    assert "What you had typed is filled in again. Read it, then send it." in words(back)
    assert back.context["withdraw_form"]["why"].value() == "Not <b>now</b>."
    assert "Not &lt;b&gt;now&lt;/b&gt;." in back.content.decode()
    assert client.get(page).context["withdraw_form"]["why"].value() is None


def test_no_more_is_carried_than_a_long_document(cast: Cast) -> None:
    door = Client().post("/account/", {"name": "x" * 250_001})
    assert door.context["typed"] == {}
    assert "then do it once more." in words(door)


def test_an_expired_session_over_a_part_reads_the_whole_page(cast: Cast) -> None:
    wish = request_at(cast, "promoting")
    page = f"/projects/CHURN/requests/{wish.pk}/"
    answer = Client().get(
        page + "gate/", headers={"HX-Request": "true", "HX-Current-URL": f"http://testserver{page}"}
    )
    assert answer.headers["HX-Redirect"] == f"/login/?next=%2Fprojects%2FCHURN%2Frequests%2F{wish.pk}%2F"


def test_a_stale_page_gets_a_sentence(cast: Cast) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.dev)
    answer = client.post(
        "/account/", {"name": "x", "days": "9"}, headers={"Referer": "http://testserver/account/"}
    )
    refused(answer, 403, "Nothing was saved. Your browser's Back shows what you typed")
    assert 'href="/account/"' in answer.content.decode()
    assert "403" in words(answer)
    assert "409" not in words(answer)
    assert not Token.objects.exists()


def test_what_cannot_be_done_here_gets_a_page(cast: Cast) -> None:
    answer = signed_in(cast.nora).post("/ledger/", headers={"Referer": "http://testserver/inbox/"})
    refused(answer, 405, "This address cannot be used in this way, so nothing was changed.")
    assert answer.headers["Allow"] == "GET"
    assert 'href="/inbox/"' in answer.content.decode()


@pytest.mark.parametrize(
    "path, page",
    [
        ("/projects/CHURN/bundles/", "/projects/CHURN/"),
        ("/projects/CHURN/requests/", "/projects/CHURN/"),
        ("/projects/CHURN/bundles/v1/documents/", "/projects/CHURN/bundles/v1/"),
        ("/projects/CHURN/bundles/v1/collect/", "/projects/CHURN/bundles/v1/"),
        ("/projects/CHURN/requests/{number}/promote/", "/projects/CHURN/requests/{number}/"),
        ("/projects/CHURN/requests/{number}/withdraw/", "/projects/CHURN/requests/{number}/"),
        ("/projects/CHURN/requests/{number}/report/", "/projects/CHURN/requests/{number}/"),
    ],
)
def test_an_address_that_takes_a_form_leads_to_its_page_for_who_may_see_it(
    cast: Cast, path: str, page: str
) -> None:
    number = request_at(cast).pk
    path, page = path.format(number=number), page.format(number=number)
    client = signed_in(cast.dev)
    assert client.get(path).headers["Location"] == page
    assert client.get(page).status_code == 200
    refused(client.put(path), 405, "This address cannot be used in this way")
    outsider_sees_nothing(signed_in(cast.otto), path)


def test_the_account_says_what_one_may_do(cast: Cast) -> None:
    page = words(signed_in(cast.dev).get("/account/"))
    assert "Ask for a promotion Customer churn Churn team no end" in page
    assert "No rights yet" in words(signed_in(cast.otto).get("/account/"))


def test_a_token_is_shown_once_and_works_and_is_revoked(cast: Cast) -> None:
    client = signed_in(cast.dev)
    shown = client.post("/account/", {"name": "nightly export", "days": "30"}, follow=True)
    token = Token.objects.get()
    secret = next(word for word in words(shown).split() if word.startswith("csn_") and "…" not in word)
    assert people.person_of_token(secret) == cast.dev
    assert secret not in words(client.get("/account/"))
    reloaded = client.post("/account/", {"name": "nightly export", "days": "30"})
    refused(
        reloaded, 400, "There is a token named “nightly export” in force. Revoke it first, or choose another"
    )
    assert Token.objects.count() == 1
    assert "is revoked; nothing gets in with it any more." in words(
        client.post(f"/account/tokens/{token.pk}/revoke/", follow=True)
    )
    assert people.person_of_token(secret) is None


@pytest.mark.parametrize("days", ["0", "367", "soon", ""])
def test_a_token_lasts_a_year_at_most(cast: Cast, days: str) -> None:
    answer = signed_in(cast.dev).post("/account/", {"name": "x", "days": days})
    assert list(answer.context["form"].errors) == ["days"]
    assert not Token.objects.exists()


def test_nobody_revokes_anothers_token(cast: Cast) -> None:
    token, secret = people.make_token(by=cast.dev, name="mine")
    outsider_sees_nothing(signed_in(cast.eli), f"/account/tokens/{token.pk}/revoke/", post=True)
    assert people.person_of_token(secret) == cast.dev


def test_health_answers_anybody(db: None) -> None:
    answer = Client().get("/health/")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_times_are_shown_in_the_readers_zone(cast: Cast) -> None:
    Person.objects.filter(pk=cast.dev.pk).update(zone="Asia/Tokyo")
    request_at(cast)
    assert " JST" in words(signed_in(cast.dev).get("/inbox/"))
    assert " UTC" in words(signed_in(cast.mona).get("/projects/CHURN/"))


def test_tokens_come_in_pages(cast: Cast) -> None:
    for number in range(60):
        people.make_token(by=cast.dev, name=f"Script {number:02}")
    client = signed_in(cast.dev)
    first, second = (words(client.get("/account/", {"page": page})) for page in (1, 2))
    assert "1 to 50 of 60" in first
    assert ("Script 59" in first, "Script 09" in first) == (True, False)
    assert ("Script 59" in second, "Script 09" in second) == (False, True)


# --- what no database can look for ---


@pytest.mark.parametrize(
    "path",
    ["/projects/%00/", "/ledger/?subject=%00", "/projects/?%00=1", "/ledger/?before=%00", "/login/?next=%00"],
)
def test_an_address_with_nul_is_refused_on_a_page(cast: Cast, path: str) -> None:
    refused(
        signed_in(cast.nora).get(path),
        400,
        "What was sent holds a character that no text here can hold (NUL).",
    )


def test_a_form_with_nul_changes_nothing(cast: Cast) -> None:
    wish = request_at(cast, "held")
    path = f"/projects/CHURN/requests/{wish.pk}/promote/"
    refused(
        signed_in(cast.mona).post(path, {"promote-why": "Once\0more."}), 400, "Take it out and try again."
    )
    wish.refresh_from_db()
    assert wish.held


def test_a_cookie_with_nul_is_no_session(cast: Cast) -> None:
    client = Client()
    # As a browser would send it: newer Pythons refuse to write such a cookie.
    sent = f'{settings.SESSION_COOKIE_NAME}="{"a" * 32}\\000"'
    assert client.get("/inbox/", headers={"cookie": sent}).status_code == 302
