"""When two sentences are the same, and which of two tellings of a conversation are which."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import zip_longest

WINDOW = 200  # 40,000 pairs take some 30 milliseconds
COMPARED = 100_000  # pairs of sentences, to find where a history that was cut belongs: a tenth of a second


@dataclass(frozen=True, slots=True)
class Sentence:
    """What one speaker ("agent" or "driver") said."""

    speaker_type: str
    text: str


def same(one: Sentence, other: Sentence) -> bool:
    """The speaker is the same, and one text begins with the other: an interruption shortens what was said.

    Case, punctuation and spaces count for nothing.
    """
    if one.speaker_type != other.speaker_type:
        return False
    a, b = letters(one.text), letters(other.text)
    if not (a and b):
        return one.text.strip() == other.text.strip()
    return a.startswith(b) or b.startswith(a)


@lru_cache(maxsize=4096)
def letters(text: str) -> str:
    """A text's letters and digits alone, in one case and one Unicode form."""
    return "".join(c for c in unicodedata.normalize("NFKC", text).casefold() if c.isalnum())


def aligned(one: Sequence[Sentence], other: Sequence[Sentence], *, to_the_end: bool = True) -> list[tuple[int, int]]:
    """Pairs of places with the same sentence, in the order of both, as many as there can be.

    Both end alike where they can. If not `to_the_end`, `other` goes on later, so its sentences take the first places,
    and among as many pairs those that are worded alike.

    Where the two differ in their middle, WINDOW sentences of each are compared at a time. There, what has moved by more
    than half a window finds no pair.
    """
    shorter = min(len(one), len(other))
    begin = same if to_the_end else _worded_alike
    head = next((n for n in range(shorter) if not begin(one[n], other[n])), shorter)
    tail = next((n for n in range(shorter - head) if not same(one[-1 - n], other[-1 - n])), shorter - head)
    tail = tail if to_the_end else 0
    middle = _aligned_by_windows(one[head : len(one) - tail], other[head : len(other) - tail], worded=not to_the_end)
    return [
        *((n, n) for n in range(head)),
        *((head + i, head + j) for i, j in middle),
        *((len(one) - n, len(other) - n) for n in range(tail, 0, -1)),
    ]


def _worded_alike(one: Sentence, other: Sentence) -> bool:
    return same(one, other) and letters(one.text) == letters(other.text)


