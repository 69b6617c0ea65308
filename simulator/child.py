"""The demo's own server: callsite under uvicorn, as a child of this process that ends with it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO

from django.conf import settings

from simulator.server import Server, SimulationError

HOST = "127.0.0.1"
STARTING_SECONDS, ENDING_SECONDS = 60.0, 8.0


def is_free(port: int) -> bool:
    """Tell whether a server could listen on this port of this machine."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


@contextmanager
def running(server: Server, port: int, env: Mapping[str, str]) -> Iterator[None]:
    """Run the server during the block, which begins when the server answers.

    Raises SimulationError, with the end of the server's log, if the server does not start or ends by itself. The server
    gets a session of its own, so Ctrl-C reaches this process alone, which ends the calls first and then the server.
    """
    module, _, name = str(settings.ASGI_APPLICATION).rpartition(".")
    command = [sys.executable, "-m", "uvicorn", f"{module}:{name}", "--host", HOST, "--port", str(port)]
    command += ["--no-access-log", "--ws", settings.WEBSOCKET_PROTOCOL, "--ws-per-message-deflate", "false"]
    command += ["--timeout-graceful-shutdown", "2"]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(  # noqa: S603  (a fixed command)
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=settings.BASE_DIR,
            env={**os.environ, **env},
            start_new_session=True,
        )
        try:
            deadline = time.monotonic() + STARTING_SECONDS
            while not server.is_up():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SimulationError(f"The server does not answer. It says:\n{_last_words(log)}")
                time.sleep(0.1)
            yield
        except SimulationError:
            if process.poll() is None:
                raise
            raise SimulationError(f"The server ended by itself. It says:\n{_last_words(log)}") from None
        finally:
            process.terminate()
            try:
                process.wait(ENDING_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _last_words(log: IO[bytes]) -> str:
    log.seek(0)
    return log.read().decode(errors="replace").strip()[-3000:]
