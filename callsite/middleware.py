"""Middleware for all pages."""

from __future__ import annotations

from collections.abc import Callable

from django.core.exceptions import TooManyFieldsSent
from django.db import connections
from django.http import HttpRequest, HttpResponse, JsonResponse


def give_connection_back(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Return the database connection to the pool when the response is made.

    Django returns it when the response is sent, which a slow client can delay for minutes.
    """

    def answer(request: HttpRequest) -> HttpResponse:
        try:
            return get_response(request)
        finally:
            for connection in connections.all(initialized_only=True):
                if not connection.in_atomic_block:  # only a test's own transaction is open here
                    connection.close_if_unusable_or_obsolete()

    return answer


def refuse_nul(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Refuse what no column holds, the character NUL: in the path with 404, in the query with 400."""

    def answer(request: HttpRequest) -> HttpResponse:
        if "\x00" in request.path:
            return _refusal(request, 404, {"detail": "Not found. The address has the character NUL (%00)."})
        try:
            parameters = list(request.GET.lists())
        except TooManyFieldsSent:  # the page that Django shows while DEBUG is on would raise it again
            return _refusal(request, 400, {"detail": "The query has too many parameters."})
        for name, values in parameters:
            if "\x00" in name:
                return _refusal(request, 400, {"detail": "The name of a parameter has the character NUL (%00)."})
            if any("\x00" in value for value in values):
                return _refusal(request, 400, {name: ["Null characters are not allowed. Remove the %00."]})
        return get_response(request)

    return answer


def _refusal(request: HttpRequest, status: int, errors: dict[str, str | list[str]]) -> HttpResponse:
    """Under /api/ as DRF refuses, else as text."""
    if request.path.startswith("/api/"):
        return JsonResponse(errors, status=status)
    lines = (text if isinstance(text, str) else f"{name}: {' '.join(text)}" for name, text in errors.items())
    return HttpResponse("\n".join(lines), status=status, content_type="text/plain; charset=utf-8")
