"""End calls in the admin: staff find calls that have been silent for hours, and end them with a reason."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from functools import partial

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.db import Error
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.utils import timezone

from calls import access_log
from calls.call_list.options import Options, options
from calls.call_page.rooms import links_from_call
from calls.ending import HasEnded, end
from calls.models import Call
from calls.races import persistently
from calls.silence import silent_since

AT_ONCE = 200
SILENT_HOURS = {"1": "For an hour", "6": "For 6 hours", "24": "For a day"}
_IN_PROGRESS = Q(status=Call.Status.IN_PROGRESS)


class SilentFilter(Options):
    """A filter for calls in progress in which nothing was heard for the chosen number of hours."""

    title = "silence"
    parameter_names = ("silent",)
    options = options("silent", *((hours, title, _IN_PROGRESS) for hours, title in SILENT_HOURS.items()))

    def queryset(self, request: HttpRequest, queryset: QuerySet[Call]) -> QuerySet[Call]:
        queryset = super().queryset(request, queryset)
        if self.error or not self.said:
            return queryset
        return silent_since(timezone.now() - timedelta(hours=int(self.said["silent"])), queryset)


def end_button(request: HttpRequest, call: Call) -> str:
    """Return the button of a call's page that leads to the form for the reason; "" if the user cannot end the call."""
    if call.ended or not request.user.has_perm("calls.end_call"):
        return ""
    return render_to_string("calls/end_button.html", {"call": call}, request)


links_from_call.append(end_button)


class ReasonForm(forms.Form):
    reason = forms.CharField(
        max_length=1_000,
        initial="Ended by staff: nothing was heard of it any more.",
        widget=forms.TextInput(attrs={"class": "vLargeTextField"}),
        help_text="Whoever reads the call sees it as its failure reason.",
    )


class EndCalls:
    """The action of the list of calls and of a call's button: a page asks for the reason, then the calls are ended."""

    def has_end_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("calls.end_call")

    @admin.action(description="End calls in progress", permissions=["end"])
    def end_calls(self, request: HttpRequest, calls: QuerySet[Call]) -> HttpResponse | None:
        in_progress = calls.filter(status=Call.Status.IN_PROGRESS).order_by("-pk")
        rows = list(in_progress.only("call_sid", "driver_id", "agent_name", "call_start_time", "created_at")[:AT_ONCE])
        if not rows:
            return self._back(request, "None of these calls is in progress.", messages.WARNING)
        form = ReasonForm(request.POST if "reason" in request.POST else None)
        if form.is_valid():
            return self._back(request, *self._ended(request, rows, form.cleaned_data["reason"]))
        context = {
            **admin.site.each_context(request),
            "title": "End calls in progress",
            "opts": Call._meta,
            "calls": rows,
            "at_once": AT_ONCE if len(rows) == AT_ONCE else None,
            "form": form,
        }
        return TemplateResponse(request, "calls/end_calls.html", context)

    def _ended(self, request: HttpRequest, calls: Iterable[Call], reason: str) -> tuple[str, int]:
        """End each call in a transaction of its own; return the message for the user and its level."""
        ended, others = list[Call](), 0
        for call in calls:
            try:
                ended.append(persistently(partial(self._end, request, call, reason)))
            except (HasEnded, Call.DoesNotExist, Error, access_log.NotLogged):
                others += 1
        if ended:
            LogEntry.objects.log_actions(request.user.pk, ended, CHANGE, "Ended by hand.")  # type: ignore[arg-type]
        text = f"Ended {len(ended)} call{'' if len(ended) == 1 else 's'}."
        if others:
            text += f" {others} had ended by themselves, or could not be ended now."
        return text, messages.WARNING if others else messages.SUCCESS

    def _end(self, request: HttpRequest, call: Call, reason: str) -> Call:
        return access_log.noted_change(request, lambda: end(call, reason), reason, access_log.Kind.END)

    def _back(self, request: HttpRequest, text: str, level: int) -> HttpResponse:
        self.message_user(request, text, level)  # type: ignore[attr-defined]
        return HttpResponseRedirect(request.get_full_path())
