"""PostgreSQL stands still without closing anything: each webhook is answered in time, and all works when it goes on."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from conftest import ElevenLabs, manage, payload, server_env
from lab.stack.postgres import Postgres
from lab.stack.redis import Redis
from lab.stack.webserver import WebServer

LONGEST_SECONDS = 10  # of any answer
KINDS = ("failure_bare", "transcription_docs_sample", "audio_small_mp3")


@pytest.fixture(scope="module")
def postgres(starts_programs):
    with Postgres(durable=False) as postgres:
        yield postgres


@pytest.fixture(scope="module")
def redis(starts_programs):
    with Redis() as redis:
        yield redis


@pytest.fixture(scope="module")
def web(postgres, redis):
    env = server_env(postgres.url, ELEVENLABS_CREATE_UNKNOWN_CALLS="true", REDIS_URL=redis.url)
    manage(env, "migrate", "--verbosity", "0")
    with WebServer(env) as web:
        elevenlabs = ElevenLabs(web.url)
        yield elevenlabs
        elevenlabs.client.close()


def count(postgres, table, where="true"):
    with psycopg.connect(postgres.url) as connection:
        return connection.execute(f"SELECT count(*) FROM {table} WHERE {where}").fetchone()[0]


def say(web, conversation_id, number):
    return web.turn(conversation_id=conversation_id, speaker="agent", message=f"Turn {number}")


def deliver_everything(web, threads, mark):
    sent = [threads.submit(say, web, f"conv_{mark}_turns", n) for n in range(20)]
    bodies = [payload(kind, f"conv_{mark}_{kind}_{n}") for kind in KINDS for n in range(8)]
    return sent + [threads.submit(web.post_call, body) for body in bodies]


def test_whatever_comes_while_postgresql_stands_still_is_answered_in_time_and_afterwards_all_is_taken(web, postgres):
    with ThreadPoolExecutor(80) as threads:
        sent = deliver_everything(web, threads, "before")  # over many connections, which are open from then on
        assert {future.result(20).status_code for future in sent} == {200, 201}
        with postgres.frozen():
            for mark in ("first", "second"):  # the second round meets all that the first one left behind
                began = time.monotonic()
                asked = [threads.submit(web.init, call_sid=f"CA_{mark}_{n}") for n in range(12)]
                sent = deliver_everything(web, threads, mark)
                assert {future.result(20).status_code for future in asked} == {200}
                assert time.monotonic() - began < LONGEST_SECONDS / 2
                assert {future.result(20).status_code for future in sent} == {500}
                assert time.monotonic() - began < LONGEST_SECONDS + 2
            assert web.client.get("/healthz").status_code == 200
            assert web.client.get("/readyz").status_code == 503
        deadline = time.monotonic() + 20
        while say(web, "conv_a", 1).status_code != 201:
            assert time.monotonic() < deadline
        assert {future.result(20).status_code for future in deliver_everything(web, threads, "first")} == {200, 201}
    assert (
        count(postgres, "webhooks_webhookdelivery", "conversation_id LIKE 'conv_first%' AND outcome = 'applied'") == 24
    )
    deadline = time.monotonic() + 30
    while count(postgres, "calls_call", "call_sid LIKE 'CA_%'") < 24:
        assert time.monotonic() < deadline, "what conversation-init could not register is registered afterwards"
        time.sleep(0.2)


def test_no_answer_waits_for_a_redis_that_stands_still(web, redis):
    with ThreadPoolExecutor(80) as threads, redis.frozen():
        assert {future.result(8).status_code for future in deliver_everything(web, threads, "redis")} == {200, 201}
        assert web.init(call_sid="CA_redis").status_code == 200
