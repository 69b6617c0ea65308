"""Admin pages of calls, turns and recordings. Staff find and read them here, and cannot edit what happened.

The list of calls is in `calls.call_list`, the page of a call in `calls.call_page`.
"""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from django.contrib import admin
from django.db.models import DateTimeField
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from calls import access_admin  # noqa: F401  (registers its pages)
from calls.access_log import Kind
from calls.call_list.filters import (
    AgentFilter,
    DirectionFilter,
    DriverFilter,
    HeardFilter,
    OutcomeFilter,
    ReasonFilter,
    RecordingFilter,
    StartedFilter,
    StatusFilter,
)
from calls.call_list.page import CallList
from calls.call_page import page
from calls.ending_admin import EndCalls, SilentFilter
from calls.export.admin import ExportCalls
from calls.models import Call, CallRecording, CallTranscription
from calls.numbers.admin import NumbersOfCalls
from calls.readonly_admin import OfCallAdmin, time_column, words_column
from calls.redaction import redacted
from calls.review.admin import ReviewCalls
from calls.review.filters import LabelFilter, ReviewedFilter
from calls.time_filter import TimeFilter

admin.FieldListFilter.register(lambda field: isinstance(field, DateTimeField), TimeFilter, take_priority=True)

# The actions of the list of calls. Other rooms append their own, with `permissions=["verbs"]`.
actions_with_calls: list[Any] = ["end_calls", "mark_reviewed"]


def pretty_json(value: Any) -> str:
    """Return a value as indented JSON in escaped HTML, without secrets; "—" for None."""
    if value is None:
        return "—"
    return format_html('<pre tabindex="0">{}</pre>', json.dumps(redacted(value), indent=2, ensure_ascii=False))


@admin.register(Call)
class CallAdmin(NumbersOfCalls, ExportCalls, EndCalls, ReviewCalls, CallList):
    actions = actions_with_calls
    list_filter = (
        *(StartedFilter, StatusFilter, OutcomeFilter, SilentFilter, DirectionFilter, RecordingFilter, HeardFilter),
        *(AgentFilter, ReviewedFilter, LabelFilter, DriverFilter, ReasonFilter),
    )
    fieldsets = ((None, {"fields": ()}),)  # `calls.call_page` fills the page
    change_form_template = "calls/call_page.html"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(partial(page.raw, admin=self))
        return [path("<int:object_id>/raw/<slug:part>/", view, name="calls_call_raw"), *super().get_urls()]

    def has_verbs_permission(self, request: HttpRequest) -> bool:
        """Allow verbs of calls to users with the permission to change calls, though no form edits a call."""
        return request.user.has_perm("calls.change_call")

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Call | None = None,
    ) -> HttpResponse:
        if obj is not None:
            context |= page.context_of(obj, self, request)
        return super().render_change_form(request, context, add, change, form_url, obj)


@admin.register(CallTranscription)
class CallTranscriptionAdmin(OfCallAdmin):
    list_display = (
        *("call", "sequence_number", "speaker_type", words_column("message_text", "message text")),
        time_column("timestamp", "said"),
    )
    list_filter = ("speaker_type",)
    sortable_by = ()
    search_fields = ("call__call_sid__exact", "call__conversation_id__exact")
    search_help_text = "A whole call SID or conversation ID."
    ordering = ("-id",)
    page_kind = Kind.TRANSCRIPT

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Return a page of turns, and log it as a look at the transcript of each call on it."""
        response = super().changelist_view(request, extra_context)
        shown = (getattr(response, "context_data", None) or {}).get("cl")
        if shown is None:
            return response
        one_a_call = {turn.call_id: turn for turn in shown.result_list}
        return self.logged(response, request, Kind.TRANSCRIPT, one_a_call.values())

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """Sort the turns of one call as they were spoken, and the turns of several calls newest first."""
        return ("sequence_number",) if "call__id__exact" in request.GET else ("-id",)


@admin.register(CallRecording)
class CallRecordingAdmin(OfCallAdmin):
    list_display = (
        *("call", "size_bytes"),
        *(time_column("event_time", "time of the event"), time_column("created_at", "kept")),
    )
    sortable_by = ()
    search_fields = ("call__call_sid__exact", "call__conversation_id__exact")
    search_help_text = "A whole call SID or conversation ID."
    fields = ("call", "audio", "size_bytes", "sha256", "event_time", "created_at")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return the fields; the link to the audio needs the permission to view calls, which the API asks for too."""
        return [name for name in self.fields if name != "audio" or request.user.has_perm("calls.view_call")]

    @admin.display(description="recording")
    def audio(self, recording: CallRecording) -> str:
        return format_html('<a href="{}">Listen</a>', reverse("call-recording", args=[recording.call.call_sid]))
