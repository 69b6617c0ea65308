"""A fair queue for a few threads: users take turns, so that no user's many reads make another user wait."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Hashable

_Waiting = dict[Hashable, deque[asyncio.Future[None]]]  # by user; users get their turn in this order


class FairQueue:
    """Gives out the places of a few threads. The number of sockets limits the queue: each asks for one place at a time.

    Users take turns. Look-ups, which are short, go before pages of turns, but each kind leaves one thread to the other.
    A user has at most half of the threads, and reads one page at a time.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._by_user = Counter[Hashable]()  # places taken
        self._by_kind = {False: 0, True: 0}
        self._pages_of = set[Hashable]()
        self._waiting: dict[bool, _Waiting] = {False: {}, True: {}}  # look-ups, then pages

    async def take(self, user: Hashable, *, page: bool) -> None:
        """Wait for a place. The caller frees the place with `give_back`."""
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[page].setdefault(user, deque()).append(place)
        self._admit()
        try:
            await place
        except asyncio.CancelledError:
            if not place.cancelled():  # the user was admitted just before the cancellation
                self.give_back(user, page=page)
            raise

    def give_back(self, user: Hashable, *, page: bool) -> None:
        self._by_kind[page] -= 1
        self._by_user[user] -= 1
        if not self._by_user[user]:
            del self._by_user[user]
        if page:
            self._pages_of.discard(user)
        self._admit()

    def _admit(self) -> None:
        """Give free places to all waiting reads that may have one now."""
        while self._by_user.total() < self._threads and (found := self._next()) is not None:
            user, page = found
            places = self._waiting[page].pop(user)
            place = places.popleft()
            if places:
                self._waiting[page][user] = places  # this user goes behind the others
            if not place.cancelled():
                place.set_result(None)
                self._by_user[user] += 1
                self._by_kind[page] += 1
                if page:
                    self._pages_of.add(user)

    def _next(self) -> tuple[Hashable, bool] | None:
        for page, waiting in self._waiting.items():
            if self._by_kind[page] < self._threads - 1:
                for user in waiting:
                    if self._by_user[user] < self._threads // 2 and not (page and user in self._pages_of):
                        return user, page
        return None
