"""The parts of the search for a broken promise: a layer, reads, and browsers that check each message they get."""

from __future__ import annotations

import asyncio
import itertools
import json
from dataclasses import dataclass, field

import pytest
from django.db import OperationalError
from rest_framework.test import APIClient

from realtime.auth import Identity, Rights
from realtime.consumers import TranscriptionConsumer


class Layer:
    """A channel layer whose messages wait on a wire. It has one channel, the hub's."""

    def __init__(self):
        self.begin()

    def begin(self):
        self.away, self.joined, self.wire = False, False, []
        self.arrived = asyncio.Queue()

    def publish(self, *messages):
        if self.joined and not self.away:
            self.wire += messages

    def deliver(self, which, *, keep):
        which %= len(self.wire)
        message = self.wire[which] if keep else self.wire.pop(which)
        self.arrived.put_nowait({"type": "batch", "messages": [message]})

    async def new_channel(self):
        return "hub"

    async def receive(self, channel):
        return await self.arrived.get()

    async def group_add(self, group, channel):
        if self.away:
            raise ConnectionError
        self.joined = True

    async def group_discard(self, group, channel):
        if self.away:
            raise ConnectionError
        self.joined = False


class Reads:
    """The hub's database reads: asked, then performed, then answered, each when the test's state machine says so."""

    def __init__(self):
        self.begin()

    def begin(self):
        self.unread, self.unanswered = [], []

    async def in_thread(self, read, *_, **__):
        answer = asyncio.get_running_loop().create_future()
        self.unread.append((read, answer))
        return await answer

    def perform(self, which):
        read, answer = self.unread.pop(which % len(self.unread))
        try:
            self.unanswered.append((answer.set_result, read(), answer))
        except Exception as error:  # noqa: BLE001  (the error that the thread would hand over)
            self.unanswered.append((answer.set_exception, error, answer))

    def fail(self, which):
        _, answer = self.unread.pop(which % len(self.unread))
        if not answer.done():
            answer.set_exception(OperationalError("away"))

    def answer(self, which):
        tell, what, answer = self.unanswered.pop(which % len(self.unanswered))
        if not answer.done():
            tell(what)


RIGHTS = Rights("dispatcher", None)
STEPS = 15  # of the event loop, after which no task can go on without a new answer


class StillLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock moves only when the test moves it."""

    now = 0.0

    def time(self):
        return self.now


class World:
    """One process with its event loop, in which nothing happens unless the test makes it happen."""

    def __init__(self, client, layer, reads):
        self.client, self.layer, self.reads = client, layer, reads
        self.begun, self.broken, self.steps = False, [], STEPS

    def begin(self):
        self.begun, self.broken, self.steps = True, [], STEPS
        self.loop = StillLoop()
        self.layer.begin()
        self.reads.begin()

    def run(self, seconds=0.0):
        """Let time pass, and let every task go on as far as it can without a new answer."""
        self.loop.now += seconds

        async def some_steps():
            for _ in range(self.steps):
                await asyncio.sleep(0)

        self.loop.run_until_complete(some_steps())
        if self.broken:
            raise self.broken[0]

    def settle(self, seconds=0.0):
        """Let time pass slowly, performing and answering all reads at once. Fails if the hub never comes to rest."""
        self.steps = STEPS
        self.run(min(seconds, 0.25))
        for _ in range(1000):
            if self.reads.unread:
                self.reads.perform(0)
            elif self.reads.unanswered:
                self.reads.answer(0)
                self.run()
            elif seconds > 0.25:
                return self.settle(seconds - 0.25)
            else:
                return None
        raise AssertionError("the hub never comes to rest")

    def end(self):
        async def cancel():
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        self.loop.run_until_complete(cancel())
        self.loop.close()
        self.begun = False


@dataclass(eq=False)
class Listening:
    """One subscription: what it was promised, and what it got."""

    call: object
    live: bool  # confirmed while the call was in progress
    start: int
    got: list[tuple[int, str]] = field(default_factory=list)

    @property
    def newest(self):
        return self.start + len(self.got)


class Browser:
    """One client, through all its connections. It checks every message against what it was promised."""

    def __init__(self, world):
        self.world = world
        self.newest = {}  # per call, the number with which it would resume
        self.app = None

    def _connect(self):
        self.says, self.asked = asyncio.Queue(), []
        self.listening, self.over, self.ending, self.resets = {}, [], None, None
        self.gone, self.reading = False, asyncio.Event()
        self.reading.set()
        scope = {"type": "websocket", "path": "/ws/calls/transcriptions", "headers": [], "query_string": b""}
        scope["callsite.abort"] = self._lose_connection
        self.says.put_nowait({"type": "websocket.connect"})
        consumer = TranscriptionConsumer.as_asgi()
        self.app = self.world.loop.create_task(consumer(scope, self.says.get, self._take))
        self.world.run()

    def _lose_connection(self):
        self.gone = True
        self.reading.set()
        self.says.put_nowait({"type": "websocket.disconnect", "code": 1006})

    def _say(self, call, message, after=None):
        if not self.connected:
            self._connect()
        call.refresh_from_db()
        self.asked.append((call, after, call.last_sequence_number))
        self.says.put_nowait({"type": "websocket.receive", "text": json.dumps(message)})
        self.world.run()

    def subscribe(self, call, after):
        if after == "resume":
            after = self.newest.get(call.pk, 0)
        self._say(call, {"subscribe": call.call_sid} | ({} if after is None else {"after": after}), after)

    def unsubscribe(self, call):
        self._say(call, {"unsubscribe": call.call_sid})

    def disconnect(self):
        if self.connected:
            self._lose_connection()
            self.world.settle()
            assert self.app.done()
            self.app.result()

    def read(self, reads):
        if self.connected:
            (self.reading.set if reads else self.reading.clear)()
            self.world.run()

    @property
    def connected(self):
        return self.app is not None and not self.gone

    async def _take(self, message):
        """Receive a message from the server: the ASGI protocol's `send`."""
        await self.reading.wait()
        if self.gone:
            raise OSError
        if message["type"] == "websocket.send":
            try:
                self._hear(json.loads(message["text"]))
            except Exception as broken:  # noqa: BLE001  (the error must not end in a task of the consumer's)
                self.world.broken.append(broken)
        elif message["type"] == "websocket.close":
            self._lose_connection()

    # --- received messages ------------------------------------------------------------------------------------

    def _hear(self, message):
        assert self.ending is None or message["type"] == "call_completed", "the pair is torn"
        assert self.resets is None or message["type"] == "reset", "a reset is missing"
        getattr(self, f"_hear_{message['type']}")(message)

    def _hear_subscription_confirmed(self, message):
        call, after, newest_when_asked = self.asked.pop(0)
        newest = message["last_sequence_number"]
        assert newest >= newest_when_asked
        known, ended = call.pk in self.listening, message["status"] != "in_progress"
        if after is None and (known or ended):
            return
        if after is not None and after > newest:
            self.resets, after = call.pk, 0
        start = newest if after is None else after
        self.listening[call.pk] = Listening(call, not ended, start)
        self.newest[call.pk] = start

    def _hear_reset(self, message):
        assert self.resets is not None
        self.resets = None

    def _hear_unsubscribe_confirmed(self, message):
        call, _, _ = self.asked.pop(0)
        self.listening.pop(call.pk, None)

    def _hear_error(self, message):
        assert message["code"] == "SUBSCRIPTION_FAILED"
        self.asked.pop(0)

    def _hear_transcription(self, message):
        listening = self._listening_to(message)
        assert message["sequence_number"] == listening.newest + 1, "a gap or a repeat"
        listening.got.append((message["sequence_number"], message["message_text"]))
        self.newest[listening.call.pk] = listening.newest

    def _hear_heartbeat(self, message):
        assert message["calls"] == {each.call.call_sid: each.newest for each in self.listening.values()}

    def _hear_call_status(self, message):
        self.ending = self._listening_to(message)

    def _hear_call_completed(self, message):
        assert self.ending is self._listening_to(message)
        del self.listening[self.ending.call.pk]
        self.over.append(self.ending)
        self.ending = None

    def _listening_to(self, message):
        found = [each for each in self.listening.values() if each.call.call_sid == message["call_sid"]]
        assert found, "a message of a call that it does not listen to"
        return found[0]

    # --- what must have been received -------------------------------------------------------------------------

    def check_that_nothing_is_missing(self, transcripts):
        if not self.connected:
            return
        assert not self.app.done()
        assert not self.asked, "a request was not answered"
        assert self.ending is None
        for listening in itertools.chain(self.listening.values(), self.over):
            call = listening.call
            transcript = transcripts[call.pk][listening.start :]
            if call.ended and listening.live:
                transcript = [turn for turn in transcript if turn[0] <= call.final_sequence_number]
            if listening in self.over:
                assert listening.newest >= call.final_sequence_number
                if not listening.live:  # turns may be stored after the call was served
                    transcript = transcript[: len(listening.got)]
            else:
                assert not call.ended, "the pair is missing"
            assert listening.got == transcript


@pytest.fixture
def world(transactional_db, dispatcher, monkeypatch, settings):
    """Return the real hub with small pages and queues; the test's state machine controls its clock, layer and reads."""
    settings.WS_MAX_MESSAGES_PER_SECOND = settings.WS_MAX_CONNECTIONS_PER_USER = 0
    client = APIClient()
    client.force_authenticate(dispatcher)
    layer, reads = Layer(), Reads()

    async def identify(scope):
        return Identity(dispatcher.pk, expires_at=None), RIGHTS

    async def still_allowed(identities):
        return dict.fromkeys(identities, RIGHTS)

    for name, value in {
        "realtime.auth.identify": identify,
        "realtime.auth.still_allowed": still_allowed,
        "realtime.doorbell.get_channel_layer": lambda: layer,
        "realtime.replay.PAGE": 3,
        "realtime.replay.in_thread": reads.in_thread,
        "realtime.send_queue.LIMIT_BYTES": 400,
        "realtime.signals.publish": layer.publish,
        "realtime.subscriptions.YIELD_EVERY": 1,
    }.items():
        monkeypatch.setattr(name, value)
    return World(client, layer, reads)
