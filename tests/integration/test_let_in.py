"""A signature of somebody whom another lately let in may be that other's: refused where they have a part in it."""

from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings

from deployments.actions import promotions, requests
from deployments.judging import judge_now
from deployments.models import DeploymentRequest
from governance.actions import signoffs
from governance.models import SignOff
from portal import ledger
from portal.actions import accounts, delegations, grants, identities, leaving, people
from portal.errors import Forbidden
from portal.event_kinds import EventKind
from portal.let_in import APART, LetIn, could_be, let_in
from portal.models import Event, Person, Right, Session
from portal.reauthentication import Password
from tests.cast import Cast
from tests.factories import all_but_signed, bundle_registered
from tests.integration.test_signoffs import FAIRNESS, finding, sign
from tests.pages import signed_in, words

NEW = "a-password-of-her-own-1"


@pytest.fixture(autouse=True)
def _no_cooling_off(settings: Settings) -> None:
    """What bars here is who let in whom, not that the cast was given its rights a moment ago."""
    settings.COOLING_OFF_SECONDS = 0


def reset(by: Person, person: Person) -> None:
    row, _code = accounts.give_reset(by=by, person=person)
    person.refresh_from_db()
    accounts.use_reset(by=person, reset=row, new=NEW)


def to_sign(cast: Cast, by: Person) -> DeploymentRequest:
    """All but signed, asked for by somebody."""
    bundle = bundle_registered(cast)
    all_but_signed(cast, bundle)
    request = requests.submit(by=by, bundle=bundle, lane=cast.prod, why="It is green.")
    return DeploymentRequest.objects.select_related(
        "bundle__author", "lane__project", "lane__stage", "requested_by"
    ).get(pk=request.pk)


def asks(cast: Cast, person: Person) -> None:
    grants.grant(by=cast.abe, person=person, right=Right.REQUEST, project=cast.churn, why="Asks, too.")


def with_new(request: DeploymentRequest, by: Person, role: str = "fairness", **wish: str) -> SignOff:
    return sign(request, by, proof=Password(NEW), requirement=f"sign_off:{role}", **wish)


def test_who_let_the_signer_in_and_asks_gets_no_signature_of_theirs(cast: Cast) -> None:
    asks(cast, cast.ada)
    reset(cast.ada, cast.fay)
    request = to_sign(cast, cast.ada)
    with pytest.raises(Forbidden) as refused:
        with_new(request, cast.fay)
    assert refused.value.code == "barred"
    assert refused.value.sentence == (
        "You lately got a new way to sign in from Ada Novak, who asked for this or made it, so your signature would"
        " not be independent of theirs. Somebody else with the role has to sign."
    )
    assert str(cast.fay.pk) not in finding(request).unblock
    page = words(signed_in(cast.fay).get(f"/projects/CHURN/requests/{request.pk}/sign/{FAIRNESS}/"))
    assert "You lately got a new way to sign in from Ada Novak" in page


def test_a_signature_given_before_they_asked_does_not_count_either(cast: Cast) -> None:
    asks(cast, cast.ada)
    reset(cast.ada, cast.fay)
    first = to_sign(cast, cast.dev)
    with_new(first, cast.fay)
    assert finding(first).state == "met"
    requests.withdraw(by=cast.dev, request=first, why="Not now.")
    again = requests.submit(by=cast.ada, bundle=first.bundle, lane=cast.prod, why="Now.")
    again = DeploymentRequest.objects.select_related(
        "bundle__author", "lane__project", "lane__stage", "requested_by"
    ).get(pk=again.pk)
    assert finding(again).state == "not_met"
    (word,) = finding(again).params["not_counted"]
    assert (word["barred"], word["whom"]) == ("requester", str(cast.ada.pk))
    # The case as it is kept says so, too, and gives the same verdict.
    judged = judge_now(again)
    assert [one.let_in for one in judged.case.signoffs] == [(str(cast.ada.pk),)]


def test_it_passes_and_somebody_who_has_no_part_in_it_may_help(cast: Cast) -> None:
    asks(cast, cast.ada)
    reset(cast.abe, cast.fay)
    request = to_sign(cast, cast.ada)
    with_new(request, cast.fay)
    assert finding(request).state == "met"


def test_who_let_the_asker_in_does_not_sign(cast: Cast) -> None:
    grants.grant(
        by=cast.abe, person=cast.ada, right=Right.SIGN, role="fairness", project=cast.churn, why="Signs."
    )
    reset(cast.ada, cast.dev)
    request = to_sign(cast, cast.dev)
    with pytest.raises(Forbidden, match="You lately gave whoever asked for this promotion"):
        sign(request, cast.ada)


