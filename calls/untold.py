"""The sentences of a call's histories that no single turn has told yet."""

from __future__ import annotations

from django.db.models import F, Q
from django.utils import timezone

from calls.models import Call, CallTranscription
from calls.sentences import Sentence, same
from calls.turn import NewTurn

LOOKED_AT = 100  # sentences: a single turn that skips more is not recognised


class Untold:
    """For single turns of one call that come in the order in which they were said, `count` at most.

    A single turn stands for the first sentence of the histories that is the same, behind the last one that came both
    ways. It stands for none where a single turn came since then that no history has told: that one was said behind all
    that the histories tell, so this one was too. (Reworded turns, which no history tells, cost this: until a
    turn is again told both ways, what the histories told first is stored twice.)
    """

    def __init__(self, call: Call, count: int) -> None:
        self._now = timezone.now()
        turns = call.transcriptions
        singles = turns.filter(told_singly=True).order_by("-sequence_number")
        both = singles.filter(history_position__isnull=False).only("sequence_number", "history_position").first()
        self._any_both = both is not None
        self._blocked = both is not None and singles.filter(sequence_number__gt=both.sequence_number).exists()
        behind = -1 if both is None or both.history_position is None else both.history_position
        # without a place: of histories that had nothing in common with longer ones, when two rows became one call
        beyond = Q(history_position__gt=behind) | Q(history_position__isnull=True)
        untold = turns.filter(beyond, told_singly=False).order_by(F("history_position").asc(nulls_last=True))
        self._untold = [] if self._blocked else list(untold[: LOOKED_AT + count])
        self.told: list[CallTranscription] = []  # not saved yet

    def take(self, turn: NewTurn) -> CallTranscription | None:
        """The turn that tells this already; None: it is new."""
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
