"""Where the words that a search asks for stand in a text, for a page that marks them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from calls.search.numbers import numbers_in, said_numbers
from calls.search.scripts import MARKS
from calls.search.terms import All, Term, Word
from calls.search.words import folded, is_unspaced, spans

_CLUSTER = re.compile(f".[{MARKS}]*", re.DOTALL)
_OF_NUMBERS = ("+", "~", "=")


@dataclass(frozen=True, slots=True)
class Hit:
    """From `start` to `end` stands what the terms with these places ask for."""

    start: int
    end: int
    terms: frozenset[int]


class Finder:
    """Finds the words of one search in many texts."""

    def __init__(self, wanted: All) -> None:
        self._terms: dict[Word, frozenset[int]] = {}
        for place, term in enumerate(wanted.terms):
            for word in _words_of(term):
                self._terms[word] = self._terms.get(word, frozenset()) | {place}
        self._spoken = [word for word in self._terms if not word.text.startswith(_OF_NUMBERS)]
        self._numbers = [word for word in self._terms if word.text.startswith(_OF_NUMBERS)]

    def hits(self, text: str) -> list[Hit]:
        """In the order of the text; none overlaps another."""
        plain = folded(text)
        if not (self._numbers or any(word.text in plain for word in self._spoken)):
            return []
        searched, places = _with_places(text)
        found = sorted(self._found(searched), key=lambda hit: (hit.start, -hit.end))
        return [
            Hit(places[hit.start], places[hit.end - 1] + _width(text, places[hit.end - 1]), hit.terms)
            for hit in _apart(found)
        ]

    def _found(self, text: str) -> Iterator[Hit]:
        for start, run in spans(text):
            if is_unspaced(run):
                yield from self._pieces(start, run)
            elif terms := self._terms_of(self._spoken, {run}):
                yield Hit(start, start + len(run), terms)
        for number in said_numbers(text) if self._numbers else ():
            if terms := self._terms_of(self._numbers, {*numbers_in(number[0])}):
                yield Hit(number.start(), number.end(), terms)

    def _terms_of(self, asked: list[Word], words: set[str]) -> frozenset[int]:
        return frozenset[int]().union(
            *(
                self._terms[one]
                for one in asked
                if (any(word.startswith(one.text) for word in words) if one.is_beginning else one.text in words)
            )
        )

    def _pieces(self, start: int, run: str) -> Iterator[Hit]:
        """Where there are no spaces between words, a part of the run."""
        for word in self._spoken:
            place = run.find(word.text)
            while place >= 0:
                yield Hit(start + place, start + place + len(word.text), self._terms[word])
                place = run.find(word.text, place + 1)


def _words_of(term: Term) -> Iterator[Word]:
    if isinstance(term, Word):
        yield term
    else:
        for part in term.terms:
            yield from _words_of(part)


def _with_places(text: str) -> tuple[str, list[int]]:
    """The text as search compares it, and for each of its characters where it comes from."""
    if text.isascii():
        return text.lower(), [*range(len(text))]
    parts, places = [], list[int]()
    for cluster in _CLUSTER.finditer(text):
        part = folded(cluster[0])
        parts.append(part)
        places += [cluster.start()] * len(part)
    return "".join(parts), places


def _width(text: str, place: int) -> int:
    """Of the character that begins there, with its marks."""
    cluster = None if text.isascii() else _CLUSTER.match(text, place)
    return len(cluster[0]) if cluster else 1


def _apart(hits: list[Hit]) -> list[Hit]:
    """Those that overlap or touch, as pieces of one run do, as one."""
    merged: list[Hit] = []
    for hit in hits:
        if merged and hit.start <= merged[-1].end:
            last = merged.pop()
            hit = Hit(last.start, max(last.end, hit.end), last.terms | hit.terms)
        merged.append(hit)
    return merged
