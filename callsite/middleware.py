"""Middleware of the whole site."""

from __future__ import annotations

from collections.abc import Callable

from django.db import connections
from django.http import HttpRequest, HttpResponse


def give_connection_back(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Give the database connection back when the answer is made. Django would when it is sent: a slow client's download
    would hold it for minutes.
    """

    def answer(request: HttpRequest) -> HttpResponse:
        try:
            return get_response(request)
        finally:
            for connection in connections.all(initialized_only=True):
                if not connection.in_atomic_block:  # only a test's own transaction is still open here
                    connection.close_if_unusable_or_obsolete()

    return answer
