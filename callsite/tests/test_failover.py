"""After a failover: sessions that began while PostgreSQL was read-only heal by themselves once it can be written to."""

from __future__ import annotations

import time

import psycopg
import pytest

from callsite.database import check_writable
from conftest import ElevenLabs, manage, payload, server_env
from lab.stack.postgres import Postgres
from lab.stack.webserver import WebServer


@pytest.fixture(scope="module")
def postgres(starts_programs):
    with Postgres(durable=False) as postgres:
        manage(server_env(postgres.url), "migrate", "--verbosity", "0")
        yield postgres


@pytest.fixture
def web(postgres):
    with WebServer(server_env(postgres.url, ELEVENLABS_CREATE_UNKNOWN_CALLS="true")) as web:
        elevenlabs = ElevenLabs(web.url)
        yield elevenlabs
        elevenlabs.client.close()


def order(postgres, *statements):
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def end_sessions(postgres):
    ask = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = %s"
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(ask, [connection.info.dbname])


def deliver(web, number):
    """One webhook of each kind that stores something; their statuses."""
    name = f"conv_{number}"
    turn = web.turn(conversation_id="conv_0", speaker="agent", message="Hello")
    outcomes = [web.post_call(payload(sample, name)) for sample in ("transcription_docs_sample", "failure_twilio")]
    return [turn.status_code, *(outcome.status_code for outcome in outcomes)]


def until_it_works(web, number):
    deadline = time.monotonic() + 20
    while (statuses := deliver(web, number)) != [201, 200, 200]:
        assert time.monotonic() < deadline, statuses


def test_sessions_that_began_read_only_are_replaced_once_it_can_be_written_to(web, postgres):
    until_it_works(web, 0)
    order(postgres, "ALTER DATABASE callsite SET default_transaction_read_only = on")
    end_sessions(postgres)
    assert deliver(web, 1) == [500, 500, 500]
    ready = web.client.get("/readyz")
    assert (ready.status_code, ready.json()["database"]) == (503, "away")
    order(
        postgres,
        "SET default_transaction_read_only = off",
        "ALTER DATABASE callsite RESET default_transaction_read_only",
    )
    until_it_works(web, 1)
    assert web.client.get("/readyz").status_code == 200


def test_sessions_that_become_read_only_while_they_live_are_replaced_too(web, postgres):
    """The server itself is read-only from now on, for those that are open as well, and then no longer."""
    until_it_works(web, 2)
    order(postgres, "ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
    deadline = time.monotonic() + 20
    while deliver(web, 3) != [500, 500, 500]:
        assert time.monotonic() < deadline
    order(
        postgres,
        "ALTER SYSTEM RESET default_transaction_read_only",
        "SELECT pg_reload_conf()",
    )
    until_it_works(web, 3)


@pytest.mark.parametrize("autocommit", [True, False])
def test_a_session_that_can_write_is_lent_as_it_was(postgres, autocommit):
    with psycopg.connect(postgres.url, autocommit=autocommit) as connection:
        check_writable(connection)
        assert connection.autocommit == autocommit
        assert not connection.closed


def test_a_session_that_can_only_read_is_closed(postgres):
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("SET default_transaction_read_only = on")
        with pytest.raises(psycopg.OperationalError, match="read-only"):
            check_writable(connection)
        assert connection.closed
