"""Reads conversations at ElevenLabs, and applies them with the handlers of webhooks, as if their webhooks had come.

The time of such an event is the end of the conversation: start plus duration. A webhook is made later, after the
analysis, so its data wins over fetched data, and fetched data changes nothing that a webhook has set.
"""

from __future__ import annotations

import logging
from typing import Any, NamedTuple

from django.db import close_old_connections, transaction

from calls.linking import Reference
from calls.models import Call, CallRecording
from calls.races import persistently
from calls.search.gathering import WRITTEN
from upstream.client import Client
from upstream.errors import Refused, UpstreamError
from webhooks import handlers
from webhooks.errors import InvalidPayload
from webhooks.fields import mapping, moment, number
from webhooks.payloads import TRANSCRIPTION, Audio, Transcription, parse_event

logger = logging.getLogger(__name__)
OVER = ("done", "failed")
LOOKED_AT = 20  # at most so many conversations, in search of one that was dialled
_NOT_COMPARED = {"updated_at", *WRITTEN}


class StillRunning(Exception):
    """The conversation is not over, or not yet analysed. Nothing was changed."""


class NoConversation(Exception):
    """ElevenLabs does not have the call's conversation, or callsite does not know its ID."""


class Fetched(NamedTuple):
    """A fetched call. `changed`: names of its changed fields, and `recording`. `note`: what could not be fetched."""

    call: Call
    changed: list[str]
    note: str = ""


def fetch(call: Call, client: Client) -> Fetched:
    """Fetch a call's conversation and, if callsite has none, its recording.

    Raises StillRunning, NoConversation, UpstreamError; then nothing is changed.
    """
    before = _state(call)
    detail = read(call, client)
    if not is_over(detail):
        raise StillRunning(f"The conversation is not over: ElevenLabs says {detail.get('status')!r}.")
    call = apply(detail)
    note = ""
    try:
        call = fetch_recording(call, detail, client) or call
    except UpstreamError as error:
        note = f"The recording could not be fetched: {error}"
    after = _state(call)
    changed = [name for name, value in after.items() if before.get(name) != value]
    logger.info("Fetched conversation %s of call %s: %s fields changed", call.conversation_id, call.pk, len(changed))
    return Fetched(call, changed, note)


def read(call: Call, client: Client) -> dict[str, Any]:
    """Return the conversation of a call, also if the answer to its dial never came.

    Raises NoConversation, UpstreamError.
    """
    close_old_connections()  # ElevenLabs may take seconds, and the connection pool is small
    if call.conversation_id is None:
        detail = find_dialled(call, client) if call.dial_state else None
        if detail is None:
            raise NoConversation("callsite does not know the conversation_id of this call.")
        return detail
    try:
        detail = client.conversation(call.conversation_id)
    except Refused as error:
        if error.status == 404:
            raise NoConversation("ElevenLabs has no such conversation; is the key of the right workspace?") from None
        raise
    if detail.get("conversation_id") != call.conversation_id:
        raise UpstreamError("ElevenLabs answers with another conversation.")
    return detail


def find_dialled(call: Call, client: Client) -> dict[str, Any] | None:
    """Return the conversation that was started with this call's `call_sid` as a variable; None if there is none.

    Raises UpstreamError.
    """
    page = client.conversations(
        agent_id=call.agent_id or None,
        dynamic_variable_params=f"call_sid:eq:{call.call_sid}",
        call_start_after_unix=int(call.created_at.timestamp()) - 60,
        page_size=LOOKED_AT,
    )
    for item in items(page)[:LOOKED_AT]:
        detail = client.conversation(item["conversation_id"])
        if variables(detail).get("call_sid") == call.call_sid:
            return detail
    return None


def items(page: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the conversations of a page that have an ID."""
    listed = page.get("conversations")
    found = [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
    return [item for item in found if isinstance(item.get("conversation_id"), str) and item["conversation_id"]]


def variables(detail: dict[str, Any]) -> dict[str, Any]:
    return mapping(mapping(detail.get("conversation_initiation_client_data")).get("dynamic_variables"))


def is_over(detail: dict[str, Any]) -> bool:
    """Tell whether a conversation has ended and is analysed. Any unknown status counts as running."""
    return detail.get("status") in OVER


def apply(detail: dict[str, Any], *, create: bool = False) -> Call:
    """Apply a conversation that is over, and return its call; `create` makes the call if there is none.

    Raises webhooks' CallNotFound, and UpstreamError for a conversation that cannot be read.
    """
    event = _event(detail)

    def work() -> Call:
        with transaction.atomic():
            if create:
                handlers.find_call(event.call, create=True)
            return handlers.handle_transcription(event).call

    return persistently(work)


def link_running(detail: dict[str, Any], *, create: bool = False) -> Call:
    """Link a running conversation to its call, and store the parties; `create` makes the call if there is none.

    Raises webhooks' CallNotFound, and UpstreamError for a conversation that cannot be read.
    """
    event = _event(detail)

    def work() -> Call:
        with transaction.atomic():
            call, _ = handlers.find_call(event.call, create=create)
            return call.learn_parties(event.data.parties, Call.Source.INITIATION)

    return persistently(work)


def reference_of(detail: dict[str, Any]) -> Reference:
    """Return the names by which a conversation refers to its call."""
    return _event(detail).call


def fetch_recording(call: Call, detail: dict[str, Any], client: Client) -> Call | None:
    """Fetch and store a missing recording, and return the call; None if ElevenLabs has none, or callsite has it.

    Raises UpstreamError.
    """
    if detail.get("has_audio") is False or CallRecording.objects.filter(call=call).exists():
        return None
    close_old_connections()
    try:
        content = client.audio(str(detail["conversation_id"]))
    except Refused as error:
        if error.status == 404:
            return None
        raise
    if not content:
        return None
    event = _event(detail)
    audio = Audio(event.call, event.data.event_time, content)

    def work() -> Call:
        with transaction.atomic():
            return handlers.handle_audio(audio).call

    return persistently(work)


def _event(detail: dict[str, Any]) -> Transcription:
    """Return the event that the conversation's webhook would be, except for its time. Raises UpstreamError."""
    metadata = mapping(detail.get("metadata"))
    start, duration = moment(metadata.get("start_time_unix_secs")), number(metadata.get("call_duration_secs"))
    if start is None or duration is None:
        raise UpstreamError("ElevenLabs' conversation has no start or no duration.")
    body = {"type": TRANSCRIPTION, "event_timestamp": start.timestamp() + float(duration), "data": detail}
    try:
        event = parse_event(body)
    except InvalidPayload as error:
        raise UpstreamError(f"ElevenLabs' conversation cannot be read. {error.details}") from None
    assert isinstance(event, Transcription)  # noqa: S101  (a body of this type gives it)
    return event


def _state(call: Call) -> dict[str, Any]:
    """Return the values of a call that a fetch may change."""
    rows = Call.objects.filter(pk=call.pk).values()
    state: dict[str, Any] = {name: value for row in rows for name, value in row.items() if name not in _NOT_COMPARED}
    recording = CallRecording.objects.filter(call=call).values_list("sha256", flat=True).first()
    return {**state, "recording": recording}
