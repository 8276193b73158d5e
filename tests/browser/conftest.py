"""A demo of real processes (broker, sandbox DSS, worker, portal) and a browser to visit it, one for each test worker.

Whatever goes wrong in a page unseen (a script error, a refused script or style, an answer that never came, a 5xx)
fails the test. Nothing here asks the database: what happened is read from pages or over the API.
"""

import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    Response,
    ViewportSize,
    expect,
    sync_playwright,
)

from portal.demo.cast import ADA, PASSWORD, Player
from portal.demo.processes import Demo
from portal.demo.story import Story

PACE = 0.05
# As shipped, where a demo sweeps more often to be done sooner: here a sweep takes the time of other tests. Whoever can
# sign is asked soon, because tests wait for the letter.
PATIENT = {"SWEEP_SECONDS": "5", "ASK_AFTER_SECONDS": "1"}
SIZE: ViewportSize = {"width": 1280, "height": 900}
PATIENCE = 20_000  # milliseconds until something expected on a page counts as absent
LONG = 90_000  # the same for what a worker does: a promotion, a report
ARGUMENTS = [
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-gpu",
    "--disable-software-rasterizer",
    "--disable-extensions",
    "--mute-audio",
    "--no-first-run",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in here is a browser test, and has no use for a database of its own."""
    here = Path(__file__).parent
    for item in items:
        if item.path.parent == here:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="package")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The processes of a demo on a fresh directory; nothing has happened yet."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with pytest.MonkeyPatch.context() as patch:
        for name, value in PATIENT.items():
            patch.setenv(f"COUNTERSIGN_{name}", value)
        with Demo(tmp_path_factory.mktemp("demo"), port, pace=PACE) as running:
            yield running


@pytest.fixture(scope="package")
def story(demo: Demo) -> Story:
    """The story over the REST API, for what a test does not play in the browser."""
    return Story(demo, lambda _line: None)


@pytest.fixture(scope="package")
def told(story: Story) -> Story:
    """After the story up to v3, with a report on its request. What a journey already played is only verified."""
    for chapter in story.chapters[: story.chapters.index(story.fourth_bundle)]:
        chapter()
    story.report(story.asked("v3", "prod"))
    ada = story.by(ADA)
    if not ada.get("access-reviews/")["results"]:
        for who, right in (({"team": "churn-team"}, "request"), ({"person": "mona"}, "promote")):
            ada.post("grants/", project="MAINT", right=right, why="They keep it running.", **who)
        due = (datetime.now(UTC) + timedelta(days=21)).isoformat()
        ada.post("access-reviews/", project="MAINT", due=due, why="Rights are reviewed twice a year.")
    return story


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, without a window: its shell made for that takes a third of the work of the whole browser."""
    found = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    if found is None:
        raise FileNotFoundError("Chromium is not installed; ./dev test installs it.")
    patch = pytest.MonkeyPatch()
    # Playwright keeps an event loop in this thread, and Django would refuse the tests' own queries because of it.
    patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield launched
        launched.close()
    patch.undo()


@dataclass
class Desk:
    """Opens pages for people, and notes what goes wrong in any of them. One for each test."""

    url: str
    browser: Browser
    known: dict[str, Page]  # stay open from test to test
    troubles: list[str]
    contexts: list[BrowserContext] = field(default_factory=list)

    def open(self, player: Player | None = None, *, scripts: bool = True) -> Page:
        """A page of a browser of its own: signed in through the login page, or nobody's."""
        context = self.browser.new_context(
            base_url=self.url,
            java_script_enabled=scripts,
            viewport=SIZE,
            locale="en-GB",
            reduced_motion="reduce",
        )
        context.set_default_timeout(PATIENCE)
        self.contexts.append(context)
        page = context.new_page()
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.troubles.append(f"script: {error}"))
        page.on("requestfailed", self._failed)
        page.on("response", self._answered)
        if player is not None:
            sign_in(page, player)
        return page

    def again(self, player: Player) -> Page:
        """The page of an earlier visit, as large and as light as a new one: for tests that only look."""
        if player.login not in self.known:
            self.known[player.login] = self.open(player)
            self.contexts.remove(self.known[player.login].context)
        page = self.known[player.login]
        page.set_viewport_size(SIZE)
        page.emulate_media(color_scheme="light")
        return page

    def _console(self, message: ConsoleMessage) -> None:
        # Answers with an error status are judged below, where it is known what was asked for.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.troubles.append(f"console: {message.text}")

    def _failed(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # a navigation left it behind
            self.troubles.append(f"{request.url}: {request.failure}")

    def _answered(self, response: Response) -> None:
        page = response.request.is_navigation_request()
        if response.status >= 500 or (response.status >= 400 and not page):
            self.troubles.append(f"{response.request.method} {response.url}: {response.status}")

    def close(self) -> None:
        for context in self.contexts:
            context.close()


@pytest.fixture(scope="package")
def _known() -> dict[str, Page]:
    return {}


@pytest.fixture(scope="package")
def _troubles() -> list[str]:
    return []


@pytest.fixture
def desk(demo: Demo, browser: Browser, _known: dict[str, Page], _troubles: list[str]) -> Iterator[Desk]:
    """Pages for this test; it fails when anything went wrong unseen in one of them."""
    opened = Desk(demo.url, browser, _known, _troubles)
    yield opened
    opened.close()
    found = _troubles[:]
    _troubles.clear()
    assert found == []


def sign_in(page: Page, player: Player, password: str = PASSWORD) -> None:
    """Fill in the login form that the page shows, or go to it."""
    if not page.get_by_role("heading", name="Sign in").count():
        page.goto("/login/")
    page.get_by_label("Login").fill(player.login)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Sign in")).to_have_count(0)


def settle(page: Page, timeout: int = LONG) -> None:
    """Wait until nothing on the page looks again by itself, as far as htmx tells."""
    expect(page.locator("[hx-trigger]")).to_have_count(0, timeout=timeout)
    expect(page.locator(".htmx-request")).to_have_count(0)


def look_until(page: Page, done: Callable[[], bool], turns: int = 150) -> None:
    """Without scripts nothing refreshes itself: follow “Look again” until it is done."""
    for _ in range(turns):
        if done():
            return
        page.wait_for_timeout(400)
        again = page.get_by_role("link", name="Look again")
        again.click() if again.count() else page.reload()
    raise AssertionError(f"{page.url} did not get there.")
