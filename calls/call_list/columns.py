"""The columns of the list of calls. A value that the call's own row lacks comes from `call.details`."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.utils.html import format_html, format_html_join
from django.utils.safestring import mark_safe

from calls.bidi import words
from calls.call_list.details import Details
from calls.call_page.why import state_of
from calls.models import Call
from calls.silence import STARTED
from calls.templatetags.calls import clock, moment, number

NONE = mark_safe('<span class="none">–</span>')  # small screens show each call as a card, which leaves such a cell out
SHOWN_CHARACTERS = 200
COLUMNS = (
    *("started", "driver", "agent", "shown_status", "why", "duration", "shown_cost", "outcome", "has_recording"),
    "last_activity",
)


class CallColumns:
    """A mixin with the columns. Only `started` is sortable: an index serves that order."""

    @admin.display(description="started", ordering=STARTED)
    def started(self, call: Call) -> str:
        return format_html(
            '{} <span class="sid" dir="auto">{}</span>',
            moment(call.call_start_time or call.created_at),
            words(call.call_sid),
        )

    @admin.display(description="driver")
    def driver(self, call: Call) -> str:
        other = call.from_number if call.direction == call.Direction.INBOUND else call.to_number
        shown = call.driver_id or other or call.from_number
        if not shown:
            return NONE
        under = format_html('<span class="soft"><bdi>{}</bdi></span>', words(other)) if other not in ("", shown) else ""
        return format_html("<bdi>{}</bdi> {}", words(shown), under)

    @admin.display(description="agent")
    def agent(self, call: Call) -> str:
        name = call.agent_name or call.agent_id
        return format_html("<bdi>{}</bdi>", words(name)) if name else NONE

    @admin.display(description="status")
    def shown_status(self, call: Call) -> str:
        state, _ = state_of(call)
        return _badge(state if state in ("calm", "failed") else "ended", call.get_status_display())

    @admin.display(description="why")
    def why(self, call: Call) -> str:
        text = _details(call).why
        shown = text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS].rstrip()}…"
        return format_html('<span dir="auto">{}</span>', words(shown))

    @admin.display(description="duration")
    def duration(self, call: Call) -> str:
        return clock(call.call_duration_seconds) or NONE

    @admin.display(description="cost")
    def shown_cost(self, call: Call) -> str:
        told = [(f"${number(call.cost_usd)}",)] if call.cost_usd is not None else []
        told += [(f"{number(call.cost)} credits",)] if call.cost is not None else []
        return format_html_join(" ", "<span>{}</span>", told) or NONE

    @admin.display(description="outcome")
    def outcome(self, call: Call) -> str:
        told = {True: ("good", "Successful"), False: ("bad", "Not successful")}
        return _badge(*told[call.call_successful]) if call.call_successful in told else NONE

    @admin.display(description="recording")
    def has_recording(self, call: Call) -> str:
        return "Yes" if _details(call).has_recording else "No"

    @admin.display(description="last activity")
    def last_activity(self, call: Call) -> str:
        return moment(_details(call).last_activity)


def _badge(state: str, text: Any) -> str:
    return format_html('<span class="badge" data-state="{}">{}</span>', state, text)


def _details(call: Call) -> Details:
    """Return the details that the page set on the call; empty ones where the list was built without the page."""
    return getattr(call, "details", None) or Details()
