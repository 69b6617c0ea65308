"""What `GET /api/calls/` can be narrowed by."""

from __future__ import annotations

from typing import ClassVar

import django_filters
from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce

from calls.models import Call


class CallFilter(django_filters.FilterSet):
    """`started_*` compare the start, or the registration of a call whose start is not known yet."""

    status = django_filters.ChoiceFilter(choices=Call.Status.choices)
    direction = django_filters.ChoiceFilter(choices=Call.Direction.choices)
    driver_id = django_filters.CharFilter()
    agent_id = django_filters.CharFilter()
    call_successful = django_filters.BooleanFilter()
    started_after = django_filters.IsoDateTimeFilter(method="filter_started_after")
    started_before = django_filters.IsoDateTimeFilter(method="filter_started_before")
    search = django_filters.CharFilter(
        method="filter_search", help_text="In identifiers, agent, numbers and the summary."
    )

    class Meta:
        model = Call
        fields: ClassVar[list[str]] = []

    def filter_started_after(self, calls: QuerySet[Call], name: str, value: object) -> QuerySet[Call]:
        return calls.alias(started=Coalesce("call_start_time", "created_at")).filter(started__gte=value)

    def filter_started_before(self, calls: QuerySet[Call], name: str, value: object) -> QuerySet[Call]:
        return calls.alias(started=Coalesce("call_start_time", "created_at")).filter(started__lt=value)

    def filter_search(self, calls: QuerySet[Call], name: str, value: str) -> QuerySet[Call]:
        fields = (
            *("call_sid", "conversation_id", "driver_id", "agent_id", "agent_name"),
            *("from_number", "to_number", "transcript_summary"),
        )
        found = Q()
        for field in fields:
            found |= Q(**{f"{field}__icontains": value.replace("\x00", "")})
        return calls.filter(found)
