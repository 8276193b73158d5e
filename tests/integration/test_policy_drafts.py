"""A draft of a policy: what it changes and what it would have done, on pages, over the API and by the command."""

import io
import json
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command

from deployments.actions import promotions
from deployments.models import DeploymentRequest
from governance.actions import policies
from governance.gate import case_from_json
from governance.models import PolicyVersion
from governance.past import _WhereGiven, judged_under
from governance.previews import preview
from portal import content, ledger
from portal.actions import changes, edits, grants, people
from portal.errors import Refused
from portal.event_kinds import EventKind
from portal.models import Change, Content, Grant, Person, Right
from tests.api import session
from tests.cast import POLICY, Cast
from tests.factories import all_signed, bundle_registered
from tests.integration.test_ledger import unprotected
from tests.pages import outsider_sees_nothing, queries_of, refused, signed_in, words
from tests.remembered import Remembered

WHY = "The audit asked for it."
STRICTER = POLICY.replace("max_age: 7d", "max_age: 1s").replace("min: 0.8", "min: 0.9")
LOOSER = POLICY.replace("          - sign_off: {role: model-risk, people: 1, covers: all}\n", "")


_JUDGED: Remembered[DeploymentRequest] = Remembered()


@pytest.fixture
def judged(cast: Cast, unsigned: DeploymentRequest) -> DeploymentRequest:
    """Production was tried in vain before the signatures, and is on its way since: two judgements, of one request."""

    def made() -> DeploymentRequest:
        with pytest.raises(Refused):
            promotions.promote(by=cast.mona, request=unsigned)
        all_signed(cast, unsigned)
        unsigned.refresh_from_db()
        promotions.promote(by=cast.mona, request=unsigned)
        return unsigned

    return _JUDGED.again(made)


def run(*arguments: str) -> tuple[int, str]:
    """The exit status of `manage.py policy` and what it says."""
    said = io.StringIO()
    try:
        call_command("policy", *arguments, stdout=said)
    except CommandError as error:
        return error.returncode, str(error)
    except SystemExit as left:
        return int(str(left.code)), said.getvalue()
    return 0, said.getvalue()


# --- what was judged --------------------------------------------------------------------------------------------------


def test_judgements_come_out_of_the_ledger_as_they_were_the_newest_first(
    cast: Cast, judged: DeploymentRequest
) -> None:
    found = [past for past in judged_under("demo-policy") if past.request == judged.pk]
    assert [(past.met, past.moment) for past in found] == [(True, "promote"), (False, "promote")]
    assert [past.seq for past in found] == sorted((past.seq for past in found), reverse=True)
    events = {event.seq: event for event in ledger.events(kinds=[EventKind.VERDICT_JUDGED])}
    assert all(events[past.seq].facts["bundle"] == past.case.bundle for past in found)
    assert list(judged_under("demo-policy", limit=1)) == found[:1]
    assert list(judged_under("another-policy")) == []


def test_a_case_that_was_altered_is_refused_and_not_replayed(cast: Cast, judged: DeploymentRequest) -> None:
    event = ledger.events(kinds=[EventKind.VERDICT_JUDGED])[-1]
    with unprotected("portal_content"):
        Content.objects.filter(pk=event.facts["case"]).update(body=b"{}")
    with pytest.raises(Refused, match="was altered"):
        preview(STRICTER)


def test_a_draft_tells_what_it_changes_and_what_it_would_have_done(
    cast: Cast, judged: DeploymentRequest
) -> None:
    found = preview(STRICTER)
    assert (found.in_force, found.version, found.same, found.cut) == (cast.policy, 2, False, False)
    assert any("at least 0.9" in line for line in found.differences)
    (line,) = [line for line in found.lines if line.request == judged.pk]
    assert (line.outcome, line.times, line.word) == ("would_stop", 1, "would have been stopped")
    assert line.why.startswith(
        "Groups treated alike by gender and age band: By gender: the ratio of selection rates"
    )
    assert line.sentence.startswith(f"CHURN v1 for production, request {judged.pk} of ")
    assert "replayed: " in found.summary
    unsigned = "".join(line for line in POLICY.splitlines(keepends=True) if "sign_off" not in line)
    (line,) = preview(unsigned).lines
    assert (line.outcome, line.word) == ("would_pass", "would have passed")
    assert "Fairness signed by one person: One signature is needed." in line.why


