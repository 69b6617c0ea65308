"""The files of recordings: each file is complete or absent, and is removed when no recording needs it any more.

A file's name comes from its conversation and its bytes, so a retry finds the file, even if the first try's row was
rolled back. A file is removed, and checked for, under a lock on its name, so no recording loses its file to the removal
of another copy.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, default_storage
from django.db import Error, transaction
from django.db.models.signals import post_delete, pre_save
from django.dispatch import receiver

from calls.models import Call, CallRecording
from calls.names import lock_names

LEFT_BEHIND_SECONDS = 600


def keep(call: Call, content: bytes, event_time: datetime) -> Call:
    """Store a recording and link it to its call, unless the call has a newer one; return the call.

    Raises OSError, django.db.Error or Call.DoesNotExist, and then leaves no file.
    """
    digest = hashlib.sha256(content).hexdigest()
    conversation = hashlib.sha256((call.conversation_id or call.call_sid).encode()).hexdigest()
    name = store(f"recordings/{conversation[:32]}/{digest[:32]}.mp3", content)
    try:
        with transaction.atomic():
            lock_names([name])
            call = CallRecording.keep(call, file=name, size_bytes=len(content), sha256=digest, event_time=event_time)
            if CallRecording.objects.filter(call=call, file=name).exists():
                store(name, content)  # again: the file may have been removed before the lock
            else:
                _discard_on_commit(name)
    except BaseException:
        with contextlib.suppress(Error, OSError):
            discard(name)
        raise
    return call


def store(name: str, content: bytes) -> str:
    """Write a file under this name, unless it is there already; return the name.

    A storage that is not a file system may choose another name if a second copy is written at the same moment.
    """
    if _is_whole(name, len(content)):
        return name
    if default_storage.__class__ is FileSystemStorage:
        _write(Path(default_storage.path(name)), content, default_storage.file_permissions_mode or 0o600)
        return name
    try:
        return default_storage.save(name, ContentFile(content))
    except BaseException:
        with contextlib.suppress(OSError):
            _is_whole(name, len(content))
        raise


def discard(name: str) -> None:
    """Remove a file, unless a recording needs it."""
    with transaction.atomic():
        lock_names([name])
        if not CallRecording.objects.filter(file=name).exists():
            default_storage.delete(name)


def _discard_on_commit(name: str) -> None:
    transaction.on_commit(lambda: discard(name), robust=True)


@receiver(pre_save, sender=CallRecording)
def discard_replaced(instance: CallRecording, raw: bool, **_: Any) -> None:
    old = None if raw else CallRecording.objects.filter(pk=instance.pk).first()
    if old is not None and old.file.name and old.file.name != instance.file.name:
        _discard_on_commit(old.file.name)


@receiver(post_delete, sender=CallRecording)
def discard_deleted(instance: CallRecording, **_: Any) -> None:
    if instance.file.name:
        _discard_on_commit(instance.file.name)


def _is_whole(name: str, size: int) -> bool:
    """Tell whether the complete file is there; remove half a file, for which a storage would rename the next one."""
    if not default_storage.exists(name):
        return False
    if default_storage.size(name) == size:
        return True
    default_storage.delete(name)
    return False


def _write(path: Path, content: bytes, mode: int) -> None:
    """Write a file that gets its name when it is complete, so that a full disk or a killed process leaves nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path.parent, os.O_TMPFILE | os.O_WRONLY, mode)
    except (AttributeError, OSError):  # only Linux has O_TMPFILE, and not on every file system
        _write_beside(path, content, mode)
        return
    with open(descriptor, "wb") as file:
        _fill(file, content, mode)
        with contextlib.suppress(FileExistsError):  # another copy came first
            os.link(f"/proc/self/fd/{descriptor}", path, src_dir_fd=descriptor)  # src_dir_fd: follow the link


def _write_beside(path: Path, content: bytes, mode: int) -> None:
    """Write under another name, and rename. Files that a killed process left behind are removed later."""
    for left in path.parent.glob("*.part"):
        if time.time() - left.stat().st_mtime > LEFT_BEHIND_SECONDS:
            left.unlink(missing_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
        try:
            _fill(file, content, mode)
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise


def _fill(file: IO[bytes], content: bytes, mode: int) -> None:
    file.write(content)
    file.flush()
    os.fchmod(file.fileno(), mode)
    os.fsync(file.fileno())
