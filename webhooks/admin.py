"""The inbox for the staff: what came, what became of it, and "apply again"."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

from calls.history import OfCallAdmin
from webhooks.inbox import apply_again
from webhooks.models import WebhookDelivery
from webhooks.payloads import IGNORED_TYPES, SUPPORTED_TYPES

BODY_SHOWN_BYTES = 100_000


class EventType(admin.SimpleListFilter):
    """By the words we know; Django's own filter would read the whole table for those it holds."""

    title = "event type"
    parameter_name = "event_type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(word, word) for word in (*SUPPORTED_TYPES, *sorted(IGNORED_TYPES), "turn")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[WebhookDelivery]) -> QuerySet[WebhookDelivery]:
        return queryset.filter(event_type=self.value()) if self.value() else queryset


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
    exclude = ("body",)
    readonly_fields = ("body_text",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookDelivery]:
        return super().get_queryset(request).defer("body")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """The action needs the permission; the form shows everything read only all the same."""
        return obj is None and admin.ModelAdmin.has_change_permission(self, request)

    @admin.display(description="body")
    def body_text(self, delivery: WebhookDelivery) -> str:
        shown = bytes(delivery.body)[:BODY_SHOWN_BYTES].decode("utf-8", "replace")
        rest = f"\n… {delivery.size_bytes} bytes in all" if delivery.size_bytes > BODY_SHOWN_BYTES else ""
        return format_html("<pre>{}{}</pre>", shown, rest)

    @admin.action(description="Apply again", permissions=["change"])
    def apply_deliveries_again(self, request: HttpRequest, deliveries: QuerySet[WebhookDelivery]) -> None:
        """In the order they came, each in its own transaction."""
        outcomes = [apply_again(delivery).outcome for delivery in deliveries.order_by("id")]
        applied = outcomes.count(WebhookDelivery.Outcome.APPLIED)
        level = messages.SUCCESS if applied == len(outcomes) else messages.WARNING
        self.message_user(request, f"Applied {applied} of {len(outcomes)} deliveries.", level)
