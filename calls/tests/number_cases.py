"""Calls whose numbers were counted by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from calls.models import Call, CallTranscription

NOW = datetime(2026, 3, 31, tzinfo=UTC)


def made(n, start, *, status="completed", agent="a", heard=0, created=None, **fields):
    call = Call.register(call_sid=f"EL_{n}", agent_id=agent, agent_name=f"Agent {agent}" if agent else "", **fields)
    CallTranscription.objects.bulk_create(
        CallTranscription(call=call, sequence_number=number, speaker_type="agent", message_text="x", timestamp=NOW)
        for number in range(1, heard + 1)
    )
    known = {} if status == "in_progress" else {"final_sequence_number": heard}
    if created:
        known["created_at"] = created
    Call.objects.filter(pk=call.pk).update(status=status, call_start_time=start, last_sequence_number=heard, **known)
    return call


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


def counted_by_hand():
    """Store nine calls around 10 March 2026. 23:30 in UTC is the next day in Berlin."""
    known = {"call_duration_seconds": 60, "cost": 100, "cost_usd": Decimal("0.25")}
    made(0, utc(2026, 3, 10, 12), call_successful=True, heard=3, **known)
    made(1, utc(2026, 3, 10, 12), call_successful=False, call_duration_seconds=31, cost=-5)
    made(2, utc(2026, 3, 10, 23, 30), call_successful=None, heard=1)
    made(3, utc(2026, 3, 10, 22, 59, 59), status="failed", failure_reason="busy")
    made(4, utc(2026, 3, 10, 23), status="failed", failure_reason="busy", agent="b")
    made(5, None, status="failed", created=utc(2026, 3, 11, 8), agent="b")
    made(6, utc(2026, 3, 11, 9), status="in_progress", agent="b", heard=2)
    made(7, utc(2026, 3, 11, 9), agent="", call_successful=True, **known)
    made(8, utc(2026, 2, 28, 22, 59), call_successful=True, **known)
