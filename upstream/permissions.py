"""Who may ask ElevenLabs, and what they get to see of a call."""

from __future__ import annotations

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from calls.api.serializers import CallSerializer
from calls.models import Call, CallRecording


class MayDial(BasePermission):
    def has_permission(self, request: Request, view: Any) -> bool:
        return request.user.has_perm("calls.dial_call")


class MayChange(BasePermission):
    def has_permission(self, request: Request, view: Any) -> bool:
        return request.user.has_perm("calls.change_call")


def shown(call: Call, user: Any) -> dict[str, Any]:
    """The call; to somebody who may not view calls its identifiers, and how the dial went."""
    if not user.has_perm("calls.view_call"):
        names = ("call_sid", "conversation_id", "dial_state")
        return {name: getattr(call, name) for name in names}
    call.has_recording = CallRecording.objects.filter(call=call).exists()  # type: ignore[attr-defined]
    return dict(CallSerializer(call).data)
