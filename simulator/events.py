"""The post-call webhooks of a simulated call, in the shapes that ElevenLabs really sends.

https://elevenlabs.io/docs/eleven-agents/workflows/post-call-webhooks. Where those pages are silent, the types of the
official SDK and real webhooks (`webhooks/tests/payloads`) give the shape.
"""

from __future__ import annotations

import base64
import time
from email.utils import formatdate
from typing import Any

from simulator.call import AGENT_ID, AGENT_NAME, AGENT_NUMBER, SimulatedCall
from simulator.conversation import analysis_of, metadata_of, seconds_of, transcript_of
from simulator.recording import beeps


def transcription(call: SimulatedCall, *, cut_short: bool = False, audio: bool = False) -> dict[str, Any]:
    """Return a `post_call_transcription`: the whole conversation with its analysis. `cut_short`: the driver hung up."""
    duration = seconds_of(call)
    return _event(
        "post_call_transcription",
        call,
        {
            "agent_name": AGENT_NAME,
            "status": "done",
            "user_id": call.driver_id,
            "branch_id": None,
            "transcript": transcript_of(call, end_call=not cut_short),
            "metadata": metadata_of(call, duration, cut_short),
            "analysis": analysis_of(call, cut_short),
            "conversation_initiation_client_data": {
                "conversation_config_override": None,
                "custom_llm_extra_body": {},
                "user_id": call.driver_id,
                "source_info": {"source": None, "version": None},
                "dynamic_variables": {
                    **call.details,
                    "call_sid": call.call_sid,
                    "driver_id": call.driver_id,
                    "system__agent_id": AGENT_ID,
                    "system__conversation_id": call.conversation_id,
                    "system__call_duration_secs": duration,
                    "system__agent_turns": sum(line.role == "agent" for line, _ in call.said),
                    "system__call_id" if call.by_sip else "system__call_sid": call.provider_sid,
                },
            },
            "has_audio": audio,
            "has_user_audio": audio,
            "has_response_audio": audio,
            "has_auxiliary_audio": False,
        },
    )


def initiation_failure(call: SimulatedCall, reason: str) -> dict[str, Any]:
    """Return a `call_initiation_failure` of Twilio or a SIP trunk. `reason`: "busy", "no-answer" or "unknown"."""
    codes = {"busy": (486, "Busy here"), "no-answer": (480, "Temporarily unavailable")}
    code, phrase = codes.get(reason, (503, "Service unavailable"))
    if call.by_sip:
        body: dict[str, Any] = {
            "from_number": AGENT_NUMBER,
            "to_number": call.driver_number,
            "sip_status_code": code,
            "error_reason": f"INVITE failed: sip status: {code}: {phrase} (SIP {code})",
            "call_sid": call.provider_sid,
            "sip_status": phrase,
            "twirp_code": "unavailable",
        }
    else:
        body = {
            "CallSid": call.provider_sid,
            "CallStatus": "failed" if reason == "unknown" else reason,
            "SipResponseCode": str(code),
            "Direction": "outbound-api",
            "Timestamp": formatdate(),
            **dict.fromkeys(("To", "Called"), call.driver_number),
            **dict.fromkeys(("From", "Caller"), AGENT_NUMBER),
            **dict.fromkeys(("CallDuration", "Duration"), "0"),
            "SequenceNumber": "2",
            "CallbackSource": "call-progress-events",
            "ApiVersion": "2010-04-01",
        }
    metadata = {"type": "sip" if call.by_sip else "twilio", "body": body}
    return _event("call_initiation_failure", call, {"failure_reason": reason, "metadata": metadata})


def audio(call: SimulatedCall) -> dict[str, Any]:
    """Return a `post_call_audio`: an MP3 as long as the conversation, which beeps where somebody speaks."""
    times = [at for _, at in call.said]
    ends = [*times[1:], times[-1] + 1] if times else []
    spoken = [(line.role, end - at) for (line, at), end in zip(call.said, ends, strict=True)]
    return _event("post_call_audio", call, {"full_audio": base64.b64encode(beeps(spoken)).decode()})


def _event(kind: str, call: SimulatedCall, data: dict[str, Any]) -> dict[str, Any]:
    identifiers = {"agent_id": AGENT_ID, "conversation_id": call.conversation_id}
    return {"type": kind, "event_timestamp": int(time.time()), "data": {**identifiers, **data}}
