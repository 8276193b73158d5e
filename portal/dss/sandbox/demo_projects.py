"""The content of the demo projects, revision by revision: what the people on the Design node built.

A revision is a mapping of bundle member paths to JSON values or text, exactly what an export writes into the archive.
Pure and deterministic. Of churn, v1 treats women unfairly by construction, v2 does not look at gender, v3 reads a table
that production does not have, v4 is v2 with another dashboard, v5 is v2 retrained.
"""

import copy
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from portal.dss.sandbox import model_files
from portal.dss.sandbox.population import POPULATIONS, Formula

Members = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Outline:
    """What all revisions of a project share."""

    key: str
    name: str
    short_desc: str
    owner: str
    status: str
    tags: tuple[str, ...]


OUTLINES = {
    outline.key: outline
    for outline in (
        Outline(
            "CHURN",
            "Customer churn",
            "Which customers get the retention offer next month",
            "olga",
            "In production",
            ("batch", "marketing"),
        ),
        Outline(
            "FRAUD",
            "Card fraud",
            "Scores card payments of the night before",
            "priya",
            "In production",
            ("batch", "payments"),
        ),
        Outline(
            "MAINT",
            "Predictive maintenance",
            "Which machines to look at this week",
            "hugo",
            "In development",
            ("internal",),
        ),
    )
}


def _version_tag(number: int, who: str, at: int) -> Members:
    return {"versionNumber": number, "lastModifiedBy": {"login": who}, "lastModifiedOn": at}


def _params(outline: Outline, number: int, at: int, code_env: str) -> Members:
    return {
        "projectKey": outline.key,
        "name": outline.name,
        "shortDesc": outline.short_desc,
        "projectStatus": outline.status,
        "settings": {
            "codeEnvs": {
                "python": {"mode": "EXPLICIT_ENV", "envName": code_env, "useBuiltinEnv": False},
                "r": {"mode": "USE_BUILTIN_MODE", "useBuiltinEnv": True},
            },
            "flowBuildSettings": {"prohibitedFlowBuilds": []},
        },
        "exposedObjects": {"objects": []},
        "bundleContainerSettings": {"exportOptions": {"exportAllModels": True, "exportManagedFolders": True}},
        "versionTag": _version_tag(number, outline.owner, at),
        "tags": list(outline.tags),
    }


def _recipe(name: str, kind: str, inputs: list[str], outputs: list[str], env: str) -> Members:
    return {
        "name": name,
        "type": kind,
        "inputs": {"main": {"items": [{"ref": ref, "deps": []} for ref in inputs]}},
        "outputs": {"main": {"items": [{"ref": ref, "appendMode": False} for ref in outputs]}},
        "params": {"envSelection": {"envMode": "EXPLICIT_ENV", "envName": env}} if kind == "python" else {},
        "tags": [],
    }


def _dataset(
    name: str,
    connection: str,
    table: str,
    columns: list[tuple[str, str]],
    made_from: dict[str, str] | None = None,
) -> Members:
    return {
        "name": name,
        "type": "PostgreSQL",
        "managed": True,
        "params": {"connection": connection, "mode": "table", "schema": "scoring", "table": table},
        "schema": {
            "columns": [{"name": column, "type": kind} for column, kind in columns],
            "userModified": True,
        },
        "tags": [],
        "customMeta": {"kv": made_from or {}},
    }


def _population_columns(seed: str) -> list[tuple[str, str]]:
    population = POPULATIONS[seed]
    return [(name, population.column_type(name)) for name in population.columns]


def _scored_columns(seed: str) -> list[tuple[str, str]]:
    return [*_population_columns(seed), ("prediction", "bigint"), ("probability", "double")]


def _scenario(id: str, name: str, steps: list[Members], *, test: bool, active: bool = False) -> Members:
    return {
        "id": id,
        "name": name,
        "type": "step_based",
        "active": active,
        "markedAsTest": test,
        "runAsUser": None,
        "params": {"steps": steps},
        "triggers": [
            {
                "id": "nightly",
                "type": "temporal",
                "name": "Every night",
                "active": True,
                "params": {"frequency": "Daily", "hour": 2, "minute": 30},
            }
        ]
        if active
        else [],
        "reporters": [],
        "tags": [],
    }


