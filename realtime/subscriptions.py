"""The subscriptions of sockets to calls, and the newest turn that each was served. No I/O here: only order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from calls.access import may_see
from realtime.auth import Identity, Rights
from realtime.call_state import CallState
from realtime.messages import Frame, Heartbeat, Reset, SubscriptionConfirmed, encode
from realtime.send_queue import SendQueue

YIELD_EVERY = 100  # sockets


@dataclass(eq=False, slots=True)
class Listener:
    """One socket: its user, its send queue, its subscriptions (by call id), and the way to close it with a code."""

    identity: Identity
    rights: Rights
    send_queue: SendQueue
    close: Callable[[int], None]
    address: str = ""
    subscriptions: dict[int, Subscription] = field(default_factory=dict)
    one_page: asyncio.Lock = field(default_factory=asyncio.Lock)  # held to read for this socket alone

    @property
    def user_id(self) -> int:
        return self.identity.user_id

    def may_hear(self, agent_id: str) -> bool:
        return may_see(self.rights.agents, agent_id)

    def take_rights(self, rights: Rights) -> None:
        """Set what the user may hear from now on."""
        self.rights = rights

    def send(self, message: Frame) -> None:
        self.send_queue.push(encode(message))

    def beat(self) -> None:
        """Send a heartbeat, which says up to which turn each call was served."""
        self.send(Heartbeat(calls={s.call_sid: s.position for s in self.subscriptions.values()}))

    def subscription_to(self, identifier: str) -> int | None:
        """Return the call id of the subscription to a `call_sid` or `conversation_id`; None if there is none."""
        for call_id, subscription in self.subscriptions.items():
            if identifier in (subscription.call_sid, subscription.conversation_id):
                return call_id
        return None


class Topic:
    """One call that sockets of this process listen to. `head` is the number of its newest known turn."""

    __slots__ = (
        *("_order", "agent_id", "call_id", "call_sid", "head", "numbering", "reading", "stale"),
        *("subscriptions", "users"),
    )

    def __init__(self, state: CallState) -> None:
        self.call_id, self.call_sid = state.call_id, state.call_sid
        self.agent_id: str | None = state.agent_id  # None: two reads disagree; the next comparison sets it
        self.head, self.numbering = state.last_sequence_number, state.numbering
        self.subscriptions: set[Subscription] = set()
        self.users = 0  # subscriptions, also those that are being made
        self.reading = False  # True while missing turns are read
        self.stale = False  # True when there is something to read
        self._order = asyncio.Lock()  # one turn is served at a time

    async def advance(self, number: int, text: str) -> tuple[bool, list[Subscription]]:
        """Serve a turn to every subscription that has not got it, if it is the next turn of the call.

        Returns whether the turn was in order (False: there is a gap below it), and the subscriptions whose send queue
        is full, which have to be served from the database. A repeat is in order, and is served to nobody.
        """
        async with self._order:
            if number <= self.head:
                return True, []
            if number != self.head + 1:
                return False, []
            self.head = number
            return True, await self._serve(number, text)

    async def advance_as_read(self, number: int, text: str) -> list[Subscription]:
        """Serve a turn that was read from the database: turns missing below it no longer exist, and will not come.

        Returns the subscriptions whose send queue is full.
        """
        async with self._order:
            if number <= self.head:
                return []
            self.head = number
            return await self._serve(number, text)

    async def skip_to(self, number: int) -> None:
        """Stop waiting for turns up to this number: the database has none that were not served."""
        async with self._order:
            self.head = max(self.head, number)

    async def _serve(self, number: int, text: str) -> list[Subscription]:
        """Send a turn to the subscriptions, and return those whose send queue is full.

        A socket that joins meanwhile starts at this turn or above. Other tasks run after every YIELD_EVERY sockets.
        """
        late = []
        for count, subscription in enumerate(list(self.subscriptions), start=1):
            if subscription.over or subscription.behind or subscription.position >= number:
                continue
            if subscription.listener.send_queue.has_room:
                subscription.serve(number, text)
            else:
                late.append(subscription)
            if count % YIELD_EVERY == 0:
                await asyncio.sleep(0)
        return late


class Subscription:
    """One socket listening to one call. `position` is the number of the newest turn that the socket was served."""

    __slots__ = (
        "behind",
        "call_sid",
        "conversation_id",
        "identifier",
        "listener",
        "live",
        "numbering",
        "over",
        "position",
        "topic",
    )

    def __init__(self, topic: Topic, listener: Listener, state: CallState, identifier: str, position: int) -> None:
        self.topic, self.listener, self.position = topic, listener, position
        self.identifier = identifier  # as the client gave it
        self.numbering = state.numbering
        self.call_sid, self.conversation_id = state.call_sid, state.conversation_id
        # live subscribers stop at final_sequence_number; later ones also get the turns stored after the end
        self.live = not state.ended
        self.behind = False  # True while it is served from the database
        self.over = False
        topic.subscriptions.add(self)
        topic.users += 1

    def serve(self, number: int, text: str) -> None:
        self.listener.send_queue.push(text)
        self.position = number

    def start_again(self, state: CallState) -> None:
        """Reset the client, because the turns were renumbered: all turns come again."""
        self.numbering, self.position = state.numbering, 0
        self.listener.send(Reset.of(self.identifier, state))

    def rename(self, state: CallState) -> None:
        """Tell the client the call's new `call_sid`, which its frames carry from now on."""
        self.call_sid, self.conversation_id = state.call_sid, state.conversation_id
        self.listener.send(SubscriptionConfirmed.of(self.identifier, state))
