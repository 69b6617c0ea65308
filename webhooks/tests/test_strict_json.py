"""The decoder in front of every webhook: any bytes become a storable object or InvalidPayload, nothing else."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from webhooks.errors import InvalidPayload
from webhooks.strict_json import MAX_DEPTH, decode

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=()))
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


def storable(value):
    """Whether PostgreSQL's text and jsonb take it."""
    if isinstance(value, str):
        return "\x00" not in value and value.encode("utf-8", "ignore").decode() == value
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(storable(part) for item in value.items() for part in item)
    return all(map(storable, value)) if isinstance(value, list) else True


@settings(deadline=None)
@given(st.binary() | st.text().map(str.encode) | JSON.map(json.dumps).map(str.encode))
@example(b'{"a": 1e999}')
@example(b'{"a": "\\ud800\\u0000"}')
@example(b"\xff\xfe{\x00}\x00")
def test_any_bytes_are_a_storable_object_or_an_invalid_payload(raw):
    try:
        value = decode(raw)
    except InvalidPayload as error:
        value = {"details": error.details}
    assert isinstance(value, dict)
    assert storable(value)


@settings(deadline=None)
@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), SCALARS))
def test_what_is_storable_comes_out_as_it_went_in(value):
    if not storable(value):
        return
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False, indent=1)):
        assert decode(text.encode()) == value


def test_nul_and_lone_surrogates_are_replaced_in_keys_and_values():
    assert decode(rb'{"a\u0000": ["\ud800x", "\udc00"], "b": "\ud83d\ude00"}') == {
        "a�": ["�x", "�"],
        "b": "😀",
    }


def test_two_keys_that_become_one_by_the_repair_are_an_object_still():
    assert decode(rb'{"\u0000": 1, "\ud800": 2}') in ({"�": 1}, {"�": 2})


def test_a_byte_order_mark_is_skipped():
    assert decode(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


def test_nesting_is_taken_to_a_depth_and_no_further():
    def nested(depth):
        return b'{"a": ' + b"[" * depth + b"]" * depth + b"}"

    assert decode(nested(MAX_DEPTH - 1))
    for depth in (MAX_DEPTH + 1, 5_000, 200_000):
        with pytest.raises(InvalidPayload, match="Invalid webhook payload") as refused:
            decode(nested(depth))
        assert "nested deeper" in refused.value.details


@pytest.mark.parametrize("number", ["1e999", "-1e999", "1" * 5000, "NaN", "Infinity", "-Infinity"])
def test_a_number_that_cannot_be_kept_is_refused(number):
    with pytest.raises(InvalidPayload):
        decode(b'{"a": [%s]}' % number.encode())


@pytest.mark.parametrize("number", ["0", "-0.0", "1e308", "5e-324", "12345678901234567890123"])
def test_any_other_number_is_kept(number):
    assert decode(b'{"a": %s}' % number.encode()) == {"a": json.loads(number)}


@pytest.mark.parametrize("raw", [b'{"a": 1, "a": 1}', b'{"a": {"b": 1, "b": 2}}', rb'{"a": 1, "\u0061": 2}'])
def test_of_a_key_given_twice_the_last_one_counts(raw):
    """A signed body has one reader, and refused it would be lost: ElevenLabs does not send a 4xx again."""
    assert decode(raw) == json.loads(raw)
    assert decode(raw[:-1] + rb', "x": "\u0000"}') == json.loads(raw) | {"x": "\ufffd"}, "mended as well"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "latin-1"])
def test_another_encoding_is_refused(encoding):
    with pytest.raises(InvalidPayload):
        decode('{"type": "café"}'.encode(encoding))
