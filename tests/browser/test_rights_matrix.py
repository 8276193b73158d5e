"""An administrator gives a team what it needs through the matrix, and takes it back while it is being used.

It leaves the rights of the story as it found them.
"""

import re
from datetime import UTC, datetime, timedelta

from playwright.sync_api import Locator, Page, expect

from portal.demo.cast import ADA, DEV, ELI, OTTO, PROJECT
from portal.demo.story import Story
from tests.browser.conftest import LONG, Desk

BOX = f"/projects/{PROJECT}"
STAGES = ("QA", "Production")
TEAM = "Churn team"


def test_a_team_gets_two_stages_a_person_an_exception_and_both_lose_them(story: Story, desk: Desk) -> None:
    story.estate()
    story.rights()
    story._bundle("v1")
    dev_api = story.by(DEV)
    number = dev_api.post("requests/", project=PROJECT, bundle_id="v1", stage="qa", why="Once more.")[
        "number"
    ]
    request = f"{BOX}/requests/{number}/"
    ada, dev, eli, otto = (desk.open(player) for player in (ADA, DEV, ELI, OTTO))
    for page in (dev, eli):
        page.goto(request)
        expect(start_of(page)).to_have_count(0)

    edit(ada, "The team deploys its own project.", ticked=[(TEAM, stage) for stage in STAGES])
    until = datetime.now(UTC) + timedelta(days=3)
    edit(ada, "Stands in for a weekend.", ticked=[(ELI.name, "QA")], until=until)
    cell = ada.get_by_role("row", name=ELI.name).get_by_text(re.compile("^until "))
    expect(cell.first).to_be_visible()
    cell.first.locator("xpath=..").focus()
    expect(ada.get_by_text("because “Stands in for a weekend.”").first).to_be_visible()

    for page in (dev, eli):
        page.reload()
        expect(start_of(page)).to_have_count(1)
    dev.goto(f"{BOX}/")
    expect(dev.get_by_role("region", name="What you may do here")).to_contain_text("promot")
    answer = otto.goto(request)
    assert answer is not None
    assert answer.status == 404

    # The Deployer takes its time with each question before anything live changes; meanwhile the right is gone.
    slow = story.demo.sandbox.control.fault("delay", path="project-deployer", ms=8_000)
    dev.goto(request)
    start_of(dev).click()
    expect(dev.get_by_text("Started.")).to_be_visible()
    edit(ada, "It was a trial.", unticked=[(TEAM, stage) for stage in STAGES] + [(ELI.name, "QA")])
    story.demo.sandbox.control.clear_faults(slow)
    held = dev.get_by_role("status").filter(has_text="Held")
    expect(held).to_contain_text("Whoever started this promotion no longer has the right to.", timeout=LONG)
    for page in (dev, eli):
        page.goto(request)
        expect(page.get_by_role("heading", name=re.compile("^Bring v1 to QA"))).to_be_visible()
        expect(start_of(page)).to_have_count(0)
    dev_api.post(f"requests/{number}/withdraw/", why="It was a trial.")


def start_of(page: Page) -> Locator:
    return page.get_by_role("button", name=re.compile("^Promote to QA"))


def edit(
    ada: Page,
    why: str,
    *,
    ticked: list[tuple[str, str]] | None = None,
    unticked: list[tuple[str, str]] | None = None,
    until: datetime | None = None,
) -> None:
    """Tick and untick the right to promote of holders at stages, look at the preview, apply it."""
    ada.goto(f"{BOX}/rights/")
    ada.get_by_role("link", name="Edit rights").click()
    for who, stage in ticked or []:
        box(ada, who, stage).check()
    for who, stage in unticked or []:
        box(ada, who, stage).uncheck()
    ada.get_by_label("Why").fill(why)
    if until is not None:
        ada.get_by_label(re.compile("^Until")).fill(until.strftime("%Y-%m-%dT%H:%M"))
    ada.get_by_role("button", name="Show what would change").click()
    preview = ada.get_by_role("region", name="For whom")
    team = any(who == TEAM for who, _stage in ticked or unticked or [])
    expect(preview).to_contain_text(DEV.name if team else ELI.name)
    ada.get_by_role("button", name="Apply this").click()
    expect(ada.get_by_role("status").first).to_contain_text("Done: it counts at once")


def box(ada: Page, who: str, stage: str) -> Locator:
    return ada.get_by_role("checkbox", name=f"{who}: {stage} · promote", exact=True)
