"""Passwords are hashed as Django does it, but in threads that yield to the webhooks."""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth import hashers

from callsite import passwords
from callsite.settings import PASSWORD_HASHERS


@pytest.fixture(autouse=True)
def as_in_production(settings):
    settings.PASSWORD_HASHERS = PASSWORD_HASHERS


def test_a_hash_of_before_is_good_and_a_new_one_is_good_without_callsite(settings):
    new = hashers.make_password("correct horse")
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    before = hashers.make_password("correct horse")
    assert hashers.check_password("correct horse", new)
    settings.PASSWORD_HASHERS = PASSWORD_HASHERS
    assert hashers.check_password("correct horse", before)
    assert not hashers.check_password("wrong horse", before)


def test_hashing_yields_to_all_other_threads_and_never_takes_every_core(monkeypatch):
    at_work, most, niceness = [], [], []

    def encode(self, password, salt, iterations=None):
        at_work.append(password)
        most.append(len(at_work))
        if sys.platform == "linux":
            niceness.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        threading.Event().wait(0.05)
        at_work.remove(password)
        return f"pbkdf2_sha256$1${salt}$hash"

    monkeypatch.setattr(hashers.PBKDF2PasswordHasher, "encode", encode)
    with ThreadPoolExecutor(6) as requests:
        done = [requests.submit(hashers.check_password, f"{n}", "pbkdf2_sha256$1$salt$hash") for n in range(6)]
        assert all(one.result() for one in done)
    assert max(most) <= passwords.AT_ONCE < max(2, os.cpu_count() or 1)
    assert set(niceness) <= {passwords.NICENESS}
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) < passwords.NICENESS
