"""Reads that many ask for at the same moment are made as one."""

from __future__ import annotations

import asyncio

import pytest

from realtime.together import Together

pytestmark = pytest.mark.quick


class Reader:
    def __init__(self):
        self.reads, self.go = [], asyncio.Event()

    async def __call__(self, keys):
        self.reads.append(list(keys))
        await self.go.wait()
        if "broken" in keys:
            raise ValueError("broken")
        return {key: key.upper() for key in keys if key != "unknown"}


async def asked(together, *keys):
    tasks = [asyncio.create_task(together.ask(key)) for key in keys]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return tasks


async def test_who_asks_alone_is_read_for_at_once_and_those_who_come_meanwhile_together():
    reader = Reader()
    together = Together(reader)
    tasks = await asked(together, "a")
    tasks += await asked(together, "b", "c", "b", "a")
    assert reader.reads == [["a"]]
    reader.go.set()
    assert await asyncio.gather(*tasks) == ["A", "B", "C", "B", "A"]
    assert reader.reads == [["a"], ["b", "c", "a"]], "the second 'a' may have changed since the first was read"


async def test_a_read_has_at_most_so_many_keys():
    reader = Reader()
    reader.go.set()
    together = Together(reader, limit=2)
    assert await asyncio.gather(*(together.ask(key) for key in "abcde")) == list("ABCDE")
    assert reader.reads == [["a", "b"], ["c", "d"], ["e"]]


async def test_a_key_without_an_answer_is_none():
    reader = Reader()
    reader.go.set()
    assert await Together(reader).ask("unknown") is None


async def test_an_error_is_that_of_its_read_alone():
    reader = Reader()
    together = Together(reader)
    tasks = await asked(together, "broken")
    tasks += await asked(together, "a")
    reader.go.set()
    told = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(told[0], ValueError)
    assert told[1] == "A"


async def test_one_who_goes_away_takes_the_answer_from_nobody_else():
    reader = Reader()
    together = Together(reader)
    first, *others = await asked(together, "a", "a", "b")
    first.cancel()
    reader.go.set()
    assert await asyncio.gather(*others) == ["A", "B"]
