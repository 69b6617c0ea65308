"""Pytest plugin (`-p lab.stack.defaults` in pytest.ini): tests see the defaults, not this checkout's `.env`.

Under pytest-xdist each worker gets a Redis of its own, as channels of Redis know no database numbers, and workers would
hear one another. (pytest-django gives each a database of its own.)

A plugin because pytest-django loads the settings before any conftest.py. It is found from the checkout's folder
by `python -m pytest`.
"""

from __future__ import annotations

import os
from pathlib import Path

from dotenv import dotenv_values

from lab.stack.redis import Redis

EXAMPLE = Path(__file__).resolve().parents[2] / ".env.example"
# `python -m lab.stack` names the servers.
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
