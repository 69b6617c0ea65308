"""REST: place a call."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from calls.api.serializers import CallSerializer
from upstream import idempotency
from upstream.client import Client
from upstream.dialing import Dialled, expect_may_go, mark_unknown, place, register
from upstream.errors import NotConfigured
from upstream.permissions import MayDial, shown
from upstream.phone_numbers import NotAllowed
from upstream.serializers import DialSerializer

KEY = "Idempotency-Key"
KEY_MAX_LENGTH = 255


class Dial(APIView):
    """`POST /api/calls/dial/`."""

    permission_classes = (IsAuthenticated, MayDial)

    @extend_schema(
        operation_id="calls_dial",
        request=DialSerializer,
        parameters=[OpenApiParameter(KEY, str, OpenApiParameter.HEADER)],
        responses={201: CallSerializer, 202: CallSerializer},
    )
    def post(self, request: Request) -> Response:
        """Place a call: 201. 202: ElevenLabs did not answer, and `dial_state` will tell. Else the call is a failed one.

        With an Idempotency-Key the same request gets the same answer for 24 hours, and dials once.
        """
        key = _key(request)
        asked = DialSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        order = asked.save()
        try:
            expect_may_go(order)
            client = Client.from_settings()
        except NotAllowed as error:
            return Response({"detail": str(error)}, status=403)
        except NotConfigured as error:
            return Response({"detail": str(error)}, status=503)
        try:
            begun = idempotency.begin(request.user, key, request.data, lambda: register(order))
        except idempotency.KeyMisused as error:
            return Response({"detail": str(error)}, status=error.status)
        if begun.former is not None and begun.former.answer_status is not None:
            return Response(begun.former.answer_body, status=begun.former.answer_status)
        if begun.call is None:
            return Response({"detail": "The call of this Idempotency-Key was deleted."}, status=409)
        dialled = mark_unknown(begun.call) if begun.former else place(order, begun.call, client)
        body = _body(dialled, request.user)
        idempotency.end(begun.former or begun.request, dialled.status, body)
        headers = {"Retry-After": f"{dialled.retry_after_seconds:.0f}"} if dialled.retry_after_seconds else None
        return Response(body, status=dialled.status, headers=headers)


def _key(request: Request) -> str:
    key: str = request.headers.get(KEY, "").strip()
    if len(key) > KEY_MAX_LENGTH or not key.isprintable():
        raise ValidationError({KEY: [f"At most {KEY_MAX_LENGTH} printable characters."]})
    return key


def _body(dialled: Dialled, user: Any) -> dict[str, Any]:
    if dialled.status in (201, 202):
        return shown(dialled.call, user)
    return {"detail": dialled.reason, "call_sid": dialled.call.call_sid}
