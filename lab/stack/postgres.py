"""A real PostgreSQL, as a context manager."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psycopg

from lab.stack.owner import Owner
from lab.stack.ports import free_port
from lab.stack.postgres_binaries import find_binaries, major_version
from lab.stack.process import Process, ServerError
from lab.stack.server import Server


class Postgres(Server):
    """PostgreSQL in a temporary folder, on a port that stays the same over restarts.

    `settings` are passed as `postgres -c`.
    `durable=False` switches fsync off: faster, but not safe against a power cut, which tests do not need.
    Committed rows survive `stop()`, `stop(immediate=True)` and `kill()` either way; `close()` removes them.
    """

    def __init__(
        self, *, durable: bool = True, binaries: Path | None = None, settings: Mapping[str, str] | None = None
    ) -> None:
        self.owner = Owner.for_servers()
        self.binaries = binaries or find_binaries(self.owner)
        self.durable = durable
        self.settings = settings or {}
        self.port = free_port()
        folder = self.owner.make_folder("postgres")
        super().__init__(folder, Process("PostgreSQL", folder / "postgres.log", last_signal=signal.SIGQUIT))
        self._data = self.folder / "data"
        self._password = secrets.token_hex(16)

    @property
    def url(self) -> str:
        return self._url("callsite")

    def _url(self, database: str) -> str:
        return f"postgres://callsite:{self._password}@127.0.0.1:{self.port}/{database}"

    @property
    def pid(self) -> int:
        """The process ID of the server's main process, the parent of all its backends."""
        return self.process.pid

    def start(self) -> None:
        """Start the server, the first time with a new cluster, and return when it accepts connections."""
        new = not self._data.exists()
        if new:
            self._initdb()
        deadline = time.monotonic() + 30
        while True:
            self.process.start(self._command(), cwd=self.folder, owner=self.owner)
            try:
                self.process.wait_until(self._accepts_connections)
                break
            except ServerError as error:
                # After kill() the last backends need a moment to notice that their parent is gone.
                if "shared memory" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        if new:
            with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
                connection.execute("CREATE DATABASE callsite")

    def stop(self, *, immediate: bool = False) -> None:
        """Stop the server: sessions are cut, open transactions are rolled back.

        `immediate` skips the checkpoint too.
        """
        self.process.end(signal.SIGQUIT if immediate else signal.SIGINT)

    def kill(self) -> None:
        """Send SIGKILL to the server and all its backends: the closest test to a power cut of the database."""
        if not self.process.running:
            return
        listing = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")  # Linux
        backends = listing.read_text().split() if listing.exists() else []
        self.process.end(signal.SIGKILL)
        for pid in backends:
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)

    def _initdb(self) -> None:
        password_file = self.folder / "password"
        password_file.touch(mode=0o600)
        password_file.write_text(self._password)
        self.owner.take(password_file)
        # Searching without case beyond ASCII needs a Unicode locale: the built-in one since 17, libc's before.
        if (major_version(self.binaries) or 0) >= 17:
            locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        else:
            locale = ["--locale=C.UTF-8"]
        command: list[str | Path] = [self.binaries / "initdb", "-D", self._data, "-U", "callsite"]
        command += [
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--no-sync",
            *locale,
        ]
        made = subprocess.run(
            command, cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
            **self.owner.run_as(),
        )  # fmt: skip
        password_file.unlink()
        if made.returncode:
            raise ServerError(f"initdb failed:\n{made.stdout[-2000:]}{made.stderr[-2000:]}")

    def _command(self) -> list[str | Path]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "300",
            "timezone": "UTC",
        }
        if not self.durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        command: list[str | Path] = [self.binaries / "postgres", "-D", self._data]
        for name, value in (settings | dict(self.settings)).items():
            command += ["-c", f"{name}={value}"]
        return command

    def _accepts_connections(self) -> bool:
        try:
            psycopg.connect(self._url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True
