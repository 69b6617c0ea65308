"""The admin pages of the inbox: each delivery, its outcome, and the action "apply again"."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.db.models.functions import Left, Right
from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import URLPattern, path
from django.utils.html import format_html

from calls.access_log import Kind, Subject
from calls.admin import pretty_json
from calls.call_page.rooms import sections_of_call
from calls.models import Call
from calls.readonly_admin import OfCallAdmin, time_column
from calls.redaction import redacted
from webhooks import bodies, queues, refusals_admin  # noqa: F401  (they register themselves)
from webhooks.applying_admin import ApplyAgain
from webhooks.models import WebhookDelivery
from webhooks.payloads import IGNORED_TYPES, SUPPORTED_TYPES
from webhooks.why import visible, wanted_by, why

BODY_SHOWN_CHARACTERS = 100_000
DELIVERIES_SHOWN = 8  # on a call's page
TOO_LARGE = f"It is too large to be masked here: above {bodies.READ_BYTES:,} bytes without audio."
ERROR_READ_CHARACTERS = 400  # of each end of an error, for the list
RECEIVED = time_column("received_at", "received")


class EventType(admin.SimpleListFilter):
    """A filter with the event types that callsite knows; Django's own would read the whole table to find them."""

    title = "event type"
    parameter_name = "event_type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(word, word) for word in (*SUPPORTED_TYPES, *sorted(IGNORED_TYPES), "turn")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[WebhookDelivery]) -> QuerySet[WebhookDelivery]:
        return queryset.filter(event_type=self.value()) if self.value() else queryset


def deliveries_of_call(request: HttpRequest, call: Call) -> str:
    """Return the section of a call's page with its newest webhooks; an empty string if the user may not view them."""
    if not request.user.has_perm("webhooks.view_webhookdelivery"):
        return ""
    fields = ("route", "event_type", "outcome", "answer_status", "received_at", "times_received", "error")
    deliveries = WebhookDelivery.objects.filter(call=call).only(*fields).order_by("-id")[:DELIVERIES_SHOWN]
    told = [(delivery, redacted(delivery.error).strip().rpartition("\n")[2]) for delivery in deliveries]
    context = {"call": call, "told": told}
    return render_to_string("webhooks/deliveries_of_call.html", context)


