"""The turns of one call in memory, in the order of their numbers, and in the order of the agent's histories.

A turn has a position in the histories (`history_position`), or none yet. `from_history`: a history told the turn first.
`told_singly`: the turn came by itself, either first or, at `single_came_at`, after a history told it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from django.db.models import F

from calls.models import Call, CallTranscription
from calls.pairing import Places, pairs, reopen, sentence_of, stand_for_both
from calls.sentences import Sentence, joined

HISTORY_FIELDS = ["history_position", "told_singly", "from_history", "single_came_at", "turn_id"]
_APART = 1_000_000_000  # more turns than any call has: it is added to the old numbers during renumbering


class Transcript:
    """The turns of a call: `turns` holds all, `told` those in the histories. It changes turns and makes new ones."""

    def __init__(self, turns: Iterable[CallTranscription]) -> None:
        self.turns = list(turns)
        self.told = in_histories(self.turns)
        self.new: list[CallTranscription] = []
        self.renumbered = False
        self.doubles: list[CallTranscription] = []
        self._before = {turn.pk: _values(turn) for turn in self.turns}

    def take_history(
        self, sentences: Sequence[Sentence], make: Callable[[Sentence], CallTranscription], *, at_end: bool = False
    ) -> int | None:
        """Add the sentences of a history that no turn holds. Return how many turns were made; None: nothing in common.

        A new turn comes last. But a sentence before one that an earlier history told goes before that one, because the
        front of the earlier history was cut off; with `at_end` it comes last too.
        """
        whole = joined([sentence_of(turn) for turn in self.told], sentences)
        if whole is None:
            return None
        if len(whole) == len(self.told) == len(self.turns):
            return 0
        places: Places = [None if i is None else self.told[i] for i, _ in whole]
        said = [None if j is None else sentences[j] for _, j in whole]
        known = max((place for place, turn in enumerate(places) if turn is not None), default=-1)
        stored = [None if turn is None else sentence_of(turn) for turn in places]
        reopened = reopen(places, said)
        texts = [text for one, other in zip(said, stored, strict=True) if (text := one or other)]
        again = self.pair(places, texts, reopened)
        count, last = 0, list[CallTranscription]()
        for place in reversed(range(len(places))):
            sentence = said[place]
            if places[place] is None and sentence is not None:
                turn = places[place] = make(sentence)
                count += 1
                after = places[place + 1] if place < known and not at_end else None
                if after is None:
                    last.append(turn)
                else:
                    self.turns.insert(self.turns.index(after), turn)
                    self.new.append(turn)
                    self.renumbered = True
        for place, single in again.items():
            if (stays := places[place]) is not None:
                stand_for_both(stays, single)
        self.turns += reversed(last)
        self.new += reversed(last)
        self.told = [turn for turn in places if turn is not None]
        for position, turn in enumerate(self.told):
            turn.history_position = position
        if not at_end:
            turns = arranged(self.turns, [turn for turn in self.told if turn.from_history])
            self.renumbered = self.renumbered or turns != self.turns
            self.turns = turns
        return count

    def pair(
        self, places: Places, said: Sequence[Sentence], reopened: Mapping[int, CallTranscription] | None = None
    ) -> dict[int, CallTranscription]:
        """Give turns without a place the place of the same sentence; if another turn has it, the first turn stays.

        Return the places of the `reopened` turns, which have no row: a turn that finds no better place keeps its own.
        """
        reopened = reopened or {}
        left = {id(single) for single in reopened.values()}
        turns, told = [*self.turns, *reopened.values()], [*self.told, *reopened.values()]
        has: dict[int, CallTranscription] = {}
        for place, turn in list(pairs(places, said, turns, told, reopened)):
            if id(turn) in left:
                left.remove(id(turn))
                has[place] = turn
            else:
                places[place] = self._one(places[place], turn)
        return {place: single for place, single in reopened.items() if id(single) in left} | has

    def _one(self, told: CallTranscription | None, other: CallTranscription) -> CallTranscription:
        """Merge two turns that are one sentence; return the turn that stays, the first."""
        if told is None:
            return other
        kept, double = sorted((told, other), key=self.turns.index)
        kept.history_position = told.history_position
        stand_for_both(kept, double)
        self.turns.remove(double)
        if double.pk is None:
            self.new.remove(double)
        else:
            self.doubles.append(double)
        self.renumbered = True
        return kept

    def save(self, call: Call) -> bool:
        """Store new and changed turns, and number them; tell whether there were any. The caller saves the call."""
        changed = [turn for turn in self.turns if turn.pk and _values(turn) != self._before[turn.pk]]
        if not (self.new or changed or self.doubles):
            return False
        call.has_history = True
        if call.final_sequence_number is not None:
            call.final_sequence_number -= sum(
                turn.sequence_number <= call.final_sequence_number for turn in self.doubles
            )
        CallTranscription.objects.filter(pk__in=[turn.pk for turn in self.doubles]).delete()
        had = HISTORY_FIELDS.index("turn_id")
        moved = [turn.pk for turn in changed if self._before[turn.pk][had] not in (None, turn.turn_id)]
        if moved:  # another turn may have it now: PostgreSQL compares row by row
            CallTranscription.objects.filter(pk__in=moved).update(turn_id=None)
        CallTranscription.objects.bulk_update(changed, HISTORY_FIELDS, batch_size=500)
        if self.renumbered:
            number_anew(call, [turn for turn in self.turns if turn.pk], self.turns)
            call.numbering += 1
        else:
            for turn in self.new:
                call.last_sequence_number += 1
                turn.sequence_number = call.last_sequence_number
        CallTranscription.objects.bulk_create(self.new)
        return True


def arranged(turns: Sequence[CallTranscription], order: Sequence[CallTranscription]) -> list[CallTranscription]:
    """Return the turns, with the turns in `order` among them put into that order."""
    those = {id(turn) for turn in order}
    in_turn = iter(order)
    return [next(in_turn) if id(turn) in those else turn for turn in turns]


def number_anew(call: Call, stored: Sequence[CallTranscription], turns: Sequence[CallTranscription]) -> None:
    """Give a call's turns the numbers 1, 2, 3 … in the given order. The turns in `stored` are saved."""
    of = {turn.call_id for turn in stored}
    for number, turn in enumerate(turns, start=1):
        turn.sequence_number, turn.call_id = number, call.pk
    call.last_sequence_number = len(turns)
    CallTranscription.objects.filter(call__in=of).update(sequence_number=F("sequence_number") + _APART)
    CallTranscription.objects.bulk_update(stored, ["call", "sequence_number"], batch_size=500)


def in_histories(turns: Iterable[CallTranscription]) -> list[CallTranscription]:
    """Return the turns that have a position in the histories, in that order."""
    return sorted((turn for turn in turns if turn.history_position is not None), key=_position)


def _position(turn: CallTranscription) -> int:
    return turn.history_position or 0


def _values(turn: CallTranscription) -> list[object]:
    return [getattr(turn, name) for name in HISTORY_FIELDS]
