"""The least that an ASGI server can do for a fan-out: a POST, then one loop over the sockets. No database, no Redis."""

from __future__ import annotations

import json
from typing import Any

sockets: dict[int, set[Any]] = {}


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
    elif scope["type"] == "http":
        await turn(receive, send)
    else:
        await listen(receive, send)


async def lifespan(receive: Any, send: Any) -> None:
    while True:
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def turn(receive: Any, send: Any) -> None:
    message = await receive()
    body = message["body"]
    while message.get("more_body"):
        message = await receive()
        body += message["body"]
    data = json.loads(body)
    call_id = int(data["call_sid"][2:])
    text = json.dumps(
        {
            "type": "transcription",
            "call_id": call_id,
            "speaker": data["speaker"],
            "message": data["message"],
            "timestamp": data["timestamp"],
            "sequence_number": 1,
        }
    )
    frame = {"type": "websocket.send", "text": text}
    for socket in list(sockets.get(call_id, ())):
        await socket(frame)
    await send({"type": "http.response.start", "status": 201, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"{}"})


async def listen(receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    call_id = 0
    while (message := await receive())["type"] != "websocket.disconnect":
        call_id = int(json.loads(message["text"])["subscribe"])
        sockets.setdefault(call_id, set()).add(send)
        await send({"type": "websocket.send", "text": '{"type":"subscription_confirmed"}'})
    sockets.get(call_id, set()).discard(send)
