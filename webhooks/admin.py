"""The inbox for the staff: what came, what became of it, and "apply again"."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

from webhooks.inbox import apply_again
from webhooks.models import WebhookDelivery

BODY_SHOWN_BYTES = 100_000


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Deliveries can be looked at and applied again; nothing is added, changed or deleted here."""

    list_display = (
        *("id", "received_at", "route", "event_type", "outcome", "call", "conversation_id"),
        *("size_bytes", "times_received", "times_applied"),
    )
    list_select_related = ("call",)
    list_filter = ("outcome", "route", "event_type", "received_at")
    search_fields = ("=conversation_id", "=call_sid", "=digest")
    search_help_text = "A whole conversation ID, call SID or digest."
    show_full_result_count = False
    list_per_page = 50
    actions = ("apply_deliveries_again",)
    exclude = ("body",)
    readonly_fields = ("body_text",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookDelivery]:
        return super().get_queryset(request).defer("body")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """The action needs the permission; the form shows everything read only all the same."""
        return obj is None and super().has_change_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

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
