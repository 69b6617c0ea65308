"""What may take only so long waits no longer for PostgreSQL, and commits nothing when its time is up."""

from __future__ import annotations

import asyncio
import time

import psycopg
import pytest
from django.db import OperationalError, connection

from calls.bounds import BoundedAsyncConnection, answered_within, within
from calls.models import Call
from calls.threads import Threads

pytestmark = pytest.mark.usefixtures("on_postgresql")
LONG = "SELECT pg_sleep(20)"


def parameters():
    given = connection.get_connection_params() | {"autocommit": True}
    return {name: value for name, value in given.items() if name not in ("cursor_factory", "context")}


@pytest.fixture
def threads():
    threads = Threads("test", 1)
    yield threads
    Threads.of_this_process.remove(threads)


def test_a_thread_waits_for_postgresql_no_longer_than_its_caller_may_take(transactional_db, threads):
    ended = asyncio.Event()

    def ask():
        try:
            with connection.cursor() as cursor, pytest.raises(OperationalError):
                cursor.execute(LONG)
        finally:
            ended.set()

    async def main():
        with pytest.raises(TimeoutError):
            async with answered_within(0.3):
                await threads.run(ask)
        async with asyncio.timeout(5):
            await threads.run(lambda: None)  # the one thread is free again

    asyncio.run(main())
    assert ended.is_set()


def test_what_is_not_committed_in_time_never_is(transactional_db, threads):
    def register_slowly():
        Call.register(call_sid="EL_in_time")
        time.sleep(1.5)
        with pytest.raises(OperationalError):
            Call.register(call_sid="EL_too_late")

    async def main():
        with within(1):
            await threads.run(register_slowly)

    asyncio.run(main())
    assert list(Call.objects.values_list("call_sid", flat=True)) == ["EL_in_time"]


def test_an_event_loop_waits_no_longer_either(db):
    async def main():
        own = await BoundedAsyncConnection.connect(**parameters())
        async with asyncio.timeout(5):
            with within(0.3), pytest.raises(psycopg.OperationalError):
                await own.execute(LONG)
        assert own.closed

    asyncio.run(main())
