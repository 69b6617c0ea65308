"""Store turns: each gets the next number of its call, in one transaction.

The calls' rows are locked in the order of their keys. So the order of numbers is the order of commits, and two
transactions never wait for each other (no deadlock).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.dispatch import Signal
from django.utils import timezone

from calls.linking import Name, Reference, link, link_known
from calls.models import Call, CallTranscription
from calls.turn import CallOfTurn, NewTurn, Recorded, RecordedTurn
from calls.untold import Untold

# Sent with `turns`, a list of new RecordedTurn, right after the commit that stored them. It replaces post_save, which
# bulk_create does not send. Receivers may be called in an event loop: they must not use the database.
turns_recorded = Signal()
# Sent with `call` after the commit that put new turns before older ones: all turns of the call have new numbers.
turns_renumbered = Signal()


def record_turn(
    call: Call, *, speaker_type: str, message_text: str, timestamp: datetime | None = None, turn_id: str | None = None
) -> tuple[RecordedTurn, bool]:
    """Store one turn of a call. Return the turn and whether it is new. Raises Call.DoesNotExist."""
    (recorded,) = record_turns(
        [
            NewTurn(
                call_sid=call.call_sid,
                speaker_type=speaker_type,
                message_text=message_text,
                timestamp=timestamp,
                turn_id=turn_id,
            )
        ]
    )
    if recorded is None:
        raise Call.DoesNotExist(call.call_sid)
    return recorded


def record_turns(new: Sequence[NewTurn], *, create: bool = False) -> list[Recorded]:
    """Store turns in the given order: all of them, or none and an error. `create` creates missing calls.

    Raises IntegrityError if another process stores the same `turn_id` at the same moment; a retry finds that turn.
    """
    with transaction.atomic(savepoint=False):
        recorded = _Batch(new, create=create).store()
        transaction.on_commit(lambda: announce(recorded), robust=True)
    return recorded


def announce(recorded: Sequence[Recorded]) -> None:
    """Send `turns_recorded` for new turns that are committed. A receiver's failure is logged, and fails no turn."""
    if turns := [item[0] for item in recorded if item is not None and item[1]]:
        turns_recorded.send_robust(RecordedTurn, turns=turns)


def live_reference(call_sid: str | None, conversation_id: str | None, agent_id: str) -> Reference:
    """Return the reference of a live event. Its `call_sid` is a claim: callsite or anybody else told it the agent."""
    names = (Name(call_sid, Call.NameRank.CLAIMED, is_claim=True),) if call_sid else ()
    return Reference(conversation_id=conversation_id, names=names, agent_id=agent_id, follows_conversation=False)


def reference_of(turn: NewTurn) -> Reference:
    return live_reference(turn.call_sid, turn.conversation_id, turn.agent_id)


_Taken = tuple[CallTranscription, Call, bool]  # the row of a turn, its call, and whether the row is new


class _Batch:
    """Turns that are stored together in one transaction."""

    def __init__(self, new: Sequence[NewTurn], *, create: bool) -> None:
        self._new = new
        self._now = timezone.now()
        self._calls = _locked_calls(new, create=create)
        self._stored = self._known_turns()
        self._untold: dict[int, Untold] = {}

    def store(self) -> list[Recorded]:
        created: list[CallTranscription] = []
        results: list[_Taken | None] = []
        for turn, call in zip(self._new, self._calls, strict=True):
            results.append(None if call is None else self._take(turn, call, created))
        CallTranscription.objects.bulk_create(created)
        for untold in self._untold.values():
            untold.save()
        for call in {row.call for row in created}:
            numbers = {"last_sequence_number": call.last_sequence_number, "words_behind": True}
            Call.objects.filter(pk=call.pk).update(**numbers, updated_at=self._now)
        return [result and (as_recorded(*result[:2]), result[2]) for result in results]

    def _take(self, turn: NewTurn, call: Call, created: list[CallTranscription]) -> _Taken:
        key = (call.pk, turn.turn_id)
        if turn.turn_id is not None and (known := self._stored.get(key)):
            return known, call, False
        if call.has_history and (told := self._told_by_a_history(call, turn)):
            if turn.turn_id is not None:
                self._stored[key] = told
            return told, call, False
        call.last_sequence_number += 1
        row = CallTranscription(
            call=call,
            sequence_number=call.last_sequence_number,
            speaker_type=turn.speaker_type,
            message_text=turn.message_text,
            timestamp=turn.timestamp or turn.arrived_at or self._now,
            turn_id=turn.turn_id,
            created_at=turn.arrived_at or self._now,
        )
        created.append(row)
        if turn.turn_id is not None:
            self._stored[key] = row
        return row, call, True

    def _told_by_a_history(self, call: Call, turn: NewTurn) -> CallTranscription | None:
        """Return the sentence of a history that this turn repeats, or None. Each sentence is repeated once."""
        if call.pk not in self._untold:
            self._untold[call.pk] = Untold(call, len(self._new))
        return self._untold[call.pk].take(turn)

    def _known_turns(self) -> dict[tuple[int, str | None], CallTranscription]:
        """Return the stored turns that have the same `turn_id`, by call and `turn_id`."""
        turn_ids = {turn.turn_id for turn in self._new if turn.turn_id is not None}
        if not turn_ids:
            return {}
        calls = {call.pk for call in self._calls if call is not None}
        known = CallTranscription.objects.filter(call__in=calls, turn_id__in=turn_ids)
        return {(row.call_id, row.turn_id): row for row in known}


def _locked_calls(new: Sequence[NewTurn], *, create: bool) -> list[Call | None]:
    """Return the call of each turn, or None. The calls' rows are locked until the transaction ends."""
    references = [reference_of(turn) for turn in new]
    distinct = list(dict.fromkeys(references))
    found = (len(distinct) > 1 and _found_together(distinct, create=create)) or _found_singly(distinct, create=create)
    return [found[reference] for reference in references]


def _found_together(references: Sequence[Reference], *, create: bool) -> dict[Reference, Call | None] | None:
    """Find all calls with two queries; return None if a call has to be created or has to learn a name."""
    found = link_known(references)
    if found is None or (create and None in found.values()):
        return None
    return {reference: call and call.learn_agent(reference.agent_id) for reference, call in found.items()}


def _found_singly(references: Sequence[Reference], *, create: bool) -> dict[Reference, Call | None]:
    fields = ("call_sid", "conversation_id", "status", "last_sequence_number", "has_history")
    rows = Call.objects.select_for_update(no_key=True).only(*fields).order_by("pk")
    while True:
        found = {reference: linked(reference, create=create) for reference in references}
        calls = {call.pk: call for call in found.values() if call is not None}
        if len(found) == 1:
            return found
        wanted = set(calls)
        calls = {call.pk: call for call in rows.filter(pk__in=wanted)}
        if len(calls) == len(wanted):  # otherwise a later turn has merged two of them
            return {reference: call and calls[call.pk] for reference, call in found.items()}


def linked(reference: Reference, *, create: bool) -> Call | None:
    """Find and lock the call of a live event, and give it the event's agent if the call has none."""
    call = link(reference, create=create).call
    return call and call.learn_agent(reference.agent_id)


def as_recorded(row: CallTranscription, call: Call) -> RecordedTurn:
    of = CallOfTurn(call.pk, call.call_sid, call.conversation_id, call.ended)
    return RecordedTurn(row.pk, of, row.sequence_number, row.speaker_type, row.message_text, row.timestamp)
