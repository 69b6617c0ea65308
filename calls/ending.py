"""End a call that is no longer heard: for staff, for REST, and for the watch over silent calls."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from calls.models import Call, effects


class HasEnded(Exception):
    """The call is not in progress, so it cannot be ended. The text names its status."""


def end(call: Call, reason: str) -> Call:
    """Set a call in progress to failed, with this reason; its subscribers are told as of any end.

    A later transcription still completes the call. Raises HasEnded, and Call.DoesNotExist if the call is gone.
    """
    with transaction.atomic():  # a savepoint inside a caller's transaction, which an error here leaves as it was
        call = call.locked()
        if call.ended:
            raise HasEnded(f"This call is not in progress: it is {call.get_status_display().lower()}.")
        changed = effects.take_end(call, timezone.now(), reason)
        call.save(update_fields=[*changed, "updated_at"])
        return call
