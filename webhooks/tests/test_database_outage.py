"""A database that is really gone: PostgreSQL is stopped while callsite runs."""

from __future__ import annotations

import json

import pytest

from conftest import POST_CALL, TURN, ElevenLabs, manage, payload, server_env, sign
from lab.stack.postgres import Postgres
from lab.stack.webserver import WebServer

UNAVAILABLE = {
    "status": "error",
    "message": "Database error while processing webhook",
    "details": "Database temporarily unavailable",
}


@pytest.fixture(scope="module")
def postgres(starts_programs):
    with Postgres(durable=False) as postgres:
        yield postgres


@pytest.fixture(scope="module")
def web(postgres):
    env = server_env(postgres.url, ELEVENLABS_CREATE_UNKNOWN_CALLS="true")
    manage(env, "migrate", "--verbosity", "0")
    with WebServer(env) as web:
        elevenlabs = ElevenLabs(web.url)
        yield elevenlabs
        elevenlabs.client.close()


@pytest.fixture
def gone(postgres):
    postgres.stop(immediate=True)
    yield
    postgres.start()


def test_database_error_returns_500(web, postgres):
    body = payload("transcription_docs_sample", "conv_before")
    assert web.post_call(body).status_code == 200
    postgres.stop(immediate=True)
    try:
        response = web.post_call(payload("transcription_docs_sample", "conv_while_away"))
        assert (response.status_code, response.json()) == (500, UNAVAILABLE)
    finally:
        postgres.start()
    response = web.post_call(payload("transcription_docs_sample", "conv_while_away"))
    assert response.status_code == 200, "the retry is taken"
    assert web.post_call(body).json()["call_sid"] == "conv_before", "what was committed is still there"


def test_a_live_turn_without_a_database_is_answered_500(web, gone):
    response = web.turn(call_sid="EL_1", speaker="agent", message="Hello")
    assert (response.status_code, response.json()) == (500, UNAVAILABLE)


def test_who_may_deliver_is_told_without_a_database(web, gone):
    raw = json.dumps(payload("transcription_docs_sample")).encode()
    assert web.client.post(POST_CALL, content=raw).status_code == 401
    assert web.post_call(raw, signature=sign(raw, "wrong")).status_code == 401
    assert web.client.post(TURN, content=raw).status_code == 401
    assert web.client.get("/healthz").status_code == 200
    ready = web.client.get("/readyz")
    assert (ready.status_code, ready.json()["database"], ready.json()["channel_layer"]) == (503, "away", "ok")