def test_who_let_a_signer_in_does_not_start_it(cast: Cast) -> None:
    grants.grant(by=cast.abe, person=cast.ada, right=Right.PROMOTE, project=cast.churn, why="Starts.")
    reset(cast.ada, cast.fay)
    request = to_sign(cast, cast.dev)
    with_new(request, cast.fay)
    for role, who in (("explainability", cast.eli), ("model-risk", cast.ravi)):
        sign(request, who, requirement=f"sign_off:{role}")
    assert judge_now(request).verdict.met
    with pytest.raises(Forbidden) as refused:
        promotions.promote(by=cast.ada, request=request)
    assert refused.value.code == "promoter_signed"
    assert refused.value.sentence.startswith("You lately gave somebody who signed for this bundle")
    page = words(signed_in(cast.ada).get(f"/projects/CHURN/requests/{request.pk}/"))
    assert "You lately gave somebody who signed for this bundle" in page


def test_nor_does_whom_a_signer_let_in(cast: Cast) -> None:
    grants.grant(
        by=cast.abe, person=cast.ada, right=Right.SIGN, role="fairness", project=cast.churn, why="Signs."
    )
    reset(cast.ada, cast.mona)
    request = to_sign(cast, cast.dev)
    sign(request, cast.ada)
    for role, who in (("explainability", cast.eli), ("model-risk", cast.ravi)):
        sign(request, who, requirement=f"sign_off:{role}")
    with pytest.raises(Forbidden, match="Whoever lately gave you a new way to sign in signed"):
        promotions.promote(by=cast.mona, request=request)
    page = words(signed_in(cast.mona).get(f"/projects/CHURN/requests/{request.pk}/"))
    assert "Whoever lately gave you a new way to sign in signed" in page
    assert "it can start" not in words(signed_in(cast.mona).get("/inbox/"))


def test_a_team_that_one_administrator_added_goes_on(cast: Cast) -> None:
    """Asking, signing and starting, all by accounts whose first codes Ada made a moment ago."""
    for person in (cast.dev, cast.fay, cast.eli, cast.ravi, cast.mona):
        Person.objects.filter(pk=person.pk).update(password="!", last_login=None)
        person.refresh_from_db()
        reset(cast.ada, person)
    request = to_sign(cast, cast.dev)
    for role, who in (("fairness", cast.fay), ("explainability", cast.eli), ("model-risk", cast.ravi)):
        with_new(request, who, role)
    assert promotions.promote(by=cast.mona, request=request).status == "running"


def test_who_let_back_in_both_who_asks_and_who_signs_could_be_both(cast: Cast) -> None:
    reset(cast.ada, cast.dev)
    reset(cast.ada, cast.fay)
    request = to_sign(cast, cast.dev)
    with pytest.raises(Forbidden, match="You lately got a new way to sign in from Ada Novak"):
        with_new(request, cast.fay)


def test_nor_is_it_started_by_somebody_who_could_be_a_signer(cast: Cast) -> None:
    reset(cast.ada, cast.mona)
    reset(cast.ada, cast.fay)
    request = to_sign(cast, cast.dev)
    with_new(request, cast.fay)
    for role, who in (("explainability", cast.eli), ("model-risk", cast.ravi)):
        sign(request, who, requirement=f"sign_off:{role}")
    with pytest.raises(Forbidden, match="signed for this bundle, or let in who did"):
        promotions.promote(by=cast.mona, request=request)


def test_two_whom_one_let_back_in_are_one(cast: Cast) -> None:
    reset(cast.abe, cast.fay)
    reset(cast.abe, cast.eli)
    request = to_sign(cast, cast.dev)
    with_new(request, cast.fay)
    with_new(request, cast.eli, "explainability")
    assert sorted(finding(request, f"sign_off:{role}").state for role in ("fairness", "explainability")) == [
        "met",
        "not_met",
    ]


# --- who let in whom -------------------------------------------------------------------------------------------------


def test_it_lasts_seven_days_from_the_way_in(cast: Cast) -> None:
    reset(cast.ada, cast.fay)
    (event,) = ledger.events(kinds=[EventKind.PASSWORD_RESET])
    at = Event.objects.get(seq=event.seq).at
    second, ada = timedelta(seconds=1), frozenset({cast.ada.pk})
    asked = [at - second, at, at + APART - second, at + APART]
    told = LetIn(ada, ada, at + APART)
    assert let_in([(cast.fay.pk, moment) for moment in asked]) == [LetIn(), told, told, LetIn()]
    assert let_in([(cast.eli.pk, at)]) == [LetIn()]


