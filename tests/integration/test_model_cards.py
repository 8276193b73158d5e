"""A model card: filled in from what is known, written on a page and over the API, kept as a document."""

import re
from typing import Any

from governance.actions import policies
from governance.model_card import card_of, parse
from governance.model_card_fields import FIELDS
from governance.models import Collection, Document
from portal import content
from portal.models import Bundle
from tests import factories
from tests.api import session
from tests.cast import POLICY, Cast
from tests.factories import bundle_registered, collected, request_at, signed, to_read
from tests.pages import outsider_sees_nothing, queries_of, signed_in, words

PAGE = "/projects/CHURN/bundles/v1/model-card/"
API = "projects/CHURN/bundles/v1/model-card/"
RETRAINED = {"project_config/saved_models/churn_model.json": {"algorithm": "FOREST"}}


def texts(bundle: Bundle) -> dict[str, str]:
    return {one.field.key: one.text for one in card_of(bundle).sections}


def body_of(document: Document) -> str:
    return content.get(document.content_id).decode()


def all_that_is_shown(cast: Cast, bundle: Bundle) -> dict[str, str]:
    """The form as it comes, every box ticked."""
    found = {}
    for one in card_of(bundle).sections:
        found[one.field.key] = one.text.replace("\n", "\r\n")
        if not one.missing and not one.confirmed:
            found[f"confirm-{one.field.key}"] = "on"
    return found


def test_it_fills_itself_from_dss_evidence_tests_and_signatures(cast: Cast) -> None:
    bundle = bundle_registered(cast)
    wish = request_at(cast, bundle=bundle)
    factories.tests_passed(cast, bundle)
    to_read(cast, bundle)
    prod = request_at(cast, bundle=bundle, lane=cast.prod)
    signed(cast.fay, prod, "fairness")
    assert wish != prod
    known = texts(bundle)
    assert "Algorithm: logistic regression." in known["design"]
    assert "- tenure: 60.0 %" in known["design"]
    assert "It predicts churned." in known["design"]
    assert "Scored dataset: customers_scored." in known["data"]
    assert "Rows counted of it: 800." in known["data"]
    assert "- auc: 0.810" in known["performance"]
    assert "1 of 1 passed" in known["validation"]
    assert "Fairness by gender" in known["validation"]
    assert "Signed for fairness" in known["validation"]
    assert "fairness (1)" in known["human-oversight"]
    assert bundle.archive in known["version"]
    assert known["cybersecurity"] == ""
    everything = "\n".join(known.values())
    assert "Fay" not in everything  # a document cannot forget anybody
    assert not re.search(r"conform", everything)


def test_without_anything_known_all_of_it_is_missing_but_the_version(cast: Cast) -> None:
    card = card_of(bundle_registered(cast))
    assert {one.field.key for one in card.sections} - {one.field.key for one in card.missing} == {
        "version",
        "data",
        "human-oversight",
        "post-market-monitoring",
    }


def test_what_is_only_suggested_has_to_be_confirmed(cast: Cast) -> None:
    bundle = bundle_registered(cast)
    client = signed_in(cast.dev)
    page = words(client.get(PAGE))
    assert "What is known of this bundle is filled in" in page
    shown = all_that_is_shown(cast, bundle) | {"intended-purpose": "Offers."}
    del shown["confirm-version"]
    said = words(client.post(PAGE, shown, follow=True))
    assert "The model card is recorded" in said
    assert "Missing in it: Version and earlier versions, Interaction" in said
    document = Document.objects.get(kind="model-card")
    kept = parse(body_of(document))
    assert kept["intended-purpose"] == "Offers."
    assert "data" in kept
    assert "version" not in kept
    assert document.author == cast.dev
    # What was confirmed is there again, and asks no more.
    again = card_of(bundle)
    assert {one.field.key for one in again.sections if one.confirmed} == set(kept)
    assert again.written == document


