"""The staff's list of refused requests per hour: how many, why, and what to do."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet, Subquery
from django.http import HttpRequest
from django.utils.html import format_html

from calls.readonly_admin import ReadOnlyAdmin, time_column
from webhooks.models import RefusedRequests
from webhooks.notices import MENDS


@admin.register(RefusedRequests)
class RefusedRequestsAdmin(ReadOnlyAdmin):
    """A read-only list with one row per hour and reason. `webhooks.refusals` writes the rows and deletes old ones."""

    agent_id = page_kind = None
    list_display = (time_column("hour", "hour"), "reason", "requests", "bar", "mend")
    list_display_links = None
    list_filter = ("reason", "hour")
    fields = ("hour", "reason", "requests", "mend")

    class Media:
        css = {"all": ["calls/admin.css"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet[RefusedRequests]:
        worst = RefusedRequests.objects.order_by("-count").values("count")[:1]
        rows: QuerySet[RefusedRequests] = super().get_queryset(request)
        return rows.annotate(most=Subquery(worst))

    @admin.display(description="requests", ordering="count")
    def requests(self, refused: RefusedRequests) -> str:
        return f"{refused.count:,}"

    @admin.display(description="")
    def bar(self, refused: Any) -> str:
        """Draw the count relative to the worst row. Screen readers skip the bar, as the number stands beside it."""
        return format_html(
            '<meter min="0" max="{}" value="{}" aria-hidden="true"></meter>', refused.most, refused.count
        )

    @admin.display(description="what to do")
    def mend(self, refused: RefusedRequests) -> str:
        mends: dict[Any, str] = {**MENDS}
        return mends.get(refused.reason, "")
