"""Plays a simulated call: registers it, speaks its turns at a pace, ends it, all through the server's own doors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Event
from typing import Any

from simulator.call import AGENT_ID, AGENT_NAME, AGENT_NUMBER, SimulatedCall
from simulator.conversation import seconds_of
from simulator.events import audio, initiation_failure, transcription
from simulator.live import Live, by_history
from simulator.scenario import Line
from simulator.server import CONVERSATION_INIT, TURN, Refused, Server

RINGING_PACES = 2

# Who hears what happens: the call, a word for what it is, a sentence.
Tell = Callable[[SimulatedCall, str, str], None]


@dataclass(frozen=True, slots=True)
class Player:
    """`pace_seconds` lie between two turns. `stop` ends a call that is being played as if the driver hung up.

    `token` gives a JWT for `POST /api/calls/`, or "" where there is none.
    """

    server: Server
    pace_seconds: float
    token: Callable[[], str]
    tell: Tell
    stop: Event = field(default_factory=Event)

    def play(
        self, call: SimulatedCall, lines: Sequence[Line], *, live: Live = by_history, recorded: bool = False
    ) -> None:
        """A call that is answered: its turns, its transcription and, if wanted, its recording."""
        self.register(call)
        self._speak(call, lines, live)
        cut_short = len(call.said) < len(lines)
        answer = self.server.post_call(transcription(call, cut_short=cut_short, audio=recorded))
        verdict = "cut short" if cut_short else call.scenario.verdict
        turns = f"{len(call.said)} turns, {call.told} of them live"
        self.tell(call, str(answer["call_status"]), f"{verdict}, {turns}, in {seconds_of(call)} s")
        if recorded and call.said:
            self.server.post_call(audio(call))
            self.tell(call, "recording", f"{seconds_of(call)} s of MP3 stored")

    def fail(self, call: SimulatedCall, reason: str) -> None:
        """A call that nobody answers: it rings, and fails with "busy", "no-answer" or "unknown"."""
        self.register(call)
        self.stop.wait(RINGING_PACES * self.pace_seconds)
        answer = self.server.post_call(initiation_failure(call, reason))
        self.tell(call, str(answer["call_status"]), f"{reason}, says {'the SIP trunk' if call.by_sip else 'Twilio'}")

    def register(self, call: SimulatedCall) -> None:
        """Through the API; where that is refused, as an inbound call by the conversation-init webhook."""
        token = self.token()
        try:
            if token:
                self.server.api("POST", "/api/calls/", _registration(call), token)
                self.tell(call, "registered", f"{call.call_sid}, {call.scenario.title}")
                return
        except Refused as refused:
            if refused.status not in (401, 403):
                raise
        # There a call is known by its telephone company's identifier and its conversation.
        call.call_sid, call.direction = call.provider_sid, "inbound"
        names = {"call_sid": call.call_sid, "conversation_id": call.conversation_id, "agent_id": AGENT_ID}
        numbers = {"caller_id": call.driver_number, "called_number": AGENT_NUMBER}
        self.server.tool(CONVERSATION_INIT, names | numbers)
        self.tell(call, "registered", f"{call.call_sid}, {call.scenario.title} (by conversation-init)")

    def _speak(self, call: SimulatedCall, lines: Sequence[Line], live: Live) -> None:
        for line in lines:
            if self.stop.wait(self.pace_seconds):
                return
            call.says(line)
            for request in live(call, lines):
                self._say_live(request)
            self.tell(call, "agent" if line.role == "agent" else "driver", line.text)
        self.stop.wait(self.pace_seconds)

    def _say_live(self, request: dict[str, Any]) -> None:
        """404 is no failure: a busy server answers conversation-init first and registers the call a moment later."""
        try:
            self.server.tool(TURN, request)
        except Refused as refused:
            if refused.status != 404:  # else it is kept, and the call will take it
                raise


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
