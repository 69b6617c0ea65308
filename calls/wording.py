"""Compare two wordings of one sentence, word by word."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import NamedTuple

from calls.sentences import letters

COMPARED_WORDS = 300  # per wording; longer wordings are shown whole, one after the other
_WORD = re.compile(r"\S+")


class Piece(NamedTuple):
    """A piece of both wordings: the `same` words in both, or `before` in one and `after` in the other."""

    same: str = ""
    before: str = ""
    after: str = ""


def differences(before: str, after: str) -> list[Piece]:
    """Return the pieces that agree or differ. Case and punctuation do not count; equal words are given as in `after`.

    If less than half of the shorter wording's words agree, both are returned whole: small pieces would be hard to read.
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
