"""FastAPI with SQLAlchemy's sync sessions inside async endpoints: the kind of service that callsite replaces.

More than pool_size + max_overflow (30) requests at once stop it: waiting for a connection blocks the event loop, so no
request can give a connection back. The bench therefore gives it at most 24 posters.
"""
# mypy: ignore-errors

from __future__ import annotations

import datetime as dt
import json
import os

from fastapi import Depends, FastAPI, HTTPException, Request
from pydantic import BaseModel
from sqlalchemy import JSON, DateTime, ForeignKey, Integer, String, Text, create_engine, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

from lab.bench.rivals.listening import manager, router, verify


def utcnow() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class Base(DeclarativeBase):
    pass


class Call(Base):
    __tablename__ = "rival_call"
    id: Mapped[int] = mapped_column(primary_key=True)
    call_sid: Mapped[str] = mapped_column(String(64), unique=True, index=True)
    conversation_id: Mapped[str | None] = mapped_column(String(64), index=True)
    status: Mapped[str] = mapped_column(String(20), default="in-progress")
    summary: Mapped[str | None] = mapped_column(Text)
    duration: Mapped[int | None]
    raw: Mapped[dict | None] = mapped_column(JSON)
    updated_at: Mapped[dt.datetime] = mapped_column(DateTime(timezone=True), default=utcnow)


class Turn(Base):
    __tablename__ = "rival_turn"
    id: Mapped[int] = mapped_column(primary_key=True)
    call_id: Mapped[int] = mapped_column(ForeignKey("rival_call.id"), index=True)
    speaker: Mapped[str] = mapped_column(String(20))
    message: Mapped[str] = mapped_column(Text)
    sequence_number: Mapped[int] = mapped_column(Integer)
    timestamp: Mapped[dt.datetime] = mapped_column(DateTime(timezone=True))


class TurnIn(BaseModel):
    call_sid: str
    speaker: str
    message: str
    timestamp: dt.datetime


engine = create_engine(
    os.environ["DATABASE_URL"].replace("postgres://", "postgresql+psycopg2://"), pool_size=10, max_overflow=20
)
SessionLocal = sessionmaker(engine)
app = FastAPI()
app.include_router(router)


def get_session():
    with SessionLocal() as session:
        yield session


@app.post("/webhooks/elevenlabs/transcription", status_code=201)
async def transcription(request: Request, session: Session = Depends(get_session)):  # noqa: B008  (FastAPI's way)
    body = await request.body()
    verify(request.headers.get("elevenlabs-signature"), body)
    data = TurnIn.model_validate(json.loads(body))
    call = session.scalar(select(Call).where(Call.call_sid == data.call_sid))
    if call is None:
        raise HTTPException(404, "no such call")
    newest = session.scalar(select(func.max(Turn.sequence_number)).where(Turn.call_id == call.id))
    turn = Turn(
        call_id=call.id,
        speaker=data.speaker,
        message=data.message,
        sequence_number=(newest or 0) + 1,
        timestamp=data.timestamp,
    )
    session.add(turn)
    session.commit()
    session.refresh(turn)
    message = {
        "type": "transcription",
        "call_id": call.id,
        "id": turn.id,
        "speaker": turn.speaker,
        "message": turn.message,
        "timestamp": turn.timestamp.isoformat(),
        "sequence_number": turn.sequence_number,
    }
    await manager.broadcast(call.id, message)
    return {"id": turn.id, "sequence_number": turn.sequence_number}


@app.post("/webhooks/elevenlabs/post-call")
async def post_call(request: Request, session: Session = Depends(get_session)):  # noqa: B008  (FastAPI's way)
    body = await request.body()
    verify(request.headers.get("elevenlabs-signature"), body)
    data = json.loads(body)["data"]
    call = session.scalar(select(Call).where(Call.conversation_id == data["conversation_id"]))
    if call is None:
        raise HTTPException(404, "no such call")
    call.status, call.raw, call.updated_at = "completed", data, utcnow()
    call.summary = data.get("analysis", {}).get("transcript_summary")
    call.duration = data.get("metadata", {}).get("call_duration_secs")
    session.commit()
    await manager.broadcast(call.id, {"type": "call_completed", "call_id": call.id, "summary": call.summary})
    return {"status": "ok"}


if __name__ == "__main__":
    Base.metadata.create_all(engine)
