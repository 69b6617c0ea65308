"""How many examples the slow tests take that try many: all in `make check`, a third in `make test`.

`make test SEARCH=long` takes all too. Each test takes some; where its examples do not change, it is the same third
each time.
"""

from __future__ import annotations

import os

TAKES_ALL = os.environ.get("SEARCH") == "long"


def examples(count: int) -> int:
    """Return how many of `count` examples to take, at least one."""
    return count if TAKES_ALL else max(1, count // 3)
