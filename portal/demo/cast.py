"""Who plays, and with what: the one place for demo data, shared with the tests and the screenshots. All made up."""

from dataclasses import dataclass
from pathlib import Path

PASSWORD = "countersign-demo"  # noqa: S105 - of the demo, printed by it
TEAM = "Churn team"
PROJECT = "CHURN"
FRAUD = "FRAUD"
POLICY = Path(__file__).resolve().parents[2] / "governance" / "policies" / "demo.yaml"
PAYMENTS_POLICY = POLICY.with_name("payments.yaml")


@dataclass(frozen=True, slots=True)
class Player:
    """One of the cast; `part` says what they are there for."""

    login: str
    name: str
    part: str
    zone: str = "Europe/Paris"

    @property
    def email(self) -> str:
        return f"{self.login}@example.com"


ADA = Player("ada", "Ada Novak", "administrator")
ABE = Player("abe", "Abe Tanner", "administrator", "America/New_York")
OLGA = Player("olga", "Olga Lindqvist", "owns churn")
DEV = Player("dev", "Dev Rao", "builds and asks", "Asia/Kolkata")
FAY = Player("fay", "Fay Okafor", "signs fairness", "Europe/London")
ELI = Player("eli", "Eli Brandt", "signs explainability")
RAVI = Player("ravi", "Ravi Menon", "signs model risk, may waive")
MONA = Player("mona", "Mona Castell", "promotes")
NORA = Player("nora", "Nora Feld", "audits")
OTTO = Player("otto", "Otto Weiss", "outsider")

ADMINS = (ADA, ABE)
PEOPLE = (OLGA, DEV, FAY, ELI, RAVI, MONA, NORA, OTTO)
CAST = (*ADMINS, *PEOPLE)
MEMBERS = (OLGA, DEV, MONA)
SIGNERS = {"fairness": FAY, "explainability": ELI, "model-risk": RAVI}

PIPELINE = {
    "slug": "standard",
    "name": "Standard",
    "stages": [
        {
            "slug": "qa",
            "name": "QA",
            "places": [
                {"slug": "qa", "deployer": "deployer", "infra_id": "qa-automation", "automation": "qa"}
            ],
        },
        {
            "slug": "prod",
            "name": "Production",
            "places": [
                {"slug": "prod", "deployer": "deployer", "infra_id": "prod-automation", "automation": "prod"}
            ],
        },
    ],
}
NODES = {
    "design": "Design node",
    "deployer": "Deployer",
    "qa": "QA Automation node",
    "prod": "Production Automation node",
}
PROJECTS = (
    {
        "key": PROJECT,
        "node": "design",
        "pipeline": "standard",
        "policy": "demo-policy",
        "tier": "critical",
        "scored_dataset": "churn_scored",
        "outcome_column": "prediction",
        "favourable_value": "1",
        "label_column": "churned",
        "score_column": "probability",
        "model_id": "churn-rf",
    },
    {
        "key": FRAUD,
        "node": "design",
        "pipeline": "standard",
        "policy": "payments-policy",
        "tier": "stopping",
        "owner": "olga",
        "scored_dataset": "payments_scored",
        "model_id": "fraud-gb",
    },
    {
        "key": "MAINT",
        "node": "design",
        "pipeline": "standard",
        "policy": "demo-policy",
        "tier": "light",
        "owner": "olga",
    },
)

INTENDED_USE = """# Intended use

The model ranks customers by how likely they are to leave within three months, so that the retention team can make an
offer to those it selects.

## Who decides

A person of the retention team decides on each offer. The model proposes.

## Not for

Prices, credit, or refusing a service.
"""
