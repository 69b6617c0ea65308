"""Apply large post-call bodies (mostly recordings) two at a time, outside of the event loop.

Eight recordings of 64 MB at once, in a thread each, took 2.5 GB and stopped other calls' turns for 3 s. Two at a time
take 0.3 GB, and turns wait for 0.2 to 0.4 s (`python -m lab.faults --only bodies`). A transcription is parsed as a
whole and takes five times its size, so only one of the two may be no recording: eight transcriptions of 64 MB take 0.5
GB.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from calls.per_loop import PerLoop
from calls.threads import Threads
from webhooks import inbox
from webhooks.errors import NotRead
from webhooks.models import LARGE_BYTES
from webhooks.replies import Reply

WAIT_SECONDS = 8.0  # per body, for its turn; then ElevenLabs gets a 503 before it gives up
_signatures = Threads("large-signatures", 1)
AT_ONCE = 2
_threads = Threads("large-bodies", AT_ONCE)
_turns = PerLoop(lambda: asyncio.Semaphore(AT_ONCE))
_turn_of_parsed = PerLoop(asyncio.Lock)


async def aside[Result](body: bytes, work: Callable[[bytes], Result]) -> Result:
    """Run `work` with a body, in a thread if the body is large. An exception of `work` is raised here."""
    return await _signatures.run(lambda: work(body)) if len(body) > LARGE_BYTES else work(body)


async def take(route: str, body: bytes) -> Reply:
    """Take in a verified large body when its turn comes. Raises NotRead (503) after WAIT_SECONDS."""
    async with contextlib.AsyncExitStack() as stack:
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                if not inbox.is_recording(body):
                    await stack.enter_async_context(_turn_of_parsed())
                await stack.enter_async_context(_turns())
        except TimeoutError:
            raise NotRead(503, "Too many large bodies at once", "Send it again in a moment.") from None
        return await _threads.run(lambda: inbox.receive(route, body))
