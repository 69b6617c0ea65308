"""/api/calls/: register, list and read calls; read the transcript and the recording of one."""

from __future__ import annotations

from typing import Any, cast

from django.db import IntegrityError
from django.db.models import Exists, OuterRef, Prefetch, QuerySet
from django.http import Http404
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, serializers, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from calls.api.ending import Ending
from calls.api.filters import CallFilter
from calls.api.ranges import ranged_response
from calls.api.serializers import CallSerializer, TranscriptSerializer
from calls.models import Call, CallQuerySet, CallRecording, CallTranscription


class AfterSerializer(serializers.Serializer[Any]):
    after = serializers.IntegerField(min_value=0, max_value=2**31 - 1, default=0)


class CallViewSet(
    Ending,
    mixins.CreateModelMixin,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.UpdateModelMixin,
    viewsets.GenericViewSet[Call],
):
    """Calls, found by any name that they have or had."""

    serializer_class = CallSerializer
    filterset_class = CallFilter
    http_method_names = ["get", "post", "patch", "head", "options"]
    lookup_url_kwarg = "identifier"

    def get_queryset(self) -> QuerySet[Call]:
        recordings = CallRecording.objects.filter(call=OuterRef("pk"))
        return Call.objects.defer("final_transcript").annotate(has_recording=Exists(recordings))

    def get_object(self) -> Call:
        return self._found(self.get_queryset())

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Register a call that was placed elsewhere: 201, or 200 where only webhooks knew it."""
        response = super().create(request, *args, **kwargs)
        if not self.is_new:
            response.status_code = 200
        return response

    def perform_create(self, serializer: serializers.BaseSerializer[Call]) -> None:
        try:
            serializer.save()
        except IntegrityError:  # another request took the identifier after the check
            raise serializers.ValidationError("A call with this identifier already exists.") from None
        self.is_new: bool = serializer.is_new  # type: ignore[attr-defined]

    def perform_update(self, serializer: serializers.BaseSerializer[Call]) -> None:
        try:
            serializer.save()
        except IntegrityError:
            raise serializers.ValidationError("Another call has this identifier.") from None
        except Call.DoesNotExist:  # deleted meanwhile
            raise Http404("There is no call with this call_sid or conversation_id.") from None

    @extend_schema(parameters=[OpenApiParameter("after", int)], responses=TranscriptSerializer, filters=False)
    def transcript(self, request: Request, identifier: str) -> Response:
        """Live turns above `after`, in order, the final transcript, and how much of it was heard live."""
        asked = AfterSerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        turns = CallTranscription.objects.filter(sequence_number__gt=asked.validated_data["after"])
        prefetch = Prefetch("transcriptions", turns.order_by("sequence_number"), to_attr="turns")
        fields = ("call_sid", "conversation_id", "status", "last_sequence_number", "final_sequence_number")
        call = self._found(Call.objects.only(*fields, "final_transcript").prefetch_related(prefetch))
        return Response(TranscriptSerializer(call).data)

    @extend_schema(responses={(200, "audio/mpeg"): OpenApiTypes.BINARY}, filters=False)
    def recording(self, request: Request, identifier: str) -> HttpResponseBase:
        """Return the audio, an MP3. Range requests work, and If-Range with the ETag."""
        call = self._found(Call.objects.defer("final_transcript").select_related("recording"))
        try:
            recording = call.recording
            with recording.file.open() as file:
                etag = f'"{recording.sha256}"'
                response = ranged_response(request, file, recording.size_bytes, recording.CONTENT_TYPE, etag)
        except (CallRecording.DoesNotExist, FileNotFoundError):
            raise Http404("This call has no recording.") from None
        response["Content-Disposition"] = 'inline; filename="recording.mp3"'
        return response

    def _found(self, calls: QuerySet[Call]) -> Call:
        call = cast(CallQuerySet, calls).named(self.kwargs["identifier"].replace("\x00", "\ufffd"))
        if call is None:
            raise Http404("There is no call with this call_sid or conversation_id.")
        return call
