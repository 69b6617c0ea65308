"""The action "Apply again": a page that shows what would happen, then steps with a result per delivery."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from django.contrib import admin
from django.contrib.admin.models import CHANGE, LogEntry
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse

from calls import access_log
from calls.bounded_count import COUNTED
from webhooks.applying_again import Progress, Result, begun, preview, step
from webhooks.models import WebhookDelivery

logger = logging.getLogger(__name__)


class ApplyAgain:
    """The admin action for one delivery or many: the ticked ones, or all that the filter shows."""

    subject_of: Callable[[WebhookDelivery], access_log.Subject]
    detail_of: Callable[[WebhookDelivery], str]

    def has_apply_again_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("webhooks.apply_again_webhookdelivery")

    @admin.action(description="Apply again …", permissions=["apply_again"])
    def apply_deliveries_again(self, request: HttpRequest, deliveries: QuerySet[WebhookDelivery]) -> TemplateResponse:
        """Show the preview, which writes nothing; if the form has the progress of a step, do the next step."""
        form = Progress(request.POST)
        if not form.is_valid():
            progress = begun(deliveries)
            return self._page(request, progress, preview(deliveries, progress), state="asks")

        def note(delivery: WebhookDelivery) -> None:
            access_log.note(request, access_log.Kind.APPLY_AGAIN, [self.subject_of(delivery)], self.detail_of(delivery))

        progress, results, is_all = step(deliveries, form.cleaned_data, note)
        _log(request, results)
        return self._page(request, progress, results, state="done" if is_all else "goes on")

    def _page(
        self, request: HttpRequest, progress: dict[str, Any], results: Sequence[Result], *, state: str
    ) -> TemplateResponse:
        outcomes = Counter(result.outcome.label if result.outcome else "Not tried" for result in results)
        total = progress["total"]
        context = {
            **admin.site.each_context(request),
            "title": "Apply again",
            "opts": WebhookDelivery._meta,
            "state": state,
            "progress": progress,
            "total": f"{COUNTED:,} or more" if total >= COUNTED else f"{total:,}",
            "results": results,
            "outcomes": outcomes.most_common(),
            "may_view_calls": request.user.has_perm("calls.view_call"),
            "form": Progress(progress),
            "select_across": request.POST.get("select_across", "0"),
            "selected": request.POST.getlist("_selected_action"),
        }
        return TemplateResponse(request, "webhooks/applying_again.html", context)


def _log(request: HttpRequest, results: Sequence[Result]) -> None:
    """Record who applied what: in the history of each delivery, and in one log line. The journal logs each result."""
    by_outcome: dict[str, list[WebhookDelivery]] = {}
    for result in results:
        label = result.outcome.label if result.outcome else "could not be tried"
        by_outcome.setdefault(label, []).append(result.delivery)
    for label, deliveries in by_outcome.items():
        LogEntry.objects.log_actions(
            request.user.pk,  # type: ignore[arg-type]  # a user who is signed in has one
            deliveries,
            CHANGE,
            f"Applied again: {label}.",
        )
    logger.info("User %s had %d deliveries applied again", request.user.pk, len(results))
