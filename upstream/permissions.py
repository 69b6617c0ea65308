"""The permissions of requests to ElevenLabs, and the part of a call that a user gets to see."""

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
    """Store the row of a call that is about to be placed, and a row of the access log. Raises NotLogged."""
    return access_log.noted_change(request, lambda: register(order), "dialled")


def shown(call: Call, user: Any) -> dict[str, Any]:
    """Return a call's JSON; for a user who may not view calls, only its identifiers and its dial state."""
    return for_viewers(user, CallSerializer(with_recording(call)).data, "dial_state")
