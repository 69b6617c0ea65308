"""The staff's view of history, for any room: looked at, never edited, and no dearer for being long."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

COUNTED = 5_000


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts no further than COUNTED rows: counting millions costs seconds, and nobody turns to their last page."""

    @cached_property
    def count(self) -> int:
        rows: QuerySet[Any] = self.object_list  # type: ignore[assignment]  # a change list's
        return len(rows.order_by().values_list("pk")[:COUNTED])


class HistoryAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """What happened can be looked at, and neither added nor changed nor deleted. Search takes whole identifiers.

    A list is narrowed by its filters and its identifiers alone: with Django's other look-ups, say
    `?final_transcript__icontains=`, secrets that a page masks could be found letter by letter.
    """

    show_full_result_count = False
    list_per_page = 50
    paginator = CappedPaginator
    links: tuple[str, ...] = ()  # further look-ups that pages of the admin link to

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        filters = {getattr(one, "parameter_name", one) for one in self.list_filter}
        identifiers = {name.removesuffix("__exact") for name in (*self.search_fields, *self.links)}
        return lookup.partition("__")[0] in filters or lookup.removesuffix("__exact") in identifiers

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class OfCallAdmin(HistoryAdmin):
    """What belongs to a call, of which a list reads only what it shows: the transcripts of 50 may be megabytes."""

    list_select_related = ("call",)
    links = ("call__id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        call = self.model._meta.get_field("call").related_model
        unread = {field.name for field in call._meta.concrete_fields} - {"id", "call_sid"}
        return super().get_queryset(request).defer(*(f"call__{name}" for name in unread))
