"""Middleware for pages and API: database connections, caches, and refusals of malformed requests."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.core.exceptions import SuspiciousOperation, TooManyFieldsSent
from django.db import connections
from django.http import HttpRequest, HttpResponse, JsonResponse

logger = logging.getLogger(__name__)
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


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


def keep_out_of_caches(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Add `Cache-Control: no-store`, unless a view sets another value: nearly all answers hold personal data."""

    def answer(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    return answer


class PlainRefusals:
    """Refuses requests with NUL or that Django finds suspicious, with a clear text and no traceback in the log."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Refuse the character NUL, which PostgreSQL cannot store: in the path with 404, in the query with 400.

        A form in another charset than UTF-8 is refused with 415.
        """
        if "\x00" in request.path:
            return refusal(request, 404, {"detail": "Not found. The address has the character NUL (%00)."})
        try:
            parameters = list(request.GET.lists())
        except TooManyFieldsSent:
            return refusal(request, 400, {"detail": "The query has too many parameters."})
        for name, values in parameters:
            if "\x00" in name:
                return refusal(request, 400, {"detail": "The name of a parameter has the character NUL (%00)."})
            if any("\x00" in value for value in values):
                return refusal(request, 400, {name: ["Null characters are not allowed. Remove the %00."]})
        charset = (request.content_params or {}).get("charset", "utf-8")
        if request.content_type in FORMS and charset.lower() != "utf-8":  # Django answers 500
            return refusal(request, 415, {"detail": "A form is in UTF-8. Send it so, and leave the charset out."})
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer 400 to a SuspiciousOperation, such as a look-up that an admin list does not allow.

        Django would log a traceback, and strangers could fill the log with them.
        """
        if isinstance(exception, OverflowError) and "SQLite" in str(exception):  # PostgreSQL compares any numbers
            return refusal(request, 400, {"detail": "A number is larger than any that is stored."})
        if not isinstance(exception, SuspiciousOperation):
            return None
        logger.warning("Refused a suspicious request: %s", type(exception).__name__)
        return refusal(request, 400, {"detail": f"{exception}. Use the links and fields of the page."})


def refusal(
    request: HttpRequest, status: int, errors: dict[str, str | list[str]], headers: dict[str, str] | None = None
) -> HttpResponse:
    """Return an error response: under /api/ JSON in DRF's form, elsewhere plain text."""
    if request.path.startswith("/api/"):
        return JsonResponse(errors, status=status, headers=headers)
    lines = (text if isinstance(text, str) else f"{name}: {' '.join(text)}" for name, text in errors.items())
    return HttpResponse("\n".join(lines), status=status, content_type="text/plain; charset=utf-8", headers=headers)
