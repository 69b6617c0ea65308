"""The parts of a post-call transcription: the turns of a conversation, its metadata and its analysis."""

from __future__ import annotations

import json
import math
import time
from typing import Any

from simulator.call import AGENT_ID, AGENT_NUMBER, SimulatedCall

CREDITS_A_MINUTE, USD_A_CREDIT = 400, 0.00018


def seconds_of(call: SimulatedCall) -> int:
    """Return how long the call has lasted until now, in whole seconds, rounded up as ElevenLabs does."""
    return math.ceil(time.time() - call.started_at)


def transcript_of(call: SimulatedCall, end_call: bool) -> list[dict[str, Any]]:
    turns: list[dict[str, Any]] = []
    for number, (line, at) in enumerate(call.said, start=1):
        is_agent = line.role == "agent"
        turns.append(
            {
                "role": line.role,
                "agent_metadata": {"agent_id": AGENT_ID, "branch_id": None} if is_agent else None,
                "message": line.text,
                "tool_calls": [],
                "tool_results": [],
                "feedback": None,
                "time_in_call_secs": int(at - call.started_at),
                "interrupted": number in call.interrupted,
                "original_message": call.interrupted.get(number),
                "source_medium": None if is_agent else "audio",
                "id": f"msg_{number:03}",
                "created_at_unix_ms": int(at * 1000),
            }
        )
    if end_call and turns:
        turns.append(_hanging_up(turns[-1]))
    return turns


def _hanging_up(last: dict[str, Any]) -> dict[str, Any]:
    """Return the agent's last turn: it has no words, and calls the system tool `end_call`."""
    reason = "The driver has said goodbye."
    tool = {"type": "system", "request_id": "call_end", "tool_name": "end_call", "tool_has_been_called": True}
    result = {"result_type": "end_call_success", "status": "success", "reason": reason, "message": None}
    return {
        **last,
        "role": "agent",
        "agent_metadata": {"agent_id": AGENT_ID, "branch_id": None},
        "message": None,
        "interrupted": False,
        "original_message": None,
        "tool_calls": [{**tool, "params_as_json": json.dumps({"reason": reason})}],
        "tool_results": [{**tool, "result_value": "{}", "is_error": False, "result": result}],
        "source_medium": None,
        "id": f"{last['id']}_end",
    }


def metadata_of(call: SimulatedCall, duration: int, cut_short: bool) -> dict[str, Any]:
    used = max(1, round(duration * CREDITS_A_MINUTE / 60))
    phone_call: dict[str, Any] = {
        "type": "sip_trunking" if call.by_sip else "twilio",
        "direction": call.direction,
        "phone_number_id": "phnum_4401kfreightdemo",
        "agent_number": AGENT_NUMBER,
        "external_number": call.driver_number,
        "call_sid": call.provider_sid,
        "call_result": "voicemail" if "voicemail" in call.scenario.collected else "answered",
    }
    if not call.by_sip:
        phone_call["stream_sid"] = f"MZ{call.provider_sid[2:]}"
    return {
        "start_time_unix_secs": int(call.started_at),
        "accepted_time_unix_secs": int(call.started_at),
        "call_duration_secs": duration,
        "cost": used,
        "cost_fiat": round(used * USD_A_CREDIT, 4),
        "charging": {"tier": "pro", "call_charge": used - 1, "llm_charge": 1, "llm_price": 0.0004},
        "phone_call": phone_call,
        "batch_call": None,
        "termination_reason": "Call ended by remote party" if cut_short else call.scenario.termination,
        "error": None,
        "main_language": call.scenario.language,
        "text_only": False,
        "features_usage": {"voicemail_detection": {"enabled": True, "used": "voicemail" in call.scenario.collected}},
        "conversation_initiation_source": "sip_trunk" if call.by_sip else "twilio",
        "timezone": None,
    }


def analysis_of(call: SimulatedCall, cut_short: bool) -> dict[str, Any]:
    scenario = call.scenario
    verdicts = {
        key: {"criteria_id": key, "result": "unknown" if cut_short else result, "rationale": rationale}
        for key, (result, rationale) in scenario.evaluation.items()
    }
    kinds = {bool: "boolean", int: "integer", float: "number"}
    collected = {
        key: {
            "data_collection_id": key,
            "value": None if cut_short else call.fill(value) if isinstance(value, str) else value,
            "json_schema": {"type": kinds.get(type(value), "string"), "description": key.replace("_", " ")},
            "rationale": "Said in the conversation.",
        }
        for key, value in scenario.collected.items()
    }
    summary = "The driver hung up before the matter was settled." if cut_short else call.fill(scenario.summary)
    return {
        "evaluation_criteria_results": verdicts,
        "data_collection_results": collected,
        "call_successful": "unknown" if cut_short else scenario.verdict,
        "transcript_summary": summary,
        "call_summary_title": scenario.title,
    }
