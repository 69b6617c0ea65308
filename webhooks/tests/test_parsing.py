"""Any JSON at all: an event and a turn are parsed or refused, and what is parsed can be stored in PostgreSQL."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calls.models import Call
from calls.turn import NewTurn
from lab.stack.depth import examples
from webhooks.errors import InvalidPayload
from webhooks.inbox import receive
from webhooks.payloads import SUPPORTED_TYPES, Event, parse_event
from webhooks.strict_json import decode
from webhooks.tool_payloads import parse_initiation, parse_turn

TEXT = st.text(st.characters(exclude_categories=()), max_size=20)
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXT
ANY = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3))
WORDS = st.sampled_from(["success", "failure", "unknown", "failed", "done", "inbound", "outbound", "1739537297", ""])


def objects(*names, **known):
    """Objects with these fields, each of a plausible or of any kind, or missing."""
    likely = {name: value | ANY for name, value in known.items()}
    return st.fixed_dictionaries({}, optional=dict.fromkeys(names, ANY | WORDS) | likely)


METADATA = objects(
    *("start_time_unix_secs", "call_duration_secs", "cost", "cost_fiat", "termination_reason"),
    error=objects("reason"),
    phone_call=objects("direction", "agent_number", "external_number", "call_sid"),
    body=objects("From", "To", "CallSid", "call_sid"),
)
DATA = objects(
    *("agent_id", "agent_name", "status", "transcript", "failure_reason", "full_audio"),
    conversation_id=st.just("conv_any"),
    metadata=METADATA,
    analysis=objects("call_successful", "transcript_summary"),
    conversation_initiation_client_data=objects(dynamic_variables=objects("system__conversation_id", "call_sid")),
)
STAMPS = st.floats(0, 4e9) | st.integers(0, 10**13) | st.datetimes().map(lambda at: at.isoformat())
EVENTS = objects(type=st.sampled_from(SUPPORTED_TYPES), event_timestamp=STAMPS, data=DATA)
LIKELY = st.fixed_dictionaries({"type": st.sampled_from(SUPPORTED_TYPES), "event_timestamp": STAMPS, "data": DATA})
TURNS = objects(
    *("timestamp", "turn_id"),
    call_sid=st.just("EL_any"),
    speaker=st.sampled_from(["agent", "user"]),
    message=TEXT,
)
in_database = settings(
    max_examples=examples(80), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def raw(body):
    return json.dumps(body).encode()


def parsed(parse, body):
    """What the body says, or None where it is refused in the one way there is."""
    try:
        return parse(decode(raw(body)))
    except InvalidPayload:
        return None


@given(EVENTS | LIKELY)
@settings(max_examples=200, deadline=None)
def test_any_object_is_an_event_or_an_invalid_payload(body):
    event = parsed(parse_event, body)
    assert event is None or isinstance(event, Event)


@given(TURNS | objects("conversation_id", parameters=TURNS))
@settings(max_examples=200, deadline=None)
def test_any_object_is_a_turn_or_an_invalid_payload(body):
    turn = parsed(parse_turn, body)
    if turn is not None:
        assert isinstance(turn, NewTurn)
        assert turn.speaker_type in ("agent", "driver")
        assert turn.message_text.strip()
        assert turn.timestamp is None or turn.timestamp.tzinfo is not None


@given(objects("caller_id", "agent_id", "called_number", "conversation_id", call_sid=st.just("CA1")))
@settings(deadline=None)
def test_any_object_is_an_initiation_or_an_invalid_payload(body):
    initiation = parsed(parse_initiation, body)
    assert initiation is None or initiation.call_sid or initiation.conversation_id


@pytest.mark.django_db
@given(LIKELY)
@in_database
def test_what_is_parsed_can_be_stored(body):
    Call.objects.all().delete()
    call = Call.register(call_sid="EL_any", conversation_id="conv_any")
    body["data"] = {**body["data"], "conversation_id": "conv_any"} if isinstance(body["data"], dict) else body["data"]
    answer = receive("post-call", raw(body))
    assert answer.status in (200, 400), answer.body
    call.refresh_from_db()
    assert (call.status == "in_progress") or answer.status == 200


@pytest.mark.django_db
@given(TURNS)
@in_database
def test_a_turn_that_is_parsed_can_be_stored(body):
    Call.objects.all().delete()
    call = Call.register(call_sid="EL_any", conversation_id="conv_any")
    answer = receive("transcription", raw({**body, "conversation_id": "conv_any"}))
    assert answer.status in (201, 400), answer.body
    assert call.transcriptions.count() == (answer.status == 201)
