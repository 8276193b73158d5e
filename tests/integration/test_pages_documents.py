"""Pages of documents: the versions of a kind, what differs between two, and how long one stays young enough."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from governance import document_versions
from governance.actions import documents, policies
from governance.models import Document
from portal import content
from tests.api import same_at_any_size, session
from tests.cast import POLICY, Cast
from tests.factories import bundle_registered

PAGE = "/projects/CHURN/documents/intended-use/"
FIRST, SECOND = (
    "# Purpose\n\nOffers.\n\n## Limits\n\nNone.\n",
    "# Purpose\n\nOffers.\n\n## Limits\n\nNot for staff.\n",
)


def written(cast: Cast, *texts: str) -> list[Document]:
    bundle = bundle_registered(cast)
    told: dict[str, Any] = {"by": cast.dev, "bundle": bundle, "kind": "intended-use"}
    return [
        documents.write(**told, title=f"Use {number}", text=text)
        for number, text in enumerate(texts, start=1)
    ]


def test_the_newest_two_are_compared_and_any_two_can_be(cast: Cast, client: Client) -> None:
    first, second, third = written(cast, FIRST, SECOND, FIRST)
    client.force_login(cast.fay)
    shown = client.get(PAGE).content.decode()
    assert shown.index("Use 3") < shown.index("Use 1")
    assert "Not for staff." in shown
    same = client.get(f"{PAGE}?old={first.pk}&new={third.pk}").content.decode()
    assert "Both are the same to the byte." in same
    other = client.get(f"{PAGE}?old={first.pk}&new={second.pk}").content.decode()
    assert 'class="diff-del"' in other
    assert 'class="diff-add"' in other


@pytest.mark.parametrize("number", ["0", "x", "9" * 30, "-1", "²"])
def test_a_version_that_is_none(cast: Cast, client: Client, number: str) -> None:
    (first,) = written(cast, FIRST)
    client.force_login(cast.fay)
    assert client.get(PAGE, {"old": number}).status_code == 400
    found = session(cast.fay).refused(
        400, "get", f"projects/CHURN/documents/intended-use/diff/?old={number}&new={first.pk}"
    )
    assert (found["code"], found["field"]) == ("version_unknown", "old")


def test_of_files_the_sections_are_compared(cast: Cast) -> None:
    first, second = written(cast, FIRST, SECOND)
    Document.objects.filter(pk=second.pk).update(
        content=content.put(b"%PDF-", "application/pdf"), digest="0" * 64, sections=["Purpose", "Data"]
    )
    second.refresh_from_db()
    found = document_versions.compared(first, second)
    assert "-Limits" in found.unified
    assert "+Data" in found.unified
    assert "sections are compared" in found.note


def test_texts_beyond_measure_are_not_read_line_by_line(cast: Cast) -> None:
    lines = "x\n" * (document_versions.MOST_LINES + 1)
    first, second = written(cast, f"# A\n{lines}", f"# B\n{lines}")
    found = document_versions.compared(first, second)
    assert found.unified.splitlines()[-2:] == ["-A", "+B"]
    assert "too long" in found.note


def test_the_api_lists_and_compares(cast: Cast) -> None:
    first, second = written(cast, FIRST, SECOND)
    fay = session(cast.fay)
    rows = fay.rows("projects/CHURN/documents/intended-use/")
    assert [row["id"] for row in rows] == [second.pk, first.pk]
    found = fay.get(f"projects/CHURN/documents/intended-use/diff/?old={first.pk}&new={second.pk}")
    assert (found["old"], found["new"], found["same"]) == (first.pk, second.pk, False)
    assert "+Not for staff." in found["unified"]
    session(cast.otto).absent("get", "projects/CHURN/documents/intended-use/")
    assert fay.rows("projects/CHURN/documents/nothing/") == []


def test_until_when_it_is_young_enough(cast: Cast, client: Client) -> None:
    policies.publish(
        by=cast.ada,
        source=POLICY.replace("- document: intended-use", "- document: {kind: intended-use, max_age: 30d}"),
    )
    (made,) = written(cast, FIRST)
    client.force_login(cast.dev)
    for page in (f"/documents/{made.pk}/", "/projects/CHURN/bundles/v1/"):
        assert "oung enough" in client.get(page).content.decode()
    Document.objects.update(recorded_at="2020-01-01T00:00:00Z")
    assert "Too old for the policy since" in client.get(f"/documents/{made.pk}/").content.decode()
    assert "too old" in client.get("/projects/CHURN/bundles/v1/").content.decode()


def test_the_lists_cost_the_same_at_any_size(cast: Cast, client: Client) -> None:
    (made,) = written(cast, FIRST)
    bundle = made.bundle
    Document.objects.all().delete()

    def more(count: int) -> None:
        Document.objects.bulk_create(
            Document(
                kind="note",
                project=cast.churn,
                bundle=bundle,
                parts=bundle.parts,
                title="t",
                origin="written",
                digest="0" * 64,
                content_id=made.content_id,
                author=cast.dev,
            )
            for _ in range(count)
        )

    same_at_any_size(session(cast.fay), "projects/CHURN/documents/note/", more, most=8)
    client.force_login(cast.fay)
    Document.objects.all().delete()

    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as asked:
            assert client.get("/projects/CHURN/documents/note/").status_code == 200
        return len(asked)

    more(10)
    queries()
    few = queries()
    more(990)
    assert queries() == few <= 15
