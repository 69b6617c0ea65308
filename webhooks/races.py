"""A transaction that lost a race (a deadlock, two copies at once) is tried again, a bounded number of times."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from django.db import Error, IntegrityError, InterfaceError, OperationalError

ATTEMPTS = 5
# serialisation failure, deadlock, lock timeout; SQLite's locked
_WORTH_ANOTHER_TRY = {"40001", "40P01", "55P03", "SQLITE_BUSY"}


def persistently[Result](work: Callable[[], Result]) -> Result:
    """Do `work`, which is one transaction, until it loses no race; raises what the last try raised."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return work()
        except (OperationalError, IntegrityError, InterfaceError) as error:
            if attempt == ATTEMPTS or not may_work_next_time(error):
                raise
            time.sleep(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311  (no secret: spreads the tries)
    raise AssertionError("unreachable")


def may_work_next_time(error: Error) -> bool:
    """A lost race, but not a database that is away."""
    if isinstance(error, IntegrityError):
        return True
    cause = error.__cause__
    return (getattr(cause, "sqlstate", None) or getattr(cause, "sqlite_errorname", None)) in _WORTH_ANOTHER_TRY
