"""Strangers who try to sign in at once cost webhooks nothing."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.error
import urllib.request
from collections import Counter
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from pathlib import Path

from lab.faults import database, history
from lab.faults.database import in_database
from lab.faults.history import Attempt, Finding
from lab.faults.journal import Journal
from lab.faults.play import NOISE_SECONDS, read_back
from lab.faults.senders import Sender
from lab.faults.site import Pair, Site
from lab.faults.table import Row

ORDER = 87
STRANGERS = 40
PAUSE_SECONDS = 0.1
WEBHOOK_SECONDS = 2.0


async def run(site: Site, folder: Path) -> list[Row]:
    """Use one process: hashing a password takes a second, so all sign-ins take longer than a webhook may."""
    quiet = site.size.of(short=20, long=200)
    answers: Counter[int] = Counter()
    async with site.pair(count=1) as pair:
        calls = await in_database(lambda: database.register_calls(2000))
        left = iter(calls)
        with Journal(folder / "senders.jsonl") as sent, Journal(folder / "subscribers.jsonl"):
            async with Sender(sent, pair.urls) as sender:

                async def end_one() -> Attempt:
                    await asyncio.sleep(PAUSE_SECONDS)
                    return await sender.end(next(left))

                before = [await end_one() for _ in range(quiet)]
                began_at = time.time()
                with ThreadPoolExecutor(STRANGERS) as threads:
                    strangers = asyncio.gather(*(sign_in(threads, pair, answers, n) for n in range(STRANGERS)))
                    meanwhile = []
                    while not strangers.done():
                        meanwhile.append(await end_one())
                    await strangers
                took = time.time() - began_at
        played = await read_back(folder, calls)
    findings = history.acknowledged_but_missing(played.attempts, played.stored)
    findings += history.answered_otherwise(meanwhile, (200,))
    findings += history.answered_slowly(meanwhile, WEBHOOK_SECONDS + NOISE_SECONDS)
    if not set(answers) <= {401, 503} or not answers[401]:
        findings.append(Finding("answered otherwise", "strangers", f"{dict(answers)}"))
    middle = [history.percentile((one.ended_at - one.began_at for one in some), 0.5) for some in (before, meanwhile)]
    worst = max(one.ended_at - one.began_at for one in meanwhile)
    return [
        Row(
            "strangers who sign in cost webhooks nothing",
            f"{STRANGERS} strangers at once on one process, beside post-call webhooks",
            f"{len(meanwhile)} webhooks in {took:.1f} s, p50 {middle[1] * 1000:.0f} ms ({middle[0] * 1000:.0f} before),"
            f" worst {worst:.2f} s; strangers: "
            + ", ".join(f"{count} × {status}" for status, count in sorted(answers.items())),
            findings,
        )
    ]


async def sign_in(threads: Executor, pair: Pair, answers: Counter[int], number: int) -> None:
    ask = partial(try_password, pair.urls[0], f"stranger-{number}")
    answers[await asyncio.get_running_loop().run_in_executor(threads, ask)] += 1


def try_password(url: str, name: str) -> int:
    """Return the status of `/api/token/`, which checks a password as the login page does."""
    body = json.dumps({"username": name, "password": "open sesame"}).encode()
    request = urllib.request.Request(f"{url}/api/token/", body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refusal:
        return refusal.code
