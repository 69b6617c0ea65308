"""Find telephone numbers however they are typed: +49 151 …, 0049151…, (0151) …, with dashes, or as plain digits.

A number is stored as marked words: `+` and all digits; `~` and the digits as they are dialled within the country (its
code has one to three digits); `=` and the digits if the country was not told. A search looks for the beginnings of
these words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_BETWEEN = r"+\d ().\-/\u2010-\u2015"
_SAID = re.compile(rf"[+(\d][{_BETWEEN}]{{5,30}}\d", re.ASCII)
_ASKED = re.compile(rf"[+(\d][{_BETWEEN}]{{0,30}}\d", re.ASCII)
_NO_DIGIT = re.compile(r"\D")
SHORTEST, LONGEST = 7, 15
SHORTEST_PREFIX = 3
CODES = (1, 2, 3)  # digits of a country's code


def numbers_in(text: str) -> Iterator[str]:
    """Yield the marked words of each number in a folded text."""
    for span in _spans(_SAID, text):
        international, digits = _read(span[0])
        if not SHORTEST <= len(digits) <= LONGEST:
            continue
        if international is not False:
            yield f"+{digits}"
            yield from (f"~{digits[code:]}" for code in CODES)
        if international is not True:
            yield from (f"={digits}", f"~{digits}")


def said_numbers(text: str) -> Iterator[re.Match[str]]:
    """Yield the matches that may be a number in a folded text."""
    yield from _spans(_SAID, text)


def asked_numbers(text: str) -> list[re.Match[str]]:
    """Return the matches that may be a number, or the beginning of one, in a folded search."""
    return list(_spans(_ASKED, text))


def beginnings(span: str) -> list[str]:
    """Return the marked words that find the number, or its beginning; none if the span does not look like a number."""
    international, digits = _read(span)
    if len(digits) > LONGEST or len(digits) < (SHORTEST if international is None else SHORTEST_PREFIX):
        return []
    if international:
        return [f"+{digits}", *(f"={digits[code:]}" for code in CODES if len(digits) - code >= SHORTEST - 1)]
    return [f"~{digits}"] if international is False else [f"+{digits}", f"~{digits}"]


def _read(span: str) -> tuple[bool | None, str]:
    """Return whether the country is told (None: unknown), and the digits without the sign or prefix that tells it."""
    plus = span.lstrip("( ").startswith("+")
    digits = _NO_DIGIT.sub("", span)
    if plus or digits.startswith("00"):
        digits = _NO_DIGIT.sub("", span.replace("(0)", ""))  # +49 (0)151 …
        return True, digits if plus else digits.removeprefix("00")
    return (False, digits[1:]) if digits.startswith("0") else (None, digits)


def _spans(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """Yield the matches that are not part of a word."""
    for span in pattern.finditer(text):
        before, after = text[span.start() - 1 : span.start()], text[span.end() : span.end() + 1]
        if not (before.isalnum() or after.isalnum() or before == "_" or after == "_"):
            yield span