def test_the_first_way_in_takes_nobodys_account_over(cast: Cast) -> None:
    new = people.add_person(by=cast.ada, login="new", name="New Person")
    accounts.give_reset(by=cast.ada, person=new)
    row, _code = accounts.give_reset(by=cast.abe, person=new)  # the first was lost
    now = timezone.now()
    (told,) = let_in([(new.pk, now)])
    assert told.by == {cast.ada.pk, cast.abe.pk}
    assert not told.again
    accounts.use_reset(by=new, reset=row, new=NEW)
    accounts.give_reset(by=cast.abe, person=Person.objects.get(pk=new.pk))
    (told,) = let_in([(new.pk, timezone.now())])
    assert told.again == {cast.abe.pk}


def test_a_linked_account_is_a_way_in_and_what_a_directory_calls_somebody_is_none(
    cast: Cast, settings: Settings
) -> None:
    settings.PROVIDERS = {"oidc"}
    identities.link(by=cast.ada, person=cast.fay, provider="oidc", subject="fay@example.org")
    (told,) = let_in([(cast.fay.pk, timezone.now())])
    assert told.by == told.again == {cast.ada.pk}


def test_of_a_service_account_that_let_somebody_in_its_tokens_maker_did(cast: Cast) -> None:
    robot = people.add_person(by=cast.ada, login="robot", name="Robot", kind="service")
    grants.grant(by=cast.ada, person=robot, right=Right.MANAGE, why="Helps people in.")
    people.make_token(by=cast.abe, person=robot, name="helps", carrying=["manage"])
    reset(robot, cast.fay)
    told, nobody = could_be([(cast.fay, timezone.now()), (None, timezone.now())])
    assert told.by == told.again == {robot.pk, cast.abe.pk}
    assert nobody == LetIn()


def test_who_let_in_who_let_them_in_could_have_done_it(cast: Cast) -> None:
    reset(cast.ada, cast.abe)
    reset(cast.abe, cast.fay)
    (told,) = let_in([(cast.fay.pk, timezone.now())])
    assert told.by == told.again == {cast.ada.pk, cast.abe.pk}


def test_who_was_let_in_afterwards_could_not(cast: Cast) -> None:
    reset(cast.abe, cast.fay)
    reset(cast.ada, cast.abe)
    (told,) = let_in([(cast.fay.pk, timezone.now())])
    assert told.by == {cast.abe.pk}


def test_tokens_made_while_another_could_have_come_end_with_the_next_code(cast: Cast) -> None:
    before, _secret = people.make_token(by=cast.dev, name="before", carrying=["request"])
    reset(cast.ada, cast.dev)
    after, secret = people.make_token(by=cast.dev, name="by whom?", carrying=["request"])
    assert people.person_of_token(secret) == cast.dev
    accounts.give_reset(by=cast.abe, person=cast.dev)
    for token in (before, after):
        token.refresh_from_db()
    assert (before.revoked_at is None, after.revoked_at is None) == (True, False)


def test_who_could_have_made_a_robots_token_could_be_the_robot(cast: Cast) -> None:
    robot = people.add_person(by=cast.ada, login="robot", name="Robot", kind="service")
    grants.grant(by=cast.ada, person=robot, right=Right.REQUEST, project=cast.churn, why="Asks at night.")
    reset(cast.ada, cast.abe)
    people.make_token(by=cast.abe, person=robot, name="nightly", carrying=["request"])
    (told,) = could_be([(robot, timezone.now())], Right.REQUEST)
    assert told.by == {cast.abe.pk, cast.ada.pk}


def test_who_let_a_tokens_maker_in_afterwards_has_not_seen_it(cast: Cast) -> None:
    robot = people.add_person(by=cast.ada, login="robot", name="Robot", kind="service")
    grants.grant(by=cast.ada, person=robot, right=Right.REQUEST, project=cast.churn, why="Asks at night.")
    people.make_token(by=cast.abe, person=robot, name="nightly", carrying=["request"])
    reset(cast.ada, cast.abe)
    (told,) = could_be([(robot, timezone.now())], Right.REQUEST)
    assert told.by == {cast.abe.pk}


