"""Pytest plugin (`-p stack.defaults` in pytest.ini): tests see the defaults, not this checkout's `.env`.

A plugin because pytest-django loads the settings before any conftest.py. It is found from the checkout's folder
by `python -m pytest`.
"""

from __future__ import annotations

import os
from pathlib import Path

from dotenv import dotenv_values

EXAMPLE = Path(__file__).resolve().parent.parent / ".env.example"
# `python -m stack` names the servers.
FROM_OUTSIDE = {"DATABASE_URL", "REDIS_URL"}

for name, value in dotenv_values(EXAMPLE).items():
    if name in FROM_OUTSIDE:
        os.environ.setdefault(name, "")
    else:
        os.environ[name] = value or ""
os.environ["DJANGO_SECRET_KEY"] = "tests-" * 10
