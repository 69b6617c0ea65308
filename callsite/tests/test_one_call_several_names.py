"""Any order, any subset of a call's events, by whichever of its names: one call, in the state of the natural order.

Listeners on either name hear every turn once and in order, or are told to start again and hear everything.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import random
import re
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest
import websockets

from calls.models import Call
from conftest import payload
from lab.stack.depth import examples
from realtime import replay
from webhooks.models import WebhookDelivery

NATURAL = ["init", "register", "patch", "turn_by_sid", "turn_by_conversation", "recording", "transcription", "machine"]


class Events:
    """The events of one inbound call that was also registered, each with the names that it really carries."""

    def __init__(self, mark: str, site, token: str, shape: str = "{}"):
        self.site, self.token = site, token
        names = (shape.format(f"{kind}_{mark}") for kind in ("CA", "EL", "conv", "AC", "XX"))
        self.provider, self.own, self.conversation, self.second, self.foreign = names
        self.said = []

    def send(self, name: str):
        response = getattr(self, name)()
        assert response.status_code < 500, (name, response.text)
        return response

    def init(self):
        numbers = {"caller_id": "+15550100002", "called_number": "+15550100001", "agent_id": "agent_1"}
        return self.site.init(call_sid=self.provider, **numbers)

    def init_with_conversation(self):
        return self.site.init(call_sid=self.provider, conversation_id=self.conversation, agent_id="agent_1")

    def register(self):
        body = {"call_sid": self.own, "driver_id": "DRV_1"}
        return self.site.api("POST", "/api/calls/", self.token, json=body)

    def patch(self):
        body = {"conversation_id": self.conversation}
        return self.site.api("PATCH", address(self.own), self.token, json=body)

    def register_conversation(self):
        body = {"conversation_id": self.conversation, "driver_id": "DRV_1"}
        return self.site.api("POST", "/api/calls/", self.token, json=body)

    def detection(self):
        """A second name of the provider's, as good as the first."""
        data = {"conversation_id": self.conversation, "call_sid": self.second, "answered_by": "human"}
        return self.site.post_call({"type": "answering_machine_detection", "event_timestamp": 1, "data": data})

    def foreign_turn(self):
        """Its variable names the call of another agent: it is of its conversation alone."""
        return self.say(call_sid=self.foreign, conversation_id=self.conversation, agent_id="agent_1")

    def foreign_call(self):
        """The call of another agent, which nothing of this one may touch."""
        body = {"call_sid": self.foreign, "agent_id": "agent_2"}
        return self.site.api("POST", "/api/calls/", self.token, json=body)

    def turn_by_sid(self):
        return self.say(call_sid=self.provider)

    def turn_by_conversation(self):
        return self.say(conversation_id=self.conversation)

    def say(self, **names):
        self.said.append(f"said {len(self.said)}")
        return self.site.turn(**names, speaker="user", message=self.said[-1])

    def recording(self):
        return self.site.post_call(self._named(payload("audio_small_mp3", self.conversation)))

    def transcription(self):
        return self.site.post_call(self._named(payload("transcription_twilio_inbound_as_captured", self.conversation)))

    def failure(self):
        return self.site.post_call(self._named(payload("failure_twilio", self.conversation)))

    def machine(self):
        data = {"conversation_id": self.conversation, "answered_by": "human"}
        return self.site.post_call({"type": "answering_machine_detection", "event_timestamp": 1, "data": data})

    def _named(self, body):
        text = json.dumps(body)
        metadata = body["data"].get("metadata") or {}
        for told in (metadata.get("phone_call") or {}, metadata.get("body") or {}):
            for key in {"call_sid", "CallSid"} & told.keys():
                text = text.replace(json.dumps(told[key]), json.dumps(self.provider))
        return json.loads(text)

    def without_names(self, value):
        text = json.dumps(value)
        kinds = ("PROVIDER", "OWN", "CONVERSATION", "SECOND", "FOREIGN")
        names = (self.provider, self.own, self.conversation, self.second, self.foreign)
        for name, kind in zip(names, kinds, strict=True):
            text = text.replace(json.dumps(name)[1:-1], kind)
        return json.loads(re.sub(r"EL_DRV_1_\d+_[\w-]{16}", "MADE", text))


def address(identifier, part=""):
    return f"/api/calls/{quote(identifier, safe='')}/{part}"


