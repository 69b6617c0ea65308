"""Where the words of a search stand in a text: whatever the search finds is marked, in every language."""

from __future__ import annotations

from itertools import pairwise

import pytest

from calls.search.hits import Finder
from calls.search.terms import asked
from callsite.tests.search_cases import CASES, NUMBERS

pytestmark = pytest.mark.quick


def marked(text, search):
    """The text with its hits in brackets."""
    parts, place = [], 0
    for hit in Finder(asked(search)).hits(text):
        parts += [text[place : hit.start], "[", text[hit.start : hit.end], "]"]
        place = hit.end
    return "".join([*parts, text[place:]])


def has_all(text, search):
    finder = Finder(asked(search))
    hits = finder.hits(text)
    for place in frozenset().union(*(hit.terms for hit in hits)):
        assert finder.may_have(text, {place}), "what is there may be there"
    assert all(0 <= hit.start < hit.end <= len(text) for hit in hits)
    assert all(one.end < other.start for one, other in pairwise(hits))
    return frozenset().union(*(hit.terms for hit in hits)) == finder.every


FOUND = [(text, search) for text, (found, _) in {**CASES, **NUMBERS}.items() for search in found]
NOT_FOUND = [(text, search) for text, (_, not_found) in {**CASES, **NUMBERS}.items() for search in not_found]
SPREAD = "ｶﾞ"  # a letter and its mark, of half the width, which no single character stands for


@pytest.mark.parametrize(("text", "search"), [case for case in FOUND if SPREAD not in case[0]])
def test_what_search_finds_is_marked(text, search):
    assert has_all(text, search)


@pytest.mark.parametrize(("text", "search"), NOT_FOUND)
def test_what_search_does_not_find_is_not_all_there(text, search):
    assert not has_all(text, search)


@pytest.mark.parametrize(
    ("text", "search", "shown"),
    [
        ("The DEMURRAGE charge, demurrages", "demurr", "The [DEMURRAGE] charge, [demurrages]"),
        ("The charge for charging", "charge x", "The [charge] for charging"),
        ("Ring 0151 234 56 78 now", "+49 151 2345678", "Ring [0151 234 56 78] now"),
        ("Die STRASSE, die Straße", "straße die", "[Die] [STRASSE], [die] [Straße]"),
        ("Zoe\u0308 rang", "zoë", "[Zoe\u0308] rang"),
        ("我想预约明天的牙医", "预约明天", "我想[预约明天]的牙医"),
        ("thanks 👍🏽 bye", "👍", "thanks [👍🏽] bye"),
        ("snake_case", "case", "snake_[case]"),
        ("", "x", ""),
        ("nothing", "…", "nothing"),
    ],
)
def test_whole_words_are_marked_as_they_were_said(text, search, shown):
    assert marked(text, search) == shown


def test_a_text_that_cannot_have_the_words_is_not_looked_through():
    finder = Finder(asked("arrive de"))
    assert finder.may_have("We arrive.", finder.every)
    assert not finder.may_have("We arrive.", finder.every, all_of_them=True)
    assert finder.may_have("They arrive at the depot", finder.every, all_of_them=True)
    assert not finder.may_have("The arrivederci was under way", finder.every)