def _aligned_by_windows(one: Sequence[Sentence], other: Sequence[Sentence], *, worded: bool) -> list[tuple[int, int]]:
    """Of each window the pairs of its first half count; those behind it depend on what the next one shows."""
    pairs: list[tuple[int, int]] = []
    i, j, half = 0, 0, WINDOW // 2
    while i < len(one) and j < len(other):
        found = _aligned(one[i : i + WINDOW], other[j : j + WINDOW], worded=worded)
        if i + WINDOW < len(one) or j + WINDOW < len(other):
            found = [pair for pair in found if max(pair) < half] or found[:half]
            reached = found[-1] if found else (half, half)
        else:
            reached = (WINDOW, WINDOW)
        pairs += [(i + a, j + b) for a, b in found]
        i, j = i + max(reached[0] + 1, half // 2), j + max(reached[1] + 1, half // 2)
    return pairs


def _aligned(one: Sequence[Sentence], other: Sequence[Sentence], *, worded: bool) -> list[tuple[int, int]]:
    """The longest common subsequence; `worded`: the one of those with the most pairs that are worded alike."""

    def weight(i: int, j: int) -> float:
        if not same(one[i], other[j]):
            return 0
        return 1 + _worded_alike(one[i], other[j]) / (WINDOW + 1) if worded else 1

    return heaviest_pairs(len(one), len(other), weight)


def heaviest_pairs(rows: int, columns: int, weight: Callable[[int, int], float]) -> list[tuple[int, int]]:
    """Pairs of a row and a column, in the order of both, whose weights are together as much as can be.

    What weighs nothing is no pair. By the usual table, which takes time and room for each row and column.
    """
    best = [[0.0] * (columns + 1) for _ in range(rows + 1)]
    both = [[0.0] * columns for _ in range(rows)]  # if the two are a pair; 0: they are none
    for i in range(rows - 1, -1, -1):
        for j in range(columns - 1, -1, -1):
            if weighs := weight(i, j):
                both[i][j] = weighs + best[i + 1][j + 1]
            best[i][j] = max(both[i][j], best[i + 1][j], best[i][j + 1])
    pairs, i, j = [], 0, 0
    while i < rows and j < columns:
        if both[i][j] and best[i][j] == both[i][j]:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif best[i + 1][j] >= best[i][j + 1]:
            i += 1
        else:
            j += 1
    return pairs


Place = tuple[int | None, int | None]


def joined(stored: Sequence[Sentence], told: Sequence[Sentence], *, least: int = 2) -> list[Place] | None:
    """Two tellings of one conversation as one: for each sentence, its place in either. None: nothing in common.

    `stored` comes from earlier histories. Each telling is a piece of the conversation without holes, whose front may be
    cut. So `told` is laid along `stored`:

    1. both from their first sentence, where they agree wherever both tell something;
    2. where their overlap is longest and they agree in all of it: of two sentences, or of all that is stored; or, where
       `least` is 1, of one that is like no other;
    3. from their first sentence, if that is the same. Where their last common place agrees, they are matched by
       position; else what they agree in is paired, and what lies between two pairs by position.

    Where a conversation repeats itself, several places may fit. The first rule, then the longest overlap, take
    `told` for what tells the least that is new: a sentence that is left out by this comes with the next whole history,
    one that is stored twice would stay.
    """
    if not stored or not told:
        return [*((i, None) for i in range(len(stored))), *((None, j) for j in range(len(told)))]
    offset = _offset(stored, told, least)
    if offset is not None:
        return [
            (i if 0 <= i < len(stored) else None, i - offset if 0 <= i - offset < len(told) else None)
            for i in range(min(0, offset), max(len(stored), offset + len(told)))
        ]
    if not same(stored[0], told[0]):
        return None
    whole: list[Place] = []
    i = j = 0
    for next_i, next_j in [*aligned(stored, told), (len(stored), len(told))]:
        whole += zip_longest(range(i, next_i), range(j, next_j))
        if next_i < len(stored):
            whole.append((next_i, next_j))
        i, j = next_i + 1, next_j + 1
    return whole


def _offset(stored: Sequence[Sentence], told: Sequence[Sentence], least: int) -> int | None:
    """The place in `stored` of the first sentence of `told`; below 0 where `told` begins before it."""
    common = min(len(stored), len(told))
    if all(map(same, stored[:common], told[:common])):
        return 0
    left = COMPARED
    for offset in sorted(
        range(1 - len(told), len(stored)), key=lambda at: (-_overlap(at, stored, told), at < 0, abs(at))
    ):
        length = _overlap(offset, stored, told)
        if left < 0:
            break
        i, j = max(offset, 0), max(-offset, 0)
        agree = next((n for n in range(length) if not same(stored[i + n], told[j + n])), length)
        if agree == length and (length >= min(2, len(stored)) or (least == 1 and _is_unique(stored[i], stored, told))):
            return offset
        left -= agree + 1
    by_position = same(stored[0], told[0]) and same(stored[common - 1], told[common - 1])
    return 0 if by_position else None


def _is_unique(sentence: Sentence, stored: Sequence[Sentence], told: Sequence[Sentence]) -> bool:
    return sum(same(sentence, other) for other in (*stored, *told)) == 2


def _overlap(offset: int, stored: Sequence[Sentence], told: Sequence[Sentence]) -> int:
    return min(len(stored), offset + len(told)) - max(offset, 0)