VARIES = ("created_at", "updated_at", "last_sequence_number")


def state_of(events: Events):
    """What REST tells of the one call, its names as what they are; turns are counted."""
    names = [events.provider, events.own, events.conversation, events.second]
    calls = list(Call.objects.filter(call_sid__in=names) | Call.objects.filter(conversation_id=events.conversation))
    assert len(calls) <= 1, [(c.call_sid, c.conversation_id, c.status) for c in calls]
    if not calls:
        return None
    shown = events.site.api("GET", address(calls[0].call_sid), events.token).json()
    transcript = events.site.api("GET", address(calls[0].call_sid, "transcript/"), events.token).json()
    numbers = [turn["sequence_number"] for turn in transcript["turns"]]
    assert numbers == list(range(1, len(numbers) + 1))
    rest = {name: value for name, value in shown.items() if name not in VARIES}
    return events.without_names(rest), len(numbers), events.without_names(transcript["final_transcript"])


def played(site, token, order, shape="{}"):
    events = Events(uuid.uuid4().hex[:10], site, token, shape)
    for name in order:
        events.send(name)
    return events


def is_patchable(order):
    """PATCH names a call that is there: it belongs behind its registration."""
    return "patch" not in order or ("register" in order and order.index("register") < order.index("patch"))


def linked(names):
    """Whether the events say that all their names are of one call."""
    edges = {
        "init_with_conversation": {"provider", "conversation"},
        "patch": {"own", "conversation"},
        "transcription": {"provider", "conversation"},
        "failure": {"provider", "conversation"},
        "init": {"provider"},
        "register": {"own"},
        "turn_by_sid": {"provider"},
        "turn_by_conversation": {"conversation"},
        "recording": {"conversation"},
        "machine": {"conversation"},
    }
    groups = []
    for name in names:
        joined = set(edges[name])
        rest = []
        for group in groups:
            if group & joined:
                joined |= group
            else:
                rest.append(group)
        groups = [*rest, joined]
    return len(groups) == 1


SUBSETS = [
    ["init", "register", "patch", "turn_by_sid", "turn_by_conversation", "recording", "transcription", "machine"],
    ["init_with_conversation", "turn_by_conversation", "turn_by_sid", "recording", "transcription"],
    ["init_with_conversation", "register", "patch", "turn_by_conversation", "failure"],
    ["turn_by_sid", "turn_by_conversation", "transcription"],
    ["register", "failure", "patch"],
    ["recording", "transcription"],
    ["init", "transcription", "turn_by_conversation", "recording"],
]


@pytest.mark.parametrize("creates", [True, False])
@pytest.mark.parametrize("events", SUBSETS, ids=lambda names: "+".join(names))
def test_every_order_of_events_ends_in_one_call_with_the_state_of_the_natural_order(
    site, staff_token, settings, events, creates
):
    settings.ELEVENLABS_CREATE_UNKNOWN_CALLS = creates
    assert linked(events)
    orders = [order for order in itertools.permutations(events) if is_patchable(order)]
    natural = state_of(played(site, staff_token, events))
    for order in random.Random(len(events)).sample(orders, min(examples(25), len(orders))):
        assert state_of(played(site, staff_token, order)) == natural, order
    waiting = WebhookDelivery.objects.filter(outcome="unmatched").exclude(event_type="answering_machine_detection")
    assert not (natural and creates and waiting.exists())


@pytest.mark.parametrize("creates", [True, False])
def test_all_events_at_once_end_in_one_call(site, staff_token, settings, creates):

    settings.ELEVENLABS_CREATE_UNKNOWN_CALLS = creates
    subset = ["init_with_conversation", "turn_by_conversation", "turn_by_sid", "recording", "transcription"]
    natural = state_of(played(site, staff_token, subset))
    for _ in range(8):
        events = Events(uuid.uuid4().hex[:10], site, staff_token)
        with ThreadPoolExecutor(len(subset)) as pool:
            list(pool.map(events.send, subset))
        assert state_of(events) == natural


# --- listeners -------------------------------------------------------------------------------------------------


