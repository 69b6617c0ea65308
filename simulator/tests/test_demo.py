"""`manage.py demo` as one runs it, with a database and a folder for recordings of the test's own."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections import defaultdict
from io import StringIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.core.management import CommandError, call_command
from django.core.management.base import OutputWrapper

from calls.turns import record_turn
from lab.stack.ports import free_port, is_open
from simulator.server import Server
from simulator.subscriber import Subscriber
from simulator.terminal import Terminal

CHECKOUT = Path(__file__).resolve().parents[2]
SETTINGS = """
from callsite.settings import *
MEDIA_ROOT = {media!r}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
"""
TURN = re.compile(r"^\d\d:\d\d:\d\d  (\S.{14})  (?:agent|driver) {5,6} {1,2}(\d+)  \S", re.MULTILINE)


@pytest.fixture
def demo(tmp_path: Path, starts_programs: None) -> Any:
    """Starts the demo in a process; whatever a test leaves running is ended."""
    (tmp_path / "demo_settings.py").write_text(SETTINGS.format(media=str(tmp_path / "media")))
    own = {
        "DJANGO_SETTINGS_MODULE": "demo_settings",
        "PYTHONPATH": str(tmp_path),
        "DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3",
        "REDIS_URL": "",
        "DJANGO_DEBUG": "true",
    }
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str, **env: str) -> subprocess.Popen[str]:
        command = [sys.executable, "manage.py", "demo", *arguments]
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            command, cwd=CHECKOUT, env={**os.environ, **own, **env}, stdout=pipe, stderr=pipe, text=True
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.communicate(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()


def test_a_round_of_calls_is_heard_turn_by_turn_to_the_end(demo, tmp_path):
    """No real key of an `.env` is used: nobody listens there."""
    port = free_port()
    real = {"ELEVENLABS_API_KEY": "sk_real", "ELEVENLABS_API_URL": "http://127.0.0.1:9", "DIAL_ALLOWED_PREFIXES": ""}
    process = demo(f"--port={port}", "--calls=6", "--rounds=1", "--pace=0.05", **real)
    out, err = process.communicate(timeout=90)
    # on a busy machine the webhook of the call that fails overtakes the answer to the dial, and waits for its call
    assert [line for line in err.splitlines() if "waits for its call" not in line] == []
    for page in ("live/", "admin/", "api/docs/"):
        assert f"http://127.0.0.1:{port}/{page}" in out
    for name in ("demo-dispatcher", "demo-supervisor", "demo-admin"):
        assert re.search(rf"{name} +\w{{14}} ", out)
    numbers = defaultdict(list)
    for who, number in TURN.findall(out):
        numbers[who].append(int(number))
    assert len(numbers) == 5  # the sixth call was never answered
    assert all(heard == list(range(1, len(heard) + 1)) for heard in numbers.values())
    said = sum(map(len, numbers.values()))
    assert f"heard {said} of {said} turns and the end of 6 of 6 calls: 5 completed, 1 failed." in out
    assert len(list((tmp_path / "media").rglob("*.mp3"))) == 1
    with contextlib.closing(sqlite3.connect(tmp_path / "db.sqlite3")) as database:
        told = "SELECT direction, dial_state, agent_name, count(*) FROM calls_call GROUP BY 1, 2, 3 ORDER BY 1"
        agent = "Nora · Nordlicht Freight"
        assert database.execute(told).fetchall() == [("inbound", "", agent, 1), ("outbound", "placed", agent, 5)]
        asked = "SELECT count(*) FROM webhooks_webhookdelivery WHERE route = 'conversation-init'"
        assert database.execute(asked).fetchone() == (1,)
    assert "\x1b" not in out  # no colours where no terminal is
    assert not is_open(port)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_demo_goes_on_until_it_is_interrupted_and_then_ends_calls_server_and_logins_quietly(demo, tmp_path, number):
    port = free_port()
    process = demo(f"--port={port}", "--calls=2", "--pace=0.3")
    seen = ""
    while " driver " not in seen:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        seen += line
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert "The driver hung up" in out
    assert re.search(r"the end of (\d) of \1 calls", out)
    assert not is_open(port)
    with contextlib.closing(sqlite3.connect(tmp_path / "db.sqlite3")) as database:
        assert database.execute("SELECT count(*), sum(is_active) FROM auth_user").fetchall() == [(3, 0)]


def test_the_printed_logins_open_what_they_should(demo):
    port = free_port()
    process = demo(f"--port={port}", "--calls=1", "--pace=1")
    seen = ""
    while "subscriber" not in seen:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        seen += line
    logins = dict(re.findall(r"(demo-\w+) +(\w{14}) ", seen))
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as client:
        statuses = {}
        for name, password in logins.items():
            answer = client.post("/api/token/", json={"username": name, "password": password})
            bearer = {"Authorization": f"Bearer {answer.json()['access']}"}
            read = client.get("/api/calls/", headers=bearer)
            added = client.post("/api/calls/", json={"driver_id": name}, headers=bearer)
            statuses[name] = (read.status_code, added.status_code)
    assert statuses == {"demo-dispatcher": (200, 403), "demo-supervisor": (200, 403), "demo-admin": (200, 201)}


def test_a_port_that_is_taken_is_said_in_a_sentence(demo):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        started_at = time.monotonic()
        process = demo(f"--port={port}")
        out, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert err.startswith(f"CommandError: Port {port} is taken")
    assert "Traceback" not in out + err
    assert time.monotonic() - started_at < 20


def test_a_server_that_does_not_start_is_shown_with_its_last_words(demo, tmp_path):
    broken = 'import sys\nif "uvicorn" in sys.argv[0]: raise RuntimeError("out of coffee")\n'
    (tmp_path / "demo_settings.py").write_text(SETTINGS.format(media="") + broken)
    process = demo(f"--port={free_port()}")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "CommandError: The server ended by itself" in err
    assert "out of coffee" in err


def test_the_demo_does_not_run_in_production(settings):
    settings.DEBUG = False
    with pytest.raises(CommandError, match="DJANGO_DEBUG"):
        call_command("demo")


def test_the_subscriber_comes_back_and_misses_nothing(site, dispatcher, call):
    heard = []
    subscriber = Subscriber(Server(site.url), dispatcher.username, "dispatcher", heard.append)
    try:
        subscriber.listen_to(call.call_sid)
        record_turn(call, speaker_type="agent", message_text="Hello")
        wait_until(lambda: "transcription" in types(heard))
        subscriber._connection.socket.shutdown(socket.SHUT_RDWR)
        record_turn(call, speaker_type="driver", message_text="Hello?")
        wait_until(lambda: types(heard).count("transcription") == 2)
    finally:
        subscriber.close()
    assert [m["sequence_number"] for m in heard if m["type"] == "transcription"] == [1, 2]
    assert types(heard).count("subscription_confirmed") == 2


class Window(StringIO):
    """A terminal of 60 columns."""

    def isatty(self) -> bool:
        return True


def test_lines_fit_the_terminal_and_a_file_gets_them_whole(monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    for out, fits in ((Window(), True), (StringIO(), False)):
        Terminal(OutputWrapper(out), coloured=False).event("Lucía Fernández", "agent", "word\nword " * 20)
        line = out.getvalue()
        assert line.count("\n") == 1
        assert (len(line.rstrip("\n")) < 60) == fits
        assert ("…" in line) == fits


def wait_until(done: Any) -> None:
    deadline = time.monotonic() + 10
    while not done():
        assert time.monotonic() < deadline, "waited 10 s"
        time.sleep(0.02)


def types(messages: list[dict[str, Any]]) -> list[str]:
    return [message["type"] for message in messages]
