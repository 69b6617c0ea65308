"""The values that a run measures, and the rows of the table that compare them."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

Value = float | None


@dataclass(frozen=True, slots=True)
class Key:
    """The name of one series: the figure, the subject that was measured, and the metric."""

    figure: str
    subject: str
    metric: str

    def __str__(self) -> str:
        return f"{self.figure}/{self.subject}/{self.metric}"


@dataclass(frozen=True, slots=True)
class Spread:
    """The median, the lowest and the highest value of several rounds."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(statistics.median(values), min(values), max(values))


class Samples:
    """One value per round and series. A round in which something went wrong may have no value."""

    def __init__(self) -> None:
        self.series: dict[str, dict[int, float]] = defaultdict(dict)
        self.round = 0

    def add(self, figure: str, subject: str, **metrics: float | None) -> None:
        for metric, value in metrics.items():
            if value is not None:
                self.series[str(Key(figure, subject, metric))][self.round] = value

    def best(self, key: Key, value: float | None) -> None:
        """Keep the highest value of a round."""
        held = self.series[str(key)].get(self.round)
        if value is not None and (held is None or value > held):
            self.series[str(key)][self.round] = value

    def spread(self, key: Key) -> Spread | None:
        values = list(self.series.get(str(key), {}).values())
        return Spread.of(values) if values else None

    def ratio(self, key: Key, other: Key) -> Spread | None:
        """Return the spread of the ratios of each round: only values that were measured side by side are compared."""
        mine, theirs = self.series.get(str(key), {}), self.series.get(str(other), {})
        ratios = [mine[number] / theirs[number] for number in mine if theirs.get(number)]
        return Spread.of(ratios) if ratios else None


@dataclass(frozen=True, slots=True)
class Target:
    """A bound for callsite's value or, if `of` is given, for its ratio to that subject's value."""

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
