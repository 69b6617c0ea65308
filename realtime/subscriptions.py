"""Who listens to which call, and up to where each was served. No I/O here: only order."""

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
    """One socket: whose it is, what waits for it, what it listens to (by call id), how to close it with a code."""

    identity: Identity
    rights: Rights
    send_queue: SendQueue
    close: Callable[[int], None]
    address: str = ""
    subscriptions: dict[int, Subscription] = field(default_factory=dict)
    one_page: asyncio.Lock = field(default_factory=asyncio.Lock)  # what is read for this socket alone

    @property
    def user_id(self) -> int:
        return self.identity.user_id

    def may_hear(self, agent_id: str) -> bool:
        return may_see(self.rights.agents, agent_id)

    def take_rights(self, rights: Rights) -> None:
        """What the user may hear from now on."""
        self.rights = rights

    def send(self, message: Frame) -> None:
        self.send_queue.push(encode(message))

    def beat(self) -> None:
        """Say that the connection lives, and up to where each call was served."""
        self.send(Heartbeat(calls={s.call_sid: s.position for s in self.subscriptions.values()}))

    def subscription_to(self, identifier: str) -> int | None:
        """The call id of the subscription to a `call_sid` or `conversation_id`."""
        for call_id, subscription in self.subscriptions.items():
            if identifier in (subscription.call_sid, subscription.conversation_id):
                return call_id
        return None


class Topic:
    """One call that somebody in this process listens to. `head` is the number of its newest known turn."""

    __slots__ = (
        *("_order", "agent_id", "call_id", "call_sid", "head", "numbering", "reading", "stale"),
        *("subscriptions", "users"),
    )

    def __init__(self, state: CallState) -> None:
        self.call_id, self.call_sid = state.call_id, state.call_sid
        self.agent_id: str | None = state.agent_id  # None: two reads disagree, the next comparison tells
        self.head, self.numbering = state.last_sequence_number, state.numbering
        self.subscriptions: set[Subscription] = set()
        self.users = 0  # subscriptions, and those that are being made
        self.reading = False  # True while missing turns are read
        self.stale = False  # True when there is something to read
        self._order = asyncio.Lock()  # one turn is served at a time

    async def advance(self, number: int, text: str) -> tuple[bool, list[Subscription]]:
        """Serve a turn to whoever is next in line for it.

        Returns whether the turn was in order (False: there is a gap below it), and the subscriptions that could not
        take it, which have to be served from the database. A repeat is in order, and served to nobody.
        """
        async with self._order:
            if number <= self.head:
                return True, []
            if number != self.head + 1:
                return False, []
            self.head = number
            return True, await self._serve(number, text)

    async def advance_as_read(self, number: int, text: str) -> list[Subscription]:
        """Serve a turn that was read from the database: what is missing below it is gone, and will not come."""
        async with self._order:
            if number <= self.head:
                return []
            self.head = number
            return await self._serve(number, text)

    async def skip_to(self, number: int) -> None:
        """Wait for no turn up to this number: the database has none of those that were not served."""
        async with self._order:
            self.head = max(self.head, number)

    async def _serve(self, number: int, text: str) -> list[Subscription]:
        """Who joins meanwhile starts at this turn or above; between handfuls of sockets others get their turn."""
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
    """One socket listening to one call. `position` is the number of the newest turn it was served."""

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
        self.live = not state.ended  # who listened hears the call to its end; who asks later, what came after it too
        self.behind = False  # True while it is served from the database
        self.over = False
        topic.subscriptions.add(self)
        topic.users += 1

    def serve(self, number: int, text: str) -> None:
        self.listener.send_queue.push(text)
        self.position = number

    def start_again(self, state: CallState) -> None:
        """The turns were numbered anew: everything comes again."""
        self.numbering, self.position = state.numbering, 0
        self.listener.send(Reset.of(self.identifier, state))

    def rename(self, state: CallState) -> None:
        """The call has another `call_sid` now, under which its frames come."""
        self.call_sid, self.conversation_id = state.call_sid, state.conversation_id
        self.listener.send(SubscriptionConfirmed.of(self.identifier, state))
