"""The hub: what one process holds of who listens to what, up to where; fan-out and catch-up.

A process joins the channel layer once and gets each message once. The layer is only a doorbell: numbers show a gap or
a repeat, and every 2 seconds the hub compares its calls with the database, in one query, and serves what the layer
lost. So a subscriber has every turn, in order and once, whatever happens to Redis or to the process that took the
webhook.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from weakref import WeakKeyDictionary

from django.db import Error

from calls.models import Call
from realtime import auth, log, messages
from realtime.cycles import Tasks, forever
from realtime.doorbell import Doorbell
from realtime.messages import CallState
from realtime.publisher import Message
from realtime.subscriptions import Listener, Subscription, Topic

logger = logging.getLogger(__name__)
SWEEP_SECONDS = (1.5, 2.0)
SETTLE_SECONDS = 0.3
HEARTBEAT_SECONDS = 20.0
STALLED_SECONDS = 15.0
DATABASE_RETRY_SECONDS = 1.0
CLOSE_TRY_AGAIN_LATER = 1013
CLOSE_NOT_AUTHENTICATED = 4401

_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def current_hub() -> Hub:
    """The hub of the running event loop: in a server, of the process."""
    loop = asyncio.get_running_loop()
    if loop not in _hubs:
        _hubs[loop] = Hub()
    return _hubs[loop]


class Hub:
    """Works while there are listeners; with nobody there it does nothing."""

    def __init__(self) -> None:
        self.listeners: set[Listener] = set()
        self._connections: Counter[int] = Counter()  # by user
        self.topics: dict[int, Topic] = {}
        self._doorbell = Doorbell(self._heard, self._joined)
        self._cycles: list[asyncio.Task[None]] = []
        self._tasks = Tasks()

    # --- who is here ------------------------------------------------------------------------------------------

    def enter(self, listener: Listener) -> None:
        self.listeners.add(listener)
        self._connections[listener.user_id] += 1
        if not self._cycles:
            self._doorbell.want(True)
            self._cycles = [asyncio.create_task(forever(work)) for work in (self._sweep, self._beat)]

    def leave(self, listener: Listener) -> None:
        for call_id in list(listener.subscriptions):
            self.unsubscribe(listener, call_id)
        listener.outbox.close()
        if listener not in self.listeners:  # it was told why it may not come in
            return
        self.listeners.remove(listener)
        self._connections[listener.user_id] -= 1
        if not self._connections[listener.user_id]:
            del self._connections[listener.user_id]
        if not self.listeners:
            self._doorbell.want(False)
            for cycle in self._cycles:
                cycle.cancel()
            self._cycles = []

    def connections_of(self, user_id: int) -> int:
        return self._connections[user_id]

    # --- subscriptions ----------------------------------------------------------------------------------------

    async def subscribe(self, listener: Listener, state: CallState, identifier: str, after: int | None) -> None:
        """Confirm, then serve every turn above `after` (None: above the newest), then the completion pair.

        Joining comes before reading: the state that is confirmed is read when the channel layer already knows us, so no
        turn can be committed unseen between the two. Raises Call.DoesNotExist, django.db.Error.
        """
        topic = self.topics.get(state.call_id)
        if topic is None:
            topic = self.topics[state.call_id] = Topic(state.call_id, state.last_sequence_number)
        topic.users += 1
        try:
            if not state.ended:
                await self._doorbell.ready()
                state = await log.state(state.call_id)
            self._admit(listener, topic, state, identifier, after)
        finally:
            self._release(topic)

    def unsubscribe(self, listener: Listener, call_id: int) -> None:
        subscription = listener.subscriptions.pop(call_id)
        subscription.over = True
        subscription.topic.subscriptions.discard(subscription)
        self._release(subscription.topic)

    def _admit(self, listener: Listener, topic: Topic, state: CallState, identifier: str, after: int | None) -> None:
        """From the confirmation to the first turn nothing is awaited: what comes meanwhile comes after."""
        newest = state.last_sequence_number
        known = state.call_id in listener.subscriptions
        listener.send(messages.subscription_confirmed(identifier, state))
        if after is None and (known or state.ended):
            return
        if known:
            self.unsubscribe(listener, state.call_id)
        if after is not None and after > newest:
            listener.send(messages.reset(identifier, state))
            after = 0
        subscription = Subscription(topic, listener, state, identifier, newest if after is None else after)
        listener.subscriptions[state.call_id] = subscription
        if newest > topic.head:
            self._catch_up(topic)
        if state.ended or subscription.position < max(newest, topic.head):
            self._serve_from_log(subscription)

    def _release(self, topic: Topic) -> None:
        topic.users -= 1
        if topic.users == 0 and self.topics.get(topic.call_id) is topic:
            del self.topics[topic.call_id]

    # --- what comes in ----------------------------------------------------------------------------------------

    def _joined(self) -> None:
        """The channel layer has begun to send; what was published a moment before is not heard."""
        self._tasks.spawn(self._settle())

    async def _heard(self, message: Message) -> None:
        """A message of the channel layer."""
        topic = self.topics.get(message["call_id"])
        if topic is None:
            return
        if message["type"] == "turn":
            turn: messages.Transcription = message["turn"]
            await self._advance(topic, turn["sequence_number"], messages.encode(turn))
        elif message["type"] == "ended":
            self._catch_up(topic)

    async def _advance(self, topic: Topic, number: int, text: str) -> None:
        in_order, late = await topic.advance(number, text)
        if not in_order:
            self._catch_up(topic)
        for subscription in late:
            self._serve_from_log(subscription)

    # --- what has to be read ----------------------------------------------------------------------------------

    def _catch_up(self, topic: Topic) -> None:
        """Read what this process has not heard, once for all its sockets."""
        topic.stale = True
        if not topic.reading:
            topic.reading = True
            self._tasks.spawn(self._read_missing(topic))

    async def _read_missing(self, topic: Topic) -> None:
        try:
            while topic.stale and topic.users:
                topic.stale = False
                page = await log.read(topic.call_id, topic.head, until_end=True)
                for number, text in page.turns:
                    for subscription in await topic.advance_as_read(number, text):
                        self._serve_from_log(subscription)
                await topic.skip_to(page.end)
                if page.completion is None:
                    topic.stale = topic.stale or not page.is_last
                    continue
                for subscription in [s for s in topic.subscriptions if not s.behind]:
                    # one below the head: the last turn is just being served, and has not come to this socket yet
                    if subscription.position >= topic.head and subscription.listener.outbox.has_room:
                        self._finish(subscription, page.completion)
                    else:
                        self._serve_from_log(subscription)
        except Call.DoesNotExist:
            self._call_deleted(topic)
        except Error as error:  # the sweep comes back to it
            logger.warning("The database is away: %s", type(error).__name__)
        finally:
            topic.reading = False

    def _serve_from_log(self, subscription: Subscription) -> None:
        """Serve a subscription from the database, at its socket's own pace, until it is level with its call."""
        if not subscription.behind:
            subscription.behind = True
            self._tasks.spawn(self._serve_pages(subscription))

    async def _serve_pages(self, subscription: Subscription) -> None:
        while subscription.behind and not subscription.over:
            try:
                async with subscription.listener.one_page:  # at a time, however many subscriptions are behind
                    await self._serve_page(subscription)
            except Call.DoesNotExist:
                self._call_deleted(subscription.topic)
            except Error as error:
                logger.warning("The database is away: %s", type(error).__name__)
                await asyncio.sleep(DATABASE_RETRY_SECONDS)

    async def _serve_page(self, subscription: Subscription) -> None:
        topic, outbox = subscription.topic, subscription.listener.outbox
        await outbox.room()
        head = topic.head
        page = await log.read(topic.call_id, subscription.position, until_end=subscription.live)
        for number, text in page.turns:
            if not outbox.has_room:
                await outbox.room()
            if subscription.over:
                return
            subscription.serve(number, text)
        subscription.position = max(subscription.position, page.end)
        if page.completion is not None:
            if not outbox.has_room:
                await outbox.room()
            if not subscription.over:
                self._finish(subscription, page.completion)
        elif subscription.position >= topic.head or (not page.turns and topic.head == head):
            subscription.behind = False

    def _finish(self, subscription: Subscription, completion: tuple[str, str]) -> None:
        """The call has ended, and every turn was served: the pair, and the subscription is over."""
        for text in completion:
            subscription.listener.outbox.push(text)
        self.unsubscribe(subscription.listener, subscription.topic.call_id)

    # --- what happens by the clock ----------------------------------------------------------------------------

    async def _settle(self) -> None:
        """Redis takes our SUBSCRIBE on one connection and others' PUBLISH on another: look once more, soon."""
        await asyncio.sleep(SETTLE_SECONDS)
        await self._compare()

    async def _sweep(self) -> None:
        await asyncio.sleep(random.uniform(*SWEEP_SECONDS))  # noqa: S311  (spreads the processes)
        await self._compare()
        await self._check_listeners()

    async def _compare(self) -> None:
        """Compare all calls with the database, in one query, and read what was lost."""
        if not self.topics:
            return
        asked = dict(self.topics)
        try:
            states = {state.call_id: state for state in await log.states(asked)}
        except Error as error:
            logger.warning("The database is away: %s", type(error).__name__)
            return
        for call_id, topic in asked.items():
            state = states.get(call_id)
            if state is None:
                self._call_deleted(topic)
            elif topic.users and (state.ended or state.last_sequence_number > topic.head):
                self._catch_up(topic)

    def _call_deleted(self, topic: Topic) -> None:
        """Tell those who listen, and forget the call."""
        for subscription in list(topic.subscriptions):
            subscription.listener.send(messages.subscription_ended(subscription.identifier))
            self.unsubscribe(subscription.listener, topic.call_id)

    async def _check_listeners(self) -> None:
        """Close the sockets of those who may not listen any more, and those that take nothing."""
        asked = {listener.identity for listener in self.listeners}
        try:
            refused = asked - await auth.still_allowed(asked)
        except Error:
            return
        for listener in list(self.listeners):
            if listener.identity in refused:
                text = "You are signed out, your password was changed, or you may not view calls any more."
                listener.send(messages.error("AUTHENTICATION_FAILED", text))
                listener.close(CLOSE_NOT_AUTHENTICATED)
            elif listener.outbox.stalled_seconds() > STALLED_SECONDS:
                listener.close(CLOSE_TRY_AGAIN_LATER)

    async def _beat(self) -> None:
        await asyncio.sleep(HEARTBEAT_SECONDS)
        for listener in list(self.listeners):
            listener.beat()
