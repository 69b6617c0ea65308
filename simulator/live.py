"""The requests that report a call while it runs: the agent's tool sends the history, or each sentence is a request.

docs/live-turns.md describes the tool. The shape of its history: "Dynamic variables" in
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
EACH_INTERRUPTED = 3  # every third sentence of the agent is interrupted
WORDS_INTERRUPTED = 8  # if it has at least this many words

# From a call and all its sentences: the requests to send after the last sentence of `call.said`.
Live = Callable[[SimulatedCall, Sequence[Line]], Iterator[dict[str, Any]]]


def by_history(call: SimulatedCall, lines: Sequence[Line]) -> Iterator[dict[str, Any]]:
    """Yield the requests of the agent's tool: it runs after each sentence of the driver, except the call's last one.

    It also runs during a sentence of the agent that the driver will interrupt: later histories have a shorter sentence.
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
    """Yield one request, for the last sentence."""
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
    """Tell whether the driver interrupts the agent in sentence `number` (1, 2, 3 …); never in the goodbye."""
    if not 1 <= number < len(lines) - 1 or [line.role for line in lines[number - 1 : number + 1]] != ["agent", "user"]:
        return False
    by_agent = sum(line.role == "agent" for line in lines[:number])
    return by_agent % EACH_INTERRUPTED == 0 and len(lines[number - 1].text.split()) >= WORDS_INTERRUPTED


def _run_tool(call: SimulatedCall) -> dict[str, Any]:
    """Return the tool's request: all sentences so far, and the earlier runs of the tool among them."""
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
    """Return the entry of a run of the tool. A placeholder replaces the history, which cannot contain itself."""
    parameters = {**_names(call), "history": "[conversation history]"}
    return {"role": "agent", "tool_requests": [{"tool_name": TOOL, "params_as_json": parameters}]}


def _names(call: SimulatedCall) -> dict[str, str]:
    return {"conversation_id": call.conversation_id, "agent_id": AGENT_ID}


def _enveloped(call: SimulatedCall, number: int, parameters: dict[str, Any]) -> dict[str, Any]:
    """Return the body of a tool's request: flat for Twilio calls, in an envelope for SIP: real tools send either."""
    if not call.by_sip:
        return parameters
    tool = {"tool_call_id": f"call_{number}", "tool_name": TOOL}
    return {**tool, "parameters": parameters, "conversation_id": call.conversation_id}
