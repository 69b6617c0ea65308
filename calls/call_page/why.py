"""One line on how a call ended: the failure in the telephone provider's words, or the criteria that were not met."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from calls.analysis import Criterion
from calls.models import Call
from calls.templatetags.calls import named

_UNMET_NAMED = 3
_GOAL = {True: "The goal was reached.", False: "The goal was not reached.", None: "The analysis gives no verdict."}


def state_of(call: Call) -> tuple[str, str]:
    """Return the state and the text of a call's badge, as on the live page. The state sets the badge's colour."""
    if not call.ended:
        return "calm", "In progress"
    if call.status == Call.Status.FAILED:
        return "failed", "Failed"
    return {
        True: ("good", "Successful"),
        False: ("bad", "Not successful"),
        None: ("ended", "Completed"),
    }[call.call_successful]


def why(call: Call, metadata: Any, criteria: Sequence[Criterion]) -> str:
    """Return how the call ended; "" for a call in progress. `metadata` must have its secrets masked: it is shown."""
    if not call.ended:
        return ""
    if call.status == Call.Status.FAILED:
        reason = named(call.failure_reason) or "No reason is known"
        told = [text for text in (_of_provider(metadata), _of_error(metadata)) if text and text not in reason]
        return ". ".join([reason.rstrip("."), *(text.rstrip(".") for text in told)]) + "."
    return " ".join(text for text in (_judged(call, criteria), _ending(metadata)) if text)


def short_why(call: Call, metadata: Any, criteria: Sequence[Criterion]) -> str:
    """Return, for a list, why the call failed or which criteria it did not meet; "" if neither is so."""
    if call.ended and call.status != Call.Status.FAILED:
        is_met = call.call_successful is not False and all(one.state != "bad" for one in criteria)
        return "" if is_met else _judged(call, criteria)
    return why(call, metadata, criteria)


def _judged(call: Call, criteria: Sequence[Criterion]) -> str:
    unmet = [named(one.name) for one in criteria if one.state == "bad"]
    if unmet:
        more = f" and {len(unmet) - _UNMET_NAMED} more" if len(unmet) > _UNMET_NAMED else ""
        reason = next(one.rationale for one in criteria if one.state == "bad")
        return f"Not met: {', '.join(unmet[:_UNMET_NAMED])}{more}." + (f" {reason}" if len(unmet) == 1 else "")
    met = sum(one.state == "good" for one in criteria)
    if not criteria:
        return _GOAL[call.call_successful]
    return (
        f"{met} of {len(criteria)} criteria met, {len(criteria) - met} unknown."
        if met < len(criteria)
        else (f"All {met} criteria met." if met > 1 else f"{named(criteria[0].name)}: met.")
    )


def _ending(metadata: Any) -> str:
    """Return ElevenLabs' reason for the end of the conversation, and an error that did not make the call fail."""
    reason = _text(metadata, "termination_reason")
    return " ".join(text for text in (f"{reason.rstrip('.')}." if reason else "", _of_error(metadata)) if text)


def _of_provider(metadata: Any) -> str:
    """Return what the telephone provider said about a call that never became a conversation."""
    body = metadata.get("body") if isinstance(metadata, dict) else None
    sip, status = _text(body, "error_reason"), _text(body, "sip_status")
    code = _text(body, "sip_status_code") or _text(body, "SipResponseCode")
    twilio = _text(body, "CallStatus")
    told = sip or status or (f"The telephone provider says “{twilio}”" if twilio else "")
    return f"{told} (SIP {code})".strip() if code and code not in told else told


def _of_error(metadata: Any) -> str:
    error = metadata.get("error") if isinstance(metadata, dict) else None
    reason, code = _text(error, "reason"), _text(error, "code")
    return f"{reason or 'Error'} ({code})" if code and code not in reason else reason


def _text(value: Any, name: str) -> str:
    found = value.get(name) if isinstance(value, dict) else None
    if isinstance(found, bool):
        return ""
    return str(found).strip() if isinstance(found, str | int | float) else ""
