"""Rights as files: written stably, read with every mistake named, compared and applied by page, API and command."""

import csv
import io
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.utils import timezone

from portal import rights
from portal.actions import edits, people, portfolios
from portal.models import Change, Grant, Person, Right
from portal.places import Place
from portal.rights_files import FileError, Format, wanted, written
from tests.api import session
from tests.cast import Cast
from tests.pages import outsider_sees_nothing, refused, signed_in, words

HEAD = "scope: project CHURN\ngrants:\n"
FORMS: list[Format] = ["yaml", "csv"]


def run(*arguments: str) -> tuple[int, str]:
    """The exit status of `manage.py rights` and what it says."""
    said = io.StringIO()
    try:
        call_command("rights", *arguments, stdout=said)
    except CommandError as error:
        return error.returncode, str(error)
    except SystemExit as left:
        return int(str(left.code)), said.getvalue()
    return 0, said.getvalue()


@pytest.fixture
def robot(cast: Cast) -> Person:
    """A service account that manages the estate."""
    account = people.add_person(by=cast.ada, login="repo", name="Repository", kind="service")
    edits.give_right(by=cast.ada, person=account, right=Right.MANAGE, why="Applies files.")
    return account


@pytest.mark.parametrize("form", FORMS)
def test_what_is_exported_and_applied_changes_nothing(cast: Cast, form: Format) -> None:
    until = timezone.now() + timedelta(days=9, microseconds=5)
    hard = 'Says: "yes, no", # not\na comment; Ünïcode: [1] {2} - true'
    credit = portfolios.add_portfolio(by=cast.ada, name="Credit")
    portfolios.put_project(by=cast.ada, portfolio=credit, project=cast.maint)
    for place in (Place(), Place(project=cast.churn), Place(portfolio=credit)):
        edits.give_right(
            by=cast.ada,
            person=cast.otto,
            right=Right.PROMOTE,
            stage="qa",
            until=until,
            why=hard,
            **place.address,
        )
        text = written(place, form, estate=True)
        (found,) = wanted(text, form)
        assert (found.place.key, found.ops) == (place.key, [])
        assert written(place, form, estate=True) == text
    (nothing,) = wanted(written(Place(project=cast.maint), form), form)
    assert nothing.ops == []


@pytest.mark.parametrize("form", FORMS)
def test_what_stands_is_usable_as_it_is_though_it_would_not_be_given_now(cast: Cast, form: Format) -> None:
    Person.objects.filter(pk=cast.fay.pk).update(is_active=False)
    others = people.add_team(by=cast.ada, name="Others")
    edits.give_right(by=cast.ada, team=others, right=Right.PROMOTE, project=cast.churn, why="w")
    cast.pipeline.team = cast.team
    cast.pipeline.save()
    text = written(Place(project=cast.churn), form)
    assert "fay" in text
    assert wanted(text, form)[0].ops == []
    with pytest.raises(FileError):
        wanted(text.replace("fairness", "model-risk"), form)


def test_only_who_looks_over_the_estate_is_told_what_a_portfolio_holds(cast: Cast) -> None:
    credit = portfolios.add_portfolio(by=cast.ada, name="Credit")
    for project in (cast.churn, cast.maint):
        portfolios.put_project(by=cast.ada, portfolio=credit, project=project)
    page, address = "/portfolios/credit/rights/file/?as=yaml", "rights/file/?scope=portfolio+credit"
    for person, told in ((cast.ada, True), (cast.nora, True), (cast.dev, False)):
        for text in (signed_in(person).get(page), session(person).send("get", address)):
            assert text.status_code == 200
            assert (b"MAINT" in text.content, b"projects:" in text.content) == (told, told)


def test_it_is_sorted_whatever_came_first(cast: Cast) -> None:
    before = written(Place(project=cast.churn))
    grant = Grant.objects.get(person=cast.fay)
    edits.take_right(by=cast.ada, grant=grant, why="w")
    edits.give_right(
        by=cast.ada, person=cast.fay, right=Right.SIGN, role="fairness", project=cast.churn, why=grant.why
    )
    assert written(Place(project=cast.churn)) == before
    rows = list(csv.DictReader(io.StringIO(written(Place(project=cast.churn), "csv"))))
    assert [(row["team"] or row["person"], row["right"]) for row in rows] == [
        ("churn-team", "view"),
        ("churn-team", "request"),
        ("eli", "sign"),
        ("fay", "sign"),
        ("mona", "promote"),
        ("ravi", "sign"),
    ]


