"""Cursor pagination of calls: a page costs the same however far back it is, and new calls do not shift the pages."""

from __future__ import annotations

from typing import Any

from django.db.models import Model, QuerySet
from rest_framework.exceptions import NotFound
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request
from rest_framework.views import APIView

from calls.api.moments import moment_of

KEY_DIGITS = 19  # digits of the largest possible key


class NewestFirst(CursorPagination):
    """Pages of calls, the newest first.

    The order is by key, because a call may learn its start only when it ends. If a filter compares the start, the order
    is by start.
    """

    ordering = "-id"
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200
    page_size_query_description = "How many calls a page has: 1 to 200."
    cursor_query_description = "Where the page begins. Follow `next` and `previous` of a page; do not make one up."

    def get_ordering(self, request: Request, queryset: QuerySet[Model], view: APIView) -> tuple[str, ...]:
        return ("-started", "-id") if "started" in queryset.query.annotations else ("-id",)

    def decode_cursor(self, request: Request) -> Cursor | None:
        """Return the request's cursor. Raises NotFound for a broken one, also if its position is no key and no time."""
        cursor = super().decode_cursor(request)
        if cursor is not None and cursor.position is not None:
            position = str(cursor.position)
            if not (_is_key(position) if self.ordering[0] == "-id" else moment_of(position)):
                raise NotFound(self.invalid_cursor_message)
        return cursor

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        described: dict[str, Any] = super().get_paginated_response_schema(schema)
        for name in ("next", "previous"):
            link = {"description": f"The address of the {name} page; null where there is none."}
            described["properties"][name] |= link | {"example": "https://callsite.example/api/calls/?cursor=cD00ODY%3D"}
        return described


def _is_key(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= KEY_DIGITS
