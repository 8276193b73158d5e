"""From a letter to a signed decision: two pages, a few clicks and the password, or the keyboard alone."""

import time

import pytest
from playwright.sync_api import Locator, Page, expect

from portal.demo.cast import FAY, PASSWORD
from portal.demo.story import Story
from tests.browser.conftest import Desk

MOST_PAGES = 2
MOST_CLICKS = 4
WAIT = 60.0


@pytest.fixture
def letter(told: Story) -> str:
    """Fay took her signature on v3 back, and is asked for it by a letter: the address in it."""
    number = told.asked("v3", "prod")
    fay = told.by(FAY)
    since = len(letters(told, number))
    for signoff in fay.every("projects/CHURN/bundles/v3/signoffs/"):
        if signoff["role"] == "fairness" and signoff["withdrawal"] is None:
            fay.post(f"signoffs/{signoff['id']}/withdraw/", why="To look once more.")
    deadline = time.monotonic() + WAIT
    while len(found := letters(told, number)) <= since:
        assert time.monotonic() < deadline, "no letter came"
        time.sleep(0.2)
    return str(found[0]["url"])


def letters(told: Story, number: int) -> list[dict[str, object]]:
    """What Fay was asked by letter for this request, newest first."""
    place = f"/requests/{number}/sign/sign_off:fairness/"
    every = told.by(FAY).get("notifications/", page_size=200)["results"]
    return [
        one
        for one in every
        if one["kind"] == "asked" and one["mail"] == "sent" and str(one["url"]).endswith(place)
    ]


class Reader:
    """Counts the pages that are read and the clicks that are made."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.pages: list[str] = []
        self.clicks = 0
        page.on("framenavigated", lambda frame: self.pages.append(frame.url.partition("?")[0]))

    def click(self, what: Locator) -> None:
        what.click()
        self.clicks += 1

    def reach(self, what: Locator, most: int = 60) -> None:
        """Go there by the Tab key alone."""
        for _ in range(most):
            if what.evaluate("element => element === document.activeElement"):
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"{what} is not reached by {most} Tabs.")


def test_from_the_letter_to_the_signature_in_two_pages_and_four_clicks(
    letter: str, told: Story, desk: Desk
) -> None:
    page = desk.open()
    page.goto("/demo/mail/")
    first = page.get_by_role("link", name=letter).first
    expect(first).to_be_visible()
    reader = Reader(page)
    page.goto(str(first.get_attribute("href")))
    page.get_by_label("Login").fill(FAY.login)
    page.get_by_label("Password").fill(PASSWORD)
    reader.click(page.get_by_role("button", name="Sign in"))
    expect(page.get_by_role("heading", name="Review and sign for fairness")).to_be_visible()
    reader.click(page.locator("#decision-approve"))
    page.get_by_label("Your password, once more").fill(PASSWORD)
    # The page of the request follows the signature; it is not one that has to be read to sign.
    read = len(set(reader.pages))
    reader.click(page.get_by_role("button", name="Sign", exact=True))
    expect(page.get_by_text("Signed: approved. Thank you.")).to_be_visible()
    assert read <= MOST_PAGES, reader.pages
    assert reader.clicks <= MOST_CLICKS


def test_the_same_by_the_keyboard_alone_under_conditions(letter: str, told: Story, desk: Desk) -> None:
    page = desk.open()
    page.goto(letter)
    reader, keys = Reader(page), page.keyboard
    reader.reach(page.get_by_label("Login"))
    keys.type(FAY.login)
    reader.reach(page.get_by_label("Password"))
    keys.type(PASSWORD)
    keys.press("Enter")
    expect(page.get_by_role("heading", name="Review and sign for fairness")).to_be_visible()
    reader.reach(page.get_by_role("link", name="To the signature"))
    keys.press("Enter")
    reader.reach(page.locator("#decision-approve"))
    keys.press("ArrowDown")
    expect(page.locator("#decision-approve_with_conditions")).to_be_checked()
    reader.reach(page.get_by_label("What has to be done").first)
    keys.type("Count again after the campaign.")
    due = page.get_by_label("By the end of").first
    reader.reach(due)
    due.evaluate(
        "e => { const d = new Date(Date.now() + 9 * 864e5); e.value = d.toISOString().slice(0, 10) }"
    )
    reader.reach(page.get_by_label("Your password, once more"))
    keys.type(PASSWORD)
    keys.press("Enter")
    expect(page.get_by_text("Signed: approved with conditions. Thank you.")).to_be_visible()
    page.get_by_role("link", name="Fay Okafor").last.click()
    expect(page.get_by_text("Count again after the campaign.")).to_be_visible()
    expect(page.get_by_role("link", name="It is met…")).to_be_visible()
