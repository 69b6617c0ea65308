"""Errors reach Sentry, here a small receiver, and bring along nothing of what was sent to callsite."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import http.server
import json
import logging
import socket
import subprocess
import threading
import time

import pytest
import websockets
from django.core.checks import ERROR, run_checks

from callsite import sentry
from callsite.tests.conftest import PASSWORD
from conftest import TOOL_SECRET, WEBHOOK_SECRET, ElevenLabs, manage, payload
from lab.stack.webserver import WebServer

AUDIO = payload("audio_small_mp3", "conv_1")


class Receiver(http.server.ThreadingHTTPServer):
    """Keeps the text of the envelopes that it is sent."""

    daemon_threads = True

    def __init__(self):
        self.envelopes = []
        super().__init__(("127.0.0.1", 0), Envelopes)

    @property
    def dsn(self):
        return f"http://key@127.0.0.1:{self.server_port}/7"

    @property
    def events(self):
        lines = [json.loads(line) for envelope in self.envelopes for line in envelope.splitlines() if line]
        return [line for line in lines if "event_id" in line and "level" in line]

    def wait_for(self, count):
        for _ in range(1000):
            if len(self.events) >= count:
                return self.events
            time.sleep(0.01)
        raise AssertionError(f"{len(self.events)} events, not {count}")


class Envelopes(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        packed = self.headers.get("Content-Encoding") == "gzip"
        self.server.envelopes.append((gzip.decompress(body) if packed else body).decode())
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def receiver():
    with Receiver() as receiver:
        threading.Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield receiver
        receiver.shutdown()


@contextlib.contextmanager
def serving(env, dsn):
    env = {**env, "DJANGO_DEBUG": "false", "SENTRY_DSN": dsn}
    with WebServer(env, application="callsite.tests.failing:application") as web:
        elevenlabs = ElevenLabs(web.url)
        token = elevenlabs.client.post("/api/token/", json={"username": "admin", "password": PASSWORD}).json()["access"]
        elevenlabs.client.headers["Authorization"] = f"Bearer {token}"
        call = {"call_sid": "EL_1", "conversation_id": "conv_1", "from_number": "+15550009999"}
        assert elevenlabs.client.post("/api/calls/", json=call).status_code == 201
        yield web, elevenlabs, token
        elevenlabs.client.close()


def test_what_failed_arrives_without_a_word_number_header_or_query_string(sqlite_env, receiver):
    with serving(sqlite_env, receiver.dsn) as (web, elevenlabs, token):
        assert elevenlabs.post_call(AUDIO).status_code == 500
        (failed,) = receiver.wait_for(1)
        assert elevenlabs.client.get("/api/calls/?search=%2B15550009999+in-the-query").status_code == 500
        receiver.wait_for(2)
        assert elevenlabs.client.get("/die?token=in-the-query").status_code == 200
        receiver.wait_for(3)
        assert elevenlabs.client.get("/say").status_code == 200
        _, page, task, careless = receiver.wait_for(4)
        web.terminate()

    assert failed["logger"] == "webhooks.journal"
    assert failed["logentry"] == {"message": "Webhook failed"}
    assert failed["tags"] == {
        **{"route": "post-call", "type": "post_call_audio", "outcome": "failed"},
        **{"step": "apply", "answer": "500"},
    }
    ids = {"conversation_id": "conv_1", "call_sid": "EL_1", "call_id": 1, "delivery": 1}
    assert ids.items() <= failed["contexts"]["line"].items()
    (error,) = failed["exception"]["values"]
    assert (error["type"], error["value"]) == ("ValueError", "")
    frames = [(frame["filename"], frame["function"]) for frame in error["stacktrace"]["frames"]]
    assert ("webhooks/handlers.py", "handle_audio") in frames
    assert frames[-1] == ("callsite/tests/failing.py", "fail")
    assert page["logger"] == "django.request"
    assert task["logentry"] == {"message": "Task exception was never retrieved"}

    assert careless["logentry"] == {"message": "It choked on %s"}

    everything = "".join(receiver.envelopes)
    for secret in (token, token.split(".")[2], WEBHOOK_SECRET, TOOL_SECRET, PASSWORD, "-in-"):
        assert secret not in everything
    for private in ("unspeakable", "5550009999", "search=", "authorization", "bearer", "admin"):
        assert private not in everything.casefold(), private
    assert AUDIO["data"]["full_audio"][:40] not in everything
    for event in (failed, page, task, careless):
        assert not {"request", "user", "extra", "modules"} & {*event}
        assert not event["breadcrumbs"]["values"]


def test_what_is_no_fault_of_ours_is_not_reported(sqlite_env, receiver):
    with serving(sqlite_env, receiver.dsn) as (_, elevenlabs, _token):
        assert elevenlabs.post_call(AUDIO, signature="t=1,v0=00").status_code == 401
        assert elevenlabs.post_call(b"no JSON").status_code == 400
        assert elevenlabs.client.get("/healthz", headers={"Host": "evil.example"}).status_code == 400
        assert elevenlabs.post_call(AUDIO).status_code == 500
        assert [event["logger"] for event in receiver.wait_for(1)] == ["webhooks.journal"]


def test_sockets_can_be_cut_while_errors_are_reported(sqlite_env, receiver):
    with serving(sqlite_env, receiver.dsn) as (web, _, token):
        asyncio.run(open_and_close(f"{web.ws_url}/ws/calls/transcriptions", token))
        web.terminate()
        (told,) = [line for line in web.log.splitlines() if "To cut a socket" in line]
        assert "Transport.abort" in told


async def open_and_close(url, token):
    async with websockets.connect(url, proxy=None, additional_headers={"Authorization": f"Bearer {token}"}):
        pass


def test_a_sentry_that_never_answers_holds_up_neither_an_answer_nor_the_end(sqlite_env):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with serving(sqlite_env, f"http://key@127.0.0.1:{silent.getsockname()[1]}/7") as (web, elevenlabs, _):
            for _ in range(3):
                assert elevenlabs.post_call(AUDIO).status_code == 500
            connection, _ = silent.accept()
            assert web.terminate() != -9
            connection.close()


def test_a_storm_of_errors_costs_thirty_events_a_minute_and_the_next_says_how_many_are_missing(monkeypatch):
    sent = []
    monkeypatch.setattr(sentry.sentry_sdk, "capture_event", sent.append)
    reporter = sentry.Reporter()
    for created in [60.0] * 100 + [120.0] * 2:
        record = logging.makeLogRecord({"name": "realtime.hub", "levelno": 40, "levelname": "ERROR", "msg": "Oh"})
        record.created = created
        reporter.handle(record)
    assert len(sent) == sentry.EVENTS_PER_MINUTE + 2
    assert [event["contexts"]["line"].get("events_left_out") for event in sent[-2:]] == [
        100 - sentry.EVENTS_PER_MINUTE,
        None,
    ]


MALFORMED = [
    "nonsense",
    "https://sentry.example/7",
    "https://key@/7",
    "https://key@sentry.example/",
    "ftp://key@a.example/7",
]


@pytest.mark.parametrize("dsn", [*MALFORMED, "https://key@sentry.example:port/7"])
def test_e002_a_dsn_that_is_malformed(settings, dsn):
    settings.SENTRY_DSN = dsn
    assert found() == {"callsite.E002": ERROR}


@pytest.mark.parametrize("dsn", ["", "https://key@o1.ingest.sentry.io/7", "http://key:secret@127.0.0.1:9000/sub/7"])
def test_nothing_is_wrong_with_other_dsns(settings, dsn):
    settings.SENTRY_DSN = dsn
    assert found() == {}


def found():
    return {message.id: message.level for message in run_checks(databases=[]) if message.id == "callsite.E002"}


def test_with_a_malformed_dsn_the_check_says_so_and_a_server_serves_all_the_same(sqlite_env):
    with pytest.raises(subprocess.CalledProcessError) as refused:
        manage({**sqlite_env, "SENTRY_DSN": "nonsense"}, "check")
    assert "(callsite.E002) SENTRY_DSN is malformed" in refused.value.stderr
    assert "Traceback" not in refused.value.stderr
    with serving(sqlite_env, "nonsense") as (web, elevenlabs, _):
        assert elevenlabs.post_call(AUDIO).status_code == 500
        web.terminate()
        assert "SENTRY_DSN is malformed" in web.log
        assert "nonsense" not in web.log
