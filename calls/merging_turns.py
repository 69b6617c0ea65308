"""Merge the turns of two rows that turned out to be one call: each sentence stays once, as in a single row.

A turn is dropped only if another turn holds the same sentence: the histories of both calls told it, a history of one
call and a single turn of the other told it, or both turns have its `turn_id`. The turn that came first stays.
"""

from __future__ import annotations

from collections.abc import Sequence

from calls.models import Call, CallTranscription
from calls.pairing import sentence_of, stand_for_both
from calls.sentences import joined, same
from calls.transcript import HISTORY_FIELDS, Transcript, arranged, in_histories, number_anew


def merge_turns(stays: Call, goes: Call) -> None:
    """Give all turns to `stays`, in the order of their arrival; turns from histories keep the order of the histories.

    If a turn's number changes, `numbering` goes up, which tells the subscribers.
    """
    turns = list(CallTranscription.objects.filter(call__in=(stays, goes)).order_by("created_at", "pk"))
    calls = {turn.call_id for turn in turns}
    if goes.pk not in calls:
        return
    stays.numbering = max(stays.numbering, goes.numbering)
    if calls == {goes.pk}:
        CallTranscription.objects.filter(call=goes).update(call=stays)
        stays.last_sequence_number, stays.has_history = goes.last_sequence_number, goes.has_history
    else:
        _merge(stays, turns)
        stays.has_history = stays.has_history or goes.has_history
    if stays.ended or goes.ended:
        stays.final_sequence_number = stays.last_sequence_number


def _merge(stays: Call, turns: list[CallTranscription]) -> None:
    before = {turn.pk: turn.sequence_number for turn in turns}
    both = _Both(turns)
    both.join_histories()
    both.pair_singles()
    both.drop_repeated_turn_ids()
    kept = both.in_order()
    CallTranscription.objects.filter(pk__in=both.dropped).delete()
    number_anew(stays, kept, kept)
    if in_histories(kept):
        CallTranscription.objects.bulk_update(kept, HISTORY_FIELDS, batch_size=500)
    if both.dropped or any(before[turn.pk] != turn.sequence_number for turn in kept):
        stays.numbering += 1


class _Both:
    """The turns of both calls in memory, in the order of their arrival. The class saves nothing."""

    def __init__(self, turns: Sequence[CallTranscription]) -> None:
        self._turns = turns
        self._came = {turn.pk: number for number, turn in enumerate(turns)}
        self._strays = list[CallTranscription]()
        self.dropped = set[int]()  # keys

    def join_histories(self) -> None:
        """Join the histories of both calls; if they have nothing in common, the longer one keeps its positions.

        The turns of the other history then have no position, like single turns: a longer history finds them.
        """
        first, second = sorted(
            (in_histories(self._of(call)) for call in {turn.call_id for turn in self._turns}),
            key=len,
            reverse=True,
        )
        whole = joined([sentence_of(turn) for turn in first], [sentence_of(turn) for turn in second], least=1)
        self._strays = list(second)
        for turn in second:
            turn.history_position = None
        for position, (i, j) in enumerate(whole or ()):
            pair = [*([] if i is None else [first[i]]), *([] if j is None else [second[j]])]
            if len(pair) == 2 and self._drop_later(*pair):
                pair = [turn for turn in pair if turn.pk not in self.dropped]
            pair[0].history_position = position  # two that differ in words both stay, the second without a position

    def pair_singles(self) -> None:
        """Drop duplicates between single turns of one call and sentences that only the other call's histories told."""
        transcript = Transcript(self._kept())
        transcript.pair([*transcript.told], [sentence_of(turn) for turn in transcript.told])
        self.dropped |= {turn.pk for turn in transcript.doubles}

    def drop_repeated_turn_ids(self) -> None:
        """Drop the later of two turns with one `turn_id`.

        A later turn that is another sentence with a position in the histories stays, and loses its `turn_id`.
        """
        known: dict[str, CallTranscription] = {}
        for turn in self._kept():
            if turn.turn_id is None:
                continue
            first = known.setdefault(turn.turn_id, turn)
            if first is turn:
                continue
            if turn.history_position is None:
                self.dropped.add(turn.pk)
            elif first.history_position is None and same(sentence_of(first), sentence_of(turn)):
                first.history_position, first.from_history = turn.history_position, turn.from_history
                self.dropped.add(turn.pk)
            else:
                turn.turn_id = None

    def in_order(self) -> list[CallTranscription]:
        """Return the turns that stay, in their final order."""
        kept = self._kept()
        told = in_histories(kept)
        for position, turn in enumerate(told):
            turn.history_position = position
        strays = [turn for turn in self._strays if turn.history_position is None and turn.pk not in self.dropped]
        return arranged(arranged(kept, told), strays)

    def _drop_later(self, one: CallTranscription, other: CallTranscription) -> bool:
        """Drop the later turn if both are one sentence, and tell whether it was dropped.

        Two turns that both came singly were said twice, so both stay, unless they have one `turn_id`.
        """
        if not same(sentence_of(one), sentence_of(other)):
            return False
        if one.told_singly and other.told_singly and (one.turn_id is None or one.turn_id != other.turn_id):
            return False
        kept, double = sorted((one, other), key=lambda turn: self._came[turn.pk])
        stand_for_both(kept, double)
        self.dropped.add(double.pk)
        return True

    def _of(self, call: int) -> list[CallTranscription]:
        return [turn for turn in self._kept() if turn.call_id == call]

    def _kept(self) -> list[CallTranscription]:
        return [turn for turn in self._turns if turn.pk not in self.dropped]
