"""The difference of two bundles line by line: what is shown of texts, what is not and why, and at what cost."""

from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext

from deployments import differences
from deployments.differences import Changed, difference
from portal.dss.manifest import Texts
from portal.models import Bundle, Content
from portal.templatetags.ui import diff_lines
from tests.cast import Cast
from tests.factories import bundle_registered, request_at, runs_in
from tests.pages import signed_in, words


def compared(cast: Cast, old: dict[str, Any], new: dict[str, Any], **how: int) -> dict[str, Changed]:
    bundles = [bundle_registered(cast, name, members) for name, members in (("old", old), ("new", new))]
    return {one.path: one for part in difference(bundles[0], bundles[1], **how).parts for one in part.members}


def test_code_queries_and_settings_are_compared_and_nothing_else(cast: Cast) -> None:
    base = "project_config/"
    paths = {
        f"{base}recipes/score.py": True,
        f"{base}recipes/join.sql": True,
        f"{base}recipes/join.json": True,
        f"{base}scenarios/DAILY.json": True,
        f"{base}params.json": True,
        f"{base}lib/python/prepare.py": True,
        f"{base}datasets/customers.json": False,
        f"{base}dashboards/overview.json": False,
        "managed_datasets/customers.csv": False,
        "somewhere/else.bin": False,
    }

    def members(value: str) -> dict[str, Any]:
        return {path: {"a": value} if path.endswith(".json") else f"one\n{value}\n" for path in paths}

    found = compared(cast, members("before"), members("after"))
    assert {path: bool(one.unified) for path, one in found.items()} == paths
    assert not any(one.why for one in found.values())
    assert found[f"{base}recipes/score.py"].unified.splitlines()[2:] == [
        "@@ -1,3 +1,3 @@",
        " one",
        "-before",
        "+after",
        " ",
    ]
    assert '-  "a": "before"\n+  "a": "after"' in found[f"{base}params.json"].unified


def test_what_dss_rewrites_is_no_line(cast: Cast) -> None:
    def saved(number: int, code: int) -> dict[str, Any]:
        return {"project_config/recipes/join.json": {"versionTag": {"versionNumber": number}, "limit": code}}

    found = compared(cast, saved(1, 10), saved(2, 20))
    assert "versionTag" not in found["project_config/recipes/join.json"].unified


def test_what_is_not_shown_says_why(cast: Cast, monkeypatch: Any) -> None:
    path = "project_config/recipes/score.py"
    large = "x" * 70_000
    assert compared(cast, {path: large}, {path: large + "y"})[path].why == "its text was not kept"
    monkeypatch.setattr(differences, "LONGEST", 3)
    lines = (
        bundle_registered(cast, "lines", {path: "1\n2\n3\n4\n5"}),
        bundle_registered(cast, "less", {path: "1"}),
    )
    (flow,) = difference(*lines).parts
    assert flow.members[0].why == "too long to compare line by line"
    monkeypatch.setattr(differences, "SHOWN", 0)
    (flow,) = difference(*lines).parts
    assert flow.members[0].why == "more texts changed than are compared here"


def test_a_bundle_registered_before_texts_were_kept_says_so(cast: Cast, monkeypatch: Any) -> None:
    path = "project_config/recipes/score.py"
    with monkeypatch.context() as before:
        before.setattr(Texts, "MOST", 0)
        old = bundle_registered(cast, "old", {path: "before()"})
    new = bundle_registered(cast, "new", {path: "after()"})
    (flow,) = difference(old, new).parts
    assert (flow.members[0].unified, flow.members[0].why) == ("", "its text was not kept")


def test_equal_texts_are_kept_once_and_lists_are_cut(cast: Cast, monkeypatch: Any) -> None:
    path = "project_config/recipes/score.py"
    for name in ("a", "b", "c"):
        bundle_registered(cast, name, {path: "same()"})
    assert Content.objects.filter(body=b"same()").count() == 1
    monkeypatch.setattr(differences, "LINES", 10)
    more = {f"project_config/recipes/r{n}.py": "x" for n in range(5)}
    found = bundle_registered(cast, "more", {path: "\n".join(map(str, range(40))), **more})
    (flow,) = difference(Bundle.objects.get(bundle_id="a"), found, listed=3).parts
    assert (flow.changed, flow.added, flow.more, len(flow.members)) == (1, 5, 3, 3)
    assert len(flow.members[0].unified.splitlines()) == 10
    assert flow.members[0].cut > 30


def test_hostile_text_stays_text(cast: Cast) -> None:
    path = "project_config/recipes/score.py"
    bad = (
        "<script>alert(1)</script>\n@@ -1,1 +1,1 @@\n\u202eif admin\u2066: # turned\nA\u2028@@ -9 +9 @@\n"
        + "w" * 9_000
    )
    one = compared(cast, {path: "x"}, {path: bad})[path]
    lines = [line for line in diff_lines(one.unified) if line.kind != "head"]
    assert len([line for line in diff_lines(one.unified) if line.kind == "head"]) == 1
    assert [line.text for line in lines if line.kind == "add"][2:4] == [
        "<U+202E>if admin<U+2066>: # turned",
        "A<U+2028>@@ -9 +9 @@",
    ]
    assert max(len(line.text) for line in lines) <= differences.WIDEST
    page = signed_in(cast.fay).get("/projects/CHURN/bundles/new/?bundle=old").content.decode()
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_it_takes_as_many_queries_for_much_as_for_little(cast: Cast) -> None:
    def asked(old: dict[str, Any], new: dict[str, Any], name: str) -> int:
        one, other = bundle_registered(cast, f"{name}1", old), bundle_registered(cast, f"{name}2", new)
        with CaptureQueriesContext(connection) as found:
            difference(one, other)
        return len(found)

    many = [{f"project_config/recipes/r{n}.py": f"{m} {n}" for n in range(300)} for m in range(2)]
    models = [{f"project_config/saved_models/m{n}.json": {"a": m} for n in range(50)} for m in range(2)]
    few = asked({"project_config/recipes/a.py": "1"}, {"project_config/recipes/a.py": "2"}, "few")
    assert asked({**many[0], **models[0]}, {**many[1], **models[1]}, "many") == few == 3


def test_signers_read_the_lines_on_their_page(cast: Cast) -> None:
    old = bundle_registered(cast, "v1")
    runs_in(cast, old, cast.qa)
    new = bundle_registered(cast, "v2", {"project_config/recipes/score.py": "score(customers, limit=5)"})
    request = request_at(cast, bundle=new, lane=cast.qa)
    page = words(signed_in(cast.fay).get(f"/projects/CHURN/requests/{request.pk}/"))
    assert "What changes against v1 in QA" in page
    assert "+ score(customers, limit=5)" in page
