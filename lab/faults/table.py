"""The table of results, one row per promise."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass, field

from lab.faults.history import Finding

WIDTHS = (34, 42, 44, 30, 7)
HEADINGS = ("promise", "shown by", "figure", "plain Channels", "")
NO_CONTROL = "–"


@dataclass(slots=True)
class Row:
    """One row. `figure` is callsite's, `control` plain Channels' under the same faults.

    A row without findings is kept.
    """

    promise: str
    shown_by: str
    figure: str
    findings: list[Finding] = field(default_factory=list)
    control: str = NO_CONTROL

    @property
    def kept(self) -> bool:
        return not self.findings

    def cells(self) -> tuple[str, ...]:
        return self.promise, self.shown_by, self.figure, self.control, "kept" if self.kept else "BROKEN"


def as_text(rows: Iterable[Row]) -> str:
    """Format the table for a terminal, some 160 columns wide; findings stand under their row."""
    rule = "-+-".join("-" * width for width in WIDTHS)
    lines = [_line(HEADINGS), rule]
    for row in rows:
        cells = [textwrap.wrap(cell, width) or [""] for cell, width in zip(row.cells(), WIDTHS, strict=True)]
        height = max(len(cell) for cell in cells)
        lines += [_line([cell[i] if i < len(cell) else "" for cell in cells]) for i in range(height)]
        lines += [f"    ! {finding}" for finding in row.findings[:5]]
        if len(row.findings) > 5:
            lines.append(f"    ! and {len(row.findings) - 5} more")
        lines.append(rule)
    return "\n".join(lines)


def _line(cells: Iterable[str]) -> str:
    return " | ".join(cell.ljust(width) for cell, width in zip(cells, WIDTHS, strict=True)).rstrip()


def as_markdown(rows: Iterable[Row]) -> str:
    """Format the table for docs/reliability.md."""
    lines = ["| promise | shown by | figure | plain Channels | |", "|---|---|---|---|---|"]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row.cells()) + " |" for row in rows]
    return "\n".join(lines) + "\n"
