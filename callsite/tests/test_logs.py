"""What a real server writes into its log: lines that can be read by eyes or by machines, ids and reasons in them, and
neither tokens, secrets, numbers, names nor what was said.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
import subprocess

import pytest
import websockets

from callsite.log_of_strangers import LinesOfStrangers
from callsite.logs import line_of
from callsite.tests.conftest import PASSWORD
from conftest import POST_CALL, TOOL_SECRET, WEBHOOK_SECRET, ElevenLabs, manage, payload, sign
from lab.stack.webserver import WebServer

GOOD = payload("transcription_sip_trunk", "conv_1")


@pytest.fixture
def serve(sqlite_env):
    @contextlib.contextmanager
    def serve(server, arguments, **env):
        application = "callsite.tests.failing:application"
        with WebServer({**sqlite_env, **env}, server=server, arguments=arguments, application=application) as web:
            elevenlabs = ElevenLabs(web.url)
            login = {"username": "admin", "password": PASSWORD}
            token = elevenlabs.client.post("/api/token/", json=login).json()["access"]
            yield web, elevenlabs, token
            elevenlabs.client.close()

    return serve


# uvicorn with its access log, as somebody may run it; daphne's is no logger's, and is told to keep quiet
SERVERS = pytest.mark.parametrize(("server", "arguments"), [("uvicorn", ["--access-log"]), ("daphne", ["-v", "0"])])


def play(web, elevenlabs, token):
    """All kinds of webhooks, good and bad, and sockets; their secrets and what was said. Ends the server."""
    url = f"{web.ws_url}/ws/calls/transcriptions"
    assert "pong" in asyncio.run(open_socket(f"{url}?token={token}"))
    assert "pong" in asyncio.run(open_socket(f"{url}/?x=1&token={token}"))
    assert asyncio.run(open_socket(f"{url}?token={token[:-3]}abc")) is None

    headers = {"Authorization": f"Bearer {token}"}
    for n in (1, 2, 3):
        call = {
            "call_sid": f"EL_{n}",
            "conversation_id": f"conv_{n}",
            "from_number": "+15550009999",
            "driver_id": "Unspeakable",
        }
        assert elevenlabs.client.post("/api/calls/", json=call, headers=headers).status_code == 201
    assert elevenlabs.client.get("/api/calls/?search=Unspeakable", headers=headers).status_code == 500
    assert elevenlabs.client.get("/die?token=Unspeakable").status_code == 200
    for spelling in ("TOKEN", "%74oken", "a=%22&Token"):
        assert asyncio.run(open_socket(f"{url}?{spelling}={token[:-3]}abc")) is None
        assert elevenlabs.client.get(f"/login/?{spelling}={token}").status_code == 200
    assert asyncio.run(open_socket(f"{url}%3Ftoken={token}")) is None
    # as a program may send it, with quotation marks as they are
    asked = f"GET /login/?a=\"&b='&TOKEN={token} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", web.port)) as plain:
        plain.sendall(asked.encode())
        assert plain.recv(15).startswith(b"HTTP/1.1 ")

    said = {"speaker": "user", "message": "Unspeakable words"}
    assert elevenlabs.turn(call_sid="EL_1", **said).status_code == 201
    assert elevenlabs.turn(call_sid="EL_1", **said | {"speaker": "Unspeakable"}).status_code == 400
    assert elevenlabs.turn(call_sid='EL_4\n{"level": "forged"}\x1b[31m\u2028', **said).status_code == 404
    numbers = {"caller_id": "+15550001111", "called_number": "+15550002222"}
    assert elevenlabs.init(call_sid="CA_5", **numbers).status_code == 200
    assert elevenlabs.post_call(GOOD).status_code == 200
    assert elevenlabs.post_call(GOOD).status_code == 200
    assert elevenlabs.post_call(payload("failure_twilio", "conv_2")).status_code == 200
    assert elevenlabs.post_call(payload("audio_small_mp3", "conv_3")).status_code == 500
    assert elevenlabs.post_call({"type": "voice_removed", "event_timestamp": 1, "data": {}}).status_code == 200
    assert elevenlabs.post_call(payload("transcription_full_featured", "conv_6")).status_code == 404
    assert elevenlabs.post_call({**GOOD, "type": "post_call_dance"}).status_code == 400
    assert elevenlabs.post_call({**GOOD, "event_timestamp": "Unspeakable"}).status_code == 400
    assert elevenlabs.post_call(b"text=Unspeakable+words").status_code == 400
    assert elevenlabs.post_call(GOOD, signature="t=1,v0=00").status_code == 401
    assert elevenlabs.post_call(GOOD, signature=sign(b"{}")).status_code == 401
    assert (
        elevenlabs.client.post(POST_CALL, json=GOOD, headers={"Authorization": "Bearer Unspeakable"}).status_code == 401
    )
    late = {"call_sid": "EL_6", "conversation_id": "conv_6"}
    assert elevenlabs.client.post("/api/calls/", json=late, headers=headers).status_code == 201
    web.terminate()
    return web.log


OUTCOMES = [
    *("rejected", "unmatched", "applied", "applied", "applied", "applied", "failed", "ignored"),  # the first: bad turns
    *("unmatched", "rejected", "rejected", "rejected", "refused", "refused", "refused", "applied"),
]


async def open_socket(url):
    with contextlib.suppress(websockets.InvalidStatus):
        async with websockets.connect(url, proxy=None) as connection:
            await connection.send('{"ping": 1}')
            return await connection.recv()


def holds_nothing_private(log, token):
    for secret in (token.split(".")[2], token.split(".")[1], PASSWORD, WEBHOOK_SECRET, TOOL_SECRET):
        assert secret not in log
    for private in ("Unspeakable", "+1555", "5550009999", "?", GOOD["data"]["transcript"][0]["message"]):
        assert private not in log
    assert GOOD["data"]["analysis"]["transcript_summary"] not in log
    assert GOOD["data"]["metadata"]["phone_call"]["external_number"] not in log
    return True


@SERVERS
@pytest.mark.parametrize("level", ["INFO", "DEBUG"])
def test_in_production_every_line_is_a_json_object_and_every_delivery_has_one(serve, server, arguments, level):
    with serve(server, arguments, DJANGO_DEBUG="false", LOG_LEVEL=level) as (web, elevenlabs, token):
        log = play(web, elevenlabs, token)
    lines = [json.loads(line) for line in log.splitlines()]
    for line in lines:
        assert list(line)[:4] == ["time", "level", "logger", "event"]
        assert line["time"].endswith("Z")
        assert line["level"] in ("debug", "info", "warning", "error")
    told = [line for line in lines if line["logger"] == "webhooks.journal" and line["level"] != "debug"]
    assert [line["outcome"] for line in told] == OUTCOMES
    assert ("Webhook step" in log) == (level == "DEBUG")
    failed = {line["logger"]: line for line in lines if "exception" in line}
    assert {*failed} == {"webhooks.journal", "django.request", "asyncio"}
    assert all("failing.py" in line["exception"] and line["error"] == "ValueError" for line in failed.values())
    if server == "uvicorn":
        assert {"uvicorn.access", "uvicorn.error"} < {line["logger"] for line in lines}
        assert "/ws/calls/transcriptions" in log
    assert holds_nothing_private(log, token)


@SERVERS
def test_while_developing_lines_are_for_eyes(serve, server, arguments):
    with serve(server, arguments, DJANGO_DEBUG="true", LOG_LEVEL="debug") as (web, elevenlabs, token):
        log = play(web, elevenlabs, token)
    (good,) = [line for line in log.splitlines() if "Webhook applied" in line and "summary_length" in line][:1]
    assert "[info     ] Webhook applied" in good
    assert "conversation_id=conv_1 call_sid=EL_1 call_id=1 status_before=in_progress status_after=completed" in good
    assert not {"\x1b", "\u2028"} & {*log}
    assert holds_nothing_private(log, token)


def test_no_token_is_in_the_access_log_that_daphne_writes_itself(serve):
    with serve("daphne", [], DJANGO_DEBUG="false") as (web, _, token):
        url = f"{web.ws_url}/ws/calls/transcriptions"
        assert "pong" in asyncio.run(open_socket(f"{url}?x=1&token={token}"))
        assert "pong" in asyncio.run(open_socket(f"{url}?%74oken={token}"))
        assert asyncio.run(open_socket(f"{url}?TOKEN={token}x")) is None
        web.terminate()
        assert "/ws/calls/transcriptions" in web.log
        assert token.split(".")[1] not in web.log


def test_a_failed_sign_in_leaves_a_line_without_name_and_password(site, dispatcher, log):
    wrong = {"username": dispatcher.username, "password": "Unspeakable"}
    assert site.client.post("/api/token/", json=wrong).status_code == 401
    assert site.client.post("/api/token/", json={"username": "Unspeakable", "password": "x"}).status_code == 401
    for path in ("/login/", "/admin/login/"):
        csrf = {"csrfmiddlewaretoken": site.client.get(path).cookies["csrftoken"]}
        assert site.client.post(path, data=wrong | csrf, headers={"Referer": site.url}).status_code == 200
    lines = log("callsite.sign_ins")
    assert [(line["path"], line.get("user_id"), line["name_length"]) for line in lines] == [
        ("/api/token/", dispatcher.pk, 17),
        ("/api/token/", None, 11),
        ("/login/", dispatcher.pk, 17),
        ("/admin/login/", dispatcher.pk, 17),
    ]
    assert {(line["level"], line["event"], line["address"]) for line in lines} == {
        ("warning", "Sign-in failed", "127.0.0.1")
    }
    assert "Unspeakable" not in log.text()
    assert dispatcher.username not in log.text()
    good = {"username": dispatcher.username, "password": "dispatcher"}
    assert site.client.post("/api/token/", json=good).status_code == 200
    assert len(log("callsite.sign_ins")) == 4


def test_strangers_do_not_flood_the_log(serve):
    with serve("uvicorn", [], DJANGO_DEBUG="false") as (web, elevenlabs, _):
        web_log_before = len(web.log.splitlines())
        for n in range(50):
            assert elevenlabs.client.get("/login/", headers={"Host": f"{n}.stranger.example"}).status_code == 400
            assert elevenlabs.client.post("/login/", data={}).status_code == 403
            for path in ("/api/token/", "/api/token/refresh/", "/api/calls/"):
                deep = {"content": b"[" * 10_000, "headers": {"Content-Type": "application/json"}}
                assert elevenlabs.client.post(path, **deep).status_code in (400, 401)
        web.terminate()
        lines = [json.loads(line) for line in web.log.splitlines()[web_log_before:]]
    told = [line for line in lines if line["logger"] != "uvicorn.error"]
    assert [line["logger"] for line in told] == ["django.security.DisallowedHost", "django.security.csrf"]
    assert "0.stranger.example" in told[0]["event"]
    assert all(len(json.dumps(line)) < 1000 for line in told)


def test_lines_of_strangers_that_were_left_out_are_counted():
    kept = LinesOfStrangers()

    def line(name, at):
        record = logging.LogRecord(name, logging.ERROR, "", 0, "Invalid HTTP_HOST header: %r", ("x?token=1",), None)
        record.created = 1e9 + at
        taken = kept.filter(record)
        return taken if isinstance(taken, bool) else line_of(taken, taken.getMessage)["event"]

    host, csrf = "django.security.DisallowedHost", "django.security.csrf"
    assert [line(host, 0), line(host, 1), line(host, 59)] == [True, False, False]
    assert line(host, 60) == "Invalid HTTP_HOST header: 'x' (2 lines like this were left out)"
    assert line(csrf, 61) is True
    assert line("django.request", 61) is True


def test_without_an_access_log_there_is_none_and_the_level_is_a_setting(sqlite_env):
    for level, told in (("info", {"webhooks.journal", "uvicorn.error"}), ("WARNING", set()), ("", None)):
        with WebServer({**sqlite_env, "DJANGO_DEBUG": "false", "LOG_LEVEL": level}) as web:
            elevenlabs = ElevenLabs(web.url)
            assert elevenlabs.init(call_sid="CA_1").status_code == 200
            elevenlabs.client.close()
            web.terminate()
            loggers = {json.loads(line)["logger"] for line in web.log.splitlines()}
            assert loggers == told or (told is None and "webhooks.journal" in loggers)


def test_a_level_that_is_none_is_named_with_those_that_are(sqlite_env):
    with pytest.raises(subprocess.CalledProcessError) as refused:
        manage({**sqlite_env, "LOG_LEVEL": "chatty"}, "check")
    assert "LOG_LEVEL must be one of DEBUG, INFO, WARNING, ERROR." in refused.value.stderr.splitlines()[-1]
