"""Fixtures that several rooms share: callsite on a real server in this process, and ElevenLabs as its client."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.db import connection, transaction
from django.test import Client, TransactionTestCase
from rest_framework_simplejwt.tokens import AccessToken

from calls.groups import AUDITORS, DISPATCHERS, SUPERVISORS
from calls.models import Call
from callsite.tests.site import (
    INIT,
    POST_CALL,
    TOOL_SECRET,
    TURN,
    WEBHOOK_SECRET,
    ElevenLabs,
    Site,
    Socket,
    sign,
)
from lab.stack.webserver import CHECKOUT
from realtime import publisher, subscription_log
from realtime.subscription_log import current_subscription_log
from simulator.server import Server
from simulator.stub.server import Stub
from simulator.stub.workspace import Workspace
from webhooks import refusals
from webhooks.refusals import current_refusals

__all__ = ["INIT", "POST_CALL", "TURN", "ElevenLabs", "Socket", "sign"]  # what tests look for here
PAYLOADS = Path(__file__).parent / "webhooks" / "tests" / "payloads"


def server_env(database_url: str, **more: str) -> dict[str, str]:
    """Return the environment of a separate callsite process, with the secrets of these tests and without Redis."""
    secrets = {"ELEVENLABS_WEBHOOK_SECRET": WEBHOOK_SECRET, "ELEVENLABS_TOOL_SECRET": TOOL_SECRET}
    return {"DATABASE_URL": database_url, "REDIS_URL": "", "DJANGO_ALLOWED_HOSTS": "127.0.0.1", **secrets, **more}


def manage(env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, cwd=CHECKOUT, env={**os.environ, **env}, check=True, capture_output=True, text=True)


def pytest_configure() -> None:
    signal.signal(signal.SIGTERM, _end_as_ctrl_c_does)


def empty_written_tables(test: TransactionTestCase) -> None:
    """Delete the rows of every table that has some, except the rows that migrations wrote."""
    kept = {"django_migrations", "django_content_type", "auth_permission", "auth_group", "auth_group_permissions"}
    tables = sorted(set(connection.introspection.django_table_names(only_existing=True)) - kept)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(f"SELECT '{table}' WHERE EXISTS (SELECT 1 FROM {table})" for table in tables))
        written = [table for (table,) in cursor.fetchall()]
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL callsite.purge = 'on'")  # otherwise the access log keeps its rows
        for table in written:
            cursor.execute(f"DELETE FROM {table}")
        ours = (DISPATCHERS, SUPERVISORS, AUDITORS)
        for group in Group.objects.exclude(name__in=ours):
            group.delete()


# Django's flush would cost each test that commits a TRUNCATE of all tables, and create all permissions again.
TransactionTestCase._fixture_teardown = empty_written_tables


def _end_as_ctrl_c_does(*_: object) -> None:
    """Raise KeyboardInterrupt, so that fixtures and `with` blocks stop what they started; ignore a second SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: None)
    raise KeyboardInterrupt


@pytest.fixture(autouse=True)
def secrets_and_storage(settings: Any, tmp_path: Path) -> None:
    """Set production's strict settings, with secrets of the tests and a recordings folder for each test."""
    settings.ELEVENLABS_WEBHOOK_SECRET = WEBHOOK_SECRET
    settings.ELEVENLABS_TOOL_SECRET = TOOL_SECRET
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.ALLOWED_HOSTS = ["127.0.0.1", "localhost", "testserver"]
    settings.WHITENOISE_AUTOREFRESH = True  # otherwise each django.test.Client looks up all static files


def payload(name: str, conversation_id: str | None = None) -> dict[str, Any]:
    """Return a sample body. If `conversation_id` is given, it replaces the sample's everywhere."""
    text = (PAYLOADS / f"{name}.json").read_text()
    body: dict[str, Any] = json.loads(text)
    if conversation_id is None:
        return body
    old = body["data"]["conversation_id"]
    replaced: dict[str, Any] = json.loads(json.dumps(body).replace(json.dumps(old), json.dumps(conversation_id)))
    return replaced


