"""A transaction that lost a race (a deadlock, two copies at once) is tried again, a bounded number of times."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from django.db import Error, IntegrityError, InterfaceError, OperationalError

ATTEMPTS = 5
# lock timeout; SQLite's locked
_LOCKED = {"55P03", "SQLITE_BUSY"}
# serialisation failure, deadlock
_WORTH_ANOTHER_TRY = {"40001", "40P01"}


def persistently[Result](work: Callable[[], Result], *, waits_for_locks: int = 1) -> Result:
    """Do `work`, which is one transaction, until it loses no race; raises what the last try raised.

    `waits_for_locks`: how often a lock is waited for in vain. A wait that is shorter than PostgreSQL needs to find a
    deadlock ends one, and another may succeed.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return work()
        except (OperationalError, IntegrityError, InterfaceError) as error:
            again = attempt < waits_for_locks if is_locked(error) else may_work_next_time(error)
            if attempt == ATTEMPTS or not again:
                raise
            time.sleep(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311  (no secret: spreads the tries)
    raise AssertionError("unreachable")


def may_work_next_time(error: Error) -> bool:
    """A lost race, but neither a lock that somebody holds on to nor a database that is away."""
    return isinstance(error, IntegrityError) or _code(error) in _WORTH_ANOTHER_TRY


def is_locked(error: BaseException) -> bool:
    """Whether somebody held a lock for longer than we wait."""
    return _code(error) in _LOCKED


def _code(error: BaseException) -> str | None:
    cause = error.__cause__
    return getattr(cause, "sqlstate", None) or getattr(cause, "sqlite_errorname", None)
