"""The Python program in docs/websocket.md, as a reader would copy it, run against callsite."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
from pathlib import Path

import pytest

GUIDE = Path(__file__).parents[2] / "docs" / "websocket.md"


@pytest.fixture
def program(tmp_path):
    [code] = re.findall(r"^```python\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    path = tmp_path / "follow.py"
    path.write_text(code)
    return path


@contextlib.asynccontextmanager
async def running(program, *arguments):
    command = [sys.executable, program, *arguments]
    pipes = {"stdout": asyncio.subprocess.PIPE, "stderr": asyncio.subprocess.PIPE}
    process = await asyncio.create_subprocess_exec(*command, **pipes)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def line(process):
    return (await asyncio.wait_for(process.stdout.readline(), 15)).decode().rstrip("\n")


async def test_the_example_prints_a_call_as_it_is_spoken_and_its_result(site, talk, token, program):
    await talk.say("already said", speaker="agent")
    async with running(program, site.ws_url, token, talk.call.call_sid) as process:
        assert await line(process) == "1 agent: already said"
        await talk.say("on my way")
        assert await line(process) == "2 driver: on my way"
        body = await talk.end()
        assert await line(process) == f"completed: {body['data']['analysis']['transcript_summary']}"
        assert await asyncio.wait_for(process.wait(), 15) == 0


async def test_the_example_goes_on_where_it_was_when_the_connection_is_lost(site, talk, token, program, hub):
    async with running(program, site.ws_url, token, talk.call.conversation_id) as process:
        await talk.say("one")
        assert await line(process) == "1 driver: one"
        for listener in list(hub.listeners):
            server = asyncio.run_coroutine_threadsafe(close(listener), listener.send_queue._loop)
            await asyncio.wrap_future(server)
        await talk.say("while away")
        assert await line(process) == "2 driver: while away"
        await talk.end()
        assert (await line(process)).startswith("completed: ")


async def close(listener):
    listener.close(1012)


async def test_the_example_ends_with_the_reason_when_there_is_no_such_call(site, token, program):
    async with running(program, site.ws_url, token, "nobody") as process:
        _, said = await asyncio.wait_for(process.communicate(), 15)
        assert process.returncode == 1
        assert said.decode() == "CALL_NOT_FOUND: There is no call with this call_sid or conversation_id.\n"
