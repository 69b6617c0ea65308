"""Formats the table for the terminal and in Markdown, and makes the plot."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

from lab.bench.samples import Key, Row, Samples, Spread, Target
from lab.bench.servers import RIVALS_PYTHON
from lab.stack.webserver import CHECKOUT

FOLDER = CHECKOUT / "docs" / "performance"
KEPT = CHECKOUT / "build" / "bench"
HEAD = ("figure", "unit", "callsite", "rival", "limit", "÷ rival", "÷ limit", "target", "met")


def lines(rows: Sequence[Row], samples: Samples) -> list[tuple[str, ...]]:
    """Return the table's cells."""
    return [_line(row, samples) for row in rows]


def _line(row: Row, samples: Samples) -> tuple[str, ...]:
    ours = samples.spread(row.ours)
    rival = samples.spread(row.rival) if row.rival else None
    limit = samples.spread(row.limit) if row.limit else None
    of_rival = samples.ratio(row.ours, row.rival) if row.rival else None
    of_limit = samples.ratio(row.ours, row.limit) if row.limit else None
    compared = {"rival": of_rival, "limit": of_limit, None: ours}
    met = [_met(target, compared[target.of]) for target in row.targets]
    return (
        row.title,
        row.unit,
        *(_spread(value) for value in (ours, rival, limit, of_rival, of_limit)),
        ", ".join(_target(target) for target in row.targets),
        ", ".join(met),
    )


def _met(target: Target, value: Spread | None) -> str:
    if value is None:
        return "not measured"
    return "yes" if target.met(value.median) else "NO"


def _target(target: Target) -> str:
    sign = "≥" if target.at == "least" else "≤"
    bound = f"1/{1 / target.bound:g}" if 0 < target.bound < 0.2 else f"{target.bound:g}"
    return f"{sign} {bound}" + (f" of the {target.of}" if target.of else "")


def _spread(value: Spread | None) -> str:
    if value is None:
        return ""
    middle = number(value.median)
    low, high = number(value.low), number(value.high)
    return middle if low == high else f"{middle} [{low}-{high}]"


def number(value: float) -> str:
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.3f}"


def text(table: Sequence[tuple[str, ...]]) -> str:
    """Format the table for a terminal."""
    widths = [max(len(line[i]) for line in [HEAD, *table]) for i in range(len(HEAD))]

    def padded(line: tuple[str, ...]) -> str:
        cells = [
            cell.rjust(w) if 2 <= i <= 6 else cell.ljust(w)
            for i, (cell, w) in enumerate(zip(line, widths, strict=True))
        ]
        return "  ".join(cells).rstrip()

    return "\n".join([padded(HEAD), "  ".join("-" * width for width in widths), *map(padded, table)])


def markdown(table: Sequence[tuple[str, ...]]) -> str:
    ruler = "|".join("---:" if 2 <= i <= 6 else "---" for i in range(len(HEAD)))
    return "\n".join([f"| {' | '.join(HEAD)} |", f"|{ruler}|", *(f"| {' | '.join(line)} |" for line in table)])


def write(rows: Sequence[Row], samples: Samples, facts: dict[str, str], faults: Sequence[str]) -> Path:
    """Write results.md and results.png, and keep their data in build/bench/."""
    table = lines(rows, samples)
    FOLDER.mkdir(parents=True, exist_ok=True)
    KEPT.mkdir(parents=True, exist_ok=True)
    page = [
        "# callsite beside its rivals and its limits",
        "",
        "Written by `make bench`. Medians of the rounds, `[lowest-highest]`; ratios are taken round by round, so only"
        " what ran side by side is compared. Ratios carry from machine to machine, absolute figures do not.",
        "",
        *(f"- {name}: {value}" for name, value in facts.items()),
        "",
        markdown(table),
        "",
        "![callsite, rival and limit](results.png)",
    ]
    if faults:
        page += ["", "What went wrong on the way:", "", *(f"- {fault}" for fault in faults)]
    (FOLDER / "results.md").write_text("\n".join(page) + "\n")
    (KEPT / "samples.json").write_text(json.dumps({"facts": facts, "series": samples.series}, indent=1))
    bars = _panels(rows, samples)
    plot = KEPT / "plot.json"
    plot.write_text(json.dumps(bars))
    subprocess.run([RIVALS_PYTHON, "-m", "lab.bench.plot", plot, FOLDER / "results.png"], cwd=CHECKOUT, check=True)
    return FOLDER / "results.md"


def _panels(rows: Sequence[Row], samples: Samples) -> list[dict[str, object]]:
    """Return the plot's panels: rows about the same value of callsite's share one panel."""
    panels: dict[Key, list[Row]] = {}
    for row in rows:
        if row.plotted:
            panels.setdefault(row.ours, []).append(row)
    return [
        {
            "title": same[0].title.partition(";")[0],
            "unit": same[0].unit,
            "bars": [
                [key.subject, spread.median, spread.low, spread.high]
                for key in dict.fromkeys((ours, *(row.rival for row in same), *(row.limit for row in same)))
                if key and (spread := samples.spread(key))
            ],
        }
        for ours, same in panels.items()
    ]
