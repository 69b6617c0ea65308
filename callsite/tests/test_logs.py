"""What a real server writes into its log: ids and reasons, and neither tokens, secrets, numbers nor what was said."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys

import pytest
import websockets

from conftest import TOOL_SECRET, WEBHOOK_SECRET, ElevenLabs, payload
from lab.stack.webserver import CHECKOUT, WebServer

PASSWORD = "a-password-0123456789"


def manage(env, *arguments):
    command = [sys.executable, "manage.py", *arguments]
    subprocess.run(command, cwd=CHECKOUT, env={**os.environ, **env}, check=True, capture_output=True)


@pytest.fixture(params=["uvicorn", "daphne"])
def web(request, tmp_path, starts_programs):
    env = {
        "DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3",
        "REDIS_URL": "",
        "ELEVENLABS_WEBHOOK_SECRET": WEBHOOK_SECRET,
        "ELEVENLABS_TOOL_SECRET": TOOL_SECRET,
        "DJANGO_ALLOWED_HOSTS": "127.0.0.1",
        "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
    }
    manage(env, "migrate", "--verbosity", "0")
    manage(env, "createsuperuser", "--noinput", "--username", "admin", "--email", "a@b.example")
    # uvicorn with its access log, as somebody may run it
    with WebServer(env, server=request.param, arguments=["--access-log"] if request.param == "uvicorn" else []) as web:
        yield web


async def open_socket(url):
    with contextlib.suppress(websockets.InvalidStatus):
        async with websockets.connect(url, proxy=None) as socket:
            await socket.send('{"ping": 1}')
            return await socket.recv()


def test_tokens_secrets_numbers_and_words_never_reach_the_log(web):
    elevenlabs = ElevenLabs(web.url)
    login = {"username": "admin", "password": PASSWORD}
    token = elevenlabs.client.post("/api/token/", json=login).json()["access"]
    url = f"{web.ws_url}/ws/calls/transcriptions"
    assert "pong" in asyncio.run(open_socket(f"{url}?token={token}"))
    assert "pong" in asyncio.run(open_socket(f"{url}/?x=1&token={token}"))
    assert asyncio.run(open_socket(f"{url}?token={token[:-3]}abc")) is None

    headers = {"Authorization": f"Bearer {token}"}
    call = {"call_sid": "EL_1", "conversation_id": "conv_1", "from_number": "+15550009999"}
    assert elevenlabs.client.post("/api/calls/", json=call, headers=headers).status_code == 201
    assert elevenlabs.turn(call_sid="EL_1", speaker="user", message="Unspeakable words").status_code == 201
    assert elevenlabs.turn(call_sid="EL_1", speaker="robot", message="Unspeakable words").status_code == 400
    assert elevenlabs.turn(call_sid="EL_2", speaker="user", message="Unspeakable words").status_code == 404
    body = payload("transcription_sip_trunk", "conv_1")
    assert elevenlabs.post_call(body).status_code == 200
    assert elevenlabs.post_call(body, signature="t=1,v0=00").status_code == 401
    elevenlabs.client.close()
    web.terminate()

    log = web.log
    assert "/ws/calls/transcriptions" in log, "the log is on, and tells of the sockets"
    assert "Refused a webhook: stale" in log
    for secret in (token.split(".")[2], token.split(".")[1], PASSWORD, WEBHOOK_SECRET, TOOL_SECRET):
        assert secret not in log
    for private in ("Unspeakable", "+1555", body["data"]["transcript"][0]["message"]):
        assert private not in log
