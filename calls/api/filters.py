"""The query filters of `GET /api/calls/`."""

from __future__ import annotations

from typing import ClassVar

import django_filters
from django.db.models import QuerySet
from django.db.models.functions import Coalesce

from calls.api.moments import MomentFilter
from calls.models import Call
from calls.search.query import matching

STARTED = Coalesce("call_start_time", "created_at")

SUCCESS = {"true": True, "false": False, "True": True, "False": False}


class SuccessFilter(django_filters.TypedChoiceFilter):
    """A boolean filter that refuses any other word; django-filter's BooleanFilter would silently ignore it."""


class CallFilter(django_filters.FilterSet):
    """The filters of the list of calls.

    `started_*` compare the start of a call, or its registration while its start is unknown. With them, pages are
    ordered by that time, so that no page has to scan for its beginning.
    """

    status = django_filters.ChoiceFilter(choices=Call.Status.choices)
    direction = django_filters.ChoiceFilter(choices=Call.Direction.choices)
    driver_id = django_filters.CharFilter(help_text="The whole driver ID.")
    agent_id = django_filters.CharFilter(help_text="The whole agent ID.")
    call_successful = SuccessFilter(
        choices=[(word, word) for word in SUCCESS],
        coerce=SUCCESS.get,
    )
    started_after = MomentFilter(method="filter_started_after")
    started_before = MomentFilter(method="filter_started_before")
    search = django_filters.CharFilter(
        method="filter_search",
        help_text="All these words stand in names, agent, numbers, failure, summary, transcript or live turns. The last"
        " may be the beginning of a word; numbers may be typed in any way. Case does not count, accents do.",
    )

    class Meta:
        model = Call
        fields: ClassVar[list[str]] = []

    def filter_started_after(self, calls: QuerySet[Call], name: str, value: object) -> QuerySet[Call]:
        return calls.annotate(started=STARTED).filter(started__gte=value)

    def filter_started_before(self, calls: QuerySet[Call], name: str, value: object) -> QuerySet[Call]:
        return calls.annotate(started=STARTED).filter(started__lt=value)

    def filter_search(self, calls: QuerySet[Call], name: str, value: str) -> QuerySet[Call]:
        return matching(calls, value)
