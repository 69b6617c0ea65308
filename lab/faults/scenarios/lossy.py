"""A channel layer that loses messages makes them late, and never missing."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from lab.faults.play import BROKE_OFF, play_both
from lab.faults.site import Site
from lab.faults.switch import Switch
from lab.faults.table import Row

ORDER = 70
PROMISE = "a channel layer that drops messages makes them late, never missing"
TURNS_PER_SECOND = 20.0
PERCENTS = (1, 10, 50, 100)


async def run(site: Site, folder: Path, percents: Iterable[int] = PERCENTS) -> list[Row]:
    share = Switch.new(folder / "share-that-is-dropped")
    turns, listeners = site.size.of(short=40, long=1000), site.size.of(short=8, long=50)
    rows = []
    async with site.side_by_side({"FAULTS_DROP_FILE": str(share.path)}) as (callsite, plain):
        for percent in percents:
            share.set(str(percent / 100))
            ours, control = await play_both(
                folder / f"{percent}-percent",
                callsite,
                plain,
                turns=turns,
                turns_per_second=TURNS_PER_SECOND,
                subscribers=listeners,
            )
            shown_by = f"{percent} % dropped; {turns} turns, {listeners} subscribers on two processes"
            of_control = control.figure() if control else BROKE_OFF
            rows.append(Row(PROMISE, shown_by, ours.figure(), ours.findings(), of_control))
    return rows
