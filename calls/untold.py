"""Find the turn from a history that a single turn repeats."""

from __future__ import annotations

from django.db.models import F, Q
from django.utils import timezone

from calls.models import Call, CallTranscription
from calls.sentences import Sentence, same
from calls.turn import NewTurn

LOOKED_AT = 100  # sentences: a single turn that skips more is not recognised


class Untold:
    """The turns of a call that only histories told so far, for up to `count` single turns in the order of speech.

    A single turn repeats the first equal sentence behind the last turn that came both ways. It repeats none if, since
    then, a single turn came that no history told: that turn was said after everything in the histories, so this one was
    too. (The cost: after a reworded turn, which no history tells, sentences that histories told first are stored twice
    until a turn comes both ways again.)
    """

    def __init__(self, call: Call, count: int) -> None:
        self._now = timezone.now()
        turns = call.transcriptions
        singles = turns.filter(told_singly=True).order_by("-sequence_number")
        both = singles.filter(history_position__isnull=False).only("sequence_number", "history_position").first()
        self._any_both = both is not None
        self._blocked = both is not None and singles.filter(sequence_number__gt=both.sequence_number).exists()
        behind = -1 if both is None or both.history_position is None else both.history_position
        # turns without a position come from a merge of two rows whose histories had nothing in common
        beyond = Q(history_position__gt=behind) | Q(history_position__isnull=True)
        untold = turns.filter(beyond, told_singly=False).order_by(F("history_position").asc(nulls_last=True))
        self._untold = [] if self._blocked else list(untold[: LOOKED_AT + count])
        self.told: list[CallTranscription] = []  # repeated by single turns, not saved yet

    def take(self, turn: NewTurn) -> CallTranscription | None:
        """Return the stored turn that this turn repeats; None if this turn is new."""
        sentence = Sentence(turn.speaker_type, turn.message_text)
        looked_at = () if self._blocked else enumerate(self._untold[:LOOKED_AT])
        for place, row in looked_at:
            if same(Sentence(row.speaker_type, row.message_text), sentence):
                row.told_singly, row.turn_id, row.single_came_at = True, turn.turn_id, turn.arrived_at or self._now
                self._untold = self._untold[place + 1 :]
                self._any_both = True
                self.told.append(row)
                return row
        self._blocked = self._any_both
        return None

    def save(self) -> None:
        CallTranscription.objects.bulk_update(self.told, ["told_singly", "turn_id", "single_came_at"], batch_size=500)
