"""A bundle's page: parts, difference, evidence, documents; collecting; and what waits and ends by itself."""

import pytest

from governance import junit
from governance.models import Collection, Document, Evidence
from portal.models import Bundle
from tests import factories
from tests.cast import Cast
from tests.factories import (
    all_but_signed,
    bundle_asked,
    bundle_registered,
    fairness_of,
    request_at,
    runs_in,
    signed,
)
from tests.pages import outsider_sees_nothing, queries_of, refused, signed_in, words

V1 = "/projects/CHURN/bundles/v1/"
HTMX = {"HX-Request": "true"}


def test_it_shows_parts_evidence_and_documents(cast: Cast) -> None:
    all_but_signed(cast, bundle_registered(cast))
    answer = signed_in(cast.fay).get(V1)
    for said in (
        "Fairness by gender",
        "800 scored people",
        "What matters most to the model",
        "Tests in QA",
        "1 of 1 passed",
        "Intended use",
        "presentation",
    ):
        assert said in words(answer)
    assert "tenure" in answer.content.decode()  # a bar of the chart


def test_what_is_missing_for_the_next_stage_stands_first_and_leads_there(cast: Cast) -> None:
    bundle = bundle_registered(cast)
    runs_in(cast, bundle, cast.qa)
    factories.tests_passed(cast, bundle)
    fairness_of(cast, bundle, women=0.2)
    answer = signed_in(cast.dev).get(V1)
    page = words(answer)
    assert "Production would ask for 4 things that are not there" in page
    assert page.index("would ask for") < page.index("Evidence Documents")
    assert "signed by" not in page[page.index("would ask for") : page.index("Evidence Documents")]
    assert '<a href="#on-fairness">' in answer.content.decode()
    assert 'id="on-fairness"' in answer.content.decode()
    assert '<a href="#documents">Intended use written</a>' in answer.content.decode()


def test_what_a_request_lacks_stands_on_its_bundles_page(cast: Cast) -> None:
    bundle = bundle_registered(cast)
    all_but_signed(cast, bundle)
    wish = request_at(cast, "open", bundle, cast.prod)
    signed(cast.fay, wish, "fairness")
    answer = signed_in(cast.dev).get(V1)
    assert f"Request {wish.pk} to Production: 2 things are missing To the request" in words(answer)
    place = f"/projects/CHURN/requests/{wish.pk}/"
    assert f'<a href="{place}">Model risk signed by one person</a>' in answer.content.decode()
    for person, role in ((cast.eli, "explainability"), (cast.ravi, "model-risk")):
        signed(person, wish, role)
    assert f"Request {wish.pk} to Production: all is met" in words(signed_in(cast.dev).get(V1))


def test_what_is_met_is_folded_and_what_is_not_is_open(cast: Cast) -> None:
    bundle = bundle_registered(cast)
    runs_in(cast, bundle, cast.qa)
    factories.tests_passed(cast, bundle)
    fairness_of(cast, bundle, women=0.2)
    folds = [
        (one.split('id="', 1)[-1].split('"', 1)[0], "<details open>" in one.split("</summary>")[0])
        for one in signed_in(cast.dev).get(V1).content.decode().split('<section class="card fold"')[1:]
    ]
    assert ("on-fairness", True) in folds
    assert ("on-tests-qa", False) in folds


def test_it_says_what_changes_against_what_runs(cast: Cast) -> None:
    runs_in(cast, bundle_registered(cast), cast.qa)
    bundle_registered(
        cast,
        "v2",
        {"project_config/recipes/score.py": "score(customers, 2)", "project_config/recipes/more.py": "1"},
    )
    page = words(signed_in(cast.fay).get("/projects/CHURN/bundles/v2/"))
    assert "What changes against v1 in QA" in page
    assert "flow 1 changed, 1 added changed project_config/recipes/score.py" in page
    assert "score(customers) 1 + score(customers, 2) added project_config/recipes/more.py" in page


def test_it_is_compared_with_any_other_bundle_of_the_project(cast: Cast) -> None:
    bundle_registered(cast)
    bundle_registered(cast, "v2", {"project_config/recipes/score.py": "score(2)"})
    bundle_registered(cast, "v3", {"project_config/recipes/score.py": "score(3)"})
    fay = signed_in(cast.fay)
    page = fay.get("/projects/CHURN/bundles/v3/?bundle=v2")
    assert "What changes against v2 flow 1 changed" in words(page)
    assert "score(2) 1 + score(3)" in words(page)
    assert "<option selected>v2</option><option>v1</option>" in page.content.decode()
    assert "This is the bundle itself Nothing changes." in words(
        fay.get("/projects/CHURN/bundles/v3/?bundle=v3")
    )
    for wrong in ("v9", "../v1", "x" * 300):
        assert fay.get(f"/projects/CHURN/bundles/v3/?bundle={wrong}").status_code == 404
    outsider_sees_nothing(signed_in(cast.otto), "/projects/CHURN/bundles/v3/?bundle=v2")


def test_an_outsider_gets_nothing(cast: Cast) -> None:
    bundle_registered(cast)
    for path in (V1, "/projects/CHURN/bundles/none/"):
        outsider_sees_nothing(signed_in(cast.otto), path)
    outsider_sees_nothing(signed_in(cast.dev), "/projects/CHURN/bundles/none/")
    outsider_sees_nothing(signed_in(cast.otto), V1 + "collect/", post=True)
    outsider_sees_nothing(signed_in(cast.otto), V1 + "documents/", post=True)