def _step(id: str, kind: str, name: str, **params: Any) -> Members:
    return {"id": id, "type": kind, "name": name, "params": params}


def _dashboard(id: str, name: str, insights: list[str]) -> Members:
    return {
        "id": id,
        "name": name,
        "pages": [{"title": name, "grid": {"tiles": [{"insightId": insight} for insight in insights]}}],
        "tags": [],
    }


def _insight(id: str, name: str, dataset: str, axis: str) -> Members:
    return {
        "id": id,
        "name": name,
        "type": "chart",
        "params": {
            "datasetSmartName": dataset,
            "def": {"type": "grouped_columns", "genericDimension0": [axis]},
        },
    }


# ---------------------------------------------------------------------------------------------------- CHURN

_CHURN_SEED = "churn-customers"
_CENTRE = {"tenure_months": 33.0, "monthly_charge": 65.0}

PREPARE = '''"""Customers of the last twelve months, one row each, with what was known on the first of the month."""

import dataiku


def features(customers):
    known = customers.dropna(subset=["tenure_months", "monthly_charge"])
    known = known[known["tenure_months"] > 0]
    return known.assign(charge_per_month_of_tenure=known["monthly_charge"] / known["tenure_months"])


customers = dataiku.Dataset("customers").get_dataframe()
dataiku.Dataset("churn_features").write_with_schema(features(customers))
'''

SCORE_V1 = '''"""Scores every customer with the active version of the churn model."""

import dataiku

INPUTS = ["tenure_months", "monthly_charge", "gender"]
THRESHOLD = 0.5

model = dataiku.Model("churn-rf").get_predictor()
rows = dataiku.Dataset("churn_features").get_dataframe()
scored = model.predict(rows[INPUTS], with_probas=True)
rows["probability"] = scored["proba_1"]
rows["prediction"] = (rows["probability"] >= THRESHOLD).astype(int)
dataiku.Dataset("churn_scored").write_with_schema(rows)
'''

SCORE_V2 = SCORE_V1.replace('"monthly_charge", "gender"]', '"monthly_charge"]')

OFFERS = """SELECT customer_id, probability
FROM scoring.churn_scored
WHERE prediction = 1
ORDER BY probability DESC
"""

OFFERS_V3 = """SELECT scored.customer_id, scored.probability, budget.amount
FROM scoring.churn_scored AS scored
JOIN scoring.offer_budget AS budget ON budget.month = date_trunc('month', CURRENT_DATE)
WHERE scored.prediction = 1
ORDER BY scored.probability DESC
LIMIT (SELECT max_offers FROM scoring.offer_budget ORDER BY month DESC LIMIT 1)
"""

HOME = "# Customer churn\n\nOnce a month the customers most likely to leave get an offer.\n"

INTENDED_USE = (
    "# Intended use\n\nSelecting customers for a retention offer. Not for prices, not for refusals.\n"
)

LIBRARY = '''"""Checks shared by the test scenarios."""


def share(values):
    """The share of true values."""
    return sum(values) / len(values)
'''

CHURN_FORMULAS = {
    "1785744000000": Formula(
        -0.7, {"tenure_months": -0.045, "monthly_charge": 0.03, "gender=female": -0.33}, _CENTRE, 0.5
    ),
    "1787558400000": Formula(-0.7, {"tenure_months": -0.045, "monthly_charge": 0.03}, _CENTRE, 0.5),
    "1789545600000": Formula(-0.68, {"tenure_months": -0.0455, "monthly_charge": 0.0295}, _CENTRE, 0.5),
}
CHURN_V1_MODEL, CHURN_V2_MODEL, CHURN_V5_MODEL = CHURN_FORMULAS


def _smoke(tables: list[str]) -> Members:
    return _scenario(
        "TEST_SMOKE",
        "Smoke test: the scored customers can be read where this runs",
        [
            _step(
                "read_tables",
                "exec_sql",
                "Read the tables of the offer",
                connection="warehouse",
                tables=tables,
            ),
            _step(
                "scored_rows",
                "check_dataset",
                "Scored customers are there",
                dataset="churn_scored",
                minRows=1,
            ),
        ],
        test=True,
    )