@pytest.mark.parametrize(
    "text, line, column, said",
    [
        ("", 1, 1, "states no place"),
        ("scope: project CHURN\n", 1, 1, "The key grants is missing. Add `grants:`"),
        ("grants: []\n", 1, 1, "The key scope is missing"),
        ("scope: project NOWHERE\ngrants: []\n", 1, 8, "There is no place “project NOWHERE”"),
        (f"{HEAD}- team: churn-team\n  right: view\n  why: w\n  until: soon\n", 6, 10, "no time with a zone"),
        (
            f"{HEAD}- team: churn-team\n  right: view\n  why: w\n  until: 2020-01-01T00:00:00Z\n",
            6,
            10,
            "in the past",
        ),
        (
            f"{HEAD}- team: churn-team\n  rihgt: view\n  why: w\n",
            4,
            3,
            "“rihgt” is not known here. Known here: team",
        ),
        (
            f"{HEAD}- team: churn-team\n  right: rule\n  why: w\n",
            4,
            10,
            "“rule” is no right. Use one of: view",
        ),
        (f"{HEAD}- team: churn-team\n  right: roll_back\n  why: w\n", 4, 10, "Nothing asks for this right"),
        (f"{HEAD}- person: nobody\n  right: view\n  why: w\n", 3, 11, "Nobody here has the login “nobody”"),
        (f"{HEAD}- team: nobody\n  right: view\n  why: w\n", 3, 9, "There is no team “nobody”. Add it first"),
        (f"{HEAD}- person: gone\n  right: view\n  why: w\n", 3, 11, "is disabled and can hold no right"),
        (
            f"{HEAD}- person: otto\n  team: churn-team\n  right: view\n  why: w\n",
            3,
            3,
            "a team or a person, one of",
        ),
        (f"{HEAD}- person: otto\n  right: view\n", 3, 3, "The key why is missing"),
        (
            f"{HEAD}- person: otto\n  right: view\n  stage: moon\n  why: w\n",
            5,
            10,
            "There is no stage “moon” there",
        ),
        (f"{HEAD}- person: otto\n  right: sign\n  why: w\n", 3, 3, "needs a role"),
        (
            f"{HEAD}- team: others\n  right: promote\n  why: w\n",
            3,
            9,
            "goes through the pipeline of Churn team",
        ),
        (
            f"{HEAD}- {{person: otto, right: view, why: w}}\n- {{person: otto, right: view, why: x}}\n",
            4,
            3,
            "stated twice; the first is on line 3",
        ),
        (f"{HEAD}- &a {{person: otto, right: view, why: w}}\n- *a\n", 3, 3, "Anchors and aliases are not"),
        (f"{HEAD}- [\n", 4, 1, "Check indentation, quotes and brackets"),
        (f"{HEAD}- \t x: y\n", 3, 3, "Check indentation"),
        ("scope: project CHURN\nscope: estate\ngrants: []\n", 2, 1, "The key scope is given twice"),
        (
            "scope: project CHURN\nprojects: [MAINT]\ngrants: []\n",
            1,
            8,
            "Only the file of a portfolio lists projects",
        ),
        ("[" * 3000, 1, 1, "no YAML that can be read"),
        (f"{HEAD}- person: otto\n  why: a\x07b\n", 4, 9, "This character is not allowed in YAML"),
        (f'{HEAD}- person: otto\n  right: view\n  why: "a\\0b"\n', 5, 8, "cannot be seen"),
        (f'{HEAD}- person: otto\n  right: view\n  why: "\\ud800"\n', 5, 8, "cannot be seen"),
        (f'{HEAD}- person: otto\n  right: view\n  why: "\\UFFFFFFFF"\n', 5, 11, "no such character"),
        (
            f"{HEAD}- person: otto\n  right: view\n  why: w\n  until: 2027-02-30T18:00:00+02:00\n",
            6,
            10,
            "no time with a zone",
        ),
        (
            f"{HEAD}- person: otto\n  right: view\n  why: w\n  until: 9999-12-31T23:59:59-12:00\n",
            6,
            10,
            "no time with a zone",
        ),
    ],
)
def test_a_mistake_is_named_where_it_stands(cast: Cast, text: str, line: int, column: int, said: str) -> None:
    people.add_team(by=cast.ada, name="Others")
    gone = people.add_person(by=cast.ada, login="gone", name="Gone")
    Person.objects.filter(pk=gone.pk).update(is_active=False)
    cast.pipeline.team = cast.team
    cast.pipeline.save()
    with pytest.raises(FileError) as told:
        wanted(text, "yaml")
    problem = told.value.problems[0]
    assert said in f"{problem.message} {problem.remedy}"
    assert (problem.line, problem.column) == (line, column)


