"""What waits for a socket: written in order, at once where the socket takes it, whatever `send` gives to be awaited."""

from __future__ import annotations

import asyncio

import pytest

from realtime.send_queue import SendQueue


class Wire:
    """A socket that takes texts while it is open; `send` gives back each kind of thing that can be awaited."""

    def __init__(self, kind):
        self.kind, self.taken, self.opened = kind, [], asyncio.Event()
        self.opened.set()

    async def _take(self, message):
        if not self.opened.is_set():
            await self.opened.wait()
        self.taken.append(message["text"])

    def __call__(self, message):
        if self.kind == "coroutine":
            return self._take(message)
        if self.kind == "future":
            return asyncio.ensure_future(self._take(message))
        return Awaitable(self._take(message))


class Awaitable:
    """All that ASGI promises: an object with __await__, whose iterator has no `throw`, as those of other languages."""

    def __init__(self, coroutine):
        self.steps = coroutine.__await__()

    def __await__(self):
        return self

    def __iter__(self):
        return self

    def __next__(self):
        return next(self.steps)


@pytest.mark.parametrize("kind", ["coroutine", "future", "object"])
async def test_texts_are_written_in_order_whether_or_not_the_socket_takes_them_at_once(kind):
    wire = Wire(kind)
    queue = SendQueue(wire)
    for text in "abc":
        queue.push(text)
    await queue.drained()
    wire.opened.clear()
    for text in "def":
        queue.push(text)
    await asyncio.sleep(0.01)
    assert wire.taken == list("abc")
    wire.opened.set()
    await queue.drained()
    assert wire.taken == list("abcdef")


@pytest.mark.parametrize("kind", ["coroutine", "future", "object"])
async def test_a_queue_that_is_closed_writes_nothing_more_and_ends(kind):
    wire = Wire(kind)
    queue = SendQueue(wire)
    wire.opened.clear()
    queue.push("never")
    queue.push("taken")
    queue.close()
    await queue.drained()
    await asyncio.sleep(0.01)
    assert queue.closed
    assert wire.taken == []


async def test_a_client_that_is_gone_closes_the_queue():
    async def gone(message):
        raise OSError("the client is gone")

    queue = SendQueue(gone)
    queue.push("a")
    assert queue.closed
    queue.push("b")
