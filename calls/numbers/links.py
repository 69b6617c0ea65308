"""URLs from numbers to the list of the calls that they count."""

from __future__ import annotations

from urllib.parse import urlencode

from django.urls import reverse

from calls.call_list.filters import AgentFilter, ReasonFilter, StartedFilter
from calls.call_page.neighbours import list_of
from calls.models import Call
from calls.numbers.span import Span
from calls.redaction import redacted

DAYS = StartedFilter.parameter_names
(AGENT,), (REASON,) = AgentFilter.parameter_names, ReasonFilter.parameter_names
REASON_MAX_LENGTH = 500
_COMPLETED = {"status__exact": Call.Status.COMPLETED.value}
# the filters of the list, by field of `Figures`
FILTERS: dict[str, dict[str, str]] = {
    "calls": {},
    "in_progress": {"status__exact": Call.Status.IN_PROGRESS.value},
    "failed": {"status__exact": Call.Status.FAILED.value},
    "met": {**_COMPLETED, "call_successful__exact": "1"},
    "not_met": {**_COMPLETED, "call_successful__exact": "0"},
    "unknown": {**_COMPLETED, "call_successful__isnull": "True"},
    "heard": {**_COMPLETED, "heard": "live"},
}


def link_to(name: str, span: Span, agent_id: str | None) -> str:
    """Return the URL of the list of the calls that this number counts.

    `agent_id` is None for all agents, and "" for calls whose agent is not known.
    """
    return list_of({**_common(span, agent_id), **FILTERS[name]})


def link_to_reason(text: str, span: Span, agent_id: str | None) -> str:
    """Return the URL of the list of calls that failed for this reason; "" if it would be too long or show a secret."""
    if len(text) > REASON_MAX_LENGTH or redacted(text) != text:
        return ""
    return list_of({**_common(span, agent_id), **FILTERS["failed"], REASON: text})


def link_to_numbers(span: Span, agent_id: str | None = None) -> str:
    return f"{reverse('admin:calls_call_numbers')}?{urlencode(_common(span, agent_id))}"


def _common(span: Span, agent_id: str | None) -> dict[str, str]:
    days = dict(zip(DAYS, (span.first.isoformat(), span.last.isoformat()), strict=True))
    return days if agent_id is None else days | {AGENT: agent_id}
