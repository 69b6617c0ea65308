"""Simulated conversations: they ask conversation-init, run the agent's tool, end, and post webhooks, or fail to."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

from simulator.call import AGENT_NAME, AGENT_NUMBER, SCENARIOS, SimulatedCall, new_call
from simulator.conversation import metadata_of, seconds_of
from simulator.events import audio, initiation_failure, transcription
from simulator.live import LIVE
from simulator.recording import beeps
from simulator.scenario import Line
from simulator.server import CONVERSATION_INIT, TURN, Refused, Server, SimulationError

TELLINGS = {"once": 1, "late": 1, "twice": 2, "never": 0}
RINGING_PACES = 2
UNKNOWN_TRIES, UNKNOWN_SECONDS = 4, 0.5  # for a webhook whose call is not known yet
# A function that is called with each event of a conversation: the call, a word for the event, a sentence.
Happened = Callable[[SimulatedCall, str, str], None]
_scenarios = cycle(SCENARIOS)


@dataclass(slots=True, kw_only=True)
class Behaviour:
    """The behaviour of conversations. `outcome`: the post-call webhooks come "once", "late", "twice" or "never".

    `overtakes`: the webhooks come before the dial is answered. `unanswered`: nobody takes the call, which fails with
    `failure` ("busy", "no-answer", "unknown"). `endless`: the conversation never ends. `hangs_up`: a conversation that
    is stopped ends as if the driver had hung up; else it stops without a webhook.
    """

    pace_seconds: float = 0.0
    outcome: str = "once"
    late_seconds: float = 5.0
    live: str = "history"
    endless: bool = False
    overtakes: bool = False
    unanswered: bool = False
    failure: str = "no-answer"
    recorded: bool = True
    hangs_up: bool = False


def _unheard(call: SimulatedCall, word: str, text: str) -> None:
    pass


@dataclass(slots=True)
class Conversation:
    """One conversation at ElevenLabs. `client_data` came with the dial; None: the conversation asks conversation-init.

    `lines`: the sentences, if not all of the scenario. When callsite refuses a request, the conversation goes on, as at
    ElevenLabs, and `happened` gets an "error". `over` is set at the end.
    """

    call: SimulatedCall
    agent_id: str
    client_data: dict[str, Any] | None
    behaviour: Behaviour
    lines: Sequence[Line] | None = None
    happened: Happened = _unheard
    status: str = "initiated"
    data: dict[str, Any] = field(default_factory=dict)  # the API's answer, after the end
    events: list[dict[str, Any]] = field(default_factory=list)  # the post-call webhooks
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def variables(self) -> dict[str, Any]:
        told = (self.client_data or {}).get("dynamic_variables") or {}
        return {**told, "system__conversation_id": self.call.conversation_id, "system__agent_id": self.agent_id}

    def detail(self) -> dict[str, Any]:
        """Return the answer of GET /v1/convai/conversations/{id}."""
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
        """Return the conversation's item in a list of conversations."""
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
        """Run the conversation to its end, and post its webhooks."""
        try:
            self._live(server, stop)
        finally:
            self.over.set()

    def tell(self, server: Server, times: int = 1, stop: threading.Event | None = None) -> None:
        """Post the conversation's post-call webhooks, each `times` times."""
        for event in self.events:
            for number in range(times):
                try:
                    answer = self._post(server, stop or threading.Event(), event)
                except SimulationError as error:
                    self.happened(self.call, "error", str(error))
                else:
                    if number == 0:
                        self.happened(self.call, *self._news(event, answer))

    def _post(self, server: Server, stop: threading.Event, event: dict[str, Any]) -> dict[str, Any]:
        """Post a webhook and return the reply. A busy server may link the answer to its dial only a moment later."""
        for _ in range(UNKNOWN_TRIES):
            try:
                return server.post_call(event)
            except Refused as error:
                if error.status != 404:
                    raise
            stop.wait(UNKNOWN_SECONDS)
        return server.post_call(event)

    def _live(self, server: Server, stop: threading.Event) -> None:
        if self.client_data is None:
            self._ask_init(server)
        self.call.call_sid = str(self.variables.get("call_sid") or self.call.provider_sid)
        self.happened(self.call, "registered", f"{self.call.call_sid}, {self.call.scenario.title}")
        if self.behaviour.unanswered:
            stop.wait(RINGING_PACES * self.behaviour.pace_seconds)
            self._fail()
        else:
            self._speak(server, stop)
            if self.behaviour.endless or (stop.is_set() and not self.behaviour.hangs_up):
                return
            self._end()
        if self.behaviour.outcome == "late":
            stop.wait(self.behaviour.late_seconds)
        self.tell(server, TELLINGS[self.behaviour.outcome], stop)

    def _ask_init(self, server: Server) -> None:
        names = {"call_sid": self.call.provider_sid, "conversation_id": self.call.conversation_id}
        numbers = {"caller_id": self.call.driver_number, "called_number": AGENT_NUMBER, "agent_id": self.agent_id}
        answer = self._tool(server, CONVERSATION_INIT, names | numbers)
        self.client_data = {"dynamic_variables": answer.get("dynamic_variables", {})}

    def _speak(self, server: Server, stop: threading.Event) -> None:
        self.status = "in-progress"
        for line in self._lines:
            if stop.wait(self.behaviour.pace_seconds):
                return
            self.call.says(line)
            if self.behaviour.live != "none":
                for request in LIVE[self.behaviour.live](self.call, self._lines):
                    self._tool(server, TURN, request)
            self.happened(self.call, "agent" if line.role == "agent" else "driver", line.text)
        stop.wait(self.behaviour.pace_seconds)

    def _tool(self, server: Server, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Send a tool's request, and return the reply, {} if callsite refuses.

        404 is no error: a busy server may know the call a moment later, and keeps the turn for it.
        """
        try:
            return server.tool(path, body)
        except SimulationError as error:
            if not (isinstance(error, Refused) and error.status == 404):
                self.happened(self.call, "error", str(error))
        return {}

    @property
    def _lines(self) -> Sequence[Line]:
        if self.lines is None:
            self.lines = self.call.scenario.lines(self.call.details)
        return self.lines

    @property
    def _cut_short(self) -> bool:
        return len(self.call.said) < len(self._lines)

    def _end(self) -> None:
        self.status = "processing"
        recorded = self.behaviour.recorded and bool(self.call.said)
        event = transcription(self.call, cut_short=self._cut_short, audio=recorded)
        data = deepcopy(event["data"])
        given = data["conversation_initiation_client_data"]
        given["dynamic_variables"] |= self.variables
        data |= {"agent_id": self.agent_id, "conversation_id": self.call.conversation_id}
        self.events = [event | {"data": data}]
        self.data, self.status = data, "done"
        if recorded:
            recording = audio(self.call)
            recording["data"]["agent_id"] = self.agent_id
            self.events.append(recording)

    def _fail(self) -> None:
        event = initiation_failure(self.call, self.behaviour.failure)
        event["data"]["agent_id"] = self.agent_id
        self.data = self.detail() | {"status": "failed"}
        self.events, self.status = [event], "failed"

    def _news(self, event: dict[str, Any], answer: dict[str, Any]) -> tuple[str, str]:
        """Return the word and the sentence about a webhook that callsite took."""
        seconds = seconds_of(self.call)
        if event["type"] == "post_call_audio":
            return "recording", f"{seconds} s of MP3 stored"
        if self.behaviour.unanswered:
            teller = "the SIP trunk" if self.call.by_sip else "Twilio"
            return str(answer.get("call_status")), f"{self.behaviour.failure}, says {teller}"
        verdict = "cut short" if self._cut_short else self.call.scenario.verdict
        turns = f"{len(self.call.said)} turns, {self.call.told} of them live"
        return str(answer.get("call_status")), f"{verdict}, {turns}, in {seconds} s"


def dialled(body: dict[str, Any], provider: str, behaviour: Behaviour) -> Conversation:
    """Return the conversation that a dial begins, from the body of the dial."""
    call = new_call(next(_scenarios))
    call.by_sip = provider == "sip-trunk"
    call.provider_sid = f"SCL_{secrets.token_hex(6)}" if call.by_sip else f"CA{secrets.token_hex(16)}"
    call.driver_number = body["to_number"]
    return Conversation(call, body["agent_id"], body.get("conversation_initiation_client_data"), behaviour)


def called(agent_id: str, behaviour: Behaviour) -> Conversation:
    """Return a conversation that begins with a driver's call to the agent."""
    call = new_call(next(_scenarios))
    call.direction = "inbound"
    return Conversation(call, agent_id, None, behaviour)


def in_thread(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread
