"""The scenario of a simulated call: its dialogue, and the results of its analysis."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any, NamedTuple


class Line(NamedTuple):
    """One utterance; `role` in ElevenLabs' words, "agent" or "user" (the driver)."""

    role: str
    text: str


@dataclass(frozen=True, slots=True)
class Scenario:
    """A dialogue and its outcome. In texts, `{first_name}` and the like stand for details of the call.

    `script` and `small_talk` have one utterance per line, `A:` of the agent, `D:` of the driver; the last two lines of
    the script are the goodbye. `evaluation`: criterion → (result, rationale). `collected`: name of a data point →
    value. `verdict` is "success", "failure" or "unknown", about the goal and not about the connection.
    """

    title: str
    language: str
    script: str
    summary: str
    verdict: str
    evaluation: dict[str, tuple[str, str]]
    collected: dict[str, Any]
    small_talk: str = ""
    termination: str = "end_call tool was called."

    def lines(self, details: dict[str, str], turns: int | None = None) -> list[Line]:
        """Return the dialogue, cut or extended to `turns` utterances; None leaves its length."""
        script = _parse(self.script.format(**details))
        if turns is None:
            return script
        body, goodbye = script[:-2], script[-2:][-turns:]
        if turns > len(script):
            body += islice(cycle(_parse(self.small_talk)), turns - len(script))
        return body[: turns - len(goodbye)] + goodbye

    def can_last(self, turns: int) -> bool:
        """Tell whether the call stays believable with that many turns: an answering machine has no small talk."""
        return bool(self.small_talk) or turns <= len(_parse(self.script))


def _parse(script: str) -> list[Line]:
    roles = {"A": "agent", "D": "user"}
    parts = [line.partition(": ") for line in script.strip().splitlines()]
    return [Line(roles[speaker], text) for speaker, _, text in parts]
