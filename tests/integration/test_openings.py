"""What stood on pages a signer opened before goes into the statement, recorded and never bound."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from deployments.actions import signing
from deployments.judging import judge_now
from deployments.models import Deployment, DeploymentRequest
from governance.models import Document, Evidence, Opening, SignOff
from portal import content
from portal.demo.cast import PASSWORD
from portal.models import Place
from portal.reauthentication import Password
from tests.cast import Cast
from tests.factories import bundle_registered, runs_in, signed
from tests.pages import signed_in, words

KEY = "sign_off:fairness"


@pytest.fixture
def wish(unsigned: DeploymentRequest) -> DeploymentRequest:
    return unsigned


def recorded(signoff: SignOff) -> list[dict[str, str]]:
    said = json.loads(content.get(signoff.statement_id))["predicate"]["recorded"]
    return said.get("opened", [])


def sign(cast: Cast, wish: DeploymentRequest) -> SignOff:
    bound = signing.draft(by=cast.fay, request=wish, requirement=KEY).bound
    return signing.sign(
        by=cast.fay,
        proof=Password(PASSWORD),
        request=wish,
        requirement=KEY,
        decision="approve",
        bound=bound,
    )


def test_nothing_opened_says_nothing(cast: Cast, wish: DeploymentRequest) -> None:
    assert recorded(sign(cast, wish)) == []


def test_the_page_of_the_signature_counts_with_all_that_stands_on_it(
    cast: Cast, wish: DeploymentRequest
) -> None:
    other = bundle_registered(cast, "v0", {"project_config/recipes/score.py": "old()"})
    there = runs_in(cast, other, cast.qa)
    place = Place.objects.get(stage=cast.prod.stage)
    Deployment.objects.create(
        lane=cast.prod, place=place, bundle=other, promotion=there.promotion, since=timezone.now()
    )
    signed_in(cast.fay).get(f"{wish.address}sign/{KEY}/")
    told = recorded(sign(cast, wish))
    evidence = Evidence.objects.filter(bundle=wish.bundle, kind="fairness").latest("pk").digest
    text = Document.objects.filter(bundle=wish.bundle, kind="intended-use").latest("pk").digest
    by_digest = {one["digest"]: one for one in told}
    assert by_digest[evidence]["what"] == "evidence"
    assert by_digest[text]["what"] == "document"
    assert "difference" in {one["what"] for one in told}
    assert all(one["first"] <= one["last"] for one in told)
    assert judge_now(wish).verdict.findings


def test_reading_a_document_again_moves_the_last_time_alone(cast: Cast, wish: DeploymentRequest) -> None:
    text = Document.objects.filter(bundle=wish.bundle, kind="intended-use").latest("pk")
    client = signed_in(cast.fay)
    client.get(f"/documents/{text.pk}/")
    Opening.objects.update(
        first_at=timezone.now() - timedelta(hours=1), last_at=timezone.now() - timedelta(hours=1)
    )
    client.get(f"/documents/{text.pk}/")
    row = Opening.objects.get()
    assert timezone.now() - row.first_at > timedelta(minutes=59)
    assert timezone.now() - row.last_at < timedelta(minutes=1)


def test_what_others_opened_is_not_told(cast: Cast, wish: DeploymentRequest) -> None:
    signed_in(cast.eli).get(f"{wish.address}sign/sign_off:explainability/")
    assert recorded(sign(cast, wish)) == []


def test_it_is_never_bound(cast: Cast, wish: DeploymentRequest) -> None:
    before = signing.draft(by=cast.fay, request=wish, requirement=KEY).bound
    signed_in(cast.fay).get(f"{wish.address}sign/{KEY}/")
    assert signing.draft(by=cast.fay, request=wish, requirement=KEY).bound == before


def test_the_page_shows_earlier_decisions_and_what_was_said(cast: Cast, wish: DeploymentRequest) -> None:
    signed(cast.eli, wish, "explainability", comment="The features make sense.")
    signed_in(cast.dev).post(f"{wish.address}conversation/", {"text": "Counted on all of it."})
    page = words(signed_in(cast.fay).get(f"{wish.address}sign/{KEY}/"))
    assert "Eli Brandt, explainability of v1" in page
    assert "The features make sense." in page
    assert "Counted on all of it." in page
