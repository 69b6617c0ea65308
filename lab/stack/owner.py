"""The user that the database servers run as, and folders that this user can reach.

PostgreSQL refuses to run as root, so root starts it as `postgres` or, if that user is missing, as `nobody`.
"""

from __future__ import annotations

import os
import pwd
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypedDict


class RunAs(TypedDict, total=False):
    """The arguments of `subprocess` that change the user; empty for the current user."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True)
class Owner:
    """A user that runs servers; `uid` is None for the current user."""

    uid: int | None = None
    gid: int | None = None

    @classmethod
    def for_servers(cls) -> Self:
        """Return the current user, or for root the user `postgres`, else `nobody`.

        Raises RuntimeError if root finds neither.
        """
        if os.geteuid() != 0:
            return cls()
        for name in ("postgres", "nobody"):
            try:
                user = pwd.getpwnam(name)
            except KeyError:
                continue
            return cls(user.pw_uid, user.pw_gid)
        raise RuntimeError("root cannot run PostgreSQL, and there is neither a user `postgres` nor `nobody`")

    def run_as(self) -> RunAs:
        if self.uid is None or self.gid is None:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def take(self, path: Path) -> None:
        """Make this user the owner of `path`."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)

    def reaches(self, path: Path) -> bool:
        """Return whether this user can reach and read `path` (for another user: with the permissions of "others")."""
        if self.uid is None:
            return os.access(path, os.R_OK)
        path = path.resolve()
        return bool(path.stat().st_mode & 0o004) and all(p.stat().st_mode & 0o001 for p in path.parents)

    def make_folder(self, name: str) -> Path:
        """Return a new private temporary folder of this user, under a parent folder that the user can pass through."""
        # The second and third parents are for a TMPDIR that is private to root.
        for parent in (Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")):
            if parent.is_dir() and self.reaches(parent):
                folder = Path(tempfile.mkdtemp(prefix=f"callsite-{name}-", dir=parent))
                self.take(folder)
                return folder
        raise RuntimeError(f"no temporary folder that user id {self.uid} can reach; set TMPDIR to one")


def remove_folder(folder: Path) -> None:
    """Remove a server's folder; a file that is gone already, or that the server is removing, is no error."""
    shutil.rmtree(folder, ignore_errors=True)
