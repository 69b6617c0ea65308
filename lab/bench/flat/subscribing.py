"""Subscribing with `after`: the time from the message to the last turn, or to the completion of an ended call."""

from __future__ import annotations

import json
import random
import time

from websockets.sync.client import connect

from lab.bench.flat.databases import Site


def measure(site: Site, requests: int, seed: int) -> list[float]:
    """Return the milliseconds of each subscription, one after the other on one socket, to random calls of any state."""
    rng = random.Random(seed)
    url = f"{site.server.ws_url}/ws/calls/transcriptions"
    taken = []
    with connect(
        url, additional_headers={"Authorization": f"Bearer {site.token}"}, compression=None, proxy=None
    ) as socket:
        for number in range(-3, requests):
            sid = f"CA{rng.randint(1, site.calls):032}"
            began = time.perf_counter()
            socket.send(json.dumps({"subscribe": sid, "after": 0}))
            last = None
            while True:
                message = json.loads(socket.recv(30))
                if message["type"] == "subscription_confirmed":
                    last = message["last_sequence_number"]
                    ended = message["status"] != "in_progress"
                elif message["type"] == "call_completed" or (
                    message["type"] == "transcription" and not ended and message["sequence_number"] == last
                ):
                    break
            if number >= 0:
                taken.append((time.perf_counter() - began) * 1000)
            if not ended:
                socket.send(json.dumps({"unsubscribe": sid}))
                while json.loads(socket.recv(30))["type"] != "unsubscribe_confirmed":
                    pass
    return taken
