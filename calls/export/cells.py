"""CSV lines whose texts a spreadsheet shows as they are and never computes as formulas."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from decimal import Decimal

type Cell = str | int | Decimal | None

BOM = "\ufeff"  # Excel reads a file as UTF-8 only if it begins with this mark
# A formula begins with one of these signs, also full-width or small; invisible characters may stand before the sign.
_UNSEEN = r"[\s\x00-\x1f\x7f\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]*"
_SIGN = r"[=+\-@\u2212\ufe62\ufe63\ufe66\ufe6b\uff0b\uff0d\uff1d\uff20]"
_FORMULA = re.compile(rf"{_UNSEEN}{_SIGN}|[\t\r\n]")
# In many countries a spreadsheet splits lines at semicolons or tabs, so a cell may begin inside a cell of this file.
_INNER = re.compile(rf"([;\t\r\n]{_UNSEEN}+)({_SIGN})?")  # matches a whole run of spaces at once, in linear time


def defused(text: str) -> str:
    """Return the text with an apostrophe before each part that a spreadsheet would take for a formula."""
    shown = _INNER.sub(lambda found: f"{found[1]}'{found[2]}" if found[2] else found[1], text)
    return f"'{shown}" if _FORMULA.match(text) else shown


def lines(rows: Iterable[Sequence[Cell]]) -> bytes:
    """Return the rows as CSV in UTF-8. Texts are quoted and defused; numbers stay numbers, also negative ones."""
    file = io.StringIO()
    csv.writer(file, quoting=csv.QUOTE_STRINGS).writerows([_written(cell) for cell in row] for row in rows)
    return file.getvalue().encode("utf-8", "backslashreplace")  # a text can hold lone surrogates


def _written(cell: Cell) -> str | int | None:
    if isinstance(cell, Decimal):
        return f"{cell:f}"
    return defused(cell) if isinstance(cell, str) else cell
