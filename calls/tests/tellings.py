"""A conversation that is told in pieces, by histories and single turns, to one call or to two that become one."""

from __future__ import annotations

import uuid

from calls.linking import link
from calls.models import Call
from calls.record_history import NewHistory, record_history
from calls.sentences import Sentence
from calls.turn import NewTurn
from calls.turns import live_reference, record_turns

SPEAKERS = ("agent", "driver")


class Conversation:
    """What is said, and the two names by which it is told: until `merge`, callsite takes them for two calls."""

    def __init__(self, texts):
        self.said = [Sentence(SPEAKERS[n % 2], text) for n, text in enumerate(texts)]
        mark = uuid.uuid4().hex
        self.names = [{"call_sid": f"EL_{mark}"}, {"conversation_id": f"conv_{mark}"}]
        for name in self.names:
            link(self._reference(name), create=True)

    def _reference(self, name):
        return live_reference(name.get("call_sid"), name.get("conversation_id"), "")

    def history(self, row, begin, end):
        record_history(NewHistory(call=self._reference(self.names[row]), sentences=tuple(self.said[begin:end])))

    def single(self, row, place, turn_id=None):
        said = self.said[place]
        turn = {"speaker_type": said.speaker_type, "message_text": said.text, "turn_id": turn_id}
        ((recorded, _),) = record_turns([NewTurn(**self.names[row], **turn)])
        return recorded

    def merge(self):
        link(self._reference({**self.names[0], **self.names[1]}))

    def stored(self):
        rows = Call.objects.get_by_identifier(self.names[0]["call_sid"]).transcriptions.order_by("sequence_number")
        assert [row.sequence_number for row in rows] == list(range(1, len(rows) + 1))
        return [Sentence(row.speaker_type, row.message_text) for row in rows]

    def play(self, events):
        """Events are ("history", row, begin, end), ("single", row, place) and ("merge",)."""
        for name, *given_ in events:
            getattr(self, name)(*given_)


def history(row, begin, end):
    return ("history", row, begin, end)


def single(row, place):
    return ("single", row, place)


MERGE = ("merge",)
