"""What PostgreSQL writes into its own log of a statement that fails: under compose nothing of what calls hold."""

from __future__ import annotations

import concurrent.futures
import hashlib
import json

import psycopg
import pytest
import yaml

from conftest import ElevenLabs, manage, payload, server_env
from lab.stack.postgres import Postgres
from lab.stack.webserver import CHECKOUT, WebServer
from realtime.tests.conftest import until

TOKEN = """
from django.contrib.auth import get_user_model
from rest_framework_simplejwt.tokens import AccessToken
print(AccessToken.for_user(get_user_model().objects.create_superuser("admin")))
"""
NUMBER = "+4915112345678"


def shipped():
    """The settings in docker-compose.yml."""
    services = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text())["services"]
    return dict(option.removeprefix("-c").split("=") for option in services["postgres"]["command"][1:])


class Stack:
    """callsite on a PostgreSQL of its own, in which a lock is waited for briefly."""

    def __init__(self, postgres, web, token):
        self.postgres, self.web, self.token = postgres, web, token
        self.elevenlabs = ElevenLabs(web.url)

    @property
    def log(self):
        return self.postgres.process.log

    def waits(self):
        """Whether somebody waits for a lock."""
        with psycopg.connect(self.postgres.url) as connection:
            return connection.execute("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'").fetchone()


def started(settings):
    with Postgres(durable=False, settings=settings) as postgres:
        env = server_env(f"{postgres.url}?options=-c%20lock_timeout%3D3s")
        manage(env, "migrate", "--verbosity", "0")
        token = manage(env, "shell", "--verbosity", "0", "-c", TOKEN).stdout.strip()
        with WebServer(env) as web:
            stack = Stack(postgres, web, token)
            with stack.elevenlabs.client:
                yield stack


@pytest.fixture(scope="module")
def stack(starts_programs):
    """With PostgreSQL's own settings."""
    yield from started({})


@pytest.fixture(scope="module")
def shipped_stack(starts_programs):
    yield from started(shipped())


@pytest.mark.parametrize("sample", ["failure_twilio", "transcription_docs_sample", "audio_small_mp3"])
async def test_two_copies_of_a_webhook_that_race_are_no_error_of_the_database(stack, sample):
    name = f"conv_{sample}"
    stack.elevenlabs.init(call_sid=f"EL_{sample}", conversation_id=name, agent_id="a", caller_id="", called_number="")
    body, before = json.dumps(payload(sample, name)).encode(), len(stack.log)
    insert = """
        INSERT INTO webhooks_webhookdelivery (
            route, digest, body, size_bytes, event_type, conversation_id, call_sid, outcome,
            answer_status, answer_body, error, received_at, times_received, times_applied
        ) VALUES ('post-call', %s, '', 0, '', '', '', 'ignored', 200, '{"other": "copy"}', '', now(), 1, 0)
    """
    with concurrent.futures.ThreadPoolExecutor() as threads, psycopg.connect(stack.postgres.url) as other:
        other.execute(insert, [hashlib.sha256(body).hexdigest()])
        answer = threads.submit(stack.elevenlabs.post_call, body)
        await until(stack.waits)
        other.commit()
        assert (answer.result().status_code, answer.result().json()) == (200, {"other": "copy"})
    assert " ERROR: " not in stack.log[before:]


def test_registrations_of_a_call_that_race_are_no_error_of_the_database(stack):
    before = len(stack.log)
    headers = {"Authorization": f"Bearer {stack.token}"}

    def register(number):
        ids = {"call_sid": f"EL_race_{number // 8}", "conversation_id": f"conv_race_{number // 8}"}
        if number % 2:
            return stack.elevenlabs.init(**ids, agent_id="a", caller_id=NUMBER, called_number=NUMBER)
        return stack.elevenlabs.client.post("/api/calls/", json=ids | {"from_number": NUMBER}, headers=headers)

    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        statuses = {answer.status_code for answer in threads.map(register, range(80))}
    assert statuses <= {200, 201, 400}
    assert " ERROR: " not in stack.log[before:]


async def registered_in_vain(stack):
    """A registration waits for a name that somebody holds until it is given up; the statement has the name."""
    name = f"EL_{id(stack)}"
    headers = {"Authorization": f"Bearer {stack.token}"}
    with psycopg.connect(stack.postgres.url) as other:
        other.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])
        answer = stack.elevenlabs.client.post("/api/calls/", json={"call_sid": name}, headers=headers)
    assert answer.status_code == 503
    assert "due to lock timeout" in stack.log
    return name in stack.log


async def test_under_compose_the_log_of_a_statement_that_fails_has_no_values(shipped_stack):
    assert not await registered_in_vain(shipped_stack)


async def test_without_these_settings_it_has(stack):
    assert await registered_in_vain(stack)
