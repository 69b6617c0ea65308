"""The state of a call at one moment, as far as a subscription needs it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CallState:
    """One call's state. `final_sequence_number`: the last turn that live subscribers get; None while the call runs."""

    call_id: int
    call_sid: str
    conversation_id: str | None
    status: str
    last_sequence_number: int
    final_sequence_number: int | None
    numbering: int = 0  # how often the call's turns were renumbered
    agent_id: str = ""

    @property
    def ended(self) -> bool:
        return self.final_sequence_number is not None
