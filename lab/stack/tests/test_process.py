"""Servers end with the process that started them, even if that process has no time to end them."""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from lab.stack.ports import bind_error
from lab.stack.process import Process

pytestmark = pytest.mark.usefixtures("starts_programs")
CHECKOUT = Path(__file__).resolve().parents[3]
START = """
import time
from lab.stack.postgres import Postgres
from lab.stack.redis import Redis
server = {server}
server.start()
print(server.url, server.port, server.process.pid, server.folder, flush=True)
time.sleep(600)
"""
POSTGRES, REDIS = "Postgres(durable=False)", "Redis()"


@contextmanager
def started(server):
    """Start a process that starts a server and waits. Yield it with the server's URL, port and process id."""
    command = [sys.executable, "-c", START.format(server=server)]
    with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as process:
        url, port, pid, folder = process.stdout.readline().split()
        try:
            yield process, url, int(port), int(pid)
        finally:
            process.kill()
            if bind_error(int(port)):
                os.kill(int(pid), signal.SIGKILL)
            shutil.rmtree(folder, ignore_errors=True)


def is_closed_soon(port):
    deadline = time.monotonic() + 30
    while bind_error(port) and time.monotonic() < deadline:
        time.sleep(0.02)
    return bind_error(port) is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGHUP])
def test_postgresql_and_its_backends_end_with_whoever_started_it(number):
    with started(POSTGRES) as (process, url, port, _), psycopg.connect(url) as connection:
        process.send_signal(number)
        assert process.wait(30) == -number
        assert is_closed_soon(port)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")


@pytest.mark.parametrize("server", [POSTGRES, REDIS])
def test_a_frozen_server_ends_with_whoever_started_it(server):
    with started(server) as (process, _, port, pid):
        os.kill(pid, signal.SIGSTOP)
        process.kill()
        assert is_closed_soon(port)


def test_whoever_ends_a_server_or_starts_it_anew_leaves_nothing_beside_it(tmp_path):
    server = Process("sleep", tmp_path / "log")
    keepers = []
    for number in (signal.SIGTERM, None, signal.SIGKILL):
        server.start(["sleep", "600"], cwd=tmp_path)
        keepers.append(server._keeper)
        if number is None:  # the server ends by itself
            os.kill(server.pid, signal.SIGKILL)
            while server.running:
                time.sleep(0.02)
        else:
            server.end(number)
    assert len(set(keepers)) == 3
    assert all(keeper.poll() is not None for keeper in keepers)
