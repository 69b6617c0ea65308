"""Compare sentences, and align two versions of a conversation."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import zip_longest

WINDOW = 200  # sentences per version, compared at a time: 40,000 pairs take some 30 milliseconds
COMPARED = 100_000  # pairs of sentences, compared to find the place of a history that was cut: a tenth of a second


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of one speaker ("agent" or "driver")."""

    speaker_type: str
    text: str


def same(one: Sentence, other: Sentence) -> bool:
    """Tell whether two sentences are the same: the speakers are, and one text begins with the other.

    A beginning is enough, because an interruption shortens what was said. Case, punctuation and spaces do not count.
    """
    if one.speaker_type != other.speaker_type:
        return False
    a, b = letters(one.text), letters(other.text)
    if not (a and b):
        return one.text.strip() == other.text.strip()
    return a.startswith(b) or b.startswith(a)


@lru_cache(maxsize=4096)
def letters(text: str) -> str:
    """Return only the letters and digits of a text, in one case and one Unicode form."""
    return "".join(c for c in unicodedata.normalize("NFKC", text).casefold() if c.isalnum())


def aligned(one: Sequence[Sentence], other: Sequence[Sentence], *, to_the_end: bool = True) -> list[tuple[int, int]]:
    """Return pairs of indexes with the same sentence, in the order of both versions, as many as possible.

    With `to_the_end`, equal sentences at both ends are paired. Without it, `other` will go on later, so its sentences
    take the first places; among as many pairs, those with the same letters win.

    Where the middles differ, WINDOW sentences of each are compared at a time. There, a sentence that has moved by more
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
    """Align window by window. Only pairs in a window's first half count; the next window decides about the others."""
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
    """Return the longest common subsequence, as pairs of indexes; if `worded`, the one with the most equal letters."""

    def weight(i: int, j: int) -> float:
        if not same(one[i], other[j]):
            return 0
        return 1 + _worded_alike(one[i], other[j]) / (WINDOW + 1) if worded else 1

    return heaviest_pairs(len(one), len(other), weight)


def heaviest_pairs(rows: int, columns: int, weight: Callable[[int, int], float]) -> list[tuple[int, int]]:
    """Return pairs of a row and a column, in the order of both, with the greatest possible sum of weights.

    A weight of 0 means no pair. The usual table of dynamic programming takes time and memory for rows × columns.
    """
    best = [[0.0] * (columns + 1) for _ in range(rows + 1)]
    both = [[0.0] * columns for _ in range(rows)]  # the best sum if the two are a pair; 0: they are no pair
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
    """Join two versions of a conversation: return each sentence's index in either; None if they have nothing in common.

    `stored` comes from earlier histories. Each version is a piece of the conversation without gaps, whose front may be
    cut off. The first rule that fits places `told` along `stored`:

    1. Both start at their first sentence, if they agree wherever both have a sentence.
    2. `told` goes where the overlap is longest and agrees completely. The overlap has two sentences, or all that is
       stored; or, if `least` is 1, one sentence that occurs nowhere else.
    3. Both start at their first sentence, if that is the same. If their last common place agrees too, sentences are
       matched by position; otherwise equal sentences are paired, and sentences between two pairs are matched by
       position.

    Where a conversation repeats itself, several places may fit. The first rule and the longest overlap then choose the
    place with the fewest new sentences: a sentence that is left out comes with the next whole history, but a sentence
    that is stored twice would stay.
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
    """Return the index in `stored` of the first sentence of `told`, below 0 if it is earlier; None if no place fits."""
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
