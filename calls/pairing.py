"""Pair single turns with the sentences of the histories, for a call whose turns came both ways."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise

from calls.models import CallTranscription
from calls.sentences import Sentence, aligned, same

OPEN = 50  # a longer history may correct the places of this many turns, the last that came both ways
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)

Places = list[CallTranscription | None]  # the turn of each sentence in the histories; None: it has no turn yet


def came_singly(turn: CallTranscription) -> datetime:
    return turn.single_came_at or turn.created_at


def reopen(places: Places, said: Sequence[Sentence | None]) -> dict[int, CallTranscription]:
    """Free the places of single turns that were paired lately and whose sentence is `said` once more.

    They are paired anew, because a short sentence may have been taken for a later one like it. Return, by place, the
    single turns that have no row of their own, because a history had told their sentence first.
    """
    without_row: dict[int, CallTranscription] = {}
    both = [place for place, turn in enumerate(places) if turn is not None and turn.told_singly]
    for place in both[-OPEN:]:
        turn, sentence = places[place], said[place]
        if not (turn and sentence and same(sentence_of(turn), sentence)):
            continue
        if turn.from_history:
            without_row[place] = CallTranscription(
                speaker_type=turn.speaker_type,
                message_text=turn.message_text,
                turn_id=turn.turn_id,
                created_at=came_singly(turn),
            )
            turn.told_singly, turn.turn_id, turn.single_came_at = False, None, None
        else:
            turn.history_position = places[place] = None
    return without_row


def pairs(
    places: Sequence[CallTranscription | None],
    said: Sequence[Sentence],
    turns: Sequence[CallTranscription],
    told: Sequence[CallTranscription],
    reopened: Collection[int] = (),
) -> Iterator[tuple[int, CallTranscription]]:
    """Yield places for `turns` that have none: the same sentence, in order, for as many turns as possible.

    Single turns come in the order in which they were said, so turns with a place divide the other turns. A place whose
    sentence came only in histories, unless it was `reopened`, is for turns that find no other place: its single turn
    may have come while an earlier one had no place. A turn that came before one of `told` is in the histories too: if
    it is left over, a repeated sentence may have the wrong place, so the turn takes any place.
    """
    unplaced = [turn for turn in turns if turn.history_position is None]
    strays = [turn for turn in unplaced if turn.from_history]  # from histories that had nothing in common
    singles = sorted((turn for turn in unplaced if not turn.from_history), key=came_singly)
    if not unplaced:
        return
    fixed = [(place, came_singly(turn)) for place, turn in enumerate(places) if turn is not None and turn.told_singly]
    fixed = [(-1, _FIRST), *fixed, (len(places), _LAST)][-OPEN - 2 :]
    free = [place for place, turn in enumerate(places) if turn is None or place in reopened]
    alone = [place for place, turn in enumerate(places) if turn is not None and not turn.told_singly][-2 * OPEN :]
    alone = [place for place in alone if place not in reopened]
    for place, turn in _best(free, alone, said, strays):
        if turn.told_singly:
            free, alone = [p for p in free if p != place], [p for p in alone if p != place]
        yield place, turn
    last = max((came_singly(turn) for turn in told if turn.told_singly), default=_FIRST)
    for (begin, since), (end, until) in [*pairwise(fixed), ((-1, _FIRST), (len(places), last))]:
        between = [turn for turn in singles if since <= came_singly(turn) <= until]
        free_here, alone_here = ([place for place in kind if begin < place < end] for kind in (free, alone))
        for place, turn in _best(free_here, alone_here, said, between) if between else ():
            singles.remove(turn)
            free, alone = [p for p in free if p != place], [p for p in alone if p != place]
            yield place, turn


def _best(
    free: Sequence[int], alone: Sequence[int], said: Sequence[Sentence], turns: Sequence[CallTranscription]
) -> list[tuple[int, CallTranscription]]:
    """Pair turns with the `free` places; also with the `alone` places if that makes more pairs."""
    told = [sentence_of(turn) for turn in turns]
    found = aligned([said[place] for place in free], told, to_the_end=False)
    spots = free
    if len(found) < len(turns) and alone:
        every = sorted([*free, *alone])
        more = aligned([said[place] for place in every], told, to_the_end=False)
        if len(more) > len(found):
            found, spots = more, every
    return [(spots[n], turns[m]) for n, m in found]


def stand_for_both(kept: CallTranscription, double: CallTranscription) -> None:
    """Give `kept` what is known of `double`, because both are one sentence."""
    single = kept if kept.told_singly else double
    kept.single_came_at = came_singly(single) if single.told_singly else None
    kept.told_singly = single.told_singly
    kept.from_history = kept.from_history or double.from_history
    kept.turn_id = kept.turn_id or double.turn_id


def sentence_of(turn: CallTranscription) -> Sentence:
    return Sentence(turn.speaker_type, turn.message_text)
