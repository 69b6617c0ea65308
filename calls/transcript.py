"""The turns of one call in memory: in the order of their numbers, and in the order in which histories tell them.

A turn has a place in the histories (`history_position`), or none yet. `from_history`: a history told it first.
`told_singly`: it came by itself, first or once more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from django.db.models import F

from calls.models import Call, CallTranscription
from calls.sentences import Sentence, aligned, joined

OPEN = 50  # of the turns that came both ways: those whose place in the histories a longer history may correct
_APART = 1_000_000_000  # further than any call is long: numbers that turns have while they are numbered anew


class Transcript:
    """It changes the turns that it is given and makes new ones. `turns` has all, `told` those of the histories."""

    def __init__(self, turns: Iterable[CallTranscription]) -> None:
        self.turns = list(turns)
        self.told = in_histories(self.turns)
        self.new: list[CallTranscription] = []
        self.renumbered = False
        self._before = {turn.pk: turn.history_position for turn in self.turns}

    def take_history(
        self, sentences: Sequence[Sentence], make: Callable[[Sentence], CallTranscription], *, at_end: bool = False
    ) -> int | None:
        """Add what a history tells and no turn is. Returns how many turns it made; None: nothing in common.

        A new turn comes last. But what lies before a sentence that an earlier history told (that one was cut at its
        front) goes before it, unless all must go `at_end`.
        """
        whole = joined([sentence_of(turn) for turn in self.told], sentences)
        if whole is None:
            return None
        if all(i is not None for i, _ in whole):
            return 0
        places = [None if i is None else self.told[i] for i, _ in whole]
        said = [None if j is None else sentences[j] for _, j in whole]
        known = max((place for place, turn in enumerate(places) if turn is not None), default=-1)
        self._pair(places, said)
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
        self.turns += reversed(last)
        self.new += reversed(last)
        self.told = [turn for turn in places if turn is not None]
        for position, turn in enumerate(self.told):
            turn.history_position = position
        return count

    def _pair(self, places: list[CallTranscription | None], said: Sequence[Sentence | None]) -> None:
        """A single turn stands for the one sentence that is the same, in order; all that do, to be as many as can be.

        Those that were paired lately are paired anew: a short sentence may have been taken for a later one like it.
        """
        both = [turn for turn in self.told if turn.told_singly]
        settled, lately = both[:-OPEN], both[-OPEN:]
        floor = max((turn.sequence_number for turn in settled), default=0)
        opened = {turn.pk for turn in lately if not turn.from_history}
        free: list[int] = []
        for place, turn in enumerate(places):
            if said[place] is not None and (turn is None or turn.pk in opened):
                free.append(place)
            elif turn is not None:
                opened.discard(turn.pk)
        singles = [
            turn
            for turn in self.turns
            if turn.pk in opened or (turn.history_position is None and turn.sequence_number > floor)
        ]
        if not singles:
            return
        for place in free:
            if (turn := places[place]) is not None:
                turn.history_position, places[place] = None, None
        wanted = [sentence for place in free if (sentence := said[place]) is not None]
        for n, single in aligned(wanted, [sentence_of(turn) for turn in singles]):
            places[free[n]] = singles[single]

    def save(self, call: Call) -> bool:
        """Number and store what is new, note what changed; whether there was anything. The caller saves the call."""
        changed = [turn for turn in self.turns if turn.pk and turn.history_position != self._before[turn.pk]]
        if not (self.new or changed):
            return False
        call.has_history = True
        CallTranscription.objects.bulk_update(changed, ["history_position"], batch_size=500)
        if self.renumbered:
            number_anew(call, [turn for turn in self.turns if turn.pk], self.turns)
            call.numbering += 1
        else:
            for turn in self.new:
                call.last_sequence_number += 1
                turn.sequence_number = call.last_sequence_number
        CallTranscription.objects.bulk_create(self.new)
        return True


def number_anew(call: Call, stored: Sequence[CallTranscription], turns: Sequence[CallTranscription]) -> None:
    """Give a call's turns the numbers 1, 2, 3 … in the given order. Those that are `stored` are saved."""
    of = {turn.call_id for turn in stored}
    for number, turn in enumerate(turns, start=1):
        turn.sequence_number, turn.call_id = number, call.pk
    call.last_sequence_number = len(turns)
    CallTranscription.objects.filter(call__in=of).update(sequence_number=F("sequence_number") + _APART)
    CallTranscription.objects.bulk_update(stored, ["call", "sequence_number"], batch_size=500)


def in_histories(turns: Iterable[CallTranscription]) -> list[CallTranscription]:
    """Those that histories told, in the order of that."""
    return sorted((turn for turn in turns if turn.history_position is not None), key=_position)


def sentence_of(turn: CallTranscription) -> Sentence:
    return Sentence(turn.speaker_type, turn.message_text)


def _position(turn: CallTranscription) -> int:
    return turn.history_position or 0
