"""Calls, turns and recordings for the staff: found and read. What happened is not edited here."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join

from calls.models import Call, CallRecording, CallTranscription
from calls.readonly_admin import OfCallAdmin, ReadOnlyAdmin
from calls.redaction import redacted

# What other rooms have to show of a call: each makes a link. Their admin modules add to it.
links_from_call: list[Callable[[Call], str]] = []
# What other rooms do with chosen calls: actions of the list of calls, with `permissions=["verbs"]`.
actions_with_calls: list[Any] = []


def pretty_json(value: Any) -> str:
    """Indented JSON for a page, without secrets; the admin escapes it."""
    if value is None:
        return "—"
    return format_html("<pre>{}</pre>", json.dumps(redacted(value), indent=2, ensure_ascii=False))


@admin.register(Call)
class CallAdmin(ReadOnlyAdmin):
    list_display = (
        *("call_sid", "status", "direction", "driver_id", "agent_name", "call_start_time"),
        *("call_duration_seconds", "call_successful", "last_sequence_number", "created_at"),
    )
    list_filter = ("status", "direction", "call_successful", "created_at")
    actions = actions_with_calls
    search_fields = ("call_sid__exact", "conversation_id__exact", "driver_id__exact", "agent_id__exact")
    search_help_text = "A whole call SID, conversation ID, driver ID or agent ID."
    fieldsets = (
        (None, {"fields": ("call_sid", "conversation_id", "status", "dial_state", "turns", "audio", "elsewhere")}),
        ("Parties", {"fields": ("driver_id", "agent_id", "agent_name", "direction", "from_number", "to_number")}),
        (
            "Outcome",
            {
                "fields": (
                    *("call_start_time", "call_end_time", "call_duration_seconds", "cost", "cost_usd"),
                    *("call_successful", "answered_by", "summary", "reason"),
                )
            },
        ),
        ("As ElevenLabs sent it", {"fields": ("analysis", "metadata", "transcript"), "classes": ("collapse",)}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Call]:
        calls = super().get_queryset(request)
        if request.resolver_match and request.resolver_match.url_name == "calls_call_changelist":
            calls = calls.defer("final_transcript", "analysis_data", "metadata_json", "transcript_summary")
        return calls

    def has_verbs_permission(self, request: HttpRequest) -> bool:
        """Who may change calls may have their verbs run, though no form edits a call."""
        return request.user.has_perm("calls.change_call")

    @admin.display(description="turns")
    def turns(self, call: Call) -> str:
        return changelist_link(
            "calls_calltranscription", f"call__id__exact={call.pk}", f"{call.last_sequence_number} turns"
        )

    @admin.display(description="recording")
    def audio(self, call: Call) -> str:
        if not CallRecording.objects.filter(call=call).exists():
            return "—"
        return format_html('<a href="{}">Listen</a>', reverse("call-recording", args=[call.call_sid]))

    @admin.display(description="elsewhere")
    def elsewhere(self, call: Call) -> str:
        return format_html_join(" · ", "{}", ((link(call),) for link in links_from_call)) or "—"

    @admin.display(description="transcript summary")
    def summary(self, call: Call) -> str:
        return redacted(call.transcript_summary)

    @admin.display(description="failure reason")
    def reason(self, call: Call) -> str:
        return redacted(call.failure_reason)

    @admin.display(description="analysis")
    def analysis(self, call: Call) -> str:
        return pretty_json(call.analysis_data)

    @admin.display(description="metadata")
    def metadata(self, call: Call) -> str:
        return pretty_json(call.metadata_json)

    @admin.display(description="final transcript")
    def transcript(self, call: Call) -> str:
        return pretty_json(call.final_transcript)


@admin.register(CallTranscription)
class CallTranscriptionAdmin(OfCallAdmin):
    list_display = ("call", "sequence_number", "speaker_type", "message_text", "timestamp")
    list_filter = ("speaker_type", "timestamp")
    search_fields = ("call__call_sid__exact", "call__conversation_id__exact")
    search_help_text = "A whole call SID or conversation ID."
    ordering = ("-id",)

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """Within one call as it was spoken, else the newest first."""
        return ("sequence_number",) if "call__id__exact" in request.GET else ("-id",)


@admin.register(CallRecording)
class CallRecordingAdmin(OfCallAdmin):
    list_display = ("call", "size_bytes", "event_time", "created_at")
    search_fields = ("call__call_sid__exact", "call__conversation_id__exact")
    search_help_text = "A whole call SID or conversation ID."
    fields = ("call", "audio", "size_bytes", "sha256", "event_time", "created_at")

    @admin.display(description="recording")
    def audio(self, recording: CallRecording) -> str:
        return format_html('<a href="{}">Listen</a>', reverse("call-recording", args=[recording.call.call_sid]))


def changelist_link(model: str, query: str, text: str) -> str:
    """A link to the list of a model ("app_model"), narrowed by a query string."""
    return format_html('<a href="{}?{}">{}</a>', reverse(f"admin:{model}_changelist"), query, text)
