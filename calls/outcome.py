"""The value types of a call's outcome, in callsite's words; `webhooks.payloads` makes them from ElevenLabs' words."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Parties:
    """The agent and the numbers of a call. An empty string means that the event did not give the value."""

    agent_id: str = ""
    agent_name: str = ""
    direction: str = ""
    from_number: str = ""
    to_number: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PostCallData:
    """A finished conversation, as one transcription event describes it.

    `event_time` orders two events about the same call; `failed` says that the conversation itself failed.
    Durations are in seconds, `cost` is in ElevenLabs' credits, `cost_usd` in US dollars.
    """

    event_time: datetime
    failed: bool = False
    failure_reason: str = ""
    parties: Parties = field(default_factory=Parties)
    start_time: datetime | None = None
    duration_seconds: Decimal | None = None
    cost: Decimal | None = None
    cost_usd: Decimal | None = None
    call_successful: bool | None = None
    transcript_summary: str = ""
    analysis: Any = None
    metadata: Any = None
    final_transcript: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFailure:
    """A call that never became a conversation. `metadata` is the telephone provider's report, unchanged."""

    event_time: datetime
    failure_reason: str = ""
    parties: Parties = field(default_factory=Parties)
    metadata: Any = None
