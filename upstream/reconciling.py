"""One round of reconciling: it compares ElevenLabs' conversations with callsite's calls, and repairs the calls.

Each step is idempotent and commits by itself, and only the end of a round moves the watermark. So a round that is
killed half-way leaves nothing to undo: the next round begins at the same place, and ends in the same state.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import DataError, IntegrityError
from django.db.models import Q, QuerySet
from django.utils import timezone

from calls.models import Call
from calls.names import look_up
from calls.races import persistently
from upstream import fetching
from upstream.alone import alone
from upstream.client import Client
from upstream.dialing import LONGEST_SECONDS, fail
from upstream.errors import TooLarge, UpstreamError
from upstream.fetching import NoConversation
from upstream.models import MissingRecording, ReconcileRound
from upstream.patience import GiveUp, Patience
from webhooks.errors import WebhookError
from webhooks.fields import moment

logger = logging.getLogger(__name__)
FIRST_LOOK_BACK = timedelta(days=7)  # of the first round, and for recordings
LIST_LAG = timedelta(minutes=10)  # a conversation may be listed so late after its beginning
HELD_BACK = timedelta(hours=24)  # how long a conversation that cannot be fetched holds the watermark back
NEVER_DIALLED_AFTER = timedelta(minutes=10)
NEVER_DIALLED = "ElevenLabs has no conversation of this dial."
RECORDING_COMES_WITHIN = timedelta(minutes=10)
ROUNDS_KEPT = timedelta(days=30)
PAGE_SIZE, PAGES_MAX, RUNNING_PAGES_MAX = 100, 1_000, 20
CALLS_MAX, RECORDINGS_MAX = 500, 200  # per round; the next round continues
LARGE = ("final_transcript", "analysis_data", "metadata_json")  # not read, because a round reads hundreds of calls
OVER, DialState = fetching.OVER, Call.DialState


def reconcile(client: Client, since: datetime | None = None, stop: threading.Event | None = None) -> ReconcileRound:
    """Do one round. Raises Taken while another process does one; an error of ElevenLabs is stored in the round."""
    with alone() as keep:
        started = timezone.now()
        ReconcileRound.objects.filter(started_at__lt=started - ROUNDS_KEPT).delete()
        MissingRecording.objects.filter(asked_at__lt=started - ROUNDS_KEPT).delete()
        last = ReconcileRound.objects.exclude(watermark=None).order_by("-id").first()
        begin = since or (last.watermark if last else None) or started - FIRST_LOOK_BACK
        result = ReconcileRound.objects.create(started_at=started, since=begin)
        work = _Round(client, result, Patience(keep, stop or threading.Event()), all_recordings=since is not None)
        try:
            work.do()
        except GiveUp as error:
            result.error = str(error)
        except BaseException as error:
            result.error = f"{type(error).__name__} ended it."
            raise
        finally:
            result.ended_at = timezone.now()
            result.requests = work.patience.requests
            result.save()
    counts = " ".join(f"{name}={getattr(result, name)}" for name in ReconcileRound.COUNTS)
    logger.info("Reconciled: %s %s", counts, result.error)
    return result


class _Round:
    def __init__(self, client: Client, result: ReconcileRound, patience: Patience, *, all_recordings: bool) -> None:
        self.client, self.result, self.patience = client, result, patience
        self._recordings_since = result.since if all_recordings else result.started_at - FIRST_LOOK_BACK
        self._seen = set[str]()  # conversations that this round has listed
        self._held_back: list[datetime] = []
        self._agents = dict[str, bool]()

    def do(self) -> None:
        since = int(self.result.since.timestamp())
        not_listed = ""
        try:
            if not self._list(PAGES_MAX, call_start_after_unix=since):
                not_listed = f"ElevenLabs lists more than {PAGES_MAX} pages; begin later, with --since."
        except UpstreamError as error:
            not_listed = f"Conversations cannot be listed. {error}"
        with self._tolerant():
            self._list(RUNNING_PAGES_MAX, exclude_statuses=list(OVER))
        # the next round lists again the conversations that may not be listed yet, and those that failed
        day_ago = self.result.started_at - HELD_BACK
        watermark = min([self.result.started_at - LIST_LAG, *(max(start, day_ago) for start in self._held_back)])
        self._ask_for_calls_in_progress()
        self._settle_dials()
        if not not_listed:
            self.result.watermark = max(watermark, self.result.since)
        self._fetch_recordings()
        if not_listed:
            raise GiveUp(not_listed)

    # --- conversations that ElevenLabs lists ----------------------------------------------------------------

    def _list(self, pages: int, **query: Any) -> bool:
        """Compare the conversations that ElevenLabs lists, page by page; return whether that was the whole list."""
        cursor: str | None = None
        for _ in range(pages):
            page = self.patience.ask(self.client.conversations, cursor=cursor, page_size=PAGE_SIZE, **query)
            items = [item for item in fetching.items(page) if item["conversation_id"] not in self._seen]
            self.result.seen += len(items)
            known = _calls_of([item["conversation_id"] for item in items])
            for item in items:
                self._seen.add(item["conversation_id"])
                with self._tolerant(item):
                    self._compare(item, known.get(item["conversation_id"]))
            following = page.get("next_cursor")
            if not page.get("has_more") or not isinstance(following, str) or following == cursor:
                return True
            cursor = following
        return False

    def _compare(self, item: dict[str, Any], call: Call | None) -> None:
        """Compare a listed conversation with its call, and repair the call."""
        is_over = fetching.is_over(item)
        self.result.running += not is_over
        if call is None:
            self._missing(item)
        elif is_over and call.transcription_time is None and not (call.ended and item.get("status") == "failed"):
            self._end(self._detail(item["conversation_id"]))

    def _missing(self, item: dict[str, Any]) -> None:
        """Handle a conversation without a call: read it if it may be ours, and make a call if its agent is ours."""
        create = self._is_ours(str(item.get("agent_id") or ""))
        if not create and not _calls_without_conversation().exists():
            self.result.of_others += 1
            return
        detail = self._detail(item["conversation_id"])
        is_new = not look_up(fetching.reference_of(detail).texts).calls
        if is_new and not create:
            self.result.of_others += 1
            return
        if fetching.is_over(detail):
            fetching.apply(detail, create=create)
            self.result.ended_calls += not is_new
        else:
            fetching.link_running(detail, create=create)
            self.result.linked_calls += 1
        self.result.created_calls += is_new

    def _is_ours(self, agent_id: str) -> bool:
        """Tell whether callsite takes calls of this agent: other agents may share the workspace."""
        if settings.ELEVENLABS_CREATE_UNKNOWN_CALLS or agent_id == settings.ELEVENLABS_AGENT_ID != "":
            return True
        if agent_id not in self._agents:
            self._agents[agent_id] = bool(agent_id) and Call.objects.filter(agent_id=agent_id).exists()
        return self._agents[agent_id]

    # --- calls that should have ended -----------------------------------------------------------------------

    def _ask_for_calls_in_progress(self) -> None:
        """Ask for calls in progress whose conversation was not listed: each is over, or of another workspace."""
        calls = Call.objects.filter(status=Call.Status.IN_PROGRESS, conversation_id__isnull=False).order_by("-pk")
        names = calls.values_list("pk", "conversation_id")
        asked = [pk for pk, conversation_id in names if conversation_id not in self._seen]
        for call in Call.objects.defer(*LARGE).filter(pk__in=asked[:CALLS_MAX]):
            with self._tolerant():
                detail = self.patience.ask(fetching.read, call, self.client)
                if fetching.is_over(detail):
                    self._end(detail)
                else:
                    self.result.running += 1

    def _settle_dials(self) -> None:
        """Settle dials without an answer: by their conversation, or because there is none."""
        now = timezone.now()
        left = Q(dial_state=DialState.ASKING, created_at__lt=now - timedelta(seconds=LONGEST_SECONDS))
        without_answer = Q(dial_state__in=(DialState.UNKNOWN, DialState.PLACED)) | left
        calls = Call.objects.filter(without_answer, status=Call.Status.IN_PROGRESS, conversation_id=None)
        for call in calls.order_by("-pk")[:CALLS_MAX]:
            with self._tolerant():
                detail = self.patience.ask(fetching.find_dialled, call, self.client)
                if detail is not None and fetching.is_over(detail):
                    call = fetching.apply(detail)
                elif detail is not None:
                    call = fetching.link_running(detail)
                elif now - call.created_at >= NEVER_DIALLED_AFTER:  # earlier, it may not be listed yet
                    call = persistently(lambda call=call: fail(call, NEVER_DIALLED))  # type: ignore[misc]
                self.result.dials_settled += call.ended or call.conversation_id is not None

    # --- recordings that never came -------------------------------------------------------------------------

    def _fetch_recordings(self) -> None:
        without = (
            Call.objects.defer(*LARGE)
            .filter(recording=None, transcription_time__isnull=False, call_end_time__gte=self._recordings_since)
            .exclude(conversation_id=None)
        )
        known = MissingRecording.objects.values("conversation_id")
        for call in without.exclude(conversation_id__in=known).order_by("-pk")[:RECORDINGS_MAX]:
            with self._tolerant():
                try:
                    detail = self.patience.ask(fetching.read, call, self.client)
                    has_one = detail.get("has_audio") is not False
                    kept = self.patience.ask(fetching.fetch_recording, call, detail, self.client) if has_one else None
                except (NoConversation, TooLarge):
                    kept = None
                if kept is not None:
                    self.result.recordings += 1
                elif call.call_end_time and timezone.now() - call.call_end_time > RECORDING_COMES_WITHIN:
                    MissingRecording.objects.get_or_create(conversation_id=call.conversation_id)

    # --- used by all steps ----------------------------------------------------------------------------------

    def _detail(self, conversation_id: str) -> dict[str, Any]:
        return self.patience.ask(self.client.conversation, conversation_id)

    def _end(self, detail: dict[str, Any]) -> None:
        if fetching.is_over(detail):
            fetching.apply(detail)
            self.result.ended_calls += 1

    @contextmanager
    def _tolerant(self, item: dict[str, Any] | None = None) -> Iterator[None]:
        """Log and count an error of the block, so that the other conversations are still compared.

        A failed `item` holds the watermark back.
        """
        try:
            yield
        except (UpstreamError, NoConversation, WebhookError, OSError, DataError, IntegrityError) as error:
            logger.warning("One conversation could not be reconciled: %s", type(error).__name__)
            self.result.failed += 1
            start = moment((item or {}).get("start_time_unix_secs"))
            if start is not None:
                self._held_back.append(start)


def _calls_of(conversation_ids: list[str]) -> dict[str, Call]:
    """Return the calls of conversations, by conversation ID, which may also be a call's former one."""
    known = look_up(conversation_ids)
    calls = Call.objects.defer(*LARGE).in_bulk(list(known.calls))
    owners = {one: known.of_conversation(one) for one in conversation_ids}
    return {one: calls[owner.pk] for one, owner in owners.items() if owner is not None and owner.pk in calls}


def _calls_without_conversation() -> QuerySet[Call]:
    """Return the calls in progress without a conversation: an unknown conversation may be of one of them."""
    return Call.objects.filter(status=Call.Status.IN_PROGRESS, conversation_id=None)
