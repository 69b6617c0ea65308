"""How a call is told while it runs: by the agent's tool that sends the history, or a request for each sentence.

The tool is the one of docs/live-turns.md. The shape of its history: "Dynamic variables" in
https://elevenlabs.io/docs/eleven-agents/customization/personalization/dynamic-variables.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from simulator.call import AGENT_ID, SimulatedCall
from simulator.scenario import Line

TOOL = "live_transcript"
EACH_INTERRUPTED = 3  # of the agent's sentences one in so many is interrupted
WORDS_INTERRUPTED = 8  # if it has so many words

# The requests to send now that the last sentence of `call.said` was said; all sentences of the call.
Live = Callable[[SimulatedCall, Sequence[Line]], Iterator[dict[str, Any]]]


def by_history(call: SimulatedCall, lines: Sequence[Line]) -> Iterator[dict[str, Any]]:
    """The agent runs its tool when the driver has spoken, but not before it ends the call.

    It also runs while the agent says a sentence that the driver is about to interrupt: later histories have it shorter.
    """
    number = len(call.said)
    if lines[number - 1].role == "agent":
        if is_interrupted(lines, number):
            yield _run_tool(call)
        return
    if is_interrupted(lines, number - 1):
        call.interrupt(number - 1)
    if number < len(lines):
        yield _run_tool(call)


def by_turns(call: SimulatedCall, lines: Sequence[Line]) -> Iterator[dict[str, Any]]:
    """A request for each sentence."""
    line, at = call.said[-1]
    call.told = len(call.said)
    turn = {
        "call_sid": call.call_sid,
        "speaker": line.role,
        "message": line.text,
        "timestamp": datetime.fromtimestamp(at, UTC).isoformat(),
        "turn_id": f"turn_{call.told}",
    }
    yield _enveloped(call, call.told, turn)


LIVE: dict[str, Live] = {"history": by_history, "turns": by_turns}


def is_interrupted(lines: Sequence[Line], number: int) -> bool:
    """Whether the driver interrupts the agent in sentence `number` (1, 2, 3 …); never in the goodbye."""
    if not 1 <= number < len(lines) - 1 or [line.role for line in lines[number - 1 : number + 1]] != ["agent", "user"]:
        return False
    by_agent = sum(line.role == "agent" for line in lines[:number])
    return by_agent % EACH_INTERRUPTED == 0 and len(lines[number - 1].text.split()) >= WORDS_INTERRUPTED


def _run_tool(call: SimulatedCall) -> dict[str, Any]:
    """The tool's request: all that was said, and the earlier runs of the tool with it."""
    call.told = len(call.said)
    call.tool_runs.append(call.told)
    entries: list[dict[str, Any]] = []
    for number, (line, _) in enumerate(call.said, start=1):
        entries.append({"role": line.role, "message": line.text})
        if number in call.tool_runs:
            entries.append(_request(call))
            if number < call.told:  # this run has no result yet
                entries.append({"role": "tool", "tool_results": [{"tool_name": TOOL, "result_value": "success"}]})
    history = json.dumps({"x-elevenlabs-history": True, "entries": entries})
    return _enveloped(call, len(call.tool_runs), {**_names(call), "history": history})


def _request(call: SimulatedCall) -> dict[str, Any]:
    """A history does not hold itself."""
    parameters = {**_names(call), "history": "[conversation history]"}
    return {"role": "agent", "tool_requests": [{"tool_name": TOOL, "params_as_json": parameters}]}


def _names(call: SimulatedCall) -> dict[str, str]:
    return {"conversation_id": call.conversation_id, "agent_id": AGENT_ID}


def _enveloped(call: SimulatedCall, number: int, parameters: dict[str, Any]) -> dict[str, Any]:
    """Flat for some calls, in the envelope for others: agents' server tools send either."""
    if not call.by_sip:
        return parameters
    tool = {"tool_call_id": f"call_{number}", "tool_name": TOOL}
    return {**tool, "parameters": parameters, "conversation_id": call.conversation_id}