class Listener:
    """A client that keeps to the protocol: it drops repeats, starts again at a reset, and never accepts a gap."""

    def __init__(self, site, token, identifier):
        self.site, self.token, self.identifier = site, token, identifier
        self.turns, self.ended, self.errors, self.not_found = [], False, [], 0

    async def run(self):
        headers = {"Authorization": f"Bearer {self.token}"}
        async with websockets.connect(self.site.ws_url, additional_headers=headers, proxy=None) as socket:
            await self._subscribe(socket)
            async for text in socket:
                message = json.loads(text)
                if message["type"] == "error" and message["code"] == "CALL_NOT_FOUND" and "identifier" not in message:
                    self.not_found += 1
                    await asyncio.sleep(0.05)
                    await self._subscribe(socket)
                elif message["type"] == "error":
                    self.errors.append(message)
                elif message["type"] == "reset":
                    self.turns = []
                elif message["type"] == "transcription":
                    assert message["sequence_number"] == len(self.turns) + 1, (message, self.turns)
                    self.turns.append(message["message_text"])
                elif message["type"] == "call_completed":
                    self.ended = True
                    return

    async def _subscribe(self, socket):
        await socket.send(json.dumps({"subscribe": self.identifier, "after": 0}))


@pytest.mark.parametrize("seed", range(6))
async def test_who_listens_by_any_name_hears_every_turn_in_order_and_the_end(site, staff_token, settings, seed):
    settings.ELEVENLABS_CREATE_UNKNOWN_CALLS = True
    events = Events(uuid.uuid4().hex[:10], site, staff_token)
    chance = random.Random(seed)
    listeners = [Listener(site, staff_token, name) for name in (events.provider, events.conversation, events.own)]
    tasks = [asyncio.create_task(listener.run()) for listener in listeners]
    begin = ["init", "register", "turn_by_sid", "turn_by_conversation", "turn_by_sid", "turn_by_conversation"]
    chance.shuffle(begin)
    order = [*begin, "init_with_conversation", "patch"] if is_patchable([*begin, "patch"]) else begin
    for name in order:
        await asyncio.to_thread(events.send, name)
        await asyncio.sleep(chance.choice([0, 0, 0.1]))
    await asyncio.to_thread(events.send, "turn_by_conversation")
    await asyncio.to_thread(events.send, "transcription")
    try:
        async with asyncio.timeout(15):
            await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
            with contextlib.suppress(BaseException):
                await task
    for listener in listeners:
        assert listener.ended
        assert not listener.errors
        assert sorted(listener.turns) == sorted(events.said), listener.identifier


async def test_a_call_that_becomes_part_of_another_while_it_is_subscribed_to_is_followed(
    site, staff_token, settings, monkeypatch
):
    settings.ELEVENLABS_CREATE_UNKNOWN_CALLS = True
    events = Events(uuid.uuid4().hex[:10], site, staff_token)
    for name in ("init", "turn_by_conversation"):
        await asyncio.to_thread(events.send, name)
    find, merged = replay.find, threading.Event()

    async def merged_behind_it(identifier):
        state = await find(identifier)
        if not merged.is_set():
            merged.set()
            await asyncio.to_thread(events.send, "init_with_conversation")
        return state

    monkeypatch.setattr(replay, "find", merged_behind_it)
    listener = Listener(site, staff_token, events.conversation)
    task = asyncio.create_task(listener.run())
    assert await asyncio.to_thread(merged.wait, 10)
    await asyncio.to_thread(events.send, "transcription")
    async with asyncio.timeout(15):
        await task
    assert (listener.ended, listener.errors, listener.not_found, listener.turns) == (True, [], 0, events.said)


@pytest.mark.parametrize("creates", [True, False])
def test_a_text_that_is_told_as_call_sid_and_as_conversation_is_one_call(site, staff_token, settings, creates):
    settings.ELEVENLABS_CREATE_UNKNOWN_CALLS = creates
    if not creates:
        assert site.api("POST", "/api/calls/", staff_token, json={"call_sid": "conv_both"}).status_code == 201
    assert site.turn(call_sid="conv_both", speaker="agent", message="Hello").status_code == 201
    assert site.turn(conversation_id="conv_both", speaker="user", message="Hi").status_code == 201
    assert site.post_call(payload("transcription_docs_sample", "conv_both")).status_code == 200
    call = Call.objects.get()
    assert (call.status, call.conversation_id, call.last_sequence_number) == ("completed", "conv_both", 2)
