"""The routes under /api/calls/: register, list, read and change calls; read a call's transcript and recording."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from django.db import IntegrityError
from django.db.models import Exists, OuterRef, Prefetch, QuerySet
from django.http import Http404
from django.http.response import HttpResponseBase
from django.utils.functional import cached_property
from rest_framework import mixins, serializers, viewsets
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from calls import access_log
from calls.access import Agents, agents_of, visible
from calls.access_log import Kind, Subject
from calls.api.described import calls_described, recording_described, transcript_described
from calls.api.ending import Ending
from calls.api.filters import CallFilter
from calls.api.known_names import KnownParameters
from calls.api.ranges import ranged_response
from calls.api.serializers import CallSerializer, TranscriptSerializer, for_viewers
from calls.models import Call, CallQuerySet, CallRecording, CallTranscription


class AfterSerializer(serializers.Serializer[Any]):
    after = serializers.IntegerField(min_value=0, max_value=2**31 - 1, default=0)


@calls_described
class CallViewSet(
    KnownParameters,
    Ending,
    mixins.CreateModelMixin,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.UpdateModelMixin,
    viewsets.GenericViewSet[Call],
):
    """Calls. A request finds a call by any name that the call has or had."""

    serializer_class = CallSerializer
    filterset_class = CallFilter
    http_method_names = ["get", "post", "patch", "head", "options"]
    lookup_url_kwarg = "identifier"
    parameters_of = {"list": (*CallFilter.base_filters, "cursor", "page_size"), "transcript": ("after",)}

    def parameters(self) -> Iterable[str]:
        return self.parameters_of.get(self.action or "", ())

    @cached_property
    def _agents(self) -> Agents:
        return agents_of(self.request.user)  # cached, because DRF asks for the queryset twice

    def get_queryset(self) -> QuerySet[Call]:
        recordings = CallRecording.objects.filter(call=OuterRef("pk"))
        calls = Call.objects.defer("final_transcript").annotate(has_recording=Exists(recordings))
        return visible(calls, self._agents)

    def get_object(self) -> Call:
        return self._found(self.get_queryset())

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        call = self.get_object()
        self._note(Kind.PAGE, call)
        return Response(self.get_serializer(call).data)

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Register a call that was placed elsewhere: 201 if the call is new, 200 if webhooks had made it before."""
        response = self._for_viewers(super().create(request, *args, **kwargs))
        if not self.is_new:
            response.status_code = 200
        return response

    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self._for_viewers(super().partial_update(request, *args, **kwargs))

    def _for_viewers(self, response: Response) -> Response:
        """Reduce the response to the two identifiers for a user who may write calls but not view them."""
        response.data = for_viewers(self.request.user, response.data)
        return response

    def perform_create(self, serializer: serializers.BaseSerializer[Call]) -> None:
        try:
            serializer.save()
        except IntegrityError:  # another request took the identifier after the serializer checked it
            raise serializers.ValidationError("A call with this identifier already exists.") from None
        self.is_new: bool = serializer.is_new  # type: ignore[attr-defined]

    def perform_update(self, serializer: serializers.BaseSerializer[Call]) -> None:
        try:
            serializer.save()
        except IntegrityError:
            raise serializers.ValidationError("Another call has this identifier.") from None
        except Call.DoesNotExist:  # the call was deleted after get_object()
            raise Http404("There is no call with this call_sid or conversation_id.") from None

    @transcript_described
    def transcript(self, request: Request, identifier: str) -> Response:
        """Return the live turns above `after` in order, the final transcript, and how much of it was heard live."""
        asked = AfterSerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        turns = CallTranscription.objects.filter(sequence_number__gt=asked.validated_data["after"])
        prefetch = Prefetch("transcriptions", turns.order_by("sequence_number"), to_attr="turns")
        fields = ("call_sid", "conversation_id", "status", "last_sequence_number", "final_sequence_number")
        call = self._found(self._visible().only(*fields, "final_transcript").prefetch_related(prefetch))
        self._note(Kind.TRANSCRIPT, call)
        return Response(TranscriptSerializer(call).data)

    @recording_described
    def recording(self, request: Request, identifier: str) -> HttpResponseBase:
        """Return the audio, an MP3. Range requests work, also with If-Range and the ETag.

        Raises PermissionDenied for a user who may not view recordings, and Http404 for a call without a recording.
        """
        call = self._found(self._visible().defer("final_transcript").select_related("recording"))
        if not request.user.has_perm("calls.view_callrecording"):
            raise PermissionDenied("You may not view recordings.")
        try:
            recording = call.recording
            with recording.file.open() as file:
                self._note(Kind.RECORDING, call)
                etag = f'"{recording.sha256}"'
                response = ranged_response(request, file, recording.size_bytes, recording.CONTENT_TYPE, etag)
        except (CallRecording.DoesNotExist, FileNotFoundError):
            raise Http404("This call has no recording.") from None
        response["Content-Disposition"] = 'inline; filename="recording.mp3"'
        return response

    def _visible(self) -> QuerySet[Call]:
        return visible(Call.objects.all(), self._agents)

    def _note(self, kind: Kind, call: Call) -> None:
        access_log.note(self.request, kind, [Subject.of(call)])

    def _found(self, calls: QuerySet[Call]) -> Call:
        call = cast(CallQuerySet, calls).named(self.kwargs["identifier"].replace("\x00", "\ufffd"))
        if call is None:
            raise Http404("There is no call with this call_sid or conversation_id.")
        return call