@pytest.fixture
def on_postgresql(only_postgresql: None, db: None) -> None:
    """Mark a test of something that PostgreSQL does and SQLite does differently."""


@pytest.fixture(scope="session")
def only_postgresql() -> None:
    """Skip without PostgreSQL, like `on_postgresql`, but for fixtures of any scope; gives no access to the database."""
    if connection.vendor != "postgresql":
        pytest.skip("this is about PostgreSQL: python -m lab.stack -- python -m pytest")


@pytest.fixture(scope="session")
def _server(django_db_setup: None) -> Iterator[Site]:
    site = Site()
    site.start()
    yield site
    site.stop()


@pytest.fixture
def site(_server: Site, transactional_db: None) -> Iterator[Site]:
    """Yield callsite on a real server."""
    yield _server
    server = publisher._publisher
    if server is not None and server.loop.is_running():
        asyncio.run_coroutine_threadsafe(_forget_what_is_written_later(), server.loop).result(10)


async def _forget_what_is_written_later() -> None:
    """Drop waiting counts and log rows: nothing may write to the database between two tests."""
    counts, rows = current_refusals(), current_subscription_log()
    counts._counts.clear()
    rows._waiting.clear()
    for task, threads in ((counts._task, refusals._threads), (rows._task, subscription_log._thread)):
        if task is not None:
            task.cancel()
        await threads.run(lambda: None)  # wait for work that has begun


def staff(*codenames: str) -> Client:
    """Return the browser session of a staff user who has these permissions."""
    user = get_user_model().objects.create_user("staff", password="staff", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def dispatcher(transactional_db: None) -> Any:
    """Return a user who may only view calls."""
    user = get_user_model().objects.create_user(f"dispatcher-{uuid.uuid4().hex[:6]}", password="dispatcher")
    user.user_permissions.add(Permission.objects.get(codename="view_call"))
    return user


@pytest.fixture
def token(dispatcher: Any) -> str:
    return str(AccessToken.for_user(dispatcher))


@pytest.fixture
def supervisor_token(transactional_db: None) -> str:
    """Return the token of a user who may also play recordings."""
    user = get_user_model().objects.create_user(f"supervisor-{uuid.uuid4().hex[:6]}", password="supervisor")
    user.groups.add(Group.objects.get(name=SUPERVISORS))
    return str(AccessToken.for_user(user))


@pytest.fixture
def call(transactional_db: None) -> Call:
    """Return a call in progress."""
    return register_call()


def register_call() -> Call:
    """Register a call that no other test knows, because processes remember calls across tests."""
    mark = uuid.uuid4().hex[:12]
    return Call.register(call_sid=f"EL_{mark}", conversation_id=f"conv_{mark}", driver_id="DRV_1")


@pytest.fixture
def stub(site: Site, settings: Any) -> Iterator[Stub]:
    """Yield the stub of ElevenLabs' API; its webhooks reach `site`."""
    with _stub(Server(site.url, WEBHOOK_SECRET, TOOL_SECRET), settings) as stub:
        yield stub


@pytest.fixture
def lonely_stub(settings: Any) -> Iterator[Stub]:
    """Yield the stub of ElevenLabs' API; its webhooks reach no server."""
    with _stub(Server("http://127.0.0.1:9"), settings) as stub:
        yield stub


@contextlib.contextmanager
def _stub(callsite: Server, settings: Any) -> Iterator[Stub]:
    stub = Stub(callsite, Workspace(callsite.url), hang_seconds=20)
    settings.ELEVENLABS_API_URL = stub.start()
    settings.ELEVENLABS_API_KEY = stub.workspace.key
    settings.ELEVENLABS_AGENT_ID = stub.workspace.agent_id
    settings.ELEVENLABS_PHONE_NUMBER_ID = stub.workspace.phone_number_id
    yield stub
    stub.close()


def until(done: Any, seconds: float = 10.0) -> None:
    """Wait until `done()` is true. Fails after so many seconds."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)
