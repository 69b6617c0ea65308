"""Read-only admin classes for any room, whose queries do not grow with the table.

They show only the calls that the user may see, and log who looked.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from operator import or_
from typing import Any

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import PAGE_VAR, ChangeList
from django.core.exceptions import SuspiciousOperation
from django.core.paginator import Paginator
from django.db.models import CharField, DateTimeField, Q, QuerySet, TextField
from django.http import HttpRequest, HttpResponse
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.text import capfirst

from calls import access_log
from calls.access import agents_of_request, visible
from calls.access_log import Kind, Subject
from calls.bidi import words
from calls.bounded_count import COUNTED, Count, counted
from calls.postgres.waits import TookTooLong
from calls.templatetags.calls import moment

KEY_DIGITS = 18  # no key has more digits, and every key column holds as many
OF_FILTERS = ("__id__exact", "__exact", "__isnull", "__gte", "__lt")  # the look-ups of Django's own filters


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """A paginator that counts at most COUNTED rows: counting millions takes seconds, and nobody opens the last page.

    If even that takes too long, it counts up to the end of the requested page.
    """

    page_asked = 1

    @cached_property
    def count(self) -> Count:
        rows: QuerySet[Any] = self.object_list  # type: ignore[assignment]  # a change list gives a queryset
        try:
            return counted(rows)
        except TookTooLong:
            most = min(COUNTED, self.page_asked * self.per_page)
            return Count.of(len(rows.values_list("pk")[: most + 1]), most)


class IndexedOrder(ChangeList):
    """A list that sorts only by the columns in `sortable_by` of its admin: other columns would sort the whole table."""

    def get_ordering_field(self, field_name: Any) -> Any:
        if self.sortable_by is not None and field_name not in self.sortable_by:
            return None
        return super().get_ordering_field(field_name)


class KnownLookups(admin.ModelAdmin):  # type: ignore[type-arg]
    """An admin whose list URL accepts only the look-ups of its filters and of links to it, and whole identifiers.

    With Django's other look-ups, such as `?final_transcript__icontains=`, staff could guess the secrets that a page
    masks, letter by letter; and `__regex` and `__year` accept values for which the database raises an error.
    """

    links: tuple[str, ...] = ()  # further look-ups, in links on admin pages

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        fields = {one for one in self.list_filter if isinstance(one, str)}
        own = {name for one in self.list_filter if not isinstance(one, str) for name in parameters_of(one)}
        identifiers = {name.removesuffix("__exact") for name in (*self.search_fields, *self.links)}
        filtered = next((lookup.removesuffix(end) for end in OF_FILTERS if lookup.endswith(end)), lookup)
        return lookup in own or filtered in fields or lookup.removesuffix("__exact") in identifiers

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        """Return the list; answer a date out of range as a wrong look-up.

        SQLite keeps times in UTC, where the first and the last day of the calendar may lie out of range.
        """
        try:
            changelist = super().get_changelist_instance(request)
        except OverflowError as error:
            raise IncorrectLookupParameters(error) from error
        changelist.title = str(capfirst(self.opts.verbose_name_plural))
        return changelist

    def response_action(
        self, request: HttpRequest, queryset: QuerySet[Any], *args: Any, **kwargs: Any
    ) -> HttpResponse | None:
        """Run an admin action. Refuse a form whose rows have no keys: the database would fail on them."""
        if not all(map(_is_key, request.POST.getlist(ACTION_CHECKBOX_NAME))):
            raise SuspiciousOperation("The form chooses a row that has no key")
        return super().response_action(request, queryset, *args, **kwargs)


def _is_key(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= KEY_DIGITS


def parameters_of(list_filter: Any) -> tuple[str, ...]:
    """Return the URL parameters that a filter of callsite reads."""
    names: tuple[str, ...] = getattr(list_filter, "parameter_names", ()) or (list_filter.parameter_name,)
    return names


def time_column(field: str, title: str) -> Any:
    """Return a column of a list that shows a time in the form of all pages."""

    @admin.display(description=title, ordering=field)
    def column(row: Any) -> str:
        return moment(getattr(row, field)) or "–"

    column.__name__ = field
    return column


def words_column(field: str, title: str) -> Any:
    """Return a list column for a text from strangers. The text has its own direction and cannot reverse other text."""

    @admin.display(description=title, ordering=field)
    def column(row: Any) -> str:
        text = getattr(row, field)
        return format_html('<span dir="auto">{}</span>', words(text)) if text else "–"

    column.__name__ = field
    return column


class ReadOnlyAdmin(KnownLookups):
    """An admin whose rows staff can read, but not add, change or delete. Search takes whole identifiers."""

    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # facets count the whole table, once per value of each filter
    list_per_page = 50
    list_max_show_all = 0  # no "show all": each page has list_per_page rows
    paginator = CappedPaginator
    agent_id: str | None = "agent_id"  # the look-up path to the agent of a row's call; None: the row has no call
    page_kind: Kind | None = Kind.PAGE  # the kind that the access log notes for a row's page; None: no entry

    def get_paginator(self, request: HttpRequest, queryset: Any, *args: Any, **kwargs: Any) -> CappedPaginator:
        paginator = CappedPaginator(queryset, *args, **kwargs)
        asked = request.GET.get(PAGE_VAR, "")
        if asked.isascii() and asked.isdecimal() and len(asked) < 6:
            paginator.page_asked = max(1, int(asked))
        return paginator

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return IndexedOrder

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows, agents = super().get_queryset(request), agents_of_request(request)
        if self.agent_id is None:
            return rows if agents is None else rows.none()
        return visible(rows, agents, self.agent_id)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Read an empty `?_to_field=` as no field: Django would ask for a field without a name, and fail."""
        return super().get_object(request, object_id, from_field or None)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return the fieldsets, with times and texts in the form of all pages."""
        written: dict[Any, Any] = {}
        for field in self.opts.fields:
            title = str(field.verbose_name)
            if isinstance(field, DateTimeField):
                written[field.name] = time_column(field.name, title)
            elif isinstance(field, (CharField, TextField)) and not field.choices:
                written[field.name] = words_column(field.name, title)
        return [
            (name, {**options, "fields": [written.get(field, field) for field in options["fields"]]})
            for name, options in super().get_fieldsets(request, obj)
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Return the page of a row; the page is rendered only after the access log has its entry."""
        response = super().change_view(request, object_id, form_url, extra_context)
        row = (getattr(response, "context_data", None) or {}).get("original")
        if row is None or self.page_kind is None:
            return response
        return self.logged(response, request, self.page_kind, [row], self.detail_of(row))

    def logged(
        self, response: HttpResponse, request: HttpRequest, kind: Kind, rows: Iterable[Any], detail: str = ""
    ) -> HttpResponse:
        """Log that the user sees these rows, and return the response; return 503 if the log cannot be written."""
        try:
            access_log.note(request, kind, [self.subject_of(row) for row in rows], detail)
        except access_log.NotLogged as error:
            return HttpResponse(str(error.detail), status=error.status_code, content_type="text/plain")
        return response

    def subject_of(self, row: Any) -> Subject:
        return Subject.of(row)

    def detail_of(self, row: Any) -> str:
        return ""

    def get_search_results(self, request: HttpRequest, rows: QuerySet[Any], text: str) -> tuple[QuerySet[Any], bool]:
        """Search for the text as one identifier, with spaces and quotes. Django's search would split it into words."""
        if not (text and self.search_fields):
            return rows, False
        return rows.filter(reduce(or_, (Q(**{field: text}) for field in self.search_fields))), False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class OfCallAdmin(ReadOnlyAdmin):
    """Rows that belong to a call. Lists read only the call's names: the transcripts of 50 calls may be megabytes."""

    list_select_related = ("call",)
    links = ("call__id",)
    agent_id = "call__agent_id"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        call = self.model._meta.get_field("call").related_model
        unread = {field.name for field in call._meta.concrete_fields} - {"id", "call_sid", "conversation_id"}
        return super().get_queryset(request).defer(*(f"call__{name}" for name in unread))

    def subject_of(self, row: Any) -> Subject:
        return Subject.of(row.call)
