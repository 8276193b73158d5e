"""Evidence, documents and collections of a bundle over the API."""

import hashlib

import pytest

from governance.models import Collection, Document, Evidence
from portal import content
from tests.api import same_at_any_size, session, told
from tests.cast import Cast
from tests.factories import bundle_registered, collected, fairness_of, intended_use

BUNDLE = "projects/CHURN/bundles/v1"
TEXT = {
    "kind": "intended-use",
    "title": "Intended use",
    "text": "# Purpose\nOffers.\n\n## Limits\nNone known.\n",
}


def test_evidence_shows_what_was_counted(cast: Cast) -> None:
    evidence = fairness_of(cast, bundle_registered(cast), women=0.25)
    row, held = session(cast.fay).rows(f"{BUNDLE}/evidence/")
    assert (held["kind"], held["stage"], held["bundle_id"]) == ("project", "design", "v1")
    assert (row["id"], row["kind"], row["stage"], row["bundle_id"]) == (evidence.pk, "fairness", "qa", "v1")
    assert set(row["parts"]) == {"data", "flow", "models", "other"}
    found = session(cast.fay).get(f"evidence/{evidence.pk}/")
    assert found["digest"] == row["digest"]
    gender = next(one for one in found["result"]["attributes"] if one["attribute"] == "gender")
    assert {group["group"]: group["selected"] for group in gender["groups"]} == {"M": 200, "F": 100}


def test_evidence_holds_for_a_bundle_with_equal_parts(cast: Cast) -> None:
    evidence = fairness_of(cast, bundle_registered(cast))
    bundle_registered(cast, "v2", {"project_config/dashboards/overview.json": {"title": "Churn, better"}})
    bundle_registered(cast, "v3", {"project_config/saved_models/churn_model.json": {"algorithm": "FOREST"}})
    fay = session(cast.fay)

    def counted(bundle_id: str) -> list[int]:
        rows = fay.rows(f"projects/CHURN/bundles/{bundle_id}/evidence/")
        return [one["id"] for one in rows if one["kind"] != "project"]

    assert counted("v2") == [evidence.pk]
    assert counted("v3") == []


def test_an_outsider_finds_no_evidence(cast: Cast) -> None:
    bundle = bundle_registered(cast)
    evidence, document = fairness_of(cast, bundle), intended_use(cast, bundle)
    otto = session(cast.otto)
    for noun in ("evidence", "documents", "signoffs", "collections"):
        otto.absent("get", f"{BUNDLE}/{noun}/")
    otto.absent("get", f"evidence/{evidence.pk}/")
    otto.absent("get", f"documents/{document.pk}/content/")
    otto.absent("post", f"{BUNDLE}/collections/", {"stage": "qa", "what": "fairness"})
    otto.absent("post", f"{BUNDLE}/documents/", TEXT)


# --- collections ---


def test_a_member_asks_for_evidence_and_a_double_click_asks_once(cast: Cast) -> None:
    bundle_registered(cast)
    dev = session(cast.dev)
    made = dev.post(f"{BUNDLE}/collections/", stage="qa", what="fairness")
    assert told("collection.asked").subject == f"collection:{made['id']}"
    assert (made["status"], made["what"], made["stage"]) == ("asked", "fairness", "qa")
    assert dev.post(f"{BUNDLE}/collections/", stage="qa", what="fairness")["id"] == made["id"]
    assert [one["id"] for one in dev.rows(f"{BUNDLE}/collections/")] == [made["id"]]


def test_asking_for_evidence_needs_the_right_to_request(cast: Cast) -> None:
    bundle_registered(cast)
    found = session(cast.fay).refused(
        403, "post", f"{BUNDLE}/collections/", {"stage": "qa", "what": "fairness"}
    )
    assert found["code"] == "right_missing"


