"""A passkey from making to signing in with it, in a real browser with an authenticator that Chromium plays."""

from playwright.sync_api import Page, expect

from portal.demo.cast import OTTO, PASSWORD
from portal.demo.story import Story
from tests.browser.conftest import Desk, sign_in


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
    page = with_authenticator(desk)
    sign_in(page, OTTO)
    page.goto("/account/factors/")
    page.get_by_role("link", name="Make a passkey").click()
    page.get_by_label("What to call it").fill("Laptop")
    page.get_by_role("button", name="Make it").click()
    expect(page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
    expect(page.get_by_role("row", name="Laptop")).to_be_visible()
    page.get_by_text(OTTO.name).click()
    page.get_by_role("button", name="Sign out").click()
    page.goto("/login/")
    page.get_by_label("Login").fill(OTTO.login)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Second step")).to_be_visible()
    page.goto("/inbox/")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.goto("/login/second-factor/")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("heading", name="Inbox")).to_be_visible()
    page.goto("/account/factors/")
    page.get_by_role("button", name="Remove Laptop").click()
    expect(page.get_by_text("“Laptop” is removed.")).to_be_visible()
