"""The servers of a run: PostgreSQL and Redis, callsite under its production command, its rivals and its limits."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg

from lab.stack.owner import Owner, remove_folder
from lab.stack.ports import free_port, is_open
from lab.stack.postgres import Postgres
from lab.stack.process import Process
from lab.stack.redis import Redis
from lab.stack.webserver import CHECKOUT, WebServer

# FastAPI and its dependencies have an environment of their own, so callsite runs with production's packages alone.
RIVALS_PYTHON = CHECKOUT / ".venv" / "bench" / "bin" / "python"
SECRET = "bench-secret"
DATABASES = ("callsite", "rival", "plain", "limits")


class Program:
    """A rival or a limit under uvicorn, with the options of callsite's production command."""

    def __init__(self, name: str, application: str, python: Path | str, env: dict[str, str]) -> None:
        self.port = free_port()
        self.url, self.ws_url = f"http://127.0.0.1:{self.port}", f"ws://127.0.0.1:{self.port}"
        self._folder = Owner().make_folder("bench")
        self._process = Process(name, self._folder / "server.log")
        self._env = {**os.environ, **env}
        self._command: list[str | Path] = [python, "-m", "uvicorn", application, "--host", "127.0.0.1"]
        self._command += ["--port", str(self.port), "--no-access-log", "--log-level", "error"]
        self._command += ["--ws-per-message-deflate", "false"]

    @property
    def pid(self) -> int:
        return self._process.pid

    def __enter__(self) -> Program:
        self._process.start(self._command, cwd=CHECKOUT, env=self._env)
        self._process.wait_until(lambda: is_open(self.port))
        return self

    def __exit__(self, *_: object) -> None:
        self._process.end(signal.SIGKILL)
        remove_folder(self._folder)


class Subject:
    """One server that is measured, or two servers of callsite side by side."""

    def __init__(self, *servers: Program | WebServer, by_id: bool = True, token: Callable[[], str] = str) -> None:
        self.http = ",".join(server.url for server in servers)
        self.ws = ",".join(server.ws_url for server in servers)
        self.pids = ",".join(str(server.pid) for server in servers)
        self._by_id, self._token = by_id, token

    @property
    def posts(self) -> list[str]:
        """The load generator's arguments that name the server, for webhooks."""
        return ["--http", self.http, "--pid", self.pids, "--secret", SECRET]

    @property
    def listens(self) -> list[str]:
        """The load generator's arguments that name the server, for sockets."""
        arguments = ["--ws", self.ws]
        if self._by_id:
            arguments += ["--by-id"]
        if token := self._token():
            arguments += ["--token", token]
        return arguments


class Infrastructure:
    """A durable PostgreSQL with one database per program, and Redis. The end of a `with` block removes both."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self.postgres = Postgres(durable=True)
        self.redis = Redis()

    def __enter__(self) -> Infrastructure:
        self._stack.enter_context(self.postgres)
        self._stack.enter_context(self.redis)
        for name in DATABASES[1:]:
            self.sql(f"CREATE DATABASE {name}")
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def database_url(self, name: str = "callsite") -> str:
        return self.postgres.url.rpartition("/")[0] + f"/{name}"

    def sql(self, statement: str, database: str = "callsite") -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database_url(database), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def settings(self) -> dict[str, str]:
        """Return production's environment, with this run's servers and secrets and without limits per user."""
        return {
            "DJANGO_DEBUG": "false",
            "DJANGO_SECRET_KEY": "only-for-the-bench-" * 4,
            "DJANGO_ALLOWED_HOSTS": "127.0.0.1,testserver",
            "CSRF_TRUSTED_ORIGINS": "",
            "DATABASE_URL": self.database_url(),
            "REDIS_URL": self.redis.url,
            "ELEVENLABS_WEBHOOK_SECRET": SECRET,
            "ELEVENLABS_TOOL_SECRET": "not-used-as-the-turns-are-signed",
            "ELEVENLABS_CREATE_UNKNOWN_CALLS": "false",
            "WS_MAX_CONNECTIONS_PER_USER": "0",
            "WS_MAX_MESSAGES_PER_SECOND": "0",
        }

    def rival_env(self, database: str) -> dict[str, str]:
        return {
            "DATABASE_URL": self.database_url(database),
            "REDIS_URL": self.redis.url,
            "ELEVENLABS_WEBHOOK_SECRET": SECRET,
        }

    def callsite(self) -> WebServer:
        return WebServer(self.settings())

    def fastapi_sqlalchemy(self) -> Program:
        application = "lab.bench.rivals.fastapi_sqlalchemy:app"
        return Program("FastAPI + SQLAlchemy", application, RIVALS_PYTHON, self.rival_env("rival"))

    def fastapi_asyncpg(self) -> Program:
        application = "lab.bench.rivals.fastapi_asyncpg:app"
        return Program("FastAPI + asyncpg", application, RIVALS_PYTHON, self.rival_env("rival"))

    def plain_channels(self) -> Program:
        application = "lab.bench.rivals.plain_channels:application"
        return Program("plain Channels", application, sys.executable, self.rival_env("plain"))

    def bare_asgi(self) -> Program:
        return Program("bare ASGI loop", "lab.bench.limits.bare_asgi:application", sys.executable, {})

    def run(self, module: str, *arguments: str, database: str, python: Path | str = sys.executable) -> str:
        """Run `python -m module` on one of the databases, and return its output."""
        command = [os.fspath(python), "-m", module, *arguments]
        env = {**os.environ, **self.rival_env(database)}
        done = subprocess.run(command, cwd=CHECKOUT, env=env, capture_output=True, text=True, check=False, timeout=600)
        if done.returncode:
            raise RuntimeError(f"{module} failed:\n{done.stderr[-3000:]}")
        return done.stdout
