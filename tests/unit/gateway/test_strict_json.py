"""JSON with one meaning."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.refusals import MalformedJson
from services.gateway.strict_json import loads

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(VALUES)
def test_what_json_can_say_comes_back(value: object) -> None:
    assert loads(json.dumps(value).encode()) == value


@pytest.mark.parametrize("body", [
    b"", b"{", b"{'a': 1}", b'{"a": 1,}', b'{"a":1} x', b'{"a":1,"a":1}', b'[{"b":{"a":1,"a":2}}]',
    b"NaN", b"[Infinity]", b"-Infinity", b"9223372036854775808", b"-9223372036854775809",
    b"1" * 5000, b"1e999", b'"\\ud800"', b'{"\\udfff": 1}', b'"\xff"', b"\xef\xbb\xbf{}",
    b"[" * 41 + b"]" * 41, b'{"a":' * 41 + b"1" + b"}" * 41, b"[" * 100_000, b'"\x01"', b"01",
])  # fmt: skip
def test_what_could_be_read_two_ways_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedJson):
        loads(body)


def test_depth_forty_is_allowed_and_pairs_of_surrogates_are_one_character() -> None:
    assert loads(b"[" * 40 + b"]" * 40)
    assert loads(b'"\\ud83d\\ude00"') == "😀"


def test_the_place_is_told_and_the_content_is_not() -> None:
    with pytest.raises(MalformedJson) as caught:
        loads(b'{"a": 1,\n "secret-marker" 2}')
    problem = caught.value.errors[0]
    assert (problem.line, problem.column) == (2, 18)
    assert "marker" not in str(caught.value.to_wire())


@given(st.binary(max_size=200))
def test_any_bytes_are_a_value_or_a_refusal(body: bytes) -> None:
    with contextlib.suppress(MalformedJson):
        loads(body)
