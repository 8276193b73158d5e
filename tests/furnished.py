"""A portal in which one of each thing is there, and everybody who may come by: for tests that try every address.

Everything is about churn. `Who` is one of the cast as an asker: a browser in which they are signed in, or a program
with a token. Made by the real actions, but for what a DSS or a worker would have answered.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

from django.db import transaction
from django.test import Client, override_settings
from django.utils import timezone

from deployments.actions import promotions, requests, waiving
from deployments.models import Promotion
from governance import reviews
from governance.actions import access_reviews, documents, policies
from governance.actions.access_reviews import Answer
from governance.models import Document, Evidence, Report, ReviewPlace, SignOff
from portal import content, factors
from portal.actions import (
    edits,
    estate,
    grants,
    identities,
    mappings,
    owners,
    people,
    portfolios,
    projects,
    provisioning,
)
from portal.actions import factors as factor_actions
from portal.actions.delegations import delegate
from portal.actions.estate import NewPlace, NewStage
from portal.demo.cast import PASSWORD
from portal.dss.values import ProjectPermissions, ProjectSummary
from portal.models import (
    Event,
    Factor,
    Grant,
    GroupMapping,
    Identity,
    Lane,
    Node,
    Notification,
    Person,
    Pipeline,
    Project,
    Right,
    Session,
)
from portal.models import LaneUserObjectPermission as OnLane
from portal.reauthentication import Password
from tests.addresses import PLACE, Things
from tests.authenticator import code_now
from tests.cast import POLICY, SIGNERS, Cast, lane
from tests.factories import all_but_signed, all_signed, bundle_registered, request_at

HOUR = timedelta(hours=1)


def later(days: int) -> datetime:
    """So many days from now."""
    return timezone.now() + timedelta(days=days)


@dataclass
class Who:
    """Somebody who asks. Without a person and a token it is nobody."""

    name: str
    person: Person | None = None
    secret: str = ""
    client: Client = field(default_factory=Client)

    def __post_init__(self) -> None:
        if self.person is not None and not self.secret:
            self.client.force_login(self.person)
        self._cookies = {name: held.value for name, held in self.client.cookies.items()}

    def send(self, method: str, address: str, body: Any = None) -> Any:
        """The answer to a request from a browser or a program that remembers nothing of the ones before."""
        self.client.cookies.clear()
        for name, value in self._cookies.items():
            self.client.cookies[name] = value
        more: dict[str, Any] = {}
        files = isinstance(body, Mapping) and any(hasattr(value, "read") for value in body.values())
        if files:  # a form with a file, for pages and API alike
            more = {"data": body}
        elif body is not None and address.startswith(("/api/", "/scim/")):
            more = {"data": json.dumps(body), "content_type": "application/json"}
        elif body is not None:
            more = {"data": body}
        if self.secret:
            more["headers"] = {"Authorization": f"Bearer {self.secret}"}
        return getattr(self.client, method.lower())(address, **more)


@dataclass
class Furnished:
    """Who is there, by the word the table has for them, and what the places of addresses stand for."""

    cast: Cast
    whos: Mapping[str, Who]
    things: Things
    at: Mapping[str, Mapping[str, Any]]
    theirs: Mapping[str, Mapping[str, Any]]
    # What the other team has: the same kinds of things, of its own project.
    others: Things = field(default_factory=Things)

    def things_of(self, path: str, who: str = "") -> Things:
        """What the places of this address stand for, as it is right for whoever asks."""
        return Things({**self.things.by_word, **self.at.get(path, {}), **self.theirs.get(who, {})})

    def fill(self, path: str, who: str = "", odd: Mapping[str, str] | None = None) -> str:
        """The address with every place filled in; `odd`: what stands in some places instead."""
        return self.things_of(path, who).fill(path, odd)

    def values(self, path: str) -> dict[str, str]:
        """What stands in each place of the address, by its name."""
        things = self.things_of(path)
        return {place[1]: things.value(path, place) for place in PLACE.finditer(path)}


# --- who comes by -----------------------------------------------------------------------------------------------------

# Who signs what, by the word of the table.
ROLES = {role: login for login, role in SIGNERS.items()}


def whos_of(cast: Cast) -> dict[str, Who]:
    """Everybody who may come by: nobody, people with one right each, people without any, and programs."""
    new = {
        login: people.add_person(by=cast.ada, login=login, name=name, password=PASSWORD)
        for login, name in (
            ("vera", "Vera Lind"),
            ("pia", "Pia Roth"),
            ("max", "Max Ernst"),
            ("wes", "Wes Hart"),
            ("ed", "Ed Stone"),
            ("lea", "Lea Wolf"),
            ("sue", "Sue Parker"),
            ("mia", "Mia Berg"),
        )
    }
    for login, right in (
        *(("vera", Right.VIEW), ("pia", Right.PROMOTE), ("max", Right.MANAGE)),
        ("wes", Right.WAIVE),
    ):
        grants.grant(by=cast.ada, person=new[login], right=right, project=cast.churn, why="For a test.")
    _ran_out(cast, new["ed"])
    people.join_team(by=cast.ada, team=cast.team, person=new["lea"])
    people.leave_team(by=cast.ada, team=cast.team, person=new["lea"])
    Person.objects.filter(pk=new["sue"].pk).update(is_superuser=True)
    others = people.add_team(by=cast.ada, name="Maintenance")
    people.join_team(by=cast.ada, team=others, person=new["mia"])
    for right in (Right.VIEW, Right.REQUEST, Right.PROMOTE, Right.MANAGE, Right.AUDIT):
        grants.grant(by=cast.ada, team=others, right=right, project=cast.maint, why="They run it.")
    robot = people.add_person(by=cast.ada, login="robot", name="Directory", kind=Person.Kind.SERVICE)
    grants.grant(by=cast.ada, person=robot, right=Right.PROVISION, why="The directory knows who is here.")
    carried = ["request", "promote", "manage", "audit"]
    found = [
        Who("nobody"),
        Who("outsider", cast.otto),
        Who("expired", new["ed"]),
        Who("left", new["lea"]),
        Who("superuser", Person.objects.get(pk=new["sue"].pk)),
        Who("another team", new["mia"]),
        Who("viewer", new["vera"]),
        Who("requester", cast.dev),
        Who("owner", cast.olga),
        Who("promoter", new["pia"]),
        *(Who(role, getattr(cast, login)) for role, login in ROLES.items()),
        Who("waiver", new["wes"]),
        Who("manager", new["max"]),
        Who("auditor", cast.nora),
        Who("admin", cast.ada),
        _program("token", cast.ada, carrying=carried),
        _program("token that sees", cast.ada, carrying=[]),
        _program("token elsewhere", cast.ada, carrying=carried, projects=[cast.maint]),
        _program("directory", robot, by=cast.ada),
    ]
    return {who.name: who for who in found}


def _program(name: str, person: Person, by: Person | None = None, **scope: Any) -> Who:
    _token, secret = people.make_token(by=by or person, person=person, name=name, **scope)
    return Who(name, person, secret)


def _ran_out(cast: Cast, person: Person) -> None:
    """Every right on churn, until an hour ago."""
    until = timezone.now() + HOUR
    for right, role in (*((one, "") for one in EVERY), *((Right.SIGN, role) for role in ROLES)):
        grants.grant(
            by=cast.ada,
            person=person,
            right=right,
            role=role,
            project=cast.churn,
            until=until,
            why="For a while.",
        )
    for held in (Grant.objects.filter(person=person), OnLane.objects.filter(user=person)):
        held.update(until=timezone.now() - HOUR)


EVERY = (Right.VIEW, Right.REQUEST, Right.PROMOTE, Right.MANAGE, Right.AUDIT)


# --- what is there ----------------------------------------------------------------------------------------------------


def furnished(cast: Cast) -> Furnished:
    """One of each thing, about churn."""
    whos = whos_of(cast)
    viewer, robot = whos["viewer"], whos["directory"].person
    assert viewer.person is not None
    assert robot is not None

    # v1 runs in QA, is signed for production and on its way there; v2 is asked for both; v3 is only a bundle.
    bundle = bundle_registered(cast)
    all_but_signed(cast, bundle)
    signed = request_at(cast, "open", bundle, cast.prod)
    all_signed(cast, signed)
    running = promotions.promote(by=cast.mona, request=signed, why="")
    over = Promotion.objects.get(lane=cast.qa)
    changed = {"project_config/recipes/score.py": "score(all)"}
    newer = bundle_registered(cast, "v2", changed)
    in_qa, in_prod = (request_at(cast, "open", newer, lane) for lane in (cast.qa, cast.prod))
    bundle_registered(cast, "v3", {"project_config/recipes/score.py": "score(some)"})

    waits = waiving.ask(
        by=cast.dev, request=in_prod, requirement="document:intended-use", why="W.", until=later(9)
    )
    waived = waiving.ask(
        by=cast.dev, request=in_prod, requirement="soak:qa", why="For a test.", until=later(9)
    )
    waives = whos["waiver"].person
    assert waives is not None
    waiving.grant(
        by=waives,
        proof=Password(PASSWORD),
        request=in_prod,
        waiver=waived,
        bound=waiving.draft(by=waives, request=in_prod, waiver=waived).bound,
    )

    Notification.objects.update(read_at=timezone.now())  # reading them the first time would write

    portfolio = portfolios.add_portfolio(by=cast.ada, name="Retail bank")
    portfolios.put_project(by=cast.ada, portfolio=portfolio, project=cast.churn)
    in_portfolio = grants.grant(
        by=cast.ada, team=cast.team, right=Right.VIEW, portfolio=portfolio, why="They look over it."
    )
    on_estate = Grant.objects.get(person=cast.nora)
    on_churn = Grant.objects.get(person=cast.mona, right=Right.PROMOTE)
    of_team = Grant.objects.get(team=cast.team, right=Right.REQUEST)
    report = Report.objects.create(
        project=cast.churn,
        about=signed.subject,
        asked_by=cast.nora,
        status=Report.Status.MADE,
        made_at=timezone.now(),
        last=1,
        content=content.put(b"%PDF-1.7", "application/pdf"),
    )

    # What is the viewer's own. Setting the factor up ends the other sessions, so the second one begins after it.
    token, _secret = people.make_token(by=viewer.person, name="Nightly", carrying=["request"])
    first = Session.objects.get(person=viewer.person)
    secret = factors.new_secret()
    factor_actions.add_app(
        by=viewer.person, secret=secret, code=code_now(secret), name="Phone", keep=first.hashed
    )
    Client().force_login(viewer.person)
    session = Session.objects.filter(person=viewer.person).exclude(pk=first.pk).get()
    lea = whos["left"].person
    assert lea is not None
    away = delegate(by=viewer.person, delegate=lea, starts_at=later(10), until=later(13), why="Leave.")

    identities.link(by=cast.abe, person=cast.otto, provider="oidc", subject="otto@idp")
    mappings.map_group(by=cast.ada, provider="oidc", group="churn", team=cast.team, why="The same people.")
    brought = provisioning.add_person(by=robot, wish=provisioning.Wish(login="ida", name="Ida Sand"))
    group = provisioning.put_group(by=robot, name="Analysts", external_id="g1", members=[brought])
    gone = people.add_person(by=cast.ada, login="gone", name="Gus Gone")
    Person.objects.filter(pk=gone.pk).update(is_active=False)

    _unused(cast)
    review = access_reviews.start(by=cast.ada, due=later(30), why="It is time.", project=cast.churn)
    answered = access_reviews.answer(
        by=cast.ada,
        proof=Password(PASSWORD),
        review=review,
        answers=[_confirmed(Grant.objects.get(person=viewer.person, right=Right.VIEW))],
        why="",
    )

    manager = whos["manager"].person
    assert manager is not None
    with override_settings(SECOND_ADMIN=True):
        change = edits.give_right(
            by=manager, person=cast.dev, right=Right.PROMOTE, project=cast.churn, why="He runs it in June."
        )
    own = {role: SignOff.objects.get(lane=cast.prod, role=role).pk for role in ROLES}
    by_word = {
        "key": cast.churn.key,
        "bundle_id": bundle.bundle_id,
        "portfolio": portfolio.slug,
        "portfolios": portfolio.slug,
        "team": cast.team.slug,
        "teams": cast.team.slug,
        "slug": cast.team.slug,
        "login": "otto",
        "people": cast.otto.pk,
        "people/<login>": "otto",
        "owners": cast.olga.pk,
        "owners/<login>": "olga",
        "name": cast.policy.name,
        "version": cast.policy.version,
        "draft": "nowhere",
        "requirement": "sign_off:fairness",
        "requests": in_prod.pk,
        "promotions": running.pk,
        "signoffs": own["fairness"],
        "conditions": 1,
        "waivers": waits.pk,
        "documents": Document.objects.filter(bundle=bundle, origin=Document.Origin.WRITTEN).latest("pk").pk,
        "documents/<kind>": "intended-use",
        "evidence": Evidence.objects.filter(bundle=bundle, kind=Evidence.Kind.TESTS).latest("pk").pk,
        "reports": report.pk,
        "access-reviews": review.pk,
        "places": ReviewPlace.objects.get(review=review).pk,
        "signatures": answered.pk,
        "members": "dev",
        "nodes": "spare",
        "pipelines": cast.pipeline.slug,
        "changes": change.pk,
        "tokens": token.pk,
        "sessions": session.pk,
        "factors": Factor.objects.get(person=viewer.person).pk,
        "away": away.pk,
        "delegations": away.pk,
        "unlink": Identity.objects.get(person=cast.otto).pk,
        "identities": Identity.objects.get(person=cast.otto).pk,
        "groups": GroupMapping.objects.get(group="churn").pk,
        "mappings": GroupMapping.objects.get(group="churn").pk,
        "grants": on_churn.pk,
        "ledger": Event.objects.filter(project=cast.churn.key).latest("seq").seq,
        "organization_slug": "saml",
        "app_label": "portal",
        "object_id": cast.dev.pk,
    }
    at: dict[str, dict[str, Any]] = {
        "/rights/<pk>/revoke/": {"rights": on_estate.pk},
        "/projects/<key>/rights/<pk>/revoke/": {"rights": on_churn.pk},
        "/portfolios/<portfolio>/rights/<pk>/revoke/": {"rights": in_portfolio.pk},
        "/teams/<team>/rights/<pk>/revoke/": {"rights": of_team.pk},
        "/people/<pk>/": {"people": robot.pk},
        "/people/<pk>/tokens/<number>/revoke/": {"people": viewer.person.pk},
        "/people/<pk>/away/<number>/end/": {"people": viewer.person.pk},
        "/api/v1/people/<login>/enable/": {"people/<login>": "gone"},
        "/api/v1/people/<login>/tokens/": {"people/<login>": "robot"},
        "/api/v1/pipelines/<slug>/remove/": {"pipelines": "spare"},
        "/projects/<key>/requests/<number>/gate/": {"requests": signed.pk},
        "/projects/<key>/requests/<number>/promote/": {"requests": in_qa.pk},
        "/api/v1/requests/<number>/promote/": {"requests": in_qa.pk},
        "/projects/<key>/promotions/<number>/release/": {"promotions": over.pk},
        "/api/v1/promotions/<number>/release/": {"promotions": over.pk},
        "/waivers/<pk>/statement/": {"waivers": waived.pk},
        "/projects/<key>/requests/<number>/waive/<requirement>/": {
            "requirement": "document:model-documentation"
        },
        "/scim/v2/Users/<pk>": {"Users": brought.pk},
        "/scim/v2/Groups/<pk>": {"Groups": group.pk},
        "/scim/v2/Schemas/<pk>": {"Schemas": "urn:ietf:params:scim:schemas:core:2.0:User"},
        "/scim/v2/ResourceTypes/<pk>": {"ResourceTypes": "User"},
    }
    theirs = {role: {"signoffs": own[role], "requirement": f"sign_off:{role}"} for role in ROLES}
    return Furnished(cast, whos, Things(by_word), at, theirs, _of_another_team(cast, whos["another team"]))


def _unused(cast: Cast) -> None:
    """A node and a pipeline that nothing uses."""
    estate.add_node(
        by=cast.ada,
        slug="spare",
        name="Spare",
        kind="design",
        url="http://127.0.0.1:9/spare",
        key_name="spare",
    )
    _pipeline_like(cast, "spare")


def _pipeline_like(cast: Cast, slug: str) -> Pipeline:
    """Another pipeline with the stages and places of churn's."""
    stages = [
        NewStage(
            stage.slug,
            stage.name,
            [
                NewPlace(place.slug, place.deployer, place.infra_id, place.automation)
                for place in stage.places.all()
            ],
        )
        for stage in cast.pipeline.stages.order_by("position")
    ]
    return estate.add_pipeline(by=cast.ada, slug=slug, name=slug.title(), stages=stages)


