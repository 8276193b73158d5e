"""A passkey from making to signing in with it, in a real browser with an authenticator that Chromium plays."""

import re

from playwright.sync_api import Page, expect

from portal.demo.cast import ADA, PASSWORD, Player
from portal.demo.story import Story
from tests.browser.conftest import Desk, sign_in

# Somebody whom no other test knows: a factor that is added ends every other session of its owner.
KIM = Player("kim", "Kim Day", "makes a passkey")


def with_authenticator(desk: Desk) -> Page:
    """A page at a host by name, because no passkey is for an address; its device confirms whatever it is asked."""
    desk.url = desk.url.replace("127.0.0.1", "localhost")
    page = desk.open()
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return page


def test_a_passkey_is_made_and_lets_its_owner_in(told: Story, desk: Desk) -> None:
    ada = told.by(ADA)
    ada.post("people/", login=KIM.login, name=KIM.name)
    code = ada.post(f"people/{KIM.login}/reset-password/")["code"]
    page = with_authenticator(desk)
    page.goto("/login/")
    page.get_by_role("link", name="I have a code from one").click()
    for label, value in (("Login", KIM.login), ("Code", code)):
        page.get_by_label(label, exact=True).fill(value)
    for label in ("Your new password", "The same, again"):
        page.get_by_label(label, exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Set it").click()
    expect(page.get_by_text("Your password is set.")).to_be_visible()
    sign_in(page, KIM)
    page.goto("/account/factors/")
    page.get_by_role("link", name="Make a passkey").click()
    page.get_by_label("What to call it").fill("Laptop")
    page.get_by_role("button", name="Make it").click()
    expect(page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
    expect(page.get_by_role("row", name="Laptop")).to_be_visible()
    page.get_by_text(KIM.name).click()
    page.get_by_role("button", name="Sign out").click()
    page.goto("/login/")
    page.get_by_label("Login").fill(KIM.login)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Second step")).to_be_visible()
    page.goto("/inbox/")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.goto("/login/second-factor/")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page).to_have_url(re.compile("/inbox/$"))
    page.goto("/account/factors/")
    page.get_by_role("button", name="Remove Laptop").click()
    expect(page.get_by_text("“Laptop” is removed.")).to_be_visible()
