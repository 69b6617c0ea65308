"""FastAPI with bare asyncpg, one statement per turn: about the least that one transaction per turn can cost."""
# mypy: ignore-errors

from __future__ import annotations

import contextlib
import datetime as dt
import os

import asyncpg
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from lab.bench.rivals.listening import manager, router, verify

INSERT = """
    with c as (select id from rival_call where call_sid = $1)
    insert into rival_turn (call_id, speaker, message, sequence_number, timestamp)
    select c.id, $2, $3,
        coalesce((select max(sequence_number) from rival_turn t where t.call_id = c.id), 0) + 1, $4
    from c
    returning id, call_id, sequence_number
"""


class TurnIn(BaseModel):
    call_sid: str
    speaker: str
    message: str
    timestamp: dt.datetime


@contextlib.asynccontextmanager
async def lifespan(app):
    app.state.pool = await asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=4, max_size=16)
    yield


app = FastAPI(lifespan=lifespan)
app.include_router(router)


@app.post("/webhooks/elevenlabs/transcription", status_code=201)
async def transcription(request: Request):
    body = await request.body()
    verify(request.headers.get("elevenlabs-signature"), body)
    data = TurnIn.model_validate_json(body)
    async with app.state.pool.acquire() as connection:
        row = await connection.fetchrow(INSERT, data.call_sid, data.speaker, data.message, data.timestamp)
    if row is None:
        raise HTTPException(404, "no such call")
    message = {
        "type": "transcription",
        "call_id": row["call_id"],
        "id": row["id"],
        "speaker": data.speaker,
        "message": data.message,
        "timestamp": data.timestamp.isoformat(),
        "sequence_number": row["sequence_number"],
    }
    await manager.broadcast(row["call_id"], message)
    return JSONResponse({"id": row["id"], "sequence_number": row["sequence_number"]}, 201)
