"""Find where the words of a search stand in a text, for a page that marks them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass

from calls.search.numbers import numbers_in, said_numbers
from calls.search.scripts import MARKS, UNSEEN
from calls.search.terms import All, AnyOf, Term, Word
from calls.search.words import folded, is_unspaced, spans

_CLUSTER = re.compile(f".[{MARKS}{UNSEEN}]*", re.DOTALL)
_OF_NUMBERS = ("+", "~", "=")

type _Found = tuple[int, int, frozenset[Word]]


@dataclass(frozen=True, slots=True)
class Hit:
    """A stretch of text from `start` to `end`, and the indexes of the search terms that it fulfils."""

    start: int
    end: int
    terms: frozenset[int]


class Finder:
    """Finds the words of one search in many texts. `every`: the indexes of all its terms."""

    def __init__(self, wanted: All) -> None:
        self._terms = list(_flat(wanted))
        self.every = frozenset(range(len(self._terms)))
        words = frozenset(word for term in self._terms for word in _words_of(term))
        self._numbers = [word for word in words if word.text.startswith(_OF_NUMBERS)]
        self._spoken = [word for word in words if not word.text.startswith(_OF_NUMBERS)]
        self._signs = [re.compile("|".join(map(_sign, _words_of(term)))) for term in self._terms]

    def may_have(self, text: str, terms: Set[int], *, all_of_them: bool = False) -> bool:
        """Tell whether a text can have one of these terms, or all. It costs a twentieth of `hits`, which says where."""
        plain = folded(text)
        found = (self._signs[place].search(plain) is not None for place in terms)
        return all(found) if all_of_them else any(found)

    def hits(self, text: str) -> list[Hit]:
        """Return the hits in the order of the text; no hit overlaps another."""
        searched, places = _with_places(text)
        found = list(self._found(searched))
        held = self._held(frozenset[Word]().union(*(words for _, _, words in found)))
        hits = [
            Hit(places[start], places[end - 1] + _width(text, places[end - 1]), terms)
            for start, end, words in found
            if (terms := frozenset(place for place, asked in held.items() if asked & words))
        ]
        return _apart(sorted(hits, key=lambda hit: (hit.start, -hit.end)), text)

    def _held(self, words: Set[Word]) -> dict[int, Set[Word]]:
        """Return the terms that these words fulfil, with all words of each. Half a number fulfils no term."""
        return {place: {*_words_of(term)} for place, term in enumerate(self._terms) if _holds(term, words)}

    def _found(self, text: str) -> Iterator[_Found]:
        for start, run in spans(text):
            if is_unspaced(run):
                yield from self._pieces(start, run)
            elif words := _like(self._spoken, {run}):
                yield start, start + len(run), words
        for number in said_numbers(text) if self._numbers else ():
            if words := _like(self._numbers, {*numbers_in(number[0])}):
                yield number.start(), number.end(), words

    def _pieces(self, start: int, run: str) -> Iterator[_Found]:
        """Yield the parts of a run that match, for scripts without spaces between words."""
        for word in self._spoken:
            place = run.find(word.text)
            while place >= 0:
                yield start + place, start + place + len(word.text), frozenset({word})
                place = run.find(word.text, place + 1)


def _sign(word: Word) -> str:
    """Return a pattern that matches every folded text with the word, and few texts without it."""
    if word.text.startswith(_OF_NUMBERS):
        return "[0-9]"
    text = re.escape(word.text)
    return text if is_unspaced(word.text) else f"(?<![a-z0-9]){text}{'' if word.is_beginning else '(?![a-z0-9])'}"


def _flat(term: Term) -> Iterator[Term]:
    """Yield the terms one by one, because words that are all asked for may stand in several texts."""
    if isinstance(term, All):
        for part in term.terms:
            yield from _flat(part)
    else:
        yield term


def _words_of(term: Term) -> Iterator[Word]:
    if isinstance(term, Word):
        yield term
    else:
        for part in term.terms:
            yield from _words_of(part)


def _holds(term: Term, words: Set[Word]) -> bool:
    match term:
        case Word():
            return term in words
        case All(parts):
            return all(_holds(part, words) for part in parts)
        case AnyOf(parts):
            return any(_holds(part, words) for part in parts)


def _like(asked: Iterable[Word], words: Set[str]) -> frozenset[Word]:
    return frozenset(
        one
        for one in asked
        if (any(word.startswith(one.text) for word in words) if one.is_beginning else one.text in words)
    )


def _with_places(text: str) -> tuple[str, list[int]]:
    """Return the text as search compares it, and the index in the original text for each of its characters."""
    if text.isascii():
        return text.lower(), [*range(len(text))]
    parts, places = [], list[int]()
    for cluster in _CLUSTER.finditer(text):
        part = folded(cluster[0])
        parts.append(part)
        places += [cluster.start()] * len(part)
    return "".join(parts), places


def _width(text: str, place: int) -> int:
    """Return the length of the character that begins at `place`, with its marks."""
    cluster = None if text.isascii() else _CLUSTER.match(text, place)
    return len(cluster[0]) if cluster else 1


def _apart(hits: Iterable[Hit], text: str) -> list[Hit]:
    """Merge hits that overlap, touch, or have one sign between them (`cold-chain`)."""
    merged: list[Hit] = []
    for hit in hits:
        last = merged[-1] if merged else None
        if last and hit.start <= last.end + 1 and not text[last.end : hit.start].isspace():
            hit = Hit(last.start, max(last.end, hit.end), last.terms | hit.terms)
            merged.pop()
        merged.append(hit)
    return merged
