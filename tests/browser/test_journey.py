"""The whole story in the browser: nine people, real processes, and nothing told to anybody but by a page."""

import re
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from portal.demo.cast import ADA, DEV, ELI, FAY, INTENDED_USE, MONA, NORA, OLGA, OTTO, PROJECT, RAVI
from portal.demo.story import Story
from tests.browser.conftest import LONG, Desk, look_until, settle

SIGNERS = {"fairness": FAY, "explainability": ELI, "model risk": RAVI}
BOX = f"/projects/{PROJECT}"


def test_the_whole_story(story: Story, desk: Desk, tmp_path: Path) -> None:
    story.estate()
    ada, dev, mona, olga = (desk.open(player) for player in (ADA, DEV, MONA, OLGA))
    expect(dev.get_by_role("heading", name="Nothing waits for you")).to_be_visible()

    # Before any right is granted the project is nobody's business; then the whole team finds it in its table.
    dev.goto("/projects/")
    expect(dev.get_by_text("No projects yet")).to_be_visible()
    grant_rights(ada)
    dev.reload()
    expect(dev.get_by_role("row", name="Customer churn")).to_contain_text("nothing yet")

    # v1 goes to QA, watched live by two people.
    register(story, dev, "v1")
    ask(dev, "v1", "QA", "First model of the season.")
    expect(dev.get_by_role("button", name="Promote now")).to_be_disabled()
    promote_watched(mona, dev)
    expect(lane(dev, "QA")).to_contain_text("v1")
    expect(lane(dev, "QA")).to_contain_text("3 of 3 tests passed")
    polled = polls_of(dev)

    # Production refuses v1, and shows the numbers.
    collect(dev, "v1")
    expect(exhibit(dev, "Fairness by gender: the ratio of selection rates")).to_contain_text("Not met")
    request = ask(dev, "v1", "Production", "Retention campaign starts Monday.")
    refused_for_unfairness(mona, request)
    assert polls_of(dev) == polled, "the page of a promotion that is over looked again"

    # v2: QA without a single script, evidence, a document, three signatures, production.
    register(story, dev, "v2")
    ask(dev, "v2", "QA", "Retrained without gender.")
    promote_without_scripts(desk)
    collect(dev, "v2")
    write_intended_use(olga, "v2")
    request = ask(dev, "v2", "Production", "Treats both genders alike now.")
    signers = {role: desk.open(player) for role, player in SIGNERS.items()}
    wrong_password_signs_nothing(signers["fairness"], request)
    for role, page in signers.items():
        sign(page, role, "v2")
    goes_by_itself(mona, request, "Done")
    expect(lane(mona, "Production")).to_contain_text("v2")
    expect(lane(mona, "Production")).to_contain_text("healthy")

    # v3 passes everything, fails its smoke test in production, and is rolled back by the portal.
    register(story, dev, "v3")
    request = ask(dev, "v3", "QA", "Offers now respect the budget.")
    promote(mona, request, "Done")
    collect(dev, "v3")
    write_intended_use(olga, "v3")
    request = ask(dev, "v3", "Production", "Marketing asked for budgets.")
    for role, page in signers.items():
        sign(page, role, "v3")
    goes_by_itself(mona, request, "Held")
    rolled_back(mona)
    expect_in_inbox(dev, "Went wrong", "Customer churn: v3 did not make it to Production")

    nobody_signs_their_own(dev, request)
    outsiders_find_nothing(desk.open(OTTO), request)
    proof(desk.open(NORA), request, tmp_path)


# --- chapters ---------------------------------------------------------------------------------------------------------


