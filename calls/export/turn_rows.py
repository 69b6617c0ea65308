"""The export's rows of a call's turns, live or from the final transcript, in the one order of the call's page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from calls.call_page.tools import ShownTool
from calls.call_page.turns import LIVE_FIELDS, conversation_of
from calls.call_page.why import state_of
from calls.export.call_rows import local, reason, started
from calls.export.cells import Cell
from calls.models import Call, CallTranscription
from calls.zone import zone

UNREAD = ("analysis_data", "transcript_summary", "party_sources")
_SILENT: tuple[Cell, ...] = ("",) * 10


def heading() -> list[str]:
    return [
        *("Call SID", "Conversation ID", f"Started ({zone().key})", "Agent", "Agent ID", "Driver ID", "Direction"),
        *("Status", "Failure reason", "Page", "Turn", "Second", f"Time ({zone().key})", "Speaker", "Heard live"),
        *("Told afterwards", "Difference", "Marks", "Not spoken", "Tool calls"),
    ]


def live_turns(calls: Sequence[Call]) -> dict[int, list[CallTranscription]]:
    """Return the live turns of these calls by call key, in order, with one query."""
    turns = CallTranscription.objects.filter(call__in=[call.pk for call in calls]).only(*LIVE_FIELDS)
    in_order = turns.order_by("call_id", "sequence_number")
    return {key: list(group) for key, group in groupby(in_order, key=lambda turn: turn.call_id)}


def rows_of(call: Call, address: str, live: Sequence[CallTranscription]) -> Iterator[Sequence[Cell]]:
    """Yield one row per turn, or a single row for a call without turns, because the list shows that call too."""
    of_call: list[Cell] = [
        *(call.call_sid, call.conversation_id or "", started(call), call.agent_name, call.agent_id, call.driver_id),
        *(call.get_direction_display(), state_of(call)[1], reason(call), address),
    ]
    rows = conversation_of(call, live).rows
    for number, row in enumerate(rows, start=1):
        tools = "\n\n".join(map(_told, row.tools))
        said: list[Cell] = [row.live, row.said, row.heard, ", ".join(row.marks), row.unsaid, tools]
        yield [*of_call, number, row.seconds, local(row.moment), row.by, *said]
    if not rows:
        yield [*of_call, *_SILENT]


def _told(tool: ShownTool) -> str:
    head = ", ".join(text for text in (tool.name, tool.state, tool.latency) if text)
    return "\n".join([head, *(f"{title}: {text}" for title, text in tool.parts)])
