"""The demo's programme: several lines of calls beside each other, and a subscriber who says what it hears of them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from typing import Any

from simulator.call import SCENARIOS, SimulatedCall, new_call
from simulator.live import by_history, by_turns
from simulator.player import Player
from simulator.server import Server
from simulator.subscriber import Subscriber
from simulator.terminal import Terminal
from simulator.together import together

FAILURES = ("busy", "no-answer", "unknown")
# Of six calls in a row one is recorded, one fails at initiation, and two are told by a request for each sentence.
CYCLE, RECORDED, FAILING, BY_TURNS = 6, 1, 2, (0, 3)
STAGGER_PACES, PAUSE_PACES = 1.4, 3
LAST_WORDS_SECONDS = 5.0


class Show:
    """`token` gives a JWT of somebody who may add calls; `dispatcher` is the subscriber's user name and password."""

    def __init__(
        self,
        server: Server,
        terminal: Terminal,
        pace_seconds: float,
        token: Callable[[], str],
        dispatcher: tuple[str, str],
    ) -> None:
        self.terminal = terminal
        self.player = Player(server, pace_seconds, token, self._told)
        self.subscriber = Subscriber(server, *dispatcher, self._heard)
        self._names: dict[str, str] = {}
        self._numbers = count()
        self._seen: Counter[str] = Counter()

    def run(self, calls: int, rounds: int | None) -> None:
        """`calls` lines with `rounds` calls each; None: until Ctrl-C. Says in the end what was heard of it all."""
        lines = [partial(self._line, place, rounds) for place in range(calls)]
        try:
            together(lines, self.player.stop, lambda: self.terminal.out.write("\nThe calls are being ended …"))
        finally:
            deadline = time.monotonic() + LAST_WORDS_SECONDS
            while self.subscriber.listening and time.monotonic() < deadline:
                time.sleep(0.05)
            self.subscriber.close()
            self.terminal.out.write(self._result())

    def _line(self, place: int, rounds: int | None) -> None:
        wait, pace = self.player.stop.wait, self.player.pace_seconds
        turns: Iterator[int] = count() if rounds is None else iter(range(rounds))
        if wait(place * STAGGER_PACES * pace):
            return
        for _ in turns:
            self._one_call(next(self._numbers))
            if wait(PAUSE_PACES * pace):
                return

    def _one_call(self, number: int) -> None:
        call = new_call(SCENARIOS[number % len(SCENARIOS)])
        if number % CYCLE == FAILING:
            self.player.fail(call, FAILURES[number // CYCLE % len(FAILURES)])
        else:
            live = by_turns if number % CYCLE in BY_TURNS else by_history
            lines = call.scenario.lines(call.details)
            self.player.play(call, lines, live=live, recorded=number % CYCLE == RECORDED)

    def _told(self, call: SimulatedCall, word: str, text: str) -> None:
        """By the player. Nothing is said before the subscriber listens."""
        self._seen[word] += 1
        if word == "registered":
            self._names[call.call_sid] = call.driver_name
            self.subscriber.listen_to(call.call_sid)
        elif word in ("completed", "failed"):
            self._seen["told"] += call.told
        elif word == "recording":
            self.terminal.event(call.driver_name, word, f"{text}, to be heard in the admin and the API")

    def _heard(self, message: dict[str, Any]) -> None:
        """By the subscriber."""
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
    """A call's `call_data` in a line."""
    if call_data["status"] == "failed":
        metadata = call_data["metadata"] or {}
        body = metadata.get("body", {})
        return f"no conversation: {body.get('CallStatus') or body.get('sip_status')} ({metadata.get('type')})"
    verdict = {True: "goal reached", False: "goal missed", None: "goal unclear"}[call_data["call_successful"]]
    return (
        f"{verdict}, {call_data['duration_seconds']} s, {call_data['cost']} credits. {call_data['transcript_summary']}"
    )
