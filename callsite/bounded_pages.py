"""Bound the time that a page or the API waits for the database."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.core.exceptions import ObjectNotUpdated
from django.db import Error
from django.http import HttpRequest, HttpResponse

from calls.bounds import within
from calls.postgres.waits import waits_for_locks_limited
from calls.races import is_locked
from callsite.middleware import refusal
from webhooks.errors import is_away

logger = logging.getLogger(__name__)
LONGEST_SECONDS = 40.0  # more than PostgreSQL's limit per statement
LOCK_TIMEOUT = "300ms"
HELD = "Somebody else is changing this at the moment. Nothing was saved; try again in a few seconds."
DELETED = "Somebody else has just deleted this. Nothing was saved."
AWAY = "The database does not answer at the moment. Try again in a few seconds."


class BoundedWaits:
    """Middleware that bounds a page's waits for the database, and answers 503 if it is locked or away.

    A row that another request deletes while a page changes it is answered 409.

    Pages and the API have few places (`callsite.page_door`), which the requests of one locked call must not fill.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with within(LONGEST_SECONDS), waits_for_locks_limited(LOCK_TIMEOUT):
            return self._get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if isinstance(error, ObjectNotUpdated):
            return refusal(request, 409, {"detail": DELETED}, {"Cache-Control": "no-store"})
        if not isinstance(error, Error) or not (is_locked(error) or is_away(error)):
            return None
        logger.warning("Answered 503: %s", "somebody holds a lock" if is_locked(error) else "the database is away")
        text = HELD if is_locked(error) else AWAY
        return refusal(request, 503, {"detail": text}, {"Retry-After": "5", "Cache-Control": "no-store"})