def grant_rights(ada: Page) -> None:
    """Every right of the story, given on the two pages of rights."""
    ada.goto(f"{BOX}/")
    ada.get_by_role("link", name="People and rights").click()
    ada.get_by_role("link", name="Each right").click()
    for stage in ("QA", "Production"):
        grant(ada, "Churn team", "ask for a promotion", stage, "The team deploys its own project.")
        grant(ada, MONA.name, "start a promotion", stage, "Release manager of the team.")
    for role, player in (*SIGNERS.items(), ("fairness", DEV)):
        grant(ada, player.name, "sign", "Production", f"Appointed for {role}.", role=role)
    ada.get_by_role("link", name="Matrix").click()
    for name in (DEV.name, FAY.name, "Churn team"):
        row = ada.get_by_role("row").filter(has=ada.get_by_role("rowheader", name=re.compile(f"^{name}")))
        expect(row).to_contain_text("yes")
    ada.get_by_role("navigation", name="Main").get_by_role("link", name="Rights").click()
    ada.get_by_role("link", name="Each right").click()
    grant(ada, NORA.name, "read the ledger and make reports", "Every stage", "Internal audit.")


def grant(page: Page, holder: str, right: str, stage: str, why: str, role: str = "") -> None:
    form = page.locator("#grant")
    form.get_by_label("Who", exact=True).select_option(label=holder)
    form.get_by_label("May", exact=True).select_option(label=right)
    form.get_by_label("Where").select_option(label=stage)
    if role:
        form.get_by_label("As (optional)").select_option(label=role)
    form.get_by_label("Why", exact=True).fill(why)
    form.get_by_role("button", name="Grant this right").click()
    expect(page.get_by_role("status").first).to_contain_text(holder)


def register(story: Story, dev: Page, bundle: str) -> None:
    """Dev's work of that revision is on the design node; he has the portal export it and waits on its page."""
    story.demo.sandbox.control.apply_revision(PROJECT, bundle)
    dev.goto(f"{BOX}/")
    form = dev.locator("#register")
    form.get_by_label("Bundle id").fill(bundle)
    form.get_by_label("What is new").fill(f"Revision {bundle}")
    form.get_by_role("button", name="Register it").click()
    expect(dev.get_by_role("heading", name=f"Bundle {bundle}")).to_be_visible()
    settle(dev)
    expect(dev.get_by_role("heading", name="Parts")).to_be_visible()


def ask(dev: Page, bundle: str, stage: str, why: str) -> str:
    """Ask from the bundle's page; returns the address of the request."""
    dev.goto(f"{BOX}/bundles/{bundle}/")
    form = dev.locator("#ask")
    form.get_by_label("To").select_option(label=stage)
    form.get_by_label("Why").fill(why)
    form.get_by_role("button", name="Ask for it").click()
    expect(dev.get_by_role("heading", name=f"Bring {bundle} to {stage}")).to_be_visible()
    expect(dev.get_by_text(why)).to_be_visible()
    return dev.url


def promote_watched(mona: Page, dev: Page) -> None:
    """Mona finds it in her inbox and starts it; her page and Dev's follow it, and stop looking when it is over."""
    mona.goto("/")
    expect(mona.get_by_role("heading", name="One request waits for you")).to_be_visible()
    mona.get_by_role("link", name="Look and promote").click()
    mona.get_by_role("button", name="Promote to QA now").click()
    expect(mona.get_by_text("Started.")).to_be_visible()
    count_polls(dev)
    dev.reload()
    steps = dev.locator("#steps")
    expect(steps.get_by_role("heading", name="Going there now")).to_be_visible()
    expect(steps.locator(".step-done")).not_to_have_count(0)
    for page in (dev, mona):
        settle(page)
        expect(page.get_by_role("heading", name="Bring v1 to QA Done")).to_be_visible()
        expect(page.locator("#steps .step-done")).to_have_count(13)
    assert polls_of(dev) > 0


def count_polls(page: Page) -> None:
    """Count, on the page itself, the times it asks for its live part."""
    page.on("request", lambda request: _polls.append(page) if "/gate/" in request.url else None)


_polls: list[Page] = []


def polls_of(page: Page) -> int:
    return _polls.count(page)


def promote_without_scripts(desk: Desk) -> None:
    """Signing in, the request and its promotion are plain forms and links."""
    mona = desk.open(MONA, scripts=False)
    mona.get_by_role("link", name="Look and promote").click()
    mona.get_by_role("button", name="Promote to QA now").click()
    expect(mona.get_by_role("heading", name="Bring v2 to QA")).to_be_visible()
    done = mona.get_by_role("heading", name="Bring v2 to QA Done")
    look_until(mona, lambda: done.count() > 0)
    expect(lane(mona, "QA")).to_contain_text("v2")


