"""The proxy shows each side what happens to the other side."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable

from lab.faults.proxy import Proxy

RESET_ON_CLOSE = struct.pack("ii", 1, 0)


async def a_server_that_resets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Reset the connection, as the kernel does for a process that is killed before it has read everything."""
    await reader.readexactly(4)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    writer.transport.abort()


async def a_server_that_says_goodbye(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readexactly(4)
    writer.write(b"goodbye")
    writer.close()


async def ask_through_a_proxy(serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> bytes:
    """Send a request through a proxy, and return what a client gets that only waits for the answer."""
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        async with Proxy(server.sockets[0].getsockname()[1]) as proxy:
            reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
            writer.write(b"ping")
            try:
                async with asyncio.timeout(10):
                    return await reader.read()
            finally:
                writer.close()


async def test_a_client_that_waits_for_an_answer_is_cut_when_its_server_is_reset() -> None:
    assert await ask_through_a_proxy(a_server_that_resets) == b""


async def test_a_client_gets_the_last_words_of_a_server_that_closes() -> None:
    assert await ask_through_a_proxy(a_server_that_says_goodbye) == b"goodbye"
