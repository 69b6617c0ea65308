"""Behind a real PgBouncer in transaction mode: everything works, and every wait still has a bound."""

from __future__ import annotations

import asyncio
import json
import re
from concurrent.futures import ThreadPoolExecutor

import httpx
import psycopg
import pytest

from calls.postgres.session import BOUNDS
from conftest import ElevenLabs, Socket, manage, payload, server_env
from lab.stack.pgbouncer import PgBouncer, find_pgbouncer, keeps_prepared_statements
from lab.stack.postgres import Postgres
from lab.stack.webserver import CHECKOUT, WebServer

PROGRAM = find_pgbouncer()
pytestmark = [
    pytest.mark.skipif(PROGRAM is None, reason="PgBouncer is not here: apt-get install pgbouncer"),
    pytest.mark.usefixtures("starts_programs"),
]
NEWER = pytest.mark.skipif(
    PROGRAM is not None and not keeps_prepared_statements(PROGRAM),
    reason="this PgBouncer keeps no prepared statements: 1.21 or newer does",
)
TOKEN_AND_SESSION = """
from django.contrib.auth import get_user_model
from django.test import Client
from rest_framework_simplejwt.tokens import AccessToken
admin = get_user_model().objects.create_superuser("admin")
client = Client()
client.force_login(admin)
print(AccessToken.for_user(admin), client.cookies["sessionid"].value)
"""
# what Django's sessions, and that of live turns, are bound by
SHOW = """
import asyncio, json
from django.db import connection
from webhooks.batching.turns import TurnWriter

NAMES = ["lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout", "TimeZone", "enable_seqscan"]
SHOW = "SELECT json_object_agg(name, current_setting(name)) FROM unnest(%s::text[]) AS name"

async def of_turns():
    writer = TurnWriter()
    writer.begin()
    cursor = await (await writer._connection()).execute(SHOW, [NAMES])
    (settings,) = await cursor.fetchone()
    await writer.end()
    return settings

with connection.cursor() as cursor:
    cursor.execute(SHOW, [NAMES])
    (ours,) = cursor.fetchone()
print(json.dumps([ours, asyncio.run(of_turns())]))
"""


@pytest.fixture(scope="module")
def postgres():
    with Postgres(durable=False) as postgres:
        yield postgres


@pytest.fixture(scope="module")
def bouncer(postgres):
    with PgBouncer(PROGRAM, postgres.url) as bouncer:
        manage(server_env(bouncer.url), "migrate", "--verbosity", "0")
        yield bouncer


@pytest.fixture
def by_role(postgres, bouncer):
    """What the operations page says to run on the server."""
    page = (CHECKOUT / "docs" / "operations.md").read_text()
    statements = re.findall(r"(?m)^    (ALTER ROLE callsite SET \w+ = '\w+');$", page)
    assert len(statements) == len(BOUNDS)
    run(postgres, *statements)
    end_sessions(postgres)
    yield
    run(postgres, "ALTER ROLE callsite RESET ALL")
    end_sessions(postgres)


def run(postgres, *statements):
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def end_sessions(postgres):
    """As PgBouncer's RECONNECT does: settings of a role are taken when a session begins."""
    run(
        postgres,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = 'callsite'",
    )


def settings_of(url):
    """Of Django's sessions, and of that of live turns."""
    return json.loads(manage(server_env(url), "shell", "--verbosity", "0", "-c", SHOW).stdout)


@pytest.fixture(scope="module")
def web(bouncer):
    with WebServer(server_env(bouncer.url)) as web:
        yield web


@pytest.fixture(scope="module")
def token_and_session(bouncer):
    """Of an administrator."""
    return manage(server_env(bouncer.url), "shell", "--verbosity", "0", "-c", TOKEN_AND_SESSION).stdout.split()


