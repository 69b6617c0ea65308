"""Figures of the calls that started on some days. PostgreSQL or SQLite counts them in one pass over these calls."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal
from typing import Any, Self

from django.db.models import Count, F, Max, Q, QuerySet, Sum
from django.db.models.functions import TruncDate

from calls.models import Call
from calls.numbers.span import Span
from calls.silence import STARTED
from calls.zone import zone

REASONS_SHOWN = 15
_COMPLETED = Q(status=Call.Status.COMPLETED)
# The condition of each count. All counts but `heard` add up to the number of calls.
COUNTED = {
    "in_progress": Q(status=Call.Status.IN_PROGRESS),
    "failed": Q(status=Call.Status.FAILED),
    "met": _COMPLETED & Q(call_successful=True),
    "not_met": _COMPLETED & Q(call_successful=False),
    "unknown": _COMPLETED & Q(call_successful__isnull=True),
    "heard": _COMPLETED & Q(last_sequence_number__gt=0),
}
_SUMMED = {"seconds": "call_duration_seconds", "credits": "cost", "usd": "cost_usd"}


@dataclass(frozen=True, slots=True)
class Figures:
    """Counts and sums of some calls. A sum is None if no call has the value; `timed` counts calls with a duration."""

    calls: int = 0
    in_progress: int = 0
    failed: int = 0
    met: int = 0
    not_met: int = 0
    unknown: int = 0
    heard: int = 0
    timed: int = 0
    seconds: Decimal | None = None
    credits: Decimal | None = None
    usd: Decimal | None = None

    def __add__(self, other: Self) -> Self:
        return type(self)(*(_sum(getattr(self, one.name), getattr(other, one.name)) for one in fields(self)))

    @property
    def completed(self) -> int:
        return self.met + self.not_met + self.unknown

    @property
    def success(self) -> float | None:
        """Return the share of calls that reached their goal, of the calls with a verdict; None without such calls."""
        judged = self.met + self.not_met
        return self.met / judged if judged else None

    @property
    def mean_seconds(self) -> Decimal | None:
        return None if self.seconds is None else self.seconds / self.timed


@dataclass(frozen=True, slots=True)
class Group:
    """The figures of one agent's calls on one day. `agent_id` is "" for calls whose agent is not known."""

    agent_id: str
    agent_name: str
    day: date
    figures: Figures


@dataclass(frozen=True, slots=True)
class Reason:
    text: str
    calls: int


def calls_of(span: Span, calls: QuerySet[Call], agent_id: str | None = None) -> QuerySet[Call]:
    """Return the calls that started in the span; a call whose start is not known counts by its registration."""
    within = calls.order_by().alias(started=STARTED).filter(started__gte=span.begins, started__lt=span.ends)
    return within if agent_id is None else within.filter(agent_id=agent_id)


def groups_of(calls: QuerySet[Call]) -> list[Group]:
    """Return the figures per agent and day, with one query."""
    found = calls.annotate(day=TruncDate(STARTED, tzinfo=zone())).values("agent_id", "day")
    counted: dict[str, Any] = {name: Count("pk", filter=condition) for name, condition in COUNTED.items()}
    summed = {name: Sum(field) for name, field in _SUMMED.items()}
    rows: Any = found.annotate(
        name=Max("agent_name"), calls=Count("pk"), timed=Count("call_duration_seconds"), **counted, **summed
    )
    return [Group(row.pop("agent_id"), row.pop("name"), row.pop("day"), Figures(**row)) for row in rows]


def reasons_of(calls: QuerySet[Call]) -> list[Reason]:
    """Return the most frequent failure reasons, at most REASONS_SHOWN."""
    failed = calls.filter(COUNTED["failed"]).values(text=F("failure_reason")).annotate(calls=Count("pk"))
    return [Reason(**row) for row in failed.order_by("-calls", "text")[:REASONS_SHOWN]]


def total(figures: Iterable[Figures]) -> Figures:
    return sum(figures, Figures())


def _sum(one: Any, other: Any) -> Any:
    return one if other is None else other if one is None else one + other
