"""`python -m lab.bench.limits.inserts SECONDS ROWS`: durable rows per second, one connection, ROWS per statement."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from typing import Any, LiteralString

import psycopg

CALLS = 1000
TABLES: LiteralString = f"""
    drop table if exists limit_turn, limit_call;
    create table limit_call (
        id bigserial primary key,
        call_sid varchar(64) unique not null,
        status varchar(20) not null default 'in-progress'
    );
    create table limit_turn (
        id bigserial primary key,
        call_id bigint not null references limit_call (id),
        speaker varchar(20) not null,
        message text not null,
        sequence_number int not null,
        timestamp timestamptz not null
    );
    create index on limit_turn (call_id);
    insert into limit_call (call_sid) select 'CA' || lpad(i::text, 32, '0') from generate_series(1, {CALLS}) i;
"""
MESSAGE = "Hello, thank you for taking this call today. Could you tell me when you would like the appointment?"


async def rows_per_second(seconds: float, rows: int) -> float:
    """Create the tables, insert for so many seconds, and return the rows per second."""
    values: LiteralString = ",".join(["(%s,%s,%s,%s,now())"] * rows)
    insert: LiteralString = (
        f"insert into limit_turn (call_id, speaker, message, sequence_number, timestamp) values {values}"
    )
    arguments: list[Any] = [value for i in range(rows) for value in (i % CALLS + 1, "agent", MESSAGE, i)]
    url = os.environ["DATABASE_URL"]
    async with await psycopg.AsyncConnection.connect(url, autocommit=True, prepare_threshold=1) as connection:
        await connection.execute(TABLES)
        cursor = connection.cursor()
        count, began = 0, time.perf_counter()
        while (took := time.perf_counter() - began) < seconds:
            await cursor.execute(insert, arguments)
            count += rows
    return count / took


if __name__ == "__main__":
    print(asyncio.run(rows_per_second(float(sys.argv[1]), int(sys.argv[2]))))
