"""Cursor pages: a page costs the same wherever it lies, and new calls shift none."""

from __future__ import annotations

from django.db.models import Model, QuerySet
from django.utils.dateparse import parse_datetime
from rest_framework.exceptions import NotFound
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request
from rest_framework.views import APIView


class NewestFirst(CursorPagination):
    """By key; by start where the filters ask for a start, which a call may only learn when it ends."""

    ordering = "-id"
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200

    def get_ordering(self, request: Request, queryset: QuerySet[Model], view: APIView) -> tuple[str, ...]:
        return ("-started", "-id") if "started" in queryset.query.annotations else ("-id",)

    def decode_cursor(self, request: Request) -> Cursor | None:
        """A cursor that is none of ours, its position no key and no time, is answered 404 like any broken one."""
        cursor = super().decode_cursor(request)
        if cursor is not None and cursor.position is not None:
            position = str(cursor.position)
            if not (_is_key(position) if self.ordering[0] == "-id" else _is_moment(position)):
                raise NotFound(self.invalid_cursor_message)
        return cursor


def _is_key(text: str) -> bool:
    return text.isascii() and text.isdecimal()


def _is_moment(text: str) -> bool:
    try:
        return parse_datetime(text) is not None
    except ValueError:
        return False