def test_unlinking_ends_what_was_begun_by_the_link(cast: Cast, settings: Settings) -> None:
    settings.PROVIDERS = {"oidc"}
    before, _secret = people.make_token(by=cast.dev, name="before", carrying=["request"])
    identity = identities.link(by=cast.ada, person=cast.dev, provider="oidc", subject="ada-at-work")
    after, _secret = people.make_token(by=cast.dev, name="by whom?", carrying=["request"])
    until = timezone.now() + timedelta(hours=1)
    for number, method in enumerate(("oidc", "password")):
        Session.objects.create(hashed=f"{number:064x}", person=cast.dev, method=method, expires_at=until)
    identities.unlink(by=cast.abe, identity=identity)
    for token in (before, after):
        token.refresh_from_db()
    assert (before.revoked_at is None, after.revoked_at is None) == (True, False)
    assert [one.method for one in Session.objects.filter(person=cast.dev)] == ["password"]


def test_a_no_is_not_taken_back_in_the_name_of_who_was_let_back_in(cast: Cast) -> None:
    request = to_sign(cast, cast.dev)
    no = sign(request, cast.fay, decision="reject", comment="Not this one.")
    reset(cast.abe, cast.fay)
    with pytest.raises(Forbidden, match="the objection stands for seven days"):
        signoffs.withdraw(by=cast.fay, signoff=no, why="It was me, really.")
    with pytest.raises(Forbidden) as refused:
        with_new(request, cast.fay)
    assert refused.value.code == "no_stands"
    assert finding(request).code == "sign_off_rejected"


def test_nor_by_way_of_another_bundle_or_of_a_stand_in(cast: Cast) -> None:
    request = to_sign(cast, cast.dev)
    sign(request, cast.fay, decision="reject", comment="Not this one.")
    reset(cast.abe, cast.fay)
    other = bundle_registered(cast, "v9", {"project_config/recipes/score.py": "score(9)"})
    all_but_signed(cast, other)
    shown = signoffs.draft(by=cast.fay, bundle=other, lane=cast.prod, requirement=FAIRNESS)
    signoffs.sign(
        by=cast.fay, proof=Password(NEW), bundle=other, lane=cast.prod, requirement=FAIRNESS,
        decision="approve", bound=shown.bound,
    )  # fmt: skip
    with pytest.raises(Forbidden, match="the objection stands"):
        with_new(request, cast.fay)
    now = timezone.now()
    delegations.delegate(by=cast.fay, delegate=cast.otto, starts_at=now, until=now + APART, why="Away.")
    with pytest.raises(Forbidden, match="the objection stands"):
        sign(request, cast.otto)


def test_an_objection_of_theirs_since_is_taken_back_by_them(cast: Cast) -> None:
    reset(cast.abe, cast.fay)
    request = to_sign(cast, cast.dev)
    no = with_new(request, cast.fay, decision="request_changes", comment="Say more.")
    signoffs.withdraw(by=cast.fay, signoff=no, why="It says more now.")
    with_new(request, cast.fay)
    assert finding(request).state == "met"


def test_a_stand_in_is_whose_who_let_in_whom_they_stand_in_for(cast: Cast) -> None:
    asks(cast, cast.ada)
    reset(cast.ada, cast.fay)
    now = timezone.now()
    delegations.delegate(by=cast.fay, delegate=cast.otto, starts_at=now, until=now + APART, why="Away.")
    request = to_sign(cast, cast.ada)
    assert str(cast.otto.pk) not in finding(request).unblock
    with pytest.raises(Forbidden):
        sign(request, cast.otto)


def test_a_request_handed_over_keeps_who_could_have_asked_for_it(cast: Cast) -> None:
    grants.grant(
        by=cast.abe, person=cast.ada, right=Right.SIGN, role="fairness", project=cast.churn, why="Signs."
    )
    asks(cast, cast.mona)
    reset(cast.ada, cast.mona)
    request = to_sign(cast, cast.mona)
    leaving.leave(by=cast.ada, person=cast.mona, heir=cast.dev, why="Left.")
    request = DeploymentRequest.objects.select_related(
        "bundle__author", "lane__project", "lane__stage", "requested_by", "on_behalf_of"
    ).get(pk=request.pk)
    assert request.requested_by == cast.dev
    with pytest.raises(Forbidden, match="You lately gave whoever asked for this promotion"):
        sign(request, cast.ada)
    assert "let_back_in" in {one.why for one in judge_now(request).case.barred}
