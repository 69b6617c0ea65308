"""Separate servers for tests of what a real process writes and sends, and the lines of this process's log."""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import logging
import os
import shutil

import pytest
from django.contrib.auth import get_user_model
from django.db import transaction
from rest_framework_simplejwt.tokens import AccessToken
from structlog.contextvars import clear_contextvars

from callsite.logs import Formatter
from callsite.tests.doors import Visitor
from conftest import manage, server_env

GOOD = "transcription_sip_trunk"
PASSWORD = "a-password-0123456789"


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory, starts_programs):
    """Return a migrated database file with the user `admin`. The first test process makes it, others wait for it."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    made = folder / "migrated.sqlite3"
    with (folder / "migrated.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            env = server_env(f"sqlite:///{folder}/db.sqlite3", DJANGO_SUPERUSER_PASSWORD=PASSWORD)
            manage(env, "migrate", "--verbosity", "0")
            manage(env, "createsuperuser", "--noinput", "--username", "admin", "--email", "a@b.example")
            (folder / "db.sqlite3").rename(made)
    return made


@pytest.fixture(scope="session")
def sqlite_env_in(migrated_sqlite):
    """Return a function: folder -> environment of a server with its own SQLite database and the user `admin`."""

    def env(folder):
        shutil.copy(migrated_sqlite, folder / "db.sqlite3")
        return server_env(f"sqlite:///{folder}/db.sqlite3")

    return env


@pytest.fixture
def sqlite_env(sqlite_env_in, tmp_path):
    return sqlite_env_in(tmp_path)


@pytest.fixture
def staff_token(transactional_db):
    user = get_user_model().objects.create_superuser("boss", password="boss")
    return str(AccessToken.for_user(user))


@pytest.fixture
def visitor():
    """Return a function that makes a visitor for a URL, from an address of this machine."""
    with contextlib.ExitStack() as visitors:
        yield lambda *who, **headers: visitors.enter_context(Visitor(*who, **headers))


@pytest.fixture
def log():
    """Yield a function that returns one logger's lines so far, as production writes them."""
    clear_contextvars()  # ids that a test bound when it gave webhooks to the inbox in this thread
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(Formatter(readable=False))
    handler.addFilter(lambda record: record.name != "httpx")  # the tests' own requests
    logging.getLogger().addHandler(handler)

    def lines(logger="webhooks.journal"):
        every = [json.loads(line) for line in stream.getvalue().splitlines()]
        return [line for line in every if line["logger"] == logger]

    lines.text = stream.getvalue
    yield lines
    logging.getLogger().removeHandler(handler)


def told(log):
    """Return the log's only line, without the values that differ each time."""
    (line,) = log()
    assert line.pop("time").endswith("Z")
    assert line.pop("ms") >= 0
    assert line.pop("logger") == "webhooks.journal"
    return line


def ids(call):
    return {"conversation_id": call.conversation_id, "call_sid": call.call_sid, "call_id": call.pk}


def error_of(work):
    try:
        with transaction.atomic():
            work()
    except Exception as error:  # noqa: BLE001
        return error
    raise AssertionError("nothing was raised")
