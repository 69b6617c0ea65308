"""`answering_machine_detection`: who or what picked up. ElevenLabs does not publish this body."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from calls.linking import Name, NameRank, Reference
from webhooks.fields import optional_identifier

_CONVERSATION_KEYS = frozenset({"conversationid", "systemconversationid"})
_SID_KEYS = frozenset({"callsid", "systemcallsid", "sipcallid", "callid"})
_ANSWERED_BY = {"human": "human", "fax": "fax", "unknown": "unknown", "machine": "machine", "voicemail": "machine"}


@dataclass(frozen=True, slots=True)
class MachineDetection:
    """Who or what picked up; `answered_by` is "" where no known word says it."""

    call: Reference
    answered_by: str


def machine_detection(data: Any) -> MachineDetection | None:
    """Looks for the names of a call, and for the verdict, wherever they may stand in `data`. None: it names no call."""
    found: dict[str, str] = {}
    words = list[tuple[bool, str]]()
    level: list[tuple[str, Any]] = [("", data)]
    while level:
        for key, value in level:
            plain = key.replace("_", "").replace("-", "").lower()
            sid = optional_identifier(value)
            if sid and plain in _CONVERSATION_KEYS:
                found.setdefault("conversation_id", sid)
            elif sid and plain in _SID_KEYS:
                found.setdefault("call_sid", sid)
            elif sid and (verdict := _ANSWERED_BY.get(sid.lower().split("_")[0].split("-")[0])):
                words.append((plain != "answeredby", verdict))
        level = [inner for _, value in level for inner in _inside(value)]
    if not found:
        return None
    names = (Name(found["call_sid"], NameRank.PROVIDER),) if "call_sid" in found else ()
    reference = Reference(conversation_id=found.get("conversation_id"), names=names)
    return MachineDetection(reference, min(words)[1] if words else "")


def _inside(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return list(value.items())
    return [("", item) for item in value] if isinstance(value, list) else []
