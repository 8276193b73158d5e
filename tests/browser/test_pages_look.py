"""Every page after the story, on a desk and on a phone, in light and dark: readable, reachable, nothing sticks out."""

import re
from typing import Literal

import pytest
from axe_playwright_python.base import AXE_SCRIPT, AxeResults
from playwright.sync_api import Page, ViewportSize, expect

from portal.demo.cast import ADA, DEV, FAY, MONA, NORA, OLGA, OTTO, PROJECT, RAVI, Player
from portal.demo.story import Story
from tests.browser.conftest import SIZE, Desk

DESK = SIZE
PHONE: ViewportSize = {"width": 390, "height": 844}
SMALL: ViewportSize = {"width": 360, "height": 740}
BOTH: tuple[Literal["light", "dark"], ...] = ("light", "dark")
SCHEMES: dict[int, tuple[Literal["light", "dark"], ...]] = {390: ("dark",), 1280: ("light",)}
RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
}
BOX = f"/projects/{PROJECT}"

# Who looks at what. {v1}, {v2} and {v3} are the requests for production, {report} is the one on v3.
PAGES: dict[str, tuple[Player | None, str]] = {
    "sign in": (None, "/login/"),
    "inbox": (MONA, "/inbox/"),
    "projects": (DEV, "/projects/"),
    "project": (DEV, f"{BOX}/"),
    "bundle": (DEV, f"{BOX}/bundles/v3/"),
    "model card": (DEV, f"{BOX}/bundles/v3/model-card/"),
    "bundle that waits": (DEV, "/projects/FRAUD/bundles/v1/"),
    "model card asked for": (DEV, "/projects/FRAUD/bundles/v1/model-card/"),
    "request with a waiver": (DEV, "/projects/FRAUD/requests/{fraud}/"),
    "materiality answered": (OLGA, "/projects/FRAUD/materiality/"),
    "waiver": (RAVI, "/waivers/1/"),
    "versions of a document": (DEV, f"{BOX}/documents/intended-use/"),
    "request refused": (MONA, f"{BOX}/requests/{{v1}}/"),
    "request done": (FAY, f"{BOX}/requests/{{v2}}/"),
    "request held": (MONA, f"{BOX}/requests/{{v3}}/"),
    "sign": (FAY, f"{BOX}/requests/{{v3}}/sign/sign_off:fairness/"),
    "conversation": (DEV, f"{BOX}/requests/{{v3}}/conversation/"),
    "escalating": (DEV, f"{BOX}/requests/{{v3}}/escalate/sign_off:fairness/"),
    "asking to waive": (DEV, f"{BOX}/requests/{{v1}}/waive/evidence:fairness/"),
    "what I was told": (FAY, "/notifications/"),
    "letters": (None, "/demo/mail/"),
    "sign barred": (DEV, f"{BOX}/requests/{{v3}}/sign/sign_off:fairness/"),
    "statement": (NORA, "/signoffs/1/"),
    "rights": (ADA, f"{BOX}/rights/"),
    "rights, each": (ADA, f"{BOX}/rights/each/"),
    "rights, edited": (ADA, f"{BOX}/rights/edit/"),
    "rights, asked": (ADA, f"{BOX}/rights/who/?person=dev&stage=prod"),
    "rights of a team": (ADA, "/teams/churn-team/rights/"),
    "members of a team": (ADA, "/teams/churn-team/members/"),
    "leaving a team": (ADA, "/teams/churn-team/members/dev/end/"),
    "rules": (ADA, f"{BOX}/tier/"),
    "materiality": (ADA, f"{BOX}/materiality/"),
    "policies": (NORA, "/policies/"),
    "policy": (DEV, "/policies/demo-policy/1/"),
    "versions of a policy": (ADA, "/policies/demo-policy/"),
    "policy being written": (ADA, "/policy-drafts/?of=demo-policy"),
    "estate": (ADA, "/estate/"),
    "nodes": (ADA, "/estate/nodes/"),
    "estate as a file": (ADA, "/estate/file/"),
    "changes": (ADA, "/changes/?show=all"),
    "change": (ADA, "/changes/1/"),
    "portfolios": (ADA, "/portfolios/"),
    "rights on the estate": (ADA, "/rights/"),
    "who could act alone": (ADA, "/projects/MAINT/combinations/"),
    "who could act alone anywhere": (NORA, "/combinations/"),
    "access review": (ADA, "/access-reviews/1/"),
    "answering in an access review": (ADA, "/access-reviews/1/places/1/"),
    "ledger": (NORA, "/ledger/"),
    "ledger entry": (NORA, "/ledger/60/"),
    "report": (NORA, "/reports/{report}/"),
    "account": (DEV, "/account/"),
    "account of somebody": (ADA, "/accounts/dev/"),
    "disabling": (ADA, "/accounts/otto/disable/"),
    "linking": (ADA, "/accounts/dev/link/"),
    "groups elsewhere": (ADA, "/identity/groups/"),
    "teams and factors": (ADA, "/identity/teams/"),
    "second factors": (DEV, "/account/factors/"),
    "authenticator app": (DEV, "/account/factors/app/"),
    "passkey": (DEV, "/account/factors/passkey/"),
    "showing who one is": (DEV, "/account/prove/"),
    "password": (DEV, "/account/password/"),
    "password by code": (None, "/set-password/"),
    "not found": (OTTO, f"{BOX}/"),
}