def test_what_says_the_same_in_other_words_changes_nothing(cast: Cast, judged: DeploymentRequest) -> None:
    found = preview("# A remark.\n" + POLICY)
    assert found.same
    assert found.differences == []
    assert found.lines == []
    assert found.summary.endswith("each would have ended as it did.")


def test_of_many_judgements_a_page_replays_the_newest(cast: Cast, judged: DeploymentRequest) -> None:
    every = len(list(judged_under("demo-policy")))
    assert preview(STRICTER, limit=every).cut is False
    fewer = preview(STRICTER, limit=every - 1)
    assert (fewer.cut, fewer.replayed.judged) == (True, every - 1)
    assert list(judged_under("demo-policy", scan=1)) == list(judged_under("demo-policy"))[:1]


def test_a_case_of_before_it_was_written_down_says_where_its_signatures_were_given(
    cast: Cast, judged: DeploymentRequest
) -> None:
    """As what was judged before approvals said from which bundle they are carried."""
    newer = bundle_registered(cast, "v2", {"project_config/dashboards/overview.json": {"title": "Another"}})
    event = ledger.events(kinds=[EventKind.VERDICT_JUDGED])[-1]
    case = json.loads(content.get(event.facts["case"]))
    assert case["signoffs"]
    old = content.put_json({**case, "bundle": newer.bundle_id})
    filled = _WhereGiven().whole(case_from_json(json.loads(content.get(old.digest))))
    assert {(fact.bundle, fact.carried) for fact in filled.signoffs} == {("v1", 1)}
    same = case_from_json(case)
    assert _WhereGiven().whole(same) == same


# --- pages ------------------------------------------------------------------------------------------------------------


def test_a_policy_is_written_looked_at_and_proposed(cast: Cast, judged: DeploymentRequest) -> None:
    client = signed_in(cast.ada)
    page = client.get("/policy-drafts/?of=demo-policy")
    assert POLICY.splitlines()[1] in page.content.decode()
    sent = client.post("/policy-drafts/", {"text": STRICTER, "why": WHY})
    assert sent.status_code == 302
    shown = client.get(sent["Location"])
    said = words(shown)
    assert "As version 2 of demo-policy, against version 1, which is in force." in said
    assert "greatest age 1 second, was 7 days" in said
    assert "Groups treated alike by gender and age band: By gender: the ratio of selection rates" in said
    answer = client.post(sent["Location"], {"basis": shown.context["basis"]})
    change = Change.objects.get(kind=Change.Kind.POLICY)
    assert answer["Location"] in (f"/changes/{change.pk}/", "/policies/demo-policy/")
    assert change.why == WHY
    does = ledger.events(kinds=[EventKind.CHANGE_ASKED])[-1].facts["does"]
    assert does[0].startswith("publish policy demo-policy version 2, ")
    assert any("greatest age 1 second" in line for line in does)
    # The draft is gone with it.
    assert client.get(sent["Location"])["Location"] == "/policy-drafts/"


def test_whoever_decides_sees_the_same_on_the_change(
    cast: Cast, judged: DeploymentRequest, settings: object
) -> None:
    settings.SECOND_ADMIN = True  # type: ignore[attr-defined]
    change = policies.propose(by=cast.ada, source=STRICTER, why=WHY)
    assert change.status == Change.Status.WAITING
    client = signed_in(cast.abe)
    shown = client.get(f"/changes/{change.pk}/")
    assert "greatest age 1 second" in words(shown)
    assert f"/changes/{change.pk}/policy/" in shown.content.decode()
    page = words(client.get(f"/changes/{change.pk}/policy/"))
    assert "Groups treated alike by gender and age band: By gender: the ratio of selection rates" in page
    assert "Propose it" not in page
    Change.objects.filter(pk=change.pk).update(asked_by=cast.nora)
    before = Grant.objects.get(person=cast.nora, right="audit")
    grants.revoke(by=cast.ada, grant=before, why="Another job.")
    for person in (cast.olga, cast.otto, cast.nora):
        assert signed_in(person).get(f"/changes/{change.pk}/policy/").status_code in (403, 404)
    Change.objects.filter(pk=change.pk).update(asked_by=cast.ada)
    changes.apply(by=cast.abe, change=change)
    assert client.get(f"/changes/{change.pk}/policy/")["Location"] == f"/changes/{change.pk}/"
    page = words(client.get(f"/changes/{change.pk}/"))
    assert "Publish policy demo-policy version 2" in page
    assert "greatest age 1 second" in page
    assert client.get("/changes/99999/policy/").status_code == 404