def test_every_mistake_is_told_at_once(cast: Cast) -> None:
    with pytest.raises(FileError) as told:
        wanted(f"{HEAD}- person: nobody\n  right: rule\n- team: none\n  right: view\n  why: w\n", "yaml")
    assert [(one.line, one.column) for one in told.value.problems] == [(3, 3), (3, 11), (4, 10), (5, 9)]


@pytest.mark.parametrize(
    "text, line, said",
    [
        ("", 1, "does not name the columns"),
        ("scope,team,person,right,role,stage,until,why\n", 1, "states no place"),
        ("scope,team,person,right,role,stage,until,why\nproject CHURN,x\n", 2, "has 2 columns, not 8"),
        (
            'scope,team,person,right,role,stage,until,why\n"project CHURN,,otto,view,,,,w\n',
            2,
            "no CSV that can be read",
        ),
        ("scope,team,person,right,role,stage,until,why\nproject CHURN,,nobody,view,,,,w\n", 2, "Nobody here"),
        (
            'scope,team,person,right,role,stage,until,why\nestate,,otto,view,,,,"a\nb"\nestate,,nobody,view,,,,"a\nb"\n',
            4,
            "Nobody here",
        ),
        (
            'scope,team,person,right,role,stage,until,why\nestate,,otto,view,,,,"a\nb\nc\n',
            2,
            "no CSV that can be read",
        ),
        ("scope,team,person,right,role,stage,until,why\nestate,,otto,view,,,,a\0b\n", 2, "cannot be seen"),
        (
            (
                "scope,team,person,right,role,stage,until,why\n"
                "project CHURN,,otto,view,,,,w\nproject  CHURN,,otto,view,,,,w\n"
            ),
            3,
            "stated twice; the first is on line 2",
        ),
    ],
)
def test_a_mistake_in_a_table_is_named_too(cast: Cast, text: str, line: int, said: str) -> None:
    with pytest.raises(FileError) as told:
        wanted(text, "csv")
    assert said in told.value.problems[0].message
    assert told.value.problems[0].line == line


@pytest.mark.parametrize("why", ["=1+1", "+1", "-1", "@SUM(A1)", "'=1+1", "''-1", "'quoted'"])
def test_a_table_holds_nothing_that_a_spreadsheet_would_work_out(cast: Cast, why: str) -> None:
    edits.give_right(by=cast.ada, person=cast.otto, right=Right.VIEW, project=cast.churn, why=why)
    text = written(Place(project=cast.churn), "csv")
    cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
    assert [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))] == []
    assert wanted(text, "csv")[0].ops == []


def test_half_a_character_in_a_key_is_told_in_words(cast: Cast) -> None:
    with pytest.raises(FileError) as told:
        wanted('"\\ud800": 1', "yaml")
    assert any("“\\ud800” is not known here" in str(one) for one in told.value.problems)
    ada = signed_in(cast.ada)
    for address, field in (("/rights/file/", "text"), ("/estate/file/", "text")):
        answer = ada.post(address, {field: '"\\ud800": 1', "format": "yaml", "why": "w"})
        assert answer.status_code == 400, address
    for address, sent in (("estate/file/", "text"), ("policies/", "source")):
        told_ = session(cast.ada).refused(400, "post", address, {sent: '"\\ud800": 1', "why": "w"})
        assert "\\ud800" in str(told_), address