def address(told: Story, name: str) -> str:
    """The path of a page, with the numbers that the story gave its requests."""
    path = PAGES[name][1]
    numbers = {bundle: told.asked(bundle, "prod") for bundle in ("v1", "v2", "v3") if f"{{{bundle}}}" in path}
    if "{fraud}" in path:
        numbers["fraud"] = told.asked("v1", "prod", project="FRAUD")
    report = told.report(told.asked("v3", "prod")) if "{report}" in path else ""
    return path.format(**numbers, report=report)


def opened(told: Story, desk: Desk, name: str) -> Page:
    player = PAGES[name][0]
    page = desk.open() if player is None else desk.again(player)
    answer = page.goto(address(told, name))
    assert answer is not None
    assert answer.status == (404 if name == "not found" else 200)
    return page


def violations(page: Page) -> AxeResults:
    """What breaks a rule on the page as it is drawn now."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(f"{AXE_SCRIPT}; null")  # half a megabyte: once a page
    asked = "rules => axe.run(rules).then(found => ({url: found.url, violations: found.violations}))"
    return AxeResults(page.evaluate(asked, RULES))


def test_the_rules_would_notice(told: Story, desk: Desk) -> None:
    page = opened(told, desk, "not found")
    page.evaluate("document.querySelector('h1').style.color = '#ddd'")
    page.evaluate("document.querySelector('main').append(document.createElement('button'))")
    found = {one["id"] for one in violations(page).response["violations"]}
    assert {"color-contrast", "button-name"} <= found


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_readable_at_every_size_in_light_and_dark(
    told: Story, desk: Desk, name: str, full_size: bool
) -> None:
    """Nothing sticks out at any size; the rules hold on a phone in the dark or, by turns, at a desk in the light. With
    --long at each in both."""
    page = opened(told, desk, name)
    read = (PHONE, DESK) if full_size else ((PHONE, DESK)[list(PAGES).index(name) % 2],)
    wrong = []
    for size in (SMALL, PHONE, DESK):
        page.set_viewport_size(size)
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > size["width"]:
            wrong.append(f"{wide - size['width']} px stick out at {size['width']} px")
        for scheme in (BOTH if full_size else SCHEMES[size["width"]]) if size in read else ():
            page.emulate_media(color_scheme=scheme)
            found = violations(page)
            if found.violations_count:
                wrong.append(f"at {size['width']} px, {scheme}:\n{found.generate_report()}")
    assert wrong == []


@pytest.mark.parametrize(
    "name, button",
    [
        ("request held", "Promote to Production now"),
        ("sign", "Sign"),
        ("rights, each", "Grant this right"),
    ],
)
def test_the_keyboard_reaches_what_the_page_is_for(told: Story, desk: Desk, name: str, button: str) -> None:
    page = opened(told, desk, name)
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    wanted = page.get_by_role("button", name=button, exact=True)
    unseen = []
    for _ in range(150):
        page.keyboard.press("Tab")
        here = page.evaluate(FOCUS)
        if not here["seen"]:
            unseen.append(here["what"])
        if wanted.evaluate("here => here === document.activeElement"):
            break
    expect(wanted).to_be_focused()
    assert unseen == []


# What has the focus, and whether it is drawn so: an outline or a shadow that it has for no other reason.
FOCUS = """() => {
  const here = document.activeElement, style = getComputedStyle(here);
  const outlined = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  return {what: here.outerHTML.slice(0, 120), seen: outlined || style.boxShadow !== "none"};
}"""


def test_on_a_phone_a_cards_header_is_in_line_with_what_it_heads(told: Story, desk: Desk) -> None:
    page = opened(told, desk, "request held")
    page.set_viewport_size(SMALL)
    inset = "part => part.map(one => getComputedStyle(one).paddingLeft)"
    found = page.locator(".card > header, .card > .pad, .card > footer").evaluate_all(inset)
    assert set(found) == {"16px"}


def test_what_is_signed_stands_before_the_button_and_follows_the_decision(told: Story, desk: Desk) -> None:
    page = opened(told, desk, "sign")
    page.set_viewport_size(SMALL)
    statement, button = page.locator(".statement"), page.get_by_role("button", name="Sign", exact=True)
    above, below = statement.bounding_box(), button.bounding_box()
    assert above is not None
    assert below is not None
    assert above["y"] < below["y"]
    expect(statement).to_contain_text("I reject it for fairness.")
    choice = page.get_by_role("radio", name=re.compile("^Approve I "))
    choice.check()
    said = page.locator("label", has=choice).locator(".serif").inner_text()
    assert said == "I approve it for fairness."
    signed = statement.inner_text().strip()
    assert signed.startswith("I have reviewed the parts ")
    assert signed.endswith(f"shown with them. {said}")


def test_a_digest_shows_its_whole_on_focus(told: Story, desk: Desk) -> None:
    page = opened(told, desk, "bundle")
    digest = page.locator("aside .digest").first  # what is met is folded
    whole = digest.locator(".tip")
    expect(whole).to_have_css("width", "1px")  # for screen readers only
    digest.get_by_role("button").focus()
    expect(whole).not_to_have_css("width", "1px")
    expect(whole).to_have_text(re.compile("^[0-9a-f]{64}$"))
    page.keyboard.press("Escape")
    expect(whole).to_have_css("width", "1px")


def test_a_page_keeps_its_promise_to_run_no_foreign_script(told: Story, desk: Desk) -> None:
    page = opened(told, desk, "request held")
    answer = page.reload()
    assert answer is not None
    policy = answer.header_value("content-security-policy") or ""
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert page.evaluate("document.querySelectorAll('[style], [onclick], script:not([src])').length") == 0