def _churn_v1() -> Members:
    outline = OUTLINES["CHURN"]
    members: Members = {
        "project_config/params.json": _params(outline, 41, 1785744000000, "churn-env"),
        "project_config/variables.json": {"standard": {"offer_threshold": 0.5, "horizon_days": 30}},
        "project_config/recipes/prepare_features.json": _recipe(
            "prepare_features", "python", ["customers"], ["churn_features"], "churn-env"
        ),
        "project_config/recipes/prepare_features.py": PREPARE,
        "project_config/recipes/score_customers.json": _recipe(
            "score_customers", "python", ["churn_features", "churn-rf"], ["churn_scored"], "churn-env"
        ),
        "project_config/recipes/score_customers.py": SCORE_V1,
        "project_config/recipes/select_offers.json": _recipe(
            "select_offers", "sql_query", ["churn_scored"], ["offers"], "churn-env"
        ),
        "project_config/recipes/select_offers.sql": OFFERS,
        "project_config/datasets/customers.json": _dataset(
            "customers", "warehouse", "customers", _population_columns(_CHURN_SEED), {"rows": _CHURN_SEED}
        ),
        "project_config/datasets/churn_features.json": _dataset(
            "churn_features",
            "warehouse",
            "churn_features",
            _population_columns(_CHURN_SEED),
            {"rows": _CHURN_SEED},
        ),
        "project_config/datasets/churn_scored.json": _dataset(
            "churn_scored",
            "warehouse",
            "churn_scored",
            _scored_columns(_CHURN_SEED),
            {"rows": _CHURN_SEED, "scoredBy": "churn-rf"},
        ),
        "project_config/datasets/offers.json": _dataset(
            "offers", "warehouse", "offers", [("customer_id", "string"), ("probability", "double")]
        ),
        "project_config/datasets/offer_reasons.json": {
            "name": "offer_reasons",
            "type": "Filesystem",
            "managed": True,
            "params": {"connection": "filesystem_managed", "path": "/CHURN/offer_reasons"},
            "schema": {"columns": [{"name": "code", "type": "string"}, {"name": "reason", "type": "string"}]},
            "tags": [],
            "customMeta": {"kv": {}},
        },
        "managed_datasets/offer_reasons/data.csv": "code,reason\nR1,Long contract ending\nR2,High monthly charge\n",
        "project_config/scenarios/BUILD_ALL.json": _scenario(
            "BUILD_ALL",
            "Rebuild and score every night",
            [
                _step(
                    "build",
                    "build_flowitem",
                    "Score the customers, build the offers",
                    builds=["churn_features", "churn_scored", "offers"],
                )
            ],
            test=False,
            active=True,
        ),
        "project_config/scenarios/TEST_DATA_QUALITY.json": _scenario(
            "TEST_DATA_QUALITY",
            "Customer data is complete",
            [
                _step(
                    "complete",
                    "check_dataset",
                    "No customer without tenure",
                    dataset="churn_features",
                    minRows=100,
                ),
                _step(
                    "schema",
                    "check_dataset",
                    "Columns as agreed",
                    dataset="customers",
                    columns=["gender", "age_band"],
                ),
            ],
            test=True,
        ),
        "project_config/scenarios/TEST_SCORING.json": _scenario(
            "TEST_SCORING",
            "Scoring selects a plausible share",
            [
                _step("unit", "python_unit_test", "Unit tests of the library", module="churn_checks"),
                _step("score", "build_flowitem", "Score the customers", builds=["churn_scored"]),
                _step(
                    "share",
                    "check_share",
                    "Between 5 and 60 in 100",
                    dataset="churn_scored",
                    low=0.05,
                    high=0.6,
                ),
            ],
            test=True,
        ),
        "project_config/scenarios/TEST_DRIFT.json": _scenario(
            "TEST_DRIFT",
            "The model still separates",
            [_step("auc", "check_model", "AUC at least 0.6", model="churn-rf", metric="auc", min=0.6)],
            test=True,
        ),
        "project_config/scenarios/TEST_SMOKE.json": _smoke(["scoring.churn_scored"]),
        "project_config/dashboards/offers.json": _dashboard("offers", "Retention offers", ["by_age"]),
        "project_config/insights/by_age.json": _insight(
            "by_age", "Offers by age", "churn_scored", "age_band"
        ),
        "project_config/wiki/wiki.json": {
            "homeArticleId": "1",
            "taxonomy": [{"id": "1", "children": [{"id": "2", "children": []}]}],
        },
        "project_config/wiki/articles/1.json": {"id": "1", "name": "Home"},
        "project_config/wiki/articles/1.md": HOME,
        "project_config/wiki/articles/2.json": {"id": "2", "name": "Intended use"},
        "project_config/wiki/articles/2.md": INTENDED_USE,
        "project_config/lib/python/churn_checks.py": LIBRARY,
        "managed_folders/terms/offer-terms.md": "# Terms of the offer\n\nTen in the hundred off, for six months.\n",
        "project_config/managed_folders/terms.json": {
            "id": "terms",
            "name": "Terms",
            "type": "Filesystem",
            "params": {"connection": "filesystem_managed"},
        },
    }
    _train(members, "churn-rf", "Churn model", _CHURN_SEED, [CHURN_V1_MODEL])
    return members


