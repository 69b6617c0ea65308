"""Where two wordings of one sentence differ, word by word."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import NamedTuple

from calls.sentences import letters

COMPARED_WORDS = 300  # of each; longer ones are shown whole, one after the other
_WORD = re.compile(r"\S+")


class Piece(NamedTuple):
    """A stretch of both wordings: the same words, or `before` in the one and `after` in the other."""

    same: str = ""
    before: str = ""
    after: str = ""


def differences(before: str, after: str) -> list[Piece]:
    """Case and punctuation are no difference; of words that are the same, those of `after` are given.

    Sentences that have less than half of their words in common are two whole sentences: bits would be a riddle.
    """
    ours, theirs = _WORD.findall(before), _WORD.findall(after)
    if max(len(ours), len(theirs)) > COMPARED_WORDS:
        return [Piece(before=before, after=after)]
    matcher = SequenceMatcher(None, [*map(_plain, ours)], [*map(_plain, theirs)], autojunk=False)
    if sum(block.size for block in matcher.get_matching_blocks()) * 2 < min(len(ours), len(theirs)):
        return [Piece(before=before, after=after)]
    return [
        Piece(same=" ".join(theirs[c:d]))
        if kind == "equal"
        else Piece(before=" ".join(ours[a:b]), after=" ".join(theirs[c:d]))
        for kind, a, b, c, d in matcher.get_opcodes()
    ]


def _plain(word: str) -> str:
    return letters(word) or word
