"""The figures as rows of the page: each row has a bar, and cells that link to the list of calls."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from calls.numbers.figures import Figures, Group, Reason, total
from calls.numbers.links import link_to, link_to_numbers, link_to_reason
from calls.numbers.span import Span
from calls.redaction import redacted
from calls.templatetags.calls import clock, named

NONE = "–"
AGENTS_SHOWN = 200
# the parts of a bar, from left to right
_PARTS = ("met", "not_met", "unknown", "failed", "in_progress")


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table. `url` leads to the calls behind it; "" if there are none or they have no URL."""

    text: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a bar. `begins` and `length` are percentages of the width that the bar may have."""

    kind: str
    begins: str
    length: str


@dataclass(frozen=True, slots=True)
class ShownRow:
    """A row of a table. `url` leads to the numbers of the row's agent; it is "" in a row of a day or a reason."""

    title: str
    note: str
    url: str
    bar: list[Part]
    cells: list[Cell]


HEADINGS = (
    *("Calls", "Met", "Not met", "Unknown", "Failed", "In progress", "Success"),
    *("Mean duration", "Total duration", "Credits", "USD", "Heard live"),
)
REASON_HEADINGS = ("Calls",)


def cells_of(figures: Figures, span: Span, agent_id: str | None) -> list[Cell]:
    """Return the cells of a row, in the order of HEADINGS."""

    def counted(name: str) -> Cell:
        number = getattr(figures, name)
        return Cell(f"{number:,}", link_to(name, span, agent_id) if number else "")

    def told(name: str, text: str | None) -> Cell:
        """Return the cell of a sum or share, with the link to the calls in it."""
        return Cell(text or NONE, link_to(name, span, agent_id) if text and getattr(figures, name) else "")

    return [
        *map(counted, ("calls", "met", "not_met", "unknown", "failed", "in_progress")),
        told("met", None if figures.success is None else f"{figures.success:.0%}"),
        told("calls", None if figures.mean_seconds is None else clock(figures.mean_seconds)),
        told("calls", None if figures.seconds is None else clock(figures.seconds)),
        told("calls", None if figures.credits is None else f"{figures.credits:,.0f}"),
        told("calls", None if figures.usd is None else f"{figures.usd:,.2f}"),
        told("heard", f"{figures.heard:,} of {figures.completed:,}"),
    ]


def bar_of(figures: Figures, longest: int) -> list[Part]:
    """Return the parts of a bar. `longest` is the number of calls in the longest bar of the table."""
    parts, before = [], 0
    for kind in _PARTS:
        number = getattr(figures, kind)
        if number:
            parts.append(Part(kind, _share(before, longest), _share(number, longest)))
        before += number
    return parts


def by_agent(groups: Iterable[Group]) -> dict[str, tuple[str, Figures]]:
    """Return name and figures of each agent by agent ID; the agent with the most calls is first."""
    groups_of: defaultdict[str, list[Group]] = defaultdict(list)
    for group in groups:
        groups_of[group.agent_id].append(group)
    found = {
        agent_id: (max(one.agent_name for one in those), total(one.figures for one in those))
        for agent_id, those in groups_of.items()
    }
    return dict(sorted(found.items(), key=lambda agent: (-agent[1][1].calls, agent[0])))


def rows_of_agents(groups: Iterable[Group], span: Span) -> list[ShownRow]:
    found = by_agent(groups)
    longest = max((figures.calls for _, figures in found.values()), default=0)
    return [
        ShownRow(
            name or agent_id or "Agent not known",
            agent_id if name else "",
            link_to_numbers(span, agent_id),
            bar_of(figures, longest),
            cells_of(figures, span, agent_id),
        )
        for agent_id, (name, figures) in list(found.items())[:AGENTS_SHOWN]
    ]


def rows_of_days(groups: Iterable[Group], span: Span, agent_id: str | None) -> list[ShownRow]:
    by_day = defaultdict(list)
    for group in groups:
        by_day[group.day].append(group.figures)
    days = {day: total(by_day[day]) for day in span.days}
    longest = max((figures.calls for figures in days.values()), default=0)
    return [
        ShownRow(
            f"{day:%a} {day.day} {day:%b %Y}",
            *("", ""),
            bar_of(figures, longest),
            cells_of(figures, Span(day, day), agent_id),
        )
        for day, figures in days.items()
    ]


def rows_of_reasons(reasons: Sequence[Reason], span: Span, agent_id: str | None) -> list[ShownRow]:
    most = max((reason.calls for reason in reasons), default=0)
    return [
        ShownRow(
            redacted(named(reason.text)) or "No reason is known",
            *("", ""),
            bar_of(Figures(failed=reason.calls), most),
            [Cell(f"{reason.calls:,}", link_to_reason(reason.text, span, agent_id))],
        )
        for reason in reasons
    ]


def _share(number: int, longest: int) -> str:
    return f"{Decimal(100 * number) / longest:.2f}"
