"""What became of models between two bundles: named by what the archive tells, and left out where it does not."""

import io
import json
import zipfile
from typing import Any

import pytest

from deployments.differences import sentence_of
from portal.dss.manifest import Texts, read_manifest
from portal.dss.trained import ModelChange, model_changes

Members = dict[str, Any]


def model(
    version: str = "1",
    features: int | None = 3,
    *,
    folder: str = "saved_models",
    settings: Any = None,
    name: str = "churn-rf",
    weights: str = "",
    real: bool = False,
) -> Members:
    """The members of one model: its definition, and its active version."""
    at = f"{folder}/rf/versions/{version}"
    definition = {"name": name, "activeVersion": version, "settings": settings}
    told: Members = {"core_params.json": {"inputs": [f"c{n}" for n in range(features or 0)]}}
    if real:
        roles = {f"c{n}": {"role": "INPUT"} for n in range(features or 0)}
        told = {
            "core_params.json": {"target_variable": "churned"},
            "rpreprocessing_params.json": {"per_feature": {**roles, "churned": {"role": "TARGET"}}},
        }
    if features is None:
        told = {}
    return {
        "project_config/saved_models/rf.json": definition,
        f"{at}/model.bin": weights or f"weights of {version}",
        **{f"{at}/{file}": value for file, value in told.items()},
    }


def changes(old: Members, new: Members) -> list[ModelChange]:
    texts = Texts()
    manifests = []
    for members in (old, new):
        body = io.BytesIO()
        with zipfile.ZipFile(body, "w") as archive:
            archive.writestr("export-manifest.json", "{}")
            for path, value in members.items():
                archive.writestr(path, value if isinstance(value, str) else json.dumps(value))
        manifests.append(read_manifest(body, texts))
    return model_changes(manifests[0], manifests[1], texts.kept.get)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (model("1", 39), model("2", 41), "Model “churn-rf” was retrained: 41 features, was 39."),
        (model("1", 39), model("2", 39), "Model “churn-rf” was retrained: 39 features, as before."),
        (model("1", 2), model("2", 1), "Model “churn-rf” was retrained: 1 feature, was 2."),
        (model("1", 3), model("1", 3, weights="others"), "Model “churn-rf” was retrained: 3 features, as before."),
        (model("1", None), model("2", 41), "Model “churn-rf” was retrained: 41 features."),
        (model("1", 39), model("2", None), "Model “churn-rf” was retrained."),
        (model("1", 39, real=True), model("2", 41, real=True), "Model “churn-rf” was retrained: 41 features, was 39."),
        (
            model("1", 39, folder="project_config/saved_models"),
            model("2", 41, folder="project_config/saved_models"),
            "Model “churn-rf” was retrained: 41 features, was 39.",
        ),
        (model(), model(settings="others"), "Model “churn-rf” has other settings; what was trained is the same."),
        ({}, model("1", 5), "Model “churn-rf” is new: 5 features."),
        ({}, model("1", None), "Model “churn-rf” is new."),
        (model(), {}, "Model “churn-rf” is gone."),
    ],
)  # fmt: skip
def test_a_model_that_changed_is_called_out(old: Members, new: Members, said: str) -> None:
    (found,) = changes(old, new)
    assert sentence_of(found) == said


def test_a_model_that_is_the_same_is_not_mentioned() -> None:
    assert changes(model(), model()) == []
    both = {**model(), "saved_models/rf/versions/0/model.bin": "an older version, of which nothing runs"}
    assert changes(model(), both) == []


@pytest.mark.parametrize(
    "definition",
    [
        "",
        "{",
        "[]",
        "null",
        '{"name": 7, "activeVersion": ["2"]}',
        '{"activeVersion": "9"}',
        '{"a": 1, "a": 2}',
    ],
)
def test_a_definition_that_cannot_be_read_leaves_the_newest_version(definition: str) -> None:
    def with_(members: Members) -> Members:
        return {**members, "project_config/saved_models/rf.json": definition}

    (found,) = changes(with_(model("1", 3)), with_({**model("1", 3), **model("2", 4)}))
    assert sentence_of(found) == "Model “rf” was retrained: 4 features, was 3."


@pytest.mark.parametrize("params", ["", "[]", '{"inputs": 7}', '{"inputs": {"a": 1}}', '"text"', "NaN"])
def test_features_that_cannot_be_read_are_left_out(params: str) -> None:
    new = {**model("2", 3), "saved_models/rf/versions/2/core_params.json": params}
    (found,) = changes(model("1", 3), new)
    assert sentence_of(found) == "Model “churn-rf” was retrained."


def test_a_name_is_short_and_printable() -> None:
    (found,) = changes({}, model(name="a\x00\x1b[31m" + "b" * 500))
    assert found.name == "a[31m" + "b" * 95


def test_what_is_kept_is_bounded() -> None:
    texts = Texts()
    texts.take("large", b"x" * (Texts.MOST_BYTES + 1))
    texts.take("binary", b"a\0b")
    assert texts.kept == {}
    for number in range(100):
        texts.take(str(number), b"x" * Texts.MOST_BYTES)
    assert len(texts.kept) == Texts.MOST_IN_ALL // Texts.MOST_BYTES
    many = Texts()
    for number in range(Texts.MOST + 5):
        many.take(str(number), b"x")
    assert len(many.kept) == Texts.MOST
