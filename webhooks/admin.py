"""The inbox for the staff: what came, what became of it, and "apply again"."""

from __future__ import annotations

import json
import re
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.utils.html import format_html

from calls.admin import pretty_json
from calls.call_page.rooms import sections_of_call
from calls.models import Call
from calls.readonly_admin import OfCallAdmin
from calls.redaction import redacted
from calls.secret_texts import parsed, size_of_audio
from webhooks.applying_again import Progress, begun, step
from webhooks.models import WebhookDelivery
from webhooks.payloads import IGNORED_TYPES, SUPPORTED_TYPES

BODY_SHOWN_CHARACTERS = 100_000
DELIVERIES_SHOWN = 8  # on a call's page
_FULL_AUDIO = re.compile(r'("full_audio"\s*:\s*")([^"]*)')  # taken out first: it may be 60 MB


class EventType(admin.SimpleListFilter):
    """By the words we know; Django's own filter would read the whole table for those it holds."""

    title = "event type"
    parameter_name = "event_type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(word, word) for word in (*SUPPORTED_TYPES, *sorted(IGNORED_TYPES), "turn")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[WebhookDelivery]) -> QuerySet[WebhookDelivery]:
        return queryset.filter(event_type=self.value()) if self.value() else queryset


def deliveries_of_call(request: HttpRequest, call: Call) -> str:
    """The newest webhooks of a call, for its page."""
    if not request.user.has_perm("webhooks.view_webhookdelivery"):
        return ""
    fields = ("route", "event_type", "outcome", "answer_status", "received_at", "times_received", "error")
    deliveries = WebhookDelivery.objects.filter(call=call).only(*fields).order_by("-id")[:DELIVERIES_SHOWN]
    told = [(delivery, redacted(delivery.error).strip().rpartition("\n")[2]) for delivery in deliveries]
    context = {"call": call, "told": told}
    return render_to_string("webhooks/deliveries_of_call.html", context)


sections_of_call.append(deliveries_of_call)


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(OfCallAdmin):
    """Deliveries can be looked at and applied again; nothing is added, changed or deleted here."""

    list_display = (
        *("id", "received_at", "route", "event_type", "outcome", "call", "conversation_id"),
        *("size_bytes", "times_received", "times_applied"),
    )
    list_filter = ("outcome", "route", EventType, "received_at")
    search_fields = ("conversation_id__exact", "call_sid__exact", "digest__exact")
    search_help_text = "A whole conversation ID, call SID or digest."
    actions = ("apply_deliveries_again",)
    exclude = ("body", "answer_body", "error")
    readonly_fields = ("answer", "reason", "body_text")

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookDelivery]:
        return super().get_queryset(request).defer("body")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """The action needs the permission; the form shows everything read only all the same."""
        return obj is None and admin.ModelAdmin.has_change_permission(self, request)

    @admin.display(description="answer body")
    def answer(self, delivery: WebhookDelivery) -> str:
        return pretty_json(delivery.answer_body)

    @admin.display(description="error")
    def reason(self, delivery: WebhookDelivery) -> str:
        """Why it was not applied; for the staff alone."""
        return format_html("<pre>{}</pre>", redacted(delivery.error)) if delivery.error else "—"

    @admin.display(description="body")
    def body_text(self, delivery: WebhookDelivery) -> str:
        """Without secrets, and indented where it is JSON."""
        body = bytes(delivery.body).decode("utf-8", "replace")
        shown = redacted(_FULL_AUDIO.sub(lambda found: found[1] + size_of_audio(found[2]), body))
        if (value := parsed(shown)) is not None:
            text = json.dumps(value, indent=2, ensure_ascii=False)
            shown = text.encode("utf-8", "backslashreplace").decode()  # an escape can say lone surrogates
        rest = f"\n… {delivery.size_bytes} bytes in all" if len(shown) > BODY_SHOWN_CHARACTERS else ""
        return format_html("<pre>{}{}</pre>", shown[:BODY_SHOWN_CHARACTERS], rest)

    @admin.action(description="Apply again", permissions=["change"])
    def apply_deliveries_again(
        self, request: HttpRequest, deliveries: QuerySet[WebhookDelivery]
    ) -> TemplateResponse | None:
        """A step of them; where more are chosen, a page that shows how far it is and asks for the next step."""
        form = Progress(request.POST)
        before = form.cleaned_data if form.is_valid() else begun(deliveries)
        progress, is_all = step(deliveries, before)
        if is_all:
            level = messages.SUCCESS if progress["applied"] == progress["done"] else messages.WARNING
            self.message_user(request, f"Applied {progress['applied']} of {progress['done']} deliveries.", level)
            return None
        context = {
            **self.admin_site.each_context(request),
            "title": "Apply again",
            "opts": self.opts,
            "progress": progress,
            "form": Progress(progress),
            "select_across": request.POST.get("select_across", "0"),
            "selected": request.POST.getlist("_selected_action"),
        }
        return TemplateResponse(request, "webhooks/applying_again.html", context)
