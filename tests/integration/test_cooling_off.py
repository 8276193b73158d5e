"""Who changed the rights or the rules that a request depends on does not sign for it for a while."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import yaml
from django.db import transaction
from django.utils import timezone

from deployments import inbox
from deployments.judging import Judged, findings_in_words, judge_many, judge_now
from deployments.models import DeploymentRequest
from governance.actions import policies, tiers
from governance.gate import Finding, judge, parse_instant
from portal import ledger
from portal.actions import (
    accounts,
    changes,
    delegations,
    edits,
    landscape,
    mappings,
    people,
    portfolios,
    provisioning,
)
from portal.errors import Forbidden
from portal.estate_file import current
from portal.event_kinds import EventKind
from portal.models import Change, DirectoryGroup, Grant, Person, Portfolio, Right, Team
from portal.models.identity import Source
from tests.api import session
from tests.cast import POLICY, Cast
from tests.factories import all_but_signed, bundle_registered, request_at, signed
from tests.pages import signed_in, words

FAIRNESS = "sign_off:fairness"
WHY = "It has to be."
HOURS = 2


@pytest.fixture(autouse=True)
def two_hours(settings: Any) -> None:
    settings.COOLING_OFF_SECONDS = HOURS * 3600


def may_sign(cast: Cast, person: Person) -> None:
    """Ada gives a person the role, too."""
    edits.give_right(
        by=cast.ada, person=person, right=Right.SIGN, role="fairness", project=cast.churn, why=WHY
    )


def ready(cast: Cast) -> DeploymentRequest:
    """A request for production that lacks signatures only; Abe, an administrator who did nothing yet, may sign."""
    bundle = bundle_registered(cast)
    all_but_signed(cast, bundle)
    may_sign(cast, cast.abe)
    return request_at(cast, bundle=bundle, lane=cast.prod)


def bars(request: DeploymentRequest, person: Person) -> set[str]:
    """Why the person is kept from signing for a while."""
    fresh = DeploymentRequest.objects.select_related("lane__project", "lane__stage").get(pk=request.pk)
    return {one.why for one in judge_now(fresh).case.barred if one.person == str(person.pk) and one.until}


def of(judged: Judged) -> Finding:
    return next(one for one in judged.verdict.findings if one.key == FAIRNESS)


def give(cast: Cast, **where: Any) -> Change:
    """Abe lets Otto look, somewhere."""
    return edits.give_right(by=cast.abe, person=cast.otto, right=Right.VIEW, why=WHY, **where)


def alter(cast: Cast, edit: Callable[[dict[str, Any]], object]) -> Change:
    """Abe brings the estate to a document."""
    document = current()
    edit(document)
    return landscape.bring(by=cast.abe, document=document, why=WHY)


def node(slug: str) -> Callable[[dict[str, Any]], object]:
    return lambda document: document["nodes"][slug].update(key_name="other")


def tier(cast: Cast, first: Person, second: Person) -> None:
    changes.apply(by=second, change=tiers.propose(by=first, project=cast.churn, tier="strict", why=WHY))


def with_tier(name: str) -> str:
    """The policy with one more tier, which asks what the critical one does."""
    document = yaml.safe_load(POLICY)
    document["tiers"][name] = deepcopy(document["tiers"]["critical"])
    return str(yaml.safe_dump(document, sort_keys=False))


def portfolio(cast: Cast, *, inside: bool) -> Portfolio:
    return Portfolio.objects.get(slug="credit" if inside else "empty")


def empty_team(cast: Cast) -> Team:
    return people.add_team(by=cast.ada, name="Nobody's")


def absence(cast: Cast, person: Person) -> Change:
    until = timezone.now() + timedelta(days=3)
    return delegations.delegate_for(by=cast.abe, person=person, delegate=cast.nora, until=until, why=WHY)


def ended(cast: Cast) -> None:
    made = delegations.delegate(
        by=cast.eli, delegate=cast.nora, until=timezone.now() + timedelta(days=3), why=WHY
    )
    delegations.end(by=cast.abe, delegation=made)


RIGHTS, RULES, NOTHING = {"changed_rights"}, {"changed_policy"}, set[str]()
# What Abe does, and what it keeps him from signing for in production of churn.
ACTS: dict[str, tuple[Callable[[Cast], object], set[str]]] = {
    "gives a right on the project": (lambda cast: give(cast, project=cast.churn), RIGHTS),
    "gives one at this stage": (lambda cast: give(cast, project=cast.churn, stage="prod"), RIGHTS),
    "gives one at another stage": (lambda cast: give(cast, project=cast.churn, stage="qa"), NOTHING),
    "gives one on another project": (lambda cast: give(cast, project=cast.maint), NOTHING),
    "gives one on the estate": (give, RIGHTS),
    "gives one on the estate for another stage": (lambda cast: give(cast, stage="qa"), NOTHING),
    "gives one on its portfolio": (lambda cast: give(cast, portfolio=portfolio(cast, inside=True)), RIGHTS),
    "gives one on another": (lambda cast: give(cast, portfolio=portfolio(cast, inside=False)), NOTHING),
    "revokes one": (
        lambda cast: edits.take_right(by=cast.abe, grant=Grant.objects.get(person=cast.mona), why=WHY),
        RIGHTS,
    ),
    "puts it into a portfolio": (
        lambda cast: edits.edit(
            by=cast.abe,
            ops=[edits.put(portfolio=portfolio(cast, inside=False), project=cast.churn, why=WHY)],
            why=WHY,
        ),
        RIGHTS,
    ),
    "takes it out of one": (
        lambda cast: edits.edit(
            by=cast.abe,
            ops=[edits.take_out(portfolio=portfolio(cast, inside=True), project=cast.churn, why=WHY)],
            why=WHY,
        ),
        RIGHTS,
    ),
    "lets somebody join a team that holds rights": (
        lambda cast: edits.put_member(by=cast.abe, team=cast.team, person=cast.otto, why=WHY),
        RIGHTS,
    ),
    "takes somebody out of it": (
        lambda cast: edits.take_member(by=cast.abe, team=cast.team, person=cast.dev, why=WHY),
        RIGHTS,
    ),
    "lets somebody join one that holds none": (
        lambda cast: edits.put_member(by=cast.abe, team=empty_team(cast), person=cast.otto, why=WHY),
        NOTHING,
    ),
    "lets a group mean that team": (
        lambda cast: mappings.map_group(by=cast.abe, provider="scim", group="g", team=cast.team, why=WHY),
        RIGHTS,
    ),
    "says that a signer is away": (lambda cast: absence(cast, cast.eli), RIGHTS),
    "says that of who promotes": (lambda cast: absence(cast, cast.mona), RIGHTS),
    "says that of somebody else": (lambda cast: absence(cast, cast.otto), NOTHING),
    "ends that a signer is away": (ended, RIGHTS),
    "changes the pipeline": (
        lambda cast: alter(cast, lambda document: document["pipelines"]["standard"].update(name="New")),
        RIGHTS,
    ),
    "changes a node it runs on": (lambda cast: alter(cast, node("auto-prod")), RIGHTS),
    "changes the node it is built on": (lambda cast: alter(cast, node("design")), RIGHTS),
    "changes another node": (lambda cast: alter(cast, node("spare")), NOTHING),
    "proposes its tier": (lambda cast: tier(cast, cast.abe, cast.ada), RULES),
    "applies its tier": (lambda cast: tier(cast, cast.ada, cast.abe), RULES),
    "publishes its policy": (
        lambda cast: policies.propose(by=cast.abe, source=POLICY.replace("min: 0.8", "min: 0.7"), why=WHY),
        RULES,
    ),
    "publishes it, and somebody another version": (
        lambda cast: [
            policies.propose(by=by, source=POLICY.replace("min: 0.8", f"min: {least}"), why=WHY)
            for by, least in ((cast.abe, "0.7"), (cast.ada, "0.75"))
        ],
        RULES,
    ),
    "publishes another policy": (
        lambda cast: policies.propose(
            by=cast.abe, source=POLICY.replace("demo-policy", "other-policy"), why=WHY
        ),
        NOTHING,
    ),
    "adds a person": (lambda cast: people.add_person(by=cast.abe, login="ida", name="Ida"), NOTHING),
    "leaves work to somebody": (
        lambda cast: delegations.delegate(
            by=cast.abe, delegate=cast.otto, until=timezone.now() + timedelta(days=3), why=WHY
        ),
        NOTHING,
    ),
}


def test_who_changed_what_a_request_depends_on_is_kept_from_signing(cast: Cast) -> None:
    """Everything in one world, undone after each: a world of its own for each would take long."""
    policies.propose(by=cast.ada, source=with_tier("strict"), why=WHY)
    inside = portfolios.add_portfolio(by=cast.ada, name="Credit")
    portfolios.add_portfolio(by=cast.ada, name="Empty")
    portfolios.put_project(by=cast.ada, portfolio=inside, project=cast.churn)
    spare = {"name": "Spare", "kind": "automation", "url": "https://spare.example.com", "key_name": "spare"}
    landscape.add(by=cast.ada, noun="node", slug="spare", said=spare, why=WHY)
    DirectoryGroup.objects.create(name="g", made_by=cast.ada)
    request = ready(cast)
    assert bars(request, cast.abe) == NOTHING
    found = {}
    for name, (act, _expected) in ACTS.items():
        undo = transaction.savepoint()
        act(cast)
        found[name] = bars(request, cast.abe)
        transaction.savepoint_rollback(undo)
    assert found == {name: expected for name, (_act, expected) in ACTS.items()}


def test_proposing_and_applying_are_both_changing(cast: Cast, settings: Any) -> None:
    request = ready(cast)
    may_sign(cast, cast.nora)
    edits.give_right(by=cast.ada, person=cast.nora, right=Right.MANAGE, why=WHY)
    settings.SECOND_ADMIN = True
    change = give(cast, project=cast.churn)
    assert bars(request, cast.abe) == NOTHING  # nothing is changed yet
    changes.apply(by=cast.nora, change=change)
    assert (bars(request, cast.abe), bars(request, cast.nora)) == (RIGHTS, RIGHTS)
    held = Grant.objects.get(person=cast.otto)
    op = edits.give(person=cast.dev, right=Right.VIEW, project=cast.maint, why=WHY)
    change = edits.edit(by=cast.abe, ops=[edits.take(grant=held, why=WHY), op], why=WHY)
    Grant.objects.filter(pk=held.pk).update(given_at=timezone.now() - timedelta(days=1))
    assert bars(request, cast.nora) == NOTHING
    changes.apply(by=cast.nora, change=change)  # it takes one right here, and gives one elsewhere
    assert (bars(request, cast.abe), bars(request, cast.nora)) == (RIGHTS, RIGHTS)


def test_who_made_a_robots_token_changed_what_the_robot_did(cast: Cast) -> None:
    request = ready(cast)
    robot = people.add_person(by=cast.ada, login="git", name="The repository", kind="service")
    edits.give_right(by=cast.ada, person=robot, right=Right.MANAGE, why=WHY)
    people.make_token(by=cast.eli, name="Eli's own")
    people.make_token(by=cast.abe, person=robot, name="reads", carrying=["audit"])
    give: dict[str, Any] = {"person": cast.otto, "right": Right.VIEW, "project": cast.churn, "why": WHY}
    edits.give_right(by=robot, **give)
    assert bars(request, cast.abe) == NOTHING
    people.make_token(by=cast.abe, person=robot, name="manages", carrying=["manage"])
    assert bars(request, cast.abe) == NOTHING  # made after
    edits.give_right(by=robot, **{**give, "stage": "prod"})
    assert bars(request, cast.abe) == RIGHTS


def test_who_enables_an_account_gives_its_rights_back(cast: Cast) -> None:
    request = ready(cast)
    for person in (cast.mona, cast.otto):
        accounts.disable(by=cast.ada, person=person, why=WHY)
    accounts.enable(by=cast.abe, person=cast.otto, why=WHY)  # who holds nothing here
    assert bars(request, cast.abe) == NOTHING
    accounts.enable(by=cast.abe, person=cast.mona, why=WHY)
    assert bars(request, cast.abe) == RIGHTS


def test_who_made_a_directory_s_token_changed_whom_the_directory_brought(cast: Cast) -> None:
    request = ready(cast)
    robot = people.add_person(by=cast.ada, login="scim", name="The directory", kind="service")
    edits.give_right(by=cast.ada, person=robot, right=Right.PROVISION, why=WHY)
    people.make_token(by=cast.abe, person=robot, name="scim", carrying=["provision"])
    mappings.map_group(by=cast.ada, provider=Source.SCIM, group="risk", team=cast.team, why=WHY)
    ida = provisioning.add_person(by=robot, wish=provisioning.Wish("ida", "Ida Berg"))
    assert bars(request, cast.abe) == NOTHING
    provisioning.put_group(by=robot, name="risk", members=[ida])
    assert ida in cast.team.members
    assert bars(request, cast.abe) == RIGHTS


def test_a_signature_before_the_change_counts_again_after_a_while(cast: Cast) -> None:
    request = ready(cast)
    signed(cast.abe, request, "fairness")
    assert of(judge_now(request)).state == "met"
    give(cast, project=cast.churn)
    judged = judge_now(request)
    finding = of(judged)
    assert finding.state == "not_met"
    assert str(cast.fay.pk) in finding.unblock
    assert str(cast.abe.pk) not in finding.unblock
    (row,) = [one for one in findings_in_words(judged) if one["key"] == FAIRNESS]
    assert "signed, but lately changed the rights here or where it runs" in row["sentence"]
    until = finding.holds_until
    assert until is not None
    left = parse_instant(until) - timezone.now()
    assert timedelta(hours=HOURS, minutes=-5) < left <= timedelta(hours=HOURS)
    assert judged.verdict.holds_until is not None
    assert judged.verdict.holds_until <= until
    later = judge(replace(judged.case, at=until))
    assert next(one for one in later.findings if one.key == FAIRNESS).state == "met"


def test_it_is_said_alike_wherever_somebody_would_sign(cast: Cast) -> None:
    request = ready(cast)
    assert [one.sign for one in inbox.waits_for(cast.abe).found] == [(FAIRNESS,)]
    give(cast, project=cast.churn)
    assert inbox.waits_for(cast.abe).found == []
    with pytest.raises(Forbidden) as refusal:
        signed(cast.abe, request, "fairness")
    said = refusal.value.sentence
    assert (refusal.value.code, said[:62]) == (
        "barred",
        "You changed the rights here or where it runs, so you cannot si",
    )
    assert "Somebody else with the role has to sign." in said
    assert "UTC" in said
    told = ledger.events(kinds=[EventKind.ACCESS_REFUSED])[-1]
    assert (told.facts["code"], told.facts["reason"]) == ("barred", said)
    assert session(cast.abe).get(f"requests/{request.pk}/signing/?requirement={FAIRNESS}")["barred"] == said
    page = signed_in(cast.abe).get(f"/projects/CHURN/requests/{request.pk}/sign/{FAIRNESS}/")
    assert said in words(page)
    assert "Approve" not in words(page)


def test_a_delegate_and_who_is_away_are_kept_from_it_both(cast: Cast) -> None:
    request = ready(cast)
    delegations.delegate(
        by=cast.abe, delegate=cast.otto, until=timezone.now() + timedelta(days=3), why="Leave"
    )
    give(cast, project=cast.churn)
    with pytest.raises(Forbidden) as refusal:
        signed(cast.otto, request, "fairness")
    assert "You would sign for Abe" in refusal.value.sentence
    assert "lately changed the rights here" in refusal.value.sentence
    assert {str(cast.abe.pk), str(cast.otto.pk)} & {*of(judge_now(request)).unblock} == set()


def test_after_the_time_and_without_one_nobody_is_kept_from_it(cast: Cast, settings: Any) -> None:
    request = ready(cast)
    give(cast, project=cast.churn)
    assert bars(request, cast.abe) == RIGHTS
    Grant.objects.filter(person=cast.otto).update(given_at=timezone.now() - timedelta(hours=HOURS))
    assert bars(request, cast.abe) == NOTHING
    Grant.objects.filter(person=cast.otto).update(given_at=timezone.now())
    settings.COOLING_OFF_SECONDS = 0
    assert bars(request, cast.abe) == NOTHING
    signed(cast.abe, request, "fairness")


def test_many_requests_know_it_in_as_many_queries_as_one(
    cast: Cast, django_assert_max_num_queries: Any
) -> None:
    first = ready(cast)
    others = [request_at(cast, bundle=bundle_registered(cast, f"w{n}"), lane=cast.prod) for n in range(6)]
    give(cast, project=cast.churn)
    wanted = DeploymentRequest.objects.select_related(
        "lane__project", "lane__stage", "bundle__author", "bundle__project", "requested_by", "on_behalf_of"
    )
    for some in ([first.pk], [first.pk, *(one.pk for one in others)]):
        requests = list(wanted.filter(pk__in=some))
        with django_assert_max_num_queries(23):
            judged = judge_many(requests)
        for one in judged.values():
            assert isinstance(one, Judged)
            assert str(cast.abe.pk) in {bar.person for bar in one.case.barred if bar.until}
