"""One call by odd identifiers, by names that are equally good, beside another agent's call, and all at once."""

from __future__ import annotations

import itertools
import random
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from calls import races
from callsite.tests.test_one_call_several_names import Events, address, played, state_of
from conftest import payload
from lab.stack.depth import examples

SHAPES = [
    "{}",
    "{}\u3000\u00a0👨\u200d👩\u200d👧",
    "sip/{}@host;x=1",
    " a {} b ",
    "{}/transcript",
    "{}/recording",
    "%2F {} %",
    '"{}" é 😀',
    "<{}>?#&",
]
ODD = {
    "registered by the conversation alone": ["register_conversation", "init_with_conversation", "transcription"],
    "registered so, without a conversation-init": ["register_conversation", "turn_by_conversation", "failure"],
    "two names of one rank": ["turn_by_conversation", "detection", "transcription", "recording"],
    "two names of one rank, and a better one": ["init_with_conversation", "detection", "transcription", "machine"],
    "a recording that alone tells the agent": ["turn_by_conversation", "recording", "register_conversation"],
    "a turn that names another agent's call": ["foreign_turn", "init_with_conversation", "transcription"],
}


@pytest.mark.parametrize("creates", [True, False])
@pytest.mark.parametrize("events", ODD.values(), ids=ODD)
def test_odd_identifiers_equal_names_and_other_agents_end_in_the_same_state_in_every_order(
    site, staff_token, settings, events, creates
):
    settings.ELEVENLABS_CREATE_UNKNOWN_CALLS = creates
    orders = list(itertools.permutations(events))
    chance = random.Random(len(events))
    natural = state_of(played(site, staff_token, ["foreign_call", *events]))
    told_as = list(zip(SHAPES * 2, chance.choices(orders, k=2 * len(SHAPES)), strict=True))
    for shape, order in told_as[: max(len(SHAPES), examples(len(told_as)))]:
        told = played(site, staff_token, ["foreign_call", *order], shape)
        assert state_of(told) == natural, (shape, order)
        foreign = site.api("GET", address(told.foreign), staff_token).json()
        assert (foreign["call_sid"], foreign["conversation_id"], foreign["last_sequence_number"]) == (
            *(told.foreign, None, 0),
        )


@pytest.mark.parametrize("creates", [True, False])
def test_rest_and_webhooks_of_one_call_at_once_wait_for_each_other_in_one_order(
    site, staff_token, settings, monkeypatch, on_postgresql, creates
):
    """Each transaction has one try, so that a deadlock, or two that make the same call, would be a 500."""
    settings.ELEVENLABS_CREATE_UNKNOWN_CALLS = creates
    monkeypatch.setattr(races, "ATTEMPTS", 1)
    together = ["register", "patch", "turn_by_sid", "turn_by_conversation", "init_with_conversation", "failure"]
    for number in range(6):
        events = Events(uuid.uuid4().hex[:10], site, staff_token)
        if number % 2:
            site.api("POST", "/api/calls/", staff_token, json={"call_sid": events.own})
        body = events._named(payload("transcription_twilio_inbound_as_captured", events.conversation))
        body["data"]["conversation_initiation_client_data"] = {"dynamic_variables": {"call_sid": events.own}}
        if number % 3:
            assert site.post_call(body).status_code == (200 if number % 2 or creates else 404)
        with ThreadPoolExecutor(len(together)) as pool:
            list(pool.map(events.send, together))
        events.send("patch")
        assert site.post_call(body).status_code == 200
        call, *_ = state_of(events)
        assert (call["call_sid"], call["conversation_id"], call["status"]) == ("OWN", "CONVERSATION", "completed")
