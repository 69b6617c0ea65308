"""The page of the list of calls: its search, its order, and the details and snippets of its rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from calls.access_log import Kind
from calls.call_list.columns import COLUMNS, CallColumns
from calls.call_list.details import details_of
from calls.call_list.filters import StartedFilter
from calls.call_list.found import found_in
from calls.call_page import rooms
from calls.call_page.neighbours import page_of
from calls.models import Call
from calls.readonly_admin import ReadOnlyAdmin
from calls.search.query import matching
from calls.silence import STARTED

UNREAD = ("final_transcript", "analysis_data", "metadata_json", "transcript_summary", "party_sources")


class CallList(CallColumns, ReadOnlyAdmin):
    """The admin class of the list. Its search follows the rules of the API's search (docs/search.md)."""

    list_display = COLUMNS
    search_fields = ("call_sid__exact", "conversation_id__exact", "driver_id__exact", "agent_id__exact")
    search_help_text = "Words that were said, driver, number, ID"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Call]:
        calls: QuerySet[Call] = super().get_queryset(request)
        if request.resolver_match and request.resolver_match.url_name == "calls_call_changelist":
            calls = calls.defer(*UNREAD, "search_words")
        return calls

    def get_ordering(self, request: HttpRequest) -> Any:
        """Order by start within a range of days (indexed, as in the API); else put the newest registration first."""
        has_days = any(request.GET.get(name) for name in StartedFilter.parameter_names)
        return (STARTED.desc(), "-pk") if has_days else ("-pk",)

    def get_search_results(self, request: HttpRequest, rows: QuerySet[Call], text: str) -> tuple[QuerySet[Call], bool]:
        return matching(rows, text) if text.strip() else rows, False

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Answer with the list. The access log records who saw words that a search found.

        Those words are a part of the transcript.
        """
        links = [html for link in rooms.links_above_list if (html := link(request))]
        response = super().changelist_view(request, {**(extra_context or {}), "links": links})
        context = getattr(response, "context_data", None) or {}
        changelist = context.get("cl")
        if changelist is None:
            return response
        calls: list[Call] = list(changelist.result_list)
        details = details_of(calls)
        for call in calls:
            call.details = details.get(call.pk)  # type: ignore[attr-defined]
        found = found_in(calls, changelist.query)
        filters = request.GET.urlencode()
        changelist.found = [
            {"url": page_of(call.pk, filters), "snippets": found[call.pk]} if call.pk in found else {} for call in calls
        ]
        heard: Iterable[Call] = (call for call in calls if any(one.is_said for one in found.get(call.pk, [])))
        return self.logged(response, request, Kind.TRANSCRIPT, heard, "words that a search found")