def _train(members: Members, model: str, name: str, seed: str, versions: list[str]) -> None:
    """Put a saved model with these versions into the members; the last one is active."""
    formulas = {**CHURN_FORMULAS, **FRAUD_FORMULAS, **MAINT_FORMULAS}
    members[f"project_config/saved_models/{model}.json"] = model_files.definition(model, name, versions[-1])
    for version in versions:
        for file, value in model_files.version_files(
            POPULATIONS[seed], seed, formulas[version], version
        ).items():
            members[f"saved_models/{model}/versions/{version}/{file}"] = value


def _churn_v2() -> Members:
    members = _churn_v1()
    members["project_config/params.json"]["versionTag"] = _version_tag(47, "olga", 1787558400000)
    members["project_config/recipes/score_customers.py"] = SCORE_V2
    _train(members, "churn-rf", "Churn model", _CHURN_SEED, [CHURN_V1_MODEL, CHURN_V2_MODEL])
    return members


def _churn_v3() -> Members:
    members = _churn_v2()
    members["project_config/params.json"]["versionTag"] = _version_tag(52, "dev", 1788422400000)
    members["project_config/recipes/select_offers.sql"] = OFFERS_V3
    # The new table was created on the development and QA databases only: nothing here says so, the target does.
    members["project_config/scenarios/TEST_SMOKE.json"] = _smoke(
        ["scoring.churn_scored", "scoring.offer_budget"]
    )
    return members


def _churn_v4() -> Members:
    members = _churn_v2()
    members["project_config/params.json"]["versionTag"] = _version_tag(55, "dev", 1788940800000)
    members["project_config/dashboards/regions.json"] = _dashboard(
        "regions", "Offers by group", ["by_age", "by_tenure"]
    )
    members["project_config/insights/by_tenure.json"] = _insight(
        "by_tenure", "Offers by tenure", "churn_scored", "tenure_months"
    )
    return members


def _churn_v5() -> Members:
    members = _churn_v2()
    members["project_config/params.json"]["versionTag"] = _version_tag(58, "olga", 1789545600000)
    _train(members, "churn-rf", "Churn model", _CHURN_SEED, [CHURN_V1_MODEL, CHURN_V2_MODEL, CHURN_V5_MODEL])
    return members


# ------------------------------------------------------------------------------------------- FRAUD and MAINT

FRAUD_FORMULAS = {
    "1784880000000": Formula(
        -3.3,
        {"amount": 0.004, "channel=online": 0.8, "channel=by phone": 1.2, "card_country=abroad": 0.9},
        {"amount": 220.0},
        0.2,
    ),
    "1788336000000": Formula(
        -3.25,
        {
            "amount": 0.0042,
            "channel=online": 0.7,
            "channel=by phone": 1.1,
            "card_country=abroad": 0.7,
            "hour": 0.01,
        },
        {"amount": 220.0, "hour": 12.0},
        0.2,
    ),
}
MAINT_FORMULAS = {
    "1783670400000": Formula(
        -2.1, {"running_hours": 0.0004, "vibration": 0.55}, {"running_hours": 3900.0, "vibration": 2.9}, 0.3
    )
}


