"""The scene of most scenarios: senders speak turns while a fault happens, and subscribers listen on each process."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.faults import database, history
from lab.faults.database import CallIds, in_database
from lab.faults.history import Attempt, Finding, Heard, Hearing, Stored
from lab.faults.journal import Journal
from lab.faults.senders import Sender
from lab.faults.site import Pair
from lab.faults.subscribers import Subscriber, all_done, all_ready

BOUND_SECONDS = 3.0  # how late a message may come
NOISE_SECONDS = 1.0  # what a busy machine with two cores may add
PLAIN_OVERDUE_SECONDS = 2.0
PLAIN_LATER_SECONDS = 60.0  # how much longer than callsite the control may take
BROKE_OFF = "broke off"

Fault = Callable[[], Awaitable[object]]


@dataclass(slots=True)
class Played:
    """The history of a scene, read back from the files."""

    attempts: list[Attempt]
    heard: list[Heard]
    stored: list[Stored]
    hearing: Hearing
    delays: list[tuple[float, Heard]]

    @property
    def worst_seconds(self) -> float:
        return max((seconds for seconds, _ in self.delays), default=0.0)

    def findings(self, bound_seconds: float = BOUND_SECONDS + NOISE_SECONDS) -> list[Finding]:
        """Check all promises for this scene. Webhooks must never notice faults of Redis or of sockets."""
        nothing = [] if self.hearing.expected else [Finding("not shown", "subscribers", "there was nothing to hear")]
        return [
            *nothing,
            *history.acknowledged_but_missing(self.attempts, self.stored),
            *history.stored_twice(self.stored),
            *history.not_one_to_n(self.stored),
            *self.hearing.findings,
            *history.late(self.delays, bound_seconds),
        ]

    @property
    def slowest_webhook_seconds(self) -> float:
        return max((sent.ended_at - sent.began_at for sent in self.attempts), default=0.0)

    def figure(self) -> str:
        return f"{self.share()} messages, worst delay {self.worst_seconds:.1f} s"

    def share(self) -> str:
        share = f"{100 * self.hearing.share:.1f} %" if self.hearing.got < self.hearing.expected else "100 %"
        return f"{share} of {self.hearing.expected:,}"


@contextlib.asynccontextmanager
async def listening(subscribers: Sequence[Subscriber]) -> AsyncIterator[None]:
    """Wait until the subscribers are ready, and stop their tasks at the end whatever happens."""
    try:
        await all_ready(subscribers)
        yield
    finally:
        await asyncio.gather(*(subscriber.stop() for subscriber in subscribers))


async def play(
    folder: Path,
    pair: Pair,
    *,
    turns: int,
    turns_per_second: float,
    subscribers: int,
    fault: Fault | None = None,
    fault_from_turn: int | None = None,
    begin: Callable[[], Awaitable[object]] | None = None,
    sockets: Sequence[str] | None = None,
    calls: int = 1,
    patience_seconds: float = 10,
    overdue_seconds: float = BOUND_SECONDS + NOISE_SECONDS + 1,
) -> Played:
    """Send `turns` turns of each of `calls` calls to both processes, and run `fault` meanwhile, from the first third on
    or from `fault_from_turn`. Send nothing before `begin` returns.

    `subscribers` subscribers listen to all of the calls, spread over the processes' `sockets`. The scene ends when all
    of them have heard the end, or when what they have not heard is overdue.
    """
    spoken = await in_database(lambda: database.register_calls(calls))
    token = await in_database(database.new_token)
    urls = sockets or pair.sockets
    with Journal(folder / "senders.jsonl") as sent, Journal(folder / "subscribers.jsonl") as heard:
        listeners = [
            Subscriber(heard, f"subscriber-{i}", urls[i % len(urls)], token, spoken) for i in range(subscribers)
        ]
        async with listening(listeners), Sender(sent, pair.urls, patience_seconds=patience_seconds) as sender:
            if begin is not None:
                await begin()
            await _speak(sender, spoken, turns, turns_per_second, fault, fault_from_turn)
            await all_done(listeners, overdue_seconds)
            await asyncio.sleep(0.2)  # for messages that should not come any more
    return await read_back(folder, spoken)


async def beside[T, U](ours: Coroutine[Any, Any, T], control: Coroutine[Any, Any, U]) -> tuple[T, U | None]:
    """Run callsite's scene and the control's at the same time, and return both results.

    The control's result is None if it broke off or hung, which breaks no promise of callsite's.
    """
    task = asyncio.create_task(control)
    try:
        played = await ours
        await asyncio.wait([task], timeout=PLAIN_LATER_SECONDS)
    finally:
        task.cancel()
    return played, await unless_it_breaks_off(task)


async def unless_it_breaks_off[U](control: Awaitable[U]) -> U | None:
    """Return the control's result, or None if it raised an exception."""
    (came_of_it,) = await asyncio.gather(control, return_exceptions=True)
    if isinstance(came_of_it, BaseException):
        print(f"plain Channels broke off: {type(came_of_it).__name__} {came_of_it}", file=sys.stderr, flush=True)
        return None
    return came_of_it


async def play_both(folder: Path, callsite: Pair, plain: Pair, **scene: Any) -> tuple[Played, Played | None]:
    """Play the same scene on callsite and on the control, side by side under the very same fault.

    The control never delivers late, so the wait for its messages is shorter.
    """
    in_step = InStep()
    scene["begin"] = in_step.meet
    if scene.get("fault") is not None:
        scene["fault"] = in_step.share(scene["fault"])

    async def control() -> Played:
        try:
            return await play(folder / "plain", plain, **scene, overdue_seconds=PLAIN_OVERDUE_SECONDS)
        finally:
            await in_step.leave()

    return await beside(play(folder / "callsite", callsite, **scene), control())


class InStep:
    """Lets two scenes that are played side by side begin together and share one fault."""

    def __init__(self) -> None:
        self._barrier = asyncio.Barrier(2)

    async def meet(self) -> bool:
        """Wait for the other scene, unless it has left. Return True in only one of the two."""
        try:
            return await self._barrier.wait() == 0
        except asyncio.BrokenBarrierError:
            return True

    def share(self, fault: Fault) -> Fault:
        """Wrap the fault: it happens once, when both scenes are ready for it."""
        over = asyncio.Event()

        async def shared() -> None:
            if await self.meet():
                await fault()
                over.set()
            await over.wait()

        return shared

    async def leave(self) -> None:
        """Leave at the end of a scene, so that the other scene no longer waits."""
        await self._barrier.abort()


async def _speak(
    sender: Sender, calls: Sequence[CallIds], turns: int, per_second: float, fault: Fault | None, at: int | None
) -> None:
    """Send the turns: turns of one call follow each other at speaking pace, turns of different calls do not wait."""
    fault_task: asyncio.Task[object] | None = None
    loop = asyncio.get_running_loop()
    began_at = loop.time()
    for i in range(turns):
        if fault is not None and i == (turns // 3 if at is None else at):
            fault_task = asyncio.ensure_future(fault())
        await asyncio.sleep(began_at + i / per_second - loop.time())
        await asyncio.gather(*(sender.turn(call, f"{call.call_sid}-{i}") for call in calls))
    if fault_task is not None:
        await fault_task
    await asyncio.gather(*(sender.end(call) for call in calls))


async def read_back(folder: Path, calls: Sequence[CallIds]) -> Played:
    """Read a scene's history: the two journals, and what the database has."""
    await in_database(lambda: database.write_stored(folder / "stored.jsonl", calls))
    attempts = history.attempts_in(folder / "senders.jsonl")
    heard = history.heard_in(folder / "subscribers.jsonl")
    stored = history.stored_in(folder / "stored.jsonl")
    return Played(attempts, heard, stored, history.heard_in_full(heard, stored), history.delays(attempts, heard))
