"""`python -m lab.stack -- COMMAND …`: run a command with a real PostgreSQL and a real Redis.

Start the servers that `DATABASE_URL` and `REDIS_URL` do not name already, export both variables, run the command, stop
the servers whatever happens, and exit with the command's code.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from types import FrameType

from lab.stack.postgres import Postgres
from lab.stack.redis import Redis

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(argv: list[str]) -> int:
    command = argv[1:] if argv[:1] == ["--"] else argv
    if not command:
        print("usage: python -m lab.stack -- COMMAND [ARGUMENT …]", file=sys.stderr)
        return 2
    signals = Signals()
    with ExitStack() as servers:
        env = dict(os.environ)
        started = []
        if not env.get("DATABASE_URL"):
            postgres = servers.enter_context(Postgres(durable=False))
            env["DATABASE_URL"] = postgres.url
            started.append(f"PostgreSQL from {postgres.binaries} on port {postgres.port}")
        if not env.get("REDIS_URL") and not signals.seen:
            redis = servers.enter_context(Redis())
            env["REDIS_URL"] = redis.url
            started.append(f"Redis ({redis.server.name}) on port {redis.port}")
        if signals.seen:
            return 128 + signals.seen[0]
        said = " and ".join(started) or "DATABASE_URL and REDIS_URL are used as they are"
        print(f"stack: {said}", flush=True)
        try:
            with subprocess.Popen(command, env=env) as child:
                signals.pass_on_to(child)
                code = child.wait()
        except OSError as error:
            print(f"stack: cannot run {command[0]}: {error.strerror}", file=sys.stderr)
            return 127
        return code if code >= 0 else 128 - code


class Signals:
    """Keeps signals until the command runs, then passes them on: none ends this process before the servers are down."""

    def __init__(self) -> None:
        self.seen: list[int] = []
        self._child: subprocess.Popen[bytes] | None = None
        for number in SIGNALS:
            signal.signal(number, self._receive)

    def pass_on_to(self, child: subprocess.Popen[bytes]) -> None:
        self._child = child
        for number in self.seen:
            child.send_signal(number)

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        self.seen.append(number)
        # Ctrl-C at a terminal reaches the child directly; a second signal would interrupt the child's own clean-up.
        if self._child and not (number == signal.SIGINT and _in_foreground()):
            self._child.send_signal(number)


def _in_foreground() -> bool:
    """Return whether this process is in the terminal's foreground group, which gets Ctrl-C."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
