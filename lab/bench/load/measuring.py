"""Clocks, percentiles, and the servers' CPU and memory from /proc."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

now_ns = time.perf_counter_ns


def percentile(ordered: Sequence[int], share: float) -> float | None:
    """Return the percentile in milliseconds, of ascending nanoseconds; None without values."""
    if not ordered:
        return None
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))] / 1e6, 3)


def cpu_seconds(pids: Iterable[int]) -> float:
    """Return the user and system time that these processes have used; Linux only."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def family_cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process, its children, and its ended children; 0 for no process."""
    if not pid:
        return 0.0
    parts = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    total = sum(map(int, parts[11:15])) / os.sysconf("SC_CLK_TCK")
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        with contextlib.suppress(OSError):  # the child ended just now
            total += cpu_seconds([int(child)])
    return total


def memory_kib(pids: Iterable[int]) -> int:
    """Return the processes' proportional set size; Linux only."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total
