"""The common parts of the FastAPI rivals: signature, the in-memory manager of sockets, and the WebSocket route."""
# mypy: ignore-errors
# FastAPI is installed only in the rivals' environment, not where types are checked.

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os

from fastapi import APIRouter, HTTPException, WebSocket, WebSocketDisconnect

SECRET = os.environ["ELEVENLABS_WEBHOOK_SECRET"].encode()
router = APIRouter()


def verify(header: str | None, body: bytes) -> None:
    parts = dict(part.split("=", 1) for part in (header or "").split(",") if "=" in part)
    wanted = hmac.new(SECRET, parts.get("t", "").encode() + b"." + body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(wanted, parts.get("v0", "")):
        raise HTTPException(401, "bad signature")


class Manager:
    """The connection manager of FastAPI's documentation, with one list of sockets per call."""

    def __init__(self):
        self.sockets: dict[int, list[WebSocket]] = {}

    async def broadcast(self, call_id, message):
        gone = []
        for socket in list(self.sockets.get(call_id, [])):
            try:
                await socket.send_json(message)
            except Exception:  # noqa: BLE001  (whatever the error, the socket is of no more use)
                gone.append(socket)
        for socket in gone:
            self.drop(call_id, socket)

    def drop(self, call_id, socket):
        with contextlib.suppress(ValueError):
            self.sockets.get(call_id, []).remove(socket)


manager = Manager()


@router.websocket("/ws/calls/transcriptions")
async def transcriptions(socket: WebSocket):
    await socket.accept()
    mine = set()
    try:
        while True:
            message = await socket.receive_json()
            if "subscribe" in message:
                call_id = int(message["subscribe"])
                mine.add(call_id)
                manager.sockets.setdefault(call_id, []).append(socket)
                await socket.send_json({"type": "subscription_confirmed", "call_id": call_id})
    except WebSocketDisconnect:
        pass
    finally:
        for call_id in mine:
            manager.drop(call_id, socket)
