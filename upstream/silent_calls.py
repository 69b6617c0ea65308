"""Asks ElevenLabs about silent calls, before `calls.silence` ends them: a call may go on, or its webhook was lost.

The conversation is read and applied as in a round of reconciling. A call whose conversation ElevenLabs does not have,
or callsite does not know, is ended as if there were no API key.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import Counter
from collections.abc import Sequence

from django.conf import settings
from django.db import DataError, IntegrityError

from calls.models import Call
from calls.silence import Known
from upstream import fetching
from upstream.client import Client
from upstream.errors import NotConfigured, UpstreamError
from upstream.fetching import NoConversation
from upstream.patience import GiveUp, Patience
from webhooks.errors import WebhookError

logger = logging.getLogger(__name__)
ASKING_SECONDS = 60.0  # after this time a step begins no request; another round asks about the other calls
PAUSES_SECONDS = 20.0  # the sum of a step's pauses, while ElevenLabs is away or busy
LARGE = ("final_transcript", "analysis_data", "metadata_json")


def ask_of(keys: Sequence[int]) -> dict[int, Known]:
    """Apply the ends of these calls that were missed, and return the calls that must not be ended, with the reason.

    Without an API key, it asks nothing and returns {}.
    """
    if not settings.ELEVENLABS_API_KEY:
        return {}
    calls = [call for call in Call.objects.defer(*LARGE).filter(pk__in=keys) if call.conversation_id or call.dial_state]
    random.shuffle(calls)  # if the time is too short for all, another round asks about others
    left = dict.fromkeys((call.pk for call in calls), Known.UNSURE)
    try:
        client = Client.from_settings()
    except NotConfigured as error:
        logger.warning("ElevenLabs cannot be asked of silent calls: %s", error)
        return left
    patience, end = Patience(lambda: None, threading.Event(), PAUSES_SECONDS), time.monotonic() + ASKING_SECONDS
    said = Counter[str]()
    for call in calls:
        if time.monotonic() >= end:
            break
        try:
            word, known = _ask(call, client, patience)
        except GiveUp as error:
            logger.warning("ElevenLabs cannot be asked of silent calls: %s", error)
            break
        said[word] += 1
        if known is None:
            del left[call.pk]
        else:
            left[call.pk] = known
    if calls:
        counts = " ".join(f"{word}={count}" for word, count in sorted(said.items()))
        logger.info("Asked ElevenLabs of silent calls: %s not_asked=%d", counts, len(calls) - said.total())
    return left


def _ask(call: Call, client: Client, patience: Patience) -> tuple[str, Known | None]:
    """Ask about one call. Return the result in a word, and why the call must not be ended, or None. Raises GiveUp."""
    try:
        detail = patience.ask(fetching.read, call, client)
        if not fetching.is_over(detail):
            return "running", Known.GOES_ON
        fetching.apply(detail)
    except NoConversation:
        return "unknown", None
    except (UpstreamError, WebhookError, OSError, DataError, IntegrityError) as error:
        logger.warning("ElevenLabs did not tell of silent call %d: %s", call.pk, type(error).__name__)
        return "failed", Known.UNSURE
    return "over", None