def _small_project(
    key: str,
    number: int,
    at: int,
    env: str,
    connection: str,
    seed: str,
    model: str,
    model_name: str,
    scored: str,
) -> Members:
    outline = OUTLINES[key]
    recipe = f'"""Scores with the active version of {model}."""\n\nimport dataiku\n\n'
    recipe += f'model = dataiku.Model("{model}").get_predictor()\n'
    recipe += f'rows = dataiku.Dataset("{scored}_input").get_dataframe()\n'
    recipe += f'dataiku.Dataset("{scored}").write_with_schema(model.predict(rows, with_probas=True))\n'
    return {
        "project_config/params.json": _params(outline, number, at, env),
        "project_config/variables.json": {"standard": {}},
        "project_config/recipes/score.json": _recipe(
            "score", "python", [f"{scored}_input", model], [scored], env
        ),
        "project_config/recipes/score.py": recipe,
        f"project_config/datasets/{scored}_input.json": _dataset(
            f"{scored}_input", connection, f"{scored}_input", _population_columns(seed), {"rows": seed}
        ),
        f"project_config/datasets/{scored}.json": _dataset(
            scored, connection, scored, _scored_columns(seed), {"rows": seed, "scoredBy": model}
        ),
        "project_config/scenarios/TEST_SCORING.json": _scenario(
            "TEST_SCORING",
            "Scoring selects a plausible share",
            [
                _step("score", "build_flowitem", "Score the rows", builds=[scored]),
                _step("share", "check_share", "At most half", dataset=scored, low=0.0, high=0.5),
            ],
            test=True,
        ),
        "project_config/scenarios/TEST_SMOKE.json": _scenario(
            "TEST_SMOKE",
            "Smoke test: the scored rows can be read where this runs",
            [
                _step(
                    "read",
                    "exec_sql",
                    "Read the scored table",
                    connection=connection,
                    tables=[f"scoring.{scored}"],
                )
            ],
            test=True,
        ),
        "project_config/dashboards/overview.json": _dashboard("overview", outline.name, []),
        "project_config/wiki/wiki.json": {"homeArticleId": "1", "taxonomy": [{"id": "1", "children": []}]},
        "project_config/wiki/articles/1.json": {"id": "1", "name": "Home"},
        "project_config/wiki/articles/1.md": f"# {outline.name}\n\n{outline.short_desc}.\n",
    }


def _fraud(versions: list[str], number: int, at: int) -> Members:
    members = _small_project(
        "FRAUD",
        number,
        at,
        "fraud-env",
        "payments_db",
        "card-payments",
        "fraud-gb",
        "Fraud model",
        "payments_scored",
    )
    _train(members, "fraud-gb", "Fraud model", "card-payments", versions)
    return members


def _fraud_v1() -> Members:
    return _fraud(list(FRAUD_FORMULAS)[:1], 18, 1784880000000)


def _fraud_v2() -> Members:
    return _fraud(list(FRAUD_FORMULAS), 23, 1788336000000)


def _maint_v1() -> Members:
    members = _small_project(
        "MAINT",
        6,
        1783670400000,
        "maint-env",
        "sensors_db",
        "machines",
        "maint-lr",
        "Maintenance model",
        "machines_scored",
    )
    _train(members, "maint-lr", "Maintenance model", "machines", list(MAINT_FORMULAS))
    return members


def _maint_v2() -> Members:
    members = _maint_v1()
    members["project_config/params.json"]["versionTag"] = _version_tag(8, "hugo", 1786780800000)
    members["project_config/dashboards/overview.json"] = _dashboard(
        "overview", "Machines to look at", ["by_site"]
    )
    members["project_config/insights/by_site.json"] = _insight(
        "by_site", "By site", "machines_scored", "site"
    )
    return members


_REVISIONS: dict[str, dict[str, Callable[[], Members]]] = {
    "CHURN": {"v1": _churn_v1, "v2": _churn_v2, "v3": _churn_v3, "v4": _churn_v4, "v5": _churn_v5},
    "FRAUD": {"v1": _fraud_v1, "v2": _fraud_v2},
    "MAINT": {"v1": _maint_v1, "v2": _maint_v2},
}


def revisions(project: str) -> list[str]:
    """Names of a project's revisions in their order; empty for an unknown project."""
    return list(_REVISIONS.get(project, {}))


def revision(project: str, name: str) -> Members:
    """The members of one revision, the caller's own copy. Raises KeyError for an unknown one."""
    return copy.deepcopy(_built(project, name))


@functools.cache
def _built(project: str, name: str) -> Members:
    return _REVISIONS[project][name]()
