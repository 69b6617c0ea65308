"""A call at one moment, as far as a subscription has to know it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CallState:
    """`final_sequence_number`: the last turn that live subscribers hear; None while the call runs."""

    call_id: int
    call_sid: str
    conversation_id: str | None
    status: str
    last_sequence_number: int
    final_sequence_number: int | None
    numbering: int = 0  # how often a merge has numbered its turns anew
    agent_id: str = ""

    @property
    def ended(self) -> bool:
        return self.final_sequence_number is not None
