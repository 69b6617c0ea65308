"""Raises the limit of file descriptors: thousands of sockets need thousands of them."""

from __future__ import annotations

import resource


def raise_limit(wanted: int = 20_000) -> int:
    """Raise the limit of this process and its children as far as allowed. Return the new limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft < limit:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    return max(soft, limit)