def test_a_file_will_do_without_a_text_and_goes_before_one(cast: Cast) -> None:
    client = signed_in(cast.ada)
    page = client.get("/policy-drafts/").content.decode()
    assert "required" not in page[page.index("<textarea") : page.index("</textarea")]
    for text in ("", "policy: [not this"):
        file = SimpleUploadedFile("rules.yaml", STRICTER.encode())
        sent = client.post("/policy-drafts/", {"text": text, "upload": file, "why": WHY})
        assert "greatest age 1 second" in words(client.get(sent["Location"]))
    nothing = client.post("/policy-drafts/", {"text": "", "why": WHY})
    assert nothing.status_code == 400


def test_what_is_wrong_with_a_text_is_told_by_line_and_nothing_is_lost(cast: Cast) -> None:
    client = signed_in(cast.ada)
    text = POLICY.replace("people: 1", "people: many")
    page = client.post("/policy-drafts/", {"text": text, "why": WHY})
    assert page.status_code == 400
    number = next(at for at, line in enumerate(text.splitlines(), start=1) if "people: many" in line)
    assert f"Line {number}, column " in words(page)
    assert "people: many" in page.content.decode()
    assert WHY in page.content.decode()


def test_a_version_published_meanwhile_is_shown_before_anything_is_proposed(cast: Cast) -> None:
    client = signed_in(cast.ada)
    there = client.post("/policy-drafts/", {"text": STRICTER, "why": WHY})["Location"]
    basis = client.get(there).context["basis"]
    policies.publish(by=cast.abe, source=LOOSER)
    page = client.post(there, {"basis": basis}, follow=True)
    assert "Another version was published while you looked" in words(page)
    assert "against version 2" in words(page)
    assert not Change.objects.filter(kind=Change.Kind.POLICY).exists()


def test_writing_is_for_those_who_manage_the_estate(cast: Cast) -> None:
    for person in (cast.olga, cast.nora, cast.otto):
        client = signed_in(person)
        for answer in (
            client.get("/policy-drafts/"),
            client.post("/policy-drafts/", {"text": STRICTER, "why": WHY}),
        ):
            refused(answer, 403, "You need the right to manage rights and settings on the whole estate.")


def test_members_read_the_policies_of_their_projects_and_outsiders_none(cast: Cast) -> None:
    policies.publish(by=cast.ada, source=LOOSER)
    policies.publish(by=cast.ada, source=POLICY.replace("demo-policy", "other-policy"))
    client = signed_in(cast.olga)
    page = words(client.get("/policies/"))
    assert "demo-policy" in page
    assert "other-policy" not in page
    assert "Write a policy" not in page
    page = words(client.get("/policies/demo-policy/"))
    assert "Version 1" in page
    assert "Version 2" in page
    page = words(client.get("/policies/demo-policy/2/"))
    assert "Does not ask for" in page or "does not ask for “Model risk signed by one person” any more" in page
    assert "not in force any more" in words(client.get("/policies/demo-policy/1/"))
    for address in ("/policies/other-policy/", "/policies/other-policy/1/", "/policies/demo-policy/3/"):
        assert client.get(address).status_code == 404
    outsider_sees_nothing(signed_in(cast.otto), "/policies/demo-policy/")
    outsider_sees_nothing(signed_in(cast.otto), "/policies/demo-policy/1/")


@pytest.mark.parametrize("address", ["/policies/", "/policies/demo-policy/"])
def test_lists_cost_the_same_at_any_size(cast: Cast, address: str) -> None:
    client = signed_in(cast.ada)

    def grow(count: int) -> None:
        PolicyVersion.objects.bulk_create(
            PolicyVersion(
                name="demo-policy" if address.endswith("policy/") else f"p{number}",
                version=number,
                source=POLICY,
                digest=f"{number:064x}",
                published_by=cast.ada,
            )
            for number in range(PolicyVersion.objects.count() + 1, count + 1)
        )

    grow(10)
    few = queries_of(client, address)
    grow(1_000)
    assert queries_of(client, address) == few


