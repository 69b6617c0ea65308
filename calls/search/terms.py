"""The terms of a search: all its words, the last of which may be the beginning of a word, and numbers as numbers."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, replace

from calls.search.numbers import asked_numbers, beginnings
from calls.search.words import PIECE, folded, is_unspaced, runs

MAX_CHARACTERS, MAX_WORDS = 10_000, 100  # the rest of a longer text is ignored; SQLite does not take a thousand terms


@dataclass(frozen=True, slots=True)
class Word:
    text: str
    is_beginning: bool = False


@dataclass(frozen=True, slots=True)
class All:
    terms: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    terms: tuple[Term, ...]


type Term = Word | All | AnyOf


def asked(text: str) -> All:
    """Return the terms that a text asks for; an `All` without terms if the text has no words."""
    text = folded(text[:MAX_CHARACTERS])
    terms: list[Term] = []
    place = 0
    for span in asked_numbers(text):
        terms += _words(text[place : span.start()])
        terms.append(_number(span[0], is_last=not runs(text[span.end() :])))
        place = span.end()
    if rest := _words(text[place:]):
        terms += [*rest[:-1], _beginning(rest[-1])]
    return All(tuple(dict.fromkeys(terms))[:MAX_WORDS])


def without(term: Term, words: Set[str]) -> Term | None:
    """Return what is left of a term once these words are found; None if nothing is left to find."""
    match term:
        case Word(text, is_beginning):
            found = any(word.startswith(text) for word in words) if is_beginning else text in words
            return None if found else term
        case All(terms):
            left = [rest for part in terms if (rest := without(part, words)) is not None]
            return All(tuple(left)) if left else None
        case AnyOf(terms):
            parts = [without(part, words) for part in terms]
            return None if None in parts else AnyOf(tuple(part for part in parts if part is not None))


def _words(text: str) -> list[Word]:
    return [word for run in runs(text) for word in (_pieces(run) if is_unspaced(run) else [Word(run)])]


def _pieces(run: str) -> list[Word]:
    if len(run) < PIECE:
        return [Word(run, is_beginning=True)]
    return [Word(run[place : place + PIECE]) for place in range(len(run) - PIECE + 1)]


def _number(span: str, *, is_last: bool) -> Term:
    """Return a term that matches the words as they are typed, or the number that they may be."""
    words = _words(span)
    if is_last:
        words[-1] = _beginning(words[-1])
    numbers = [Word(text, is_beginning=True) for text in beginnings(span)]
    return AnyOf((All(tuple(words)), *numbers)) if numbers else All(tuple(words))


def _beginning(word: Word) -> Word:
    return word if is_unspaced(word.text) else replace(word, is_beginning=True)
