"""One state from any order: the same events many times at once on two processes, shuffled, duplicated, reversed."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from lab.faults import database, history
from lab.faults.database import CallIds, in_database
from lab.faults.history import Finding
from lab.faults.journal import Journal
from lab.faults.play import listening, read_back
from lab.faults.senders import Sender, completion
from lab.faults.site import Site
from lab.faults.subscribers import Subscriber, all_done
from lab.faults.table import Row

ORDER = 30
TURNS = 8
AT_ONCE = 24

Event = tuple[Literal["turn", "end"], str, bytes]


async def run(site: Site, folder: Path) -> list[Row]:
    copies, rounds = site.size.of(short=10, long=100), site.size.of(short=1, long=4)
    pair = await site.callsite()
    orders = shufflers(rounds)
    calls = await in_database(lambda: database.register_calls(len(orders)))
    token = await in_database(database.new_token)
    now = int(time.time()) - 100
    at_once = asyncio.Semaphore(AT_ONCE)
    with Journal(folder / "senders.jsonl") as sent, Journal(folder / "subscribers.jsonl") as heard:
        listeners = [Subscriber(heard, f"on process {i}", url, token, calls) for i, url in enumerate(pair.sockets)]
        async with listening(listeners), Sender(sent, pair.urls) as sender:

            async def send(call: CallIds, event: Event) -> None:
                async with at_once:
                    await sender.deliver(call, *event)

            for call, order in zip(calls, orders, strict=True):
                events = order([event for event in what_happens(call, now) for _ in range(copies)])
                await asyncio.gather(*(send(call, event) for event in events))
            await all_done(listeners, 5)
            await asyncio.sleep(0.5)  # a second completion pair would come now
    played = await read_back(folder, calls)
    states = {await in_database(lambda call=call: database.final_state(call)) for call in calls}  # type: ignore[misc]
    findings = played.findings()
    findings += history.answered_otherwise(played.attempts, (200, 201))
    new = sum(attempt.status == 201 for attempt in played.attempts)
    if new != TURNS * len(calls):
        findings.append(Finding("answered as new", "turns", f"{new}, but {TURNS * len(calls)} are"))
    if len(states) > 1:
        findings.append(Finding("states", "calls", " /// ".join(differences(sorted(states)))))
    pairs = sum(one.what == "call_completed" for one in played.heard) / len(listeners) / len(calls)
    gaps = history.not_one_to_n(played.stored)
    return [
        Row(
            "one state from any order",
            f"{TURNS + 4} events of a call, each {copies} times, {AT_ONCE} at once on two processes; "
            f"{len(calls)} calls: as they happened, reversed, shuffled",
            f"{len(played.attempts):,} webhooks; states: {len(states)}; completion pairs: {pairs:g}; "
            f"sequence gaps: {len(gaps)}",
            findings,
        )
    ]


def what_happens(call: CallIds, now: int) -> list[Event]:
    """Return turns, a failed first attempt, the recording, the transcription and a refreshed transcription."""
    turns: list[Event] = []
    for i in range(TURNS):
        turn = {"call_sid": call.call_sid, "speaker": "agent", "message": f"turn {i}", "turn_id": f"turn-{i}"}
        turns.append(("turn", f"turn-{i}", json.dumps(turn).encode()))
    first = json.loads(completion(call))
    first["event_timestamp"] = first["data"]["metadata"]["start_time_unix_secs"] = now
    refreshed = json.loads(json.dumps(first))
    refreshed["event_timestamp"] = now + 10
    refreshed["data"]["analysis"]["transcript_summary"] = "Heard once more."
    failure = about("call_initiation_failure", call, now - 5, failure_reason="busy", metadata={"type": "twilio"})
    audio = about("post_call_audio", call, now + 1, full_audio=base64.b64encode(b"ID3" + b"\0" * 400).decode())
    bodies = [json.dumps(body).encode() for body in (failure, first, audio, refreshed)]
    return [*turns, *(("end", hashlib.sha256(body).hexdigest(), body) for body in bodies)]


def about(kind: str, call: CallIds, at: int, **data: Any) -> dict[str, Any]:
    about_call = {"agent_id": "agent_faults", "conversation_id": call.conversation_id}
    return {"type": kind, "event_timestamp": at, "data": about_call | data}


def shufflers(rounds: int) -> list[Callable[[list[Event]], list[Event]]]:
    randomness = random.Random(11)

    def shuffled(events: list[Event]) -> list[Event]:
        return randomness.sample(events, len(events))

    return [lambda events: events, lambda events: events[::-1], shuffled, shuffled] * rounds


def differences(states: list[str]) -> list[str]:
    """Return the fields in which the first two states differ."""
    one, other = json.loads(states[0]), json.loads(states[1])
    return [f"{name}: {one[name]} / {other[name]}" for name in one if one[name] != other[name]]