def test_while_it_is_registered_the_page_looks_again_and_then_stops(cast: Cast) -> None:
    bundle = bundle_asked(cast)
    client = signed_in(cast.dev)
    assert 'hx-trigger="every 2s"' in client.get(V1).content.decode()
    part = client.get(V1, headers=HTMX)
    assert "Being registered" in words(part)
    assert "<html" not in part.content.decode()
    Bundle.objects.filter(pk=bundle.pk).update(
        status="failed", problem="The design node does not answer. Try again."
    )
    over = client.get(V1, headers=HTMX)
    assert (over.headers["HX-Refresh"], over.content) == ("true", b"")
    page = client.get(V1)
    assert 'hx-trigger="every' not in page.content.decode()
    assert "It could not be registered The design node does not answer. Try again." in words(page)


def test_evidence_is_asked_for_once_and_followed(cast: Cast) -> None:
    runs_in(cast, bundle_registered(cast), cast.qa)
    client = signed_in(cast.dev)
    for _twice in range(2):
        answer = client.post(V1 + "collect/", {"stage": "qa", "what": "fairness"}, follow=True)
        assert "Collecting fairness at QA" in words(answer)
    assert Collection.objects.count() == 1
    assert "Collecting fairness" in words(client.get(V1 + "?part=collections", headers=HTMX))
    Collection.objects.update(status="failed", problem="The dataset has no column “offer”. Add it.")
    assert client.get(V1 + "?part=collections", headers=HTMX).headers["HX-Refresh"] == "true"
    assert "Fairness at QA could not be collected The dataset has no column “offer”. Add it." in words(
        client.get(V1)
    )


def test_who_may_not_ask_cannot_collect(cast: Cast) -> None:
    runs_in(cast, bundle_registered(cast), cast.qa)
    assert "No row of data" not in words(signed_in(cast.fay).get(V1))
    refused(
        signed_in(cast.fay).post(V1 + "collect/", {"stage": "qa", "what": "fairness"}),
        403,
        "You need the right to ask for a promotion",
    )


def test_what_cannot_be_collected_is_said(cast: Cast) -> None:
    bundle_registered(cast)
    refused(
        signed_in(cast.dev).post(V1 + "collect/", {"stage": "qa", "what": "horoscope"}),
        400,
        "“horoscope” cannot be collected",
    )


def test_a_document_is_written_and_read(cast: Cast) -> None:
    bundle_registered(cast)
    client = signed_in(cast.dev)
    answer = client.post(
        V1 + "documents/",
        {"kind": "intended-use", "title": "What it is for", "text": "# Purpose\n<b>Offers</b>"},
        follow=True,
    )
    assert "“What it is for” is recorded and pinned by its digest." in words(answer)
    document = Document.objects.get()
    page = client.get(f"/documents/{document.pk}/")
    assert "&lt;b&gt;Offers&lt;/b&gt;" in page.content.decode()
    saved = client.get(f"/documents/{document.pk}/?download")
    assert saved.content == b"# Purpose\n<b>Offers</b>"
    assert saved.headers["Content-Disposition"] == 'attachment; filename="CHURN-v1-intended-use.md"'
    outsider_sees_nothing(signed_in(cast.otto), f"/documents/{document.pk}/")


@pytest.mark.parametrize("field", ["title", "text"])
def test_an_empty_document_is_named_on_its_field(cast: Cast, field: str) -> None:
    bundle_registered(cast)
    filled = {"kind": "intended-use", "title": "Title", "text": "Text", field: " "}
    answer = signed_in(cast.dev).post(V1 + "documents/", filled)
    assert answer.status_code == 400
    assert list(answer.context["document_form"].errors) == [field]
    assert not Document.objects.exists()


def test_its_queries_do_not_depend_on_its_history(cast: Cast) -> None:
    bundle = bundle_registered(cast)
    all_but_signed(cast, bundle)
    client = signed_in(cast.dev)
    few = queries_of(client, V1)
    row = Document.objects.get(kind="intended-use")
    Document.objects.bulk_create(
        Document(
            kind=f"note-{n}",
            project=row.project,
            bundle=bundle,
            parts=row.parts,
            title=f"Note {n}",
            origin="written",
            digest=row.digest,
            content_id=row.content_id,
            author=cast.dev,
        )
        for n in range(300)
    )
    assert queries_of(client, V1) == few


def test_test_results_can_be_had_as_junit(cast: Cast) -> None:
    all_but_signed(cast, bundle_registered(cast))
    tests = Evidence.objects.get(kind=Evidence.Kind.TESTS)
    path = f"/evidence/{tests.pk}/junit/"
    assert path in signed_in(cast.fay).get(V1).content.decode()
    answer = signed_in(cast.fay).get(path)
    assert "attachment" in answer.headers["Content-Disposition"]
    report = junit.parse(answer.content)
    assert report.green
    assert len(report.cases) == 1
    outsider_sees_nothing(signed_in(cast.otto), path)
    fairness = Evidence.objects.get(kind=Evidence.Kind.FAIRNESS)
    outsider_sees_nothing(signed_in(cast.fay), f"/evidence/{fairness.pk}/junit/")
