"""A real PgBouncer in transaction mode, as a context manager."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from lab.stack.owner import Owner
from lab.stack.ports import free_port, is_open
from lab.stack.process import Process
from lab.stack.server import Server

CONFIGURATION = """
[databases]
* = host={host} port={server_port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {users}
pool_mode = transaction
{prepared}
"""


def find_pgbouncer() -> Path | None:
    """Return PgBouncer's program on PATH or where Debian has it (not on every user's PATH); None if there is none."""
    found = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    return Path(found) if found else None


def keeps_prepared_statements(program: Path) -> bool:
    """Return whether this PgBouncer keeps prepared statements: 1.21 or newer."""
    told = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    version = re.match(r"PgBouncer (\d+)\.(\d+)", told)
    return version is not None and (int(version[1]), int(version[2])) >= (1, 21)


class PgBouncer(Server):
    """A PgBouncer in front of the server at `server_url`, for that URL's user; with prepared statements if it can."""

    def __init__(self, program: Path, server_url: str) -> None:
        self.owner = Owner.for_servers()
        self._program, self._server = program, urlsplit(server_url)
        self.port = free_port()
        folder = self.owner.make_folder("pgbouncer")
        super().__init__(folder, Process("PgBouncer", folder / "pgbouncer.log"))

    @property
    def url(self) -> str:
        return self._server._replace(netloc=f"{self._server.netloc.rpartition(':')[0]}:{self.port}").geturl()

    def start(self) -> None:
        """Start PgBouncer, and return when it accepts connections."""
        users, configuration = self.folder / "users.txt", self.folder / "pgbouncer.ini"
        values = {"host": self._server.hostname, "server_port": self._server.port, "port": self.port, "users": users}
        prepared = "max_prepared_statements = 200" if keeps_prepared_statements(self._program) else ""
        users.touch(mode=0o600)
        users.write_text(f'"{self._server.username}" "{self._server.password}"\n')
        configuration.write_text(CONFIGURATION.format(prepared=prepared, **values))
        for path in (users, configuration):
            self.owner.take(path)
        self.process.start([self._program, configuration], cwd=self.folder, owner=self.owner)
        self.process.wait_until(lambda: is_open(self.port))
