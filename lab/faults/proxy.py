"""A TCP proxy on 127.0.0.1 that can blackhole, cut, refuse and slow down connections."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Literal, Self

CHUNK = 64 * 1024

Verdict = Literal["pass", "cut before", "cut after"]


class Link:
    """One connection through the proxy. If `answer_is_cut`, the server's next bytes end it instead of passing."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.client, self.server = client, server
        self.answer_is_cut = False

    def cut(self) -> None:
        """Reset both sides without closing them first."""
        for side in (self.client, self.server):
            side.transport.abort()


class Proxy:
    """Passes connections on to `target`, a port of this machine. Faults are set while it runs:

    - `blackhole()`: no bytes pass until `restore()` (the proxy holds them back: TCP would send them again)
    - `cut()`: every connection is reset; `refusing = True`: new connections are reset too
    - `bytes_per_second`: the speed of each direction of a connection
    - `judge`: sees what a client sends, and may cut the connection before or after the server got it
    """

    def __init__(self, target: int, *, judge: Callable[[bytes], Verdict] | None = None) -> None:
        self.target = target
        self.port = 0
        self.refusing = False
        self.bytes_per_second: int | None = None
        self.cuts = 0
        self._judge = judge
        self._links: set[Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._open = asyncio.Event()
        self._open.set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=CHUNK)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def blackhole(self) -> None:
        self._open.clear()

    def restore(self) -> None:
        self._open.set()
        self.refusing = False

    def cut(self) -> None:
        for link in list(self._links):
            self.cuts += 1
            link.cut()

    async def cut_for(self, seconds: float) -> None:
        """Cut all connections, and refuse new ones for so long."""
        self.refusing = True
        self.cut()
        await asyncio.sleep(seconds)
        self.refusing = False

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with contextlib.suppress(asyncio.CancelledError):
            await self._connect(reader, writer)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._open.wait()
        if self.refusing:
            writer.transport.abort()
            return
        try:
            from_server, to_server = await asyncio.open_connection("127.0.0.1", self.target, limit=CHUNK)
        except OSError:
            writer.transport.abort()
            return
        link = Link(writer, to_server)
        self._links.add(link)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, to_server, link, self._judge))
                group.create_task(self._pump(from_server, writer, link, None))
        finally:
            self._links.discard(link)
            link.cut()

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        link: Link,
        judge: Callable[[bytes], Verdict] | None,
    ) -> None:
        try:
            while data := await reader.read(CHUNK):
                await self._open.wait()
                verdict = judge(data) if judge else "pass"
                if verdict == "cut before" or (writer is link.client and link.answer_is_cut):
                    self.cuts += 1
                    link.cut()
                    return
                link.answer_is_cut = link.answer_is_cut or verdict == "cut after"
                writer.write(data)
                await writer.drain()
                if self.bytes_per_second:
                    await asyncio.sleep(len(data) / self.bytes_per_second)
            writer.close()  # one side has ended; the other side may still send
        except OSError:  # one side was reset: reset the other too, which may be waiting for an answer
            link.cut()
