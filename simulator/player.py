"""Plays a simulated call into any server: it registers the call and runs its conversation, through public routes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from threading import Event
from typing import Any

from simulator.call import AGENT_ID, AGENT_NAME, AGENT_NUMBER, SimulatedCall
from simulator.scenario import Line
from simulator.server import Refused, Server, SimulationError
from simulator.stub.conversations import Behaviour, Conversation, Happened


@dataclass(frozen=True, slots=True)
class Player:
    """Plays simulated calls into `server`. `stop` ends a running call as if the driver had hung up.

    `pace_seconds` is the time between two turns. `token` returns a JWT for `POST /api/calls/`, or "" if there is none.
    """

    server: Server
    pace_seconds: float
    token: Callable[[], str]
    tell: Happened
    stop: Event = field(default_factory=Event)

    def play(
        self, call: SimulatedCall, lines: Sequence[Line], *, live: str = "history", recorded: bool = False
    ) -> None:
        """Play a call that is answered: its turns, its transcription and, if `recorded`, its recording.

        Raises SimulationError when the server refuses something.
        """
        self._run(call, Behaviour(live=live, recorded=recorded), lines)

    def fail(self, call: SimulatedCall, reason: str) -> None:
        """Play a call that nobody answers: it rings, and fails with "busy", "no-answer" or "unknown".

        Raises SimulationError when the server refuses something.
        """
        self._run(call, Behaviour(unanswered=True, failure=reason), ())

    def _run(self, call: SimulatedCall, behaviour: Behaviour, lines: Sequence[Line]) -> None:
        """Run the call to its end. The first refusal of the server ends the call, and is raised."""
        behaviour = replace(behaviour, pace_seconds=self.pace_seconds, hangs_up=True)
        client_data = {"dynamic_variables": {"call_sid": call.call_sid}} if self._registers(call) else None
        if client_data is None:  # its names are the telephone company's identifier and its conversation_id
            call.direction = "inbound"
        refused: list[str] = []

        def happened(call: SimulatedCall, word: str, text: str) -> None:
            if word == "error":
                refused.append(text)
                self.stop.set()
            else:
                self.tell(call, word, text)

        conversation = Conversation(call, AGENT_ID, client_data, behaviour, lines=lines, happened=happened)
        conversation.run(self.server, self.stop)
        if refused:
            raise SimulationError(refused[0])

    def _registers(self, call: SimulatedCall) -> bool:
        """Register the call through the API; return False if there is no token, or the API refuses it.

        Then the conversation asks the conversation-init webhook.
        """
        if not (token := self.token()):
            return False
        try:
            self.server.api("POST", "/api/calls/", _registration(call), token)
        except Refused as refused:
            if refused.status not in (401, 403):
                raise
            return False
        return True


def _registration(call: SimulatedCall) -> dict[str, Any]:
    return {
        "call_sid": call.call_sid,
        "conversation_id": call.conversation_id,
        "driver_id": call.driver_id,
        "agent_id": AGENT_ID,
        "agent_name": AGENT_NAME,
        "direction": call.direction,
        "from_number": AGENT_NUMBER,
        "to_number": call.driver_number,
        "call_start_time": datetime.fromtimestamp(call.started_at, UTC).isoformat(),
    }
