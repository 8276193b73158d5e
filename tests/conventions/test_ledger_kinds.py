"""Every kind of event has a shape, and its sentence speaks of facts the shape has."""

import re
from string import Formatter

import pytest

from portal.event_kinds import SHAPES, EventKind


def test_every_kind_has_a_shape() -> None:
    assert set(SHAPES) == set(EventKind)


@pytest.mark.parametrize("kind", EventKind)
def test_a_sentence_names_facts_of_its_shape(kind: EventKind) -> None:
    shape = SHAPES[kind]
    named = {field for _, field, _, _ in Formatter().parse(shape.sentence) if field}
    assert named <= shape.facts | {"actor"}
    assert shape.personal <= shape.facts


@pytest.mark.parametrize("kind", EventKind)
def test_a_kind_is_called_subject_dot_happened(kind: EventKind) -> None:
    assert re.fullmatch(r"[a-z]+\.[a-z_]+", kind.value)
    assert kind.label
