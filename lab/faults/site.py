"""The servers of a fault run: one PostgreSQL, one Redis, and web processes of callsite and of the control."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from dotenv import dotenv_values

from lab.faults import database
from lab.faults.proxy import Proxy
from lab.stack.postgres import Postgres
from lab.stack.redis import Redis
from lab.stack.webserver import CHECKOUT, WebServer

WEBHOOK_SECRET = "wsec_faults_0123456789abcdef0123456789"
TOOL_SECRET = "tool_faults_0123456789abcdef0123456789"
SECRET_KEY = "faults-" * 10
CALLSITE, PLAIN, BROKEN = (
    f"{module}:application" for module in ("callsite.asgi", "lab.faults.control", "lab.faults.broken")
)
SOCKET_PATH = "/ws/calls/transcriptions"


@dataclass(frozen=True, slots=True)
class Size:
    """The size of a run: a short one, or `scale` times the promised numbers."""

    scale: float | None = None

    def of(self, *, short: int, long: int) -> int:
        return short if self.scale is None else max(1, round(long * self.scale))


class Pair:
    """Web processes (mostly two) that share one database and one Redis."""

    def __init__(self, webs: list[WebServer]) -> None:
        self.webs = webs

    @property
    def urls(self) -> list[str]:
        return [web.url for web in self.webs]

    @property
    def sockets(self) -> list[str]:
        return [web.ws_url + SOCKET_PATH for web in self.webs]

    async def start(self) -> None:
        await asyncio.gather(*(asyncio.to_thread(web.start) for web in self.webs))

    async def close(self) -> None:
        await asyncio.gather(*(asyncio.to_thread(web.close) for web in self.webs))


class Site:
    """All servers of a run. `broken` names a mechanism of callsite that is switched off (see broken.py)."""

    def __init__(self, size: Size, folder: Path, *, broken: str = "") -> None:
        self.size, self.folder, self.broken = size, folder, broken
        self.postgres = Postgres()
        self.redis = Redis()
        self.media = Path(tempfile.mkdtemp(prefix="callsite-media-"))
        # The values of .env.example, so that the checkout's .env does not change a run.
        self.env = {name: value or "" for name, value in dotenv_values(CHECKOUT / ".env.example").items()} | {
            "DATABASE_URL": self.postgres.url,
            "REDIS_URL": self.redis.url,
            "DJANGO_SETTINGS_MODULE": "lab.faults.settings",
            "DJANGO_SECRET_KEY": SECRET_KEY,
            "DJANGO_DEBUG": "false",
            "DJANGO_ALLOWED_HOSTS": "127.0.0.1",
            "ELEVENLABS_WEBHOOK_SECRET": WEBHOOK_SECRET,
            "ELEVENLABS_TOOL_SECRET": TOOL_SECRET,
            # One user plays all dispatchers, so limits per user are off.
            "WS_MAX_CONNECTIONS_PER_USER": "0",
            "WS_MAX_SUBSCRIPTIONS": "0",
            "WS_MAX_MESSAGES_PER_SECOND": "0",
            "FAULTS_MEDIA_ROOT": str(self.media),
        }
        self._standing: dict[str, Pair] = {}
        self._starting = asyncio.Lock()
        self.to_redis = Proxy(self.redis.port)

    async def __aenter__(self) -> Self:
        try:
            await asyncio.gather(asyncio.to_thread(self.postgres.start), asyncio.to_thread(self.redis.start))
            await self.to_redis.__aenter__()
            os.environ.update(self.env)
            await asyncio.to_thread(database.prepare)
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._close_standing()
        await self.to_redis.__aexit__()
        await asyncio.to_thread(self.redis.close)
        await asyncio.to_thread(self.postgres.close)
        shutil.rmtree(self.media, ignore_errors=True)

    @property
    def application(self) -> str:
        return BROKEN if self.broken else CALLSITE

    @contextlib.asynccontextmanager
    async def without(self, mechanism: str) -> AsyncIterator[Site]:
        """Yield a copy of this site in the short size whose callsite lacks a mechanism."""
        site = copy.copy(self)
        site.size, site.broken, site._standing = Size(), mechanism, {PLAIN: await self.plain()}
        try:
            yield site
        finally:
            del site._standing[PLAIN]
            await site._close_standing()

    async def callsite(self) -> Pair:
        """Return two processes under the production command, shared by scenarios that leave them unchanged.

        The processes reach Redis through `to_redis`.
        """
        return await self._standing_pair(self.application)

    async def plain(self) -> Pair:
        """Return two processes of the control."""
        return await self._standing_pair(PLAIN)

    async def _standing_pair(self, application: str) -> Pair:
        async with self._starting:
            if application not in self._standing:
                self._standing[application] = self._pair(
                    2, application, {"REDIS_URL": f"redis://127.0.0.1:{self.to_redis.port}/0"}
                )
                await self._standing[application].start()
        return self._standing[application]

    @contextlib.asynccontextmanager
    async def pair(
        self, application: str = "", env: Mapping[str, str] | None = None, *, count: int = 2
    ) -> AsyncIterator[Pair]:
        """Start web processes for one scenario alone."""
        pair = self._pair(count, application or self.application, env or {})
        try:
            await pair.start()
            yield pair
        finally:
            await pair.close()

    @contextlib.asynccontextmanager
    async def side_by_side(self, env: Mapping[str, str]) -> AsyncIterator[tuple[Pair, Pair]]:
        """Start callsite and the control, for the same faults at the same time."""
        if self.broken:  # here the control does not matter
            async with self.pair(env=env) as pair:
                yield pair, await self.plain()
            return
        pairs = self._pair(2, self.application, env), self._pair(2, PLAIN, env)
        try:
            await asyncio.gather(*(pair.start() for pair in pairs))
            yield pairs
        finally:
            await asyncio.gather(*(pair.close() for pair in pairs))

    def _pair(self, count: int, application: str, env: Mapping[str, str]) -> Pair:
        everything = {**self.env, "FAULTS_BROKEN": self.broken, **env}
        return Pair([WebServer(everything, application=application) for _ in range(count)])

    async def _close_standing(self) -> None:
        await asyncio.gather(*(pair.close() for pair in self._standing.values()))
