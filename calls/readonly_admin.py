"""Read-only admin classes, for any room, whose queries do not grow with the table."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

COUNTED = 5_000


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts at most COUNTED rows: counting millions takes seconds, and nobody opens the last page."""

    @cached_property
    def count(self) -> int:
        rows: QuerySet[Any] = self.object_list  # type: ignore[assignment]  # a change list gives a queryset
        return len(rows.order_by().values_list("pk")[:COUNTED])


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Staff can look at rows, and cannot add, change or delete them. Search takes whole identifiers.

    The URL of a list accepts its filters and its identifiers only. With Django's other look-ups, such as
    `?final_transcript__icontains=`, staff could guess the secrets that a page masks, letter by letter.
    """

    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # they count the whole table, once for each value of each filter
    list_per_page = 50
    paginator = CappedPaginator
    links: tuple[str, ...] = ()  # more look-ups, which pages of the admin link to

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        filters = {getattr(one, "parameter_name", one) for one in self.list_filter}
        identifiers = {name.removesuffix("__exact") for name in (*self.search_fields, *self.links)}
        return lookup.partition("__")[0] in filters or lookup.removesuffix("__exact") in identifiers

    def get_search_results(self, request: HttpRequest, rows: QuerySet[Any], text: str) -> tuple[QuerySet[Any], bool]:
        """The text is one identifier, with its spaces and quotes. Django's search would make words of it."""
        if not text:
            return rows, False
        return rows.filter(reduce(or_, (Q(**{field: text}) for field in self.search_fields))), False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class OfCallAdmin(ReadOnlyAdmin):
    """Rows that belong to a call. Lists read two columns of it: the transcripts of 50 calls may be megabytes."""

    list_select_related = ("call",)
    links = ("call__id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        call = self.model._meta.get_field("call").related_model
        unread = {field.name for field in call._meta.concrete_fields} - {"id", "call_sid"}
        return super().get_queryset(request).defer(*(f"call__{name}" for name in unread))
