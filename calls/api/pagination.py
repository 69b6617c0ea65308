"""Cursor pages: each page costs the same, however far back it is, and new calls do not shift them."""

from __future__ import annotations

from django.db.models import Model, QuerySet
from django.utils.dateparse import parse_datetime
from rest_framework.exceptions import NotFound
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request
from rest_framework.views import APIView


class NewestFirst(CursorPagination):
    """Order by key, or by start if a filter asks for a start. A call may learn its start only when it ends."""

    ordering = "-id"
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200

    def get_ordering(self, request: Request, queryset: QuerySet[Model], view: APIView) -> tuple[str, ...]:
        return ("-started", "-id") if "started" in queryset.query.annotations else ("-id",)

    def decode_cursor(self, request: Request) -> Cursor | None:
        """Answer 404 to a cursor whose position is no key and no time, as to any other broken cursor."""
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