def collect(dev: Page, bundle: str) -> None:
    """Everything that can be collected, by its buttons, one right after the other."""
    for what in ("Fairness", "Explainability", "Model documentation"):
        dev.goto(f"{BOX}/bundles/{bundle}/")
        dev.get_by_role("button", name=what, exact=True).click()
        expect(dev.get_by_role("heading", name=f"Bundle {bundle}")).to_be_visible()
    settle(dev)
    expect(exhibit(dev, "What matters most to the model")).to_be_visible()
    expect(dev.get_by_role("region", name="Documents").get_by_text("Generated by DSS")).to_be_visible()


def refused_for_unfairness(mona: Page, request: str) -> None:
    mona.goto(request)
    line = gate_line(mona, "Groups treated alike by gender, age band and gender × age band")
    expect(line).to_contain_text("Not met")
    expect(line).to_contain_text(re.compile(r"female against male is 0\.71 \(95 % interval 0\.68 to 0\.75\)"))
    expect(line).to_contain_text("at least 0.80 is asked")
    expect(line.get_by_role("link", name="Collect it")).to_have_count(0)
    button = mona.get_by_role("button", name="Promote now")
    expect(button).to_be_disabled()
    expect(mona.locator("#verdict")).to_contain_text("missing")
    expect(lane(mona, "Production")).to_contain_text("Nothing runs here yet")


def write_intended_use(olga: Page, bundle: str, more: str = "") -> None:
    olga.goto(f"{BOX}/bundles/{bundle}/")
    olga.get_by_text("Write a document").click()
    form = olga.locator("#write")
    form.get_by_label("Which document").select_option(label="Intended use")
    form.get_by_label("Title").fill("Intended use")
    form.get_by_label("Text").fill(f"{INTENDED_USE}\n{more}\n")
    form.get_by_role("button", name="Record it").click()
    expect(olga.get_by_role("status").first).to_contain_text("is recorded")


def to_signing(page: Page, role: str) -> None:
    """From the inbox to the page of the one signature that waits there."""
    page.goto("/inbox/")
    page.get_by_role("link", name="Review and sign").click()
    expect(page.get_by_role("heading", name=f"Review and sign for {role}")).to_be_visible()


def wrong_password_signs_nothing(fay: Page, request: str) -> None:
    to_signing(fay, "fairness")
    fill_signature(fay, "not-the-password")
    expect(fay.get_by_role("alert")).to_contain_text("Nothing was saved")
    expect(fay.get_by_role("alert")).to_contain_text("assword")
    fay.goto(request)
    first = fay.locator(".gate > li").first  # what is hers to do comes before all that is met
    expect(first).to_contain_text("Fairness signed by one person")
    expect(first).to_contain_text("Not met")


def sign(page: Page, role: str, bundle: str) -> None:
    to_signing(page, role)
    said = page.get_by_role("region", name="What you sign")
    expect(said).to_contain_text(f"bundle {bundle} of Customer churn")
    expect(said).to_contain_text("Production")
    fill_signature(page)
    expect(page.get_by_role("heading", name=f"Bring {bundle} to Production")).to_be_visible()
    expect(page.get_by_role("status").first).to_contain_text("Signed")
    expect(gate_line(page, f"{role.capitalize()} signed by one person")).to_contain_text("Met")


def fill_signature(page: Page, password: str = "countersign-demo") -> None:
    page.get_by_role("radio", name=re.compile("^Approve I ")).check()
    page.get_by_label("Your password, once more").fill(password)
    page.get_by_role("button", name="Sign", exact=True).click()


def promote(mona: Page, request: str, end: str) -> None:
    """Start it as soon as the gate lets her, and wait for its end, a rollback included."""
    mona.goto(request)
    start = mona.get_by_role("button", name=re.compile("^Promote to .* now$"))
    for _ in range(20):  # v2 and v3 have to have run in QA for two seconds
        if start.count():
            break
        mona.wait_for_timeout(250)
        mona.reload()
    start.click()
    expect(mona.locator("#steps")).to_contain_text("Judge the gate")
    settle(mona)
    expect(mona.get_by_role("heading", level=1)).to_contain_text(end, timeout=LONG)


