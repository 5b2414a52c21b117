"""A hash that commits to a value commits to no other, however it is found."""

import hashlib
import json

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from habeas.audit.canonical import _decimal, _quick, canonical, commits

NUMBERS = (5e-05, -2.25e-06, 9.999999e-05, 1e-06, 1e-07, 2.0, -7.0, 0.0, -0.0, 0.1, 1e15, 1e16, 1e21, 1.5e300, 7)
LOOKS_LIKE_ONE = ("5e-05", ":5e-05,", 'a":5e-05,', '":2.0}', 'a\\":2.0,', 'x":2.0', "\\", '"')
texts = st.one_of(st.sampled_from(LOOKS_LIKE_ONE), st.text(max_size=8))
scalars = st.one_of(
    texts,
    st.sampled_from(NUMBERS),
    st.integers(-(2**53) + 1, 2**53 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.none(),
)
values = st.recursive(
    scalars, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=4))
)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("number", NUMBERS)
def test_every_number_is_found(number: float) -> None:
    value = {"expected_fpir": number, "nested": {"n": [number, {"z": number}]}}
    assert commits(sha256(rfc8785.dumps(value)), value)


@pytest.mark.parametrize("number", [5e-05, -2.25e-06, 9.999999e-05, 1e-06, 2.0, -7.0, 0.0, 1e15])
def test_numbers_of_entries_are_found_quickly(number: float) -> None:
    value = {"expected_fpir": number, "false_a_day": number}
    assert _decimal(_quick(value)).encode() == canonical(value)


@given(values)
def test_the_canonical_form_of_any_value_is_found(value: object) -> None:
    assert commits(sha256(canonical(value)), value)


@given(values)
def test_no_quick_form_is_of_another_value(value: object) -> None:
    """Else an operator could show one thing, having committed to another."""
    assert json.loads(_decimal(_quick(value))) == value


def test_a_form_of_another_value_would_be_seen() -> None:
    value = {"a": 'b":5e-05,'}
    assert json.loads(_quick(value).replace("5e-05", "0.00005")) != value
    assert not commits(sha256(canonical({"a": 'b":0.00005,'})), value)


def test_what_has_no_form_is_refused() -> None:
    too_large = json.loads('{"a":1e999}')
    with pytest.raises(ValueError, match="Out of range"):
        commits(sha256(b'{"a":Infinity}'), too_large)
    with pytest.raises(UnicodeEncodeError):
        commits("", {"a": "\ud800"})
