"""`python -m lab.bench.batching`: measures what the batches buy, in CPU per webhook.

The same bodies go, in turns, to a batch, to a batch that stores by the ORM, and one by one to the inbox in one thread.
There is no HTTP, because the door and the view cost the same each way.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from unittest.mock import patch

import django

from lab.bench.load.measuring import cpu_seconds
from lab.bench.load.webhooks import call_sid, conversation_id, post_call_bodies, turn_bodies
from lab.bench.servers import Infrastructure

CALLS, ROUNDS, BODY_BYTES = 640, 7, 20_000
Take = Callable[[Sequence[bytes]], Awaitable[None]]


async def measure(title: str, ways: dict[str, Take], bodies: Callable[[random.Random], list[bytes]]) -> None:
    """Print the CPU of each way, in callsite's process and in PostgreSQL; the first round is a warm-up."""
    spent = {way: [0.0, 0.0] for way in ways}
    count = 0
    for number in range(ROUNDS + 1):
        given = bodies(random.Random(number))
        for way in ways if number % 2 else reversed(ways):
            backends = await asyncio.to_thread(fill)
            before = time.process_time(), cpu_seconds(backends)
            await ways[way](given)
            await asyncio.sleep(0.1)  # time to send what it published
            cost = time.process_time() - before[0], cpu_seconds(backends) - before[1]
            if number:
                spent[way] = [one + more for one, more in zip(spent[way], cost, strict=True)]
        count += len(given) * bool(number)
    print(title)
    for way, (own, database) in spent.items():
        print(f"  {way:19} {own / count * 1e6:7.0f} µs, and {database / count * 1e6:5.0f} µs of PostgreSQL", flush=True)


def fill() -> list[int]:
    """Register the calls in empty tables, and return the process IDs of PostgreSQL's backends."""
    from django.db import connection

    from calls.models import Call

    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE calls_call RESTART IDENTITY CASCADE")
        numbers = range(1, CALLS + 1)
        Call.objects.bulk_create(Call(call_sid=call_sid(n), conversation_id=conversation_id(n)) for n in numbers)
        cursor.execute("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")
        pids = [pid for (pid,) in cursor.fetchall()]
    connection.close()
    return pids


def batched(take: Callable[[bytes], Awaitable[Any]], at_once: int) -> Take:
    async def take_all(bodies: Sequence[bytes]) -> None:
        for start in range(0, len(bodies), at_once):
            answers = await asyncio.gather(*map(take, bodies[start : start + at_once]))
            assert all(answers), "the inbox would have to take one"

    return take_all


def one_by_one(route: str) -> Take:
    from webhooks.inbox import receive

    def receive_all(bodies: Sequence[bytes]) -> None:
        for body in bodies:
            assert receive(route, body).status < 300

    return lambda bodies: asyncio.to_thread(receive_all, bodies)


def outcomes_by_orm(bodies: Sequence[bytes]) -> Awaitable[None]:
    """Take outcomes in batches, with `save()` per call and `bulk_create()` for the deliveries."""
    from calls.models import Call
    from webhooks.batching import outcomes
    from webhooks.models import WebhookDelivery

    def update(data: Mapping[str, Any]) -> dict[str, Call]:
        calls = Call.objects.filter(conversation_id__in=data)
        return {
            str(call.conversation_id): call.update_post_call_data(data[str(call.conversation_id)]) for call in calls
        }

    async def take_all() -> None:
        insert = WebhookDelivery.objects.bulk_create
        with (
            patch.object(outcomes, "update_post_call_data", update),
            patch.object(outcomes, "insert_deliveries", insert),
        ):
            await batched(outcomes.take, 32)(bodies)

    return take_all()


def turns_by_orm(bodies: Sequence[bytes]) -> Awaitable[None]:
    """Take turns in batches through a thread, by `calls.turns.record_turns`."""
    from calls.turns import record_turns
    from webhooks.strict_json import decode
    from webhooks.tool_payloads import parse_turn

    async def take_all() -> None:
        for start in range(0, len(bodies), 64):
            turns = [parse_turn(decode(body)) for body in bodies[start : start + 64]]
            await asyncio.to_thread(record_turns, turns)

    return take_all()


async def main() -> None:
    from realtime import publisher
    from webhooks.batching import outcomes, turns

    numbers = range(1, CALLS + 1)

    def post_calls(rng: random.Random) -> list[bytes]:
        draw = post_call_bodies(numbers, BODY_BYTES, rng)
        return [draw() for _ in numbers]

    def live_turns(rng: random.Random) -> list[bytes]:
        draw = turn_bodies(numbers, rng)
        return [draw() for _ in range(4 * CALLS)]

    async def take_turn(body: bytes) -> Any:
        async with turns.taken(body) as answer:
            return answer

    publisher.attach(asyncio.get_running_loop())
    turns.current_writer().begin()
    outcome_ways = {
        "batched by 32": batched(outcomes.take, 32),
        "the same by the ORM": outcomes_by_orm,
        "one by one": one_by_one("post-call"),
    }
    turn_ways = {
        "batched by 64": batched(take_turn, 64),
        "the same by the ORM": turns_by_orm,
        "one by one": one_by_one("transcription"),
    }
    await measure(f"a post-call webhook of {BODY_BYTES // 1000} KB", outcome_ways, post_calls)
    await measure("a live turn", turn_ways, live_turns)
    await turns.current_writer().end()


if __name__ == "__main__":
    with Infrastructure() as infrastructure:
        os.environ.update(infrastructure.settings())
        os.environ.update(DJANGO_SETTINGS_MODULE="callsite.settings", LOG_LEVEL="ERROR")
        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        asyncio.run(main())
