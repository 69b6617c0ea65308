"""Retry a transaction that lost a race (a deadlock, two copies at once), a bounded number of times."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from django.db import Error, IntegrityError, InterfaceError, OperationalError

ATTEMPTS = 5
# PostgreSQL's lock timeout; SQLite's lock
_LOCKED = {"55P03", "SQLITE_BUSY"}
# serialisation failure, deadlock
_WORTH_ANOTHER_TRY = {"40001", "40P01"}


def persistently[Result](work: Callable[[], Result], *, waits_for_locks: int = 1) -> Result:
    """Run `work`, which is one transaction, and retry it after a lost race; raise the error of the last try.

    `waits_for_locks`: how many tries may end in a lock timeout. A timeout that is shorter than PostgreSQL's deadlock
    check ends a deadlock, so another try may succeed.
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
    """Tell whether a retry may succeed: after a lost race, but not after a lock timeout or without a database."""
    return isinstance(error, IntegrityError) or _code(error) in _WORTH_ANOTHER_TRY


def is_locked(error: BaseException) -> bool:
    """Tell whether the error is a timeout of a wait for a lock."""
    return _code(error) in _LOCKED


def _code(error: BaseException) -> str | None:
    cause = error.__cause__
    return getattr(cause, "sqlstate", None) or getattr(cause, "sqlite_errorname", None)