async def test_webhooks_turns_and_completions_work(web, token_and_session):
    token, _ = token_and_session
    elevenlabs = ElevenLabs(web.url)
    headers = {"Authorization": f"Bearer {token}"}
    with elevenlabs.client, httpx.Client(base_url=web.url, headers=headers, trust_env=False) as client:
        elevenlabs.init(call_sid="EL_1", conversation_id="conv_1", agent_id="a", caller_id="+1", called_number="+2")
        async with Socket.connect(f"{web.ws_url}/ws/calls/transcriptions", token) as socket:
            await socket.subscribe("EL_1", after=0)
            turns = await asyncio.gather(
                *(
                    asyncio.to_thread(elevenlabs.turn, call_sid="EL_1", speaker="user", message=str(n), turn_id=str(n))
                    for n in range(50)
                )
            )
            assert {turn.status_code for turn in turns} == {201}
            assert [turn["sequence_number"] for turn in await socket.take(50)] == list(range(1, 51))
            done = await asyncio.to_thread(elevenlabs.post_call, payload("transcription_docs_sample", "conv_1"))
            assert done.status_code == 200, done.text
            assert [message["type"] for message in await socket.take(2)] == ["call_status", "call_completed"]
        recording = elevenlabs.post_call(payload("audio_small_mp3", "conv_1"))
        assert recording.status_code == 200, recording.text
        listed = await asyncio.to_thread(client.get, "/api/calls/?search=EL_1")
        assert listed.json()["results"][0]["status"] == "completed"


def test_searches_at_once_find_what_was_said_lately(web, token_and_session):
    """Rows that are read a few at a time are read in one transaction: between two, the session is another's."""
    _, session = token_and_session
    elevenlabs = ElevenLabs(web.url)
    with elevenlabs.client:
        for n in range(3):
            names = {"call_sid": f"EL_said_{n}", "conversation_id": f"conv_said_{n}"}
            elevenlabs.init(**names, agent_id="a", caller_id="+1", called_number="+2")
            for turn in range(20):
                said = {"speaker": "user", "message": f"demurrage {turn}"}
                assert elevenlabs.turn(call_sid=f"EL_said_{n}", **said).status_code == 201
    with httpx.Client(base_url=web.url, cookies={"sessionid": session}, trust_env=False) as client:

        def search(_):
            return client.get("/admin/calls/call/?q=demurrage")

        with ThreadPoolExecutor(6) as threads:
            pages = list(threads.map(search, range(60)))
    assert {page.status_code for page in pages} == {200}
    assert all("<mark>demurrage</mark>" in page.text for page in pages)


@NEWER
async def test_live_turns_are_stored_in_batches(web):
    elevenlabs = ElevenLabs(web.url)
    with elevenlabs.client:
        elevenlabs.init(call_sid="EL_2", conversation_id="conv_2", agent_id="a", caller_id="+1", called_number="+2")
        for n in range(20):
            assert elevenlabs.turn(call_sid="EL_2", speaker="user", message=str(n)).status_code == 201
    assert "batch of live turns failed" not in web.log


def test_the_role_bounds_every_wait(bouncer, by_role):
    ours, of_turns = settings_of(bouncer.url)
    wanted = {"lock_timeout": "5s", "statement_timeout": "30s", "idle_in_transaction_session_timeout": "1min"}
    for settings in (ours, of_turns):
        assert settings | wanted == settings
        assert settings["TimeZone"] == "UTC"
        assert settings["enable_seqscan"] == "on", "it would be left to other clients"


def test_without_the_role_the_start_the_migration_and_the_check_say_so(bouncer, web):
    with httpx.Client(base_url=web.url, trust_env=False) as client:
        assert client.get("/readyz").status_code == 200
    assert web.log.count("No bound for waits in PostgreSQL: lock_timeout, statement_timeout") == 1
    for command in (["check", "--database", "default"], ["migrate", "--verbosity", "0"]):
        said = manage(server_env(bouncer.url), *command).stderr
        assert "callsite.W001" in said
        assert "ALTER ROLE … SET lock_timeout = '5s';" in said


def test_with_the_role_the_check_finds_nothing(bouncer, by_role):
    assert "W001" not in manage(server_env(bouncer.url), "check", "--database", "default").stderr


def test_without_a_pooler_each_session_is_bound_by_itself_and_by_what_the_operator_says_first(postgres, bouncer):
    ours, of_turns = settings_of(postgres.url)
    assert ours["lock_timeout"] == of_turns["lock_timeout"] == "5s"
    assert (ours["enable_seqscan"], of_turns["enable_seqscan"]) == ("on", "off")
    ours, of_turns = settings_of(f"{postgres.url}?options=-c%20lock_timeout%3D2s")
    assert ours["lock_timeout"] == of_turns["lock_timeout"] == "2s"
    assert ours["statement_timeout"] == of_turns["statement_timeout"] == "30s"
