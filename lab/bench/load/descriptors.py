"""Thousands of sockets need thousands of file descriptors."""

from __future__ import annotations

import resource


def raise_limit(wanted: int = 20_000) -> int:
    """Raise this process's limit, which its children inherit, as far as it may go. The new limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft < limit:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    return max(soft, limit)
