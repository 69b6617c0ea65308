"""Ending a call of which nothing is heard any more: for staff, for REST, and for the watch over silent calls."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from calls.models import Call, effects


class HasEnded(Exception):
    """The call is not in progress, so nobody can end it. The text says what it is."""


def end(call: Call, reason: str) -> Call:
    """Make a call in progress failed, with this reason; its listeners hear of it as of any end.

    A later transcription still completes it. Raises HasEnded, and Call.DoesNotExist if it is gone.
    """
    with transaction.atomic():  # a savepoint, where a caller has one: the error leaves that as it was
        call = call.locked()
        if call.ended:
            raise HasEnded(f"This call is not in progress: it is {call.get_status_display().lower()}.")
        changed = effects.take_end(call, timezone.now(), reason)
        call.save(update_fields=[*changed, "updated_at"])
        return call
