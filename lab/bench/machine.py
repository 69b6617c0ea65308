"""The machine and the versions of a run, without which its figures mean nothing."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from lab.bench.servers import RIVALS_PYTHON, Infrastructure

OURS = (
    *("Django", "channels", "channels-redis", "redis", "uvicorn", "uvloop", "httptools", "websockets", "psycopg"),
    "msgspec",
)
THEIRS = ("fastapi", "starlette", "SQLAlchemy", "psycopg2-binary", "asyncpg", "uvicorn", "uvloop", "pydantic")
_VERSIONS = "import importlib.metadata as m, json, sys; print(json.dumps({n: m.version(n) for n in sys.argv[1:]}))"


def facts(infrastructure: Infrastructure) -> dict[str, str]:
    """Return the name and value of each fact, in reading order."""
    cpu = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    settings = {
        name: infrastructure.sql(f"SHOW {name}")[0][0]
        for name in ("server_version", "fsync", "synchronous_commit", "shared_buffers")
    }
    said = subprocess.run([RIVALS_PYTHON, "-c", _VERSIONS, *THEIRS], capture_output=True, text=True, check=True)
    redis = infrastructure.redis.command("INFO", "server")
    return {
        "when": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": f"{len(cpu)} × {cpu[0].partition(':')[2].strip()}, {memory:.0f} GiB, Linux {platform.release()}",
        "load before": " ".join(f"{value:.2f}" for value in os.getloadavg()),
        "Python": platform.python_version(),
        "PostgreSQL": f"{settings['server_version']}, fsync {settings['fsync']}, synchronous_commit"
        f" {settings['synchronous_commit']}, shared_buffers {settings['shared_buffers']}",
        "Redis": str(redis.get("redis_version")),
        "callsite": ", ".join(f"{name} {importlib.metadata.version(name)}" for name in OURS),
        "rivals": ", ".join(f"{name} {version}" for name, version in json.loads(said.stdout).items()),
    }
