"""The people everyone knows, their team and rights, and a small estate: QA and production, projects CHURN and MAINT.

Olga owns churn, Dev requests, Fay signs fairness, Eli explainability, Ravi model risk, Mona promotes, Ada and Abe are
admins, Nora audits, Otto is an outsider. Everything is made by the real actions, so the ledger is a true one; only the
design node's answer to an import is made up, so that no server is needed.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import pytest

from governance.actions import policies
from governance.models import PolicyVersion
from portal import ledger
from portal.actions import estate, grants, people, projects
from portal.actions.estate import NewPlace, NewStage
from portal.demo import cast as demo
from portal.demo.cast import PASSWORD
from portal.dss.values import ProjectSummary
from portal.models import Lane, Node, Person, Pipeline, Project, Right, Team
from tests.remembered import Remembered

NAMES = {player.login: player.name for player in demo.CAST}
ADMINS = tuple(player.login for player in demo.ADMINS)
TEAM = tuple(player.login for player in demo.MEMBERS)
SIGNERS = {"fay": "fairness", "eli": "explainability", "ravi": "model-risk"}
# The demo's, but that signatures cover everything, a person starts each promotion, and no label is looked at: what
# tests do is then theirs.
POLICY = re.sub(
    r"(role: [a-z-]+, people: 1, covers: )\[.*?\]",
    r"\1all",
    re.sub(
        r" *- {name: (?!demographic_parity_ratio).*max: .*}\n",
        "",
        demo.POLICY.read_text().replace("automation: full", "automation: manual", 1),
    ),
)

# The same with questions that lead to tiers.
MATERIAL = POLICY.replace(
    "tiers:\n",
    """materiality:
  exposure:
    question: How many people does it decide about in a year?
    answers: {few: "Fewer than 1,000", many: More}
  purpose:
    question: What is it used for?
    answers: {internal: Inside only, people: Decisions about people}
  tiers:
    internal: {few: light, many: light}
    people: {few: light, many: critical}
  order: [light, critical]
tiers:
""",
    1,
)


@dataclass(frozen=True, slots=True)
class Cast:
    """The people by login, and what they work on. Everybody's password is PASSWORD."""

    olga: Person
    dev: Person
    fay: Person
    eli: Person
    ravi: Person
    mona: Person
    ada: Person
    abe: Person
    nora: Person
    otto: Person
    team: Team
    pipeline: Pipeline
    design: Node
    policy: PolicyVersion
    churn: Project
    maint: Project

    @property
    def qa(self) -> Lane:
        """Churn's lane in QA."""
        return lane(self.churn, "qa")

    @property
    def prod(self) -> Lane:
        """Churn's lane in production."""
        return lane(self.churn, "prod")


def lane(project: Project, stage: str) -> Lane:
    """A project's lane at a stage."""
    return Lane.objects.select_related("project", "stage").get(project=project, stage__slug=stage)


_CAST: Remembered[Cast] = Remembered()


@pytest.fixture
def cast(db: None) -> Cast:
    """The cast, in the test's own transaction."""
    return _CAST.again(make_cast)


def make_cast() -> Cast:
    """Everybody and everything; for a test with a database of its own, such as database_copy."""
    with ledger.business():
        who = _people()
        ada = who["ada"]
        policy = policies.publish(by=ada, source=POLICY)
        team = people.add_team(by=ada, name=demo.TEAM)
        for login in TEAM:
            people.join_team(by=ada, team=team, person=who[login])
        design, pipeline = _estate(ada)
        churn = imported(
            by=ada,
            node=design,
            pipeline=pipeline,
            key="CHURN",
            name="Customer churn",
            tier="critical",
            owner="olga",
            scored_dataset="customers_scored",
            outcome_column="offer",
            favourable_value="yes",
            model_id="churn_model",
        )
        maint = imported(
            by=ada,
            node=design,
            pipeline=pipeline,
            key="MAINT",
            name="Predictive maintenance",
            tier="light",
            owner="hugo",
        )
        _grants(ada, who, team, churn)
    return Cast(**who, team=team, pipeline=pipeline, design=design, policy=policy, churn=churn, maint=maint)


def _people() -> dict[str, Person]:
    system = Person.objects.system()
    who: dict[str, Person] = {}
    for login in ADMINS:
        who[login] = people.make_admin(by=system, login=login, name=NAMES[login], password=PASSWORD)
        grants.first_grant(by=system, person=who[login])
    for login, name in NAMES.items():
        if login not in who:
            email = f"{login}@example.com"
            who[login] = people.add_person(
                by=who["ada"], login=login, name=name, email=email, password=PASSWORD
            )
    return who


def _estate(by: Person) -> tuple[Node, Pipeline]:
    """A design node, a Deployer and two Automation nodes at addresses nobody answers at, and the pipeline qa, prod."""
    nodes = {
        slug: estate.add_node(
            by=by, slug=slug, name=name, kind=kind, url=f"http://127.0.0.1:9/{slug}", key_name=slug
        )
        for slug, name, kind in (
            ("design", "Design", "design"),
            ("deployer", "Deployer", "deployer"),
            ("auto-qa", "Automation QA", "automation"),
            ("auto-prod", "Automation production", "automation"),
        )
    }
    stages = [
        NewStage(
            slug,
            name,
            [NewPlace(f"infra-{slug}", nodes["deployer"], f"INFRA_{slug.upper()}", nodes[f"auto-{slug}"])],
        )
        for slug, name in (("qa", "QA"), ("prod", "Production"))
    ]
    return nodes["design"], estate.add_pipeline(by=by, slug="standard", name="Standard", stages=stages)


def _grants(by: Person, who: Mapping[str, Person], team: Team, churn: Project) -> None:
    for right in (Right.VIEW, Right.REQUEST):
        grants.grant(by=by, team=team, right=right, project=churn, why="They build churn.")
    grants.grant(by=by, person=who["mona"], right=Right.PROMOTE, project=churn, why="She runs churn.")
    for login, role in SIGNERS.items():
        grants.grant(
            by=by, person=who[login], right=Right.SIGN, role=role, project=churn, why="Reviews for the bank."
        )
    grants.grant(by=by, person=who["nora"], right=Right.AUDIT, why="Audits the estate.")


class _Listing:
    """A design node that lists one project."""

    def __init__(self, found: ProjectSummary) -> None:
        self._found = found

    def list_projects(self) -> list[ProjectSummary]:
        return [self._found]


def imported(*, by: Person, key: str, name: str = "", owner: str = "", **wish: Any) -> Project:
    """Import a project by the real action, from a design node that knows exactly this one.

    Whoever imports owns it where nobody here has the login of DSS's owner.
    """
    if not Person.objects.filter(login=owner.lower(), is_active=True, kind=Person.Kind.PERSON).exists():
        wish.setdefault("owned_by", by)
    if "owned_by" in wish:
        wish["owner"] = wish.pop("owned_by")
    summary = ProjectSummary(key=key, name=name or key, owner_login=owner, short_desc="", status="")

    @contextmanager
    def asking(_node: Node) -> Iterator[_Listing]:
        yield _Listing(summary)

    with patch.object(projects, "asking", asking):
        return projects.import_project(by=by, key=key, policy="demo-policy", **wish)
