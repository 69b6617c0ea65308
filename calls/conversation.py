"""Join two versions of one conversation into one record: the turns heard live, and the transcript that came after."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from calls.sentences import Sentence, aligned, heaviest_pairs, letters

WINDOW = 24  # sentences per version, compared at a time where the versions differ: 576 pairs, some 3 milliseconds
_COMPARED_LETTERS = 200


class Heard(StrEnum):
    """The origin of a row: both versions with the same sentence, both in other words, or one version alone."""

    SAME = "same"
    REWORDED = "reworded"
    LIVE = "live"
    AFTERWARDS = "afterwards"


@dataclass(frozen=True, slots=True)
class Row:
    """The index of one sentence among the live turns, in the final transcript, or in both."""

    live: int | None
    final: int | None
    heard: Heard


def record_of(live: Sequence[Sentence], final: Sequence[Sentence | None]) -> list[Row]:
    """Return rows that hold every index of both versions exactly once, in order.

    In `final`, None is an entry in which nobody speaks. Equal sentences share a row. Between two such rows, sentences
    of one speaker in other words share a row: as many pairs as possible, and then the most alike.
    """
    spoken = [place for place, sentence in enumerate(final) if sentence is not None]
    said = [sentence for sentence in final if sentence is not None]
    rows: list[Row] = []
    i = j = 0
    for next_i, next_j in [*aligned(live, said), (len(live), len(said))]:
        rows += (Row(*places) for places in _between(live, said, range(i, next_i), range(j, next_j)))
        if next_i < len(live):
            rows.append(Row(next_i, next_j, Heard.SAME))
        i, j = next_i + 1, next_j + 1
    return list(_with_silent_entries(rows, spoken, len(final)))


def _between(
    live: Sequence[Sentence], said: Sequence[Sentence], ours: range, theirs: range
) -> Iterator[tuple[int | None, int | None, Heard]]:
    """Yield the indexes between two equal sentences; a window of each version is compared at a time."""
    while ours or theirs:
        left, right = ours[:WINDOW], theirs[:WINDOW]
        i, j = left.start, right.start
        for a, b in [*_alike([live[n] for n in left], [said[n] for n in right]), (len(left), len(right))]:
            yield from ((n, None, Heard.LIVE) for n in range(i, left.start + a))
            yield from ((None, n, Heard.AFTERWARDS) for n in range(j, right.start + b))
            if a < len(left) and b < len(right):
                yield left.start + a, right.start + b, Heard.REWORDED
            i, j = left.start + a + 1, right.start + b + 1
        ours, theirs = ours[WINDOW:], theirs[WINDOW:]


def _alike(live: Sequence[Sentence], said: Sequence[Sentence]) -> list[tuple[int, int]]:
    """Return pairs of sentences of one speaker, in the order of both: as many as possible, and then the most alike."""
    ours, theirs = ([_pairs_of_letters(sentence.text) for sentence in telling] for telling in (live, said))

    def weight(i: int, j: int) -> float:
        """Return the weight of a pair: the likenesses of `WINDOW` pairs together weigh less than one more pair."""
        if live[i].speaker_type != said[j].speaker_type:
            return 0
        return 1 + _likeness(ours[i], theirs[j]) / (WINDOW + 1)

    return heaviest_pairs(len(live), len(said), weight)


def _pairs_of_letters(text: str) -> frozenset[str]:
    shown = letters(text)[:_COMPARED_LETTERS]
    return frozenset(shown[n : n + 2] for n in range(len(shown) - 1))


def _likeness(one: frozenset[str], other: frozenset[str]) -> float:
    """Return how many pairs of letters two texts have in common, as a number from 0 to 1."""
    return 2 * len(one & other) / (len(one) + len(other)) if one and other else 0.0


def _with_silent_entries(rows: list[Row], spoken: Sequence[int], count: int) -> Iterator[Row]:
    """Turn indexes of the spoken sentences into indexes of the whole final transcript, and add the silent entries."""
    following = 0
    for row in rows:
        if row.final is None:
            yield row
            continue
        place = spoken[row.final]
        yield from (Row(None, silent, Heard.AFTERWARDS) for silent in range(following, place))
        following = place + 1
        yield Row(row.live, place, row.heard)
    yield from (Row(None, silent, Heard.AFTERWARDS) for silent in range(following, count))
