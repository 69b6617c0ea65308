"""The export's cells of a call. Secrets in what ElevenLabs sent are masked, as on the call's page."""

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
    """Return the headings. They name CALLS_TIME_ZONE, in which the times are."""
    return [
        *("Call SID", "Conversation ID", f"Started ({zone().key})", f"Ended ({zone().key})"),
        *("Agent", "Agent ID", "Driver ID", "Direction", "From", "To", "Answered by"),
        *("Status", "Goal reached", "Failure reason", "How it ended", "Duration (s)", "Cost (credits)", "Cost (USD)"),
        *("Summary", "Criteria", "Collected data", "Live turns", "Recording", "Page"),
    ]


def cells_of(call: Call, address: str, is_recorded: bool) -> Sequence[Cell]:
    """Return the cells of one call, in the order of `heading`. `address` is the URL of the call's page."""
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
    """Return the start as the list shows it: if the start is not known, the time of registration."""
    return local(call.call_start_time or call.created_at)


def local(moment: datetime | None) -> str:
    """Return a time in CALLS_TIME_ZONE, in a form that spreadsheets read; "" for None."""
    return f"{in_zone(moment):%Y-%m-%d %H:%M:%S}" if moment else ""


def reason(call: Call) -> str:
    return redacted(named(call.failure_reason))


def _listed(told: Any) -> str:
    """Return one line per criterion or collected value: `Delivery time: Met (He said 16:15.)`."""
    return "\n".join(f"{named(name)}: {said}" + (f" ({why_so})" if why_so else "") for name, said, why_so in told)
