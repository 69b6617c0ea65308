"""The REST API's requests to ElevenLabs: place a call, and fetch a call's conversation."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import Error
from django.http import Http404
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from calls import access_log
from calls.access import agents_of, visible
from calls.api.described import ENDED, NAMED, REGISTERED, answer
from calls.api.described import request as request_example
from calls.api.known_names import KnownFields, KnownParameters
from calls.api.serializers import CallSerializer, expect_own_agent
from calls.models import Call
from upstream import idempotency
from upstream.client import Client
from upstream.dialing import NOT_STORED, Dialled, expect_may_go, mark_unknown, place
from upstream.errors import NotConfigured, Refused, TimedOut, UpstreamError
from upstream.fetching import NoConversation, StillRunning, fetch
from upstream.permissions import MayChange, MayDial, registered, shown
from upstream.phone_numbers import NotAllowed
from upstream.serializers import DialSerializer

KEY = "Idempotency-Key"
KEY_MAX_LENGTH = 255


class Dial(KnownParameters):
    """`POST /api/calls/dial/`."""

    permission_classes = (IsAuthenticated, MayDial)

    @extend_schema(
        operation_id="calls_dial",
        summary="Place a call through ElevenLabs",
        description="The call is stored first, then ElevenLabs is asked once. Where it refuses, a failed call with the "
        "reason is left. With an Idempotency-Key the same request gets the same answer for 24 hours, and dials once.",
        request=DialSerializer,
        parameters=[OpenApiParameter(KEY, str, OpenApiParameter.HEADER, description="Any text that is new.")],
        responses={
            201: OpenApiResponse(CallSerializer, "ElevenLabs placed it."),
            202: OpenApiResponse(CallSerializer, "ElevenLabs did not answer; `dial_state` will tell."),
            409: OpenApiResponse(description="The dial with this Idempotency-Key is still under way."),
            422: OpenApiResponse(description="ElevenLabs does not take it, or the key came with another body."),
            502: OpenApiResponse(description="ElevenLabs refused it for another reason."),
        },
        examples=[
            request_example("A call to a driver", {"driver_id": "driver7", "to_number": "+15550123"}),
            answer("The call", REGISTERED | {"dial_state": "placed"}, "201"),
            answer("Without an answer", REGISTERED | {"dial_state": "unknown", "conversation_id": None}, "202"),
        ],
    )
    def post(self, request: Request) -> Response:
        """Place a call. 201: it is placed. 202: ElevenLabs did not answer, `dial_state` will tell. Else it has failed.

        With an Idempotency-Key the same request gets the same answer for 24 hours, and dials once.
        """
        key = _key(request)
        asked = DialSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        order = asked.save()
        expect_own_agent(agents_of(request.user), asked.validated_data.get("agent_id"), "dial")
        try:
            expect_may_go(order)
            client = Client.from_settings()
        except NotAllowed as error:
            return Response({"detail": str(error)}, status=403)
        except NotConfigured as error:
            return Response({"detail": str(error)}, status=503)
        try:
            begun = idempotency.begin(request.user, key, request.data, lambda: registered(request, order))
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


class FetchedSerializer(CallSerializer):
    """The call, and what fetching it has changed."""

    changed = serializers.ListField(
        child=serializers.CharField(), read_only=True, help_text="Names of the fields that changed, and `recording`."
    )
    note = serializers.CharField(read_only=True, help_text="What could not be fetched; mostly empty.")

    class Meta(CallSerializer.Meta):
        fields: ClassVar[list[str]] = [*CallSerializer.Meta.fields, "changed", "note"]


class Fetch(KnownParameters):
    """`POST /api/calls/{identifier}/fetch/`."""

    permission_classes = (IsAuthenticated, MayChange)

    @extend_schema(
        operation_id="calls_fetch",
        summary="Fetch a call from ElevenLabs",
        description="Applies the conversation and its recording as if their webhooks had come, and says what changed.",
        parameters=NAMED,
        request=None,
        responses={
            200: FetchedSerializer,
            409: OpenApiResponse(description="The conversation is not over, or the call has none."),
            502: OpenApiResponse(description="ElevenLabs refused it."),
            504: OpenApiResponse(description="ElevenLabs did not answer in time."),
        },
        examples=[answer("A call whose webhook never came", ENDED | {"changed": ["status", "recording"], "note": ""})],
    )
    def post(self, request: Request, identifier: str) -> Response:
        """Apply the conversation and its recording as if their webhooks had come. 409: the conversation is not over."""
        call = visible(Call.objects.all(), agents_of(request.user)).named(identifier.replace("\x00", "\ufffd"))
        if call is None:
            raise Http404("There is no call with this call_sid or conversation_id.")
        KnownFields(data=request.data).is_valid(raise_exception=True)  # it has none
        access_log.note(request, access_log.Kind.CHANGE, [access_log.Subject.of(call)], "fetched")
        try:
            fetched = fetch(call, Client.from_settings())
        except (StillRunning, NoConversation) as error:
            return Response({"detail": str(error)}, status=409)
        except UpstreamError as error:
            return Response({"detail": str(error)}, status=_status_of(error))
        told = {"changed": fetched.changed, "note": fetched.note}
        return Response({**shown(fetched.call, request.user), **told})


def _status_of(error: UpstreamError) -> int:
    if isinstance(error, NotConfigured) or (isinstance(error, Refused) and error.is_busy):
        return 503
    return 504 if isinstance(error, TimedOut) else 502


def _key(request: Request) -> str:
    key: str = request.headers.get(KEY, "").strip()
    if len(key) > KEY_MAX_LENGTH or not key.isprintable():
        raise ValidationError({KEY: [f"At most {KEY_MAX_LENGTH} printable characters."]})
    return key


def _body(dialled: Dialled, user: Any) -> dict[str, Any]:
    if dialled.status in (201, 202):
        try:
            return shown(dialled.call, user)
        except Error:
            return {"detail": NOT_STORED, "call_sid": dialled.call.call_sid}
    return {"detail": dialled.reason, "call_sid": dialled.call.call_sid}
