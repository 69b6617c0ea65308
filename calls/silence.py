"""Find and end calls in progress that are no longer heard.

If the webhook about a call's end is lost, ElevenLabs sends no second one, and the call would stay in progress for ever.
The look-up is cheap: it walks the index of the calls in progress, and reads the turns of those calls alone.

A room that may know more about a silent call adds a function to `asked_first`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import Enum, auto

from django.db import Error, transaction
from django.db.models import BooleanField, Case, Exists, OuterRef, Q, QuerySet, When
from django.db.models.functions import Coalesce
from django.utils import timezone

from calls.ending import end
from calls.models import Call, CallTranscription
from calls.races import persistently

logger = logging.getLogger(__name__)
STEP = 500
FAILURES_IN_A_ROW = 5
LONGEST = 2  # times the hours: the limit for a call of which nobody can say whether it goes on
STARTED = Coalesce("call_start_time", "created_at")

# WhatsApp and SMS: conversation-init asks with an empty `call_sid`, so the conversation ID stands in for one. A phone
# call always has a name of its own there. https://elevenlabs.io/docs/eleven-agents/customization/personalization
_INITIATION = int(Call.Source.INITIATION)
_THREAD = Q(name_rank=Call.NameRank.STAND_IN) & (
    Q(party_sources__direction=_INITIATION) | Q(party_sources__from_number=_INITIATION)
)
# the call's metadata, where it is known before the end
_TEXT_ONLY = Q(metadata_json__text_only=True)
for _kind in ("whatsapp", "sms"):
    _TEXT_ONLY |= Q(**{f"metadata_json__{_kind}__isnull": False}) & ~Q(**{f"metadata_json__{_kind}": None})
# with a missing JSON value the plain condition would be NULL; Case makes it false
_IS_TEXT = Case(When(_THREAD | _TEXT_ONLY, then=True), default=False, output_field=BooleanField())


class Known(Enum):
    """The reason why a silent call is not ended now."""

    GOES_ON = auto()
    UNSURE = auto()  # the source that would know did not answer: the call is left for LONGEST times the hours


# Each function gets the keys of the calls of a step, applies what it learns of them (how a conversation ended), and
# returns the calls that are not to be ended. It bounds its own time.
asked_first: list[Callable[[Sequence[int]], Mapping[int, Known]]] = []


def silent_since(moment: datetime, calls: QuerySet[Call] | None = None) -> QuerySet[Call]:
    """Return the calls in progress that began before `moment` and have had no turn since.

    Message threads and text-only conversations are left out, because days may pass between two of their messages.
    """
    calls = Call.objects.all() if calls is None else calls
    heard = CallTranscription.objects.filter(call=OuterRef("pk"), created_at__gte=moment)
    in_progress = calls.filter(status=Call.Status.IN_PROGRESS).alias(began=STARTED).filter(began__lt=moment)
    return in_progress.alias(is_text=_IS_TEXT).filter(is_text=False).exclude(Exists(heard))


def end_silent_calls(hours: int) -> int:
    """End all calls that have been silent for this many hours; return how many were ended.

    Each call has a short transaction of its own. A call that another transaction holds is left for the next time, so
    two concurrent runs share the work. Raises django.db.Error after FAILURES_IN_A_ROW failures in a row.
    """
    moment = timezone.now() - timedelta(hours=hours)
    reason = f"Nothing was heard of this call for {hours} hour{'' if hours == 1 else 's'}, so callsite ended it."
    ended = after = failed = 0
    while keys := list(silent_since(moment).filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[:STEP]):
        left = _left(keys, moment - timedelta(hours=hours * (LONGEST - 1)))
        for key in keys:
            if key in left:
                continue
            try:
                ended += persistently(lambda key=key: _end_if_silent(key, moment, reason))  # type: ignore[misc]
                failed = 0
            except Error as error:
                logger.warning("Silent call %d could not be ended now: %s", key, type(error).__name__)
                failed += 1
                if failed == FAILURES_IN_A_ROW:
                    raise
        after = keys[-1]
    return ended


def _left(keys: Sequence[int], long_ago: datetime) -> set[int]:
    """Return the keys of the calls that are not ended now."""
    left = set[int]()
    for ask in asked_first:
        known = ask(keys)
        unsure = {key for key, word in known.items() if word is Known.UNSURE}
        too_long = set(silent_since(long_ago).filter(pk__in=unsure).values_list("pk", flat=True))
        left |= known.keys() - too_long
    return left


def _end_if_silent(key: int, moment: datetime, reason: str) -> bool:
    """End a call if it is silent; tell whether it was ended. It checks under the lock, where no turn can come."""
    free = Call.objects.select_for_update(no_key=True, skip_locked=True)
    with transaction.atomic():
        call = free.filter(pk=key).first()
        if call is None or not silent_since(moment).filter(pk=key).exists():
            return False
        call.is_locked = True
        end(call, reason)
        logger.info("Call %s was ended, as it was silent", call.call_sid)
        return True
