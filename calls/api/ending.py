"""`POST /api/calls/{identifier}/end/`: end a call that is still in progress although nothing is heard of it."""

from __future__ import annotations

from django.http import Http404
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import APIException
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from calls import access_log, ending
from calls.api.described import NAMED, REGISTERED, answer
from calls.api.described import request as request_example
from calls.api.known_names import KnownFields
from calls.api.serializers import CallSerializer, for_viewers, with_recording
from calls.models import Call
from calls.races import persistently

REASON_MAX_LENGTH = 1_000
REASON = "The driver's telephone was switched off."


class Conflict(APIException):
    """The call cannot be ended, because it is not in progress (409)."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"


class MayEndCalls(BasePermission):
    """Allows users who have the permission `calls.end_call`."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return request.user.has_perm("calls.end_call")


class EndSerializer(KnownFields):
    """The reason for which a call is ended."""

    reason = serializers.CharField(
        max_length=REASON_MAX_LENGTH, help_text="Why, for whoever reads the call; it becomes its failure_reason."
    )


class Ending:
    """A mixin of the view set of calls with the action `end`."""

    @extend_schema(
        summary="End a call",
        description="A call in progress of which nothing is heard any more becomes failed, and its listeners hear so. "
        "A later transcription still completes it. Needs the permission `calls.end_call`.",
        parameters=NAMED,
        request=EndSerializer,
        responses={200: CallSerializer, 409: OpenApiResponse(description="The call is not in progress.")},
        filters=False,
        examples=[
            request_example("Nothing was heard", {"reason": REASON}),
            answer("The call", REGISTERED | {"status": "failed", "failure_reason": REASON}),
        ],
    )
    def end(self, request: Request, identifier: str) -> Response:
        """End a call in progress: it becomes failed. Raises Conflict (409) if it is not in progress.

        A later transcription still completes the call. A user who may end calls but not view them gets only the two
        identifiers. The reason is written to the access log. Raises Http404 if the call does not exist.
        """
        call: Call = self.get_object()  # type: ignore[attr-defined]
        asked = EndSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        reason = asked.validated_data["reason"]

        def change() -> Call:
            return ending.end(call, reason)

        try:
            ended = persistently(lambda: access_log.noted_change(request, change, reason, access_log.Kind.END))
        except ending.HasEnded as error:
            raise Conflict(str(error)) from None
        except Call.DoesNotExist:  # the call was deleted after get_object()
            raise Http404("There is no call with this call_sid or conversation_id.") from None
        return Response(for_viewers(request.user, CallSerializer(with_recording(ended)).data))
