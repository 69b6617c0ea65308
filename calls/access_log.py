"""The access log: which user looked at or changed what of which call, when and from where.

Looks that are often repeated (`ONCE`) have one row per user, call, kind and quarter of an hour: this process remembers
the rows that it wrote, and a unique constraint holds for all processes. Changes, exports and the like have a row each.
The code that shows a call writes the row first: without a row there is no page.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from django.db import Error, transaction
from django.http import HttpRequest
from rest_framework import status
from rest_framework.exceptions import APIException
from rest_framework.request import Request

from calls.models import AccessLogEntry, Call

Kind = AccessLogEntry.Kind
ONCE_PER_SECONDS = 15 * 60
ONCE = frozenset({Kind.PAGE, Kind.TRANSCRIPT, Kind.RECORDING, Kind.SUBSCRIPTION})
REMEMBERED = 10_000
_written: dict[tuple[Any, ...], float] = {}  # by `_key`: the monotonic time at which this process wrote the row


class NotLogged(APIException):
    """The access log could not be written, so nothing is shown and nothing is changed."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "The access log cannot be written, so this is not available. Try again in a moment."
    default_code = "not_logged"


class Visitor(NamedTuple):
    """The user who looks at a call, and the user's address."""

    user_id: int
    user_name: str
    address: str

    @classmethod
    def of(cls, request: HttpRequest | Request) -> Visitor:
        """Return the visitor of a request.

        The address is the client's if the server trusts the proxy in front of it (FORWARDED_ALLOW_IPS).
        """
        user: Any = request.user
        return cls(user.pk, user.get_username(), request.META.get("REMOTE_ADDR") or "")


class Subject(NamedTuple):
    """The names of a call, as values: they stay when the call is renamed or deleted.

    `call_id` is None if no call is known.
    """

    call_id: int | None
    call_sid: str
    conversation_id: str | None

    @classmethod
    def of(cls, call: Call) -> Subject:
        return cls(call.pk, call.call_sid, call.conversation_id)


def entry(visitor: Visitor, kind: Kind, subject: Subject, detail: str = "") -> AccessLogEntry | None:
    """Return the row to write; None if this process wrote it already within the last quarter of an hour."""
    once = kind in ONCE and subject.call_id is not None
    made = AccessLogEntry(
        kind=kind,
        detail=detail[:255],
        user_id=visitor.user_id,
        user_name=visitor.user_name,
        address=visitor.address.replace("\x00", "")[:64],
        call_id=subject.call_id,
        call_sid=subject.call_sid,
        conversation_id=subject.conversation_id or "",
        bucket=int(time.time() // ONCE_PER_SECONDS) if once else None,
    )
    return None if once and _is_remembered(made) else made


def write(entries: Sequence[AccessLogEntry]) -> None:
    """Write rows in one statement, except rows that another process has written. Raises django.db.Error."""
    AccessLogEntry.objects.bulk_create(entries, ignore_conflicts=True)
    transaction.on_commit(lambda: _remember(entries))


def note(request: HttpRequest | Request, kind: Kind, subjects: Iterable[Subject], detail: str = "") -> None:
    """Log that the user of this request did `kind` to each of these calls. Raises NotLogged."""
    visitor = Visitor.of(request)
    made = [row for subject in subjects if (row := entry(visitor, kind, subject, detail)) is not None]
    if made:
        try:
            write(made)
        except Error as error:
            raise NotLogged from error


def noted_change(
    request: HttpRequest | Request, change: Callable[[], Call], detail: str, kind: Kind = Kind.CHANGE
) -> Call:
    """Run `change`, which returns the changed call, and log it; both happen or neither. Raises NotLogged."""
    with transaction.atomic():
        call = change()
        note(request, kind, [Subject.of(call)], detail)
    return call


def _key(row: AccessLogEntry) -> tuple[Any, ...]:
    return (row.user_id, row.user_name, row.kind, row.call_id, row.call_sid)


def _is_remembered(row: AccessLogEntry) -> bool:
    return _written.get(_key(row), float("-inf")) > time.monotonic() - ONCE_PER_SECONDS


def _remember(rows: Iterable[AccessLogEntry]) -> None:
    if len(_written) >= REMEMBERED:
        _written.clear()
    _written.update({_key(row): time.monotonic() for row in rows if row.bucket is not None})
