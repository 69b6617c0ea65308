"""The admin's action "Fetch from ElevenLabs", its link "Dial", and its list of rounds of reconciling."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from calls import access_log
from calls.admin import actions_with_calls
from calls.call_page.rooms import links_above_list
from calls.models import Call
from calls.readonly_admin import ReadOnlyAdmin, time_column
from upstream.client import Client
from upstream.errors import NotConfigured, UpstreamError
from upstream.fetching import NoConversation, StillRunning, fetch
from upstream.models import ReconcileRound

AT_ONCE = 10  # calls; each may take a minute


@admin.action(description="Fetch from ElevenLabs", permissions=["verbs"])
def fetch_calls(model_admin: Any, request: HttpRequest, calls: QuerySet[Call]) -> None:
    """Fetch the chosen calls, and show for each call what changed."""
    chosen = list(calls[: AT_ONCE + 1])
    if len(chosen) > AT_ONCE:
        messages.error(request, f"Choose at most {AT_ONCE} calls; reconcile_calls fetches all that are missing.")
        return
    try:
        client = Client.from_settings()
    except NotConfigured as error:
        messages.error(request, str(error))
        return
    for call in chosen:
        try:
            access_log.note(request, access_log.Kind.CHANGE, [access_log.Subject.of(call)], "fetched")
            fetched = fetch(call, client)
        except (StillRunning, NoConversation, UpstreamError, access_log.NotLogged) as error:
            messages.warning(request, f"{call.call_sid}: {error}")
        else:
            changed = ", ".join(fetched.changed) or "nothing"
            messages.success(request, f"{call.call_sid}: {changed} changed. {fetched.note}")


actions_with_calls.append(fetch_calls)


def dial_link(request: HttpRequest) -> str:
    if not request.user.has_perm("calls.dial_call"):
        return ""
    return format_html('<a href="{}" class="addlink">Dial</a>', reverse("elevenlabs-dial"))


links_above_list.append(dial_link)


@admin.register(ReconcileRound)
class ReconcileRoundAdmin(ReadOnlyAdmin):
    agent_id = page_kind = None
    list_display = (
        *(time_column("started_at", "started"), time_column("ended_at", "ended")),
        *(*ReconcileRound.COUNTS, "error"),
    )
    list_filter = ("started_at",)