def test_the_command_checks_compares_and_applies(cast: Cast, robot: Person, tmp_path: Path) -> None:
    (tmp_path / "churn.yaml").write_text(written(Place(project=cast.churn)))
    (tmp_path / "MAINT.CSV").write_text(written(Place(project=cast.maint), "csv"))
    folder = str(tmp_path)
    assert run("check", folder) == (0, "2 places, all usable.\n")
    assert run("diff", folder) == (0, "Nothing would change.\n")
    for deeper in ("credit/eu", ".git"):
        (tmp_path / deeper).mkdir(parents=True)
        (tmp_path / deeper / "wrong.yaml").write_text("grants: []")
    status, said = run("check", folder)
    assert (status, said.count("The key scope is missing"), "credit/eu/wrong.yaml:1:1" in said) == (
        2,
        1,
        True,
    )
    (tmp_path / "credit/eu/wrong.yaml").unlink()
    elsewhere = tmp_path.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "linked.yaml").write_text("grants: []")
    (elsewhere / "back").symlink_to(tmp_path)  # and round again
    (tmp_path / "credit/link").symlink_to(elsewhere)
    status, said = run("check", folder)
    assert (status, said.count("The key scope is missing"), "credit/link/linked.yaml:1:1" in said) == (
        2,
        1,
        True,
    )
    (tmp_path / "credit/link").unlink()
    assert run("apply", folder, "--as", "repo") == (0, "Nothing would change.\n")
    assert run("export", "project CHURN") == (0, (tmp_path / "churn.yaml").read_text())

    text = (tmp_path / "churn.yaml").read_text().replace("right: promote", "right: audit")
    (tmp_path / "churn.yaml").write_text(text)
    status, said = run("diff", folder)
    assert status == 1
    assert "project CHURN (what its file does not list is revoked):" in said
    assert f"Revokes: {cast.mona.name}, promote, Customer churn, every stage (was: no end" in said
    assert f"Gives: {cast.mona.name}, audit, Customer churn, every stage, no end" in said
    status, said = run("apply", folder, "--as", "repo", "--why", "Reviewed.")
    assert (status, "Applied as change" in said) == (0, True)
    assert not rights.can(cast.mona, Right.PROMOTE, cast.qa)
    assert rights.can(cast.mona, Right.AUDIT, cast.qa)
    assert Change.objects.latest("pk").asked_by == robot
    assert run("diff", folder)[0] == 0


def test_what_the_command_refuses(cast: Cast, robot: Person, tmp_path: Path) -> None:
    bad, good = tmp_path / "bad.yaml", tmp_path / "good.yaml"
    bad.write_text(f"{HEAD}- person: nobody\n  right: view\n  why: w\n")
    good.write_text("scope: project MAINT\ngrants:\n- person: otto\n  right: view\n  why: w\n")
    before = Change.objects.count()
    for verb in ("check", "diff", "apply"):
        status, said = run(verb, str(tmp_path), "--as", "repo")
        assert status == 2
        assert (
            f"{bad}:3:11: Nobody here has the login “nobody”. Add them first, or delete this grant." in said
        )
    assert Change.objects.count() == before
    assert run("check", str(tmp_path / "none.yaml"))[0] == 2
    assert run("apply", str(good))[0] == 2
    for login in ("ada", "nobody"):
        status, said = run("apply", str(good), "--as", login)
        assert (status, "no active service account" in said) == (2, True)
    people.add_person(by=cast.ada, login="other", name="Other", kind="service")
    assert run("apply", str(good), "--as", "other")[0] == 2
    (tmp_path / "again.yaml").write_text(good.read_text())
    bad.unlink()
    assert "is stated in" in run("check", str(tmp_path))[1]
    assert not rights.visible_projects(cast.otto).exists()


@pytest.mark.parametrize("reviewed", [False, True])
def test_a_second_administrator_or_the_repositorys_review(
    cast: Cast, robot: Person, tmp_path: Path, settings: Any, reviewed: bool
) -> None:
    settings.SECOND_ADMIN = True
    settings.REPOSITORY_REVIEWED = reviewed
    file = tmp_path / "maint.yaml"
    file.write_text("scope: project MAINT\ngrants:\n- person: otto\n  right: view\n  why: w\n")
    status, said = run("apply", str(file), "--as", "repo")
    assert status == 0
    assert ("waits for an administrator" in said) is not reviewed
    assert rights.visible_projects(cast.otto).exists() is reviewed


