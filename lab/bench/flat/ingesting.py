"""Webhooks about calls all over the table: milliseconds of server time each, under load."""

from __future__ import annotations

import json
import subprocess
import sys

from lab.bench.flat.databases import BUSY_CALLS, Site
from lab.bench.servers import SECRET
from lab.stack.webserver import CHECKOUT

HALF = BUSY_CALLS // 2


def turns(site: Site, seconds: float, seed: int) -> float:
    """Return the milliseconds per live turn, with 64 posters."""
    return _milliseconds(site, seconds, seed, "--kind", "turn", "--posters", "64", "--calls", str(HALF))


def post_calls(site: Site, seconds: float, seed: int) -> float:
    """Return the milliseconds per post-call webhook, with 16 posters.

    Each webhook ends a call, so all calls are made busy again first, and the time is short.
    """
    site.make_busy()
    words = ("--kind", "post-call", "--posters", "16", "--calls", str(BUSY_CALLS), "--first", str(site.step))
    return _milliseconds(site, min(seconds, 0.6), seed, *words)


def _milliseconds(site: Site, seconds: float, seed: int, *words: str) -> float:
    command = [sys.executable, "-m", "lab.bench.load", "ingest", *words, "--http", site.server.url]
    command += ["--pid", str(site.server.pid), "--seconds", str(seconds), "--warmup", "0.5", "--secret", SECRET]
    command += ["--step", str(site.step), "--seed", str(seed)]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode:
        raise RuntimeError(f"the load generator failed:\n{done.stderr[-3000:]}")
    result = json.loads(done.stdout)
    if result["errors"] or result["refused"] or not result["n"]:
        raise RuntimeError(f"webhooks were refused: {result}")
    return 1000 * seconds / float(result["n"])
