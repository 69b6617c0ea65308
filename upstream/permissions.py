"""Who may ask ElevenLabs, and what they get to see of a call."""

from __future__ import annotations

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from calls import access_log
from calls.api.serializers import CallSerializer, for_viewers, with_recording
from calls.models import Call
from upstream.dialing import Order, register


class MayDial(BasePermission):
    def has_permission(self, request: Request, view: Any) -> bool:
        return request.user.has_perm("calls.dial_call")


class MayChange(BasePermission):
    def has_permission(self, request: Request, view: Any) -> bool:
        return request.user.has_perm("calls.change_call")


def registered(request: Any, order: Order) -> Call:
    """The row of a call that is about to be placed; the access log has it too. Raises NotLogged."""
    return access_log.noted_change(request, lambda: register(order), "dialled")


def shown(call: Call, user: Any) -> dict[str, Any]:
    """The call; to somebody who may not view calls its identifiers, and how the dial went."""
    return for_viewers(user, CallSerializer(with_recording(call)).data, "dial_state")
