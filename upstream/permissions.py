"""Who may ask ElevenLabs, and what they get to see of a call."""

from __future__ import annotations

from typing import Any, NamedTuple

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from calls import access_log
from calls.access import agents_of, may_see
from calls.access_log import Subject
from calls.api.serializers import CallSerializer
from calls.models import Call, CallRecording
from upstream.dialing import Order, register


class MayDial(BasePermission):
    def has_permission(self, request: Request, view: Any) -> bool:
        return request.user.has_perm("calls.dial_call")


class MayChange(BasePermission):
    def has_permission(self, request: Request, view: Any) -> bool:
        return request.user.has_perm("calls.change_call")


class NotItsAgent(NamedTuple):
    """Why a user who is limited to agents may not dial for this one."""

    status: int
    body: dict[str, Any]
    text: str


def not_its_agent(user: Any, agent_id: Any) -> NotItsAgent | None:
    """400 where a limited user names no agent, 403 where it names one that is not among its own."""
    agents = agents_of(user)
    if agents is None:
        return None
    if not agent_id:
        text = "Name the agent: you see the calls of some alone."
        return NotItsAgent(400, {"agent_id": [text]}, text)
    if not may_see(agents, agent_id):
        text = "You may not dial for this agent."
        return NotItsAgent(403, {"detail": text}, text)
    return None


def registered(request: Any, order: Order) -> Call:
    """The row of a call that is about to be placed; the access log has it too. Raises NotLogged."""

    def change() -> tuple[Call, Subject, str]:
        call = register(order)
        return call, Subject.of(call), "dialled"

    return access_log.noted_change(request, change)


def shown(call: Call, user: Any) -> dict[str, Any]:
    """The call; to somebody who may not view calls its identifiers, and how the dial went."""
    if not user.has_perm("calls.view_call"):
        names = ("call_sid", "conversation_id", "dial_state")
        return {name: getattr(call, name) for name in names}
    call.has_recording = CallRecording.objects.filter(call=call).exists()  # type: ignore[attr-defined]
    return dict(CallSerializer(call).data)
