"""A transaction that lost a race (a deadlock, two copies at once) is tried again, a bounded number of times."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from django.db import Error, IntegrityError, InterfaceError, OperationalError

ATTEMPTS = 5
# serialisation failure, deadlock, lock timeout; SQLite's locked
_LOCKED = {"55P03", "SQLITE_BUSY"}
_WORTH_ANOTHER_TRY = {"40001", "40P01", *_LOCKED}


def persistently[Result](work: Callable[[], Result], *, waits: bool = True) -> Result:
    """Do `work`, which is one transaction, until it loses no race; raises what the last try raised.

    Without `waits` a lock that was waited for in vain is not waited for again.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return work()
        except (OperationalError, IntegrityError, InterfaceError) as error:
            if attempt == ATTEMPTS or not may_work_next_time(error) or (_code(error) in _LOCKED and not waits):
                raise
            time.sleep(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311  (no secret: spreads the tries)
    raise AssertionError("unreachable")


def may_work_next_time(error: Error) -> bool:
    """A lost race, but not a database that is away."""
    if isinstance(error, IntegrityError):
        return True
    return _code(error) in _WORTH_ANOTHER_TRY


def _code(error: Error) -> str | None:
    cause = error.__cause__
    return getattr(cause, "sqlstate", None) or getattr(cause, "sqlite_errorname", None)
