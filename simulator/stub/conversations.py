"""Pretended conversations: they ask conversation-init, run the agent's tool, end, and tell callsite, or fail to."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

from simulator.call import AGENT_NAME, AGENT_NUMBER, SCENARIOS, SimulatedCall, new_call
from simulator.conversation import metadata_of
from simulator.events import audio, initiation_failure, transcription
from simulator.live import LIVE
from simulator.recording import beeps
from simulator.server import CONVERSATION_INIT, TURN, Server, SimulationError

TELLINGS = {"once": 1, "late": 1, "twice": 2, "never": 0}
_scenarios = cycle(SCENARIOS)


@dataclass(slots=True, kw_only=True)
class Behaviour:
    """How conversations go. `outcome`: the post-call webhooks come once, late, twice or never.

    `overtakes`: they come before the dial is answered. `unanswered`: nobody takes the call. `endless`: it never ends.
    """

    pace_seconds: float = 0.0
    outcome: str = "once"
    late_seconds: float = 5.0
    live: str = "history"
    endless: bool = False
    overtakes: bool = False
    unanswered: bool = False
    recorded: bool = True


@dataclass(slots=True)
class Conversation:
    """One conversation at ElevenLabs. `client_data` is what the dial sent along; None: conversation-init is asked."""

    call: SimulatedCall
    agent_id: str
    client_data: dict[str, Any] | None
    behaviour: Behaviour
    status: str = "initiated"
    data: dict[str, Any] = field(default_factory=dict)  # once it is over
    events: list[dict[str, Any]] = field(default_factory=list)  # the webhooks that tell its end

    @property
    def variables(self) -> dict[str, Any]:
        told = (self.client_data or {}).get("dynamic_variables") or {}
        return {**told, "system__conversation_id": self.call.conversation_id, "system__agent_id": self.agent_id}

    def detail(self) -> dict[str, Any]:
        """The answer of GET /v1/convai/conversations/{id}."""
        if self.data:
            return self.data
        metadata = metadata_of(self.call, 0, cut_short=False) | {"cost": None, "cost_fiat": None, "charging": None}
        return {
            "agent_id": self.agent_id,
            "agent_name": AGENT_NAME,
            "conversation_id": self.call.conversation_id,
            "status": self.status,
            "user_id": None,
            "transcript": [],
            "metadata": metadata,
            "analysis": None,
            "conversation_initiation_client_data": {"dynamic_variables": self.variables},
            **dict.fromkeys(("has_audio", "has_user_audio", "has_response_audio", "has_auxiliary_audio"), False),
        }

    def summary(self) -> dict[str, Any]:
        """Its item in a list of conversations."""
        detail = self.detail()
        metadata, analysis = detail["metadata"], detail["analysis"] or {}
        return {
            "agent_id": self.agent_id,
            "agent_name": AGENT_NAME,
            "conversation_id": self.call.conversation_id,
            "start_time_unix_secs": metadata["start_time_unix_secs"],
            "call_duration_secs": metadata["call_duration_secs"],
            "cost": metadata["cost"],
            "cost_fiat": metadata["cost_fiat"],
            "message_count": sum(item["message"] is not None for item in detail["transcript"]),
            "status": self.status,
            "call_successful": analysis.get("call_successful", "unknown"),
            "transcript_summary": None,
            "direction": self.call.direction,
            "rating": None,
        }

    def audio(self) -> bytes | None:
        if not self.data.get("has_audio"):
            return None
        return beeps([(line.role, 0.2) for line, _ in self.call.said])

    def run(self, server: Server, stop: threading.Event) -> None:
        """Live it to its end. What callsite refuses is its own affair, as it is for ElevenLabs."""
        if self.client_data is None:
            self._ask_init(server)
        if self.behaviour.unanswered:
            self._fail()
        else:
            self._speak(server, stop)
            if self.behaviour.endless or stop.is_set():
                return
            self._end()
        if self.behaviour.outcome == "late":
            stop.wait(self.behaviour.late_seconds)
        self.tell(server, TELLINGS[self.behaviour.outcome])

    def tell(self, server: Server, times: int = 1) -> None:
        """Post its webhooks, each so many times."""
        for event in self.events:
            for _ in range(times):
                with suppress(SimulationError):
                    server.post_call(event)

    def _ask_init(self, server: Server) -> None:
        names = {"call_sid": self.call.provider_sid, "conversation_id": self.call.conversation_id}
        numbers = {"caller_id": self.call.driver_number, "called_number": AGENT_NUMBER, "agent_id": self.agent_id}
        answer: dict[str, Any] = {}
        with suppress(SimulationError):
            answer = server.tool(CONVERSATION_INIT, names | numbers)
        self.client_data = {"dynamic_variables": answer.get("dynamic_variables", {})}

    def _speak(self, server: Server, stop: threading.Event) -> None:
        self.status = "in-progress"
        self.call.call_sid = str(self.variables.get("call_sid") or self.call.provider_sid)
        lines = self.call.scenario.lines(self.call.details)
        for line in lines:
            if stop.wait(self.behaviour.pace_seconds):
                return
            self.call.says(line)
            if self.behaviour.live == "none":
                continue
            for request in LIVE[self.behaviour.live](self.call, lines):
                with suppress(SimulationError):
                    server.tool(TURN, request)

    def _end(self) -> None:
        self.status = "processing"
        event = transcription(self.call, audio=self.behaviour.recorded)
        data = deepcopy(event["data"])
        given = data["conversation_initiation_client_data"]
        given["dynamic_variables"] |= self.variables
        data |= {"agent_id": self.agent_id, "conversation_id": self.call.conversation_id}
        self.events = [event | {"data": data}]
        self.data, self.status = data, "done"
        if self.behaviour.recorded:
            recording = audio(self.call)
            recording["data"]["agent_id"] = self.agent_id
            self.events.append(recording)

    def _fail(self) -> None:
        event = initiation_failure(self.call, "no-answer")
        event["data"]["agent_id"] = self.agent_id
        self.data = self.detail() | {"status": "failed"}
        self.events, self.status = [event], "failed"


def dialled(body: dict[str, Any], provider: str, behaviour: Behaviour) -> Conversation:
    """The conversation that a dial begins."""
    call = new_call(next(_scenarios))
    call.by_sip = provider == "sip-trunk"
    call.provider_sid = f"SCL_{secrets.token_hex(6)}" if call.by_sip else f"CA{secrets.token_hex(16)}"
    call.driver_number = body["to_number"]
    return Conversation(call, body["agent_id"], body.get("conversation_initiation_client_data"), behaviour)


def called(agent_id: str, behaviour: Behaviour) -> Conversation:
    """One that somebody begins who calls the agent."""
    call = new_call(next(_scenarios))
    call.direction = "inbound"
    return Conversation(call, agent_id, None, behaviour)


def in_thread(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread
