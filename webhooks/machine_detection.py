"""Parse `answering_machine_detection`, which says who or what picked up. ElevenLabs does not publish its format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from calls.linking import Name, NameRank, Reference
from webhooks.fields import optional_identifier

_CONVERSATION_KEYS = frozenset({"conversationid", "systemconversationid"})
_CLAIMED = "variable "  # put in front of the keys of dynamic variables
_SID_KEYS = frozenset({"callsid", "systemcallsid", "sipcallid", "callid"})
_ANSWERED_BY = {"human": "human", "fax": "fax", "unknown": "unknown", "machine": "machine", "voicemail": "machine"}


@dataclass(frozen=True, slots=True)
class MachineDetection:
    """A verdict on who or what picked up. `answered_by` is empty if no known word says it."""

    call: Reference
    answered_by: str


def machine_detection(data: Any) -> MachineDetection | None:
    """Find the names of a call and the verdict anywhere in `data`; return None if it names no call.

    A `call_sid` among dynamic variables is only a claim, as whoever starts a conversation may set it.
    """
    found: dict[str, str] = {}
    words = list[tuple[bool, str]]()
    level: list[tuple[str, Any]] = [("", data)]
    while level:
        for key, value in level:
            plain = _plain(key)
            sid = optional_identifier(value)
            if sid and plain in _CONVERSATION_KEYS:
                found.setdefault("conversation_id", sid)
            elif sid and plain == "agentid":
                found.setdefault("agent_id", sid)
            elif sid and plain in _SID_KEYS:
                found.setdefault("call_sid", sid)
            elif plain.startswith(_CLAIMED):
                if sid and plain == _CLAIMED + "callsid":
                    found.setdefault("claimed", sid)
            elif sid and (verdict := _ANSWERED_BY.get(sid.lower().split("_")[0].split("-")[0])):
                words.append((plain != "answeredby", verdict))
        level = [inner for key, value in level for inner in _inside(key, value)]
    if not found.keys() & {"conversation_id", "call_sid", "claimed"}:
        return None
    names = [Name(found["call_sid"], NameRank.PROVIDER)] if "call_sid" in found else []
    if "claimed" in found:
        names.append(Name(found["claimed"], NameRank.CLAIMED, is_claim=True))
    reference = Reference(
        conversation_id=found.get("conversation_id"), names=tuple(names), agent_id=found.get("agent_id", "")
    )
    return MachineDetection(reference, min(words)[1] if words else "")


def _plain(key: str) -> str:
    return key.replace("_", "").replace("-", "").lower()


def _inside(key: str, value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        claims = _plain(key) == "dynamicvariables"
        return [
            (f"{_CLAIMED}{name}" if claims and not _plain(name).startswith("system") else name, inner)
            for name, inner in value.items()
        ]
    return [("", item) for item in value] if isinstance(value, list) else []