def _moved(project: Project, pipeline: Pipeline) -> None:
    """Let a project go through another pipeline, so that not everybody who has a project sees churn's."""
    Project.objects.filter(pk=project.pk).update(pipeline=pipeline)
    for here in Lane.objects.filter(project=project).select_related("stage"):
        Lane.objects.filter(pk=here.pk).update(stage=pipeline.stages.get(slug=here.stage.slug))
    project.refresh_from_db()


def _confirmed(grant: Grant) -> Answer:
    """That a right is to stay, as a page would say it that shows it now."""
    return Answer(grant.pk, "confirm", reviews.facts_of([grant])[grant.pk].digest)


def _of_another_team(cast: Cast, who: Who) -> Things:
    """What the other team has on its project: a policy of its own, and with churn a portfolio without grants."""
    policy = policies.publish(by=cast.ada, source=POLICY.replace("policy: demo-policy", "policy: upkeep"))
    Project.objects.filter(pk=cast.maint.pk).update(policy=policy.name)
    _moved(cast.maint, _pipeline_like(cast, "upkeep"))
    assert who.person is not None
    shared = portfolios.add_portfolio(by=cast.ada, name="All models")
    for project in (cast.churn, cast.maint):
        portfolios.put_project(by=cast.ada, portfolio=shared, project=project)
    bundle = bundle_registered(cast, "m1", by=who.person, project=cast.maint)
    in_qa = lane(cast.maint, "qa")
    wish = requests.submit(by=who.person, bundle=bundle, lane=in_qa, why="The pumps are new.")
    written = documents.write(
        by=who.person, bundle=bundle, kind="intended-use", title="Use", text="# Purpose\nPumps.\n"
    )
    report = Report.objects.create(project=cast.maint, about=wish.subject, asked_by=who.person)
    grant = Grant.objects.get(team__slug="maintenance", right=Right.REQUEST)
    return Things(
        {
            "key": cast.maint.key,
            "bundle_id": bundle.bundle_id,
            "portfolio": shared.slug,
            "portfolios": shared.slug,
            "pipelines": "upkeep",
            "team": "maintenance",
            "teams": "maintenance",
            "name": policy.name,
            "version": policy.version,
            "requests": wish.pk,
            "documents": written.pk,
            "documents/<kind>": written.kind,
            "reports": report.pk,
            "rights": grant.pk,
            "ledger": Event.objects.filter(project=cast.maint.key).latest("seq").seq,
        }
    )


@contextmanager
def undone() -> Iterator[None]:
    """One transaction, or one within it, that is undone at the end; actions begin theirs inside it."""
    block = transaction.atomic()
    block._from_testcase = True  # type: ignore[attr-defined]
    with block:
        yield
        transaction.set_rollback(True)


# --- a design node ----------------------------------------------------------------------------------------------------


class Design:
    """A design node: it lists two projects, of which one is not here yet, and says who owns them."""

    def list_projects(self) -> list[ProjectSummary]:
        return [ProjectSummary(key, key, "olga", "", "") for key in ("CHURN", "FRAUD")]

    def project_permissions(self, _project: str) -> ProjectPermissions:
        return ProjectPermissions("olga", ())

    def list_users(self) -> list[Any]:
        return []


@contextmanager
def design_answers() -> Iterator[None]:
    """Let the actions that ask the design node reach `Design`."""

    @contextmanager
    def asking(_node: Node) -> Iterator[Design]:
        yield Design()

    with patch.object(projects, "asking", asking), patch.object(owners, "asking", asking):
        yield
