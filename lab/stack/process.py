"""One server process: starts in the background, and always ends, however the process that started it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from lab.stack.owner import Owner

# KEEPER is a shell beside each server. Its standard input closes when the process that started both ends, in any way.
KEEPER = 'read -r _; kill -s "$1" -- "-$2"; kill -s CONT -- "-$2"'


class ServerError(RuntimeError):
    """A server did not start; the message ends with the last lines of its log."""


class Process:
    """A server's process and its log file. It may be started again after it ended; the log then continues.

    If the process that started it ends without ending the server, even by SIGKILL, the server gets `last_signal`.
    """

    def __init__(self, name: str, log_path: Path, *, last_signal: signal.Signals = signal.SIGKILL) -> None:
        self.name = name
        self.log_path = log_path
        self.last_signal = last_signal
        self._popen: subprocess.Popen[bytes] | None = None
        self._keeper: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    @property
    def pid(self) -> int:
        """The process ID of the running process. Raises ServerError if it does not run."""
        if self._popen is None:
            raise ServerError(f"{self.name} is not running")
        return self._popen.pid

    @property
    def running(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    def start(
        self,
        argv: Sequence[str | Path],
        *,
        cwd: Path,
        env: Mapping[str, str] | None = None,
        owner: Owner | None = None,
    ) -> None:
        """Start the process in a session of its own, so that Ctrl-C reaches the user's process and not the server."""
        if self.running:
            raise ServerError(f"{self.name} is running already")
        self._dismiss_keeper()
        with self.log_path.open("ab") as log:
            self._popen = subprocess.Popen(
                [os.fspath(part) for part in argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env=env,
                start_new_session=True,
                **(owner or Owner()).run_as(),
            )
        self._keeper = subprocess.Popen(
            ["sh", "-c", KEEPER, "sh", self.last_signal.name.removeprefix("SIG"), str(self._popen.pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            **(owner or Owner()).run_as(),
        )

    def wait_until(self, ready: Callable[[], bool], timeout_seconds: float = 60) -> None:
        """Wait for `ready()`. Raises ServerError if the process ends first or takes longer (then it is killed)."""
        deadline = time.monotonic() + timeout_seconds
        while not ready():
            if not self.running:
                raise ServerError(f"{self.name} ended while starting:\n{self.log[-3000:]}")
            if time.monotonic() > deadline:
                self.end(signal.SIGKILL)
                raise ServerError(f"{self.name} was not ready after {timeout_seconds} s:\n{self.log[-3000:]}")
            time.sleep(0.02)

    def send(self, number: signal.Signals) -> None:
        if self._popen is not None:
            self._popen.send_signal(number)

    def end(self, number: signal.Signals, timeout_seconds: float = 30) -> int | None:
        """Send the signal and wait; after the time-out send SIGKILL. Return the exit code, None without a process."""
        if self._popen is None:
            return None
        self._popen.send_signal(number)
        try:
            code = self._popen.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            code = self._popen.wait()
        self._popen = None
        self._dismiss_keeper()
        return code

    def _dismiss_keeper(self) -> None:
        if self._keeper is not None:
            self._keeper.kill()  # before its standard input ends: by now the server's ID may be another process's
            self._keeper.communicate()
            self._keeper = None