def test_a_portfolios_file_puts_in_and_takes_out(cast: Cast, robot: Person, tmp_path: Path) -> None:
    credit = portfolios.add_portfolio(by=cast.ada, name="Credit")
    portfolios.put_project(by=cast.ada, portfolio=credit, project=cast.maint)
    file = tmp_path / "credit.yaml"
    file.write_text(
        "scope: portfolio credit\nprojects: [CHURN]\ngrants:\n- person: otto\n  right: view\n  why: w\n"
    )
    assert run("apply", str(file), "--as", "repo")[0] == 0
    assert list(rights.visible_projects(cast.otto)) == [cast.churn]


def test_the_page_exports_and_takes_in(cast: Cast) -> None:
    ada, path = signed_in(cast.ada), "/projects/CHURN/rights/file/"
    answer = ada.get(f"{path}?as=yaml")
    assert answer["Content-Disposition"] == 'attachment; filename="project-CHURN.yaml"'
    text = answer.content.decode()
    assert text == written(Place(project=cast.churn))
    same = ada.post(path, {"text": text, "why": "w"}, follow=True)
    assert "Nothing would change" in words(same)
    preview = ada.post(
        path, {"text": text.replace("right: promote", "right: audit"), "why": "Moved."}, follow=True
    )
    page = words(preview)
    assert "2 changes because: Moved." in page
    ada.post(preview.redirect_chain[-1][0], {"basis": preview.context["basis"]})
    assert rights.can(cast.mona, Right.AUDIT, cast.qa)
    wrong = words(ada.post(path, {"text": "scope: estate\ngrants: []\n", "why": "w"}))
    assert "This file states estate; here it has to state project CHURN." in wrong
    assert "Line 3, column 3: A grant names a team or a person" in words(
        ada.post(path, {"text": f"{HEAD}- right: view\n  why: w\n", "why": "w"})
    )
    table = SimpleUploadedFile(
        "CHURN.CSV", b"\xef\xbb\xbf" + written(Place(project=cast.churn), "csv").encode()
    )
    assert "Nothing would change" in words(ada.post(path, {"upload": table, "why": "w"}, follow=True))
    latin = SimpleUploadedFile("churn.yaml", text.encode() + b"# d\xe9j\xe0\n")
    assert f"Line {text.count(chr(10)) + 1}, column 4: This byte is not UTF-8" in words(
        ada.post(path, {"upload": latin, "why": "w"})
    )
    assert "Choose a file or paste its text" in words(ada.post(path, {"text": "", "why": "w"}))
    refused(signed_in(cast.dev).post(path, {"text": text, "why": "w"}), 403, "manage rights and settings")
    assert signed_in(cast.dev).get(f"{path}?as=csv").status_code == 200
    outsider_sees_nothing(signed_in(cast.otto), path)
    outsider_sees_nothing(signed_in(cast.otto), f"{path}?as=yaml")


def test_the_api_exports_and_takes_in(cast: Cast, settings: Any) -> None:
    settings.SECOND_ADMIN = True
    ada, address = session(cast.ada), "rights/file/?scope=project CHURN"
    text = ada.send("get", address).content.decode()
    assert text == written(Place(project=cast.churn))
    wish = {"scope": "project CHURN", "text": text.replace("right: promote", "right: audit"), "why": "w"}
    assert len(ada.post("rights/file/", **wish, preview=True)["does"]) == 2
    assert not Change.objects.exists()
    assert ada.send("post", "rights/file/", wish).status_code == 202
    assert ada.post("rights/file/", **{**wish, "text": text})["does"] == []
    bad = ada.refused(400, "post", "rights/file/", {**wish, "text": f"{HEAD}- right: view\n  why: w\n"})
    assert bad["params"]["problems"] == [
        "3:3: A grant names a team or a person, one of them. Keep one of them."
    ]
    assert ada.refused(400, "post", "rights/file/", {**wish, "scope": "estate"})["code"] == "scope_elsewhere"
    session(cast.otto).absent("get", address)
    session(cast.otto).absent("post", "rights/file/", wish)
    session(cast.dev).refused(403, "post", "rights/file/", wish)
    session(cast.dev).refused(403, "get", "rights/file/?scope=estate")
