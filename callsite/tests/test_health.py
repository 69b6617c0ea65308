"""Is it alive, can it work, what has it done."""

from __future__ import annotations

import asyncio
import os

import httpx
import pytest

from callsite import channel_layer
from callsite.tests.conftest import PASSWORD
from conftest import WEBHOOK_SECRET, ElevenLabs, Socket, payload, server_env
from lab.stack.redis import Redis
from lab.stack.webserver import WebServer


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_health_is_told_without_a_login(site, path):
    assert site.client.get(path).status_code == 200


def test_ready_means_that_database_and_channel_layer_answer(site):
    assert site.client.get("/healthz").json() == {"status": "ok"}
    assert site.client.get("/readyz").json() == {"status": "ok", "database": "ok", "channel_layer": "ok"}


def test_the_metrics_count_deliveries_and_refusals(site, call):
    site.post_call(payload("transcription_docs_sample", call.conversation_id))
    site.post_call(b"{}", signature="t=1,v0=00")
    text = site.client.get("/metrics").text
    assert 'callsite_webhook_deliveries_total{outcome="applied",route="post-call"}' in text
    assert 'callsite_webhooks_refused_total{reason="stale"}' in text
    assert WEBHOOK_SECRET not in text


def test_without_redis_webhooks_are_answered_as_ever_and_readyz_names_it(transactional_db, call):
    """The database is the tests' own; a process started now has never seen its Redis."""
    from django.db import connection

    database = os.environ["DATABASE_URL"].rsplit("/", 1)[0] + "/" + connection.settings_dict["NAME"]
    redis = Redis()
    with WebServer(server_env(database, REDIS_URL=redis.url)) as web:
        elevenlabs = ElevenLabs(web.url)
        try:
            for number in (1, 2):
                turn = elevenlabs.turn(call_sid=call.call_sid, speaker="agent", message="Hello")
                assert (turn.status_code, turn.json()["sequence_number"]) == (201, number)
            assert elevenlabs.post_call(payload("transcription_docs_sample", call.conversation_id)).status_code == 200
            ready = elevenlabs.client.get("/readyz")
            assert ready.status_code == 503
            assert ready.json() == {"status": "unavailable", "database": "ok", "channel_layer": "away"}
            assert elevenlabs.client.get("/healthz").status_code == 200
            redis.start()
            assert elevenlabs.client.get("/readyz").status_code == 200, "and back, by itself"
        finally:
            elevenlabs.client.close()
            web.terminate()
            redis.close()


async def test_redis_can_be_reached_over_a_unix_socket(sqlite_env):
    with Redis() as redis, WebServer(sqlite_env | {"REDIS_URL": redis.unix_url}) as web:
        ready = await asyncio.to_thread(httpx.get, f"{web.url}/readyz", trust_env=False)
        assert (ready.status_code, ready.json()["channel_layer"]) == (200, "ok")
        elevenlabs = ElevenLabs(web.url)
        with elevenlabs.client:
            login = {"username": "admin", "password": PASSWORD}
            token = elevenlabs.client.post("/api/token/", json=login).json()["access"]
            elevenlabs.init(call_sid="EL_1", conversation_id="conv_1", agent_id="a", caller_id="", called_number="")
        async with Socket.connect(f"{web.ws_url}/ws/calls/transcriptions", token) as socket:
            assert (await socket.subscribe("EL_1"))["type"] == "subscription_confirmed"
            assert redis.command("PUBSUB", "CHANNELS", "callsite*"), "the server listens"


def test_only_tcp_gets_the_options_of_tcp():
    assert "socket_keepalive_options" in channel_layer.host("rediss://127.0.0.1:6379/0")
    assert not [name for name in channel_layer.host("unix:///run/redis.sock") if "keepalive" in name]
