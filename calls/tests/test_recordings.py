"""A recording's file is there whole or not at all, and goes when nothing needs it any more."""

from __future__ import annotations

import base64
import errno
import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.files.storage import FileSystemStorage, default_storage
from django.db import transaction
from django.utils import timezone

from calls import recordings
from calls.linking import NameRank
from calls.merging import merge
from calls.models import Call, CallRecording
from conftest import payload, register_call

CHECKOUT = Path(__file__).resolve().parents[2]
NAME = "recordings/1/x.mp3"
NOW = timezone.now()


@pytest.fixture
def files(settings):
    """Called, it gives the files that are there, by name."""
    root = Path(settings.MEDIA_ROOT)
    return lambda: {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def linked():
    return {recording.file.name for recording in CallRecording.objects.all()}


# --- one file for each recording ---------------------------------------------------------------------------------


def test_of_three_recordings_of_a_call_the_newest_has_a_file_and_the_others_none(site, call, files):
    body = payload("audio_small_mp3", call.conversation_id)
    for content, seconds in ((b"A", 0), (b"BB", 0), (b"CCC", 5), (b"DDDD", 4)):
        body["data"]["full_audio"] = base64.b64encode(content).decode()
        told = body | {"event_timestamp": body["event_timestamp"] + seconds}
        assert site.post_call(told).status_code == 200
    recording = CallRecording.objects.get()
    assert files() == {recording.file.name}
    assert Path(recording.file.path).read_bytes() == b"CCC"


def test_a_recording_goes_with_its_call(transactional_db, call, files):
    recordings.keep(call, b"one", NOW)
    other = register_call()
    recordings.keep(other, b"other", NOW)
    call.delete()
    assert files() == linked() == {other.recording.file.name}


def test_a_recording_goes_by_itself(transactional_db, call, files):
    recordings.keep(call, b"one", NOW)
    CallRecording.objects.all().delete()
    assert files() == set()


def test_what_is_not_committed_removes_nothing(transactional_db, call, files):
    recordings.keep(call, b"one", NOW)
    with transaction.atomic():
        recordings.keep(call, b"newer", NOW + timedelta(1))
        call.delete()
        transaction.set_rollback(True)
    assert linked() <= files()
    assert len(linked()) == 1


def test_of_two_calls_that_become_one_the_newer_recording_stays(transactional_db, files):
    one, two = register_call(), Call.register(call_sid="EL_two", name_rank=NameRank.STAND_IN)
    recordings.keep(one, b"older", NOW)
    recordings.keep(two, b"newer", NOW + timedelta(1))
    with transaction.atomic():
        merge(*Call.objects.select_for_update().order_by("pk"))
    recording = CallRecording.objects.get()
    assert (recording.call, Path(recording.file.path).read_bytes()) == (one, b"newer")
    assert files() == {recording.file.name}


def test_the_same_recording_again_is_the_same_file(transactional_db, call, files):
    for later in range(3):
        recordings.keep(call, b"one", NOW + timedelta(later))
    assert files() == linked()


def test_a_recording_that_another_removes_at_the_same_moment_is_written_once_more(
    transactional_db, call, files, monkeypatch
):
    keep = CallRecording.keep

    def after_a_removal(call, *, file, **fields):
        recordings.discard(file)
        return keep(call, file=file, **fields)

    monkeypatch.setattr(CallRecording, "keep", after_a_removal)
    recordings.keep(call, b"one", NOW)
    assert files() == linked() != set()


def test_a_recording_that_was_rolled_back_with_its_call_is_the_same_file_when_it_comes_again(transactional_db, files):
    for is_killed in (True, False):
        with transaction.atomic():
            call = Call.register(call_sid="EL_1", conversation_id="conv_1")
            recordings.keep(call, b"one", NOW)
            transaction.set_rollback(is_killed)
    assert files() == linked() != set()


def test_what_a_recording_needs_is_not_discarded(transactional_db, call, files):
    recordings.keep(call, b"one", NOW)
    recordings.discard(call.recording.file.name)
    assert files() == linked() != set()


# --- whole or not at all ---------------------------------------------------------------------------------------------

# a program that stores a recording of a megabyte; `how` makes it go wrong
STORE = """
import errno, os, resource, signal, sys, time
import django
from django.conf import settings

how, media, beside = sys.argv[1], sys.argv[2], sys.argv[3] == "beside"
django.setup()
settings.MEDIA_ROOT = media
from calls import recordings

fsync = os.fsync
open_ = os.open

def no_tmpfile(path, flags, *rest, **more):
    if flags & os.O_TMPFILE == os.O_TMPFILE:
        raise OSError(errno.EOPNOTSUPP, "made by the test")
    return open_(path, flags, *rest, **more)

def wait(descriptor):
    fsync(descriptor)
    print("written", flush=True)
    time.sleep(60)

if beside:
    os.open = no_tmpfile
if how == "full":
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))
if how == "killed":
    os.fsync = wait
try:
    recordings.store("recordings/1/x.mp3", b"x" * 2**20)
except OSError as error:
    print(errno.errorcode[error.errno], flush=True)
"""
WAYS = pytest.mark.parametrize("way", ["without a name", "beside"])


def store(how, way, settings):
    env = {"DJANGO_SETTINGS_MODULE": "callsite.settings", "DATABASE_URL": "sqlite://:memory:", "REDIS_URL": ""}
    command = [sys.executable, "-c", STORE, how, str(settings.MEDIA_ROOT), way]
    return subprocess.Popen(command, cwd=CHECKOUT, env={**os.environ, **env}, stdout=subprocess.PIPE, text=True)


@WAYS
def test_a_full_disk_leaves_nothing_and_the_next_try_the_same_name(starts_programs, files, settings, way):
    with store("full", way, settings) as process:
        assert process.communicate()[0] == "EFBIG\n"
    assert files() == set()
    assert recordings.store(NAME, b"x" * 2**20) == NAME
    assert files() == {NAME}


@WAYS
def test_a_process_that_is_killed_while_it_writes_leaves_nothing_under_the_name(starts_programs, files, settings, way):
    with store("killed", way, settings) as process:
        assert process.stdout.readline() == "written\n"
        process.send_signal(signal.SIGKILL)
    left = files()
    assert NAME not in left
    if way == "without a name":
        assert left == set()
    with store("", way, settings) as process:
        assert process.communicate()[0] == ""
    assert (Path(settings.MEDIA_ROOT) / NAME).read_bytes() == b"x" * 2**20
    for name in left:  # ten minutes later
        os.utime(Path(settings.MEDIA_ROOT) / name, (0, 0))
    Path(settings.MEDIA_ROOT, NAME).unlink()
    with store("", way, settings) as process:
        process.communicate()
    assert files() == {NAME}


def test_half_a_file_of_an_earlier_version_is_replaced(settings, files):
    default_storage.save(NAME, recordings.ContentFile(b"ha"))
    assert recordings.store(NAME, b"half") == NAME
    assert files() == {NAME}
    assert Path(default_storage.path(NAME)).read_bytes() == b"half"


def test_the_file_is_readable_by_this_user_alone(files):
    recordings.store(NAME, b"x")
    assert os.stat(default_storage.path(NAME)).st_mode & 0o777 == 0o600


class FullStorage(FileSystemStorage):
    """A storage of another kind, that is full after half of a file."""

    is_full = True

    def _save(self, name, content):
        if not self.is_full:
            return super()._save(name, content)
        super()._save(name, recordings.ContentFile(content.read()[:2]))
        raise OSError(errno.ENOSPC, "No space left on device")


def test_any_other_storage_that_is_full_keeps_no_half_file(site, call, settings, files, monkeypatch):
    settings.STORAGES = settings.STORAGES | {"default": {"BACKEND": f"{__name__}.FullStorage"}}
    body = payload("audio_small_mp3", call.conversation_id)
    for _ in range(3):
        assert site.post_call(body).status_code == 500
    assert files() == set()
    monkeypatch.setattr(FullStorage, "is_full", False)
    assert site.post_call(body).status_code == 200
    assert files() == linked() != set()
