"""Descriptions and examples of the operations on calls for the OpenAPI document."""

from __future__ import annotations

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_view

from calls.api.serializers import CallSerializer, TranscriptSerializer

NAMED = [
    OpenApiParameter(
        "identifier",
        location=OpenApiParameter.PATH,
        description="A `call_sid` or `conversation_id` that the call has or had, percent-encoded.",
        examples=[OpenApiExample("By call_sid", "EL_driver7_1764000000_Xb3kQ9vTz2LmWq4r")],
    )
]
REGISTERED = {
    "call_sid": "EL_driver7_1764000000_Xb3kQ9vTz2LmWq4r",
    "conversation_id": "conv_01jz8c3m5tf6e9",
    "driver_id": "driver7",
    "agent_id": "agent_01jz8bz0",
    "agent_name": "",
    "status": "in_progress",
    "direction": "outbound",
    "from_number": "+15550100",
    "to_number": "+15550123",
    "call_start_time": "2025-11-24T16:00:00Z",
    "call_end_time": None,
    "call_duration_seconds": None,
    "cost": None,
    "cost_usd": None,
    "call_successful": None,
    "answered_by": "",
    "transcript_summary": "",
    "failure_reason": "",
    "analysis_data": None,
    "metadata_json": None,
    "has_recording": False,
    "last_sequence_number": 2,
    "dial_state": "",
    "created_at": "2025-11-24T16:00:00.250000Z",
    "updated_at": "2025-11-24T16:00:09.500000Z",
}
ENDED = REGISTERED | {
    "agent_name": "Dispatch",
    "status": "completed",
    "call_end_time": "2025-11-24T16:01:19Z",
    "call_duration_seconds": 79,
    "cost": 531,
    "cost_usd": 0.0885,
    "call_successful": True,
    "transcript_summary": "The driver confirms the load and will arrive at 6 pm.",
    "analysis_data": {"call_successful": "success"},
    "metadata_json": {"call_duration_secs": 79, "cost": 531},
    "has_recording": True,
}
TURNS = [
    {
        "transcription_id": 81,
        "sequence_number": 1,
        "speaker_type": "agent",
        "message_text": "Hello, this is dispatch.",
        "timestamp": "2025-11-24T16:00:05Z",
    },
    {
        "transcription_id": 82,
        "sequence_number": 2,
        "speaker_type": "driver",
        "message_text": "Hi, I am at the gate.",
        "timestamp": "2025-11-24T16:00:09.500000Z",
    },
]
TRANSCRIPT = {
    "call_sid": REGISTERED["call_sid"],
    "conversation_id": REGISTERED["conversation_id"],
    "status": "in_progress",
    "last_sequence_number": 2,
    "turns": TURNS,
    "final_transcript": None,
    "heard_live": None,
}
TO_REGISTER = {name: REGISTERED[name] for name in ("conversation_id", "driver_id", "to_number", "direction")}


def answer(name: str, value: object, *statuses: str) -> OpenApiExample:
    return OpenApiExample(name, value, response_only=True, status_codes=statuses or ("200",))


def request(name: str, value: object) -> OpenApiExample:
    return OpenApiExample(name, value, request_only=True)


MP3 = "audio/mpeg"
calls_described = extend_schema_view(
    list=extend_schema(
        summary="List and search calls",
        description="Calls that match all filters, the newest first; with `started_after` or `started_before`, "
        "those that began last.",
        parameters=[
            OpenApiParameter("started_after", OpenApiTypes.DATETIME, description="Began at that time or later."),
            OpenApiParameter("started_before", OpenApiTypes.DATETIME, description="Began before that time."),
            OpenApiParameter("call_successful", OpenApiTypes.BOOL, description="Reached its goal, by the analysis."),
        ],
        examples=[answer("An ended call", ENDED)],
    ),
    create=extend_schema(
        summary="Register a call that was placed elsewhere",
        description="A `call_sid` is made where none is sent. Where webhooks alone made the call, its empty fields are "
        "filled (200). A call that was registered before is refused (400).",
        responses={
            201: OpenApiResponse(CallSerializer, "The call is new."),
            200: OpenApiResponse(CallSerializer, "Webhooks had made the call; its empty fields are filled."),
        },
        examples=[request("A call to a driver", TO_REGISTER), answer("The call", REGISTERED, "200", "201")],
    ),
    retrieve=extend_schema(
        summary="Read a call",
        description="Its state, and its outcome once it has ended.",
        parameters=NAMED,
        examples=[answer("In progress", REGISTERED), answer("Ended", ENDED)],
    ),
    partial_update=extend_schema(
        summary="Change a call",
        description="Writes the fields that are sent. The `call_sid` cannot change; what webhooks tell cannot be sent.",
        parameters=NAMED,
        examples=[
            request("Link the conversation", {"conversation_id": REGISTERED["conversation_id"]}),
            answer("The call", REGISTERED),
        ],
    ),
)
transcript_described = extend_schema(
    summary="Read the transcript of a call",
    description="Live turns above `after`, in order; the final transcript once ElevenLabs sent it; and how much of "
    "it was heard live.",
    parameters=[
        *NAMED,
        OpenApiParameter(
            "after",
            {"type": "integer", "minimum": 0, "maximum": 2**31 - 1, "default": 0},
            description="The sequence number of the last turn that you have.",
        ),
    ],
    responses=TranscriptSerializer,
    filters=False,
    examples=[answer("In progress", TRANSCRIPT)],
)
recording_described = extend_schema(
    summary="Listen to the recording of a call",
    description="The audio, an MP3. Players may ask for a range of bytes.",
    parameters=[
        *NAMED,
        OpenApiParameter(
            "Range",
            location=OpenApiParameter.HEADER,
            description="One range of bytes. A header of another form is ignored.",
            examples=[OpenApiExample("The first kibibyte", "bytes=0-1023")],
        ),
    ],
    responses={
        (200, MP3): OpenApiTypes.BINARY,
        (206, MP3): OpenApiTypes.BINARY,
        416: OpenApiResponse(description="The recording ends before the range begins."),
    },
    filters=False,
)