def test_of_another_bundle_it_has_to_be_confirmed_again(cast: Cast) -> None:
    bundle_registered(cast)
    session(cast.dev).post(API, sections={"risks": "Offers missed.", "version": "The first."})
    second = bundle_registered(cast, "v2", RETRAINED)
    (risks,) = [one for one in card_of(second).sections if one.field.key == "risks"]
    assert (risks.text, risks.confirmed, risks.of) == ("Offers missed.", False, "v1")
    page = words(signed_in(cast.dev).get("/projects/CHURN/bundles/v2/model-card/"))
    assert "Written for v1, which has other parts" in page
    assert "What is known now" in page


def test_the_policys_sections_are_checked(cast: Cast) -> None:
    policies.publish(
        by=cast.ada,
        source=POLICY.replace(
            "- document: intended-use",
            "- document: {kind: model-card, sections: [intended purpose, cybersecurity]}",
        ),
    )
    bundle = bundle_registered(cast)
    wish = request_at(cast, bundle=bundle, lane=cast.prod)

    def line() -> Any:
        lines = session(cast.dev).get(f"requests/{wish.pk}/gate/")["findings"]
        return next(one for one in lines if one["key"] == "document:model-card")

    page = signed_in(cast.dev).get(PAGE).content.decode()
    assert page.count("<details id=") == len(FIELDS)
    opened = re.findall(r'<details id="section-([^"]+)" open>', page)
    assert opened == ["intended-purpose", "cybersecurity"]
    assert line()["code"] == "document_missing"
    session(cast.dev).post(API, sections={"intended-purpose": "Offers."})
    assert (line()["code"], line()["params"]["absent"]) == ("document_sections_missing", ["cybersecurity"])
    session(cast.dev).post(API, sections={"intended-purpose": "Offers.", "cybersecurity": "A firewall."})
    assert line()["state"] == "met"


def test_over_the_api_its_sections_are_listed_and_refused_by_name(cast: Cast) -> None:
    bundle_registered(cast)
    told = session(cast.fay).get(API)
    assert [one["section"] for one in told["sections"]] == [field.key for field in FIELDS]
    assert told["about"] == "Regulation (EU) 2024/1689, Annex IV"
    assert told["document"] is None
    for sections, says in (
        ({}, "empty"),
        ({"nonsense": "x"}, "no section"),
        ({"data": "# Risks"}, "heading"),
        ({"data": ["x"]}, ""),
        ("x", ""),
    ):
        problem = session(cast.dev).refused(400, "post", API, {"sections": sections})
        assert says in str(problem)
    made = session(cast.dev).post(API, sections={"data": "Customers."})
    assert (made["kind"], made["origin"]) == ("model-card", "written")
    assert session(cast.fay).get(API)["document"] == made["id"]


def test_it_takes_the_right_to_request(cast: Cast) -> None:
    bundle_registered(cast)
    assert signed_in(cast.fay).get(PAGE).status_code == 403
    assert session(cast.fay).refused(403, "post", API, {"sections": {"data": "x"}})["code"] == "right_missing"
    outsider_sees_nothing(signed_in(cast.otto), PAGE, post=True)
    session(cast.otto).absent("get", API)
    assert not Document.objects.exists()


def test_a_heading_in_a_section_is_told_beside_it_and_nothing_is_lost(cast: Cast) -> None:
    bundle_registered(cast)
    answer = signed_in(cast.dev).post(PAGE, {"data": "# Other", "risks": "Offers missed."})
    assert answer.status_code == 400
    assert "holds a heading" in words(answer)
    assert "Offers missed." in answer.content.decode()


def test_queries_do_not_grow_with_versions(cast: Cast) -> None:
    bundle = bundle_registered(cast)
    collected(cast, bundle, Collection.What.EXPLAINABILITY)
    client = signed_in(cast.dev)
    session(cast.dev).post(API, sections={"data": "Customers."})
    few = queries_of(client, PAGE)
    for number in range(12):
        session(cast.dev).post(API, sections={"data": f"Customers {number}."})
    assert queries_of(client, PAGE) == few