@pytest.mark.parametrize(
    "body, field",
    [
        ({"stage": "qa", "what": "luck"}, "what"),
        ({"stage": "moon", "what": "fairness"}, "stage"),
        ({"what": "fairness"}, "stage"),
    ],
)
def test_what_cannot_be_collected(cast: Cast, body: dict[str, str], field: str) -> None:
    bundle_registered(cast)
    assert session(cast.dev).refused(400, "post", f"{BUNDLE}/collections/", body)["field"] == field


# --- documents ---


def test_a_member_writes_a_document(cast: Cast) -> None:
    bundle_registered(cast)
    made = session(cast.olga).post(f"{BUNDLE}/documents/", **TEXT)
    told("document.recorded")
    assert (made["origin"], made["sections"], made["author"]["login"]) == (
        "written",
        ["Purpose", "Limits"],
        "olga",
    )
    assert [one["id"] for one in session(cast.fay).rows(f"{BUNDLE}/documents/")] == [made["id"]]
    file = session(cast.fay).send("get", f"documents/{made['id']}/content/")
    assert file.content.decode() == TEXT["text"]
    assert hashlib.sha256(file.content).hexdigest() == made["digest"]


def test_documents_are_saved_never_shown(cast: Cast) -> None:
    bundle = bundle_registered(cast)
    fay = session(cast.fay)
    text = intended_use(cast, bundle)
    collected(cast, bundle, Collection.What.MODEL_DOCUMENTATION)
    docx = Document.objects.get(kind="model-documentation")
    names = {
        text.pk: 'filename="intended-use.md"',
        docx.pk: 'filename="model-documentation-of-churn_model.docx"',
    }
    for number, name in names.items():
        fay.headers = {"Accept": "text/html, application/pdf"}
        file = fay.send("get", f"documents/{number}/content/")
        assert file.status_code == 200
        assert file["Content-Disposition"] == f"attachment; {name}"
        assert file["X-Content-Type-Options"] == "nosniff"
        assert file["Content-Security-Policy"] == "default-src 'none'; sandbox"


def test_writing_needs_the_right_to_request(cast: Cast) -> None:
    bundle_registered(cast)
    assert session(cast.fay).refused(403, "post", f"{BUNDLE}/documents/", TEXT)["code"] == "right_missing"


@pytest.mark.parametrize("field", ["kind", "title", "text"])
def test_a_document_without_something(cast: Cast, field: str) -> None:
    bundle_registered(cast)
    found = session(cast.olga).refused(400, "post", f"{BUNDLE}/documents/", {**TEXT, field: " "})
    assert found["field"] == field


# --- lists ---


def test_the_lists_cost_the_same_at_any_size(cast: Cast) -> None:
    bundle = bundle_registered(cast)
    Evidence.objects.all().delete()  # what was measured as it was registered
    kept = content.put(b"x", "text/plain")

    def evidence(count: int) -> None:
        Evidence.objects.bulk_create(
            Evidence(
                kind="tests",
                project=cast.churn,
                bundle=bundle,
                stage="qa",
                parts=bundle.parts,
                digest="0" * 64,
                result=kept,
                author=cast.dev,
            )
            for _ in range(count)
        )

    def documents(count: int) -> None:
        Document.objects.bulk_create(
            Document(
                kind="note",
                project=cast.churn,
                bundle=bundle,
                parts=bundle.parts,
                title="t",
                origin="written",
                digest="0" * 64,
                content=kept,
                author=cast.dev,
            )
            for _ in range(count)
        )

    def collections(count: int) -> None:
        Collection.objects.bulk_create(
            Collection(bundle=bundle, lane=cast.qa, what="fairness", status="done", asked_by=cast.dev)
            for _ in range(count)
        )

    fay = session(cast.fay)
    same_at_any_size(fay, f"{BUNDLE}/evidence/", evidence, most=8)
    same_at_any_size(fay, f"{BUNDLE}/documents/", documents, most=8)
    same_at_any_size(fay, f"{BUNDLE}/collections/", collections, most=7)
