"""One byte form: the examples of RFC 8785, and what has no form at all."""

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.canonical import MAX_INTEGER, NotCanonical, canonical, digest, loads_strict

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-MAX_INTEGER, MAX_INTEGER)
    | st.floats(allow_nan=False, allow_infinity=False, min_value=-1e15, max_value=1e15)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda held: (
        st.lists(held, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), held, max_size=4)
    ),
    max_leaves=12,
)


def test_the_example_of_the_rfc() -> None:
    value = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": '€$\u000f\nA\'B"\\\\"/',
        "literals": [None, True, False],
    }
    assert canonical(value).decode() == (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )


def test_keys_are_ordered_by_utf16() -> None:
    value = {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\x80": 6, "\u00f6": 7}
    in_order = ["\r", "1", "\x80", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]
    assert list(json.loads(canonical(value))) == in_order


def test_digest_is_of_the_canonical_bytes() -> None:
    assert digest({"b": 1, "a": [True]}) == hashlib.sha256(b'{"a":[true],"b":1}').hexdigest()


@given(values)
def test_what_is_written_is_read_back_and_written_the_same(value: Any) -> None:
    written = canonical(value)
    read = loads_strict(written)
    assert read == value
    assert canonical(read) == written


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        2**53,
        -(2**53),
        "\ud800",
        {"\ud800": 1},
        {1: 2},
        b"bytes",
        {1, 2},
        object(),
    ],
    ids=lambda value: "an object" if type(value) is object else repr(value),
)
def test_what_has_no_form(value: Any) -> None:
    with pytest.raises(NotCanonical):
        canonical(value)


def test_nesting_that_is_too_deep() -> None:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(NotCanonical, match="deeply"):
        canonical(value)


@pytest.mark.parametrize(
    "text, reason",
    [
        (b'{"a":1,"a":2}', "duplicate key 'a'"),
        (b"9007199254740992", "an integer beyond 2^53"),
        (b"1e999", "a number beyond the range of a double"),
        (b"NaN", "the constant NaN"),
        (b'"\\ud800"', "input contains non-UTF-8 codepoints"),
        (b'"\xff"', "not UTF-8"),
        (b"{", "not JSON"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_texts_that_are_not_read(text: bytes, reason: str) -> None:
    with pytest.raises(NotCanonical) as refused:
        loads_strict(text)
    assert refused.value.reason == reason
