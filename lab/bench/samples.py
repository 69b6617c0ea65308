"""What a run measures, and what the table makes of it."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

Value = float | None


@dataclass(frozen=True, slots=True)
class Key:
    """One series: figure, whose it is, and of what."""

    figure: str
    subject: str
    metric: str

    def __str__(self) -> str:
        return f"{self.figure}/{self.subject}/{self.metric}"


@dataclass(frozen=True, slots=True)
class Spread:
    """Of several rounds: the median, the least and the most."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(statistics.median(values), min(values), max(values))


class Samples:
    """A value a round of each series. A round in which something went wrong may have none."""

    def __init__(self) -> None:
        self.series: dict[str, dict[int, float]] = defaultdict(dict)
        self.round = 0

    def add(self, figure: str, subject: str, **metrics: float | None) -> None:
        for metric, value in metrics.items():
            if value is not None:
                self.series[str(Key(figure, subject, metric))][self.round] = value

    def best(self, key: Key, value: float | None) -> None:
        """Keep the highest of a round."""
        held = self.series[str(key)].get(self.round)
        if value is not None and (held is None or value > held):
            self.series[str(key)][self.round] = value

    def spread(self, key: Key) -> Spread | None:
        values = list(self.series.get(str(key), {}).values())
        return Spread.of(values) if values else None

    def ratio(self, key: Key, other: Key) -> Spread | None:
        """Round by round, then the median: only what ran side by side is compared."""
        mine, theirs = self.series.get(str(key), {}), self.series.get(str(other), {})
        ratios = [mine[number] / theirs[number] for number in mine if theirs.get(number)]
        return Spread.of(ratios) if ratios else None


@dataclass(frozen=True, slots=True)
class Target:
    """A bound for callsite's value, or where `of` is given for its ratio to that."""

    at: Literal["least", "most"]
    bound: float
    of: Literal["rival", "limit"] | None = None

    def met(self, value: float) -> bool:
        return value >= self.bound if self.at == "least" else value <= self.bound

    def __str__(self) -> str:
        sign = "≥" if self.at == "least" else "≤"
        return f"{sign} {self.bound:g}" + (f" × {self.of}" if self.of else "")


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table."""

    title: str
    unit: str
    ours: Key
    rival: Key | None = None
    limit: Key | None = None
    targets: tuple[Target, ...] = field(default=())
    plotted: bool = True