# --- API --------------------------------------------------------------------------------------------------------------


def test_the_api_previews_without_publishing(cast: Cast, judged: DeploymentRequest) -> None:
    found = session(cast.ada).post("policies/preview/", source=STRICTER)
    assert (found["name"], found["version"], found["same"], found["cut"]) == ("demo-policy", 2, False, False)
    assert any("at least 0.9" in line for line in found["differences"])
    (flip,) = [one for one in found["flips"] if one["request"] == judged.pk]
    assert (flip["outcome"], flip["project"], flip["bundle"]) == ("would_stop", "CHURN", "v1")
    assert PolicyVersion.objects.count() == 1
    wrong = session(cast.ada).refused(400, "post", "policies/preview/", {"source": "policy: ["})
    assert (wrong["code"], wrong["field"]) == ("policy_invalid", "source")
    for person in (cast.olga, cast.otto):
        session(person).refused(403, "post", "policies/preview/", {"source": POLICY})


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def robot(cast: Cast) -> Person:
    account = people.add_person(by=cast.ada, login="repo", name="Repository", kind="service")
    edits.give_right(by=cast.ada, person=account, right=Right.MANAGE, why="Applies files.")
    return account


def test_files_are_checked_compared_replayed_and_applied(
    cast: Cast, judged: DeploymentRequest, robot: Person, tmp_path: Path
) -> None:
    (tmp_path / "demo.yaml").write_text(POLICY)
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "second.yml").write_text(POLICY.replace("demo-policy", "second"))
    (tmp_path / "README.md").write_text("Rules.")
    assert run("check", str(tmp_path)) == (0, "2 policies, all usable.\n")
    code, said = run("diff", str(tmp_path))
    assert (code, "second:" in said, "demo-policy" in said) == (1, True, False)
    (tmp_path / "demo.yaml").write_text(STRICTER)
    code, said = run("diff", str(tmp_path / "demo.yaml"))
    assert (code, "greatest age 1 second, was 7 days" in said) == (1, True)
    code, said = run("replay", str(tmp_path / "demo.yaml"))
    assert (code, "would have been stopped" in said) == (1, True)
    assert run("replay", str(tmp_path / "demo.yaml")) == (code, said), "the same again"
    code, said = run("apply", str(tmp_path))
    assert (code, "--as" in said) == (2, True)
    code, said = run("apply", str(tmp_path), "--as", "repo")
    assert (code, "--why" in said) == (2, True)
    assert PolicyVersion.objects.count() == 1
    code, said = run("apply", str(tmp_path), "--as", "repo", "--why", WHY)
    assert (code, said.count("published.")) == (0, 2)
    assert PolicyVersion.objects.get(name="demo-policy", version=2).source == STRICTER
    assert run("diff", str(tmp_path)) == (0, "Nothing would change.\n")
    assert run("apply", str(tmp_path), "--as", "repo") == (0, "Nothing would change.\n")


def test_a_replay_that_changes_nothing_ends_well(
    cast: Cast, judged: DeploymentRequest, tmp_path: Path
) -> None:
    (tmp_path / "demo.yaml").write_text(POLICY)
    code, said = run("replay", str(tmp_path))
    assert code == 0
    assert "each would have ended as it did." in said
    (tmp_path / "demo.yaml").write_text(POLICY.replace("demo-policy", "other"))
    assert run("replay", str(tmp_path))[0] == 0
    assert run("replay", str(tmp_path), "--newest", "0")[0] == 2


def test_every_mistake_of_every_file_is_told_by_line(cast: Cast, tmp_path: Path) -> None:
    assert run("check", str(tmp_path))[0] == 2
    assert run("check", str(tmp_path / "absent.yaml"))[0] == 2
    (tmp_path / "a.yaml").write_text("policy: a\n")
    (tmp_path / "b.yaml").write_bytes(b"policy: \xff")
    (tmp_path / "c.yaml").write_text(POLICY)
    (tmp_path / "d.yaml").write_text(POLICY)
    code, said = run("check", str(tmp_path))
    assert code == 2
    for line in (
        "a.yaml:1:1: ",
        "b.yaml: is not UTF-8 at byte 8",
        "d.yaml:1:1: The policy demo-policy is stated in",
    ):
        assert line in said
