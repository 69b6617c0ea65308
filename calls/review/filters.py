"""Filters of the list of calls, by whether a call was reviewed and by label."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import Q, QuerySet, Subquery
from django.http import HttpRequest

from calls.call_list.options import CallFilter, Choice, Options, options
from calls.models import Call, CallLabel
from calls.redaction import redacted
from calls.review.labels import in_use, written


class ReviewedFilter(Options):
    title = "review"
    parameter_names = ("reviewed",)
    options = options(
        "reviewed",
        ("yes", "Reviewed", Q(reviewed_at__isnull=False)),
        ("no", "Not reviewed", Q(reviewed_at__isnull=True)),
    )


class LabelFilter(CallFilter):
    """A filter by label. It offers the labels that were given lately; its parameter takes any label, in any case."""

    title = "label"
    parameter_names = ("label",)

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: type[Call], model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        self.chosen = written(self.said.get("label", ""))

    def queryset(self, request: HttpRequest, queryset: QuerySet[Call]) -> QuerySet[Call]:
        if not self.said:
            return queryset
        # PostgreSQL may scan the calls from the newest on: it then begins at the label's newest call, not the table's
        newest = CallLabel.objects.filter(name=self.chosen).order_by("-call").values("call")[:1]
        return queryset.filter(labels__name=self.chosen, pk__lte=Subquery(newest))

    def choices(self, changelist: Any) -> Iterator[Choice]:
        yield self.link(changelist, "Any", {}, selected=not self.said)
        names = in_use(self.request)
        for name in names if self.chosen in ("", *names) else [*names, self.chosen]:
            yield self.link(changelist, redacted(name), {"label": name}, selected=name == self.chosen)
