"""The inbox for the staff: what came, what became of it, and "apply again"."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from calls import access_log
from calls.access_log import Kind, Subject
from calls.admin import changelist_link, links_from_call, pretty_json
from calls.models import Call
from calls.readonly_admin import OfCallAdmin
from calls.redaction import redacted
from webhooks.applying_again import Progress, begun, step
from webhooks.bodies_for_staff import as_it_came, without_secrets
from webhooks.models import WebhookDelivery
from webhooks.payloads import IGNORED_TYPES, SUPPORTED_TYPES

BODY_SHOWN_CHARACTERS = 100_000


class EventType(admin.SimpleListFilter):
    """By the words we know; Django's own filter would read the whole table for those it holds."""

    title = "event type"
    parameter_name = "event_type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(word, word) for word in (*SUPPORTED_TYPES, *sorted(IGNORED_TYPES), "turn")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[WebhookDelivery]) -> QuerySet[WebhookDelivery]:
        return queryset.filter(event_type=self.value()) if self.value() else queryset


def link_to_deliveries(call: Call) -> str:
    return changelist_link("webhooks_webhookdelivery", f"call__id__exact={call.pk}", "Webhook deliveries")


links_from_call.append(link_to_deliveries)


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

    def has_apply_again_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("webhooks.apply_again_webhookdelivery")

    def has_raw_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("webhooks.view_raw_payload")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = super().get_readonly_fields(request, obj)
        return (*fields, "raw_body") if self.has_raw_permission(request) else fields

    def get_urls(self) -> list[URLPattern]:
        raw = self.admin_site.admin_view(self.raw_view)
        return [path("<int:pk>/raw/", raw, name="webhooks_webhookdelivery_raw"), *super().get_urls()]

    def subject_of(self, row: WebhookDelivery) -> Subject:
        return Subject.of(row.call) if row.call else Subject(None, row.call_sid, row.conversation_id)

    def detail_of(self, row: WebhookDelivery) -> str:
        return f"delivery {row.pk}"

    def raw_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The body with its secrets, for those who may see them; the access log has each look."""
        if not (self.has_view_permission(request) and self.has_raw_permission(request)):
            raise PermissionDenied
        delivery = self.get_queryset(request).filter(pk=pk).first()
        if delivery is None:
            raise Http404("There is no such delivery.")
        context = {
            **self.admin_site.each_context(request),
            "title": f"Body of delivery {pk}, as it came",
            "opts": self.opts,
            "delivery": delivery,
            "body": self._shown(as_it_came(bytes(delivery.body)), delivery),
        }
        response = TemplateResponse(request, "webhooks/raw_body.html", context)
        return self.logged(response, request, Kind.RAW_BODY, [delivery], self.detail_of(delivery))

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
        return format_html("<pre>{}</pre>", self._shown(without_secrets(bytes(delivery.body)), delivery))

    @admin.display(description="body as it came")
    def raw_body(self, delivery: WebhookDelivery) -> str:
        url = reverse("admin:webhooks_webhookdelivery_raw", args=[delivery.pk])
        return format_html('<a href="{}">Show it with its secrets</a> (the access log keeps who did)', url)

    def _shown(self, text: str, delivery: WebhookDelivery) -> str:
        rest = f"\n… {delivery.size_bytes} bytes in all" if len(text) > BODY_SHOWN_CHARACTERS else ""
        return text[:BODY_SHOWN_CHARACTERS] + rest

    @admin.action(description="Apply again", permissions=["apply_again"])
    def apply_deliveries_again(
        self, request: HttpRequest, deliveries: QuerySet[WebhookDelivery]
    ) -> TemplateResponse | None:
        """A step of them; where more are chosen, a page that shows how far it is and asks for the next step."""
        form = Progress(request.POST)
        before = form.cleaned_data if form.is_valid() else begun(deliveries)

        def note(delivery: WebhookDelivery) -> None:
            access_log.note(request, Kind.APPLY_AGAIN, [self.subject_of(delivery)], self.detail_of(delivery))

        progress, is_all = step(deliveries, before, note)
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