sections_of_call.append(deliveries_of_call)


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ApplyAgain, OfCallAdmin):
    """The staff's pages of deliveries: they can be viewed and applied again, but not added, changed or deleted."""

    list_display = ("id", RECEIVED, "event", "outcome", "why", "about")
    sortable_by = ("id", RECEIVED, "event", "outcome")
    list_filter = ("outcome", "route", EventType, "received_at")
    search_fields = ("conversation_id__exact", "call_sid__exact", "digest__exact")
    search_help_text = "A whole conversation ID, call SID or digest."
    actions = ("apply_deliveries_again",)
    change_form_template = "webhooks/delivery_page.html"
    fields = (
        *("outcome", "reason", "event_type", "route", "call", "conversation_id", "call_sid", "received_at"),
        *("times_received", "times_applied", "applied_at", "answer_status", "answer", "size_bytes", "body_text"),
        "digest",
    )
    readonly_fields = ("waits_for", "answer", "reason", "body_text")

    class Media:
        css = {"all": ["calls/admin.css"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookDelivery]:
        rows: QuerySet[WebhookDelivery] = super().get_queryset(request).defer("body")
        if request.resolver_match and request.resolver_match.url_name == "webhooks_webhookdelivery_changelist":
            ends = {
                "error_begin": Left("error", ERROR_READ_CHARACTERS),
                "error_end": Right("error", ERROR_READ_CHARACTERS),
            }
            rows = rows.defer("body", "error", "answer_body").annotate(**ends)
        return rows

    def get_fields(self, request: HttpRequest, obj: WebhookDelivery | None = None) -> list[Any]:
        """Show `waits_for` as the first field, and only for a delivery that waits for its call."""
        waits = obj is not None and obj.outcome == WebhookDelivery.Outcome.UNMATCHED
        return ["waits_for", *self.fields] if waits else [*self.fields]

    def has_raw_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("webhooks.view_raw_payload")

    def subject_of(self, row: WebhookDelivery) -> Subject:
        return Subject.of(row.call) if row.call else Subject(None, row.call_sid, row.conversation_id)

    def detail_of(self, row: WebhookDelivery) -> str:
        return f"delivery {row.pk}"

    def get_urls(self) -> list[URLPattern]:
        return [
            path("<int:pk>/masked/", self.admin_site.admin_view(self.masked), name="webhooks_webhookdelivery_masked"),
            path("<int:pk>/raw/", self.admin_site.admin_view(self.raw), name="webhooks_webhookdelivery_raw"),
            *super().get_urls(),
        ]

    def masked(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Return the body as a file, with its secrets masked. Raises Http404 if it is too large to be masked."""
        delivery = self._downloaded(request, pk)
        text = bodies.masked(delivery)
        if text is None:
            raise Http404(TOO_LARGE)
        response = _file(text.encode("utf-8", "backslashreplace"), f"delivery-{pk}.json")
        return self.logged(response, request, Kind.PAGE, [delivery], self.detail_of(delivery))

    def raw(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Return the body as a file, with its secrets but without the audio. The access log gets a row per download."""
        if not self.has_raw_permission(request):
            raise PermissionDenied
        delivery = self._downloaded(request, pk)
        response = _file(bodies.raw(delivery), f"delivery-{pk}-raw.json")
        return self.logged(response, request, Kind.RAW_BODY, [delivery], self.detail_of(delivery))

    def _downloaded(self, request: HttpRequest, pk: int) -> WebhookDelivery:
        if not self.has_view_permission(request):
            raise PermissionDenied
        delivery = self.get_queryset(request).filter(pk=pk).first()
        if delivery is None:
            raise Http404("There is no such delivery.")
        return delivery

    @admin.display(description="event", ordering="event_type")
    def event(self, delivery: WebhookDelivery) -> str:
        return visible(delivery.event_type) or delivery.get_route_display()

    @admin.display(description="call")
    def about(self, delivery: WebhookDelivery) -> str:
        """Return the delivery's call; for an unmatched delivery, the name that it was looked up by."""
        name = delivery.call.call_sid if delivery.call else delivery.conversation_id or delivery.call_sid
        return visible(name) or "—"

    @admin.display(description="why")
    def why(self, delivery: Any) -> str:
        """Return why the delivery has its outcome, for the list, which reads only the two ends of an error."""
        is_failed = delivery.outcome == WebhookDelivery.Outcome.FAILED
        error = delivery.error_end if is_failed else delivery.error_begin
        return why(delivery.outcome, delivery.event_type, error) or "—"

    @admin.display(description="what would match it")
    def waits_for(self, delivery: WebhookDelivery) -> str:
        context = {"wanted": wanted_by(delivery), "creates": settings.ELEVENLABS_CREATE_UNKNOWN_CALLS}
        return render_to_string("webhooks/waits_for.html", context)

    @admin.display(description="answer body")
    def answer(self, delivery: WebhookDelivery) -> str:
        return pretty_json(delivery.answer_body)

    @admin.display(description="error")
    def reason(self, delivery: WebhookDelivery) -> str:
        """Return the whole error of a delivery, for the staff only."""
        return format_html('<pre tabindex="0">{}</pre>', visible(redacted(delivery.error))) if delivery.error else "—"

    @admin.display(description="body")
    def body_text(self, delivery: WebhookDelivery) -> str:
        """Return the body with its secrets masked, indented if it is JSON."""
        shown = bodies.masked(delivery)
        if shown is None:
            return TOO_LARGE
        rest = f"\n… {delivery.size_bytes} bytes in all" if len(shown) > BODY_SHOWN_CHARACTERS else ""
        return format_html('<pre tabindex="0">{}{}</pre>', shown[:BODY_SHOWN_CHARACTERS], rest)


def _file(content: bytes, name: str) -> HttpResponse:
    """Return a response that browsers save and never display."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"}
    return HttpResponse(content, content_type="application/octet-stream", headers=headers)
