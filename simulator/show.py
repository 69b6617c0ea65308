"""The demo's programme: several lines of calls at the same time, and a subscriber that prints what it hears of them.

Most calls are dialled through callsite's own API, which asks the stub of ElevenLabs; in some, a driver calls the agent.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from typing import Any

from simulator.call import AGENT_NAME, AGENT_NUMBER, SCENARIOS, SimulatedCall, new_call
from simulator.dialogues import GATE_CODE
from simulator.server import Server, SimulationError
from simulator.stub.conversations import Behaviour, Conversation, dialled
from simulator.stub.server import Stub
from simulator.subscriber import Subscriber
from simulator.terminal import Terminal
from simulator.together import together

FAILURES = ("busy", "no-answer", "unknown")
# Of six calls in a row, one is recorded, one fails at initiation, one is inbound, and two send a request for each
# sentence.
CYCLE, RECORDED, FAILING, INBOUND, BY_TURNS = 6, 1, 2, 4, (0, 3)
STAGGER_PACES, PAUSE_PACES = 1.4, 3
LAST_WORDS_SECONDS = 5.0
REFERENCE = "reference"  # the dynamic variable by which the stub finds the call that is dialled


class Show:
    """Runs the demo's calls. `stub` has the conversations; when it stops, the drivers hang up.

    `token` returns a JWT of a user who may dial; `dispatcher` is the subscriber's user name and password.
    """

    def __init__(
        self,
        server: Server,
        stub: Stub,
        terminal: Terminal,
        token: Callable[[], str],
        dispatcher: tuple[str, str],
    ) -> None:
        self.server, self.stub, self.terminal, self.token = server, stub, terminal, token
        self.stop, self.pace_seconds = stub.stop, stub.behaviour.pace_seconds
        self.subscriber = Subscriber(server, *dispatcher, self._heard)
        self._names: dict[str, str] = {}
        self._numbers = count()
        self._seen: Counter[str] = Counter()
        self._awaited: dict[str, Conversation] = {}
        self._refused: list[str] = []
        stub.answers_dial = self._dialled

    def run(self, calls: int, rounds: int | None) -> None:
        """Run `calls` lines with `rounds` calls each (None: until Ctrl-C), then print what the subscriber heard."""
        lines = [partial(self._line, place, rounds) for place in range(calls)]
        try:
            together(lines, self.stop, lambda: self.terminal.out.write("\nThe calls are being ended …"))
        finally:
            deadline = time.monotonic() + LAST_WORDS_SECONDS
            while self.subscriber.listening and time.monotonic() < deadline:
                time.sleep(0.05)
            self.subscriber.close()
            self.terminal.out.write(self._result())

    def _line(self, place: int, rounds: int | None) -> None:
        wait, pace = self.stop.wait, self.pace_seconds
        turns: Iterator[int] = count() if rounds is None else iter(range(rounds))
        if wait(place * STAGGER_PACES * pace):
            return
        for _ in turns:
            self._one_call(next(self._numbers))
            if wait(PAUSE_PACES * pace):
                return

    def _one_call(self, number: int) -> None:
        inbound = number % CYCLE == INBOUND
        call = new_call(GATE_CODE if inbound else SCENARIOS[number % len(SCENARIOS)])
        behaviour = Behaviour(
            pace_seconds=self.pace_seconds,
            live="turns" if number % CYCLE in BY_TURNS else "history",
            recorded=number % CYCLE == RECORDED,
            unanswered=number % CYCLE == FAILING,
            failure=FAILURES[number // CYCLE % len(FAILURES)],
            hangs_up=True,
        )
        conversation = Conversation(call, self.stub.workspace.agent_id, None, behaviour, happened=self._told)
        if inbound:
            call.direction = "inbound"
            self.stub.place(conversation).run(self.server, self.stop)
        else:
            self._dial(conversation, str(number))
        if self._refused:
            raise SimulationError(self._refused[0])

    def _dial(self, conversation: Conversation, reference: str) -> None:
        """Dial a call through the API, and return when its conversation is over. Raises SimulationError."""
        call = conversation.call
        self._awaited[reference] = conversation
        order = {
            "driver_id": call.driver_id,
            "to_number": call.driver_number,
            "provider": "sip_trunk" if call.by_sip else "twilio",
            "dynamic_variables": {**call.details, REFERENCE: reference},
        }
        answer = self.server.api("POST", "/api/calls/dial/", order, self.token())
        if answer["conversation_id"] != call.conversation_id:
            raise SimulationError("The stub of ElevenLabs did not answer a dial in time. Is this machine very busy?")
        conversation.over.wait()

    def _dialled(self, body: dict[str, Any], provider: str, behaviour: Behaviour) -> Conversation:
        """Return the conversation that a dial begins; the stub calls this. A dial may also come from the admin."""
        client_data = body.get("conversation_initiation_client_data") or {}
        reference = (client_data.get("dynamic_variables") or {}).get(REFERENCE, "")
        conversation = self._awaited.pop(reference, None)
        if conversation is None:
            return dialled(body, provider, behaviour)
        conversation.client_data = client_data
        return conversation

    def _told(self, call: SimulatedCall, word: str, text: str) -> None:
        """Handle an event of a conversation, which goes on afterwards: the subscriber listens before the first turn."""
        self._seen[word] += 1
        if word == "registered":
            self._names[call.call_sid] = call.driver_name
            self._name_agent(call)
            self.subscriber.listen_to(call.call_sid)
        elif word in ("completed", "failed"):
            self._seen["told"] += call.told
        elif word == "recording":
            self.terminal.event(call.driver_name, word, f"{text}, to be heard in the admin and the API")
        elif word == "error":
            self._refused.append(text)
            self.stop.set()

    def _name_agent(self, call: SimulatedCall) -> None:
        """Tell callsite the agent's name and our number, as a dialler knows them: ElevenLabs sends them at the end."""
        known = {"agent_name": AGENT_NAME} | ({"from_number": AGENT_NUMBER} if call.direction == "outbound" else {})
        try:
            self.server.api("PATCH", f"/api/calls/{call.call_sid}/", known, self.token())
        except SimulationError as error:
            self._told(call, "error", str(error))

    def _heard(self, message: dict[str, Any]) -> None:
        """Print a message; the subscriber calls this for each message that it hears."""
        kind = message["type"]
        self._seen[kind] += 1
        say = partial(self.terminal.event, self._names.get(message.get("call_sid", ""), ""))
        match kind:
            case "subscription_confirmed":
                say("subscribed", message["call_sid"])
            case "transcription":
                say(message["speaker_type"], f"{message['sequence_number']:>2}  {message['message_text']}")
            case "call_status":
                say(message["status"], f"at {message['call_end_time']}")
            case "call_completed":
                say("result", result_of(message["call_data"]))
            case _:
                say(kind, f"{message.get('code', '')} {message.get('message', '')}")

    def _result(self) -> str:
        seen = self._seen
        later = seen["agent"] + seen["driver"] - seen["told"]
        return (
            f"\nThe subscriber heard {seen['transcription']} of {seen['told']} turns and the end of "
            f"{seen['call_completed']} of {seen['registered']} calls: {seen['completed']} completed, "
            f"{seen['failed']} failed. The last {later} sentences came with the post-call transcripts."
        )


def result_of(call_data: dict[str, Any]) -> str:
    """Return one line about the result of a call, from its `call_data`."""
    if call_data["status"] == "failed":
        metadata = call_data["metadata"] or {}
        body = metadata.get("body", {})
        return f"no conversation: {body.get('CallStatus') or body.get('sip_status')} ({metadata.get('type')})"
    verdict = {True: "goal reached", False: "goal missed", None: "goal unclear"}[call_data["call_successful"]]
    return (
        f"{verdict}, {call_data['duration_seconds']} s, {call_data['cost']} credits. {call_data['transcript_summary']}"
    )
