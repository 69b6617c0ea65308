"""The cells of a call. What ElevenLabs sent comes without secrets, as on the call's page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from calls.analysis import collected, criteria
from calls.call_page.why import state_of, why
from calls.export.cells import Cell
from calls.models import Call
from calls.redaction import redacted
from calls.templatetags.calls import in_zone, named, value
from calls.zone import zone

UNREAD = ("final_transcript", "party_sources")


def heading() -> list[str]:
    """Times are in CALLS_TIME_ZONE, which the heading names."""
    return [
        *("Call SID", "Conversation ID", f"Started ({zone().key})", f"Ended ({zone().key})"),
        *("Agent", "Agent ID", "Driver ID", "Direction", "From", "To", "Answered by"),
        *("Status", "Goal reached", "Failure reason", "How it ended", "Duration (s)", "Cost (credits)", "Cost (USD)"),
        *("Summary", "Criteria", "Collected data", "Live turns", "Recording", "Page"),
    ]


def cells_of(call: Call, address: str, is_recorded: bool) -> Sequence[Cell]:
    """`address` is that of the call's page."""
    analysis, metadata = redacted(call.analysis_data), redacted(call.metadata_json)
    judged = criteria(analysis)
    return [
        *(call.call_sid, call.conversation_id or "", started(call), local(call.call_end_time)),
        *(call.agent_name, call.agent_id, call.driver_id, call.get_direction_display()),
        *(call.from_number, call.to_number, call.get_answered_by_display()),
        *(state_of(call)[1], {True: "Yes", False: "No", None: ""}[call.call_successful]),
        *(reason(call), redacted(why(call, metadata, judged))),
        *(call.call_duration_seconds, call.cost, call.cost_usd),
        redacted(call.transcript_summary),
        _listed((one.name, one.verdict, one.rationale) for one in judged),
        _listed((one.name, value(one.value), one.rationale) for one in collected(analysis)),
        *(call.last_sequence_number, "Yes" if is_recorded else "No", address),
    ]


def started(call: Call) -> str:
    """As the list has it: a call whose start nobody told began when it was registered."""
    return local(call.call_start_time or call.created_at)


def local(moment: datetime | None) -> str:
    """As spreadsheets read it."""
    return f"{in_zone(moment):%Y-%m-%d %H:%M:%S}" if moment else ""


def reason(call: Call) -> str:
    return redacted(named(call.failure_reason))


def _listed(told: Any) -> str:
    """A line for each: `Delivery time: Met (He said 16:15.)`."""
    return "\n".join(f"{named(name)}: {said}" + (f" ({why_so})" if why_so else "") for name, said, why_so in told)
