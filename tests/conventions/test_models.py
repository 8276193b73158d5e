"""What is true of every model: who and when go together, and a unique rule holds on both databases."""

import pytest
from django.apps import apps
from django.db.models import CheckConstraint, Model, Q

from tests.conventions.tree import APPS

MODELS = [model for app in APPS for model in apps.get_app_config(app).get_models()]


def fields_of(condition: object) -> set[str]:
    """Names of the fields a condition speaks of, lookups taken off."""
    if isinstance(condition, Q):
        return {name for child in condition.children for name in fields_of(child)}
    return {str(condition[0]).split("__")[0]} if isinstance(condition, tuple) else set()


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_at_and_by_are_paired(model: type[Model]) -> None:
    fields = {field.name: field for field in model._meta.concrete_fields}
    checked = [
        fields_of(constraint.condition)
        for constraint in model._meta.constraints
        if isinstance(constraint, CheckConstraint)
    ]
    for name, by in fields.items():
        if not name.endswith("_by"):
            continue
        at = fields.get(f"{name.removesuffix('_by')}_at")
        assert at is not None, f"{model.__name__}.{name} has no {name.removesuffix('_by')}_at beside it"
        assert at.null == by.null, f"{model.__name__}: {at.name} and {name} are not optional together"
        if by.null:
            assert any({at.name, name} <= named for named in checked), (
                f"{model.__name__}: no constraint pairs {at.name}"
            )


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_a_model_reads_as_itself(model: type[Model]) -> None:
    assert "__str__" in {
        name for parent in model.__mro__[:-1] for name in vars(parent) if parent is not Model
    }
