"""A stale page, a session that ended, a second click: each gets its sentence, and nothing happens twice.

Runs after the tests of how pages look, because it changes what they look at.
"""

import re

from playwright.sync_api import expect

from portal.demo.cast import ADA, DEV, FAY, MONA, OLGA, PASSWORD, PROJECT
from portal.demo.processes import Demo
from portal.demo.story import Story, play
from tests.browser.conftest import Desk, look_until, sign_in
from tests.browser.test_journey import fill_signature, write_intended_use

BOX = f"/projects/{PROJECT}"


def test_a_session_that_ended_loses_nothing_and_a_double_click_starts_once(told: Story, desk: Desk) -> None:
    number = told.by(DEV).post("requests/", project=PROJECT, bundle_id="v2", stage="qa", why="Back to it.")[
        "number"
    ]
    address = f"{BOX}/requests/{number}/"
    # Without scripts, so that nothing but the server stands between a second click and a second promotion.
    mona = desk.open(MONA, scripts=False)
    mona.goto(address)
    mona.context.clear_cookies(name="countersign_session")
    mona.get_by_role("button", name="Promote to QA now").click()
    expect(mona.get_by_role("status")).to_contain_text("You were signed out meanwhile, so nothing was saved.")
    assert told.by(DEV).get(f"requests/{number}/")["promotions"] == []

    sign_in(mona, MONA)
    expect(mona).to_have_url(re.compile(f"{re.escape(address)}$"))
    mona.get_by_role("button", name="Promote to QA now").dblclick()
    expect(mona.get_by_role("heading", name="Bring v2 to QA")).to_be_visible()
    done = mona.get_by_role("heading", name="Bring v2 to QA Done")
    look_until(mona, lambda: done.count() > 0)
    assert len(told.by(DEV).get(f"requests/{number}/")["promotions"]) == 1
    expect(
        mona.get_by_role("region", name="What happened", exact=True).get_by_role("listitem")
    ).to_have_count(1)


def test_a_word_typed_when_the_session_ended_is_given_back(told: Story, desk: Desk) -> None:
    address = f"{BOX}/requests/{told.asked('v3', 'prod')}/sign/sign_off:fairness/"
    fay = desk.open(FAY, scripts=False)
    fay.goto(address)
    fay.get_by_role("radio", name="Reject").check()
    fay.get_by_label("Comment").fill("The groups are too small.")
    fay.get_by_label("Your password, once more").fill(PASSWORD)
    fay.context.clear_cookies(name="countersign_session")
    fay.get_by_role("button", name="Sign", exact=True).click()
    expect(fay.get_by_role("status")).to_contain_text("what you typed, except for passwords")
    sign_in(fay, FAY)
    expect(fay).to_have_url(re.compile(f"{re.escape(address)}$"))
    expect(fay.get_by_role("radio", name="Reject")).to_be_checked()
    expect(fay.get_by_label("Comment")).to_have_value("The groups are too small.")
    expect(fay.get_by_label("Your password, once more")).to_have_value("")


def test_what_is_wrong_with_a_form_is_in_sight_where_the_answer_opens(told: Story, desk: Desk) -> None:
    dev = desk.open(DEV, scripts=False)
    dev.goto(f"{BOX}/")
    dev.get_by_label("Bundle id").fill("no such id!")
    dev.get_by_role("button", name="Register it").click()
    wrong = dev.get_by_role("alert")
    expect(wrong).to_contain_text("Nothing was saved: one thing needs another look.")
    expect(wrong).to_be_in_viewport()
    expect(wrong).to_be_focused()


def test_what_changed_since_the_page_was_opened_is_not_signed(told: Story, desk: Desk) -> None:
    number = told.asked("v3", "prod")
    fay, olga = desk.open(FAY), desk.open(OLGA)
    write_intended_use(olga, "v3")
    fay.goto(f"{BOX}/requests/{number}/sign/sign_off:fairness/")
    write_intended_use(olga, "v3", "Also for customers in their first year.")
    before = len(list(told.by(DEV).every(f"projects/{PROJECT}/bundles/v3/signoffs/")))
    fill_signature(fay)
    expect(fay.get_by_role("status").first).to_contain_text("Nothing was signed")
    assert len(list(told.by(DEV).every(f"projects/{PROJECT}/bundles/v3/signoffs/"))) == before
    fay.get_by_role("link", name="Read it again").first.click()
    fill_signature(fay)
    expect(fay.get_by_role("status").first).to_contain_text("Signed: ")
    assert len(list(told.by(DEV).every(f"projects/{PROJECT}/bundles/v3/signoffs/"))) == before + 1


def test_a_second_demo_leaves_what_people_did_and_goes_on(told: Story, demo: Demo) -> None:
    play(demo, lambda _line: None)  # writes down that every chapter was played
    ada, dev, number = told.by(ADA), told.by(DEV), told.asked("v5", "prod")
    dev.post(f"requests/{number}/withdraw/", why="Not any more.")
    (grant,) = [
        one
        for one in ada.every("grants/", project=PROJECT)
        if one["right"] == "promote" and one["stage"] == "prod" and one["person"]
    ]
    ada.post(f"grants/{grant['id']}/revoke/", why="Another job.")
    said: list[str] = []
    report = play(demo, said.append)
    assert report.read_bytes().startswith(b"%PDF")
    assert "since then somebody changed it" in "".join(said)
    assert dev.get(f"requests/{number}/")["status"] == "withdrawn"
    assert grant["id"] not in [one["id"] for one in ada.every("grants/", project=PROJECT)]
    held = [one["right"] for one in ada.every("grants/", project=PROJECT) if one["stage"] == "prod"]
    assert "promote" not in held
