"""callsite under its production command, on this machine."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from lab.stack.owner import Owner
from lab.stack.ports import free_port, is_open
from lab.stack.process import Process
from lab.stack.server import Server

CHECKOUT = Path(__file__).resolve().parents[2]


class WebServer(Server):
    """One web process of callsite, on a port that stays the same over restarts.

    `env` is added to this process's own environment; `arguments` go to the server's command line.
    """

    def __init__(
        self,
        env: Mapping[str, str],
        *,
        server: Literal["uvicorn", "daphne"] = "uvicorn",
        arguments: Sequence[str] = (),
        application: str = "callsite.asgi:application",
    ) -> None:
        self.env = {**os.environ, "PYTHONUNBUFFERED": "1", **env}
        self.port = free_port()
        folder = Owner().make_folder("web")
        super().__init__(folder, Process(f"callsite under {server}", folder / "web.log"))
        if server == "uvicorn":
            options = [application, "--host", "127.0.0.1", "--port", str(self.port)]
            options += ["--no-access-log", "--ws", "callsite.websocket_protocol:WebSocketProtocol"]
            options += ["--ws-per-message-deflate", "false"]
        else:
            options = ["-b", "127.0.0.1", "-p", str(self.port), application]
        self._command = [sys.executable, "-m", server, *options, *arguments]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def memory_bytes(self) -> int:
        """The size of the process's memory that is in RAM."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))

    @property
    def log(self) -> str:
        """The standard output and error of the server so far, over all restarts."""
        return self.process.log

    def start(self) -> None:
        """Start the server, and return when it accepts connections. Raises ServerError with its log if it does not."""
        self.process.start(self._command, cwd=CHECKOUT, env=self.env)
        self.process.wait_until(lambda: is_open(self.port))

    def kill(self) -> None:
        """Send SIGKILL: no handler, no `finally`, no on-commit hook runs."""
        self.process.end(signal.SIGKILL)

    def terminate(self, timeout_seconds: float = 30) -> int | None:
        """Send SIGTERM, as a deployment does, and wait; after the time-out send SIGKILL. Return the exit code."""
        return self.process.end(signal.SIGTERM, timeout_seconds)
