from __future__ import annotations

import pytest

from calls.wording import COMPARED_WORDS, Piece, differences


@pytest.mark.parametrize(
    ("before", "after", "pieces"),
    [
        ("sixty fifty", "sixteen fifteen", [Piece(before="sixty fifty", after="sixteen fifteen")]),
        (
            "at sixty fifty, i think",
            "At sixteen fifteen I think.",
            [Piece(same="At"), Piece(before="sixty fifty,", after="sixteen fifteen"), Piece(same="I think.")],
        ),
        ("Am I late", "Am I", [Piece(same="Am I"), Piece(before="late")]),
        ("…", "!", [Piece(before="…", after="!")]),
    ],
)
def test_the_words_that_differ_stand_beside_each_other(before, after, pieces):
    assert differences(before, after) == pieces


def test_very_long_sentences_are_shown_whole():
    before, after = "a " * COMPARED_WORDS, "b " * (COMPARED_WORDS + 1)
    assert differences(before, after) == [Piece(before=before, after=after)]
