"""Filters of the list of calls: those that were reviewed, and those with a label."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet, Subquery
from django.http import HttpRequest

from calls.models import Call, CallLabel
from calls.redaction import redacted
from calls.review.labels import in_use, written


class ReviewedFilter(admin.SimpleListFilter):
    title = "review"
    parameter_name = "reviewed"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Reviewed"), ("no", "Not reviewed")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Call]) -> QuerySet[Call]:
        if (value := self.value()) not in ("yes", "no"):
            return queryset
        return queryset.filter(reviewed_at__isnull=value == "no")


class LabelFilter(admin.SimpleListFilter):
    """Those that calls were given lately are offered; the address takes any."""

    title = "label"
    parameter_name = "label"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        names = in_use(request)
        if (chosen := self._chosen()) and chosen not in names:
            names = [*names, chosen]
        return [(name, redacted(name)) for name in names]

    def choices(self, changelist: Any) -> Any:
        """`Label: LATE` of an address is the choice `late`."""
        if (chosen := self._chosen()) is not None:
            self.used_parameters[self.parameter_name] = chosen
        return super().choices(changelist)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Call]) -> QuerySet[Call]:
        if not (chosen := self._chosen()):
            return queryset
        # PostgreSQL may walk through the calls from the newest on: from the newest of the label, not from the table's
        newest = CallLabel.objects.filter(name=chosen).order_by("-call").values("call")[:1]
        return queryset.filter(labels__name=chosen, pk__lte=Subquery(newest))

    def _chosen(self) -> str | None:
        value = self.value()
        return None if value is None else written(value)
