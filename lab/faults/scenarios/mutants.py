"""The tests bite: without one mechanism of callsite, its promise breaks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from lab.faults.history import Finding
from lab.faults.scenarios import kill, lossy, order, stuck, waits, who
from lab.faults.site import Site
from lab.faults.table import Row

ORDER = 60

# For each mechanism of lab.faults.broken: the scenario whose promise it carries, and the findings without it.
PROOFS: dict[str, tuple[Callable[[Site, Path], Awaitable[list[Row]]], set[str]]] = {
    "sweep": (partial(lossy.run, percents=[100]), {"missing", "completion pair"}),
    "watch-of-listeners": (who.run, {"still listens"}),
    "gap-fill": (partial(lossy.run, percents=[50]), {"missing"}),
    "dedupe": (kill.run, {"acknowledged but missing", "stored twice"}),
    "row-lock": (
        order.run,
        {"answered otherwise", "turns are not 1..n", "half-written", "states", "missing", "not asked for"},
    ),
    "skip-locked": (waits.run, {"answered slowly"}),
    "store-first": (kill.run, {"acknowledged but missing"}),
    "bounded-send_queue": (stuck.run, {"memory"}),
}
IN_SHORT = ("sweep", "watch-of-listeners")


async def run(site: Site, folder: Path) -> list[Row]:
    mechanisms = IN_SHORT if site.size.scale is None else tuple(PROOFS)
    survived = []
    for name in mechanisms:
        scenario, wanted = PROOFS[name]
        async with site.without(name) as broken:
            found = {finding.kind for row in await scenario(broken, folder / name) for finding in row.findings}
        if not found & wanted:
            survived.append(Finding("survived", name, f"found {sorted(found) or 'nothing'}, wanted {sorted(wanted)}"))
    return [
        Row(
            "the tests bite",
            f"callsite without: {', '.join(mechanisms)}",
            f"mutants killed: {len(mechanisms) - len(survived)} of {len(mechanisms)}",
            survived,
        )
    ]
