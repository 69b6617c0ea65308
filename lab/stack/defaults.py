"""Pytest plugin (`-p lab.stack.defaults` in pytest.ini): tests see the default settings, not this checkout's `.env`.

Under pytest-xdist each worker gets a Redis of its own: Redis' channels ignore database numbers, so workers would hear
one another. (pytest-django gives each worker a database of its own.)

This is a plugin because pytest-django loads the settings before any conftest.py. `python -m pytest` finds it from the
checkout's folder.
"""

from __future__ import annotations

import os
from pathlib import Path

from dotenv import dotenv_values

from lab.stack.redis import Redis

EXAMPLE = Path(__file__).resolve().parents[2] / ".env.example"
# These name servers; `python -m lab.stack` sets them.
FROM_OUTSIDE = {"DATABASE_URL", "REDIS_URL"}

for name, value in dotenv_values(EXAMPLE).items():
    if name in FROM_OUTSIDE:
        os.environ.setdefault(name, "")
    else:
        os.environ[name] = value or ""
if os.environ["REDIS_URL"] and os.environ.get("PYTEST_XDIST_WORKER", "gw0") != "gw0":
    _redis = Redis()  # ends with this process
    _redis.start()
    os.environ["REDIS_URL"] = _redis.url
os.environ["DJANGO_SECRET_KEY"] = "tests-" * 10
