"""Look-ups by the two identifiers, and the one that is made where none is given."""

from __future__ import annotations

import re
import time

import pytest

from calls.models import Call


@pytest.fixture
def known(db):
    return Call.register(call_sid="EL_1", conversation_id="conv_1")


def test_a_call_is_found_by_each_of_its_identifiers(known):
    assert Call.objects.get_by_call_sid("EL_1") == known
    assert Call.objects.get_by_conversation_id("conv_1") == known
    for identifier in ("EL_1", "conv_1"):
        assert Call.objects.get_by_identifier(identifier) == known


@pytest.mark.parametrize("identifier", ["", "EL_", "el_1", "nobody"])
def test_what_is_not_there_is_does_not_exist(known, identifier):
    for look_up in (
        Call.objects.get_by_call_sid,
        Call.objects.get_by_conversation_id,
        Call.objects.get_by_identifier,
    ):
        with pytest.raises(Call.DoesNotExist):
            look_up(identifier)


def test_where_two_calls_answer_the_call_sid_wins(known):
    other = Call.register(call_sid="conv_1", conversation_id="EL_1")
    assert Call.objects.get_by_identifier("EL_1") == known
    assert Call.objects.get_by_identifier("conv_1") == other


def test_a_call_sid_is_made_of_driver_and_time_and_cannot_be_guessed(db):
    before = int(time.time())
    call = Call.register(driver_id="42")
    match = re.fullmatch(r"EL_42_(\d+)_[\w-]{16}", call.call_sid)
    assert Call.register(driver_id="42").call_sid != call.call_sid
    assert before <= int(match[1]) <= time.time()
    assert (call.status, call.last_sequence_number, call.conversation_id) == ("in_progress", 0, None)
