"""The lists of calls that numbers count. The names of the filters stand here alone, and the page has the same."""

from __future__ import annotations

from urllib.parse import urlencode

from django.urls import reverse

from calls.models import Call
from calls.numbers.span import Span
from calls.redaction import redacted

DAYS = ("started_from", "started_to")
AGENT = "agent_id__exact"
REASON = "failure_reason__exact"
REASON_MAX_LENGTH = 500
_COMPLETED = {"status__exact": Call.Status.COMPLETED.value}
# by the name in `Figures`
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
    """The list of what this number counts. "" where no filter finds it: for calls whose agent is not known."""
    return "" if agent_id == "" else _list({**_common(span, agent_id), **FILTERS[name]})


def link_to_reason(text: str, span: Span, agent_id: str | None) -> str:
    """ "" also where the address would be too long, or have a secret in it."""
    if agent_id == "" or len(text) > REASON_MAX_LENGTH or redacted(text) != text:
        return ""
    return _list({**_common(span, agent_id), **FILTERS["failed"], REASON: text})


def link_to_numbers(span: Span, agent_id: str | None = None) -> str:
    return f"{reverse('admin:calls_call_numbers')}?{urlencode(_common(span, agent_id))}"


def _common(span: Span, agent_id: str | None) -> dict[str, str]:
    days = dict(zip(DAYS, (span.first.isoformat(), span.last.isoformat()), strict=True))
    return days if agent_id is None else days | {AGENT: agent_id}


def _list(query: dict[str, str]) -> str:
    return f"{reverse('admin:calls_call_changelist')}?{urlencode(query)}"
