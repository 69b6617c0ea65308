"""How many examples the tests take that try many: a third of them in `make test`, all of them in CI.

No test is left out: each takes some of its examples. `make test SEARCH=long` takes all of them too.
"""

from __future__ import annotations

import os

TAKES_ALL = os.environ.get("CI") == "true" or os.environ.get("SEARCH") == "long"


def examples(count: int) -> int:
    """Return how many of `count` examples to take, at least one."""
    return count if TAKES_ALL else max(1, count // 3)
