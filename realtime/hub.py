"""The hub: the listeners of one process, the calls they listen to, and up to where; fan-out and catch-up.

A process joins the channel layer once and gets each message once. The layer is only a doorbell: sequence numbers show
a gap or a repeat, and every 2 seconds the hub compares its calls with the database, in one query, and serves what the
layer lost. So a subscriber gets every turn, in order and once, whatever happens to Redis or to the process that took
the webhook.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter

from django.db import Error

from calls.models import Call
from calls.per_loop import PerLoop
from realtime import replay
from realtime.call_state import CallState
from realtime.catch_up import Reader
from realtime.cycles import Tasks, forever
from realtime.doorbell import current_doorbell
from realtime.doorkeeper import Doorkeeper, not_found
from realtime.heard import Heard
from realtime.messages import Notice, Reset, SubscriptionConfirmed, encode
from realtime.subscription_log import current_subscription_log
from realtime.subscriptions import Listener, Subscription, Topic

logger = logging.getLogger(__name__)
SWEEP_SECONDS = (1.5, 2.0)
SETTLE_SECONDS = 0.3
HEARTBEAT_SECONDS = 20.0
DATABASE_RETRY_SECONDS = 1.0


class Hub:
    """Serves the listeners of this process. Without listeners it does nothing."""

    def __init__(self) -> None:
        self.listeners: set[Listener] = set()
        self._connections: Counter[int] = Counter()  # by user
        self.topics: dict[int, Topic] = {}
        self._doorbell = current_doorbell()
        self._log = current_subscription_log()
        self._unserved = Heard()
        self._cycles: list[asyncio.Task[None]] = []
        self._tasks = Tasks()
        self.doorkeeper = Doorkeeper(self.unsubscribe)
        self._reader = Reader(self._tasks, self.unsubscribe, self._gone, self.doorkeeper.is_of_agent)

    # --- listeners --------------------------------------------------------------------------------------------

    def enter(self, listener: Listener) -> None:
        self.listeners.add(listener)
        self._connections[listener.user_id] += 1
        if not self._cycles:
            self._doorbell.add(self)
            self._cycles = [asyncio.create_task(forever(work)) for work in (self._sweep, self._beat)]

    def leave(self, listener: Listener) -> None:
        for call_id in list(listener.subscriptions):
            self.unsubscribe(listener, call_id)
        listener.send_queue.close()
        if listener not in self.listeners:  # it was refused and never entered
            return
        self.listeners.remove(listener)
        self._connections[listener.user_id] -= 1
        if not self._connections[listener.user_id]:
            del self._connections[listener.user_id]
        if not self.listeners:
            self._doorbell.remove(self)
            for cycle in self._cycles:
                cycle.cancel()
            self._cycles = []

    def connections_of(self, user_id: int) -> int:
        return self._connections[user_id]

    # --- subscriptions ----------------------------------------------------------------------------------------

    async def subscribe(
        self,
        listener: Listener,
        state: CallState,
        identifier: str,
        after: int | None,
        *,
        since: int | None = None,
        moved: bool = False,
    ) -> None:
        """Confirm, then serve every turn above `after` (None: above the newest), then the completion pair.

        The process joins the channel layer before it reads the state that it confirms, so no turn can be committed
        unseen between the two. `state` is confirmed as it is if it was read after `since`, a `moment` of this hub, and
        no notice of the call came meanwhile; else it is read again. `moved`: the call that the client listened to was
        merged into this one. Raises django.db.Error; Call.DoesNotExist, also where the client may not hear the call.
        """
        topic = self.topics.setdefault(state.call_id, Topic(state))
        topic.users += 1
        try:
            if not (state.ended or self._is_current(state.call_id, since)):
                await self._doorbell.ready()
                try:
                    state = await replay.state(state.call_id)
                except Call.DoesNotExist:  # it was deleted, or merged into another call, just now
                    state = await replay.find(identifier)
                    await self.subscribe(listener, state, identifier, after, moved=moved)
                    return
            self._admit(listener, topic, state, identifier, after, moved=moved)
        finally:
            self._release(topic)

    def moment(self) -> int | None:
        """Return a mark for `subscribe`, as its `since`; None while this process is not in the channel layer."""
        return self._unserved.moment() if self._doorbell.is_member else None

    def _is_current(self, call_id: int, since: int | None) -> bool:
        return since is not None and self._doorbell.is_member and self._unserved.nothing_since(since, call_id)

    def unsubscribe(self, listener: Listener, call_id: int) -> None:
        subscription = listener.subscriptions.pop(call_id)
        subscription.over = True
        subscription.topic.subscriptions.discard(subscription)
        self._release(subscription.topic)

    def _admit(
        self, listener: Listener, topic: Topic, state: CallState, identifier: str, after: int | None, *, moved: bool
    ) -> None:
        """Confirm and subscribe, without an `await` in between: a turn that comes meanwhile is served afterwards."""
        if not listener.may_hear(state.agent_id):
            raise Call.DoesNotExist
        if topic.agent_id != state.agent_id:
            topic.agent_id = None
        newest = state.last_sequence_number
        known = state.call_id in listener.subscriptions
        listener.send(SubscriptionConfirmed.of(identifier, state))
        self._log.note(listener, state)
        if after is None and (known or state.ended):
            return
        if known:
            self.unsubscribe(listener, state.call_id)
        if moved or (after is not None and (after > newest or (after > 0 and state.numbering > 0))):
            listener.send(Reset.of(identifier, state))
            after = 0
        subscription = Subscription(topic, listener, state, identifier, newest if after is None else after)
        listener.subscriptions[state.call_id] = subscription
        if newest > topic.head or state.numbering != topic.numbering:
            self._reader.catch_up(topic)
        if state.ended or subscription.position < max(newest, topic.head):
            self._reader.serve(subscription)

    def _release(self, topic: Topic) -> None:
        topic.users -= 1
        if topic.users == 0 and self.topics.get(topic.call_id) is topic:
            del self.topics[topic.call_id]

    # --- notices ----------------------------------------------------------------------------------------------

    def joined(self) -> None:
        """Compare soon: the channel layer has begun to send, and notices published just before are not heard."""
        self._tasks.spawn(self._settle())

    async def heard(self, notice: Notice) -> None:
        topic = self.topics.get(notice["call_id"])
        if topic is None:
            self._unserved.note(notice["call_id"])
            return
        if notice["type"] == "turn":
            turn = notice["turn"]
            if turn["call_sid"] != topic.call_sid:
                await self._compare()
            await self._advance(topic, turn["sequence_number"], encode(turn))
        elif notice["type"] == "ended":
            self._reader.catch_up(topic)
        elif notice["type"] == "merged":
            await self._compare()
            self._reader.catch_up(topic)

    async def _advance(self, topic: Topic, number: int, text: str) -> None:
        in_order, late = await topic.advance(number, text)
        if not in_order:
            self._reader.catch_up(topic)
        for subscription in late:
            self._reader.serve(subscription)

    # --- by the clock -----------------------------------------------------------------------------------------

    async def _settle(self) -> None:
        """Compare after a moment: Redis takes our SUBSCRIBE on one connection and others' PUBLISH on another."""
        await asyncio.sleep(SETTLE_SECONDS)
        await self._compare()

    async def _sweep(self) -> None:
        await asyncio.sleep(random.uniform(*SWEEP_SECONDS))  # noqa: S311  (spreads the processes)
        await self._compare()
        await self.doorkeeper.check(self.listeners)

    async def _compare(self) -> None:
        """Compare all calls that have listeners with the database, in one query, and read the turns that were lost."""
        if not self.topics:
            return
        asked = dict(self.topics)
        try:
            states = await replay.states(asked)
        except Error as error:
            logger.warning("The database is away: %s", type(error).__name__)
            return
        for call_id, topic in asked.items():
            state = states.get(call_id)
            if state is None:
                self._gone(topic)
                continue
            if state.call_sid != topic.call_sid:
                topic.call_sid = state.call_sid
                for subscription in topic.subscriptions:
                    subscription.rename(state)
            self.doorkeeper.is_of_agent(topic, state.agent_id)
            behind = state.last_sequence_number > topic.head or state.numbering != topic.numbering
            if topic.users and (state.ended or behind):
                self._reader.catch_up(topic)

    def _gone(self, topic: Topic) -> None:
        """Handle a call whose row no longer exists: its listeners follow it into the call that it was merged into."""
        for subscription in list(topic.subscriptions):
            self.unsubscribe(subscription.listener, topic.call_id)
            self._tasks.spawn(self._follow(subscription.listener, subscription.identifier))

    async def _follow(self, listener: Listener, identifier: str) -> None:
        while listener in self.listeners:
            try:
                state = await replay.find(identifier)
                await self.subscribe(listener, state, identifier, after=0, moved=True)
            except Call.DoesNotExist:
                listener.send(not_found(identifier))
            except Error as error:
                logger.warning("The database is away: %s", type(error).__name__)
                await asyncio.sleep(DATABASE_RETRY_SECONDS)
                continue
            return

    async def _beat(self) -> None:
        await asyncio.sleep(HEARTBEAT_SECONDS)
        for listener in list(self.listeners):
            listener.beat()


current_hub = PerLoop(Hub)  # in a server, one per process
