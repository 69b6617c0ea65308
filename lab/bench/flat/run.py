"""Measures every operation on every size, and says which ones are not flat."""

from __future__ import annotations

import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from lab.bench import machine, report
from lab.bench.flat import ingesting, pages, subscribing
from lab.bench.flat.databases import Site, environment, sites
from lab.bench.servers import Infrastructure
from lab.stack.webserver import CHECKOUT

ALLOWED = 2.0
REQUESTS, ROUNDS, SECONDS = 15, 3, 3.0
PLAN_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Line:
    """An operation's median milliseconds, smallest database first; databases that are too small for it are left out."""

    title: str
    milliseconds: list[float]

    @property
    def ratio(self) -> float:
        return self.milliseconds[-1] / self.milliseconds[0]

    @property
    def flat(self) -> bool:
        return self.ratio <= ALLOWED


def run(sizes: list[int], turns: int, *, explain: bool, write: bool) -> None:
    with Infrastructure() as infrastructure:
        facts = machine.facts(infrastructure)
        facts["turns a call"] = str(turns)
        with sites(infrastructure, sizes, turns) as places:
            lines = measure(places)
            table = _table(sizes, lines)
            print(table)
            if write:
                _write(table, facts)
            if explain:
                _explain(infrastructure, places[-1], [line.title for line in lines if not line.flat])


def measure(places: list[Site]) -> list[Line]:
    """Measure reads first, because the webhooks after them change the calls."""
    lines = [
        _line(page.title, [place for place in places if place.calls >= page.fewest] or places[-1:], _reading(page))
        for page in pages.PAGES
    ]
    lines.append(_line("subscribe with after: 0", places, lambda site, seed: subscribing.measure(site, REQUESTS, seed)))
    for site in places:
        site.make_busy()
    lines.append(_line("a live turn, 64 posters", places, lambda site, seed: [ingesting.turns(site, SECONDS, seed)]))
    lines.append(
        _line("a post-call webhook, 16 posters", places, lambda site, seed: [ingesting.post_calls(site, SECONDS, seed)])
    )
    return lines


def _reading(page: pages.Page) -> Callable[[Site, int], list[float]]:
    return lambda site, seed: pages.measure(site, page, REQUESTS, seed)


def _line(title: str, places: list[Site], once: Callable[[Site, int], list[float]]) -> Line:
    """Measure one operation in rounds, the sizes in turns."""
    taken: dict[int, list[float]] = {site.calls: [] for site in places}
    began = time.monotonic()
    for number in range(ROUNDS):
        for site in places if number % 2 else reversed(places):
            taken[site.calls].append(statistics.median(once(site, number)))
    line = Line(title, [statistics.median(taken[site.calls]) for site in places])
    took = time.monotonic() - began
    said = " ".join(f"{value:.1f}" for value in line.milliseconds)
    print(f"{title}: {said} ms, {line.ratio:.2f}x ({took:.0f} s)", file=sys.stderr, flush=True)
    return line


def _table(sizes: list[int], lines: list[Line]) -> str:
    head = ["operation, ms", *(f"{size:,} calls" for size in sizes), "largest ÷ smallest", f"≤ {ALLOWED:g}"]
    rows = [
        [
            line.title,
            *["–"] * (len(sizes) - len(line.milliseconds)),
            *(f"{value:.2f}" for value in line.milliseconds),
            f"{line.ratio:.2f}",
            "yes" if line.flat else "NO",
        ]
        for line in lines
    ]
    ruler = ["---", *("---:" for _ in head[1:-1]), "---"]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ruler, *rows))


def _write(table: str, facts: dict[str, str]) -> None:
    page = [
        "# What a growing database does",
        "",
        "Written by `make bench ARGS=flat`: the same operation on databases of different sizes, in turns. Medians, in"
        " milliseconds as the client sees them, one request at a time; the webhooks at the end under load, as the time"
        " from one answer to the next.",
        "",
        *(f"- {name}: {value}" for name, value in facts.items()),
        "",
        table,
    ]
    report.FOLDER.mkdir(parents=True, exist_ok=True)
    (report.FOLDER / "flat.md").write_text("\n".join(page) + "\n")


def _explain(infrastructure: Infrastructure, site: Site, titles: list[str]) -> None:
    """Write the query plans of operations that are not flat, on the largest size, to build/bench/plans.md."""
    paths = [page.path(site, random.Random(1)) for page in pages.PAGES if page.title in titles]
    if not paths:
        return
    # The API accepts the session as well as the token.
    done = subprocess.run(
        [sys.executable, "-m", "lab.bench.flat.explain", *paths],
        cwd=CHECKOUT, env=environment(infrastructure, site.calls), capture_output=True, text=True,
        check=False, timeout=PLAN_SECONDS,
    )  # fmt: skip
    report.KEPT.mkdir(parents=True, exist_ok=True)
    (report.KEPT / "plans.md").write_text(done.stdout + done.stderr[-3000:])
    print(f"plans of what is not flat: {report.KEPT / 'plans.md'}")