def goes_by_itself(mona: Page, request: str, end: str) -> None:
    """With the last signature it starts; her page follows it to its end, a rollback included."""
    mona.goto(request)
    look_until(mona, lambda: mona.locator("#steps").get_by_text("Judge the gate").count() > 0)
    settle(mona)
    expect(mona.get_by_role("heading", level=1)).to_contain_text(end, timeout=LONG)


def rolled_back(mona: Page) -> None:
    """The page says what failed, that it went back, and that only a person starts it again."""
    expect(mona.get_by_role("status").filter(has_text="Held")).to_contain_text(
        "The smoke test TEST_SMOKE ended FAILED"
    )
    told = mona.get_by_role("region", name="What happened", exact=True)
    expect(told).to_contain_text("Rolled back: Production runs v2 again, the last one that was good there.")
    expect(told).to_contain_text("v3 did not make it to Production.")
    expect(mona.get_by_role("region", name="How v3 went").locator(".step-failed")).to_contain_text(
        "Smoke test"
    )
    expect(lane(mona, "Production")).to_contain_text("v2")
    expect(mona.locator("#verdict").get_by_label("Why")).to_be_visible()


def nobody_signs_their_own(dev: Page, request: str) -> None:
    dev.goto(f"{request}sign/sign_off:fairness/")
    expect(dev.get_by_role("alert")).to_contain_text("You asked for this promotion")
    expect(dev.get_by_role("button", name="Sign", exact=True)).to_have_count(0)


def outsiders_find_nothing(otto: Page, request: str) -> None:
    """What is none of his business looks, to the byte, like what is not there."""
    answers = []
    for address in (f"{BOX}/", "/projects/NOWHERE/", request):
        answer = otto.goto(address)
        assert answer is not None
        assert answer.status == 404
        expect(otto.get_by_role("heading", name="Not found")).to_be_visible()
        answers.append(re.sub(r'name="csrfmiddlewaretoken" value="[^"]+"', "", answer.text()))
    assert answers[0] == answers[1] == answers[2]
    otto.goto("/no/such/page/")
    expect(otto.get_by_role("main")).to_contain_text("There is nothing here, or you may not see it.")


def proof(nora: Page, request: str, folder: Path) -> None:
    """Nora has the report made, takes the PDF with her, and reads the ledger."""
    nora.goto(request)
    nora.get_by_role("button", name="Audit report").click()
    expect(nora.get_by_role("heading", name=re.compile("audit report"))).to_be_visible()
    settle(nora)
    with nora.expect_download() as download:
        nora.get_by_role("link", name="Download the PDF").click()
    pdf = folder / "report.pdf"
    download.value.save_as(pdf)
    assert pdf.read_bytes().startswith(b"%PDF")
    nora.get_by_role("link", name="Ledger").click()
    nora.get_by_label("What happened").select_option(label="Signed")
    nora.get_by_role("button", name="Show").click()
    expect(nora.get_by_role("row", name=re.compile("signed for"))).to_have_count(6)
    expect(
        nora.get_by_role("row", name=re.compile(f"{RAVI.name} signed for model risk of v3"))
    ).to_be_visible()
    nora.get_by_role("row", name=re.compile(f"{FAY.name} signed for fairness of v2")).get_by_role(
        "link"
    ).click()
    expect(nora.get_by_role("heading", name="What was recorded")).to_be_visible()
    expect(nora.get_by_role("region", name="Record as it was hashed")).to_contain_text('"signoff.given"')


# --- where things stand on a page -------------------------------------------------------------------------------------


def lane(page: Page, stage: str) -> Locator:
    return page.locator(".lane").filter(has=page.get_by_text(stage, exact=True))


def gate_line(page: Page, title: str) -> Locator:
    return page.locator(".gate > li").filter(has=page.get_by_text(title))


def exhibit(page: Page, heading: str) -> Locator:
    return page.get_by_role("region", name=heading)


def expect_in_inbox(page: Page, heading: str, text: str) -> None:
    page.goto("/inbox/")
    expect(page.get_by_role("region", name=heading)).to_contain_text(text)
