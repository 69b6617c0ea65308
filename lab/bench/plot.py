"""`python -m lab.bench.plot IN.json OUT.png`: draws a panel of bars per row. Needs matplotlib."""
# mypy: ignore-errors

from __future__ import annotations

import json
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot

OURS, THEIRS = "#1f6f8b", "#b8bec4"
COLUMNS = 2


def main(source: Path, target: Path) -> None:
    panels = json.loads(source.read_text())
    lines = -(-len(panels) // COLUMNS)
    figure, axes = pyplot.subplots(lines, COLUMNS, figsize=(12, 1.75 * lines), squeeze=False)
    for axis in axes.flat[len(panels) :]:
        axis.set_visible(False)
    for axis, panel in zip(axes.flat, panels, strict=False):
        names = [name for name, *_ in panel["bars"]]
        for place, (_, median, low, high) in enumerate(panel["bars"]):
            axis.barh(place, median, color=THEIRS if place else OURS, height=0.65)
            axis.plot([low, high], [place, place], color="#333333", linewidth=1.2)
            axis.annotate(
                f" {median:,.0f}" if median >= 100 else f" {median:.3g}",
                (max(median, high), place),
                va="center",
                fontsize=8,
            )
        axis.set_yticks(range(len(names)), names, fontsize=8)
        axis.invert_yaxis()
        axis.margins(x=0.15)
        axis.set_xlim(left=0)
        axis.tick_params(axis="x", labelsize=7)
        axis.set_title(f"{panel['title']} ({panel['unit']})", fontsize=9, loc="left")
        axis.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(target, dpi=110)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
