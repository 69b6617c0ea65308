"""When two sentences are the same, and which of two tellings of a conversation are which."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

COMPARED = 400  # of each side: 160,000 pairs take a quarter of a second


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


def aligned(one: Sequence[Sentence], other: Sequence[Sentence]) -> list[tuple[int, int]]:
    """Pairs of places with the same sentence, in the order of both, as many as there can be.

    Where the two differ in their middle, COMPARED sentences of it are looked at and the rest stays without a pair.
    """
    shorter = min(len(one), len(other))
    head = next((n for n in range(shorter) if not same(one[n], other[n])), shorter)
    tail = next((n for n in range(shorter - head) if not same(one[-1 - n], other[-1 - n])), shorter - head)
    middle = _aligned(one[head : len(one) - tail][:COMPARED], other[head : len(other) - tail][:COMPARED])
    return [
        *((n, n) for n in range(head)),
        *((head + i, head + j) for i, j in middle),
        *((len(one) - n, len(other) - n) for n in range(tail, 0, -1)),
    ]


def _aligned(one: Sequence[Sentence], other: Sequence[Sentence]) -> list[tuple[int, int]]:
    """The longest common subsequence, by the usual table."""
    best = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
    for i in range(len(one) - 1, -1, -1):
        for j in range(len(other) - 1, -1, -1):
            both = 1 + best[i + 1][j + 1] if same(one[i], other[j]) else 0
            best[i][j] = max(both, best[i + 1][j], best[i][j + 1])
    pairs, i, j = [], 0, 0
    while i < len(one) and j < len(other):
        if same(one[i], other[j]) and best[i][j] == 1 + best[i + 1][j + 1]:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif best[i + 1][j] >= best[i][j + 1]:
            i += 1
        else:
            j += 1
    return pairs


def beyond(stored: Sequence[Sentence], told: Sequence[Sentence]) -> Sequence[Sentence] | None:
    """What a history tells beyond the sentences that are stored from histories. None: the two have nothing in common.

    One that begins as the stored ones do is matched by position. One that was cut at its front is matched by its
    longest overlap, of two sentences at least, with what is stored.
    """
    if not stored or not told:
        return told
    if same(stored[0], told[0]):
        return told[len(stored) :]
    for first in range(1, len(stored) - 1):
        length = min(len(told), len(stored) - first)
        if length >= 2 and all(map(same, stored[first : first + length], told[:length])):
            return told[len(stored) - first :]
    return None
