"""The content of a call's page in the admin, and the raw JSON behind it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import get_template
from django.urls import reverse

from calls.access_log import Kind
from calls.analysis import collected, criteria
from calls.call_page import rooms
from calls.call_page.neighbours import FILTERS, list_of, neighbours_of, page_of
from calls.call_page.turns import conversation_of
from calls.call_page.why import state_of, why
from calls.models import Call, CallRecording
from calls.redaction import redacted
from calls.review.panel import review_of
from calls.zone import zone

if TYPE_CHECKING:
    from calls.readonly_admin import ReadOnlyAdmin

OTHERS_SHOWN = 6
RAW = {"transcript": "final_transcript", "analysis": "analysis_data", "metadata": "metadata_json"}


def context_of(call: Call, admin: ReadOnlyAdmin, request: HttpRequest) -> dict[str, Any]:
    """Return the context of the template `calls/call_page.html`, with secrets masked."""
    analysis, metadata = redacted(call.analysis_data), redacted(call.metadata_json)
    judged, gathered = criteria(analysis), collected(analysis)
    badge, status = state_of(call)
    listens = request.user.has_perm("calls.view_callrecording")
    filters = request.GET.get(FILTERS, "")
    conversation = conversation_of(call)
    return {
        "call": call,
        "badge": badge,
        "status": status,
        "why": redacted(why(call, metadata, judged)),
        "tone": "bad" if badge == "good" and any(one.state == "bad" for one in judged) else badge,
        "summary": redacted(call.transcript_summary),
        "criteria": judged,
        "met": sum(one.state == "good" for one in judged),
        "collected": gathered,
        "is_judged": bool(call.transcript_summary or judged or gathered),
        "conversation": conversation,
        "review": review_of(call, conversation, request),
        "recording": CallRecording.objects.filter(call=call).first() if listens else None,
        "recording_url": reverse("call-recording", args=[call.call_sid]),
        "turns_url": _turns_url(call, request),
        "zone": zone().key,
        "neighbours": neighbours_of(call, admin, request),
        "others": [
            (page_of(other.pk, filters), other, *state_of(other), redacted(other.failure_reason))
            for other in _others(call, admin, request)
        ],
        "others_url": list_of({"driver_id__exact": call.driver_id}),
        "links": [html for link in rooms.links_from_call if (html := link(request, call))],
        "sections": [html for section in rooms.sections_of_call if (html := section(request, call))],
        "raw": [(part, raw_url(call, part)) for part, name in RAW.items() if getattr(call, name) is not None],
        "bubble": get_template("calls/bubble.html"),  # compiled once, not once per turn
    }


def raw_url(call: Call, part: str) -> str:
    return reverse("admin:calls_call_raw", args=[call.pk, part])


def raw(request: HttpRequest, admin: ReadOnlyAdmin, object_id: str, part: str) -> HttpResponse:
    """Answer with one part of what ElevenLabs sent, as indented JSON with secrets masked. `part` is a key of RAW."""
    call = admin.get_object(request, object_id)
    if not admin.has_view_permission(request, call):
        raise PermissionDenied
    if call is None or part not in RAW:
        raise Http404("There is no such part of a call.")
    response = HttpResponse(_indented(getattr(call, RAW[part])), content_type="application/json; charset=utf-8")
    return admin.logged(response, request, Kind.TRANSCRIPT, [call], part)


def _indented(value: Any) -> bytes:
    text = json.dumps(redacted(value), indent=2, ensure_ascii=False)
    return text.encode("utf-8", "backslashreplace")  # lone surrogates become escapes


def _others(call: Call, admin: ReadOnlyAdmin, request: HttpRequest) -> list[Call]:
    """Return the driver's newest other calls that the reader may see, at most OTHERS_SHOWN."""
    if not call.driver_id:
        return []
    fields = ("call_sid", "status", "call_successful", "failure_reason", "call_start_time", "created_at")
    others = admin.get_queryset(request).filter(driver_id=call.driver_id).exclude(pk=call.pk)
    return list(others.only(*fields, "call_duration_seconds").order_by("-id")[:OTHERS_SHOWN])


def _turns_url(call: Call, request: HttpRequest) -> str:
    """Return the URL of the list of the call's live turns; "" if there are none or the user may not see them."""
    if not call.last_sequence_number or not request.user.has_perm("calls.view_calltranscription"):
        return ""
    return f"{reverse('admin:calls_calltranscription_changelist')}?call__id__exact={call.pk}"
