"""Hash passwords a few at a time, in threads of low priority, so that sign-ins do not slow the webhooks.

A password costs a third of a second of CPU on purpose. While forty strangers signed in at once, two cores were busy,
and a post-call webhook took six times as long as in quiet; with these threads it takes 1.2 times as long (`python -m
lab.bench --only logins`).
"""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

from django.contrib.auth import hashers

NICENESS = 10
AT_ONCE = max(1, (os.cpu_count() or 1) - 1)


def _yield_to_others() -> None:
    if sys.platform == "linux":  # elsewhere it would slow the whole process
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


_threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="passwords", initializer=_yield_to_others)


class PBKDF2PasswordHasher(hashers.PBKDF2PasswordHasher):
    """Django's hasher, run in these threads. The hashes are the same."""

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        return _threads.submit(super().encode, password, salt, iterations).result()
